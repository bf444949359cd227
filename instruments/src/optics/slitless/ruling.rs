//! A transmission grating in the converging beam: where its orders fall, from the grating equation.
//!
//! # Formula
//! A ray of direction cosines (sx, sy, sz) leaves with `sx' = sx + m lambda cos(phi) / p`, `sy' = sy + m lambda sin(phi) / p`,
//! `sz' = root(1 - sx'^2 - sy'^2)`; on a detector at the distance d it is `d (sx' / sz' - sx / sz)` and `d (sy' / sz' - sy / sz)` from where it would have
//! been. The chief ray of a place (X, Y) from the axis comes from the exit pupil, `tan = (X, Y) / D`.
//! # Symbols
//! m  order;  p  period of the ruling \[um\];  phi  direction of dispersion from the columns' axis;  d  distance of the ruling from the detector \[mm\];
//! D  distance of the exit pupil \[mm\]
//! # Source
//! Grating equation in direction cosines: Harvey & Vernold 1998 (Applied Optics 37, 8158); polynomials by linear least squares on Chebyshev nodes.
//! # Limits
//! The chief ray stands for the beam: the spread of its rays over the ruling, which blurs orders by m lambda / p times the beam's curvature, is left out.
//! A plane ruling parallel to the detector, in vacuum.
//! # Twin
//! The calibration of traces finds the polynomials again.

use nalgebra::{DMatrix, DVector};
use sim_core::bandpass::Bandpass;
use sim_core::detector::DetectorGeometry;
use sim_core::dispersion::{FieldPolynomial, Order, terms};
use std::f64::consts::PI;
use std::sync::Arc;

/// A ruling in front of a detector.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Ruling {
    /// Period \[um\].
    pub period_um: f64,
    /// Distance from the detector \[mm\].
    pub distance_mm: f64,
    /// Direction in which positive orders run, from the columns' axis towards the rows' \[deg\].
    pub direction_deg: f64,
    /// Distance of the exit pupil from the detector \[mm\].
    pub pupil_distance_mm: f64,
    /// Pixel \[mm\].
    pub pixel_pitch_mm: f64,
    /// Where the optical axis meets the detector's plane, columns and rows \[pixel\].
    pub axis: (f64, f64),
}

/// Powers of t, and degree over the field, of the polynomials.
const POWERS: usize = 5;
const FIELD_TERMS: usize = 10;
/// Nodes along t and along each side of the detector.
const NODES: usize = 7;

/// An order as polynomials, and how well they follow the grating equation.
#[derive(Debug, Clone, PartialEq)]
pub struct Fitted {
    /// The order.
    pub order: Order,
    /// Largest error over the detector and the band \[pixel\].
    pub error: f64,
}

impl Ruling {
    /// Columns and rows from the undispersed image of a source at a place; `None` when the order does not exist (evanescent).
    #[must_use]
    pub fn offset(&self, (x, y): (f64, f64), number: i32, wavelength_nm: f64) -> Option<(f64, f64)> {
        let tangent = |at: f64, axis: f64| (at - axis) * self.pixel_pitch_mm / self.pupil_distance_mm;
        let (tx, ty) = (tangent(x, self.axis.0), tangent(y, self.axis.1));
        let norm = (1.0 + tx * tx + ty * ty).sqrt();
        let turn = f64::from(number) * wavelength_nm * 1e-3 / self.period_um;
        let (sine, cosine) = self.direction_deg.to_radians().sin_cos();
        let (sx, sy) = (tx / norm + turn * cosine, ty / norm + turn * sine);
        let sz2 = 1.0 - sx * sx - sy * sy;
        let pixels = self.distance_mm / self.pixel_pitch_mm;
        (sz2 > 0.0).then(|| (pixels * (sx / sz2.sqrt() - tx), pixels * (sy / sz2.sqrt() - ty)))
    }

