//! Orbits about the Sun.
//!
//! # Effect
//! Six elements at an epoch give a place at any time.
//! # Formula
//! `n = k a^-1.5`, `M = M0 + n (t - t0)`, `E - e sin E = M`, `r = a P (cos E - e) + a sqrt(1 - e^2) Q sin E`
//! # Symbols
//! a semi-major axis \[au\], e eccentricity, i inclination, node and argument of the perihelion to ecliptic and equinox of J2000, M mean anomaly;
//! k Gauss's constant; P, Q unit vectors to the perihelion and 90 deg further on
//! # Source
//! Any textbook (Murray & Dermott 1999, Solar System Dynamics, 2.4 to 2.8); obliquity of 84381.448 arcsec, as orbit catalogues use (IAU 1976)
//! # Limits
//! The Sun alone pulls: planets move a main-belt asteroid by some arcseconds in a month from the epoch of its elements, minutes of arc in years. No
//! hyperbolas and parabolas. The frame bias (0.02 arcsec) is left out.
//! # Twin
//! None.

use crate::direction::Vector;
use crate::observer::SUN_MU;
use std::f64::consts::{PI, TAU};

/// Obliquity of the ecliptic of J2000 \[arcsec\].
const OBLIQUITY_ARCSEC: f64 = 84_381.448;
/// Steps of Newton's method: three do for nearly circular orbits.
const MOST_STEPS: usize = 60;

/// Osculating elements, ecliptic and equinox of J2000.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Elements {
    /// Semi-major axis \[au\].
    pub a_au: f64,
    /// Eccentricity.
    pub e: f64,
    /// Inclination \[deg\].
    pub inclination_deg: f64,
    /// Longitude of the ascending node \[deg\].
    pub node_deg: f64,
    /// Argument of the perihelion \[deg\].
    pub perihelion_deg: f64,
    /// Mean anomaly at the epoch \[deg\].
    pub mean_anomaly_deg: f64,
    /// Epoch, modified Julian date TT \[d\].
    pub epoch_mjd: f64,
}

impl Elements {
    /// Name, value and range of the first element that is impossible.
    #[must_use]
    pub fn fault(&self) -> Option<(&'static str, f64, &'static str)> {
        let angles = [("i", self.inclination_deg), ("node", self.node_deg), ("peri", self.perihelion_deg), ("M", self.mean_anomaly_deg)];
        if !(self.a_au > 0.0 && self.a_au <= 1e5) {
            return Some(("a", self.a_au, "above 0 to 1e5 au"));
        }
        if !(self.e >= 0.0 && self.e < 1.0) {
            return Some(("e", self.e, "0 to below 1: parabolas and hyperbolas are not supported"));
        }
        if !(0.0..=180.0).contains(&self.inclination_deg) {
            return Some(("i", self.inclination_deg, "0..180 deg"));
        }
        if let Some(&(name, value)) = angles.iter().find(|(_, v)| !(-720.0..=720.0).contains(v)) {
            return Some((name, value, "-720..720 deg"));
        }
        (!(-700_000.0..=200_000.0).contains(&self.epoch_mjd)).then_some(("epoch", self.epoch_mjd, "MJD -700000..200000"))
    }
}

/// Eccentric anomaly \[rad\] of a mean anomaly \[rad\], `0 <= e < 1`.
#[must_use]
pub fn eccentric_anomaly(mean: f64, e: f64) -> f64 {
    let turns = (mean / TAU).round();
    let m = mean - TAU * turns;
    // Danby's start; Newton's method on a convex side does not run away from it.
    let mut at = m + 0.85 * e * m.signum();
    for _ in 0..MOST_STEPS {
        let (s, c) = at.sin_cos();
        let step = (at - e * s - m) / (1.0 - e * c);
        at -= step.clamp(-1.0, 1.0);
        if step.abs() < 1e-14 {
            break;
        }
    }
    at + TAU * turns
}

