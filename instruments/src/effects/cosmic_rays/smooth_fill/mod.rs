//! Replacement of flagged pixels by what their neighbours say of a smooth image: Gaussian-process regression.
//!
//! # Effect
//! A flagged pixel takes the most likely value, given the good pixels within [`REACH`], of an image that varies on the scale of the PSF; also
//! on stars, where means and medians of neighbours fall short. Its variance says how well they know it.
//! # Formula
//! v = p + m + k (K + N)^-1 (d - p - m), p the star that fits the neighbours best (`profile`), where one does; variance = n + the larger of A - k (K + N)^-1 k and u; K_ij = A exp(-r_ij^2 / 2 l^2), k_i likewise to the replaced pixel, N the
//! variances of the neighbours.
//! # Symbols
//! d, m good neighbours and their median \[any unit\]; A signal: mean square of d - m within two pixels less the noise; l
//! `length_px` \[pixel\]; n mean variance of the neighbours: a replaced pixel counts for no more than they do; u mean square distance of v from what the stars that the neighbours allow give there (`profile`)
//! # Source
//! Rasmussen & Williams 2006, eq. 2.25-2.26; for bad pixels of images Zhang & Brandt 2021 (AJ 162, 139). A field of point sources seen through
//! a Gaussian PSF of standard deviation s has l = sqrt(2) s.
//! # Limits
//! Light of the hit that was not flagged (below the limit of the truth) stays in the neighbours and enters: level 1 leaves the pixels beside flagged
//! ones out, which costs those on a star's core most of what says how bright it is. Pixels with fewer than [`LEAST`] good
//! neighbours keep value and variance. On the core of a bright star u is what the error is made of: stars are no Gaussians, and the
//! neighbours of a lost peak say little of it.
//! # Twin
//! A part of the correction of `cosmic_rays`, by choice: the flags stay.

mod profile;

use ndarray::{Array2, Zip};
use profile::Profiles;
use rayon::prelude::*;

/// Neighbours within so many pixels (rows and columns).
pub const REACH: usize = 3;
/// Neighbours that are needed.
pub const LEAST: usize = 5;
/// Length of correlation \[pixel\]: that of the survey camera's stars (1.8 pixels wide), chosen by bias (`cosmic_ray_bench inpaint`).
pub const LENGTH_PX: f32 = 1.2;
/// What no model of this kind follows, a share of the signal's variance; keeps the equations well-posed.
const UNMODELLED: f64 = 1e-4;

/// What the neighbours are believed to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Prior {
    /// A smooth image.
    Smooth,
    /// A star where one fits, and a smooth image on it.
    Star,
}

/// Replaces the pixels where `replace` holds; those where `unusable` holds say nothing. Variance likewise.
pub fn fill(
    pixels: &mut Array2<f32>,
    variance: &mut Array2<f32>,
    replace: &Array2<bool>,
    unusable: &Array2<bool>,
    length_px: f32,
    prior: Prior,
) {
    let profiles = (prior == Prior::Star).then(Profiles::new);
    let (ny, nx) = pixels.dim();
    // Squares of distances within the neighbourhood, 0 to 2 (2 REACH)^2.
    let table: Vec<f64> =
        (0..=8 * REACH * REACH).map(|r2| (-0.5 * r2 as f64 / (f64::from(length_px) * f64::from(length_px))).exp()).collect();
    let good = Zip::from(&*pixels)
        .and(&*variance)
        .and(replace)
        .and(unusable)
        .map_collect(|v, n, a, b| v.is_finite() && n.is_finite() && *n >= 0.0 && !a && !b);
    let places: Vec<(usize, usize)> = replace.indexed_iter().filter(|(_, r)| **r).map(|(at, _)| at).collect();
    let (before, noise) = (&*pixels, &*variance);
    let made: Vec<Option<(f64, f64)>> = places
        .par_iter()
        .with_min_len(128)
        .map_init(Equations::default, |equations, &(y, x)| {
            equations.clear();
            for v in y.saturating_sub(REACH)..(y + REACH + 1).min(ny) {
                for u in x.saturating_sub(REACH)..(x + REACH + 1).min(nx) {
                    if good[(v, u)] {
                        let offset = (v as i32 - y as i32, u as i32 - x as i32);
                        equations.add(offset, f64::from(before[(v, u)]), f64::from(noise[(v, u)]));
                    }
                }
            }
            equations.solve(&table, profiles.as_ref())
        })
        .collect();
    for (at, value) in places.into_iter().zip(made) {
        if let Some((value, own)) = value {
            pixels[at] = value as f32;
            variance[at] = own as f32;
        }
    }
}

