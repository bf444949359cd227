//! Photometry against truth: pulls, bright-star scatter, zero point.
//!
//! Half of the bright isolated stars (even object numbers) play the standard stars: their true rates set the scale
//! from the PSF's and the aperture's rates to total ones, as reference stars do in the sky. All others are judged.
//!
//! Pulls are divided by the error the pipeline states for a star of the true rate. Its own error follows the measured
//! rate up and down, so that dividing by that would give a mean of -0.02 at a signal-to-noise of 10 without any bias.

use super::astrometric::Offset;
use super::population::Population;
use super::{FrameMeasures, Histogram};
use crate::level2::Level2;
use crate::level2::aperture::{ApertureSum, apertures};
use crate::level2::centroid::{FitOptions, LocalSky, expected_errors, fit};
use crate::level2::photometry::aperture_flux;
use crate::level2::psf_model::RADIUS_PX;
use crate::product::TruthObject;
use crate::statistics::{median64, moments};
use rayon::prelude::*;
use serde::{Deserialize, Serialize};

/// One isolated, unsaturated star on good pixels.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct StarPhotometry {
    /// True magnitude.
    pub magnitude: f64,
    /// Expected signal-to-noise.
    pub snr: f64,
    /// Measured minus true magnitude, forced PSF photometry.
    pub difference_mag: f64,
    /// Pull of forced PSF photometry: (measured - true) / error.
    pub pull: f64,
    /// Pull of aperture photometry (5 pixels).
    pub aperture_pull: f64,
    /// It set the scale and is not judged.
    pub calibrator: bool,
}

/// The zero point that the truth table itself holds: magnitude of one electron per second.
#[must_use]
pub fn true_zero_point(truth: &[TruthObject]) -> Option<f64> {
    let stars = truth.iter().filter(|t| t.is_star && t.rate > 0.0 && t.magnitude.is_finite());
    let mut values: Vec<f64> = stars.map(|t| t.magnitude + 2.5 * t.rate.log10()).collect();
    if values.is_empty() { None } else { Some(median64(&mut values)) }
}

/// The raw measurements of one star.
struct Raw {
    truth: usize,
    snr: f64,
    calibrator: bool,
    psf: (f64, f64),
    aperture: (f64, f64),
}

/// Median of measured / true over the calibrators, with its error from their scatter.
fn scale(raw: &[Raw], truth: &[TruthObject], get: fn(&Raw) -> f64) -> Option<(f64, f64, usize)> {
    let ratios: Vec<f64> = raw.iter().filter(|r| r.calibrator).map(|r| get(r) / truth[r.truth].rate).collect();
    if ratios.len() < 5 {
        return None;
    }
    let middle = median64(&mut ratios.clone());
    let mut spread: Vec<f64> = ratios.iter().map(|r| (r - middle).abs()).collect();
    let sigma = 1.4826 * median64(&mut spread);
    // Weighted mean of what agrees: the median alone would waste a third of the stars.
    let kept: Vec<f64> = ratios.into_iter().filter(|r| (r - middle).abs() < 4.0 * sigma.max(1e-6)).collect();
    let n = kept.len();
    Some((kept.iter().sum::<f64>() / n as f64, sigma / (n as f64).sqrt(), n))
}

