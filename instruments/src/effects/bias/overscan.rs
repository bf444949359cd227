//! Backward, first part: the overscan follows the level of every amplifier through the readout.
//!
//! Without knowledge of how levels wander: robust means in bins of rows of all columns, joined by straight lines. With it: the
//! optimal filter of [`super::level_walk`] over robust means of single rows, without the columns that hold tails.

use super::level_walk::smooth;
use crate::effects::rows::{self, ReducedRow, tiles_of_row};
use ndarray::Array2;
use rayon::prelude::*;
use sim_core::correction::{Correction, CorrectionError, StepStatus};
use sim_core::detector::{AmplifierTile, ReadoutLayout};
use sim_core::flags;
use sim_core::frame::Frame;
use sim_core::knowledge::OverscanKnowledge;
use sim_core::median::median;
use sim_core::plane::Counts;
use std::sync::Arc;

/// Rows joined in one bin at most: 32 x 71 overscan pixels give the level to 1/48 of the read noise.
const BIN_ROWS: usize = 32;
/// Least number of good pixels in a bin.
const LEAST_PIXELS: usize = 8;

/// Subtracts from every amplifier's science rows the level that its serial overscan shows.
#[derive(Debug, Clone)]
pub struct SubtractOverscan {
    layout: ReadoutLayout,
    known: Option<Arc<OverscanKnowledge>>,
}

/// Level of one bin of rows.
#[derive(Debug, Clone, Copy)]
struct Level {
    /// Mean row number of the bin, from the first row of the overscan.
    row: f64,
    value: f64,
    variance: f64,
}

/// Level and variance per overscan row; `None` where the row's own bin could not be used.
struct Track {
    levels: Vec<Level>,
    usable: Vec<bool>,
}

/// Mean of the values within 4 robust sigma of their median, and its variance.
fn robust_mean(values: &mut [f32]) -> Option<(f64, f64)> {
    if values.len() < LEAST_PIXELS {
        return None;
    }
    let middle = f64::from(median(values)?);
    let mut distance: Vec<f32> = values.iter().map(|&v| (f64::from(v) - middle).abs() as f32).collect();
    // Half a count at least: whole counts of a quiet output can have no spread at all.
    let sigma = (1.4826 * f64::from(median(&mut distance)?)).max(0.5);
    let good = || values.iter().map(|&v| f64::from(v) - middle).filter(|d| d.abs() <= 4.0 * sigma);
    let n = good().count() as f64;
    let mean = good().sum::<f64>() / n;
    let scatter = good().map(|d| (d - mean).powi(2)).sum::<f64>() / n;
    Some((middle + mean, scatter / n))
}

/// Rows per bin: at least 32 bins where there are rows for them, so that small sections follow the drift too.
fn bin_rows(rows: usize) -> usize {
    rows.div_ceil(32).clamp(1, BIN_ROWS)
}

impl Track {
    fn measure(raw: &Array2<f32>, tile: &AmplifierTile) -> Self {
        let area = tile.raw_overscan;
        let per_bin = bin_rows(area.ny);
        let (mut levels, mut usable) = (Vec::new(), vec![false; area.ny]);
        for first in (0..area.ny).step_by(per_bin) {
            let last = (first + per_bin).min(area.ny);
            let cells = ndarray::s![area.y0 + first..area.y0 + last, area.x0..area.x0 + area.nx];
            let mut values: Vec<f32> = raw.slice(cells).iter().copied().filter(|v| v.is_finite()).collect();
            if let Some((value, variance)) = robust_mean(&mut values) {
                levels.push(Level { row: 0.5 * (first + last - 1) as f64, value, variance });
                usable[first..last].fill(true);
            }
        }
        Self { levels, usable }
    }
    /// The same with what calibration knows of the output: row by row, the optimal filter of its walk.
    fn follow(raw: &Array2<f32>, tile: &AmplifierTile, known: &OverscanKnowledge) -> Self {
        let area = tile.raw_overscan;
        let skip = known.skip_columns.min(area.nx);
        let first = area.x0 + if tile.flip_x { 0 } else { skip };
        let rows: Vec<Option<f64>> = (area.y0..area.y0 + area.ny)
            .map(|y| {
                let cells = raw.slice(ndarray::s![y, first..first + area.nx - skip]);
                let mut values: Vec<f32> = cells.iter().copied().filter(|v| v.is_finite()).collect();
                robust_mean(&mut values).map(|(mean, _)| mean)
            })
            .collect();
        let Some(walk) = known.walk.get(tile.amplifier) else { return Self { levels: Vec::new(), usable: vec![false; area.ny] } };
        let track = smooth(&rows, walk.step_adu2, walk.row_adu2);
        // A row that has no overscan of its own is usable where its neighbours tell its level better than its own would.
        let usable = (0..area.ny).map(|k| rows[k].is_some() || track.get(k).is_some_and(|t| t.1 <= walk.row_adu2)).collect();
        let levels = track.into_iter().enumerate().map(|(k, (value, variance))| Level { row: k as f64, value, variance }).collect();
        Self { levels, usable }
    }
    /// Level and variance at a row: straight lines between bins, and on beyond the outer ones.
    fn at(&self, row: usize) -> (f64, f64) {
        match self.levels.as_slice() {
            [] => (0.0, 0.0),
            [one] => (one.value, one.variance),
            levels => {
                let above = levels.partition_point(|l| l.row <= row as f64).clamp(1, levels.len() - 1);
                let (a, b) = (levels[above - 1], levels[above]);
                let w = (row as f64 - a.row) / (b.row - a.row);
                (a.value + w * (b.value - a.value), (1.0 - w).powi(2) * a.variance + w * w * b.variance)
            }
        }
    }
}

