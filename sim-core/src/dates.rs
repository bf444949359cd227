//! Dates as ephemerides want them.

use sofars::ts::{dtdb, taitt, utctai};

/// J2000 as a modified Julian date.
pub const J2000_MJD: f64 = 51_544.5;
/// MJD 0 as a Julian date.
pub const MJD_ZERO: f64 = 2_400_000.5;

/// Why a date cannot be used.
#[derive(Debug, Clone, thiserror::Error, PartialEq)]
#[non_exhaustive]
pub enum DateError {
    /// Outside the ephemeris.
    #[error("MJD {mjd_utc} is outside 36934..122000 (years 1960..2192)")]
    Date {
        /// Date given.
        mjd_utc: f64,
    },
}

/// Terrestrial time of a modified Julian date in UTC, as a Julian date in two parts \[d\].
///
/// # Errors
/// For dates outside 1960..2192.
pub fn terrestrial_time(mjd_utc: f64) -> Result<(f64, f64), DateError> {
    let bad = DateError::Date { mjd_utc };
    if !(36_934.0..=122_000.0).contains(&mjd_utc) {
        return Err(bad);
    }
    let (a, b) = utctai(MJD_ZERO, mjd_utc).map_err(|_| bad.clone())?;
    taitt(a, b).map_err(|_| bad)
}

/// Barycentric dynamical time of the same, at the centre of the Earth.
///
/// # Errors
/// For dates outside 1960..2192.
pub fn barycentric_time(mjd_utc: f64) -> Result<(f64, f64), DateError> {
    let (a, b) = terrestrial_time(mjd_utc)?;
    Ok((a, b + dtdb(a, b, 0.0, 0.0, 0.0, 0.0) / 86_400.0))
}
