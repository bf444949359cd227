//! Encircled energy of a PSF, and the tuning of a model to a published radius.
//!
//! # Effect
//! REE80, the radius that holds 80 % of a star's light, is the number in which image quality is required and predicted.
//!
//! # Formula
//! `EE(R) = 2 pi R integral_0^inf T0(f) J1(2 pi f R) df`, T0 the mean of the transfer function over angle, with the
//! image centred on its centroid.
//!
//! # Symbols
//! `R` radius \[arcsec\]; `f` frequency \[cycles / arcsec\]; `T0` dimensionless; `J1` Bessel function.
//!
//! # Source
//! Goodman, Introduction to Fourier Optics, 3rd ed., sect. 2.1.5 (Fourier-Bessel transform), integrated over the disc.
//!
//! # Limits
//! The centroid is that of the low frequencies (a diffraction image has no second moment, but its phase near f = 0
//! is linear). Frequencies up to where |T| < 1e-7. Accuracy about 1e-5 of the flux for R below 2 arcsec.
//!
//! # Twin
//! None: a measure, not an effect.

use crate::bessel::j;
use crate::quadrature::panels;
use num_complex::Complex64;
use sim_core::psf::{Psf, PsfError, Transfer};
use sim_core::units::{FocalPoint, Nanometre};
use std::f64::consts::{PI, TAU};

const ANGLES: usize = 48;

/// The angular mean of a transfer function, ready for radii.
#[derive(Debug, Clone)]
pub struct EncircledEnergy {
    frequencies: Vec<f64>,
    /// Mean transfer function times quadrature weight.
    weighted: Vec<f64>,
    centroid_arcsec: (f64, f64),
}

impl EncircledEnergy {
    /// Of a PSF, optionally convolved with a square pixel of this side \[arcsec\].
    #[must_use]
    pub fn new(transfer: &dyn Transfer, pixel_arcsec: Option<f64>) -> Self {
        let end = transfer.cutoff(1e-7).min(1e4);
        let (f, w) = panels(0.0, end, 24, 12);
        // T ~ exp(-2 pi i f.c) near 0; the next term is of order |f| relative, and drops out of the difference.
        let step = end * 2e-3;
        let shift = |t: Complex64, step: f64| -t.arg() / (TAU * step);
        let along = |x: f64, y: f64| {
            let near = shift(transfer.at(step * x, step * y), step);
            2.0 * near - shift(transfer.at(2.0 * step * x, 2.0 * step * y), 2.0 * step)
        };
        let centre = (along(1.0, 0.0), along(0.0, 1.0));
        let (mut fx, mut fy) = (Vec::new(), Vec::new());
        for f in &f {
            for k in 0..ANGLES {
                let (s, c) = (PI * (k as f64 + 0.5) / ANGLES as f64).sin_cos();
                fx.push(f * c);
                fy.push(f * s);
            }
        }
        let mut values = vec![Complex64::default(); fx.len()];
        transfer.sample(&fx, &fy, &mut values);
        let weighted = w
            .iter()
            .enumerate()
            .map(|(i, w)| {
                let sum: f64 = (i * ANGLES..(i + 1) * ANGLES)
                    .map(|k| {
                        // The half turn left out is the conjugate: only the real part remains.
                        let back = Complex64::from_polar(1.0, TAU * (fx[k] * centre.0 + fy[k] * centre.1));
                        let pixel = pixel_arcsec.map_or(1.0, |p| sinc(fx[k] * p) * sinc(fy[k] * p));
                        (values[k] * back).re * pixel
                    })
                    .sum();
                w * sum / ANGLES as f64
            })
            .collect();
        Self { frequencies: f, weighted, centroid_arcsec: centre }
    }

    /// Fraction of the light inside a radius \[arcsec\].
    #[must_use]
    pub fn within(&self, radius_arcsec: f64) -> f64 {
        let k = TAU * radius_arcsec;
        k * self.frequencies.iter().zip(&self.weighted).map(|(f, w)| w * j(1, k * f)).sum::<f64>()
    }

    /// Radius \[arcsec\] that holds this fraction of the light; `None` when no radius below 100 arcsec does.
    #[must_use]
    pub fn radius(&self, fraction: f64) -> Option<f64> {
        if !(fraction > 0.0 && fraction < 1.0) {
            return None;
        }
        let (mut low, mut high) = (0.0, 0.25 / self.frequencies.last()?);
        while self.within(high) < fraction {
            low = high;
            high *= 1.3;
            if high > 100.0 {
                return None;
            }
        }
        for _ in 0..40 {
            let middle = 0.5 * (low + high);
            if self.within(middle) < fraction { low = middle } else { high = middle }
        }
        Some(0.5 * (low + high))
    }

