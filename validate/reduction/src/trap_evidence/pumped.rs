//! Pumped charge: its rows near the registers with the transfer undone, and the species in them.

use crate::injected_lines::Readout;
use crate::pumped_moments::{self, PhaseStack};
use crate::transfer_lines::JointFit;
use crate::trap_fit::{TrapFit, TrapOptions};
use instruments::effects::cti::column::{Row, WIDTH};
use instruments::effects::cti::direction::{Expected, LineKey, Path, Transfer, Undo, Work};
use instruments::effects::cti::fill::Well;
use instruments::effects::cti::known_model;
use instruments::effects::cti::schedule::Steps;
use ndarray::{Array2, Axis};
use sim_core::knowledge::{Measured, PumpedSpecies, PumpedTraps, TransferTraps, TrapSpecies};

/// Rows that are kept of every section at most.
const ROWS: usize = 256;
/// And pixels of all sections together.
const PIXELS: usize = 3 << 18;
/// Part of a dipole that the transfer may blur before it is undone, where traps are known.
const BLUR: f64 = 0.25;
/// Rows where traps are not known.
const ROWS_UNKNOWN: usize = 64;
/// Exponent of the volume in the charge where no other evidence gives it.
const EXPONENT: f64 = 0.5;
/// Bins of the histogram of single traps, to a decade.
const BINS: usize = 10;

/// A raw frame's rows near the registers, amplifiers side by side \[electron\].
#[derive(Debug, Clone)]
pub struct NearRows {
    /// Phase time \[s\].
    pub phase_time_s: f64,
    /// Exposure time \[s\].
    pub time_s: f64,
    /// Cycles.
    pub cycles: u32,
    /// Level that was asked for \[electron\].
    pub set_electron: f64,
    electrons: Array2<f64>,
}

/// Pumped frames.
#[derive(Debug, Clone, Default)]
pub struct PumpedReadings {
    frames: Vec<NearRows>,
    count: usize,
    /// Time of a line \[s\], and part of the traps that pump.
    clocking: Option<(f64, f64)>,
    trouble: Option<String>,
}

/// An exposure of pumped charge as its header tells it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Pumped {
    /// Phase time \[s\].
    pub phase_time_s: f64,
    /// Exposure time \[s\].
    pub time_s: f64,
    /// Cycles.
    pub cycles: u32,
    /// Level that was asked for \[electron\].
    pub level_electron: f64,
    /// Time of a line \[s\], and part of the traps that pump.
    pub clocking: Option<(f64, f64)>,
}

impl PumpedReadings {
    /// Frames looked at.
    #[must_use]
    pub fn frames(&self) -> usize {
        self.count
    }

    /// Adds a raw frame.
    pub fn add(&mut self, raw: &Array2<f32>, readout: &Readout<'_>, pumped: &Pumped) {
        self.count += 1;
        let tiles = &readout.layout.tiles;
        let columns: usize = tiles.iter().map(|t| t.science.nx).sum();
        let rows = tiles.iter().map(|t| t.science.ny).min().unwrap_or(0).min(ROWS).min(PIXELS / columns.max(1));
        let parts: Option<Vec<Array2<f64>>> = tiles.iter().map(|t| readout.electrons(raw, t, rows).map(|(e, _)| e)).collect();
        let Some(parts) = parts else {
            self.trouble = Some("the frames have no overscan, or gain of an amplifier is not known".into());
            return;
        };
        let Some(clocking) = pumped.clocking else {
            self.trouble = Some("LINETIME or PUMPFRAC is missing: release times cannot be told in transfers".into());
            return;
        };
        let views: Vec<_> = parts.iter().map(|p| p.slice(ndarray::s![..rows, ..])).collect();
        let Ok(electrons) = ndarray::concatenate(Axis(1), &views) else {
            self.trouble = Some("sections of different heights".into());
            return;
        };
        if readout.layout.tiles.iter().any(|t| t.parallel_science > 0) {
            self.trouble = Some("columns of the window do not begin at their register: dipoles are blurred there".into());
        }
        self.clocking = Some(clocking);
        let Pumped { phase_time_s, time_s, cycles, level_electron, .. } = *pumped;
        self.frames.push(NearRows { phase_time_s, time_s, cycles, set_electron: level_electron, electrons });
    }

