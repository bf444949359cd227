//! How the overscan is to be read: columns that hold tails, and how the level wanders from row to row.
//!
//! # Formula
//! Tail of flats: `T_k = <c_k> - b` over rows and amplifiers, k-th overscan pixel in reading order, b the mean of the last quarter;
//! columns up to the last with `T_k` beyond its error and a tolerance are left out. Walk of bias frames, by amplifier: with `y_p` the mean
//! of a row's overscan, `V_k = <(y_(p+k) - y_p)^2> / 2 = r + q k / 2`: a straight line in the lag k by weighted least squares
//! # Symbols
//! `c` counts \[ADU\]; `r` variance of a row's mean, `q` variance gained from row to row \[ADU^2\]; weights `1 / Var(V_k)`,
//! `Var(V_k) = 2 k V_k^2 / n`: n rows hold n / k independent differences
//! # Source
//! Variogram of a random walk with a nugget: Cressie 1993, Statistics for Spatial Data (Wiley), ch. 2. An Ornstein-Uhlenbeck level is a
//! walk of `q = 2 sigma^2 / L` over lags short against its length L.
//! # Limits
//! Lags to 32 rows: levels that forget sooner count as noise of the row. Tails slower than the overscan do not show. The walk is
//! at least `LEAST_STEP`, so that the slow drift every output has can be followed.

use ndarray::Array2;
use sim_core::detector::{AmplifierTile, ReadoutLayout};
use sim_core::knowledge::{LevelWalk, OverscanKnowledge};

/// Lags of the variogram.
const LAGS: [usize; 6] = [1, 2, 4, 8, 16, 32];
/// Least variance gained per row \[ADU^2\]: a slope of 0.01 ADU in 100 rows.
const LEAST_STEP: f64 = 1e-6;
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
    #[error("overscan fit: {rows} rows are too few for lags to 32")]
    TooShort {
        /// Rows of the shortest section.
        rows: usize,
    },
}

fn check(frames: &[Array2<u16>], layout: &ReadoutLayout, what: &'static str) -> Result<(), OverscanFitError> {
    let need = (layout.rows, layout.columns);
    if layout.tiles.iter().any(|t| t.raw_overscan.nx < 8) {
        return Err(OverscanFitError::NoOverscan);
    }
    if frames.is_empty() {
        return Err(OverscanFitError::NoFrames(what));
    }
    frames.iter().find(|f| f.dim() != need).map_or(Ok(()), |f| Err(OverscanFitError::Shape { got: f.dim(), need }))
}

/// The overscan of a row in reading order.
fn overscan<'a>(raw: &'a Array2<u16>, tile: &'a AmplifierTile, y: usize) -> impl Iterator<Item = f64> + 'a {
    let area = tile.raw_overscan;
    (0..area.nx).map(move |k| f64::from(raw[(y, if tile.flip_x { area.x0 + area.nx - 1 - k } else { area.x0 + k })]))
}

/// First overscan columns that hold the tail of flats.
///
/// # Errors
/// When there is no overscan, a frame does not fit, or the tail does not end within half of the overscan.
pub fn tail_columns(flats: &[Array2<u16>], layout: &ReadoutLayout) -> Result<usize, OverscanFitError> {
    check(flats, layout, "flat")?;
    let columns = layout.tiles.iter().map(|t| t.raw_overscan.nx).min().unwrap_or(0);
    let (mut sum, mut square, mut rows) = (vec![0.0; columns], vec![0.0; columns], 0.0);
    for raw in flats {
        for tile in &layout.tiles {
            for y in tile.raw_overscan.y0..tile.raw_overscan.y0 + tile.raw_overscan.ny {
                let values: Vec<f64> = overscan(raw, tile, y).take(columns).collect();
                let far = &values[columns - columns / 4..];
                let base = far.iter().sum::<f64>() / far.len() as f64;
                for (k, value) in values.iter().enumerate() {
                    sum[k] += value - base;
                    square[k] += (value - base).powi(2);
                }
                rows += 1.0;
            }
        }
    }
    let stands_out = |k: &usize| {
        let mean: f64 = sum[*k] / rows;
        let error = ((square[*k] / rows - mean * mean).max(0.0) / rows).sqrt();
        mean.abs() > (TAIL_SIGMAS * error).max(TAIL_ADU)
    };
    // The far quarter is the reference. One column in 370 stands out by chance: a lone one beyond a quiet stretch is none.
    let near = columns - columns / 4;
    let skip = (0..near).take_while(|k| stands_out(k) || stands_out(&(k + 1))).count();
    if skip > columns / 2 {
        return Err(OverscanFitError::Tail { column: skip, columns, tail_adu: sum[skip - 1] / rows });
    }
    Ok(skip)
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

/// The walk of every amplifier from bias frames, with the first `skip` columns left out.
///
/// # Errors
/// When there is no overscan, a frame does not fit, or the sections have too few rows.
pub fn walks(biases: &[Array2<u16>], layout: &ReadoutLayout, skip: usize) -> Result<Vec<LevelWalk>, OverscanFitError> {
    check(biases, layout, "bias")?;
    let rows = layout.tiles.iter().map(|t| t.raw_overscan.ny).min().unwrap_or(0);
    if rows <= 2 * LAGS[LAGS.len() - 1] {
        return Err(OverscanFitError::TooShort { rows });
    }
    let mut walks = vec![LevelWalk { step_adu2: LEAST_STEP, row_adu2: 1.0 }; layout.amplifier_count];
    for tile in &layout.tiles {
        let (mut sums, mut counts) = ([0.0; LAGS.len()], [0.0; LAGS.len()]);
        for raw in biases {
            let area = tile.raw_overscan;
            let level = |y| robust_mean(&mut overscan(raw, tile, y).skip(skip).collect::<Vec<f64>>());
            let levels: Vec<f64> = (area.y0..area.y0 + area.ny).map(level).collect();
            for ((sum, count), lag) in sums.iter_mut().zip(&mut counts).zip(LAGS) {
                *sum += levels.windows(lag + 1).map(|w| (w[lag] - w[0]).powi(2) / 2.0).sum::<f64>();
                *count += (levels.len() - lag) as f64;
            }
        }
        let (mut w0, mut w1, mut w2, mut v0, mut v1) = (0.0, 0.0, 0.0, 0.0, 0.0);
        for ((sum, count), lag) in sums.iter().zip(counts).zip(LAGS) {
            let (value, x) = (sum / count, lag as f64 / 2.0);
            let weight = count / (2.0 * lag as f64 * value * value).max(1e-12);
            (w0, w1, w2) = (w0 + weight, w1 + weight * x, w2 + weight * x * x);
            (v0, v1) = (v0 + weight * value, v1 + weight * x * value);
        }
        let step = ((w0 * v1 - w1 * v0) / (w0 * w2 - w1 * w1)).max(LEAST_STEP);
        let row = ((v0 - step * w1) / w0).max(1e-6);
        walks[tile.amplifier] = LevelWalk { step_adu2: step, row_adu2: row };
    }
    Ok(walks)
}

/// Tail columns from flats and walks from bias frames.
///
/// # Errors
/// As [`tail_columns`] and [`walks`].
pub fn fit(flats: &[Array2<u16>], biases: &[Array2<u16>], layout: &ReadoutLayout) -> Result<OverscanKnowledge, OverscanFitError> {
    let skip_columns = tail_columns(flats, layout)?;
    Ok(OverscanKnowledge { skip_columns, walk: walks(biases, layout, skip_columns)? })
}
