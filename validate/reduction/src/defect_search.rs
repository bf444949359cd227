//! Defects found in calibration frames: dead pixels and blocked columns in the flat, pockets in a dim flat, telegraph pixels in the
//! scatter among darks.
//!
//! # Formula
//! Dead: response below half of the median of its block. Blocked: all but a few pixels dead from a row to the far end of the column.
//! Pocket: deficit `d = R s - v` of a dim flat, R bright flat, s median of `v / R` of the neighbours in the row, so that neither a cold
//! pixel nor a slope of the light (shutter) is a deficit; the run of rows with the largest sum of `d / sigma - 1` (cumulative-sum test); capacity `sum of d` over the run. Telegraph: of the
//! darks of equal time, without hits and without the largest value, `chi2 = sum (v - <v>)^2 / (r^2 + <v>)` is improbable: its cube root is
//! nearly normal (Wilson & Hilferty)
//! # Symbols
//! `v` electrons of a pixel; `r` read noise \[electron\]
//! # Source
//! Cumulative sums: Page 1954 (Biometrika 41, 100). Wilson & Hilferty 1931 (Proc. Nat. Acad. Sci. 17, 684). Flat below half of the median:
//! csster/csst. Telegraph pixels by their scatter: Hopkins & Hopkinson 1993 (IEEE Trans. Nucl. Sci. 40, 1567).
//! # Limits
//! A pocket smaller than `POCKET_SIGMAS` of the noise of its rows is not seen, nor one on a cold pixel. A pixel that never jumped
//! while the darks were taken is not found, nor one whose jumps are small against the noise of a dark. Hits are known by a
//! neighbour that is high in the same frame: single-pixel hits count, which is why the largest value is left out. The reduction of
//! the chi-square that this brings is not corrected for: fewer are found, not more.

use ndarray::{Array2, ArrayView2, s};
use rayon::prelude::*;
use sim_core::detector::{AmplifierTile, ReadoutLayout};
use sim_core::flags;
use sim_core::frame::Window;
use sim_core::knowledge::{ColumnDefect, ColumnFault, Measured};

/// Side of the blocks whose median is the local level.
const BLOCK: usize = 32;
/// Response below which a pixel is dead, in units of its block.
const DEAD_RESPONSE: f32 = 0.5;
/// Shortest run of dead pixels to the far end that makes a column blocked.
const LEAST_BLOCKED: usize = 16;
/// Share of live pixels a blocked stretch may have.
const LIVE_SHARE: f64 = 0.05;
/// Standard deviations of a pocket's capacity that make it one.
const POCKET_SIGMAS: f64 = 7.0;
/// Pixels on either side whose ratio of flats is the light of a pixel.
const NEIGHBOURS: usize = 8;
/// Variance of a pixel less the median of its 16 neighbours, in units of its own: 1 + (pi / 2) / 16.
const MEDIAN_COST: f64 = 1.1;
/// Standard deviations of improbable scatter that make a telegraph pixel.
const TELEGRAPH_SIGMAS: f64 = 5.5;
/// A value of a dark is a hit when it exceeds the pixel's median by this many standard deviations ...
const HIT_SIGMAS: f32 = 5.0;
/// ... and one of its neighbours exceeds its own by this many.
const NEIGHBOUR_SIGMAS: f32 = 4.0;
/// Least number of darks that show scatter.
pub const LEAST_DARKS: usize = 5;

/// Why a search was refused.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum DefectSearchError {
    /// Arrays of different shapes.
    #[error("defect search: {what} of {got:?} (rows, columns), the window has {need:?}")]
    Shape {
        /// Array.
        what: &'static str,
        /// Its shape.
        got: (usize, usize),
        /// Shape needed.
        need: (usize, usize),
    },
    /// Too few darks.
    #[error("defect search: telegraph pixels need {LEAST_DARKS} darks of equal time, found {0}")]
    TooFewDarks(usize),
    /// The flat has no light.
    #[error("defect search: the median of {what} is {level}, it must be above 0")]
    NoLight {
        /// Array.
        what: &'static str,
        /// Its median.
        level: f32,
    },
}

fn check(what: &'static str, got: (usize, usize), need: (usize, usize)) -> Result<(), DefectSearchError> {
    if got == need { Ok(()) } else { Err(DefectSearchError::Shape { what, got, need }) }
}

fn median(values: &mut [f32]) -> f32 {
    if values.is_empty() {
        return 0.0;
    }
    let at = values.len() / 2;
    *values.select_nth_unstable_by(at, f32::total_cmp).1
}

