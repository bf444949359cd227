//! The scenario file: a short TOML text that says what to observe, with which instrument, and what to keep.
//!
//! Unknown keys are errors with the line and the nearest known key; physics has no defaults here (it is in the
//! instrument file), and the seed must be given.

use catalogs::read::CatalogSpec;
use catalogs::sky_background::SkyConditions;
use catalogs::synthetic::FieldSpec;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use sim_core::detector::Scans;
use sim_core::frame::Window;
use sim_core::spelling;
use std::path::Path;

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
    /// The sky behind the objects.
    #[serde(default)]
    pub sky: SkySpec,
    /// The objects.
    #[serde(default)]
    pub catalog: CatalogChoice,
    /// Calibration exposures. Without this table the reduction has to be given masters of another run.
    pub calibration: Option<CalibrationPlan>,
    /// What truth to keep.
    #[serde(default)]
    pub truth: TruthSpec,
    /// How exactly to draw.
    #[serde(default)]
    pub render: RenderSpec,
    /// Effects to leave out, by name: a second run with one effect off differs in that effect alone.
    #[serde(default)]
    pub without: Vec<String>,
    /// Criteria of the verdict: names of built-in sets (`loop`, `depth`) or paths of files; all of them must hold.
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
        field: FieldSpec,
    },
    /// A catalogue file (FITS table or CSV).
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
    /// Nothing.
    None,
}

impl Default for CatalogChoice {
    fn default() -> Self {
        Self::Synthetic { field: FieldSpec::default() }
    }
}

/// Calibration exposures taken with the same windows.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
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
}

/// Truth products.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
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
}

impl Default for TruthSpec {
    fn default() -> Self {
        Self { objects: true, noiseless: true, masks: true, ledger: true }
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
        Self { tolerance_electron: 0.02 }
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

/// A scenario shipped with the program.
#[must_use]
pub fn built_in(name: &str) -> Option<&'static str> {
    BUILT_IN.iter().find(|(n, _)| *n == name).map(|(_, text)| *text)
}

/// Scenarios shipped with the program: name and text.
pub const BUILT_IN: &[(&str, &str)] = &[
    ("demo", include_str!("../data/demo.toml")),
    ("limits", include_str!("../data/limits.toml")),
    ("chip", include_str!("../data/chip.toml")),
    ("smoke", include_str!("../data/smoke.toml")),
];

impl Scenario {
    /// Reads a scenario: the name of a built-in one, or a path.
    ///
    /// # Errors
    /// When the file cannot be read or does not hold a valid scenario.
    pub fn read(name_or_path: &str) -> Result<Self, ScenarioError> {
        if let Some(text) = built_in(name_or_path) {
            return Self::parse(text, name_or_path);
        }
        let path = Path::new(name_or_path);
        let text = std::fs::read_to_string(path).map_err(|source| ScenarioError::Io { path: name_or_path.into(), source })?;
        let mut scenario = Self::parse(&text, name_or_path)?;
        scenario.anchor(path.parent().unwrap_or(Path::new(".")));
        Ok(scenario)
    }

    /// Parses and checks a scenario; `path` is for messages.
    ///
    /// # Errors
    /// When the text is not a valid scenario.
    pub fn parse(text: &str, path: &str) -> Result<Self, ScenarioError> {
        let scenario: Self =
            toml::from_str(text).map_err(|e| ScenarioError::Parse { path: path.into(), reason: with_suggestion(&e.to_string()) })?;
        scenario.check(path)?;
        Ok(scenario)
    }

    /// Makes relative paths in the scenario relative to the folder of its file.
    fn anchor(&mut self, folder: &Path) {
        let absolute = |p: &Path| {
            let joined = folder.join(p);
            std::fs::canonicalize(&joined).unwrap_or(joined)
        };
        if let CatalogChoice::File { file } = &mut self.catalog {
            file.path = absolute(&file.path);
        }
        // A file or a folder beside the scenario, unless a built-in instrument has this name.
        let beside = folder.join(&self.instrument);
        if self.instrument.ends_with(".toml") || (beside.is_dir() && !instruments::description::is_built_in(&self.instrument)) {
            self.instrument = absolute(Path::new(&self.instrument)).to_string_lossy().into_owned();
        }
        for criteria in &mut self.criteria {
            if criteria.ends_with(".toml") {
                *criteria = absolute(Path::new(criteria)).to_string_lossy().into_owned();
            }
        }
    }

