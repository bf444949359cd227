//! The Sun on the solar panel.
//!
//! # Formula
//! Wings that turn about an axis in the focal plane hold their normal as near to the Sun as the axis allows: `asin |s . a|`. A fixed panel: the angle from its
//! normal to the Sun. Margin: greatest angle allowed, less that.
//! # Symbols
//! s direction of the Sun; a axis, in the mosaic's axes
//! # Source
//! csst_inspector: 25 deg. The axis is assumed: with the mosaic's +x to the ecliptic's pole, as the rotation -113.4333 deg of Cycle 9 has it (90 deg and
//! the obliquity), wings about x see the Sun at every elongation on the ecliptic.
//! # Limits
//! Applies in the dark too. How far the wings turn is not known: all the way here.

use super::Constraint;
use crate::focal_plane::Attitude;
use crate::moment::Moment;
use sim_core::direction::{angle, dot};

/// How the panel is mounted. Directions are (x, y, boresight) in the axes of the mosaic, of length one.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Mount {
    /// Turns about an axis.
    Axis([f64; 3]),
    /// Stands still, with this normal.
    Normal([f64; 3]),
}

/// Keeps the Sun on the panel.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct SolarPanel {
    /// Greatest angle between the panel's normal and the Sun \[deg\].
    pub most_deg: f64,
    /// How the panel is mounted.
    pub mount: Mount,
}

impl Constraint for SolarPanel {
    fn name(&self) -> &'static str {
        "solar_panel"
    }
    fn margin_deg(&self, moment: &Moment, attitude: &Attitude) -> f64 {
        let sky = |d: [f64; 3]| -> [f64; 3] {
            std::array::from_fn(|k| d[0] * attitude.x[k] + d[1] * attitude.y[k] + d[2] * attitude.boresight[k])
        };
        let off = match self.mount {
            Mount::Axis(axis) => dot(&sky(axis), &moment.sun).abs().min(1.0).asin(),
            Mount::Normal(normal) => angle(&sky(normal), &moment.sun),
        };
        self.most_deg - off.to_degrees()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::moment::tests::made;

    #[test]
    fn wings_that_turn_lose_the_sun_only_along_their_axis() {
        let wings = SolarPanel { most_deg: 25.0, mount: Mount::Axis([1.0, 0.0, 0.0]) };
        // Boresight y of the sky, +y of the mosaic to the north (the zenith z), so +x to the west, which is +x of the sky.
        let a = Attitude::new(90.0, 0.0, 0.0);
        assert!((a.x[0] - 1.0).abs() < 1e-12);
        for zenith_distance in [0.0, 10.0, 40.0, 80.0] {
            // The Sun in the plane of x and z, so far from z.
            assert!((wings.margin_deg(&made(zenith_distance), &a) - (25.0 - zenith_distance)).abs() < 1e-9);
        }
        let fixed = SolarPanel { most_deg: 25.0, mount: Mount::Normal([0.0, 1.0, 0.0]) };
        assert!((fixed.margin_deg(&made(40.0), &a) + 15.0).abs() < 1e-9);
    }
}
