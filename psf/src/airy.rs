//! The image of a star through a perfect circular pupil, with or without a central obscuration.
//!
//! # Effect
//! Diffraction alone.
//!
//! # Formula
//! `T(f) = [A(1, 1, d) - 2 A(1, e, d) + A(e, e, d)] / (pi (1 - e^2))`, A the area common to two discs of the given radii
//! whose centres are `d = 2 |f| lambda / D` apart.
//!
//! # Symbols
//! `lambda` wavelength; `D` diameter; `e` diameter of the obscuration over D (GalSim's `obscuration`); `f` frequency.
//!
//! # Source
//! Goodman, Introduction to Fourier Optics, 3rd ed., sect. 6.3; the area of two circles' lens is elementary geometry.
//!
//! # Limits
//! No struts, no wavefront.
//!
//! # Twin
//! None: the reduction measures its PSF from stars.

use crate::kernels::diffraction_mtf;
use crate::optical::{check_wavelength, out_of_range, resolution_arcsec, wing_radius};
use num_complex::Complex64;
use sim_core::psf::{Psf, PsfError, Transfer};
use sim_core::units::{FocalPoint, Nanometre};
use std::f64::consts::PI;

/// Perfect circular pupil.
#[derive(Debug, Clone, PartialEq)]
pub struct Airy {
    diameter_m: f64,
    obscuration: f64,
}

impl Airy {
    /// A pupil of this diameter, with a central obscuration of `obscuration` times its diameter.
    ///
    /// # Errors
    /// When the diameter is not positive or the obscuration outside 0..1.
    pub fn new(diameter_m: f64, obscuration: f64) -> Result<Self, PsfError> {
        if !(diameter_m > 0.0 && diameter_m < 1000.0) {
            return Err(out_of_range("diameter", diameter_m, "m", "0 (excluded) to 1000"));
        }
        if !(0.0..1.0).contains(&obscuration) {
            return Err(out_of_range("obscuration", obscuration, "1", "0 to 1 (excluded)"));
        }
        Ok(Self { diameter_m, obscuration })
    }
}

impl Psf for Airy {
    fn transfer(&self, _: FocalPoint, wavelength: Nanometre) -> Result<Box<dyn Transfer>, PsfError> {
        check_wavelength(wavelength)?;
        Ok(Box::new(AiryTransfer { scale_arcsec: resolution_arcsec(wavelength.0, self.diameter_m), obscuration: self.obscuration }))
    }
    fn is_uniform(&self) -> bool {
        true
    }
}

/// An Airy pattern given by lambda / D, the same at every wavelength: for stamps.
#[derive(Debug, Clone, PartialEq)]
pub struct FixedAiry(AiryTransfer);

impl FixedAiry {
    /// From lambda / D \[arcsec\] and the linear obscuration.
    ///
    /// # Errors
    /// When lambda / D is not positive or the obscuration outside 0..1.
    pub fn new(lam_over_diam_arcsec: f64, obscuration: f64) -> Result<Self, PsfError> {
        if !(lam_over_diam_arcsec > 0.0 && lam_over_diam_arcsec.is_finite()) {
            return Err(out_of_range("lam_over_diam", lam_over_diam_arcsec, "arcsec", "positive numbers"));
        }
        if !(0.0..1.0).contains(&obscuration) {
            return Err(out_of_range("obscuration", obscuration, "1", "0 to 1 (excluded)"));
        }
        Ok(Self(AiryTransfer { scale_arcsec: lam_over_diam_arcsec, obscuration }))
    }
}

impl Psf for FixedAiry {
    fn transfer(&self, _: FocalPoint, _: Nanometre) -> Result<Box<dyn Transfer>, PsfError> {
        Ok(Box::new(self.0.clone()))
    }
    fn is_uniform(&self) -> bool {
        true
    }
    fn is_achromatic(&self) -> bool {
        true
    }
}

/// Transfer function of a perfect pupil.
#[derive(Debug, Clone, PartialEq)]
struct AiryTransfer {
    scale_arcsec: f64,
    obscuration: f64,
}

/// Area common to discs of radii a >= b with centres d apart.
fn common_area(a: f64, b: f64, d: f64) -> f64 {
    if d >= a + b {
        return 0.0;
    }
    if d <= a - b {
        return PI * b * b;
    }
    // Half angles under which the chord is seen from both centres.
    let alpha = ((d * d + a * a - b * b) / (2.0 * d * a)).clamp(-1.0, 1.0).acos();
    let beta = ((d * d + b * b - a * a) / (2.0 * d * b)).clamp(-1.0, 1.0).acos();
    a * a * (alpha - 0.5 * (2.0 * alpha).sin()) + b * b * (beta - 0.5 * (2.0 * beta).sin())
}

