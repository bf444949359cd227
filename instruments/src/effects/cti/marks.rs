//! The staircase of the occupancy: marks of earlier packets, for several columns side by side.
//!
//! # Form
//! Each column has a stack of marks whose heights go down towards its top. The heights of a column lie one behind the other: the last
//! eight of them fill a vector, and how many are below a packet is one comparison. What belongs to a mark is one line of the cache, so
//! that a mark is fetched at once; a processor that gathers single numbers needs several times as long.
//! # Scale
//! Numbers of a mark are kept as if nothing had been released since packet `t0`: times `exp((t - t0) / tau)` when the mark is left, times
//! `exp(-(t - t0) / tau)` when it is read. So the age of a mark need not be known, and one factor serves all columns. Every
//! [`Traps::span`] packets `t0` moves on, before the largest number of f64 comes near.

#![expect(clippy::needless_range_loop, reason = "lanes of several arrays side by side: the form that the compiler turns into vectors")]

use super::profile::Profiles;
use super::traps::{SPECIES, Traps};

/// Columns that go side by side.
pub const WIDTH: usize = 16;
/// A number for each of the columns.
pub type Row = [f64; WIDTH];
/// A mark for each of the columns.
pub(super) type Ranks = [usize; WIDTH];

/// Marks looked at together; so many at the bottom are higher than any packet and hold nothing.
const WINDOW: usize = 8;
/// The last mark of an empty stack.
pub(super) const BOTTOM: Ranks = [WINDOW - 1; WIDTH];
/// Heights between one column and the next beyond those in use, so that columns do not fall on the same lines of the cache.
const APART: usize = 24;
/// Smaller numbers of a mark are nothing.
const NOTHING: f64 = 1e-290;

/// What belongs to a mark.
#[derive(Debug, Clone, Copy, Default)]
#[repr(align(64))]
struct Mark {
    /// Electrons of each species in the pool, in the scale.
    held: [f64; SPECIES],
    /// Pixels that had joined the pool, in the scale of each species.
    pixels: [f64; SPECIES],
}

/// The marks of all lanes, kept between passes to spare the allocation.
#[derive(Debug, Clone, Default)]
pub struct Marks {
    /// Heights of marks, `[lane, mark]`, lanes `stride` apart.
    heights: Vec<f64>,
    stride: usize,
    /// What belongs to them, `[mark, lane]`; a power of two.
    marks: Vec<Mark>,
    /// Pixels that had joined the pool, `[mark, lane]`: kept where an earlier line is remembered.
    pixels: Vec<f64>,
    /// Staircases instead, where capture takes time.
    pub(super) profiles: Profiles,
}

/// What the marks above some heights say of the traps now.
pub(super) struct Seen<const S: usize> {
    /// Electrons that would be in the pool if a packet reached nothing.
    pub above: [Row; S],
    /// Electrons it takes for one more of the volume.
    pub rise: [Row; S],
}

/// A place in a table whose length is a power of two.
#[inline(always)]
fn cut(place: usize, length: usize) -> usize {
    place & (length - 1)
}

/// Whether any lane has another mark.
#[inline(always)]
pub(super) fn differ(a: &Ranks, b: &Ranks) -> bool {
    let mut bits = 0;
    for l in 0..WIDTH {
        bits |= a[l] ^ b[l];
    }
    bits != 0
}

impl Marks {
    /// Makes room for the marks of so many packets; the traps are empty.
    pub(super) fn reserve(&mut self, packets: usize, traps: &Traps) {
        if traps.slow {
            self.profiles.empty();
        }
        let room = (packets + WINDOW).next_power_of_two();
        if self.marks.len() < room * WIDTH {
            self.stride = room + APART;
            self.heights = vec![f64::INFINITY; self.stride * WIDTH];
            self.marks = vec![Mark::default(); room * WIDTH];
            self.pixels = vec![0.0; room * WIDTH];
        }
    }

    /// Length of the tables.
    pub(super) fn room(&self) -> usize {
        self.marks.len()
    }

