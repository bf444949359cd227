//! Trails of hot pixels in dark frames.
//!
//! # Formula
//! For every hot pixel that stands alone, along its column away from the output: `T_k = d_k - b`, b the median of the 16 pixels before
//! it; its charge before the transfer is the sum of itself and its trail. Means over hot pixels of like charge and like distance,
//! errors from their scatter
//! # Symbols
//! d median of the darks, less the overscan of the row, times the gain \[electron\]
//! # Source
//! Trails of hot (warm) pixels as measure of transfer: Massey et al. 2010 (MNRAS 401, 371), section 3.
//! # Limits
//! Along columns. What a hot pixel makes during the readout is not told from its trail: 1e-3 of it after an exposure of 150 s. A
//! background of some ten electrons (a long dark, a pre-flash) is needed: below it, the mean of the well over the scatter of the
//! background is not the well of the mean ([`LEAST_BACKGROUND`]). Cosmic rays are removed by the median: three darks at least.

use crate::edge_trails::part;
use crate::serial_loss::SerialLoss;
use crate::transfer_lines::TransferLine;
use ndarray::{Array2, ArrayView2};
use sim_core::detector::ReadoutLayout;
use sim_core::knowledge::Measured;

/// Pixels before a hot one that give the background.
const BEFORE: usize = 16;
/// What its neighbours may have of a hot pixel, before the transfer.
const ALONE: f64 = 0.2;
/// Charges of a bin lie within this factor: the bent well makes 2e-3 of it.
const FACTOR: f64 = 1.5;
/// Distances are told apart in so many bins.
const DISTANCES: usize = 4;
/// Hot pixels of a bin at least.
const LEAST: usize = 8;

/// How hot pixels are chosen.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct HotPixelOptions {
    /// Least charge above the background \[electron\].
    pub threshold_electron: f64,
    /// Pixels of a trail.
    pub trail: usize,
}

/// A hot pixel and its trail.
#[derive(Debug, Clone)]
struct HotPixel {
    /// Row and column in reading order.
    place: usize,
    column: usize,
    charge: f64,
    background: f64,
    /// Itself, then its trail, above the background.
    pixels: Vec<f64>,
}

/// The hot pixels of a detector.
#[derive(Debug, Clone)]
pub struct HotPixels {
    found: Vec<HotPixel>,
    rows: usize,
    options: HotPixelOptions,
}

fn median(values: &mut [f64]) -> f64 {
    values.sort_by(f64::total_cmp);
    let half = values.len() / 2;
    if values.len() % 2 == 1 { values[half] } else { 0.5 * (values[half - 1] + values[half]) }
}

/// The median of the darks in electrons, `[row, column]` in reading order.
fn electrons<T: Copy + Into<f64>>(darks: &[ArrayView2<'_, T>], scans: &[ArrayView2<'_, T>], gain: f64) -> Array2<f64> {
    let bias: Vec<Vec<f64>> = scans
        .iter()
        .map(|scan| scan.rows().into_iter().map(|r| r.iter().map(|&v| v.into()).sum::<f64>() / r.len() as f64).collect())
        .collect();
    let mut values = vec![0.0; darks.len()];
    Array2::from_shape_fn(darks[0].dim(), |(y, x)| {
        for ((value, dark), bias) in values.iter_mut().zip(darks).zip(&bias) {
            *value = dark[[y, x]].into() - bias[y];
        }
        gain * median(&mut values)
    })
}

fn find(tile: &Array2<f64>, options: &HotPixelOptions, found: &mut Vec<HotPixel>) {
    let (rows, columns) = tile.dim();
    let trail = options.trail;
    for x in 1..columns.saturating_sub(1) {
        for y in BEFORE..rows.saturating_sub(trail) {
            if tile[[y, x]] < options.threshold_electron {
                continue;
            }
            let mut before: Vec<f64> = (y - BEFORE..y).map(|y| tile[[y, x]]).collect();
            let background = median(&mut before);
            let peak = tile[[y, x]] - background;
            let most = background + ALONE * peak;
            let alone = (y - BEFORE..=y + trail).all(|k| [x - 1, x, x + 1].iter().all(|&c| (k, c) == (y, x) || tile[[k, c]] < most));
            // A trail may hold more than that right behind its pixel only where traps take more than the packet keeps.
            if peak < options.threshold_electron || !alone {
                continue;
            }
            let pixels: Vec<f64> = (y..=y + trail).map(|k| tile[[k, x]] - background).collect();
            found.push(HotPixel { place: y, column: x, charge: pixels.iter().sum(), background, pixels });
        }
    }
}

