//! The first look at the flats: the ramp of every amplifier, and which flats are saturated.

use super::{Maker, pairs};
use crate::amplifiers::{columns, tiles_of_row};
use crate::error::ReductionError;
use crate::flat_ramp::{RampLevel, RampSums};
use crate::linearity_fit::{self, RampError, RampFit, RampOptions};
use crate::photon_transfer::PairSums;
use crate::ramp_choice::{Refusal, choose};
use crate::raw_stack::{RawFrame, Science};
use instruments::product::level0::{Level0Info, read_level0};
use ndarray::Array2;
use rayon::prelude::*;
use sim_core::exposure::ExposureKind;
use sim_core::knowledge::Measured;
use std::collections::BTreeMap;

/// Windows of more pixels take the noise of pairs from every eighth row: half a million pixels of an amplifier are enough.
const MANY_PIXELS: usize = 1 << 22;

/// The ramp of every amplifier, from all pairs of equal flats.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Ramp {
    /// By tile of the layout, one level per flat that has an equal.
    pub levels: Vec<Vec<RampLevel>>,
    /// The flat of each level, as numbered in the group.
    pub flats: Vec<usize>,
    /// Flats that are saturated in some amplifier.
    pub saturated: Vec<(usize, Refusal)>,
    read_noise_adu: Vec<f64>,
}

impl Ramp {
    /// Fits the response of every amplifier, by tile.
    ///
    /// # Errors
    /// When one has too few levels.
    pub fn fits(&self) -> Result<Vec<RampFit>, RampError> {
        let fit = |(levels, &read_noise_adu): (&Vec<RampLevel>, &f64)| {
            linearity_fit::fit(levels, &RampOptions { degree: None, lamp_error: 0.0, read_noise_adu })
        };
        self.levels.iter().zip(&self.read_noise_adu).map(fit).collect()
    }
}

/// Sums of two equal flats in one row, by tile.
type RowSums = Vec<(usize, [RampSums; 2], PairSums)>;

impl Maker<'_> {
    /// Reads all pairs of equal flats.
    pub(super) fn ramp(&mut self, frames: &[Level0Info], bias: &Array2<f32>, noise_adu: &[Measured]) -> Result<Ramp, ReductionError> {
        let tiles = self.layout.tiles.len();
        let mut ramp =
            Ramp { levels: vec![Vec::new(); tiles], read_noise_adu: noise_adu.iter().map(|m| m.value).collect(), ..Ramp::default() };
        let mut by_setting: BTreeMap<(u64, u64), Vec<usize>> = BTreeMap::new();
        for (index, frame) in frames.iter().enumerate() {
            let ExposureKind::Flat { rate_electron_s } = frame.observation.kind else { continue };
            by_setting.entry((frame.observation.time_s.to_bits(), rate_electron_s.to_bits())).or_default().push(index);
        }
        for (&(time, lamp), members) in &by_setting {
            for (a, b) in pairs(members) {
                let sums = self.pair_sums([&frames[a], &frames[b]], bias)?;
                ramp.flats.extend([a, b]);
                for (levels, (of_flat, pair)) in ramp.levels.iter_mut().zip(sums) {
                    let (time_s, lamp) = (f64::from_bits(time), f64::from_bits(lamp));
                    levels.extend(of_flat.map(|sums| RampLevel { time_s, lamp, sums, noise_adu2: pair.variance(), dark_adu: 0.0 }));
                }
            }
        }
        let mut refused: BTreeMap<usize, Refusal> = BTreeMap::new();
        for (levels, noise) in ramp.levels.iter().zip(&ramp.read_noise_adu) {
            for (member, reason) in choose(levels, *noise).1 {
                if !matches!(reason, Refusal::NoSignal { .. }) {
                    refused.entry(ramp.flats[member]).or_insert(reason);
                }
            }
        }
        // What holds for a pair holds for a flat of the same setting without a partner.
        for members in by_setting.values() {
            if let Some(&reason) = members.iter().find_map(|i| refused.get(i)) {
                members.iter().for_each(|&i| {
                    refused.entry(i).or_insert(reason);
                });
            }
        }
        if let Some((&first, reason)) = refused.iter().next() {
            let path = frames[first].path.display();
            self.notes.push(format!("flats: {} of {} left out as saturated, the first {path}: {reason}", refused.len(), frames.len()));
            let left = |members: &Vec<usize>| members.iter().filter(|i| !refused.contains_key(i)).count() > 1;
            if !by_setting.values().any(left) {
                return Err(self.failed(
                    format!("saturated share of the flats, the first {path} ({reason})"),
                    refused.len() as f64 / frames.len() as f64,
                    "below 1: two equal flats that are not (lower the lamp or the time)",
                ));
            }
        }
        ramp.saturated = refused.into_iter().collect();
        Ok(ramp)
    }

    /// Sums of a pair, by tile.
    fn pair_sums(&self, infos: [&Level0Info; 2], bias: &Array2<f32>) -> Result<Vec<([RampSums; 2], PairSums)>, ReductionError> {
        let all = 0..self.rows;
        let open = |info: &Level0Info| RawFrame::new(&read_level0(&info.path)?, &all, self.overscan.as_ref());
        let pair = [open(infos[0])?, open(infos[1])?];
        let step = if self.rows * self.columns > MANY_PIXELS { 8 } else { 1 };
        let of_row = |y: usize| -> RowSums {
            let rows = self.rows_of(&pair, y, Some(bias));
            let mut scratch = Vec::new();
            let of_tile = |(index, tile)| {
                let range = columns(tile);
                let raw = [0, 1].map(|k| match &pair[k].science {
                    Science::Raw(raw) => raw.row(y).to_slice().map_or(&[] as &[u16], |r| &r[range.clone()]),
                    Science::Clean(_) => &[],
                });
                let of_flat = RampSums::of_pair([&rows[0][range.clone()], &rows[1][range.clone()]], raw);
                let both = match y % step {
                    0 => PairSums::of_row(&rows[0][range.clone()], &rows[1][range], &mut scratch),
                    _ => PairSums::default(),
                };
                (index, of_flat, both)
            };
            tiles_of_row(self.layout, y).map(of_tile).collect()
        };
        let by_row: Vec<RowSums> = all.clone().into_par_iter().map(of_row).collect();
        let mut sums = vec![([RampSums::default(); 2], PairSums::default()); self.layout.tiles.len()];
        for (tile, of_flat, both) in by_row.into_iter().flatten() {
            sums[tile].0.iter_mut().zip(&of_flat).for_each(|(sum, row)| sum.add(row));
            sums[tile].1.add(&both);
        }
        Ok(sums)
    }
}
