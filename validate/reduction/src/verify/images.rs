//! Figures of reduced calibration frames: levels and variances of amplifiers, and how much of a pattern is left.
//!
//! # Formula
//! Share of a pattern T left in a residual r of variance v, T itself with the noise variance u that r holds with the other sign:
//! `a = sum (r T + u) / sum (T^2 - u)`, error `sqrt(v sum T^2) / sum (T^2 - u)`, amplifiers weighted with their mean variance v: weights pixel by
//! pixel follow the pixels' own noise, and with them the mean is too low.
//! # Limits
//! Pixels further than six of their errors from the level of their amplifier are left out: hits of cosmic rays, hot pixels.

use crate::amplifiers::{columns, tiles_of_row};
use crate::level1::Level1;
use crate::products::weight;
use ndarray::Array2;
use rayon::prelude::*;
use sim_core::detector::ReadoutLayout;
use sim_core::knowledge::Measured;
use sim_core::median::median;

/// Pixels further from the level than this many errors are left out.
const LIMIT: f32 = 6.0;

/// A reduced frame whose pixels are compared with one level of each amplifier.
pub struct Reduced<'a> {
    rate: &'a Array2<f32>,
    weight: Array2<f32>,
    layout: &'a ReadoutLayout,
    /// Median of every tile.
    medians: Vec<f32>,
}

/// Sums over the pixels of a tile.
#[derive(Debug, Clone, Copy, Default)]
struct Sums {
    count: f64,
    value: f64,
    variance: f64,
    pull: f64,
    pull2: f64,
}

impl<'a> Reduced<'a> {
    /// A frame.
    #[must_use]
    pub fn new(level1: &'a Level1, layout: &'a ReadoutLayout) -> Self {
        let shape = level1.rate.pixels.dim();
        let weight = match (&level1.rate.variance, &level1.rate.flags) {
            (Some(variance), Some(flags)) => weight(variance, flags, false),
            _ => Array2::zeros(shape),
        };
        let middle = |tile: &sim_core::detector::AmplifierTile| {
            let area = tile.science;
            let rows = (area.y0..area.y0 + area.ny).flat_map(|y| columns(tile).map(move |x| (y, x)));
            let mut values: Vec<f32> = rows.filter(|&p| weight[p] > 0.0).map(|p| level1.rate.pixels[p]).collect();
            median(&mut values).unwrap_or(0.0)
        };
        let medians = layout.tiles.par_iter().map(middle).collect();
        Self { rate: &level1.rate.pixels, weight, layout, medians }
    }
    /// Sums of every tile, row by row in order.
    fn sums(&self) -> Vec<Sums> {
        let of_row = |y: usize| -> Vec<(usize, Sums)> {
            let of_tile = |(index, tile)| {
                let middle = self.medians[index];
                let mut sums = Sums::default();
                for x in columns(tile) {
                    let (weight, departure): (f32, f32) = (self.weight[(y, x)], self.rate[(y, x)] - middle);
                    let pull = departure * weight.sqrt();
                    if weight > 0.0 && pull.abs() < LIMIT {
                        sums.count += 1.0;
                        sums.value += f64::from(departure);
                        sums.variance += 1.0 / f64::from(weight);
                        sums.pull += f64::from(pull);
                        sums.pull2 += f64::from(pull) * f64::from(pull);
                    }
                }
                (index, sums)
            };
            tiles_of_row(self.layout, y).map(of_tile).collect()
        };
        let rows: Vec<Vec<(usize, Sums)>> = (0..self.rate.nrows()).into_par_iter().map(of_row).collect();
        let mut all = vec![Sums::default(); self.layout.tiles.len()];
        for (tile, row) in rows.into_iter().flatten() {
            let sum = &mut all[tile];
            sum.count += row.count;
            sum.value += row.value;
            sum.variance += row.variance;
            sum.pull += row.pull;
            sum.pull2 += row.pull2;
        }
        all
    }
    /// Mean rate of every amplifier's section.
    #[must_use]
    pub fn levels(&self) -> Vec<(usize, Measured)> {
        let sums = self.sums();
        let of = |((tile, middle), s): ((&sim_core::detector::AmplifierTile, &f32), &Sums)| {
            let level = Measured { value: f64::from(*middle) + s.value / s.count, error: s.variance.sqrt() / s.count };
            (s.count > 100.0).then_some((tile.amplifier, level))
        };
        self.layout.tiles.iter().zip(&self.medians).zip(&sums).filter_map(of).collect()
    }
    /// Variance of every amplifier's section over the predicted one, minus 1.
    #[must_use]
    pub fn variances(&self) -> Vec<(usize, Measured)> {
        let of = |(tile, s): (&sim_core::detector::AmplifierTile, &Sums)| {
            let variance = s.pull2 / s.count - (s.pull / s.count).powi(2);
            let offset = Measured { value: variance - 1.0, error: (2.0 / s.count).sqrt() };
            (s.count > 100.0).then_some((tile.amplifier, offset))
        };
        self.layout.tiles.iter().zip(&self.sums()).filter_map(of).collect()
    }
    /// Share of a pattern that is left. `pattern(amplifier, y, x)` gives its value and the variance of its noise, in units of the rate; with
    /// `centred`, the means of residual and pattern over each amplifier's section do not count. `None` when the pattern is not above its noise.
    #[must_use]
    pub fn share(&self, centred: bool, pattern: &(dyn Fn(usize, usize, usize) -> (f64, f64) + Sync)) -> Option<Measured> {
        // Sums of 1, v, r, T, rT, TT, u.
        type Moments = [f64; 7];
        let of_row = |y: usize| -> Vec<(usize, Moments)> {
            let of_tile = |(index, tile): (usize, &sim_core::detector::AmplifierTile)| {
                let middle = self.medians[index];
                let mut m = Moments::default();
                for x in columns(tile) {
                    let (weight, departure) = (self.weight[(y, x)], self.rate[(y, x)] - middle);
                    if weight > 0.0 && (departure * weight.sqrt()).abs() < LIMIT {
                        let (t, u) = pattern(tile.amplifier, y, x);
                        let r = f64::from(if centred { departure } else { self.rate[(y, x)] });
                        let terms = [1.0, 1.0 / f64::from(weight), r, t, r * t, t * t, u];
                        m.iter_mut().zip(terms).for_each(|(m, term)| *m += term);
                    }
                }
                (index, m)
            };
            tiles_of_row(self.layout, y).map(of_tile).collect()
        };
        let rows: Vec<Vec<(usize, Moments)>> = (0..self.rate.nrows()).into_par_iter().map(of_row).collect();
        let mut tiles = vec![Moments::default(); self.layout.tiles.len()];
        for (tile, row) in rows.into_iter().flatten() {
            tiles[tile].iter_mut().zip(row).for_each(|(sum, term)| *sum += term);
        }
        let (mut left, mut power, mut noise) = (0.0, 0.0, 0.0);
        for [n, v, r, t, rt, tt, u] in tiles {
            if n > 0.0 {
                let (off_r, off_t) = if centred { (r * t / n, t * t / n) } else { (0.0, 0.0) };
                left += (rt - off_r) * n / v;
                power += (tt - off_t) * n / v;
                noise += u * n / v;
            }
        }
        let clean = power - noise;
        let share = Measured { value: (left + noise) / clean, error: power.sqrt() / clean };
        (clean > 0.0 && share.error < 0.5).then_some(share)
    }
}
