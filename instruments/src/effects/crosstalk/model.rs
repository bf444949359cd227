//! The kernels: lines of simultaneous pixels, and their mixing.

use multiversion::multiversion;
use nalgebra::DMatrix;
use sim_core::detector::{AmplifierTile, ReadoutLayout};
use std::collections::BTreeMap;

/// Pixels of a line mixed at a time: the sums of one victim stay in registers.
const BLOCK: usize = 32;

/// Couplings of all pairs, `[victim * count + source]`.
#[derive(Debug, Clone, PartialEq)]
pub struct Coupling {
    /// Amplifiers.
    pub count: usize,
    /// Coefficients.
    pub values: Vec<f32>,
}

impl Coupling {
    /// From coefficients in f64.
    ///
    /// # Panics
    /// When there are not `count` times `count` of them.
    #[must_use]
    pub fn new(count: usize, values: &[f64]) -> Self {
        assert_eq!(values.len(), count * count, "one coefficient for every pair");
        Self { count, values: values.iter().map(|&v| v as f32).collect() }
    }
    /// What must be added to undo it: the inverse of 1 + X, minus 1. `None` when 1 + X cannot be inverted.
    #[must_use]
    pub fn undoing(count: usize, values: &[f64]) -> Option<Self> {
        let one = DMatrix::<f64>::identity(count, count);
        let inverse = (&one + DMatrix::from_row_slice(count, count, values)).try_inverse()? - one;
        Some(Self { count, values: inverse.transpose().iter().map(|&v| v as f32).collect() })
    }
    /// Whether nothing couples.
    #[must_use]
    pub fn is_zero(&self) -> bool {
        self.values.iter().all(|&v| v == 0.0)
    }
}

/// One moment's line of every amplifier: pixel `serial` of amplifier `a` at `a * width + serial`. What is outside a cut-out is 0.
#[derive(Debug, Clone)]
pub struct Lines {
    /// Room of one amplifier: a whole number of blocks.
    pub width: usize,
    /// Signal \[adu\].
    pub signal: Vec<f32>,
    /// Answer of [`mix`].
    pub change: Vec<f32>,
}

impl Lines {
    /// Room for the lines of a layout.
    #[must_use]
    pub fn new(layout: &ReadoutLayout) -> Self {
        let longest = layout.tiles.iter().map(|t| t.serial_len).max().unwrap_or(0);
        let width = longest.next_multiple_of(BLOCK);
        let size = width * layout.amplifier_count;
        Self { width, signal: vec![0.0; size], change: vec![0.0; size] }
    }
    /// Fills the signal of one amplifier from its part of a raw row.
    pub fn gather(&mut self, tile: &AmplifierTile, row: &[f32]) {
        let line = &mut self.signal[tile.amplifier * self.width..(tile.amplifier + 1) * self.width];
        for (serial, columns) in parts(tile) {
            let (to, from) = (&mut line[serial..serial + columns.len()], &row[columns]);
            if tile.flip_x {
                to.iter_mut().zip(from.iter().rev()).for_each(|(to, from)| *to = *from);
            } else {
                to.copy_from_slice(from);
            }
        }
    }
    /// Calls `put(raw column, change)` for every pixel of a tile, in reading order.
    pub fn scatter(&self, tile: &AmplifierTile, mut put: impl FnMut(usize, f32)) {
        let line = &self.change[tile.amplifier * self.width..(tile.amplifier + 1) * self.width];
        for (serial, columns) in parts(tile) {
            let change = &line[serial..serial + columns.len()];
            if tile.flip_x {
                columns.rev().zip(change).for_each(|(x, &change)| put(x, change));
            } else {
                columns.zip(change).for_each(|(x, &change)| put(x, change));
            }
        }
    }
    /// Forgets the signal of all amplifiers.
    pub fn clear(&mut self) {
        self.signal.fill(0.0);
    }
    /// `change = coupling x signal`.
    pub fn mix(&mut self, coupling: &Coupling) {
        mix(&coupling.values, coupling.count, &self.signal, self.width, &mut self.change);
    }
}

/// The three parts of a tile's row: serial number of the first pixel in reading order, and raw columns left to right.
#[must_use]
pub fn parts(tile: &AmplifierTile) -> [(usize, std::ops::Range<usize>); 3] {
    [(0, tile.raw_prescan), (tile.serial_science, tile.raw_science), (tile.serial_overscan, tile.raw_overscan)]
        .map(|(serial, rect)| (serial, rect.x0..rect.x0 + rect.nx))
}

/// `out[a] = sum over b of matrix[a, b] lines[b]`, pixel by pixel, in the order of b.
#[multiversion(targets("x86_64+avx512f+avx512bw+avx512dq+avx512vl", "x86_64+avx2"))]
pub fn mix(matrix: &[f32], count: usize, lines: &[f32], width: usize, out: &mut [f32]) {
    for start in (0..width).step_by(BLOCK) {
        for (victim, row) in matrix.chunks_exact(count).enumerate() {
            let mut sum = [0.0_f32; BLOCK];
            for (source, &k) in row.iter().enumerate() {
                let from = source * width + start;
                for (sum, value) in sum.iter_mut().zip(&lines[from..from + BLOCK]) {
                    *sum += k * value;
                }
            }
            let to = victim * width + start;
            out[to..to + BLOCK].copy_from_slice(&sum);
        }
    }
}

/// Rows of a raw array (in order) that are read at the same moment, in the order of their parallel number.
pub fn moments<T>(layout: &ReadoutLayout, rows: impl Iterator<Item = T>) -> Vec<Vec<(usize, T)>> {
    let mut groups: BTreeMap<usize, Vec<(usize, T)>> = BTreeMap::new();
    for (raw_y, row) in rows.enumerate() {
        let tile = layout.tiles.iter().find(|t| raw_y >= t.raw.y0 && raw_y < t.raw.y0 + t.raw.ny);
        if let Some(tile) = tile {
            groups.entry(tile.parallel(raw_y)).or_default().push((raw_y, row));
        }
    }
    groups.into_values().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_outputs_mix_as_by_hand() {
        // X = [[0, 0.1], [-0.2, 0]]: c0 gains 0.1 c1, c1 loses 0.2 c0.
        let coupling = Coupling::new(2, &[0.0, 0.1, -0.2, 0.0]);
        let mut signal = vec![0.0; 2 * BLOCK];
        (signal[3], signal[BLOCK + 3]) = (100.0, 50.0);
        let mut change = vec![9.0; 2 * BLOCK];
        mix(&coupling.values, 2, &signal, BLOCK, &mut change);
        assert!((change[3] - 5.0).abs() < 1e-6 && (change[BLOCK + 3] + 20.0).abs() < 1e-6);
        assert_eq!(change.iter().filter(|&&v| v != 0.0).count(), 2);
    }

    #[test]
    fn the_inverse_undoes_all_orders() {
        // (1 + X)^-1 of the matrix above: determinant 1.02.
        let undo = Coupling::undoing(2, &[0.0, 0.1, -0.2, 0.0]).unwrap();
        let by_hand = [1.0 / 1.02 - 1.0, -0.1 / 1.02, 0.2 / 1.02, 1.0 / 1.02 - 1.0];
        for (got, want) in undo.values.iter().zip(by_hand) {
            assert!((f64::from(*got) - want).abs() < 1e-8, "{got} {want}");
        }
        assert!(Coupling::undoing(2, &[0.0, 1.0, 1.0, 0.0]).is_none(), "1 + X is singular");
    }
}
