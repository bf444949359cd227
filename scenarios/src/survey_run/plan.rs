//! From a survey to the manifest of its units.

use super::cost::{CostModel, UnitCost};
use super::density::Density;
use super::level1::InUnit;
use super::pointings::Pointing;
use super::spec::{Choice, Survey};
use crate::folder::Folder;
use crate::scenario::ExposureSpec;
use crate::unit::Plan;
use anyhow::{Context as _, bail, ensure};
use instruments::effects::persistence;
use sim_core::exposure::ExposureKind;
use sim_core::files::write_atomically;
use std::path::Path;
use survey::chunks::Wanted;
use survey::folder::Run;
use survey::manifest::{self, UnitRow};
use survey::retry;

/// Exposures of a survey in order of time, as a plan turns to them.
pub struct Exposures {
    list: Vec<ExposureSpec>,
    starts: Vec<f64>,
    /// How long before an exposure another still matters \[d\].
    reach_d: f64,
}

impl Exposures {
    /// The exposures, in order of time, of a survey whose scenario was resolved in `plan`.
    ///
    /// # Errors
    /// When the parameters of what a detector remembers are refused, or a start is not a date.
    pub fn new(list: Vec<ExposureSpec>, plan: &Plan) -> anyhow::Result<Self> {
        let starts: Vec<f64> = list
            .iter()
            .map(|e| e.start_mjd().with_context(|| format!("exposure {}: start {:?} is not a date", e.id, e.start)))
            .collect::<anyhow::Result<_>>()?;
        let mut reach_d = 0.0_f64;
        if plan.has_effect(persistence::ENTRY.name) {
            let longest_s = list.iter().map(|e| e.time_s).fold(0.0, f64::max);
            for unit in &plan.units {
                reach_d = reach_d.max((persistence::reach_s(plan.spec(unit))? + longest_s) / 86_400.0);
            }
        }
        Ok(Self { list, starts, reach_d })
    }
    /// Turns a plan to one of them.
    ///
    /// # Errors
    /// As [`Plan::turn_to`].
    pub fn turn(&self, plan: &mut Plan, k: usize) -> anyhow::Result<()> {
        let first = self.starts[..k].partition_point(|start| *start < self.starts[k] - self.reach_d);
        let first = if self.reach_d > 0.0 { first } else { k };
        plan.turn_to(&self.list[first..k], &self.list[k])
    }
    /// Place of an exposure by its number.
    #[must_use]
    pub fn place(&self, obs_id: u64) -> Option<usize> {
        self.list.iter().position(|e| e.id == obs_id)
    }
}

/// A survey with its units.
pub struct Planned {
    /// The survey.
    pub survey: Survey,
    /// Its units.
    pub rows: Vec<UnitRow>,
    /// Chunks they are in.
    pub chunks: usize,
    /// Size of all products expected \[byte\].
    pub bytes: f64,
    /// When the figures of the cost model were measured.
    pub measured: String,
}

impl Planned {
    /// Plans a survey, a shipped one or a file, or what is wanted of it.
    ///
    /// # Errors
    /// When the survey is not valid, or no chunks are wanted.
    pub fn new(name_or_path: &str, choice: &Choice, wanted: Wanted) -> anyhow::Result<Self> {
        let (mut survey, pointings) = Survey::resolve(name_or_path, choice)?;
        let mut plan = Plan::new(survey.scenario.clone())?;
        survey.inputs.extend(plan.inputs.clone());
        let in_unit = survey.reduce.as_ref().map(|reduce| InUnit::open(reduce, &plan.scenario)).transpose()?;
        let model = CostModel::built_in()?;
        let exposures = Exposures::new(pointings.iter().map(Pointing::exposure).collect(), &plan)?;
        let density = Density::sample(&mut plan, pointings.len(), |plan, k| exposures.turn(plan, k))?;
        let mut rows = Vec::with_capacity(pointings.len() * plan.scenario.detector.len());
        let mut bytes = 0.0;
        for (k, planned) in pointings.iter().enumerate() {
            exposures.turn(&mut plan, k)?;
            for unit in &plan.units {
                let objects = density.objects(k, unit.window.nx * unit.window.ny).round();
                let UnitCost { cpu_s, memory_mb, bytes: size } = model.of(&plan, unit, objects, in_unit.as_ref());
                bytes += size;
                let here = Folder::at(Path::new(""));
                let (path, key) = match &in_unit {
                    Some(in_unit) => (in_unit.beside(&plan, unit, &here), in_unit.key(&plan, unit)?),
                    None => (unit.level0_path(&here, &plan.instrument.name), plan.key(unit)),
                };
                ensure!(unit.exposure.kind == ExposureKind::Science, "a survey has science exposures only");
                rows.push(UnitRow {
                    index: u32::try_from(rows.len()).context("a survey has at most 2^32 units")?,
                    chunk: 0,
                    name: format!("{}/{:02}", unit.exposure.id, unit.detector),
                    obs_id: unit.exposure.id,
                    detector: unit.detector,
                    ra_deg: planned.ra_deg,
                    dec_deg: planned.dec_deg,
                    position_angle_deg: planned.position_angle_deg,
                    start_mjd: unit.exposure.start_mjd,
                    exposure_s: unit.exposure.time_s,
                    band: plan.spec(unit).geometry.filter.clone(),
                    objects,
                    cost_s: cpu_s,
                    memory_mb,
                    path: path.to_string_lossy().into_owned(),
                    key,
                });
            }
        }
        let chunks = retry::number(&mut rows, wanted)?;
        Ok(Self { survey, rows, chunks, bytes, measured: model.measured })
    }

