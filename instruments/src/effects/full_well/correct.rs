//! Backward: flags.

use crate::effects::rows;
use sim_core::correction::{Correction, CorrectionError, StepStatus};
use sim_core::detector::ReadoutLayout;
use sim_core::flags;
use sim_core::frame::{Frame, Window};
use sim_core::knowledge::Knowledge;
use sim_core::plane::Charge;

/// How far below a measured full well flags begin: what linearity and charge transfer leave.
pub const MARGIN: f64 = 0.003;
/// And so many standard deviations of full pixels.
const SIGMAS: f64 = 5.0;

/// Level from which a pixel counts as full, by amplifier number \[electron\]: of the measured full well where there is one, else
/// the level that calibration was given. `None` when neither is known.
#[must_use]
pub fn flag_levels(knowledge: &Knowledge) -> Option<Vec<f32>> {
    let count = knowledge.layout.amplifier_count;
    let wells = knowledge.full_wells.as_ref().filter(|w| w.amplifiers.len() == count);
    if wells.is_none() && knowledge.saturation_electron.is_none() {
        return None;
    }
    let given = knowledge.saturation_electron.unwrap_or(f64::INFINITY);
    let level = |amplifier: usize| {
        let measured = wells.and_then(|w| w.amplifiers[amplifier]);
        measured.map_or(given, |w| (1.0 - MARGIN) * w.capacity.value - SIGMAS * w.scatter_electron.hypot(w.capacity.error))
    };
    Some((0..count).map(|amplifier| level(amplifier) as f32).collect())
}

struct FlagSaturated {
    layout: ReadoutLayout,
    window: Window,
    levels: Vec<f32>,
}

pub(super) fn make(knowledge: &Knowledge) -> Result<Box<dyn Correction<Charge>>, CorrectionError> {
    let levels = flag_levels(knowledge).ok_or(CorrectionError::Unknown { step: "full_well", what: "a saturation level" })?;
    Ok(Box::new(FlagSaturated { layout: knowledge.layout.clone(), window: knowledge.window, levels }))
}

impl Correction<Charge> for FlagSaturated {
    fn correct(&self, frame: &mut Frame<Charge>) -> Result<StepStatus, CorrectionError> {
        rows::need_reference("full_well", self.window.shape(), frame.pixels.dim())?;
        rows::reduce_flags(frame, |y, pixels, bits| {
            for (tile, columns) in rows::science_tiles_of_row(&self.layout, y) {
                let level = self.levels[tile.amplifier];
                for (pixel, bits) in pixels[columns.clone()].iter().zip(&mut bits[columns]) {
                    *bits |= if *pixel >= level { flags::SATURATED } else { 0 };
                }
            }
        });
        Ok(StepStatus::Done)
    }
}
