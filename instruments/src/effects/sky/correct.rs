//! Backward: subtracts a mesh background. On any plane: level 2 uses it on rates.

use super::mesh::{CELL_PIXELS, Mesh};
use crate::effects::rows;
use sim_core::correction::{Correction, CorrectionError, StepStatus};
use sim_core::frame::Frame;
use sim_core::knowledge::Knowledge;
use sim_core::plane::{Light, Plane};

/// Subtraction of a mesh background.
#[derive(Debug, Clone, Copy)]
pub struct Background {
    /// Size of a cell \[pixel\].
    pub cell: usize,
}

impl Default for Background {
    fn default() -> Self {
        Self { cell: CELL_PIXELS }
    }
}

pub(super) fn make(_: &Knowledge) -> Result<Box<dyn Correction<Light>>, CorrectionError> {
    Ok(Box::new(Background::default()))
}

impl Background {
    /// Subtracts the background and returns it.
    pub fn subtract<P: Plane>(&self, frame: &mut Frame<P>) -> Mesh {
        let mesh = Mesh::estimate(&frame.pixels, frame.flags.as_ref(), self.cell);
        // The error of the level, about sigma / 100 per cell, is left out of the variance: it is one number for a
        // whole cell, not noise of a pixel.
        rows::change(frame, |y, row, level| {
            mesh.level_row(y, level);
            for (pixel, level) in row.iter_mut().zip(level) {
                *pixel -= *level;
            }
        });
        mesh
    }
}

impl<P: Plane> Correction<P> for Background {
    fn correct(&self, frame: &mut Frame<P>) -> Result<StepStatus, CorrectionError> {
        if frame.pixels.is_empty() {
            return Ok(StepStatus::Skipped("empty frame".into()));
        }
        self.subtract(frame);
        Ok(StepStatus::Done)
    }
}
