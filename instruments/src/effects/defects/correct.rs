//! Backward: flags of known defects.

use crate::effects::rows;
use sim_core::correction::{Correction, CorrectionError, StepStatus};
use sim_core::flags;
use sim_core::frame::{Frame, Window};
use sim_core::knowledge::{DefectPixel, Knowledge};
use sim_core::memory;
use sim_core::plane::Light;
use std::sync::Arc;

struct FlagDefects {
    pixels: Arc<Vec<DefectPixel>>,
    window: Window,
}

pub(super) fn make(knowledge: &Knowledge) -> Result<Box<dyn Correction<Light>>, CorrectionError> {
    let unknown = CorrectionError::Unknown { step: "defects", what: "a list of defects" };
    Ok(Box::new(FlagDefects { pixels: knowledge.defect_pixels.clone().ok_or(unknown)?, window: knowledge.window }))
}

impl Correction<Light> for FlagDefects {
    fn correct(&self, frame: &mut Frame<Light>) -> Result<StepStatus, CorrectionError> {
        let shape = frame.pixels.dim();
        rows::need_reference("defects", self.window.shape(), shape)?;
        let map = frame.flags.get_or_insert_with(|| memory::zeros(shape));
        for pixel in self.pixels.iter() {
            if let Some(bits) = map.get_mut((pixel.y, pixel.x)) {
                *bits |= pixel.bits & (flags::DEAD | flags::TELEGRAPH);
            }
        }
        Ok(StepStatus::Done)
    }
}
