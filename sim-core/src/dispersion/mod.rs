//! Where an order of a grating puts light: trace and dispersion as polynomials of a parameter, their coefficients as polynomials of the field.
//!
//! # Formula
//! A source whose undispersed image is at (x0, y0) has the wavelength `lambda(t) = sum L_k(x0, y0) t^k` at
//! `(x0 + sum X_k(x0, y0) t^k, y0 + sum Y_k(x0, y0) t^k)`, t from 0 to 1.
//! # Symbols
//! L_k, X_k, Y_k  polynomials of the field: 1; x, y; x^2, x y, y^2; ... (the ordering of Cantor)
//! # Source
//! Pirzkal & Ryan 2017 (STScI ISR WFC3 2017-01), the model of `grismconf`.
//! # Limits
//! Wavelengths rise or fall all along t.
//! # Twin
//! The extraction follows the same polynomials.

pub mod configuration;
mod opening;

pub use opening::Opening;

use crate::bandpass::Bandpass;
use std::sync::Arc;

/// A grating in front of a part of a detector.
#[derive(Debug, Clone, PartialEq)]
pub struct Grating {
    /// Where it is.
    pub opening: Opening,
    /// Its orders.
    pub orders: Vec<Order>,
}

/// A polynomial of the place on the detector.
#[derive(Debug, Clone, PartialEq)]
pub struct FieldPolynomial(Vec<f64>);

impl FieldPolynomial {
    /// From its coefficients: of 1; x, y; x^2, x y, y^2; ... `None` unless there are 1, 3, 6, 10, ... of them, all finite.
    #[must_use]
    pub fn new(coefficients: Vec<f64>) -> Option<Self> {
        let whole = (0..20).any(|degree| (degree + 1) * (degree + 2) / 2 == coefficients.len());
        (whole && coefficients.iter().all(|c| c.is_finite())).then_some(Self(coefficients))
    }
    /// Value at a place \[pixel\].
    #[must_use]
    pub fn at(&self, x: f64, y: f64) -> f64 {
        terms(self.0.len(), x, y).zip(&self.0).map(|(term, c)| term * c).sum()
    }
    /// The coefficients.
    #[must_use]
    pub fn coefficients(&self) -> &[f64] {
        &self.0
    }
}

/// The first `count` terms 1; x, y; x^2, x y, y^2; ...
pub fn terms(count: usize, x: f64, y: f64) -> impl Iterator<Item = f64> {
    (0..).flat_map(move |degree: i32| (0..=degree).map(move |j| x.powi(degree - j) * y.powi(j))).take(count)
}

/// One order of one grating.
#[derive(Debug, Clone, PartialEq)]
pub struct Order {
    /// Its number: 1 is the main one, 0 the undispersed.
    pub number: i32,
    /// Columns from the undispersed image, by powers of t \[pixel\].
    pub x: Vec<FieldPolynomial>,
    /// Rows from the undispersed image, by powers of t \[pixel\].
    pub y: Vec<FieldPolynomial>,
    /// Vacuum wavelength, by powers of t \[nm\].
    pub wavelength_nm: Vec<FieldPolynomial>,
    /// Efficiency of telescope, grating and detector in this order.
    pub efficiency: Arc<Bandpass>,
}

/// An order as one place sees it.
#[derive(Debug, Clone, PartialEq)]
pub struct Trace {
    x: Vec<f64>,
    y: Vec<f64>,
    wavelength_nm: Vec<f64>,
}

fn polynomial(coefficients: &[f64], t: f64) -> f64 {
    coefficients.iter().rev().fold(0.0, |sum, c| sum * t + c)
}

fn slope(coefficients: &[f64], t: f64) -> f64 {
    coefficients.iter().enumerate().skip(1).rev().fold(0.0, |sum, (k, c)| sum * t + k as f64 * c)
}

impl Order {
    /// The trace of a source whose undispersed image is at a place \[pixel\].
    #[must_use]
    pub fn trace(&self, x0: f64, y0: f64) -> Trace {
        let at = |powers: &[FieldPolynomial]| powers.iter().map(|p| p.at(x0, y0)).collect();
        Trace { x: at(&self.x), y: at(&self.y), wavelength_nm: at(&self.wavelength_nm) }
    }
}

