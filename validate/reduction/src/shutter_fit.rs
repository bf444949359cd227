//! The excess exposure time of the shutter over the field, from flats of two or more exposure times.
//!
//! # Formula
//! A flat of nominal time t and lamp setting L has `S / L = F (t + e)`: a straight line in t for every block of pixels,
//! `e = intercept / slope`. The blocks' `e` are fitted by products of Legendre polynomials `P_i(u) P_j(v)`, i + j <= degree,
//! u and v running over -1..1 in the window, weighted by their errors.
//! # Symbols
//! `S` signal \[electron\]; `F` response \[electron / s per unit of L\]; `e` effective minus nominal time \[s\].
//! # Source
//! The usual short/long flat comparison (Stetson 1989, "Some factors affecting the accuracy of stellar photometry with
//! CCDs", section on shutter timing).
//! # Limits
//! The lamp is constant but for its setting. Structure finer than a block or than the polynomial is not followed; the
//! scatter of the blocks about the fit is added to the coefficients' errors (chi-square per degree of freedom, if above 1).

use nalgebra::{DMatrix, DVector};
use ndarray::{Array2, Axis};
use rayon::prelude::*;
use sim_core::knowledge::Reference;

/// The signal of one block in one flat.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct BlockSignal {
    /// Nominal exposure time \[s\].
    pub time_s: f64,
    /// Signal over the lamp setting, dark subtracted.
    pub signal: f64,
    /// Variance of `signal`.
    pub variance: f64,
}

/// A block's excess time.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct BlockExcess {
    /// Centre, -1..1 over the window's columns.
    pub u: f64,
    /// Centre, -1..1 over the rows.
    pub v: f64,
    /// Excess time \[s\].
    pub excess_s: f64,
    /// Its variance \[s^2\].
    pub variance: f64,
}

/// The polynomial.
#[derive(Debug, Clone, PartialEq)]
pub struct ShutterMap {
    /// Orders (i, j) of the terms.
    pub terms: Vec<(usize, usize)>,
    /// Coefficients \[s\].
    pub coefficients: Vec<f64>,
    /// Their covariance \[s^2\], scaled by the chi-square when that is above 1.
    pub covariance: DMatrix<f64>,
    /// Chi-square per degree of freedom of the blocks.
    pub reduced_chi2: f64,
}

/// Excess time of a block and its variance from its signals at two or more times; `None` when the times do not differ
/// or the light does not grow with time.
#[must_use]
pub fn block_excess(signals: &[BlockSignal]) -> Option<(f64, f64)> {
    let sum = |f: &dyn Fn(&BlockSignal) -> f64| signals.iter().map(|s| f(s) / s.variance).sum::<f64>();
    let (w, wt, wtt) = (sum(&|_| 1.0), sum(&|s| s.time_s), sum(&|s| s.time_s * s.time_s));
    let (wy, wty) = (sum(&|s| s.signal), sum(&|s| s.time_s * s.signal));
    let determinant = w * wtt - wt * wt;
    if signals.len() < 2 || determinant <= 1e-9 * w * wtt || !determinant.is_finite() {
        return None;
    }
    let slope = (w * wty - wt * wy) / determinant;
    let intercept = (wtt * wy - wt * wty) / determinant;
    if slope <= 0.0 {
        return None;
    }
    let excess = intercept / slope;
    // Var(intercept - e slope) / slope^2 with the covariance of the straight line.
    let variance = (wtt + 2.0 * excess * wt + excess * excess * w) / determinant / (slope * slope);
    Some((excess, variance))
}

/// Legendre polynomials P_0..P_degree.
fn legendre(degree: usize, x: f64) -> Vec<f64> {
    let mut p = vec![1.0, x];
    for n in 1..degree {
        let n_real = n as f64;
        p.push(((2.0 * n_real + 1.0) * x * p[n] - n_real * p[n - 1]) / (n_real + 1.0));
    }
    p.truncate(degree + 1);
    p
}

