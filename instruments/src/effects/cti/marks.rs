//! The staircase of the occupancy: marks of earlier packets, for several columns side by side.
//!
//! # Form
//! Each column has a stack of marks whose heights go down towards its top. Tables hold them mark by mark, all columns of a mark
//! together, and their lengths are powers of two: a number cut to that is a place in the table, so the compiler may fetch the numbers of
//! all columns at once. Where a column asks for more than the others, it is looked after by itself.

#![expect(clippy::needless_range_loop, reason = "lanes of several arrays side by side: the form that the compiler turns into vectors")]

use super::profile::Profiles;
use super::traps::{SPECIES, Traps};

/// Columns that go side by side.
pub const WIDTH: usize = 16;
/// A number for each of the columns.
pub type Row = [f64; WIDTH];
/// A mark for each of the columns.
pub(super) type Ranks = [u64; WIDTH];

/// Marks looked at together; so many at the bottom are higher than any packet and hold nothing.
const WINDOW: usize = 4;
/// The last mark of an empty stack.
pub(super) const BOTTOM: Ranks = [WINDOW as u64 - 1; WIDTH];
/// Numbers of a mark: the packet that left it (bits of the integer), pixels that had joined the pool, electrons of each species in
/// the pool. A power of two.
const NUMBERS: u64 = 8;
const PIXELS: u64 = 1;
const HELD: u64 = 2;
const _: () = assert!(HELD as usize + SPECIES <= NUMBERS as usize);

/// The marks of all lanes, kept between passes to spare the allocation.
#[derive(Debug, Clone, Default)]
pub struct Marks {
    /// Heights of marks, `[mark, lane]`.
    heights: Vec<f64>,
    /// What belongs to them, `[mark, lane, number]`.
    numbers: Vec<f64>,
    /// Staircases instead, where capture takes time.
    pub(super) profiles: Profiles,
}

/// Where heights lie among the marks.
pub(super) struct Place {
    /// The lowest mark above.
    pub at: Ranks,
    /// Its height.
    upper: Row,
    /// The height of the mark below it, if there is one.
    lower: Row,
}

/// What the marks above some heights say: what the pool held then, what is left of it, the pixels of then.
pub(super) struct Seen<const S: usize> {
    pub held: [Row; S],
    pub left: [Row; S],
    pub pixels: Row,
}

/// A place in a table whose length is a power of two.
#[inline(always)]
fn cut(place: u64, length: usize) -> usize {
    place as usize & (length - 1)
}

/// Place of a mark in the table of heights.
#[inline(always)]
fn place(at: u64, lane: usize) -> u64 {
    at * WIDTH as u64 + lane as u64
}

impl<const S: usize> Seen<S> {
    /// Reads the mark of one lane, `now` being the number of the packet that asks.
    #[inline(always)]
    fn read(&mut self, numbers: &[f64], traps: &Traps, decay: &[f64], now: usize, lane: usize, at: u64) {
        let first = place(at, lane) * NUMBERS;
        let age = now as u64 - numbers[cut(first, numbers.len())].to_bits();
        let age = if age < traps.oldest as u64 { age } else { traps.oldest as u64 };
        self.pixels[lane] = numbers[cut(first + PIXELS, numbers.len())];
        for s in 0..S {
            self.held[s][lane] = numbers[cut(first + HELD + s as u64, numbers.len())];
            self.left[s][lane] = decay[cut(age * SPECIES as u64 + s as u64, decay.len())];
        }
    }
}

impl Marks {
    /// Makes room for the marks of so many packets; the traps are empty.
    pub(super) fn reserve(&mut self, packets: usize, traps: &Traps) {
        if traps.slow {
            self.profiles.empty();
        }
        let room = (packets + WINDOW).next_power_of_two() * WIDTH;
        if self.heights.len() < room {
            self.heights = vec![f64::INFINITY; room];
            self.numbers = vec![0.0; room * NUMBERS as usize];
        }
    }

    /// Length of the tables.
    pub(super) fn room(&self) -> usize {
        self.heights.len()
    }

