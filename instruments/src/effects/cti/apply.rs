//! Forward: transfers the charge of a frame.

use super::direction::Expected;
use super::frame::{self, Directions};
use super::monte_carlo::Drawn;
use super::parameters::Settings;
use crate::description::DetectorSpec;
use crate::effects::parameters::ParameterError;
use crate::effects::rows;
use sim_core::detector::Scans;
use sim_core::effect::{Context, Effect, EffectError};
use sim_core::frame::Frame;
use sim_core::ledger::Ledger;
use sim_core::plane::Charge;

struct Inefficiency {
    settings: Settings,
}

pub(super) fn make(spec: &DetectorSpec) -> Result<Box<dyn Effect<Charge>>, ParameterError> {
    Ok(Box::new(Inefficiency { settings: Settings::read(spec)? }))
}

impl Effect<Charge> for Inefficiency {
    fn apply(&self, frame: &mut Frame<Charge>, cx: &Context<'_>) -> Result<Ledger, EffectError> {
        rows::need_shape("cti", frame, cx.window.shape())?;
        let [parallel, serial] = self.settings.at(cx.exposure.start_mjd);
        let (ledger, scans) = if self.settings.draw_traps {
            let [parallel, serial] = [Drawn::new(&parallel, cx, "parallel"), Drawn::new(&serial, cx, "serial")];
            let directions = Directions { parallel: &parallel, serial: &serial };
            frame::forward(&mut frame.pixels, cx.layout, cx.window, &directions)
        } else {
            let [parallel, serial] = [parallel, serial].map(|model| Expected::new(&model, self.settings.steps));
            let directions = Directions { parallel: &parallel, serial: &serial };
            frame::forward(&mut frame.pixels, cx.layout, cx.window, &directions)
        };
        frame.scans = (cx.layout.scans == Scans::Full).then_some(scans);
        Ok(ledger)
    }
}
