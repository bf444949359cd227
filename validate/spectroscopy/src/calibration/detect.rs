//! Emission lines standing out of a ridge spectrum.
//!
//! # Formula
//! Significance `z(x) = sum g (F - C) / e^2 / root(sum g^2 / e^2)`, g a Gaussian of the line's width; peaks of z above the limit.
//! # Symbols
//! C  continuum: the running lower-half median over 41 columns;  F, e  rate and error of a column
//! # Source
//! Matched filter.
//! # Limits
//! Peaks closer than 2 columns are one.

use super::cutout::median;
use super::ridge_spectrum::RidgeSpectrum;

/// Half the columns of the running continuum.
const REACH: usize = 20;

/// A peak.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Peak {
    /// Column, by a parabola through the peak.
    pub x: f64,
    /// Significance.
    pub snr: f64,
}

/// Continuum under lines: the median of the values below the median, corrected for nothing: it only has to lie under the lines.
#[must_use]
pub fn continuum(rate: &[f64]) -> Vec<f64> {
    (0..rate.len())
        .map(|i| {
            let mut window: Vec<f64> =
                rate[i.saturating_sub(REACH)..(i + REACH + 1).min(rate.len())].iter().copied().filter(|v| v.is_finite()).collect();
            let middle = median(&mut window);
            median(&mut window.into_iter().filter(|v| *v <= middle).collect::<Vec<_>>())
        })
        .collect()
}

/// Significance of a line at each column; 0 where columns have no value.
#[must_use]
pub fn significance(spectrum: &RidgeSpectrum, width: f64) -> Vec<f64> {
    let level = continuum(&spectrum.rate);
    let reach = (3.0 * width).ceil() as i64;
    let n = spectrum.rate.len() as i64;
    (0..n)
        .map(|i| {
            let (mut top, mut bottom) = (0.0, 0.0);
            for k in (i - reach).max(0)..(i + reach + 1).min(n) {
                let (f, e) = (spectrum.rate[k as usize] - level[k as usize], spectrum.error[k as usize]);
                if f.is_finite() && e > 0.0 {
                    let g = (-0.5 * ((k - i) as f64 / width).powi(2)).exp();
                    top += g * f / (e * e);
                    bottom += g * g / (e * e);
                }
            }
            if bottom > 0.0 { top / bottom.sqrt() } else { 0.0 }
        })
        .collect()
}

/// Peaks of the significance above a limit.
#[must_use]
pub fn peaks(spectrum: &RidgeSpectrum, z: &[f64], limit: f64) -> Vec<Peak> {
    let mut found: Vec<Peak> = Vec::new();
    for i in 1..z.len().saturating_sub(1) {
        if z[i] < limit || z[i] < z[i - 1] || z[i] <= z[i + 1] {
            continue;
        }
        let curve = z[i - 1] - 2.0 * z[i] + z[i + 1];
        let shift = if curve < 0.0 { (0.5 * (z[i - 1] - z[i + 1]) / curve).clamp(-0.5, 0.5) } else { 0.0 };
        let peak = Peak { x: (spectrum.from + i as i64) as f64 + shift, snr: z[i] };
        match found.last_mut() {
            Some(last) if peak.x - last.x < 2.0 => {
                if peak.snr > last.snr {
                    *last = peak;
                }
            }
            _ => found.push(peak),
        }
    }
    found
}
