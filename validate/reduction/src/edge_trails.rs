//! Trails of flat fields in the overscan: extended pixel edge response.
//!
//! # Formula
//! Mean over lines of the k-th pixel clocked out after the last one that saw light, in electrons:
//! `T_k = g (c_k - b)`, b the mean of overscan pixels far behind any charge
//! # Symbols
//! c counts \[ADU\]; g gain \[electron / ADU\]; error of `T_k`: shot and read noise of its lines, read noise of b
//! # Source
//! Extended pixel edge response: Janesick 2001, Scientific Charge-Coupled Devices, section 5.3.
//! # Limits
//! Trails of columns are read in the rows of parallel overscan, with the far end of the serial overscan of the same rows as b.
//! Trails of rows are read in the serial overscan with its own far end as b: species slower than a quarter of it are lost.
//! Structure of the scans that bias frames have too is not a trail: [`EdgeTrail::above`] takes it away.
//! Amplifiers are averaged: one set of traps per detector and direction.

use ndarray::{Array2, ArrayView2, Axis, s};
use sim_core::detector::{AmplifierTile, ReadoutLayout, Rect};
use sim_core::knowledge::Measured;

/// Last pixels with light whose mean is the level.
const EDGE: usize = 16;
/// Lines next to the border of an amplifier that are left out: charge of the other direction enters there.
const BORDER: usize = 8;

/// Direction of transfer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Direction {
    /// Along columns.
    Parallel,
    /// Along rows.
    Serial,
}

/// The trail of one flat.
#[derive(Debug, Clone, PartialEq)]
pub struct EdgeTrail {
    /// Mean of the last pixels with light \[electron\].
    pub level_electron: f64,
    /// Standard deviation of their charge from pixel to pixel along the direction of transfer: shot noise, responses \[electron\].
    pub scatter_electron: f64,
    /// Mean electrons of the pixels clocked out after them, in order \[electron\].
    pub trail: Vec<Measured>,
}

impl EdgeTrail {
    /// The trail without what bias frames show in the same pixels, the mean of theirs; as it is without any.
    #[must_use]
    pub fn above(&self, zero: &[Self]) -> Self {
        if zero.is_empty() {
            return self.clone();
        }
        let count = zero.len() as f64;
        let number = |(k, m): (usize, &Measured)| {
            let of: Vec<&Measured> = zero.iter().filter_map(|z| z.trail.get(k)).collect();
            let sum: f64 = of.iter().map(|z| z.value).sum();
            let square: f64 = of.iter().map(|z| z.error * z.error).sum();
            Measured { value: m.value - sum / count, error: m.error.hypot(square.sqrt() / count) }
        };
        Self { trail: self.trail.iter().enumerate().map(number).collect(), ..self.clone() }
    }
}

/// A part of a raw frame in reading order.
pub(crate) fn part<'a, T>(raw: &'a Array2<T>, rect: &Rect, tile: &AmplifierTile) -> ArrayView2<'a, T> {
    let mut view = raw.slice(s![rect.y0..rect.y0 + rect.ny, rect.x0..rect.x0 + rect.nx]);
    if tile.flip_x {
        view.invert_axis(Axis(1));
    }
    if tile.flip_y {
        view.invert_axis(Axis(0));
    }
    view
}

fn mean(view: ArrayView2<'_, f32>) -> f64 {
    view.iter().map(|&v| f64::from(v)).sum::<f64>() / view.len().max(1) as f64
}

/// Variance of pixels from half the square of the differences of neighbours along the first axis, by its median: hits do not count.
fn variance(view: ArrayView2<'_, f32>) -> f64 {
    // Median of the square of a standard normal number.
    const MEDIAN: f64 = 0.454_936;
    let neighbours = view.axis_windows(Axis(0), 2);
    let mut squares: Vec<f64> = neighbours
        .into_iter()
        .flat_map(|w| (0..w.ncols()).map(move |x| f64::from(w[[1, x]] - w[[0, x]]).powi(2)).collect::<Vec<f64>>())
        .collect();
    if squares.is_empty() {
        return 0.0;
    }
    let middle = squares.len() / 2;
    // Whole counts: the mean of the middle fifth instead of one number of them.
    squares.sort_unstable_by(f64::total_cmp);
    let near = &squares[middle - middle / 5..=middle + (squares.len() - 1 - middle) / 5];
    0.5 * near.iter().sum::<f64>() / near.len() as f64 / MEDIAN
}

/// The trail of a raw flat. `None` when the frame has no overscan in this direction to read it from, or an amplifier's gain or
/// read noise \[electron\] is missing.
#[must_use]
pub fn measure(
    raw: &Array2<f32>,
    layout: &ReadoutLayout,
    direction: Direction,
    gain: &[Measured],
    read_noise: &[Measured],
) -> Option<EdgeTrail> {
    let (mut level, mut scatter, mut weight) = (0.0, 0.0, 0.0);
    let mut trail: Vec<(f64, f64)> = Vec::new();
    for tile in &layout.tiles {
        let (gain, read) = (gain.get(tile.amplifier)?.value, read_noise.get(tile.amplifier)?.value);
        let (science, columns, rows) = (tile.raw_science, tile.raw_overscan, tile.raw_overscan_rows);
        // Lines along the direction of transfer: [packet, line] after the transposition of rows.
        let (edge, after, dark) = match direction {
            Direction::Parallel => {
                let last = part(raw, &rows, tile);
                let first = tile.raw_prescan.nx;
                let (light, scan) = (first..first + science.nx, first + science.nx + columns.nx / 2..first + science.nx + columns.nx);
                (part(raw, &science, tile), last.slice_move(s![.., light]), last.slice_move(s![.., scan]))
            }
            Direction::Serial => {
                let scan = part(raw, &columns, tile).reversed_axes();
                let far = scan.slice_move(s![3 * columns.nx / 4.., ..]);
                (part(raw, &science, tile).reversed_axes(), scan.slice_move(s![..3 * columns.nx / 4, ..]), far)
            }
        };
        let border = BORDER.min(edge.ncols() / 4);
        if after.is_empty() || dark.is_empty() || edge.ncols() <= 2 * border {
            return None;
        }
        let inner = s![.., border..edge.ncols() - border];
        let (edge, after) = (edge.slice_move(inner), after.slice_move(inner));
        let bias = |k: usize| match direction {
            Direction::Parallel => mean(dark.slice(s![k..=k, ..])),
            Direction::Serial => mean(dark),
        };
        let bias_pixels = match direction {
            Direction::Parallel => dark.ncols(),
            Direction::Serial => dark.len(),
        };
        let lines = edge.ncols() as f64;
        let last = edge.slice(s![edge.nrows() - EDGE.min(edge.nrows()).., ..]);
        let all_dark = mean(dark);
        level += lines * gain * (mean(last.view()) - all_dark);
        scatter += lines * (gain * gain * variance(last) - read * read).max(0.0);
        weight += lines;
        trail.resize(after.nrows(), (0.0, 0.0));
        for (k, sums) in trail.iter_mut().enumerate() {
            let electrons = gain * (mean(after.slice(s![k..=k, ..])) - bias(k));
            let variance = (electrons.max(0.0) + read * read) / lines + read * read / bias_pixels as f64;
            sums.0 += lines * electrons;
            sums.1 += lines * lines * variance;
        }
    }
    let trail = trail.into_iter().map(|(sum, square)| Measured { value: sum / weight, error: square.sqrt() / weight }).collect();
    (weight > 0.0).then_some(EdgeTrail { level_electron: level / weight, scatter_electron: (scatter / weight).sqrt(), trail })
}
