//! Classes of pixels that are scored apart: hits of one size, the surroundings of bright stars.
//!
//! A hit's size is its number of true pixels. Pixels of hits of other sizes, and those of no hit, are left out of a class of size, so its
//! precision is that of pixels with charge. Near stars: within [`NEAR`] pixels of one with more than [`BRIGHT`] electrons of sources.

use super::{Definition, Truth};
use ndarray::Array2;

/// Bounds of the classes of size \[true pixels\].
pub const SIZES: [(usize, usize); 5] = [(1, 1), (2, 4), (5, 9), (10, 29), (30, usize::MAX)];
/// A star is bright above that \[electron in a pixel\].
pub const BRIGHT: f32 = 5000.0;
/// Near within so many pixels.
pub const NEAR: usize = 10;

/// A class of size in words.
#[must_use]
pub fn describe((low, high): (usize, usize)) -> String {
    match (low, high) {
        (1, 1) => "hits of 1 true pixel".into(),
        (_, usize::MAX) => format!("hits of {low} and more"),
        _ => format!("hits of {low} to {high}"),
    }
}

/// True pixels of every hit, by its number.
#[must_use]
pub fn sizes(truth: &Truth<'_>, definition: Definition) -> Vec<usize> {
    let most = truth.owner.iter().copied().max().unwrap_or(0) as usize;
    let mut counts = vec![0; most + 1];
    for (at, &owner) in truth.owner.indexed_iter().filter(|(_, owner)| **owner > 0) {
        if truth.counts(at) && definition.holds(truth.electrons[at], truth.noise[at]) {
            counts[owner as usize] += 1;
        }
    }
    counts
}

/// Pixels near bright stars.
#[must_use]
pub fn near_stars(sources: &Array2<f32>) -> Array2<bool> {
    let (ny, nx) = sources.dim();
    let mut near = Array2::from_elem((ny, nx), false);
    for ((y, x), _) in sources.indexed_iter().filter(|(_, v)| **v > BRIGHT) {
        for v in y.saturating_sub(NEAR)..(y + NEAR + 1).min(ny) {
            for u in x.saturating_sub(NEAR)..(x + NEAR + 1).min(nx) {
                near[(v, u)] |= (v.abs_diff(y)).pow(2) + (u.abs_diff(x)).pow(2) <= NEAR * NEAR;
            }
        }
    }
    near
}

/// Pixels that a class of size leaves out, with those the truth leaves out.
#[must_use]
pub fn outside_of_size(truth: &Truth<'_>, sizes: &[usize], (low, high): (usize, usize)) -> Array2<bool> {
    Array2::from_shape_fn(truth.owner.dim(), |at| {
        !truth.counts(at) || !(low..=high).contains(&sizes.get(truth.owner[at] as usize).copied().unwrap_or(0))
    })
}
