//! The noise budget of blank sky: what was predicted, what the weight map says, what is there.
//!
//! # Formula
//! V = sky t + dark t + R^2 + V_bias + V_dark t^2, with V_bias = m(N_b) R^2 (1 - t / t_d)^2 and V_dark = (R^2 / t_d^2 + dark / t_d) / N_d, in
//! electrons^2 per pixel; m(N) is the variance of the median of N normals. R, from pairs of bias frames, has the rounding g^2 / 12 in it, shown
//! apart. The master bias goes in twice, directly and through the dark it was taken from, with opposite signs.
//! # Source
//! Janesick 2001 (Scientific Charge-Coupled Devices), chapter 2; averaging of N frames.
//! # Limits
//! The dark is taken as a mean; one without its extremes is noisier by some per cent of a small term. Flat-field noise is left out (it is
//! proportional to the sky). Undetected sources add to the measured variance.

use super::FrameMeasures;
use super::pull_sums::PullSums;
use crate::level2::Level2;
use crate::product::{L1Frame, NoiseKnowledge};
use rayon::prelude::*;
use serde::{Deserialize, Serialize};

/// One contribution.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct NoiseTerm {
    /// Name.
    pub name: String,
    /// Variance \[electron^2 / pixel\].
    pub variance: f64,
}

/// Variances of blank sky, all in electron^2 per pixel of one exposure.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct NoiseBudget {
    /// Predicted contributions; empty when the detector's noise is not known.
    pub predicted: Vec<NoiseTerm>,
    /// Variance the weight map states (median).
    pub stated: f64,
    /// Variance measured between the sources.
    pub measured: f64,
    /// Its standard error, from the scatter over the mesh.
    pub measured_error: f64,
}

/// Variance of the median of `count` normals: pi / (2 N) for many; fitted to the medians of 3 to 15 simulated normals, within 1 %.
fn median_variance(count: u32) -> f64 {
    let n = f64::from(count);
    match count {
        0 => 0.0,
        1 | 2 => 1.0 / n,
        _ if count % 2 == 1 => std::f64::consts::FRAC_PI_2 / (n + 0.47),
        _ => std::f64::consts::FRAC_PI_2 / (n + 1.33),
    }
}

fn predict(sky: f64, t: f64, k: &NoiseKnowledge) -> Vec<NoiseTerm> {
    let read = k.read_noise_electron.powi(2);
    let over = |n: u32| if n == 0 { 0.0 } else { 1.0 / f64::from(n) };
    let dark_frame =
        if k.dark_frame_s > 0.0 { (read / k.dark_frame_s.powi(2) + k.dark_electron_s / k.dark_frame_s) * over(k.dark_frames) } else { 0.0 };
    let quantisation = (k.gain_electron_per_adu.powi(2) / 12.0).min(read);
    let twice = if k.dark_frame_s > 0.0 && k.dark_frames > 0 { (1.0 - t / k.dark_frame_s).powi(2) } else { 1.0 };
    [
        ("Sky", sky.max(0.0) * t),
        ("Dark current", k.dark_electron_s * t),
        ("Read noise", read - quantisation),
        ("Quantisation", quantisation),
        ("Master bias", read * median_variance(k.bias_frames) * twice),
        ("Master dark", dark_frame * t * t),
    ]
    .into_iter()
    .map(|(name, variance)| NoiseTerm { name: name.into(), variance })
    .collect()
}

/// Enters the budget and the pulls of blank-sky pixels against the weight map.
pub(super) fn measure(out: &mut FrameMeasures, frame: &L1Frame, level2: &Level2, knowledge: Option<&NoiseKnowledge>) {
    let background = &level2.frame.background;
    let t = frame.exposure_s;
    let variances: Vec<f64> = background.sigma.values.iter().map(|s| s * s * t * t).collect();
    let measured = crate::statistics::median64(&mut variances.clone());
    let mut spread: Vec<f64> = variances.iter().map(|v| (v - measured).abs()).collect();
    let measured_error = 1.2533 * 1.4826 * crate::statistics::median64(&mut spread) / (variances.len() as f64).sqrt();
    let stated = background.variance.median() * t * t;
    let predicted = knowledge.map(|k| predict(background.level.median(), t, k)).unwrap_or_default();
    let total: f64 = predicted.iter().map(|p| p.variance).sum();
    if total > 0.0 {
        out.values.set("noise_ratio", measured / total, Some(measured_error / total), variances.len());
    } else {
        out.notes.push("The detector's noise is not known: no noise budget was predicted.".into());
    }
    out.values.set("weight_ratio", measured / stated, Some(measured_error / stated), variances.len());
    out.noise = NoiseBudget { predicted, stated, measured, measured_error };

    const LIMIT: f64 = 6.0;
    let (ny, nx) = frame.rate.dim();
    let rows: Vec<PullSums> = (0..ny)
        .into_par_iter()
        .map(|y| {
            let mut sums = PullSums::new(LIMIT);
            for x in 0..nx {
                if level2.frame.good[(y, x)] && !level2.covered[(y, x)] {
                    sums.add(f64::from(level2.frame.rate[(y, x)]) * f64::from(frame.weight[(y, x)]).sqrt());
                }
            }
            sums
        })
        .collect();
    let all = PullSums::of_rows(LIMIT, rows);
    if let Some(m) = all.moments() {
        out.values.set_moments("blank_sky_pull_mean", "blank_sky_pull_std", &m);
        out.histograms.push(all.histogram("Blank sky"));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_survey_g_band_budget_adds_up_by_hand() {
        let k = NoiseKnowledge {
            read_noise_electron: 5.0,
            dark_electron_s: 0.02,
            gain_electron_per_adu: 0.0,
            bias_frames: 0,
            dark_frames: 0,
            dark_frame_s: 0.0,
        };
        let total: f64 = predict(0.164, 150.0, &k).iter().map(|p| p.variance).sum();
        assert!((total - (24.6 + 3.0 + 25.0)).abs() < 1e-12);
        let with_masters = NoiseKnowledge { bias_frames: 10, dark_frames: 5, dark_frame_s: 150.0, ..k };
        let total: f64 = predict(0.164, 150.0, &with_masters).iter().map(|p| p.variance).sum();
        // Darks as long as the frame: the bias cancels. 52.6 + (25 + 3) / 5
        assert!((total - (52.6 + 5.6)).abs() < 1e-9, "{total}");
        let long_darks = NoiseKnowledge { dark_frame_s: 300.0, ..with_masters };
        let total: f64 = predict(0.164, 150.0, &long_darks).iter().map(|p| p.variance).sum();
        // 25 x 0.1384 (median of ten) x (1 - 0.5)^2, and (25 / 4 + 3 / 2) / 5.
        assert!((total - (52.6 + 0.865 + 1.55)).abs() < 0.01, "{total}");
        let rounded = NoiseKnowledge { gain_electron_per_adu: 1.1, ..k };
        let total: f64 = predict(0.164, 150.0, &rounded).iter().map(|p| p.variance).sum();
        assert!((total - 52.6).abs() < 1e-12, "rounding is in the noise of bias pairs already");
    }
}
