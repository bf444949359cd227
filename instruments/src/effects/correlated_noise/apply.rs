//! Forward: draws the line that all outputs share and the lines of each.

use super::PARAMETERS;
use super::model::{Pink, TERMS};
use crate::description::DetectorSpec;
use crate::effects::parameters::{self, Parameter, ParameterError};
use crate::effects::rows::{self, tiles_of_row};
use sim_core::detector::AmplifierTile;
use sim_core::effect::{Context, Effect, EffectError, Rows};
use sim_core::frame::Frame;
use sim_core::ledger::Ledger;
use sim_core::noise;
use sim_core::plane::Counts;

/// Stands for the number of an amplifier in the key of what all share.
const EVERY_AMPLIFIER: u64 = 0xFFFF_FFFF;
/// Words of a row between two processes: more than a line has pixels.
const LINE_WORDS: u64 = 1 << 20;

struct CorrelatedNoise {
    common_rms: f32,
    /// `None` without 1/f noise.
    pink: Option<Pink>,
}

pub(super) fn make(spec: &DetectorSpec) -> Result<Box<dyn Effect<Counts>>, ParameterError> {
    let [common_rms, pink_rms, shortest, longest] = parameters::read(&spec.parameters, "correlated_noise", &PARAMETERS)?;
    if longest < shortest {
        let Parameter { key, unit, high, .. } = PARAMETERS[3];
        return Err(ParameterError::Range { effect: "correlated_noise", key, value: longest, unit, low: shortest, high });
    }
    let pink = (pink_rms > 0.0).then(|| Pink::new(pink_rms, shortest, longest));
    Ok(Box::new(CorrelatedNoise { common_rms: common_rms as f32, pink }))
}

/// Adds a line in reading order to a tile's pixels of a raw row.
fn add_line(tile: &AmplifierTile, line: &[f32], factor: f32, pixels: &mut [f32]) {
    if tile.flip_x {
        pixels.reverse();
    }
    let (prescan, rest) = pixels.split_at_mut(tile.raw_prescan.nx);
    let (science, overscan) = rest.split_at_mut(tile.science.nx);
    for (first, part) in [(0, prescan), (tile.serial_science, science), (tile.serial_overscan, overscan)] {
        part.iter_mut().zip(&line[first..]).for_each(|(pixel, value)| *pixel += factor * value);
    }
    if tile.flip_x {
        pixels.reverse();
    }
}

impl CorrelatedNoise {
    /// `room` holds `(1 + TERMS)` lines.
    fn row(&self, cx: &Context<'_>, raw_y: usize, row: &mut [f32], room: &mut [f32], length: usize) {
        let (line, draws) = room.split_at_mut(length);
        if self.common_rms > 0.0
            && let Some((_, tile)) = tiles_of_row(cx.layout, raw_y).next()
        {
            noise::normals(&cx.stream((EVERY_AMPLIFIER << 32) | tile.parallel(raw_y) as u64), 0, line);
            for (_, tile) in tiles_of_row(cx.layout, raw_y) {
                add_line(tile, line, self.common_rms, &mut row[tile.raw.x0..tile.raw.x0 + tile.raw.nx]);
            }
        }
        let Some(pink) = &self.pink else { return };
        for (_, tile) in tiles_of_row(cx.layout, raw_y) {
            let stream = cx.stream(tile.row_key(raw_y));
            for (k, draws) in draws.chunks_exact_mut(length).take(TERMS).enumerate() {
                noise::normals(&stream, k as u64 * LINE_WORDS, draws);
            }
            let (a, rest) = draws.split_at(length);
            let (b, c) = rest.split_at(length);
            line.fill(0.0);
            pink.add([a, b, &c[..length]], line);
            add_line(tile, line, 1.0, &mut row[tile.raw.x0..tile.raw.x0 + tile.raw.nx]);
        }
    }
}

impl Effect<Counts> for CorrelatedNoise {
    fn apply(&self, frame: &mut Frame<Counts>, cx: &Context<'_>) -> Result<Ledger, EffectError> {
        rows::apply("correlated_noise", self, frame, cx)
    }

    fn rows<'a>(&'a self, cx: &'a Context<'a>) -> Result<Rows<'a>, EffectError> {
        if self.common_rms == 0.0 && self.pink.is_none() {
            return Ok(Rows::Idle);
        }
        let layout = cx.layout;
        let length = layout.tiles.iter().map(|t| t.serial_len).max().unwrap_or(0);
        Ok(Rows::each((layout.rows, layout.columns), move |raw_y, row, scratch| {
            // The whole line is drawn, so that a cut-out has the bits of the full frame.
            let need = (1 + TERMS) * length;
            if scratch.len() >= need {
                self.row(cx, raw_y, row, &mut scratch[..need], length);
            } else {
                self.row(cx, raw_y, row, &mut vec![0.0; need], length);
            }
        }))
    }
}
