//! How strong the fringes of a frame are: a clipped fit of the pattern beside a smooth background.
//!
//! # Formula
//! Medians m of cells of pixels: m = a p + sum c_ij P_i(u) P_j(v), i + j <= 4, P Legendre, u and v in (-1, 1); least squares, cells
//! further than 3 standard deviations (1.4826 x median of |residual|) left out until nothing changes, at most 10 times.
//! # Limits
//! Cells that hold part of a bright source are outliers; wide halos are not and add to the error. Structure finer than the
//! polynomial and like the pattern is taken for fringes.

use nalgebra::{DMatrix, DVector};
use ndarray::Array2;
use rayon::prelude::*;
use sim_core::median::median;

/// Degree of the background.
pub const DEGREE: usize = 4;
/// Least cells for a fit.
const LEAST_CELLS: usize = 64;
/// Scatter beyond which a cell is left out.
const CLIP: f64 = 3.0;
/// The same about the median, before the first fit.
const FIRST_CLIP: f64 = 5.0;

/// One cell.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Cell {
    /// Place over the columns, -1..1.
    pub u: f64,
    /// Place over the rows, -1..1.
    pub v: f64,
    /// Median of its pixels.
    pub value: f64,
    /// Pattern there.
    pub pattern: f64,
}

/// Strength of the pattern.
#[derive(Debug, Clone, PartialEq)]
pub struct Fit {
    /// Factor on the pattern, in the unit of the values.
    pub amplitude: f64,
    /// Its standard error, from the scatter of the cells.
    pub error: f64,
    /// Cells used.
    pub used: usize,
    /// Standard deviation of the cells about the fit.
    pub scatter: f64,
    /// Background of every cell given.
    pub background: Vec<f64>,
}

/// The terms of the background at a place.
#[must_use]
pub fn terms(u: f64, v: f64) -> Vec<f64> {
    let powers = |x: f64| {
        let mut p = vec![1.0, x];
        for n in 1..DEGREE {
            let k = n as f64;
            p.push(((2.0 * k + 1.0) * x * p[n] - k * p[n - 1]) / (k + 1.0));
        }
        p
    };
    let (pu, pv) = (powers(u), powers(v));
    (0..=DEGREE).flat_map(|j| (0..=DEGREE - j).map(move |i| (i, j))).map(|(i, j)| pu[i] * pv[j]).collect()
}

/// Medians of square cells of unflagged, finite pixels, `[row, column]`; NaN where fewer than a quarter of a cell's samples
/// are good. Every `stride`-th pixel of both axes is a sample.
#[must_use]
pub fn medians(pixels: &Array2<f32>, flags: Option<&Array2<u32>>, cell: usize, stride: usize) -> Array2<f32> {
    let (ny, nx) = pixels.dim();
    let cells = |n: usize| sim_core::knowledge::FringeFrame::cells(n, cell);
    let (rows, columns) = (cells(ny), cells(nx));
    let edge = |i: usize, count: usize, n: usize| if i == count { n } else { i * cell };
    let per_cell = cell.div_ceil(stride).pow(2);
    let values: Vec<f32> = (0..rows)
        .into_par_iter()
        .flat_map_iter(|j| {
            let mut all = Vec::with_capacity(2 * per_cell);
            (0..columns)
                .map(|i| {
                    all.clear();
                    for y in (edge(j, rows, ny)..edge(j + 1, rows, ny)).step_by(stride) {
                        for x in (edge(i, columns, nx)..edge(i + 1, columns, nx)).step_by(stride) {
                            let value = pixels[[y, x]];
                            if value.is_finite() && flags.is_none_or(|f| f[[y, x]] == 0) {
                                all.push(value);
                            }
                        }
                    }
                    if 4 * all.len() < per_cell || all.is_empty() {
                        return f32::NAN;
                    }
                    median(&mut all).unwrap_or(f32::NAN)
                })
                .collect::<Vec<_>>()
        })
        .collect();
    Array2::from_shape_vec((rows, columns), values).unwrap_or_else(|_| unreachable!("one value a cell"))
}

/// Cells of a mesh of values with a pattern on the same mesh, those that are not finite left out; every `stride`-th of both
/// axes.
#[must_use]
pub fn cells(values: &Array2<f32>, pattern: Option<&Array2<f32>>, stride: usize) -> Vec<Cell> {
    let (rows, columns) = values.dim();
    let place = |i: usize, n: usize| (2.0 * i as f64 + 1.0) / n as f64 - 1.0;
    let mut out = Vec::new();
    for j in (0..rows).step_by(stride.max(1)) {
        for i in (0..columns).step_by(stride.max(1)) {
            let pattern = pattern.map_or(0.0, |p| f64::from(p[[j, i]]));
            let value = f64::from(values[[j, i]]);
            if value.is_finite() && pattern.is_finite() {
                out.push(Cell { u: place(i, columns), v: place(j, rows), value, pattern });
            }
        }
    }
    out
}

