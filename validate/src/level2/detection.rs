//! Finding sources: matched filter, threshold, connected components.
//!
//! # Formula
//! S(x) = sum K d / sqrt(V sum K^2 m) over good pixels (m = 1), with K the filter, d the sky-subtracted rate and V the
//! variance of blank sky: the signal-to-noise of a point source under the white noise of the sky.
//! # Source
//! North 1943 (Proc. IEEE 51, 1016, reprint); weighting as in Zackay & Ofek 2017 (ApJ 836, 187), eq. 5.
//! # Limits
//! V is taken constant over the filter. The filter is a Gaussian; for the survey camera's PSF it loses < 2 % of S.

use super::MeasuredFrame;
use super::deblend::{Peak, split};
use rayon::prelude::*;

/// What to look for.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct DetectionOptions {
    /// Lowest filtered signal-to-noise of a pixel of a source.
    pub threshold: f32,
    /// Full width at half maximum of the Gaussian filter \[pixel\].
    pub fwhm_px: f64,
    /// Fewest pixels above the threshold.
    pub min_area: usize,
    /// Smallest height of a blended peak above its saddle, in units of the local noise.
    pub deblend_noise: f32,
    /// Smallest height of a blended peak above its saddle, as a fraction of its brighter neighbour.
    pub deblend_contrast: f32,
}

impl Default for DetectionOptions {
    fn default() -> Self {
        Self { threshold: 4.0, fwhm_px: 2.0, min_area: 1, deblend_noise: 3.0, deblend_contrast: 0.004 }
    }
}

/// Pixels of one row above the threshold, next to each other, with their filtered signal-to-noise.
#[derive(Debug, Clone)]
pub(crate) struct Run {
    pub y: usize,
    pub x: usize,
    pub snr: Vec<f32>,
}

/// The separable Gaussian filter, half-width included.
fn kernel(fwhm_px: f64) -> Vec<f32> {
    let sigma = fwhm_px / 2.354_82;
    let half = (3.0 * sigma).ceil() as i64;
    (-half..=half).map(|i| (-0.5 * (i as f64 / sigma).powi(2)).exp() as f32).collect()
}

/// Filtered rows `y0..y1`, as runs above the threshold.
fn runs_of_band(frame: &MeasuredFrame, options: &DetectionOptions, y0: usize, y1: usize) -> Vec<Run> {
    let (ny, nx) = frame.rate.dim();
    let k = kernel(options.fwhm_px);
    let half = k.len() / 2;
    let squares: Vec<f32> = k.iter().map(|v| v * v).collect();
    let full: f32 = squares.iter().sum::<f32>().powi(2);
    // Part of the squared filter that lies on the image, along one axis.
    let on_image = |at: usize, n: usize| -> f32 {
        (0..k.len()).filter(|i| (at + i).checked_sub(half).is_some_and(|s| s < n)).map(|i| squares[i]).sum()
    };
    let columns: Vec<f32> = (0..nx).map(|x| on_image(x, nx)).collect();
    let first = y0.saturating_sub(half);
    let last = (y1 + half).min(ny);
    // Horizontal pass over all rows the band needs, and where their bad pixels are.
    let mut across = vec![(vec![0.0_f32; nx], Vec::new()); last - first];
    let mut padded = vec![0.0_f32; nx + 2 * half];
    for (slot, y) in across.iter_mut().zip(first..last) {
        let (rate, detectable) = (frame.rate.row(y), frame.detectable.row(y));
        for (x, ((p, &value), &good)) in padded[half..half + nx].iter_mut().zip(rate).zip(detectable).enumerate() {
            *p = if good { value } else { 0.0 };
            if !good {
                slot.1.push(x);
            }
        }
        for (i, &a) in k.iter().enumerate() {
            for (s, p) in slot.0.iter_mut().zip(&padded[i..]) {
                *s += a * p;
            }
        }
    }
    let mut runs = Vec::new();
    let (mut signal, mut weight, mut variance) = (vec![0.0_f32; nx], vec![0.0_f32; nx], vec![0.0_f32; nx]);
    let square_threshold = options.threshold * options.threshold;
    for y in y0..y1 {
        signal.fill(0.0);
        let rows = on_image(y, ny);
        for (w, c) in weight.iter_mut().zip(&columns) {
            *w = rows * c;
        }
        for (i, &a) in k.iter().enumerate() {
            let Some(source) = (y + i).checked_sub(half).filter(|&s| s < ny) else { continue };
            let (line, bad) = &across[source - first];
            for (s, v) in signal.iter_mut().zip(line) {
                *s += a * v;
            }
            // Bad pixels are few: take their share out one by one.
            for &x in bad {
                for (j, &b) in squares.iter().enumerate() {
                    if let Some(w) = (x + j).checked_sub(half).and_then(|at| weight.get_mut(at)) {
                        *w -= squares[i] * b;
                    }
                }
            }
        }
        frame.background.variance.row(y, &mut variance);
        let mut open: Option<Run> = None;
        for x in 0..nx {
            // A pixel whose filter lies mostly on bad pixels says nothing.
            let above = signal[x] > 0.0 && signal[x] * signal[x] > square_threshold * weight[x] * variance[x] && weight[x] > 0.25 * full;
            if above {
                let snr = signal[x] / (weight[x] * variance[x]).sqrt();
                open.get_or_insert_with(|| Run { y, x, snr: Vec::new() }).snr.push(snr);
            } else if let Some(run) = open.take() {
                runs.push(run);
            }
        }
        runs.extend(open);
    }
    runs
}

