//! Robust polynomials of one variable with covariance.
//!
//! # Formula
//! `p(x) = sum c_k u^k`, `u = (x - centre) / half`. Start: reweighted least absolute deviations; then least squares with points beyond `clip`
//! errors left out, in turn, until the set stays. The error is the point's own, widened by the scatter of the points (median absolute deviation).
//! # Symbols
//! centre, half  middle and half width of the range of x
//! # Source
//! Iteratively reweighted least squares; Rousseeuw & Croux 1993 for the scatter's factor 1.4826.
//! # Limits
//! Up to about a third of outliers.

use super::cutout::median;
use super::error::CalibrationError;
use super::linear::{Equation, Solution, solve};
use serde::{Deserialize, Serialize};

/// A polynomial in a scaled variable.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Polynomial {
    /// Middle of the range.
    pub centre: f64,
    /// Half width of the range.
    pub half: f64,
    /// Coefficients of powers of `(x - centre) / half`.
    pub coefficients: Vec<f64>,
    /// Covariance of the coefficients.
    pub covariance: Vec<Vec<f64>>,
}

impl Polynomial {
    /// A constant without error.
    #[must_use]
    pub fn constant(value: f64) -> Self {
        Self { centre: 0.0, half: 1.0, coefficients: vec![value], covariance: vec![vec![0.0]] }
    }
    /// Value.
    #[must_use]
    pub fn at(&self, x: f64) -> f64 {
        let u = (x - self.centre) / self.half;
        self.coefficients.iter().rev().fold(0.0, |sum, c| sum * u + c)
    }
    /// Slope.
    #[must_use]
    pub fn slope(&self, x: f64) -> f64 {
        let u = (x - self.centre) / self.half;
        self.coefficients.iter().enumerate().skip(1).rev().fold(0.0, |sum, (k, c)| sum * u + k as f64 * c) / self.half
    }
    /// Standard error of the value.
    #[must_use]
    pub fn error(&self, x: f64) -> f64 {
        let row = powers((x - self.centre) / self.half, self.coefficients.len());
        let variance: f64 = self.covariance.iter().zip(&row).map(|(c, a)| a * c.iter().zip(&row).map(|(v, b)| v * b).sum::<f64>()).sum();
        variance.max(0.0).sqrt()
    }
}

fn powers(u: f64, count: usize) -> Vec<f64> {
    std::iter::successors(Some(1.0), |p| Some(p * u)).take(count).collect()
}

/// A point: place, value, standard error.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Point {
    /// Place.
    pub x: f64,
    /// Value.
    pub y: f64,
    /// Standard error of the value.
    pub error: f64,
    /// Kept whatever its residual (a person's choice).
    pub kept: bool,
}

/// A fit with the points it used.
#[derive(Debug, Clone, PartialEq)]
pub struct RobustFit {
    /// The polynomial.
    pub polynomial: Polynomial,
    /// Which points were used.
    pub used: Vec<bool>,
    /// Values minus the polynomial, of all points.
    pub residuals: Vec<f64>,
    /// Root mean square of the residuals used.
    pub rms: f64,
}

/// Fits a polynomial of a degree over `range` to points.
///
/// # Errors
/// [`CalibrationError::Degenerate`] with fewer points than parameters.
pub fn fit(points: &[Point], degree: usize, range: (f64, f64), clip: f64, what: &str) -> Result<RobustFit, CalibrationError> {
    let (centre, half) = (0.5 * (range.0 + range.1), (0.5 * (range.1 - range.0)).abs().max(1e-9));
    let equations: Vec<Equation> =
        points.iter().map(|p| Equation { row: powers((p.x - centre) / half, degree + 1), value: p.y, error: p.error, group: 0 }).collect();
    let all: Vec<&Equation> = equations.iter().collect();
    let mut solution = solve(&all, 0.0, what)?;
    for _ in 0..30 {
        // Least absolute deviations of residuals in units of their error.
        let weighted: Vec<Equation> = equations
            .iter()
            .map(|e| Equation { error: e.error * (e.residual(&solution.parameters).abs() / e.error).max(0.3).sqrt(), ..e.clone() })
            .collect();
        solution = solve(&weighted.iter().collect::<Vec<_>>(), 0.0, what)?;
    }
    let (solution, used, spread) = clipped(points, &equations, solution, degree, clip, what)?;
    let residuals: Vec<f64> = equations.iter().map(|e| e.residual(&solution.parameters)).collect();
    let covariance = solution.covariance.iter().map(|row| row.iter().map(|c| c * spread * spread).collect()).collect();
    let squares: Vec<f64> = residuals.iter().zip(&used).filter(|(_, u)| **u).map(|(r, _)| r * r).collect();
    let rms = (squares.iter().sum::<f64>() / squares.len().max(1) as f64).sqrt();
    Ok(RobustFit { polynomial: Polynomial { centre, half, coefficients: solution.parameters, covariance }, used, residuals, rms })
}

fn clipped(
    points: &[Point],
    equations: &[Equation],
    mut solution: Solution,
    degree: usize,
    clip: f64,
    what: &str,
) -> Result<(Solution, Vec<bool>, f64), CalibrationError> {
    let mut used = vec![true; equations.len()];
    let mut spread = 1.0;
    for _ in 0..20 {
        let pulls: Vec<f64> = equations.iter().map(|e| e.residual(&solution.parameters) / e.error).collect();
        let mut sizes: Vec<f64> = pulls.iter().zip(&used).filter(|(_, u)| **u).map(|(p, _)| p.abs()).collect();
        let freedom = sizes.len() as f64 / (sizes.len() as f64 - degree as f64 - 1.0).max(0.5);
        spread = (1.4826 * median(&mut sizes) * freedom.sqrt()).max(1.0);
        let now: Vec<bool> = pulls.iter().zip(points).map(|(p, point)| point.kept || p.abs() <= clip * spread).collect();
        let same = now == used;
        used = now;
        let chosen: Vec<&Equation> = equations.iter().zip(&used).filter(|(_, u)| **u).map(|(e, _)| e).collect();
        solution = solve(&chosen, 0.0, what)?;
        if same {
            break;
        }
    }
    Ok((solution, used, spread))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_quarter_of_outliers_does_not_move_it_and_kept_points_stay() {
        let truth = |x: f64| 2.0 + 0.01 * x - 3e-5 * x * x;
        let mut points: Vec<Point> = (0..60)
            .map(|i| f64::from(i) * 8.0)
            .map(|x| Point { x, y: truth(x) + 0.02 * (x * 1.7).sin(), error: 0.02, kept: false })
            .collect();
        points[20..35].iter_mut().for_each(|p| p.y += 3.0);
        let got = fit(&points, 2, (0.0, 480.0), 4.0, "test").unwrap();
        assert!((0..60).all(|i| got.used[i] != (20..35).contains(&i)), "{:?}", got.used);
        assert!((got.polynomial.at(200.0) - truth(200.0)).abs() < 0.01 && got.rms < 0.02);
        assert!((got.polynomial.slope(100.0) - 0.004).abs() < 1e-3 && got.polynomial.error(240.0) > 0.0);
        points[25].kept = true;
        assert!(fit(&points, 2, (0.0, 480.0), 4.0, "test").unwrap().used[25]);
        assert!(fit(&points[..2], 2, (0.0, 480.0), 4.0, "test").is_err());
    }
}
