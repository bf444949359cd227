//! Backward: flags the pixels of satellite trails.

use super::detect;
use crate::effects::rows;
use sim_core::correction::{Correction, CorrectionError, StepStatus};
use sim_core::flags;
use sim_core::frame::Frame;
use sim_core::knowledge::Knowledge;
use sim_core::plane::Light;

struct FlagTrails;

pub(super) fn make(_: &Knowledge) -> Result<Box<dyn Correction<Light>>, CorrectionError> {
    Ok(Box::new(FlagTrails))
}

impl Correction<Light> for FlagTrails {
    fn correct(&self, frame: &mut Frame<Light>) -> Result<StepStatus, CorrectionError> {
        let found = detect::find(&frame.pixels, frame.flags.as_ref());
        rows::reduce_flags(frame, |y, row, bits| {
            for trail in &found {
                for x in trail.columns(y, trail.half_width, row.len()) {
                    bits[x] |= flags::SATELLITE;
                }
            }
        });
        Ok(StepStatus::Done)
    }
}
