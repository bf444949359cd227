//! Least squares of a few parameters: Levenberg-Marquardt with differences as derivatives.
//!
//! # Source
//! Marquardt 1963 (SIAM J. Appl. Math. 11, 431).

use nalgebra::{DMatrix, DVector};

/// Rounds at most.
const ROUNDS: usize = 60;
/// Difference for derivatives.
const DIFFERENCE: f64 = 1e-4;

/// The minimum found.
#[derive(Debug, Clone)]
pub struct Minimum {
    /// Parameters.
    pub solution: DVector<f64>,
    /// Residuals in units of their errors.
    pub residuals: DVector<f64>,
    /// Sum of their squares.
    pub chi2: f64,
    /// Curvature: inverse covariance of the parameters.
    pub curvature: DMatrix<f64>,
}

impl Minimum {
    /// Standard errors; infinite where the data say nothing.
    #[must_use]
    pub fn errors(&self) -> Vec<f64> {
        let count = self.solution.len();
        self.curvature
            .clone()
            .try_inverse()
            .map_or_else(|| vec![f64::INFINITY; count], |c| c.diagonal().iter().map(|v| v.max(0.0).sqrt()).collect())
    }
}

/// Minimises the sum of squares of `residuals` from `start`; a step changes a parameter by 1 at most, `confine` puts it back where the model
/// takes it.
pub fn minimise(start: DVector<f64>, residuals: &dyn Fn(&DVector<f64>) -> DVector<f64>, confine: &dyn Fn(&mut DVector<f64>)) -> Minimum {
    let mut p = start;
    let unknowns = p.len();
    let mut found = residuals(&p);
    let mut chi2 = found.norm_squared();
    let mut damping = 1e-2;
    let mut curvature = DMatrix::zeros(unknowns, unknowns);
    for _ in 0..ROUNDS {
        let mut jacobian = DMatrix::zeros(found.len(), unknowns);
        for k in 0..unknowns {
            let mut moved = p.clone();
            moved[k] += DIFFERENCE;
            jacobian.set_column(k, &((residuals(&moved) - &found) / DIFFERENCE));
        }
        curvature = jacobian.transpose() * &jacobian;
        let slope = jacobian.transpose() * &found;
        let mut gained = 0.0;
        while damping < 1e9 {
            let mut matrix = curvature.clone();
            for k in 0..unknowns {
                matrix[(k, k)] += damping * curvature[(k, k)].max(1e-9);
            }
            let Some(step) = matrix.cholesky().map(|c| c.solve(&slope)) else {
                damping *= 10.0;
                continue;
            };
            let mut trial = &p - step.map(|d| d.clamp(-1.0, 1.0));
            confine(&mut trial);
            let there = residuals(&trial);
            let better = there.norm_squared();
            if better < chi2 {
                gained = (chi2 - better) / chi2.max(f64::MIN_POSITIVE);
                (p, found, chi2) = (trial, there, better);
                damping = (damping * 0.2).max(1e-9);
                break;
            }
            damping *= 6.0;
        }
        if gained < 1e-7 {
            break;
        }
    }
    Minimum { solution: p, residuals: found, chi2, curvature }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_exponential_without_noise_is_found() {
        let data: Vec<f64> = (0..20).map(|k| 3.0 * (-f64::from(k) / 4.0).exp()).collect();
        let residuals = |p: &DVector<f64>| DVector::from_fn(20, |k, _| (p[0].exp() * (-(k as f64) / p[1].exp()).exp() - data[k]) / 0.01);
        let found = minimise(DVector::from_vec(vec![0.0, 0.0]), &residuals, &|_| ());
        assert!((found.solution[0] - 3.0_f64.ln()).abs() < 1e-6 && (found.solution[1] - 4.0_f64.ln()).abs() < 1e-6, "{found:?}");
        assert!(found.chi2 < 1e-6 && found.errors().iter().all(|e| *e > 0.0 && *e < 0.01), "{found:?}");
    }
}
