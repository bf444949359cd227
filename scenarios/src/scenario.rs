//! The scenario file: a short TOML text that says what to observe, with which instrument, and what to keep.
//!
//! Unknown keys are errors with the line and the nearest known key; physics has no defaults here (it is in the
//! instrument file), and the seed must be given.

mod check;
mod read;

pub use read::{BUILT_IN, built_in, with_suggestion};

use catalogs::inserts::InsertSpec;
use catalogs::moving::MovingSpec;
use catalogs::observer::Orbit;
use catalogs::read::CatalogSpec;
use catalogs::sky_background::SkyConditions;
use catalogs::synthetic::FieldSpec;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use sim_core::detector::Scans;
use sim_core::fits::Packing;
use sim_core::frame::Window;
use std::collections::BTreeMap;

/// First observation number of calibration exposures.
pub const CALIBRATION_ID: u64 = 90_000_000_000;

/// A scenario.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Scenario {
    /// Short name, used in titles.
    pub name: String,
    /// What it is for, in a sentence.
    #[serde(default)]
    pub description: String,
    /// Seed of every draw that differs from exposure to exposure. There is no default.
    pub seed: u64,
    /// Instrument: a built-in name (`msc`, `testbench`) or the path of an instrument file.
    pub instrument: String,
    /// Which throughputs: `curves` (design curves) or `table` (the official band table).
    #[serde(default)]
    pub throughput: Throughput,
    /// Raw layout: `full` (with prescan and overscan) or `trimmed`.
    #[serde(default = "full_scans")]
    pub scans: Scans,
    /// Where the telescope points.
    pub pointing: PointingSpec,
    /// Science exposures.
    pub exposure: Vec<ExposureSpec>,
    /// Detectors, whole or cut out.
    pub detector: Vec<DetectorChoice>,
    /// Who observes: with this table positions are those seen from a moving observatory (aberration, parallax, deflection by the Sun); without it
    /// the catalogue's own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub observer: Option<ObserverSpec>,
    /// The sky behind the objects.
    #[serde(default)]
    pub sky: SkySpec,
    /// The objects.
    #[serde(default)]
    pub catalog: CatalogChoice,
    /// Images and cubes of the user's own that are put into the sky besides the objects: `[[insert]]`, as many as wanted.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub insert: Vec<InsertSpec>,
    /// What moves through the field by its orbit: bodies of the solar system, satellites. They are drawn by the effect `trails`, which must be on, in
    /// place of its own population of that kind.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub moving: Option<MovingSpec>,
    /// Calibration exposures. Without this table the reduction has to be given masters of another run.
    pub calibration: Option<CalibrationPlan>,
    /// What truth to keep.
    #[serde(default)]
    pub truth: TruthSpec,
    /// How exactly to draw.
    #[serde(default)]
    pub render: RenderSpec,
    /// How images of integers are laid out, raw frames and flags: `none`, as they are, or `rice`, packed without loss by tile compression, for
    /// archives.
    #[serde(default, skip_serializing_if = "Packing::is_none")]
    pub compress: Packing,
    /// Effects to leave out, by name: a second run with one effect off differs in that effect alone.
    #[serde(default)]
    pub without: Vec<String>,
    /// Effects to switch on that the instrument has but leaves off (see `skyloop explain`), e.g. `["cosmic_rays"]`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub with: Vec<String>,
    /// Parameters of effects that replace those of the instrument, on every detector: a table for each effect, in the units of its page
    /// (see `skyloop explain`), e.g. `[effects.cosmic_rays]` with `rate = 3.0`.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub effects: BTreeMap<String, BTreeMap<String, f64>>,
    /// Effects whose damage is shown before and after the reduction undoes them: each costs a pair (the science exposures without it) and two
    /// reductions more (the frame's without the step stays in `L1_without_EFFECT`). Names of the instrument's chain.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub before_and_after: Vec<String>,
    /// Criteria of the verdict: names of built-in sets (`loop`, `depth`, `cosmic_rays`, `cosmic_ray_medians`) or paths of files; all of them must hold.
    #[serde(default = "loop_criteria")]
    pub criteria: Vec<String>,
}

/// Throughput set.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Throughput {
    /// Efficiency curves of the later design.
    #[default]
    Curves,
    /// The official simulator's band table: top-hats and its own sky values.
    Table,
}

fn loop_criteria() -> Vec<String> {
    vec!["loop".into()]
}

fn full_scans() -> Scans {
    Scans::Full
}

/// Pointing of the boresight.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct PointingSpec {
    /// Right ascension of the boresight, ICRS \[deg\], 0 to 360.
    pub ra_deg: f64,
    /// Declination of the boresight, ICRS \[deg\], -90 to 90.
    pub dec_deg: f64,
    /// Image rotation \[deg\]; the official default is -113.4333.
    #[serde(default = "official_rotation")]
    pub rotation_deg: f64,
}

