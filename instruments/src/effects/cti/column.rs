//! The kernel: packets of charge in time order through a block of physical pixels, several columns side by side.
//!
//! # The state of a block
//! A block of L pixels that see the same packets is one pool. Electrons fill every empty trap below their height v, so
//! the occupancy of the volume is a staircase: below the height of the last packet all traps are full, then come marks
//! of earlier, higher packets whose traps have been emptying since. A mark holds its height, its time, the pixels that
//! had joined by then and the electrons of each species that the pool held then. All species share the marks.
//! Above the height v, last seen by mark k at time t_k with m_k pixels and H_k electrons of a species, the pool holds
//! `(H_k - m_k e(v)) exp(-(t - t_k) / tau)`, with `e(v)` the traps of a pixel below v; below v it holds `m e(v)`.
//! So one packet costs one height, one mark and one product per species, for any number of marks.
//!
//! # The start of a packet
//! A packet that starts inside the block meets, in its own pixel, traps that no packet has filled. It therefore joins its
//! pixel to the pool empty: m grows by one and nothing else changes. The mean occupancy is then exact, and so is the
//! account: what a packet gives is what the pool gains.
//!
//! # Second order
//! Over L pixels a packet changes while it moves. The height is that of the packet half-way (its mean over the m
//! transfers, `n + theta dn` with `theta = (m - 1) / (2 m)`), found by one Newton step; since later packets never
//! change earlier ones the implicit midpoint rule is solved in one pass. With blocks of one pixel theta is 0 and the
//! pass is the exact transfer.

#![expect(clippy::needless_range_loop, reason = "lanes of several arrays side by side: the form that the compiler turns into vectors")]

use super::traps::{SPECIES, Traps};

/// Physical pixels `low..high` counted from the output, passed as one pool.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Block {
    /// First pixel.
    pub low: usize,
    /// One past the last.
    pub high: usize,
}

/// What a packet left behind when it had filled all traps up to its height.
#[derive(Debug, Clone, Copy)]
struct Mark {
    time: usize,
    pixels: f64,
    held: [f64; SPECIES],
}

/// Marks looked at together.
const WINDOW: usize = 4;
/// Columns that go side by side.
pub const WIDTH: usize = 8;
/// A number for each of the columns.
pub type Row = [f64; WIDTH];

/// The marks of all lanes, kept between passes to spare the allocation.
#[derive(Debug, Clone, Default)]
pub struct Marks {
    room: usize,
    heights: Vec<f64>,
    marks: Vec<Mark>,
}

impl Marks {
    /// Makes room for the marks of so many packets.
    pub(super) fn reserve(&mut self, packets: usize) {
        let room = packets + WINDOW;
        if self.room < room {
            let bottom = Mark { time: 0, pixels: 0.0, held: [0.0; SPECIES] };
            self.room = room;
            // The lowest marks of each lane are higher than any packet and hold nothing.
            self.heights = vec![f64::INFINITY; room * WIDTH];
            self.marks = vec![bottom; room * WIDTH];
        }
    }
}

/// What a height finds: electrons the pool holds afterwards, by species, and the steepness of that in v.
struct Outcome<const S: usize> {
    held: [Row; S],
    total: Row,
    steepness: Row,
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

/// The traps of a block between two packets; its marks are kept apart.
#[derive(Clone, Copy)]
pub(super) struct Pool<const S: usize> {
    held: [Row; S],
    /// Electrons in the traps.
    pub total: Row,
    top: [usize; WIDTH],
    pixels: f64,
}

impl<const S: usize> Pool<S> {
    /// Empty traps.
    pub const EMPTY: Self = Self { held: [[0.0; WIDTH]; S], total: [0.0; WIDTH], top: [WINDOW - 1; WIDTH], pixels: 0.0 };

