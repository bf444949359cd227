//! The staircase of the occupancy: marks of earlier packets, for several columns side by side.

use super::profile::Profiles;
use super::traps::{SPECIES, Traps};

/// What a packet left behind when it had filled all traps up to its height.
#[derive(Debug, Clone, Copy)]
pub(super) struct Mark {
    /// Number of the packet.
    pub time: usize,
    /// Pixels that had joined the pool.
    pub pixels: f64,
    /// Electrons of each species in the pool.
    pub held: [f64; SPECIES],
}

/// Marks looked at together.
pub(super) const WINDOW: usize = 4;
/// Columns that go side by side.
pub const WIDTH: usize = 16;
/// A number for each of the columns.
pub type Row = [f64; WIDTH];

/// The marks of all lanes, kept between passes to spare the allocation.
#[derive(Debug, Clone, Default)]
pub struct Marks {
    /// Marks of a lane.
    pub(super) room: usize,
    /// Their heights, lane after lane.
    pub(super) heights: Vec<f64>,
    /// The marks, lane after lane.
    pub(super) marks: Vec<Mark>,
    /// Staircases instead, where capture takes time.
    pub(super) profiles: Profiles,
}

impl Marks {
    /// Makes room for the marks of so many packets; the traps are empty.
    pub(super) fn reserve(&mut self, packets: usize, traps: &Traps) {
        if traps.slow {
            self.profiles.empty();
        }
        let room = packets + WINDOW;
        if self.room < room {
            let bottom = Mark { time: 0, pixels: 0.0, held: [0.0; SPECIES] };
            self.room = room;
            // The lowest marks of each lane are higher than any packet and hold nothing.
            self.heights = vec![f64::INFINITY; room * WIDTH];
            self.marks = vec![bottom; room * WIDTH];
        }
    }

    /// Lowest mark above a height, down from the mark `top`. Marks go down towards the top of the stack: those to pass over are
    /// counted [`WINDOW`] at a time, which spares the processor a guess for each.
    #[inline(always)]
    pub(super) fn above(&self, lane: usize, top: usize, height: f64) -> usize {
        let heights = &self.heights[lane * self.room..(lane + 1) * self.room];
        let mut at = top;
        loop {
            let window = &heights[at + 1 - WINDOW..=at];
            let mut passed = 0;
            for h in window {
                passed += usize::from(*h <= height);
            }
            at -= passed;
            if passed < WINDOW {
                return at;
            }
        }
    }

    /// [`Self::above`] in every lane.
    #[inline(always)]
    pub(super) fn search(&self, top: &[usize; WIDTH], height: &Row) -> [usize; WIDTH] {
        let mut at = *top;
        for l in 0..WIDTH {
            at[l] = self.above(l, top[l], height[l]);
        }
        at
    }

    /// Whether a height still has the mark `at` as the lowest above it.
    #[inline(always)]
    pub(super) fn holds(&self, lane: usize, at: usize, top: usize, height: f64) -> bool {
        let first = lane * self.room;
        self.heights[first + at] > height && (at == top || self.heights[first + at + 1] <= height)
    }
}