fn official_rotation() -> f64 {
    -113.4333
}

/// The observatory as it moves.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ObserverSpec {
    /// Its orbit; none: at the centre of the Earth.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub orbit: Option<OrbitSpec>,
}

/// A circular orbit about the Earth.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct OrbitSpec {
    /// Height above the equator's radius \[km\], 150 to 100000.
    pub altitude_km: f64,
    /// Inclination to the equator \[deg\], 0 to 180.
    pub inclination_deg: f64,
    /// Right ascension of the ascending node at the epoch \[deg\].
    pub node_deg: f64,
    /// Angle from the node at the epoch \[deg\].
    pub phase_deg: f64,
    /// Epoch, UTC, `2027-06-26T00:00:00`.
    pub epoch: String,
}

impl OrbitSpec {
    /// The orbit.
    #[must_use]
    pub fn orbit(&self) -> Orbit {
        Orbit {
            altitude_km: self.altitude_km,
            inclination_deg: self.inclination_deg,
            node_deg: self.node_deg,
            phase_deg: self.phase_deg,
            epoch_mjd: instruments::product::time::Civil::parse_iso(&self.epoch).map_or(0.0, |c| c.mjd()),
        }
    }
}

/// One science exposure.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ExposureSpec {
    /// Observation number: part of the file names and of every random key.
    pub id: u64,
    /// Start, UTC, `2027-06-26T20:35:58`.
    pub start: String,
    /// Exposure time \[s\], above 0, at most 100000.
    pub time_s: f64,
    /// Shift of the boresight in right ascension, on the sky \[arcsec\].
    #[serde(default)]
    pub dither_east_arcsec: f64,
    /// Shift of the boresight in declination \[arcsec\].
    #[serde(default)]
    pub dither_north_arcsec: f64,
    /// Pointing of this exposure in place of the scenario's; the shifts are added to it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pointing: Option<PointingSpec>,
}

impl ExposureSpec {
    /// Start, modified Julian date UTC \[d\]; `None` when the text is not a date.
    #[must_use]
    pub fn start_mjd(&self) -> Option<f64> {
        instruments::product::time::Civil::parse_iso(&self.start).map(|c| c.mjd())
    }
}

/// A detector to simulate.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct DetectorChoice {
    /// Chip number.
    pub number: u16,
    /// Cut-out of the science array; the whole detector when absent. The pixels are those of the whole frame, bit for bit.
    pub window: Option<Window>,
}

/// Sky background.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "snake_case", tag = "model")]
pub enum SkySpec {
    /// Zodiacal light by ecliptic position and date, earthshine and faint starlight, through the band's curve.
    Spectrum {
        /// Level of the earthshine, starlight, zodiacal factor.
        #[serde(default)]
        conditions: SkyConditions,
    },
    /// The values of the official band table.
    Table,
    /// One value for all detectors.
    Fixed {
        /// Electrons per second and pixel.
        electron_s: f64,
    },
    /// No sky.
    None,
}

impl Default for SkySpec {
    fn default() -> Self {
        Self::Spectrum { conditions: SkyConditions::default() }
    }
}

/// Where the objects come from.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "snake_case", tag = "kind")]
pub enum CatalogChoice {
    /// A seeded synthetic field with published star and galaxy number counts.
    Synthetic {
        /// Parameters of the population.
        #[serde(default)]
        field: Box<FieldSpec>,
    },
    /// A catalogue file (FITS, CSV, ECSV, VOTable, Parquet, HDF5, text) or a partition by HEALPix cell.
    File {
        /// Path, column mapping, units.
        file: Box<CatalogSpec>,
    },
    /// A grid of stars of known brightness, for depth and photometry tests.
    StarGrid {
        /// Distance between stars \[pixel\].
        spacing_pixel: f64,
        /// Brightest AB magnitude in the detector's band.
        bright: f64,
        /// Faintest.
        faint: f64,
    },
    /// Sources that spectrographs are calibrated with, on an even grid over each window.
    Calibrators {
        /// What they are.
        calibrator: Calibrator,
        /// Sources along a row.
        columns: u32,
        /// Sources along a column.
        rows: u32,
        /// AB magnitude in the detector's band.
        magnitude: f64,
    },
    /// Nothing.
    None,
}

/// What a spectrograph is calibrated with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Calibrator {
    /// A compact planetary nebula: emission lines.
    Nebula,
    /// A hot white dwarf, as WDFS1814+78: a known continuum.
    WhiteDwarf,
}

impl Default for CatalogChoice {
    fn default() -> Self {
        Self::Synthetic { field: Box::default() }
    }
}

