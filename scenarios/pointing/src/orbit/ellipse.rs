//! An ellipse about the Earth with the steady part of its oblateness and a decay.
//!
//! # Formula
//! `n = sqrt(mu / a^3)`, `k = 3/4 n J2 (R / p)^2`, `p = a (1 - e^2)`; node `-2 k cos i`, perigee `k (5 cos^2 i - 1)`, mean anomaly
//! `n + k sqrt(1 - e^2) (3 cos^2 i - 1)`. Decay: `a = a0 - d t`, which adds `3/4 n d t^2 / a0` to the mean anomaly.
//! # Symbols
//! a half the long axis, e eccentricity, i inclination, t since the epoch, d decay; mu, J2, R (equatorial radius) of the Earth
//! # Source
//! Kaula 1966, Theory of Satellite Geodesy; mu, R, J2: IERS Conventions 2010 (TN 36), table 1.1
//! # Limits
//! No periodic terms: they move the place by up to 12 km (0.1 deg seen from the centre of the Earth) at this height. Decay is a straight line, for weeks.

use super::{OrbitError, State};
use sim_core::direction::dot;
use std::f64::consts::TAU;

/// Gravitational parameter of the Earth \[km^3 / s^2\].
const MU: f64 = 398_600.441_8;
/// Equatorial radius of the Earth \[km\].
const RADIUS_KM: f64 = 6_378.136_6;
/// Dynamical form factor of the Earth.
const J2: f64 = 1.082_635_9e-3;
/// Half the step of the derivative that is the velocity \[s\]: good to 1e-6 km/s.
const HALF_STEP_S: f64 = 0.5;

/// Mean elements, axes of the GCRS.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Ellipse {
    /// Half the long axis at the epoch \[km\].
    pub semi_major_km: f64,
    /// Eccentricity.
    pub eccentricity: f64,
    /// Inclination to the equator \[deg\].
    pub inclination_deg: f64,
    /// Right ascension of the ascending node at the epoch \[deg\].
    pub node_deg: f64,
    /// Angle from the node to the perigee at the epoch \[deg\].
    pub perigee_deg: f64,
    /// Mean anomaly at the epoch \[deg\].
    pub anomaly_deg: f64,
    /// Decay of half the long axis \[km / d\]; 0: no drag.
    pub decay_km_d: f64,
    /// Epoch, modified Julian date UTC \[d\].
    pub epoch_mjd: f64,
}

