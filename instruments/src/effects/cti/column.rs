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
}

/// The traps of a block between two packets; its marks are kept apart.
#[derive(Clone, Copy)]
pub(super) struct Pool<const S: usize> {
    held: [Row; S],
    /// Electrons in the traps.
    pub total: Row,
    top: [usize; WIDTH],
}

impl<const S: usize> Pool<S> {
    /// Empty traps.
    pub const EMPTY: Self = Self { held: [[0.0; WIDTH]; S], total: [0.0; WIDTH], top: [WINDOW - 1; WIDTH] };
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
        let (mut total, mut steepness) = ([0.0; WIDTH], [0.0; WIDTH]);
        for s in 0..S {
            let (rate, depth) = (self.traps.rate[s], self.traps.depth[s]);
            for l in 0..WIDTH {
                let reached = height[l] - depth;
                let below = if reached > 0.0 { rate * reached } else { 0.0 };
                held[s][l] = self.pixels * below + (held[s][l] - pixels[l] * below) * left[s][l];
                total[l] += held[s][l];
                let more = rate * (self.pixels - pixels[l] * left[s][l]);
                steepness[l] += if reached > 0.0 { more } else { 0.0 };
            }
        }
        Outcome { held, total, steepness }
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
        let mut released = [0.0; WIDTH];
        let mut packet = [0.0; WIDTH];
        for l in 0..WIDTH {
            released[l] = (pool.total[l] - kept[l]) * share;
            packet[l] = row[l] + released[l];
        }
        // Capture.
        let (mut height, slope) = self.heights(&packet);
        let mut at = Self::search(marks, &pool.top, &height);
        let mut outcome = self.outcome::<S>(marks, &at, &height);
        if theta > 0.0 {
            let mut half_way = [0.0; WIDTH];
            for l in 0..WIDTH {
                let change = theta * (pool.total[l] - outcome.total[l]);
                half_way[l] = packet[l] + change / (1.0 + theta * outcome.steepness[l] * slope[l]);
            }
            height = self.heights(&half_way).0;
            at = Self::search(marks, &pool.top, &height);
            outcome = self.outcome::<S>(marks, &at, &height);
        }
        let mut after = [0.0; WIDTH];
        let mut below = false;
        for l in 0..WIDTH {
            after[l] = row[l] + (pool.total[l] - outcome.total[l]);
            below |= after[l] < 0.0 && outcome.total[l] > pool.total[l];
        }
        let mut found = Found { after, height, at, outcome };
        if below {
            self.limit(pool, marks, row, &released, &mut found);
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
    }

    /// Where the midpoint would take more than a packet has (few electrons, many empty traps): the backward Euler rule,
    /// `height = v(packet after the block)`, by bisection. It takes a packet towards zero and never below; a packet below
    /// zero to begin with loses nothing.
    #[cold]
    #[inline(never)]
    fn limit<const S: usize>(&self, pool: &Pool<S>, marks: &Marks, row: &Row, released: &Row, found: &mut Found<S>) {
        let affected: [bool; WIDTH] = std::array::from_fn(|l| found.after[l] < 0.0 && found.outcome.total[l] > pool.total[l]);
        let floor: Row = std::array::from_fn(|l| if row[l] < 0.0 { row[l] } else { 0.0 });
        let (mut low, mut high) = (floor, *row);
        let mut best = self.heights(&std::array::from_fn(|l| floor[l] + released[l])).0;
        for _ in 0..48 {
            let middle: Row = std::array::from_fn(|l| 0.5 * (low[l] + high[l]));
            let heights = self.heights(&std::array::from_fn(|l| middle[l] + released[l])).0;
            let at = Self::search(marks, &pool.top, &heights);
            let trial = self.outcome::<S>(marks, &at, &heights);
            for l in 0..WIDTH {
                if row[l] + (pool.total[l] - trial.total[l]) >= middle[l] {
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
            let after = row[l] + (pool.total[l] - found.outcome.total[l]);
            // Rounding may miss the floor by its last bits.
            found.after[l] = if affected[l] && after < floor[l] { floor[l] } else { after };
        }
    }
}

/// Pixels of `block` that a packet which starts in physical pixel `place` has joined to the pool.
#[inline(always)]
pub(super) fn joined(block: &Block, place: usize) -> f64 {
    (place + 1).saturating_sub(block.low).min(block.high - block.low) as f64
}

/// Sends the packets through the block and returns the electrons left in its traps after the last packet.
///
/// `packets[k]` is the packet that starts in physical pixel `first + k`; those from before the block do not pass.
/// The packets must be in time order, nearest to the output first.
pub fn pass(traps: &Traps, block: Block, first: usize, packets: &mut [Row], marks: &mut Marks) -> Row {
    let from = block.low.saturating_sub(first).min(packets.len());
    marks.reserve(packets.len());
    let (first, packets) = (first + from, &mut packets[from..]);
    match traps.count {
        0 => [0.0; WIDTH],
        1 => pass_of::<1>(traps, block, first, packets, marks),
        2 => pass_of::<2>(traps, block, first, packets, marks),
        3 => pass_of::<3>(traps, block, first, packets, marks),
        _ => pass_of::<4>(traps, block, first, packets, marks),
    }
}

#[multiversion::multiversion(targets("x86_64+avx512f+avx512bw+avx512dq+avx512vl", "x86_64+avx2", "aarch64+neon"))]
fn pass_of<const S: usize>(traps: &Traps, block: Block, first: usize, packets: &mut [Row], marks: &mut Marks) -> Row {
    let mut pool = Pool::<S>::EMPTY;
    for (now, row) in packets.iter_mut().enumerate() {
        let pass = Pass { traps, now, pixels: joined(&block, first + now) };
        let found = pass.probe(&pool, marks, row);
        *row = found.after;
        pass.commit(&mut pool, marks, &found);
    }
    pool.total
}
