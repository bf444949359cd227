//! A packet at a block: what it finds at a height, what it becomes, what it leaves.
//!
//! # Second order
//! Over L pixels a packet changes while it moves. The height is that of the packet half-way (its mean over the m
//! transfers, `n + theta dn` with `theta = (m - 1) / (2 m)`), found by one Newton step; since later packets never
//! change earlier ones the implicit midpoint rule is solved in one pass. With blocks of one pixel theta is 0 and the
//! pass is the exact transfer. Where every column stays between the same two marks on the way half-way, what was read of the
//! marks serves again.
//! # Slope
//! With q the electrons that the pool takes for one more in the packet, the packet after the block has
//! `1 - q / (1 + theta q)` for one more before it.

#![expect(clippy::needless_range_loop, reason = "lanes of several arrays side by side: the form that the compiler turns into vectors")]

use super::marks::{self, Marks, Ranks, Row, Seen, WIDTH};
use super::pool::{Past, Pool};
use super::traps::{SPECIES, Traps};

/// What a height finds: electrons the pool holds afterwards, by species, and the steepness of that in the height.
pub(super) struct Outcome<const S: usize> {
    pub held: [Row; S],
    pub total: Row,
    pub steepness: Row,
}

/// A packet at a block: the traps, the time, the pixels that have joined the pool.
#[derive(Clone, Copy)]
pub(super) struct Pass<'a> {
    /// Traps.
    pub traps: &'a Traps,
    /// Number of the packet.
    pub now: usize,
    /// Pixels of the pool.
    pub pixels: f64,
    /// What an earlier line left in pixels that join.
    pub past: Option<&'a Past>,
}

/// What a packet would become, and the pool with it.
pub(super) struct Found<const S: usize> {
    /// The packet after the block.
    pub after: Row,
    /// Its change for one electron more before the block (backwards: after it).
    pub slope: Row,
    /// What of a small change comes through the block, forwards.
    pub through: Row,
    pub height: Row,
    pub at: Ranks,
    pub outcome: Outcome<S>,
}

