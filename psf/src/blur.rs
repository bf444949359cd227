//! What smears the image after the optics: jitter, drift, charge diffusion; and the composition of PSFs.
//!
//! # Effect
//! The line of sight trembles (jitter) and creeps (drift) during the exposure; charge diffuses sideways in the
//! detector before it is collected. Each convolves the image.
//!
//! # Formula
//! Transfer functions multiply. Jitter and diffusion: `exp(-2 pi^2 f.S.f)`; drift: `sinc(f.d) = sin(pi f.d) / (pi f.d)`.
//!
//! # Symbols
//! `S` covariance of the displacement \[arcsec^2\]; `d` drift vector \[arcsec\]; `f` frequency \[cycles / arcsec\].
//!
//! # Source
//! Gaussian jitter: O'Neill 1963, Introduction to Statistical Optics (as used throughout); Gaussian diffusion:
//! Fairfield, Groom, Bailey et al. 2006 (IEEE Trans. Nucl. Sci. 53, 3877). The numbers are the instrument file's.
//!
//! # Limits
//! Jitter fast against the exposure; drift uniform in time; diffusion Gaussian and the same over the detector, with a
//! width linear in wavelength (blue light is absorbed farther from the gates).
//!
//! # Twin
//! None: the reduction measures its PSF, blur included, from stars.

use crate::kernels::exp_negative;
use crate::optical::{check_wavelength, out_of_range};
use num_complex::Complex64;
use sim_core::psf::{Psf, PsfError, Transfer};
use sim_core::units::{FocalPoint, Nanometre};
use std::f64::consts::{PI, TAU};

/// Several PSFs, one convolved with the next.
pub struct Convolved<'a> {
    /// The parts.
    pub parts: Vec<Box<dyn Psf + 'a>>,
}

impl<'a> Convolved<'a> {
    /// A PSF with a Gaussian blur on top.
    ///
    /// # Errors
    /// When the deviation is negative.
    pub fn blurred(psf: &'a dyn Psf, sigma_arcsec: f64) -> Result<Self, PsfError> {
        Ok(Self { parts: vec![Box::new(psf), Box::new(Jitter::new(sigma_arcsec, sigma_arcsec, 0.0)?)] })
    }
}

impl Psf for Convolved<'_> {
    fn transfer(&self, at: FocalPoint, wavelength: Nanometre) -> Result<Box<dyn Transfer>, PsfError> {
        let parts = self.parts.iter().map(|p| p.transfer(at, wavelength)).collect::<Result<_, _>>()?;
        Ok(Box::new(Product { parts }))
    }
    fn transfers(&self, at: FocalPoint, wavelengths: &[Nanometre]) -> Result<Vec<Box<dyn Transfer>>, PsfError> {
        let mut products: Vec<Product> = wavelengths.iter().map(|_| Product { parts: Vec::with_capacity(self.parts.len()) }).collect();
        for part in &self.parts {
            for (product, transfer) in products.iter_mut().zip(part.transfers(at, wavelengths)?) {
                product.parts.push(transfer);
            }
        }
        Ok(products.into_iter().map(|p| Box::new(p) as Box<dyn Transfer>).collect())
    }
    fn is_uniform(&self) -> bool {
        self.parts.iter().all(|p| p.is_uniform())
    }
    fn is_achromatic(&self) -> bool {
        self.parts.iter().all(|p| p.is_achromatic())
    }
    fn contains_pixel_response(&self) -> bool {
        self.parts.iter().any(|p| p.contains_pixel_response())
    }
}

/// Product of transfer functions.
struct Product {
    parts: Vec<Box<dyn Transfer>>,
}

