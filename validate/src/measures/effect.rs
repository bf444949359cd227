//! What an effect does to a frame when it is left in, and what is left of it when it is undone.
//!
//! # Formula
//! Three reductions of the same exposure, all draws equal: R without the effect, B with it and not undone, A with it and undone (or flagged).
//! Pixels: rms of (B - R) / sigma and of (A - R) / sigma over the pixels that each reduction gives weight, sigma that of R;
//! what is left is the root of the ratio of the sums of squares, so that flagging what cannot be undone counts as removing it.
//! Stars (isolated, SNR > 20 within 5 pixels): relative change of the flux in 5 pixels over the sky of a ring of 8 to 12; shift of the centroid,
//! relative change of the size `Qxx + Qyy` and change of the ellipticity `((Qxx - Qyy), 2 Qxy) / (Qxx + Qyy)` by moments under a Gaussian weight of 1.5
//! pixels that follows the star. Changes between frames with the same noise have hardly any noise of their own: what scatters is the effect.

use super::Measures;
use super::matching::Grid;
use crate::product::TruthObject;
use crate::statistics::{Moments, median64, moments};
use ndarray::{Array2, Zip};
use serde::{Deserialize, Serialize};

/// A reduction: rate \[electron / s\] and inverse variance, 0 where a pixel must not be used.
#[derive(Debug, Clone, Copy)]
pub struct Side<'a> {
    /// Rate.
    pub rate: &'a Array2<f32>,
    /// Weight.
    pub weight: &'a Array2<f32>,
}

/// Three reductions of one exposure, of equal shapes.
#[derive(Debug, Clone, Copy)]
pub struct EffectInputs<'a> {
    /// The effect.
    pub effect: &'a str,
    /// The frame, as the report names it.
    pub frame: &'a str,
    /// Without the effect.
    pub reference: Side<'a>,
    /// With the effect, which is not undone.
    pub before: Side<'a>,
    /// With the effect, undone.
    pub after: Side<'a>,
    /// True objects of the frame.
    pub objects: &'a [TruthObject],
}

/// Changes by an effect.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct EffectMeasures {
    /// The effect.
    pub effect: String,
    /// The frame.
    pub frame: String,
    /// The numbers.
    pub values: Measures,
}

/// Radius of the aperture \[pixel\].
const RADIUS: f64 = 5.0;
/// Ring of the sky \[pixel\].
const RING: (f64, f64) = (8.0, 12.0);
/// Width of the weight of moments \[pixel\].
const WEIGHT_SIGMA: f64 = 1.5;
/// Signal to noise from which a star is measured.
const LEAST_SNR: f64 = 20.0;
/// Distance to which a star has no neighbour above a twentieth of its light \[pixel\].
const ALONE: f64 = 12.0;

/// What one reduction makes of a star.
#[derive(Debug, Clone, Copy)]
struct Star {
    flux: f64,
    x: f64,
    y: f64,
    size: f64,
    ellipticity: (f64, f64),
    snr: f64,
}

impl Side<'_> {
    /// Good pixels within `radius` of a place: offsets and value; `None` when one is bad or off the frame.
    fn disc(&self, x: f64, y: f64, radius: f64) -> Option<Vec<(f64, f64, f64, f64)>> {
        let (ny, nx) = self.rate.dim();
        let mut pixels = Vec::new();
        for py in (y - radius).ceil() as i64..=(y + radius).floor() as i64 {
            for px in (x - radius).ceil() as i64..=(x + radius).floor() as i64 {
                let (dx, dy) = (px as f64 - x, py as f64 - y);
                if dx.hypot(dy) <= radius {
                    let at = (usize::try_from(py).ok()?, usize::try_from(px).ok()?);
                    if at.0 >= ny || at.1 >= nx || self.weight[at] <= 0.0 {
                        return None;
                    }
                    pixels.push((dx, dy, f64::from(self.rate[at]), 1.0 / f64::from(self.weight[at])));
                }
            }
        }
        Some(pixels)
    }
    /// Median of the good pixels of the ring about a place.
    fn sky(&self, x: f64, y: f64) -> Option<f64> {
        let (ny, nx) = self.rate.dim();
        let mut values = Vec::new();
        for py in (y - RING.1).ceil() as i64..=(y + RING.1).floor() as i64 {
            for px in (x - RING.1).ceil() as i64..=(x + RING.1).floor() as i64 {
                let far = (px as f64 - x).hypot(py as f64 - y);
                let inside = px >= 0 && py >= 0 && (px as usize) < nx && (py as usize) < ny && far >= RING.0 && far <= RING.1;
                if inside && self.weight[(py as usize, px as usize)] > 0.0 {
                    values.push(f64::from(self.rate[(py as usize, px as usize)]));
                }
            }
        }
        (values.len() >= 50).then(|| median64(&mut values))
    }
    fn star(&self, object: &TruthObject) -> Option<Star> {
        let (mut x, mut y) = (object.x, object.y);
        let sky = self.sky(x, y)?;
        let disc = self.disc(x, y, RADIUS)?;
        let flux = disc.iter().map(|p| p.2 - sky).sum::<f64>();
        let snr = flux / disc.iter().map(|p| p.3).sum::<f64>().sqrt();
        let mut moments = [0.0; 6];
        for _ in 0..12 {
            moments = [0.0; 6];
            for (dx, dy, value, _) in self.disc(x, y, RADIUS)? {
                let w = (value - sky) * (-0.5 * (dx * dx + dy * dy) / (WEIGHT_SIGMA * WEIGHT_SIGMA)).exp();
                let terms = [w, w * dx, w * dy, w * dx * dx, w * dy * dy, w * dx * dy];
                moments.iter_mut().zip(terms).for_each(|(m, t)| *m += t);
            }
            if moments[0] <= 0.0 {
                return None;
            }
            // Under a weight as wide as the star the first moment is half the shift.
            x += 2.0 * moments[1] / moments[0];
            y += 2.0 * moments[2] / moments[0];
            if (x - object.x).hypot(y - object.y) > 2.0 {
                return None;
            }
        }
        let [q0, _, _, xx, yy, xy] = moments;
        let size = (xx + yy) / q0;
        Some(Star { flux, x, y, size, ellipticity: ((xx - yy) / (xx + yy), 2.0 * xy / (xx + yy)), snr })
    }
}

