//! The polynomial correction of positions.
//!
//! # Formula
//! `dx = sum a_k u_k`, `dy = sum b_k u_k`, u = 1; X, Y; X^2, X Y, Y^2, X and Y the position from the frame's middle over half its longer side.
//! Covariance of a and b: `rms^2 (M^T M)^-1`, each axis with its own rms.
//! # Symbols
//! a, b  coefficients \[pixel\]
//! # Source
//! Linear least squares.
//! # Limits
//! Nothing is continued: beyond the square about the frame and the stars used, a source is moved as the nearest place of that square is.

use nalgebra::{DMatrix, DVector};

/// How far the fit came.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Status {
    /// A polynomial of this degree, 1 or 2.
    Fitted(usize),
    /// Too few stars for a polynomial: a shift alone.
    ShiftOnly,
    /// Nothing could be matched: positions are the catalogue's.
    Untouched,
}

/// What is added to the catalogue's positions.
#[derive(Debug, Clone, PartialEq)]
pub struct Correction {
    /// How far the fit came.
    pub status: Status,
    /// Middle of the frame and half of its longer side \[pixel\].
    pub scale: (f64, f64, f64),
    /// Largest X or Y at which the polynomial is used: 1, or that of the outermost star.
    pub reach: f64,
    /// Coefficients of dx: 1, 3 or 6 \[pixel\].
    pub x: Vec<f64>,
    /// Coefficients of dy.
    pub y: Vec<f64>,
    /// Covariance of the coefficients of dx \[pixel^2\].
    pub covariance_x: DMatrix<f64>,
    /// Covariance of the coefficients of dy.
    pub covariance_y: DMatrix<f64>,
    /// Stars used.
    pub used: usize,
    /// Root mean square of the residuals on x and y \[pixel\]; not a number without a fit.
    pub rms: (f64, f64),
}

fn terms(count: usize, x: f64, y: f64) -> impl Iterator<Item = f64> {
    [1.0, x, y, x * x, x * y, y * y].into_iter().take(count)
}

impl Correction {
    /// No correction, for a frame with its middle and half of its longer side.
    #[must_use]
    pub fn untouched(scale: (f64, f64, f64)) -> Self {
        let none = || DMatrix::zeros(1, 1);
        let rms = (f64::NAN, f64::NAN);
        Self {
            status: Status::Untouched,
            scale,
            reach: 1.0,
            x: vec![0.0],
            y: vec![0.0],
            covariance_x: none(),
            covariance_y: none(),
            used: 0,
            rms,
        }
    }
    fn place(&self, x: f64, y: f64) -> (f64, f64) {
        // Farther off: the nearest place of the square.
        let within = |v: f64| (v / self.scale.2).clamp(-self.reach, self.reach);
        (within(x - self.scale.0), within(y - self.scale.1))
    }
    /// What to add to a position of the catalogue \[pixel\].
    #[must_use]
    pub fn at(&self, x: f64, y: f64) -> (f64, f64) {
        let (u, v) = self.place(x, y);
        let sum = |c: &[f64]| terms(c.len(), u, v).zip(c).map(|(t, c)| t * c).sum();
        (sum(&self.x), sum(&self.y))
    }
    /// Standard error of the correction at a position \[pixel\].
    #[must_use]
    pub fn error(&self, x: f64, y: f64) -> (f64, f64) {
        let (u, v) = self.place(x, y);
        let row = DVector::from_iterator(self.x.len(), terms(self.x.len(), u, v));
        let error = |c: &DMatrix<f64>| (row.transpose() * c * &row)[(0, 0)].max(0.0).sqrt();
        (error(&self.covariance_x), error(&self.covariance_y))
    }
    /// Fits displacements (x, y, dx, dy) by a polynomial of a degree; `None` when they do not determine it.
    #[must_use]
    pub fn fit(points: &[(f64, f64, f64, f64)], degree: usize, scale: (f64, f64, f64)) -> Option<Self> {
        let count = (degree + 1) * (degree + 2) / 2;
        if points.len() < count.max(1) {
            return None;
        }
        let mut out = Self::untouched(scale);
        let outermost = points.iter().map(|p| (p.0 - scale.0).abs().max((p.1 - scale.1).abs()) / scale.2);
        out.reach = outermost.fold(1.0, f64::max);
        let rows: Vec<f64> = points
            .iter()
            .flat_map(|p| {
                let (u, v) = out.place(p.0, p.1);
                terms(count, u, v).collect::<Vec<_>>()
            })
            .collect();
        let design = DMatrix::from_row_slice(points.len(), count, &rows);
        let normal = design.transpose() * &design;
        // Places on a line, or all together, cannot carry the polynomial.
        let eigen = normal.clone().symmetric_eigen().eigenvalues;
        if eigen.min() < 1e-8 * eigen.max() {
            return None;
        }
        let inverse = normal.try_inverse()?;
        let solve = |values: DVector<f64>| {
            let c = &inverse * design.transpose() * &values;
            let residual = &values - &design * &c;
            let freedom = points.len().saturating_sub(count);
            let rms = if freedom > 0 { (residual.norm_squared() / freedom as f64).sqrt() } else { f64::NAN };
            (c.iter().copied().collect::<Vec<f64>>(), rms)
        };
        let (x, rms_x) = solve(DVector::from_iterator(points.len(), points.iter().map(|p| p.2)));
        let (y, rms_y) = solve(DVector::from_iterator(points.len(), points.iter().map(|p| p.3)));
        out.covariance_x = &inverse * rms_x.powi(2);
        out.covariance_y = &inverse * rms_y.powi(2);
        (out.x, out.y, out.used, out.rms) = (x, y, points.len(), (rms_x, rms_y));
        out.status = if degree == 0 { Status::ShiftOnly } else { Status::Fitted(degree) };
        Some(out)
    }
}
