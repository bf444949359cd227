//! How the overscan is to be read: columns that hold tails, and how the level wanders from row to row.
//!
//! # Formula
//! Tail of flats: `T_k = <c_k - b>_flats - <c_k - b>_biases` over rows and amplifiers, k-th overscan pixel in reading order, b the mean of the
//! row's last quarter: the pattern along the register, which flats and biases share, drops out. Columns up to the last with `T_k` beyond its
//! error and a tolerance are left out. Walk of bias frames, by amplifier: the step `q` and
//! row variance `r` of largest likelihood of the local level model, whose innovations `v_p` (row mean less its prediction) are
//! independent with variance `r F_p`: `r = <v^2 / F>`, and `q / r` is the minimum of `n ln r + sum ln F`, found by golden section
//! # Symbols
//! `c` counts \[ADU\]; `r` variance of the mean of a row's overscan, `q` variance the level gains from row to row \[ADU^2\]
//! # Source
//! Durbin & Koopman 2012, Time Series Analysis by State Space Methods (Oxford University Press), ch. 2 (concentrated likelihood). An
//! Ornstein-Uhlenbeck level is a walk of `q = 2 sigma^2 / L` over lags short against its length L.
//! # Limits
//! Levels that forget within a few rows count as noise of the row. Tails slower than the overscan do not show. The walk is at
//! least `LEAST_STEP`, so that the slow drift every output has can be followed: bias frames of a small window may not show it.

use ndarray::Array2;
use sim_core::detector::{AmplifierTile, ReadoutLayout};
use sim_core::knowledge::{LevelWalk, OverscanKnowledge};

/// Least number of rows.
const LEAST_ROWS: usize = 64;
/// Natural logarithms of `q / r` between which the likelihood is searched.
const SEARCH: [f64; 2] = [-18.0, 2.0];
/// Steps of the golden section: to 1e-4 of the logarithm.
const SECTIONS: usize = 26;
/// Least variance gained per row \[ADU^2\]: with a row variance of 0.3 ADU^2 the level is the mean over some 170 rows and known to 0.03 ADU, and
/// a slope of 0.05 ADU in 100 rows is followed to 0.1 ADU up to the ends.
const LEAST_STEP: f64 = 1e-5;
/// A tail counts above this many errors.
const TAIL_SIGMAS: f64 = 3.0;
/// A tail counts above this many ADU.
const TAIL_ADU: f64 = 0.02;
/// A value is left out of a row's mean beyond this many robust standard deviations of its row.
const CLIP_SIGMAS: f64 = 4.0;

/// Why the overscan could not be measured.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum OverscanFitError {
    /// No overscan.
    #[error("overscan fit: the layout has no serial overscan of at least 8 columns")]
    NoOverscan,
    /// No frames.
    #[error("overscan fit: no {0} frames")]
    NoFrames(&'static str),
    /// A frame of another shape.
    #[error("overscan fit: a frame of {got:?} (rows, columns) is not of the layout {need:?}")]
    Shape {
        /// Shape of the frame.
        got: (usize, usize),
        /// Shape of the layout.
        need: (usize, usize),
    },
    /// The tail does not end.
    #[error("overscan fit: the tail of the flats is {tail_adu:.3} ADU still at column {column} of {columns}: it does not end")]
    Tail {
        /// Column.
        column: usize,
        /// Columns of the overscan.
        columns: usize,
        /// Tail there \[ADU\].
        tail_adu: f64,
    },
    /// Too few rows.
    #[error("overscan fit: {rows} rows are too few: at least {LEAST_ROWS}")]
    TooShort {
        /// Rows of the shortest section.
        rows: usize,
    },
}

fn check(raw: &Array2<u16>, layout: &ReadoutLayout) -> Result<(), OverscanFitError> {
    let need = (layout.rows, layout.columns);
    if layout.tiles.iter().any(|t| t.raw_overscan.nx < 8) {
        return Err(OverscanFitError::NoOverscan);
    }
    if raw.dim() == need { Ok(()) } else { Err(OverscanFitError::Shape { got: raw.dim(), need }) }
}

