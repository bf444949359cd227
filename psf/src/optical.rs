//! The image of a star through an unobstructed circular pupil with a Zernike wavefront.
//!
//! # Effect
//! Diffraction at the pupil and errors of the wavefront, which vary over the field and, where refraction takes part,
//! with wavelength, spread the light of a point.
//!
//! # Formula
//! `W(x; field, lambda) = sum over j of [P_j(field) + C_j(field) (lambda - lambda_0)] Z_j(x)`; the transfer function
//! of W is in the module `otf`.
//!
//! # Symbols
//! `Z_j` Zernike polynomial of Noll index j ([`crate::zernike`]); `P_j`, `C_j` polynomials in the focal-plane
//! position \[deg\], values in nm of optical path and nm/um; `lambda` wavelength; `x` pupil position over its radius.
//!
//! # Source
//! Noll 1976 (J. Opt. Soc. Am. 66, 207) for the order and norm of `Z_j`; the sign of W and the orientation (+x of the
//! pupil is +x of the detector) are those of GalSim's `OpticalPSF`.
//!
//! # Limits
//! Circular unobstructed pupil; Noll indices 4 to 36 (tilts would only move the image, and belong to the distortion).
//!
//! # Twin
//! None: the reduction measures its PSF from stars.

use crate::otf::{Pair, Table, tabulate};
use crate::zernike::Zernike;
use num_complex::Complex64;
use sim_core::psf::{Psf, PsfError, Transfer};
use sim_core::units::{FocalPoint, Nanometre, RADIAN_PER_ARCSECOND};
use std::f64::consts::PI;

/// One Zernike term of the wavefront and how it varies over the field.
#[derive(Debug, Clone, PartialEq)]
pub struct WavefrontTerm {
    /// Noll index, 4 to 36.
    pub noll: u32,
    /// Polynomial over the focal plane, `1, x, y, x^2, xy, y^2, ...` with x, y in degrees \[nm\].
    pub opd_nm: Vec<f64>,
    /// Its change with wavelength, in the same order \[nm/um\]. Empty: none.
    pub chromatic_nm_per_um: Vec<f64>,
}

/// Circular pupil with a Zernike wavefront.
#[derive(Debug, Clone, PartialEq)]
pub struct OpticalPsf {
    diameter_m: f64,
    terms: Vec<WavefrontTerm>,
    chromatic_reference_nm: f64,
    scale: f64,
}

/// Value of a polynomial `1, x, y, x^2, xy, y^2, ...`.
fn polynomial(coefficients: &[f64], x: f64, y: f64) -> f64 {
    let (mut degree, mut place, mut sum) = (0, 0, 0.0);
    for c in coefficients {
        sum += c * x.powi(degree - place) * y.powi(place);
        if place == degree {
            degree += 1;
            place = 0;
        } else {
            place += 1;
        }
    }
    sum
}

fn is_triangular(n: usize) -> bool {
    [1, 3, 6, 10, 15, 21].contains(&n)
}

pub(crate) fn out_of_range(key: impl Into<String>, value: f64, unit: &'static str, range: &'static str) -> PsfError {
    PsfError::OutOfRange { key: key.into(), value, unit, range }
}

