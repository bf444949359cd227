//! All that calibration exposures show of charge traps, put together.
//!
//! Trails of flats, first pixels, injected lines and trails of hot pixels become lines of known charge ([`LineSet`]), which one fit takes
//! together, each with its errors; pumped charge gives release times, which the fit along columns takes as numbers with errors, and
//! densities to compare. What cannot be used says why.

mod pumped;

use crate::edge_trails::{self, Direction, EdgeTrail};
use crate::first_pixels::{self, FIRST, FirstPixels};
use crate::hot_pixel_trails::{self, HotPixelOptions, HotPixels, LEAST_BACKGROUND};
use crate::injected_lines::{self, LEAST_PERIODS, Readout};
use crate::serial_loss::{self, SerialLoss};
use crate::transfer_lines::{Common, Given, JointFit, LineSet, TransferLine, fit_all};
use crate::trap_fit::{TrapFit, TrapFitError, TrapOptions, edge_lines, section_paths};
use instruments::effects::charge_injection::Pattern;
use instruments::effects::cti::direction::Path;
use instruments::effects::cti::known_model;
use instruments::effects::cti::traps::TrapModel;
use ndarray::Array2;
pub use pumped::{NearRows, Pumped, PumpedReadings};
use sim_core::detector::ReadoutLayout;
use sim_core::knowledge::{EvidenceKind, Measured, TransferTraps, TrapEvidence, TrapKnowledge, TrapMeasurement};

/// Error that release times from pumping have at least, relative: a species is a mixture.
const RELEASE_FLOOR: f64 = 0.03;
/// Brightest flat over faintest that tells losses from responses.
const LEVELS: f64 = 2.0;
/// Packets of a trail that a fit without overscan looks for.
const TRAIL: usize = 80;

/// Lines of one kind, or why there are none.
#[derive(Debug, Clone)]
struct Reading {
    kind: EvidenceKind,
    frames: usize,
    sets: Result<Vec<LineSet>, String>,
}

/// Everything read from the exposures of one detector and epoch.
#[derive(Debug, Clone, Default)]
pub struct Readings {
    /// Pixels of columns and rows.
    paths: Option<[Path; 2]>,
    columns: Vec<EdgeTrail>,
    rows: Vec<EdgeTrail>,
    /// The same of bias frames: structure of the scans.
    zero_columns: Vec<EdgeTrail>,
    zero_rows: Vec<EdgeTrail>,
    first: Vec<FirstPixels>,
    flats: usize,
    flat_trouble: Option<String>,
    first_trouble: Option<String>,
    injected: Vec<(Path, TransferLine)>,
    injected_frames: usize,
    injection_trouble: Option<String>,
    hot: Option<Result<HotPixels, String>>,
    darks: usize,
    /// Pumped charge.
    pub pumped: PumpedReadings,
}

/// What the evidence gave.
#[derive(Debug, Clone)]
pub struct Combined {
    /// Traps.
    pub traps: TrapKnowledge,
    /// What they were measured on.
    pub measurement: TrapMeasurement,
    /// Errors of the exponents, and chi-square per degree of freedom, along columns and along rows; NaN without evidence.
    pub fits: [Option<TrapFit>; 2],
}

impl Readings {
    /// Nothing yet, of a detector of this layout.
    #[must_use]
    pub fn of_layout(layout: &ReadoutLayout) -> Self {
        Self { paths: section_paths(layout), ..Self::default() }
    }

    /// Adds a raw bias frame: what the scans hold without charge.
    pub fn add_bias(&mut self, raw: &Array2<f32>, readout: &Readout<'_>) {
        for (direction, trails) in [(Direction::Parallel, &mut self.zero_columns), (Direction::Serial, &mut self.zero_rows)] {
            trails.extend(edge_trails::measure(raw, readout.layout, direction, readout.gain, readout.read_noise));
        }
    }

    /// Adds a raw flat.
    pub fn add_flat(&mut self, raw: &Array2<f32>, readout: &Readout<'_>) {
        self.flats += 1;
        for (direction, trails) in [(Direction::Parallel, &mut self.columns), (Direction::Serial, &mut self.rows)] {
            match edge_trails::measure(raw, readout.layout, direction, readout.gain, readout.read_noise) {
                Some(trail) => trails.push(trail),
                None => self.flat_trouble = Some(TrapFitError::NoOverscan.to_string()),
            }
        }
        match first_pixels::measure(raw, readout) {
            Ok(first) => self.first.push(first),
            Err(reason) => self.first_trouble = Some(reason.to_string()),
        }
    }

