//! Forward: adds what the history left.

use super::PARAMETERS;
use super::model::{self, Law, Species};
use crate::description::DetectorSpec;
use crate::effects::parameters::{self, ParameterError};
use crate::effects::rows;
use sim_core::effect::{Context, Effect, EffectError};
use sim_core::frame::Frame;
use sim_core::ledger::Ledger;
use sim_core::plane::Light;

/// An earlier exposure is forgotten when its brightest pixel gives back less than this \[electron\].
pub const LEAST_ELECTRON: f64 = 0.01;

struct Persistence {
    law: Law,
}

/// The law in the table `effects.persistence`. Truth: not for the reduction.
///
/// # Errors
/// When the table is not as it must be.
pub fn law(spec: &DetectorSpec) -> Result<Law, ParameterError> {
    let [threshold_electron, fraction_1, release_1, fraction_2, release_2] =
        parameters::read(&spec.parameters, "persistence", &PARAMETERS)?;
    let species = [(fraction_1, release_1), (fraction_2, release_2)].map(|(fraction, release_s)| Species { fraction, release_s });
    Ok(Law { threshold_electron, species: species.to_vec() })
}

/// How long after an exposure its full pixels still glow \[s\].
///
/// # Errors
/// When the table `effects.persistence` is not as it must be.
pub fn reach_s(spec: &DetectorSpec) -> Result<f64, ParameterError> {
    let law = law(spec)?;
    let most = law.excess(spec.nominal("full_well", "capacity").unwrap_or(1e6));
    let parts: Vec<(f64, f64)> = law.species.iter().map(|s| (most * s.fraction, s.release_s)).collect();
    Ok(model::reach_s(&parts, LEAST_ELECTRON))
}

pub(super) fn make(spec: &DetectorSpec) -> Result<Box<dyn Effect<Light>>, ParameterError> {
    Ok(Box::new(Persistence { law: law(spec)? }))
}

impl Effect<Light> for Persistence {
    fn apply(&self, frame: &mut Frame<Light>, cx: &Context<'_>) -> Result<Ledger, EffectError> {
        let (window, exposure) = (cx.window, cx.exposure);
        rows::need_shape("persistence", frame, window.shape())?;
        let mut ledger = Ledger::default();
        let Some(history) = frame.history.clone() else { return Ok(ledger) };
        for earlier in &history.earlier {
            let since_s = (exposure.start_mjd - earlier.end_mjd) * 86_400.0;
            if since_s < 0.0 {
                let what = format!("a history that ends before the exposure begins, got one that ends {:.1} s after", -since_s);
                return Err(EffectError::Missing { effect: "persistence", what });
            }
            let released = self.law.released(since_s, exposure.time_s);
            for pixel in &earlier.bright {
                let (x, y) = ((pixel.x as usize).wrapping_sub(window.x0), (pixel.y as usize).wrapping_sub(window.y0));
                if let Some(value) = frame.pixels.get_mut((y, x)) {
                    let before = *value;
                    *value += (self.law.excess(f64::from(pixel.electrons)) * released) as f32;
                    ledger.book(f64::from(*value) - f64::from(before));
                }
            }
        }
        Ok(ledger)
    }
}
