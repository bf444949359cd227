//! Forward: adds the halos of all bright points.

use super::PARAMETERS;
use super::model::{Halo, Nodes};
use crate::description::DetectorSpec;
use crate::effects::parameters::{self, ParameterError};
use crate::effects::{bright, rows};
use sim_core::effect::{Context, Effect, EffectError};
use sim_core::exposure::ExposureKind;
use sim_core::frame::{BrightPoint, Frame};
use sim_core::ledger::Ledger;
use sim_core::plane::Light;

struct Scattered {
    halo: Halo,
    least_brightness: f64,
}

fn read(spec: &DetectorSpec) -> Result<Scattered, ParameterError> {
    let [fraction, shoulder, slope, radius_deg, least_brightness] = parameters::read(&spec.parameters, "scattered_light", &PARAMETERS)?;
    let scale = spec.geometry.pixel_scale_arcsec;
    Ok(Scattered { halo: Halo::new(fraction, shoulder / scale, slope, radius_deg * 3600.0 / scale), least_brightness })
}

pub(super) fn make(spec: &DetectorSpec) -> Result<Box<dyn Effect<Light>>, ParameterError> {
    Ok(Box::new(read(spec)?))
}

/// Distance from which a star throws light into a window \[pixel\].
///
/// # Errors
/// When a parameter is missing or out of range.
pub fn reach_pixel(spec: &DetectorSpec) -> Result<f64, ParameterError> {
    Ok(read(spec)?.halo.radius)
}

impl Effect<Light> for Scattered {
    fn apply(&self, frame: &mut Frame<Light>, cx: &Context<'_>) -> Result<Ledger, EffectError> {
        rows::need_shape("scattered_light", frame, cx.window.shape())?;
        if cx.exposure.kind != ExposureKind::Science {
            return Ok(Ledger::default());
        }
        let points: Vec<BrightPoint> =
            bright::points(frame).iter().filter(|p| p.electrons * self.halo.peak >= self.least_brightness).copied().collect();
        if points.is_empty() {
            return Ok(Ledger::default());
        }
        let window = cx.window;
        let nodes = Nodes::new(&self.halo, &points, window);
        Ok(rows::change(frame, |y, row, _| nodes.add_row(window.y0 + y, window.x0, row)))
    }
}
