//! Forward: adds drift, settling and memory.

use super::PARAMETERS;
use super::model::wander;
use crate::description::DetectorSpec;
use crate::effects::parameters::{self, ParameterError};
use crate::effects::rows;
use sim_core::detector::AmplifierTile;
use sim_core::effect::{Context, Effect, EffectError, Rows};
use sim_core::frame::Frame;
use sim_core::ledger::Ledger;
use sim_core::noise;
use sim_core::plane::Counts;

struct BiasDrift {
    rms: f64,
    length: f64,
    settling: f64,
    settling_length: f64,
    memory: f64,
    memory_length: f64,
}

/// What the rows of one tile share.
struct TileTables {
    /// Drift by parallel number.
    drift: Vec<f32>,
    /// Settling of the tile's raw columns, left to right.
    settling: Vec<f32>,
    /// Last science pixel and the overscan pixels, raw columns of the tile in reading order, with the part of the former they see.
    memory: Option<(usize, Vec<(usize, f32)>)>,
}

pub(super) fn make(spec: &DetectorSpec) -> Result<Box<dyn Effect<Counts>>, ParameterError> {
    let [rms, length, settling, settling_length, memory, memory_length] = parameters::read(&spec.parameters, "bias_drift", &PARAMETERS)?;
    Ok(Box::new(BiasDrift { rms, length, settling, settling_length, memory, memory_length }))
}

impl BiasDrift {
    fn tables(&self, tile: &AmplifierTile, cx: &Context<'_>) -> TileTables {
        let rows = tile.parallel_overscan + tile.raw_overscan_rows.ny;
        let mut normals = vec![0.0; rows];
        noise::normals(&cx.stream(tile.amplifier as u64), 0, &mut normals);
        let columns = tile.raw.x0..tile.raw.x0 + tile.raw.nx;
        let settle = |x| (self.settling * (-(tile.serial(x) as f64) / self.settling_length).exp()) as f32;
        // The section ends where the window's part of it does, else the last science pixel is not here.
        let ends_here = tile.serial_science + tile.science.nx == tile.serial_overscan;
        let local = |in_order: usize| if tile.flip_x { tile.raw.nx - 1 - in_order } else { in_order };
        let first = tile.raw_prescan.nx + tile.science.nx;
        let part = |k: usize| (self.memory * (-(k as f64 + 1.0) / self.memory_length).exp()) as f32;
        let memory = (ends_here && self.memory != 0.0 && tile.raw_overscan.nx > 0)
            .then(|| (local(first - 1), (0..tile.raw_overscan.nx).map(|k| (local(first + k), part(k))).collect()));
        TileTables { drift: wander(self.rms, self.length, &normals), settling: columns.map(settle).collect(), memory }
    }
}

impl Effect<Counts> for BiasDrift {
    fn apply(&self, frame: &mut Frame<Counts>, cx: &Context<'_>) -> Result<Ledger, EffectError> {
        rows::apply("bias_drift", self, frame, cx)
    }

    fn rows<'a>(&'a self, cx: &'a Context<'a>) -> Result<Rows<'a>, EffectError> {
        if self.rms == 0.0 && self.settling == 0.0 && self.memory == 0.0 {
            return Ok(Rows::Idle);
        }
        let tiles: Vec<TileTables> = cx.layout.tiles.iter().map(|tile| self.tables(tile, cx)).collect();
        Ok(rows::each_tile(cx.layout, move |index, tile, raw_y, pixels, _| {
            let tables = &tiles[index];
            if let Some((last, scan)) = &tables.memory {
                let signal = pixels[*last];
                scan.iter().for_each(|(x, part)| pixels[*x] += part * signal);
            }
            let drift = tables.drift[tile.parallel(raw_y)];
            pixels.iter_mut().zip(&tables.settling).for_each(|(pixel, settling)| *pixel += drift + settling);
        }))
    }
}
