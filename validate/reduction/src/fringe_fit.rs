//! The fringe frame of a detector, from exposures of the sky.
//!
//! # Formula
//! Every frame: medians of cells of unflagged pixels, less a polynomial of degree 4 fitted with clipping, cells above 4 standard deviations left out (sources): r_k.
//! r_k = a_k p + noise is solved in turns: a_k = sum p r_k / sum p^2, p = sum a_k r_k / s_k^2 / sum a_k^2 / s_k^2 over the frames of a cell, values
//! beyond 4 s_k left out, s_k the scatter of frame k (1.4826 x median |r_k - a_k p|). p is smoothed by a Gaussian of 1.5, 3 or 5 cells, the narrowest with
//! which odd and even frames agree to 0.8, and scaled to a root mean square of 1, its noise taken off.
//! # Symbols
//! `r` residual \[electron / s\]; `p` pattern \[1\]; `a` strength of the fringes in a frame \[electron / s\].
//! # Source
//! Median sky frames scaled to each exposure: Howell 2012 (PASP 124, 263), "An alternative to fringe frames from flats"; Bernstein et al. 2017 (PASP 129, 114502), fringes as one
//! principal component of the sky.
//! # Limits
//! The frames must be dithered by more than their objects are wide. Fringes narrower than some 20 cells are damped (spacing L cells, width w: exp(-2 pi^2 w^2 / L^2)).
//! What else is fixed on the detector and finer than the polynomial (flaws of the flat) is taken for fringes as well. No pattern is made where
//! those of the odd and the even frames do not correlate to 0.7: a noisy pattern does more harm than fringes.

use instruments::effects::fringing::amplitude;
use ndarray::Array2;
use sim_core::frame::Window;
use sim_core::knowledge::FringeFrame;
use sim_core::median::median;

/// Side of a cell \[pixel\].
pub const CELL: usize = 8;
/// Least number of frames.
pub const LEAST_FRAMES: usize = 4;
/// Widths of the smoothing that are tried, narrowest first \[cell\].
const SMOOTH: [f64; 3] = [1.5, 3.0, 5.0];
/// Correlation of the patterns of odd and even frames with which a width is good enough.
const GOOD_CORRELATION: f64 = 0.8;
/// Least correlation: at 0.58 four of ten exposures with fringes of 0.08 electron rms came out worse and all together 7 % better; at 0.7 less than a
/// fifth of the combined pattern's variance is noise.
const LEAST_CORRELATION: f64 = 0.7;
/// Least independent cells for a wider smoothing: their correlation scatters by 1 / sqrt(n).
const LEAST_INDEPENDENT: f64 = 150.0;
/// Clipping of cells and of frames in a cell \[standard deviations\].
const CLIP: f64 = 4.0;
/// Rounds of the solution.
const ROUNDS: usize = 6;

/// Why there is no fringe frame.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum FringeError {
    /// Too few frames.
    #[error("{got} frames of the sky: a fringe frame needs at least {LEAST_FRAMES}, dithered")]
    TooFew {
        /// Frames given.
        got: usize,
    },
    /// Frames of different shapes.
    #[error("frame {index} has {got:?} cells (rows, columns), the first {need:?}")]
    Shape {
        /// Number of the frame, from 0.
        index: usize,
        /// Its cells.
        got: (usize, usize),
        /// Cells of the first.
        need: (usize, usize),
    },
    /// Too little sky in a frame.
    #[error("frame {index}: too few cells without sources and flags")]
    Crowded {
        /// Number of the frame, from 0.
        index: usize,
    },
    /// The frames have no common pattern.
    #[error(
        "the patterns of odd and even frames have a correlation of {correlation:.3}, less than {LEAST_CORRELATION}: more exposures of the sky are needed, or there are no fringes"
    )]
    NoPattern {
        /// Correlation found.
        correlation: f64,
    },
}

/// A fringe frame, and what was found in its making.
#[derive(Debug, Clone, PartialEq)]
pub struct FringeFit {
    /// The frame.
    pub frame: FringeFrame,
    /// Strength of the fringes in each exposure \[electron / s\].
    pub strengths: Vec<f64>,
    /// Correlation of the patterns from odd and even frames.
    pub correlation: f64,
}

