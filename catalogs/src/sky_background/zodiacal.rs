//! Sunlight scattered by interplanetary dust.
//!
//! # Effect
//! The largest part of the sky in orbit; brightest towards the Sun and the ecliptic.
//! # Formula
//! f_lambda = S(dlambda, beta) u (E(lambda) / E(500 nm)) (1 + q(eps) lg(lambda / 500 nm)), cos eps = cos dlambda cos beta
//! # Symbols
//! S brightness at 500 nm \[S10(sun)\]; u = 1.28e-8 W m-2 sr-1 um-1; E solar irradiance; eps elongation; q = 1.2 (30 deg)
//! to 0.8 (90 deg) below 500 nm and 0.8 to 0.6 above, linear in eps and held outside.
//! # Source
//! Leinert et al. 1998 (A&AS 127, 1): table 16 and eq. 22; solar spectrum ASTM E490-00a. `data/sky/SOURCES.md`.
//! # Limits
//! Table interpolated linearly in angle and logarithmically in brightness; symmetric about the ecliptic and the Sun's
//! meridian; no seasonal change (up to 10 %). Colour law 220 to 2500 nm, held below 220 nm. Solar lines smoothed over 5 nm.
//! # Twin
//! None (part of the sky).

use super::{SkyError, SurfaceBrightness};
use crate::table::{columns, held, numbers};
use sim_core::spectrum::Spectrum;
use sim_core::units::Nanometre;

/// One S10(sun) at 500 nm \[erg / s / cm2 / A / arcsec2\]: 1.28e-8 W m-2 sr-1 um-1 (Leinert et al. 1998, section 2).
pub const S10_ERG_S_CM2_A_ARCSEC2: f64 =
    1.28e-8 * 1e7 * 1e-4 * 1e-4 * sim_core::units::RADIAN_PER_ARCSECOND * sim_core::units::RADIAN_PER_ARCSECOND;

/// Latitudes of the table's columns \[deg\].
const LATITUDE_DEG: [f64; 11] = [0.0, 5.0, 10.0, 15.0, 20.0, 25.0, 30.0, 45.0, 60.0, 75.0, 90.0];

/// The zodiacal light over the sky.
#[derive(Debug, Clone)]
pub struct ZodiacalLight {
    longitude_deg: Vec<f64>,
    /// ln S10, `[longitude][latitude]`; NaN near the Sun.
    ln_s10: Vec<Vec<f64>>,
    /// Solar spectrum, 1 at 500 nm.
    solar: Spectrum,
}

impl ZodiacalLight {
    /// The tables compiled in.
    #[must_use]
    pub fn load() -> Self {
        let rows = numbers(include_str!("../../data/sky/zodiacal_leinert_table16.csv"));
        let (w, e) = columns(include_str!("../../data/sky/solar_e490.csv"), 0, 1);
        // The mean of 490-510 nm: the colour law and the S10 are defined on the continuum, not on one 5 nm bin.
        let near: Vec<f64> = w.iter().zip(&e).filter(|(w, _)| (490.0..510.0).contains(*w)).map(|(_, e)| *e).collect();
        let reference = near.iter().sum::<f64>() / near.len() as f64;
        let solar =
            Spectrum::new("solar_e490", w, e.iter().map(|e| e / reference).collect()).expect("the compiled solar spectrum is valid");
        Self {
            longitude_deg: rows.iter().map(|r| r[0]).collect(),
            ln_s10: rows.iter().map(|r| r[1..].iter().map(|v| v.ln()).collect()).collect(),
            solar,
        }
    }
    /// Brightness at 500 nm \[S10(sun)\].
    ///
    /// # Errors
    /// Where the table has no value: within 15 to 20 deg of the Sun.
    pub fn s10(&self, helioecliptic_longitude_deg: f64, latitude_deg: f64) -> Result<f64, SkyError> {
        let too_close = SkyError::TooCloseToSun { longitude_deg: helioecliptic_longitude_deg, latitude_deg };
        let wrapped = helioecliptic_longitude_deg.rem_euclid(360.0);
        let (x, y) = (wrapped.min(360.0 - wrapped), latitude_deg.abs());
        if !(x.is_finite() && y <= 90.0) {
            return Err(too_close);
        }
        let cell = |grid: &[f64], v: f64| {
            let i = grid.partition_point(|&g| g <= v).clamp(1, grid.len() - 1);
            (i, (v - grid[i - 1]) / (grid[i] - grid[i - 1]))
        };
        let ((i, s), (j, t)) = (cell(&self.longitude_deg, x), cell(&LATITUDE_DEG, y));
        let mut sum = 0.0;
        for (row, a) in [(i - 1, 1.0 - s), (i, s)] {
            for (column, b) in [(j - 1, 1.0 - t), (j, t)] {
                // A corner without value must not matter when its weight is nil.
                if a * b > 0.0 {
                    sum += a * b * self.ln_s10[row][column];
                }
            }
        }
        if sum.is_nan() { Err(too_close) } else { Ok(sum.exp()) }
    }
    /// Surface brightness, 200 to 2500 nm.
    ///
    /// # Errors
    /// As [`ZodiacalLight::s10`].
    pub fn at(&self, helioecliptic_longitude_deg: f64, latitude_deg: f64) -> Result<SurfaceBrightness, SkyError> {
        let level = self.s10(helioecliptic_longitude_deg, latitude_deg)? * S10_ERG_S_CM2_A_ARCSEC2;
        let elongation = (helioecliptic_longitude_deg.to_radians().cos() * latitude_deg.to_radians().cos()).acos().to_degrees();
        let blue = held(&[30.0, 90.0], &[1.2, 0.8], elongation);
        let red = held(&[30.0, 90.0], &[0.8, 0.6], elongation);
        let wavelength_nm: Vec<f64> =
            (0..=360).map(|i| 200.0 + 2.5 * f64::from(i)).chain((1..=28).map(|i| 1100.0 + 50.0 * f64::from(i))).collect();
        let flux = wavelength_nm
            .iter()
            .map(|&w| {
                let lg = (w.max(220.0) / 500.0).log10();
                level * self.solar.at(Nanometre(w)) * (1.0 + if lg < 0.0 { blue } else { red } * lg)
            })
            .collect();
        let spectrum = Spectrum::new("zodiacal", wavelength_nm, flux).expect("a reddened solar spectrum is valid");
        Ok(SurfaceBrightness { spectrum })
    }
}
