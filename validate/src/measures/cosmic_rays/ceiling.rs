//! The ceiling: what a detector could do that knows everything but the noise.

use super::{Definition, Truth, f1};
use ndarray::Array2;
use serde::{Deserialize, Serialize};

/// Recall and precision of the oracle at its best threshold.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Ceiling {
    /// Definition of the truth.
    pub definition: Definition,
    /// Best threshold in (data - sky) / sigma.
    pub threshold: f64,
    /// Recall there.
    pub recall: f64,
    /// Precision there.
    pub precision: f64,
}

impl Ceiling {
    /// F1 of recall and precision.
    #[must_use]
    pub fn f1(&self) -> f64 {
        f1(self.recall, self.precision)
    }
}

/// The oracle's scores: `data` are the measured electrons, `expected` the noiseless electrons without cosmic rays.
/// `None` when no pixel is true.
#[must_use]
pub fn ceiling(truth: &Truth<'_>, data: &Array2<f32>, expected: &Array2<f32>, definition: Definition) -> Option<Ceiling> {
    // Only pixels with charge of a hit: the oracle knows which.
    let mut pixels: Vec<(f32, bool)> = truth
        .electrons
        .indexed_iter()
        .filter(|&(at, &charge)| charge > 0.0 && truth.counts(at) && data[at].is_finite())
        .map(|(at, &charge)| ((data[at] - expected[at]) / truth.noise[at], definition.holds(charge, truth.noise[at])))
        .collect();
    let total = pixels.iter().filter(|p| p.1).count();
    if total == 0 {
        return None;
    }
    pixels.sort_by(|a, b| b.0.total_cmp(&a.0));
    let (mut right, mut best) = (0_usize, Ceiling { definition, threshold: f64::INFINITY, recall: 0.0, precision: 0.0 });
    for (k, &(value, hit)) in pixels.iter().enumerate() {
        right += usize::from(hit);
        let (recall, precision) = (right as f64 / total as f64, right as f64 / (k + 1) as f64);
        if right > 0 && (best.recall == 0.0 || f1(recall, precision) > best.f1()) {
            best = Ceiling { definition, threshold: f64::from(value), recall, precision };
        }
    }
    Some(best)
}
