//! Forward: adds the sky of a science exposure.

use super::PARAMETERS;
use super::model::{add_line, unit_position};
use crate::description::DetectorSpec;
use crate::effects::parameters::{self, ParameterError};
use crate::effects::rows;
use sim_core::effect::{Context, Effect, EffectError, Rows};
use sim_core::exposure::ExposureKind;
use sim_core::frame::Frame;
use sim_core::ledger::Ledger;
use sim_core::plane::Light;

struct Sky {
    gradient: f64,
}

pub(super) fn make(spec: &DetectorSpec) -> Result<Box<dyn Effect<Light>>, ParameterError> {
    let [gradient] = parameters::read(&spec.parameters, "sky", &PARAMETERS)?;
    Ok(Box::new(Sky { gradient }))
}

impl Effect<Light> for Sky {
    fn apply(&self, frame: &mut Frame<Light>, cx: &Context<'_>) -> Result<Ledger, EffectError> {
        rows::apply("sky", self, frame, cx)
    }

    fn rows<'a>(&'a self, cx: &'a Context<'a>) -> Result<Rows<'a>, EffectError> {
        let rate = cx.exposure.sky_electron_s;
        if !(0.0..=1e7).contains(&rate) {
            let (key, unit, range) = ("exposure.sky_electron_s", "electron/s", "0..1e7");
            return Err(EffectError::OutOfRange { effect: "sky", key, value: rate, unit, range });
        }
        let mean = rate * cx.exposure.time_s;
        if cx.exposure.kind != ExposureKind::Science || mean == 0.0 {
            return Ok(Rows::Idle);
        }
        // The line is laid from detector column 0, so that a cut-out has the bits of the full frame.
        let (window, nx, ny) = (cx.window, cx.geometry.nx, cx.geometry.ny);
        let half = 0.5 * self.gradient * mean;
        let slope = (2.0 * half / nx as f64) as f32;
        let columns: Vec<f32> = (window.x0..window.x0 + window.nx).map(|x| slope * x as f32).collect();
        Ok(Rows::each(cx.window.shape(), move |y, row, _| {
            let start = mean + half * (unit_position(window.y0 + y, ny) + unit_position(0, nx));
            add_line(row, start as f32, &columns);
        }))
    }
}
