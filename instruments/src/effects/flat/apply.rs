//! Forward: multiplies by the response of every pixel, its fixed pattern made on the fly.

use super::PARAMETERS;
use super::model::{multiply, smooth_row};
use crate::description::DetectorSpec;
use crate::effects::parameters::{self, ParameterError};
use crate::effects::rows;
use sim_core::effect::{Context, Effect, EffectError, Rows};
use sim_core::frame::Frame;
use sim_core::ledger::Ledger;
use sim_core::noise;
use sim_core::plane::Light;

/// Item of the fixed stream that holds the direction of the slope; rows are items from 0.
const DIRECTION_ITEM: u64 = u64::MAX;

struct Flat {
    amplitude: f64,
    prnu_rms: f64,
}

pub(super) fn make(spec: &DetectorSpec) -> Result<Box<dyn Effect<Light>>, ParameterError> {
    let [amplitude, prnu_rms] = parameters::read(&spec.parameters, "flat", &PARAMETERS)?;
    Ok(Box::new(Flat { amplitude, prnu_rms }))
}

impl Effect<Light> for Flat {
    fn apply(&self, frame: &mut Frame<Light>, cx: &Context<'_>) -> Result<Ledger, EffectError> {
        rows::apply("flat", self, frame, cx)
    }

    fn rows<'a>(&'a self, cx: &'a Context<'a>) -> Result<Rows<'a>, EffectError> {
        if !cx.exposure.kind.is_illuminated() || (self.amplitude == 0.0 && self.prnu_rms == 0.0) {
            return Ok(Rows::Idle);
        }
        let window = cx.window;
        let position = |i: usize, n: usize| (2.0 * i as f64 + 1.0) / n as f64 - 1.0;
        let u: Vec<f32> = (window.x0..window.x0 + window.nx).map(|x| position(x, cx.geometry.nx) as f32).collect();
        let phi = f64::from(cx.fixed_stream(DIRECTION_ITEM).word(0)) / 2.0_f64.powi(32) * std::f64::consts::TAU;
        Ok(Rows::each(cx.window.shape(), move |y, row, normals| {
            let y = window.y0 + y;
            if self.prnu_rms > 0.0 {
                noise::normals(&cx.fixed_stream(y as u64), window.x0 as u64, normals);
            }
            multiply(row, &u, smooth_row(self.amplitude, phi, position(y, cx.geometry.ny)), self.prnu_rms as f32, normals);
        }))
    }
}
