//! How well cosmic rays were found: frozen definition of the truth, scores, and the ceiling that noise sets.
//!
//! # Definition (frozen)
//! A pixel is **true** when its electrons of cosmic rays exceed k times the local noise and are at least 10. The local noise
//! is that of the same pixel without the hit: sigma^2 = expected electrons of sky, sources and dark + read noise^2.
//! Primary: k = 5 ([`PRIMARY`]). Also k = 3 and 10 ([`DEFINITIONS`]).
//!
//! # Scores
//! - recall: true pixels that are flagged, over true pixels; precision: flagged pixels that are true, over flagged pixels.
//!   Pixels left out (saturated, defects) count in neither.
//! - within one pixel: recall of true pixels with a flag within one pixel (of the eight neighbours); precision of flagged
//!   pixels with any charge of a hit above 0.5 sigma within one pixel.
//! - events: hits with at least one true pixel that have at least one of them flagged, over such hits.
//! - source damage: pixels where sources exceed 3 sigma of their surroundings' noise, without true charge of a hit in
//!   them or in a neighbour, that are flagged, over all such pixels.
//! - line damage, in spectra without a slit: the same over pixels of zeroth orders and emission lines ([`lines`]).
//! - ceiling: a detector that knows the noiseless sky and which pixels hold charge of a hit, and flags (data - sky) / sigma above
//!   one threshold; the threshold with the largest F1 for this definition. Noise moves pixels across the limit, so no
//!   detector that decides pixel by pixel can do better. Recall and precision at that threshold.
//!
//! Pure functions on arrays `[y, x]`: nothing here knows how hits were made or found.

mod ceiling;
pub mod classes;
pub mod in_frame;
pub mod lines;
mod score;
pub mod table;
#[cfg(test)]
mod tests;

pub use ceiling::{Ceiling, ceiling};
pub use score::{Score, score};

use crate::statistics::fraction;
use ndarray::Array2;
use serde::{Deserialize, Serialize};

/// Which pixels count as hit.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Definition {
    /// Charge over the local noise, more than.
    pub sigma: f32,
    /// Charge \[electron\], at least.
    pub electrons: f32,
}

/// The primary definition: more than 5 sigma and at least 10 electrons.
pub const PRIMARY: Definition = Definition { sigma: 5.0, electrons: 10.0 };
/// All definitions that are reported.
pub const DEFINITIONS: [Definition; 3] = [Definition { sigma: 3.0, electrons: 10.0 }, PRIMARY, Definition { sigma: 10.0, electrons: 10.0 }];

impl Definition {
    /// Whether a pixel is true.
    #[must_use]
    pub fn holds(&self, electrons: f32, noise: f32) -> bool {
        electrons > self.sigma * noise && electrons >= self.electrons
    }
    /// In words, to be printed with the numbers.
    #[must_use]
    pub fn describe(&self) -> String {
        format!("charge > {} sigma of the local noise and >= {} electrons", self.sigma, self.electrons)
    }
}

/// What is true of a frame. All arrays have one shape.
#[derive(Debug, Clone, Copy)]
pub struct Truth<'a> {
    /// Electrons of cosmic rays.
    pub electrons: &'a Array2<f32>,
    /// Number of the hit that gave most of them, 0 for none.
    pub owner: &'a Array2<u32>,
    /// Noise of each pixel without cosmic rays \[electron\].
    pub noise: &'a Array2<f32>,
    /// Expected electrons of sources, without sky.
    pub sources: &'a Array2<f32>,
    /// Pixels that count in no score.
    pub left_out: Option<&'a Array2<bool>>,
}

impl Truth<'_> {
    fn counts(&self, at: (usize, usize)) -> bool {
        self.left_out.is_none_or(|l| !l[at])
    }
}

/// A count out of a count.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Ratio {
    /// Successes.
    pub part: usize,
    /// Trials.
    pub whole: usize,
}

impl Ratio {
    pub(super) fn add(&mut self, success: bool) {
        self.whole += 1;
        self.part += usize::from(success);
    }
    pub(super) fn plus(self, other: Self) -> Self {
        Self { part: self.part + other.part, whole: self.whole + other.whole }
    }
    /// The fraction and the half-width of its 68 % interval.
    #[must_use]
    pub fn fraction(&self) -> (f64, f64) {
        fraction(self.part, self.whole)
    }
    /// The fraction; NaN without trials.
    #[must_use]
    pub fn value(&self) -> f64 {
        self.fraction().0
    }
}

/// Harmonic mean of recall and precision.
#[must_use]
pub fn f1(recall: f64, precision: f64) -> f64 {
    2.0 * recall * precision / (recall + precision)
}
