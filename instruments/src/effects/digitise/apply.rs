//! Forward: divides by the gain and lays out the raw frame.

use super::PARAMETERS;
use super::model::{for_amplifiers, lay_out};
use crate::description::DetectorSpec;
use crate::effects::crossing::{Crossing, CrossingLedger};
use crate::effects::parameters::{self, ParameterError};
use crate::effects::rows;
use sim_core::detector::Scans;
use sim_core::effect::{Context, EffectError};
use sim_core::frame::{Frame, ScanCharge};
use sim_core::ledger::Ledger;
use sim_core::noise;
use sim_core::plane::{Charge, Counts};
use sim_core::stream::StreamKey;

struct Digitise {
    /// Gain by amplifier number \[electron / adu\].
    gain: Vec<f64>,
}

pub(super) fn make(spec: &DetectorSpec) -> Result<Box<dyn Crossing<Charge, Counts>>, ParameterError> {
    Ok(Box::new(Digitise { gain: amplifier_gains(spec)? }))
}

/// The gain of every amplifier as it is \[electron / adu\], by amplifier number. Truth: not for the reduction.
///
/// # Errors
/// When the table `effects.digitise` is not as it must be.
pub fn amplifier_gains(spec: &DetectorSpec) -> Result<Vec<f64>, ParameterError> {
    let [gain, scatter] = parameters::read(&spec.parameters, "digitise", &PARAMETERS)?;
    let grid = &spec.geometry.amplifiers;
    let mut normals = vec![0.0; grid.columns * grid.rows];
    // The fixed stream of `Context::fixed_stream`, made here because the read noise needs the gains too.
    let stream = StreamKey::new(spec.device_seed).with(u64::from(spec.geometry.number)).with_name("digitise").stream(0);
    noise::normals(&stream, 0, &mut normals);
    Ok(normals.into_iter().map(|z| gain * (1.0 + scatter * f64::from(z))).collect())
}

impl Crossing<Charge, Counts> for Digitise {
    fn cross(&self, frame: Frame<Charge>, cx: &Context<'_>) -> Result<(Frame<Counts>, CrossingLedger), EffectError> {
        rows::need_shape("digitise", &frame, cx.window.shape())?;
        if cx.layout.amplifier_count != self.gain.len() {
            let what = format!("a layout of {} amplifiers, got one of {}", self.gain.len(), cx.layout.amplifier_count);
            return Err(EffectError::Missing { effect: "digitise", what });
        }
        let shapes = |s: &ScanCharge| [s.prescan.dim(), s.overscan.dim(), s.overscan_rows.dim()];
        if let Some(scans) = &frame.scans {
            let places = cx.layout.tiles.iter().map(|t| [t.raw_prescan, t.raw_overscan, t.raw_overscan_rows].map(|r| (r.ny, r.nx)));
            if !places.eq(scans.iter().map(shapes)) {
                let what = "charge in the scans of the shape of the layout, or none".to_string();
                return Err(EffectError::Missing { effect: "digitise", what });
            }
        }
        let lost = rows::total(&frame.pixels) + frame.scans.iter().flatten().map(ScanCharge::total).sum::<f64>();
        let pixels = match cx.layout.scans {
            Scans::Trimmed => {
                let mut pixels = frame.pixels;
                for_amplifiers(&mut pixels, cx.layout, |amplifier, pixels| {
                    let gain = self.gain[amplifier] as f32;
                    pixels.iter_mut().for_each(|pixel| *pixel /= gain);
                });
                pixels
            }
            Scans::Full => lay_out(frame.pixels, frame.scans.as_deref(), cx.layout, &self.gain),
        };
        let added = rows::total(&pixels);
        let ledger = CrossingLedger { left: Ledger { added: 0.0, lost }, entered: Ledger { added, lost: 0.0 } };
        Ok((Frame::from_pixels(pixels, frame.window), ledger))
    }
}
