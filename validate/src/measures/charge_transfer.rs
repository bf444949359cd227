//! What charge transfer does to stars, by their distance from the register, before and after its correction.
//!
//! # Formula
//! D = frame - sky - noiseless truth, in electrons. Light: the mean over stars of the sum of D within 5 pixels over the star's electrons.
//! Centroid and ellipticity e = (Q_yy - Q_xx) / (Q_yy + Q_xx), Q about the true position: of the stars of a bin laid on one another, with
//! a Gaussian weight of 2 pixels, with D minus without it. Trail: D in 7 columns, rows 6 to 35 behind the star. y counts away from the register.
//! # Source
//! The figures by which corrections of charge transfer are judged: Massey et al. 2010 (MNRAS 401, 371), 2014 (MNRAS 439, 887).
//! # Limits
//! Errors are the scatter of the stars over the root of their number (of the linear terms, for ratios). A star whose neighbour lies
//! in its trail counts with it.

use super::{FrameMeasures, NoiselessInput};
use crate::level2::Level2;
use crate::product::{L1Frame, TruthObject};
use ndarray::Array2;
use serde::{Deserialize, Serialize};
use sim_core::knowledge::Measured;

/// Radius of the aperture, and of the moments \[pixel\].
const RADIUS_PX: i64 = 5;
/// Rows of the trail behind a star, and columns on either side.
const TRAIL: std::ops::RangeInclusive<i64> = 6..=35;
const TRAIL_COLUMNS: i64 = 3;
/// Width of the Gaussian weight \[pixel\].
const WEIGHT_PX: f64 = 2.0;
/// Classes of brightness \[electron\].
const CLASSES: [(f64, f64); 3] = [(300.0, 1000.0), (1000.0, 3000.0), (3000.0, 1e5)];
/// Ranges of distance.
const PARTS: usize = 4;
/// Fewest stars of a bin.
const LEAST: usize = 5;

/// Stars of one range of brightness and distance; pairs are without the correction and with it.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct TransferBin {
    /// Electrons of the stars, from.
    pub low_electron: f64,
    /// To.
    pub high_electron: f64,
    /// Mean distance from the register \[row\].
    pub distance_rows: f64,
    /// Stars.
    pub stars: usize,
    /// Light gained within 5 pixels, as a fraction of the star's.
    pub light: [Measured; 2],
    /// Shift away from the register \[pixel\].
    pub centroid_px: [Measured; 2],
    /// Change of the ellipticity along the columns.
    pub ellipticity: [Measured; 2],
    /// Electrons in the trail.
    pub trail_electron: [Measured; 2],
}

/// Moments under the weight: sums of 1, y, y^2 and x^2.
type Moments = [f64; 4];

/// One star.
#[derive(Clone, Copy)]
struct Star {
    electron: f64,
    distance: f64,
    truth: Moments,
    change: [Moments; 2],
    light: [f64; 2],
    trail: [f64; 2],
}

/// Mean and its error.
fn mean(values: impl Iterator<Item = f64> + Clone) -> Measured {
    let n = values.clone().count().max(1) as f64;
    let value = values.clone().sum::<f64>() / n;
    let variance = values.map(|v| (v - value).powi(2)).sum::<f64>() / (n - 1.0).max(1.0);
    Measured { value, error: (variance / n).sqrt() }
}

fn plus(a: Moments, b: Moments) -> Moments {
    std::array::from_fn(|k| a[k] + b[k])
}

fn shape([all, y, yy, xx]: Moments) -> (f64, f64) {
    (y / all, (yy - xx) / (yy + xx))
}

