//! Backward: subtracts the fringe frame, scaled to the exposure.

use super::amplitude::{self, Fit};
use crate::effects::rows::{self, ReducedRow};
use sim_core::correction::{Correction, CorrectionError, StepStatus};
use sim_core::frame::Frame;
use sim_core::knowledge::{FringeFrame, Knowledge};
use sim_core::plane::{Light, Plane};
use std::sync::Arc;

/// Cells that a fit uses at most: their error of the strength is below 0.01 electron at any sky.
const CELLS_MOST: usize = 100_000;
/// Strengths below this many errors are not subtracted: it would add more noise than it takes away.
const SIGNIFICANT: f64 = 2.0;

struct SubtractFringes {
    fringes: Arc<FringeFrame>,
}

pub(super) fn make(knowledge: &Knowledge) -> Result<Box<dyn Correction<Light>>, CorrectionError> {
    let what = "a fringe frame";
    let fringes = knowledge.fringes.clone().ok_or(CorrectionError::Unknown { step: "fringing", what })?;
    Ok(Box::new(SubtractFringes { fringes }))
}

/// Strength of the fringes of a frame, in its unit; `None` when too little of it is free of sources and flags.
#[must_use]
pub fn strength<P: Plane>(frame: &Frame<P>, fringes: &FringeFrame) -> Option<Fit> {
    let cells = fringes.pattern.len();
    let stride = (cells as f64 / CELLS_MOST as f64).sqrt().ceil().max(1.0) as usize;
    let mesh = amplitude::medians(&frame.pixels, frame.flags.as_ref(), fringes.cell, if fringes.cell >= 4 { 2 } else { 1 });
    amplitude::fit(&amplitude::cells(&mesh, Some(&fringes.pattern), stride))
}

impl Correction<Light> for SubtractFringes {
    fn correct(&self, frame: &mut Frame<Light>) -> Result<StepStatus, CorrectionError> {
        rows::need_reference("fringing", self.fringes.window.shape(), frame.pixels.dim())?;
        let Some(Fit { amplitude, error, .. }) = strength(frame, &self.fringes) else {
            return Ok(StepStatus::Skipped("too few pixels without sources to scale the fringe frame".into()));
        };
        if amplitude.abs() < SIGNIFICANT * error {
            return Ok(StepStatus::Skipped(format!("fringes of {amplitude:.3} +- {error:.3} electron: not significant")));
        }
        let (a, a_variance) = (amplitude as f32, (error * error) as f32);
        rows::reduce(frame, |ReducedRow { y, pixels, variance, .. }| {
            let mut pattern = vec![0.0; pixels.len()];
            self.fringes.row(&self.fringes.pattern, y, &mut pattern);
            for ((pixel, v), p) in pixels.iter_mut().zip(variance.iter_mut()).zip(&pattern) {
                *pixel -= a * p;
                *v += a_variance * p * p;
            }
            self.fringes.row(&self.fringes.variance, y, &mut pattern);
            variance.iter_mut().zip(&pattern).for_each(|(v, p)| *v += a * a * p);
        });
        Ok(StepStatus::Done)
    }
}
