//! Reducing a folder: masters from its calibration frames, level 1 from its raw frames.

use crate::folder::Folder;
use crate::pair::Pair;
use crate::progress::Progress;
use crate::reduced::{Choices, Manifests};
use anyhow::{Context as _, ensure};
use instruments::product::names::ProductName;
use reduction::explain::ExplainedStep;
use reduction::{CalibrationSet, Finder, Options, calibrate};
use sim_core::fits::Packing;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// What was reduced.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ReductionSummary {
    /// Science frames.
    pub frames: usize,
    /// Sets of masters (detector and window).
    pub sets: usize,
    /// What was done with each frame, by its file name.
    pub explained: Vec<(String, Vec<ExplainedStep>)>,
}

/// Calibration frames of a folder: those that make masters, and one of each kind and detector held out of the masters
/// for the closure test.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct CalibrationFrames {
    /// For the masters.
    pub masters: Vec<PathBuf>,
    /// Held out.
    pub held_out: Vec<PathBuf>,
}

/// Least number of frames of a kind from which one is held out.
const ENOUGH_TO_HOLD_OUT: usize = 4;

/// Types of the exposures that are for charge traps alone.
const FOR_TRAPS: [&str; 2] = ["CINJ", "PUMP"];

/// Splits the calibration frames: the last of each kind, exposure time and detector is held out when there are enough.
///
/// # Errors
/// When a file name is not that of a product.
pub fn calibration_frames(folder: &Folder) -> anyhow::Result<CalibrationFrames> {
    let mut series: BTreeMap<(String, u16, i64), Vec<PathBuf>> = BTreeMap::new();
    for path in Folder::fits_files(&folder.calibration_level0()) {
        let file = path.file_name().map(|n| n.to_string_lossy().into_owned()).unwrap_or_default();
        let name = ProductName::parse(&file)?;
        let seconds = ((name.stop.mjd() - name.start.mjd()) * 86_400.0).round() as i64;
        series.entry((name.kind, name.detector, seconds)).or_default().push(path);
    }
    let mut frames = CalibrationFrames::default();
    for ((kind, ..), mut paths) in series {
        // Injected and pumped charge has no level 1 to close the loop with.
        if paths.len() >= ENOUGH_TO_HOLD_OUT && !FOR_TRAPS.contains(&kind.as_str()) {
            frames.held_out.extend(paths.pop());
        }
        frames.masters.extend(paths);
    }
    Ok(frames)
}

/// Makes the masters of a folder from its calibration frames.
///
/// # Errors
/// When there are no such frames, one is refused, or a master cannot be written.
pub fn masters(folder: &Path, quiet: bool) -> anyhow::Result<CalibrationSet> {
    let folder = Folder::at(folder);
    let frames = calibration_frames(&folder)?;
    let mut manifests = Manifests::new(&folder)?;
    let sky = sky_frames(&folder, &manifests);
    make_masters(&folder, &[frames.masters, sky].concat(), &mut manifests, quiet)
}

/// Exposures of the sky that calibration may look at: all of a scenario with fringes or ghosts, none else.
fn sky_frames(folder: &Folder, manifests: &Manifests<'_>) -> Vec<PathBuf> {
    if manifests.scenario_has("fringing") || manifests.scenario_has("ghosts") { Folder::fits_files(&folder.level0()) } else { Vec::new() }
}

fn make_masters(folder: &Folder, frames: &[PathBuf], manifests: &mut Manifests<'_>, quiet: bool) -> anyhow::Result<CalibrationSet> {
    ensure!(
        !frames.is_empty(),
        "{}: no calibration frames; add a [calibration] table to the scenario or give --masters DIR",
        folder.calibration_level0().display()
    );
    let progress = Progress::new("calibrate", 1, quiet);
    progress.doing(&format!("{} calibration frames", frames.len()));
    let set = calibrate(frames, &folder.masters(), manifests.calibration_options())?;
    manifests.use_masters(&set);
    manifests.write_masters(frames)?;
    progress.done(&format!("masters from {} frames", frames.len()));
    Ok(set)
}