    /// Lowest marks above heights, down from the marks `top`.
    #[inline(always)]
    pub(super) fn search(&self, top: &Ranks, height: &Row) -> Ranks {
        let (mut at, mut deeper) = (*top, false);
        for l in 0..WIDTH {
            let end = l * self.stride + top[l] + 1;
            let window = &self.heights[end - WINDOW..end];
            // Those below are the last of them, n: of 0^1, 1^2 ... (n-1)^n only n is left.
            let mut below = 0;
            for k in 0..WINDOW {
                let from_top = WINDOW - 1 - k;
                below ^= if window[k] <= height[l] { from_top ^ (from_top + 1) } else { 0 };
            }
            at[l] -= below;
            deeper |= below == WINDOW;
        }
        if deeper {
            for l in 0..WIDTH {
                while self.heights[l * self.stride + at[l]] <= height[l] {
                    at[l] -= 1;
                }
            }
        }
        at
    }

    /// Reads the marks `at` for a pool of so many pixels, `now` being the number of the packet that asks.
    #[inline(always)]
    pub(super) fn read<const S: usize>(&self, at: &Ranks, now: usize, pixels: f64, traps: &Traps) -> Seen<S> {
        let mut seen = Seen { above: [[0.0; WIDTH]; S], rise: [[0.0; WIDTH]; S] };
        let mut marks = [Mark::default(); WIDTH];
        let all = self.marks.as_slice();
        if all.is_empty() {
            return seen;
        }
        for l in 0..WIDTH {
            marks[l] = all[cut(at[l] * WIDTH + l, all.len())];
        }
        let left = traps.scale(now).left;
        for l in 0..WIDTH {
            for s in 0..S {
                seen.above[s][l] = marks[l].held[s] * left[s];
                seen.rise[s][l] = traps.rate[s] * (pixels - marks[l].pixels[s] * left[s]);
            }
        }
        seen
    }

    /// Pixels that had joined the pool when the marks `at` were left.
    #[inline(always)]
    pub(super) fn pixels(&self, at: &Ranks) -> Row {
        let mut pixels = [0.0; WIDTH];
        for l in 0..WIDTH {
            pixels[l] = self.pixels[cut(at[l] * WIDTH + l, self.pixels.len())];
        }
        pixels
    }

    /// Leaves the marks of packet `now` below those `at`. Returns the new tops.
    #[inline(always)]
    pub(super) fn leave<const S: usize>(
        &mut self,
        at: &Ranks,
        now: usize,
        traps: &Traps,
        pixels: f64,
        height: &Row,
        held: &[Row; S],
    ) -> Ranks {
        let mut top = *at;
        let all = self.marks.as_mut_slice();
        if all.is_empty() {
            return top;
        }
        let grown = traps.scale(now).grown;
        let pixels = grown.map(|grown| pixels * grown);
        for l in 0..WIDTH {
            top[l] += 1;
            self.heights[l * self.stride + top[l]] = height[l];
            let mut mark = Mark { held: [0.0; SPECIES], pixels };
            for s in 0..S {
                mark.held[s] = held[s][l] * grown[s];
            }
            all[cut(top[l] * WIDTH + l, all.len())] = mark;
        }
        if (now + 1).is_multiple_of(traps.span) {
            self.fade(&top, &traps.scales[traps.span].left);
        }
        top
    }

    /// Keeps, beside the marks at the tops, the pixels of the pool.
    #[inline(always)]
    pub(super) fn leave_pixels(&mut self, top: &Ranks, pixels: f64) {
        for l in 0..WIDTH {
            let place = cut(top[l] * WIDTH + l, self.pixels.len());
            self.pixels[place] = pixels;
        }
    }

    /// Brings the marks to the scale of packet `now`, the one after the last.
    pub(super) fn fade_to(&mut self, top: &Ranks, now: usize, traps: &Traps) {
        self.fade(top, &traps.scale(now).left);
    }

    /// Multiplies the numbers of all marks by `left`. Those farther down are older: below one that holds nothing more of a species none does.
    #[cold]
    #[inline(never)]
    fn fade(&mut self, top: &Ranks, left: &[f64; SPECIES]) {
        for l in 0..WIDTH {
            for s in 0..SPECIES {
                for mark in (WINDOW..=top[l]).rev() {
                    let Mark { held, pixels } = &mut self.marks[mark * WIDTH + l];
                    if pixels[s] == 0.0 {
                        break;
                    }
                    (held[s], pixels[s]) = (held[s] * left[s], pixels[s] * left[s]);
                    if pixels[s] < NOTHING {
                        (held[s], pixels[s]) = (0.0, 0.0);
                    }
                }
            }
        }
    }
}
