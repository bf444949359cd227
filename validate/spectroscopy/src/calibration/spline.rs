//! Penalised cubic B-splines.
//!
//! # Formula
//! `s(x) = sum c_k B((x - a) / h - k + 3)`; minimised: `sum (b - A c)^2 / e^2 + mu sum_k w_k (c_k - 2 c_(k+1) + c_(k+2))^2`; mu by generalised
//! cross validation, `n chi^2 / (n - tr H)^2` least; w_k first 1, then one over the squared second differences of the first fit.
//! # Symbols
//! h  distance of knots;  H  matrix from values to fitted values
//! # Source
//! Eilers & Marx 1996 (Stat. Sci. 11, 89); Craven & Wahba 1979 for the choice of mu.
//! # Limits
//! The covariance is that of the penalised estimate seen as a posterior, times chi squared where above one.

use nalgebra::{DMatrix, DVector};

/// Even knots.
#[derive(Debug, Clone, Copy, PartialEq, serde::Serialize)]
pub struct Knots {
    /// First place.
    pub from: f64,
    /// Distance.
    pub step: f64,
    /// Number of coefficients.
    pub count: usize,
}

impl Knots {
    /// Knots over a range, about `step` apart.
    #[must_use]
    pub fn over(from: f64, to: f64, step: f64) -> Self {
        let pieces = ((to - from) / step).ceil().max(1.0);
        Self { from, step: (to - from) / pieces, count: pieces as usize + 3 }
    }
    /// The first of the four splines that are not zero at a place, and their values; `None` outside.
    #[must_use]
    pub fn at(&self, x: f64) -> Option<(usize, [f64; 4])> {
        let u = (x - self.from) / self.step;
        let pieces = self.count - 3;
        if !(u >= 0.0 && u <= pieces as f64) {
            return None;
        }
        let i = (u.floor() as usize).min(pieces - 1);
        let f = u - i as f64;
        let g = 1.0 - f;
        let values =
            [g * g * g / 6.0, (3.0 * f * f * f - 6.0 * f * f + 4.0) / 6.0, (3.0 * g * g * g - 6.0 * g * g + 4.0) / 6.0, f * f * f / 6.0];
        Some((i, values))
    }
    /// Value of a spline; 0 outside.
    #[must_use]
    pub fn value(&self, c: &[f64], x: f64) -> f64 {
        self.at(x).map_or(0.0, |(i, v)| v.iter().zip(&c[i..]).map(|(b, c)| b * c).sum())
    }
}

/// A fitted spline.
#[derive(Debug, Clone, PartialEq)]
pub struct SplineFit {
    /// Coefficients.
    pub coefficients: Vec<f64>,
    /// Their covariance.
    pub covariance: DMatrix<f64>,
    /// Chi squared per effective degree of freedom.
    pub chi2: f64,
    /// Effective number of parameters.
    pub effective: f64,
    /// The penalty chosen.
    pub mu: f64,
}

/// Fits coefficients to equations (sparse row: first column and values; value; standard error); `None` when they do not determine the spline.
#[must_use]
pub fn fit(rows: &[(usize, Vec<f64>, f64, f64)], count: usize) -> Option<SplineFit> {
    let (mut normal, mut right, mut square): (DMatrix<f64>, DVector<f64>, f64) = (DMatrix::zeros(count, count), DVector::zeros(count), 0.0);
    for (first, row, value, error) in rows {
        let w = 1.0 / (error * error);
        for (i, a) in row.iter().enumerate() {
            right[first + i] += w * a * value;
            for (j, b) in row.iter().enumerate() {
                normal[(first + i, first + j)] += w * a * b;
            }
        }
        square += w * value * value;
    }
    let even = vec![1.0; count - 2];
    let first = choose(&normal, &right, square, rows.len() as f64, &even)?;
    let bends: Vec<f64> = first.coefficients.windows(3).map(|c| (c[0] - 2.0 * c[1] + c[2]).powi(2)).collect();
    let mean = bends.iter().sum::<f64>() / bends.len() as f64;
    let weights: Vec<f64> = (0..bends.len())
        .map(|k| {
            let near = &bends[k.saturating_sub(2)..(k + 3).min(bends.len())];
            mean / (near.iter().sum::<f64>() / near.len() as f64 + 0.01 * mean)
        })
        .collect();
    choose(&normal, &right, square, rows.len() as f64, &weights)
}

fn choose(normal: &DMatrix<f64>, right: &DVector<f64>, square: f64, n: f64, weights: &[f64]) -> Option<SplineFit> {
    let count = right.len();
    let mut penalty: DMatrix<f64> = DMatrix::zeros(count, count);
    for (k, w) in weights.iter().enumerate() {
        for (i, a) in [1.0, -2.0, 1.0].iter().enumerate() {
            for (j, b) in [1.0, -2.0, 1.0].iter().enumerate() {
                penalty[(k + i, k + j)] += w * a * b;
            }
        }
    }
    let scale = normal.trace() / penalty.trace();
    let mut best: Option<(f64, SplineFit)> = None;
    for step in 0..33 {
        let mu = scale * 10_f64.powf(-10.0 + 0.375 * f64::from(step));
        let Some(inverse) = (normal + &penalty * mu).cholesky().map(|c| c.inverse()) else { continue };
        let c = &inverse * right;
        let effective = (&inverse * normal).trace();
        let chi2 = (square - 2.0 * c.dot(right) + (c.transpose() * normal * &c)[(0, 0)]).max(0.0);
        let score = n * chi2 / (n - effective).max(1e-6).powi(2);
        if best.as_ref().is_none_or(|b| score < b.0) {
            let reduced = chi2 / (n - effective).max(1.0);
            let covariance = inverse * reduced.max(1.0);
            best = Some((score, SplineFit { coefficients: c.iter().copied().collect(), covariance, chi2: reduced, effective, mu }));
        }
    }
    best.map(|b| b.1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_smooth_curve_with_a_steep_edge_comes_back() {
        let truth = |x: f64| (1.0 + 0.2 * (x / 40.0).sin()) / (1.0 + (-(x - 30.0) / 3.0).exp());
        let knots = Knots::over(0.0, 200.0, 5.0);
        let rows: Vec<(usize, Vec<f64>, f64, f64)> = (0..400)
            .map(|i| 0.5 * f64::from(i))
            .map(|x| {
                let (first, values) = knots.at(x).unwrap();
                (first, values.to_vec(), truth(x) + 0.01 * (x * 91.7).sin(), 0.007)
            })
            .collect();
        let fit = fit(&rows, knots.count).unwrap();
        for x in [20.0, 33.0, 60.0, 150.0] {
            assert!((knots.value(&fit.coefficients, x) - truth(x)).abs() < 0.01, "{x}");
        }
        assert!(fit.chi2 > 0.5 && fit.chi2 < 1.6 && fit.effective < 40.0, "{} {}", fit.chi2, fit.effective);
        assert!(knots.at(-0.1).is_none() && (knots.at(200.0).unwrap().1.iter().sum::<f64>() - 1.0).abs() < 1e-12);
    }
}
