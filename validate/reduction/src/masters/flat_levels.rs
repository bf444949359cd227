//! The first walk through the flats: photon transfer per amplifier, and block sums for the shutter and the levels.

use super::{Maker, SHUTTER_BLOCKS, pairs};
use crate::amplifiers::add_pairs;
use crate::error::ReductionError;
use crate::photon_transfer::{self, PairSums};
use instruments::product::level0::Level0Info;
use ndarray::Array2;
use rayon::prelude::*;
use sim_core::exposure::ExposureKind;
use sim_core::knowledge::Measured;
use std::collections::BTreeMap;

/// What the first walk through the flats gives.
pub(super) struct FlatLevels {
    /// Gain by tile.
    pub(super) gain: Vec<Measured>,
    pub(super) chi2: f64,
    /// Block sums of every flat: `[flat][block]`, \[ADU\].
    pub(super) blocks: Vec<Vec<f64>>,
    /// Exposure time \[s\] and lamp setting of every flat.
    pub(super) settings: Vec<(f64, f64)>,
    /// Flats of the same time and setting.
    pub(super) equal: Vec<Vec<usize>>,
    pub(super) grid: BlockGrid,
}

impl FlatLevels {
    /// Mean level of a flat over all blocks \[ADU\].
    pub(super) fn level(&self, flat: usize) -> f64 {
        self.blocks[flat].iter().sum::<f64>() / self.grid.pixels()
    }
}

#[derive(Debug, Clone, Copy)]
pub(super) struct BlockGrid {
    pub(super) size: usize,
    pub(super) across: usize,
    pub(super) up: usize,
}

impl BlockGrid {
    fn new(rows: usize, columns: usize) -> Self {
        let size = rows.max(columns).div_ceil(SHUTTER_BLOCKS).max(8).min(rows.min(columns));
        Self { size, across: columns / size, up: rows / size }
    }
    pub(super) fn count(&self) -> usize {
        self.across * self.up
    }
    fn pixels(&self) -> f64 {
        (self.count() * self.size * self.size) as f64
    }
    /// Adds the block sums of a row.
    pub(super) fn add_row(&self, y: usize, value: impl Fn(usize) -> f64, sums: &mut [f64]) {
        if y / self.size < self.up {
            for block in 0..self.across {
                sums[y / self.size * self.across + block] += (block * self.size..(block + 1) * self.size).map(&value).sum::<f64>();
            }
        }
    }
}

/// A value this many standard deviations above its equals is a hit; a gain of one electron is near enough to tell.
const HIT_SIGMAS: f32 = 6.0;

/// Puts the middle of equal flats, of two the lower, in the place of a pixel that is hit in one of them.
fn remove_hits(frames: &mut [Vec<f32>], members: &[usize], noise2: f32) {
    let [first, rest @ ..] = members else { return };
    if rest.is_empty() {
        return;
    }
    let mut values = Vec::with_capacity(members.len());
    for x in 0..frames[*first].len() {
        let (low, high) = members.iter().map(|&m| frames[m][x]).fold((f32::INFINITY, f32::NEG_INFINITY), |(l, h), v| (l.min(v), h.max(v)));
        let reach = HIT_SIGMAS * (noise2 + low.max(0.0)).sqrt();
        // Few pixels: the others of ten flats scatter over some three standard deviations.
        if high - low > reach {
            values.clear();
            values.extend(members.iter().map(|&m| frames[m][x]));
            values.sort_by(f32::total_cmp);
            let middle = values[(values.len() - 1) / 2];
            for &m in members {
                if frames[m][x] - middle > reach {
                    frames[m][x] = middle;
                }
            }
        }
    }
}

impl Maker<'_> {
    /// First walk through the flats: photon transfer and block sums.
    pub(super) fn transfer(
        &mut self,
        frames: &[Level0Info],
        bias: &Array2<f32>,
        noise_adu: &[Measured],
    ) -> Result<FlatLevels, ReductionError> {
        let setting = |f: &Level0Info| match f.observation.kind {
            ExposureKind::Flat { rate_electron_s } => (f.observation.time_s, rate_electron_s),
            _ => unreachable!("grouped as a flat"),
        };
        let settings: Vec<(f64, f64)> = frames.iter().map(setting).collect();
        let mut by_setting: BTreeMap<(u64, u64), Vec<usize>> = BTreeMap::new();
        for (index, (time, lamp)) in settings.iter().enumerate() {
            by_setting.entry((time.to_bits(), lamp.to_bits())).or_default().push(index);
        }
        let equal: Vec<Vec<usize>> = by_setting.into_values().collect();
        let pairs: Vec<(usize, usize)> = equal.iter().flat_map(|members| pairs(members)).collect();
        if pairs.is_empty() {
            return Err(ReductionError::TooFew {
                detector: self.detector,
                what: "the gain",
                need: "two flats of the same exposure time and lamp setting",
                found: frames.len(),
            });
        }
        self.clean_first(frames)?;
        let grid = BlockGrid::new(self.rows, self.columns);
        let least_noise2 = noise_adu.iter().map(|n| n.value * n.value).fold(0.0, f64::max) as f32;
        let mut sums = vec![vec![PairSums::default(); self.layout.tiles.len()]; pairs.len()];
        let mut blocks = vec![vec![0.0; grid.count()]; frames.len()];
        self.bands(frames.len(), 1).visit(&|k, rows| self.read(&frames[k], rows), &mut |rows, band| {
            let row = |y: usize| self.rows_of(band, y, Some(bias));
            add_pairs(self.layout, rows.clone(), &row, &pairs, &mut sums);
            let of_row = |y: usize| {
                let mut frames = row(y);
                equal.iter().for_each(|members| remove_hits(&mut frames, members, least_noise2));
                let of_frame = |frame: &Vec<f32>| {
                    let block = |k: usize| frame[k * grid.size..(k + 1) * grid.size].iter().map(|&v| f64::from(v)).sum::<f64>();
                    (0..grid.across).map(block).collect::<Vec<f64>>()
                };
                frames.iter().map(of_frame).collect::<Vec<_>>()
            };
            let by_row: Vec<Vec<Vec<f64>>> = rows.clone().into_par_iter().map(of_row).collect();
            // Row after row, so that neither threads nor bands change a bit.
            for (y, frames) in rows.zip(by_row).filter(|(y, _)| y / grid.size < grid.up) {
                for (blocks, row) in blocks.iter_mut().zip(frames) {
                    let of_blocks = &mut blocks[y / grid.size * grid.across..];
                    of_blocks.iter_mut().zip(row).for_each(|(sum, more)| *sum += more);
                }
            }
            Ok(())
        })?;
        let (mut gain, mut chi2) = (Vec::new(), 0.0_f64);
        for (tile, place) in self.layout.tiles.iter().enumerate() {
            let of_tile: Vec<PairSums> = sums.iter().map(|pair| pair[tile]).collect();
            let what = || format!("slope of the photon transfer of amplifier {}", place.amplifier + 1);
            let fit = photon_transfer::gain(&of_tile, noise_adu[tile].value)
                .ok_or_else(|| self.failed(what(), 0.0, "above 0: brighter flats are needed"))?;
            chi2 = chi2.max(fit.reduced_chi2);
            gain.push(fit.gain);
        }
        self.notes.push(format!("gain: photon transfer of {} flat pairs at {} levels, worst chi2/dof {chi2:.2}", pairs.len(), equal.len()));
        Ok(FlatLevels { gain, chi2, blocks, settings, equal, grid })
    }
}
