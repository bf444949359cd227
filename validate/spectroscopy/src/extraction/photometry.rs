//! The spectrum of a source as far as broad bands tell it.
//!
//! # Formula
//! `f_lambda = f_nu c / lambda^2`, `f_nu = 10^(-0.4 m) 3631e-23`; lg f_nu is linear in lg lambda between points, and constant beyond the outermost.
//! # Symbols
//! m  AB magnitude at the pivot wavelength of a band
//! # Source
//! Oke & Gunn 1983 (ApJ 266, 713).
//! # Limits
//! Breaks and lines between the bands are not known. Beyond the outermost points f_nu is held: [`Photometry::beyond_nm`] says over how many nm, and the frame's
//! result lists it.

use super::response::Curve;
use sim_core::bandpass::Bandpass;
use sim_core::units::{AB_ZERO_ERG_S_CM2_HZ, SPEED_OF_LIGHT_M_S};

/// c \[nm / s\].
const C_NM_S: f64 = SPEED_OF_LIGHT_M_S * 1e9;
/// Step of a broad-band spectrum \[nm\].
const STEP_NM: f64 = 1.0;

/// Flux density at a wavelength.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Point {
    /// Vacuum wavelength \[nm\].
    pub wavelength_nm: f64,
    /// f_lambda \[erg / s / cm2 / nm\], above 0.
    pub flux: f64,
}

impl Point {
    /// From an AB magnitude in a band, at its pivot wavelength.
    #[must_use]
    pub fn of_magnitude(ab_magnitude: f64, band: &Bandpass) -> Self {
        let wavelength_nm = band.pivot_nm();
        Self { wavelength_nm, flux: flux_of_ab(ab_magnitude, wavelength_nm) }
    }
}

/// f_lambda \[erg / s / cm2 / nm\] of an AB magnitude at a wavelength \[nm\].
#[must_use]
pub fn flux_of_ab(ab_magnitude: f64, wavelength_nm: f64) -> f64 {
    AB_ZERO_ERG_S_CM2_HZ * 10f64.powf(-0.4 * ab_magnitude) * C_NM_S / (wavelength_nm * wavelength_nm)
}

/// AB magnitude of a flux density f_lambda \[erg / s / cm2 / nm\] at a wavelength \[nm\].
#[must_use]
pub fn ab_of_flux(flux: f64, wavelength_nm: f64) -> f64 {
    -2.5 * (flux * wavelength_nm * wavelength_nm / C_NM_S / AB_ZERO_ERG_S_CM2_HZ).log10()
}

/// Brightness of a source in some bands.
#[derive(Debug, Clone, PartialEq)]
pub struct Photometry {
    /// Points, by rising wavelength; one at least.
    pub points: Vec<Point>,
}

impl Photometry {
    /// From points in any order.
    #[must_use]
    pub fn new(mut points: Vec<Point>) -> Self {
        points.sort_by(|a, b| a.wavelength_nm.total_cmp(&b.wavelength_nm));
        Self { points }
    }
    /// From one AB magnitude at a wavelength \[nm\]: constant f_nu.
    #[must_use]
    pub fn flat_ab(ab_magnitude: f64, wavelength_nm: f64) -> Self {
        Self { points: vec![Point { wavelength_nm, flux: flux_of_ab(ab_magnitude, wavelength_nm) }] }
    }
    /// f_lambda at a wavelength \[nm\].
    #[must_use]
    pub fn at(&self, wavelength_nm: f64) -> f64 {
        let nu = |p: &Point| p.flux * p.wavelength_nm * p.wavelength_nm;
        let (first, last) = (&self.points[0], &self.points[self.points.len() - 1]);
        let f_nu = if wavelength_nm <= first.wavelength_nm {
            nu(first)
        } else if wavelength_nm >= last.wavelength_nm {
            nu(last)
        } else {
            let i = self.points.partition_point(|p| p.wavelength_nm <= wavelength_nm).clamp(1, self.points.len() - 1);
            let (a, b) = (&self.points[i - 1], &self.points[i]);
            let t = (wavelength_nm / a.wavelength_nm).ln() / (b.wavelength_nm / a.wavelength_nm).ln();
            nu(a) * (nu(b) / nu(a)).powf(t)
        };
        f_nu / (wavelength_nm * wavelength_nm)
    }
    /// How far a range reaches beyond the outermost points \[nm\].
    #[must_use]
    pub fn beyond_nm(&self, range_nm: (f64, f64)) -> f64 {
        let (first, last) = (self.points[0].wavelength_nm, self.points[self.points.len() - 1].wavelength_nm);
        (first - range_nm.0).max(0.0) + (range_nm.1 - last).max(0.0)
    }
    /// On even steps of 1 nm over a range \[nm\].
    #[must_use]
    pub fn curve(&self, range_nm: (f64, f64)) -> Curve {
        Curve::sample(range_nm.0, range_nm.1, STEP_NM, |w| self.at(w))
    }
    /// What is wrong with it, if anything.
    pub(crate) fn fault(&self) -> Option<String> {
        if self.points.is_empty() {
            return Some("photometry without a point; leave it out (None) where there is none".into());
        }
        let bad =
            self.points.iter().find(|p| !(p.flux.is_finite() && p.flux > 0.0 && p.wavelength_nm.is_finite() && p.wavelength_nm > 0.0));
        if let Some(p) = bad {
            return Some(format!("flux density {} at {} nm: both must be finite and above 0", p.flux, p.wavelength_nm));
        }
        let twice = self.points.windows(2).find(|w| w[1].wavelength_nm <= w[0].wavelength_nm);
        twice.map(|w| format!("photometry: wavelength {} nm does not rise", w[1].wavelength_nm))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_magnitude_is_constant_in_f_nu_and_comes_back() {
        let p = Photometry::flat_ab(21.3, 700.0);
        for w in [300.0, 700.0, 950.0] {
            assert!((ab_of_flux(p.at(w), w) - 21.3).abs() < 1e-12);
        }
        // 3631 Jy at 550 nm is 3.60e-8 erg / s / cm2 / nm (Bessell, Castelli & Plez 1998: 363.1e-11 per Angstrom).
        assert!((flux_of_ab(0.0, 547.7) / 3.631e-8 - 1.0).abs() < 2e-3);
    }

    #[test]
    fn points_are_met_and_the_reach_beyond_them_is_told() {
        let points = vec![Point { wavelength_nm: 800.0, flux: 2e-17 }, Point { wavelength_nm: 600.0, flux: 1e-17 }];
        let p = Photometry::new(points);
        assert!((p.at(600.0) - 1e-17).abs() < 1e-30 && (p.at(800.0) / 2e-17 - 1.0).abs() < 1e-12);
        assert!(p.at(700.0) > 1e-17 && p.at(700.0) < 2e-17);
        assert_eq!(p.beyond_nm((550.0, 1000.0)), 250.0);
    }
}
