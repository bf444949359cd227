//! Forward: clips.

use super::PARAMETERS;
use crate::description::DetectorSpec;
use crate::effects::parameters::{self, ParameterError};
use crate::effects::rows;
use sim_core::effect::{Context, Effect, EffectError};
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
    fn apply(&self, frame: &mut Frame<Charge>, _: &Context<'_>) -> Result<Ledger, EffectError> {
        Ok(rows::change(frame, |_, row, _| {
            for pixel in row {
                *pixel = if *pixel > self.capacity { self.capacity } else { *pixel };
            }
        }))
    }
}
