//! Backward: divides by the relative time open.

use crate::effects::rows::{self, ReducedRow};
use sim_core::correction::{Correction, CorrectionError, StepStatus};
use sim_core::flags;
use sim_core::frame::Frame;
use sim_core::knowledge::{Knowledge, Reference};
use sim_core::plane::Light;
use std::sync::Arc;

struct DivideTime {
    excess_s: Arc<Reference>,
    time_s: f64,
}

pub(super) fn make(knowledge: &Knowledge) -> Result<Box<dyn Correction<Light>>, CorrectionError> {
    let what = "a map of the shutter's excess time";
    let excess_s = knowledge.shutter.clone().ok_or(CorrectionError::Unknown { step: "shutter", what })?;
    Ok(Box::new(DivideTime { excess_s, time_s: knowledge.exposure_time_s }))
}

impl Correction<Light> for DivideTime {
    fn correct(&self, frame: &mut Frame<Light>) -> Result<StepStatus, CorrectionError> {
        if self.time_s <= 0.0 {
            return Ok(StepStatus::Skipped("exposure time 0".into()));
        }
        rows::need_reference("shutter", self.excess_s.image.dim(), frame.pixels.dim())?;
        rows::need_reference("shutter", self.excess_s.variance.dim(), frame.pixels.dim())?;
        let per_time = (1.0 / self.time_s) as f32;
        rows::reduce(frame, |ReducedRow { y, pixels, variance, flags: bits }| {
            let (excess, excess_variance) = (self.excess_s.image.row(y), self.excess_s.variance.row(y));
            for x in 0..pixels.len() {
                let open = 1.0 + excess[x] * per_time;
                // Not (0, inf): never open, or no excess known here.
                if !(open > 0.0 && open.is_finite()) {
                    bits[x] |= flags::NO_DATA;
                    continue;
                }
                let value = pixels[x] / open;
                pixels[x] = value;
                variance[x] = (variance[x] + value * value * excess_variance[x] * per_time * per_time) / (open * open);
            }
        });
        Ok(StepStatus::Done)
    }
}