/// Enters pulls, scatter and zero point; returns the recovered zero point.
pub(super) fn measure(
    out: &mut FrameMeasures,
    level2: &Level2,
    truth: &[TruthObject],
    population: &Population,
    offset: Offset,
    zero_point: Option<f64>,
) -> Option<f64> {
    let psf = level2.psf.as_ref()?;
    let options = FitOptions { radius_px: 8.0, forced: true, sky: LocalSky::Fitted, ..FitOptions::default() };
    let frame = &level2.frame;
    let inside = level2.catalogue.growth.as_ref().map_or(1.0, |g| g.at(RADIUS_PX as f64));
    let inside_aperture = level2.catalogue.growth.as_ref().map_or(1.0, |g| g.at(5.0));
    let raw: Vec<Raw> = population
        .subjects
        .par_iter()
        .filter(|s| s.isolated && s.clean && !s.saturated)
        .filter_map(|s| {
            let t = &truth[s.truth];
            let (dx, dy) = offset.at(t.x, t.y);
            let (x, y) = (t.x + dx, t.y + dy);
            let local = psf.at(x, y);
            let point = fit(frame, &local, x, y, t.rate, &options)?;
            let sum = apertures(frame, x, y, &[5.0])[0];
            let expected = ApertureSum { flux: t.rate * inside_aperture, ..sum };
            Some(Raw {
                truth: s.truth,
                snr: s.snr,
                calibrator: s.calibrator,
                psf: (point.rate, expected_errors(frame, &local, x, y, t.rate * inside, &options)?.0),
                aperture: (sum.flux, aperture_flux(frame, &expected, x, y).1),
            })
        })
        .collect();
    let psf_scale = scale(&raw, truth, |r| r.psf.0);
    let aperture_scale = scale(&raw, truth, |r| r.aperture.0);
    if psf_scale.is_none() {
        out.notes.push("Fewer than five bright isolated stars: the photometric scale is the growth curve's, not standard stars'.".into());
    }
    let (to_psf, to_aperture) = (psf_scale.map_or(inside, |s| s.0), aperture_scale.map_or(inside_aperture, |s| s.0));
    out.photometry = raw
        .iter()
        .map(|r| {
            let t = &truth[r.truth];
            let total = r.psf.0 / to_psf;
            StarPhotometry {
                magnitude: t.magnitude,
                snr: r.snr,
                difference_mag: if total > 0.0 { -2.5 * (total / t.rate).log10() } else { 9.0 },
                pull: (r.psf.0 - to_psf * t.rate) / r.psf.1,
                aperture_pull: (r.aperture.0 - to_aperture * t.rate) / r.aperture.1,
                calibrator: r.calibrator && psf_scale.is_some(),
            }
        })
        .collect();
    let judged = |low: f64, high: f64| {
        out.photometry.iter().filter(move |p| !p.calibrator && p.snr >= low && p.snr < high).copied().collect::<Vec<_>>()
    };
    let faint = judged(5.0, 200.0);
    let bright: Vec<f64> = judged(200.0, f64::INFINITY).iter().map(|p| p.difference_mag).collect();
    let pulls: Vec<f64> = faint.iter().map(|p| p.pull).collect();
    let aperture_pulls: Vec<f64> = faint.iter().map(|p| p.aperture_pull).collect();
    for (name, sample, mean, std) in [
        ("PSF photometry", &pulls, "photometry_pull_mean", "photometry_pull_std"),
        ("Aperture photometry", &aperture_pulls, "aperture_pull_mean", "aperture_pull_std"),
    ] {
        let m = moments(sample, 6.0);
        if let Some(m) = &m {
            out.values.set_moments(mean, std, m);
        }
        out.histograms.push(Histogram::of_pulls(name, sample, m));
    }
    if bright.len() >= 5 {
        let n = bright.len() as f64;
        let rms = (bright.iter().map(|d| d * d).sum::<f64>() / n).sqrt();
        out.values.set("photometry_bright_rms_mag", rms, Some(rms / (2.0 * n).sqrt()), bright.len());
    }
    // Zero point: total rates by the frame's own growth curve; every bright star counts, calibrator or not.
    let mut ratios: Vec<f64> =
        raw.iter().filter(|r| r.snr > 30.0 && r.psf.0 > 0.0).map(|r| 2.5 * (r.psf.0 / inside / truth[r.truth].rate).log10()).collect();
    if ratios.len() < 3 {
        return None;
    }
    let middle = median64(&mut ratios);
    let mut spread: Vec<f64> = ratios.iter().map(|r| (r - middle).abs()).collect();
    let growth_error = level2.catalogue.growth.as_ref().and_then(|g| g.error.last().copied()).unwrap_or(0.0) * 1.0857;
    let error = (1.2533 * 1.4826 * median64(&mut spread) / (ratios.len() as f64).sqrt()).hypot(growth_error);
    let true_value = zero_point?;
    out.values.set("zero_point", true_value + middle, Some(error), ratios.len());
    out.values.set("zero_point_offset", middle, Some(error), ratios.len());
    Some(true_value + middle)
}
