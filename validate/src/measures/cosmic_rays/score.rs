//! The scores of a mask.

use super::{Definition, Ratio, Truth, f1};
use ndarray::Array2;
use ndarray::parallel::prelude::*;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Charge above this many sigma counts as "some" within one pixel.
const SOME_SIGMA: f32 = 0.5;
/// Source pixels exceed this many sigma.
const SOURCE_SIGMA: f32 = 3.0;

/// Scores of one mask by one definition; see the module for their meaning.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Score {
    /// Definition of the truth.
    pub definition: Definition,
    /// Flagged of true pixels.
    pub recall: Ratio,
    /// True of flagged pixels.
    pub precision: Ratio,
    /// Recall within one pixel.
    pub recall_near: Ratio,
    /// Precision within one pixel.
    pub precision_near: Ratio,
    /// Found of hits.
    pub events: Ratio,
    /// Flagged of clean source pixels.
    pub source_damage: Ratio,
}

impl Score {
    /// F1 of recall and precision.
    #[must_use]
    pub fn f1(&self) -> f64 {
        f1(self.recall.value(), self.precision.value())
    }
    /// The scores of several frames together.
    #[must_use]
    pub fn plus(self, other: Self) -> Self {
        Self {
            definition: self.definition,
            recall: self.recall.plus(other.recall),
            precision: self.precision.plus(other.precision),
            recall_near: self.recall_near.plus(other.recall_near),
            precision_near: self.precision_near.plus(other.precision_near),
            events: self.events.plus(other.events),
            source_damage: self.source_damage.plus(other.source_damage),
        }
    }
}

/// Whether any pixel within one of a place (itself included) has a property.
fn near(shape: (usize, usize), (y, x): (usize, usize), has: impl Fn((usize, usize)) -> bool) -> bool {
    let (ny, nx) = shape;
    (y.saturating_sub(1)..(y + 2).min(ny)).any(|v| (x.saturating_sub(1)..(x + 2).min(nx)).any(|u| has((v, u))))
}

impl Truth<'_> {
    /// Whether a pixel is one of source light that no hit comes near: what [`Score::source_damage`] is a share of.
    #[must_use]
    pub fn is_clean_source(&self, at: (usize, usize), definition: Definition) -> bool {
        let is_true = |at| definition.holds(self.electrons[at], self.noise[at]);
        self.counts(at) && self.sources[at] > SOURCE_SIGMA * self.noise[at] && !near(self.sources.dim(), at, is_true)
    }
}

/// Scores a mask.
#[must_use]
pub fn score(truth: &Truth<'_>, mask: &Array2<bool>, definition: Definition) -> Score {
    let shape = mask.dim();
    let empty = || {
        let none = Ratio::default();
        let score =
            Score { definition, recall: none, precision: none, recall_near: none, precision_near: none, events: none, source_damage: none };
        // Hits with a true pixel in these rows: whether one of them is flagged.
        (score, BTreeMap::<u32, bool>::new())
    };
    let is_true = |at| definition.holds(truth.electrons[at], truth.noise[at]);
    let rows: Vec<_> = (0..shape.0)
        .into_par_iter()
        .map(|y| {
            let (mut s, mut events) = empty();
            for at in (0..shape.1).map(|x| (y, x)).filter(|&at| truth.counts(at)) {
                let (hit, flagged) = (is_true(at), mask[at]);
                if hit {
                    s.recall.add(flagged);
                    s.recall_near.add(flagged || near(shape, at, |p| mask[p]));
                    *events.entry(truth.owner[at]).or_insert(false) |= flagged;
                }
                if flagged {
                    s.precision.add(hit);
                    s.precision_near.add(hit || near(shape, at, |p| truth.electrons[p] > SOME_SIGMA * truth.noise[p]));
                }
                if truth.is_clean_source(at, definition) {
                    s.source_damage.add(flagged);
                }
            }
            (s, events)
        })
        .collect();
    let (mut total, mut events) = empty();
    for (row, found) in rows {
        total = total.plus(row);
        for (hit, flagged) in found {
            *events.entry(hit).or_insert(false) |= flagged;
        }
    }
    events.values().for_each(|found| total.events.add(*found));
    total
}
