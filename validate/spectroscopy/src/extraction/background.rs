//! The background of a slitless frame on a mesh, and what is left of it beside a spectrum.
//!
//! # Formula
//! In each cell: mean of `rate - model` over the pixels where the model is faint, clipped at 3 sigma about the median until nothing changes; cells by median
//! over 3 x 3; bilinear between the middles of cells. Beside a spectrum: clipped mean of both sides in blocks along the trace, a straight line through them.
//! # Symbols
//! model  frame of all traces of all orders ([`super::model`])
//! # Source
//! Bertin & Arnouts 1996 (A&AS 117, 393) for mesh and clipping; Rousseeuw & Croux 1993 for sigma from the median absolute deviation.
//! # Limits
//! Structure finer than a cell is not followed. A cell with less than a tenth of its pixels takes the mean of its neighbours.

use super::elements::Patch;
use crate::image::SlitlessImage;
use ndarray::{Array2, ArrayView2, s};
use rayon::prelude::*;
use sim_core::median::{SIGMA_PER_MAD, median};

/// Least share of a cell's pixels.
const LEAST: f64 = 0.1;
/// Clipping \[sigma\].
const CLIP: f64 = 3.0;

/// A smooth background \[electron / s / pixel\].
#[derive(Debug, Clone, PartialEq)]
pub struct Background {
    /// Values at the middles of the cells, `[y, x]`.
    pub mesh: Array2<f64>,
    /// Standard error of each cell.
    pub error: Array2<f64>,
    /// Side of a cell \[pixel\].
    pub cell: usize,
    /// Cells that had too few pixels of their own.
    pub filled: usize,
}

/// Mean and its standard error after clipping; `None` without values. Reorders and shortens `values`.
pub(crate) fn clipped_mean(values: &mut Vec<f64>) -> Option<(f64, f64)> {
    for _ in 0..10 {
        let middle = median(values)?;
        let mut deviations: Vec<f64> = values.iter().map(|v| (v - middle).abs()).collect();
        let sigma = SIGMA_PER_MAD * median(&mut deviations)?;
        let before = values.len();
        values.retain(|v| (v - middle).abs() <= CLIP * sigma || sigma == 0.0);
        if values.len() == before {
            break;
        }
    }
    let n = values.len() as f64;
    let mean = values.iter().sum::<f64>() / n;
    let variance = values.iter().map(|v| (v - mean).powi(2)).sum::<f64>() / (n - 1.0).max(1.0);
    Some((mean, (variance / n).sqrt()))
}

impl Background {
    /// The same everywhere.
    #[must_use]
    pub fn constant(value: f64) -> Self {
        Self { mesh: Array2::from_elem((1, 1), value), error: Array2::zeros((1, 1)), cell: usize::MAX, filled: 0 }
    }
    /// On a mesh of cells of `cell` pixels. Pixels with a flag of `bad`, without an error, or where the model is above `faint` times their error are left out.
    #[must_use]
    pub fn measure(image: &SlitlessImage, model: Option<ArrayView2<f32>>, cell: usize, faint: f64, bad: u16) -> Self {
        let (rows, columns) = image.rate.dim();
        let cell = cell.clamp(8, rows.max(columns).max(8));
        let (ny, nx) = (rows.div_ceil(cell), columns.div_ceil(cell));
        let cells: Vec<Option<(f64, f64)>> = (0..ny * nx)
            .into_par_iter()
            .map(|k| {
                let (y, x) = ((k / nx) * cell, (k % nx) * cell);
                let window = s![y..(y + cell).min(rows), x..(x + cell).min(columns)];
                let (rate, error, flags) = (image.rate.slice(window), image.error.slice(window), image.flags.slice(window));
                let mut values = Vec::with_capacity(rate.len());
                for (at, &r) in rate.indexed_iter() {
                    let m = model.map_or(0.0, |m| m[(y + at.0, x + at.1)]);
                    if r.is_finite()
                        && error[at] > 0.0
                        && error[at].is_finite()
                        && flags[at] & bad == 0
                        && f64::from(m) <= faint * f64::from(error[at])
                    {
                        values.push(f64::from(r - m));
                    }
                }
                if (values.len() as f64) < LEAST * rate.len() as f64 { None } else { clipped_mean(&mut values) }
            })
            .collect();
        let filled = cells.iter().filter(|c| c.is_none()).count();
        let (values, errors) = (filled_in(&cells, ny, nx, |c| c.0), filled_in(&cells, ny, nx, |c| c.1));
        let mesh = Array2::from_shape_fn((ny, nx), |(y, x)| {
            let mut near: Vec<f64> = neighbours(y, x, 1, ny, nx).map(|at| values[at]).collect();
            // The upper of two middle values would be too high: both.
            near.sort_by(f64::total_cmp);
            0.5 * (near[(near.len() - 1) / 2] + near[near.len() / 2])
        });
        Self { mesh, error: errors, cell, filled }
    }
    /// Value at a pixel of the frame, counted from the frame's own corner.
    #[must_use]
    #[inline]
    pub fn at(&self, x: f64, y: f64) -> f64 {
        let (ny, nx) = self.mesh.dim();
        if nx * ny == 1 {
            return self.mesh[(0, 0)];
        }
        let place = |v: f64, n: usize| {
            let p = ((v + 0.5) / self.cell as f64 - 0.5).clamp(0.0, (n - 1) as f64);
            let i = (p as usize).min(n.saturating_sub(2));
            (i, (i + 1).min(n - 1), p - i as f64)
        };
        let ((x0, x1, fx), (y0, y1, fy)) = (place(x, nx), place(y, ny));
        let row = |y: usize| (1.0 - fx) * self.mesh[(y, x0)] + fx * self.mesh[(y, x1)];
        (1.0 - fy) * row(y0) + fy * row(y1)
    }
    /// Mean over the cells.
    #[must_use]
    pub fn mean(&self) -> f64 {
        self.mesh.iter().sum::<f64>() / self.mesh.len() as f64
    }
}

