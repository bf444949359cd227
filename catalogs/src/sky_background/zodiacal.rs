//! Sunlight scattered by interplanetary dust.
//!
//! # Effect
//! The largest part of the sky in orbit; brightest towards the Sun and the ecliptic.
//! # Formula
//! f_lambda = S(dlambda, beta) u (E(lambda) / E(500 nm)) r(lambda, eps), cos eps = cos dlambda cos beta.
//! r of Leinert: L(lambda, eps) = 1 + q(eps) lg(lambda / 500 nm). r of HST: H(lambda) L(lambda, eps) / L(lambda, 90 deg).
//! # Symbols
//! S brightness at 500 nm \[S10(sun)\]; u = 1.28e-8 W m-2 sr-1 um-1; E solar irradiance; eps elongation; q = 1.2 (30 deg)
//! to 0.9 (90 deg) below 500 nm and 0.8 to 0.6 above, linear in eps and held outside; H the HST spectrum over E, means over groups
//! of neighbouring samples, 1 at 500 nm, linear between the groups, held below the first, going on as L beyond the last.
//! # Source
//! Leinert et al. 1998 (A&AS 127, 1): table 16 and eq. 22; solar spectrum ASTM E490-00a; HST STIS Instrument Handbook, table 6.4
//! (after Giavalisco et al. 2002, WFC3 ISR 2002-12: the Sun reddened to fit measures at 450 to 2200 nm). `data/sky/SOURCES.md`.
//! # Limits
//! Table interpolated linearly in angle and logarithmically in brightness; symmetric about the ecliptic and the Sun's
//! meridian; no seasonal change (up to 10 %). Colour law 220 to 2500 nm, held below 220 nm. Solar lines smoothed over 5 nm.
//! **The ultraviolet is uncertain by a third**: relative to 500 nm HST's spectrum is 1.4 times Leinert's law at 250 to 320 nm and
//! 1.2 times at 330 to 400 nm. HST's samples there are single points of a spectrum full of lines (10 nm apart), and no measure
//! below 450 nm went into it; Leinert's own table 19 is below both at 300 nm and above Leinert's law at 200 nm.
//! # Twin
//! None (part of the sky).

use super::{SkyError, SurfaceBrightness};
use crate::table::{columns, held, numbers};
use serde::{Deserialize, Serialize};
use sim_core::spectrum::Spectrum;
use sim_core::units::Nanometre;

/// One S10(sun) at 500 nm \[erg / s / cm2 / A / arcsec2\]: 1.28e-8 W m-2 sr-1 um-1 (Leinert et al. 1998: table 17 over table 16).
pub const S10_ERG_S_CM2_A_ARCSEC2: f64 =
    1.28e-8 * 1e7 * 1e-4 * 1e-4 * sim_core::units::RADIAN_PER_ARCSECOND * sim_core::units::RADIAN_PER_ARCSECOND;

/// Latitudes of the table's columns \[deg\].
const LATITUDE_DEG: [f64; 11] = [0.0, 5.0, 10.0, 15.0, 20.0, 25.0, 30.0, 45.0, 60.0, 75.0, 90.0];

/// Edges of the groups of samples over which the HST spectrum is compared with the Sun \[nm\].
const GROUP_EDGES_NM: [f64; 11] = [195.0, 245.0, 325.0, 410.0, 490.0, 560.0, 660.0, 760.0, 860.0, 960.0, 1110.0];

/// Colour of the zodiacal light relative to the Sun.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum ZodiacalColour {
    /// The spectrum of the HST handbooks; brighter in the ultraviolet and the infrared.
    #[default]
    Hst,
    /// The colour law of Leinert et al. (1998).
    Leinert,
}

/// The zodiacal light over the sky.
#[derive(Debug, Clone)]
pub struct ZodiacalLight {
    longitude_deg: Vec<f64>,
    /// ln S10, `[longitude][latitude]`; NaN near the Sun.
    ln_s10: Vec<Vec<f64>>,
    /// Solar spectrum, 1 at 500 nm.
    solar: Spectrum,
    /// Wavelength \[nm\] and HST's spectrum over the Sun, 1 at 500 nm.
    hst: (Vec<f64>, Vec<f64>),
}

/// Leinert's colour law.
fn leinert(wavelength_nm: f64, elongation_deg: f64) -> f64 {
    let lg = (wavelength_nm.max(220.0) / 500.0).log10();
    let (near, far) = if lg < 0.0 { (1.2, 0.9) } else { (0.8, 0.6) };
    1.0 + held(&[30.0, 90.0], &[near, far], elongation_deg) * lg
}

/// HST's spectrum over the Sun, by groups.
fn hst_over_sun(solar: &Spectrum) -> (Vec<f64>, Vec<f64>) {
    let (w, f) = columns(include_str!("../../data/sky/zodiacal_high.csv"), 0, 1);
    let (mut centres, mut ratios) = (Vec::new(), Vec::new());
    for edge in GROUP_EDGES_NM.windows(2) {
        let (mut count, mut centre, mut light, mut sun) = (0.0, 0.0, 0.0, 0.0);
        for (&w, &f) in w.iter().zip(&f).filter(|(w, _)| (edge[0]..edge[1]).contains(*w)) {
            count += 1.0;
            centre += w;
            light += f;
            sun += solar.at(Nanometre(w));
        }
        centres.push(centre / count);
        ratios.push(light / sun);
    }
    let at_500 = held(&centres, &ratios, 500.0);
    (centres, ratios.into_iter().map(|r| r / at_500).collect())
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
            hst: hst_over_sun(&solar),
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
    /// The spectrum over the Sun's, 1 at 500 nm.
    fn colour(&self, colour: ZodiacalColour, wavelength_nm: f64, elongation_deg: f64) -> f64 {
        let law = leinert(wavelength_nm, elongation_deg);
        match colour {
            ZodiacalColour::Leinert => law,
            ZodiacalColour::Hst => {
                let (centres, ratios) = &self.hst;
                let last = centres[centres.len() - 1];
                held(centres, ratios, wavelength_nm) * law / leinert(wavelength_nm.min(last), 90.0)
            }
        }
    }
    /// Surface brightness, 200 to 2500 nm.
    ///
    /// # Errors
    /// As [`ZodiacalLight::s10`].
    pub fn at(&self, helioecliptic_longitude_deg: f64, latitude_deg: f64, colour: ZodiacalColour) -> Result<SurfaceBrightness, SkyError> {
        let level = self.s10(helioecliptic_longitude_deg, latitude_deg)? * S10_ERG_S_CM2_A_ARCSEC2;
        let elongation = (helioecliptic_longitude_deg.to_radians().cos() * latitude_deg.to_radians().cos()).acos().to_degrees();
        let wavelength_nm: Vec<f64> =
            (0..=360).map(|i| 200.0 + 2.5 * f64::from(i)).chain((1..=28).map(|i| 1100.0 + 50.0 * f64::from(i))).collect();
        let flux = wavelength_nm.iter().map(|&w| level * self.solar.at(Nanometre(w)) * self.colour(colour, w, elongation)).collect();
        let spectrum = Spectrum::new("zodiacal", wavelength_nm, flux).expect("a reddened solar spectrum is valid");
        Ok(SurfaceBrightness { spectrum })
    }
}
