//! Figures of references that calibration exposures gave which they were not made of.

use super::Measures;
use serde::{Deserialize, Serialize};

/// One figure of one reference.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ReferenceMeasures {
    /// Name of the figure, e.g. `flat_pattern`; criteria ask for it by `figure`.
    pub figure: String,
    /// What it means.
    pub meaning: String,
    /// The reference's file, without `.fits`.
    pub reference: String,
    /// The exposure it was measured on, and where on it.
    pub subject: String,
    /// The number: `reference_offset`.
    pub values: Measures,
}

impl ReferenceMeasures {
    /// A figure: departure from what a right reference gives, with its error.
    #[must_use]
    pub fn new(figure: &str, meaning: &str, reference: &str, subject: &str, (offset, error): (f64, f64)) -> Self {
        let mut values = Measures::default();
        values.set("reference_offset", offset, Some(error), 1);
        Self { figure: figure.into(), meaning: meaning.into(), reference: reference.into(), subject: subject.into(), values }
    }
}
