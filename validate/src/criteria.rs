//! Criteria are data: measure, scope, range, source. The verdict says pass, fail or not measured for each.

use crate::error::ValidateError;
use crate::measures::calibration::CalibrationMeasures;
use crate::measures::effect::EffectMeasures;
use crate::measures::reference::ReferenceMeasures;
use crate::measures::{FrameMeasures, MEASURES, Measure, Measures};
use crate::statistics::median64;
use serde::{Deserialize, Serialize};
use std::path::Path;

/// To what a criterion is applied.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Scope {
    /// Each frame.
    Frame,
    /// The weighted mean over all frames.
    Pooled,
    /// The median over all frames.
    Median,
    /// Each reduced calibration frame.
    Calibration,
    /// Each effect of each frame whose before and after were measured.
    Effect,
    /// Each figure of each reference.
    Reference,
}

/// One criterion.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Criterion {
    /// Name of the measure.
    pub measure: String,
    /// Scope.
    pub scope: Scope,
    /// Only frames of this band.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub filter: Option<String>,
    /// Only calibration frames of this kind.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kind: Option<String>,
    /// Only this effect.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub effect: Option<String>,
    /// Only this figure of references.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub figure: Option<String>,
    /// Smallest value allowed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub min: Option<f64>,
    /// Largest value allowed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max: Option<f64>,
    /// Standard errors by which a value may lie outside and still pass.
    #[serde(default)]
    pub allow_sigma: f64,
    /// Whether not being measured is a failure.
    #[serde(default)]
    pub required: bool,
    /// Where the requirement comes from.
    pub source: String,
}

/// A list of criteria.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Criteria {
    /// The criteria, in the order of the report.
    #[serde(rename = "criterion")]
    pub criteria: Vec<Criterion>,
}

impl Criteria {
    /// The criteria that come with Skyloop.
    ///
    /// # Panics
    /// Never: a test reads the embedded file.
    #[must_use]
    pub fn built_in() -> Self {
        match Self::from_toml(include_str!("criteria.toml"), "built-in") {
            Ok(criteria) => criteria,
            Err(error) => unreachable!("the embedded criteria are tested: {error}"),
        }
    }
    /// Whether any criterion is of this scope.
    #[must_use]
    pub fn asks(&self, scope: Scope) -> bool {
        self.criteria.iter().any(|c| c.scope == scope)
    }
    /// Reads a TOML file.
    ///
    /// # Errors
    /// When it cannot be read, has an unknown key, names an unknown measure or gives no usable range.
    pub fn read(path: &Path) -> Result<Self, ValidateError> {
        let name = path.display().to_string();
        let text = std::fs::read_to_string(path).map_err(|source| ValidateError::Io { path: name.clone(), source })?;
        Self::from_toml(&text, &name)
    }
    /// Reads TOML text; `name` stands in messages.
    ///
    /// # Errors
    /// As [`Self::read`].
    pub fn from_toml(text: &str, name: &str) -> Result<Self, ValidateError> {
        let fail = |what: String| ValidateError::Criteria { path: name.into(), what };
        let criteria: Self = toml::from_str(text).map_err(|e| fail(e.to_string()))?;
        for c in &criteria.criteria {
            if !MEASURES.iter().any(|m| m.0 == c.measure) {
                let nearest = MEASURES.iter().max_by_key(|m| m.0.chars().zip(c.measure.chars()).take_while(|(a, b)| a == b).count());
                let hint = nearest.map_or_else(String::new, |m| format!("; did you mean {:?}?", m.0));
                return Err(fail(format!("measure = {:?} is unknown{hint}", c.measure)));
            }
            let ordered = match (c.min, c.max) {
                (None, None) => return Err(fail(format!("{}: neither min nor max is given", c.measure))),
                (Some(low), Some(high)) => low <= high,
                _ => true,
            };
            if !ordered {
                return Err(fail(format!("{}: min = {:?} is above max = {:?}", c.measure, c.min, c.max)));
            }
            if !(c.allow_sigma >= 0.0 && c.allow_sigma.is_finite()) {
                return Err(fail(format!("{}: allow_sigma = {} is outside 0..", c.measure, c.allow_sigma)));
            }
        }
        Ok(criteria)
    }
}

/// What became of a criterion.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// Met.
    Pass,
    /// Not met.
    Fail,
    /// There was nothing to judge.
    NotMeasured,
}

/// One criterion applied to one subject.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct VerdictLine {
    /// The criterion.
    pub criterion: Criterion,
    /// Frame, calibration or `all frames`.
    pub subject: String,
    /// What was measured.
    pub measure: Option<Measure>,
    /// Unit.
    pub unit: String,
    /// Meaning of the measure.
    pub meaning: String,
    /// Outcome.
    pub outcome: Outcome,
}

