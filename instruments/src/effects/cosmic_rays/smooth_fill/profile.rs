//! The star that fits the neighbours of a pixel best.
//!
//! # Formula
//! d = b + a g(r), g a Gaussian of standard deviation s; a and b by weighted least squares, centre and s by trying all of a grid: centres within 1.5
//! pixels in steps of 1/4, s as in `WIDTHS`. The star is taken when it lowers the sum of squares of (d - b) / sigma to a third.
//! How far a value for the middle may be from the truth: the mean square of its distance from what each star of the grid, with its level, gives there
//! (also Moffats of exponent 3, between which and Gaussians real stars lie),
//! weighted with exp(-(X - X_0) / 2 T), X the sum of squares that a star leaves, X_0 the least, T = X_0 / (n - 5), at least 1; and T over the
//! curvature of X in a, for the best. T is the misfit: what no Gaussian explains makes more stars possible.

use super::REACH;

/// Steps of the centre in a pixel, and their reach.
const STEPS: i32 = 4;
const FARTHEST: i32 = 6;
/// Standard deviations that are tried \[pixel\]: stars 1.5 to 2.8 pixels wide.
const WIDTHS: [f64; 6] = [0.64, 0.72, 0.8, 0.9, 1.02, 1.2];
/// Cores a of Moffats (1 + r^2 / a^2)^-3 \[pixel\], stars of the same widths: far sharper in the middle than Gaussians.
const CORES: [f64; 6] = [1.48, 1.66, 1.85, 2.08, 2.36, 2.77];
/// A star must explain the neighbours so much better than a constant.
const BETTER: f64 = 3.0;
/// Numbers of a star and the level under it: height, centre, width, level.
const PARAMETERS: f64 = 5.0;
/// What no star explains is believed to stem from so many independent faults.
const SHARED: f64 = 2.0;
/// A peak above so many times the brightest good neighbour is not believed.
const STEEPEST: f64 = 3.5;

/// The stars that neighbours allow.
#[derive(Debug)]
pub(super) struct Stars {
    /// Light of the best in the middle, if it is taken.
    pub(super) taken: Option<f64>,
    /// Of every star: what it explains, and the middle with it.
    all: Vec<(f64, f64)>,
    /// What the best explains.
    most: f64,
    /// Sum of squares that the best leaves, per degree of freedom.
    misfit: f64,
    /// Variance of the best's light in the middle.
    own: f64,
}

impl Stars {
    /// Mean square of a value's distance from what these stars give the middle.
    pub(super) fn away(&self, value: f64) -> f64 {
        let (mut weights, mut squares) = (0.0, 0.0);
        for (gained, there) in &self.all {
            let weight = (0.5 * (gained - self.most) / self.misfit).exp();
            (weights, squares) = (weights + weight, squares + weight * (there - value).powi(2));
        }
        squares / weights + self.own
    }
}

/// Light by width and squared distance in steps: Gaussians, then Moffats.
#[derive(Debug)]
pub(super) struct Profiles(Vec<Vec<f64>>);

impl Profiles {
    pub(super) fn new() -> Self {
        let farthest = REACH as i32 * STEPS + FARTHEST;
        let by_distance = |light: &dyn Fn(f64) -> f64| -> Vec<f64> {
            (0..=2 * farthest * farthest).map(|r2| light(f64::from(r2) / f64::from(STEPS * STEPS))).collect()
        };
        let gaussians = WIDTHS.map(|s| by_distance(&|r2| (-0.5 * r2 / (s * s)).exp()));
        let moffats = CORES.map(|a| by_distance(&|r2| (1.0 + r2 / (a * a)).powi(-3)));
        Self(gaussians.into_iter().chain(moffats).collect())
    }
    fn at(&self, star: Star, (y, x): (i32, i32)) -> f64 {
        let (dy, dx) = (STEPS * y - star.y, STEPS * x - star.x);
        self.0[star.width][(dy * dy + dx * dx) as usize]
    }
    /// Stars on the neighbours; `light` is what the best takes from them, when it is taken.
    pub(super) fn fit(&self, offsets: &[(i32, i32)], values: &[f64], noise: &[f64], light: &mut Vec<f64>) -> Option<Stars> {
        let n = offsets.len();
        let weight = |k: usize| 1.0 / noise[k].max(1e-30);
        let (mut w, mut wd, mut wdd) = (0.0, 0.0, 0.0);
        for (k, value) in values.iter().enumerate() {
            (w, wd, wdd) = (w + weight(k), wd + weight(k) * value, wdd + weight(k) * value * value);
        }
        let constant = wdd - wd * wd / w;
        let mut best: Option<(f64, f64, f64, Star)> = None;
        let brightest = values.iter().copied().fold(f64::MIN, f64::max);
        let lowest = values.iter().copied().fold(f64::MAX, f64::min);
        let mut all: Vec<(f64, f64)> = Vec::with_capacity(self.0.len() * (2 * FARTHEST as usize + 1).pow(2));
        for width in 0..self.0.len() {
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
                let height = product / square;
                if height <= STEEPEST * (brightest - lowest) {
                    all.push((gained, (wd - height * wg) / w + height * self.at(star, (0, 0))));
                }
                if width < WIDTHS.len() && best.is_none_or(|b| gained > b.0) {
                    best = Some((gained, product / square, square, star));
                }
            }
        }
        let (gained, height, square, star) = best?;
        let most = all.iter().map(|a| a.0).reduce(f64::max)?;
        let middle = self.at(star, (0, 0));
        let freedom = (n as f64 - PARAMETERS).max(1.0);
        let misfit = 1.0 + ((constant - most - freedom - 2.0 * (2.0 * freedom).sqrt()) / SHARED).max(0.0);
        let is_taken = constant >= BETTER * (constant - gained) && height <= STEEPEST * (brightest - lowest);
        if is_taken {
            light.clear();
            light.extend(offsets.iter().map(|&at| height * self.at(star, at)));
        }
        Some(Stars { taken: is_taken.then_some(height * middle), all, most, misfit, own: misfit * middle * middle / square })
    }
}

/// Centre from the middle \[step\], and which width.
#[derive(Debug, Clone, Copy)]
struct Star {
    y: i32,
    x: i32,
    width: usize,
}
