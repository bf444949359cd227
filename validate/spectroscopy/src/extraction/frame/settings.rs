//! What an extraction is told.

use crate::extraction::error::{ExtractionError, within};
use crate::extraction::psf::Psf;
use crate::position;
use sim_core::dispersion::Grating;
use sim_core::flags;

/// Flags that make a pixel unusable unless told otherwise.
pub const BAD: u16 = (flags::BAD
    | flags::SATURATED
    | flags::COSMIC_RAY
    | flags::SATELLITE
    | flags::BLEED
    | flags::NO_DATA
    | flags::OVERSCAN_BAD
    | flags::NO_FLAT) as u16;

/// The instrument as calibration knows it.
#[derive(Debug, Clone)]
pub struct Instrument<'a> {
    /// Detector that the configuration is of.
    pub configured_detector: &'a str,
    /// Detector that the frame is of.
    pub frame_detector: &'a str,
    /// Band: `GU`, `GV`, `GI`.
    pub band: &'a str,
    /// Gratings in front of it.
    pub gratings: &'a [Grating],
    /// Collecting area \[cm2\].
    pub area_cm2: f64,
    /// Point-spread function, before pixels.
    pub psf: Psf,
}

/// How a column becomes an element.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Method {
    /// Sum over an aperture ([`crate::extraction::boxed`]).
    Box {
        /// Share of the profile inside the aperture.
        share: f64,
    },
    /// Fit of the profile ([`crate::extraction::optimal`]).
    Optimal {
        /// Limit of rejection \[sigma\]; infinite for none.
        reject: f64,
    },
}

/// Which profile is used.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum ProfileChoice {
    /// PSF and shape of the catalogue.
    Model,
    /// The data's own for spectra with more than this significance \[sigma\], else the model.
    Data {
        /// Least significance of the whole spectrum.
        least: f64,
    },
}

/// How a frame is extracted.
#[derive(Debug, Clone, PartialEq)]
pub struct Settings {
    /// Orders to extract.
    pub orders: Vec<i32>,
    /// Faintest AB magnitude, at the middle of the band, that is extracted; sources without photometry always are.
    pub faintest_ab: f64,
    /// Faintest AB magnitude whose extracted spectrum improves the model.
    pub iterate_ab: f64,
    /// Rounds of model and extraction before the last one; 0 leaves the model with photometry alone.
    pub iterations: usize,
    /// Take the model of other sources away.
    pub contamination: bool,
    /// How columns become elements.
    pub method: Method,
    /// Profile.
    pub profile: ProfileChoice,
    /// Take what is left of the background beside each spectrum away.
    pub local_background: bool,
    /// Measure the PSF on bright isolated stars of the frame; where there are too few the given one stays.
    pub measure_psf: bool,
    /// Side of a cell of the background \[pixel\].
    pub mesh_px: usize,
    /// Pixels whose model is above this times their error are no background.
    pub faint: f64,
    /// Orders with less light in their brightest column are not drawn \[electron / s\]: 0.001 is 0.15 electrons of 150 s.
    pub faintest_column: f64,
    /// Flags that make a pixel unusable.
    pub bad: u16,
    /// The position step; `None` to trust the catalogue.
    pub position: Option<position::Settings>,
}

impl Default for Settings {
    /// Order +1 of all sources to 24 mag, two rounds with those to 22.5 mag, optimal extraction with rejection at 5 sigma.
    fn default() -> Self {
        Self {
            orders: vec![1],
            faintest_ab: 24.0,
            iterate_ab: 22.5,
            iterations: 2,
            contamination: true,
            method: Method::Optimal { reject: 5.0 },
            profile: ProfileChoice::Model,
            local_background: true,
            measure_psf: false,
            mesh_px: 128,
            faint: 0.2,
            faintest_column: 1e-3,
            bad: BAD,
            position: Some(position::Settings::default()),
        }
    }
}

impl Settings {
    /// Checks the ranges.
    ///
    /// # Errors
    /// The first value out of its range.
    pub fn check(&self) -> Result<(), ExtractionError> {
        match self.method {
            Method::Box { share } => within("box share", share, 0.2, 0.9999, "0.2..0.9999")?,
            Method::Optimal { reject } => within("optimal reject [sigma]", reject, 3.0, f64::INFINITY, "3 at least")?,
        }
        if self.orders.is_empty() {
            return Err(ExtractionError::Value { key: "number of orders to extract", value: 0.0, range: "1 at least" });
        }
        within("iterations", self.iterations as f64, 0.0, 20.0, "0..20")?;
        within("mesh_px", self.mesh_px as f64, 8.0, 4096.0, "8..4096")?;
        within("faint", self.faint, 0.01, 100.0, "0.01..100")?;
        within("faintest_column", self.faintest_column, 0.0, 1e6, "0..1e6")
    }
}