/// True anomaly \[rad\], continuous over all turns.
#[must_use]
pub fn true_anomaly(mean: f64, e: f64) -> f64 {
    let at = eccentric_anomaly(mean, e);
    let turns = (at / TAU).round();
    let half = 0.5 * (at - TAU * turns);
    let (s, c) = half.sin_cos();
    2.0 * ((1.0 + e).sqrt() * s).atan2((1.0 - e).sqrt() * c) + TAU * turns
}

/// An orbit made ready: axes of the ICRS.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Ellipse {
    along: Vector,
    across: Vector,
    e: f64,
    rate: f64,
    mean: f64,
    epoch_mjd: f64,
}

/// Mean motion \[rad / d\] of a semi-major axis \[au\].
#[must_use]
pub fn mean_motion(a_au: f64) -> f64 {
    (SUN_MU / (a_au * a_au * a_au)).sqrt()
}

/// A vector of the ecliptic of J2000 in axes of the equator.
pub(crate) fn equatorial(v: Vector) -> Vector {
    let (s, c) = (OBLIQUITY_ARCSEC / 3600.0).to_radians().sin_cos();
    [v[0], c * v[1] - s * v[2], s * v[1] + c * v[2]]
}

/// The other way round.
pub(crate) fn ecliptic(v: Vector) -> Vector {
    let (s, c) = (OBLIQUITY_ARCSEC / 3600.0).to_radians().sin_cos();
    [v[0], c * v[1] + s * v[2], c * v[2] - s * v[1]]
}

impl Ellipse {
    /// Of elements without fault.
    #[must_use]
    pub fn new(elements: &Elements) -> Self {
        let (so, co) = elements.node_deg.to_radians().sin_cos();
        let (sw, cw) = elements.perihelion_deg.to_radians().sin_cos();
        let (si, ci) = elements.inclination_deg.to_radians().sin_cos();
        let p = [co * cw - so * sw * ci, so * cw + co * sw * ci, sw * si];
        let q = [-co * sw - so * cw * ci, -so * sw + co * cw * ci, cw * si];
        let minor = elements.a_au * (1.0 - elements.e * elements.e).sqrt();
        Self {
            along: equatorial(p).map(|x| elements.a_au * x),
            across: equatorial(q).map(|x| minor * x),
            e: elements.e,
            rate: mean_motion(elements.a_au),
            mean: elements.mean_anomaly_deg.to_radians(),
            epoch_mjd: elements.epoch_mjd,
        }
    }
    /// The same to 1e-3 of the distance, faster.
    #[must_use]
    pub fn place_roughly_au(&self, tdb_mjd: f64) -> [f64; 3] {
        if self.e > 0.3 {
            return self.place_au(tdb_mjd);
        }
        let mean = self.mean + self.rate * (tdb_mjd - self.epoch_mjd);
        let (s, c) = mean.sin_cos();
        // The start is right to e^3; one step of Newton's method makes that e^7.
        let start = mean + self.e * s * (1.0 + self.e * c);
        let (s, c) = start.sin_cos();
        let step = (start - self.e * s - mean) / (1.0 - self.e * c);
        // The turn by a small angle, to second order.
        let (sin, cos) = (s - step * c - 0.5 * step * step * s, c + step * s - 0.5 * step * step * c);
        std::array::from_fn(|k| self.along[k] * (cos - self.e) + self.across[k] * sin)
    }
    /// Place about the Sun \[au\] at a modified Julian date in barycentric dynamical time.
    #[must_use]
    pub fn place_au(&self, tdb_mjd: f64) -> [f64; 3] {
        let (s, c) = eccentric_anomaly(self.mean + self.rate * (tdb_mjd - self.epoch_mjd), self.e).sin_cos();
        std::array::from_fn(|k| self.along[k] * (c - self.e) + self.across[k] * s)
    }
}

