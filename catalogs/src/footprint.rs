//! A piece of sky: a cone around a position.

use crate::direction::vector;
use serde::{Deserialize, Serialize};

/// A cone: everything within a radius of a position.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Footprint {
    /// Right ascension of the axis \[deg\], ICRS.
    pub ra_deg: f64,
    /// Declination of the axis \[deg\], ICRS.
    pub dec_deg: f64,
    /// Radius \[deg\].
    pub radius_deg: f64,
}

/// Why a footprint cannot be used.
#[derive(Debug, thiserror::Error, PartialEq)]
#[non_exhaustive]
pub enum FootprintError {
    /// A value is outside its range.
    #[error("footprint.{key} = {value} deg is outside {range}")]
    Range {
        /// Which value.
        key: &'static str,
        /// Value given \[deg\].
        value: f64,
        /// Allowed.
        range: &'static str,
    },
}

impl Footprint {
    /// A cone.
    ///
    /// # Errors
    /// When right ascension is outside 0..360, declination outside -90..90 or the radius outside 0..20 deg.
    pub fn new(ra_deg: f64, dec_deg: f64, radius_deg: f64) -> Result<Self, FootprintError> {
        let check = |key, value: f64, ok, range| if ok { Ok(()) } else { Err(FootprintError::Range { key, value, range }) };
        check("ra_deg", ra_deg, (0.0..=360.0).contains(&ra_deg), "0..360 deg")?;
        check("dec_deg", dec_deg, (-90.0..=90.0).contains(&dec_deg), "-90..90 deg")?;
        check("radius_deg", radius_deg, radius_deg > 0.0 && radius_deg <= 20.0, "0..20 deg")?;
        Ok(Self { ra_deg, dec_deg, radius_deg })
    }
    /// Whether a position is inside. By the chord, so that it is exact at the poles and across right ascension 0.
    #[must_use]
    pub fn contains(&self, ra_deg: f64, dec_deg: f64) -> bool {
        if (dec_deg - self.dec_deg).abs() > self.radius_deg {
            return false;
        }
        let (a, b) = (vector(self.ra_deg, self.dec_deg), vector(ra_deg, dec_deg));
        let chord_squared: f64 = a.iter().zip(b).map(|(x, y)| (x - y) * (x - y)).sum();
        chord_squared <= (2.0 * (0.5 * self.radius_deg.to_radians()).sin()).powi(2)
    }
    /// Solid angle \[deg2\].
    #[must_use]
    pub fn area_deg2(&self) -> f64 {
        let s = (0.5 * self.radius_deg.to_radians()).sin();
        4.0 * std::f64::consts::PI * s * s * (180.0 / std::f64::consts::PI).powi(2)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cone_reaches_across_right_ascension_zero_and_over_the_pole() {
        let cone = Footprint::new(359.9, 0.0, 0.2).unwrap();
        assert!(cone.contains(0.05, 0.0) && !cone.contains(0.15, 0.0));
        let polar = Footprint::new(10.0, 89.9, 0.2).unwrap();
        assert!(polar.contains(190.0, 89.95) && !polar.contains(190.0, 89.85));
    }

    #[test]
    fn a_small_cone_has_the_area_of_a_circle() {
        assert!((Footprint::new(0.0, 0.0, 0.1).unwrap().area_deg2() / (std::f64::consts::PI * 0.01) - 1.0).abs() < 1e-6);
        assert!(Footprint::new(0.0, 91.0, 0.1).is_err() && Footprint::new(0.0, 0.0, f64::NAN).is_err());
    }
}