impl Pass<'_> {
    /// The pool after a packet that reaches these heights.
    #[inline(always)]
    pub(super) fn outcome<const S: usize>(&self, pool: &Pool<S>, marks: &Marks, at: &Ranks, seen: &Seen<S>, height: &Row) -> Outcome<S> {
        if S == SPECIES && self.traps.slow {
            return self.slow_outcome(&marks.profiles, self.pixels - pool.pixels, height);
        }
        let mut joined = [[0.0; WIDTH]; S];
        if let Some((past, age)) = self.remembered() {
            self.left_in_joined(past, age, &marks.pixels(at), height, &mut joined);
        }
        let (mut held, mut total, mut steepness) = ([[0.0; WIDTH]; S], [0.0; WIDTH], [0.0; WIDTH]);
        for s in 0..S {
            let depth = self.traps.depth[s];
            for l in 0..WIDTH {
                let above = height[l] - depth;
                let rise = if above > 0.0 { seen.rise[s][l] } else { 0.0 };
                held[s][l] = seen.above[s][l] + rise * above + joined[s][l];
                total[l] += held[s][l];
                steepness[l] += rise;
            }
        }
        Outcome { held, total, steepness }
    }

    /// The pool after packets that reach these heights, with the marks `at` above them.
    #[inline(always)]
    pub(super) fn outcome_at<const S: usize>(&self, pool: &Pool<S>, marks: &Marks, at: &Ranks, height: &Row) -> Outcome<S> {
        let seen = marks.read(at, self.now, self.pixels, self.traps);
        self.outcome(pool, marks, at, &seen, height)
    }

    /// The earlier line, if anything of it is left, and the periods since its end.
    #[inline(always)]
    fn remembered(&self) -> Option<(&Past, usize)> {
        // Beyond the table of decays it has faded.
        self.past.map(|past| (past, past.line + self.now - past.end)).filter(|(_, age)| *age < self.traps.oldest())
    }

    /// Electrons above each height in pixels that joined after the mark: what the earlier line left there.
    #[inline(never)]
    fn left_in_joined<const S: usize>(&self, past: &Past, age: usize, marked: &Row, height: &Row, above: &mut [Row; S]) {
        if marked.iter().all(|&pixels| pixels == self.pixels) {
            return;
        }
        let at = past.marks.search(&past.top, height);
        let left = self.traps.left(age - 1);
        let whole: Seen<S> = past.marks.read(&at, 0, 0.0, self.traps);
        for s in 0..S {
            let depth = self.traps.depth[s];
            for l in 0..WIDTH {
                let share = (self.pixels - marked[l]) / past.pixels;
                let reached = height[l] - depth;
                let below = if reached > 0.0 { whole.rise[s][l] * reached } else { 0.0 };
                above[s][l] = share * (whole.above[s][l] + below) * left[s];
            }
        }
    }

    /// Electrons that pixels bring when they join, and those of them that have been released by now.
    #[inline(always)]
    pub(super) fn joining<const S: usize>(&self, pool: &Pool<S>) -> (Row, Row) {
        let (mut brought, mut loose) = ([0.0; WIDTH], [0.0; WIDTH]);
        let fresh = self.pixels - pool.pixels;
        if let Some(past) = self.past.filter(|_| fresh > 0.0) {
            let decay = self.traps.left(past.line + self.now - past.end);
            let share = fresh / past.pixels;
            for l in 0..WIDTH {
                brought[l] = share * past.total[l];
                loose[l] = brought[l];
                for s in 0..S {
                    loose[l] -= share * past.held[s][l] * decay[s];
                }
            }
        }
        (brought, loose)
    }

    /// What becomes of a packet and of the pool.
    #[inline(always)]
    pub fn probe<const S: usize>(&self, pool: &Pool<S>, marks: &Marks, row: &Row) -> Found<S> {
        let share = 1.0 / self.pixels;
        let theta = 0.5 - 0.5 * share;
        // Release over one period: each pixel gives the packet its share.
        let mut kept = [0.0; WIDTH];
        for s in 0..S {
            for l in 0..WIDTH {
                kept[l] += pool.held[s][l] * self.traps.keep[s];
            }
        }
        let (brought, loose) = self.joining(pool);
        let (mut before, mut released, mut packet) = ([0.0; WIDTH], [0.0; WIDTH], [0.0; WIDTH]);
        for l in 0..WIDTH {
            before[l] = pool.total[l] + brought[l];
            released[l] = (pool.total[l] - kept[l]) * share + loose[l];
            packet[l] = row[l] + released[l];
        }
        // Capture.
        let (mut height, mut slope) = self.traps.fill.reached(&packet);
        let mut at = marks.search(&pool.top, &height);
        let mut seen = marks.read(&at, self.now, self.pixels, self.traps);
        let mut outcome = self.outcome(pool, marks, &at, &seen, &height);
        if theta > 0.0 {
            let mut half_way = [0.0; WIDTH];
            for l in 0..WIDTH {
                let change = theta * (before[l] - outcome.total[l]);
                half_way[l] = packet[l] + change / (1.0 + theta * outcome.steepness[l] * slope[l]);
            }
            (height, slope) = self.traps.fill.reached(&half_way);
            let moved = marks.search(&pool.top, &height);
            if marks::differ(&moved, &at) {
                at = moved;
                seen = marks.read(&at, self.now, self.pixels, self.traps);
            }
            outcome = self.outcome(pool, marks, &at, &seen, &height);
        }
        let (mut after, mut gain) = ([0.0; WIDTH], [0.0; WIDTH]);
        let mut below = false;
        for l in 0..WIDTH {
            after[l] = row[l] + (before[l] - outcome.total[l]);
            below |= after[l] < 0.0 && outcome.total[l] > before[l];
            let taken = if height[l] < 1.0 { outcome.steepness[l] * slope[l] } else { 0.0 };
            gain[l] = 1.0 - taken / (1.0 + theta * taken);
        }
        let mut found = Found { after, slope: gain, through: gain, height, at, outcome };
        if below {
            let electrons = Electrons { packet: row, before: &before, released: &released };
            self.limit(pool, marks, &electrons, &mut found);
        }
        found
    }

    /// The pool takes what it has found.
    #[inline(always)]
    pub fn commit<const S: usize>(&self, pool: &mut Pool<S>, marks: &mut Marks, found: &Found<S>) {
        if S == SPECIES && self.traps.slow {
            self.slow_commit(&mut marks.profiles, self.pixels - pool.pixels, &found.height);
        } else {
            pool.top = marks.leave(&found.at, self.now, self.traps, self.pixels, &found.height, &found.outcome.held);
            if self.past.is_some() {
                marks.leave_pixels(&pool.top, self.pixels);
            }
        }
        pool.held = found.outcome.held;
        pool.total = found.outcome.total;
        pool.pixels = self.pixels;
    }
}

/// A packet, the electrons in the traps before it, and those released to it.
pub(super) struct Electrons<'a> {
    pub packet: &'a Row,
    pub before: &'a Row,
    pub released: &'a Row,
}