impl Trace {
    /// Wavelength at the parameter \[nm\].
    #[must_use]
    pub fn wavelength_nm(&self, t: f64) -> f64 {
        polynomial(&self.wavelength_nm, t)
    }
    /// Columns and rows from the undispersed image at the parameter \[pixel\].
    #[must_use]
    pub fn offset(&self, t: f64) -> (f64, f64) {
        (polynomial(&self.x, t), polynomial(&self.y, t))
    }
    /// Columns and rows per unit of the parameter.
    #[must_use]
    pub fn direction(&self, t: f64) -> (f64, f64) {
        (slope(&self.x, t), slope(&self.y, t))
    }
    /// Wavelength per unit of the parameter \[nm\].
    #[must_use]
    pub fn wavelength_slope_nm(&self, t: f64) -> f64 {
        slope(&self.wavelength_nm, t)
    }
    /// The parameter of a wavelength, by Newton's method; beyond 0..1 the polynomials are continued.
    #[must_use]
    pub fn parameter(&self, wavelength_nm: f64) -> f64 {
        let (first, last) = (self.wavelength_nm(0.0), self.wavelength_nm(1.0));
        self.parameter_near(wavelength_nm, (wavelength_nm - first) / (last - first))
    }
    /// The parameter at which the trace is `columns` from the undispersed image, by Newton's method; `None` where that does not settle and on a trace without
    /// dispersion, all of which is in one column.
    #[must_use]
    pub fn parameter_of_column(&self, columns: f64) -> Option<f64> {
        let (first, last) = (self.offset(0.0).0, self.offset(1.0).0);
        if (last - first).abs() < 1e-6 {
            return None;
        }
        let mut t = (columns - first) / (last - first);
        for _ in 0..30 {
            let step = (columns - self.offset(t).0) / self.direction(t).0;
            t += step;
            if !t.is_finite() {
                return None;
            }
            if step.abs() < 1e-12 {
                return Some(t);
            }
        }
        None
    }
    /// As [`Trace::parameter`], from a first guess.
    #[must_use]
    pub fn parameter_near(&self, wavelength_nm: f64, guess: f64) -> f64 {
        let mut t = guess;
        for _ in 0..20 {
            let step = (wavelength_nm - self.wavelength_nm(t)) / self.wavelength_slope_nm(t);
            t += step;
            if step.abs() < 1e-13 {
                break;
            }
        }
        t
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn field_polynomials_follow_cantors_order_and_need_whole_degrees() {
        let p = FieldPolynomial::new(vec![1.0, 2.0, 3.0, 4.0, 5.0, 6.0]).unwrap();
        assert_eq!(p.at(2.0, -1.0), 1.0 + 4.0 - 3.0 + 16.0 - 10.0 + 6.0);
        assert!(FieldPolynomial::new(vec![1.0, 2.0]).is_none() && FieldPolynomial::new(vec![f64::NAN]).is_none());
    }

    #[test]
    fn a_wavelength_has_the_parameter_that_has_the_wavelength() {
        let constant = |c: f64| FieldPolynomial::new(vec![c]).unwrap();
        let efficiency = Arc::new(Bandpass::new("GI", vec![600.0, 1000.0], vec![0.3, 0.3]).unwrap());
        let order = Order {
            number: 1,
            x: vec![FieldPolynomial::new(vec![700.0, 0.01, 0.0]).unwrap(), constant(480.0)],
            y: vec![constant(0.0), constant(5.0)],
            wavelength_nm: vec![constant(620.0), constant(370.0), constant(10.0)],
            efficiency,
        };
        let trace = order.trace(1000.0, 0.0);
        assert_eq!(trace.offset(0.5), (710.0 + 240.0, 2.5));
        for t in [0.0, 0.3, 1.0, 1.1] {
            assert!((trace.parameter(trace.wavelength_nm(t)) - t).abs() < 1e-12);
            assert!((trace.parameter_of_column(trace.offset(t).0).unwrap() - t).abs() < 1e-12);
        }
        let still = Trace { x: vec![3.0], ..trace };
        assert_eq!(still.parameter_of_column(3.0), None, "all of it is in one column");
    }
}
