//! Units of work: one exposure of one detector. Each is made whole or not at all, and known by its key.

use crate::folder::Folder;
use crate::scenario::{CALIBRATION_ID, CalibrationPlan, DetectorChoice, ExposureSpec, PumpingPlan, Scenario, Throughput};
use anyhow::{Context as _, bail};
use instruments::chain::Chain;
use instruments::description::{DetectorSpec, Instrument, ThroughputSet, load_with};
use instruments::effects::{registry, trails};
use instruments::product::names::{NameStyle, ProductName};
use sha2::{Digest, Sha256};
use sim_core::detector::ReadoutLayout;
use sim_core::exposure::{Exposure, ExposureKind, Pointing};
use sim_core::frame::Window;
use sim_core::manifest::PHYSICS;
use std::collections::BTreeMap;
use std::path::PathBuf;

/// One exposure of one detector.
#[derive(Debug, Clone, PartialEq)]
pub struct Unit {
    /// The exposure; its sky is set when it is made.
    pub exposure: Exposure,
    /// Chip number.
    pub detector: u16,
    /// Window on it.
    pub window: Window,
}

impl Unit {
    /// Short name for progress and manifests: `10160000001/08 SCIE`.
    #[must_use]
    pub fn name(&self) -> String {
        format!("{}/{:02} {}", self.exposure.id, self.detector, self.exposure.kind.code())
    }
    /// Where its level-0 file lies.
    #[must_use]
    pub fn level0_path(&self, folder: &Folder, instrument: &str) -> PathBuf {
        let base = if self.exposure.kind == ExposureKind::Science { folder.level0() } else { folder.calibration_level0() };
        base.join(ProductName::level0(instrument, &self.exposure, self.detector, &NameStyle::default()).file_name())
    }
}

/// A scenario with everything it names read and checked.
#[derive(Clone)]
pub struct Plan {
    /// The scenario.
    pub scenario: Scenario,
    /// Its instrument.
    pub instrument: Instrument,
    /// Units to make, in order: calibration first.
    pub units: Vec<Unit>,
    /// All units of the scenario, in the same order, whatever is to be made: what a detector remembers is among them.
    pub all: Vec<Unit>,
    /// SHA-256 of the files the scenario reads, by name, taken once when the plan was made.
    pub inputs: BTreeMap<String, String>,
    /// The detectors and their windows.
    windows: Vec<(u16, Window)>,
    /// Hash of what all units share, to be continued: physics, instrument, inputs, settings.
    common_key: Sha256,
}

impl Plan {
    /// Resolves a scenario.
    ///
    /// # Errors
    /// When the instrument cannot be read, or a detector or window is not on it.
    pub fn new(scenario: Scenario) -> anyhow::Result<Self> {
        let set = match scenario.throughput {
            Throughput::Curves => ThroughputSet::Curves,
            Throughput::Table => ThroughputSet::Table,
        };
        let mut instrument = load_with(&scenario.instrument, set)?;
        for name in &scenario.with {
            let off = instrument.chain.off.join(", ");
            if !instrument.chain.switch_on(name) {
                bail!("with = [\"{name}\"]: {} has no such effect that is off; off are: {off}", instrument.name);
            }
        }
        set_parameters(&mut instrument, &scenario)?;
        let mut units = Vec::new();
        let windows: Vec<(u16, Window)> = scenario.detector.iter().map(|d| window_on(&instrument, d)).collect::<anyhow::Result<_>>()?;
        for (i, (number, _)) in windows.iter().enumerate() {
            if windows[..i].iter().any(|(n, _)| n == number) {
                bail!("detector.number = {number} is listed twice; one window of a detector per scenario");
            }
        }
        for exposure in calibration_exposures(&scenario) {
            units.extend(windows.iter().map(|&(detector, window)| Unit { exposure: exposure.clone(), detector, window }));
        }
        for exposure in science_exposures(&scenario)? {
            units.extend(windows.iter().map(|&(detector, window)| Unit { exposure: exposure.clone(), detector, window }));
        }
        // The common part of every key leaves out what selects units, so that adding an exposure keeps the others.
        let mut shared = scenario.clone();
        shared.exposure.clear();
        shared.detector.clear();
        shared.calibration = None;
        shared.criteria.clear();
        shared.before_and_after.clear();
        shared.description.clear();
        let mut text = format!("physics {PHYSICS}\n{}", shared.to_toml());
        for (name, hash) in &instrument.hashes {
            text.push_str(&format!("{name} {hash}\n"));
        }
        let mut inputs = instrument.hashes.clone();
        if let Some(path) = catalog_path(&scenario) {
            let hash = if path.is_dir() {
                catalogs::tables::Hats::open(&path)?.hash()?
            } else {
                sim_core::manifest::sha256_file(&path).with_context(|| path.display().to_string())?
            };
            text.push_str(&format!("catalogue {hash}\n"));
            inputs.insert(path.display().to_string(), hash);
        }
        for path in scenario.moving_files() {
            let hash = sim_core::manifest::sha256_file(&path).with_context(|| path.display().to_string())?;
            text.push_str(&format!("moving {hash}\n"));
            inputs.insert(path.display().to_string(), hash);
        }
        if scenario.moving.is_some() && instrument.chain.off.iter().any(|name| name == trails::ENTRY.name) {
            bail!(
                "scenario {}: [moving] is drawn by the effect `trails`, which {} leaves off: with = [\"trails\"]",
                scenario.name,
                instrument.name
            );
        }
        let common_key = Sha256::new_with_prefix(text).chain_update("\n");
        Ok(Self { scenario, instrument, all: units.clone(), units, inputs, windows, common_key })
    }

