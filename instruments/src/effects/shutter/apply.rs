//! Forward: multiplies the light by the relative time open.

use super::PARAMETERS;
use super::model::excess_s;
use crate::description::DetectorSpec;
use crate::effects::parameters::{self, ParameterError};
use crate::effects::rows;
use sim_core::effect::{Context, Effect, EffectError, Rows};
use sim_core::frame::Frame;
use sim_core::ledger::Ledger;
use sim_core::plane::Light;

struct Shutter {
    travel_time_s: f64,
    bearing_distance_mm: f64,
    pixel_pitch_mm: f64,
}

pub(super) fn make(spec: &DetectorSpec) -> Result<Box<dyn Effect<Light>>, ParameterError> {
    let [travel_time_s, bearing_distance_mm, pixel_pitch_mm] = parameters::read(&spec.parameters, "shutter", &PARAMETERS)?;
    Ok(Box::new(Shutter { travel_time_s, bearing_distance_mm, pixel_pitch_mm }))
}

impl Effect<Light> for Shutter {
    fn apply(&self, frame: &mut Frame<Light>, cx: &Context<'_>) -> Result<Ledger, EffectError> {
        rows::apply("shutter", self, frame, cx)
    }

    fn rows<'a>(&'a self, cx: &'a Context<'a>) -> Result<Rows<'a>, EffectError> {
        let time_s = cx.exposure.time_s;
        if !cx.exposure.kind.is_illuminated() || time_s <= 0.0 || self.travel_time_s == 0.0 {
            return Ok(Rows::Idle);
        }
        let mut open = Vec::with_capacity(cx.window.nx);
        for x in cx.window.x0..cx.window.x0 + cx.window.nx {
            let x_mm = (x as f64 + 1.0 - cx.geometry.crpix1) * self.pixel_pitch_mm;
            let Some(excess) = excess_s(x_mm, self.travel_time_s, self.bearing_distance_mm) else {
                let (key, range) = ("bearing_distance", "at least twice the detector's distance from the boresight along x");
                return Err(EffectError::OutOfRange { effect: "shutter", key, value: self.bearing_distance_mm, unit: "mm", range });
            };
            open.push(((time_s + excess).max(0.0) / time_s) as f32);
        }
        Ok(Rows::each(cx.window.shape(), move |_, row, _| row.iter_mut().zip(&open).for_each(|(pixel, open)| *pixel *= open)))
    }
}
