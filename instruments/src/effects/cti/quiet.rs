//! An estimate of the charge with less noise, from which a correction is computed.
//!
//! # Formula
//! `q = m + k (d - m)`, `k = sqrt(S / (S + V))`, S the greatest of `var(d) - V` and m; the corrected pixel is `d + (R(q) - q)`
//! # Symbols
//! d data; m and var(d) mean and variance of the 5 x 5 pixels around it; V variance of its noise; k part of a deviation that is
//! signal; R the correction
//! # Source
//! The estimate: Lee 1980 (IEEE PAMI 2, 165), with the shot noise of m as least variance of the signal, but with the root: the
//! estimate then scatters as much as the charge itself. What traps take is no straight line in the charge, and traps of a blank sky are
//! filled by its highest pixels: undamped, from an estimate that scatters too little (Lee's own) 7 % more than the trail of a star of 1000
//! electrons was taken back, from the data themselves 6 to 8 % less, from this one 0 to 1.5 % more; with the damping in use (`belief.rs`) 2 to
//! 3 % more (sky 30, read noise 5, a year of traps). That what is computed
//! from a smoothed image is added to the image as it is, so that read noise is not sharpened: Anderson & Bedin 2010 (PASP 122,
//! 1035).
//! # Limits
//! Noise added after the transfer does not pass the traps, but a correction treats it as if it had. The estimate keeps the noise near
//! stars, where var(d) is large. Pixels at the border use the part of the square that is there.

use ndarray::{Array1, Array2, Axis, Zip, s};
use rayon::prelude::*;

/// Pixels on either side.
const REACH: usize = 2;

/// The estimate for every pixel.
#[must_use]
pub fn estimate(data: &Array2<f32>, variance: &Array2<f32>) -> Array2<f32> {
    let (rows, columns) = data.dim();
    let mut out = sim_core::memory::zeros((rows, columns));
    out.axis_iter_mut(Axis(0)).into_par_iter().enumerate().for_each_init(
        || (Array1::<f32>::zeros(columns), Array1::<f32>::zeros(columns), Array1::<f32>::zeros(columns)),
        |(sum, square, shift), (y, mut out)| {
            let lines = y.saturating_sub(REACH)..(y + REACH + 1).min(rows);
            // Sums of differences from the pixel's row keep squares small next to the mean.
            shift.assign(&data.row(y));
            let level = shift.iter().copied().fold(f32::INFINITY, f32::min);
            let level = if level.is_finite() { level } else { 0.0 };
            sum.fill(0.0);
            square.fill(0.0);
            for row in data.slice(s![lines.clone(), ..]).rows() {
                Zip::from(&mut *sum).and(&mut *square).and(row).for_each(|sum, square, &d| {
                    let d = d - level;
                    *sum += d;
                    *square += d * d;
                });
            }
            for x in 0..columns {
                let span = x.saturating_sub(REACH)..(x + REACH + 1).min(columns);
                let count = (lines.len() * span.len()) as f32;
                let (mut all, mut squares) = (0.0, 0.0);
                for x in span {
                    all += sum[x];
                    squares += square[x];
                }
                let mean = all / count;
                let spread = (squares - all * mean) / (count - 1.0).max(1.0);
                let (d, noise) = (data[[y, x]], variance[[y, x]]);
                let local = mean + level;
                let signal = (spread - noise).max(local).max(0.0);
                let k = if signal + noise > 0.0 { (signal / (signal + noise)).sqrt() } else { 1.0 };
                out[x] = local + k * (d - local);
            }
        },
    );
    out
}
