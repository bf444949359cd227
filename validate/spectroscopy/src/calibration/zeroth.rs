//! The zeroth order: a point relative to the reference.
//!
//! # Formula
//! The highest peak of the matched filter within the search, then the centroid weighted by a Gaussian that moves with it until it stays.
//! # Symbols
//! (dx, dy)  columns and rows from the undispersed position
//! # Source
//! Adaptive centroid (Bernstein & Jarvis 2002 for the idea).
//! # Limits
//! The weak dispersion of a zeroth order is not measured: its centroid is that of the calibrator's light.

use super::cutout::{Cutout, median};
use super::frames::CalibrationFrame;
use super::settings::Settings;
use serde::{Deserialize, Serialize};
use sim_core::dispersion::Order;

/// Width of the weight \[pixel\].
const SIGMA: f64 = 1.3;

/// A zeroth order found.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Zeroth {
    /// Columns from the reference.
    pub dx: f64,
    /// Rows from the reference.
    pub dy: f64,
    /// Standard error of either.
    pub error: f64,
    /// Signal to noise.
    pub snr: f64,
}

/// Finds the zeroth order within the search of its guess; `None` below a signal to noise of 10.
#[must_use]
pub fn measure_zeroth(frame: &CalibrationFrame<'_>, order: &Order, settings: &Settings) -> Option<Zeroth> {
    let cutout = Cutout(frame.image);
    let (dx, dy) = order.trace(frame.x0, frame.y0).offset(0.5);
    let (x, y) = (frame.x0 + dx, frame.y0 + dy);
    let reach = settings.search_px.ceil() as i64;
    let (cx, cy) = (x.round() as i64, y.round() as i64);
    let window = || (cy - reach - 4..=cy + reach + 4).flat_map(move |v| (cx - reach - 4..=cx + reach + 4).map(move |u| (u, v)));
    let mut rates: Vec<f64> = window().filter_map(|(u, v)| cutout.pixel(u, v).map(|p| p.rate)).collect();
    if rates.len() < 50 {
        return None;
    }
    let sky = median(&mut rates);
    // Sums over nine by nine pixels: weighted light, variance of it, moments.
    let sums = |x: f64, y: f64| {
        let (mut light, mut variance, mut mx, mut my) = (0.0, 0.0, 0.0, 0.0);
        for v in y.round() as i64 - 4..=y.round() as i64 + 4 {
            for u in x.round() as i64 - 4..=x.round() as i64 + 4 {
                if let Some(p) = cutout.pixel(u, v) {
                    let (a, b) = (u as f64 - x, v as f64 - y);
                    let g = (-0.5 * (a * a + b * b) / (SIGMA * SIGMA)).exp();
                    light += g * (p.rate - sky);
                    variance += (g * p.error).powi(2);
                    mx += g * a * (p.rate - sky);
                    my += g * b * (p.rate - sky);
                }
            }
        }
        (light, variance.sqrt(), mx, my)
    };
    let (mut x, mut y) = window()
        .map(|(u, v)| (u as f64, v as f64))
        .map(|(u, v)| {
            let s = sums(u, v);
            ((u, v), if s.1 > 0.0 { s.0 / s.1 } else { 0.0 })
        })
        .max_by(|a, b| a.1.total_cmp(&b.1))?
        .0;
    for _ in 0..50 {
        let (light, _, mx, my) = sums(x, y);
        // Twice the weighted moment is the step when weight and image have one width.
        let step = (2.0 * mx / light, 2.0 * my / light);
        (x, y) = (x + step.0.clamp(-1.0, 1.0), y + step.1.clamp(-1.0, 1.0));
        if step.0.abs() + step.1.abs() < 1e-4 {
            break;
        }
    }
    let (light, noise, _, _) = sums(x, y);
    let snr = light / noise;
    (snr > 10.0).then(|| Zeroth { dx: x - frame.x0, dy: y - frame.y0, error: (2.0 * SIGMA / snr).hypot(settings.point_floor_px), snr })
}
