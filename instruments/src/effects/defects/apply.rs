//! Forward: dims cold pixels, adds what telegraph pixels made.

use super::PARAMETERS;
use super::model::time_on_s;
use crate::description::DetectorSpec;
use crate::effects::parameters::{self, Parameter, ParameterError};
use crate::effects::rows;
use sim_core::effect::{Context, Effect, EffectError, Rows};
use sim_core::frame::Frame;
use sim_core::ledger::Ledger;
use sim_core::plane::Light;
use sim_core::stream::{Stream, StreamKey};

/// The fixed streams hold a row of cold pixels at twice its number, of telegraph pixels at the next.
const KINDS: u64 = 2;

struct Defects {
    cold_fraction: f64,
    cold_response: f64,
    telegraph: TelegraphLaw,
    readout_time_s: f64,
}

struct TelegraphLaw {
    fraction: f64,
    rate: f64,
    dwell_short_s: f64,
    dwell_long_s: f64,
}

/// A telegraph pixel.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Telegraph {
    /// Column of the detector.
    pub x: usize,
    /// Rate of the upper level above the lower \[electron / s\].
    pub rate: f64,
    /// Mean time in the upper state \[s\].
    pub mean_on_s: f64,
    /// Mean time in the lower state \[s\].
    pub mean_off_s: f64,
}

pub(super) fn make(spec: &DetectorSpec) -> Result<Box<dyn Effect<Light>>, ParameterError> {
    Ok(Box::new(read(spec)?))
}

fn read(spec: &DetectorSpec) -> Result<Defects, ParameterError> {
    let values = parameters::read(&spec.parameters, "defects", &PARAMETERS)?;
    let [cold_fraction, cold_response, fraction, rate, dwell_short_s, dwell_long_s, readout_time_s] = values;
    if dwell_long_s < dwell_short_s {
        let Parameter { key, unit, high, .. } = PARAMETERS[5];
        return Err(ParameterError::Range { effect: "defects", key, value: dwell_long_s, unit, low: dwell_short_s, high });
    }
    let telegraph = TelegraphLaw { fraction, rate, dwell_short_s, dwell_long_s };
    Ok(Defects { cold_fraction, cold_response, telegraph, readout_time_s })
}

/// Numbers in (0, 1), in order.
fn uniforms(stream: Stream) -> impl FnMut() -> f64 {
    let mut index = 0;
    move || {
        let word = stream.word(index);
        index += 1;
        (f64::from(word) + 0.5) / 2.0_f64.powi(32)
    }
}

/// Columns met with a probability, by geometric gaps; the cost is that of what is found.
fn places(nx: usize, fraction: f64, uniform: &mut impl FnMut() -> f64, mut found: impl FnMut(usize, &mut dyn FnMut() -> f64)) {
    if fraction <= 0.0 {
        return;
    }
    let per_gap = 1.0 / (-fraction).ln_1p();
    let mut next = 0.0;
    loop {
        next += (uniform().ln() * per_gap).floor();
        if next >= nx as f64 {
            return;
        }
        found(next as usize, uniform);
        next += 1.0;
    }
}

impl Defects {
    fn cold(&self, nx: usize, stream: Stream) -> Vec<(usize, f64)> {
        let mut out = Vec::new();
        places(nx, self.cold_fraction, &mut uniforms(stream), |x, uniform| out.push((x, self.cold_response * uniform())));
        out
    }
    fn telegraph(&self, nx: usize, stream: Stream) -> Vec<Telegraph> {
        let TelegraphLaw { fraction, rate, dwell_short_s, dwell_long_s } = self.telegraph;
        let mut out = Vec::new();
        let span = (dwell_long_s / dwell_short_s).ln();
        places(nx, fraction, &mut uniforms(stream), |x, uniform| {
            let rate = -rate * uniform().ln();
            let mut dwell = || dwell_short_s * (span * uniform()).exp();
            let (mean_on_s, mean_off_s) = (dwell(), dwell());
            out.push(Telegraph { x, rate, mean_on_s, mean_off_s });
        });
        out
    }
}

fn fixed(spec: &DetectorSpec) -> StreamKey {
    StreamKey::new(spec.device_seed).with(u64::from(spec.geometry.number)).with_name("defects")
}

/// Cold pixels of a row of the detector: column and response. Truth: not for the reduction.
///
/// # Errors
/// When the table `effects.defects` is not as it must be.
pub fn cold_pixels(spec: &DetectorSpec, y: usize) -> Result<Vec<(usize, f64)>, ParameterError> {
    Ok(read(spec)?.cold(spec.geometry.nx, fixed(spec).stream(KINDS * y as u64)))
}

/// Telegraph pixels of a row of the detector. Truth: not for the reduction.
///
/// # Errors
/// When the table `effects.defects` is not as it must be.
pub fn telegraph_pixels(spec: &DetectorSpec, y: usize) -> Result<Vec<Telegraph>, ParameterError> {
    Ok(read(spec)?.telegraph(spec.geometry.nx, fixed(spec).stream(KINDS * y as u64 + 1)))
}

impl Effect<Light> for Defects {
    fn apply(&self, frame: &mut Frame<Light>, cx: &Context<'_>) -> Result<Ledger, EffectError> {
        rows::apply("defects", self, frame, cx)
    }

    fn rows<'a>(&'a self, cx: &'a Context<'a>) -> Result<Rows<'a>, EffectError> {
        let time_s = cx.exposure.time_s + 0.5 * self.readout_time_s;
        let window = cx.window;
        Ok(Rows::each(cx.window.shape(), move |y, row, _| {
            // The whole row of the detector is drawn and the window kept, so that a cut-out has the same defects.
            let detector_y = (window.y0 + y) as u64;
            let inside = |x: usize| (window.x0..window.x0 + window.nx).contains(&x).then(|| x - window.x0);
            for (x, response) in self.cold(cx.geometry.nx, cx.fixed_stream(KINDS * detector_y)) {
                if let Some(x) = inside(x) {
                    row[x] = (f64::from(row[x]) * response) as f32;
                }
            }
            for pixel in self.telegraph(cx.geometry.nx, cx.fixed_stream(KINDS * detector_y + 1)) {
                if let Some(x) = inside(pixel.x) {
                    let jumps = uniforms(cx.stream((detector_y << 32) | pixel.x as u64));
                    let on_s = time_on_s(time_s, pixel.mean_on_s, pixel.mean_off_s, jumps);
                    row[x] += (pixel.rate * on_s) as f32;
                }
            }
        }))
    }
}
