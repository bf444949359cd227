//! The survey file: a scenario, where to point, and what becomes of the frames.

use super::area::{self, START};
use super::pointings::{self, Pointing};
use crate::folder::Folder;
use crate::reduced::Choices;
use crate::scenario::{Scenario, with_suggestion};
use anyhow::{Context as _, bail, ensure};
use pointing::survey::SHIPPED;
use reduction::index::INDEX_FILE;
use reduction::{Finder, Options};
use serde::{Deserialize, Serialize};
use sim_core::fits::Packing;
use sim_core::manifest::sha256_file;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// Surveys shipped with the program: name and text.
pub const BUILT_IN: &[(&str, &str)] = &[("cutout", include_str!("../../data/surveys/cutout.toml"))];

/// A survey as a person writes it.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
struct SurveyFile {
    /// Short name.
    name: String,
    /// What it is for.
    #[serde(default)]
    description: String,
    /// Scenario file or built-in scenario: instrument, sky, seed, effects, detectors. Its own exposures and calibration are left out.
    scenario: String,
    /// Area shipped with the program, whose exposures are planned as `skyloop pointings` plans them.
    area: Option<String>,
    /// Table of pointings.
    pointings: Option<PathBuf>,
    /// Pointings that stand in the file itself.
    #[serde(default)]
    pointing: Vec<Pointing>,
    /// Detectors in place of the scenario's: those it has with their windows, others whole.
    #[serde(default)]
    detectors: Vec<u16>,
    /// How images of integers are laid out, in place of what the scenario says.
    compress: Option<Packing>,
    /// Reduction of every unit to level 1 in the same piece of work.
    reduce: Option<Reduce>,
}

/// Reduction of every unit to level 1 in the same piece of work, and what is kept.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Reduce {
    /// Folder of masters, or an output folder that has them, as `skyloop reduce --masters` takes it; relative to the survey file.
    pub masters: PathBuf,
    /// Levels that are kept. L1 is always among them: without it there would be no reduction.
    #[serde(default = "both_levels")]
    pub keep: Vec<Level>,
    /// Finder of cosmic rays, `network` or `classical`, also when the scenario has none; by default the network where the scenario has them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cosmic_rays: Option<String>,
    /// Whether pixels flagged as cosmic rays are filled from their neighbours.
    #[serde(default)]
    pub fill_cosmic_rays: bool,
    /// Effects that are not undone.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub without: Vec<String>,
}

/// A level of products.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Level {
    /// Raw frames.
    L0,
    /// Reduced frames.
    L1,
}

fn both_levels() -> Vec<Level> {
    vec![Level::L0, Level::L1]
}

impl Reduce {
    /// Whether raw frames are kept.
    #[must_use]
    pub fn keeps_level0(&self) -> bool {
        self.keep.contains(&Level::L0)
    }
    /// What the reduction is asked to do besides what the scenario says; `name` is for messages.
    ///
    /// # Errors
    /// When L1 is not kept, or a finder or an effect has no such name.
    pub fn choices(&self, name: &str) -> anyhow::Result<Choices> {
        ensure!(
            self.keep.contains(&Level::L1),
            "{name}: reduce.keep = {:?} has no \"L1\"; allowed are [\"L1\"] and [\"L0\", \"L1\"]",
            self.keep
        );
        let named = |finder: &String| {
            Finder::named(finder)
                .with_context(|| format!("{name}: reduce.cosmic_rays = {finder:?} is no finder; allowed are \"network\" and \"classical\""))
        };
        let finder = self.cosmic_rays.as_ref().map(named).transpose()?;
        let options = Options { without: self.without.clone(), ..Options::default() };
        options.check().with_context(|| format!("{name}: [reduce]"))?;
        Ok(Choices { finder, fill: self.fill_cosmic_rays, without: self.without.clone() })
    }
}

/// What of a survey is wanted, and from which table.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Choice {
    /// Table of pointings in place of the survey's.
    pub pointings: Option<PathBuf>,
    /// The first exposures alone.
    pub exposures: Option<usize>,
    /// Detectors in place of the survey's.
    pub detectors: Vec<u16>,
}

/// Endings of the names of shipped areas: one exposure of all detectors, and one of [`CHIP`].
const ONE_EXPOSURE: &str = "_exposure";
const ONE_CHIP: &str = "_chip";
/// Detector of the versions of one chip: i.
const CHIP: u16 = 7;

/// The survey of a shipped area, whole or in its small versions; `None` when there is no such area.
fn of_area(name: &str, choice: &mut Choice) -> Option<SurveyFile> {
    let (area, exposures, chip) = match (name.strip_suffix(ONE_EXPOSURE), name.strip_suffix(ONE_CHIP)) {
        (Some(area), _) => (area, Some(1), false),
        (_, Some(area)) => (area, Some(1), true),
        _ => (name, None, false),
    };
    let (shipped, _) = SHIPPED.iter().find(|(shipped, _)| *shipped == area)?;
    choice.exposures = choice.exposures.or(exposures);
    Some(SurveyFile {
        name: name.into(),
        description: format!("The area {shipped} from {START}"),
        scenario: "survey".into(),
        area: Some((*shipped).into()),
        pointings: None,
        pointing: Vec::new(),
        detectors: if chip { vec![CHIP] } else { Vec::new() },
        compress: None,
        reduce: None,
    })
}

