//! The diffuse sky above the atmosphere: zodiacal light, earthshine, faint starlight.
//!
//! # Effect
//! Light that comes from everywhere in the field: the noise floor of every faint object.
//! # Formula
//! N = A p^2 integral f_lambda T lambda / (h c) d lambda \[electron / s / pixel\]
//! # Symbols
//! f_lambda surface brightness \[erg / s / cm2 / A / arcsec2\]; A collecting area \[cm2\]; p pixel size \[arcsec\];
//! T total efficiency.
//! # Source
//! `data/sky/SOURCES.md`; each part in its own file.
//! # Limits
//! 200 to 1100 nm. No airglow lines (a telescope at 400 km looks through the uppermost airglow only near the limb;
//! \[O I\] 130 nm and Lyman alpha are outside the bands, \[O II\] 247 nm at the blue edge of NUV), no moonlight, no stray light of
//! the telescope. Against the band table of the official simulator (FilterParam), both at V = 22.1: 0.95 in g, r and i, 0.9 in z
//! and y, 0.75 in u, 0.51 in NUV (0.38 with Leinert's colour; 0.72 without earthshine). What is missing in NUV: the table's 0.004
//! has one digit (+-12 %); earthshine, a third of the visible light, ends at 300 nm (ozone) and dilutes. No published spectrum
//! found here reaches the table's NUV value; a scenario that wants it takes the table.
//! # Twin
//! The reduction subtracts a measured background; it never sees this model.

mod earthshine;
mod starlight;
mod sun;
mod zodiacal;

pub use earthshine::Earthshine;
pub use starlight::{DIFFUSE_FRACTION, starlight_s10};
pub use sun::{EclipticPosition, ecliptic_from_icrs, helioecliptic, sun_ecliptic_longitude_deg};
pub use zodiacal::{S10_ERG_S_CM2_A_ARCSEC2, ZodiacalColour, ZodiacalLight};

use crate::SedLibrary;
use serde::{Deserialize, Serialize};
use sim_core::bandpass::Bandpass;
use sim_core::spectrum::Spectrum;
use sim_core::units::{Nanometre, PLANCK_J_S, SPEED_OF_LIGHT_M_S};

/// What else than position and date sets the sky.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct SkyConditions {
    /// Level of the earthshine.
    pub earthshine: Earthshine,
    /// Stars fainter than this V magnitude are in the diffuse sky and not in the catalogue; none are when absent.
    pub starlight_from_v: Option<f64>,
    /// Factor on the zodiacal light (solar distance, seasonal asymmetry), 0 to 10.
    pub zodiacal_factor: f64,
    /// Colour of the zodiacal light.
    pub zodiacal_colour: ZodiacalColour,
}

impl Default for SkyConditions {
    fn default() -> Self {
        Self {
            earthshine: Earthshine::Average,
            starlight_from_v: Some(27.0),
            zodiacal_factor: 1.0,
            zodiacal_colour: ZodiacalColour::default(),
        }
    }
}

/// Why there is no sky for a position and date.
#[derive(Debug, thiserror::Error, PartialEq)]
#[non_exhaustive]
pub enum SkyError {
    /// Too close to the Sun.
    #[error(
        "the field is at helioecliptic longitude {longitude_deg:.1} deg, ecliptic latitude {latitude_deg:.1} deg: too close to the Sun, the zodiacal table ends there; choose another date or a field more than 30 deg from the Sun"
    )]
    TooCloseToSun {
        /// Helioecliptic longitude \[deg\].
        longitude_deg: f64,
        /// Ecliptic latitude \[deg\].
        latitude_deg: f64,
    },
    /// A parameter is outside its range.
    #[error("sky.{key} = {value} is outside {range}")]
    Range {
        /// Parameter.
        key: &'static str,
        /// Value given.
        value: f64,
        /// Allowed.
        range: &'static str,
    },
    /// The date cannot be used.
    #[error(transparent)]
    Date(#[from] crate::dates::DateError),
}

/// A diffuse light: surface brightness over wavelength.
#[derive(Debug, Clone, PartialEq)]
pub struct SurfaceBrightness {
    /// f_lambda \[erg / s / cm2 / A / arcsec2\] over wavelength.
    pub spectrum: Spectrum,
}