/// Calibration exposures taken with the same windows.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct CalibrationPlan {
    /// Number of bias frames, at least 3.
    pub bias: u32,
    /// Number of dark frames, at least 3.
    pub dark: u32,
    /// Exposure time of a dark \[s\].
    pub dark_time_s: f64,
    /// Number of flats, at least 3.
    pub flat: u32,
    /// Exposure time of a flat \[s\].
    pub flat_time_s: f64,
    /// Number of short flats, for the shutter pattern and the photon transfer, at least 3.
    pub short_flat: u32,
    /// Exposure time of a short flat \[s\].
    pub short_flat_time_s: f64,
    /// Lamp \[electron / s / pixel\].
    pub lamp_electron_s: f64,
    /// Exposure times of a ramp of flats \[s\], for linearity, full well and the covariances of pixels.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub ramp_times_s: Vec<f64>,
    /// Flats of each time of the ramp, 2 to 3.
    #[serde(default = "pair")]
    pub ramp_frames: u32,
    /// Starts of the series, UTC, `2027-06-26T00:00:00`; when empty, a day before the first science exposure.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub epochs: Vec<String>,
    /// How long the references hold after the first exposure of their series \[d\].
    #[serde(default = "year")]
    pub validity_days: f64,
    /// Species of charge traps that calibration looks for, along columns and along rows, 1 to 3: fewer than the detector has make a
    /// correction that knows less than the truth.
    #[serde(default = "species")]
    pub trap_species: [usize; 2],
    /// Frames with lines of charge put in electrically, for charge traps.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub charge_injection: Option<InjectionPlan>,
    /// Frames of pumped charge, for single charge traps.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub trap_pumping: Option<PumpingPlan>,
    /// Saturated flats and the darks after them, for persistence.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub persistence: Option<PersistencePlan>,
}

/// Exposures that show persistence: two saturated flats, then darks one after the other.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct PersistencePlan {
    /// Exposure time of the flats \[s\]: enough for the lamp to fill all pixels.
    pub flat_time_s: f64,
    /// Number of darks, 6 to 200.
    pub darks: u32,
    /// Exposure time of a dark \[s\]; not that of the darks for the master.
    pub dark_time_s: f64,
}

/// Frames of charge injection.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct InjectionPlan {
    /// Frames of each level, 1 to 20.
    pub frames: u32,
    /// Charge of an injected pixel \[electron\], one for each set of frames, 1 to 20 of them.
    pub level_electron: Vec<f64>,
    /// Rows with charge in a period, 1 to 2000.
    pub rows: u32,
    /// Rows without charge between them, 1 to 2000. A window should hold four periods at least.
    pub gap: u32,
}

/// Frames of trap pumping.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct PumpingPlan {
    /// Frames of each phase time, 2 to 20.
    pub frames: u32,
    /// Times the charge is moved to and fro, 1 to 100000.
    pub cycles: u32,
    /// Times that the charge stays below a phase \[s\], 1 to 40 of them.
    pub phase_times_s: Vec<f64>,
    /// Charge of every pixel before pumping \[electron\].
    pub level_electron: f64,
}

fn species() -> [usize; 2] {
    [3, 2]
}

fn pair() -> u32 {
    2
}

fn year() -> f64 {
    366.0
}

/// Truth products.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct TruthSpec {
    /// Object table.
    pub objects: bool,
    /// Noiseless image of the sources \[electron\], before any response.
    pub noiseless: bool,
    /// Saturated pixels of the charge plane.
    pub masks: bool,
    /// Ledger of the effects.
    pub ledger: bool,
    /// Of slitless frames: own light, and that of all other sources around it, of orders with more expected electrons than this, in two dimensions; absent:
    /// of none. Some 0.3 MB an order.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub order_images_above_electron: Option<f64>,
}

impl Default for TruthSpec {
    fn default() -> Self {
        Self { objects: true, noiseless: true, masks: true, ledger: true, order_images_above_electron: None }
    }
}

/// Accuracy of the drawing.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct RenderSpec {
    /// Largest error of the mean image from one object \[electron / pixel\].
    pub tolerance_electron: f64,
}

impl Default for RenderSpec {
    fn default() -> Self {
        Self { tolerance_electron: 0.05 }
    }
}

/// Why a scenario cannot be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ScenarioError {
    /// The file cannot be read.
    #[error("{path}: {source}")]
    Io {
        /// File.
        path: String,
        /// Reason.
        source: std::io::Error,
    },
    /// It is not valid TOML, has an unknown key or a wrong type.
    #[error("{path}: {reason}")]
    Parse {
        /// File.
        path: String,
        /// The reader's words, with line, column and what was meant.
        reason: String,
    },
    /// A value is outside its range.
    #[error("{path}: {key} = {value} is outside {range}")]
    Range {
        /// File.
        path: String,
        /// Key.
        key: String,
        /// Value.
        value: String,
        /// Allowed range, in words.
        range: String,
    },
}
