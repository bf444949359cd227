//! Backward: overscan, then the master bias.

use super::overscan::SubtractOverscan;
use crate::effects::rows::{self, ReducedRow, tiles_of_row};
use sim_core::correction::{Correction, CorrectionError, StepStatus};
use sim_core::detector::ReadoutLayout;
use sim_core::frame::{Frame, Window};
use sim_core::knowledge::{Knowledge, Reference};
use sim_core::plane::Counts;
use std::sync::Arc;

/// Subtracts the master bias from the science pixels of a raw frame.
pub struct SubtractMasterBias {
    layout: ReadoutLayout,
    window: Window,
    bias: Arc<Reference>,
}

impl SubtractMasterBias {
    /// From what calibration knows.
    ///
    /// # Errors
    /// When there is no master bias.
    pub fn new(knowledge: &Knowledge) -> Result<Self, CorrectionError> {
        let bias = knowledge.bias.clone().ok_or(CorrectionError::Unknown { step: "bias", what: "a master bias" })?;
        Ok(Self { layout: knowledge.layout.clone(), window: knowledge.window, bias })
    }
}

impl Correction<Counts> for SubtractMasterBias {
    fn correct(&self, frame: &mut Frame<Counts>) -> Result<StepStatus, CorrectionError> {
        let layout = &self.layout;
        rows::need_reference("bias", (layout.rows, layout.columns), frame.pixels.dim())?;
        rows::need_reference("bias", self.bias.image.dim(), self.window.shape())?;
        rows::need_reference("bias", self.bias.variance.dim(), self.window.shape())?;
        rows::reduce(frame, |ReducedRow { y, pixels, variance, .. }| {
            for (_, tile) in tiles_of_row(layout, y) {
                let area = tile.raw_science;
                if y < area.y0 || y >= area.y0 + area.ny {
                    continue;
                }
                let at = tile.science.y0 + y - area.y0;
                let columns = area.x0..area.x0 + area.nx;
                let bias = self.bias.image.row(at);
                let error = self.bias.variance.row(at);
                for (i, x) in columns.enumerate() {
                    pixels[x] -= bias[tile.science.x0 + i];
                    variance[x] += error[tile.science.x0 + i];
                }
            }
        });
        Ok(StepStatus::Done)
    }
}

/// Overscan and master bias together.
struct SubtractBias {
    overscan: SubtractOverscan,
    master: SubtractMasterBias,
}

pub(super) fn make(knowledge: &Knowledge) -> Result<Box<dyn Correction<Counts>>, CorrectionError> {
    let overscan = SubtractOverscan::with(knowledge.layout.clone(), knowledge.overscan.clone());
    Ok(Box::new(SubtractBias { overscan, master: SubtractMasterBias::new(knowledge)? }))
}

impl Correction<Counts> for SubtractBias {
    fn correct(&self, frame: &mut Frame<Counts>) -> Result<StepStatus, CorrectionError> {
        // Trimmed frames have no overscan: the master bias of trimmed frames holds the level.
        self.overscan.correct(frame)?;
        self.master.correct(frame)
    }
}
