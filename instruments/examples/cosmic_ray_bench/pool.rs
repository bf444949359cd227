//! The ceiling of many frames together: one threshold for all.

use crate::made::Made;
use validate::measures::cosmic_rays::{Definition, f1};

/// Pixels with charge of hits: what an oracle sees of them [sigma], and whether they are true.
#[derive(Default)]
pub struct Pool(Vec<(f32, bool)>);

impl Pool {
    /// Adds those of a frame's pixels that `which` names.
    pub fn add(&mut self, made: &Made, definition: Definition, which: impl Fn((usize, usize)) -> bool) {
        for (at, &charge) in made.electrons.indexed_iter().filter(|(at, charge)| **charge > 0.0 && !made.out[*at] && which(*at)) {
            self.0.push(((made.data[at] - made.expected[at]) / made.noise[at], definition.holds(charge, made.noise[at])));
        }
    }
    /// Takes the pixels of another.
    pub fn append(&mut self, other: &Self) {
        self.0.extend_from_slice(&other.0);
    }
    /// True pixels.
    pub fn true_pixels(&self) -> usize {
        self.0.iter().filter(|p| p.1).count()
    }
    /// Recall and precision where F1 is largest.
    pub fn best(&mut self) -> (f64, f64) {
        self.0.sort_by(|a, b| b.0.total_cmp(&a.0));
        let total = self.true_pixels() as f64;
        let (mut right, mut best) = (0.0, (0.0, 0.0));
        for (k, (_, hit)) in self.0.iter().enumerate() {
            right += f64::from(u8::from(*hit));
            let here = (right / total, right / (k + 1) as f64);
            // No hit yet: no F1.
            let first = best.0 == 0.0;
            best = if right > 0.0 && (first || f1(here.0, here.1) > f1(best.0, best.1)) { here } else { best };
        }
        best
    }
}