impl SubtractOverscan {
    /// For a raw layout.
    #[must_use]
    pub fn new(layout: ReadoutLayout) -> Self {
        Self { layout, known: None }
    }
    /// For a raw layout, with what calibration knows of its overscan.
    #[must_use]
    pub fn with(layout: ReadoutLayout, known: Option<Arc<OverscanKnowledge>>) -> Self {
        Self { layout, known }
    }
}

impl Correction<Counts> for SubtractOverscan {
    fn correct(&self, frame: &mut Frame<Counts>) -> Result<StepStatus, CorrectionError> {
        let layout = &self.layout;
        rows::need_reference("bias", (layout.rows, layout.columns), frame.pixels.dim())?;
        if layout.tiles.iter().all(|t| t.raw_overscan.nx == 0) {
            return Ok(StepStatus::Skipped("the raw layout has no overscan".into()));
        }
        let pixels = &frame.pixels;
        let tracks: Vec<Track> = layout
            .tiles
            .par_iter()
            .map(|tile| match &self.known {
                Some(known) => Track::follow(pixels, tile, known),
                None => Track::measure(pixels, tile),
            })
            .collect();
        rows::reduce(frame, |ReducedRow { y, pixels, variance, flags: bits }| {
            for (index, tile) in tiles_of_row(layout, y) {
                let area = tile.raw_overscan;
                if y < area.y0 || y >= area.y0 + area.ny {
                    continue;
                }
                let (level, level_variance) = tracks[index].at(y - area.y0);
                let columns = tile.raw.x0..tile.raw.x0 + tile.raw.nx;
                pixels[columns.clone()].iter_mut().for_each(|pixel| *pixel -= level as f32);
                variance[columns.clone()].iter_mut().for_each(|v| *v += level_variance as f32);
                if !tracks[index].usable[y - area.y0] {
                    bits[columns].iter_mut().for_each(|bits| *bits |= flags::OVERSCAN_BAD);
                }
            }
        });
        Ok(StepStatus::Done)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_hit_in_the_overscan_does_not_move_the_mean() {
        let mut values: Vec<f32> = (0..71).map(|i| 500.0 + (i % 3) as f32 - 1.0).collect();
        let clean = robust_mean(&mut values.clone()).unwrap();
        values.push(4000.0);
        let hit = robust_mean(&mut values).unwrap();
        assert_eq!(hit, clean);
        // 24 x -1, 24 x 0, 23 x +1.
        assert!((clean.0 - (500.0 - 1.0 / 71.0)).abs() < 1e-9);
        assert!(robust_mean(&mut [1.0; 7]).is_none());
    }

    #[test]
    fn a_straight_drift_is_followed_to_the_ends() {
        let track =
            Track { levels: [1.0, 5.0, 9.0].map(|row| Level { row, value: 100.0 + row, variance: 1.0 }).to_vec(), usable: vec![true; 11] };
        for row in 0..11 {
            assert!((track.at(row).0 - (100.0 + row as f64)).abs() < 1e-12);
        }
        assert_eq!(track.at(3).1, 0.5);
    }
}
