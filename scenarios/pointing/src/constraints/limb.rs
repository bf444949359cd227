//! Distance from the edge of the Earth, which is bright by day and dark by night.
//!
//! # Formula
//! The edge is the circle at zenith distance `180 - asin(R / r)`. The point of it nearest to the boresight lies in the boresight's azimuth; its ground has
//! the zenith `n = cos(d) z + sin(d) h`. It is bright when the Sun is not more than `90 deg + 16' + 2 x 35.4'` from n, which is how the telescope's own
//! sunlight is told, so that no edge is bright when the telescope is in the dark. Margin: edge less zenith distance of the boresight, less the least angle.
//! # Symbols
//! z zenith, h horizontal direction of the boresight, d dip of the horizon, R radius of the Earth, r distance of the telescope from its centre
//! # Source
//! csst_inspector: 70 deg bright, 30 deg dark, nearest point in the mixed case. Its limit is quoted as `180 - acos(R / r) - limit`; with the dip `acos(R / r)`
//! the geometry gives `90 + acos(R / r) - limit = 180 - asin(R / r) - limit`, which is used here.
//! # Limits
//! Where the terminator crosses the edge, the margin jumps; a bright part of the edge that is farther than the nearest point does not count.

use super::Constraint;
use crate::focal_plane::Attitude;
use crate::moment::{Moment, SUN_EDGE_DEG};
use crate::orbit::horizon_dip_deg;
use sim_core::direction::{angle, dot};

/// Zenith distance of the Sun up to which the ground is bright \[deg\].
const LIGHT_DEG: f64 = 90.0 + SUN_EDGE_DEG;

/// Keeps away from the edge of the Earth.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct EarthLimb {
    /// Least angle to a bright edge \[deg\].
    pub bright_deg: f64,
    /// Least angle to a dark edge \[deg\].
    pub dark_deg: f64,
}

impl EarthLimb {
    /// Whether the point of the edge nearest to a boresight is bright.
    #[must_use]
    pub fn is_bright(moment: &Moment, attitude: &Attitude) -> bool {
        Self::ground_to_sun_deg(moment, attitude) <= LIGHT_DEG
    }
    /// Zenith distance of the Sun at the point of the edge nearest to a boresight \[deg\].
    fn ground_to_sun_deg(moment: &Moment, attitude: &Attitude) -> f64 {
        let up = dot(&attitude.boresight, &moment.zenith);
        let horizontal = |p: &[f64; 3], along: f64| -> [f64; 3] { std::array::from_fn(|k| p[k] - along * moment.zenith[k]) };
        let mut h = horizontal(&attitude.boresight, up);
        let mut length = dot(&h, &h).sqrt();
        if length < 1e-9 {
            // At the zenith all points are equally near: the one towards the Sun counts.
            h = horizontal(&moment.sun, dot(&moment.sun, &moment.zenith));
            length = dot(&h, &h).sqrt().max(1e-12);
        }
        let (s, c) = horizon_dip_deg(moment.state.radius_km()).to_radians().sin_cos();
        let ground = std::array::from_fn(|k| c * moment.zenith[k] + s * h[k] / length);
        angle(&ground, &moment.sun).to_degrees()
    }
}

impl Constraint for EarthLimb {
    fn name(&self) -> &'static str {
        "earth_limb"
    }
    fn margin_deg(&self, moment: &Moment, attitude: &Attitude) -> f64 {
        let edge = 90.0 + horizon_dip_deg(moment.state.radius_km());
        let least = if Self::is_bright(moment, attitude) { self.bright_deg } else { self.dark_deg };
        edge - angle(&attitude.boresight, &moment.zenith).to_degrees() - least
    }
    fn most_deg(&self, moment: &Moment, attitude: &Attitude, radius_deg: f64) -> f64 {
        let edge = 90.0 + horizon_dip_deg(moment.state.radius_km());
        let distance = angle(&attitude.boresight, &moment.zenith).to_degrees();
        // How far the azimuth can turn, and the point of the edge with it.
        let turned = radius_deg.to_radians().sin() / distance.to_radians().sin();
        let around = if radius_deg < distance.min(180.0 - distance) { turned.min(1.0).asin().to_degrees() } else { 180.0 };
        let ground = Self::ground_to_sun_deg(moment, attitude);
        let least = match () {
            () if ground + around <= LIGHT_DEG => self.bright_deg,
            () if ground - around > LIGHT_DEG => self.dark_deg,
            () => self.bright_deg.min(self.dark_deg),
        };
        edge - (distance - radius_deg).max(0.0) - least
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::moment::tests::made;

    const LIMB: EarthLimb = EarthLimb { bright_deg: 70.0, dark_deg: 30.0 };
    /// acos(6371 / 6771).
    const DIP: f64 = 19.792597;

    #[test]
    fn the_margin_is_that_of_the_closed_form_by_day_and_by_night() {
        for zenith_distance in [0.0, 20.0, 60.0] {
            // In made moments the zenith is z, right ascension 0 is towards the Sun.
            let a = Attitude::new(0.0, 90.0 - zenith_distance, 0.0);
            assert!((LIMB.margin_deg(&made(10.0), &a) - (90.0 + DIP - zenith_distance - 70.0)).abs() < 1e-3);
            assert!((LIMB.margin_deg(&made(170.0), &a) - (90.0 + DIP - zenith_distance - 30.0)).abs() < 1e-3);
        }
    }

    #[test]
    fn near_the_terminator_the_side_of_the_boresight_decides() {
        // The Sun 100 deg from the zenith: the ground towards it sees the Sun at 100 - 19.8 = 80.2 deg, that behind at 119.8 deg.
        let moment = made(100.0);
        let (towards, away) = (Attitude::new(0.0, 60.0, 0.0), Attitude::new(180.0, 60.0, 0.0));
        assert!(EarthLimb::is_bright(&moment, &towards) && !EarthLimb::is_bright(&moment, &away));
        assert!((LIMB.margin_deg(&moment, &away) - LIMB.margin_deg(&moment, &towards) - 40.0).abs() < 1e-9);
        // Out of sunlight no edge is bright: the two tell night alike.
        for k in 0..1800 {
            let moment = made(0.1 * f64::from(k));
            let bright = EarthLimb::is_bright(&moment, &towards);
            assert_eq!(bright, moment.sunlit, "{k}");
        }
    }
}
