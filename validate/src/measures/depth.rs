//! The 5-sigma limiting magnitude of a point source in the stated aperture.
//!
//! # Formula
//! S = (25 + sqrt(625 + 100 B)) / 2 electrons inside the aperture give S / sqrt(S + B) = 5, with
//! B = N pi r^2 sigma_pix^2 the sky's variance in it; m = ZP - 2.5 lg(S / (phi N t)), phi the fraction of light inside.
//! sigma_pix comes from sums over random blank apertures: var(sum) / sum w^2, so that correlated noise counts.
//! # Source
//! Aperture r = 0.15 arcsec and two exposures (four in NUV and y, which have four detectors): the recipe that
//! reproduces the limits of the official simulator's filter table with 80 % of the light inside.
//! # Limits
//! The recipe's aperture has its full area of 12.9 pixels of noise. With exact overlaps, edge pixels weigh less and the
//! noise is lower by 7 %: that is the `exact` value, deeper by up to 0.08 mag.

use super::FrameMeasures;
use crate::level2::Level2;
use crate::level2::aperture::{apertures, overlap};
use crate::statistics::moments;
use rayon::prelude::*;
use serde::{Deserialize, Serialize};
use sim_core::stream::StreamKey;

/// Aperture radius \[arcsec\].
pub const APERTURE_ARCSEC: f64 = 0.15;

/// The limit and what it was made of.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Depth {
    /// Limiting magnitude.
    pub magnitude: f64,
    /// Standard error.
    pub error: f64,
    /// The same with exact-overlap noise.
    pub exact_magnitude: f64,
    /// The same with 80 % of the light inside instead of the measured fraction.
    pub stated_fraction_magnitude: f64,
    /// Exposures.
    pub exposures: u32,
    /// Time of each \[s\].
    pub exposure_s: f64,
    /// Radius \[pixel\].
    pub radius_px: f64,
    /// Fraction of a star's light inside.
    pub fraction: f64,
    /// Noise per pixel from the blank apertures \[electron\].
    pub pixel_noise_electron: f64,
    /// Blank apertures.
    pub apertures: usize,
    /// Zero point used.
    pub zero_point: f64,
}

/// Signal \[electron\] with a signal-to-noise of 5 over a background variance \[electron^2\].
#[must_use]
pub fn signal_at_5_sigma(background_variance: f64) -> f64 {
    0.5 * (25.0 + (625.0 + 100.0 * background_variance).sqrt())
}

/// Exposures of the wide survey in a band.
#[must_use]
pub fn survey_exposures(filter: &str) -> u32 {
    if filter.eq_ignore_ascii_case("nuv") || filter.eq_ignore_ascii_case("y") { 4 } else { 2 }
}

/// Sums of random blank apertures in units of the square root of their summed squared weights \[electron / s\].
fn blank_sums(level2: &Level2, radius: f64) -> Vec<f64> {
    const TRIES: u64 = 40_000;
    let (ny, nx) = level2.frame.rate.dim();
    let reach = radius.ceil() as i64 + 1;
    // Places are the same for every frame of a size: keyed by name alone.
    let stream = StreamKey::new(0).with_name("validate.blank_apertures").stream(0);
    let uniform = |i: u64| (f64::from(stream.word(i)) + 0.5) / 4_294_967_296.0;
    let margin = reach as f64 + 1.0;
    (0..TRIES)
        .into_par_iter()
        .filter_map(|k| {
            let x = margin + uniform(2 * k) * (nx as f64 - 2.0 * margin);
            let y = margin + uniform(2 * k + 1) * (ny as f64 - 2.0 * margin);
            let (cx, cy) = (x.round() as i64, y.round() as i64);
            for py in cy - reach..=cy + reach {
                for px in cx - reach..=cx + reach {
                    let p = (py as usize, px as usize);
                    if overlap(px as f64 - x, py as f64 - y, radius) > 0.0 && (!level2.frame.good[p] || level2.covered[p]) {
                        return None;
                    }
                }
            }
            let sum = apertures(&level2.frame, x, y, &[radius])[0];
            Some(sum.flux / sum.squares.sqrt())
        })
        .collect()
}

