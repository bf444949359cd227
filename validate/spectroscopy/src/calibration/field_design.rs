//! Rows of a field fit and the way back to plain coefficients.
//!
//! # Formula
//! `value = sum_k t^k sum_ij c_kij u^i v^j`, `u = (x0 - c_x) / h`, `v = (y0 - c_y) / h`; plain coefficients by the binomial theorem.
//! # Symbols
//! (c_x, c_y), h  middle and half size of the field
//! # Source
//! Elementary algebra.
//! # Limits
//! None.

use nalgebra::DMatrix;
use sim_core::dispersion::{FieldPolynomial, terms};

/// Number of terms of a field polynomial.
#[must_use]
pub fn count(degree: usize) -> usize {
    (degree + 1) * (degree + 2) / 2
}

/// The design of a fit.
#[derive(Debug, Clone, PartialEq)]
pub struct Design {
    /// Middle of the field.
    pub centre: (f64, f64),
    /// Half its size.
    pub half: f64,
    /// Degree of the field polynomial of each power of t.
    pub degrees: Vec<usize>,
}

impl Design {
    /// Number of parameters.
    #[must_use]
    pub fn parameters(&self) -> usize {
        self.degrees.iter().map(|d| count(*d)).sum()
    }
    /// Row of a place and parameter.
    #[must_use]
    pub fn row(&self, x0: f64, y0: f64, t: f64) -> Vec<f64> {
        let (u, v) = ((x0 - self.centre.0) / self.half, (y0 - self.centre.1) / self.half);
        let power = |k: usize| t.powi(k as i32);
        self.degrees.iter().enumerate().flat_map(|(k, d)| terms(count(*d), u, v).map(move |term| power(k) * term)).collect()
    }
    /// Matrix from fitted to plain coefficients.
    #[must_use]
    pub fn plain(&self) -> DMatrix<f64> {
        let n = self.parameters();
        let mut matrix = DMatrix::zeros(n, n);
        let mut first = 0;
        for &degree in &self.degrees {
            for total in 0..=degree {
                for j in 0..=total {
                    let i = total - j;
                    let column = first + place(i, j);
                    for a in 0..=i {
                        for b in 0..=j {
                            let value = binomial(i, a)
                                * (-self.centre.0).powi((i - a) as i32)
                                * binomial(j, b)
                                * (-self.centre.1).powi((j - b) as i32)
                                / self.half.powi(total as i32);
                            matrix[(first + place(a, b), column)] += value;
                        }
                    }
                }
            }
            first += count(degree);
        }
        matrix
    }
    /// Field polynomials of each power of t, of plain coefficients.
    #[must_use]
    pub fn polynomials(&self, plain: &[f64]) -> Option<Vec<FieldPolynomial>> {
        let mut first = 0;
        self.degrees
            .iter()
            .map(|d| {
                let piece = plain[first..first + count(*d)].to_vec();
                first += count(*d);
                FieldPolynomial::new(piece)
            })
            .collect()
    }
}

/// Place of x^i y^j in the ordering 1; x, y; x^2, x y, y^2; ...
fn place(i: usize, j: usize) -> usize {
    (i + j) * (i + j + 1) / 2 + j
}

fn binomial(n: usize, k: usize) -> f64 {
    (0..k).fold(1.0, |product, i| product * (n - i) as f64 / (i + 1) as f64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plain_coefficients_have_the_values_of_the_scaled_ones() {
        let design = Design { centre: (4600.0, 4500.0), half: 4000.0, degrees: vec![3, 1] };
        let scaled: Vec<f64> = (0..design.parameters()).map(|i| 10.0 / (1.0 + i as f64) - 3.0).collect();
        let plain: Vec<f64> = (design.plain() * nalgebra::DVector::from_column_slice(&scaled)).iter().copied().collect();
        let polynomials = design.polynomials(&plain).unwrap();
        for (x, y, t) in [(100.0, 9000.0, 0.3), (4600.0, 4500.0, 1.0), (8000.0, 10.0, 0.0)] {
            let expected: f64 = design.row(x, y, t).iter().zip(&scaled).map(|(a, c)| a * c).sum();
            let got = polynomials[0].at(x, y) + t * polynomials[1].at(x, y);
            assert!((got - expected).abs() < 1e-9, "{got} {expected}");
        }
    }
}
