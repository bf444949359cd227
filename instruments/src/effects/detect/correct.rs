//! Backward: electrons counted estimate electrons expected, with their own number as variance.

use crate::effects::crossing::CrossingBack;
use crate::effects::rows;
use sim_core::correction::{CorrectionError, StepStatus};
use sim_core::frame::Frame;
use sim_core::knowledge::Knowledge;
use sim_core::plane::{Charge, Light};

struct PoissonVariance;

pub(super) fn make(_: &Knowledge) -> Result<Box<dyn CrossingBack<Light, Charge>>, CorrectionError> {
    Ok(Box::new(PoissonVariance))
}

impl CrossingBack<Light, Charge> for PoissonVariance {
    fn cross_back(&self, mut frame: Frame<Charge>) -> Result<(Frame<Light>, StepStatus), CorrectionError> {
        rows::reduce_variance(&mut frame, |_, pixels, variance| {
            for (pixel, variance) in pixels.iter().zip(variance) {
                *variance += if *pixel > 0.0 { *pixel } else { 0.0 };
            }
        });
        Ok((frame.cross(), StepStatus::Done))
    }
}