    /// Adds a raw frame with injected lines.
    pub fn add_injected(&mut self, raw: &Array2<f32>, readout: &Readout<'_>, pattern: &Pattern) {
        self.injected_frames += 1;
        match injected_lines::measure(raw, readout, pattern) {
            Some(lines) => self.injected.extend(lines),
            None => {
                let need = LEAST_PERIODS * pattern.period;
                let rows = readout.layout.tiles.iter().map(|t| t.science.ny).min().unwrap_or(0);
                self.injection_trouble = Some(if rows < need + pattern.period {
                    format!("{rows} rows of a section do not hold {LEAST_PERIODS} periods of {} rows", pattern.period)
                } else {
                    "the frames have no overscan, or gain or read noise of an amplifier is not known".into()
                });
            }
        }
    }

    /// Adds raw darks of one exposure time, all at once: hits are found by their median.
    pub fn add_darks<T: Copy + Into<f64>>(&mut self, raw: &[Array2<T>], readout: &Readout<'_>, threshold_electron: f64) {
        self.darks = raw.len();
        let options = HotPixelOptions { threshold_electron, trail: TRAIL };
        let darks: Vec<&Array2<T>> = raw.iter().collect();
        let starts = readout.layout.tiles.iter().all(|t| t.parallel_science == 0);
        let found = if !starts {
            Err("columns of the window do not begin at their register".to_string())
        } else if raw.len() < 3 {
            Err(format!("{} darks of one exposure time; hits are told from hot pixels by three", raw.len()))
        } else {
            match hot_pixel_trails::look(&darks, readout.layout, readout.gain, &options) {
                None => Err(TrapFitError::NoOverscan.to_string()),
                Some(hot) => Ok(hot),
            }
        };
        self.hot = Some(found);
    }

    /// What there is along one direction; `register`: traps along rows, where they are known.
    fn readings(&self, along_columns: bool, register: Option<&TrapModel>) -> Vec<Reading> {
        let from_flats = |trails: &[EdgeTrail], zero: &[EdgeTrail], path: Option<Path>| match (&self.flat_trouble, path) {
            (Some(reason), _) => Err(reason.clone()),
            (None, None) => Err("the layout has no amplifier".into()),
            (None, Some(_)) if trails.len() < 2 => Err(format!("{} unsaturated flats", trails.len())),
            (None, Some(path)) => Ok(vec![edge_lines(&trails.iter().map(|t| t.above(zero)).collect::<Vec<_>>(), path)]),
        };
        let paths = self.paths;
        let eper = |along_columns: bool, trails: &[EdgeTrail], zero: &[EdgeTrail]| Reading {
            kind: EvidenceKind::FlatTrails,
            frames: self.flats,
            sets: from_flats(trails, zero, paths.map(|p| p[usize::from(!along_columns)])),
        };
        let first = Reading { kind: EvidenceKind::FirstPixels, frames: self.flats, sets: self.first_set() };
        let no_first = Reading {
            kind: EvidenceKind::FirstPixels,
            frames: self.flats,
            sets: Err("flats have no first-pixel response along columns: nothing lies between the first row and the register".into()),
        };
        let injected = Reading {
            kind: EvidenceKind::InjectedLines,
            frames: self.injected_frames,
            sets: match &self.injection_trouble {
                Some(reason) => Err(reason.clone()),
                None if self.injected.is_empty() => Err("no exposures of charge injection".into()),
                None => Ok(injected_sets(&self.injected)),
            },
        };
        let hot = Reading {
            kind: EvidenceKind::HotPixels,
            frames: self.darks,
            sets: match (&self.hot, paths) {
                (None, _) | (_, None) => Err("no darks".into()),
                (Some(Err(reason)), _) => Err(reason.clone()),
                (Some(Ok(hot)), Some(paths)) => hot_set(hot, paths, register),
            },
        };
        if !along_columns {
            return vec![eper(false, &self.rows, &self.zero_rows), first];
        }
        let mut all = vec![eper(true, &self.columns, &self.zero_columns), no_first, injected];
        for reading in &mut all {
            reading.sets = std::mem::replace(&mut reading.sets, Ok(Vec::new())).map(|sets| before_register(sets, register));
        }
        all.push(hot);
        all
    }

