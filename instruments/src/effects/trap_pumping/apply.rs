//! Forward: draws the traps that pump, and pumps.

use super::PARAMETERS;
use super::model::{PumpingTrap, probability, pump};
use crate::description::DetectorSpec;
use crate::effects::cti::Settings;
use crate::effects::cti::fill::Fill;
use crate::effects::cti::traps::TrapModel;
use crate::effects::parameters::{self, ParameterError};
use crate::effects::rows;
use ndarray::{ArrayViewMut2, Axis};
use rayon::prelude::*;
use sim_core::effect::{Context, Effect, EffectError};
use sim_core::exposure::ExposureKind;
use sim_core::frame::Frame;
use sim_core::ledger::Ledger;
use sim_core::noise;
use sim_core::plane::Charge;
use sim_core::stream::Stream;
use std::ops::Range;

/// Columns that go together.
const COLUMNS: usize = 64;
/// Streams of a row: a species has two, of first traps and of what follows.
const STREAMS: u64 = 16;
/// Traps of a species that one pixel may pump.
const MOST_TRAPS: u64 = 8;

struct Pumping {
    settings: Settings,
    line_time_s: f64,
    pumped_fraction: f64,
}

pub(super) fn make(spec: &DetectorSpec) -> Result<Box<dyn Effect<Charge>>, ParameterError> {
    let [line_time_s, pumped_fraction] = parameters::read(&spec.parameters, "trap_pumping", &PARAMETERS)?;
    Ok(Box::new(Pumping { settings: Settings::read(spec)?, line_time_s, pumped_fraction }))
}

/// A species as pumping sees it.
struct PumpedSpecies {
    /// Traps that pump in a pixel and unit of volume above the depth \[1 / pixel\].
    rate: f64,
    depth: f64,
    /// Mean and scatter of the electrons moved.
    moved: (f64, f64),
}

/// One exposure.
struct Pump<'a> {
    species: Vec<PumpedSpecies>,
    fill: Fill,
    /// Volume reached by the charge at the start.
    reached: f64,
    cx: &'a Context<'a>,
}

fn uniform(stream: &Stream, word: u64) -> f64 {
    (f64::from(stream.word(word)) + 0.5) / 4_294_967_296.0
}

impl Pump<'_> {
    /// The traps of the rows of a half in some columns, by column.
    fn traps(&self, rows: &Range<usize>, columns: &Range<usize>) -> Vec<Vec<PumpingTrap>> {
        let mut traps = vec![Vec::new(); columns.len()];
        let mut first = vec![0.0_f32; columns.len()];
        let window = self.cx.window;
        for y in rows.clone() {
            for (s, species) in self.species.iter().enumerate() {
                let most = species.rate * (self.reached - species.depth);
                if most <= 0.0 {
                    continue;
                }
                let item = STREAMS * (window.y0 + y) as u64 + 2 * s as u64;
                let start = (window.x0 + columns.start) as u64;
                noise::uniforms(&self.cx.fixed_stream(item), start, &mut first);
                let any = 1.0 - (-most).exp();
                for (k, &u) in first.iter().enumerate().filter(|(_, u)| f64::from(**u) < any) {
                    let (more, drawn) = (self.cx.fixed_stream(item + 1), self.cx.stream(item));
                    let word = 2 * MOST_TRAPS * (start + k as u64);
                    let mut at = -(1.0 - f64::from(u)).ln();
                    for trap in 0..MOST_TRAPS {
                        if at >= most {
                            break;
                        }
                        // Its neighbour, or none beyond the border.
                        let to = if uniform(&more, word + 2 * trap) < 0.5 { y.checked_sub(1) } else { Some(y + 1) };
                        if let Some(to) = to.filter(|to| rows.contains(to)) {
                            let z = noise::normal_of_word(drawn.word(word + trap));
                            traps[k].push(PumpingTrap {
                                from: y - rows.start,
                                to: to - rows.start,
                                reached_electron: self.fill.electrons(species.depth + at / species.rate),
                                most_electron: (species.moved.0 + species.moved.1 * f64::from(z)).round(),
                            });
                        }
                        at -= uniform(&more, word + 2 * trap + 1).ln();
                    }
                }
            }
        }
        traps
    }

    /// Pumps some columns of a half. Charge moves and none is made: a move is lost here and added there.
    fn columns(&self, mut pixels: ArrayViewMut2<'_, f32>, rows: &Range<usize>, columns: &Range<usize>) -> Ledger {
        let mut account = Ledger::default();
        let mut column = vec![0.0; rows.len()];
        for (x, traps) in self.traps(rows, columns).iter().enumerate().filter(|(_, traps)| !traps.is_empty()) {
            let mut view = pixels.column_mut(x);
            column.iter_mut().zip(&view).for_each(|(to, from)| *to = f64::from(*from));
            pump(&mut column, traps);
            for (after, pixel) in column.iter().zip(&mut view) {
                let rounded = after.round() as f32;
                let change = f64::from(rounded) - f64::from(*pixel);
                if change > 0.0 {
                    account.added += change
                } else {
                    account.lost -= change
                }
                *pixel = rounded;
            }
        }
        account
    }
}