impl OpticalPsf {
    /// A pupil and its wavefront. `chromatic_reference_nm` matters only with chromatic terms.
    ///
    /// # Errors
    /// When the diameter is not positive, a Noll index is outside 4..=36 or given twice, or a polynomial has an
    /// impossible length or a value that is not finite.
    pub fn new(diameter_m: f64, terms: Vec<WavefrontTerm>, chromatic_reference_nm: f64) -> Result<Self, PsfError> {
        if !(diameter_m > 0.0 && diameter_m < 1000.0) {
            return Err(out_of_range("diameter", diameter_m, "m", "0 (excluded) to 1000"));
        }
        for (i, term) in terms.iter().enumerate() {
            let j = f64::from(term.noll);
            if !(4..=36).contains(&term.noll) {
                return Err(out_of_range("wavefront.noll", j, "", "4 to 36"));
            }
            if terms[..i].iter().any(|t| t.noll == term.noll) {
                return Err(out_of_range("wavefront.noll", j, "", "each index once"));
            }
            for (key, list) in [("opd", &term.opd_nm), ("chromatic", &term.chromatic_nm_per_um)] {
                let key = format!("wavefront (noll {}).{key}", term.noll);
                if !(is_triangular(list.len()) || list.is_empty() && key.ends_with("chromatic")) {
                    return Err(out_of_range(key, list.len() as f64, "coefficients", "1, 3, 6, 10, 15 or 21 coefficients"));
                }
                if let Some(&bad) = list.iter().find(|v| !v.is_finite()) {
                    return Err(out_of_range(key, bad, "nm", "finite numbers"));
                }
            }
        }
        if !chromatic_reference_nm.is_finite() {
            return Err(out_of_range("chromatic_reference", chromatic_reference_nm, "nm", "a wavelength"));
        }
        Ok(Self { diameter_m, terms, chromatic_reference_nm, scale: 1.0 })
    }

    /// The same with every wavefront term multiplied once more.
    #[must_use]
    pub fn scaled(&self, factor: f64) -> Self {
        Self { scale: self.scale * factor, ..self.clone() }
    }

    /// Root mean square of the wavefront over the pupil \[nm\]: the terms are orthonormal.
    #[must_use]
    pub fn wavefront_rms_nm(&self, at: FocalPoint, wavelength: Nanometre) -> f64 {
        self.coefficients_nm(at, wavelength).iter().map(|(_, a)| a * a).sum::<f64>().sqrt()
    }

    fn is_chromatic(&self) -> bool {
        self.terms.iter().any(|t| t.chromatic_nm_per_um.iter().any(|&c| c != 0.0))
    }

    fn coefficients_nm(&self, at: FocalPoint, wavelength: Nanometre) -> Vec<(Zernike, f64)> {
        let away_um = (wavelength.0 - self.chromatic_reference_nm) * 1e-3;
        self.terms
            .iter()
            .map(|t| {
                let value = polynomial(&t.opd_nm, at.x_deg, at.y_deg) + polynomial(&t.chromatic_nm_per_um, at.x_deg, at.y_deg) * away_um;
                (Zernike::from_noll(t.noll), value * self.scale)
            })
            .collect()
    }

    fn pairs(coefficients: &[(Zernike, f64)]) -> Vec<Pair> {
        let mut pairs: Vec<Pair> = Vec::with_capacity(coefficients.len());
        for &(z, value) in coefficients.iter().filter(|c| c.1 != 0.0) {
            let i = pairs.iter().position(|p| (p.n, p.m) == (z.n, z.m)).unwrap_or_else(|| {
                pairs.push(Pair { n: z.n, m: z.m, cosine: 0.0, sine: 0.0 });
                pairs.len() - 1
            });
            let amplitude = value * z.norm();
            if z.sine {
                pairs[i].sine += amplitude;
            } else {
                pairs[i].cosine += amplitude;
            }
        }
        pairs
    }

    fn share(&self, at: FocalPoint, wavelengths: &[Nanometre]) -> Result<Vec<OpticalTransfer>, PsfError> {
        let Some(&first) = wavelengths.first() else { return Ok(Vec::new()) };
        for w in wavelengths {
            check_wavelength(*w)?;
        }
        let coefficients = self.coefficients_nm(at, first);
        let lengths: Vec<f64> = wavelengths.iter().map(|w| w.0).collect();
        let too_large = || {
            let shortest = lengths.iter().copied().fold(f64::INFINITY, f64::min);
            out_of_range("wavefront", self.wavefront_rms_nm(at, first) / shortest, "waves rms", "0 to about 1")
        };
        let tables = tabulate(&Self::pairs(&coefficients), &lengths).ok_or_else(too_large)?;
        let slope_nm: f64 = coefficients.iter().map(|(z, a)| a.abs() * z.rim_slope()).sum();
        let rim_angle_arcsec = slope_nm * 1e-9 / (0.5 * self.diameter_m) / RADIAN_PER_ARCSECOND;
        Ok(tables
            .into_iter()
            .zip(&lengths)
            .map(|(table, &l)| OpticalTransfer { table, scale_arcsec: resolution_arcsec(l, self.diameter_m), rim_angle_arcsec })
            .collect())
    }
}

