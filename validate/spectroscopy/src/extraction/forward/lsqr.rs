//! Least squares of a sparse matrix with damping.
//!
//! # Formula
//! Minimises `|A x - b|^2 + d^2 |x|^2` by bidiagonalisation and plane rotations.
//! # Symbols
//! d  damping
//! # Source
//! Paige & Saunders 1982 (ACM TOMS 8, 43), algorithm LSQR.
//! # Limits
//! Stops when `|A^T r|` has fallen by the tolerance, or after the iterations given.

/// A sparse matrix by rows.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Sparse {
    /// First entry of each row, and the number of entries at the end.
    pub starts: Vec<usize>,
    /// Column and value of each entry.
    pub entries: Vec<(u32, f64)>,
    /// Columns.
    pub columns: usize,
}

impl Sparse {
    /// From rows of entries.
    #[must_use]
    pub fn new(rows: &[Vec<(u32, f64)>], columns: usize) -> Self {
        let mut out = Self { starts: vec![0], entries: Vec::with_capacity(rows.iter().map(Vec::len).sum()), columns };
        for row in rows {
            out.entries.extend_from_slice(row);
            out.starts.push(out.entries.len());
        }
        out
    }
    /// Rows.
    #[must_use]
    pub fn rows(&self) -> usize {
        self.starts.len().saturating_sub(1)
    }
    /// `A x`.
    #[must_use]
    pub fn times(&self, x: &[f64]) -> Vec<f64> {
        self.starts.windows(2).map(|w| self.entries[w[0]..w[1]].iter().map(|(c, v)| v * x[*c as usize]).sum()).collect()
    }
    /// `A^T y`.
    #[must_use]
    pub fn transposed_times(&self, y: &[f64]) -> Vec<f64> {
        let mut out = vec![0.0; self.columns];
        for (w, v) in self.starts.windows(2).zip(y) {
            for (c, a) in &self.entries[w[0]..w[1]] {
                out[*c as usize] += a * v;
            }
        }
        out
    }
}

/// What LSQR gives.
#[derive(Debug, Clone, PartialEq)]
pub struct Solution {
    /// The unknowns.
    pub x: Vec<f64>,
    /// `|A x - b|`.
    pub residual: f64,
    /// Iterations done.
    pub iterations: usize,
    /// Whether the tolerance was reached.
    pub converged: bool,
}

fn normalise(v: &mut [f64]) -> f64 {
    let norm = v.iter().map(|x| x * x).sum::<f64>().sqrt();
    if norm > 0.0 {
        v.iter_mut().for_each(|x| *x /= norm);
    }
    norm
}

/// Solves; `tolerance` relative to the first `|A^T b|`.
#[must_use]
pub fn lsqr(a: &Sparse, b: &[f64], damping: f64, tolerance: f64, most: usize) -> Solution {
    let mut u = b.to_vec();
    let mut beta = normalise(&mut u);
    let mut v = a.transposed_times(&u);
    let mut alpha = normalise(&mut v);
    let (mut x, mut w) = (vec![0.0; a.columns], v.clone());
    let (mut phi_bar, mut rho_bar) = (beta, alpha);
    let start = alpha * beta;
    let mut out = Solution { x: Vec::new(), residual: beta, iterations: 0, converged: start == 0.0 };
    while !out.converged && out.iterations < most {
        out.iterations += 1;
        let mut next = a.times(&v);
        next.iter_mut().zip(&u).for_each(|(n, u)| *n -= alpha * u);
        beta = normalise(&mut next);
        u = next;
        let mut next = a.transposed_times(&u);
        next.iter_mut().zip(&v).for_each(|(n, v)| *n -= beta * v);
        alpha = normalise(&mut next);
        v = next;
        // The damping is rotated away first, then the lower diagonal.
        let damped = rho_bar.hypot(damping);
        phi_bar *= rho_bar / damped;
        let rho = damped.hypot(beta);
        let (c, s) = (damped / rho, beta / rho);
        let (theta, phi) = (s * alpha, c * phi_bar);
        rho_bar = -c * alpha;
        phi_bar *= s;
        for ((x, w), v) in x.iter_mut().zip(&mut w).zip(&v) {
            *x += phi / rho * *w;
            *w = v - theta / rho * *w;
        }
        out.converged = (phi_bar * alpha * c).abs() <= tolerance * start;
    }
    out.residual = a.times(&x).iter().zip(b).map(|(m, b)| (m - b).powi(2)).sum::<f64>().sqrt();
    out.x = x;
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use nalgebra::{DMatrix, DVector};

    #[test]
    fn it_solves_what_the_normal_equations_solve() {
        let (rows, columns) = (40, 12);
        let value = |i: usize, j: usize| {
            if [1, 2, 3].contains(&((i * 7 + j * 3 + i * j) % 4)) {
                ((i * 31 + j * 17 + i * i * j * 5) % 23) as f64 / 7.0 - 1.3
            } else {
                0.0
            }
        };
        let list: Vec<Vec<(u32, f64)>> =
            (0..rows).map(|i| (0..columns).filter(|j| value(i, *j) != 0.0).map(|j| (j as u32, value(i, j))).collect()).collect();
        let a = Sparse::new(&list, columns);
        let b: Vec<f64> = (0..rows).map(|i| (i as f64 * 0.7).sin()).collect();
        let dense = DMatrix::from_fn(rows, columns, value);
        for damping in [0.0, 0.8] {
            let normal = dense.transpose() * &dense + DMatrix::identity(columns, columns) * damping * damping;
            let expected = normal.try_inverse().unwrap() * dense.transpose() * DVector::from_vec(b.clone());
            let got = lsqr(&a, &b, damping, 1e-12, 200);
            assert!(got.converged);
            for (g, e) in got.x.iter().zip(expected.iter()) {
                assert!((g - e).abs() < 1e-8, "{g} {e}");
            }
        }
    }
}
