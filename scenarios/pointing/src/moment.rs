//! Sun, Moon and Earth as the telescope has them at one moment.
//!
//! # Formula
//! Sun: the heliocentric Earth reversed, less the telescope's own place; Moon: its geocentric place less the telescope's (up to 1 deg). The telescope is in
//! sunlight while the Sun's upper edge, lifted by refraction on the way in and out, is above the horizon: zenith distance of the Sun at most
//! `90 + dip + 16' + 2 x 35.4'`.
//! # Symbols
//! dip: [`crate::orbit::horizon_dip_deg`]; longitude and latitude below the telescope are geocentric, east positive
//! # Source
//! Sun: SOFA epv00 (3 arcsec and better); Moon: SOFA moon98 (Meeus 1998, 10 arcsec); both through the crate `sofars`, judged by `peers/pointing_astropy.py`.
//! The edge of sunlight is that of csst_inspector (xyh-cosmo, 2019).
//! # Limits
//! No aberration of Sun and Moon (20 arcsec) and no light time. The Earth is a sphere.

use crate::orbit::{OrbitError, State, Track, horizon_dip_deg};
use sim_core::axes::{Turn, earth_from_gcrs};
use sim_core::dates::{DateError, barycentric_time};
use sim_core::direction::{Vector, angle, degrees, dot, unit};
use sofars::eph::{epv00, moon98};

/// Astronomical unit \[km\], IAU 2012 B2.
pub const AU_KM: f64 = 149_597_870.7;
/// By how much the Sun is seen beyond the geometric horizon \[deg\]: half its disc and refraction twice.
pub const SUN_EDGE_DEG: f64 = (16.0 + 2.0 * 35.4) / 60.0;

/// Geocentric places of Sun and Moon \[km\], axes of the GCRS.
///
/// # Errors
/// For dates outside 1960..2192.
pub fn sun_and_moon_km(mjd_utc: f64) -> Result<[Vector; 2], DateError> {
    let (a, b) = barycentric_time(mjd_utc)?;
    let (earth, _) = epv00(a, b).ok_or(DateError::Date { mjd_utc })?;
    Ok([earth[0].map(|x| -x * AU_KM), moon98(a, b)[0].map(|x| x * AU_KM)])
}

/// What the constraints ask of a moment.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Moment {
    /// Modified Julian date UTC \[d\].
    pub mjd: f64,
    /// Place and velocity of the telescope.
    pub state: State,
    /// Direction of the zenith.
    pub zenith: Vector,
    /// Direction of the Sun from the telescope.
    pub sun: Vector,
    /// Direction of the Moon from the telescope.
    pub moon: Vector,
    /// Longitude of the point below the telescope \[deg\], -180 to 180, east positive.
    pub longitude_deg: f64,
    /// Geocentric latitude of the point below the telescope \[deg\].
    pub latitude_deg: f64,
    /// Whether the telescope is in sunlight.
    pub sunlit: bool,
}

impl Moment {
    /// At a modified Julian date UTC \[d\].
    ///
    /// # Errors
    /// For dates outside 1960..2192 or off the orbit.
    pub fn at(track: &Track, mjd: f64) -> Result<Self, OrbitError> {
        Ok(Self::of(mjd, track.state(mjd)?, sun_and_moon_km(mjd)?, &earth_from_gcrs(mjd)?))
    }
    /// From what is known of it: the telescope, geocentric Sun and Moon \[km\], and the turn to axes fixed to the Earth.
    #[must_use]
    pub fn of(mjd: f64, state: State, [sun_km, moon_km]: [Vector; 2], earth: &Turn) -> Self {
        let place = state.position_km;
        let from_telescope = |body: Vector| unit(std::array::from_fn(|k| body[k] - place[k]));
        let zenith = unit(place);
        let sun = from_telescope(sun_km);
        let (longitude, latitude_deg) = degrees(&earth.map(|row| dot(&row, &zenith)));
        let longitude_deg = if longitude > 180.0 { longitude - 360.0 } else { longitude };
        let sunlit = angle(&zenith, &sun).to_degrees() <= 90.0 + horizon_dip_deg(state.radius_km()) + SUN_EDGE_DEG;
        Self { mjd, state, zenith, sun, moon: from_telescope(moon_km), longitude_deg, latitude_deg, sunlit }
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::orbit::Ellipse;

    pub(crate) const MJD: f64 = 61_400.25;

    pub(crate) fn track() -> Track {
        Track::Ellipse(Ellipse {
            semi_major_km: 6771.0,
            eccentricity: 0.0,
            inclination_deg: 41.5,
            node_deg: 30.0,
            perigee_deg: 0.0,
            anomaly_deg: 10.0,
            decay_km_d: 0.0,
            epoch_mjd: MJD,
        })
    }

    /// A moment with the zenith along z and the Sun at a zenith distance \[deg\] towards x, 400 km above a sphere; the Moon opposite to the Sun.
    pub(crate) fn made(sun_zenith_distance_deg: f64) -> Moment {
        let (s, c) = sun_zenith_distance_deg.to_radians().sin_cos();
        let state = State { position_km: [0.0, 0.0, 6771.0], velocity_km_s: [7.67, 0.0, 0.0] };
        let far = |d: f64| [d * s, 0.0, d * c];
        let identity = [[1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0]];
        // So far that the telescope's own place does not turn the directions.
        Moment::of(MJD, state, [far(1e20), far(-1e20)], &identity)
    }

    #[test]
    fn night_begins_when_the_sun_is_below_the_lowered_horizon() {
        // 90 + 19.79 + 1.447 = 111.24 deg.
        assert!(made(0.0).sunlit && made(111.1).sunlit && !made(111.4).sunlit && !made(180.0).sunlit);
        // A circle spends acos-of-that share of its turn in the dark when the Sun is in its plane: (180 - 111.24) / 180 = 38 %.
        let dark = (0..360).filter(|k| !made(f64::from(*k)).sunlit).count();
        assert!((dark as f64 / 360.0 - 0.382).abs() < 0.005, "{dark}");
    }

    #[test]
    fn the_sun_stands_at_the_equinox_and_the_telescope_below_its_inclination() {
        // Equinox of March 2026: 20 March 14:46 UTC (MJD 61119.615); there the apparent Sun crosses the equator of date, whose precession since
        // J2000 is 26 years * 20.04 arcsec = 0.145 deg in declination at ra 0; nutation and aberration are 0.01 deg.
        let [sun, moon] = sun_and_moon_km(61_119.615).unwrap();
        let (ra, dec) = degrees(&sun);
        assert!((dec + 0.145).abs() < 0.01 && (ra + 26.22 * 0.0128 - 360.0).abs() < 0.02, "{ra} {dec}");
        assert!((dot(&moon, &moon).sqrt() - 384_400.0).abs() < 25_000.0);
        let track = track();
        let most = (0..200).map(|k| Moment::at(&track, MJD + f64::from(k) / 2000.0).unwrap().latitude_deg.abs()).fold(0.0, f64::max);
        // The pole of date is 0.15 deg from that of J2000.
        assert!((most - 41.5).abs() < 0.2, "{most}");
        // Westward by 360 / 15.58 + 0.39 deg of longitude a turn.
        let turn = 5544.78 / 86_400.0;
        let (a, b) = (Moment::at(&track, MJD).unwrap(), Moment::at(&track, MJD + turn).unwrap());
        let shift = (b.longitude_deg - a.longitude_deg + 540.0).rem_euclid(360.0) - 180.0;
        assert!((shift + 23.5).abs() < 0.6, "{shift}");
    }
}
