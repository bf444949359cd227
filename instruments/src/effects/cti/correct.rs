//! Backward: the forward model with known traps, iterated.

use super::direction::{Expected, Undo};
use super::fill::Well;
use super::frame::{self, Directions};
use super::quiet;
use super::schedule::Steps;
use super::traps::{SPECIES, Species, TrapModel};
use crate::effects::rows;
use sim_core::correction::{Correction, CorrectionError, StepStatus};
use sim_core::detector::ReadoutLayout;
use sim_core::frame::{Frame, Window};
use sim_core::knowledge::{Knowledge, TransferTraps};
use sim_core::plane::Charge;

struct Restore {
    layout: ReadoutLayout,
    window: Window,
    parallel: Undo,
    serial: Undo,
}

/// The kernel's model of what calibration knows; `None` when such traps are impossible.
#[must_use]
pub fn known_model(traps: &TransferTraps) -> Option<TrapModel> {
    let well = Well { exponent: traps.exponent, full_well: traps.full_well_electron, notch: traps.notch_electron };
    let species: Vec<Species> = traps
        .species
        .iter()
        .map(|s| Species { density: s.density.value, release: s.release.value, depth: s.depth, capture: s.capture })
        .collect();
    let species_stand = species.len() <= SPECIES
        && species.iter().all(|s| {
            s.density >= 0.0
                && s.density.is_finite()
                && s.release > 0.0
                && (0.0..1.0).contains(&s.depth)
                && s.capture >= 0.0
                && s.capture.is_finite()
        });
    let well_stands = well.exponent > 0.0 && well.exponent <= 1.0 && well.notch >= 0.0 && well.full_well > well.notch;
    (species_stand && well_stands && well.full_well.is_finite()).then_some(TrapModel { species, well })
}

pub(super) fn make(knowledge: &Knowledge) -> Result<Box<dyn Correction<Charge>>, CorrectionError> {
    let unknown = |what| CorrectionError::Unknown { step: "cti", what };
    let traps = knowledge.traps.as_ref().ok_or(unknown("charge traps at the date of the frame"))?;
    let steps = Steps::at_most(traps.blocks);
    let possible = unknown(
        "possible traps (at most 4 species, densities >= 0, release times > 0, capture times >= 0, 0 < exponent <= 1, notch below the full well)",
    );
    let [Some(parallel), Some(serial)] = [&traps.parallel, &traps.serial].map(known_model) else { return Err(possible) };
    let undo = |model: &TrapModel| Undo { forward: Expected::new(model, steps), iterations: traps.iterations };
    Ok(Box::new(Restore { layout: knowledge.layout.clone(), window: knowledge.window, parallel: undo(&parallel), serial: undo(&serial) }))
}

impl Correction<Charge> for Restore {
    fn correct(&self, frame: &mut Frame<Charge>) -> Result<StepStatus, CorrectionError> {
        rows::need_reference("cti", self.window.shape(), frame.pixels.dim())?;
        let directions = Directions { parallel: &self.parallel, serial: &self.serial };
        match &mut frame.variance {
            None => frame::backward(&mut frame.pixels, None, &self.layout, self.window, &directions),
            Some(variance) => {
                rows::need_reference("cti", self.window.shape(), variance.dim())?;
                let estimate = quiet::estimate(&frame.pixels, variance);
                frame.pixels -= &estimate;
                let mut restored = estimate;
                frame::backward(&mut restored, Some(variance), &self.layout, self.window, &directions);
                frame.pixels += &restored;
            }
        }
        Ok(StepStatus::Done)
    }
}
