//! Forward: rounds and clips.

use super::PARAMETERS;
use super::model::convert;
use crate::description::DetectorSpec;
use crate::effects::parameters::{self, Parameter, ParameterError};
use crate::effects::rows;
use sim_core::effect::{Context, Effect, EffectError, Rows};
use sim_core::frame::Frame;
use sim_core::ledger::Ledger;
use sim_core::plane::Counts;

struct Adc {
    ceiling: f32,
}

pub(super) fn make(spec: &DetectorSpec) -> Result<Box<dyn Effect<Counts>>, ParameterError> {
    let [bits] = parameters::read(&spec.parameters, "adc", &PARAMETERS)?;
    if bits.fract() != 0.0 {
        let Parameter { key, unit, low, high, .. } = PARAMETERS[0];
        return Err(ParameterError::Range { effect: "adc", key, value: bits, unit, low, high });
    }
    Ok(Box::new(Adc { ceiling: (2.0_f64.powf(bits) - 1.0) as f32 }))
}

impl Effect<Counts> for Adc {
    fn apply(&self, frame: &mut Frame<Counts>, cx: &Context<'_>) -> Result<Ledger, EffectError> {
        rows::apply("adc", self, frame, cx)
    }

    fn rows<'a>(&'a self, cx: &'a Context<'a>) -> Result<Rows<'a>, EffectError> {
        Ok(Rows::each((cx.layout.rows, cx.layout.columns), move |_, row, _| convert(row, self.ceiling)))
    }
}
