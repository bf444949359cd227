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

use ndarray::{Array2, ArrayView1, ArrayView2, s};
use rayon::prelude::*;
use sim_core::detector::{AmplifierTile, ReadoutLayout, Rect};
use sim_core::flags;
use sim_core::frame::Window;
use sim_core::knowledge::{ColumnDefect, ColumnFault, Measured};
use sim_core::median::median;
use std::collections::BTreeMap;

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

/// Median of every block; those at the upper and right edge are the smaller ones that are left.
fn block_medians(image: &Array2<f32>) -> Array2<f32> {
    let (rows, columns) = image.dim();
    let shape = (rows.div_ceil(BLOCK), columns.div_ceil(BLOCK));
    let values: Vec<f32> = (0..shape.0 * shape.1)
        .into_par_iter()
        .map(|k| {
            let (y, x) = (k / shape.1 * BLOCK, k % shape.1 * BLOCK);
            let block = image.slice(s![y..(y + BLOCK).min(rows), x..(x + BLOCK).min(columns)]);
            median(&mut block.iter().copied().filter(|v| v.is_finite()).collect::<Vec<f32>>()).unwrap_or(0.0)
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
    let level = median(&mut local.iter().copied().collect::<Vec<f32>>()).unwrap_or(0.0);
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

/// Place of a row of the window in that order; `None` in another tile.
fn place_in_order(tile: &AmplifierTile, y: usize) -> Option<usize> {
    let k = y.checked_sub(tile.science.y0).filter(|k| *k < tile.science.ny)?;
    Some(if tile.flip_y { tile.science.ny - 1 - k } else { k })
}

fn defect(tile: &AmplifierTile, window: Window, x: usize, k: usize, fault: ColumnFault) -> ColumnDefect {
    ColumnDefect { x: window.x0 + x, register: usize::from(tile.flip_y), row: tile.parallel_science + k, fault }
}

/// Columns that are dead from a row to the far end, in the map of [`dead_pixels`].
#[must_use]
pub fn blocked_columns(dead: &Array2<u32>, layout: &ReadoutLayout, window: Window) -> Vec<ColumnDefect> {
    let places = dead.indexed_iter().filter(|(_, bits)| **bits & flags::DEAD != 0).map(|(at, _)| at);
    blocked_by(&places.collect::<Vec<_>>(), layout, window)
}

/// The same for dead pixels `(row, column)` of the window, in any order.
#[must_use]
pub fn blocked_by(dead: &[(usize, usize)], layout: &ReadoutLayout, window: Window) -> Vec<ColumnDefect> {
    let mut by_column: BTreeMap<usize, Vec<usize>> = BTreeMap::new();
    for &(y, x) in dead {
        by_column.entry(x).or_default().push(y);
    }
    let one = |&(tile, x): &(&AmplifierTile, usize)| {
        let dead = by_column.get(&x).filter(|rows| rows.len() >= LEAST_BLOCKED / 2)?;
        let mut column = vec![false; tile.science.ny];
        for k in dead.iter().filter_map(|&y| place_in_order(tile, y)) {
            column[k] = true;
        }
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

/// Sums up to a pixel of a column.
#[derive(Debug, Clone, Copy, Default)]
struct Mark {
    row: usize,
    deficit: f64,
    variance: f64,
}

/// The cumulative-sum test of one column, pixel by pixel in the order of transfer.
#[derive(Debug, Clone, Copy, Default)]
struct Cusum {
    now: Mark,
    sum: f64,
    /// First pixel of the present run that is swallowed whole.
    whole: Option<Mark>,
    /// Its deepest pixel.
    deepest: Option<(f64, Mark)>,
    best: f64,
    /// Where the best run begins and ends.
    found: Option<(Mark, Mark)>,
}

impl Cusum {
    fn add(&mut self, deficit: f64, variance: f64, expected: f64) {
        let z = deficit / variance.sqrt().max(1e-6);
        if self.sum <= 0.0 {
            (self.sum, self.whole, self.deepest) = (0.0, None, None);
        }
        self.sum += z - 1.0;
        // Noise may have begun the run early. The first packets are swallowed whole, but for a pocket that holds less than one of them.
        if self.whole.is_none() && deficit > 0.5 * expected {
            self.whole = Some(self.now);
        }
        if self.deepest.is_none_or(|(deepest, _)| z >= deepest) {
            self.deepest = Some((z, self.now));
        }
        self.now = Mark { row: self.now.row + 1, deficit: self.now.deficit + deficit, variance: self.now.variance + variance };
        if self.sum > self.best {
            self.best = self.sum;
            self.found = self.whole.or(self.deepest.map(|d| d.1)).map(|start| (start, self.now));
        }
    }
    /// First row and capacity of a pocket.
    fn pocket(&self) -> Option<(usize, Measured)> {
        let (start, end) = self.found?;
        let capacity = Measured { value: end.deficit - start.deficit, error: (end.variance - start.variance).max(0.0).sqrt() };
        (capacity.value > POCKET_SIGMAS * capacity.error).then_some((start.row, capacity))
    }
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

/// Median of the ratio of the two flats over the neighbours of every pixel of a row in its amplifier.
fn light_beside(dim: ArrayView1<'_, f32>, bright: ArrayView1<'_, f32>, area: Rect) -> Vec<f32> {
    let ratio = |x: usize| dim[x] / bright[x];
    let (low, high) = (area.x0, area.x0 + area.nx);
    let of_column = |x: usize| {
        // As many on either side, so that a slope does not show.
        let reach = NEIGHBOURS.min(x - low).min(high - 1 - x);
        let reach = if reach < 2 { NEIGHBOURS } else { reach };
        let near = x.saturating_sub(reach).max(low)..(x + reach + 1).min(high);
        let mut values: Vec<f32> = near.filter(|&k| k != x && bright[k] > 0.0).map(ratio).filter(|v| v.is_finite()).collect();
        median(&mut values).unwrap_or(0.0)
    };
    (low..high).map(of_column).collect()
}

/// The search for pockets, fed with bands of rows: of every tile in the order of transfer.
pub struct PocketSearch<'a> {
    layout: &'a ReadoutLayout,
    window: Window,
    read_noise: &'a [Measured],
    /// By tile and column.
    columns: Vec<Vec<Cusum>>,
}

impl<'a> PocketSearch<'a> {
    /// For a window, with the read noise of every amplifier \[electron\].
    #[must_use]
    pub fn new(layout: &'a ReadoutLayout, window: Window, read_noise: &'a [Measured]) -> Self {
        let columns = layout.tiles.iter().map(|t| vec![Cusum::default(); t.science.nx]).collect();
        Self { layout, window, read_noise, columns }
    }
    /// Adds the rows of the window from `first` on, of all tiles that have some of them: bands upwards for tiles read at their lower
    /// edge, downwards for the others.
    ///
    /// # Errors
    /// When the arrays do not fit each other or there is no light.
    pub fn add(&mut self, first: usize, flats: &FlatPair<'_>) -> Result<(), DefectSearchError> {
        check("the bright flat", flats.bright.dim(), flats.dim.dim())?;
        check("the dim flat", flats.dim.dim(), (flats.dim.nrows(), self.window.nx))?;
        for (what, image) in [("the dim flat", flats.dim), ("the bright flat", flats.bright)] {
            let level = median(&mut block_medians(image).iter().copied().collect::<Vec<f32>>()).unwrap_or(0.0);
            if level.is_nan() || level <= 0.0 {
                return Err(DefectSearchError::NoLight { what, level });
            }
        }
        let (n, of_bright) = (flats.dim_frames.max(1) as f64, flats.bright_frames.max(1) as f64);
        let rows = first..first + flats.dim.nrows();
        for (tile, states) in self.layout.tiles.iter().zip(&mut self.columns) {
            let inside: Vec<usize> = order(tile).filter(|y| rows.contains(y)).map(|y| y - first).collect();
            let local: Vec<Vec<f32>> =
                inside.par_iter().map(|&y| light_beside(flats.dim.row(y), flats.bright.row(y), tile.science)).collect();
            let noise2 = self.read_noise.get(tile.amplifier).map_or(0.0, |r| r.value * r.value);
            states.par_iter_mut().enumerate().with_min_len(64).for_each(|(k, state)| {
                let x = tile.science.x0 + k;
                for (&y, local) in inside.iter().zip(&local) {
                    let bright = f64::from(flats.bright[(y, x)]);
                    let expected = bright * f64::from(local[k]);
                    let light = expected.max(0.0);
                    // The pixel itself, the bright flat, and the median of its neighbours.
                    let variance = (MEDIAN_COST * (light + noise2) / n) + light * light / (bright.max(1.0) * of_bright);
                    state.add(expected - f64::from(flats.dim[(y, x)]), variance, expected);
                }
            });
        }
        Ok(())
    }
    /// The pockets, at most one in a column; columns in `blocked` are left out.
    #[must_use]
    pub fn pockets(&self, blocked: &[ColumnDefect]) -> Vec<ColumnDefect> {
        let mut found = Vec::new();
        for (tile, states) in self.layout.tiles.iter().zip(&self.columns) {
            for (x, state) in (tile.science.x0..).zip(states) {
                let of_column = |b: &ColumnDefect| b.x == self.window.x0 + x && b.register == usize::from(tile.flip_y);
                if let Some((row, capacity_electron)) = state.pocket().filter(|_| !blocked.iter().any(of_column)) {
                    found.push(defect(tile, self.window, x, row, ColumnFault::Pocket { capacity_electron }));
                }
            }
        }
        found
    }
}

/// Pockets in a dim flat of a whole window. Columns in `blocked` are left out. At most one pocket in a column.
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
    let mut search = PocketSearch::new(layout, window, read_noise);
    search.add(0, flats)?;
    Ok(search.pockets(blocked))
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
            let middle = median(&mut darks.iter().map(|d| d[(y, x)]).collect::<Vec<f32>>()).unwrap_or(0.0);
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
        let of = |z: &[f64], expected: f64| {
            let mut cusum = Cusum::default();
            z.iter().for_each(|z| cusum.add(*z, 1.0, expected));
            cusum
        };
        let z = [0.5, -1.0, 9.0, 9.0, 9.0, 4.0, 0.2, -0.5, 2.0];
        let (row, capacity) = of(&z, 10.0).pocket().unwrap();
        assert_eq!((row, capacity.value, capacity.error), (2, 31.0, 2.0), "9 + 9 + 9 + 4 in four pixels");
        // Packets too large to be swallowed whole: from the deepest on.
        assert_eq!(of(&[2.0, 3.0, 30.0, 2.0, 0.0], 100.0).pocket().unwrap().0, 2);
        assert!(of(&[0.0, 0.9, 1.0], 10.0).found.is_none());
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
