//! Finding cosmic rays in one exposure with a small trained network: what is a hit, decided pixel by pixel from 17 x 17 pixels around.
//!
//! # Effect
//! Marks the pixels that hold charge of a hit above 5 sigma of the local noise, the primary definition of truth.
//! # Formula
//! [`inputs`]: six numbers a pixel; `unet`: two scales, 26,113 weights; flagged where the logit exceeds the threshold. `tiles`: only
//! blocks near a trigger are looked at, and those beside flagged pixels. The trigger may be told more noise than the network is shown
//! ([`Look::TriggeredIn`]).
//! # Symbols
//! logit \[1\]: logarithm of the odds, as trained, that the pixel is true
//! # Source
//! Weights trained on Skyloop's own frames, `instruments/training/cosmic_rays` (command, seeds, provenance in `weights/cosmic_rays.json`).
//! Architecture: Ronneberger et al. 2015; Zhang & Bloom 2020 (ApJ 889, 24).
//! # Limits
//! Trained on stars 1.4 to 3.5 pixels wide, silicon of 10 to 50 um with 2 to 8 um of diffusion, sky below 0.5 electron/s. What silicon it looks at it is
//! told by one number, the charge cloud of the field (`Field::cloud_px`); level 1 tells it that of the survey camera's description, 0.35 pixel. Told wrong,
//! broad hits lose their edges and sharp stars are flagged (FIGURES.md).
//! Source damage is measured on scenes (FIGURES.md): single objects may lose some pixels. Faint hits that look like faint stars are left to the stars.
//! Pixels left out (saturated, hot) are never flagged. The threshold is that of one definition of truth.
//! # Twin
//! A part of the twin of `cosmic_rays`: flags only.
//!
//! The mask depends on the frame alone: not on bands, threads or the instruction set (sums in fixed order, no fused operations,
//! logarithms of our own).

mod arithmetic;
pub mod inputs;
mod layers;
mod tiles;
mod unet;
mod weights;

pub use unet::HALO;
pub use weights::{Weights, WeightsError};

use super::laplacian::background::Background;
use super::laplacian::{self, Field, edges};
use ndarray::Array2;
use rayon::prelude::*;
use tiles::{BLOCK, REACH, Tile};

/// Which parts of a frame are looked at.
#[derive(Debug, Clone, Copy)]
pub enum Look<'a> {
    /// Near pixels that could be the core of a hit.
    Triggered,
    /// Near those that could be one in this view of the frame, with more noise: where something was done to the frame that sharpened its noise.
    TriggeredIn(&'a Field<'a>),
    /// Everywhere: the whole frame's work.
    Everywhere,
}

/// Thresholds of the trigger: far below those at which the classical detector decides.
#[must_use]
pub fn trigger() -> laplacian::Options {
    laplacian::Options { core_sigma: 3.8, contrast: 1.0, steep_sigma: 2.0, ..laplacian::Options::default() }
}

/// Full width at half maximum below which no star can be, pixel included \[pixel\], and how surely a pixel must be steeper.
const SHARPEST_PX: f64 = 1.2;
const SURE_SIGMA: f32 = 10.0;

/// Thresholds of what no star can be, whatever the network thinks of it.
fn certain() -> laplacian::Options {
    laplacian::Options { steep_sigma: SURE_SIGMA, ..laplacian::Options::for_psf(SHARPEST_PX) }
}

/// Places `y * nx + x` that could be the core of a hit.
fn candidates(field: &Field<'_>, look: Look<'_>) -> Vec<usize> {
    let seen = if let Look::TriggeredIn(seen) = look { seen } else { field };
    edges::cores(seen, &trigger())
}

/// Blocks that are looked at first, around candidates `y * nx + x`.
fn blocks(field: &Field<'_>, candidates: &[usize], look: Look<'_>) -> Array2<bool> {
    match look {
        Look::Triggered | Look::TriggeredIn(_) => tiles::marked(candidates, REACH.0, field.shape()),
        Look::Everywhere => {
            let (ny, nx) = field.shape();
            Array2::from_elem((ny.div_ceil(BLOCK), nx.div_ceil(BLOCK)), true)
        }
    }
}

