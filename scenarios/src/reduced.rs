//! Manifests of what the reduction makes, as the raw frames have them: masters, and level-1 frames.
//!
//! A master's inputs are all calibration frames of its detector that masters were made from (the flat needs bias and dark);
//! a level-1 frame's are its raw frame and the masters of its detector. The hash of a raw frame is that of its own manifest
//! where there is one: it was taken when the frame was written, and the reader checks the frame's FITS checksums.

use crate::folder::Folder;
use crate::scenario::Scenario;
use crate::simulate::UnitManifest;
use anyhow::Context as _;
use instruments::product::names::ProductName;
use reduction::trap_fit::TrapOptions;
use reduction::{CalibrationOptions, CalibrationSet, Finder};
use sim_core::files::write_atomically;
use sim_core::fits::Packing;
use sim_core::level1::Level1Files;
use sim_core::manifest::{Manifest, PHYSICS, sha256, sha256_file};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// What a manifest of the reduction is of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reduced {
    /// A master of this detector.
    Master(u16),
    /// The level-1 files of the raw frame of a unit, by the unit's name.
    Level1(String),
}

impl Reduced {
    /// Name of the unit in the manifest.
    #[must_use]
    pub fn name(&self) -> String {
        match self {
            Self::Master(detector) => format!("masters of {detector:02}"),
            Self::Level1(unit) => format!("level 1 of {unit}"),
        }
    }
    /// Back from the name; `None` for a unit of raw frames.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        match (name.strip_prefix("masters of "), name.strip_prefix("level 1 of ")) {
            (Some(detector), _) => detector.parse().ok().map(Self::Master),
            (None, Some(unit)) => Some(Self::Level1(unit.into())),
            (None, None) => None,
        }
    }
}

/// Writes the manifests of one run of the reduction.
pub struct Manifests<'a> {
    folder: &'a Folder,
    /// The folder's scenario as it was written, and as it reads; frames from elsewhere have none.
    scenario: Option<(String, Scenario)>,
    /// Hashes of the masters by their names, by detector.
    masters: BTreeMap<u16, BTreeMap<String, String>>,
    /// What was asked for.
    choices: Choices,
}

/// What a reduction was asked to do besides what the scenario says.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Choices {
    /// The finder of cosmic rays, also when the scenario has none.
    pub finder: Option<Finder>,
    /// Whether pixels flagged as cosmic rays are filled.
    pub fill: bool,
    /// Steps left out.
    pub without: Vec<String>,
}

impl Choices {
    /// As inputs of a manifest.
    #[must_use]
    pub fn inputs(&self) -> BTreeMap<String, String> {
        let fill = self.fill.then(|| (FILL, "yes".to_string()));
        let finder = self.finder.map(|finder| (FINDER, finder.name().to_string()));
        let without = (!self.without.is_empty()).then(|| (WITHOUT, self.without.join(",")));
        [fill, finder, without].into_iter().flatten().map(|(key, value)| (key.to_string(), value)).collect()
    }
    /// Back from the inputs of a manifest; `None` when a finder has no such name.
    #[must_use]
    pub fn of_inputs(inputs: &BTreeMap<String, String>) -> Option<Self> {
        let finder = match inputs.get(FINDER) {
            Some(name) => Some(Finder::named(name)?),
            None => None,
        };
        let without = inputs.get(WITHOUT).map_or_else(Vec::new, |names| names.split(',').map(String::from).collect());
        Some(Self { finder, fill: inputs.contains_key(FILL), without })
    }
}

/// Key of a level-1 manifest's inputs under which an option of the command line stands.
const FINDER: &str = "--cosmic-rays";
/// The same for the steps left out, separated by commas.
const WITHOUT: &str = "--without";
/// The same of flagged pixels that are filled.
const FILL: &str = "--fill-cosmic-rays";
/// The same of the folder of masters, of a unit that was reduced when it was made.
pub const MASTERS: &str = "--masters";

impl<'a> Manifests<'a> {
    /// For a folder; the scenario is the one that lies in it, or none for frames from elsewhere.
    ///
    /// # Errors
    /// When the folder's scenario cannot be read.
    pub fn new(folder: &'a Folder) -> anyhow::Result<Self> {
        let path = folder.scenario();
        let scenario = match std::fs::read_to_string(&path) {
            Ok(text) => {
                let scenario = Scenario::parse(&text, &path.display().to_string())?;
                Some((text, scenario))
            }
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => None,
            Err(e) => return Err(e).with_context(|| path.display().to_string()),
        };
        Ok(Self { folder, scenario, masters: BTreeMap::new(), choices: Choices::default() })
    }

    /// Whether the folder's scenario switches an effect on.
    #[must_use]
    pub fn scenario_has(&self, effect: &str) -> bool {
        self.scenario.iter().any(|(_, scenario)| scenario.with.iter().any(|name| name == effect))
    }

    /// How the folder's scenario has images laid out.
    #[must_use]
    pub fn packing(&self) -> Packing {
        self.scenario.as_ref().map_or(Packing::None, |(_, scenario)| scenario.compress)
    }

    /// Effects whose correction the scenario also wants left out, for a comparison of before and after.
    #[must_use]
    pub fn before_and_after(&self) -> &[String] {
        self.scenario.as_ref().map_or(&[], |(_, scenario)| &scenario.before_and_after)
    }