/// The overscan of a row in reading order.
fn overscan<'a>(raw: &'a Array2<u16>, tile: &'a AmplifierTile, y: usize) -> impl Iterator<Item = f64> + 'a {
    let area = tile.raw_overscan;
    (0..area.nx).map(move |k| f64::from(raw[(y, if tile.flip_x { area.x0 + area.nx - 1 - k } else { area.x0 + k })]))
}

/// Sums over rows and amplifiers, by overscan column in reading order.
#[derive(Debug, Clone)]
struct Columns {
    sum: Vec<f64>,
    square: Vec<f64>,
    rows: f64,
}

impl Columns {
    fn add(&mut self, raw: &Array2<u16>, layout: &ReadoutLayout) {
        let columns = self.sum.len();
        for tile in &layout.tiles {
            for y in tile.raw_overscan.y0..tile.raw_overscan.y0 + tile.raw_overscan.ny {
                let values: Vec<f64> = overscan(raw, tile, y).take(columns).collect();
                let far = &values[columns - columns / 4..];
                let base = far.iter().sum::<f64>() / far.len() as f64;
                for (k, value) in values.iter().enumerate() {
                    self.sum[k] += value - base;
                    self.square[k] += (value - base).powi(2);
                }
                self.rows += 1.0;
            }
        }
    }
    /// Mean of a column and the square of its error.
    fn mean(&self, k: usize) -> (f64, f64) {
        let mean = self.sum[k] / self.rows;
        (mean, (self.square[k] / self.rows - mean * mean).max(0.0) / self.rows)
    }
}

/// The tail of flats beside bias frames, frame by frame.
#[derive(Debug, Clone)]
pub struct Tail<'a> {
    layout: &'a ReadoutLayout,
    flats: Columns,
    biases: Columns,
}

impl<'a> Tail<'a> {
    /// Of no frames yet.
    #[must_use]
    pub fn new(layout: &'a ReadoutLayout) -> Self {
        let columns = layout.tiles.iter().map(|t| t.raw_overscan.nx).min().unwrap_or(0);
        let none = Columns { sum: vec![0.0; columns], square: vec![0.0; columns], rows: 0.0 };
        Self { layout, flats: none.clone(), biases: none }
    }
    /// Adds a raw flat.
    ///
    /// # Errors
    /// When there is no overscan or the frame is of another shape.
    pub fn add_flat(&mut self, raw: &Array2<u16>) -> Result<(), OverscanFitError> {
        check(raw, self.layout)?;
        self.flats.add(raw, self.layout);
        Ok(())
    }
    /// Adds a raw bias frame.
    ///
    /// # Errors
    /// As [`Self::add_flat`].
    pub fn add_bias(&mut self, raw: &Array2<u16>) -> Result<(), OverscanFitError> {
        check(raw, self.layout)?;
        self.biases.add(raw, self.layout);
        Ok(())
    }
    /// First overscan columns that hold the tail.
    ///
    /// # Errors
    /// Without flats or bias frames, or when the tail does not end within half of the overscan.
    pub fn columns(&self) -> Result<usize, OverscanFitError> {
        for (frames, what) in [(&self.flats, "flat"), (&self.biases, "bias")] {
            if frames.rows == 0.0 {
                return Err(OverscanFitError::NoFrames(what));
            }
        }
        let columns = self.flats.sum.len();
        let tail = |k: usize| {
            let ((flat, flat_error2), (bias, bias_error2)) = (self.flats.mean(k), self.biases.mean(k));
            (flat - bias, (flat_error2 + bias_error2).sqrt())
        };
        let stands_out = |k: usize| {
            let (tail_adu, error) = tail(k);
            tail_adu.abs() > (TAIL_SIGMAS * error).max(TAIL_ADU)
        };
        // The far quarter is the reference. One column in 370 stands out by chance: a lone one beyond a quiet stretch is none.
        let near = columns - columns / 4;
        let skip = (0..near).take_while(|&k| stands_out(k) || stands_out(k + 1)).count();
        if skip > columns / 2 {
            return Err(OverscanFitError::Tail { column: skip, columns, tail_adu: tail(skip - 1).0 });
        }
        Ok(skip)
    }
}

