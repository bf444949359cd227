//! Traps from lines of injected charge.
//!
//! # Formula
//! Mean over columns, without hits, of every row of a frame with `lines` rows of charge L in every `period` rows and nothing between; L is
//! the sum of a period over `lines`, the mean of the periods that lie between a first and a last one: traps that have seen the same
//! period before take as much as they give
//! # Symbols
//! counts less the overscan of their row and the master bias, times the gain \[electron\]; error of a row: shot and read noise over its pixels
//! # Source
//! Charge injection to measure transfer: Janesick 2001, Scientific Charge-Coupled Devices, section 5.3; trails and first-pixel
//! deficits of injected lines fitted with a trap model: Short et al. 2013 (MNRAS 430, 3078).
//! # Limits
//! Along columns. The level is the same in all lines of a frame; columns that differ are averaged. A window that does not begin at the
//! register knows its nearer pixels as the forward model does, as a mirror image.

use crate::edge_trails::part;
use crate::transfer_lines::TransferLine;
use instruments::effects::charge_injection::Pattern;
use instruments::effects::cti::direction::Path;
use ndarray::{Array2, ArrayView1};
use sim_core::detector::{AmplifierTile, ReadoutLayout};
use sim_core::knowledge::Measured;

/// Values further from the median than so many standard deviations of their own are hits.
const HIT: f64 = 6.0;
/// Periods of a window at least.
pub const LEAST_PERIODS: usize = 4;

/// What a reading of a raw frame needs.
#[derive(Debug, Clone, Copy)]
pub struct Readout<'a> {
    /// Layout of the frame.
    pub layout: &'a ReadoutLayout,
    /// Master bias of the window \[ADU\].
    pub bias: Option<&'a Array2<f32>>,
    /// What is left of bias frames by amplifier, where it was measured \[ADU\].
    pub zero: &'a [f64],
    /// Gain by amplifier \[electron / ADU\].
    pub gain: &'a [Measured],
    /// Read noise by amplifier \[electron\].
    pub read_noise: &'a [Measured],
}

impl Readout<'_> {
    /// Mean of the science pixels of a raw bias frame, by amplifier: the overscan is read in other columns than those whose structure the
    /// master bias is relative to \[ADU\].
    #[must_use]
    pub fn zero_of(&self, raw: &Array2<f32>) -> Vec<f64> {
        let mut zero = vec![0.0; self.layout.amplifier_count];
        for tile in &self.layout.tiles {
            let found = self.electrons(raw, tile, tile.science.ny).and_then(|(e, _)| e.mean());
            if let (Some(electron), Some(gain)) = (found, self.gain.get(tile.amplifier)) {
                zero[tile.amplifier] = electron / gain.value;
            }
        }
        zero
    }

    /// Science pixels of a tile in reading order \[electron\], up to so many rows, with the read noise; `None` without overscan or gain.
    #[must_use]
    pub fn electrons(&self, raw: &Array2<f32>, tile: &AmplifierTile, rows: usize) -> Option<(Array2<f64>, f64)> {
        let (gain, read) = (self.gain.get(tile.amplifier)?.value, self.read_noise.get(tile.amplifier)?.value);
        let (science, scan) = (part(raw, &tile.raw_science, tile), part(raw, &tile.raw_overscan, tile));
        if scan.is_empty() {
            return None;
        }
        // Trails of rows run into the first half.
        let scan = scan.slice_move(ndarray::s![.., tile.raw_overscan.nx / 2..]);
        let zero = self.zero.get(tile.amplifier).copied().unwrap_or(0.0);
        let bias = self.bias.map(|bias| part(bias, &tile.science, tile));
        let rows = rows.min(science.nrows());
        let mut out = Array2::zeros((rows, science.ncols()));
        for (y, mut row) in out.rows_mut().into_iter().enumerate() {
            let level = scan.row(y).iter().map(|&v| f64::from(v)).sum::<f64>() / scan.ncols() as f64;
            for (x, out) in row.iter_mut().enumerate() {
                *out = gain * (f64::from(science[[y, x]]) - level - zero - bias.map_or(0.0, |b| f64::from(b[[y, x]])));
            }
        }
        // The mean of the overscan has the same error in all pixels of a row.
        Some((out, read))
    }
}

/// Mean without hits, and how many values it has.
fn clipped(values: ArrayView1<'_, f64>, room: &mut Vec<f64>) -> (f64, f64) {
    room.clear();
    room.extend(values);
    let middle = room.len() / 2;
    let median = *room.select_nth_unstable_by(middle, f64::total_cmp).1;
    room.iter_mut().for_each(|v| *v = (*v - median).abs());
    let spread = 1.4826 * *room.select_nth_unstable_by(middle, f64::total_cmp).1;
    let near = values.iter().filter(|v| (**v - median).abs() <= HIT * spread.max(1e-9));
    let (sum, count) = near.fold((0.0, 0.0), |(sum, count), v| (sum + v, count + 1.0));
    (sum / f64::max(count, 1.0), count)
}

/// The lines of a raw frame, amplifiers of the same place averaged. `None` when it has no serial overscan, too few periods, or gain or
/// read noise of an amplifier is missing.
#[must_use]
pub fn measure(raw: &Array2<f32>, readout: &Readout<'_>, pattern: &Pattern) -> Option<Vec<(Path, TransferLine)>> {
    let mut places: Vec<(usize, usize)> = readout.layout.tiles.iter().map(|t| (t.parallel_science, t.science.ny)).collect();
    places.sort_unstable();
    places.dedup();
    let line = |(first, rows): (usize, usize)| {
        let path = Path { first, prescan: 0, packets: rows, trailing: 0 };
        of_place(raw, readout, pattern, first, rows).map(|line| (path, line))
    };
    places.into_iter().map(line).collect()
}

fn of_place(raw: &Array2<f32>, readout: &Readout<'_>, pattern: &Pattern, first: usize, rows: usize) -> Option<TransferLine> {
    let mut sums = vec![(0.0, 0.0, 0.0); rows];
    let mut room = Vec::new();
    for tile in readout.layout.tiles.iter().filter(|t| (t.parallel_science, t.science.ny) == (first, rows)) {
        let (electrons, read) = readout.electrons(raw, tile, rows)?;
        let scan = (tile.raw_overscan.nx - tile.raw_overscan.nx / 2) as f64;
        for (row, sums) in electrons.rows().into_iter().zip(&mut sums) {
            let (mean, count) = clipped(row, &mut room);
            sums.0 += count * mean;
            sums.1 += count * (mean.max(0.0) + read * read) + (count * read).powi(2) / scan;
            sums.2 += count;
        }
    }
    let row = |k: usize| Measured { value: sums[k].0 / sums[k].2, error: sums[k].1.sqrt() / sums[k].2 };
    if pattern.lines == 0 || pattern.lines >= pattern.period {
        return None;
    }
    // The first row of the window with which a period begins.
    let begin = (0..rows).find(|k| (first + k).checked_sub(pattern.first).is_some_and(|k| k % pattern.period == 0))?;
    let periods = (rows - begin) / pattern.period;
    if periods < LEAST_PERIODS {
        return None;
    }
    let middle = begin + pattern.period..begin + (periods - 1) * pattern.period;
    let level = middle.map(|k| row(k).value).sum::<f64>() / ((periods - 2) * pattern.lines) as f64;
    let charge = (0..rows).map(|k| if pattern.covers(first + k) { level } else { 0.0 }).collect();
    Some(TransferLine { charge, scatter: 0.0, measured: (0..rows).map(|k| (k, row(k))).collect() })
}