    fn first_set(&self) -> Result<Vec<LineSet>, String> {
        if let Some(reason) = &self.first_trouble {
            return Err(reason.clone());
        }
        let levels = self.first.iter().map(|f| f.level_electron);
        let (low, high) = levels.fold((f64::INFINITY, 0.0_f64), |(low, high), l| (low.min(l), high.max(l)));
        if self.first.len() < 3 || low <= 0.0 || high < LEVELS * low {
            return Err("three flats of levels a factor of two apart are needed to tell losses from responses".into());
        }
        let Some(path) = self.paths.map(|p| Path { packets: FIRST, ..p[1] }) else { return Err("the layout has no amplifier".into()) };
        let line = |f: &FirstPixels| TransferLine {
            charge: vec![f.level_electron; FIRST],
            scatter: 0.0,
            measured: f.pixels.iter().copied().enumerate().collect(),
        };
        Ok(vec![LineSet { kind: EvidenceKind::FirstPixels, path, lines: self.first.iter().map(line).collect(), common: Common::Response }])
    }

    /// Fits the traps with the kinds that `wanted` takes; `exponent` of the volume where only pumping speaks.
    ///
    /// # Errors
    /// When neither direction can be fitted, with the reasons.
    pub fn combine(&self, options: &TrapOptions, wanted: &dyn Fn(EvidenceKind) -> bool) -> Result<Combined, String> {
        let mut evidence = Vec::new();
        let mut measurement = TrapMeasurement::default();
        let mut fits = [None, None];
        let mut reasons = Vec::new();
        // Rows first: numbers along columns have gone through the register too.
        let mut register: Option<TrapModel> = None;
        for (along_columns, slot) in [(false, 1), (true, 0)] {
            let mut mine = self.readings(along_columns, register.as_ref());
            for reading in mine.iter_mut().filter(|r| !wanted(r.kind)) {
                reading.sets = Err("left out".into());
            }
            let usable: Vec<&Reading> = mine.iter().filter(|r| r.sets.is_ok()).collect();
            let sets: Vec<LineSet> = usable.iter().flat_map(|r| r.sets.iter().flatten()).cloned().collect();
            let species = options.species[slot];
            let trail = sets.iter().map(|s| s.path.trailing).filter(|t| *t > 0).max().unwrap_or(TRAIL);
            let Some(path) = self.paths.map(|p| p[slot]) else { return Err("the layout has no amplifier".into()) };
            let TrapOptions { full_well_electron, notch_electron, .. } = *options;
            let given = Given { path, full_well_electron, notch_electron, species, trail };
            let mut found =
                if sets.is_empty() { Err("no evidence".to_string()) } else { fit_all(&sets, &[], &given).map_err(|e| e.to_string()) };
            let mut pumping = None;
            if along_columns {
                let first = found.as_ref().ok().map(|joint: &JointFit| joint.fit.traps.clone());
                pumping =
                    Some(if wanted(EvidenceKind::Pumping) { self.pumped.measure(options, first.as_ref()) } else { Err("left out".into()) });
                if let Some(Ok(pumped)) = &pumping {
                    let release: Vec<Measured> = pumped
                        .species
                        .iter()
                        .map(|s| Measured { error: s.release.error.max(RELEASE_FLOOR * s.release.value), ..s.release })
                        .collect();
                    found = match found {
                        Ok(_) => fit_all(&sets, &release, &given).map_err(|e| e.to_string()),
                        Err(_) => Ok(pumped::alone(pumped, options)),
                    };
                    measurement.pumped = Some(pumped.clone());
                }
            }
            let part = |kind: EvidenceKind| match &found {
                Ok(joint) if kind == EvidenceKind::Pumping => joint.release.unwrap_or(f64::NAN),
                Ok(joint) => {
                    let of = sets.iter().zip(&joint.sets).filter(|(set, _)| set.kind == kind);
                    let (sum, count) = of.fold((0.0, 0.0), |(sum, count), (set, chi2)| (sum + set.count() * chi2, count + set.count()));
                    sum / count
                }
                Err(_) => f64::NAN,
            };
            for reading in &mine {
                let skipped = match (&reading.sets, &found) {
                    (Err(reason), _) => reason.clone(),
                    (Ok(_), Err(reason)) => reason.clone(),
                    (Ok(_), Ok(_)) => String::new(),
                };
                let numbers = if skipped.is_empty() { reading.sets.iter().flatten().map(|s| s.count() as usize).sum() } else { 0 };
                let reduced_chi2 = if skipped.is_empty() { part(reading.kind) } else { f64::NAN };
                let (kind, frames) = (reading.kind, reading.frames);
                evidence.push(TrapEvidence { kind, along_columns, frames, numbers, reduced_chi2, skipped });
            }
            if let Some(pumping) = pumping {
                let (kind, frames) = (EvidenceKind::Pumping, self.pumped.frames());
                let numbers = pumping.as_ref().map_or(0, |p| p.species.len());
                let reduced_chi2 = if pumping.is_ok() { part(kind) } else { f64::NAN };
                let skipped = pumping.err().unwrap_or_default();
                evidence.push(TrapEvidence { kind, along_columns, frames, numbers, reduced_chi2, skipped });
            }
            match found {
                Ok(joint) => {
                    register = if along_columns { None } else { known_model(&joint.fit.traps) };
                    fits[slot] = Some(joint.fit);
                }
                Err(reason) => reasons.push(format!("along {}: {reason}", if along_columns { "columns" } else { "rows" })),
            }
        }
        measurement.evidence = evidence;
        if fits.iter().all(Option::is_none) {
            let of = |e: &TrapEvidence| (!e.skipped.is_empty()).then(|| format!("{}: {}", e.kind.code(), e.skipped));
            let mut each: Vec<String> = measurement.evidence.iter().filter_map(of).collect();
            each.dedup();
            return Err(format!("{}; {}", reasons.join("; "), each.join("; ")));
        }
        // A direction in which nothing shows has no traps that matter.
        let TrapOptions { full_well_electron, notch_electron, blocks, iterations, .. } = *options;
        let none = TransferTraps { species: Vec::new(), exponent: 0.5, full_well_electron, notch_electron };
        let of = |fit: &Option<TrapFit>| fit.as_ref().map_or_else(|| none.clone(), |f| f.traps.clone());
        let traps = TrapKnowledge { parallel: of(&fits[0]), serial: of(&fits[1]), blocks, iterations };
        Ok(Combined { traps, measurement, fits })
    }
}