    /// An order over a detector as polynomials of fourth degree in t and third over the field; `None` when a part of it does not exist.
    #[must_use]
    pub fn order(&self, number: i32, efficiency: Arc<Bandpass>, geometry: &DetectorGeometry) -> Option<Fitted> {
        let (low, high) = efficiency.range_nm();
        let (nx, ny) = (geometry.nx as f64, geometry.ny as f64);
        let node = |k: usize| 0.5 - 0.5 * (PI * (k as f64 + 0.5) / NODES as f64).cos();
        let all = || (0..NODES).flat_map(|i| (0..NODES).flat_map(move |j| (0..NODES).map(move |k| (node(i), node(j), node(k)))));
        let seen = |(u, v, t): (f64, f64, f64)| self.offset((u * nx, v * ny), number, low + (high - low) * t);
        let sights: Vec<(f64, f64)> = all().map(seen).collect::<Option<_>>()?;
        // Terms of u, v in 0..1, for the sake of the condition; scaled to pixels after.
        let row = |(u, v, t): (f64, f64, f64)| -> Vec<f64> {
            (0..POWERS).flat_map(|power| terms(FIELD_TERMS, u, v).map(move |term| term * t.powi(power as i32))).collect()
        };
        let rows: Vec<f64> = all().flat_map(row).collect();
        let matrix = DMatrix::from_row_slice(sights.len(), POWERS * FIELD_TERMS, &rows);
        let solver = matrix.clone().svd(true, true);
        let solve = |of: &dyn Fn(&(f64, f64)) -> f64| {
            let wanted = DVector::from_iterator(sights.len(), sights.iter().map(of));
            solver.solve(&wanted, 1e-13).ok().map(|found| {
                let error = (&matrix * &found - wanted).amax();
                (found, error)
            })
        };
        let ((x, error_x), (y, error_y)) = (solve(&|s| s.0)?, solve(&|s| s.1)?);
        let scales: Vec<f64> = terms(FIELD_TERMS, 1.0 / nx, 1.0 / ny).collect();
        let powers = |found: &DVector<f64>| -> Option<Vec<FieldPolynomial>> {
            let of = |power: usize| found.rows(power * FIELD_TERMS, FIELD_TERMS).iter().zip(&scales).map(|(c, s)| c * s).collect();
            (0..POWERS).map(|power| FieldPolynomial::new(of(power))).collect()
        };
        let constant = |value: f64| FieldPolynomial::new(vec![value]);
        let order =
            Order { number, x: powers(&x)?, y: powers(&y)?, wavelength_nm: vec![constant(low)?, constant(high - low)?], efficiency };
        Some(Fitted { order, error: error_x.max(error_y) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use sim_core::detector::AmplifierGrid;

    fn ruling() -> Ruling {
        Ruling {
            period_um: 8.2,
            distance_mm: 100.0,
            direction_deg: 1.0,
            pupil_distance_mm: 5000.0,
            pixel_pitch_mm: 0.01,
            axis: (-16_000.0, 5000.0),
        }
    }

    #[test]
    fn on_the_axis_an_order_stands_at_the_tangent_of_its_angle() {
        let on_axis = Ruling { direction_deg: 0.0, axis: (100.0, 200.0), ..ruling() };
        for (number, nm) in [(1, 620.0), (-1, 1000.0), (2, 800.0)] {
            let (x, y) = on_axis.offset((100.0, 200.0), number, nm).unwrap();
            let exact = 1e4 * (f64::from(number) * nm * 1e-3 / 8.2).asin().tan();
            assert!((x - exact).abs() < 1e-9 && y.abs() < 1e-12, "{x} {y} {exact}");
        }
        assert_eq!(on_axis.offset((3000.0, 9000.0), 0, 700.0).map(|o| (o.0.abs() < 1e-9, o.1.abs() < 1e-9)), Some((true, true)));
        assert!(Ruling { period_um: 0.5, ..ruling() }.offset((0.0, 0.0), 1, 700.0).is_none(), "finer than the wavelength: no such order");
    }

    #[test]
    fn polynomials_follow_the_grating_equation_over_the_whole_detector() {
        let amplifiers = AmplifierGrid { columns: 1, rows: 1, prescan_x: 0, overscan_x: 0, overscan_y: 0 };
        let (nx, ny, filter) = (9216, 9232, "GI".to_string());
        let geometry = DetectorGeometry { number: 1, filter, nx, ny, crpix1: 1.0, crpix2: 1.0, pixel_scale_arcsec: 0.074, amplifiers };
        let band = Arc::new(Bandpass::new("GI", vec![620.0, 1000.0], vec![0.4, 0.4]).unwrap());
        for number in [-2, -1, 1, 2] {
            let fitted = ruling().order(number, band.clone(), &geometry).unwrap();
            assert!(fitted.error < 3e-3, "order {number}: {} pixel", fitted.error);
            let place = (1234.5, 8765.4);
            let trace = fitted.order.trace(place.0, place.1);
            let (x, y) = trace.offset(trace.parameter(777.0));
            let exact = ruling().offset(place, number, 777.0).unwrap();
            assert!((x - exact.0).hypot(y - exact.1) < 3e-3, "order {number}: {x} {y} {exact:?}");
        }
    }
}
