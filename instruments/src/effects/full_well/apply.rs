//! Forward: clips.

use super::model::Capacity;
use crate::description::DetectorSpec;
use crate::effects::parameters::ParameterError;
use crate::effects::rows;
use sim_core::effect::{Context, Effect, EffectError, Rows};
use sim_core::frame::Frame;
use sim_core::ledger::Ledger;
use sim_core::plane::Charge;

struct FullWell {
    capacity: Capacity,
}

pub(super) fn make(spec: &DetectorSpec) -> Result<Box<dyn Effect<Charge>>, ParameterError> {
    Ok(Box::new(FullWell { capacity: Capacity::read(spec)? }))
}

impl Effect<Charge> for FullWell {
    fn apply(&self, frame: &mut Frame<Charge>, cx: &Context<'_>) -> Result<Ledger, EffectError> {
        rows::apply("full_well", self, frame, cx)
    }

    fn rows<'a>(&'a self, cx: &'a Context<'a>) -> Result<Rows<'a>, EffectError> {
        let (lowest, window) = (self.capacity.lowest(), cx.window);
        Ok(Rows::each(window.shape(), move |y, row, scratch| {
            // Few rows hold a pixel so bright that its capacity must be known.
            if row.iter().any(|&n| n > lowest) {
                let capacities = &mut scratch[..row.len()];
                self.capacity.row(window.x0, window.y0 + y, capacities);
                for (pixel, &capacity) in row.iter_mut().zip(&*capacities) {
                    *pixel = if *pixel > capacity { capacity } else { *pixel };
                }
            }
        }))
    }
}
