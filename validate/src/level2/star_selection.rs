//! Choosing the stars from which the PSF is measured: bright, unsaturated, alone, and as compact as stars are.
//!
//! # Formula
//! concentration = flux inside 1.5 pixels / flux inside 5 pixels. Stars form a narrow locus at its upper end.
//! # Limits
//! The locus is the densest stretch of concentration among bright objects; a field with hardly any stars but many
//! compact galaxies could mislead it. Stars of very different colour share one locus within its width.

use super::MeasuredFrame;
use super::aperture::apertures;
use super::deblend::Peak;
use rayon::prelude::*;
use sim_core::flags;

/// A star to measure the PSF from.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Candidate {
    /// Column, 0-based.
    pub x: f64,
    /// Row, 0-based.
    pub y: f64,
    /// Rate inside 5 pixels \[electron / s\].
    pub rate: f64,
    /// Filtered signal-to-noise.
    pub snr: f32,
    concentration: f64,
}

/// Which neighbours a star may have. Even faint ones add a little light to the wings of the PSF (0.3 % of the flux in a
/// field of 500 sources per square arcminute), so they are tolerated only where stars alone are too few.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Company {
    /// Nothing detected within 13 pixels.
    None,
    /// Nothing above 2 % within 12 pixels, or 0.5 % within 6.
    Faint,
}

/// Most stars used.
const MOST: usize = 200;
/// Width of the locus in concentration.
const LOCUS: f64 = 0.06;

/// Windowed centroid (Gaussian weight, sigma 1.2 pixel).
fn windowed(frame: &MeasuredFrame, x: f64, y: f64) -> (f64, f64) {
    let (ny, nx) = frame.rate.dim();
    let (mut cx, mut cy) = (x, y);
    for _ in 0..10 {
        let mut sums = [0.0; 3];
        for py in (cy as i64 - 4).max(0)..=(cy as i64 + 5).min(ny as i64 - 1) {
            for px in (cx as i64 - 4).max(0)..=(cx as i64 + 5).min(nx as i64 - 1) {
                let (dx, dy) = (px as f64 - cx, py as f64 - cy);
                let w = f64::from(frame.rate[(py as usize, px as usize)]) * (-0.5 * (dx * dx + dy * dy) / 1.44).exp();
                for (s, v) in sums.iter_mut().zip([w, w * dx, w * dy]) {
                    *s += v;
                }
            }
        }
        if sums[0] <= 0.0 {
            return (x, y);
        }
        let (sx, sy) = (2.0 * sums[1] / sums[0], 2.0 * sums[2] / sums[0]);
        cx += sx.clamp(-0.7, 0.7);
        cy += sy.clamp(-0.7, 0.7);
        if (cx - x).abs() > 2.0 || (cy - y).abs() > 2.0 {
            return (x, y);
        }
    }
    (cx, cy)
}

/// Candidates of at least that filtered signal-to-noise, before the locus is applied.
fn candidates(frame: &MeasuredFrame, peaks: &[Peak], snr: f32, company: Company) -> Vec<Candidate> {
    const MARGIN: f64 = 12.0;
    let (ny, nx) = frame.rate.dim();
    let grid = crate::measures::matching::Grid::new(peaks.iter().map(|p| (p.peak_x as f64, p.peak_y as f64)), nx, ny);
    let bad = flags::official(flags::SATURATED | flags::BAD | flags::COSMIC_RAY | flags::NO_DATA);
    peaks
        .par_iter()
        .enumerate()
        .filter_map(|(index, p)| {
            let (x, y) = (p.peak_x as f64, p.peak_y as f64);
            let inside = x >= MARGIN && y >= MARGIN && x < nx as f64 - MARGIN && y < ny as f64 - MARGIN;
            if p.snr < snr || !inside || p.image_flags & bad != 0 {
                return None;
            }
            let disturbed = grid.within(x, y, 24.0).into_iter().any(|(other, d)| {
                let ratio = f64::from(peaks[other].snr / p.snr);
                let near = match company {
                    Company::None => d < 13.0,
                    Company::Faint => (d < 12.0 && ratio > 0.02) || (d < 6.0 && ratio > 0.005),
                };
                other != index && (near || ratio > 1.0)
            });
            if disturbed {
                return None;
            }
            let (x, y) = windowed(frame, x, y);
            let sums = apertures(frame, x, y, &[1.5, 5.0]);
            let whole = sums[0].lost == 0.0 && sums[1].lost == 0.0 && sums[1].flux > 0.0;
            whole.then(|| Candidate { x, y, rate: sums[1].flux, snr: p.snr, concentration: sums[0].flux / sums[1].flux })
        })
        .collect()
}

/// The stars of a frame, brightest first; may be fewer than a PSF needs.
#[must_use]
pub fn select(frame: &MeasuredFrame, peaks: &[Peak]) -> Vec<Candidate> {
    let mut found = Vec::new();
    let steps = [(60.0, Company::None), (40.0, Company::None), (60.0, Company::Faint), (40.0, Company::Faint), (25.0, Company::Faint)];
    for (snr, company) in steps {
        found = candidates(frame, peaks, snr, company);
        if found.len() >= 60 {
            break;
        }
    }
    let mut values: Vec<f64> = found.iter().map(|c| c.concentration).filter(|c| *c > 0.2 && *c < 1.05).collect();
    values.sort_by(f64::total_cmp);
    // The densest window; of equally dense ones the most compact.
    let mut best = (0, f64::NAN);
    for (i, &low) in values.iter().enumerate() {
        let n = values[i..].iter().take_while(|&&v| v <= low + LOCUS).count();
        if n >= best.0 {
            best = (n, values[i + n / 2]);
        }
    }
    found.retain(|c| (c.concentration - best.1).abs() <= LOCUS);
    found.sort_by(|a, b| b.snr.total_cmp(&a.snr));
    found.truncate(MOST);
    found
}