/// Sum of squares of (side - reference) / sigma, the number of pixels, and of those that changed by more than sigma.
fn difference(side: Side<'_>, reference: Side<'_>) -> (f64, usize, usize) {
    let rows = Zip::from(side.rate.rows()).and(side.weight.rows()).and(reference.rate.rows()).and(reference.weight.rows());
    let sums = rows.par_map_collect(|a, wa, r, wr| {
        let row = a.iter().zip(wa).zip(r.iter().zip(wr)).filter(|((_, wa), (_, wr))| **wa > 0.0 && **wr > 0.0);
        row.fold((0.0, 0, 0), |(sum, n, changed), ((a, _), (r, wr))| {
            let square = f64::from(a - r).powi(2) * f64::from(*wr);
            (sum + square, n + 1, changed + usize::from(square > 1.0))
        })
    });
    sums.iter().fold((0.0, 0, 0), |all, row| (all.0 + row.0, all.1 + row.1, all.2 + row.2))
}

/// Measures an effect.
#[must_use]
pub fn measure_effect(inputs: &EffectInputs<'_>) -> EffectMeasures {
    let EffectInputs { effect, frame, reference, before, after, objects } = *inputs;
    let mut values = Measures::default();
    let ((was, n_was, changed), (is, n_is, still)) = (difference(before, reference), difference(after, reference));
    for (name, sum, n) in [("effect_rms_before", was, n_was), ("effect_rms_after", is, n_is)] {
        values.set(name, (sum / n.max(1) as f64).sqrt(), None, n);
    }
    values.set("effect_pixels_before", changed as f64, None, n_was);
    values.set("effect_pixels_after", still as f64, None, n_is);
    values.set("effect_left", (is / was).sqrt(), None, n_is);
    let (ny, nx) = reference.rate.dim();
    let grid = Grid::new(objects.iter().map(|o| (o.x, o.y)), nx, ny);
    let alone =
        |o: &&TruthObject| o.is_star && grid.within(o.x, o.y, ALONE).iter().all(|&(i, far)| far == 0.0 || objects[i].rate < 0.05 * o.rate);
    let stars: Vec<(&TruthObject, Star)> = objects
        .iter()
        .filter(alone)
        .filter_map(|o| reference.star(o).map(|star| (o, star)))
        .filter(|(_, star)| star.snr > LEAST_SNR)
        .collect();
    for (side, [flux, shift, size, ellipticity]) in [
        (before, ["effect_flux_before", "effect_shift_before", "effect_size_before", "effect_ellipticity_before"]),
        (after, ["effect_flux_after", "effect_shift_after", "effect_size_after", "effect_ellipticity_after"]),
    ] {
        let pairs: Vec<(Star, Star)> = stars.iter().filter_map(|(o, was)| side.star(o).map(|is| (*was, is))).collect();
        let of = |change: &dyn Fn(&Star, &Star) -> f64| pairs.iter().map(|(was, is)| change(was, is)).collect::<Vec<_>>();
        let mut mean = |name: &str, changes: Vec<f64>| {
            if let Some(Moments { mean, mean_error, count, .. }) = moments(&changes, f64::INFINITY) {
                values.set(name, mean, Some(mean_error), count);
            }
        };
        mean(flux, of(&|was, is| is.flux / was.flux - 1.0));
        mean(size, of(&|was, is| is.size / was.size - 1.0));
        let mut root = |name: &str, squares: Vec<f64>| {
            if let Some(Moments { mean, mean_error, count, .. }) = moments(&squares, f64::INFINITY) {
                let rms = mean.sqrt();
                values.set(name, rms, (rms > 0.0).then(|| 0.5 * mean_error / rms), count);
            }
        };
        root(shift, of(&|was, is| (is.x - was.x).powi(2) + (is.y - was.y).powi(2)));
        let turned =
            |was: &Star, is: &Star| (is.ellipticity.0 - was.ellipticity.0).powi(2) + (is.ellipticity.1 - was.ellipticity.1).powi(2);
        root(ellipticity, of(&turned));
    }
    EffectMeasures { effect: effect.into(), frame: frame.into(), values }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn star(id: i64, x: f64, y: f64) -> TruthObject {
        TruthObject { id, is_star: true, x, y, ra_deg: 0.0, dec_deg: 0.0, magnitude: 20.0, rate: 1000.0, half_light_px: 0.0 }
    }

    /// Round stars of 1000 and a variance of 1.3 pixels squared, moved by `dy`, scaled by `scale`, widened along rows by `wider`.
    fn field(objects: &[TruthObject], dy: f64, scale: f64, wider: f64) -> Array2<f32> {
        Array2::from_shape_fn((128, 128), |(py, px)| {
            let light = objects.iter().map(|o| {
                let (dx, dy) = (px as f64 - o.x, py as f64 - o.y - dy);
                let (vx, vy) = (1.3 + wider, 1.3);
                scale * o.rate / (std::f64::consts::TAU * (vx * vy).sqrt()) * (-0.5 * (dx * dx / vx + dy * dy / vy)).exp()
            });
            (10.0 + light.sum::<f64>()) as f32
        })
    }

    fn measured(before: &Array2<f32>, flagged: &Array2<f32>) -> Measures {
        let objects = objects();
        let reference = field(&objects, 0.0, 1.0, 0.0);
        let weight = Array2::from_elem(reference.dim(), 4.0);
        let side = |rate, weight| Side { rate, weight };
        let inputs = EffectInputs {
            effect: "cti",
            frame: "i",
            reference: side(&reference, &weight),
            before: side(before, &weight),
            after: side(before, flagged),
            objects: &objects,
        };
        measure_effect(&inputs).values
    }

    fn objects() -> Vec<TruthObject> {
        (0..16).map(|i| star(i, 18.3 + 30.0 * (i % 4) as f64, 17.6 + 30.0 * (i / 4) as f64)).collect()
    }

    #[test]
    fn light_shift_and_width_come_back_from_stars() {
        let all = Array2::from_elem((128, 128), 4.0);
        let m = measured(&field(&objects(), 0.2, 0.97, 0.0), &all);
        let value = |name: &str| m.get(name).unwrap().value;
        assert_eq!(m.get("effect_flux_before").unwrap().count, Some(16));
        assert!((value("effect_flux_before") + 0.03).abs() < 2e-4, "{}", value("effect_flux_before"));
        assert!((value("effect_shift_before") - 0.2).abs() < 2e-3, "{}", value("effect_shift_before"));
        assert!(value("effect_size_before").abs() < 1e-3 && value("effect_ellipticity_before") < 1e-3);
        // A Gaussian of variance v under a weight of variance w has the moment vw / (v + w).
        let weighted = |v: f64| v * 2.25 / (v + 2.25);
        let (wide, round) = (weighted(1.5), weighted(1.3));
        let m = measured(&field(&objects(), 0.0, 1.0, 0.2), &all);
        let value = |name: &str| m.get(name).unwrap().value;
        assert!((value("effect_size_before") / ((wide + round) / (2.0 * round) - 1.0) - 1.0).abs() < 0.05);
        assert!((value("effect_ellipticity_before") / ((wide - round) / (wide + round)) - 1.0).abs() < 0.05);
        assert_eq!(value("effect_left"), 1.0);
    }

    #[test]
    fn what_is_flagged_is_not_left() {
        // Two hits of 40 and 30 on the blank field, sigma 0.5; the larger one is flagged: 30 / 50 of the sum in squares is left.
        let mut hit = field(&objects(), 0.0, 1.0, 0.0);
        hit[(2, 2)] += 40.0;
        hit[(2, 60)] += 30.0;
        let mut weight = Array2::from_elem((128, 128), 4.0);
        weight[(2, 2)] = 0.0;
        let m = measured(&hit, &weight);
        assert!((m.get("effect_left").unwrap().value - 0.6).abs() < 1e-5);
        let rms = m.get("effect_rms_before").unwrap().value;
        assert_eq!((m.get("effect_pixels_before").unwrap().value, m.get("effect_pixels_after").unwrap().value), (2.0, 1.0));
        assert!((rms - (2500.0_f64 * 4.0 / 16384.0).sqrt()).abs() < 1e-5, "{rms}");
    }
}