impl Transfer for Product {
    fn at(&self, fx: f64, fy: f64) -> Complex64 {
        self.parts.iter().map(|p| p.at(fx, fy)).product()
    }
    fn cutoff(&self, tolerance: f64) -> f64 {
        // |T| <= 1, so the product is below the tolerance where any part is; together they get there earlier: rings
        // from there inwards, until one is above.
        let first = self.parts.iter().map(|p| p.cutoff(tolerance)).fold(f64::INFINITY, f64::min);
        if !first.is_finite() || self.parts.len() < 2 {
            return first;
        }
        const RINGS: usize = 64;
        const ANGLES: usize = 16;
        let directions: [(f64, f64); ANGLES] = std::array::from_fn(|k| (PI * (k as f64 + 0.5) / ANGLES as f64).sin_cos());
        let mut values = [Complex64::default(); ANGLES];
        let radius = |ring: usize| first * ring as f64 / RINGS as f64;
        let above = (1..RINGS).rev().find(|&ring| {
            let r = radius(ring);
            self.sample(&directions.map(|d| r * d.1), &directions.map(|d| r * d.0), &mut values);
            values.iter().any(|v| v.norm() > tolerance)
        });
        // One ring of margin.
        radius((above.unwrap_or(0) + 2).min(RINGS))
    }
    fn radius_of_brightness(&self, level: f64) -> f64 {
        // For two parts A * B with r = rA + rB: where |y| < rB, A(x - y) <= level / n; elsewhere B(y) <= level / n;
        // both of unit flux, so the sum is below 2 level / n. Likewise for more.
        let share = level / self.parts.len().max(1) as f64;
        self.parts.iter().map(|p| p.radius_of_brightness(share)).sum()
    }
    fn sample(&self, fx: &[f64], fy: &[f64], out: &mut [Complex64]) {
        let Some((first, rest)) = self.parts.split_first() else {
            out.fill(Complex64::new(1.0, 0.0));
            return;
        };
        first.sample(fx, fy, out);
        let mut factor = [Complex64::default(); 256];
        for part in rest {
            for ((fx, fy), out) in fx.chunks(256).zip(fy.chunks(256)).zip(out.chunks_mut(256)) {
                let factor = &mut factor[..out.len()];
                part.sample(fx, fy, factor);
                for (o, f) in out.iter_mut().zip(factor) {
                    *o *= *f;
                }
            }
        }
    }
}

/// Gaussian jitter of the line of sight.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Jitter(GaussianTransfer);

fn not_negative(key: &str, value: f64, unit: &'static str) -> Result<f64, PsfError> {
    if value >= 0.0 && value.is_finite() { Ok(value) } else { Err(out_of_range(key, value, unit, "0 and above")) }
}

impl Jitter {
    /// From the standard deviations along x and y and their correlation.
    ///
    /// # Errors
    /// When a deviation is negative or the correlation outside -1..1.
    pub fn new(sigma_x_arcsec: f64, sigma_y_arcsec: f64, correlation: f64) -> Result<Self, PsfError> {
        let x = not_negative("blur.jitter_x", sigma_x_arcsec, "arcsec")?;
        let y = not_negative("blur.jitter_y", sigma_y_arcsec, "arcsec")?;
        if !(-1.0..=1.0).contains(&correlation) {
            return Err(out_of_range("blur.jitter_correlation", correlation, "1", "-1 to 1"));
        }
        Ok(Self(GaussianTransfer { xx: x * x, xy: correlation * x * y, yy: y * y }))
    }
}

impl Psf for Jitter {
    fn transfer(&self, _: FocalPoint, _: Nanometre) -> Result<Box<dyn Transfer>, PsfError> {
        Ok(Box::new(self.0))
    }
    fn is_uniform(&self) -> bool {
        true
    }
    fn is_achromatic(&self) -> bool {
        true
    }
}

/// Sideways diffusion of charge before collection.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Diffusion {
    sigma_arcsec: f64,
    slope_arcsec_per_um: f64,
    reference_nm: f64,
}

impl Diffusion {
    /// From the standard deviation per axis at `reference_nm` and its change with wavelength.
    ///
    /// # Errors
    /// When a number is not finite, or the deviation negative.
    pub fn new(sigma_arcsec: f64, slope_arcsec_per_um: f64, reference_nm: f64) -> Result<Self, PsfError> {
        not_negative("blur.diffusion", sigma_arcsec, "arcsec")?;
        not_negative("blur.diffusion_slope", slope_arcsec_per_um.abs(), "arcsec/um")?;
        not_negative("blur.diffusion_reference", reference_nm, "nm")?;
        Ok(Self { sigma_arcsec, slope_arcsec_per_um, reference_nm })
    }
}