impl AiryTransfer {
    fn mtf(&self, f: f64) -> f64 {
        let nu = f * self.scale_arcsec;
        if nu >= 1.0 {
            return 0.0;
        }
        let e = self.obscuration;
        if e == 0.0 {
            return diffraction_mtf(nu);
        }
        let d = 2.0 * nu;
        (common_area(1.0, 1.0, d) - 2.0 * common_area(1.0, e, d) + common_area(e, e, d)) / (PI * (1.0 - e * e))
    }
}

/// Relative frequency at which the transfer function of a perfect pupil falls to `tolerance`.
pub(crate) fn diffraction_cutoff(tolerance: f64) -> f64 {
    let (mut low, mut high) = (0.0, 1.0);
    for _ in 0..60 {
        let middle = 0.5 * (low + high);
        if diffraction_mtf(middle) > tolerance { low = middle } else { high = middle }
    }
    high
}

impl Transfer for AiryTransfer {
    fn at(&self, fx: f64, fy: f64) -> Complex64 {
        Complex64::new(self.mtf(fx.hypot(fy)), 0.0)
    }
    fn cutoff(&self, tolerance: f64) -> f64 {
        // An annulus is below 1 / (1 - e^2) of the full disc everywhere, and equal to it in the outer part.
        diffraction_cutoff(tolerance * (1.0 - self.obscuration * self.obscuration)) / self.scale_arcsec
    }
    fn radius_of_brightness(&self, level: f64) -> f64 {
        wing_radius(level, self.scale_arcsec, self.obscuration)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const AT: FocalPoint = FocalPoint { x_deg: 0.0, y_deg: 0.0 };

    #[test]
    fn a_perfect_pupil_has_the_textbook_transfer_function() {
        let t = FixedAiry::new(0.1, 0.0).unwrap().transfer(AT, Nanometre(500.0)).unwrap();
        assert_eq!(t.at(0.0, 0.0).re, 1.0);
        // nu = 1/2: (2/pi) (pi/3 - sqrt(3)/4)
        assert!((t.at(3.0, 4.0).re - 2.0 / PI * (PI / 3.0 - 3f64.sqrt() / 4.0)).abs() < 1e-15);
        assert_eq!(t.at(10.0, 0.0).re, 0.0);
    }

    #[test]
    fn an_obscured_pupil_beyond_its_outer_half_differs_only_by_area() {
        let (full, ring) = (AiryTransfer { scale_arcsec: 0.1, obscuration: 0.0 }, AiryTransfer { scale_arcsec: 0.1, obscuration: 0.3 });
        // d > 1 + e: the obscurations no longer overlap the other pupil.
        for f in [6.6, 8.0, 9.9] {
            assert!((ring.mtf(f) * (1.0 - 0.09) - full.mtf(f)).abs() < 1e-15);
        }
        assert!((ring.mtf(0.0) - 1.0).abs() < 1e-15);
        // Vanishing obscuration is no obscuration.
        let tiny = AiryTransfer { scale_arcsec: 0.1, obscuration: 1e-9 };
        assert!((tiny.mtf(3.3) - full.mtf(3.3)).abs() < 1e-15);
    }

    #[test]
    fn beyond_the_cutoff_the_transfer_function_is_below_the_tolerance() {
        for e in [0.0, 0.2, 0.5] {
            let t = AiryTransfer { scale_arcsec: 0.065, obscuration: e };
            for tolerance in [1e-1, 1e-3, 1e-6] {
                let cut = t.cutoff(tolerance);
                assert!((0..200).all(|i| t.mtf(cut + f64::from(i) * 0.1) <= tolerance * (1.0 + 1e-7)), "e {e} tolerance {tolerance}");
            }
        }
    }

    #[test]
    fn beyond_the_radius_the_pattern_is_fainter_than_the_level() {
        for e in [0.0, 0.3] {
            let t = AiryTransfer { scale_arcsec: 0.1, obscuration: e };
            let peak = PI * (1.0 - e * e) / 4.0 / 0.01;
            let brightness = |r: f64| {
                let v = PI * r / 0.1;
                let amplitude = 2.0 * (crate::bessel::j(1, v) - e * crate::bessel::j(1, e * v)) / (v * (1.0 - e * e));
                peak * amplitude * amplitude
            };
            for level in [1.0, 1e-2, 1e-4] {
                let radius = t.radius_of_brightness(level);
                assert!((0..3000).all(|i| brightness(radius + 0.003 * f64::from(i)) <= level), "e {e} level {level}");
            }
        }
    }
}
