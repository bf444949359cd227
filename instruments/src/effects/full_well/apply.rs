//! Forward: clips.

use super::PARAMETERS;
use crate::description::DetectorSpec;
use crate::effects::parameters::{self, ParameterError};
use crate::effects::rows;
use sim_core::effect::{Context, Effect, EffectError, Rows};
use sim_core::frame::Frame;
use sim_core::ledger::Ledger;
use sim_core::plane::Charge;

struct FullWell {
    capacity: f32,
}

pub(super) fn make(spec: &DetectorSpec) -> Result<Box<dyn Effect<Charge>>, ParameterError> {
    let [capacity] = parameters::read(&spec.parameters, "full_well", &PARAMETERS)?;
    Ok(Box::new(FullWell { capacity: capacity as f32 }))
}

impl Effect<Charge> for FullWell {
    fn apply(&self, frame: &mut Frame<Charge>, cx: &Context<'_>) -> Result<Ledger, EffectError> {
        rows::apply("full_well", self, frame, cx)
    }

    fn rows<'a>(&'a self, cx: &'a Context<'a>) -> Result<Rows<'a>, EffectError> {
        Ok(Rows::each(cx.window.shape(), move |_, row, _| {
            for pixel in row {
                *pixel = if *pixel > self.capacity { self.capacity } else { *pixel };
            }
        }))
    }
}