fn bin(stars: &[Star], low: f64, high: f64) -> Option<TransferBin> {
    if stars.len() < LEAST {
        return None;
    }
    let n = stars.len() as f64;
    let sum = |of: &dyn Fn(&Star) -> Moments| stars.iter().fold([0.0; 4], |sum, star| plus(sum, of(star)));
    let truth = sum(&|s| s.truth);
    let moved = |k: usize| {
        let all = plus(truth, sum(&|s| s.change[k]));
        let ((y, e), (y0, e0)) = (shape(all), shape(truth));
        // Influence of each star's change on the ratios.
        let shift = mean(stars.iter().map(|s| n * (s.change[k][1] - y * s.change[k][0]) / all[0])).error;
        let size = all[2] + all[3];
        let round = mean(stars.iter().map(|s| n * ((1.0 - e) * s.change[k][2] - (1.0 + e) * s.change[k][3]) / size)).error;
        (Measured { value: y - y0, error: shift }, Measured { value: e - e0, error: round })
    };
    let moved = [moved(0), moved(1)];
    Some(TransferBin {
        low_electron: low,
        high_electron: high,
        distance_rows: stars.iter().map(|s| s.distance).sum::<f64>() / n,
        stars: stars.len(),
        light: [0, 1].map(|k| mean(stars.iter().map(|s| s.light[k] / s.electron))),
        centroid_px: moved.map(|m| m.0),
        ellipticity: moved.map(|m| m.1),
        trail_electron: [0, 1].map(|k| mean(stars.iter().map(|s| s.trail[k]))),
    })
}

/// Frames and truth of a comparison.
pub(super) struct Comparison<'a> {
    /// With the correction.
    pub after: &'a L1Frame,
    /// Without it.
    pub before: &'a L1Frame,
    /// Sky of both.
    pub level2: &'a Level2,
    /// Rate of the sources without noise.
    pub noiseless: &'a Array2<f32>,
    /// Rows of the detector; columns go to the nearer edge.
    pub rows: usize,
}

