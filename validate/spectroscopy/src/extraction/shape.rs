//! A source's shape ready to be drawn: whole for long orders, in Gaussian parts for short ones.
//!
//! # Formula
//! Rows of an oblique ellipse are displaced by `s = C_xy / (C_yy + p^2)` per row and have the variance `C_xx + p^2 - C_xy^2 / (C_yy + p^2)` along the dispersion: exact for Gaussians.
//! A Sersic profile is a sum of Gaussians, `I(r) = sum a_i exp(-r^2 / (2 q_i^2)) / (2 pi q_i^2)`, a_i by least squares of r I(r).
//! # Symbols
//! C  second moments of the shape;  p  Gaussian width of the PSF;  q_i  fixed widths in half-light radii
//! # Source
//! Conditional moments of a normal; sums of Gaussians for galaxies as in Hogg & Lang 2013 (PASP 125, 719), whose coefficients are not used.
//! # Limits
//! Whole shapes take the moments of a disc (1.065 r_e^2 along an axis: `<x^2> = 3 h^2`, h = r_e / 1.678) for bulges too. A trace that is long hides
//! the difference, a zeroth order does not: it is drawn in parts.

use super::catalogue::{Bulge, Morphology};
use super::profile::{Profile, bulge_kind};
use super::psf::Psf;
use nalgebra::{DMatrix, DVector};
use std::sync::OnceLock;

/// Second moment of a projected disc over its half-light radius squared.
const MOMENT: f64 = 1.065;
/// Widths of the Gaussians in half-light radii, of discs, of steep and of shallow bulges.
const WIDTHS: [&[f64]; 3] = [&[0.12, 0.3, 0.6, 1.0, 1.55], &[0.03, 0.1, 0.27, 0.65, 1.5, 3.2], &[0.05, 0.15, 0.36, 0.75, 1.4, 2.5]];

/// A shape with one displacement of its rows.
#[derive(Debug, Clone)]
pub(super) struct Part {
    /// Profile across the trace.
    pub across: Profile,
    /// Profile of a row along the dispersion.
    pub along: Profile,
    /// Columns per row by which rows are displaced.
    pub displacement: f64,
}

/// Shape of a source, ready to be drawn in any order.
#[derive(Debug, Clone)]
pub struct Drawn {
    pub(super) whole: Part,
    /// Gaussian parts and their shares of the light; none for a star.
    pub(super) parts: Vec<(f64, Part)>,
}

impl Drawn {
    /// From the PSF and the shape.
    #[must_use]
    pub fn new(psf: &Psf, morphology: &Morphology) -> Self {
        let (xx, xy, yy) = morphology.ellipse();
        if xx + yy < 0.0025 {
            let star = || Profile::new(psf, 0.0, Bulge::NONE);
            return Self { whole: Part { across: star(), along: star().closed(), displacement: 0.0 }, parts: Vec::new() };
        }
        let p2 = (psf.fwhm(psf.wavelength_nm[psf.wavelength_nm.len() / 2]) / 2.354_82).powi(2);
        let displacement = MOMENT * xy / (MOMENT * yy + p2);
        let bulge = morphology.bulge();
        let along = Profile::new(psf, (xx - displacement * xy).max(0.0), bulge).closed();
        let whole = Part { across: Profile::across(psf, morphology), along, displacement };
        let mut parts = Vec::new();
        for (kind, light, radius) in [(0, 1.0 - bulge.share, 1.0), (bulge_kind(bulge.index), bulge.share, bulge.radius)] {
            for (q, a) in WIDTHS[kind].iter().zip(weights(kind)).filter(|_| light > 0.0) {
                let q = q * radius;
                let (q2, share) = (q * q, light * a);
                let displacement = q2 * xy / (q2 * yy + p2);
                let across = Profile::gaussian(psf, q2 * yy);
                let along = Profile::gaussian(psf, (q2 * (xx - displacement * xy)).max(0.0)).closed();
                parts.push((share, Part { across, along, displacement }));
            }
        }
        Self { whole, parts }
    }
    /// Profile across the trace.
    #[must_use]
    pub fn across(&self) -> &Profile {
        &self.whole.across
    }
}

/// Shares of the Gaussians, sum 1.
fn weights(kind: usize) -> &'static [f64] {
    static WEIGHTS: [OnceLock<Vec<f64>>; 3] = [const { OnceLock::new() }; 3];
    WEIGHTS[kind].get_or_init(|| {
        let widths = WIDTHS[kind];
        // Even steps of lg r; r I(r) there, so that light counts and not the cusp.
        let radii: Vec<f64> = (0..120).map(|i| 10f64.powf(-2.0 + 2.7 * f64::from(i) / 119.0)).collect();
        let gaussian = |r: f64, q: f64| (-0.5 * (r / q).powi(2)).exp() / (q * q);
        let design = DMatrix::from_fn(radii.len(), widths.len(), |i, j| radii[i] * gaussian(radii[i], widths[j]));
        let light = DVector::from_iterator(radii.len(), radii.iter().map(|r| r * super::profile::sersic(kind, *r)));
        let normal = design.transpose() * &design;
        let solved = normal.lu().solve(&(design.transpose() * light));
        let sum: f64 = solved.iter().flat_map(|s| s.iter()).sum();
        solved.map_or_else(|| vec![1.0 / widths.len() as f64; widths.len()], |s| s.iter().map(|v| v / sum).collect())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gaussians_make_up_discs_and_bulges() {
        for (kind, within) in [(0, 0.01), (1, 0.06), (2, 0.03)] {
            // Light within r: sum a (1 - exp(-r^2 / 2 q^2)); half of it within the half-light radius.
            let inside =
                |r: f64| -> f64 { weights(kind).iter().zip(WIDTHS[kind]).map(|(a, q)| a * (1.0 - (-0.5 * (r / q).powi(2)).exp())).sum() };
            assert!((inside(1.0) - 0.5).abs() < within, "{kind}: {} {:?}", inside(1.0), weights(kind));
            assert!(weights(kind).iter().all(|w| *w > 0.0), "{kind}: {:?}", weights(kind));
        }
    }
}
