//! Whether the references of a folder hold: calibration exposures they were not made of, looked at with them.

use crate::folder::Folder;
use crate::reduce::calibration_frames;
use anyhow::ensure;
use reduction::CalibrationSet;
use reduction::verify::verify;
use std::path::Path;
use validate::{Criteria, Outcome, ReferenceMeasures, Verdict};

/// What the figures of references must be.
///
/// # Errors
/// Never for the embedded file (tested).
pub fn criteria() -> anyhow::Result<Criteria> {
    Ok(Criteria::from_toml(include_str!("../data/reference_criteria.toml"), "references")?)
}

/// The figures that the held-out calibration exposures of a folder give for the references of a set.
///
/// # Errors
/// When an exposure cannot be read or reduced.
pub fn figures(folder: &Folder, set: &CalibrationSet) -> anyhow::Result<Vec<ReferenceMeasures>> {
    let checks = verify(&calibration_frames(folder)?.held_out, set)?;
    let measures = |c: reduction::verify::Check| {
        ReferenceMeasures::new(c.figure, c.meaning, &c.reference, &c.subject, (c.offset.value, c.offset.error))
    };
    Ok(checks.into_iter().map(measures).collect())
}

/// Judges the references of a folder, or those of `masters`, on the folder's held-out calibration exposures.
///
/// # Errors
/// When there are no references or no such exposures, or one cannot be reduced.
pub fn judge(path: &Path, masters: Option<&Path>) -> anyhow::Result<(Vec<ReferenceMeasures>, Verdict)> {
    let folder = Folder::at(path);
    let set = CalibrationSet::open(&masters.map_or_else(|| folder.masters(), Folder::masters_in))?;
    let figures = figures(&folder, &set)?;
    ensure!(
        !figures.is_empty(),
        "{}: no calibration exposure was held out of the masters (four of a kind are needed), so nothing can be said about references",
        folder.calibration_level0().display()
    );
    let verdict = validate::judge(&validate::Subjects { references: &figures, ..Default::default() }, &criteria()?);
    Ok((figures, verdict))
}

/// The verdict on references as lines of text.
#[must_use]
pub fn text(verdict: &Verdict) -> String {
    let line = |l: &validate::criteria::VerdictLine| {
        let word = match l.outcome {
            Outcome::Pass => "holds",
            Outcome::Fail => "WRONG",
            Outcome::NotMeasured => "not measured",
        };
        let figure = l.criterion.figure.as_deref().unwrap_or("");
        match &l.measure {
            Some(m) => format!("{word:12} {figure:15} {:+.5} +- {:.5}  {}", m.value, m.error.unwrap_or(0.0), l.subject),
            None => format!("{word:12} {figure:15} {}", l.subject),
        }
    };
    verdict.lines.iter().map(line).collect::<Vec<_>>().join("\n")
}
