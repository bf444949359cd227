//! Level 1 in the units of a survey: references by content in the key, all of them found before a unit is begun, products in the record.
//!
//! A unit reduces its own raw frame alone. Persistence is undone from raw frames of earlier exposures, which are other units' and may not be there:
//! where calibration knows its law the survey has to leave it out, so that a unit has the same bits in any order.

use super::spec::Reduce;
use crate::folder::Folder;
use crate::reduce::level1_options;
use crate::reduced::MASTERS;
use crate::scenario::Scenario;
use crate::unit::{Plan, Unit};
use anyhow::{Context as _, ensure};
use instruments::effects::persistence;
use instruments::product::level0::Level0;
use instruments::product::names::{NameStyle, ProductName};
use reduction::group::Key;
use reduction::index::{Chosen, Entry};
use reduction::{CalibrationSet, Options, references};
use sim_core::manifest::sha256;
use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::{Mutex, PoisonError};

/// The reduction of a survey's units.
pub struct InUnit {
    spec: Reduce,
    options: Options,
    /// What was asked for, as inputs of records.
    choices: BTreeMap<String, String>,
    set: CalibrationSet,
    /// Files of references whose bytes were found to be those of the index.
    checked: Mutex<BTreeSet<String>>,
}

impl InUnit {
    /// The reduction that a survey asks for.
    ///
    /// # Errors
    /// When its choices are not valid, or there is no index of references or one that makes no sense.
    pub fn open(spec: &Reduce, scenario: &Scenario) -> anyhow::Result<Self> {
        let choices = spec.choices(&scenario.name)?;
        let options = level1_options(|effect| scenario.with.iter().any(|name| name == effect), scenario.compress, &choices);
        let set = CalibrationSet::open(&spec.masters).context("reduce.masters")?;
        Ok(Self { spec: spec.clone(), options, choices: choices.inputs(), set, checked: Mutex::default() })
    }

    /// Whether raw frames are kept.
    #[must_use]
    pub fn keeps_level0(&self) -> bool {
        self.spec.keeps_level0()
    }

    /// What the reduction looks for and leaves out.
    #[must_use]
    pub fn options(&self) -> &Options {
        &self.options
    }

    /// The references of a unit that starts at `start_mjd`, UTC \[d\], by type.
    ///
    /// # Errors
    /// When a bias or flat is missing or of another date, or persistence would be undone.
    pub fn references(&self, plan: &Plan, unit: &Unit, start_mjd: f64) -> anyhow::Result<BTreeMap<String, Entry>> {
        let key = Key::new(&plan.instrument.name.to_lowercase(), unit.detector, unit.window, plan.scenario.scans);
        let Chosen { valid, .. } = self.set.index().chosen(&key, start_mjd, &PathBuf::from(unit.name()))?;
        let name = persistence::ENTRY.name;
        let known = references::REFERENCES.iter().any(|kind| kind.steps.contains(&name) && valid.contains_key(kind.code));
        ensure!(
            !known || self.options.without.iter().any(|effect| effect == name),
            "{}: its references know {name}, which is undone from raw frames of earlier exposures, and a unit has its own alone: \
             give reduce.without = [\"{name}\"], or keep L0 and reduce the folder afterwards",
            unit.name()
        );
        Ok(valid)
    }

    /// Key of a unit: that of its raw frame, and all that its level 1 depends on.
    ///
    /// # Errors
    /// As [`InUnit::references`].
    pub fn key(&self, plan: &Plan, unit: &Unit) -> anyhow::Result<String> {
        let mut text =
            format!("{}\nreduction {}\nkeep {:?}\n{:?}\n", plan.key(unit), reduction::VERSION, self.keeps_level0(), self.options);
        for (kind, entry) in self.references(plan, unit, unit.exposure.start_mjd)? {
            text += &format!("{kind} {} {}\n", entry.file, entry.sha256);
        }
        Ok(sha256(text.as_bytes()))
    }

    /// What a unit's level 1 is made from, by name, for its record.
    ///
    /// # Errors
    /// As [`InUnit::references`].
    pub fn inputs(&self, plan: &Plan, unit: &Unit) -> anyhow::Result<BTreeMap<String, String>> {
        let mut inputs = self.choices.clone();
        inputs.insert(MASTERS.into(), self.spec.masters.display().to_string());
        for entry in self.references(plan, unit, unit.exposure.start_mjd)?.into_values() {
            inputs.insert(self.set.index().path(&entry).display().to_string(), entry.sha256);
        }
        Ok(inputs)
    }

    /// The product that a unit's record stands beside: the raw frame where it is kept, else the image of level 1.
    #[must_use]
    pub fn beside(&self, plan: &Plan, unit: &Unit, folder: &Folder) -> PathBuf {
        if self.keeps_level0() {
            return unit.level0_path(folder, &plan.instrument.name);
        }
        let name = ProductName::level0(&plan.instrument.name, &unit.exposure, unit.detector, &NameStyle::default());
        reduction::level1_files_of(&name, &plan.spec(unit).geometry.filter, &folder.level1()).main().to_path_buf()
    }

    /// Reads all references of a unit and compares them with the index, each file once in a process: what the key says is then what is used.
    ///
    /// # Errors
    /// When one has other bytes or cannot be read.
    pub fn check_content(&self, plan: &Plan, unit: &Unit) -> anyhow::Result<()> {
        for entry in self.references(plan, unit, unit.exposure.start_mjd)?.into_values() {
            // Others may look at the same file meanwhile; none waits for it.
            if self.checked.lock().unwrap_or_else(PoisonError::into_inner).contains(&entry.file) {
                continue;
            }
            self.set.index().check(&entry)?;
            self.checked.lock().unwrap_or_else(PoisonError::into_inner).insert(entry.file);
        }
        Ok(())
    }

    /// Reduces a raw frame and writes its level 1 into the folder; its files, the image last.
    ///
    /// # Errors
    /// When the frame is refused or a file cannot be written.
    pub fn reduce(&self, level0: Level0, folder: &Folder) -> anyhow::Result<Vec<PathBuf>> {
        let done = reduction::reduce_level0(level0, &[], &self.set, &self.options, &folder.level1())?;
        Ok(done.files.all().into_iter().map(PathBuf::from).collect())
    }
}
