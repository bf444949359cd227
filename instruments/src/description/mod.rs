//! An instrument as data: telescope, bands, detectors, effect parameters, each number with its provenance.
//!
//! An instrument is a folder: `instrument.toml`, the focal plane and the curves it names. Every number is a
//! [`sim_core::quantity::Quantity`] (`{ value, unit, source, status }`); every column of a data file says its unit,
//! status and source in a comment (`columns` has the form). Unknown keys, other units and values out of range are
//! refused with file, line, key and what was meant. Two instruments are built in: `msc` and `testbench`.

mod bands;
mod columns;
mod document;
mod effect_tables;
mod error;
mod explain;
mod files;
mod focal_plane;
mod grating;
mod load;
mod nearest;
mod section;

#[cfg(test)]
mod tests;

pub use error::{DescriptionError, Place};
pub use explain::explain;
pub use grating::GratingSpec;
pub use load::{is_built_in, load, load_with};

use sim_core::bandpass::Bandpass;
use sim_core::detector::DetectorGeometry;
use sim_core::exposure::Pointing;
use sim_core::wcs::{FieldDistortion, Parity, Wcs, detector_wcs};
use std::collections::BTreeMap;
use std::sync::Arc;

/// One instrument, fully resolved.
#[derive(Debug, Clone)]
pub struct Instrument {
    /// Short name (`msc`, `testbench`).
    pub name: String,
    /// Collecting area \[cm2\].
    pub area_cm2: f64,
    /// Parity of the mosaic's y axis.
    pub parity: Parity,
    /// Image rotation t of the mosaic that a pointing has when it says nothing else \[deg\].
    pub rotation_deg: f64,
    /// Field distortion, if any; see [`Instrument::wcs`].
    pub distortion: Option<FieldDistortion>,
    /// Detectors by number.
    pub detectors: BTreeMap<u16, DetectorSpec>,
    /// Bands by name.
    pub bands: BTreeMap<String, BandSpec>,
    /// Which throughputs the detectors were given.
    pub throughput: ThroughputSet,
    /// PSF table of the instrument file, read by the `psf` crate. The file of a PSF cube is an absolute path here.
    pub psf: toml::Table,
    /// Order of the effects per plane.
    pub chain: ChainOrder,
    /// Every number with provenance, for `explain`: dotted key -> (value as text, unit, source, status).
    pub provenance: Vec<ProvenanceLine>,
    /// SHA-256 of every file read, by relative name.
    pub hashes: BTreeMap<String, String>,
}

impl Instrument {
    /// The world coordinates of a whole detector for a pointing, with the field distortion at the pivot wavelength of its
    /// band.
    #[must_use]
    pub fn wcs(&self, spec: &DetectorSpec, pointing: &Pointing) -> Wcs {
        let distortion = self.distortion.as_ref().map(|d| d.at(load::effective(&spec.band)));
        detector_wcs(&spec.geometry, pointing, self.parity, distortion.as_ref())
    }
}

/// Names of effects in the order they act, plane by plane; the crossings `detect` and `digitise` lie between.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ChainOrder {
    /// On expected electrons.
    pub light: Vec<String>,
    /// On realised electrons.
    pub charge: Vec<String>,
    /// On counts.
    pub counts: Vec<String>,
    /// Which of these stay off unless they are switched on by name: effects whose correction is not in the reduction yet.
    #[serde(default)]
    pub off: Vec<String>,
}

impl ChainOrder {
    /// Switches on an effect that is off; `false` when the instrument has none of that name.
    pub fn switch_on(&mut self, name: &str) -> bool {
        let before = self.off.len();
        self.off.retain(|off| off != name);
        self.off.len() < before
    }
}

/// One number of an instrument file.
#[derive(Debug, Clone, PartialEq)]
pub struct ProvenanceLine {
    /// Dotted key, e.g. `effects.read_noise.sigma`.
    pub key: String,
    /// Value as text.
    pub value: String,
    /// Unit.
    pub unit: String,
    /// Source.
    pub source: String,
    /// Status.
    pub status: sim_core::quantity::Status,
}

/// Which of an instrument's two descriptions of its throughput is used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ThroughputSet {
    /// Curves: mirrors x filter x detector over wavelength. For work with spectra.
    #[default]
    Curves,
    /// The band table: top-hats of the tabulated width and mean throughput. For the tabulated limits.
    Table,
}

/// What a detector does with the light of its band.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DetectorKind {
    /// Takes images through a filter.
    Imaging,
    /// Takes spectra through a grating, without a slit.
    Slitless,
}

/// A filter or grating.
#[derive(Debug, Clone)]
pub struct BandSpec {
    /// Filter or grating.
    pub kind: DetectorKind,
    /// Total efficiency in the throughput set the instrument was loaded with.
    pub bandpass: Arc<Bandpass>,
    /// Its row of the band table, if it has one.
    pub table: Option<BandTable>,
    /// The gratings of a slitless band.
    pub grating: Option<GratingSpec>,
}

/// A row of an instrument's band table.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct BandTable {
    /// Effective wavelength \[nm\].
    pub wavelength_nm: f64,
    /// Width of the equivalent top-hat \[nm\].
    pub width_nm: f64,
    /// Where the band begins \[nm\].
    pub blue_edge_nm: f64,
    /// Where it ends \[nm\].
    pub red_edge_nm: f64,
    /// Mean total efficiency over the width \[1\].
    pub throughput: f64,
    /// Sky background \[electron / s / pixel\].
    pub sky_electron_s: f64,
    /// Magnitude at which a point source saturates.
    pub saturation_mag: f64,
    /// Limiting magnitude, 5 sigma.
    pub limit_mag: f64,
}

/// A detector as it is. Effects read their own table from `parameters`.
#[derive(Debug, Clone)]
pub struct DetectorSpec {
    /// Geometry.
    pub geometry: DetectorGeometry,
    /// Behind a filter or a grating.
    pub kind: DetectorKind,
    /// Total efficiency of the band in front of it; of the first order behind gratings.
    pub band: Arc<Bandpass>,
    /// The gratings in front of it, if it takes spectra.
    pub grating: Option<GratingSpec>,
    /// Sky background of the official band table \[electron / s / pixel\], where there is one.
    pub table_sky_electron_s: Option<f64>,
    /// Seed of the fixed patterns of this instrument's devices.
    pub device_seed: u64,
    /// Parameters by effect name: the instrument's `[effects.NAME]` table with the detector's own overrides merged in.
    pub parameters: BTreeMap<String, toml::Table>,
}

impl DetectorSpec {
    /// The nominal number of an effect's parameter, in the parameter's unit; `None` where the detector has none.
    #[must_use]
    pub fn nominal(&self, effect: &str, key: &str) -> Option<f64> {
        let value = self.parameters.get(effect)?.get(key)?.get("value")?;
        value.as_float().or_else(|| value.as_integer().map(|v| v as f64))
    }
}