    /// Notes what was asked for.
    pub fn use_choices(&mut self, choices: &Choices) {
        self.choices = choices.clone();
    }

    /// How masters are made: what the scenario says, and defaults.
    #[must_use]
    pub fn calibration_options(&self) -> CalibrationOptions {
        let default = CalibrationOptions::default();
        let Some(plan) = self.scenario.as_ref().and_then(|(_, scenario)| scenario.calibration.as_ref()) else { return default };
        let traps = TrapOptions { species: plan.trap_species, ..default.traps };
        CalibrationOptions { validity_days: plan.validity_days, traps, ..default }
    }

    /// Notes the masters that frames will be reduced with.
    pub fn use_masters(&mut self, set: &CalibrationSet) {
        for entry in set.index().entries() {
            let name = self.name(&set.index().path(entry));
            self.masters.entry(entry.detector).or_default().insert(name, entry.sha256.clone());
        }
    }

    /// Writes the manifest of every master noted, made from these frames.
    ///
    /// # Errors
    /// When a frame cannot be read or a manifest not be written.
    pub fn write_masters(&self, frames: &[PathBuf]) -> anyhow::Result<()> {
        let mut inputs: BTreeMap<u16, BTreeMap<String, String>> = BTreeMap::new();
        for frame in frames {
            inputs.entry(detector(frame)?).or_default().insert(self.name(frame), raw_hash(self.folder, frame)?);
        }
        for (detector, products) in &self.masters {
            for (name, hash) in products {
                let inputs = inputs.get(detector).cloned().unwrap_or_default();
                let products = BTreeMap::from([(name.clone(), hash.clone())]);
                self.write(&self.folder.path().join(name), &Reduced::Master(*detector), inputs, products)?;
            }
        }
        Ok(())
    }

    /// Writes the manifest of a level-1 frame, beside its image or only file; `earlier` are the raw frames before it that were used.
    ///
    /// # Errors
    /// When a file cannot be read or the manifest not be written.
    pub fn write_level1(&self, raw: &Path, files: &Level1Files, earlier: &[PathBuf]) -> anyhow::Result<()> {
        let name = product_name(raw)?;
        let mut inputs = self.masters.get(&name.detector).cloned().unwrap_or_default();
        for raw in std::iter::once(raw).chain(earlier.iter().map(PathBuf::as_path)) {
            inputs.insert(self.name(raw), raw_hash(self.folder, raw)?);
        }
        inputs.extend(self.choices.inputs());
        let mut products = BTreeMap::new();
        for path in files.all() {
            products.insert(self.name(path), sha256_file(path).with_context(|| path.display().to_string())?);
        }
        let unit = Reduced::Level1(format!("{}/{:02} {}", name.obsid, name.detector, name.kind));
        self.write(files.main(), &unit, inputs, products)
    }

    /// A file's name in the folder; its whole path outside.
    fn name(&self, path: &Path) -> String {
        path.strip_prefix(self.folder.path()).unwrap_or(path).to_string_lossy().into_owned()
    }

    fn write(
        &self,
        product: &Path,
        what: &Reduced,
        inputs: BTreeMap<String, String>,
        products: BTreeMap<String, String>,
    ) -> anyhow::Result<()> {
        let unit = what.name();
        let key = sha256(format!("physics {PHYSICS}\nreduction {}\n{unit}\n{inputs:?}", reduction::VERSION).as_bytes());
        let (scenario, seed) = self.scenario.as_ref().map_or((String::new(), 0), |(text, scenario)| (text.clone(), scenario.seed));
        let skipped = BTreeMap::new();
        let skyloop = env!("CARGO_PKG_VERSION").into();
        let manifest = Manifest { skyloop, physics: PHYSICS, scenario, unit, seed, inputs, products, skipped };
        let path = Folder::manifest_of(product);
        let text = serde_json::to_string_pretty(&UnitManifest { key, manifest })?;
        write_atomically(&path, text.as_bytes()).with_context(|| path.display().to_string())
    }
}

fn product_name(path: &Path) -> anyhow::Result<ProductName> {
    let file = path.file_name().map(|n| n.to_string_lossy().into_owned()).unwrap_or_default();
    Ok(ProductName::parse(&file)?)
}

fn detector(path: &Path) -> anyhow::Result<u16> {
    product_name(path).map(|name| name.detector)
}

/// SHA-256 of a raw frame: what its manifest says, else the file's.
fn raw_hash(folder: &Folder, raw: &Path) -> anyhow::Result<String> {
    let name = raw.strip_prefix(folder.path()).unwrap_or(raw).to_string_lossy().into_owned();
    let known = std::fs::read_to_string(Folder::manifest_of(raw)).ok().and_then(|text| serde_json::from_str::<UnitManifest>(&text).ok());
    match known.and_then(|m| m.manifest.products.get(&name).cloned()) {
        Some(hash) => Ok(hash),
        None => sha256_file(raw).with_context(|| raw.display().to_string()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_units_are_read_back() {
        for what in [Reduced::Master(8), Reduced::Level1("10160000001/08 SCIE".into())] {
            assert_eq!(Reduced::parse(&what.name()), Some(what));
        }
        assert_eq!(Reduced::parse("10160000001/08 SCIE"), None);
    }
}
