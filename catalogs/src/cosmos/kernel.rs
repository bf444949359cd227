//! The bumps a field is made of.
//!
//! # Effect
//! A Gaussian field as a sum of bumps of ten sizes, one in every HEALPix cell of the matching order, at a uniform place in
//! its cell, with a normal amplitude. Bumps end at a radius, so a place asks for a few dozen random numbers.
//! # Formula
//! psi = (1 - x)^4 + 1.458 (1 - x / 0.36)^4 (each where its bracket is positive), x = (1 - mu) / h; kappa = laplacian(psi) / 2 = (x (2 - x h) psi'' / 2 + (1 - x h) psi') / h;
//! gamma = psi'' (t_1 + i t_2)^2 / (2 h^2).
//! Power of a level of unit variance, flat sky: C_l = R^2 p(l R), p(q) ~ (f(q) + 1.458 f(0.6 q))^2, f = J_5(q) / q^3.
//! # Symbols
//! mu cosine of the distance from the centre; h = 1 - cos R; R = 3 sides of a cell of the order; ' by x; (t_1, t_2) components of the
//! centre's direction in the tangent plane at the place.
//! # Source
//! Own derivation: psi_theta_theta - cot theta psi_theta = sin^2 theta psi_mu_mu for an axisymmetric potential on the sphere, so
//! convergence and shear are polynomials in mu and belong to one potential exactly; the total mass of a bump is zero and its shear
//! ends with it. Uniform places in cells of equal area make the two-point function isotropic exactly.
//! # Limits
//! Orders 3 to 12: bumps of 22 deg to 2.6 arcmin (inner ones 1.5 arcmin), multipoles about 10 to 12,000. Twenty-eight bumps overlap at each place, so the one-point
//! law of a level is normal but for a slight scatter of its variance. Power on the sphere is taken as on the plane (1 % at order 3).
//! # Twin
//! None.

use crate::table::along;
use std::f64::consts::PI;

/// HEALPix orders of the levels.
pub const LEVELS: std::ops::RangeInclusive<u8> = 3..=12;
/// Number of levels.
pub(super) const LEVEL_COUNT: usize = 10;
/// Radius of a bump in sides of a cell.
const REACH: f64 = 3.0;

/// One size of bumps.
#[derive(Debug, Clone, Copy)]
pub struct Level {
    /// HEALPix order of the cells.
    pub order: u8,
    /// Radius of a bump \[rad\].
    pub radius: f64,
    /// 1 - cos(radius).
    pub(super) h: f64,
    /// Factor on the bumps that gives the sum unit variance.
    pub(super) norm: f64,
}

/// Side of a cell of an order \[rad\].
pub(super) fn side(order: u8) -> f64 {
    (PI / 3.0).sqrt() / f64::from(1_u32 << order)
}

/// Radius and weight of the inner bump, in units of the outer one: chosen so that neighbouring levels ripple by 2 % only.
const INNER: f64 = 0.6;
const WEIGHT: f64 = 1.458;

/// (kappa, psi'' / 2) at x < 1, both times h, with psi'' in units of 1 / h^2.
#[inline]
pub(super) fn bump(x: f64, h: f64) -> (f64, f64) {
    let one = |x: f64, h: f64| {
        let y = 1.0 - x;
        let half_second = 6.0 * y * y;
        (x * (2.0 - x * h) * half_second - (1.0 - x * h) * 4.0 * y * y * y, half_second)
    };
    let outer = one(x, h);
    let square = INNER * INNER;
    if x >= square {
        return outer;
    }
    let inner = one(x / square, square * h);
    (outer.0 + WEIGHT / square * inner.0, outer.1 + WEIGHT / (square * square) * inner.1)
}

impl Level {
    /// A level.
    #[must_use]
    pub fn new(order: u8) -> Self {
        let radius = REACH * side(order);
        let h = 2.0 * (0.5 * radius).sin().powi(2);
        let steps = 2000;
        let square = |k: i32| bump((f64::from(k) + 0.5) / f64::from(steps), h).0.powi(2);
        let integral = 2.0 * PI * h * (0..steps).map(square).sum::<f64>() / f64::from(steps);
        // One centre in each cell.
        let norm = (side(order).powi(2) / integral).sqrt();
        Self { order, radius, h, norm }
    }
    /// All levels.
    #[must_use]
    pub fn all() -> Vec<Self> {
        LEVELS.map(Self::new).collect()
    }
}

/// Bessel function of the first kind of integer order, by the trapezoidal rule (spectrally exact).
pub(super) fn bessel(order: u32, x: f64) -> f64 {
    let steps = (0.6 * x) as usize + 24;
    let f = |k: usize| {
        let t = PI * k as f64 / steps as f64;
        (f64::from(order) * t - x * t.sin()).cos()
    };
    (0.5 * (f(0) + f(steps)) + (1..steps).map(f).sum::<f64>()) / steps as f64
}

/// Fourier transform of a bump of unit radius, but for a factor.
fn spectrum(q: f64) -> f64 {
    let f = |q: f64| if q < 1e-2 { q * q / 3840.0 } else { bessel(5, q) / q.powi(3) };
    f(q) + WEIGHT * f(INNER * q)
}

/// Power and two-point function of bumps of unit radius and unit variance on the plane.
#[derive(Debug, Clone)]
pub(super) struct Shape {
    norm: f64,
    /// Two-point function at distances 0 to 2 in equal steps.
    correlation: Vec<f64>,
}

/// Steps of the two-point function.
const CORRELATION_STEPS: usize = 160;

impl Shape {
    pub(super) fn new() -> Self {
        // Both functions end (at 1 and 2), so sums over q alias nothing below 2 pi / 0.4 = 15.7; power falls as q^-7.
        let step = 0.4;
        let grid: Vec<f64> = (0..120).map(|k| step * (f64::from(k) + 0.5)).collect();
        let raw: Vec<f64> = grid.iter().map(|&q| spectrum(q).powi(2)).collect();
        let norm = 2.0 * PI / (grid.iter().zip(&raw).map(|(q, p)| q * p).sum::<f64>() * step);
        let at = |t: f64| grid.iter().zip(&raw).map(|(q, p)| q * p * bessel(0, q * t)).sum::<f64>() * step * norm / (2.0 * PI);
        let correlation = (0..=CORRELATION_STEPS).map(|k| at(2.0 * k as f64 / CORRELATION_STEPS as f64)).collect();
        Self { norm, correlation }
    }
    /// Power at l R; C_l is R^2 times it.
    pub(super) fn power(&self, q: f64) -> f64 {
        self.norm * spectrum(q).powi(2)
    }
    /// Two-point function at a distance in radii.
    pub(super) fn correlation(&self, t: f64) -> f64 {
        if t >= 2.0 { 0.0 } else { along(&self.correlation, t / (2.0 / CORRELATION_STEPS as f64)) }
    }
}
