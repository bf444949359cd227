//! Nearly point-like images on a frame, told from cosmic-ray hits and from traces.
//!
//! # Formula
//! Significance of a matched filter `sum (G d w) / root(sum (G^2 w))`; at its maxima a fit of `A G + R g_y + b` (image, trace through it, background), then a Gaussian with
//! free place and widths. Kept: A above the limit, widths between 0.6 and 1.7 of those expected, residuals below a third of the image beyond noise.
//! # Symbols
//! G  Gaussian of the expected widths;  g_y  its part across the trace;  w  1 / error^2, 0 for bad pixels
//! # Source
//! Stetson 1987 (PASP 99, 191): sharpness and roundness; here the widths of a fit, which bad pixels do not disturb.
//! # Limits
//! Galaxies much larger than the PSF are dropped. Two images closer than about 2 FWHM count as one or none.

use crate::extraction::background::Background;
use crate::image::SlitlessImage;
use nalgebra::{Matrix6, SMatrix, SVector, Vector6};
use rayon::prelude::*;

/// Rows of a strip.
const STRIP: usize = 256;
/// Widths kept, relative to those expected (assumed: narrower are hits, wider are galaxies and traces).
const WIDTHS: (f64, f64) = (0.6, 1.7);

/// An image found on the frame.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Detection {
    /// Column on the whole detector, 0-based \[pixel\].
    pub x: f64,
    /// Row of the same.
    pub y: f64,
    /// Rate \[electron / s\].
    pub rate: f64,
    /// Significance \[sigma\].
    pub sigma: f64,
    /// Gaussian widths relative to those expected, along x and y.
    pub widths: (f64, f64),
}

/// Pixels about a maximum.
struct Cut {
    /// Column, row, rate, weight.
    pixels: Vec<(f64, f64, f64, f64)>,
}

/// Images of the expected Gaussian widths above a significance, by falling significance.
#[must_use]
pub fn detect(image: &SlitlessImage, background: &Background, widths: (f64, f64), limit: f64, bad: u16) -> Vec<Detection> {
    let rows = image.rate.nrows();
    let strips: Vec<usize> = (0..rows).step_by(STRIP).collect();
    let mut out: Vec<Detection> =
        strips.into_par_iter().flat_map_iter(|from| strip(image, background, widths, limit, bad, from, (from + STRIP).min(rows))).collect();
    out.sort_by(|a, b| b.sigma.total_cmp(&a.sigma).then(a.x.total_cmp(&b.x)));
    // One image gives one maximum; two that fell into one place are one.
    let mut kept: Vec<Detection> = Vec::with_capacity(out.len());
    let near = widths.0.max(widths.1);
    let mut cells = std::collections::HashMap::<(i64, i64), Vec<usize>>::new();
    for d in out {
        let cell = ((d.x / 8.0) as i64, (d.y / 8.0) as i64);
        let twice = (-1..=1).any(|j| {
            (-1..=1).any(|i| {
                cells
                    .get(&(cell.0 + i, cell.1 + j))
                    .is_some_and(|list| list.iter().any(|k| (kept[*k].x - d.x).abs() < near && (kept[*k].y - d.y).abs() < near))
            })
        });
        if !twice {
            cells.entry(cell).or_default().push(kept.len());
            kept.push(d);
        }
    }
    kept
}

fn gaussian(sigma: f64, reach: usize) -> Vec<f32> {
    (0..=2 * reach).map(|i| (-0.5 * ((i as f64 - reach as f64) / sigma).powi(2)).exp() as f32).collect()
}

