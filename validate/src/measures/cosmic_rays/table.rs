//! The table of the report: every score with its definition of truth and the ceiling beside it.

use super::{Ceiling, DEFINITIONS, Definition, PRIMARY, Score, Truth, ceiling, classes, score};
use ndarray::Array2;
use serde::{Deserialize, Serialize};

/// Yu et al. 2025 (arXiv:2511.01524): deepCR trained for each detector, median over 18: recall and precision. Their truth is not stated.
pub const PUBLISHED: (f64, f64) = (0.9790, 0.9867);

/// One row.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Row {
    /// Which pixels.
    pub what: String,
    /// Definition of the truth, in words.
    pub truth: String,
    /// Scores.
    pub score: Score,
    /// Of the same pixels, at the threshold that is best for them; `None` without a true pixel.
    pub ceiling: Option<Ceiling>,
}

/// Scores of a mask by every definition, by size of hit, and near stars. `data`: measured electrons, `expected`: noiseless ones without hits.
#[must_use]
pub fn table(truth: &Truth<'_>, mask: &Array2<bool>, data: &Array2<f32>, expected: &Array2<f32>) -> Vec<Row> {
    let row = |what: String, truth: &Truth<'_>, definition: Definition| Row {
        what,
        truth: definition.describe(),
        score: score(truth, mask, definition),
        ceiling: ceiling(truth, data, expected, definition),
    };
    let mut rows: Vec<Row> = DEFINITIONS.iter().map(|d| row("all pixels".into(), truth, *d)).collect();
    let sizes = classes::sizes(truth, PRIMARY);
    for size in classes::SIZES {
        let out = classes::outside_of_size(truth, &sizes, size);
        rows.push(row(classes::describe(size), &Truth { left_out: Some(&out), ..*truth }, PRIMARY));
    }
    let mut out = classes::near_stars(truth.sources);
    out.indexed_iter_mut().for_each(|(at, near)| *near = !*near || !truth.counts(at));
    let near = format!("within {} pixels of more than {} electrons of a star", classes::NEAR, classes::BRIGHT);
    rows.push(row(near, &Truth { left_out: Some(&out), ..*truth }, PRIMARY));
    rows.retain(|r| r.score.recall.whole + r.score.precision.whole > 0);
    rows
}

/// A value beside the published one: met, missed, or neither within its error.
#[must_use]
pub fn beside(value: f64, error: f64, published: f64) -> String {
    let away = (value - published) / error;
    let word = match away {
        a if a >= 1.0 => "above",
        a if a <= -1.0 => "below",
        _ => "equal within the error",
    };
    format!("{:+.2} points ({away:+.1} errors): {word}", 100.0 * (value - published))
}
