//! Judging a reduced folder: level 2, measures against truth, verdict, report.

use crate::before_after;
use crate::folder::Folder;
use crate::progress::Progress;
use crate::reduce::calibration_frames;
use crate::references;
use crate::scenario::Scenario;
use anyhow::{Context as _, ensure};
use instruments::product::level0::{Level0Info, read_level0_info};
use ndarray::Array2;
use reduction::set::Master;
use reduction::{CalibrationSet, level1_files};
use sim_core::exposure::ExposureKind;
use sim_core::fits::{self, Data, Hdu, Header};
use sim_core::level1::Level1Files;
use std::path::{Path, PathBuf};
use validate::criteria::{Scope, Subjects};
use validate::measures::Before;
use validate::measures::calibration::measure_closure;
use validate::product::Planes;
use validate::{CalibrationMeasures, Criteria, FrameInputs, FrameMeasures, NoiseKnowledge, NoiselessInput, Outcome, Report};

/// The outcome of a judgement.
#[derive(Debug, Clone, PartialEq)]
pub struct Judgement {
    /// Whether every required criterion holds.
    pub passed: bool,
    /// One line per criterion.
    pub summary: String,
    /// The report.
    pub report: PathBuf,
}

/// Measures and judges a folder that was simulated and reduced; writes level 2 and the report.
///
/// # Errors
/// When products or truth are missing or unreadable.
pub fn judge(path: &Path, criteria: Option<&Path>, quiet: bool) -> anyhow::Result<Judgement> {
    let folder = Folder::at(path);
    let raw = Folder::fits_files(&folder.level0());
    ensure!(!raw.is_empty(), "{}: no level-0 frames", folder.level0().display());
    let scenario_path = folder.scenario();
    let scenario = Scenario::read(&scenario_path.display().to_string())?;
    let criteria = match criteria {
        Some(file) => Criteria::read(file)?,
        None => all_criteria(&scenario.criteria)?,
    };
    let set = CalibrationSet::open(&folder.masters()).ok();
    let closure = calibration_frames(&folder)?.held_out;
    let progress = Progress::new("validate", raw.len() + closure.len(), quiet);
    std::fs::create_dir_all(folder.level2()).with_context(|| folder.level2().display().to_string())?;
    let (mut frames, mut effects) = (Vec::new(), Vec::new());
    for level0 in &raw {
        let name = level0.file_name().map(|n| n.to_string_lossy().into_owned()).unwrap_or_default();
        progress.doing(&name);
        frames.push(judge_frame(&folder, level0, &scenario, set.as_ref()).with_context(|| format!("measuring {name}"))?);
        if let Some(frame) = frames.last() {
            effects.extend(before_after::measure(&folder, level0, &frame.label, &scenario)?);
        }
        progress.done(&name);
    }
    let mut calibration = Vec::new();
    for level0 in &closure {
        let info = read_level0_info(level0)?;
        let files = level1_files(&info, &folder.calibration_level1());
        if files.main().exists() {
            calibration.push(judge_closure(&info, &files)?);
        }
        progress.done(&format!("closure {}", info.observation.kind.code()));
    }
    let references = match &set {
        Some(set) if criteria.asks(Scope::Reference) => references::figures(&folder, set)?,
        _ => Vec::new(),
    };
    let subjects = Subjects { frames: &frames, calibration: &calibration, effects: &effects, references: &references };
    let verdict = validate::judge(&subjects, &criteria);
    let provenance = provenance(&folder, &scenario)?;
    let report = validate::write_report(
        &folder.report(),
        &Report { title: &format!("{}: {}", scenario.name, scenario.description), subjects, verdict: &verdict, provenance: &provenance },
    )?;
    let mut summary = format!(
        "{:?}: {} criteria hold, {} do not, {} not measured",
        verdict.outcome, verdict.passed, verdict.failed, verdict.not_measured
    );
    // Medians are what such a scenario is for: they need no report to be read.
    for line in verdict.lines.iter().filter(|l| l.criterion.scope == Scope::Median) {
        if let Some(m) = &line.measure {
            summary.push_str(&format!(
                "\n{}, {}: {:.4} \u{b1} {:.4}",
                line.criterion.measure,
                line.subject,
                m.value,
                m.error.unwrap_or(f64::NAN)
            ));
        }
    }
    Ok(Judgement { passed: verdict.outcome == Outcome::Pass, summary, report })
}

/// The criteria of a scenario: built-in sets and files, one list.
fn all_criteria(names: &[String]) -> anyhow::Result<Criteria> {
    let mut all = Criteria { criteria: Vec::new() };
    for name in names {
        let set = match name.as_str() {
            "loop" => Criteria::built_in(),
            "depth" => Criteria::from_toml(include_str!("../data/depth_criteria.toml"), "depth")?,
            "cosmic_rays" => Criteria::from_toml(include_str!("../data/cosmic_ray_criteria.toml"), "cosmic_rays")?,
            "slitless" => Criteria::from_toml(include_str!("../data/slitless_criteria.toml"), "slitless")?,
            "cosmic_ray_medians" => Criteria::from_toml(include_str!("../data/cosmic_ray_median_criteria.toml"), "cosmic_ray_medians")?,
            "detector" => Criteria::from_toml(include_str!("../data/detector_criteria.toml"), "detector")?,
            "references" => references::criteria()?,
            "cti" => Criteria::from_toml(include_str!("../data/cti_criteria.toml"), "cti")?,
            "fringes" => Criteria::from_toml(include_str!("../data/fringe_criteria.toml"), "fringes")?,
            "traps" => Criteria::from_toml(include_str!("../data/traps_criteria.toml"), "traps")?,
            "smoke" => Criteria::from_toml(include_str!("../data/smoke_criteria.toml"), "smoke")?,
            path => Criteria::read(Path::new(path))?,
        };
        all.criteria.extend(set.criteria);
    }
    ensure!(!all.criteria.is_empty(), "criteria = []: give at least one of `loop`, `depth` or a file");
    Ok(all)
}

