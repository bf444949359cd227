//! Backward: flags of known defects.

use crate::effects::rows;
use ndarray::Array2;
use sim_core::correction::{Correction, CorrectionError, StepStatus};
use sim_core::flags;
use sim_core::frame::Frame;
use sim_core::knowledge::Knowledge;
use sim_core::plane::Light;
use std::sync::Arc;

struct FlagDefects {
    defects: Arc<Array2<u32>>,
}

pub(super) fn make(knowledge: &Knowledge) -> Result<Box<dyn Correction<Light>>, CorrectionError> {
    let unknown = CorrectionError::Unknown { step: "defects", what: "a map of defects" };
    Ok(Box::new(FlagDefects { defects: knowledge.defects.clone().ok_or(unknown)? }))
}

impl Correction<Light> for FlagDefects {
    fn correct(&self, frame: &mut Frame<Light>) -> Result<StepStatus, CorrectionError> {
        rows::need_reference("defects", self.defects.dim(), frame.pixels.dim())?;
        rows::reduce_flags(frame, |y, _, bits| {
            bits.iter_mut().zip(self.defects.row(y)).for_each(|(bits, known)| *bits |= known & (flags::DEAD | flags::TELEGRAPH));
        });
        Ok(StepStatus::Done)
    }
}
