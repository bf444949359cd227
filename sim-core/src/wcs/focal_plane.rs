//! From the mosaic to the sky: the system of one detector for a pointing, distortion included.
//!
//! # Effect
//! Where the light of a sky position falls on the focal plane: rotation, parity, scale, field distortion.
//!
//! # Formula
//! `(xi, eta) = R D(m)`, `m = s (x - CRPIX1, y - CRPIX2)`, `R = [[cos t, -sin t], [-sin t, -cos t]]` (C9) or
//! `R = [[cos t, sin t], [-sin t, cos t]]` (C7). With `(u, v) = R m = CD (pixel - CRPIX)` the TPV polynomial is
//! `P = R D(R^T (u, v))`, expanded exactly: R is orthogonal, so the degree stays. A chromatic distortion is
//! `D = D_0 + (l - l_0) D_1`, taken at one wavelength l per band.
//!
//! # Symbols
//! m mosaic position \[deg\]; s pixel scale \[deg / pixel\]; t image rotation; D distortion; xi east, eta north \[deg\];
//! l wavelength \[um\]; l_0 reference wavelength \[um\]; D_1 change of the distortion with the wavelength \[deg / um\].
//!
//! # Source
//! make_c9_star_cat (DUT-astro, MIT, 2026) for the C9 form; csst-doc-msc (hypergravity, 2023) for the C7 headers, whose CD
//! matrix comes out to all printed digits.
//!
//! # Limits
//! One rotation for all detectors; distortion of total degree up to 7, linear in the wavelength. All the light of a band is
//! placed at the band's one wavelength: the shift between sources of different colour within a band is not drawn.
//!
//! # Twin
//! Exact: the same keywords, read back, invert it (`pixel_from_sky`, Newton, below 1e-9 pixel).

use super::{Pv, Wcs, tpv};
use crate::units::Nanometre;

/// Field distortion of an instrument in mosaic axes: `x' = sum a_ij x^i y^j`, `y' = sum b_ij x^i y^j`, all in degrees
/// from the boresight (x, y undistorted focal plane; x', y' as projected on the tangent plane), total degree <= 7.
/// The linear terms are explicit: no distortion is `x: [((1, 0), 1.0)], y: [((0, 1), 1.0)]`.
#[derive(Debug, Clone, PartialEq)]
pub struct Distortion {
    /// Coefficients of x': ((i, j), value).
    pub x: Vec<((u8, u8), f64)>,
    /// Coefficients of y'.
    pub y: Vec<((u8, u8), f64)>,
}

impl Distortion {
    /// Whether every term is finite, given once and of a degree that TPV can hold; the reason if not.
    ///
    /// # Errors
    /// With the offending term in words.
    pub fn check(&self) -> Result<(), String> {
        for (axis, terms) in [("x", &self.x), ("y", &self.y)] {
            for (n, ((i, j), value)) in terms.iter().enumerate() {
                if terms[..n].iter().any(|(powers, _)| *powers == (*i, *j)) {
                    return Err(format!("distortion of {axis}: term ({i}, {j}) is given twice"));
                }
                if usize::from(*i) + usize::from(*j) > tpv::DEGREE {
                    return Err(format!("distortion of {axis}: term ({i}, {j}) is above total degree {}", tpv::DEGREE));
                }
                if !value.is_finite() {
                    return Err(format!("distortion of {axis}: term ({i}, {j}) = {value} is not finite"));
                }
            }
        }
        Ok(())
    }
    /// Determinant of the linear part, 1 without distortion: how the field's area is scaled at the boresight, negative
    /// where it is mirrored.
    #[must_use]
    pub fn determinant(&self) -> f64 {
        let sum = |terms: &[((u8, u8), f64)], powers| terms.iter().filter(|t| t.0 == powers).map(|t| t.1).sum::<f64>();
        sum(&self.x, (1, 0)) * sum(&self.y, (0, 1)) - sum(&self.x, (0, 1)) * sum(&self.y, (1, 0))
    }
}

/// The field distortion of an instrument: the same for all wavelengths, or changing with them.
#[derive(Debug, Clone, PartialEq)]
pub struct FieldDistortion {
    /// Distortion for all wavelengths; with `chromatic`, at its reference wavelength.
    pub base: Distortion,
    /// Change with the wavelength.
    pub chromatic: Option<Chromatic>,
}

/// How a distortion changes with the wavelength.
#[derive(Debug, Clone, PartialEq)]
pub struct Chromatic {
    /// Wavelength at which the distortion is the base.
    pub reference: Nanometre,
    /// Change of the coefficients with the wavelength \[deg / um\].
    pub per_um: Distortion,
}