    /// What the next line finds, `line` clock periods later, when packet `end` was the last. Takes the marks along.
    pub fn past(&self, marks: &mut Marks, end: usize, line: usize) -> Past {
        let mut held = [[0.0; WIDTH]; SPECIES];
        held[..S].copy_from_slice(&self.held);
        Past { marks: std::mem::take(marks), top: self.top, held, total: self.total, end, pixels: self.pixels, line }
    }
}

/// The traps of a block as an earlier line of packets left them: the register has a memory from row to row.
#[derive(Debug, Clone)]
pub struct Past {
    marks: Marks,
    top: [usize; WIDTH],
    held: [Row; SPECIES],
    total: Row,
    /// Number of the last packet.
    end: usize,
    /// Pixels of the block.
    pixels: f64,
    /// Clock periods from a packet of that line to the same packet of this.
    line: usize,
}

impl Past {
    /// Gives the room of its marks back, where more is not at hand.
    pub fn give_room(self, marks: &mut Marks) {
        if marks.room < self.marks.room {
            *marks = self.marks;
        }
    }
}

/// What a packet would become, and the pool with it.
pub(super) struct Found<const S: usize> {
    /// The packet after the block.
    pub after: Row,
    height: Row,
    at: [usize; WIDTH],
    outcome: Outcome<S>,
}

impl Pass<'_> {
    /// Heights of packets, and the slope of the height in the packet.
    #[inline(always)]
    fn heights(&self, packet: &Row) -> (Row, Row) {
        let (mut height, mut slope) = ([0.0; WIDTH], [0.0; WIDTH]);
        for l in 0..WIDTH {
            let free = self.traps.fill.free(packet[l]);
            let piece = self.traps.fill.piece(free);
            let reached = piece.constant + piece.slope * free;
            height[l] = if reached < 1.0 { reached } else { 1.0 };
            slope[l] = piece.slope;
        }
        (height, slope)
    }

    /// Lowest mark above each height. Marks go down towards the top of the stack: those to pass over are counted [`WINDOW`] at a
    /// time, which spares the processor a guess for each.
    #[inline(always)]
    fn search(marks: &Marks, top: &[usize; WIDTH], height: &Row) -> [usize; WIDTH] {
        let mut at = *top;
        for l in 0..WIDTH {
            let lane = &marks.heights[l * marks.room..(l + 1) * marks.room];
            loop {
                let window = &lane[at[l] + 1 - WINDOW..=at[l]];
                let mut passed = 0;
                for h in window {
                    passed += usize::from(*h <= height[l]);
                }
                at[l] -= passed;
                if passed < WINDOW {
                    break;
                }
            }
        }
        at
    }

    #[inline(always)]
    fn outcome<const S: usize>(&self, marks: &Marks, at: &[usize; WIDTH], height: &Row) -> Outcome<S> {
        let mut held = [[0.0; WIDTH]; S];
        let mut left = [[0.0; WIDTH]; S];
        let mut pixels = [0.0; WIDTH];
        let last = self.traps.decay.len() - 1;
        for l in 0..WIDTH {
            let mark = &marks.marks[l * marks.room + at[l]];
            let decay = &self.traps.decay[(self.now - mark.time).min(last)];
            pixels[l] = mark.pixels;
            for s in 0..S {
                held[s][l] = mark.held[s];
                left[s][l] = decay[s];
            }
        }
        let mut joined = [[0.0; WIDTH]; S];
        // Beyond the table of decays an earlier line has faded.
        if let Some(past) = self.past.filter(|past| past.line + self.now - past.end < last) {
            self.remembered(past, &pixels, height, &mut joined);
        }
        let (mut total, mut steepness) = ([0.0; WIDTH], [0.0; WIDTH]);
        for s in 0..S {
            let (rate, depth) = (self.traps.rate[s], self.traps.depth[s]);
            for l in 0..WIDTH {
                let reached = height[l] - depth;
                let below = if reached > 0.0 { rate * reached } else { 0.0 };
                held[s][l] = self.pixels * below + (held[s][l] - pixels[l] * below) * left[s][l] + joined[s][l];
                total[l] += held[s][l];
                let more = rate * (self.pixels - pixels[l] * left[s][l]);
                steepness[l] += if reached > 0.0 { more } else { 0.0 };
            }
        }
        Outcome { held, total, steepness }
    }