/// Neighbours of one pixel and room for their equations.
#[derive(Debug, Default)]
struct Equations {
    offsets: Vec<(i32, i32)>,
    values: Vec<f64>,
    noise: Vec<f64>,
    sorted: Vec<f64>,
    /// Lower triangle of K + N, then of its Cholesky factor.
    matrix: Vec<f64>,
    cross: Vec<f64>,
    /// Light of the star that fits.
    light: Vec<f64>,
}

/// Median of a list that is sorted here.
fn median(values: &mut [f64]) -> f64 {
    values.sort_by(f64::total_cmp);
    let n = values.len();
    0.5 * (values[n / 2] + values[(n - 1) / 2])
}

impl Equations {
    fn clear(&mut self) {
        self.offsets.clear();
        self.values.clear();
        self.noise.clear();
    }
    fn add(&mut self, offset: (i32, i32), value: f64, noise: f64) {
        self.offsets.push(offset);
        self.values.push(value);
        self.noise.push(noise);
    }
    /// Mean square about the median less the noise, within two pixels or of all where there are too few; and the median.
    fn signal(&mut self) -> (f64, f64) {
        self.sorted.clone_from(&self.values);
        let middle = median(&mut self.sorted);
        let square = |within: i32| {
            let near =
                self.offsets.iter().zip(&self.values).zip(&self.noise).filter(|((o, _), _)| o.0.abs() <= within && o.1.abs() <= within);
            near.fold((0.0, 0), |(sum, n), ((_, v), noise)| (sum + (v - middle).powi(2) - noise, n + 1))
        };
        let (sum, count) = Some(square(2)).filter(|s| s.1 >= LEAST).unwrap_or_else(|| square(REACH as i32));
        (sum / count.max(1) as f64, middle)
    }
    /// Value and variance in the middle.
    fn solve(&mut self, table: &[f64], profiles: Option<&Profiles>) -> Option<(f64, f64)> {
        let n = self.values.len();
        if n < LEAST {
            return None;
        }
        let mean_noise = self.noise.iter().sum::<f64>() / n as f64;
        let (mut signal, mut middle) = self.signal();
        let mut star = 0.0;
        // Stars are looked for where there is more than noise, and taken where there is much more.
        let profiles = profiles.filter(|_| signal > 0.5 * mean_noise);
        let stars = profiles.and_then(|p| p.fit(&self.offsets, &self.values, &self.noise, &mut self.light));
        if let Some(own) = stars.as_ref().and_then(|s| s.taken).filter(|_| signal > 3.0 * mean_noise) {
            self.values.iter_mut().zip(&self.light).for_each(|(v, light)| *v -= light);
            (signal, middle) = self.signal();
            star = own;
        }
        // The neighbours' stars bound how well they know the middle.
        let with = |value: f64, variance: f64| (value, stars.as_ref().map_or(variance, |s| variance.max(s.away(value))) + mean_noise);
        if signal <= 1e-3 * mean_noise {
            // Nothing but sky: its level.
            return Some(with(star + self.values.iter().sum::<f64>() / n as f64, 0.0));
        }
        self.matrix.clear();
        self.cross.clear();
        for i in 0..n {
            let (y, x) = self.offsets[i];
            for &(v, u) in &self.offsets[..=i] {
                self.matrix.push(signal * table[((y - v) * (y - v) + (x - u) * (x - u)) as usize]);
            }
            if let Some(own) = self.matrix.last_mut() {
                *own += self.noise[i] + UNMODELLED * signal;
            }
            self.cross.push(signal * table[(y * y + x * x) as usize]);
        }
        self.eliminate(middle).map(|(value, explained)| with(star + middle + value, (signal - explained).max(0.0)))
    }
    /// Cholesky's factor L of the matrix; with a = L^-1 cross and b = L^-1 (values - middle): a . b and a . a.
    fn eliminate(&mut self, middle: f64) -> Option<(f64, f64)> {
        let n = self.values.len();
        let (mut value, mut explained) = (0.0, 0.0);
        let start = |i: usize| i * (i + 1) / 2;
        for i in 0..n {
            let (done, rest) = self.matrix.split_at_mut(start(i));
            let row = &mut rest[..=i];
            for j in 0..i {
                let other = &done[start(j)..=start(j) + j];
                let sum: f64 = row[..j].iter().zip(other).map(|(a, b)| a * b).sum();
                row[j] = (row[j] - sum) / other[j];
            }
            let square = row[i] - row[..i].iter().map(|a| a * a).sum::<f64>();
            if square <= 0.0 || !square.is_finite() {
                return None;
            }
            row[i] = square.sqrt();
            let forward = |known: &[f64], own: f64| (own - row[..i].iter().zip(known).map(|(l, k)| l * k).sum::<f64>()) / row[i];
            self.cross[i] = forward(&self.cross[..i], self.cross[i]);
            self.values[i] = forward(&self.values[..i], self.values[i] - middle);
            value += self.cross[i] * self.values[i];
            explained += self.cross[i] * self.cross[i];
        }
        Some((value, explained))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use sim_core::noise;
    use sim_core::stream::StreamKey;

    fn star(x0: f32, y0: f32, sigma: f32, peak: f32) -> Array2<f32> {
        Array2::from_shape_fn((21, 21), |(y, x)| {
            let r2 = (x as f32 - x0).powi(2) + (y as f32 - y0).powi(2);
            30.0 + peak * (-0.5 * r2 / (sigma * sigma)).exp()
        })
    }

    #[test]
    fn the_peak_of_a_star_comes_back_from_its_neighbours() {
        // The correlation of an image seen through a Gaussian of s is that of sqrt(2) s; a mean of the eight neighbours has half of the peak.
        for (x0, y0, prior, within) in [
            (10.0, 10.0, Prior::Smooth, 0.1),
            (10.3, 9.8, Prior::Smooth, 0.08),
            (10.5, 10.5, Prior::Smooth, 0.08),
            (10.3, 9.8, Prior::Star, 0.1),
        ] {
            let truth = star(x0, y0, 0.85, 5000.0);
            let mut pixels = truth.clone();
            let mut variance = truth.mapv(|v| v + 25.0);
            let mut hit = Array2::from_elem(truth.dim(), false);
            hit[(10, 10)] = true;
            pixels[(10, 10)] += 4000.0;
            fill(&mut pixels, &mut variance, &hit, &Array2::from_elem(truth.dim(), false), 1.2, prior);
            let missing = (pixels[(10, 10)] - truth[(10, 10)]) / truth[(10, 10)];
            println!("({x0}, {y0}): {missing}");
            assert!(missing.abs() < within, "({x0}, {y0}): {missing}");
            pixels[(10, 10)] = truth[(10, 10)];
            assert_eq!(pixels, truth, "no other pixel changes");
        }
    }

    #[test]
    fn the_error_stated_is_the_error_made_also_on_bright_stars_that_are_no_gaussians() {
        // Stars 1.8 pixels wide, Gaussians and Moffats of exponent 3 (which the value, a Gaussian's, misses by a quarter), under the noise of light and of
        // 5 electrons; the peak's pixel is lost, alone or with one or three more. A mean square of 64 pulls is sure to 18 %; the model's share of the
        // error is the same in all of them, so that a factor is left to it.
        let core = 0.9 / (2.0_f32.powf(1.0 / 3.0) - 1.0).sqrt();
        let gaussian = |r2: f32| (-0.5 * r2 / 0.764_f32.powi(2)).exp();
        let moffat = |r2: f32| (1.0 + r2 / (core * core)).powi(-3);
        let shapes: [(&str, &dyn Fn(f32) -> f32); 2] = [("Gaussian", &gaussian), ("Moffat", &moffat)];
        let all_lost = [&[(0, 0)][..], &[(0, 0), (0, 1)], &[(0, 0), (0, 1), (1, 0), (1, 1)]];
        for (peak, (name, shape), lost) in
            [300.0_f32, 5000.0, 50_000.0].into_iter().flat_map(|p| shapes.map(|s| (p, s))).flat_map(|(p, s)| all_lost.map(|l| (p, s, l)))
        {
            let pulls: Vec<f32> = (0..64_u64).map(|k| pull(k, &|r2| peak * shape(r2), lost)).collect();
            let rms = (pulls.iter().map(|p| p * p).sum::<f32>() / pulls.len() as f32).sqrt();
            let worst = pulls.iter().fold(0.0_f32, |w, p| w.max(p.abs()));
            println!("{name}, peak {peak}, {} lost: rms {rms:.2}, worst {worst:.2} stated errors", lost.len());
            assert!((0.1..1.8).contains(&rms) && worst < 5.5, "{name}, peak {peak}, {} lost: {rms} {worst}", lost.len());
        }
    }

    /// Error over stated error of a lost pixel at (10, 10) near the middle of a star, whose place in its pixel is the k-th of 64.
    fn pull(k: u64, light: &dyn Fn(f32) -> f32, lost: &[(usize, usize)]) -> f32 {
        let key = StreamKey::new(12).with_name("fill").with(k);
        let (x0, y0) = (10.0 + (k % 8) as f32 / 8.0 - 0.4375, 10.0 + (k / 8) as f32 / 8.0 - 0.4375);
        let truth = Array2::from_shape_fn((21, 21), |(y, x)| 30.0 + light((x as f32 - x0).powi(2) + (y as f32 - y0).powi(2)));
        let mut pixels = truth.clone();
        for (y, mut row) in pixels.rows_mut().into_iter().enumerate() {
            let row = row.as_slice_mut().unwrap();
            noise::poisson(&key.stream(y as u64), 0, row);
            noise::add_normals(&key.stream(100 + y as u64), 0, 5.0, row);
        }
        let mut variance = truth.mapv(|v| v + 25.0);
        let mut hit = Array2::from_elem(truth.dim(), false);
        lost.iter().for_each(|(v, u)| hit[(10 + v, 10 + u)] = true);
        fill(&mut pixels, &mut variance, &hit, &Array2::from_elem(truth.dim(), false), LENGTH_PX, Prior::Star);
        (pixels[(10, 10)] - truth[(10, 10)]) / variance[(10, 10)].sqrt()
    }

    #[test]
    fn flat_sky_is_given_back_and_a_pixel_without_neighbours_keeps_its_value() {
        let mut pixels = Array2::from_elem((9, 9), 12.0_f32);
        let mut variance = Array2::from_elem((9, 9), 4.0_f32);
        let mut hit = Array2::from_elem((9, 9), false);
        (hit[(4, 4)], pixels[(4, 4)]) = (true, 700.0);
        let none = Array2::from_elem((9, 9), false);
        fill(&mut pixels, &mut variance, &hit, &none, LENGTH_PX, Prior::Star);
        assert_eq!((pixels[(4, 4)], variance[(4, 4)]), (12.0, 4.0));
        pixels[(4, 4)] = 700.0;
        fill(&mut pixels, &mut variance, &hit, &Array2::from_elem((9, 9), true), LENGTH_PX, Prior::Star);
        assert_eq!(pixels[(4, 4)], 700.0);
    }
}