/// All lines and what follows from them.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Verdict {
    /// Fails when any line fails or a required one was not measured; not measured when nothing passed.
    pub outcome: Outcome,
    /// Lines passed.
    pub passed: usize,
    /// Lines failed.
    pub failed: usize,
    /// Lines not measured.
    pub not_measured: usize,
    /// The lines.
    pub lines: Vec<VerdictLine>,
}

/// Applies one criterion to one value.
fn line(criterion: &Criterion, subject: &str, measure: Option<Measure>) -> VerdictLine {
    let (_, unit, meaning) = MEASURES.iter().find(|m| m.0 == criterion.measure).copied().unwrap_or(("", "", ""));
    let outcome = match &measure {
        None => Outcome::NotMeasured,
        Some(m) => {
            let slack = criterion.allow_sigma * m.error.unwrap_or(0.0);
            let inside = criterion.min.is_none_or(|low| m.value >= low - slack) && criterion.max.is_none_or(|high| m.value <= high + slack);
            if inside { Outcome::Pass } else { Outcome::Fail }
        }
    };
    VerdictLine { criterion: criterion.clone(), subject: subject.into(), measure, unit: unit.into(), meaning: meaning.into(), outcome }
}

/// Mean weighted with the inverse square of the errors, over the frames that have the measure with an error.
fn pool(frames: &[FrameMeasures], name: &str) -> Option<Measure> {
    let (mut weights, mut sum, mut count) = (0.0, 0.0, 0);
    for m in frames.iter().filter_map(|f| f.values.get(name)) {
        if let Some(error) = m.error.filter(|e| *e > 0.0) {
            weights += error.powi(-2);
            sum += m.value * error.powi(-2);
            count += m.count.unwrap_or(1);
        }
    }
    (weights > 0.0).then(|| Measure { value: sum / weights, error: Some(weights.powf(-0.5)), count: Some(count) })
}

/// Median of what frames have; its error is that of a median of normal values of their scatter.
fn median<'a>(measures: impl Iterator<Item = &'a Measure>) -> Option<Measure> {
    let of: Vec<&Measure> = measures.filter(|m| m.value.is_finite()).collect();
    let mut values: Vec<f64> = of.iter().map(|m| m.value).collect();
    let n = values.len() as f64;
    let mean = values.iter().sum::<f64>() / n;
    let scatter = (values.iter().map(|v| (v - mean).powi(2)).sum::<f64>() / (n - 1.0)).sqrt();
    let count = of.iter().map(|m| m.count.unwrap_or(1)).sum();
    let error = (n > 1.0).then(|| (0.5 * std::f64::consts::PI / n).sqrt() * scatter);
    (!values.is_empty()).then(|| Measure { value: median64(&mut values), error, count: Some(count) })
}

/// All that criteria can be applied to.
#[derive(Debug, Clone, Copy, Default, Serialize)]
pub struct Subjects<'a> {
    /// Measured frames.
    pub frames: &'a [FrameMeasures],
    /// Measured calibrations.
    pub calibration: &'a [CalibrationMeasures],
    /// Effects before and after they were undone.
    pub effects: &'a [EffectMeasures],
    /// Figures of references.
    pub references: &'a [ReferenceMeasures],
}

