//! An element set as tracking stations publish it.
//!
//! # Formula
//! SGP4, in TEME, turned to the GCRS by [`sim_core::axes::gcrs_from_teme`].
//! # Source
//! Vallado et al. 2006 (AIAA 2006-6753), through the crate `sgp4`
//! # Limits
//! A kilometre at the epoch, some kilometres a day later.

use super::{OrbitError, State};
use sim_core::axes::gcrs_from_teme;
use sim_core::dates::{J2000_MJD, terrestrial_time};
use sim_core::direction::dot;

/// An element set, ready to propagate.
#[derive(Debug, Clone)]
pub struct Tle {
    constants: sgp4::Constants,
    epoch_mjd: f64,
}

impl Tle {
    /// From its two lines; a line of the name before them is allowed.
    ///
    /// # Errors
    /// When the lines are not an element set (columns, checksum) or SGP4 refuses it.
    pub fn parse(text: &str) -> Result<Self, OrbitError> {
        let lines: Vec<&str> = text.lines().map(str::trim_end).filter(|l| !l.is_empty()).collect();
        let (name, one, two) = match lines.as_slice() {
            [one, two] => (None, one, two),
            [name, one, two] => (Some((*name).to_string()), one, two),
            _ => return Err(OrbitError::Elements(format!("{} lines where two or three should be", lines.len()))),
        };
        let set = sgp4::Elements::from_tle(name, one.as_bytes(), two.as_bytes()).map_err(|e| OrbitError::Elements(e.to_string()))?;
        let constants = sgp4::Constants::from_elements_afspc_compatibility_mode(&set).map_err(|e| OrbitError::Elements(e.to_string()))?;
        Ok(Self { constants, epoch_mjd: J2000_MJD + 365.25 * set.epoch() })
    }
    /// Epoch of the elements, modified Julian date UTC \[d\].
    #[must_use]
    pub fn epoch_mjd(&self) -> f64 {
        self.epoch_mjd
    }
    /// Place and velocity at a modified Julian date UTC \[d\].
    ///
    /// # Errors
    /// For dates at which SGP4 sees the orbit decayed, or outside 1960..2192.
    pub fn state(&self, mjd_utc: f64) -> Result<State, OrbitError> {
        let minutes = sgp4::MinutesSinceEpoch((mjd_utc - self.epoch_mjd) * 1440.0);
        let teme =
            self.constants.propagate_afspc_compatibility_mode(minutes).map_err(|e| OrbitError::Ended { mjd_utc, reason: e.to_string() })?;
        let turn = gcrs_from_teme(terrestrial_time(mjd_utc)?);
        Ok(State { position_km: turn.map(|row| dot(&row, &teme.position)), velocity_km_s: turn.map(|row| dot(&row, &teme.velocity)) })
    }
}

#[cfg(test)]
mod tests {
    use super::super::Ellipse;
    use super::*;
    use sim_core::direction::angle;

    /// Made for this test: 15.58 turns a day, 41.47 deg, no drag; checksums by the rule (digits, a minus counts one).
    fn set() -> String {
        let sum = |line: &str| line.chars().map(|c| c.to_digit(10).unwrap_or(u32::from(c == '-'))).sum::<u32>() % 10;
        let one = "1 48274U 21035A   26001.50000000  .00000000  00000-0  00000-0 0  999";
        let two = "2 48274  41.4700  30.0000 0005000  50.0000 310.0000 15.58000000    1";
        format!("{one}{}\n{two}{}", sum(one), sum(two))
    }

    #[test]
    fn the_ellipse_of_the_same_mean_elements_stays_within_fifteen_kilometres_of_sgp4_for_a_day() {
        let tle = Tle::parse(&set()).unwrap();
        // Kozai's mean motion of the set to Brouwer's, and that to the axis (Hoots & Roehrich 1980, SGP4), in units of the Earth's radius.
        let (k2, ke) = (0.5 * 1.082_616e-3, 0.074_366_916_133_17);
        let (n, e, c): (f64, f64, f64) = (15.58 * std::f64::consts::TAU / 1440.0, 5e-4, 41.47_f64.to_radians().cos());
        let f = 1.5 * k2 * (3.0 * c * c - 1.0) / (1.0 - e * e).powf(1.5);
        let a1 = (ke / n).powf(2.0 / 3.0);
        let d1 = f / (a1 * a1);
        let a0 = a1 * (1.0 - d1 * (1.0 / 3.0 + d1 * (1.0 + 134.0 / 81.0 * d1)));
        let axis = (ke / (n / (1.0 + f / (a0 * a0)))).powf(2.0 / 3.0) * 6378.135;
        let ellipse = Ellipse {
            semi_major_km: axis,
            eccentricity: e,
            inclination_deg: 41.47,
            node_deg: 30.0,
            perigee_deg: 50.0,
            anomaly_deg: 310.0,
            decay_km_d: 0.0,
            epoch_mjd: tle.epoch_mjd(),
        };
        // The set's axes are the equator and equinox of its date: turned to the GCRS as the set's own place is.
        let mut worst: f64 = 0.0;
        for k in 0..289 {
            let mjd = tle.epoch_mjd() + f64::from(k) / 288.0;
            let turn = gcrs_from_teme(terrestrial_time(mjd).unwrap());
            let ours = turn.map(|row| dot(&row, &ellipse.state((mjd - tle.epoch_mjd()) * 86_400.0).unwrap().position_km));
            let theirs = tle.state(mjd).unwrap().position_km;
            worst = worst.max((0..3).map(|i| (ours[i] - theirs[i]).powi(2)).sum::<f64>().sqrt());
        }
        // Periodic terms of J2: 3/2 J2 R^2 / a = 9.8 km and what e couples to them.
        assert!(worst < 15.0 && worst > 1.0, "{worst} km");
    }

    #[test]
    fn velocity_is_the_derivative_and_a_broken_set_is_refused() {
        let tle = Tle::parse(&set()).unwrap();
        let mjd = tle.epoch_mjd() + 0.3;
        let (a, b) = (tle.state(mjd - 1.0 / 86_400.0).unwrap(), tle.state(mjd + 1.0 / 86_400.0).unwrap());
        let v: [f64; 3] = std::array::from_fn(|k| 0.5 * (b.position_km[k] - a.position_km[k]));
        let told = tle.state(mjd).unwrap().velocity_km_s;
        assert!(angle(&v, &told) < 1e-5 && (dot(&v, &v) / dot(&told, &told) - 1.0).abs() < 1e-4);
        assert!(Tle::parse(&set().replace("41.4700", "41.4800")).is_err(), "the checksum is wrong");
        assert!(Tle::parse("one line").is_err());
    }
}
