//! Backward: subtracts the master dark times the exposure time and sets the known defects.

use crate::effects::rows::{self, ReducedRow};
use ndarray::Array2;
use sim_core::correction::{Correction, CorrectionError, StepStatus};
use sim_core::flags;
use sim_core::frame::Frame;
use sim_core::knowledge::{DefectPixel, Knowledge, Reference};
use sim_core::plane::Light;
use std::sync::Arc;

struct SubtractDark {
    dark: Arc<Reference>,
    defects: Option<Arc<Array2<u32>>>,
    hot: Option<Arc<Vec<DefectPixel>>>,
    time_s: f64,
}

pub(super) fn make(knowledge: &Knowledge) -> Result<Box<dyn Correction<Light>>, CorrectionError> {
    let dark = knowledge.dark.clone().ok_or(CorrectionError::Unknown { step: "dark", what: "a master dark" })?;
    Ok(Box::new(SubtractDark {
        dark,
        defects: knowledge.defects.clone(),
        hot: knowledge.defect_pixels.clone(),
        time_s: knowledge.exposure_time_s,
    }))
}

impl Correction<Light> for SubtractDark {
    fn correct(&self, frame: &mut Frame<Light>) -> Result<StepStatus, CorrectionError> {
        let shape = frame.pixels.dim();
        rows::need_reference("dark", self.dark.image.dim(), shape)?;
        rows::need_reference("dark", self.dark.variance.dim(), shape)?;
        if let Some(defects) = &self.defects {
            rows::need_reference("dark", defects.dim(), shape)?;
        }
        let time = self.time_s as f32;
        rows::reduce(frame, |ReducedRow { y, pixels, variance, flags }| {
            let (dark, dark_variance) = (self.dark.image.row(y), self.dark.variance.row(y));
            for x in 0..pixels.len() {
                pixels[x] -= dark[x] * time;
                variance[x] += dark_variance[x] * time * time;
            }
            if let Some(defects) = &self.defects {
                flags.iter_mut().zip(defects.row(y)).for_each(|(flags, bits)| *flags |= bits);
            }
        });
        if let (Some(hot), Some(bits)) = (&self.hot, frame.flags.as_mut()) {
            for pixel in hot.iter() {
                if let Some(bits) = bits.get_mut((pixel.y, pixel.x)) {
                    *bits |= pixel.bits & (flags::HOT | flags::WARM);
                }
            }
        }
        Ok(StepStatus::Done)
    }
}