impl Psf for Diffusion {
    fn transfer(&self, _: FocalPoint, wavelength: Nanometre) -> Result<Box<dyn Transfer>, PsfError> {
        check_wavelength(wavelength)?;
        // A slope never makes the width negative.
        let sigma = (self.sigma_arcsec + self.slope_arcsec_per_um * (wavelength.0 - self.reference_nm) * 1e-3).max(0.0);
        Ok(Box::new(GaussianTransfer { xx: sigma * sigma, xy: 0.0, yy: sigma * sigma }))
    }
    fn is_uniform(&self) -> bool {
        true
    }
    fn is_achromatic(&self) -> bool {
        self.slope_arcsec_per_um == 0.0
    }
}

/// Uniform drift of the line of sight during the exposure.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Drift {
    x_arcsec: f64,
    y_arcsec: f64,
}

impl Drift {
    /// From the whole drift vector.
    ///
    /// # Errors
    /// When it is not finite or longer than an arcminute.
    pub fn new(x_arcsec: f64, y_arcsec: f64) -> Result<Self, PsfError> {
        let length = x_arcsec.hypot(y_arcsec);
        if length.is_nan() || length > 60.0 {
            return Err(out_of_range("blur.drift", length, "arcsec", "0 to 60"));
        }
        Ok(Self { x_arcsec, y_arcsec })
    }
}

impl Psf for Drift {
    fn transfer(&self, _: FocalPoint, _: Nanometre) -> Result<Box<dyn Transfer>, PsfError> {
        Ok(Box::new(*self))
    }
    fn is_uniform(&self) -> bool {
        true
    }
    fn is_achromatic(&self) -> bool {
        true
    }
}

impl Transfer for Drift {
    fn at(&self, fx: f64, fy: f64) -> Complex64 {
        let a = PI * (fx * self.x_arcsec + fy * self.y_arcsec);
        // sin(a) / a loses nothing down to the smallest numbers; only 0 needs its limit.
        Complex64::new(if a == 0.0 { 1.0 } else { a.sin() / a }, 0.0)
    }
    fn cutoff(&self, _: f64) -> f64 {
        // Across the drift nothing is lost.
        f64::INFINITY
    }
    fn radius_of_brightness(&self, _: f64) -> f64 {
        0.5 * self.x_arcsec.hypot(self.y_arcsec)
    }
}

/// Transfer function of a Gaussian with this covariance \[arcsec^2\].
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct GaussianTransfer {
    pub xx: f64,
    pub xy: f64,
    pub yy: f64,
}

impl GaussianTransfer {
    /// Variances along the principal axes, larger first.
    fn principal(&self) -> (f64, f64) {
        let (mean, half) = (0.5 * (self.xx + self.yy), (0.5 * (self.xx - self.yy)).hypot(self.xy));
        (mean + half, (mean - half).max(0.0))
    }
}

impl Transfer for GaussianTransfer {
    fn at(&self, fx: f64, fy: f64) -> Complex64 {
        let mut out = [Complex64::default()];
        self.sample(&[fx], &[fy], &mut out);
        out[0]
    }
    fn cutoff(&self, tolerance: f64) -> f64 {
        // The narrow axis of the image is the wide one of its transform.
        let small = self.principal().1;
        if small == 0.0 { f64::INFINITY } else { ((-tolerance.min(1.0).ln()) / (0.5 * TAU * TAU * small)).sqrt() }
    }
    fn radius_of_brightness(&self, level: f64) -> f64 {
        let (large, small) = self.principal();
        // A line of no width is given a hundredth of its length.
        let peak = 1.0 / (TAU * (large * small.max(1e-4 * large)).sqrt());
        (2.0 * large * (peak / level).ln().max(0.0)).sqrt()
    }
    fn sample(&self, fx: &[f64], fy: &[f64], out: &mut [Complex64]) {
        let k = 0.5 * TAU * TAU;
        sample_gaussian([k * self.xx, 2.0 * k * self.xy, k * self.yy], fx, fy, out);
    }
}