impl Pumping {
    fn pump<'a>(&self, level: f64, cycles: u32, phase_time_s: f64, cx: &'a Context<'a>) -> Pump<'a> {
        let [TrapModel { species, well }, _] = self.settings.at(cx.exposure.start_mjd);
        let fill = Fill::new(&well, species.iter().map(|s| s.density / (1.0 - s.depth)).sum());
        let cycles = f64::from(cycles);
        let species = species
            .iter()
            .map(|s| {
                let p = probability(phase_time_s, s.release * self.line_time_s);
                let rate = self.pumped_fraction * s.density / (1.0 - s.depth);
                PumpedSpecies { rate, depth: s.depth, moved: (cycles * p, (cycles * p * (1.0 - p)).sqrt()) }
            })
            .collect();
        // Columns differ: traps above the mean level are drawn too, and reached where there is charge.
        let reached = fill.fraction(2.0 * level).min(1.0 - 1e-9);
        Pump { species, fill, reached, cx }
    }
}

impl Effect<Charge> for Pumping {
    fn apply(&self, frame: &mut Frame<Charge>, cx: &Context<'_>) -> Result<Ledger, EffectError> {
        rows::need_shape("trap_pumping", frame, cx.window.shape())?;
        let ExposureKind::TrapPumping { level_electron, cycles, phase_time_s } = cx.exposure.kind else {
            return Ok(Ledger::default());
        };
        if cycles == 0 || !(phase_time_s > 0.0 && phase_time_s.is_finite()) {
            let (key, value, unit, range) =
                if cycles == 0 { ("cycles", 0.0, "1", "at least 1") } else { ("phase_time_s", phase_time_s, "s", "above 0") };
            return Err(EffectError::OutOfRange { effect: "trap_pumping", key, value, unit, range });
        }
        let pump = self.pump(level_electron, cycles, phase_time_s, cx);
        let mut halves: Vec<Range<usize>> = cx.layout.tiles.iter().map(|t| t.science.y0..t.science.y0 + t.science.ny).collect();
        halves.sort_by_key(|h| h.start);
        halves.dedup();
        let mut account = Ledger::default();
        for rows in halves {
            let mut part = frame.pixels.slice_mut(ndarray::s![rows.clone(), ..]);
            let tasks = part.axis_chunks_iter_mut(Axis(1), COLUMNS).into_par_iter().enumerate();
            let ledgers: Vec<Ledger> = tasks
                .map(|(k, columns)| {
                    let range = k * COLUMNS..k * COLUMNS + columns.ncols();
                    pump.columns(columns, &rows, &range)
                })
                .collect();
            account = ledgers.into_iter().fold(account, Ledger::plus);
        }
        Ok(account)
    }
}
