//! Traps from lines of injected charge.
//!
//! # Formula
//! Mean over columns of every row of a frame with `lines` rows of charge L in every `period` rows and nothing between; L is the sum
//! of a period over `lines`, the mean of the periods that lie between a first and a last one: traps that have seen the same
//! period before take as much as they give
//! # Symbols
//! counts less the overscan of their row, times the gain \[electron\]; error of a row: shot and read noise over its pixels
//! # Source
//! Charge injection to measure transfer: Janesick 2001, Scientific Charge-Coupled Devices, section 5.3; trails and first-pixel
//! deficits of injected lines fitted with a trap model: Short et al. 2013 (MNRAS 430, 3078).
//! # Limits
//! Along columns. The level is the same in all lines of a frame. Dark current of the gaps is taken as none.

use crate::edge_trails::part;
use crate::transfer_lines::TransferLine;
use instruments::effects::cti::injection::Pattern;
use ndarray::Array2;
use sim_core::detector::ReadoutLayout;
use sim_core::knowledge::Measured;

/// The line of a raw frame: all amplifiers averaged. `None` when it has no serial overscan, too few periods, or gain or read noise
/// \[electron\] of an amplifier is missing.
#[must_use]
pub fn measure(
    raw: &Array2<f32>,
    layout: &ReadoutLayout,
    pattern: &Pattern,
    gain: &[Measured],
    read_noise: &[Measured],
) -> Option<TransferLine> {
    let mut rows: Vec<(f64, f64)> = Vec::new();
    let mut pixels = 0.0;
    for tile in &layout.tiles {
        let (gain, read) = (gain.get(tile.amplifier)?.value, read_noise.get(tile.amplifier)?.value);
        let (science, scan) = (part(raw, &tile.raw_science, tile), part(raw, &tile.raw_overscan, tile));
        if scan.is_empty() || tile.parallel_science > 0 {
            return None;
        }
        // Trails of rows run into the first half.
        let scan = scan.slice_move(ndarray::s![.., tile.raw_overscan.nx / 2..]);
        rows.resize(rows.len().max(science.nrows()), (0.0, 0.0));
        let width = science.ncols() as f64;
        for ((science, scan), sums) in science.rows().into_iter().zip(scan.rows()).zip(&mut rows) {
            let bias = scan.iter().map(|&v| f64::from(v)).sum::<f64>() / scan.len() as f64;
            let sum = gain * science.iter().map(|&v| f64::from(v) - bias).sum::<f64>();
            sums.0 += sum;
            sums.1 += sum.max(0.0) + read * read * (width + width * width / scan.len() as f64);
        }
        pixels += width;
    }
    let row = |k: usize| Measured { value: rows[k].0 / pixels, error: rows[k].1.sqrt() / pixels };
    let periods = (rows.len().saturating_sub(pattern.first)) / pattern.period.max(1);
    if periods < 4 || pattern.lines == 0 || pattern.lines >= pattern.period {
        return None;
    }
    let middle = pattern.first + pattern.period..pattern.first + (periods - 1) * pattern.period;
    let level = middle.clone().map(|k| row(k).value).sum::<f64>() / ((periods - 2) * pattern.lines) as f64;
    let charge = (0..rows.len()).map(|k| if pattern.covers(k) { level } else { 0.0 }).collect();
    Some(TransferLine { charge, measured: (0..rows.len()).map(|k| (k, row(k))).collect() })
}
