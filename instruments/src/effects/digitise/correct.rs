//! Backward: trims and multiplies by the known gain.

use super::model::{for_amplifiers, trim};
use crate::effects::crossing::CrossingBack;
use crate::effects::rows;
use sim_core::correction::{CorrectionError, StepStatus};
use sim_core::detector::ReadoutLayout;
use sim_core::frame::{Frame, Window};
use sim_core::knowledge::Knowledge;
use sim_core::plane::{Charge, Counts};

struct ToElectrons {
    layout: ReadoutLayout,
    window: Window,
    /// Gain by amplifier number \[electron / adu\].
    gain: Vec<f32>,
}

pub(super) fn make(knowledge: &Knowledge) -> Result<Box<dyn CrossingBack<Charge, Counts>>, CorrectionError> {
    let unknown = CorrectionError::Unknown { step: "digitise", what: "a gain for every amplifier" };
    let gain = knowledge.gain.as_ref().filter(|g| g.len() == knowledge.layout.amplifier_count).ok_or(unknown)?;
    let gain = gain.iter().map(|g| g.value as f32).collect();
    Ok(Box::new(ToElectrons { layout: knowledge.layout.clone(), window: knowledge.window, gain }))
}

impl CrossingBack<Charge, Counts> for ToElectrons {
    fn cross_back(&self, frame: Frame<Counts>) -> Result<(Frame<Charge>, StepStatus), CorrectionError> {
        let raw = (self.layout.rows, self.layout.columns);
        rows::need_reference("digitise", raw, frame.pixels.dim())?;
        let Frame { pixels, variance, flags, .. } = frame;
        for dim in variance.iter().map(|v| v.dim()).chain(flags.iter().map(|f| f.dim())) {
            rows::need_reference("digitise", raw, dim)?;
        }
        let scaled = |array, power| {
            let mut array = trim(array, &self.layout, self.window);
            for_amplifiers(&mut array, &self.layout, |amplifier, pixels| {
                let factor = self.gain[amplifier].powi(power);
                pixels.iter_mut().for_each(|pixel| *pixel *= factor);
            });
            array
        };
        let mut charge = Frame::from_pixels(scaled(pixels, 1), self.window);
        charge.variance = variance.map(|v| scaled(v, 2));
        charge.flags = flags.map(|f| trim(f, &self.layout, self.window));
        Ok((charge, StepStatus::Done))
    }
}
