//! Backward: pixels that earlier raw frames show to have been full lose what such pixels leave behind.

use super::apply::LEAST_ELECTRON;
use super::model;
use crate::effects::rows;
use ndarray::Array2;
use sim_core::correction::{Correction, CorrectionError, StepStatus};
use sim_core::detector::ReadoutLayout;
use sim_core::flags;
use sim_core::frame::{Frame, Window};
use sim_core::knowledge::{FullBefore, Knowledge, PersistenceKnowledge};
use sim_core::memory;
use sim_core::plane::Light;
use std::sync::Arc;

/// A glow above this part of the read noise is flagged.
const FLAG_SHARE: f64 = 0.25;
/// Variance of what a full pixel leaves behind, in units of its square, where the converter hides how full it was: anything
/// from nothing to all.
const DOUBT: f64 = 1.0 / 12.0;

/// How long after a frame its full pixels still glow, by what calibration knows \[s\].
#[must_use]
pub fn reach_of(law: &PersistenceKnowledge) -> f64 {
    let parts: Vec<(f64, f64)> = law.species.iter().map(|s| (s.electrons.value, s.release_s.value)).collect();
    model::reach_s(&parts, LEAST_ELECTRON)
}

struct SubtractGlow {
    law: Arc<PersistenceKnowledge>,
    before: Arc<Vec<FullBefore>>,
    layout: ReadoutLayout,
    window: Window,
    time_s: f64,
    /// Read noise by amplifier \[electron\].
    read_noise: Vec<f64>,
    hides_full: bool,
}

pub(super) fn make(knowledge: &Knowledge) -> Result<Box<dyn Correction<Light>>, CorrectionError> {
    let unknown = |what| CorrectionError::Unknown { step: "persistence", what };
    let law = knowledge.persistence.clone().ok_or(unknown("law of persistence"))?;
    let noise = knowledge.read_noise.as_ref().ok_or(unknown("read noise for every amplifier"))?;
    Ok(Box::new(SubtractGlow {
        law,
        before: knowledge.full_before.clone().unwrap_or_default(),
        layout: knowledge.layout.clone(),
        window: knowledge.window,
        time_s: knowledge.exposure_time_s,
        read_noise: noise.iter().map(|n| n.value).collect(),
        hides_full: knowledge.full_wells.as_ref().is_none_or(|w| w.amplifiers.iter().any(Option::is_none)),
    }))
}

impl SubtractGlow {
    /// What a full pixel of an earlier frame gives back, and the variance of that \[electron\].
    fn glow(&self, before: &FullBefore) -> (f64, f64) {
        let parts = self.law.species.iter().map(|s| {
            let part = model::released(s.release_s.value, before.since_s, self.time_s);
            (s.electrons.value * part, (s.electrons.error * part).powi(2))
        });
        let (mean, variance) = parts.fold((0.0, 0.0), |(m, v), (mean, variance)| (m + mean, v + variance));
        (mean, variance + if self.hides_full { DOUBT * mean * mean } else { 0.0 })
    }
}

impl Correction<Light> for SubtractGlow {
    fn correct(&self, frame: &mut Frame<Light>) -> Result<StepStatus, CorrectionError> {
        let shape = frame.pixels.dim();
        rows::need_reference("persistence", self.window.shape(), shape)?;
        if self.before.is_empty() {
            let reach = reach_of(&self.law);
            return Ok(StepStatus::Skipped(format!("no exposure of this detector is known that ended within {reach:.0} s before")));
        }
        let columns = shape.1.max(1);
        let noise_of = |y: usize, x: usize| {
            let tile = rows::science_tiles_of_row(&self.layout, y).find(|(_, columns)| columns.contains(&x));
            tile.map_or(0.0, |(tile, _)| self.read_noise[tile.amplifier])
        };
        let mut bits = frame.flags.take().unwrap_or_else(|| memory::zeros(shape));
        // Frames add up in a pixel: flags are set when all are in.
        let mut sums: Option<Array2<f32>> = (self.before.len() > 1).then(|| memory::zeros(shape));
        for before in &self.before[..] {
            let (mean, variance) = self.glow(before);
            for &pixel in &before.pixels {
                let at = (pixel as usize / columns, pixel as usize % columns);
                let Some(value) = frame.pixels.get_mut(at) else { continue };
                *value -= mean as f32;
                if let Some(v) = frame.variance.as_mut() {
                    v[at] += variance as f32;
                }
                let total = match sums.as_mut() {
                    Some(sums) => {
                        sums[at] += mean as f32;
                        f64::from(sums[at])
                    }
                    None => mean,
                };
                if total > FLAG_SHARE * noise_of(at.0, at.1) {
                    bits[at] |= flags::PERSIST;
                }
            }
        }
        frame.flags = Some(bits);
        Ok(StepStatus::Done)
    }
}
