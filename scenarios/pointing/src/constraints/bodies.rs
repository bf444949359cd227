//! Distance from the Sun and the Moon.
//!
//! # Formula
//! Angle to the body, less the least angle allowed. The Sun counts on the sunlit side alone.
//! # Symbols
//! Angles at the telescope.
//! # Source
//! csst_inspector: Sun 50 deg, Moon 40 deg
//! # Limits
//! Centres of the bodies. The Moon counts whatever its phase.

use super::Constraint;
use crate::focal_plane::Attitude;
use crate::moment::Moment;
use sim_core::direction::angle;

/// Keeps away from the Sun while the telescope is in sunlight.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct SunAngle {
    /// Least angle \[deg\].
    pub least_deg: f64,
}

impl Constraint for SunAngle {
    fn name(&self) -> &'static str {
        "sun"
    }
    fn margin_deg(&self, moment: &Moment, attitude: &Attitude) -> f64 {
        if moment.sunlit { angle(&attitude.boresight, &moment.sun).to_degrees() - self.least_deg } else { f64::INFINITY }
    }
}

/// Keeps away from the Moon.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct MoonAngle {
    /// Least angle \[deg\].
    pub least_deg: f64,
}

impl Constraint for MoonAngle {
    fn name(&self) -> &'static str {
        "moon"
    }
    fn margin_deg(&self, moment: &Moment, attitude: &Attitude) -> f64 {
        angle(&attitude.boresight, &moment.moon).to_degrees() - self.least_deg
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::moment::tests::made;

    #[test]
    fn the_sun_counts_in_sunlight_and_the_moon_always() {
        // The Sun 30 deg from the zenith towards x; boresight at the zenith, 30 deg from it; the Moon is opposite to the Sun.
        let zenith = Attitude::new(0.0, 90.0, 0.0);
        let (sun, moon) = (SunAngle { least_deg: 50.0 }, MoonAngle { least_deg: 40.0 });
        assert!((sun.margin_deg(&made(30.0), &zenith) + 20.0).abs() < 1e-9);
        assert!((moon.margin_deg(&made(30.0), &zenith) - 110.0).abs() < 1e-9);
        assert_eq!(sun.margin_deg(&made(150.0), &zenith), f64::INFINITY);
        assert!((moon.margin_deg(&made(150.0), &zenith) + 10.0).abs() < 1e-9);
    }
}