    /// Turns to one exposure of many: the units are those of `exposure`, and `before` are the exposures before it whose light its
    /// detectors may remember. What does not depend on exposures stays, so that a survey of any size needs the memory of one exposure.
    ///
    /// # Errors
    /// When a start is not a date.
    pub fn turn_to(&mut self, before: &[ExposureSpec], exposure: &ExposureSpec) -> anyhow::Result<()> {
        self.scenario.calibration = None;
        self.scenario.exposure = before.iter().chain(std::iter::once(exposure)).cloned().collect();
        let exposures = science_exposures(&self.scenario)?;
        let unit = |exposure: &Exposure, &(detector, window): &(u16, Window)| Unit { exposure: exposure.clone(), detector, window };
        self.all = exposures.iter().flat_map(|exposure| self.windows.iter().map(move |window| unit(exposure, window))).collect();
        self.units = self.all.iter().filter(|unit| unit.exposure.id == exposure.id).cloned().collect();
        Ok(())
    }

    /// The specification of a unit's detector.
    ///
    /// # Panics
    /// Never for a unit of this plan.
    #[must_use]
    pub fn spec(&self, unit: &Unit) -> &DetectorSpec {
        &self.instrument.detectors[&unit.detector]
    }

    /// Key of a unit: the same key means the same bits.
    #[must_use]
    pub fn key(&self, unit: &Unit) -> String {
        let mut own = serde_json::to_string(&(&unit.exposure, unit.detector, unit.window)).unwrap_or_default();
        // What the detector remembers is part of what a unit is; parameters that are refused stop the making.
        for before in self.remembered_by(unit).unwrap_or_default() {
            own += &serde_json::to_string(&before.exposure).unwrap_or_default();
        }
        self.common_key.clone().chain_update(own).finalize().iter().map(|b| format!("{b:02x}")).collect()
    }

    /// Whether the chain of this scenario has an effect.
    #[must_use]
    pub fn has_effect(&self, name: &str) -> bool {
        let order = &self.instrument.chain;
        let listed = [&order.light, &order.charge, &order.counts].into_iter().flatten().any(|n| n == name);
        listed && ![&order.off, &self.scenario.without].into_iter().flatten().any(|n| n == name)
    }

    /// The chain of a unit's detector, without what the scenario leaves out.
    ///
    /// # Errors
    /// When an effect refuses its parameters, or one to leave out is not there.
    pub fn chain(&self, unit: &Unit) -> anyhow::Result<Chain> {
        let mut chain = Chain::new(&self.instrument, self.spec(unit))?;
        for name in &self.scenario.without {
            chain = chain.without(name)?;
        }
        Ok(chain)
    }

    /// The raw layout of a unit.
    #[must_use]
    pub fn layout(&self, unit: &Unit) -> ReadoutLayout {
        ReadoutLayout::new(&self.spec(unit).geometry, unit.window, self.scenario.scans)
    }
}

/// Gives all detectors the parameters that a scenario has of its own; those of the scenario's detectors are tried.
fn set_parameters(instrument: &mut Instrument, scenario: &Scenario) -> anyhow::Result<()> {
    let source = format!("scenario {}", scenario.name);
    for (effect, values) in &scenario.effects {
        let numbers: Vec<(String, f64)> = values.iter().map(|(key, value)| (key.clone(), *value)).collect();
        for spec in instrument.detectors.values_mut() {
            registry::set_parameters(spec, effect, &numbers, &source).with_context(|| format!("{source}: [effects.{effect}]"))?;
        }
    }
    if !scenario.effects.is_empty() {
        for spec in scenario.detector.iter().filter_map(|d| instrument.detectors.get(&d.number)) {
            Chain::new(instrument, spec).with_context(|| format!("{source}: [effects]"))?;
        }
    }
    Ok(())
}

fn catalog_path(scenario: &Scenario) -> Option<PathBuf> {
    match &scenario.catalog {
        crate::scenario::CatalogChoice::File { file } => Some(file.path.clone()),
        _ => None,
    }
}

fn window_on(instrument: &Instrument, choice: &DetectorChoice) -> anyhow::Result<(u16, Window)> {
    let Some(spec) = instrument.detectors.get(&choice.number) else {
        let known: Vec<String> = instrument.detectors.keys().map(u16::to_string).collect();
        bail!("detector.number = {} is not a detector of {}; it has {}", choice.number, instrument.name, known.join(", "));
    };
    let full = spec.geometry.full_window();
    let window = choice.window.unwrap_or(full);
    if window.nx < 32 || window.ny < 32 || window.x0 + window.nx > full.nx || window.y0 + window.ny > full.ny {
        bail!(
            "detector {}: window {{ x0 = {}, y0 = {}, nx = {}, ny = {} }} is outside the {} x {} science array (at least 32 x 32 pixels)",
            choice.number,
            window.x0,
            window.y0,
            window.nx,
            window.ny,
            full.nx,
            full.ny
        );
    }
    Ok((choice.number, window))
}

