//! Statistics by amplifier: pairs of frames, row by row, and values per amplifier spread over pixels.

use crate::photon_transfer::PairSums;
use rayon::prelude::*;
use sim_core::detector::{AmplifierTile, ReadoutLayout};
use sim_core::knowledge::Measured;
use std::ops::Range;

/// The tiles that hold a science row, left to right, with their index in the layout.
pub fn tiles_of_row(layout: &ReadoutLayout, y: usize) -> impl Iterator<Item = (usize, &AmplifierTile)> {
    layout.tiles.iter().enumerate().filter(move |(_, t)| (t.science.y0..t.science.y0 + t.science.ny).contains(&y))
}

/// Columns of a tile's science pixels.
#[must_use]
pub fn columns(tile: &AmplifierTile) -> Range<usize> {
    tile.science.x0..tile.science.x0 + tile.science.nx
}

/// Adds the pair statistics of a band of rows: `sums[pair][tile]`; `row(y)` gives the row of every frame. The rows' sums are
/// added in order, so that neither threads nor bands change a bit.
pub fn add_pairs(
    layout: &ReadoutLayout,
    rows: Range<usize>,
    row: &(dyn Fn(usize) -> Vec<Vec<f32>> + Sync),
    pairs: &[(usize, usize)],
    sums: &mut [Vec<PairSums>],
) {
    let of_row = |y: usize| -> Vec<(usize, usize, PairSums)> {
        let mut scratch = Vec::new();
        let mut out = Vec::new();
        let frames = row(y);
        for (index, &(a, b)) in pairs.iter().enumerate() {
            for (tile_index, tile) in tiles_of_row(layout, y) {
                out.push((index, tile_index, PairSums::of_row(&frames[a][columns(tile)], &frames[b][columns(tile)], &mut scratch)));
            }
        }
        out
    };
    let by_row: Vec<Vec<_>> = rows.into_par_iter().map(of_row).collect();
    for (pair, tile, row) in by_row.into_iter().flatten() {
        sums[pair][tile].add(&row);
    }
}

/// Values by amplifier number from values by tile; amplifiers outside the window get the mean of the others with an
/// infinite error.
#[must_use]
pub fn by_amplifier(layout: &ReadoutLayout, of_tile: &[Measured]) -> Vec<Measured> {
    let mean = of_tile.iter().map(|m| m.value).sum::<f64>() / of_tile.len().max(1) as f64;
    let mut out = vec![Measured { value: mean, error: f64::INFINITY }; layout.amplifier_count];
    for (tile, &value) in layout.tiles.iter().zip(of_tile) {
        out[tile.amplifier] = value;
    }
    out
}

/// One value per column of a science row, from one value per amplifier.
#[must_use]
pub fn spread(layout: &ReadoutLayout, y: usize, width: usize, of_amplifier: &[f64]) -> Vec<f64> {
    let mut out = vec![0.0; width];
    for (_, tile) in tiles_of_row(layout, y) {
        out[columns(tile)].fill(of_amplifier[tile.amplifier]);
    }
    out
}