/// The flattened cells of one exposure of the sky \[electron / s\]; NaN where there are sources. `None` when too little is left.
#[must_use]
pub fn residual(pixels: &Array2<f32>, flags: &Array2<u32>, cell: usize) -> Option<Array2<f32>> {
    let mut mesh = amplitude::medians(pixels, Some(flags), cell, 1);
    let cells = amplitude::cells(&mesh, None, 1);
    let fit = amplitude::fit(&cells)?;
    let limit = CLIP * fit.scatter;
    let mut background = fit.background.iter();
    for value in mesh.iter_mut().filter(|v| v.is_finite()) {
        let rest = f64::from(*value) - background.next()?;
        *value = if rest.abs() <= limit { rest as f32 } else { f32::NAN };
    }
    Some(mesh)
}

/// Median of |values| times 1.4826; 0 for none.
fn scatter(values: impl Iterator<Item = f64>) -> f64 {
    let mut all: Vec<f64> = values.map(f64::abs).collect();
    1.4826 * median(&mut all).unwrap_or(0.0)
}

/// One pattern for all frames, their strengths and scatters: the solution in turns. The pattern has no fixed scale.
fn solve(frames: &[&Array2<f32>], width: f64) -> (Array2<f64>, Vec<f64>, Vec<f64>) {
    let shape = frames[0].dim();
    let mut strengths = vec![1.0; frames.len()];
    let mut scatters: Vec<f64> =
        frames.iter().map(|f| scatter(f.iter().filter(|v| v.is_finite()).map(|&v| f64::from(v))).max(1e-12)).collect();
    let mut pattern = Array2::<f64>::zeros(shape);
    for round in 0..ROUNDS {
        let before = pattern.clone();
        pattern = Array2::from_shape_fn(shape, |at| {
            let (mut top, mut bottom) = (0.0, 0.0);
            for ((frame, a), s) in frames.iter().zip(&strengths).zip(&scatters) {
                let value = f64::from(frame[at]);
                if value.is_finite() && (round == 0 || (value - a * before[at]).abs() <= CLIP * s) {
                    top += a * value / (s * s);
                    bottom += a * a / (s * s);
                }
            }
            if bottom > 0.0 { top / bottom } else { f64::NAN }
        });
        let pattern = smooth(&pattern, width);
        for ((frame, a), s) in frames.iter().zip(&mut strengths).zip(&mut scatters) {
            let (mut top, mut bottom) = (0.0, 0.0);
            for (value, p) in frame.iter().zip(&pattern).filter(|(v, p)| v.is_finite() && p.is_finite()) {
                top += f64::from(*value) * p;
                bottom += p * p;
            }
            *a = if bottom > 0.0 { top / bottom } else { 0.0 };
            *s = scatter(frame.iter().zip(&pattern).map(|(v, p)| f64::from(*v) - *a * p).filter(|d| d.is_finite())).max(1e-12);
        }
    }
    (pattern, strengths, scatters)
}

/// Gaussian smoothing; cells that are not finite are filled from their neighbours.
fn smooth(mesh: &Array2<f64>, width: f64) -> Array2<f64> {
    let reach = (3.0 * width).ceil() as i64;
    let weight: Vec<f64> = (-reach..=reach).map(|d| (-0.5 * (d as f64 / width).powi(2)).exp()).collect();
    let (rows, columns) = mesh.dim();
    // Values and weights along rows, then along columns.
    let along = |values: &dyn Fn(usize, usize) -> (f64, f64), across: bool| {
        (0..rows * columns)
            .map(|k| {
                let (j, i) = (k / columns, k % columns);
                let (mut top, mut bottom) = (0.0, 0.0);
                for (d, w) in (-reach..=reach).zip(&weight) {
                    let (y, x) = if across { (j as i64, i as i64 + d) } else { (j as i64 + d, i as i64) };
                    if (0..rows as i64).contains(&y) && (0..columns as i64).contains(&x) {
                        let (value, have) = values(y as usize, x as usize);
                        top += w * value;
                        bottom += w * have;
                    }
                }
                (top, bottom)
            })
            .collect::<Vec<(f64, f64)>>()
    };
    let first = along(&|y, x| if mesh[[y, x]].is_finite() { (mesh[[y, x]], 1.0) } else { (0.0, 0.0) }, true);
    let second = along(&|y, x| first[y * columns + x], false);
    Array2::from_shape_fn((rows, columns), |(j, i)| {
        let (top, bottom) = second[j * columns + i];
        if bottom > 1e-6 { top / bottom } else { 0.0 }
    })
}