/// lambda / D \[arcsec\].
pub(crate) fn resolution_arcsec(wavelength_nm: f64, diameter_m: f64) -> f64 {
    wavelength_nm * 1e-9 / diameter_m / RADIAN_PER_ARCSECOND
}

pub(crate) fn check_wavelength(wavelength: Nanometre) -> Result<(), PsfError> {
    let (low_nm, high_nm) = (10.0, 1e6);
    if wavelength.0 >= low_nm && wavelength.0 <= high_nm {
        return Ok(());
    }
    Err(PsfError::Wavelength { wavelength_nm: wavelength.0, low_nm, high_nm })
}

impl Psf for OpticalPsf {
    fn transfer(&self, at: FocalPoint, wavelength: Nanometre) -> Result<Box<dyn Transfer>, PsfError> {
        self.transfers(at, &[wavelength])?.pop().ok_or_else(|| out_of_range("wavelength", wavelength.0, "nm", "one wavelength"))
    }
    fn transfers(&self, at: FocalPoint, wavelengths: &[Nanometre]) -> Result<Vec<Box<dyn Transfer>>, PsfError> {
        if self.is_chromatic() {
            let each = wavelengths.iter().map(|&w| self.share(at, &[w])).collect::<Result<Vec<_>, _>>()?;
            return Ok(each.into_iter().flatten().map(|t| Box::new(t) as Box<dyn Transfer>).collect());
        }
        Ok(self.share(at, wavelengths)?.into_iter().map(|t| Box::new(t) as Box<dyn Transfer>).collect())
    }
    fn is_uniform(&self) -> bool {
        self.terms.iter().all(|t| t.opd_nm.iter().skip(1).chain(t.chromatic_nm_per_um.iter().skip(1)).all(|&c| c == 0.0))
    }
}

/// Transfer function of one wavefront at one wavelength.
struct OpticalTransfer {
    table: Table,
    scale_arcsec: f64,
    rim_angle_arcsec: f64,
}

impl Transfer for OpticalTransfer {
    fn at(&self, fx: f64, fy: f64) -> Complex64 {
        let mut out = [Complex64::default()];
        self.table.sample(self.scale_arcsec, &[fx], &[fy], &mut out);
        out[0]
    }
    fn cutoff(&self, tolerance: f64) -> f64 {
        // |R| <= 1.
        crate::airy::diffraction_cutoff(tolerance) / self.scale_arcsec
    }
    fn radius_of_brightness(&self, level: f64) -> f64 {
        wing_radius(level, self.scale_arcsec, 0.0) + self.rim_angle_arcsec
    }
    fn sample(&self, fx: &[f64], fy: &[f64], out: &mut [Complex64]) {
        self.table.sample(self.scale_arcsec, fx, fy, out);
    }
}

/// Radius at which the envelope of the diffraction rings falls to `level`: the brightness is at most
/// `(pi / 4 s^2) 8 (1 + e)^2 / (pi (1 - e^2)^2 v^3)` ... for `v = pi r / s`, s = lambda / D, obscuration e, from
/// `|J1(v)| <= sqrt(2 / (pi v))` times 1.1 (its largest excess, near v = 2).
pub(crate) fn wing_radius(level: f64, scale_arcsec: f64, obscuration: f64) -> f64 {
    let e = obscuration;
    // Amplitude of the annulus: [J1(v) - e J1(e v)] / v over (1 - e^2)/2; each J1 at its envelope.
    let amplitude = (1.0 + e.sqrt()) / (1.0 - e * e);
    let peak = PI * (1.0 - e * e) / (4.0 * scale_arcsec * scale_arcsec);
    let v = (peak * 1.1 * 8.0 * amplitude * amplitude / (PI * level)).cbrt();
    v * scale_arcsec / PI
}

#[cfg(test)]
mod tests;