/// Least background of the darks \[electron\]: below it, the mean of the well over the scatter of the background is not the well of the mean.
pub const LEAST_BACKGROUND: f64 = 12.0;

/// Mean lines of the hot pixels of some raw darks, nearest to the output first. Empty where there are too few hot pixels; `None`
/// when there is no dark, no serial overscan, or the gain of an amplifier is not known.
#[must_use]
pub fn measure<T: Copy + Into<f64>>(
    darks: &[&Array2<T>],
    layout: &ReadoutLayout,
    gain: &[Measured],
    options: &HotPixelOptions,
) -> Option<Vec<TransferLine>> {
    look(darks, layout, gain, options).map(|hot| hot.lines())
}

/// The hot pixels of some raw darks. `None` when there is no dark, no serial overscan, or the gain of an amplifier is not known.
#[must_use]
pub fn look<T: Copy + Into<f64>>(
    darks: &[&Array2<T>],
    layout: &ReadoutLayout,
    gain: &[Measured],
    options: &HotPixelOptions,
) -> Option<HotPixels> {
    let mut found = Vec::new();
    let mut rows = 0;
    for tile in &layout.tiles {
        let gain = gain.get(tile.amplifier)?.value;
        if darks.is_empty() || tile.raw_overscan.nx < 2 || tile.parallel_science > 0 {
            return None;
        }
        let science: Vec<_> = darks.iter().map(|raw| part(raw, &tile.raw_science, tile)).collect();
        let half = ndarray::s![.., tile.raw_overscan.nx / 2..];
        let scans: Vec<_> = darks.iter().map(|raw| part(raw, &tile.raw_overscan, tile).slice_move(half)).collect();
        rows = rows.max(tile.science.ny);
        find(&electrons(&science, &scans, gain), options, &mut found);
    }
    Some(HotPixels { found, rows, options: *options })
}

impl HotPixels {
    /// Mean background \[electron\]; `None` without hot pixels.
    #[must_use]
    pub fn background(&self) -> Option<f64> {
        let sum: f64 = self.found.iter().map(|h| h.background).sum();
        (!self.found.is_empty()).then(|| sum / self.found.len() as f64)
    }
    /// The same with what the register took given back.
    #[must_use]
    pub fn before_register(&self, loss: &SerialLoss) -> Self {
        let restored = |h: &HotPixel| {
            let background = loss.before(h.column, h.background);
            let pixels: Vec<f64> = h.pixels.iter().map(|p| loss.before(h.column, h.background + p) - background).collect();
            HotPixel { charge: pixels.iter().sum(), background, pixels, ..*h }
        };
        Self { found: self.found.iter().map(restored).collect(), ..*self }
    }
    /// Mean lines, nearest to the output first.
    #[must_use]
    pub fn lines(&self) -> Vec<TransferLine> {
        let Self { found, rows, options } = self;
        let bin = |hot: &HotPixel| {
            let charge = (hot.charge / options.threshold_electron).max(1.0).ln() / FACTOR.ln();
            (charge as usize, hot.place * DISTANCES / (*rows).max(1))
        };
        let mut bins: std::collections::BTreeMap<(usize, usize), Vec<&HotPixel>> = std::collections::BTreeMap::new();
        for hot in found {
            bins.entry(bin(hot)).or_default().push(hot);
        }
        bins.values().filter(|bin| bin.len() >= LEAST).map(|bin| line(bin, *rows, options.trail)).collect()
    }
}

/// The mean line of a bin.
fn line(bin: &[&HotPixel], rows: usize, trail: usize) -> TransferLine {
    let count = bin.len() as f64;
    let mean = |of: &dyn Fn(&HotPixel) -> f64| bin.iter().map(|h| of(h)).sum::<f64>() / count;
    let (place, background, charge) = (mean(&|h| h.place as f64).round() as usize, mean(&|h| h.background), mean(&|h| h.charge));
    let mut packets = vec![background.max(0.0); rows];
    packets[place] += charge;
    let measured = (0..=trail)
        .filter(|k| place + k < rows)
        .map(|k| {
            // A hot pixel's share of its charge scatters less than the pixel itself.
            let share = |h: &HotPixel| h.pixels[k] - if k == 0 { h.charge } else { 0.0 };
            let middle = mean(&share);
            let scatter = bin.iter().map(|h| (share(h) - middle).powi(2)).sum::<f64>() / (count - 1.0);
            let value = background + middle + if k == 0 { charge } else { 0.0 };
            (place + k, Measured { value, error: (scatter / count).sqrt() })
        })
        .collect();
    TransferLine { charge: packets, scatter: 0.0, measured }
}