/// Median of every block; those at the upper and right edge are the smaller ones that are left.
fn block_medians(image: &Array2<f32>) -> Array2<f32> {
    let (rows, columns) = image.dim();
    let shape = (rows.div_ceil(BLOCK), columns.div_ceil(BLOCK));
    let values: Vec<f32> = (0..shape.0 * shape.1)
        .into_par_iter()
        .map(|k| {
            let (y, x) = (k / shape.1 * BLOCK, k % shape.1 * BLOCK);
            let block = image.slice(s![y..(y + BLOCK).min(rows), x..(x + BLOCK).min(columns)]);
            median(&mut block.iter().copied().filter(|v| v.is_finite()).collect::<Vec<f32>>())
        })
        .collect();
    Array2::from_shape_fn(shape, |(y, x)| values[y * shape.1 + x])
}

/// DEAD where the response is below half of that of its surroundings.
///
/// # Errors
/// When the flat has no light.
pub fn dead_pixels(flat: &Array2<f32>) -> Result<Array2<u32>, DefectSearchError> {
    let local = block_medians(flat);
    let level = median(&mut local.iter().copied().collect::<Vec<f32>>());
    if level.is_nan() || level <= 0.0 {
        return Err(DefectSearchError::NoLight { what: "the flat", level });
    }
    Ok(Array2::from_shape_fn(flat.dim(), |(y, x)| {
        // Not above, so that NaN is dead.
        let alive = flat[(y, x)] >= DEAD_RESPONSE * local[(y / BLOCK, x / BLOCK)];
        if alive { 0 } else { flags::DEAD }
    }))
}

/// Rows of a tile in the order of transfer.
fn order(tile: &AmplifierTile) -> impl Iterator<Item = usize> + Clone + use<> {
    let (y0, ny, flip) = (tile.science.y0, tile.science.ny, tile.flip_y);
    (0..ny).map(move |k| if flip { y0 + ny - 1 - k } else { y0 + k })
}

/// Every column of every section: tile and column of the window.
fn columns(layout: &ReadoutLayout) -> Vec<(&AmplifierTile, usize)> {
    layout.tiles.iter().flat_map(|t| (t.science.x0..t.science.x0 + t.science.nx).map(move |x| (t, x))).collect()
}

fn defect(tile: &AmplifierTile, window: Window, x: usize, k: usize, fault: ColumnFault) -> ColumnDefect {
    ColumnDefect { x: window.x0 + x, register: usize::from(tile.flip_y), row: tile.parallel_science + k, fault }
}

/// Columns that are dead from a row to the far end, in the map of [`dead_pixels`].
#[must_use]
pub fn blocked_columns(dead: &Array2<u32>, layout: &ReadoutLayout, window: Window) -> Vec<ColumnDefect> {
    let one = |&(tile, x): &(&AmplifierTile, usize)| {
        let column: Vec<bool> = order(tile).map(|y| dead[(y, x)] & flags::DEAD != 0).collect();
        let (mut first, mut live) = (None, 0);
        for (length, k) in (1..).zip((0..column.len()).rev()) {
            live += usize::from(!column[k]);
            if live as f64 > 1.0 + LIVE_SHARE * length as f64 {
                break;
            }
            if column[k] && live as f64 <= LIVE_SHARE * length as f64 {
                first = Some(k);
            }
        }
        first.filter(|k| column.len() - k >= LEAST_BLOCKED).map(|k| defect(tile, window, x, k, ColumnFault::Blocked))
    };
    columns(layout).par_iter().filter_map(one).collect()
}

/// The largest run of positive `z - 1`: rows and sum of `z` in units of the root of its length.
fn largest_run(z: &[f64]) -> Option<std::ops::Range<usize>> {
    let (mut sum, mut start) = (0.0, 0);
    let (mut best, mut found) = (0.0, None);
    for (k, z) in z.iter().enumerate() {
        if sum <= 0.0 {
            (sum, start) = (0.0, k);
        }
        sum += z - 1.0;
        if sum > best {
            (best, found) = (sum, Some(start..k + 1));
        }
    }
    found
}

/// A dim and a bright flat, both means of frames in electrons, not divided by each other.
#[derive(Debug, Clone, Copy)]
pub struct FlatPair<'a> {
    /// Dim flat \[electron\].
    pub dim: &'a Array2<f32>,
    /// Frames in it.
    pub dim_frames: usize,
    /// Bright flat \[electron\].
    pub bright: &'a Array2<f32>,
    /// Frames in it.
    pub bright_frames: usize,
}

