//! How strong each level is in each shell.
//!
//! # Effect
//! The sum of the levels has the power of matter, and the lognormal of another sum that of galaxies.
//! # Formula
//! Matter: min over v_j >= 0 of sum_l (sum_j v_j C_l^j / C_l - 1)^2, 48 multipoles from 10 to 12,000. Galaxies: xi = b^2 sum_j v_j rho_j(theta);
//! the Gaussian field under the exponential has ln(1 + xi) = sum_j w_j rho_j, w_j >= 0, by least squares over 60 angles.
//! # Symbols
//! rho_j two-point function of level j at unit variance; b bias of the galaxies at the shell's redshift.
//! # Source
//! Coles & Jones 1991 (MNRAS 248, 1) for the lognormal field.
//! # Limits
//! See the tests: a few per cent of C_l in the range, nothing above 15,000.
//! # Twin
//! None.

use super::kernel::{LEVEL_COUNT, Level, Shape};

/// Variances of the levels in one shell.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Variances {
    /// Of the overdensity of matter.
    pub matter: [f64; LEVEL_COUNT],
    /// Of the logarithm of the density of galaxies.
    pub galaxies: [f64; LEVEL_COUNT],
}

/// Multipoles at which the power is fitted.
pub(super) fn multipoles() -> Vec<f64> {
    (0..48).map(|k| 10.0 * 1200.0_f64.powf(f64::from(k) / 47.0)).collect()
}

/// Non-negative least squares by cyclic coordinate descent on the normal equations.
fn non_negative(rows: &[[f64; LEVEL_COUNT]], target: &[f64]) -> [f64; LEVEL_COUNT] {
    let mut normal = [[0.0; LEVEL_COUNT]; LEVEL_COUNT];
    let mut right = [0.0; LEVEL_COUNT];
    for (row, t) in rows.iter().zip(target) {
        for (i, r) in row.iter().enumerate() {
            right[i] += r * t;
            for (n, q) in normal[i].iter_mut().zip(row) {
                *n += r * q;
            }
        }
    }
    let mut x = [0.0; LEVEL_COUNT];
    for _ in 0..400 {
        for (i, row) in normal.iter().enumerate() {
            let others: f64 = row.iter().zip(&x).enumerate().filter(|(j, _)| *j != i).map(|(_, (n, v))| n * v).sum();
            x[i] = if row[i] > 0.0 { ((right[i] - others) / row[i]).max(0.0) } else { 0.0 };
        }
    }
    x
}

/// The fits of all shells share the levels' curves.
#[derive(Debug, Clone)]
pub(super) struct Fitter {
    pub(super) levels: Vec<Level>,
    shape: Shape,
    multipoles: Vec<f64>,
    /// C_l of each level at unit variance.
    curves: Vec<[f64; LEVEL_COUNT]>,
    /// Two-point function of each level at unit variance.
    correlations: Vec<[f64; LEVEL_COUNT]>,
}

impl Fitter {
    pub(super) fn new(levels: Vec<Level>) -> Self {
        let shape = Shape::new();
        let multipoles = multipoles();
        let curves =
            multipoles.iter().map(|&l| std::array::from_fn(|j| levels[j].radius.powi(2) * shape.power(l * levels[j].radius))).collect();
        let (least, most) = (levels[LEVEL_COUNT - 1].radius / 8.0, levels[0].radius * 1.2);
        let angles: Vec<f64> = (0..60).map(|k| least * (most / least).powf(f64::from(k) / 59.0)).collect();
        let correlations = angles.iter().map(|&t| std::array::from_fn(|j| shape.correlation(t / levels[j].radius))).collect();
        Self { levels, shape, multipoles, curves, correlations }
    }
    pub(super) fn multipoles(&self) -> &[f64] {
        &self.multipoles
    }
    /// Variances for a power of matter at the multipoles and a bias of galaxies.
    pub(super) fn fit(&self, power: &[f64], bias: f64) -> Variances {
        let rows: Vec<[f64; LEVEL_COUNT]> = self.curves.iter().zip(power).map(|(c, p)| c.map(|v| v / p)).collect();
        let matter = non_negative(&rows, &vec![1.0; rows.len()]);
        let sum = |c: &[f64; LEVEL_COUNT]| c.iter().zip(&matter).map(|(r, v)| r * v).sum::<f64>();
        let wanted: Vec<f64> = self.correlations.iter().map(|c| (bias * bias * sum(c)).max(-0.9).ln_1p()).collect();
        // Relative errors count, but not below a thousandth of the largest value.
        let floor = 1e-3 * wanted.iter().copied().fold(0.0, f64::max);
        let scaled: Vec<[f64; LEVEL_COUNT]> =
            self.correlations.iter().zip(&wanted).map(|(c, w)| c.map(|v| v / (w.abs() + floor))).collect();
        let target: Vec<f64> = wanted.iter().map(|w| w / (w.abs() + floor)).collect();
        Variances { matter, galaxies: non_negative(&scaled, &target) }
    }
    /// Power of a sum of levels at a multipole.
    pub(super) fn power(&self, variances: &[f64; LEVEL_COUNT], l: f64) -> f64 {
        self.levels.iter().zip(variances).map(|(j, v)| v * j.radius.powi(2) * self.shape.power(l * j.radius)).sum()
    }
    /// Two-point function of a sum of levels at an angle \[rad\].
    pub(super) fn correlation(&self, variances: &[f64; LEVEL_COUNT], angle: f64) -> f64 {
        self.levels.iter().zip(variances).map(|(j, v)| v * self.shape.correlation(angle / j.radius)).sum()
    }
}
