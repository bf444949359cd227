//! What calibration knows of bad columns.

use super::Measured;
use crate::detector::ReadoutLayout;
use crate::frame::Window;
use serde::{Deserialize, Serialize};

/// What is wrong with a column.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ColumnFault {
    /// Nothing from this row on arrives.
    Blocked,
    /// A trap takes the first electrons that pass.
    Pocket {
        /// Electrons it takes \[electron\].
        capacity_electron: Measured,
    },
}

/// A bad column of one section of the detector.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct ColumnDefect {
    /// Column of the detector.
    pub x: usize,
    /// Register the column is read to: 0 bottom, 1 top.
    pub register: usize,
    /// Row of the fault in the order of transfer, 0 next to the register.
    pub row: usize,
    /// The fault.
    pub fault: ColumnFault,
}

impl ColumnDefect {
    /// Column of the window and its rows behind the fault in the order of transfer. `None` when none of them is in the window.
    #[must_use]
    pub fn packets(&self, layout: &ReadoutLayout, window: Window) -> Option<(usize, impl Iterator<Item = usize> + Clone + use<>)> {
        if self.x < window.x0 || self.x >= window.x0 + window.nx {
            return None;
        }
        let x = self.x - window.x0;
        let tile = layout
            .tiles
            .iter()
            .find(|t| usize::from(t.flip_y) == self.register && (t.science.x0..t.science.x0 + t.science.nx).contains(&x))?;
        let (y0, ny, flip) = (tile.science.y0, tile.science.ny, tile.flip_y);
        let first = self.row.saturating_sub(tile.parallel_science);
        let rows = (first..ny).map(move |k| if flip { y0 + ny - 1 - k } else { y0 + k });
        (first < ny).then_some((x, rows))
    }
}

/// A pixel with a defect.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DefectPixel {
    /// Row of the window.
    pub y: usize,
    /// Column of the window.
    pub x: usize,
    /// Bits of [`crate::flags`].
    pub bits: u32,
}