fn neighbours(y: usize, x: usize, reach: usize, ny: usize, nx: usize) -> impl Iterator<Item = (usize, usize)> {
    let (y0, y1, x0, x1) = (y.saturating_sub(reach), (y + reach).min(ny - 1), x.saturating_sub(reach), (x + reach).min(nx - 1));
    (y0..=y1).flat_map(move |j| (x0..=x1).map(move |i| (j, i)))
}

/// Cells without a value take the mean of the nearest that have one; 0 when none has.
fn filled_in(cells: &[Option<(f64, f64)>], ny: usize, nx: usize, part: impl Fn(&(f64, f64)) -> f64) -> Array2<f64> {
    Array2::from_shape_fn((ny, nx), |(y, x)| {
        (0..ny.max(nx))
            .find_map(|reach| {
                let near: Vec<f64> = neighbours(y, x, reach, ny, nx).filter_map(|(j, i)| cells[j * nx + i].as_ref().map(&part)).collect();
                (!near.is_empty()).then(|| near.iter().sum::<f64>() / near.len() as f64)
            })
            .unwrap_or(0.0)
    })
}

/// What is left of the background beside a spectrum, for each column of the patch, and its standard error; `None` when less than 40 pixels are free.
/// Pixels farther than `inner` rows from the trace whose contamination is below their error are used; `own` gives the source's light in a pixel.
#[must_use]
pub fn residual(patch: &Patch, inner: f64, own: impl Fn(usize, f64) -> f64) -> Option<(Vec<f64>, f64)> {
    const BLOCKS: usize = 6;
    let count = patch.columns.len();
    let mut points: Vec<(f64, f64, f64)> = Vec::with_capacity(BLOCKS);
    let (mut all, mut least) = (0, f64::INFINITY);
    for block in 0..BLOCKS {
        let (from, to) = (block * count / BLOCKS, (block + 1) * count / BLOCKS);
        let mut values = Vec::new();
        for (i, column) in patch.columns.iter().enumerate().take(to).skip(from) {
            let free = column.pixels.iter().filter(|p| p.good && p.distance.abs() > inner && p.contamination.powi(2) < p.stated);
            values.extend(free.map(|p| p.rate - own(i, p.distance)));
        }
        all += values.len();
        if values.len() > 5
            && let Some((mean, error)) = clipped_mean(&mut values)
            && error > 0.0
        {
            points.push((0.5 * (from + to) as f64, mean, error.powi(-2)));
            least = least.min(error);
        }
    }
    if all < 40 || points.is_empty() {
        return None;
    }
    let weight: f64 = points.iter().map(|p| p.2).sum();
    let x0 = points.iter().map(|p| p.2 * p.0).sum::<f64>() / weight;
    let mean = points.iter().map(|p| p.2 * p.1).sum::<f64>() / weight;
    let (sxy, sxx) = points.iter().fold((0.0, 0.0), |s, p| (s.0 + p.2 * (p.0 - x0) * (p.1 - mean), s.1 + p.2 * (p.0 - x0).powi(2)));
    let slope = if points.len() > 2 && sxx > 0.0 { sxy / sxx } else { 0.0 };
    // Standard error of the line, its mean over the columns: that of the mean, and as much again for the slope.
    let error = (if points.len() > 2 { 2.0 } else { 1.0 } / weight).sqrt();
    Some(((0..count).map(|i| mean + slope * (i as f64 + 0.5 - x0)).collect(), error))
}

#[cfg(test)]
mod tests {
    use super::*;
    use sim_core::noise::normals;
    use sim_core::stream::StreamKey;

    #[test]
    fn a_slope_is_found_beneath_traces_that_the_model_covers_and_hits_that_it_does_not() {
        let (ny, nx) = (256, 512);
        let mut noise = vec![0f32; ny * nx];
        normals(&StreamKey::new(5).stream(0), 0, &mut noise);
        let truth = |x: usize, y: usize| 0.2 + 1e-4 * x as f64 + 5e-5 * y as f64;
        let mut model = Array2::<f32>::zeros((ny, nx));
        model.slice_mut(s![100..110, ..]).fill(1.0);
        let mut rate = Array2::from_shape_fn((ny, nx), |(y, x)| truth(x, y) as f32 + 0.02 * noise[y * nx + x]) + 1.1 * &model;
        for k in 0..800 {
            rate[((k * 37) % ny, (k * 101) % nx)] += 3.0;
        }
        let (error, flags) = (Array2::from_elem((ny, nx), 0.02f32), Array2::zeros((ny, nx)));
        let image = SlitlessImage { rate: rate.view(), error: error.view(), flags: flags.view(), origin: (0, 0), time_s: 600.0 };
        let background = Background::measure(&image, Some(model.view()), 64, 0.2, 1);
        for (x, y) in [(100usize, 50usize), (250, 128), (400, 200)] {
            let off = background.at(x as f64, y as f64) - truth(x, y);
            assert!(off.abs() < 0.003, "{off} at {x}, {y}");
        }
        assert_eq!(background.filled, 0);
    }
}