/// Median of the ratio of the two flats over the neighbours of every pixel in its row and amplifier.
fn light_beside(flats: &FlatPair<'_>, layout: &ReadoutLayout) -> Array2<f32> {
    let (rows, width) = flats.dim.dim();
    let lines: Vec<Vec<f32>> = (0..rows)
        .into_par_iter()
        .map(|y| {
            let ratio = |x: usize| flats.dim[(y, x)] / flats.bright[(y, x)];
            let mut line = vec![0.0; width];
            for (_, tile) in crate::amplifiers::tiles_of_row(layout, y) {
                let (low, high) = (tile.science.x0, tile.science.x0 + tile.science.nx);
                for (x, out) in line.iter_mut().enumerate().take(high).skip(low) {
                    // As many on either side, so that a slope does not show.
                    let reach = NEIGHBOURS.min(x - low).min(high - 1 - x);
                    let reach = if reach < 2 { NEIGHBOURS } else { reach };
                    let near = x.saturating_sub(reach).max(low)..(x + reach + 1).min(high);
                    let mut values: Vec<f32> =
                        near.filter(|&k| k != x && flats.bright[(y, k)] > 0.0).map(ratio).filter(|v| v.is_finite()).collect();
                    *out = median(&mut values);
                }
            }
            line
        })
        .collect();
    Array2::from_shape_fn((rows, width), |(y, x)| lines[y][x])
}

/// Pockets in a dim flat. Columns in `blocked` are left out. At most one pocket in a column.
///
/// # Errors
/// When the arrays do not fit the window or there is no light.
pub fn pockets(
    flats: &FlatPair<'_>,
    read_noise: &[Measured],
    layout: &ReadoutLayout,
    window: Window,
    blocked: &[ColumnDefect],
) -> Result<Vec<ColumnDefect>, DefectSearchError> {
    check("the dim flat", flats.dim.dim(), window.shape())?;
    check("the bright flat", flats.bright.dim(), window.shape())?;
    for (what, image) in [("the dim flat", flats.dim), ("the bright flat", flats.bright)] {
        let level = median(&mut block_medians(image).iter().copied().collect::<Vec<f32>>());
        if level.is_nan() || level <= 0.0 {
            return Err(DefectSearchError::NoLight { what, level });
        }
    }
    let local = light_beside(flats, layout);
    let dim = flats.dim;
    let (n, of_bright) = (flats.dim_frames.max(1) as f64, flats.bright_frames.max(1) as f64);
    let one = |&(tile, x): &(&AmplifierTile, usize)| {
        let register = usize::from(tile.flip_y);
        if blocked.iter().any(|b| b.x == window.x0 + x && b.register == register) {
            return None;
        }
        let noise2 = read_noise.get(tile.amplifier).map_or(0.0, |n| n.value * n.value);
        let expected: Vec<f64> = order(tile).map(|y| f64::from(flats.bright[(y, x)]) * f64::from(local[(y, x)])).collect();
        let deficit: Vec<f64> = order(tile).zip(&expected).map(|(y, e)| e - f64::from(dim[(y, x)])).collect();
        // The pixel itself, the bright flat, and the median of its neighbours.
        let variance: Vec<f64> = order(tile)
            .zip(&expected)
            .map(|(y, e)| {
                let e = e.max(0.0);
                let bright = f64::from(flats.bright[(y, x)]).max(1.0) * of_bright;
                (MEDIAN_COST * (e + noise2) / n) + e * e / bright
            })
            .collect();
        let z: Vec<f64> = deficit.iter().zip(&variance).map(|(d, v)| d / v.sqrt().max(1e-6)).collect();
        let run = largest_run(&z)?;
        // Noise may have begun the run early. The first packets are swallowed whole, but for a pocket that holds less than one of them.
        let whole = run.clone().find(|&k| deficit[k] > 0.5 * expected[k]);
        let deepest = run.clone().max_by(|&a, &b| z[a].total_cmp(&z[b]));
        let run = whole.or(deepest)?..run.end;
        let value: f64 = deficit[run.clone()].iter().sum();
        let error = variance[run.clone()].iter().sum::<f64>().sqrt();
        let capacity_electron = Measured { value, error };
        (value > POCKET_SIGMAS * error).then(|| defect(tile, window, x, run.start, ColumnFault::Pocket { capacity_electron }))
    };
    Ok(columns(layout).par_iter().filter_map(one).collect())
}

/// How improbable a chi-square is, in standard deviations of a normal.
#[must_use]
pub fn improbability(chi2: f64, freedom: f64) -> f64 {
    let k = 2.0 / (9.0 * freedom);
    ((chi2 / freedom).cbrt() - (1.0 - k)) / k.sqrt()
}