#[multiversion::multiversion(targets("x86_64+avx512f+avx512bw+avx512dq+avx512vl", "x86_64+avx2", "aarch64+neon"))]
fn sample_gaussian(k: [f64; 3], fx: &[f64], fy: &[f64], out: &mut [Complex64]) {
    for ((o, x), y) in out.iter_mut().zip(fx).zip(fy) {
        // A covariance is positive; rounding may leave -1e-20.
        let exponent = (k[0] * x * x + k[1] * x * y + k[2] * y * y).max(0.0);
        *o = Complex64::new(exp_negative(exponent), 0.0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::airy::Airy;

    const AT: FocalPoint = FocalPoint { x_deg: 0.1, y_deg: -0.2 };
    const WAVE: Nanometre = Nanometre(600.0);

    #[test]
    fn gaussian_blurs_add_their_variances() {
        let two =
            Convolved { parts: vec![Box::new(Jitter::new(0.03, 0.03, 0.0).unwrap()), Box::new(Diffusion::new(0.04, 0.0, 0.0).unwrap())] };
        let two = two.transfer(AT, WAVE).unwrap();
        let one = crate::analytic::Gaussian::from_sigma(0.05).unwrap().transfer(AT, WAVE).unwrap();
        for f in [0.0, 1.0, 3.3, 9.0] {
            assert!((two.at(f, 0.5 * f) - one.at(f, 0.5 * f)).norm() < 1e-14);
        }
        // Two rings of 64 of the narrower part's own cutoff.
        let cut = two.cutoff(1e-4) / one.cutoff(1e-4);
        assert!((1.0..1.05).contains(&cut), "{cut}");
        assert!(two.radius_of_brightness(1e-3) >= one.radius_of_brightness(1e-3));
    }

    #[test]
    fn an_elliptical_jitter_smears_along_its_own_axis() {
        // Fully correlated and equal: all motion along the diagonal.
        let t = Jitter::new(0.05, 0.05, 1.0).unwrap().transfer(AT, WAVE).unwrap();
        assert!((t.at(3.0, -3.0).re - 1.0).abs() < 1e-15);
        // Variance along the diagonal is 0.005: f = 2 sqrt 2 there.
        assert!((t.at(2.0, 2.0).re - (-0.5 * TAU * TAU * 0.005 * 8.0).exp()).abs() < 1e-14);
    }

    #[test]
    fn a_drift_of_one_cycle_removes_the_frequency() {
        let t = Drift::new(0.5, 0.0).unwrap().transfer(AT, WAVE).unwrap();
        assert!(t.at(2.0, 7.0).norm() < 1e-15);
        assert_eq!(t.at(0.0, 7.0).re, 1.0);
        assert!((t.at(1.0, 0.0).re - 2.0 / PI).abs() < 1e-15);
    }

    #[test]
    fn no_blur_gives_the_optics_back_bit_for_bit() {
        let airy = Airy::new(2.0, 0.0).unwrap().transfer(AT, WAVE).unwrap();
        let blurred = Convolved {
            parts: vec![
                Box::new(Airy::new(2.0, 0.0).unwrap()),
                Box::new(Jitter::new(0.0, 0.0, 0.0).unwrap()),
                Box::new(Drift::new(0.0, 0.0).unwrap()),
            ],
        };
        let blurred = blurred.transfer(AT, WAVE).unwrap();
        for f in [0.0, 1.7, 8.2, 20.0] {
            assert_eq!(airy.at(f, -f), blurred.at(f, -f));
        }
    }

    #[test]
    fn diffusion_grows_with_wavelength_by_its_slope() {
        let d = Diffusion::new(0.02, 0.01, 500.0).unwrap();
        let (a, b) = (d.transfer(AT, Nanometre(1500.0)).unwrap(), Jitter::new(0.03, 0.03, 0.0).unwrap().transfer(AT, WAVE).unwrap());
        assert!((a.at(4.0, 2.0) - b.at(4.0, 2.0)).norm() < 1e-15);
        assert!(!d.is_achromatic());
    }

    #[test]
    fn one_at_a_time_and_in_bulk_are_the_same() {
        let psf = Convolved {
            parts: vec![
                Box::new(Airy::new(2.0, 0.0).unwrap()),
                Box::new(Jitter::new(0.02, 0.01, 0.3).unwrap()),
                Box::new(Drift::new(0.03, 0.04).unwrap()),
            ],
        };
        let t = psf.transfer(AT, WAVE).unwrap();
        let fx: Vec<f64> = (0..700).map(|i| 0.01 * f64::from(i)).collect();
        let fy: Vec<f64> = (0..700).map(|i| 0.02 * f64::from(i) - 5.0).collect();
        let mut out = vec![Complex64::default(); 700];
        t.sample(&fx, &fy, &mut out);
        assert!((0..700).all(|i| out[i] == t.at(fx[i], fy[i])));
    }
}