/// Judges what was measured.
#[must_use]
pub fn judge(subjects: &Subjects<'_>, criteria: &Criteria) -> Verdict {
    let Subjects { frames: measures, calibration, effects, references } = *subjects;
    let mut lines = Vec::new();
    for c in &criteria.criteria {
        let before = lines.len();
        let value = |values: &Measures| values.get(&c.measure).cloned();
        match c.scope {
            Scope::Pooled => lines.push(line(c, "all frames", pool(measures, &c.measure))),
            Scope::Median => {
                let middle = median(measures.iter().filter_map(|f| f.values.get(&c.measure)));
                lines.push(line(c, &format!("median of {} frames", measures.len()), middle));
            }
            Scope::Frame => {
                let of_band = |f: &&FrameMeasures| c.filter.as_ref().is_none_or(|band| band.eq_ignore_ascii_case(&f.filter));
                lines.extend(measures.iter().filter(of_band).map(|f| line(c, &f.label, value(&f.values))));
                if measures.is_empty() {
                    lines.push(line(c, "no frames", None));
                }
            }
            Scope::Calibration => {
                let of_kind = |m: &&CalibrationMeasures| c.kind.as_ref().is_none_or(|kind| *kind == m.kind);
                lines.extend(calibration.iter().filter(of_kind).map(|m| line(c, &m.label, value(&m.values))));
                if lines.len() == before {
                    lines.push(line(c, "no calibration frames", None));
                }
            }
            Scope::Reference => {
                let this = |m: &&ReferenceMeasures| c.figure.as_ref().is_none_or(|figure| *figure == m.figure);
                lines.extend(references.iter().filter(this).map(|m| line(c, &m.subject, value(&m.values))));
                if lines.len() == before {
                    lines.push(line(c, "no exposure to tell", None));
                }
            }
            Scope::Effect => {
                let this = |m: &&EffectMeasures| c.effect.as_ref().is_none_or(|effect| *effect == m.effect);
                let of = |m: &EffectMeasures| line(c, &format!("{}, {}", m.effect, m.frame), value(&m.values));
                lines.extend(effects.iter().filter(this).map(of));
                if lines.len() == before {
                    lines.push(line(c, c.effect.as_deref().unwrap_or("no effects"), None));
                }
            }
        }
    }
    let count = |o: Outcome| lines.iter().filter(|l| l.outcome == o).count();
    let (passed, failed, not_measured) = (count(Outcome::Pass), count(Outcome::Fail), count(Outcome::NotMeasured));
    let missing = lines.iter().any(|l| l.criterion.required && l.outcome == Outcome::NotMeasured);
    let outcome = if failed > 0 || missing {
        Outcome::Fail
    } else if passed == 0 {
        Outcome::NotMeasured
    } else {
        Outcome::Pass
    };
    Verdict { outcome, passed, failed, not_measured, lines }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn criterion(allow_sigma: f64) -> Criterion {
        Criterion {
            measure: "noise_ratio".into(),
            scope: Scope::Frame,
            filter: None,
            kind: None,
            effect: None,
            figure: None,
            min: Some(0.9),
            max: Some(1.1),
            allow_sigma,
            required: false,
            source: "test".into(),
        }
    }

    #[test]
    fn the_built_in_criteria_can_be_read_and_know_their_measures() {
        let built_in = Criteria::built_in();
        for measure in ["recovery_isolated_snr5", "photometry_pull_mean", "photometry_pull_std", "astrometry_pull_std"] {
            assert!(built_in.criteria.iter().any(|c| c.measure == measure && c.required), "{measure}");
        }
    }

    #[test]
    fn a_value_outside_by_less_than_the_allowed_errors_passes() {
        let value = Some(Measure { value: 1.14, error: Some(0.03), count: None });
        assert_eq!(line(&criterion(2.0), "f", value.clone()).outcome, Outcome::Pass);
        assert_eq!(line(&criterion(1.0), "f", value).outcome, Outcome::Fail);
        assert_eq!(line(&criterion(1.0), "f", None).outcome, Outcome::NotMeasured);
    }

    #[test]
    fn the_median_over_frames_has_the_error_of_their_scatter() {
        let frames = [0.9, 1.0, 1.1, 1.2, 3.0].map(|value| Measure { value, error: None, count: Some(7) });
        let m = median(frames.iter()).unwrap();
        // Deviations from the mean 1.44: -0.54, -0.44, -0.34, -0.24, 1.56; their squares sum to 3.092.
        let error = (0.5 * std::f64::consts::PI / 5.0 * 3.092 / 4.0).sqrt();
        assert!((m.value - 1.1).abs() < 1e-12 && (m.error.unwrap() - error).abs() < 1e-12, "{m:?}");
        assert_eq!(m.count, Some(35));
        assert_eq!(median(frames[..1].iter()).unwrap().error, None);
        assert_eq!(median([].iter()), None);
    }

    #[test]
    fn unknown_measures_keys_and_empty_ranges_are_refused() {
        let text = |body: &str| format!("[[criterion]]\nscope = \"frame\"\nsource = \"s\"\n{body}");
        let message = |body: &str| Criteria::from_toml(&text(body), "mine.toml").unwrap_err().to_string();
        assert!(message("measure = \"noise_ration\"\nmin = 1.0").contains("did you mean \"noise_ratio\""));
        assert!(message("measure = \"noise_ratio\"\nminimum = 1.0").contains("minimum"));
        assert!(message("measure = \"noise_ratio\"").contains("neither min nor max"));
        assert!(message("measure = \"noise_ratio\"\nmin = 2.0\nmax = 1.0").contains("above max"));
    }

    #[test]
    fn a_required_criterion_without_a_measure_fails_the_whole() {
        let mut c = criterion(0.0);
        c.scope = Scope::Pooled;
        assert_eq!(judge(&Subjects::default(), &Criteria { criteria: vec![c.clone()] }).outcome, Outcome::NotMeasured);
        c.required = true;
        assert_eq!(judge(&Subjects::default(), &Criteria { criteria: vec![c] }).outcome, Outcome::Fail);
    }
}