/// What is looked for in science frames: what their scenario has (`has` of an effect's name), cosmic rays also when a finder is given.
pub(crate) fn level1_options(has: impl Fn(&str) -> bool, packing: Packing, choices: &Choices) -> Options {
    let by_scenario = has("cosmic_rays").then(Finder::default);
    Options {
        cosmic_rays: choices.finder.or(by_scenario),
        fill_cosmic_rays: choices.fill,
        trails: has("trails"),
        scattered_light: has("scattered_light"),
        without: choices.without.clone(),
        packing,
        ..Options::default()
    }
}

/// Reduces every raw frame of a folder. With `masters`, takes the masters of that folder (a folder of masters, or an
/// output folder that has them). Cosmic rays are looked for when the folder's scenario switches them on, or a finder is given. The steps
/// named by `without` are left out.
///
/// # Errors
/// When there is nothing to reduce, no calibration, or a frame is refused; finished frames stay.
pub fn reduce(path: &Path, masters: Option<&Path>, choices: &Choices, quiet: bool) -> anyhow::Result<ReductionSummary> {
    let folder = Folder::at(path);
    folder.sweep();
    let raw = Folder::fits_files(&folder.level0());
    let calibration = calibration_frames(&folder)?;
    ensure!(!raw.is_empty() || !calibration.masters.is_empty(), "{}: no level-0 frames to reduce", folder.level0().display());
    let mut manifests = Manifests::new(&folder)?;
    let set = match masters {
        Some(given) => {
            let set = CalibrationSet::open(&Folder::masters_in(given))?;
            manifests.use_masters(&set);
            set
        }
        None => {
            let sky = sky_frames(&folder, &manifests);
            make_masters(&folder, &[calibration.masters.clone(), sky].concat(), &mut manifests, quiet)?
        }
    };
    let options = level1_options(|effect| manifests.scenario_has(effect), manifests.packing(), choices);
    options.check()?;
    manifests.use_choices(choices);
    let closure: &[PathBuf] = if masters.is_some() { &[] } else { &calibration.held_out };
    let progress = Progress::new("reduce", raw.len() + closure.len(), quiet);
    // Frames of one detector after another: its masters are read once.
    let all: Vec<PathBuf> = [raw.as_slice(), &calibration.masters, &calibration.held_out].concat();
    let mut work: Vec<(u16, &PathBuf, PathBuf)> = Vec::new();
    for (paths, out) in [(raw.as_slice(), folder.level1()), (closure, folder.calibration_level1())] {
        for path in paths {
            let file = path.file_name().map(|n| n.to_string_lossy().into_owned()).unwrap_or_default();
            work.push((ProductName::parse(&file)?.detector, path, out.clone()));
        }
    }
    work.sort_by_key(|(detector, ..)| *detector);
    let mut explained = Vec::new();
    for (_, path, out) in &work {
        let file = path.file_name().map(|n| n.to_string_lossy().into_owned()).unwrap_or_default();
        progress.doing(&file);
        let done = reduction::reduce_after(path, &all, &set, &options, out).with_context(|| format!("reducing {file}"))?;
        manifests.write_level1(path, &done.files, &done.earlier)?;
        progress.done(&file);
        explained.push((file, done.steps));
    }
    // Once more without a correction, the pair without the effect too: for the report, so without manifests.
    for step in manifests.before_and_after() {
        let options = Options { without: vec![step.clone()], ..options.clone() };
        let pair = Folder::at(&Pair::folder_of(step, folder.path()));
        let pairs = Folder::fits_files(&pair.level0());
        for (raw, out) in [(&raw, folder.level1_without(step)), (&pairs, pair.level1())] {
            for path in raw {
                reduction::reduce_after(path, &all, &set, &options, &out)
                    .with_context(|| format!("reducing {} without {step}", path.display()))?;
            }
        }
    }
    Ok(ReductionSummary { frames: raw.len(), sets: set.index().keys().len(), explained })
}
