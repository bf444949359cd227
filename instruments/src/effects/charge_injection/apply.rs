//! Forward: fills the rows of the pattern.

use super::{PARAMETERS, Pattern};
use crate::description::DetectorSpec;
use crate::effects::parameters::{self, ParameterError};
use crate::effects::rows;
use sim_core::effect::{Context, Effect, EffectError, Rows};
use sim_core::frame::Frame;
use sim_core::ledger::Ledger;
use sim_core::noise;
use sim_core::plane::Charge;

struct Injection {
    excess: f64,
    column_scatter: f64,
    /// No more than the wells hold can be injected \[electron\].
    most: f64,
}

/// Most that can be asked for where no full well is known \[electron\].
const MOST: f64 = 1e7;

pub(super) fn make(spec: &DetectorSpec) -> Result<Box<dyn Effect<Charge>>, ParameterError> {
    let [excess, column_scatter] = parameters::read(&spec.parameters, "charge_injection", &PARAMETERS)?;
    Ok(Box::new(Injection { excess, column_scatter, most: spec.nominal("full_well", "capacity").unwrap_or(MOST) }))
}

/// The register of a row of the window in its tile, and the row counted from it.
fn place(cx: &Context<'_>, y: usize) -> Option<(bool, usize)> {
    let tile = cx.layout.tiles.iter().find(|t| (t.science.y0..t.science.y0 + t.science.ny).contains(&y))?;
    let row = y - tile.science.y0;
    Some((tile.flip_y, tile.parallel_science + if tile.flip_y { tile.science.ny - 1 - row } else { row }))
}

impl Effect<Charge> for Injection {
    fn apply(&self, frame: &mut Frame<Charge>, cx: &Context<'_>) -> Result<Ledger, EffectError> {
        rows::apply("charge_injection", self, frame, cx)
    }

    fn rows<'a>(&'a self, cx: &'a Context<'a>) -> Result<Rows<'a>, EffectError> {
        let kind = cx.exposure.kind;
        let (Some(pattern), Some(level)) = (Pattern::of(&kind), kind.injected_electron()) else {
            return Ok(Rows::Idle);
        };
        if !(level >= 1.0 && level <= self.most) {
            let (key, unit) = ("level_electron", "electron");
            return Err(EffectError::OutOfRange { effect: "charge_injection", key, value: level, unit, range: "1 to the full well" });
        }
        let (columns, first) = (cx.window.nx, cx.window.x0 as u64);
        let levels = [false, true].map(|top| {
            let mut scatter = vec![0.0_f32; columns];
            noise::normals(&cx.fixed_stream(u64::from(top)), first, &mut scatter);
            let of = |z: &f32| (level * (1.0 + self.column_scatter * f64::from(*z)).max(0.0)) as f32;
            scatter.iter().map(of).collect::<Vec<f32>>()
        });
        let more = (self.excess - 1.0).max(0.0) as f32;
        Ok(Rows::each(cx.window.shape(), move |y, row, draws| {
            let Some((top, _)) = place(cx, y).filter(|(_, at)| pattern.covers(*at)) else { return };
            let levels = &levels[usize::from(top)];
            let item = 2 * (cx.window.y0 + y) as u64;
            draws.copy_from_slice(levels);
            noise::poisson(&cx.stream(item), first, draws);
            row.iter_mut().zip(draws.iter()).for_each(|(pixel, electrons)| *pixel += electrons);
            if more > 0.0 {
                noise::normals(&cx.stream(item + 1), first, draws);
                for ((pixel, z), level) in row.iter_mut().zip(draws.iter()).zip(levels) {
                    *pixel = (*pixel + ((more * level).sqrt() * z).round()).max(0.0);
                }
            }
        }))
    }
}
