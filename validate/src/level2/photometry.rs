//! Photometry of one position: the twelve apertures, the PSF fit, forced or free, and the growth curve of the frame.
//!
//! # Formula
//! Aperture error: sqrt(V sum w^2 + max(F, 0) / t), with w the overlaps. Growth beyond 10 pixels: the clipped mean
//! brightness of the brightest stars in rings, integrated; so neighbours do not enter it.
//! # Limits
//! The growth curve ends at 40 pixels; what lies outside counts as sky.

use super::MeasuredFrame;
use super::aperture::{ApertureSum, RADII_PX, apertures};
use super::deblend::Peak;
use super::psf_model::{EffectivePsf, RADIUS_PX};
use crate::measures::matching::Grid;
use rayon::prelude::*;
use serde::{Deserialize, Serialize};

/// Rate and error in an aperture \[electron / s\].
#[must_use]
pub fn aperture_flux(frame: &MeasuredFrame, sum: &ApertureSum, x: f64, y: f64) -> (f64, f64) {
    let (ny, nx) = frame.rate.dim();
    let variance = frame.background.variance.at(x.clamp(0.0, nx as f64 - 1.0), y.clamp(0.0, ny as f64 - 1.0));
    (sum.flux, (variance * sum.squares + sum.flux.max(0.0) / frame.exposure_s).sqrt())
}

/// Fraction of a point source's light inside a radius, 1 at the largest.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Growth {
    /// Radii \[pixel\].
    pub radius_px: Vec<f64>,
    /// Enclosed fraction.
    pub fraction: Vec<f64>,
    /// Standard error of the fraction.
    pub error: Vec<f64>,
    /// Stars used.
    pub stars: usize,
}

impl Growth {
    /// Fraction inside a radius, linear between the tabulated ones.
    #[must_use]
    pub fn at(&self, radius_px: f64) -> f64 {
        let i = self.radius_px.partition_point(|&r| r < radius_px);
        if i == 0 {
            return self.fraction[0] * (radius_px / self.radius_px[0]).powi(2);
        }
        if i == self.radius_px.len() {
            return self.fraction[i - 1];
        }
        let t = (radius_px - self.radius_px[i - 1]) / (self.radius_px[i] - self.radius_px[i - 1]);
        self.fraction[i - 1] + t * (self.fraction[i] - self.fraction[i - 1])
    }
}

/// Radii of the growth curve \[pixel\]: fine inside, then the official ones.
fn growth_radii() -> Vec<f64> {
    let mut radii: Vec<f64> = (1..=12).map(|k| f64::from(k) * 0.25).collect();
    radii.extend([3.5, 4.0, 5.0, 6.0, 7.0, 8.0, 10.0, 13.0, 16.0, 20.0, 25.0, 30.0, 40.0]);
    radii
}

/// The growth curve from the brightest stars that made the PSF.
///
/// Inside 10 pixels each star's exact apertures, averaged with the weight of its signal; outside, ring by ring, the
/// sigma-clipped mean over all pixels of all stars, in units of the star's own light inside 10 pixels.
#[must_use]
pub fn growth(frame: &MeasuredFrame, psf: &EffectivePsf, peaks: &[Peak]) -> Option<Growth> {
    let (ny, nx) = frame.rate.dim();
    let grid = Grid::new(peaks.iter().map(|p| (p.peak_x as f64, p.peak_y as f64)), nx, ny);
    let margin = RADII_PX[11] + 1.0;
    let fits = |s: &[f64; 3]| s[0] > margin && s[1] > margin && s[0] < nx as f64 - margin && s[1] < ny as f64 - margin;
    let mut stars: Vec<[f64; 3]> = psf.used.iter().copied().filter(fits).collect();
    if stars.len() < 3 {
        stars = psf.used.clone();
    }
    stars.sort_by(|a, b| b[2].total_cmp(&a[2]));
    stars.truncate(40);
    let radii = growth_radii();
    let core = radii.iter().position(|&r| r == RADIUS_PX as f64)?;
    let inner: Vec<(Vec<f64>, f64)> = stars
        .par_iter()
        .filter_map(|&[x, y, _]| {
            let sums = apertures(frame, x, y, &radii[..=core]);
            let total = sums[core].flux;
            (sums[core].lost == 0.0 && total > 0.0).then(|| (sums.iter().map(|s| s.flux / total).collect(), total))
        })
        .collect();
    if inner.len() < 3 {
        return None;
    }
    // Median over stars inside: a neighbour inside 10 pixels spoils one star, not the curve.
    let mut fraction: Vec<f64> = Vec::new();
    let mut error = Vec::new();
    for k in 0..=core {
        let mut values: Vec<f64> = inner.iter().map(|s| s.0[k]).collect();
        let middle = crate::statistics::median64(&mut values);
        let mut spread: Vec<f64> = values.iter().map(|v| (v - middle).abs()).collect();
        error.push(1.2533 * 1.4826 * crate::statistics::median64(&mut spread) / (values.len() as f64).sqrt());
        fraction.push(middle);
    }
    // Faint neighbours are too extended to be clipped pixel by pixel: keep off every other detection.
    let brightest: Vec<_> = stars
        .iter()
        .take(20)
        .map(|&star| {
            let others = grid.within(star[0], star[1], RADII_PX[11] + 30.0).into_iter().filter(|&(_, d)| d > 3.0);
            (star, others.map(|(i, _)| (peaks[i].peak_x as f64, peaks[i].peak_y as f64, peaks[i].cover_radius_px())).collect::<Vec<_>>())
        })
        .collect();
    for k in core + 1..radii.len() {
        let (near, far) = (radii[k - 1], radii[k]);
        let mut values = Vec::new();
        for ([x, y, rate], others) in &brightest {
            for py in (y - far).max(0.0) as usize..=((y + far) as usize).min(ny - 1) {
                for px in (x - far).max(0.0) as usize..=((x + far) as usize).min(nx - 1) {
                    let (cx, cy) = (px as f64, py as f64);
                    let r = (cx - x).hypot(cy - y);
                    let free = |o: &(f64, f64, f64)| (cx - o.0).hypot(cy - o.1) > o.2;
                    if r > near && r <= far && frame.good[(py, px)] && others.iter().all(free) {
                        values.push((f64::from(frame.rate[(py, px)]) / rate) as f32);
                    }
                }
            }
        }
        let clipped = crate::statistics::clip(&mut values, 3.0);
        let area = std::f64::consts::PI * (far * far - near * near);
        let ring = if clipped.count > 10 { clipped.mean * area } else { 0.0 };
        let ring_error = if clipped.count > 10 { clipped.std * area / (clipped.count as f64).sqrt() } else { 0.0 };
        // A ring that is not seen adds nothing but noise.
        let seen = ring > 2.0 * ring_error;
        fraction.push(fraction[k - 1] + if seen { ring } else { 0.0 });
        error.push((error[k - 1].powi(2) + ring_error.powi(2)).sqrt());
    }
    let total = fraction[fraction.len() - 1];
    Some(Growth {
        radius_px: radii,
        fraction: fraction.iter().map(|f| f / total).collect(),
        error: error.iter().map(|e| e / total).collect(),
        stars: inner.len(),
    })
}