impl Comparison<'_> {
    /// One star; `None` when bad pixels, the frame's edge or the middle of the detector are too near.
    fn star(&self, t: &TruthObject) -> Option<Star> {
        let (ny, nx) = self.noiseless.dim();
        let (x0, y0) = (t.x.round() as i64, t.y.round() as i64);
        let device_y = t.y + self.after.window.1 as f64;
        let half = 0.5 * self.rows as f64;
        let up = device_y < half;
        let distance = if up { device_y } else { self.rows as f64 - 1.0 - device_y };
        let time_s = self.after.exposure_s;
        let mut star =
            Star { electron: t.rate * time_s, distance, truth: [0.0; 4], change: [[0.0; 4]; 2], light: [0.0; 2], trail: [0.0; 2] };
        if distance + *TRAIL.end() as f64 >= half {
            return None;
        }
        for dy in -RADIUS_PX - 1..=*TRAIL.end() {
            let y = if up { y0 + dy } else { y0 - dy };
            for dx in -RADIUS_PX - 1..=RADIUS_PX + 1 {
                let x = x0 + dx;
                if y < 0 || x < 0 || y >= ny as i64 || x >= nx as i64 {
                    return None;
                }
                let at = [y as usize, x as usize];
                if self.after.weight[at] <= 0.0 || self.before.weight[at] <= 0.0 {
                    return None;
                }
                let truth = time_s * f64::from(self.noiseless[at]);
                let after = time_s * f64::from(self.level2.frame.rate[at]);
                let before = after + time_s * f64::from(self.before.rate[at] - self.after.rate[at]);
                let (fx, fy) = (x as f64 - t.x, if up { y as f64 - t.y } else { t.y - y as f64 });
                let r2 = fx * fx + fy * fy;
                let weight = (-0.5 * r2 / (WEIGHT_PX * WEIGHT_PX)).exp();
                let near = dy <= RADIUS_PX + 1;
                let moments = if near { [weight, weight * fy, weight * fy * fy, weight * fx * fx] } else { [0.0; 4] };
                star.truth = plus(star.truth, moments.map(|m| m * truth));
                for (k, value) in [before, after].into_iter().enumerate() {
                    let change = value - truth;
                    star.change[k] = plus(star.change[k], moments.map(|m| m * change));
                    if near && r2 <= (RADIUS_PX * RADIUS_PX) as f64 {
                        star.light[k] += change;
                    }
                    if TRAIL.contains(&dy) && dx.abs() <= TRAIL_COLUMNS {
                        star.trail[k] += change;
                    }
                }
            }
        }
        Some(star)
    }

    /// Enters the bins and the measures of a frame.
    pub fn measure(&self, out: &mut FrameMeasures, truth: &[TruthObject], input: &NoiselessInput) {
        if input.includes_sky || self.before.rate.dim() != self.after.rate.dim() || self.noiseless.dim() != self.after.rate.dim() {
            out.notes.push("Charge transfer before and after: needs a noiseless truth without sky and two frames of one shape.".into());
            return;
        }
        let stars: Vec<Star> = truth.iter().filter(|t| t.is_star).filter_map(|t| self.star(t)).collect();
        let part = |s: &Star| ((s.distance / (0.5 * self.rows as f64) * PARTS as f64) as usize).min(PARTS - 1);
        for (low, high) in CLASSES {
            for number in 0..PARTS {
                let inside = |s: &&Star| s.electron >= low && s.electron < high && part(s) == number;
                let chosen: Vec<Star> = stars.iter().filter(inside).copied().collect();
                out.transfer.extend(bin(&chosen, low, high));
            }
        }
        // The mean of all hides that faint and bright stars are off to different sides.
        for ((low, high), class) in CLASSES[1..].iter().zip(["1000", "3000"]) {
            let bright = |s: &&Star| s.electron >= *low && s.electron < *high;
            let all: Vec<Star> = stars.iter().filter(bright).copied().collect();
            let far: Vec<Star> = all.iter().filter(|s| part(s) == PARTS - 1).copied().collect();
            if let Some(far) = bin(&far, *low, *high) {
                for (name, pair) in [("light", far.light), ("centroid", far.centroid_px), ("ellipticity", far.ellipticity)] {
                    for (when, bias) in ["_before", ""].into_iter().zip(pair) {
                        out.values.set(&format!("cti_{name}_{class}{when}"), bias.value, Some(bias.error), far.stars);
                    }
                }
            }
            if let Some(all) = bin(&all, *low, *high) {
                let [before, after] = all.trail_electron;
                let error = after.error / before.value.abs();
                out.values.set(&format!("cti_trail_removed_{class}"), 1.0 - after.value / before.value, Some(error), all.stars);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn star(truth: Moments, change: [Moments; 2], light: [f64; 2]) -> Star {
        Star { electron: 1000.0, distance: 4000.0, truth, change, light, trail: [100.0, 2.0] }
    }

    #[test]
    fn a_star_moved_as_a_whole_is_moved_by_that_much() {
        // Moments of a round star of weight 1000 and of the same star half a pixel further: y and y^2 change.
        let truth = [1000.0, 0.0, 900.0, 900.0];
        let moved = [0.0, 500.0, 250.0, 0.0];
        let found = bin(&[star(truth, [moved, [0.0; 4]], [-60.0, 1.0]); 6], 1000.0, 3000.0).unwrap();
        assert_eq!(found.centroid_px.map(|b| b.value), [0.5, 0.0]);
        assert!((found.ellipticity[0].value - 250.0 / 2050.0).abs() < 1e-12 && found.ellipticity[1].value == 0.0);
        assert!((found.light[0].value + 0.06).abs() < 1e-12 && (found.light[1].value - 0.001).abs() < 1e-12);
        assert_eq!(found.trail_electron.map(|b| b.value), [100.0, 2.0]);
        assert!(found.centroid_px[0].error < 1e-9, "equal stars do not scatter");
        assert_eq!(bin(&[star(truth, [moved; 2], [0.0; 2]); 4], 0.0, 1.0), None, "too few");
    }

    #[test]
    fn the_error_is_the_scatter_over_the_root_of_the_number() {
        let b = mean([1.0, 3.0, 1.0, 3.0].into_iter());
        // Variance 4/3, of the mean 1/3.
        assert!((b.value - 2.0).abs() < 1e-12 && (b.error - (1.0_f64 / 3.0).sqrt()).abs() < 1e-12);
    }
}
