//! Forward: the Poisson draw.

use super::PARAMETERS;
use crate::description::DetectorSpec;
use crate::effects::crossing::{Crossing, CrossingLedger};
use crate::effects::parameters::{self, ParameterError};
use crate::effects::rows;
use sim_core::effect::{Context, EffectError};
use sim_core::frame::Frame;
use sim_core::noise;
use sim_core::plane::{Charge, Light};

struct Detect;

pub(super) fn make(spec: &DetectorSpec) -> Result<Box<dyn Crossing<Light, Charge>>, ParameterError> {
    let [] = parameters::read(&spec.parameters, "detect", &PARAMETERS)?;
    Ok(Box::new(Detect))
}

impl Crossing<Light, Charge> for Detect {
    fn cross(&self, mut frame: Frame<Light>, cx: &Context<'_>) -> Result<(Frame<Charge>, CrossingLedger), EffectError> {
        rows::need_shape("detect", &frame, cx.window.shape())?;
        let window = cx.window;
        // What chance gave and took, booked on the plane that is left; electrons go on as electrons.
        let left = rows::change(&mut frame, |y, row, _| {
            noise::poisson(&cx.stream((window.y0 + y) as u64), window.x0 as u64, row);
        });
        Ok((frame.cross(), CrossingLedger { left, ..CrossingLedger::default() }))
    }
}