impl FieldDistortion {
    /// The distortion at a wavelength. Without chromatic terms, or with terms of 0, it is the base bit for bit.
    #[must_use]
    pub fn at(&self, wavelength: Nanometre) -> Distortion {
        let mut out = self.base.clone();
        let Some(chromatic) = &self.chromatic else { return out };
        let step_um = (wavelength.0 - chromatic.reference.0) * 1e-3;
        for (terms, slopes) in [(&mut out.x, &chromatic.per_um.x), (&mut out.y, &chromatic.per_um.y)] {
            for (powers, slope) in slopes {
                match terms.iter_mut().find(|t| t.0 == *powers) {
                    Some((_, value)) => *value += slope * step_um,
                    None => terms.push((*powers, slope * step_um)),
                }
            }
        }
        out
    }
    /// Whether the terms are as [`Distortion::check`] wants them and the reference wavelength is one.
    ///
    /// # Errors
    /// With what is wrong, in words.
    pub fn check(&self) -> Result<(), String> {
        self.base.check()?;
        let Some(chromatic) = &self.chromatic else { return Ok(()) };
        if !(chromatic.reference.0 > 0.0 && chromatic.reference.0.is_finite()) {
            return Err(format!("the reference wavelength of the distortion, {} nm, is not above 0", chromatic.reference.0));
        }
        chromatic.per_um.check().map_err(|reason| format!("chromatic {reason}"))
    }
}

/// Parity of the mosaic's y axis on the sky.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Parity {
    /// CD = [[-a, -b], [b, -a]], determinant > 0 (official C7 headers).
    C7,
    /// CD = [[-a, b], [b, a]], determinant < 0 (Cycle 9).
    C9,
}

/// The WCS of a detector for a pointing: TAN, or TPV with a distortion.
///
/// # Panics
/// When the distortion does not pass [`Distortion::check`] (done when a configuration is read).
#[must_use]
pub fn detector_wcs(
    geometry: &crate::detector::DetectorGeometry,
    pointing: &crate::exposure::Pointing,
    parity: Parity,
    distortion: Option<&Distortion>,
) -> Wcs {
    let (sin, cos) = pointing.rotation_deg.to_radians().sin_cos();
    let rotation = match parity {
        Parity::C9 => [[cos, -sin], [-sin, -cos]],
        Parity::C7 => [[cos, sin], [-sin, cos]],
    };
    let scale_deg = geometry.pixel_scale_arcsec / 3600.0;
    Wcs {
        crpix: [geometry.crpix1, geometry.crpix2],
        crval: [pointing.ra_deg, pointing.dec_deg],
        cd: rotation.map(|row| row.map(|r| r * scale_deg)),
        pv: distortion.map(|d| turned(d, rotation)),
    }
}

/// The distortion seen in rotated axes: TPV coefficients of `R D(R^T (u, v))`.
fn turned(distortion: &Distortion, r: [[f64; 2]; 2]) -> [Pv; 2] {
    if let Err(reason) = distortion.check() {
        panic!("{reason}");
    }
    // Powers of the mosaic axes as polynomials of (u, v).
    let xs = powers([r[0][0], r[1][0]]);
    let ys = powers([r[0][1], r[1][1]]);
    let expand = |terms: &[((u8, u8), f64)]| {
        let mut sum = Polynomial::default();
        for ((i, j), value) in terms {
            sum.add(*value, &xs[usize::from(*i)].times(&ys[usize::from(*j)]));
        }
        sum
    };
    let (x, y) = (expand(&distortion.x), expand(&distortion.y));
    let axis = |i: usize| {
        let mut sum = Polynomial::default();
        sum.add(r[i][0], &x);
        sum.add(r[i][1], &y);
        let mut pv = vec![0.0; tpv::TERMS];
        for (i_u, row) in sum.0.iter().enumerate() {
            for (i_v, c) in row.iter().take(tpv::DEGREE + 1 - i_u).enumerate() {
                pv[if i == 0 { tpv::index(i_u, i_v) } else { tpv::index(i_v, i_u) }] = *c;
            }
        }
        let used = pv.iter().rposition(|c| *c != 0.0).map_or(0, |k| k + 1).max(2);
        pv.truncate(used);
        pv
    };
    [axis(0), axis(1)]
}

/// Coefficients `[i][j]` of u^i v^j, total degree up to that of TPV.
#[derive(Clone, Copy, Default)]
struct Polynomial([[f64; tpv::DEGREE + 1]; tpv::DEGREE + 1]);

impl Polynomial {
    fn add(&mut self, factor: f64, other: &Self) {
        for (mine, theirs) in self.0.iter_mut().flatten().zip(other.0.iter().flatten()) {
            *mine += factor * theirs;
        }
    }
    fn times(&self, other: &Self) -> Self {
        let mut out = Self::default();
        for (i, row) in self.0.iter().enumerate() {
            for (j, a) in row.iter().enumerate().filter(|(_, a)| **a != 0.0) {
                for (k, other_row) in other.0.iter().enumerate().take(tpv::DEGREE + 1 - i) {
                    for (l, b) in other_row.iter().enumerate().take(tpv::DEGREE + 1 - j) {
                        out.0[i + k][j + l] += a * b;
                    }
                }
            }
        }
        out
    }
}

/// Powers 0 to 7 of `a u + b v`.
fn powers([a, b]: [f64; 2]) -> [Polynomial; tpv::DEGREE + 1] {
    let mut linear = Polynomial::default();
    linear.0[1][0] = a;
    linear.0[0][1] = b;
    let mut out = [Polynomial::default(); tpv::DEGREE + 1];
    out[0].0[0][0] = 1.0;
    for i in 1..=tpv::DEGREE {
        out[i] = out[i - 1].times(&linear);
    }
    out
}
