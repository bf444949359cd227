//! Backward: the error model's constant term.

use crate::effects::rows::{self, tiles_of_row};
use sim_core::correction::{Correction, CorrectionError, StepStatus};
use sim_core::detector::ReadoutLayout;
use sim_core::frame::Frame;
use sim_core::knowledge::Knowledge;
use sim_core::plane::Counts;

struct ReadVariance {
    layout: ReadoutLayout,
    /// Variance by amplifier number \[adu^2\].
    variance: Vec<f32>,
}

pub(super) fn make(knowledge: &Knowledge) -> Result<Box<dyn Correction<Counts>>, CorrectionError> {
    let (step, count) = ("read_noise", knowledge.layout.amplifier_count);
    let unknown = |what| CorrectionError::Unknown { step, what };
    let noise = knowledge.read_noise.as_ref().filter(|n| n.len() == count).ok_or(unknown("a read noise for every amplifier"))?;
    let gain = knowledge.gain.as_ref().filter(|g| g.len() == count).ok_or(unknown("a gain for every amplifier"))?;
    let variance = noise.iter().zip(gain).map(|(n, g)| (n.value / g.value).powi(2) as f32).collect();
    Ok(Box::new(ReadVariance { layout: knowledge.layout.clone(), variance }))
}

impl Correction<Counts> for ReadVariance {
    fn correct(&self, frame: &mut Frame<Counts>) -> Result<StepStatus, CorrectionError> {
        let layout = &self.layout;
        rows::need_reference("read_noise", (layout.rows, layout.columns), frame.pixels.dim())?;
        rows::reduce_variance(frame, |y, _, variance| {
            for (_, tile) in tiles_of_row(layout, y) {
                let add = self.variance[tile.amplifier];
                variance[tile.raw.x0..tile.raw.x0 + tile.raw.nx].iter_mut().for_each(|v| *v += add);
            }
        });
        Ok(StepStatus::Done)
    }
}
