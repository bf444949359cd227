//! What is found about a source.

use serde::{Deserialize, Serialize};

/// Class of a source.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Class {
    /// A star.
    Star,
    /// A galaxy.
    Galaxy,
    /// A quasar.
    Quasar,
}

/// Whether there is a redshift.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Status {
    /// Measured.
    Measured,
    /// No spectrum, or none of its samples is usable (flagged, no number, no sensitivity).
    NoUsableSamples,
    /// Too few samples for a fit.
    TooFewSamples,
    /// The spectra hold no light: no more than noise, signal to noise of all samples together below 3.
    NoSignal,
}

/// Flux of an emission line.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct LineFlux {
    /// Name of the line or unresolved blend.
    pub name: String,
    /// Vacuum wavelength at rest \[nm\].
    pub wavelength_nm: f64,
    /// Flux \[erg / s / cm2\]; negative for absorption.
    pub flux: f64,
    /// Its standard error.
    pub flux_error: f64,
    /// Equivalent width at rest \[nm\], positive for emission; not a number without a continuum.
    pub ew_nm: f64,
    /// Its standard error.
    pub ew_error_nm: f64,
}

/// Parameters of a star (under the assumption that it is one).
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct StarParameters {
    /// Effective temperature \[K\]: geometric mean over its probability.
    pub teff_k: f64,
    /// Its standard error \[K\].
    pub teff_error_k: f64,
    /// 16th and 84th percentiles \[K\].
    pub teff_range_k: (f64, f64),
    /// Probability of a white dwarf among stars.
    pub white_dwarf: f64,
}

/// All that is found about a source.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct SourceRedshift {
    /// Number of the source.
    pub id: u64,
    /// Whether there is a redshift.
    pub status: Status,
    /// Most probable class.
    pub class: Option<Class>,
    /// Probabilities of star, galaxy, quasar.
    pub class_probability: [f64; 3],
    /// Redshift; 0 for stars.
    pub z: f64,
    /// Its standard error.
    pub z_error: f64,
    /// Probability that the redshift is right to three of its errors, 0.005 (1 + z) at least and 0.02 at most; calibrated on simulated spectra.
    pub reliability: f64,
    /// Reliability is at or above the chosen threshold.
    pub reliable: bool,
    /// Second-best redshift, not a number where there is none.
    pub z_second: f64,
    /// Probability about it.
    pub z_second_probability: f64,
    /// Probability density over ln(1 + z) (galaxies and quasars together, given that it is no star), at ln(1 + z) = k x
    /// [`Self::ln1z_step`].
    pub density: Vec<f32>,
    /// Step of the density's grid.
    pub ln1z_step: f64,
    /// Least chi2 of star, galaxy, quasar.
    pub chi2: [f64; 3],
    /// Samples in chi2.
    pub samples: usize,
    /// Elements of spectra left out (flags, no numbers, errors not positive, outside the templates).
    pub rejected: usize,
    /// Median signal to noise per element in GU, GV, GI, exposures together; not a number without the band.
    pub snr: [f64; 3],
    /// Lines in the spectra at the redshift.
    pub lines: Vec<LineFlux>,
    /// Star's parameters.
    pub star: Option<StarParameters>,
    /// Largest redshift tried: that of the options or where all light would lie below Lyman alpha.
    pub z_max: f64,
    /// Photometric bands left out because they reach beyond the templates.
    pub bands_outside: Vec<String>,
}

impl SourceRedshift {
    /// A source without a redshift.
    #[must_use]
    pub fn without(id: u64, status: Status) -> Self {
        let nan = f64::NAN;
        Self {
            id,
            status,
            class: None,
            class_probability: [nan; 3],
            z: nan,
            z_error: nan,
            reliability: 0.0,
            reliable: false,
            z_second: nan,
            z_second_probability: nan,
            density: vec![],
            ln1z_step: super::posterior::SCAN,
            chi2: [nan; 3],
            samples: 0,
            rejected: 0,
            snr: [nan; 3],
            lines: vec![],
            star: None,
            z_max: nan,
            bands_outside: vec![],
        }
    }
}