impl ShutterMap {
    /// Fits the blocks; `None` with fewer blocks than coefficients.
    #[must_use]
    pub fn fit(blocks: &[BlockExcess], degree: usize) -> Option<Self> {
        let terms: Vec<(usize, usize)> = (0..=degree).flat_map(|j| (0..=degree - j).map(move |i| (i, j))).collect();
        let count = terms.len();
        if blocks.len() <= count {
            return None;
        }
        let mut normal = DMatrix::<f64>::zeros(count, count);
        let mut right = DVector::<f64>::zeros(count);
        let basis = |u: f64, v: f64| {
            let (pu, pv) = (legendre(degree, u), legendre(degree, v));
            terms.iter().map(|&(i, j)| pu[i] * pv[j]).collect::<Vec<f64>>()
        };
        for block in blocks {
            let values = basis(block.u, block.v);
            for (a, &va) in values.iter().enumerate() {
                right[a] += va * block.excess_s / block.variance;
                for (b, &vb) in values.iter().enumerate() {
                    normal[(a, b)] += va * vb / block.variance;
                }
            }
        }
        let inverse = normal.cholesky()?.inverse();
        let solution = &inverse * right;
        let chi2: f64 = blocks
            .iter()
            .map(|b| {
                let model: f64 = basis(b.u, b.v).iter().zip(solution.iter()).map(|(p, c)| p * c).sum();
                (b.excess_s - model).powi(2) / b.variance
            })
            .sum();
        let reduced_chi2 = chi2 / (blocks.len() - count) as f64;
        Some(Self { coefficients: solution.iter().copied().collect(), covariance: inverse * reduced_chi2.max(1.0), terms, reduced_chi2 })
    }
    fn degree(&self) -> usize {
        self.terms.iter().map(|t| t.0 + t.1).max().unwrap_or(0)
    }
    /// The polynomials at every column of a window: what all rows share.
    #[must_use]
    pub fn across(&self, columns: usize) -> Vec<Vec<f64>> {
        (0..columns).map(|x| legendre(self.degree(), unit(x, columns))).collect()
    }
    /// A row of the map over a window of `rows` rows: `put` gets column, excess time \[s\] and its variance \[s^2\].
    pub fn row(&self, across: &[Vec<f64>], y: usize, rows: usize, mut put: impl FnMut(usize, f64, f64)) {
        let degree = self.degree();
        // On a row the map is a polynomial in u alone, its variance a quadratic form of it.
        let along = legendre(degree, unit(y, rows));
        let size = degree + 1;
        let mut line = vec![0.0; size];
        let mut form = vec![0.0; size * size];
        for (a, &(i, j)) in self.terms.iter().enumerate() {
            line[i] += self.coefficients[a] * along[j];
            for (b, &(k, l)) in self.terms.iter().enumerate() {
                form[i * size + k] += self.covariance[(a, b)] * along[j] * along[l];
            }
        }
        for (x, p) in across.iter().enumerate() {
            let value = line.iter().zip(p).map(|(c, p)| c * p).sum();
            let variance: f64 = (0..size).map(|i| p[i] * (0..size).map(|k| form[i * size + k] * p[k]).sum::<f64>()).sum();
            put(x, value, variance.max(0.0));
        }
    }
    /// The map and its variance over a window of `rows` x `columns` pixels.
    #[must_use]
    pub fn over(&self, rows: usize, columns: usize) -> Reference {
        let across = self.across(columns);
        let mut image = Array2::<f32>::zeros((rows, columns));
        let mut variance = Array2::<f32>::zeros((rows, columns));
        image.axis_iter_mut(Axis(0)).into_par_iter().zip(variance.axis_iter_mut(Axis(0)).into_par_iter()).enumerate().for_each(
            |(y, (mut image, mut variance))| {
                self.row(&across, y, rows, |x, value, error| {
                    image[x] = value as f32;
                    variance[x] = error as f32;
                });
            },
        );
        Reference { image, variance }
    }
}

/// Position of a pixel centre (or block centre) on -1..1.
#[must_use]
pub fn unit(index: usize, count: usize) -> f64 {
    (2.0 * index as f64 + 1.0) / count as f64 - 1.0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_times_give_the_closed_form() {
        let (response, excess) = (250.0, 0.037);
        let at = |t: f64| BlockSignal { time_s: t, signal: response * (t + excess), variance: response * t };
        let (got, variance) = block_excess(&[at(1.0), at(20.0)]).unwrap();
        assert!((got - excess).abs() < 1e-12);
        // e = (S1 t2 - S2 t1) / (S2 - S1): propagate the two variances by hand.
        let (s1, s2) = (at(1.0), at(20.0));
        let slope = (s2.signal - s1.signal) / 19.0;
        let by_hand = ((20.0 + excess).powi(2) * s1.variance + (1.0 + excess).powi(2) * s2.variance) / (19.0 * slope).powi(2);
        assert!((variance / by_hand - 1.0).abs() < 1e-9, "{variance} against {by_hand}");
    }

    #[test]
    fn one_time_tells_nothing() {
        let signal = BlockSignal { time_s: 5.0, signal: 100.0, variance: 100.0 };
        assert_eq!(block_excess(&[signal, signal]), None);
    }

    #[test]
    fn a_polynomial_of_the_same_degree_is_followed_exactly() {
        let truth = |u: f64, v: f64| 0.02 + 0.01 * u - 0.004 * v + 0.003 * u * v + 0.006 * u * u;
        let blocks: Vec<BlockExcess> = (0..8)
            .flat_map(|y| (0..8).map(move |x| (unit(x, 8), unit(y, 8))))
            .map(|(u, v)| BlockExcess { u, v, excess_s: truth(u, v), variance: 1e-6 })
            .collect();
        let map = ShutterMap::fit(&blocks, 2).unwrap();
        let reference = map.over(40, 60);
        for (y, x) in [(0, 0), (39, 59), (20, 7)] {
            assert!((f64::from(reference.image[(y, x)]) - truth(unit(x, 60), unit(y, 40))).abs() < 1e-8);
            // 64 blocks of 1e-6, 6 terms: variance of the fit averages 6/64 of a block's and stays below it.
            assert!(reference.variance[(y, x)] > 0.0 && reference.variance[(y, x)] < 1e-6);
        }
    }
}
