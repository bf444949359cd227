//! Backward: flags.

use crate::effects::rows;
use sim_core::correction::{Correction, CorrectionError, StepStatus};
use sim_core::flags;
use sim_core::frame::Frame;
use sim_core::knowledge::Knowledge;
use sim_core::plane::Counts;

/// Ceiling of the raw format \[adu\]: unsigned 16 bits (csster/csst flags `raw == 65535`).
pub const RAW_CEILING_ADU: f32 = 65535.0;

struct FlagCeiling;

pub(super) fn make(_: &Knowledge) -> Result<Box<dyn Correction<Counts>>, CorrectionError> {
    Ok(Box::new(FlagCeiling))
}

impl Correction<Counts> for FlagCeiling {
    fn correct(&self, frame: &mut Frame<Counts>) -> Result<StepStatus, CorrectionError> {
        rows::reduce_flags(frame, |_, pixels, bits| {
            for (pixel, bits) in pixels.iter().zip(bits) {
                *bits |= if *pixel >= RAW_CEILING_ADU { flags::SATURATED | flags::ADC_SATURATED } else { 0 };
            }
        });
        Ok(StepStatus::Done)
    }
}
