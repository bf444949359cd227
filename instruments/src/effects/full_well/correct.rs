//! Backward: flags.

use crate::effects::rows;
use sim_core::correction::{Correction, CorrectionError, StepStatus};
use sim_core::flags;
use sim_core::frame::Frame;
use sim_core::knowledge::Knowledge;
use sim_core::plane::Charge;

struct FlagSaturated {
    level: f32,
}

pub(super) fn make(knowledge: &Knowledge) -> Result<Box<dyn Correction<Charge>>, CorrectionError> {
    let level = knowledge.saturation_electron.ok_or(CorrectionError::Unknown { step: "full_well", what: "a saturation level" })?;
    Ok(Box::new(FlagSaturated { level: level as f32 }))
}

impl Correction<Charge> for FlagSaturated {
    fn correct(&self, frame: &mut Frame<Charge>) -> Result<StepStatus, CorrectionError> {
        rows::reduce_flags(frame, |_, pixels, bits| {
            for (pixel, bits) in pixels.iter().zip(bits) {
                *bits |= if *pixel >= self.level { flags::SATURATED } else { 0 };
            }
        });
        Ok(StepStatus::Done)
    }
}
