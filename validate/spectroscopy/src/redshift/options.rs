//! What a redshift is measured from and with.

use sim_core::bandpass::Bandpass;

/// A flux density through a broad band.
#[derive(Debug, Clone)]
pub struct Photometry<'a> {
    /// The band.
    pub band: &'a Bandpass,
    /// Flux density \[erg / s / cm2 / Hz\].
    pub flux_nu: f64,
    /// Its standard error.
    pub error: f64,
}

/// One source.
#[derive(Debug, Clone, Default)]
pub struct SourceInput<'a> {
    /// Number of the source.
    pub id: u64,
    /// Its spectra: any gratings and exposures, first orders with flux.
    pub spectra: &'a [crate::spectrum::Extracted],
    /// Photometry of the whole source, may be empty.
    pub photometry: &'a [Photometry<'a>],
    /// Probability by its image that it is a point; `None` where nothing is known.
    pub point_probability: Option<f64>,
}

/// Settings of [`super::Redshifter`].
#[derive(Debug, Clone, serde::Serialize, serde::Deserialize)]
pub struct RedshiftOptions {
    /// Largest redshift of galaxies.
    pub galaxy_z_max: f64,
    /// Largest redshift of quasars.
    pub quasar_z_max: f64,
    /// Bits that make a sample useless.
    pub reject_flags: u32,
    /// Floor of the error of a sample, share of the flux: templates are not stars and galaxies.
    pub floor: f64,
    /// Floor of the error of a sample, share of its flux above the smooth flux: line profiles are not quite Gaussians of the width stated.
    pub line_floor: f64,
    /// Standard deviation of flux calibration and template errors that run smoothly over wavelength, share of the flux.
    pub smooth_floor: f64,
    /// Standard deviation of what neighbouring samples have in common (local backgrounds, light of others), share of the error of one.
    pub common_noise: f64,
    /// Standard deviation of the wavelength scale between sources, in ln lambda: added to the redshift's error.
    pub wavelength_error: f64,
    /// Share of the contamination taken away that is added to the error.
    pub contamination_error: f64,
    /// Least error of photometry, share of the flux: colours of the populations are right to 0.1 to 0.2 mag.
    pub photometry_floor: f64,
    /// Standard deviation of the scale between photometry and spectra, share.
    pub photometry_scale: f64,
    /// Reliability from which a redshift is called reliable.
    pub reliable_from: f64,
}

impl Default for RedshiftOptions {
    fn default() -> Self {
        use sim_core::flags::{BAD, BLEED, COSMIC_RAY, NO_DATA, SATELLITE, SATURATED};
        Self {
            galaxy_z_max: 4.0,
            quasar_z_max: 6.0,
            reject_flags: BAD | SATURATED | COSMIC_RAY | SATELLITE | BLEED | NO_DATA,
            floor: 0.02,
            line_floor: 0.1,
            smooth_floor: 0.05,
            common_noise: 0.15,
            wavelength_error: 1e-4,
            contamination_error: 0.1,
            photometry_floor: 0.1,
            photometry_scale: 0.1,
            reliable_from: 0.9,
        }
    }
}

/// What is wrong with an input.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum RedshiftError {
    /// A vector of another length than the wavelengths.
    #[error("source {id}, spectrum {index} ({band}): {name} has {found} elements, wavelength_nm has {expected}")]
    Length {
        /// Source.
        id: u64,
        /// Place in the list.
        index: usize,
        /// Band.
        band: String,
        /// Vector.
        name: &'static str,
        /// Its length.
        found: usize,
        /// Length of the wavelengths.
        expected: usize,
    },
    /// Wavelengths that do not rise.
    #[error("source {id}, spectrum {index} ({band}): wavelength_nm must be finite, positive and rising; element {element} is {value}")]
    Wavelength {
        /// Source.
        id: u64,
        /// Place in the list.
        index: usize,
        /// Band.
        band: String,
        /// First element at fault.
        element: usize,
        /// Its value \[nm\].
        value: f64,
    },
    /// No line spread.
    #[error("source {id}, spectrum {index} ({band}): line_fwhm_nm is {value}, must be finite and above 0")]
    LineSpread {
        /// Source.
        id: u64,
        /// Place in the list.
        index: usize,
        /// Band.
        band: String,
        /// The value \[nm\].
        value: f64,
    },
    /// Photometry without a number.
    #[error("source {id}, photometry {band}: flux {flux} with error {error}; the flux must be finite and the error finite and above 0")]
    Photometry {
        /// Source.
        id: u64,
        /// Band.
        band: String,
        /// Flux \[erg / s / cm2 / Hz\].
        flux: f64,
        /// Error.
        error: f64,
    },
    /// A probability outside 0..1.
    #[error("source {id}: point_probability is {value}, allowed 0..1")]
    Probability {
        /// Source.
        id: u64,
        /// The value.
        value: f64,
    },
    /// A setting out of range.
    #[error("{name} is {value}, allowed {allowed}")]
    Option {
        /// Setting.
        name: &'static str,
        /// The value.
        value: f64,
        /// Range in words.
        allowed: &'static str,
    },
}

impl RedshiftOptions {
    /// Checks the settings.
    ///
    /// # Errors
    /// With the name and range of one that is out of range.
    pub fn check(&self) -> Result<(), RedshiftError> {
        let range = |name, value: f64, low: f64, high: f64, allowed| {
            if (low..=high).contains(&value) { Ok(()) } else { Err(RedshiftError::Option { name, value, allowed }) }
        };
        range("galaxy_z_max", self.galaxy_z_max, 0.01, 9.0, "0.01..9")?;
        range("quasar_z_max", self.quasar_z_max, 0.1, 9.0, "0.1..9")?;
        range("floor", self.floor, 0.0, 0.5, "0..0.5")?;
        range("line_floor", self.line_floor, 0.0, 1.0, "0..1")?;
        range("smooth_floor", self.smooth_floor, 0.0, 1.0, "0..1")?;
        range("common_noise", self.common_noise, 0.0, 10.0, "0..10")?;
        range("wavelength_error", self.wavelength_error, 0.0, 0.1, "0..0.1")?;
        range("contamination_error", self.contamination_error, 0.0, 10.0, "0..10")?;
        range("photometry_floor", self.photometry_floor, 0.0, 1.0, "0..1")?;
        range("photometry_scale", self.photometry_scale, 0.0, 10.0, "0..10")?;
        range("reliable_from", self.reliable_from, 0.0, 1.0, "0..1")
    }
}
