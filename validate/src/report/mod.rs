//! The report: one self-contained HTML page and a JSON file with every number.

pub mod charts;
mod figures;
mod tables;

use crate::criteria::{Subjects, Verdict};
use crate::error::ValidateError;
use crate::measures::FrameMeasures;
use crate::measures::calibration::CalibrationMeasures;
use minijinja::{AutoEscape, Environment, Value, context};
use serde::Serialize;
use std::path::{Path, PathBuf};

/// What goes into a report.
#[derive(Debug, Clone, Copy, Serialize)]
pub struct Report<'a> {
    /// Heading.
    pub title: &'a str,
    /// What was measured.
    #[serde(flatten)]
    pub subjects: Subjects<'a>,
    /// The verdict.
    pub verdict: &'a Verdict,
    /// Provenance in the order shown: seed, versions, scenario, hashes ... (name, value; long values fold).
    pub provenance: &'a [(String, String)],
}

/// Names of the files written.
pub const PAGE: &str = "report.html";
/// The look of report pages.
pub const STYLE: &str = include_str!("style.css");
/// The numbers.
pub const NUMBERS: &str = "report.json";

fn write(path: &Path, bytes: &[u8]) -> Result<(), ValidateError> {
    let io = |source| ValidateError::Io { path: path.display().to_string(), source };
    let part = path.with_extension("part");
    std::fs::write(&part, bytes).map_err(io)?;
    std::fs::rename(&part, path).map_err(io)
}

/// Writes `report.html` and `report.json` into `out_dir` (made when absent) and returns the page's path.
///
/// # Errors
/// When the folder cannot be written or a figure cannot be drawn.
pub fn write_report(out_dir: &Path, report: &Report<'_>) -> Result<PathBuf, ValidateError> {
    std::fs::create_dir_all(out_dir).map_err(|source| ValidateError::Io { path: out_dir.display().to_string(), source })?;
    let page = page(report)?;
    // The JSON carries the numbers; pictures are in the page.
    let mut frames = report.subjects.frames.to_vec();
    frames.iter_mut().for_each(|f| f.pictures.clear());
    let mut calibration = report.subjects.calibration.to_vec();
    calibration.iter_mut().for_each(|c| c.pictures.clear());
    let numbers = serde_json::to_vec_pretty(&Report {
        subjects: Subjects { frames: &frames, calibration: &calibration, ..report.subjects },
        ..*report
    })
    .map_err(ValidateError::report)?;
    write(&out_dir.join(NUMBERS), &numbers)?;
    let path = out_dir.join(PAGE);
    write(&path, page.as_bytes())?;
    Ok(path)
}

/// The HTML page.
fn page(report: &Report<'_>) -> Result<String, ValidateError> {
    let mut environment = Environment::new();
    environment.set_auto_escape_callback(|_| AutoEscape::Html);
    environment.add_template("page", include_str!("page.html")).map_err(ValidateError::report)?;
    environment.add_template("style", STYLE).map_err(ValidateError::report)?;
    let frames = report.subjects.frames.iter().map(frame).collect::<Result<Vec<_>, _>>()?;
    let calibration = report.subjects.calibration.iter().map(calibration_section).collect::<Result<Vec<_>, _>>()?;
    let template = environment.get_template("page").map_err(ValidateError::report)?;
    template
        .render(context! {
            style => Value::from_safe_string(STYLE.into()),
            title => report.title,
            verdict => report.verdict,
            groups => tables::verdict_groups(report.verdict),
            overview => tables::overview(report.subjects.frames),
            frames => frames,
            calibration => calibration,
            effects => tables::effects(report.subjects.effects),
            references => tables::references(report.subjects.references),
            provenance => report.provenance,
        })
        .map_err(ValidateError::report)
}

fn safe(svg: String) -> Value {
    Value::from_safe_string(svg)
}

fn frame(f: &FrameMeasures) -> Result<Value, ValidateError> {
    Ok(context! {
        label => f.label,
        id => f.label.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '-' }).collect::<String>(),
        facts => tables::facts(f),
        notes => f.notes,
        pictures => f.pictures,
        figures => figures::of_frame(f)?.into_iter().map(|(title, svg, caption)| context! { title, svg => safe(svg), caption }).collect::<Vec<_>>(),
        noise => tables::noise(f),
        ledger => tables::ledger(f),
        cosmic_rays => tables::cosmic_rays(f),
        depth => f.depth,
    })
}

fn calibration_section(c: &CalibrationMeasures) -> Result<Value, ValidateError> {
    Ok(context! {
        label => c.label,
        kind => c.kind,
        rows => tables::measures(&c.values),
        figure => safe(figures::histogram(&c.histogram)?),
        pictures => c.pictures,
    })
}
