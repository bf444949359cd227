//! Before and after: what an effect does to a frame when it is left in, and what is left of it when it is undone.
//!
//! Three reductions with the same references: the frame's own level 1; the frame with this one step left out; its pair, which was simulated
//! without the effect, with the step left out too. The other steps are the same in all three.

use crate::folder::Folder;
use crate::pair::Pair;
use crate::reduce::{calibration_frames, level1_options};
use crate::reduced::{Choices, Manifests};
use crate::scenario::Scenario;
use anyhow::{Context as _, ensure};
use instruments::product::level0::{read_level0, read_level0_info};
use ndarray::Array2;
use reduction::level1::reduce_frame_after;
use reduction::products::weight;
use reduction::{CalibrationSet, Level1Paths, Options};
use std::path::{Path, PathBuf};
use validate::measures::effect::Side;
use validate::product::{L1Frame, read_truth};
use validate::{EffectInputs, EffectMeasures, measure_effect};

/// The pairs that a scenario asks for with `before_and_after`.
///
/// # Errors
/// As [`Pair::new`].
pub fn pairs(scenario: &Scenario) -> anyhow::Result<Vec<Pair>> {
    scenario.before_and_after.iter().map(|effect| Pair::new(scenario, effect)).collect()
}

/// Rate and weight of a raw frame reduced in memory.
fn reduced(level0: &Path, earlier: &[PathBuf], set: &CalibrationSet, options: &Options) -> anyhow::Result<(Array2<f32>, Array2<f32>)> {
    let raw = read_level0(level0)?;
    let calibration = set.of(&raw.info)?;
    let rate = reduce_frame_after(raw, earlier, &calibration, options)?.rate;
    let shape = rate.pixels.dim();
    let (variance, flags) = (rate.variance.unwrap_or_else(|| Array2::zeros(shape)), rate.flags.unwrap_or_else(|| Array2::zeros(shape)));
    let weight = weight(&variance, &flags, false);
    Ok((rate.pixels, weight))
}

/// Measures the effects of `before_and_after` on a reduced frame.
///
/// # Errors
/// When a pair or a product is missing or unreadable.
pub fn measure(
    folder: &Folder,
    level0: &Path,
    label: &str,
    scenario: &Scenario,
    set: &CalibrationSet,
) -> anyhow::Result<Vec<EffectMeasures>> {
    if scenario.before_and_after.is_empty() {
        return Ok(Vec::new());
    }
    let info = read_level0_info(level0)?;
    let paths = Level1Paths::of(&info, &folder.level1());
    let after = L1Frame::read(&paths.image, &paths.weight, &paths.flags)?;
    let objects = read_truth(&folder.truth_of(level0), &after)?;
    let manifests = Manifests::new(folder)?;
    let file = level0.file_name().with_context(|| level0.display().to_string())?;
    let calibration = calibration_frames(folder)?;
    let earlier = [Folder::fits_files(&folder.level0()), calibration.masters, calibration.held_out].concat();
    let one = |effect: &String| {
        let pair = Folder::at(&Pair::folder_of(effect, folder.path())).level0().join(file);
        ensure!(pair.exists(), "{}: no pair; run `skyloop simulate` with `before_and_after` or `--pair {effect}`", pair.display());
        let options = level1_options(&manifests, &Choices { without: vec![effect.clone()], ..Choices::default() });
        let (reference, reference_weight) = reduced(&pair, &earlier, set, &options)?;
        let before = Level1Paths::of(&info, &folder.level1_without(effect));
        let before = L1Frame::read(&before.image, &before.weight, &before.flags)?;
        Ok(measure_effect(&EffectInputs {
            effect,
            frame: label,
            reference: Side { rate: &reference, weight: &reference_weight },
            before: Side { rate: &before.rate, weight: &before.weight },
            after: Side { rate: &after.rate, weight: &after.weight },
            objects: &objects,
        }))
    };
    scenario.before_and_after.iter().map(one).collect()
}