fn science_exposures(scenario: &Scenario) -> anyhow::Result<Vec<Exposure>> {
    scenario
        .exposure
        .iter()
        .map(|e| {
            let base = e.pointing.as_ref().unwrap_or(&scenario.pointing);
            let dec_deg = (base.dec_deg + e.dither_north_arcsec / 3600.0).clamp(-90.0, 90.0);
            let ra_deg = (base.ra_deg + e.dither_east_arcsec / 3600.0 / dec_deg.to_radians().cos().max(1e-6)).rem_euclid(360.0);
            Ok(Exposure {
                id: e.id,
                kind: ExposureKind::Science,
                pointing: Pointing { ra_deg, dec_deg, rotation_deg: base.rotation_deg },
                start_mjd: e.start_mjd().with_context(|| format!("exposure {}: start {:?} is not a date", e.id, e.start))?,
                time_s: e.time_s,
                sky_electron_s: 0.0,
            })
        })
        .collect()
}

/// Saturated flats of a series for persistence: two, because calibration tells full pixels by their missing noise too.
const FULL_FLATS: u32 = 2;
/// Observation numbers from one epoch of calibration to the next.
const EPOCH_STEP: u64 = 10_000;

/// The series of every epoch; without epochs, one that starts a day before the first science exposure.
fn calibration_exposures(scenario: &Scenario) -> Vec<Exposure> {
    let Some(plan) = &scenario.calibration else { return Vec::new() };
    let first = scenario.exposure.first().and_then(crate::scenario::ExposureSpec::start_mjd).unwrap_or(61_580.0);
    let epochs: Vec<f64> = plan.epochs.iter().filter_map(|e| instruments::product::time::Civil::parse_iso(e)).map(|c| c.mjd()).collect();
    let epochs = if epochs.is_empty() { vec![first.floor() - 1.0] } else { epochs };
    let starts = epochs.into_iter().zip((CALIBRATION_ID..).step_by(EPOCH_STEP as usize));
    starts.flat_map(|(start_mjd, id)| calibration_series(scenario, plan, start_mjd, id)).collect()
}

/// One series of calibration exposures, one after the other.
fn calibration_series(scenario: &Scenario, plan: &CalibrationPlan, start_mjd: f64, first_id: u64) -> Vec<Exposure> {
    let pointing =
        Pointing { ra_deg: scenario.pointing.ra_deg, dec_deg: scenario.pointing.dec_deg, rotation_deg: scenario.pointing.rotation_deg };
    let lamp = ExposureKind::Flat { rate_electron_s: plan.lamp_electron_s };
    let mut series = vec![
        (plan.bias, ExposureKind::Bias, 0.0, 0),
        (plan.dark, ExposureKind::Dark, plan.dark_time_s, 1000),
        (plan.flat, lamp, plan.flat_time_s, 2000),
        (plan.short_flat, lamp, plan.short_flat_time_s, 3000),
    ];
    let ramp = plan.ramp_times_s.iter().zip((4000..).step_by(10));
    series.extend(ramp.map(|(&time_s, offset)| (plan.ramp_frames, lamp, time_s, offset)));
    if let Some(plan) = &plan.charge_injection {
        let kind = |level_electron| ExposureKind::ChargeInjection { level_electron, rows: plan.rows, gap: plan.gap };
        series.extend(plan.level_electron.iter().zip((5000..).step_by(20)).map(|(&level, offset)| (plan.frames, kind(level), 0.0, offset)));
    }
    if let Some(PumpingPlan { frames, cycles, phase_times_s, level_electron }) = &plan.trap_pumping {
        let kind = |phase_time_s| ExposureKind::TrapPumping { level_electron: *level_electron, cycles: *cycles, phase_time_s };
        let kinds = phase_times_s.iter().map(|&t| kind(t)).zip((7000..).step_by(20));
        series.extend(kinds.map(|(kind, offset)| (*frames, kind, kind.pumping_time_s(), offset)));
    }
    // Last, so that no other calibration exposure follows full pixels.
    if let Some(persistence) = &plan.persistence {
        series.push((FULL_FLATS, lamp, persistence.flat_time_s, 6000));
        series.push((persistence.darks, ExposureKind::Dark, persistence.dark_time_s, 6100));
    }
    let mut start_mjd = start_mjd;
    let mut exposures = Vec::new();
    for (count, kind, time_s, offset) in series {
        for i in 0..u64::from(count) {
            exposures.push(Exposure { id: first_id + offset + i, kind, pointing, start_mjd, time_s, sky_electron_s: 0.0 });
            start_mjd += (time_s + 60.0) / 86_400.0;
        }
    }
    exposures
}
