//! Gaussian profile.
//!
//! # Effect
//! A simple stand-in for a PSF, for tests, comparisons and quick looks.
//!
//! # Formula
//! `T(f) = exp(-2 pi^2 sigma^2 f^2)`, `sigma = FWHM / (2 sqrt(2 ln 2))`.
//!
//! # Symbols
//! `f` frequency \[cycles / arcsec\]; `sigma` standard deviation per axis, `FWHM` \[arcsec\].
//!
//! # Source
//! Elementary. Conventions of GalSim.
//!
//! # Limits
//! None.
//!
//! # Twin
//! None: the reduction measures its PSF from stars.

use crate::optical::out_of_range;
use sim_core::psf::{Psf, PsfError, Transfer};
use sim_core::units::{FocalPoint, Nanometre};
use std::f64::consts::LN_2;

/// Circular Gaussian.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Gaussian {
    sigma_arcsec: f64,
}

pub(crate) fn positive(key: &str, value: f64, unit: &'static str) -> Result<f64, PsfError> {
    if value > 0.0 && value.is_finite() { Ok(value) } else { Err(out_of_range(key, value, unit, "positive numbers")) }
}

impl Gaussian {
    /// From the standard deviation per axis.
    ///
    /// # Errors
    /// When it is not positive.
    pub fn from_sigma(sigma_arcsec: f64) -> Result<Self, PsfError> {
        Ok(Self { sigma_arcsec: positive("sigma", sigma_arcsec, "arcsec")? })
    }
    /// From the full width at half maximum.
    ///
    /// # Errors
    /// When it is not positive.
    pub fn from_fwhm(fwhm_arcsec: f64) -> Result<Self, PsfError> {
        Self::from_sigma(positive("fwhm", fwhm_arcsec, "arcsec")? / (8.0 * LN_2).sqrt())
    }
}

impl Psf for Gaussian {
    fn transfer(&self, _: FocalPoint, _: Nanometre) -> Result<Box<dyn Transfer>, PsfError> {
        let variance = self.sigma_arcsec * self.sigma_arcsec;
        Ok(Box::new(crate::blur::GaussianTransfer { xx: variance, xy: 0.0, yy: variance }))
    }
    fn is_uniform(&self) -> bool {
        true
    }
    fn is_achromatic(&self) -> bool {
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use num_complex::Complex64;
    use std::f64::consts::TAU;

    const AT: FocalPoint = FocalPoint { x_deg: 0.0, y_deg: 0.0 };
    const WAVE: Nanometre = Nanometre(600.0);

    #[test]
    fn a_gaussian_falls_to_exp_minus_half_at_one_over_two_pi_sigma() {
        let t = Gaussian::from_sigma(0.1).unwrap().transfer(AT, WAVE).unwrap();
        let f = 1.0 / (TAU * 0.1);
        assert!((t.at(0.6 * f, 0.8 * f).re - (-0.5f64).exp()).abs() < 1e-15);
        assert_eq!(t.at(0.0, 0.0), Complex64::new(1.0, 0.0));
        let cut = t.cutoff(1e-5);
        assert!((t.at(cut, 0.0).re / 1e-5 - 1.0).abs() < 1e-12);
        // Brightness exp(-r^2 / 2 sigma^2) / (2 pi sigma^2).
        let r = t.radius_of_brightness(1e-3);
        assert!(((-r * r / 0.02).exp() / (TAU * 0.01) / 1e-3 - 1.0).abs() < 1e-12);
        // FWHM / sigma = 2.354820045.
        let same = Gaussian::from_fwhm(0.235_482_004_5).unwrap().transfer(AT, WAVE).unwrap();
        assert!((same.at(f, f).re - t.at(f, f).re).abs() < 1e-9);
    }

    #[test]
    fn impossible_widths_are_refused() {
        assert!(Gaussian::from_fwhm(-1.0).is_err());
        assert!(Gaussian::from_sigma(f64::INFINITY).is_err());
    }
}
