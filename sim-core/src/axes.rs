//! Turns between the axes in which orbits are stated and those of the sky.
//!
//! # Formula
//! `r = PN^T Rz(-e) r_TEME`, e the equation of the equinoxes; `r_Earth = R3(theta) Q r`, theta the angle of the Earth's rotation
//! # Symbols
//! PN precession and nutation (IAU 2000B); Q the celestial to intermediate matrix; both at a date in terrestrial time
//! # Source
//! Vallado et al. 2006 (AIAA 2006-6753) for TEME; SOFA routines pnm00b, nut00b, obl80, c2i00b, era00 through the `sofars` crate
//! # Limits
//! UTC for UT1 (below 0.9 s, 0.004 deg of longitude) and no polar motion (0.0002 deg).

use crate::dates::{DateError, MJD_ZERO, terrestrial_time};
use sofars::erst::era00;
use sofars::pnp::{c2i00b, nut00b, obl80, pnm00b};

/// A turn: the rows of its matrix.
pub type Turn = [[f64; 3]; 3];

/// Turns TEME to axes of the ICRS at a date in terrestrial time.
#[must_use]
pub fn gcrs_from_teme((a, b): (f64, f64)) -> [[f64; 3]; 3] {
    let matrix = pnm00b(a, b);
    let (nutation, _) = nut00b(a, b);
    let (s, c) = (nutation * obl80(a, b).cos()).sin_cos();
    // Rz(-e) takes TEME to the true equinox; the transposed matrix takes that to the ICRS.
    let true_of_date = [[c, -s, 0.0], [s, c, 0.0], [0.0, 0.0, 1.0]];
    std::array::from_fn(|i| std::array::from_fn(|j| (0..3).map(|k| matrix[k][i] * true_of_date[k][j]).sum()))
}

/// Turns axes of the GCRS to those fixed to the Earth (z to the pole, x to the meridian of Greenwich) at a modified Julian date UTC \[d\].
///
/// # Errors
/// For dates outside 1960..2192.
pub fn earth_from_gcrs(mjd_utc: f64) -> Result<Turn, DateError> {
    let (a, b) = terrestrial_time(mjd_utc)?;
    let q = c2i00b(a, b);
    let (s, c) = era00(MJD_ZERO, mjd_utc).sin_cos();
    Ok(std::array::from_fn(|i| {
        std::array::from_fn(|j| match i {
            0 => c * q[0][j] + s * q[1][j],
            1 => -s * q[0][j] + c * q[1][j],
            _ => q[2][j],
        })
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_turn_to_the_earth_is_that_of_the_full_theory_to_a_milliarcsecond() {
        for mjd in [51_544.5, 61_000.123, 63_456.789] {
            let ours = earth_from_gcrs(mjd).unwrap();
            let (a, b) = terrestrial_time(mjd).unwrap();
            let full = sofars::pnp::c2t06a(a, b, MJD_ZERO, mjd, 0.0, 0.0);
            for (x, y) in ours.iter().flatten().zip(full.iter().flatten()) {
                // The short nutation is good to 1 mas (5e-9 rad).
                assert!((x - y).abs() < 1e-8, "{mjd}: {x} {y}");
            }
        }
    }

    #[test]
    fn teme_differs_from_the_equator_of_date_by_the_equation_of_the_equinoxes_alone() {
        let date = terrestrial_time(61_000.0).unwrap();
        let turn = gcrs_from_teme(date);
        let pole = pnm00b(date.0, date.1)[2];
        for k in 0..3 {
            assert!((turn[k][2] - pole[k]).abs() < 1e-15);
        }
    }
}