/// Calls `each` with place `y * nx + x` and logit of every pixel of the frame that lies in a block (and some beside them), and keeps what it gives.
fn looked<T: Send>(
    field: &Field<'_>,
    background: &Background,
    weights: &Weights,
    blocks: &Array2<bool>,
    each: impl Fn(usize, f32) -> Option<T> + Sync,
) -> Vec<T> {
    let (ny, nx) = field.shape();
    let halo = HALO as isize;
    let found: Vec<Vec<T>> = tiles::tiles(blocks)
        .into_par_iter()
        .with_min_len(16)
        .map_init(Default::default, |(scratch, patch, logits): &mut (unet::Scratch, inputs::Patch, Vec<f32>), tile| {
            let Tile { y0, x0, rows, columns } = tile;
            patch.take(field, background, (y0 as isize - halo, x0 as isize - halo), (rows + 2 * HALO, columns + 2 * HALO));
            scratch.prepare(rows, columns);
            for k in 0..rows + 2 * HALO {
                patch.row(k, scratch.input.row_mut(k));
            }
            scratch.run(weights, logits);
            let mut out = Vec::new();
            for (row, y) in logits.chunks_exact(columns).zip(y0..ny) {
                out.extend(row.iter().zip(x0..nx).filter_map(|(logit, x)| each(y * nx + x, *logit)));
            }
            out
        })
        .collect();
    found.into_iter().flatten().collect()
}

/// Looks at some blocks first and, as long as pixels are flagged beside blocks not looked at, there too.
fn survey<T: Send>(
    field: &Field<'_>,
    background: &Background,
    first: Array2<bool>,
    weights: &Weights,
    threshold_logit: f32,
    each: impl Fn(usize, f32) -> Option<T> + Sync,
    mut take: impl FnMut(T),
) {
    let mut now = first;
    let mut done = Array2::from_elem(now.dim(), false);
    while now.iter().any(|b| *b) {
        let found = looked(field, background, weights, &now, |at, logit| {
            let flagged = (logit > threshold_logit).then_some(at);
            let kept = each(at, logit);
            (flagged.is_some() || kept.is_some()).then_some((flagged, kept))
        });
        ndarray::Zip::from(&mut done).and(&now).for_each(|done, now| *done |= *now);
        let flagged: Vec<usize> = found.iter().filter_map(|f| f.0).collect();
        found.into_iter().filter_map(|f| f.1).for_each(&mut take);
        now = tiles::marked(&flagged, REACH.1, field.shape());
        ndarray::Zip::from(&mut now).and(&done).for_each(|now, done| *now &= !done);
    }
}

/// The pixels of cosmic rays, `true` at `y * nx + x`: those that the network flags, and those that are steeper than any star.
#[must_use]
pub fn detect(field: &Field<'_>, weights: &Weights, threshold_logit: f32, look: Look<'_>) -> Vec<bool> {
    let (ny, nx) = field.shape();
    let mut mask = vec![false; ny * nx];
    if !mask.is_empty() {
        let each = |at: usize, logit: f32| (logit > threshold_logit && !field.is_out(at / nx, at % nx)).then_some(at);
        let (background, candidates) = (Background::of(field), candidates(field, look));
        let first = blocks(field, &candidates, look);
        survey(field, &background, first, weights, threshold_logit, each, |at| mask[at] = true);
        // A single bright pixel may be a hot one that nobody knew; it is no star.
        let certain = certain();
        for &at in &candidates {
            let (y, x) = (at / nx, at % nx);
            mask[at] |= !field.is_out(y, x) && laplacian::steep::is_steep_at(field, &certain, background.at(y, x), y, x);
        }
    }
    mask
}

/// Logits of all pixels, for tests and studies; minus infinity where the network did not look.
#[must_use]
pub fn logit_image(field: &Field<'_>, weights: &Weights, look: Look<'_>) -> Array2<f32> {
    let (ny, nx) = field.shape();
    let mut image = Array2::from_elem((ny, nx), f32::NEG_INFINITY);
    if !image.is_empty() {
        let each = |at: usize, logit: f32| Some((at, logit));
        let background = Background::of(field);
        let first = blocks(field, &candidates(field, look), look);
        survey(field, &background, first, weights, weights.threshold_logit, each, |(at, logit)| image[(at / nx, at % nx)] = logit);
    }
    image
}

/// Logits of one input `[y, x, channel]` with its halo, for comparison with other implementations.
#[must_use]
pub fn logits_of_input(input: &ndarray::Array3<f32>, weights: &Weights) -> Array2<f32> {
    let (rows, columns, _) = input.dim();
    let (rows, columns) = (rows - 2 * HALO, columns - 2 * HALO);
    let mut scratch = unet::Scratch::default();
    scratch.prepare(rows, columns);
    scratch.input.values.copy_from_slice(&input.iter().copied().collect::<Vec<f32>>());
    let mut logits = Vec::new();
    scratch.run(weights, &mut logits);
    Array2::from_shape_fn((rows, columns), |(y, x)| logits[y * columns + x])
}

#[cfg(test)]
mod tests;
