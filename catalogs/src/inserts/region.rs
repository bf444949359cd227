//! Which pixels of an image are the object: background from the border, and what stands out of it.
//!
//! # Formula
//! Background: median of the outermost twentieth of the image (at least two pixels), three rounds without what is more than three standard
//! deviations from it. Kept: pixels whose mean over 5 x 5 pixels is `keep_sigma` standard deviations of such means above the
//! background, in connected pieces of 25 pixels at least: one smoothing area, so that a peak of noise is not a piece.
//! # Symbols
//! Standard deviations are 1.4826 times the median of the absolute departures, measured in the border: noise that resampling has
//! correlated is measured as it is.
//! # Source
//! Isophotal detection after smoothing: Bertin & Arnouts 1996 (A&AS 117, 393), section 5.
//! # Limits
//! One background for the image. An object that fills the border needs `background = { kind = "value", value = ... }`.
//! # Twin
//! None.

use ndarray::Array2;
use serde::{Deserialize, Serialize};
use sim_core::median::{SIGMA_PER_MAD, median};

/// What is taken off an image.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "snake_case", tag = "kind")]
pub enum Background {
    /// The level of the border.
    #[default]
    Border,
    /// Nothing.
    None,
    /// A value in the image's unit.
    Value {
        /// The value.
        value: f64,
    },
}

/// The object in an image.
#[derive(Debug, Clone, PartialEq)]
pub struct Kept {
    /// Pixels that are kept.
    pub mask: Array2<bool>,
    /// Background.
    pub background: f64,
    /// Standard deviation of a pixel.
    pub sigma: f64,
}

/// Smoothing reaches so far to each side.
const REACH: usize = 2;
/// Pixels of a piece at least.
const PIECE: usize = 25;

/// Level and standard deviation of the finite values of the border.
fn level(image: &Array2<f32>) -> Option<(f64, f64)> {
    let (ny, nx) = image.dim();
    let width = (nx.min(ny) / 20).max(2);
    let edge = |y: usize, x: usize| y < width || x < width || y + width >= ny || x + width >= nx;
    let mut values: Vec<f64> =
        image.indexed_iter().filter(|((y, x), v)| edge(*y, *x) && v.is_finite()).map(|(_, v)| f64::from(*v)).collect();
    let mut found = None;
    for _ in 0..3 {
        let middle = median(&mut values)?;
        let sigma = SIGMA_PER_MAD * median(&mut values.iter().map(|v| (v - middle).abs()).collect::<Vec<_>>())?;
        found = Some((middle, sigma));
        values.retain(|v| (v - middle).abs() <= 3.0 * sigma);
    }
    found
}

/// The background of an image; `None` when no pixel of its border is finite.
#[must_use]
pub fn background(image: &Array2<f32>, how: Background) -> Option<f64> {
    match how {
        Background::Border => level(image).map(|l| l.0),
        Background::None => Some(0.0),
        Background::Value { value } => Some(value),
    }
}

/// Means over 5 x 5 pixels, of those that are finite; NaN where none is.
fn smoothed(image: &Array2<f32>) -> Array2<f32> {
    let (ny, nx) = image.dim();
    Array2::from_shape_fn((ny, nx), |(y, x)| {
        let around =
            image.slice(ndarray::s![y.saturating_sub(REACH)..(y + REACH + 1).min(ny), x.saturating_sub(REACH)..(x + REACH + 1).min(nx)]);
        let (sum, count) = around.iter().filter(|v| v.is_finite()).fold((0.0_f64, 0.0), |(s, n), v| (s + f64::from(*v), n + 1.0));
        (sum / count) as f32
    })
}

/// Which pixels are the object.
///
/// # Errors
/// When no pixel of the border is finite.
pub fn kept(image: &Array2<f32>, how: Background, keep_sigma: f64) -> Result<Kept, &'static str> {
    const BLIND: &str = "no pixel of the border is finite: the background cannot be found";
    let (_, sigma) = level(image).ok_or(BLIND)?;
    let background = background(image, how).ok_or(BLIND)?;
    let finite = image.mapv(f32::is_finite);
    if keep_sigma <= 0.0 {
        return Ok(Kept { mask: finite, background, sigma });
    }
    let smooth = smoothed(image);
    let (_, scatter) = level(&smooth).ok_or(BLIND)?;
    let limit = background + keep_sigma * scatter;
    let mut mask = finite;
    mask.zip_mut_with(&smooth, |m, s| *m = *m && f64::from(*s) > limit);
    Ok(Kept { mask: without_crumbs(mask), background, sigma })
}

/// Leaves pieces (joined by sides or corners) of [`PIECE`] pixels or more.
fn without_crumbs(mut mask: Array2<bool>) -> Array2<bool> {
    let (ny, nx) = mask.dim();
    let mut seen = Array2::from_elem((ny, nx), false);
    let (mut stack, mut piece) = (Vec::<(usize, usize)>::new(), Vec::new());
    for start in (0..ny).flat_map(|y| (0..nx).map(move |x| (y, x))) {
        if !mask[start] || seen[start] {
            continue;
        }
        piece.clear();
        seen[start] = true;
        stack.push(start);
        while let Some((y, x)) = stack.pop() {
            piece.push((y, x));
            for at in (y.saturating_sub(1)..(y + 2).min(ny)).flat_map(|y| (x.saturating_sub(1)..(x + 2).min(nx)).map(move |x| (y, x))) {
                if mask[at] && !seen[at] {
                    seen[at] = true;
                    stack.push(at);
                }
            }
        }
        if piece.len() < PIECE {
            piece.iter().for_each(|at| mask[*at] = false);
        }
    }
    mask
}
