//! An instrument as data: telescope, bands, detectors, effect parameters, each number with its provenance.

use sim_core::bandpass::Bandpass;
use sim_core::detector::DetectorGeometry;
use sim_core::wcs::{Distortion, Parity};
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
    /// Field distortion, if any.
    pub distortion: Option<Distortion>,
    /// Detectors by number.
    pub detectors: BTreeMap<u16, DetectorSpec>,
    /// PSF table of the instrument file, read by the `psf` crate.
    pub psf: toml::Table,
    /// Order of the effects per plane.
    pub chain: ChainOrder,
    /// Every number with provenance, for `explain`: dotted key -> (value as text, unit, source, status).
    pub provenance: Vec<ProvenanceLine>,
    /// SHA-256 of every file read, by relative name.
    pub hashes: BTreeMap<String, String>,
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

/// A detector as it is. Effects read their own table from `parameters`.
#[derive(Debug, Clone)]
pub struct DetectorSpec {
    /// Geometry.
    pub geometry: DetectorGeometry,
    /// Total efficiency of the band in front of it.
    pub band: Arc<Bandpass>,
    /// Sky background of the official band table \[electron / s / pixel\], where there is one.
    pub table_sky_electron_s: Option<f64>,
    /// Seed of the fixed patterns of this instrument's devices.
    pub device_seed: u64,
    /// Parameters by effect name: the instrument's `[effects.NAME]` table with the detector's own overrides merged in.
    pub parameters: BTreeMap<String, toml::Table>,
}