    /// Writes the run's folder: the survey, then the manifest, which makes it one.
    ///
    /// # Errors
    /// When the folder cannot be written or holds another scenario's frames.
    pub fn write(&self, out: &Path) -> anyhow::Result<()> {
        let folder = Folder::create(out)?;
        ensure!(
            !folder.scenario().exists(),
            "{}: the folder was made by `skyloop simulate`, whose frames would be mixed with those of the survey; give another one",
            out.display()
        );
        let path = folder.survey();
        // Products that nothing lists any more would stay beside the new ones.
        let levels = |survey: &Survey| survey.reduce.as_ref().map_or((true, false), |reduce| (reduce.keeps_level0(), true));
        if let Some(before) = path.exists().then(|| Survey::read(&path)).transpose()?
            && levels(&before) != levels(&self.survey)
        {
            bail!("{}: was planned to keep other levels of products (reduce.keep); give another folder", out.display());
        }
        write_atomically(&path, self.survey.to_toml()?.as_bytes()).with_context(|| path.display().to_string())?;
        manifest::write(&Run::at(out).units(), &self.rows)?;
        Ok(())
    }

    /// What it costs, in words.
    #[must_use]
    pub fn estimate(&self) -> String {
        let core_hours = self.rows.iter().map(|r| r.cost_s).sum::<f64>() / 3600.0;
        let most = |value: fn(&UnitRow) -> f64| self.rows.iter().map(value).fold(0.0, f64::max);
        let mut chunks = vec![0.0; self.chunks];
        self.rows.iter().for_each(|r| chunks[r.chunk as usize] += r.cost_s);
        format!(
            "{core_hours:.2} core-hours ({:.2} days on 16 cores), {:.3} GB, {:.0} objects\n\
             a unit at most {:.1} core-s and {:.0} MB; a chunk at most {:.2} core-hours\n\
             from figures of {}: one idle core, no crowding",
            core_hours / 16.0 / 24.0,
            self.bytes / 1e9,
            self.rows.iter().map(|r| r.objects).sum::<f64>(),
            most(|r| r.cost_s),
            most(|r| r.memory_mb),
            chunks.iter().copied().fold(0.0, f64::max) / 3600.0,
            self.measured
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scenario::{Scenario, built_in};

    #[test]
    fn an_exposure_is_planned_with_those_that_its_detectors_remember() {
        let text = built_in("persistence").unwrap();
        let mut scenario = Scenario::parse(text, "persistence").unwrap();
        scenario.calibration = None;
        assert_eq!(scenario.exposure.len(), 2);
        // All at once, as `simulate` plans, and one after the other.
        let whole = Plan::new(scenario.clone()).unwrap();
        let exposures = Exposures::new(scenario.exposure.clone(), &whole).unwrap();
        let mut plan = whole.clone();
        for (k, exposure) in scenario.exposure.iter().enumerate() {
            exposures.turn(&mut plan, k).unwrap();
            assert!(!plan.units.is_empty() && plan.units.iter().all(|u| u.exposure.id == exposure.id));
            assert_eq!(plan.remembered_by(&plan.units[0]).unwrap().len(), k);
            for unit in &plan.units {
                assert!(whole.units.contains(unit) && plan.key(unit) == whole.key(unit));
            }
        }
    }

    #[test]
    fn exposures_without_memory_are_planned_alone() {
        let (survey, pointings) = Survey::resolve("cutout", &Choice::default()).unwrap();
        let mut plan = Plan::new(survey.scenario.clone()).unwrap();
        let list: Vec<ExposureSpec> = (0..3).map(|k| ExposureSpec { id: 7 + k, ..pointings[0].exposure() }).collect();
        let exposures = Exposures::new(list, &plan).unwrap();
        exposures.turn(&mut plan, 2).unwrap();
        assert_eq!((plan.all.len(), plan.units.len(), exposures.place(9)), (3, 3, Some(2)));
        assert_eq!(plan.units[0].exposure.pointing.ra_deg, pointings[0].ra_deg);
        assert_eq!(Survey::resolve("cutout", &Choice::default()).unwrap().0, toml::from_str(&survey.to_toml().unwrap()).unwrap());
    }

    #[test]
    fn every_shipped_area_has_a_version_of_one_chip_and_of_one_exposure() {
        for (area, _) in pointing::survey::SHIPPED {
            let chip = Planned::new(&format!("{area}_chip"), &Choice::default(), Wanted::PerExposure).unwrap();
            assert_eq!((chip.rows.len(), chip.rows[0].detector, chip.rows[0].band.as_str()), (1, 7, "i"), "{area}");
            assert_eq!(chip.rows[0].exposure_s, if area == "survey50_deep" { 250.0 } else { 150.0 }, "{area}");
        }
        let choice = Choice { detectors: vec![8, 9], ..Choice::default() };
        let planned = Planned::new("survey25_exposure", &choice, Wanted::PerExposure).unwrap();
        assert_eq!(planned.rows.len(), 2);
        let error = Survey::resolve("survey26", &Choice::default()).unwrap_err().to_string();
        assert!(error.contains("survey25") && error.contains("_chip"), "{error}");
    }
}
