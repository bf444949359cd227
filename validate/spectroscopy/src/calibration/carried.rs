//! Orders too faint to be measured follow the first: one turn and one scale of the grating are those of all its orders.
//!
//! # Formula
//! `(x, y)_measured = (a x - b y, b x + a y)_nominal` by least squares over places and wavelengths of the first order; the same a, b go to every power of t and every
//! term over the field of the orders that were not measured.
//! # Symbols
//! a - 1  error of the distance (or of the period);  b  error of the direction \[rad\]
//! # Source
//! The grating equation: directions of orders lie on one line, at m lambda / p.
//! # Limits
//! A turn about the beam and a change of the distance, to first order in the angles; a tilt of the grating is not followed.

use sim_core::dispersion::{FieldPolynomial, Order};

/// Scale and turn (a, b) that lead from a nominal order to a measured one, over places \[pixel\]; `None` without a place.
#[must_use]
pub fn turn(nominal: &Order, measured: &Order, places: &[(f64, f64)]) -> Option<(f64, f64)> {
    let (mut a, mut b, mut norm) = (0.0, 0.0, 0.0);
    for &(x, y) in places {
        let (from, to) = (nominal.trace(x, y), measured.trace(x, y));
        for k in 0..=10 {
            let t = f64::from(k) / 10.0;
            let (u, v) = from.offset(t);
            let (p, q) = to.offset(to.parameter(from.wavelength_nm(t)));
            a += u * p + v * q;
            b += u * q - v * p;
            norm += u * u + v * v;
        }
    }
    (norm > 0.0).then(|| (a / norm, b / norm))
}

/// An order turned and scaled; wavelengths and efficiency stay.
#[must_use]
pub fn carried(order: &Order, (a, b): (f64, f64)) -> Order {
    let mix = |p: &[FieldPolynomial], q: &[FieldPolynomial], f: f64, g: f64| -> Vec<FieldPolynomial> {
        (0..p.len().max(q.len())).filter_map(|k| sum(p.get(k), q.get(k), f, g)).collect()
    };
    Order { x: mix(&order.x, &order.y, a, -b), y: mix(&order.y, &order.x, a, b), ..order.clone() }
}

fn sum(p: Option<&FieldPolynomial>, q: Option<&FieldPolynomial>, f: f64, g: f64) -> Option<FieldPolynomial> {
    let (p, q) = (p.map_or(&[][..], FieldPolynomial::coefficients), q.map_or(&[][..], FieldPolynomial::coefficients));
    let at = |c: &[f64], i: usize| c.get(i).copied().unwrap_or(0.0);
    FieldPolynomial::new((0..p.len().max(q.len())).map(|i| f * at(p, i) + g * at(q, i)).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use sim_core::bandpass::Bandpass;
    use std::sync::Arc;

    #[test]
    fn the_second_order_turns_with_the_first() {
        let field = |c: &[f64]| FieldPolynomial::new(c.to_vec()).unwrap();
        let efficiency = Arc::new(Bandpass::new("GI", vec![600.0, 1000.0], vec![0.3, 0.3]).unwrap());
        let order = |m: f64| Order {
            number: m as i32,
            x: vec![field(&[700.0 * m, 0.01, 0.0]), field(&[480.0 * m])],
            y: vec![field(&[12.0 * m]), field(&[8.0 * m])],
            wavelength_nm: vec![field(&[600.0]), field(&[400.0])],
            efficiency: efficiency.clone(),
        };
        let built = |order: &Order| carried(order, (1.002, 1e-3));
        let found = turn(&order(1.0), &built(&order(1.0)), &[(100.0, 200.0), (3000.0, 4000.0)]).unwrap();
        assert!((found.0 - 1.002).abs() < 1e-9 && (found.1 - 1e-3).abs() < 1e-9, "{found:?}");
        let (second, exact) = (carried(&order(2.0), found).trace(50.0, 60.0), built(&order(2.0)).trace(50.0, 60.0));
        assert!((second.offset(0.4).0 - exact.offset(0.4).0).abs() < 1e-6 && (second.offset(0.4).1 - exact.offset(0.4).1).abs() < 1e-6);
        assert!(turn(&order(1.0), &order(1.0), &[]).is_none());
    }
}