/// Mean of the values within 4 robust standard deviations of their median.
fn robust_mean(values: &mut [f64]) -> f64 {
    values.sort_by(f64::total_cmp);
    let median = values[values.len() / 2];
    let mut distance: Vec<f64> = values.iter().map(|v| (v - median).abs()).collect();
    distance.sort_by(f64::total_cmp);
    let reach = CLIP_SIGMAS * (1.4826 * distance[distance.len() / 2]).max(0.5);
    let (sum, n) = values.iter().filter(|v| (**v - median).abs() <= reach).fold((0.0, 0.0), |(s, n), v| (s + v, n + 1.0));
    sum / n
}

/// Of the local level model with `q / r = ratio`: the estimate of r, and minus twice the logarithm of the likelihood.
fn likelihood(frames: &[Vec<f64>], ratio: f64) -> (f64, f64) {
    let (mut square, mut log, mut n) = (0.0, 0.0, 0.0);
    for rows in frames {
        // The first row is known to its own noise.
        let (mut level, mut variance) = (rows[0], 1.0);
        for row in &rows[1..] {
            variance += ratio;
            let total = variance + 1.0;
            let innovation = row - level;
            square += innovation * innovation / total;
            log += total.ln();
            n += 1.0;
            level += variance / total * innovation;
            variance /= total;
        }
    }
    let r: f64 = square / n;
    (r, n * r.max(1e-12).ln() + log)
}

/// The walk of largest likelihood of rows of some frames.
fn walk(frames: &[Vec<f64>]) -> LevelWalk {
    let cost = |log_ratio: f64| likelihood(frames, log_ratio.exp()).1;
    let golden = 0.5 * (5.0_f64.sqrt() - 1.0);
    let [mut low, mut high] = SEARCH;
    let (mut a, mut b) = (high - golden * (high - low), low + golden * (high - low));
    let (mut cost_a, mut cost_b) = (cost(a), cost(b));
    for _ in 0..SECTIONS {
        if cost_a < cost_b {
            (high, b, cost_b) = (b, a, cost_a);
            a = high - golden * (high - low);
            cost_a = cost(a);
        } else {
            (low, a, cost_a) = (a, b, cost_b);
            b = low + golden * (high - low);
            cost_b = cost(b);
        }
    }
    let ratio = (0.5 * (low + high)).exp();
    let row_adu2 = likelihood(frames, ratio).0.max(1e-6);
    LevelWalk { step_adu2: (ratio * row_adu2).max(LEAST_STEP), row_adu2 }
}

/// Means of the overscan rows of a bias frame without the first `skip` columns, by tile and row.
///
/// # Errors
/// When there is no overscan or the frame is of another shape.
pub fn row_levels(raw: &Array2<u16>, layout: &ReadoutLayout, skip: usize) -> Result<Vec<Vec<f64>>, OverscanFitError> {
    check(raw, layout)?;
    let of_tile = |tile: &AmplifierTile| {
        let area = tile.raw_overscan;
        let level = |y| robust_mean(&mut overscan(raw, tile, y).skip(skip).collect::<Vec<f64>>());
        (area.y0..area.y0 + area.ny).map(level).collect()
    };
    Ok(layout.tiles.iter().map(of_tile).collect())
}

/// The walk of every amplifier from the row levels of bias frames.
///
/// # Errors
/// Without frames or when the sections have too few rows.
pub fn walks(biases: &[Vec<Vec<f64>>], layout: &ReadoutLayout) -> Result<Vec<LevelWalk>, OverscanFitError> {
    if biases.is_empty() {
        return Err(OverscanFitError::NoFrames("bias"));
    }
    let rows = layout.tiles.iter().map(|t| t.raw_overscan.ny).min().unwrap_or(0);
    if rows < LEAST_ROWS {
        return Err(OverscanFitError::TooShort { rows });
    }
    // Amplifiers outside a cut-out keep the least step: nothing is read through them.
    let mut walks = vec![LevelWalk { step_adu2: LEAST_STEP, row_adu2: 1.0 }; layout.amplifier_count];
    for (index, tile) in layout.tiles.iter().enumerate() {
        walks[tile.amplifier] = walk(&biases.iter().map(|frame| frame[index].clone()).collect::<Vec<Vec<f64>>>());
    }
    Ok(walks)
}

