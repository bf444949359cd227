//! Temperatures of stars from fits over the grid.
//!
//! # Formula
//! ln E(T) at the temperatures of the grid (5 % apart), parabolas through three neighbours in between; mean and spread of ln T over E^(1 /
//! T').
//! # Limits
//! Solar metallicity and dwarfs' colours; the grid's own scale is that of the published locus (2 to 3 %).

use super::model::Workspace;
use super::posterior::ln_mean;
use super::result::StarParameters;
use super::samples::Samples;
use super::templates::Star;

/// ln(1 + z) tried: wavelength errors and velocities.
const SHIFTS: [f64; 3] = [-5e-4, 0.0, 5e-4];
/// Points between two temperatures.
const BETWEEN: usize = 20;
/// Scale error of the temperatures, share (assumed, see limits).
const SCALE: f64 = 0.025;

/// The class of stars.
#[derive(Debug, Clone)]
pub(crate) struct StarFits {
    ln_t: Vec<f64>,
    ln_e: Vec<f64>,
    ln_dwarfs: Vec<f64>,
    /// ln of the evidence of all stars.
    pub(crate) ln_evidence: f64,
    pub(crate) chi2_min: f64,
}

/// Fits all stars.
pub(crate) fn fit(work: &mut Workspace, s: &Samples, stars: &[Star]) -> StarFits {
    let (mut ln_t, mut ln_e, mut ln_dwarfs, mut chi2_min) = (vec![], vec![], vec![], f64::INFINITY);
    for star in stars {
        let mut e = [0.0; SHIFTS.len()];
        for (k, shift) in SHIFTS.iter().enumerate() {
            let fit = work.fit(s, &star.set, *shift);
            e[k] = fit.ln_evidence;
            chi2_min = chi2_min.min(fit.chi2);
        }
        if star.white_dwarf {
            ln_dwarfs.push(ln_mean(&e));
        } else {
            ln_t.push(star.teff.ln());
            ln_e.push(ln_mean(&e));
        }
    }
    let mut fits = StarFits { ln_t, ln_e, ln_dwarfs, ln_evidence: 0.0, chi2_min };
    let common: Vec<f64> = fits.fine(1.0).iter().map(|p| p.1).collect();
    // White dwarfs are 1 % of stars (assumed).
    fits.ln_evidence = ln_mean(&[ln_mean(&common) + 0.99_f64.ln(), ln_mean(&fits.ln_dwarfs) + 0.01_f64.ln()]) + 2.0_f64.ln();
    fits
}

impl StarFits {
    fn fine(&self, temperature: f64) -> Vec<(f64, f64)> {
        let n = self.ln_t.len();
        let mut out = Vec::with_capacity(n * BETWEEN);
        for k in 0..=(n - 1) * BETWEEN {
            let x = k as f64 / BETWEEN as f64;
            let m = (x.round() as usize).clamp(1, n - 2);
            let d = x - m as f64;
            let (a, b, c) = (self.ln_e[m - 1], self.ln_e[m], self.ln_e[m + 1]);
            let value = b + 0.5 * d * (c - a) + 0.5 * d * d * (a - 2.0 * b + c);
            out.push((self.ln_t[0] + x * (self.ln_t[1] - self.ln_t[0]), value / temperature));
        }
        out
    }
    /// Temperature and its error.
    pub(crate) fn parameters(&self, temperature: f64) -> StarParameters {
        let fine = self.fine(temperature);
        let top = fine.iter().map(|p| p.1).fold(f64::NEG_INFINITY, f64::max);
        let weights: Vec<f64> = fine.iter().map(|p| (p.1 - top).exp()).collect();
        let total: f64 = weights.iter().sum();
        let mean = fine.iter().zip(&weights).map(|(p, w)| p.0 * w).sum::<f64>() / total;
        let var = fine.iter().zip(&weights).map(|(p, w)| (p.0 - mean).powi(2) * w).sum::<f64>() / total;
        let quantile = |q: f64| {
            let mut sum = 0.0;
            fine.iter().zip(&weights).find(|(_, w)| {
                sum += *w;
                sum >= q * total
            })
        };
        let at = |q: f64| quantile(q).map_or(f64::NAN, |(p, _)| p.0.exp());
        let (dwarfs, common) = (
            ln_mean(&self.ln_dwarfs) / temperature + 0.01_f64.ln(),
            ln_mean(&fine.iter().map(|p| p.1).collect::<Vec<_>>()) + 0.99_f64.ln(),
        );
        StarParameters {
            teff_k: mean.exp(),
            teff_error_k: mean.exp() * var.sqrt().hypot(SCALE),
            teff_range_k: (at(0.16), at(0.84)),
            white_dwarf: 1.0 / (1.0 + (common - dwarfs).exp()),
        }
    }
}
