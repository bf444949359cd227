//! The true objects of a frame as subjects of the judgement: which may be judged, how bright against the noise, how
//! alone, and which detection is theirs.
//!
//! # Formula
//! Expected SNR = f / sigma_f of a PSF fit with the frame's PSF and sky noise. Contamination of a star by a neighbour of
//! rate f_n at distance d: f_n (1 / (pi a^2 (1 + d^2 / a^2)^2) + 0.03 / d^3) per pixel, a its half-light radius
//! (at least 1.2 pixel): a Moffat profile of index 2, which has its half-light radius at a, and diffraction wings.
//! Isolated: all neighbours together disturb the PSF flux by less than 0.1 sigma, and their light within 12 pixels
//! spread over the fit's area by less than 0.05 sigma.
//! # Source
//! Wings of a clear circular aperture: encircled energy 1 - 2 / (pi v), v = pi D theta / lambda (Born & Wolf 1999,
//! 8.5.2), for 2 m, 620 nm and 0.074 arcsec pixels; the rest is geometry.

use super::matching::{Grid, match_brightest_first};
use crate::level2::Level2;
use crate::level2::centroid::{FitOptions, expected_errors};
use crate::product::{L1Frame, TruthObject};
use rayon::prelude::*;

/// Largest distance of a detection from its true object \[pixel\].
pub const MATCH_RADIUS_PX: f64 = 2.0;
/// Nearest an object may lie to the edge of the image \[pixel\].
pub const EDGE_PX: f64 = 12.0;

/// One true object as a subject.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Subject {
    /// Index of the true object.
    pub truth: usize,
    /// Expected signal-to-noise as a point source.
    pub snr: f64,
    /// No neighbour disturbs it.
    pub isolated: bool,
    /// All pixels within 5 pixels are good.
    pub clean: bool,
    /// A saturated pixel within 2 pixels.
    pub saturated: bool,
    /// The matched detection.
    pub detection: Option<usize>,
    /// Bright isolated clean stars are split in two halves by their number: one sets the scale, the other is judged.
    pub calibrator: bool,
}

/// The subjects of a frame.
#[derive(Debug, Clone)]
pub struct Population {
    /// Objects on usable pixels away from the edges.
    pub subjects: Vec<Subject>,
    /// For each detection: whether a true object (of any kind, anywhere) is its own.
    pub explained: Vec<bool>,
}

impl Population {
    /// Looks at every true object.
    #[must_use]
    pub fn new(frame: &L1Frame, level2: &Level2, truth: &[TruthObject]) -> Self {
        let (ny, nx) = frame.rate.dim();
        let detections: Vec<(f64, f64)> = level2.catalogue.sources.iter().map(|s| s.position()).collect();
        let places: Vec<(f64, f64, f64)> = truth.iter().map(|t| (t.x, t.y, t.rate)).collect();
        let matched = match_brightest_first(&places, &detections, MATCH_RADIUS_PX, nx, ny);
        let truth_grid = Grid::new(truth.iter().map(|t| (t.x, t.y)), nx, ny);
        let explained = detections.par_iter().map(|&(x, y)| !truth_grid.within(x, y, MATCH_RADIUS_PX).is_empty()).collect();
        let saturated_bit = sim_core::flags::official(sim_core::flags::SATURATED);
        let subjects = truth
            .par_iter()
            .enumerate()
            .filter(|(_, t)| t.x >= EDGE_PX && t.y >= EDGE_PX && t.x < nx as f64 - EDGE_PX && t.y < ny as f64 - EDGE_PX)
            .filter_map(|(index, t)| {
                let (cx, cy) = (t.x.round() as usize, t.y.round() as usize);
                let around = |reach: usize| (cy - reach..=cy + reach).flat_map(move |y| (cx - reach..=cx + reach).map(move |x| (y, x)));
                let saturated = around(2).any(|p| frame.flags[p] & saturated_bit != 0);
                // An object on a hot or bad pixel is not the detection's fault.
                if around(1).any(|p| !level2.frame.detectable[p]) {
                    return None;
                }
                let clean = around(5).all(|p| level2.frame.good[p]);
                let (sigma, area) = noise_of(level2, t);
                let (mut light, mut near) = (0.0, 0.0);
                if t.is_star {
                    for (other, d) in truth_grid.within(t.x, t.y, 80.0) {
                        if other == index {
                            continue;
                        }
                        let n = &truth[other];
                        let a = n.half_light_px.max(1.2);
                        let profile = 1.0 / (std::f64::consts::PI * a * a * (1.0 + d * d / (a * a)).powi(2));
                        light += n.rate * (profile + 0.03 / d.max(1.0).powi(3));
                        if d < 12.0 {
                            near += n.rate;
                        }
                    }
                }
                let fit_area = std::f64::consts::PI * 100.0;
                let isolated = t.is_star && light * area < 0.1 * sigma && near * area / fit_area < 0.05 * sigma;
                let snr = t.rate / sigma;
                let calibrator = isolated && clean && !saturated && snr > 50.0 && t.id % 2 == 0;
                Some(Subject { truth: index, snr, isolated, clean, saturated, detection: matched[index], calibrator })
            })
            .collect();
        Self { subjects, explained }
    }
}

/// Expected error of a point source's rate, and the effective noise area \[pixel\].
fn noise_of(level2: &Level2, t: &TruthObject) -> (f64, f64) {
    let frame = &level2.frame;
    let variance = frame.background.variance.at(t.x, t.y);
    if let Some(psf) = &level2.psf {
        let local = psf.at(t.x, t.y);
        if let Some((sigma, _, _)) = expected_errors(frame, &local, t.x, t.y, t.rate.max(0.0), &FitOptions::default()) {
            return (sigma, local.noise_area_px());
        }
    }
    // Without a PSF: 80 % of the light in 12.9 pixels (the stated aperture).
    ((12.9 * variance + 0.8 * t.rate.max(0.0) / frame.exposure_s).sqrt() / 0.8, 12.9)
}
