//! Lines of charge put in electrically: a calibration without light.
//!
//! # Formula
//! Rows `first + k period .. + lines` from the register get Poisson(L) electrons in every pixel
//! # Source
//! Injection from a diode at the far end of the columns, as on Gaia's and Euclid's devices: Short et al. 2013 (MNRAS 430, 3078).
//! # Limits
//! Injection noise is taken as shot noise. No public source says whether the devices of the survey camera can inject.

use ndarray::Array2;
use sim_core::detector::ReadoutLayout;
use sim_core::effect::Context;
use sim_core::noise;

/// Rows with injected charge, counted from the register.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pattern {
    /// First row with charge.
    pub first: usize,
    /// Rows with charge in a period.
    pub lines: usize,
    /// Rows of a period.
    pub period: usize,
}

impl Pattern {
    /// Whether a row, counted from the register, gets charge.
    #[must_use]
    pub fn covers(&self, row: usize) -> bool {
        row.checked_sub(self.first).is_some_and(|k| self.period > 0 && k % self.period < self.lines)
    }
}

/// Adds the charge to the science pixels of a window. Draws are keyed by the row and column of the detector.
pub fn inject(pixels: &mut Array2<f32>, layout: &ReadoutLayout, pattern: &Pattern, level_electron: f32, cx: &Context<'_>) {
    for tile in &layout.tiles {
        let science = tile.science;
        for y in 0..science.ny {
            let row = if tile.flip_y { science.ny - 1 - y } else { y };
            if pattern.covers(tile.parallel_science + row) {
                let at = science.y0 + y;
                let mut drawn = vec![level_electron; science.nx];
                noise::poisson(&cx.stream((cx.window.y0 + at) as u64), (cx.window.x0 + science.x0) as u64, &mut drawn);
                let mut line = pixels.slice_mut(ndarray::s![at, science.x0..science.x0 + science.nx]);
                line.iter_mut().zip(drawn).for_each(|(pixel, electrons)| *pixel += electrons);
            }
        }
    }
}
