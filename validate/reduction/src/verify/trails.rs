//! Trails of a raw flat in the overscan against those that the known traps predict.
//!
//! # Formula
//! `a = sum m p / s^2 / sum p^2 / s^2` over the pixels of the trail: m measured, s its error, p the forward model of packets of the flat's level and scatter; `a - 1`.
//! The trail is that of the flat without what a bias frame shows in the same pixels.
//! # Limits
//! The shape is taken for right: traps whose release times are wrong move `a` by the mean of what they change.

use crate::edge_trails::{self, Direction, EdgeTrail};
use crate::set::DetectorCalibration;
use crate::transfer_lines::behind;
use crate::trap_fit::section_paths;
use instruments::effects::cti::direction::{Expected, Path, Work};
use instruments::effects::cti::known_model;
use instruments::effects::cti::schedule::Steps;
use ndarray::Array2;
use sim_core::knowledge::{Measured, TransferTraps, TrapKnowledge};

/// What stands in the overscan along columns and rows of a raw frame.
#[must_use]
pub fn of_frame(raw: &Array2<f32>, calibration: &DetectorCalibration) -> [Option<EdgeTrail>; 2] {
    [Direction::Parallel, Direction::Serial]
        .map(|direction| edge_trails::measure(raw, &calibration.layout, direction, &calibration.gain, &calibration.read_noise))
}

/// Departures of the trails along columns and rows of a raw flat from what the traps predict, `bias` being the trails of a bias frame;
/// `None` where no trail stands out or none can be read.
#[must_use]
pub fn offsets(
    raw: &Array2<f32>,
    bias: Option<&[Option<EdgeTrail>; 2]>,
    calibration: &DetectorCalibration,
    traps: &TrapKnowledge,
) -> [Option<Measured>; 2] {
    let Some(paths) = section_paths(&calibration.layout) else { return [None, None] };
    let flat = of_frame(raw, calibration);
    [(0, &traps.parallel), (1, &traps.serial)].map(|(direction, traps)| {
        let zero = bias.and_then(|b| b[direction].clone());
        scale(&flat[direction].as_ref()?.above(zero.as_slice()), paths[direction], traps)
    })
}

/// The scale of a trail on the model's, minus 1.
fn scale(trail: &EdgeTrail, path: Path, traps: &TransferTraps) -> Option<Measured> {
    let model = known_model(traps)?;
    let path = Path { trailing: trail.trail.len(), ..path };
    let forward = Expected::new(&model, Steps::Exact);
    let level = trail.level_electron.max(0.0);
    let behind = behind(level, trail.scatter_electron, &path, trail.trail.len(), &forward, &mut Work::default());
    let (mut along, mut power) = (0.0, 0.0);
    for (measured, predicted) in trail.trail.iter().zip(behind) {
        let weight = measured.error.powi(-2);
        along += weight * measured.value * predicted;
        power += weight * predicted * predicted;
    }
    let offset = Measured { value: along / power - 1.0, error: power.sqrt().recip() };
    (power > 0.0 && offset.error < 0.2).then_some(offset)
}