/// A survey as it was resolved: what a run's folder keeps of it, beside the pointings in its manifest.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Survey {
    /// Short name.
    pub name: String,
    /// What it is for.
    pub description: String,
    /// Version of the program that planned it.
    pub skyloop: String,
    /// SHA-256 of the files it was resolved from, by name: pointings, instrument, catalogue, index of references.
    pub inputs: BTreeMap<String, String>,
    /// Reduction in the same units.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reduce: Option<Reduce>,
    /// What all exposures share; of exposures it has the first.
    pub scenario: Scenario,
}

impl Survey {
    /// Reads a survey, a shipped one or a file, and its pointings in order of time.
    ///
    /// # Errors
    /// When the survey, its scenario or its pointings cannot be read or are not valid, or there are fewer exposures than wanted.
    pub fn resolve(name_or_path: &str, choice: &Choice) -> anyhow::Result<(Self, Vec<Pointing>)> {
        let mut choice = choice.clone();
        let built_in = BUILT_IN.iter().find(|(name, _)| *name == name_or_path);
        let read = |text: &str| -> anyhow::Result<SurveyFile> {
            toml::from_str(text).map_err(|e| anyhow::anyhow!("{name_or_path}: {}", with_suggestion(&e.to_string())))
        };
        let mut file = match (built_in, of_area(name_or_path, &mut choice)) {
            (Some((_, text)), _) => read(text)?,
            (None, Some(file)) => file,
            (None, None) => read(&std::fs::read_to_string(name_or_path).with_context(|| {
                let names: Vec<&str> = BUILT_IN.iter().map(|(name, _)| *name).chain(SHIPPED.iter().map(|(name, _)| *name)).collect();
                format!(
                    "{name_or_path}: no such survey file; the shipped surveys are {} (an area ending in {ONE_EXPOSURE} or {ONE_CHIP} is one exposure, one detector)",
                    names.join(", ")
                )
            })?)?,
        };
        if let Some(table) = &choice.pointings {
            (file.area, file.pointing, file.pointings) = (None, Vec::new(), Some(std::path::absolute(table)?));
        }
        if !choice.detectors.is_empty() {
            file.detectors.clone_from(&choice.detectors);
        }
        let folder = Path::new(name_or_path).parent().unwrap_or(Path::new("."));
        let beside = folder.join(&file.scenario);
        let mut scenario = if crate::scenario::built_in(&file.scenario).is_none() && beside.is_file() {
            Scenario::read(&beside.to_string_lossy())?
        } else {
            Scenario::read(&file.scenario).with_context(|| format!("{name_or_path}: scenario = {:?}", file.scenario))?
        };
        let mut inputs = BTreeMap::new();
        let mut list = match (&file.pointings, file.pointing.is_empty(), &file.area) {
            (None, true, Some(area)) => area::pointings(area, &scenario.instrument, choice.exposures)?,
            (Some(table), true, None) => {
                let table = folder.join(table);
                inputs.insert(table.display().to_string(), sha256_file(&table).with_context(|| table.display().to_string())?);
                pointings::read(&table)?
            }
            (None, false, None) => {
                pointings::check(&file.pointing, name_or_path)?;
                file.pointing
            }
            _ => bail!("{name_or_path}: give one of `pointings`, a table, `area`, and `[[pointing]]` entries"),
        };
        list.sort_by(|a, b| a.start_mjd.total_cmp(&b.start_mjd).then(a.obs_id.cmp(&b.obs_id)));
        if let Some(count) = choice.exposures {
            ensure!((1..=list.len()).contains(&count), "--exposures {count}: {name_or_path} has 1..{} exposures", list.len());
            list.truncate(count);
        }
        if !file.detectors.is_empty() {
            let of = |number: &u16| {
                let known = scenario.detector.iter().find(|d| d.number == *number).copied();
                known.unwrap_or(crate::scenario::DetectorChoice { number: *number, window: None })
            };
            scenario.detector = file.detectors.iter().map(of).collect();
        }
        if let Some(reduce) = &mut file.reduce {
            reduce.choices(name_or_path)?;
            reduce.masters = Folder::masters_in(&std::path::absolute(folder.join(&reduce.masters))?);
            let index = reduce.masters.join(INDEX_FILE);
            let found = sha256_file(&index).with_context(|| format!("{name_or_path}: reduce.masters: {}", index.display()))?;
            inputs.insert(index.display().to_string(), found);
        }
        scenario.compress = file.compress.unwrap_or(scenario.compress);
        scenario.calibration = None;
        scenario.before_and_after.clear();
        scenario.exposure = vec![list[0].exposure()];
        let survey = Self {
            name: file.name,
            description: file.description,
            skyloop: env!("CARGO_PKG_VERSION").into(),
            inputs,
            reduce: file.reduce,
            scenario: Scenario::parse(&scenario.to_toml(), name_or_path)?,
        };
        Ok((survey, list))
    }

    /// Reads the survey of a run's folder.
    ///
    /// # Errors
    /// When there is none, or it is damaged.
    pub fn read(path: &Path) -> anyhow::Result<Self> {
        let shown = path.display();
        let text = std::fs::read_to_string(path).with_context(|| format!("{shown}: not a planned run; `skyloop plan` makes one"))?;
        let survey: Self = toml::from_str(&text).with_context(|| shown.to_string())?;
        let checked = Scenario::parse(&survey.scenario.to_toml(), &shown.to_string())?;
        ensure!(checked == survey.scenario, "{shown}: its scenario does not survive being written");
        Ok(survey)
    }

    /// The survey as TOML.
    ///
    /// # Errors
    /// Never for a survey that was resolved.
    pub fn to_toml(&self) -> anyhow::Result<String> {
        toml::to_string(self).context("the survey as TOML")
    }
}