/// The difference of two angles, -pi to pi.
#[must_use]
pub fn difference(a: f64, b: f64) -> f64 {
    (a - b + PI).rem_euclid(TAU) - PI
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::direction::dot;

    #[test]
    fn keplers_equation_holds_at_any_eccentricity() {
        for e in [0.0, 0.1, 0.5, 0.9, 0.99, 0.9999] {
            for k in -40..=40 {
                let m = f64::from(k) * 0.21;
                let at = eccentric_anomaly(m, e);
                assert!((at - e * at.sin() - m).abs() < 1e-12, "e {e}, M {m}: E {at}");
            }
        }
        assert_eq!(eccentric_anomaly(1.0, 0.0), 1.0);
        // Beyond aphelion the true anomaly goes on.
        assert!((true_anomaly(TAU + 0.3, 0.2) - true_anomaly(0.3, 0.2) - TAU).abs() < 1e-12);
        assert!((true_anomaly(PI, 0.7) - PI).abs() < 1e-7);
    }

    #[test]
    fn a_circle_at_one_au_goes_round_in_a_gaussian_year_and_ends_of_an_ellipse_are_where_they_should() {
        let circle = Elements {
            a_au: 1.0,
            e: 0.0,
            inclination_deg: 0.0,
            node_deg: 0.0,
            perihelion_deg: 0.0,
            mean_anomaly_deg: 0.0,
            epoch_mjd: 60_000.0,
        };
        let orbit = Ellipse::new(&circle);
        let (a, b) = (orbit.place_au(60_000.0), orbit.place_au(60_000.0 + 365.256_898_3));
        assert!((0..3).all(|k| (a[k] - b[k]).abs() < 1e-8) && (a[0] - 1.0).abs() < 1e-15);
        let long = Elements { a_au: 4.0, e: 0.75, inclination_deg: 30.0, node_deg: 50.0, perihelion_deg: 110.0, ..circle };
        let orbit = Ellipse::new(&long);
        let r = |p: [f64; 3]| dot(&p, &p).sqrt();
        assert!((r(orbit.place_au(60_000.0)) - 1.0).abs() < 1e-12);
        // Eight Gaussian years, half of it.
        assert!((r(orbit.place_au(60_000.0 + 4.0 * 365.256_898_3)) - 7.0).abs() < 1e-9);
        assert!(long.fault().is_none());
    }

    #[test]
    fn the_fast_place_is_right_to_a_thousandth() {
        let mut worst: f64 = 0.0;
        for e in [0.0, 0.1, 0.2, 0.3, 0.8] {
            let elements = Elements {
                a_au: 2.5,
                e,
                inclination_deg: 10.0,
                node_deg: 20.0,
                perihelion_deg: 30.0,
                mean_anomaly_deg: 40.0,
                epoch_mjd: 60_000.0,
            };
            let orbit = Ellipse::new(&elements);
            for k in 0..200 {
                let t = 60_000.0 + 29.0 * f64::from(k);
                let (a, b) = (orbit.place_au(t), orbit.place_roughly_au(t));
                let off = (0..3).map(|k| (a[k] - b[k]).powi(2)).sum::<f64>().sqrt() / dot(&a, &a).sqrt();
                worst = worst.max(off);
            }
        }
        assert!(worst < 1e-3 && worst > 0.0, "{worst}");
    }

    #[test]
    fn impossible_elements_are_named() {
        let good = Elements {
            a_au: 2.0,
            e: 0.1,
            inclination_deg: 3.0,
            node_deg: 4.0,
            perihelion_deg: 5.0,
            mean_anomaly_deg: 6.0,
            epoch_mjd: 60_000.0,
        };
        assert_eq!(good.fault(), None);
        for (bad, key) in [
            (Elements { e: 1.0, ..good }, "e"),
            (Elements { e: f64::NAN, ..good }, "e"),
            (Elements { a_au: -3.0, ..good }, "a"),
            (Elements { a_au: 0.0, ..good }, "a"),
            (Elements { inclination_deg: 190.0, ..good }, "i"),
            (Elements { node_deg: f64::INFINITY, ..good }, "node"),
            (Elements { epoch_mjd: f64::NAN, ..good }, "epoch"),
        ] {
            assert_eq!(bad.fault().unwrap().0, key);
        }
    }
}
