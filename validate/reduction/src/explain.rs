//! What the reduction did with a frame, step by step, and with which references.

use crate::level1::Level1;
use crate::set::DetectorCalibration;
use sim_core::correction::StepStatus;

/// One step as it was done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ExplainedStep {
    /// Name of the effect undone.
    pub name: String,
    /// Why it was not carried out; `None` when it was.
    pub skipped: Option<String>,
    /// Files of the references used, with their validity and quality.
    pub references: Vec<ExplainedReference>,
}

/// A reference as a step used it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ExplainedReference {
    /// File name.
    pub file: String,
    /// First and last date it holds for.
    pub validity: String,
    /// Figures of quality.
    pub quality: String,
}

impl ExplainedStep {
    /// One line: the history of the product.
    #[must_use]
    pub fn in_words(&self) -> String {
        let Self { name, skipped, references } = self;
        match skipped {
            Some(reason) => format!("step {name}: SKIPPED, {reason}"),
            None if references.is_empty() => format!("step {name}: done"),
            None => {
                let files: Vec<&str> = references.iter().map(|r| r.file.as_str()).collect();
                format!("step {name}: done with {}", files.join(", "))
            }
        }
    }
}

/// The steps of a frame with the references they used.
#[must_use]
pub fn steps(level1: &Level1, calibration: &DetectorCalibration) -> Vec<ExplainedStep> {
    let explained = |step: &crate::steps::Step| {
        let skipped = match &step.status {
            StepStatus::Done => None,
            StepStatus::Skipped(reason) => Some(reason.clone()),
        };
        let used = calibration.references_of(&step.name).filter(|_| skipped.is_none());
        let references = used
            .map(|entry| ExplainedReference { file: entry.file.clone(), validity: entry.validity(), quality: entry.quality.clone() })
            .collect();
        ExplainedStep { name: step.name.clone(), skipped, references }
    };
    level1.steps.iter().map(explained).collect()
}

/// The steps as a text for people, one line each, references below them.
#[must_use]
pub fn text(steps: &[ExplainedStep]) -> String {
    let width = steps.iter().map(|s| s.name.len()).max().unwrap_or(0);
    let mut out = String::new();
    for step in steps {
        let status = step.skipped.as_ref().map_or_else(|| "done".to_string(), |reason| format!("SKIPPED: {reason}"));
        out.push_str(&format!("  {:width$}  {status}\n", step.name));
        for ExplainedReference { file, validity, quality } in &step.references {
            out.push_str(&format!("  {:width$}    {file}\n  {:width$}      holds {validity}", "", ""));
            out.push_str(&if quality.is_empty() { "\n".into() } else { format!("; {quality}\n") });
        }
    }
    out
}