/// Enters the limiting magnitude.
pub(super) fn measure(out: &mut FrameMeasures, level2: &Level2, zero_point: Option<f64>, exposures: Option<u32>) {
    let radius_px = APERTURE_ARCSEC / out.pixel_scale_arcsec;
    let Some(growth) = &level2.catalogue.growth else {
        out.notes.push("No growth curve: no limiting magnitude.".into());
        return;
    };
    let fraction = growth.at(radius_px);
    let i = growth.radius_px.partition_point(|&r| r < radius_px).min(growth.error.len() - 1);
    let fraction_error = growth.error[i];
    out.values.set("aperture_fraction", fraction, Some(fraction_error), growth.stars);
    let Some(zero_point) = zero_point else {
        out.notes.push("No zero point: no limiting magnitude.".into());
        return;
    };
    let sums = blank_sums(level2, radius_px);
    // Twice: the second limit is five standard deviations of the sample itself.
    let Some(first) = moments(&sums, f64::INFINITY) else { return };
    let Some(m) = moments(&sums, 5.0 * first.std).and_then(|m| moments(&sums, 5.0 * m.std)) else { return };
    let exposures = exposures.unwrap_or_else(|| survey_exposures(&out.filter));
    let (n, t) = (f64::from(exposures), out.exposure_s);
    let pixel_noise = m.std * t;
    let area = std::f64::consts::PI * radius_px * radius_px;
    // Mean over sub-pixel places of the summed squared overlaps.
    let squares = (0..100)
        .map(|k| (f64::from(k % 10) / 10.0, f64::from(k / 10) / 10.0))
        .map(|(x, y)| {
            let r = radius_px.ceil() as i64 + 1;
            let mut sum = 0.0;
            for py in -r..=r {
                for px in -r..=r {
                    sum += overlap(px as f64 - x, py as f64 - y, radius_px).powi(2);
                }
            }
            sum
        })
        .sum::<f64>()
        / 100.0;
    let limit = |noise_area: f64, fraction: f64| {
        zero_point - 2.5 * (signal_at_5_sigma(n * noise_area * pixel_noise * pixel_noise) / (fraction * n * t)).log10()
    };
    let magnitude = limit(area, fraction);
    let zero_point_error = out.values.get("zero_point").and_then(|z| z.error).unwrap_or(0.0);
    let error = (1.0857 * m.std_error / m.std).hypot(1.0857 * fraction_error / fraction).hypot(zero_point_error);
    let depth = Depth {
        magnitude,
        error,
        exact_magnitude: limit(squares, fraction),
        stated_fraction_magnitude: limit(area, 0.8),
        exposures,
        exposure_s: t,
        radius_px,
        fraction,
        pixel_noise_electron: pixel_noise,
        apertures: m.count,
        zero_point,
    };
    out.values.set("depth_5sigma", magnitude, Some(error), m.count);
    out.values.set("depth_5sigma_exact", depth.exact_magnitude, Some(error), m.count);
    out.depth = Some(depth);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_signal_at_five_sigma_is_five_sigma() {
        for b in [0.0, 100.0, 1357.0] {
            let s = signal_at_5_sigma(b);
            assert!((s / (s + b).sqrt() - 5.0).abs() < 1e-12);
        }
    }

    #[test]
    fn the_recipe_reaches_26_30_in_g() {
        // Table sky 0.164, dark 0.02, read noise 5, zero point 26.08, 80 % inside, 2 x 150 s: 26.30 in the facts.
        let (n, t, area) = (2.0, 150.0, std::f64::consts::PI * (0.15_f64 / 0.074).powi(2));
        let background = n * area * (0.184 * t + 25.0);
        let m = 26.08 - 2.5 * (signal_at_5_sigma(background) / (0.8 * n * t)).log10();
        assert!((m - 26.30).abs() < 0.01, "{m}");
    }
}
