//! Where a field is as seen from the Sun's direction.
//!
//! # Effect
//! Helioecliptic longitude and ecliptic latitude set the zodiacal light.
//! # Formula
//! Sun = -(heliocentric Earth); ecliptic of date by the IAU 2006 precession.
//! # Source
//! SOFA routines epv00, eqec06, utctai, taitt through the `sofars` crate.
//! # Limits
//! Geometric Sun: aberration (21 arcsec) and the spacecraft's orbit (9 arcsec) are far below the table's 5 deg grid.
//! # Twin
//! None.

use crate::dates::{DateError, terrestrial_time};
use sofars::coords::eqec06;
use sofars::eph::epv00;
use sofars::vm::c2s;

/// A direction in the ecliptic of date.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct EclipticPosition {
    /// Longitude \[deg\]; helioecliptic (Sun at 0, -180..180) where said so.
    pub longitude_deg: f64,
    /// Latitude \[deg\].
    pub latitude_deg: f64,
}

/// Ecliptic longitude of the Sun, mean equinox and ecliptic of date \[deg\].
///
/// # Errors
/// For dates outside 1960..2192.
pub fn sun_ecliptic_longitude_deg(mjd_utc: f64) -> Result<f64, DateError> {
    let (a, b) = terrestrial_time(mjd_utc)?;
    // TT for TDB: 2 ms.
    let (earth, _) = epv00(a, b).ok_or(DateError::Date { mjd_utc })?;
    let (ra, dec) = c2s(&earth[0].map(|v| -v));
    Ok(eqec06(a, b, ra, dec).0.to_degrees().rem_euclid(360.0))
}

/// Ecliptic position (mean equinox and ecliptic of date) of an ICRS position \[deg\].
///
/// # Errors
/// For dates outside 1960..2192.
pub fn ecliptic_from_icrs(ra_deg: f64, dec_deg: f64, mjd_utc: f64) -> Result<EclipticPosition, DateError> {
    let (a, b) = terrestrial_time(mjd_utc)?;
    let (longitude, latitude) = eqec06(a, b, ra_deg.to_radians(), dec_deg.to_radians());
    Ok(EclipticPosition { longitude_deg: longitude.to_degrees().rem_euclid(360.0), latitude_deg: latitude.to_degrees() })
}

/// Helioecliptic longitude (-180..180) and ecliptic latitude of an ICRS position \[deg\].
///
/// # Errors
/// For dates outside 1960..2192.
pub fn helioecliptic(ra_deg: f64, dec_deg: f64, mjd_utc: f64) -> Result<EclipticPosition, DateError> {
    let place = ecliptic_from_icrs(ra_deg, dec_deg, mjd_utc)?;
    let relative = place.longitude_deg - sun_ecliptic_longitude_deg(mjd_utc)?;
    Ok(EclipticPosition { longitude_deg: (relative + 180.0).rem_euclid(360.0) - 180.0, latitude_deg: place.latitude_deg })
}
