//! Forward: adds expected thermal electrons.

use super::PARAMETERS;
use super::model::hot_pixels;
use crate::description::DetectorSpec;
use crate::effects::parameters::{self, ParameterError};
use crate::effects::rows;
use sim_core::effect::{Context, Effect, EffectError, Rows};
use sim_core::frame::Frame;
use sim_core::ledger::Ledger;
use sim_core::plane::Light;

struct Dark {
    rate: f64,
    hot_fraction: f64,
    hot_rate_mean: f64,
    readout_time_s: f64,
}

pub(super) fn make(spec: &DetectorSpec) -> Result<Box<dyn Effect<Light>>, ParameterError> {
    let [rate, hot_fraction, hot_rate_mean, readout_time_s] = parameters::read(&spec.parameters, "dark", &PARAMETERS)?;
    Ok(Box::new(Dark { rate, hot_fraction, hot_rate_mean, readout_time_s }))
}

impl Effect<Light> for Dark {
    fn apply(&self, frame: &mut Frame<Light>, cx: &Context<'_>) -> Result<Ledger, EffectError> {
        rows::apply("dark", self, frame, cx)
    }

    fn rows<'a>(&'a self, cx: &'a Context<'a>) -> Result<Rows<'a>, EffectError> {
        let time_s = cx.exposure.time_s + 0.5 * self.readout_time_s;
        let everywhere = (self.rate * time_s) as f32;
        let window = cx.window;
        Ok(Rows::each(cx.window.shape(), move |y, row, _| {
            row.iter_mut().for_each(|pixel| *pixel += everywhere);
            // The whole row of the detector is drawn and the window kept, so that a cut-out has the same hot pixels.
            let stream = cx.fixed_stream((window.y0 + y) as u64);
            let mut index = 0;
            let uniform = || {
                let word = stream.word(index);
                index += 1;
                (f64::from(word) + 0.5) / 2.0_f64.powi(32)
            };
            for (x, rate) in hot_pixels(cx.geometry.nx, self.hot_fraction, self.hot_rate_mean, uniform) {
                if x >= window.x0 && x < window.x0 + window.nx {
                    row[x - window.x0] += (rate * time_s) as f32;
                }
            }
        }))
    }
}