fn strip(
    image: &SlitlessImage,
    background: &Background,
    widths: (f64, f64),
    limit: f64,
    bad: u16,
    from: usize,
    to: usize,
) -> Vec<Detection> {
    let (rows, columns) = image.rate.dim();
    let (rx, ry) = ((2.5 * widths.0).ceil() as usize, (2.5 * widths.1).ceil() as usize);
    let (low, high) = (from.saturating_sub(ry + 1), (to + ry + 1).min(rows));
    let (gx, gy) = (gaussian(widths.0, rx), gaussian(widths.1, ry));
    let square = |g: &[f32]| g.iter().map(|v| v * v).collect::<Vec<f32>>();
    let (gx2, gy2) = (square(&gx), square(&gy));
    let height = high - low;
    let (mut top, mut bottom) = (vec![0f32; height * columns], vec![0f32; height * columns]);
    let pixel = |x: usize, y: usize| {
        let (r, e) = (image.rate[(y, x)], image.error[(y, x)]);
        let good = r.is_finite() && e.is_finite() && e > 0.0 && image.flags[(y, x)] & bad == 0;
        if good { (r - background.at(x as f64, y as f64) as f32, 1.0 / (e * e)) } else { (0.0, 0.0) }
    };
    let (mut dw, mut w) = (vec![0f32; columns], vec![0f32; columns]);
    for y in low..high {
        for x in 0..columns {
            let (d, weight) = pixel(x, y);
            (dw[x], w[x]) = (d * weight, weight);
        }
        let line = (y - low) * columns;
        for x in rx..columns.saturating_sub(rx) {
            let along = |values: &[f32], g: &[f32]| values[x - rx..=x + rx].iter().zip(g).map(|(v, g)| v * g).sum::<f32>();
            top[line + x] = along(&dw, &gx);
            bottom[line + x] = along(&w, &gx2);
        }
    }
    let mut significance = vec![0f32; height * columns];
    for y in ry..height.saturating_sub(ry) {
        for x in rx..columns.saturating_sub(rx) {
            let (mut t, mut b) = (0.0, 0.0);
            for (k, (g, g2)) in gy.iter().zip(&gy2).enumerate() {
                let at = (y + k - ry) * columns + x;
                t += g * top[at];
                b += g2 * bottom[at];
            }
            significance[y * columns + x] = if b > 0.0 { t / b.sqrt() } else { 0.0 };
        }
    }
    let mut out = Vec::new();
    for y in from.max(1)..to.min(rows - 1) {
        for x in rx.max(1)..columns.saturating_sub(rx + 1) {
            let at = (y - low) * columns + x;
            let v = significance[at];
            if f64::from(v) < limit || y == low || y + 1 >= high {
                continue;
            }
            let around =
                [at - 1, at + 1, at - columns, at + columns, at - columns - 1, at - columns + 1, at + columns - 1, at + columns + 1];
            if around.iter().any(|k| significance[*k] > v) {
                continue;
            }
            let (sx, sy) = (2 * rx, 2 * ry);
            let mut cut = Cut { pixels: Vec::with_capacity((2 * sx + 1) * (2 * sy + 1)) };
            for j in y.saturating_sub(sy)..=(y + sy).min(rows - 1) {
                for i in x.saturating_sub(sx)..=(x + sx).min(columns - 1) {
                    let (d, weight) = pixel(i, j);
                    if weight > 0.0 {
                        cut.pixels.push((i as f64, j as f64, f64::from(d), f64::from(weight)));
                    }
                }
            }
            if let Some(mut d) = cut.examine((x as f64, y as f64), widths, limit) {
                d.x += image.origin.0 as f64;
                d.y += image.origin.1 as f64;
                out.push(d);
            }
        }
    }
    out
}

impl Cut {
    fn examine(&self, at: (f64, f64), widths: (f64, f64), limit: f64) -> Option<Detection> {
        // Image, trace through it and background, with fixed widths.
        let shape = |x: f64, y: f64, p: &(f64, f64, f64, f64), s: (f64, f64)| {
            let (u, v) = ((p.0 - x) / s.0, (p.1 - y) / s.1);
            ((-0.5 * u * u).exp(), (-0.5 * v * v).exp(), u, v)
        };
        let (mut m, mut r) = (SMatrix::<f64, 3, 3>::zeros(), SVector::<f64, 3>::zeros());
        for p in &self.pixels {
            let (ex, ey, _, _) = shape(at.0, at.1, p, widths);
            let row = SVector::<f64, 3>::new(ex * ey, ey, 1.0);
            m += p.3 * row * row.transpose();
            r += p.3 * p.2 * row;
        }
        let inverse = m.try_inverse()?;
        let linear = inverse * r;
        let significant = linear[0] > limit * inverse[(0, 0)].sqrt();
        if !significant {
            return None;
        }
        let ridge = linear[1];
        // Free place and widths.
        let mut q = Vector6::new(linear[0], at.0, at.1, widths.0, widths.1, linear[2]);
        let mut chi2 = f64::INFINITY;
        for _ in 0..12 {
            let (mut m, mut r, mut sum) = (Matrix6::zeros(), Vector6::zeros(), 0.0);
            for p in &self.pixels {
                let (ex, ey, u, v) = shape(q[1], q[2], p, (q[3], q[4]));
                let g = ex * ey;
                let residual = p.2 - q[0] * g - ridge * ey - q[5];
                let row = Vector6::new(g, q[0] * g * u / q[3], q[0] * g * v / q[4], q[0] * g * u * u / q[3], q[0] * g * v * v / q[4], 1.0);
                // Equal weights: the place does not depend on the brightness where the image is skew.
                m += row * row.transpose();
                r += residual * row;
                sum += p.3 * residual * residual;
            }
            for k in 0..6 {
                m[(k, k)] *= 1.0 + 1e-3;
            }
            let step = m.try_inverse()? * r;
            q += step;
            chi2 = sum;
            let sane = q.iter().all(|v| v.is_finite())
                && (q[1] - at.0).abs() < 2.0 * widths.0
                && (q[2] - at.1).abs() < 2.0 * widths.1
                && q[3] > 0.2 * widths.0
                && q[4] > 0.2 * widths.1
                && q[3] < 4.0 * widths.0
                && q[4] < 4.0 * widths.1;
            if !sane {
                return None;
            }
            if step[1].abs() + step[2].abs() < 1e-4 {
                break;
            }
        }
        let relative = (q[3] / widths.0, q[4] / widths.1);
        let allowed = |v: f64| v >= WIDTHS.0 && v <= WIDTHS.1;
        let sigma = linear[0] / inverse[(0, 0)].sqrt();
        let light: f64 = self.pixels.iter().map(|p| p.3 * (q[0] * shape(q[1], q[2], p, (q[3], q[4])).0).powi(2)).sum();
        let excess = (chi2 - 1.5 * self.pixels.len() as f64).max(0.0);
        if !(allowed(relative.0) && allowed(relative.1) && sigma > limit && excess < light / 9.0) {
            return None;
        }
        let rate = q[0] * 2.0 * std::f64::consts::PI * q[3] * q[4];
        Some(Detection { x: q[1], y: q[2], rate, sigma, widths: relative })
    }
}
