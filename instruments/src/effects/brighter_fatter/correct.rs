//! Backward: moves charge back by the shifts that calibration knows, and flags where saturated pixels make them unknown.

use super::model::Kernel;
use super::shifts::{BoundaryShifts, REACH};
use super::tiles::{self, Flow};
use crate::effects::rows;
use ndarray::Array2;
use sim_core::correction::{Correction, CorrectionError, StepStatus};
use sim_core::flags;
use sim_core::frame::{Frame, Window};
use sim_core::knowledge::Knowledge;
use sim_core::plane::Charge;

struct MoveBack {
    window: Window,
    kernel: Kernel,
    capacity: f32,
    rounds: usize,
}

pub(super) fn make(knowledge: &Knowledge) -> Result<Box<dyn Correction<Charge>>, CorrectionError> {
    let unknown = |what| CorrectionError::Unknown { step: "brighter_fatter", what };
    let boundaries = knowledge.boundaries.as_ref().ok_or(unknown("shifts of pixel boundaries (covariances of flats at several levels)"))?;
    let shifts = BoundaryShifts::known(boundaries).ok_or(unknown("finite shifts of boundaries within 4 pixels"))?;
    let capacity = boundaries.capacity_electron;
    let shrinks = -shifts.area(0, 0) * capacity;
    if !(capacity > 0.0 && (0.0..=0.5).contains(&shrinks)) {
        return Err(unknown("possible shifts (a full pixel loses 0 to a half of its area)"));
    }
    Ok(Box::new(MoveBack {
        window: knowledge.window,
        kernel: Kernel::new(&shifts),
        capacity: capacity as f32,
        rounds: boundaries.iterations,
    }))
}

/// Flags all pixels within [`REACH`] of saturated ones.
fn flag_near_saturated(bits: &mut Array2<u32>) {
    let (ny, nx) = bits.dim();
    let full = flags::SATURATED | flags::ADC_SATURATED;
    let mut saturated = Vec::new();
    for (y, row) in bits.rows().into_iter().enumerate() {
        // A fold of bits runs on wide registers, a search does not; most rows have none.
        if row.iter().fold(0, |any, b| any | b) & full != 0 {
            saturated.extend(row.iter().enumerate().filter(|(_, b)| **b & full != 0).map(|(x, _)| (y, x)));
        }
    }
    for (y, x) in saturated {
        for row in y.saturating_sub(REACH)..(y + REACH + 1).min(ny) {
            for column in x.saturating_sub(REACH)..(x + REACH + 1).min(nx) {
                bits[[row, column]] |= flags::BFE_UNRELIABLE;
            }
        }
    }
}

impl Correction<Charge> for MoveBack {
    fn correct(&self, frame: &mut Frame<Charge>) -> Result<StepStatus, CorrectionError> {
        rows::need_reference("brighter_fatter", self.window.shape(), frame.pixels.dim())?;
        tiles::backward(&mut frame.pixels, &Flow::new(&self.kernel, self.capacity), self.rounds);
        if let Some(bits) = frame.flags.as_mut() {
            flag_near_saturated(bits);
        }
        Ok(StepStatus::Done)
    }
}