    /// Lowest marks above heights, down from the marks `top`.
    #[inline(always)]
    pub(super) fn search(&self, top: &Ranks, height: &Row) -> Place {
        let (mut at, mut upper, mut lower) = (*top, [f64::INFINITY; WIDTH], [f64::NEG_INFINITY; WIDTH]);
        let heights = self.heights.as_slice();
        if heights.is_empty() {
            return Place { at, upper, lower };
        }
        let mut deeper = false;
        for l in 0..WIDTH {
            let (h, first) = (height[l], place(top[l], l));
            // They rise from a to d.
            let a = heights[cut(first, heights.len())];
            let b = heights[cut(first - WIDTH as u64, heights.len())];
            let c = heights[cut(first - 2 * WIDTH as u64, heights.len())];
            let d = heights[cut(first - 3 * WIDTH as u64, heights.len())];
            at[l] = top[l]
                - (if a > h {
                    0
                } else if b > h {
                    1
                } else if c > h {
                    2
                } else {
                    3
                });
            upper[l] = if a > h {
                a
            } else if b > h {
                b
            } else if c > h {
                c
            } else {
                d
            };
            lower[l] = if a > h {
                f64::NEG_INFINITY
            } else if b > h {
                a
            } else if c > h {
                b
            } else {
                c
            };
            deeper |= d <= h;
        }
        if deeper {
            for l in 0..WIDTH {
                while upper[l] <= height[l] {
                    at[l] -= 1;
                    lower[l] = upper[l];
                    upper[l] = heights[cut(place(at[l], l), heights.len())];
                }
            }
        }
        Place { at, upper, lower }
    }

    /// Reads the marks `at`, `now` being the number of the packet that asks.
    #[inline(always)]
    pub(super) fn read<const S: usize>(&self, at: &Ranks, now: usize, traps: &Traps) -> Seen<S> {
        let mut seen = Seen { held: [[0.0; WIDTH]; S], left: [[0.0; WIDTH]; S], pixels: [0.0; WIDTH] };
        let (numbers, decay) = (self.numbers.as_slice(), traps.decay.as_slice());
        if !numbers.is_empty() && !decay.is_empty() {
            for l in 0..WIDTH {
                seen.read(numbers, traps, decay, now, l, at[l]);
            }
        }
        seen
    }

    /// Follows heights that have moved: where another mark is now the lowest above, takes that.
    #[inline(always)]
    pub(super) fn follow<const S: usize>(&self, top: &Ranks, height: &Row, now: usize, traps: &Traps, to: (&mut Place, &mut Seen<S>)) {
        let (Place { at, upper, lower }, seen) = to;
        let mut stay = true;
        for l in 0..WIDTH {
            stay &= (upper[l] > height[l]) & (lower[l] <= height[l]);
        }
        let (heights, numbers, decay) = (self.heights.as_slice(), self.numbers.as_slice(), traps.decay.as_slice());
        if stay || heights.is_empty() || numbers.is_empty() || decay.is_empty() {
            return;
        }
        for l in 0..WIDTH {
            let h = height[l];
            if (upper[l] > h) & (lower[l] <= h) {
                continue;
            }
            let of = |at: u64| heights[cut(place(at, l), heights.len())];
            while of(at[l]) <= h {
                at[l] -= 1;
            }
            while at[l] < top[l] && of(at[l] + 1) > h {
                at[l] += 1;
            }
            seen.read(numbers, traps, decay, now, l, at[l]);
        }
    }

    /// Leaves the marks of packet `now` below those `at`. Returns the new tops.
    #[inline(always)]
    pub(super) fn leave<const S: usize>(&mut self, at: &Ranks, now: usize, pixels: f64, height: &Row, held: &[Row; S]) -> Ranks {
        let mut top = *at;
        let (heights, numbers) = (self.heights.as_mut_slice(), self.numbers.as_mut_slice());
        if heights.is_empty() || numbers.is_empty() {
            return top;
        }
        for l in 0..WIDTH {
            top[l] += 1;
            let mark = place(top[l], l);
            heights[cut(mark, heights.len())] = height[l];
            let first = mark * NUMBERS;
            numbers[cut(first, numbers.len())] = f64::from_bits(now as u64);
            numbers[cut(first + PIXELS, numbers.len())] = pixels;
            for s in 0..S {
                numbers[cut(first + HELD + s as u64, numbers.len())] = held[s][l];
            }
        }
        top
    }
}