/// Tail columns from flats and walks from bias frames.
///
/// # Errors
/// As [`Tail`], [`row_levels`] and [`walks`].
pub fn fit(flats: &[Array2<u16>], biases: &[Array2<u16>], layout: &ReadoutLayout) -> Result<OverscanKnowledge, OverscanFitError> {
    let mut tail = Tail::new(layout);
    flats.iter().try_for_each(|raw| tail.add_flat(raw))?;
    biases.iter().try_for_each(|raw| tail.add_bias(raw))?;
    let skip_columns = tail.columns()?;
    let levels = biases.iter().map(|raw| row_levels(raw, layout, skip_columns)).collect::<Result<Vec<_>, _>>()?;
    Ok(OverscanKnowledge { skip_columns, walk: walks(&levels, layout)? })
}

#[cfg(test)]
mod tests {
    use super::*;
    use sim_core::detector::{AmplifierGrid, DetectorGeometry, Scans};
    use sim_core::noise;
    use sim_core::stream::StreamKey;

    #[test]
    fn step_and_noise_of_a_walk_come_back() {
        // q = 4e-3, r = 1 over 40 frames of 4000 rows. The likelihood of a walk knows about sqrt(q / r) / 2 = 0.03 n = 5000 degrees of
        // freedom of q: errors of sqrt(2 / 5000) = 2 %, of r sqrt(2 / n) = 0.4 % (and some shared with q).
        let frames: Vec<Vec<f64>> = (0..40)
            .map(|k| {
                let (mut z, mut e) = (vec![0.0; 4000], vec![0.0; 4000]);
                noise::normals(&StreamKey::new(1).stream(2 * k), 0, &mut z);
                noise::normals(&StreamKey::new(1).stream(2 * k + 1), 0, &mut e);
                let mut level = 500.0;
                z.iter()
                    .zip(&e)
                    .map(|(z, e)| {
                        level += 4e-3_f64.sqrt() * f64::from(*z);
                        level + f64::from(*e)
                    })
                    .collect()
            })
            .collect();
        let got = walk(&frames);
        assert!((got.step_adu2 / 4e-3 - 1.0).abs() < 5.0 * 0.03, "{got:?}");
        assert!((got.row_adu2 - 1.0).abs() < 5.0 * 0.005, "{got:?}");
    }

    #[test]
    fn a_steady_level_has_the_least_step() {
        let mut e = vec![0.0; 4000];
        noise::normals(&StreamKey::new(2).stream(0), 0, &mut e);
        let got = walk(&[e.iter().map(|&e| f64::from(e)).collect()]);
        // With 4000 rows a step of some 1 / n^2 cannot be told from none: at most tens of them.
        assert_eq!(got.step_adu2, LEAST_STEP, "{got:?}");
    }

    #[test]
    fn the_pattern_along_the_register_is_no_tail_and_a_tail_upon_it_is_found() {
        // One amplifier of 200 rows, 8 science and 40 overscan pixels; every third overscan column stands 1.4 ADU above the others.
        let geometry = DetectorGeometry {
            number: 1,
            filter: "g".into(),
            nx: 8,
            ny: 200,
            crpix1: 0.0,
            crpix2: 0.0,
            pixel_scale_arcsec: 1.0,
            amplifiers: AmplifierGrid { columns: 1, rows: 1, prescan_x: 0, overscan_x: 40, overscan_y: 0 },
        };
        let layout = ReadoutLayout::new(&geometry, geometry.full_window(), Scans::Full);
        let mut z = vec![0.0; 200 * 48 * 4];
        noise::normals(&StreamKey::new(3).stream(0), 0, &mut z);
        let frame = |k: usize, tail: f64| {
            Array2::from_shape_fn((200, 48), |(y, x)| {
                let pattern = if x % 3 == 0 { 1.0 } else { -0.4 };
                let held = if x >= 8 { tail * (-((x - 8) as f64) / 3.0).exp() } else { 0.0 };
                (500.5 + pattern + held + 3.0 * f64::from(z[(k * 200 + y) * 48 + x])) as u16
            })
        };
        let fit = |tail: f64| fit(&[frame(0, tail)], &[frame(1, 0.0), frame(2, 0.0), frame(3, 0.0)], &layout).unwrap().skip_columns;
        assert_eq!(fit(0.0), 0);
        // 20 exp(-k / 3) is above the error of 3 / sqrt(200) = 0.2, three times, up to k = 9.
        assert!((7..=12).contains(&fit(20.0)), "{}", fit(20.0));
    }
}
