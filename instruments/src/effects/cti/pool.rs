//! The traps of a block of pixels, between packets and between lines.

use super::marks::{BOTTOM, Marks, Ranks, Row, WIDTH};
use super::traps::{SPECIES, Traps};

/// The traps of a block between two packets; its marks are kept apart.
#[derive(Clone, Copy)]
pub(super) struct Pool<const S: usize> {
    /// Electrons in the traps of each species.
    pub held: [Row; S],
    /// Electrons in the traps.
    pub total: Row,
    /// The last mark.
    pub top: Ranks,
    /// Pixels that have joined.
    pub pixels: f64,
}

impl<const S: usize> Pool<S> {
    /// Empty traps.
    pub const EMPTY: Self = Self { held: [[0.0; WIDTH]; S], total: [0.0; WIDTH], top: BOTTOM, pixels: 0.0 };

    /// What the next line finds, `line` clock periods later, when packet `end` was the last. Takes the marks along.
    pub fn past(&self, marks: &mut Marks, traps: &Traps, end: usize, line: usize) -> Past {
        marks.fade_to(&self.top, end + 1, traps);
        let mut held = [[0.0; WIDTH]; SPECIES];
        held[..S].copy_from_slice(&self.held);
        Past { marks: std::mem::take(marks), top: self.top, held, total: self.total, end, pixels: self.pixels, line }
    }
}

/// The traps of a block as an earlier line of packets left them: the register has a memory from row to row.
#[derive(Debug, Clone)]
pub struct Past {
    /// In the scale of the packet after the last.
    pub(super) marks: Marks,
    pub(super) top: Ranks,
    pub(super) held: [Row; SPECIES],
    pub(super) total: Row,
    /// Number of the last packet.
    pub(super) end: usize,
    /// Pixels of the block.
    pub(super) pixels: f64,
    /// Clock periods from a packet of that line to the same packet of this.
    pub(super) line: usize,
}

impl Past {
    /// Gives the room of its marks back, where more is not at hand.
    pub fn give_room(self, marks: &mut Marks) {
        if marks.room() < self.marks.room() {
            *marks = self.marks;
        }
    }
}
