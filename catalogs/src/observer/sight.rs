//! The observer's place during an exposure, and how what moves is shown.
//!
//! # Effect
//! Bodies that are not infinitely far shift while the telescope goes round the Earth: by 0.03 arcsec off a straight line for an asteroid at
//! 1 au in 150 s, by degrees for a satellite.
//! # Formula
//! Place of the Earth: `p + v t + a t^2 / 2` about the middle of the exposure, `a` by the Sun; the orbit's at its own time. Directions are shown by
//! the view of the middle ([`View`]), because guiding holds the boresight.
//! # Symbols
//! p, v barycentric place and velocity of the Earth (SOFA epv00), t time since the middle
//! # Source
//! As [`super`].
//! # Limits
//! The Sun is carried on in a straight line (to a metre over hours). Without a view directions are astrometric, as catalogue places are.
//! # Twin
//! None.

use super::{Observer, Orbit, View, degrees};
use crate::dates::{DateError, barycentric_time};
use crate::direction::{Vector, dot};
use sofars::eph::epv00;

/// Astronomical unit \[km\], IAU 2012 B2.
pub const AU_KM: f64 = 149_597_870.7;
/// Light time of an astronomical unit \[s\].
pub const AU_LIGHT_S: f64 = 499.004_783_836;
/// Seconds in a day.
pub const DAY_S: f64 = 86_400.0;
/// Gravitational parameter of the Sun \[au^3 / d^2\]: the square of Gauss's constant.
pub const SUN_MU: f64 = 0.017_202_098_95 * 0.017_202_098_95;

/// An exposure as its observer sees it.
#[derive(Debug, Clone, Copy)]
pub struct Sight {
    /// Middle of the exposure, modified Julian date UTC \[d\].
    pub middle_mjd: f64,
    /// Exposure time \[s\].
    pub time_s: f64,
    /// The telescope's orbit; none: the centre of the Earth.
    pub orbit: Option<Orbit>,
    view: Option<View>,
    tdb_mjd: f64,
    earth: [Vector; 3],
    sun: [Vector; 2],
}

impl Sight {
    /// Of an exposure that starts at a modified Julian date UTC; with `boresight` (ra, dec) \[deg\] directions are shown by its [`View`], else they are
    /// astrometric.
    ///
    /// # Errors
    /// For dates outside 1960..2192.
    pub fn new(start_mjd: f64, time_s: f64, orbit: Option<Orbit>, boresight: Option<(f64, f64)>) -> Result<Self, DateError> {
        let middle_mjd = start_mjd + 0.5 * time_s / DAY_S;
        let (a, b) = barycentric_time(middle_mjd)?;
        let (heliocentric, barycentric) = epv00(a, b).ok_or(DateError::Date { mjd_utc: middle_mjd })?;
        let view = match boresight {
            Some((ra, dec)) => Some(View::new(Observer::new(middle_mjd, orbit.as_ref())?, ra, dec)),
            None => None,
        };
        let from_sun = heliocentric[0];
        let pull = -SUN_MU / dot(&from_sun, &from_sun).powf(1.5);
        let sun = [0, 1].map(|k| std::array::from_fn(|i| barycentric[k][i] - heliocentric[k][i]));
        Ok(Self {
            middle_mjd,
            time_s,
            orbit,
            view,
            tdb_mjd: (a - 2_400_000.5) + b,
            earth: [barycentric[0], barycentric[1], from_sun.map(|x| pull * x)],
            sun,
        })
    }
    /// Barycentric dynamical time so many seconds after the middle, as a modified Julian date \[d\].
    #[must_use]
    pub fn tdb_mjd(&self, offset_s: f64) -> f64 {
        self.tdb_mjd + offset_s / DAY_S
    }
    /// Barycentric place of the observer so many seconds after the middle \[au\].
    #[must_use]
    pub fn observer_au(&self, offset_s: f64) -> [f64; 3] {
        let t = offset_s / DAY_S;
        let orbit_km = self.observer_km(offset_s);
        std::array::from_fn(|k| self.earth[0][k] + t * (self.earth[1][k] + 0.5 * t * self.earth[2][k]) + orbit_km[k] / AU_KM)
    }
    /// Place of the observer about the centre of the Earth \[km\].
    #[must_use]
    pub fn observer_km(&self, offset_s: f64) -> [f64; 3] {
        self.orbit.map_or([0.0; 3], |orbit| orbit.state(self.middle_mjd + offset_s / DAY_S)[0].map(|m| m / 1000.0))
    }
    /// Barycentric place of the Sun \[au\].
    #[must_use]
    pub fn sun_au(&self, offset_s: f64) -> [f64; 3] {
        std::array::from_fn(|k| self.sun[0][k] + offset_s / DAY_S * self.sun[1][k])
    }
    /// Direction and distance \[km\] of the Sun from the centre of the Earth.
    #[must_use]
    pub fn sun_from_earth_km(&self) -> [f64; 3] {
        std::array::from_fn(|k| (self.sun[0][k] - self.earth[0][k]) * AU_KM)
    }
    /// Velocity of the Earth about the barycentre \[km / s\].
    #[must_use]
    pub fn earth_km_s(&self) -> [f64; 3] {
        self.earth[1].map(|v| v * AU_KM / DAY_S)
    }
    /// Where a direction (a unit vector from the observer) is shown \[deg\]; see [`View::place_of`].
    #[must_use]
    pub fn show(&self, direction: &[f64; 3], from_sun: Option<&[f64; 3]>) -> (f64, f64) {
        match &self.view {
            Some(view) => view.place_of(direction, from_sun),
            None => degrees(direction),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_earth_is_carried_on_to_the_metre_and_the_telescope_goes_round_it() {
        let sight = Sight::new(61_000.0, 3600.0, None, None).unwrap();
        for offset_s in [-1800.0, 0.0, 1800.0] {
            let (a, b) = barycentric_time(sight.middle_mjd + offset_s / DAY_S).unwrap();
            let exact = epv00(a, b).unwrap().1[0];
            let off: f64 = (0..3).map(|k| (sight.observer_au(offset_s)[k] - exact[k]).powi(2)).sum::<f64>().sqrt() * AU_KM;
            // The Moon pulls the Earth about their barycentre by 12 m/s in 27 days: 3.3e-5 m/s2, half of it times 1800 s squared is 54 m.
            assert!(off < 0.06, "{off} km at {offset_s} s");
        }
        let orbit = Orbit { altitude_km: 400.0, inclination_deg: 42.0, node_deg: 30.0, phase_deg: 10.0, epoch_mjd: 61_000.0 };
        let low = Sight::new(61_000.0, 3600.0, Some(orbit), None).unwrap();
        let from_earth: f64 = (0..3).map(|k| ((low.observer_au(7.0)[k] - sight.observer_au(7.0)[k]) * AU_KM).powi(2)).sum::<f64>().sqrt();
        assert!((from_earth - 6778.1).abs() < 0.2, "{from_earth}");
        assert!(Sight::new(1.0, 1.0, None, None).is_err());
    }
}
