//! Forward: bends every amplifier's counts.

use super::PARAMETERS;
use super::model::{Curve, bend, reversed, rises};
use crate::description::DetectorSpec;
use crate::effects::parameters::{self, Parameter, ParameterError};
use crate::effects::rows;
use sim_core::effect::{Context, Effect, EffectError, Rows};
use sim_core::frame::Frame;
use sim_core::knowledge::{AmplifierLinearity, Linearity, Measured};
use sim_core::ledger::Ledger;
use sim_core::noise;
use sim_core::plane::Counts;
use sim_core::stream::StreamKey;

/// Terms of the response.
const BENDS: usize = 3;
/// Full scales up to which the response is a polynomial: brighter signals are beyond any converter.
const REACH: f64 = 2.0;

struct NonLinearity {
    /// By amplifier number.
    curves: Vec<Curve>,
}

/// The full scale \[adu\] and the bends of every amplifier as they are, by amplifier number. Truth: not for the reduction.
///
/// # Errors
/// When the table `effects.non_linearity` is not as it must be, or a response does not rise everywhere.
pub fn responses(spec: &DetectorSpec) -> Result<(f64, Vec<[f64; BENDS]>), ParameterError> {
    let [full_scale, quadratic, cubic, quartic, scatter] = parameters::read(&spec.parameters, "non_linearity", &PARAMETERS)?;
    let means = [quadratic, cubic, quartic];
    let grid = &spec.geometry.amplifiers;
    let mut normals = vec![0.0; BENDS * grid.columns * grid.rows];
    let stream = StreamKey::new(spec.device_seed).with(u64::from(spec.geometry.number)).with_name("non_linearity").stream(0);
    noise::normals(&stream, 0, &mut normals);
    let of = |z: &[f32]| std::array::from_fn(|k| means[k] * (1.0 + scatter * f64::from(z[k])));
    let all: Vec<[f64; BENDS]> = normals.chunks(BENDS).map(of).collect();
    if !all.iter().all(|bends| rises(bends, REACH)) {
        // The term that bends down most is the one to change.
        let worst = (0..BENDS).min_by(|&a, &b| means[a].total_cmp(&means[b])).unwrap_or(0);
        let Parameter { key, unit, high, .. } = PARAMETERS[1 + worst];
        // Three terms of this slope each leave it above 0; in whole thousandths.
        let low = (-1e3 / (BENDS as f64 * (worst as f64 + 2.0) * REACH.powi(worst as i32 + 1))).ceil() / 1e3;
        return Err(ParameterError::Range { effect: "non_linearity", key, value: means[worst], unit, low, high });
    }
    Ok((full_scale, all))
}

/// What a calibration without error would know of the responses, up to `ceiling_adu` counts above bias.
///
/// # Errors
/// As [`responses`].
pub fn knowledge(spec: &DetectorSpec, ceiling_adu: f64) -> Result<Linearity, ParameterError> {
    let (scale_adu, responses) = responses(spec)?;
    let inverse = |bends: [f64; BENDS]| {
        let coefficients = reversed(bends).map(|value| Measured { value, error: 0.0 }).to_vec();
        Some(AmplifierLinearity { coefficients, ceiling_adu, ..Default::default() })
    };
    Ok(Linearity { scale_adu, amplifiers: responses.into_iter().map(inverse).collect() })
}

pub(super) fn make(spec: &DetectorSpec) -> Result<Box<dyn Effect<Counts>>, ParameterError> {
    let (full_scale, bends) = responses(spec)?;
    let curve = |bends: &[f64; BENDS]| Curve::new(bends, full_scale, REACH * full_scale);
    Ok(Box::new(NonLinearity { curves: bends.iter().filter_map(curve).collect() }))
}

impl Effect<Counts> for NonLinearity {
    fn apply(&self, frame: &mut Frame<Counts>, cx: &Context<'_>) -> Result<Ledger, EffectError> {
        rows::apply("non_linearity", self, frame, cx)
    }

    fn rows<'a>(&'a self, cx: &'a Context<'a>) -> Result<Rows<'a>, EffectError> {
        if cx.layout.amplifier_count != self.curves.len() {
            let what = format!("a layout of {} amplifiers, got one of {}", self.curves.len(), cx.layout.amplifier_count);
            return Err(EffectError::Missing { effect: "non_linearity", what });
        }
        Ok(rows::each_tile(cx.layout, move |_, tile, _, pixels, _| bend(pixels, &self.curves[tile.amplifier])))
    }
}
