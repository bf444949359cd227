//! Splitting a connected component into its peaks by their persistence.
//!
//! Pixels are visited from the brightest down. Each local maximum starts a peak; where two meet, the fainter is kept
//! only when it stands high enough above that saddle: above the noise there, and above a fraction of the brighter.
//! Every pixel belongs to the peak that first claimed it.
//!
//! # Source
//! Topological persistence: Edelsbrunner, Letscher & Zomorodian 2002 (Discrete Comput. Geom. 28, 511); for images
//! of the sky Sousbie 2011 (MNRAS 414, 350).

use super::MeasuredFrame;
use super::detection::{DetectionOptions, Run};

/// A detected source, before any photometry.
#[derive(Debug, Clone, PartialEq)]
pub struct Peak {
    /// Column of the barycentre of its pixels, 0-based.
    pub x: f64,
    /// Row of the barycentre.
    pub y: f64,
    /// Column of the brightest filtered pixel.
    pub peak_x: usize,
    /// Row of the brightest filtered pixel.
    pub peak_y: usize,
    /// Filtered signal-to-noise of that pixel.
    pub snr: f32,
    /// Pixels that belong to it.
    pub area: usize,
    /// Sum of its pixels \[electron / s\].
    pub isophotal: f64,
    /// Second moments of its pixels (xx, yy, xy) \[pixel^2\].
    pub moments: [f64; 3],
    /// It was split from a neighbour.
    pub blended: bool,
    /// OR of the official flag bits of its pixels.
    pub image_flags: u16,
}

impl Peak {
    /// Radius \[pixel\] inside which its light matters: half as large again as its isophote, plus the PSF's core.
    #[must_use]
    pub fn cover_radius_px(&self) -> f64 {
        3.0 + 1.6 * (self.area as f64 / std::f64::consts::PI).sqrt()
    }
}

const NONE: u32 = u32::MAX;

/// The peaks of one component, brightest first within it.
pub(crate) fn split(frame: &MeasuredFrame, options: &DetectionOptions, runs: &[Run]) -> Vec<Peak> {
    let x_min = runs.iter().map(|r| r.x).min().unwrap_or(0);
    let x_max = runs.iter().map(|r| r.x + r.snr.len()).max().unwrap_or(0);
    let (y_min, y_max) = (runs[0].y, runs[runs.len() - 1].y);
    // One pixel of margin on all sides spares the bounds tests.
    let width = x_max - x_min + 2;
    let mut owner = vec![NONE; width * (y_max - y_min + 3)];
    let mut pixels: Vec<(f32, u32)> = Vec::new();
    for run in runs {
        let base = (run.y - y_min + 1) * width + run.x - x_min + 1;
        pixels.extend(run.snr.iter().enumerate().map(|(i, &s)| (s, (base + i) as u32)));
    }
    // Brightest first; equal ones in row order, so that the result is unique.
    pixels.sort_unstable_by(|a, b| b.0.total_cmp(&a.0).then(a.1.cmp(&b.1)));

    let variance = frame.background.variance.at(0.5 * (x_min + x_max) as f64, 0.5 * (y_min + y_max) as f64);
    // Filtered noise where the source itself shines: sqrt(1 + d / (t V)), d from the filtered signal.
    let area = 2.0 * std::f64::consts::PI * (options.fwhm_px / 2.354_82).powi(2);
    let source_term = 1.0 / (frame.exposure_s * (variance * 2.0 * area).sqrt());
    let noise = |snr: f32| (1.0 + f64::from(snr) * source_term).sqrt() as f32;

    let mut top: Vec<(f32, u32)> = Vec::new(); // of each label: signal-to-noise and place
    let mut merged: Vec<u32> = Vec::new(); // of each label: the label it was merged into
    fn root(merged: &[u32], mut label: u32) -> u32 {
        while merged[label as usize] != label {
            label = merged[label as usize];
        }
        label
    }
    // Labels that stand on their own never change owner of their pixels, only unproven ones are swallowed.
    let mut proven: Vec<bool> = Vec::new();
    let w = width as i64;
    let around = [-w - 1, -w, -w + 1, -1, 1, w - 1, w, w + 1];
    for &(snr, place) in &pixels {
        let mut labels = [NONE; 8];
        let mut count = 0;
        for step in around {
            let neighbour = owner[(i64::from(place) + step) as usize];
            if neighbour != NONE {
                let label = root(&merged, neighbour);
                if !labels[..count].contains(&label) {
                    labels[count] = label;
                    count += 1;
                }
            }
        }
        if count == 0 {
            let label = top.len() as u32;
            top.push((snr, place));
            merged.push(label);
            proven.push(false);
            owner[place as usize] = label;
            continue;
        }
        // Labels are numbered by descending peak: the smallest number is the brightest.
        labels[..count].sort_unstable();
        let main = labels[0];
        owner[place as usize] = main;
        for &label in &labels[1..count] {
            let height = top[label as usize].0 - snr;
            let stands = height > options.deblend_noise * noise(snr) && height > options.deblend_contrast * top[main as usize].0;
            if stands || proven[label as usize] {
                proven[label as usize] = true;
            } else {
                merged[label as usize] = main;
            }
        }
    }
    let mut index = vec![usize::MAX; top.len()];
    let mut peaks: Vec<Peak> = Vec::new();
    let mut sums: Vec<[f64; 6]> = Vec::new();
    for label in 0..top.len() {
        if merged[label] == label as u32 {
            index[label] = peaks.len();
            let place = top[label].1 as usize;
            peaks.push(Peak {
                x: 0.0,
                y: 0.0,
                peak_x: place % width + x_min - 1,
                peak_y: place / width + y_min - 1,
                snr: top[label].0,
                area: 0,
                isophotal: 0.0,
                moments: [0.0; 3],
                blended: false,
                image_flags: 0,
            });
            sums.push([0.0; 6]);
        }
    }
    for &(_, place) in &pixels {
        let i = index[root(&merged, owner[place as usize]) as usize];
        let (px, py) = (place as usize % width + x_min - 1, place as usize / width + y_min - 1);
        peaks[i].area += 1;
        peaks[i].image_flags |= frame.flags[(py, px)];
        let value = f64::from(frame.rate[(py, px)]);
        if value.is_finite() {
            peaks[i].isophotal += value;
            let v = value.max(0.0);
            let (dx, dy) = (px as f64 - peaks[i].peak_x as f64, py as f64 - peaks[i].peak_y as f64);
            for (sum, term) in sums[i].iter_mut().zip([v, v * dx, v * dy, v * dx * dx, v * dy * dy, v * dx * dy]) {
                *sum += term;
            }
        }
    }
    let blended = peaks.len() > 1;
    for (peak, s) in peaks.iter_mut().zip(&sums) {
        peak.blended = blended;
        let total = if s[0] > 0.0 { s[0] } else { f64::INFINITY };
        let (mx, my) = (s[1] / total, s[2] / total);
        peak.x = peak.peak_x as f64 + mx;
        peak.y = peak.peak_y as f64 + my;
        peak.moments = [s[3] / total - mx * mx, s[4] / total - my * my, s[5] / total - mx * my];
    }
    peaks
}