    /// The species, with `traps` along columns as other evidence gives them.
    ///
    /// # Errors
    /// Why there are none.
    pub fn measure(&self, options: &TrapOptions, traps: Option<&TransferTraps>) -> Result<PumpedTraps, String> {
        if let Some(reason) = &self.trouble {
            return Err(reason.clone());
        }
        let (Some((line_time_s, fraction)), Some(first)) = (self.clocking, self.frames.first()) else {
            return Err("no exposures of trap pumping".into());
        };
        if fraction <= 0.0 || line_time_s <= 0.0 {
            return Err(format!("LINETIME = {line_time_s}, PUMPFRAC = {fraction}: both must be above 0"));
        }
        // One setting of level and cycles: the first.
        let alike = |f: &&NearRows| (f.cycles, f.set_electron) == (first.cycles, first.set_electron);
        let exponent = traps.map_or(EXPONENT, |t| t.exponent);
        let well = Well { exponent, full_well: options.full_well_electron, notch: options.notch_electron };
        let rows = traps.map_or(ROWS_UNKNOWN, |t| rows_within(t, &well, first.set_electron)).min(first.electrons.nrows());
        let mut stacks: Vec<PhaseStack> = Vec::new();
        for frame in self.frames.iter().filter(alike) {
            let near = frame.electrons.slice(ndarray::s![..rows, ..]).to_owned();
            let near = traps.map_or_else(|| near.clone(), |t| undone(&near, t));
            match stacks.iter_mut().find(|s| s.phase_time_s == frame.phase_time_s) {
                Some(stack) => stack.frames.push(near),
                None => stacks.push(PhaseStack {
                    phase_time_s: frame.phase_time_s,
                    time_s: frame.time_s,
                    cycles: f64::from(frame.cycles),
                    frames: vec![near],
                }),
            }
        }
        stacks.sort_by(|a, b| a.phase_time_s.total_cmp(&b.phase_time_s));
        let found = pumped_moments::fit(&stacks, options.species[0], exponent).map_err(|e| e.to_string())?;
        let volume = well.fraction(found.level_electron).max(f64::MIN_POSITIVE);
        let scaled = |m: Measured, by: f64| Measured { value: m.value * by, error: m.error * by };
        let species = found
            .species
            .iter()
            .map(|(release, pumping)| PumpedSpecies {
                release: scaled(*release, 1.0 / line_time_s),
                density: scaled(*pumping, 1.0 / (fraction * volume)),
            })
            .collect();
        let histogram = pumped_moments::histogram(&stacks, BINS).into_iter().map(|(s, n)| (s / line_time_s, n)).collect();
        Ok(PumpedTraps { level_electron: found.level_electron, species, histogram })
    }
}

/// Rows from the register after which traps have taken no more than [`BLUR`] of a small difference.
fn rows_within(traps: &TransferTraps, well: &Well, level: f64) -> usize {
    let density: f64 = traps.species.iter().map(|s| s.density.value).sum();
    let per_transfer = density * (well.fraction(1.01 * level) - well.fraction(0.99 * level)) / (0.02 * level);
    if per_transfer > 0.0 { ((BLUR / per_transfer) as usize).clamp(24, ROWS) } else { ROWS }
}

/// The charge before the transfer: rows beyond change nothing nearer to the register.
fn undone(near: &Array2<f64>, traps: &TransferTraps) -> Array2<f64> {
    let Some(model) = known_model(traps) else { return near.clone() };
    let undo = Undo { forward: Expected::new(&model, Steps::Blocks(16)), iterations: 3 };
    let path = Path { first: 0, prescan: 0, packets: near.nrows(), trailing: 0 };
    let mut out = near.clone();
    let mut work = Work::default();
    for mut columns in out.axis_chunks_iter_mut(Axis(1), WIDTH) {
        let mut packets: Vec<Row> =
            columns.rows().into_iter().map(|row| std::array::from_fn(|l| row.get(l).copied().unwrap_or(0.0))).collect();
        undo.transfer(&path, &[LineKey::default(); WIDTH], &mut packets, &mut work);
        for (mut row, packet) in columns.rows_mut().into_iter().zip(&packets) {
            row.iter_mut().zip(packet).for_each(|(to, from)| *to = *from);
        }
    }
    out
}

/// Traps from pumping alone, with an assumed exponent.
pub(super) fn alone(pumped: &PumpedTraps, options: &TrapOptions) -> JointFit {
    let species = pumped.species.iter().map(|s| TrapSpecies { density: s.density, release: s.release, depth: 0.0, capture: 0.0 }).collect();
    let TrapOptions { full_well_electron, notch_electron, .. } = *options;
    let traps = TransferTraps { species, exponent: EXPONENT, full_well_electron, notch_electron };
    JointFit { fit: TrapFit { traps, exponent_error: f64::INFINITY, reduced_chi2: f64::NAN }, sets: Vec::new(), release: None }
}