    fn check(&self, path: &str) -> Result<(), ScenarioError> {
        let range = |key: &str, value: &dyn std::fmt::Display, range: &str| ScenarioError::Range {
            path: path.into(),
            key: key.into(),
            value: value.to_string(),
            range: range.into(),
        };
        let p = &self.pointing;
        if !(0.0..360.0).contains(&p.ra_deg) {
            return Err(range("pointing.ra_deg", &p.ra_deg, "0..360 deg"));
        }
        if !(-90.0..=90.0).contains(&p.dec_deg) {
            return Err(range("pointing.dec_deg", &p.dec_deg, "-90..90 deg"));
        }
        if !(-360.0..=360.0).contains(&p.rotation_deg) {
            return Err(range("pointing.rotation_deg", &p.rotation_deg, "-360..360 deg"));
        }
        if self.exposure.is_empty() && self.calibration.is_none() {
            return Err(range("exposure", &"[]", "at least one exposure, or a [calibration] table"));
        }
        let mut ids = std::collections::BTreeSet::new();
        for (i, e) in self.exposure.iter().enumerate() {
            if !(e.time_s > 0.0 && e.time_s <= 1e5) {
                return Err(range(&format!("exposure[{i}].time_s"), &e.time_s, "above 0 to 100000 s"));
            }
            if !ids.insert(e.id) {
                return Err(range(&format!("exposure[{i}].id"), &e.id, "unused numbers (this one is given twice)"));
            }
            if e.id >= CALIBRATION_ID {
                return Err(range(
                    &format!("exposure[{i}].id"),
                    &e.id,
                    "numbers below 90000000000 (those above are calibration exposures)",
                ));
            }
            if e.dither_east_arcsec.abs() > 36000.0 || e.dither_north_arcsec.abs() > 36000.0 {
                return Err(range(&format!("exposure[{i}].dither"), &e.dither_east_arcsec, "-36000..36000 arcsec"));
            }
            if e.start_mjd().is_none() {
                return Err(range(&format!("exposure[{i}].start"), &e.start, "UTC dates written 2027-06-26T20:35:58"));
            }
        }
        if self.detector.is_empty() {
            return Err(range("detector", &"[]", "at least one detector"));
        }
        if let SkySpec::Fixed { electron_s } = self.sky
            && !(0.0..=1e6).contains(&electron_s)
        {
            return Err(range("sky.electron_s", &electron_s, "0..1e6 electron/s/pixel"));
        }
        if !(self.render.tolerance_electron > 0.0 && self.render.tolerance_electron <= 10.0) {
            return Err(range("render.tolerance_electron", &self.render.tolerance_electron, "above 0 to 10 electron"));
        }
        if let CatalogChoice::StarGrid { spacing_pixel, bright, faint } = &self.catalog {
            if !(*spacing_pixel >= 8.0 && *spacing_pixel <= 5000.0) {
                return Err(range("catalog.spacing_pixel", spacing_pixel, "8..5000 pixel"));
            }
            if !(*bright >= -2.0 && bright <= faint && *faint <= 35.0) {
                return Err(range("catalog.bright", bright, "-2..35 mag, not above catalog.faint"));
            }
        }
        if let Some(c) = &self.calibration {
            for (key, n) in [("bias", c.bias), ("dark", c.dark), ("flat", c.flat), ("short_flat", c.short_flat)] {
                if !(3..=200).contains(&n) {
                    return Err(range(&format!("calibration.{key}"), &n, "3..200 frames"));
                }
            }
            for (key, t) in [
                ("dark_time_s", c.dark_time_s),
                ("flat_time_s", c.flat_time_s),
                ("short_flat_time_s", c.short_flat_time_s),
                ("lamp_electron_s", c.lamp_electron_s),
            ] {
                if !(t > 0.0 && t <= 1e6) {
                    return Err(range(&format!("calibration.{key}"), &t, "above 0 to 1e6"));
                }
            }
            if c.short_flat_time_s >= c.flat_time_s {
                return Err(range("calibration.short_flat_time_s", &c.short_flat_time_s, "less than calibration.flat_time_s"));
            }
        }
        Ok(())
    }

    /// The scenario as TOML, as written beside products.
    ///
    /// # Panics
    /// Never: a scenario that was read can be written.
    #[must_use]
    pub fn to_toml(&self) -> String {
        toml::to_string(self).expect("a scenario serialises")
    }
}

/// First observation number of calibration exposures.
pub const CALIBRATION_ID: u64 = 90_000_000_000;

/// Adds "did you mean" to a serde message that names an unknown field and the known ones.
#[must_use]
pub fn with_suggestion(message: &str) -> String {
    let quoted: Vec<&str> = message.split('`').skip(1).step_by(2).collect();
    if !(message.contains("unknown field") || message.contains("unknown variant")) || quoted.len() < 2 {
        return message.to_string();
    }
    let start = message.find("unknown ").unwrap_or(0);
    let names: Vec<&str> = message[start..].split('`').skip(1).step_by(2).collect();
    match spelling::nearest(names[0], names[1..].iter().copied()) {
        Some(near) => format!("{}\ndid you mean `{near}`?", message.trim_end()),
        None => message.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_built_in_scenario_reads_and_survives_being_written() {
        for (name, text) in BUILT_IN {
            let scenario = Scenario::parse(text, name).unwrap();
            assert_eq!(Scenario::parse(&scenario.to_toml(), name).unwrap(), scenario);
        }
    }

    #[test]
    fn a_typing_error_names_the_line_and_what_was_meant() {
        let text = built_in("smoke").unwrap().replace("time_s = 150.0", "tine_s = 150.0");
        let message = Scenario::parse(&text, "x.toml").unwrap_err().to_string();
        assert!(message.contains("x.toml") && message.contains("tine_s") && message.contains("did you mean `time_s`"), "{message}");
        assert!(message.contains("line "), "{message}");
    }

    #[test]
    fn a_scenario_without_a_seed_is_refused() {
        let text = built_in("smoke").unwrap().lines().filter(|l| !l.starts_with("seed")).collect::<Vec<_>>().join("\n");
        assert!(Scenario::parse(&text, "x").unwrap_err().to_string().contains("seed"));
    }

    #[test]
    fn values_out_of_range_are_named_with_their_range() {
        let text = built_in("smoke").unwrap().replace("dec_deg = ", "dec_deg = 9");
        let message = Scenario::parse(&text, "x").unwrap_err().to_string();
        assert!(message.contains("pointing.dec_deg") && message.contains("-90..90"), "{message}");
    }
}