fn injected_sets(lines: &[(Path, TransferLine)]) -> Vec<LineSet> {
    let mut sets: Vec<LineSet> = Vec::new();
    for (path, line) in lines {
        match sets.iter_mut().find(|s| s.path == *path) {
            Some(set) => set.lines.push(line.clone()),
            None => {
                let (kind, common) = (EvidenceKind::InjectedLines, Common::Nothing);
                sets.push(LineSet { kind, path: *path, lines: vec![line.clone()], common });
            }
        }
    }
    sets
}

/// Lines of hot pixels, with what the register took given back.
fn hot_set(hot: &HotPixels, [columns, rows]: [Path; 2], register: Option<&TrapModel>) -> Result<Vec<LineSet>, String> {
    let Some(background) = hot.background() else { return Err("no hot pixels that stand alone".into()) };
    if background < LEAST_BACKGROUND {
        return Err(format!("background of {background:.1} electron in the darks; the well is bent below {LEAST_BACKGROUND:.0}"));
    }
    let lines = match register {
        Some(model) => hot.before_register(&SerialLoss::new(model, rows.prescan, rows.packets, background)).lines(),
        None => hot.lines(),
    };
    if lines.is_empty() {
        return Err("not enough hot pixels of like charge and distance that stand alone".into());
    }
    let path = Path { trailing: 0, ..columns };
    Ok(vec![LineSet { kind: EvidenceKind::HotPixels, path, lines, common: Common::Nothing }])
}

/// Lines of equal rows, with what the register took of each row given back.
fn before_register(sets: Vec<LineSet>, register: Option<&TrapModel>) -> Vec<LineSet> {
    let Some(model) = register else { return sets };
    let restored = |line: TransferLine| TransferLine {
        scatter: line.scatter,
        charge: line.charge.iter().map(|&n| if n > 0.0 { serial_loss::before_register(model, n) } else { n }).collect(),
        measured: line
            .measured
            .into_iter()
            .map(|(k, m)| (k, Measured { value: serial_loss::before_register(model, m.value), ..m }))
            .collect(),
    };
    sets.into_iter().map(|set| LineSet { lines: set.lines.into_iter().map(restored).collect(), ..set }).collect()
}