impl Ellipse {
    /// Whether the elements are those of an orbit.
    ///
    /// # Errors
    /// When one is out of range or not a number, or the perigee lies inside the Earth.
    pub fn check(&self) -> Result<(), OrbitError> {
        let check = |key, value: f64, ok: bool, range| if ok { Ok(()) } else { Err(OrbitError::Range { key, value, range }) };
        let a = self.semi_major_km;
        check("semi_major_km", a, (6478.0..=100_000.0).contains(&a), "6478..100000 km")?;
        check("eccentricity", self.eccentricity, (0.0..0.9).contains(&self.eccentricity), "0..0.9")?;
        let perigee = a * (1.0 - self.eccentricity);
        check("semi_major_km (1 - eccentricity)", perigee, perigee >= 6478.0, "6478 km and more")?;
        check("inclination_deg", self.inclination_deg, (0.0..=180.0).contains(&self.inclination_deg), "0..180 deg")?;
        check("decay_km_d", self.decay_km_d, (0.0..=50.0).contains(&self.decay_km_d), "0..50 km/d")?;
        for (key, value) in [("node_deg", self.node_deg), ("perigee_deg", self.perigee_deg), ("anomaly_deg", self.anomaly_deg)] {
            check(key, value, (-360.0..=360.0).contains(&value), "-360..360 deg")?;
        }
        check("epoch_mjd", self.epoch_mjd, self.epoch_mjd.is_finite(), "all finite dates")
    }
    /// Angular rate without oblateness \[rad / s\].
    fn rate(&self) -> f64 {
        (MU / self.semi_major_km.powi(3)).sqrt()
    }
    /// Period without oblateness \[s\].
    #[must_use]
    pub fn period_s(&self) -> f64 {
        TAU / self.rate()
    }
    /// Steady rates of node, perigee and mean anomaly \[rad / s\].
    fn rates(&self) -> [f64; 3] {
        let shape = 1.0 - self.eccentricity * self.eccentricity;
        let k = 0.75 * self.rate() * J2 * (RADIUS_KM / (self.semi_major_km * shape)).powi(2);
        let c = self.inclination_deg.to_radians().cos();
        [-2.0 * k * c, k * (5.0 * c * c - 1.0), self.rate() + k * shape.sqrt() * (3.0 * c * c - 1.0)]
    }
    /// How fast the node turns \[deg / d\].
    #[must_use]
    pub fn node_rate_deg_d(&self) -> f64 {
        self.rates()[0].to_degrees() * crate::DAY_S
    }
    /// Place so many seconds after the epoch \[km\].
    fn position(&self, t: f64) -> [f64; 3] {
        let [node_rate, perigee_rate, anomaly_rate] = self.rates();
        let decay = self.decay_km_d / crate::DAY_S;
        let a = self.semi_major_km - decay * t;
        let mean = self.anomaly_deg.to_radians() + anomaly_rate * t + 0.75 * self.rate() * decay * t * t / self.semi_major_km;
        let e = self.eccentricity;
        let mean = mean.rem_euclid(TAU);
        let mut eccentric = if e < 0.8 { mean } else { std::f64::consts::PI };
        for _ in 0..50 {
            let step = (eccentric - e * eccentric.sin() - mean) / (1.0 - e * eccentric.cos());
            eccentric -= step;
            if step.abs() < 1e-14 {
                break;
            }
        }
        let (x, y) = (a * (eccentric.cos() - e), a * (1.0 - e * e).sqrt() * eccentric.sin());
        let (sw, cw) = (self.perigee_deg.to_radians() + perigee_rate * t).sin_cos();
        let (along, across) = (cw * x - sw * y, sw * x + cw * y);
        let (si, ci) = self.inclination_deg.to_radians().sin_cos();
        let (so, co) = (self.node_deg.to_radians() + node_rate * t).sin_cos();
        [co * along - so * across * ci, so * along + co * across * ci, across * si]
    }
    /// Place and velocity so many seconds after the epoch.
    ///
    /// # Errors
    /// When the decay has brought the telescope below 100 km.
    pub fn state(&self, t: f64) -> Result<State, OrbitError> {
        let position_km = self.position(t);
        if dot(&position_km, &position_km).sqrt() < RADIUS_KM + 100.0 {
            let mjd_utc = self.epoch_mjd + t / crate::DAY_S;
            return Err(OrbitError::Ended { mjd_utc, reason: "the decay has brought the telescope below 100 km".into() });
        }
        let (before, after) = (self.position(t - HALF_STEP_S), self.position(t + HALF_STEP_S));
        let velocity_km_s = std::array::from_fn(|k| (after[k] - before[k]) / (2.0 * HALF_STEP_S));
        Ok(State { position_km, velocity_km_s })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use sim_core::direction::cross;

    const LOW: Ellipse = Ellipse {
        semi_major_km: 6771.0,
        eccentricity: 0.0,
        inclination_deg: 41.5,
        node_deg: 30.0,
        perigee_deg: 0.0,
        anomaly_deg: 10.0,
        decay_km_d: 0.0,
        epoch_mjd: 61_000.0,
    };

    #[test]
    fn four_hundred_kilometres_make_a_period_of_92_4_minutes_and_a_dip_of_19_8_degrees() {
        assert!((LOW.period_s() / 60.0 - 92.4).abs() < 0.05, "{}", LOW.period_s() / 60.0);
        assert!((super::super::horizon_dip_deg(6771.0) - 19.8).abs() < 0.05);
    }

    #[test]
    fn the_plane_turns_as_the_closed_form_says() {
        // Omega' = -3/2 n J2 (R/a)^2 cos i = -1.5 * 360 deg / P * ... by hand: P = 92.413 min, 15.582 turns a day;
        // 1.5 * 1.0826359e-3 * (6378.1366 / 6771)^2 * cos 41.5 = 1.07919e-3; times 15.582 * 360 deg = 6.054 deg a day, backward.
        assert!((LOW.node_rate_deg_d() + 6.054).abs() < 0.005, "{}", LOW.node_rate_deg_d());
        let pole = |t| {
            let s = LOW.state(t).unwrap();
            cross(&s.position_km, &s.velocity_km_s)
        };
        let (a, b) = (pole(0.0), pole(86_400.0));
        let turned = (b[1].atan2(b[0]) - a[1].atan2(a[0])).to_degrees();
        assert!((turned - LOW.node_rate_deg_d()).abs() < 0.05, "{turned}");
    }

    #[test]
    fn an_ellipse_has_its_apsides_and_the_energy_of_its_long_axis() {
        let long = Ellipse { semi_major_km: 8000.0, eccentricity: 0.1, anomaly_deg: 0.0, ..LOW };
        let half = 0.5 * long.period_s();
        assert!((long.state(0.0).unwrap().radius_km() - 7200.0).abs() < 1e-6);
        // The mean anomaly is 8e-4 faster than without oblateness: 0.03 km of height at most.
        assert!((long.state(half).unwrap().radius_km() - 8800.0).abs() < 0.1);
        for t in [100.0, 1000.0, 3000.0] {
            let s = long.state(t).unwrap();
            let energy = 0.5 * dot(&s.velocity_km_s, &s.velocity_km_s) - MU / s.radius_km();
            // Steady turning of node and perigee adds 1e-3 to the velocity.
            assert!((energy / (-MU / 16_000.0) - 1.0).abs() < 5e-3, "{t}: {energy}");
        }
    }

    #[test]
    fn decay_lowers_the_orbit_and_brings_it_ahead() {
        let falling = Ellipse { decay_km_d: 0.1, ..LOW };
        let t = 10.0 * 86_400.0;
        let (a, b) = (falling.state(t).unwrap(), LOW.state(t).unwrap());
        assert!((b.radius_km() - a.radius_km() - 1.0).abs() < 1e-6);
        // 3/4 n d t^2 / a0 = 0.75 * 155.82 turns * 1 km / 6771 km = 0.01726 turns = 6.21 deg.
        let ahead = sim_core::direction::angle(&a.position_km, &b.position_km).to_degrees();
        assert!((ahead - 6.21).abs() < 0.02, "{ahead}");
        assert!(Ellipse { decay_km_d: 50.0, ..LOW }.state(t).is_err() && Ellipse { eccentricity: 0.1, ..LOW }.check().is_err());
    }
}
