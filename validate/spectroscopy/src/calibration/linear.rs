//! Weighted linear least squares.
//!
//! # Formula
//! `c = (A^T V^-1 A)^-1 A^T V^-1 b`, covariance `(A^T V^-1 A)^-1`; V has the squared errors on its diagonal and, for rows of one group, a common
//! variance `tau^2` in all places (Sherman & Morrison).
//! # Symbols
//! A  rows of the design;  b  values;  V  covariance of the values
//! # Source
//! Any textbook of least squares.
//! # Limits
//! Columns are scaled to unit length; a condition above 1e11 is an error.

use super::error::CalibrationError;
use nalgebra::{DMatrix, DVector};

/// A solution.
#[derive(Debug, Clone, PartialEq)]
pub struct Solution {
    /// Parameters.
    pub parameters: Vec<f64>,
    /// Their covariance, row by row.
    pub covariance: Vec<Vec<f64>>,
}

/// One equation.
#[derive(Debug, Clone, PartialEq)]
pub struct Equation {
    /// Row of the design.
    pub row: Vec<f64>,
    /// Value.
    pub value: f64,
    /// Its standard error.
    pub error: f64,
    /// Equations of one group share an error.
    pub group: usize,
}

impl Equation {
    /// Value minus what parameters give.
    #[must_use]
    pub fn residual(&self, parameters: &[f64]) -> f64 {
        self.value - self.row.iter().zip(parameters).map(|(a, c)| a * c).sum::<f64>()
    }
}

/// Solves equations whose groups share an error of standard deviation `tau`.
///
/// # Errors
/// [`CalibrationError::Degenerate`] when the equations do not determine the parameters.
pub fn solve(equations: &[&Equation], tau: f64, what: &str) -> Result<Solution, CalibrationError> {
    let n = equations.first().map_or(0, |e| e.row.len());
    let degenerate = || CalibrationError::Degenerate { what: what.into(), parameters: n };
    if n == 0 || equations.len() < n {
        return Err(degenerate());
    }
    let mut normal = DMatrix::zeros(n, n);
    let mut right = DVector::zeros(n);
    let groups = equations.iter().map(|e| e.group).max().unwrap_or(0) + 1;
    let mut sums = vec![(DVector::zeros(n), 0.0, 0.0); groups];
    for e in equations {
        let (a, w) = (DVector::from_column_slice(&e.row), 1.0 / (e.error * e.error));
        normal.ger(w, &a, &a, 1.0);
        right.axpy(w * e.value, &a, 1.0);
        let sum = &mut sums[e.group];
        sum.0.axpy(w, &a, 1.0);
        sum.1 += w * e.value;
        sum.2 += w;
    }
    for (a, b, w) in sums.into_iter().filter(|_| tau > 0.0) {
        let share = tau * tau / (1.0 + tau * tau * w);
        normal.ger(-share, &a, &a, 1.0);
        right.axpy(-share * b, &a, 1.0);
    }
    invert(&normal).map_or_else(
        || Err(degenerate()),
        |inverse| {
            let parameters = (&inverse * right).iter().copied().collect();
            let covariance = inverse.row_iter().map(|row| row.iter().copied().collect()).collect();
            Ok(Solution { parameters, covariance })
        },
    )
}

/// Inverse of a symmetric positive matrix after scaling its diagonal to one; `None` when its condition is above 1e11.
#[must_use]
pub fn invert(matrix: &DMatrix<f64>) -> Option<DMatrix<f64>> {
    let scale: Vec<f64> = matrix.diagonal().iter().map(|d| d.sqrt()).collect();
    if scale.iter().any(|s| !s.is_finite() || *s <= 0.0) {
        return None;
    }
    let n = scale.len();
    let scaled = DMatrix::from_fn(n, n, |i, j| matrix[(i, j)] / scale[i] / scale[j]);
    let eigen = scaled.symmetric_eigen();
    let (low, high) = eigen.eigenvalues.iter().fold((f64::INFINITY, 0.0_f64), |(l, h), &v| (l.min(v), h.max(v)));
    if low.is_nan() || low <= 1e-11 * high {
        return None;
    }
    let inverse = &eigen.eigenvectors * DMatrix::from_diagonal(&eigen.eigenvalues.map(|v| 1.0 / v)) * eigen.eigenvectors.transpose();
    Some(DMatrix::from_fn(n, n, |i, j| inverse[(i, j)] / scale[i] / scale[j]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_common_error_of_a_group_is_that_of_the_full_matrix() {
        let equations: Vec<Equation> = (0..6)
            .map(|i| Equation {
                row: vec![1.0, f64::from(i)],
                value: f64::from(i * i),
                error: 0.5 + 0.1 * f64::from(i),
                group: (i / 3) as usize,
            })
            .collect();
        let got = solve(&equations.iter().collect::<Vec<_>>(), 0.7, "test").unwrap();
        let v = DMatrix::from_fn(6, 6, |i, j| {
            f64::from(u8::from(i / 3 == j / 3)) * 0.49 + if i == j { equations[i].error.powi(2) } else { 0.0 }
        });
        let a = DMatrix::from_fn(6, 2, |i, j| equations[i].row[j]);
        let b = DVector::from_fn(6, |i, _| equations[i].value);
        let inverse = v.try_inverse().unwrap();
        let covariance = (a.transpose() * &inverse * &a).try_inverse().unwrap();
        let expected = &covariance * a.transpose() * inverse * b;
        for i in 0..2 {
            assert!((got.parameters[i] - expected[i]).abs() < 1e-10);
            assert!((got.covariance[i][1] - covariance[(i, 1)]).abs() < 1e-10);
        }
    }

    #[test]
    fn twice_the_same_column_is_an_error() {
        let equations: Vec<Equation> =
            (0..5).map(|i| Equation { row: vec![1.0, f64::from(i), 2.0 * f64::from(i)], value: 1.0, error: 1.0, group: 0 }).collect();
        assert!(solve(&equations.iter().collect::<Vec<_>>(), 0.0, "test").is_err());
    }
}