/// Correlation of two patterns where both are finite.
fn agreement(a: &Array2<f64>, b: &Array2<f64>) -> f64 {
    let (mut ab, mut aa, mut bb) = (0.0, 0.0, 0.0);
    for (a, b) in a.iter().zip(b).filter(|(a, b)| a.is_finite() && b.is_finite()) {
        (ab, aa, bb) = (ab + a * b, aa + a * a, bb + b * b);
    }
    if aa > 0.0 && bb > 0.0 { ab / (aa * bb).sqrt() } else { 0.0 }
}

/// Combines the residuals of exposures of one detector and window.
///
/// # Errors
/// Too few frames, frames of different shapes, or no pattern common to them.
pub fn combine(residuals: &[Array2<f32>], window: Window, cell: usize) -> Result<FringeFit, FringeError> {
    if residuals.len() < LEAST_FRAMES {
        return Err(FringeError::TooFew { got: residuals.len() });
    }
    let need = residuals[0].dim();
    if let Some((index, other)) = residuals.iter().enumerate().find(|(_, r)| r.dim() != need) {
        return Err(FringeError::Shape { index, got: other.dim(), need });
    }
    let half = |odd: usize, width: f64| {
        let frames: Vec<&Array2<f32>> = residuals.iter().skip(odd).step_by(2).collect();
        smooth(&solve(&frames, width).0, width)
    };
    let (mut width, mut correlation) = (SMOOTH[0], f64::MIN);
    for tried in SMOOTH {
        // Smoothed cells that are independent: too few of them agree by chance.
        let independent = (need.0 * need.1) as f64 / (4.0 * std::f64::consts::PI * tried * tried);
        if tried > SMOOTH[0] && independent < LEAST_INDEPENDENT {
            break;
        }
        (width, correlation) = (tried, agreement(&half(0, tried), &half(1, tried)));
        if correlation >= GOOD_CORRELATION {
            break;
        }
    }
    if correlation < LEAST_CORRELATION {
        return Err(FringeError::NoPattern { correlation });
    }
    let frames: Vec<&Array2<f32>> = residuals.iter().collect();
    let (raw, strengths, scatters) = solve(&frames, width);
    let pattern = smooth(&raw, width);
    // Noise of a smoothed cell: independent cells weighted by a Gaussian of `width` cells.
    let precision: f64 = strengths.iter().zip(&scatters).map(|(a, s)| (a / s).powi(2)).sum();
    let noise = 1.0 / precision / (4.0 * std::f64::consts::PI * width * width);
    let n = pattern.len() as f64;
    let mean = pattern.iter().sum::<f64>() / n;
    let square = pattern.iter().map(|p| (p - mean).powi(2)).sum::<f64>() / n - noise;
    if square <= 0.0 {
        return Err(FringeError::NoPattern { correlation });
    }
    let rms = square.sqrt();
    let strengths: Vec<f64> = strengths.iter().map(|a| a * rms).collect();
    let mut sorted = strengths.clone();
    sorted.sort_unstable_by(f64::total_cmp);
    let frame = FringeFrame {
        window,
        cell,
        pattern: pattern.mapv(|p| ((p - mean) / rms) as f32),
        variance: Array2::from_elem(need, (noise / square) as f32),
        typical_electron_s: sorted[sorted.len() / 2],
    };
    Ok(FringeFit { frame, strengths, correlation })
}

/// A fringe frame from exposures of the sky: pixels \[electron / s\] and flags of level 1.
///
/// # Errors
/// As [`combine`], and when a frame is too crowded.
pub fn fit(frames: &[(&Array2<f32>, &Array2<u32>)], window: Window, cell: usize) -> Result<FringeFit, FringeError> {
    let residuals: Vec<Array2<f32>> = frames
        .iter()
        .enumerate()
        .map(|(index, (pixels, flags))| residual(pixels, flags, cell).ok_or(FringeError::Crowded { index }))
        .collect::<Result<_, _>>()?;
    combine(&residuals, window, cell)
}
