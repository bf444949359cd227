//! Backward: divides by the master flat.

use crate::effects::rows::{self, ReducedRow};
use sim_core::correction::{Correction, CorrectionError, StepStatus};
use sim_core::flags;
use sim_core::frame::Frame;
use sim_core::knowledge::{Knowledge, Reference};
use sim_core::plane::Light;
use std::sync::Arc;

struct DivideFlat {
    flat: Arc<Reference>,
}

pub(super) fn make(knowledge: &Knowledge) -> Result<Box<dyn Correction<Light>>, CorrectionError> {
    let flat = knowledge.flat.clone().ok_or(CorrectionError::Unknown { step: "flat", what: "a master flat" })?;
    Ok(Box::new(DivideFlat { flat }))
}

impl Correction<Light> for DivideFlat {
    fn correct(&self, frame: &mut Frame<Light>) -> Result<StepStatus, CorrectionError> {
        rows::need_reference("flat", self.flat.image.dim(), frame.pixels.dim())?;
        rows::need_reference("flat", self.flat.variance.dim(), frame.pixels.dim())?;
        rows::reduce(frame, |ReducedRow { y, pixels, variance, flags: bits }| {
            let (flat, flat_variance) = (self.flat.image.row(y), self.flat.variance.row(y));
            for x in 0..pixels.len() {
                let f = flat[x];
                if !(f > 0.0 && f.is_finite()) {
                    bits[x] |= flags::NO_FLAT | flags::BAD;
                    continue;
                }
                if !(0.5..=1.5).contains(&f) {
                    bits[x] |= flags::BAD;
                }
                let value = pixels[x] / f;
                pixels[x] = value;
                variance[x] = (variance[x] + value * value * flat_variance[x]) / (f * f);
            }
        });
        Ok(StepStatus::Done)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ndarray::array;
    use sim_core::detector::{AmplifierGrid, DetectorGeometry, ReadoutLayout, Scans};
    use sim_core::frame::Window;

    #[test]
    fn signal_and_errors_are_divided_and_odd_pixels_flagged() {
        let geometry = DetectorGeometry {
            number: 1,
            filter: "g".into(),
            nx: 4,
            ny: 1,
            crpix1: 0.0,
            crpix2: 0.0,
            pixel_scale_arcsec: 1.0,
            amplifiers: AmplifierGrid { columns: 1, rows: 1, prescan_x: 0, overscan_x: 0, overscan_y: 0 },
        };
        let window = Window { x0: 0, y0: 0, nx: 4, ny: 1 };
        let mut knowledge = Knowledge::of_layout(ReadoutLayout::new(&geometry, window, Scans::Trimmed), window, 1.0);
        let image = array![[0.8, 0.4, 0.0, f32::NAN]];
        knowledge.flat = Some(Arc::new(Reference { image, variance: array![[0.01, 0.0, 0.0, 0.0]] }));
        let mut frame = Frame::<Light>::from_pixels(array![[80.0, 80.0, 80.0, 80.0]], window);
        frame.variance = Some(array![[64.0, 64.0, 64.0, 64.0]]);
        assert_eq!(make(&knowledge).unwrap().correct(&mut frame).unwrap(), StepStatus::Done);
        assert_eq!(frame.pixels, array![[100.0, 200.0, 80.0, 80.0]]);
        // 64 / 0.64 + (100 / 0.8)^2 * 0.01 = 100 + 156.25.
        let variance = frame.variance.unwrap();
        assert!((variance[[0, 0]] - 256.25).abs() < 1e-3, "{variance}");
        let none = flags::NO_FLAT | flags::BAD;
        assert_eq!(frame.flags.unwrap(), array![[0, flags::BAD, none, none]]);
    }
}