/// Fits the pattern and the background; without a pattern (all zero) the background alone, amplitude 0. `None` with too few
/// cells.
#[must_use]
pub fn fit(cells: &[Cell]) -> Option<Fit> {
    let patterned = cells.iter().any(|c| c.pattern != 0.0);
    let first = usize::from(patterned);
    let rows: Vec<Vec<f64>> = cells
        .iter()
        .map(|c| {
            let mut row = if patterned { vec![c.pattern] } else { Vec::new() };
            row.extend(terms(c.u, c.v));
            row
        })
        .collect();
    let count = rows.first()?.len();
    // Bright sources out before the first fit, which they would bend.
    let centre = median(&mut cells.iter().map(|c| c.value).collect::<Vec<_>>())?;
    let spread = 1.4826 * median(&mut cells.iter().map(|c| (c.value - centre).abs()).collect::<Vec<_>>())?;
    let mut good: Vec<bool> = cells.iter().map(|c| (c.value - centre).abs() <= FIRST_CLIP * spread || spread == 0.0).collect();
    let mut last = None;
    for _ in 0..10 {
        let used = good.iter().filter(|g| **g).count();
        if used < LEAST_CELLS.max(2 * count) {
            return last;
        }
        let mut normal = DMatrix::<f64>::zeros(count, count);
        let mut right = DVector::<f64>::zeros(count);
        for ((row, cell), _) in rows.iter().zip(cells).zip(&good).filter(|(_, g)| **g) {
            for a in 0..count {
                right[a] += row[a] * cell.value;
                for b in a..count {
                    normal[(a, b)] += row[a] * row[b];
                }
            }
        }
        normal.fill_lower_triangle_with_upper_triangle();
        let inverse = normal.cholesky()?.inverse();
        let solution = &inverse * right;
        let of = |row: &[f64], from: usize| (from..count).map(|k| row[k] * solution[k]).sum::<f64>();
        let residual: Vec<f64> = rows.iter().zip(cells).map(|(row, cell)| cell.value - of(row, 0)).collect();
        let mut absolute: Vec<f64> = residual.iter().zip(&good).filter(|(_, g)| **g).map(|(r, _)| r.abs()).collect();
        let sigma = 1.4826 * median(&mut absolute)?;
        let square: f64 = residual.iter().zip(&good).filter(|(_, g)| **g).map(|(r, _)| r * r).sum();
        let scatter = (square / (used - count) as f64).sqrt();
        let (amplitude, error) = if patterned { (solution[0], scatter * inverse[(0, 0)].sqrt()) } else { (0.0, 0.0) };
        let background = rows.iter().map(|row| of(row, first)).collect();
        last = Some(Fit { amplitude, error, used, scatter, background });
        let next: Vec<bool> = residual.iter().map(|r| r.abs() <= CLIP * sigma || sigma == 0.0).collect();
        if next == good {
            break;
        }
        good = next;
    }
    last
}

#[cfg(test)]
mod tests {
    use super::*;
    use sim_core::noise;
    use sim_core::stream::StreamKey;

    fn field(noise_sigma: f64, amplitude: f64) -> Vec<Cell> {
        let mut draws = vec![0.0; 100 * 100];
        noise::normals(&StreamKey::new(5).stream(1), 0, &mut draws);
        let values = Array2::from_shape_fn((100, 100), |(j, i)| {
            let (u, v) = (i as f64 / 50.0 - 1.0, j as f64 / 50.0 - 1.0);
            let star = if (i * 7 + j * 13) % 50 == 0 { 40.0 } else { 0.0 };
            let pattern = (20.0 * u + 7.0 * v * v).sin() * std::f64::consts::SQRT_2;
            (30.0 + 3.0 * u - v * u + amplitude * pattern + star + noise_sigma * f64::from(draws[100 * j + i])) as f32
        });
        let pattern = Array2::from_shape_fn((100, 100), |(j, i)| {
            let (u, v) = (i as f64 / 50.0 - 1.0, j as f64 / 50.0 - 1.0);
            ((20.0 * u + 7.0 * v * v).sin() * std::f64::consts::SQRT_2) as f32
        });
        cells(&values, Some(&pattern), 1)
    }

    #[test]
    fn the_strength_comes_back_within_its_error_beside_stars_and_a_slope() {
        let fit = fit(&field(0.5, 0.8)).unwrap();
        // 9800 cells of 0.5 about a pattern of rms 1: 0.0051.
        assert!((fit.error / 0.0051 - 1.0).abs() < 0.1, "{fit:?}");
        assert!((fit.amplitude - 0.8).abs() < 4.0 * fit.error, "{} +- {}", fit.amplitude, fit.error);
    }

    #[test]
    fn no_fringes_are_found_where_there_are_none_and_few_cells_are_refused() {
        let found = fit(&field(0.5, 0.0)).unwrap();
        assert!(found.amplitude.abs() < 4.0 * found.error, "{} +- {}", found.amplitude, found.error);
        assert!(fit(&field(0.5, 0.0)[..20]).is_none());
    }

    #[test]
    fn a_cell_without_good_pixels_is_left_out() {
        let mut pixels = Array2::from_elem((16, 16), 2.0_f32);
        pixels.slice_mut(ndarray::s![0..8, 0..8]).fill(f32::NAN);
        let mesh = medians(&pixels, None, 8, 2);
        assert!(mesh[[0, 0]].is_nan() && mesh[[1, 1]] == 2.0);
        assert_eq!(cells(&mesh, None, 1).len(), 3);
    }
}
