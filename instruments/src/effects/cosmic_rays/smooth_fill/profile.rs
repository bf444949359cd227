//! The star that fits the neighbours of a pixel best.
//!
//! # Formula
//! d = b + a g(r), g a Gaussian of standard deviation s; a and b by weighted least squares, centre and s by trying all of a grid: centres within 1.5
//! pixels in steps of 1/4, s as in `WIDTHS`. The star is taken when it lowers the sum of squares of (d - b) / sigma to a third.

use super::REACH;

/// Steps of the centre in a pixel, and their reach.
const STEPS: i32 = 4;
const FARTHEST: i32 = 6;
/// Standard deviations that are tried \[pixel\]: stars 1.5 to 2.8 pixels wide.
const WIDTHS: [f64; 6] = [0.64, 0.72, 0.8, 0.9, 1.02, 1.2];
/// A star must explain the neighbours so much better than a constant.
const BETTER: f64 = 3.0;
/// A peak above so many times the brightest good neighbour is not believed.
const STEEPEST: f64 = 3.5;

/// exp(-(d)^2 / 2 s^2) along one axis, by width and distance in steps.
#[derive(Debug)]
pub(super) struct Profiles(Vec<Vec<f64>>);

impl Profiles {
    pub(super) fn new() -> Self {
        let farthest = REACH as i32 * STEPS + FARTHEST;
        let along = |s: f64| (0..=farthest).map(|k| (-0.5 * (f64::from(k) / f64::from(STEPS) / s).powi(2)).exp()).collect();
        Self(WIDTHS.map(along).to_vec())
    }
    fn at(&self, star: Star, (y, x): (i32, i32)) -> f64 {
        let axis = &self.0[star.width];
        axis[(STEPS * y - star.y).unsigned_abs() as usize] * axis[(STEPS * x - star.x).unsigned_abs() as usize]
    }
    /// The best star: what it gives the middle, and takes from the neighbours (`light`).
    pub(super) fn fit(&self, offsets: &[(i32, i32)], values: &[f64], noise: &[f64], light: &mut Vec<f64>) -> Option<f64> {
        let n = offsets.len();
        let weight = |k: usize| 1.0 / noise[k].max(1e-30);
        let (mut w, mut wd, mut wdd) = (0.0, 0.0, 0.0);
        for (k, value) in values.iter().enumerate() {
            (w, wd, wdd) = (w + weight(k), wd + weight(k) * value, wdd + weight(k) * value * value);
        }
        let constant = wdd - wd * wd / w;
        let mut best: Option<(f64, f64, Star)> = None;
        for width in 0..WIDTHS.len() {
            for (y, x) in (-FARTHEST..=FARTHEST).flat_map(|y| (-FARTHEST..=FARTHEST).map(move |x| (y, x))) {
                let star = Star { y, x, width };
                let (mut wg, mut wgg, mut wgd) = (0.0, 0.0, 0.0);
                for k in 0..n {
                    let g = self.at(star, offsets[k]);
                    (wg, wgg, wgd) = (wg + weight(k) * g, wgg + weight(k) * g * g, wgd + weight(k) * g * values[k]);
                }
                let (square, product) = (wgg - wg * wg / w, wgd - wg * wd / w);
                if square <= 0.0 || product <= 0.0 {
                    continue;
                }
                let gained = product * product / square;
                if best.is_none_or(|b| gained > b.0) {
                    best = Some((gained, product / square, star));
                }
            }
        }
        let (gained, height, star) = best?;
        let brightest = values.iter().copied().fold(f64::MIN, f64::max);
        let level = values.iter().copied().fold(f64::MAX, f64::min);
        if constant < BETTER * (constant - gained) || height > STEEPEST * (brightest - level) {
            return None;
        }
        light.clear();
        light.extend(offsets.iter().map(|&at| height * self.at(star, at)));
        Some(height * self.at(star, (0, 0)))
    }
}

/// Centre from the middle \[step\], and which width.
#[derive(Debug, Clone, Copy)]
struct Star {
    y: i32,
    x: i32,
    width: usize,
}