    /// Electrons above each height in pixels that joined after the mark: what the earlier line left there.
    #[inline(never)]
    fn remembered<const S: usize>(&self, past: &Past, marked: &Row, height: &Row, above: &mut [Row; S]) {
        if marked.iter().all(|&pixels| pixels == self.pixels) {
            return;
        }
        let at = Self::search(&past.marks, &past.top, height);
        let last = self.traps.decay.len() - 1;
        for l in 0..WIDTH {
            let mark = &past.marks.marks[l * past.marks.room + at[l]];
            let decay = &self.traps.decay[(past.line + self.now - mark.time).min(last)];
            let share = (self.pixels - marked[l]) / past.pixels;
            for s in 0..S {
                let reached = height[l] - self.traps.depth[s];
                let below = if reached > 0.0 { self.traps.rate[s] * reached } else { 0.0 };
                above[s][l] = share * (mark.held[s] - mark.pixels * below) * decay[s];
            }
        }
    }

    /// Electrons that pixels bring when they join, and those of them that have been released by now.
    #[inline(always)]
    fn joining<const S: usize>(&self, pool: &Pool<S>) -> (Row, Row) {
        let (mut brought, mut loose) = ([0.0; WIDTH], [0.0; WIDTH]);
        let fresh = self.pixels - pool.pixels;
        if let Some(past) = self.past.filter(|_| fresh > 0.0) {
            let decay = &self.traps.decay[(past.line + self.now - past.end).min(self.traps.decay.len() - 1)];
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
        let (mut height, slope) = self.heights(&packet);
        let mut at = Self::search(marks, &pool.top, &height);
        let mut outcome = self.outcome::<S>(marks, &at, &height);
        if theta > 0.0 {
            let mut half_way = [0.0; WIDTH];
            for l in 0..WIDTH {
                let change = theta * (before[l] - outcome.total[l]);
                half_way[l] = packet[l] + change / (1.0 + theta * outcome.steepness[l] * slope[l]);
            }
            height = self.heights(&half_way).0;
            at = Self::search(marks, &pool.top, &height);
            outcome = self.outcome::<S>(marks, &at, &height);
        }
        let mut after = [0.0; WIDTH];
        let mut below = false;
        for l in 0..WIDTH {
            after[l] = row[l] + (before[l] - outcome.total[l]);
            below |= after[l] < 0.0 && outcome.total[l] > before[l];
        }
        let mut found = Found { after, height, at, outcome };
        if below {
            let electrons = Electrons { packet: row, before: &before, released: &released };
            self.limit(pool, marks, &electrons, &mut found);
        }
        found
    }

    /// The pool takes what it has found.
    #[inline(always)]
    pub fn commit<const S: usize>(&self, pool: &mut Pool<S>, marks: &mut Marks, found: &Found<S>) {
        for l in 0..WIDTH {
            let place = l * marks.room + found.at[l] + 1;
            let mut mark = Mark { time: self.now, pixels: self.pixels, held: [0.0; SPECIES] };
            for s in 0..S {
                mark.held[s] = found.outcome.held[s][l];
            }
            marks.heights[place] = found.height[l];
            marks.marks[place] = mark;
            pool.top[l] = found.at[l] + 1;
        }
        pool.held = found.outcome.held;
        pool.total = found.outcome.total;
        pool.pixels = self.pixels;
    }

    /// Where the midpoint would take more than a packet has (few electrons, many empty traps): the backward Euler rule,
    /// `height = v(packet after the block)`, by bisection. It takes a packet towards zero and never below; a packet below
    /// zero to begin with loses nothing.
    #[cold]
    #[inline(never)]
    fn limit<const S: usize>(&self, pool: &Pool<S>, marks: &Marks, electrons: &Electrons<'_>, found: &mut Found<S>) {
        let &Electrons { packet: row, before, released } = electrons;
        let affected: [bool; WIDTH] = std::array::from_fn(|l| found.after[l] < 0.0 && found.outcome.total[l] > before[l]);
        let floor: Row = std::array::from_fn(|l| if row[l] < 0.0 { row[l] } else { 0.0 });
        let (mut low, mut high) = (floor, *row);
        let mut best = self.heights(&std::array::from_fn(|l| floor[l] + released[l])).0;
        for _ in 0..48 {
            let middle: Row = std::array::from_fn(|l| 0.5 * (low[l] + high[l]));
            let heights = self.heights(&std::array::from_fn(|l| middle[l] + released[l])).0;
            let at = Self::search(marks, &pool.top, &heights);
            let trial = self.outcome::<S>(marks, &at, &heights);
            for l in 0..WIDTH {
                if row[l] + (before[l] - trial.total[l]) >= middle[l] {
                    (low[l], best[l]) = (middle[l], heights[l]);
                } else {
                    high[l] = middle[l];
                }
            }
        }
        for l in 0..WIDTH {
            found.height[l] = if affected[l] { best[l] } else { found.height[l] };
        }
        found.at = Self::search(marks, &pool.top, &found.height);
        found.outcome = self.outcome::<S>(marks, &found.at, &found.height);
        for l in 0..WIDTH {
            let after = row[l] + (before[l] - found.outcome.total[l]);
            // Rounding may miss the floor by its last bits.
            found.after[l] = if affected[l] && after < floor[l] { floor[l] } else { after };
        }
    }
}

/// A packet, the electrons in the traps before it, and those released to it.
struct Electrons<'a> {
    packet: &'a Row,
    before: &'a Row,
    released: &'a Row,
}