/// TELEGRAPH where darks of equal time scatter more than their noise: `darks` in electrons, bias and overscan subtracted, whole
/// windows or bands of rows; `read_noise2` of a pixel \[electron^2\] by row and column.
///
/// # Errors
/// With fewer than [`LEAST_DARKS`] darks or arrays of different shapes.
pub fn telegraph_pixels(
    darks: &[ArrayView2<'_, f32>],
    read_noise2: impl Fn(usize, usize) -> f32 + Sync,
) -> Result<Array2<u32>, DefectSearchError> {
    if darks.len() < LEAST_DARKS {
        return Err(DefectSearchError::TooFewDarks(darks.len()));
    }
    let shape = darks[0].dim();
    darks.iter().try_for_each(|d| check("a dark", d.dim(), shape))?;
    // Median and standard deviation of every pixel of a row, with a border of one pixel.
    let row_medians = |y: usize| -> Vec<(f32, f32)> {
        let of = |x: usize| {
            let middle = median(&mut darks.iter().map(|d| d[(y, x)]).collect::<Vec<f32>>());
            (middle, (read_noise2(y, x) + middle.max(0.0)).sqrt())
        };
        (0..shape.1).map(of).collect()
    };
    let rows: Vec<Vec<u32>> = (0..shape.0)
        .into_par_iter()
        .with_min_len(16)
        .map_init(Vec::new, |near: &mut Vec<(usize, Vec<(f32, f32)>)>, y| {
            let (low, high) = (y.saturating_sub(1), (y + 1).min(shape.0.saturating_sub(1)));
            near.retain(|(at, _)| (low..=high).contains(at));
            for at in low..=high {
                if near.iter().all(|n| n.0 != at) {
                    near.push((at, row_medians(at)));
                }
            }
            near.sort_by_key(|n| n.0);
            let own = |at: usize| &near[at - low].1;
            let pixel = |x: usize| {
                let (middle, sigma) = own(y)[x];
                let is_hit = |dark: &ArrayView2<'_, f32>| {
                    let beside = |at: usize, x: usize| {
                        let (middle, sigma) = own(at)[x];
                        dark[(at, x)] - middle > NEIGHBOUR_SIGMAS * sigma
                    };
                    dark[(y, x)] - middle > HIT_SIGMAS * sigma
                        && (low..=high)
                            .any(|at| (x.saturating_sub(1)..=(x + 1).min(shape.1 - 1)).any(|x2| (at, x2) != (y, x) && beside(at, x2)))
                };
                let mut values: Vec<f32> = darks.iter().filter(|d| !is_hit(d)).map(|d| d[(y, x)]).collect();
                values.sort_by(f32::total_cmp);
                values.pop();
                if values.len() + 1 < LEAST_DARKS {
                    return 0;
                }
                let n = values.len() as f64;
                let mean = values.iter().map(|&v| f64::from(v)).sum::<f64>() / n;
                let scatter: f64 = values.iter().map(|&v| (f64::from(v) - mean).powi(2)).sum();
                let chi2 = scatter / (f64::from(read_noise2(y, x)) + mean.max(0.0));
                if improbability(chi2, n - 1.0) > TELEGRAPH_SIGMAS { flags::TELEGRAPH } else { 0 }
            };
            (0..shape.1).map(pixel).collect()
        })
        .collect();
    Ok(Array2::from_shape_fn(shape, |(y, x)| rows[y][x]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_largest_run_starts_where_the_deficit_does() {
        let z = [0.5, -1.0, 9.0, 9.0, 9.0, 4.0, 0.2, -0.5, 2.0];
        assert_eq!(largest_run(&z), Some(2..6));
        assert_eq!(largest_run(&[0.0, 0.9, 1.0]), None);
    }

    #[test]
    fn improbability_of_a_chi_square_is_that_of_the_tables() {
        // Upper points of chi-square of 10 degrees of freedom: 18.307 (5 %, 1.645 sigma), 29.588 (0.1 %, 3.090 sigma).
        assert!((improbability(18.307, 10.0) - 1.645).abs() < 0.01);
        assert!((improbability(29.588, 10.0) - 3.090).abs() < 0.03);
    }

    #[test]
    fn too_few_darks_and_no_light_are_named() {
        let dark = Array2::<f32>::zeros((4, 4));
        let views = vec![dark.view(); 3];
        assert_eq!(telegraph_pixels(&views, |_, _| 25.0), Err(DefectSearchError::TooFewDarks(3)));
        let message = dead_pixels(&dark).unwrap_err().to_string();
        assert_eq!(message, "defect search: the median of the flat is 0, it must be above 0");
    }
}
