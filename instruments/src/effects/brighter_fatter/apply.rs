//! Forward: moves charge across boundaries as it arrives.

use super::model::Kernel;
use super::parameters::Settings;
use super::tiles::{self, Flow};
use crate::description::DetectorSpec;
use crate::effects::parameters::ParameterError;
use crate::effects::rows;
use sim_core::effect::{Context, Effect, EffectError};
use sim_core::frame::Frame;
use sim_core::ledger::Ledger;
use sim_core::noise;
use sim_core::plane::Charge;

/// Terms of the series.
const TERMS: usize = 3;

struct MovingBoundaries {
    settings: Settings,
    kernel: Kernel,
}

pub(super) fn make(spec: &DetectorSpec) -> Result<Box<dyn Effect<Charge>>, ParameterError> {
    let settings = Settings::read(spec)?;
    Ok(Box::new(MovingBoundaries { kernel: Kernel::new(&settings.shifts), settings }))
}

impl Effect<Charge> for MovingBoundaries {
    fn apply(&self, frame: &mut Frame<Charge>, cx: &Context<'_>) -> Result<Ledger, EffectError> {
        rows::need_shape("brighter_fatter", frame, cx.window.shape())?;
        if self.settings.shifts.area(0, 0) == 0.0 {
            return Ok(Ledger::default());
        }
        let window = cx.window;
        let draw = |y: usize, x: usize, out: &mut [f32]| noise::normals(&cx.stream((window.y0 + y) as u64), (window.x0 + x) as u64, out);
        let flow = Flow::new(&self.kernel, self.settings.capacity_electron as f32);
        Ok(tiles::forward(&mut frame.pixels, &flow, TERMS, if self.settings.draw_arrivals { Some(&draw) } else { None }))
    }
}