impl SurfaceBrightness {
    /// AB magnitude per square arcsecond in a band.
    #[must_use]
    pub fn ab_magnitude_arcsec2(&self, band: &Bandpass) -> f64 {
        // f_nu = f_lambda lambda^2 / c with f_lambda per A and lambda in A.
        let (mut top, mut bottom) = (0.0, 0.0);
        for (w, d) in band.nodes(400) {
            let t = band.at(Nanometre(w));
            top += self.spectrum.at(Nanometre(w)) * t * w * d;
            bottom += t / w * d;
        }
        let f_nu = top / bottom * 100.0 / (SPEED_OF_LIGHT_M_S * 1e10);
        -2.5 * f_nu.log10() - 48.60
    }
    /// Expected electrons per second and pixel.
    #[must_use]
    pub fn electron_s_pixel(&self, band: &Bandpass, area_cm2: f64, pixel_scale_arcsec: f64) -> f64 {
        // f_lambda per A -> per nm: 10; erg -> J: 1e-7; lambda in nm -> m: 1e-9.
        let integral: f64 = band.nodes(400).iter().map(|&(w, d)| self.spectrum.at(Nanometre(w)) * band.at(Nanometre(w)) * w * d).sum();
        integral * 10.0 * 1e-7 * 1e-9 / (PLANCK_J_S * SPEED_OF_LIGHT_M_S) * area_cm2 * pixel_scale_arcsec * pixel_scale_arcsec
    }
}

/// The model of the diffuse sky.
#[derive(Debug, Clone)]
pub struct SkyModel {
    zodiacal: ZodiacalLight,
    earthshine: Spectrum,
    /// f_lambda of starlight for one S10.
    starlight: Spectrum,
}

impl SkyModel {
    /// Builds the model; starlight has the spectrum of a star of 5000 K (assumed: the mean colour of faint disk stars).
    #[must_use]
    pub fn new(seds: &SedLibrary) -> Self {
        Self {
            zodiacal: ZodiacalLight::load(),
            earthshine: earthshine::high(),
            starlight: starlight::one_s10(&seds.star(5000.0, 4.5, -0.5)),
        }
    }
    /// The zodiacal light alone.
    #[must_use]
    pub fn zodiacal(&self) -> &ZodiacalLight {
        &self.zodiacal
    }
    /// The sky at a position (ICRS \[deg\]) and date (modified Julian date, UTC).
    ///
    /// # Errors
    /// Too close to the Sun, a date outside 1960..2500, or conditions outside their ranges.
    pub fn at(&self, ra_deg: f64, dec_deg: f64, mjd_utc: f64, conditions: &SkyConditions) -> Result<SurfaceBrightness, SkyError> {
        if !(0.0..=10.0).contains(&conditions.zodiacal_factor) {
            return Err(SkyError::Range { key: "zodiacal_factor", value: conditions.zodiacal_factor, range: "0..10" });
        }
        if let Some(v) = conditions.starlight_from_v
            && !(6.5..=35.0).contains(&v)
        {
            return Err(SkyError::Range { key: "starlight_from_v", value: v, range: "6.5..35 mag" });
        }
        let place = helioecliptic(ra_deg, dec_deg, mjd_utc)?;
        let (l, b) = sofars::coords::icrs2g(ra_deg.to_radians(), dec_deg.to_radians());
        let stars_s10 = conditions.starlight_from_v.map_or(0.0, |v| starlight_s10(l.to_degrees(), b.to_degrees(), v));
        self.sum(place.longitude_deg, place.latitude_deg, stars_s10, conditions)
    }
    /// The sky for a helioecliptic longitude, an ecliptic latitude \[deg\] and a starlight level \[S10\].
    ///
    /// # Errors
    /// Too close to the Sun.
    pub fn sum(
        &self,
        helioecliptic_longitude_deg: f64,
        latitude_deg: f64,
        starlight_s10: f64,
        conditions: &SkyConditions,
    ) -> Result<SurfaceBrightness, SkyError> {
        let zodiacal = self.zodiacal.at(helioecliptic_longitude_deg, latitude_deg, conditions.zodiacal_colour)?;
        let factor = conditions.earthshine.relative_to_high();
        let wavelength_nm: Vec<f64> = (0..=360).map(|i| 200.0 + 2.5 * f64::from(i)).collect();
        let flux = wavelength_nm
            .iter()
            .map(|&w| {
                let w = Nanometre(w);
                conditions.zodiacal_factor * zodiacal.spectrum.at(w) + factor * self.earthshine.at(w) + starlight_s10 * self.starlight.at(w)
            })
            .collect();
        let spectrum = Spectrum::new("sky", wavelength_nm, flux).expect("a sum of valid spectra is valid");
        Ok(SurfaceBrightness { spectrum })
    }
}

#[cfg(test)]
mod tests;