    /// Centroid \[arcsec\] along x and y.
    #[must_use]
    pub fn centroid_arcsec(&self) -> (f64, f64) {
        self.centroid_arcsec
    }
}

fn sinc(x: f64) -> f64 {
    if x == 0.0 { 1.0 } else { (PI * x).sin() / (PI * x) }
}

/// A square of 5 x 5 field points, `half_x_deg` and `half_y_deg` from the boresight to its sides.
#[must_use]
pub fn field_points(half_x_deg: f64, half_y_deg: f64) -> Vec<FocalPoint> {
    let steps = [-1.0, -0.5, 0.0, 0.5, 1.0];
    steps.iter().flat_map(|y| steps.iter().map(move |x| FocalPoint { x_deg: x * half_x_deg, y_deg: y * half_y_deg })).collect()
}

/// Radius of this fraction of the light, averaged over field points \[arcsec\].
///
/// # Errors
/// When the PSF cannot be evaluated, or spreads its light over more than 100 arcsec.
pub fn mean_radius(
    psf: &dyn Psf,
    points: &[FocalPoint],
    wavelength: Nanometre,
    pixel_arcsec: Option<f64>,
    fraction: f64,
) -> Result<f64, PsfError> {
    let mut sum = 0.0;
    for &at in points {
        let energy = EncircledEnergy::new(psf.transfer(at, wavelength)?.as_ref(), pixel_arcsec);
        sum += energy.radius(fraction).ok_or(PsfError::OutOfRange {
            key: "fraction".into(),
            value: fraction,
            unit: "1",
            range: "0 to 1, reached within 100 arcsec",
        })?;
    }
    Ok(sum / points.len() as f64)
}