/// Groups runs that touch (8-connected) into components; both in row order.
fn components(runs: Vec<Run>) -> Vec<Vec<Run>> {
    fn root(parent: &mut [usize], mut i: usize) -> usize {
        while parent[i] != i {
            parent[i] = parent[parent[i]];
            i = parent[i];
        }
        i
    }
    let mut parent: Vec<usize> = (0..runs.len()).collect();
    let mut above = 0..0;
    let mut start = 0;
    while start < runs.len() {
        let y = runs[start].y;
        let end = start + runs[start..].iter().take_while(|r| r.y == y).count();
        if !above.is_empty() && runs[above.start].y + 1 == y {
            let mut first = above.start;
            for i in start..end {
                let (x0, x1) = (runs[i].x, runs[i].x + runs[i].snr.len());
                while first < above.end && runs[first].x + runs[first].snr.len() < x0 {
                    first += 1;
                }
                for (j, upper) in runs.iter().enumerate().take(above.end).skip(first) {
                    if upper.x > x1 {
                        break;
                    }
                    let (a, b) = (root(&mut parent, i), root(&mut parent, j));
                    parent[a.max(b)] = a.min(b);
                }
            }
        }
        above = start..end;
        start = end;
    }
    let mut slot = vec![usize::MAX; runs.len()];
    let mut found: Vec<Vec<Run>> = Vec::new();
    for (i, run) in runs.into_iter().enumerate() {
        let r = root(&mut parent, i);
        if slot[r] == usize::MAX {
            slot[r] = found.len();
            found.push(Vec::new());
        }
        found[slot[r]].push(run);
    }
    found
}

/// All sources of a frame, in order of row and column of their first pixel.
#[must_use]
pub fn detect(frame: &MeasuredFrame, options: &DetectionOptions) -> Vec<Peak> {
    const BAND: usize = 128;
    let ny = frame.rate.nrows();
    let bands: Vec<Vec<Run>> =
        (0..ny.div_ceil(BAND)).into_par_iter().map(|b| runs_of_band(frame, options, b * BAND, ((b + 1) * BAND).min(ny))).collect();
    let found: Vec<Vec<Peak>> = components(bands.into_iter().flatten().collect())
        .into_par_iter()
        .filter(|c| c.iter().map(|r| r.snr.len()).sum::<usize>() >= options.min_area)
        .map(|c| split(frame, options, &c))
        .collect();
    found.into_iter().flatten().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(y: usize, x: usize, n: usize) -> Run {
        Run { y, x, snr: vec![5.0; n] }
    }

    #[test]
    fn runs_that_touch_at_a_corner_are_one_component() {
        assert_eq!(components(vec![run(0, 0, 2), run(1, 2, 3)]).len(), 1, "diagonal neighbours");
        assert_eq!(components(vec![run(0, 0, 2), run(1, 3, 3)]).len(), 2, "one pixel apart");
        assert_eq!(components(vec![run(0, 0, 2), run(2, 0, 2)]).len(), 2, "one row apart");
    }

    #[test]
    fn a_bridge_joins_two_towers() {
        let u = vec![run(0, 0, 1), run(0, 4, 1), run(1, 0, 1), run(1, 4, 1), run(2, 0, 5)];
        assert_eq!(components(u).len(), 1);
    }
}
