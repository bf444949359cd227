//! Forward: adds level, pattern and drift.

use super::PARAMETERS;
use super::model::{TERMS, drift};
use crate::description::DetectorSpec;
use crate::effects::parameters::{self, ParameterError};
use crate::effects::rows;
use sim_core::detector::AmplifierTile;
use sim_core::effect::{Context, Effect, EffectError, Rows};
use sim_core::frame::Frame;
use sim_core::ledger::Ledger;
use sim_core::noise;
use sim_core::plane::Counts;

/// First item of the fixed streams that hold the patterns; item 0 holds the levels.
const PATTERN_ITEMS: u64 = 1;

struct Bias {
    level: f64,
    level_scatter: f64,
    column_rms: f64,
    row_rms: f64,
}

pub(super) fn make(spec: &DetectorSpec) -> Result<Box<dyn Effect<Counts>>, ParameterError> {
    let [level, level_scatter, column_rms, row_rms] = parameters::read(&spec.parameters, "bias", &PARAMETERS)?;
    Ok(Box::new(Bias { level, level_scatter, column_rms, row_rms }))
}

impl Bias {
    /// Level and pattern of one tile, in raw column order.
    fn pattern(&self, tile: &AmplifierTile, cx: &Context<'_>) -> Vec<f32> {
        let amplifier = tile.amplifier as u64;
        let mut z = [0.0];
        noise::normals(&cx.fixed_stream(0), amplifier, &mut z);
        let level = self.level + self.level_scatter * f64::from(z[0]);
        let mut columns = vec![0.0; tile.serial_len];
        noise::normals(&cx.fixed_stream(PATTERN_ITEMS + amplifier), 0, &mut columns);
        let raw = tile.raw.x0..tile.raw.x0 + tile.raw.nx;
        raw.map(|x| (level + self.column_rms * f64::from(columns[tile.serial(x)])) as f32).collect()
    }
}

impl Effect<Counts> for Bias {
    fn apply(&self, frame: &mut Frame<Counts>, cx: &Context<'_>) -> Result<Ledger, EffectError> {
        rows::apply("bias", self, frame, cx)
    }

    fn rows<'a>(&'a self, cx: &'a Context<'a>) -> Result<Rows<'a>, EffectError> {
        let tiles: Vec<(Vec<f32>, [f32; TERMS])> = cx
            .layout
            .tiles
            .iter()
            .map(|tile| {
                let mut amplitudes = [0.0; TERMS];
                noise::normals(&cx.stream(tile.amplifier as u64), 0, &mut amplitudes);
                (self.pattern(tile, cx), amplitudes)
            })
            .collect();
        Ok(rows::each_tile(cx.layout, move |index, tile, raw_y, pixels, _| {
            let (pattern, amplitudes) = &tiles[index];
            let row = (self.row_rms * drift(tile.parallel(raw_y), tile.parallel_overscan, amplitudes)) as f32;
            pixels.iter_mut().zip(pattern).for_each(|(pixel, pattern)| *pixel += pattern + row);
        }))
    }
}
