//! The orbit of the telescope.
//!
//! # Effect
//! Gives position and velocity of the observer about the centre of the Earth.
//! # Formula
//! Circle of radius a: `u = u0 + n t`, `n = sqrt(mu / a^3)`; its node turns by `-3/2 J2 (R / a)^2 n cos i`
//! # Symbols
//! u angle from the ascending node, i inclination, t since the epoch; mu, R, J2 of the Earth
//! # Source
//! mu, R, J2: IERS Conventions 2010 (Petit & Luzum, IERS TN 36), table 1.1; the turning of the node: Kaula 1966, Theory of Satellite Geodesy
//! # Limits
//! No drag, no periodic terms: the place along the orbit is lost within days of the epoch. Velocities are right to some 10 m/s (0.01 arcsec of
//! aberration) at a place that is right. Axes are those of the equator of J2000, 0.4 deg from that of date.
//! # Twin
//! None.

use std::f64::consts::TAU;

/// Gravitational parameter of the Earth \[m^3 / s^2\].
const MU: f64 = 3.986_004_418e14;
/// Equatorial radius of the Earth \[m\].
const RADIUS_M: f64 = 6_378_136.6;
/// Dynamical form factor of the Earth.
const J2: f64 = 1.082_635_9e-3;

/// A circular orbit about the Earth.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Orbit {
    /// Height above the equatorial radius \[km\].
    pub altitude_km: f64,
    /// Inclination to the equator \[deg\].
    pub inclination_deg: f64,
    /// Right ascension of the ascending node at the epoch \[deg\].
    pub node_deg: f64,
    /// Angle from the node at the epoch \[deg\].
    pub phase_deg: f64,
    /// Epoch, modified Julian date UTC \[d\].
    pub epoch_mjd: f64,
}

impl Orbit {
    fn radius_m(&self) -> f64 {
        RADIUS_M + 1000.0 * self.altitude_km
    }
    /// Angular rate \[rad / s\].
    fn rate(&self) -> f64 {
        (MU / self.radius_m().powi(3)).sqrt()
    }
    /// Rate of the node \[rad / s\].
    fn node_rate(&self) -> f64 {
        -1.5 * J2 * (RADIUS_M / self.radius_m()).powi(2) * self.rate() * self.inclination_deg.to_radians().cos()
    }
    /// Period \[s\].
    #[must_use]
    pub fn period_s(&self) -> f64 {
        TAU / self.rate()
    }
    /// Position \[m\] and velocity \[m / s\] about the centre of the Earth.
    #[must_use]
    pub fn state(&self, mjd_utc: f64) -> [[f64; 3]; 2] {
        let t = (mjd_utc - self.epoch_mjd) * 86_400.0;
        let (a, n, node_rate) = (self.radius_m(), self.rate(), self.node_rate());
        let (sin_u, cos_u) = (self.phase_deg.to_radians() + n * t).sin_cos();
        let (sin_i, cos_i) = self.inclination_deg.to_radians().sin_cos();
        let (sin_o, cos_o) = (self.node_deg.to_radians() + node_rate * t).sin_cos();
        let turned = |x: f64, y: f64| [cos_o * x - sin_o * y * cos_i, sin_o * x + cos_o * y * cos_i, y * sin_i];
        let position = turned(cos_u, sin_u).map(|p| a * p);
        let along = turned(-sin_u, cos_u).map(|v| a * n * v);
        let velocity = [along[0] - node_rate * position[1], along[1] + node_rate * position[0], along[2]];
        [position, velocity]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ORBIT: Orbit = Orbit { altitude_km: 400.0, inclination_deg: 42.0, node_deg: 30.0, phase_deg: 10.0, epoch_mjd: 61_000.0 };

    #[test]
    fn a_low_orbit_takes_an_hour_and_a_half_at_seven_and_a_half_kilometres_a_second() {
        assert!((ORBIT.period_s() / 60.0 - 92.56).abs() < 0.02, "{}", ORBIT.period_s());
        let [p, v] = ORBIT.state(61_000.3);
        let length = |a: [f64; 3]| a.iter().map(|x| x * x).sum::<f64>().sqrt();
        assert!((length(p) - 6_778_136.6).abs() < 1e-3);
        assert!((length(v) - 7668.6).abs() < 8.0, "{}", length(v));
        assert!(p.iter().zip(v).map(|(p, v)| p * v).sum::<f64>().abs() < 1e-2 * length(p), "the velocity is along the circle");
    }

    #[test]
    fn the_velocity_is_the_derivative_of_the_position() {
        let (mjd, dt_s) = (61_000.7, 0.5);
        let (before, after) = (ORBIT.state(mjd - dt_s / 86_400.0)[0], ORBIT.state(mjd + dt_s / 86_400.0)[0]);
        for (k, v) in ORBIT.state(mjd)[1].into_iter().enumerate() {
            // Dates are known to a microsecond, a metre a second is 0.007 m of a step.
            assert!(((after[k] - before[k]) / (2.0 * dt_s) - v).abs() < 0.05, "axis {k}");
        }
        // The node goes back by 5 to 6 degrees a day at this height.
        assert!((ORBIT.node_rate().to_degrees() * 86_400.0 + 6.0).abs() < 0.3, "{}", ORBIT.node_rate().to_degrees() * 86_400.0);
    }
}