/// Factor between `low` and `high` at which the mean radius of `make(factor)` is the target, to 1e-5 of the interval.
/// The factor may scale the wavefront, the jitter or both; the radius must grow with it.
///
/// # Errors
/// When the target is not between the radii at the two ends, or the PSF cannot be evaluated.
pub fn tune(
    make: impl Fn(f64) -> Result<Box<dyn Psf>, PsfError>,
    radius: impl Fn(&dyn Psf) -> Result<f64, PsfError>,
    target_arcsec: f64,
    low: f64,
    high: f64,
) -> Result<f64, PsfError> {
    let excess = |factor: f64| Ok::<_, PsfError>(radius(make(factor)?.as_ref())? - target_arcsec);
    let (mut a, mut b) = (low, high);
    let (mut fa, mut fb) = (excess(a)?, excess(b)?);
    if fa > 0.0 || fb < 0.0 {
        return Err(PsfError::OutOfRange {
            key: "target".into(),
            value: target_arcsec,
            unit: "arcsec",
            range: "between the radii at both ends of the factor",
        });
    }
    // Regula falsi, Illinois variant.
    let mut side = 0;
    for _ in 0..60 {
        let c = (a * fb - b * fa) / (fb - fa);
        let fc = excess(c)?;
        if (b - a).abs() < 1e-5 * (high - low).abs() || fc.abs() < 1e-7 {
            return Ok(c);
        }
        if fc > 0.0 {
            (b, fb) = (c, fc);
            if side == 1 {
                fa *= 0.5;
            }
            side = 1;
        } else {
            (a, fa) = (c, fc);
            if side == -1 {
                fb *= 0.5;
            }
            side = -1;
        }
    }
    Ok(0.5 * (a + b))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::airy::FixedAiry;
    use crate::analytic::Gaussian;
    use crate::moffat::Moffat;
    use crate::optical::{OpticalPsf, WavefrontTerm};

    const AT: FocalPoint = FocalPoint { x_deg: 0.0, y_deg: 0.0 };
    const WAVE: Nanometre = Nanometre(632.8);

    #[test]
    fn the_dark_rings_of_airy_enclose_what_rayleigh_found() {
        // EE(v) = 1 - J0(v)^2 - J1(v)^2 (Rayleigh 1881): 83.8 % in the first dark ring, 91.0 % in the second.
        let t = FixedAiry::new(0.1, 0.0).unwrap().transfer(AT, WAVE).unwrap();
        let energy = EncircledEnergy::new(t.as_ref(), None);
        for (v, percent) in [(3.831_706, 83.8), (7.015_587, 91.0), (10.173_468, 93.8)] {
            let r = v / PI * 0.1;
            let closed = 1.0 - j(0, v).powi(2) - j(1, v).powi(2);
            assert!((100.0 * closed - percent).abs() < 0.05);
            assert!((energy.within(r) - closed).abs() < 1e-5, "v = {v}: {} {closed}", energy.within(r));
        }
        // 1.22 lambda / D.
        assert!((energy.within(0.122) - 0.838).abs() < 1e-3);
    }

    #[test]
    fn the_radius_of_a_gaussian_has_a_closed_form() {
        // EE = 1 - exp(-R^2 / 2 sigma^2).
        let t = Gaussian::from_sigma(0.07).unwrap().transfer(AT, WAVE).unwrap();
        let energy = EncircledEnergy::new(t.as_ref(), None);
        for fraction in [0.5f64, 0.8, 0.95] {
            let closed = 0.07 * (-2.0 * (1.0 - fraction).ln()).sqrt();
            assert!((energy.radius(fraction).unwrap() - closed).abs() < 1e-5, "{fraction}");
        }
        assert_eq!(energy.radius(1.0), None);
    }

    #[test]
    fn a_moffat_encloses_its_closed_form() {
        // EE = 1 - (1 + (R/a)^2)^(1 - beta).
        let (fwhm, beta) = (0.2f64, 3.5f64);
        let a = 0.5 * fwhm / (2f64.powf(1.0 / beta) - 1.0).sqrt();
        let energy = EncircledEnergy::new(Moffat::new(fwhm, beta, None).unwrap().transfer(AT, WAVE).unwrap().as_ref(), None);
        for r in [0.05, 0.12, 0.3] {
            let closed = 1.0 - (1.0 + (r / a) * (r / a)).powf(1.0 - beta);
            assert!((energy.within(r) - closed).abs() < 1e-5);
        }
    }

    #[test]
    fn a_pixel_adds_its_second_moment_to_a_wide_gaussian() {
        // Variance per axis p^2 / 12; the fourth cumulant -p^4 / 120 shifts R by some 1e-5 for p = sigma.
        let (sigma, pixel) = (0.1f64, 0.05f64);
        let t = Gaussian::from_sigma(sigma).unwrap().transfer(AT, WAVE).unwrap();
        let with = EncircledEnergy::new(t.as_ref(), Some(pixel)).radius(0.8).unwrap();
        let closed = (sigma * sigma + pixel * pixel / 12.0).sqrt() * (2.0 * 5f64.ln()).sqrt();
        assert!((with - closed).abs() < 2e-5, "{with} {closed}");
    }

    #[test]
    fn coma_moves_the_centroid_by_its_mean_slope_and_the_radius_is_about_the_centroid() {
        // Z8 = sqrt(8) (3 r^2 - 2) x: mean slope over the disc along x is sqrt(8) (over the pupil radius),
        // from the boundary integral of Z8 cos a; the radius is 1 m.
        let term = |noll| vec![WavefrontTerm { noll, opd_nm: vec![40.0], chromatic_nm_per_um: vec![] }];
        let energy = |noll| EncircledEnergy::new(OpticalPsf::new(2.0, term(noll), 0.0).unwrap().transfer(AT, WAVE).unwrap().as_ref(), None);
        let (x, y) = energy(8).centroid_arcsec();
        let expected = 40e-9 * 8f64.sqrt() / sim_core::units::RADIAN_PER_ARCSECOND;
        assert!((x.abs() / expected - 1.0).abs() < 1e-3 && y.abs() < 1e-8, "{x} {expected}");
        assert!((energy(7).radius(0.8).unwrap() - energy(8).radius(0.8).unwrap()).abs() < 1e-6);
    }

    #[test]
    fn a_tuned_wavefront_reaches_its_target() {
        let base =
            OpticalPsf::new(2.0, vec![WavefrontTerm { noll: 4, opd_nm: vec![20.0, 10.0, 0.0], chromatic_nm_per_um: vec![] }], 0.0).unwrap();
        let points = field_points(0.5, 0.5);
        let radius = |psf: &dyn Psf| mean_radius(psf, &points, WAVE, None, 0.8);
        let make = |factor| Ok(Box::new(base.scaled(factor)) as Box<dyn Psf>);
        let factor = tune(make, radius, 0.09, 0.0, 4.0).unwrap();
        assert!((radius(&base.scaled(factor)).unwrap() - 0.09).abs() < 1e-6);
        // Diffraction alone already spreads wider than this.
        assert!(tune(make, radius, 0.03, 0.0, 4.0).is_err());
    }
}
