//! Flat lamp: uniform light of the internal lamp, in flat exposures only.
//!
//! # Effect
//! The lamp lights every pixel alike, before any response of the detector.
//! # Formula
//! n += r t
//! # Symbols
//! n expected electrons \[electron\]; r lamp rate, `rate_electron_s` of the flat exposure \[electron / s\]; t exposure time \[s\]
//! # Source
//! Definition of a flat exposure. The rate is the scenario's.
//! # Limits
//! Perfectly uniform and steady: what the lamp itself lacks in evenness would go into the master flat unseen.
//! # Twin
//! None: the lamp's light is the signal that a flat measures.

use super::parameters::{self, Parameter, ParameterError};
use super::registry::{Entry, Need, Twin};
use super::rows;
use crate::description::DetectorSpec;
use sim_core::effect::{Context, Effect, EffectError, Rows};
use sim_core::exposure::ExposureKind;
use sim_core::frame::Frame;
use sim_core::ledger::Ledger;
use sim_core::plane::Light;

static PARAMETERS: [Parameter; 0] = [];

/// Registry entry.
pub const ENTRY: Entry<Light> = Entry {
    name: "lamp",
    needs: &[Need::Time],
    after: &["sky"],
    parameters: &PARAMETERS,
    forward: make,
    twin: Twin::None("the lamp's light is the signal that a flat measures"),
    page: include_str!("lamp.rs"),
};

struct Lamp;

fn make(spec: &DetectorSpec) -> Result<Box<dyn Effect<Light>>, ParameterError> {
    let [] = parameters::read(&spec.parameters, "lamp", &PARAMETERS)?;
    Ok(Box::new(Lamp))
}

impl Effect<Light> for Lamp {
    fn apply(&self, frame: &mut Frame<Light>, cx: &Context<'_>) -> Result<Ledger, EffectError> {
        rows::apply("lamp", self, frame, cx)
    }

    fn rows<'a>(&'a self, cx: &'a Context<'a>) -> Result<Rows<'a>, EffectError> {
        let ExposureKind::Flat { rate_electron_s: rate } = cx.exposure.kind else {
            return Ok(Rows::Idle);
        };
        if !(0.0..=1e7).contains(&rate) {
            let (key, unit, range) = ("rate_electron_s", "electron/s", "0..1e7");
            return Err(EffectError::OutOfRange { effect: "lamp", key, value: rate, unit, range });
        }
        let light = (rate * cx.exposure.time_s) as f32;
        Ok(Rows::each(cx.window.shape(), move |_, row, _| row.iter_mut().for_each(|pixel| *pixel += light)))
    }
}
