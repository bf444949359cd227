//! What is sharp in a spectrum without a slit: zeroth orders and emission lines, and what flags of cosmic rays take of them.
//!
//! # Definition
//! A pixel is **sharp** when the sources' light in it exceeds that of both pixels [`ASIDE`] columns away (the dispersion runs along the columns' axis) by 3 sigma of the
//! noise of its surroundings, i.e. without the sources' own, and by half of itself: continua have no such pixels, lines at the resolution of two to five pixels
//! and zeroth orders do. Sharp pixels that touch are one **line**. Clean pixels have no true charge of a hit in them or in a neighbour.
//! A line is lost when flagged clean pixels hold more than [`LOST`] of the light of its sharp pixels.
//! # Limits
//! Zeroth orders and lines share the score. Spectra that cross, and absorption lines closer than twice that distance, make pixels sharp that are none of both.

use super::{Definition, Ratio, Truth};
use ndarray::Array2;

/// Columns to either side with which a pixel is compared: beyond a line's width.
pub const ASIDE: usize = 6;
/// Share of its light from which a line is lost.
pub const LOST: f32 = 0.1;
/// Sharp pixels exceed their surroundings by this many sigma, and by this share of themselves.
const SHARP: (f32, f32) = (3.0, 0.5);

/// Damage to what is sharp.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LineDamage {
    /// Flagged of clean sharp pixels.
    pub pixels: Ratio,
    /// Lost of lines.
    pub lost: Ratio,
}

/// Sharp pixels.
#[must_use]
pub fn sharp(truth: &Truth<'_>) -> Array2<bool> {
    let (_, nx) = truth.sources.dim();
    Array2::from_shape_fn(truth.sources.dim(), |(y, x)| {
        let light = truth.sources[(y, x)];
        let blank = (truth.noise[(y, x)].powi(2) - light.max(0.0)).max(0.0).sqrt();
        let aside = |x: usize| truth.sources[(y, x)].max(0.0);
        let beside = aside(x.saturating_sub(ASIDE)).max(aside((x + ASIDE).min(nx - 1)));
        light - beside > (SHARP.0 * blank).max(SHARP.1 * light)
    })
}

/// Scores a mask.
#[must_use]
pub fn damage(truth: &Truth<'_>, mask: &Array2<bool>, definition: Definition) -> LineDamage {
    let (ny, nx) = truth.sources.dim();
    let sharp = sharp(truth);
    let around = |(y, x): (usize, usize)| {
        (y.saturating_sub(1)..(y + 2).min(ny)).flat_map(move |v| (x.saturating_sub(1)..(x + 2).min(nx)).map(move |u| (v, u)))
    };
    let clean = |at| truth.counts(at) && !around(at).any(|p| definition.holds(truth.electrons[p], truth.noise[p]));
    let mut seen = Array2::from_elem((ny, nx), false);
    let mut out = LineDamage { pixels: Ratio::default(), lost: Ratio::default() };
    for (start, _) in sharp.indexed_iter().filter(|(_, s)| **s) {
        if seen[start] {
            continue;
        }
        seen[start] = true;
        let (mut open, mut light, mut taken, mut counted) = (vec![start], 0.0, 0.0, false);
        while let Some(at) = open.pop() {
            light += truth.sources[at];
            if clean(at) {
                counted = true;
                out.pixels.add(mask[at]);
                taken += if mask[at] { truth.sources[at] } else { 0.0 };
            }
            for p in around(at) {
                if sharp[p] && !seen[p] {
                    seen[p] = true;
                    open.push(p);
                }
            }
        }
        if counted {
            out.lost.add(taken > LOST * light);
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::super::PRIMARY;
    use super::*;

    /// A continuum along row 10 of 500 electrons, on it a line at column 40, a zeroth order at (20, 60); blank noise 8.
    fn sources() -> Array2<f32> {
        Array2::from_shape_fn((30, 90), |(y, x)| {
            let spot = |cy: f32, cx: f32, peak: f32| peak * (-((y as f32 - cy).powi(2) + (x as f32 - cx).powi(2)) / 3.0).exp();
            let continuum = if (15..80).contains(&x) { 500.0 * (-(y as f32 - 10.0).powi(2) / 3.0).exp() } else { 0.0 };
            continuum + spot(10.0, 40.0, 2000.0) + spot(20.0, 60.0, 300.0)
        })
    }

    #[test]
    fn lines_and_zeroth_orders_are_sharp_and_continua_are_not() {
        let sources = sources();
        let noise = sources.mapv(|v| (v + 64.0).sqrt());
        let (electrons, owner) = (Array2::zeros(sources.dim()), Array2::zeros(sources.dim()));
        let truth = Truth { electrons: &electrons, owner: &owner, noise: &noise, sources: &sources, left_out: None };
        let sharp = sharp(&truth);
        assert!(sharp[(10, 40)] && sharp[(20, 60)] && sharp[(20, 61)]);
        assert!(!sharp[(10, 15)] && !sharp[(10, 28)] && !sharp[(10, 55)] && !sharp[(25, 20)]);
        // Nothing flagged: nothing lost of the line and the zeroth order. The ends of the continuum are none.
        let mut mask = Array2::from_elem(sources.dim(), false);
        let none = damage(&truth, &mask, PRIMARY);
        assert_eq!((none.pixels.part, none.lost.part, none.lost.whole), (0, 0, 2));
        // The middle of the line holds more than a tenth of it, a pixel at its edge does not.
        mask[(10, 42)] = true;
        assert_eq!(damage(&truth, &mask, PRIMARY).lost.part, 0);
        mask[(10, 40)] = true;
        let hit = damage(&truth, &mask, PRIMARY);
        assert_eq!((hit.pixels.part, hit.lost.part), (2, 1));
        // Flagged rightly: a hit was there, so nothing of it counts.
        let mut electrons = electrons.clone();
        electrons[(10, 41)] = 5000.0;
        let truth = Truth { electrons: &electrons, ..truth };
        assert_eq!(damage(&truth, &mask, PRIMARY).pixels.part, 0);
    }
}
