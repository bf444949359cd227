//! Forward: walks the few bad columns in the order of their transfer.

use super::PARAMETERS;
use super::model::swallow;
use crate::description::DetectorSpec;
use crate::effects::parameters::{self, ParameterError};
use crate::effects::rows;
use sim_core::effect::{Context, Effect, EffectError};
use sim_core::frame::Frame;
use sim_core::knowledge::{ColumnDefect, ColumnFault, Measured};
use sim_core::ledger::Ledger;
use sim_core::plane::Charge;
use sim_core::stream::StreamKey;

struct BadColumns {
    defects: Vec<ColumnDefect>,
}

pub(super) fn make(spec: &DetectorSpec) -> Result<Box<dyn Effect<Charge>>, ParameterError> {
    Ok(Box::new(BadColumns { defects: column_defects(spec)? }))
}

/// All bad columns of a detector. Truth: not for the reduction.
///
/// # Errors
/// When the table `effects.bad_columns` is not as it must be.
pub fn column_defects(spec: &DetectorSpec) -> Result<Vec<ColumnDefect>, ParameterError> {
    let [blocked, pocket, capacity] = parameters::read(&spec.parameters, "bad_columns", &PARAMETERS)?;
    let geometry = &spec.geometry;
    let sections = geometry.amplifiers.rows;
    let rows = geometry.ny / sections.max(1);
    // The fixed streams of `Context::fixed_stream`: one item for each register.
    let key = StreamKey::new(spec.device_seed).with(u64::from(geometry.number)).with_name("bad_columns");
    let mut out = Vec::new();
    for register in 0..sections {
        let stream = key.stream(register as u64);
        for x in 0..geometry.nx {
            let uniform = |k: u64| (f64::from(stream.word(4 * x as u64 + k)) + 0.5) / 2.0_f64.powi(32);
            let kind = uniform(0);
            let row = ((uniform(1) * rows as f64) as usize).min(rows - 1);
            let sure = |value| Measured { value, error: 0.0 };
            let fault = if kind < blocked {
                ColumnFault::Blocked
            } else if kind < blocked + pocket {
                ColumnFault::Pocket { capacity_electron: sure(-capacity * uniform(2).ln()) }
            } else {
                continue;
            };
            out.push(ColumnDefect { x, register, row, fault });
        }
    }
    Ok(out)
}

impl Effect<Charge> for BadColumns {
    fn apply(&self, frame: &mut Frame<Charge>, cx: &Context<'_>) -> Result<Ledger, EffectError> {
        rows::need_shape("bad_columns", frame, cx.window.shape())?;
        let mut lost = 0.0;
        let mut added = 0.0;
        for defect in &self.defects {
            let Some((x, packets)) = defect.packets(cx.layout, cx.window) else { continue };
            match defect.fault {
                ColumnFault::Blocked => {
                    for y in packets {
                        let pixel = std::mem::take(&mut frame.pixels[(y, x)]);
                        if pixel >= 0.0 { lost += f64::from(pixel) } else { added -= f64::from(pixel) }
                    }
                }
                ColumnFault::Pocket { capacity_electron } => {
                    let mut column: Vec<f32> = packets.clone().map(|y| frame.pixels[(y, x)]).collect();
                    let before: f64 = column.iter().map(|&v| f64::from(v)).sum();
                    swallow(capacity_electron.value, column.iter_mut());
                    lost += before - column.iter().map(|&v| f64::from(v)).sum::<f64>();
                    packets.zip(column).for_each(|(y, value)| frame.pixels[(y, x)] = value);
                }
            }
        }
        Ok(Ledger { added, lost })
    }
}