/// Level 2 and measures of one frame.
fn judge_frame(folder: &Folder, level0: &Path, scenario: &Scenario, set: Option<&CalibrationSet>) -> anyhow::Result<FrameMeasures> {
    let info = read_level0_info(level0)?;
    let files = level1_files(&info, &folder.level1());
    ensure!(files.main().exists(), "{}: not reduced yet; run `skyloop reduce {}`", files.main().display(), folder.path().display());
    let truth_path = folder.truth_of(level0);
    let ledger_path = folder.ledger_of(level0);
    let noise = match set {
        Some(set) => Some(noise_of(set, &info, scenario)?),
        None => None,
    };
    let without = level1_files(&info, &folder.level1_without("cti"));
    let before = without.main().exists().then_some(Before { files: without, rows: info.geometry.ny });
    let of_many = if scenario.exposure.len() > 1 { format!(", exposure {}", info.name.obsid) } else { String::new() };
    let inputs = FrameInputs {
        label: format!("{}, chip {}{of_many}", info.geometry.filter, info.geometry.number),
        files,
        truth: truth_path.clone(),
        noiseless: scenario.truth.noiseless.then(|| NoiselessInput { path: truth_path.clone(), includes_sky: false }),
        ledger: ledger_path.exists().then_some(ledger_path),
        noise,
        zero_point: None,
        depth_exposures: None,
        before,
    };
    let (measures, catalogue) = validate::measures::measure_with_catalogue(&inputs)?;
    let Some(catalogue) = catalogue else { return Ok(measures) };
    let mut header = Header::default();
    header.set("IMGFILE", inputs.files.main().file_name().map(|n| n.to_string_lossy().into_owned()).unwrap_or_default(), "measured image");
    fits::write(&folder.catalogue_of(level0), &[Hdu::primary(header), Hdu::new("CATALOGUE", Header::default(), Data::Table(catalogue))])?;
    Ok(measures)
}

/// Noise of a detector as its calibration measured it.
fn noise_of(set: &CalibrationSet, info: &Level0Info, scenario: &Scenario) -> anyhow::Result<NoiseKnowledge> {
    let calibration = set.of(info)?;
    let used: Vec<usize> = info.layout.tiles.iter().map(|t| t.amplifier).collect();
    let mean = |values: &[sim_core::knowledge::Measured]| used.iter().map(|&a| values[a].value).sum::<f64>() / used.len().max(1) as f64;
    let dark = calibration.reference(Master::Dark)?.map_or(0.0, |d| median(&d.image));
    let (bias_frames, dark_frames, dark_frame_s) =
        scenario.calibration.as_ref().map_or((0, 0, 1.0), |c| (c.bias.saturating_sub(1), c.dark.saturating_sub(1), c.dark_time_s));
    Ok(NoiseKnowledge {
        read_noise_electron: mean(&calibration.read_noise),
        dark_electron_s: dark,
        gain_electron_per_adu: mean(&calibration.gain),
        bias_frames,
        dark_frames,
        dark_frame_s,
    })
}

fn median(image: &Array2<f32>) -> f64 {
    let mut values: Vec<f32> = image.iter().copied().filter(|v| v.is_finite()).collect();
    sim_core::median::median(&mut values).map_or(0.0, f64::from)
}

/// Closure of a held-out calibration frame: what the chain leaves of it, in units of its own errors.
fn judge_closure(info: &Level0Info, files: &Level1Files) -> anyhow::Result<CalibrationMeasures> {
    let Planes { rate: mut residual, weight, .. } = Planes::read(files)?;
    let kind = match info.observation.kind {
        ExposureKind::Bias => "bias",
        ExposureKind::Dark => "dark",
        _ => "flat",
    };
    if kind == "flat" {
        // The lamp is uniform: what is left of a reduced flat is its difference from one level.
        let level = median(&residual) as f32;
        residual.mapv_inplace(|v| v - level);
    }
    let variance = weight.mapv(|w| if w > 0.0 { 1.0 / w } else { 0.0 });
    let label = format!("{kind} {} s, {}, chip {}", info.observation.time_s, info.geometry.filter, info.geometry.number);
    Ok(measure_closure(&label, kind, &residual, &variance, None))
}

fn provenance(folder: &Folder, scenario: &Scenario) -> anyhow::Result<Vec<(String, String)>> {
    let text = std::fs::read(folder.scenario()).with_context(|| folder.scenario().display().to_string())?;
    let mut lines = vec![
        ("skyloop".to_string(), env!("CARGO_PKG_VERSION").to_string()),
        ("physics version".into(), sim_core::manifest::PHYSICS.to_string()),
        ("instrument".into(), scenario.instrument.clone()),
        ("throughput".into(), format!("{:?}", scenario.throughput).to_lowercase()),
        ("seed".into(), scenario.seed.to_string()),
        ("scenario SHA-256".into(), sim_core::manifest::sha256(&text)),
    ];
    for level0 in Folder::fits_files(&folder.level0()) {
        let name = level0.file_name().map(|n| n.to_string_lossy().into_owned()).unwrap_or_default();
        lines.push((name, sim_core::manifest::sha256_file(&level0)?));
    }
    Ok(lines)
}