/// Pixels of `block` that a packet which starts in physical pixel `place` has joined to the pool.
#[inline(always)]
pub(super) fn joined(block: &Block, place: usize) -> f64 {
    (place + 1).saturating_sub(block.low).min(block.high - block.low) as f64
}

/// A line of packets at one block.
#[derive(Debug, Clone, Copy)]
pub struct Crossing<'a> {
    /// Traps.
    pub traps: &'a Traps,
    /// Pixels.
    pub block: Block,
    /// Physical pixel in which the first packet starts.
    pub first: usize,
    /// What an earlier line left.
    pub past: Option<&'a Past>,
}

impl<'a> Crossing<'a> {
    /// Packet number `now` at the block.
    #[inline(always)]
    pub(super) fn at(&self, now: usize) -> Pass<'a> {
        Pass { traps: self.traps, now, pixels: joined(&self.block, self.first + now), past: self.past }
    }

    /// Sends the packets through the block and returns the electrons left in its traps after the last packet. With `line`, the
    /// clock periods of a line, also what the next line finds; the marks go with it.
    ///
    /// `packets[k]` is the packet that starts in physical pixel `first + k`; those from before the block do not pass.
    /// The packets must be in time order, nearest to the output first.
    pub fn send(&self, packets: &mut [Row], marks: &mut Marks, line: Option<usize>) -> (Row, Option<Past>) {
        marks.reserve(packets.len());
        match self.traps.count {
            0 => ([0.0; WIDTH], None),
            1 => send::<1>(self, packets, marks, line),
            2 => send::<2>(self, packets, marks, line),
            3 => send::<3>(self, packets, marks, line),
            _ => send::<4>(self, packets, marks, line),
        }
    }
}

#[multiversion::multiversion(targets("x86_64+avx512f+avx512bw+avx512dq+avx512vl", "x86_64+avx2", "aarch64+neon"))]
fn send<const S: usize>(crossing: &Crossing<'_>, packets: &mut [Row], marks: &mut Marks, line: Option<usize>) -> (Row, Option<Past>) {
    let mut pool = Pool::<S>::EMPTY;
    let from = crossing.block.low.saturating_sub(crossing.first).min(packets.len());
    for (k, row) in packets[from..].iter_mut().enumerate() {
        let pass = crossing.at(from + k);
        let found = pass.probe(&pool, marks, row);
        *row = found.after;
        pass.commit(&mut pool, marks, &found);
    }
    let end = packets.len().saturating_sub(1);
    let past = line.filter(|_| pool.total != [0.0; WIDTH]).map(|line| pool.past(marks, end, line));
    (pool.total, past)
}
