//! One point of a ridge: its centre and width across the dispersion, from a few columns.
//!
//! # Formula
//! `d(x, y) = A_x exp(-(y - centre(x) - c)^2 / 2 s^2)`: c and s by Gauss-Newton, the amplitudes A_x of each column eliminated (variable projection).
//! # Symbols
//! d  rate above the sky beside the trace;  c  rows from the guessed ridge;  s  width of the profile \[pixel\]
//! # Source
//! Golub & Pereyra 1973; the Jacobian of Kaufman 1975.
//! # Limits
//! A Gaussian stands for the profile: its centre is that of the core. Columns of a bin may differ in brightness as lines do.
//!
//! Pixels further than five errors and a tenth of the profile from it (hits nobody flagged, neighbours) are left out.

use super::cutout::Cutout;

/// Least and largest width of a profile \[pixel\]: FWHM 0.09 to 0.7 arcsec of 0.074 arcsec.
const WIDTHS: (f64, f64) = (0.5, 4.0);

/// A measured point.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct RidgePoint {
    /// Column, weighted by the light.
    pub x: f64,
    /// Rows from the guess there.
    pub shift: f64,
    /// Standard error of the row.
    pub error: f64,
    /// Width of the profile (Gaussian sigma) \[pixel\].
    pub width: f64,
    /// Signal to noise of the profile.
    pub snr: f64,
    /// Share of pixels of the core left out, 0 to 1.
    pub lost: f64,
}

struct Sample {
    column: usize,
    y: f64,
    rate: f64,
    weight: f64,
    used: bool,
}

/// Fits columns `from..to` within `half` rows of `centre`; the start is searched within `reach` rows. `None` without good pixels.
pub fn fit_ridge(cutout: &Cutout<'_>, from: i64, to: i64, centre: &dyn Fn(f64) -> f64, half: f64, reach: f64) -> Option<RidgePoint> {
    let (sky, _) = cutout.sky(from, to, centre, half + reach + 2.0, half + reach + 14.0)?;
    let mut samples = Vec::new();
    let span = half + reach;
    for x in from..to {
        let middle = centre(x as f64);
        for y in (middle - span).ceil() as i64..=(middle + span).floor() as i64 {
            if let Some(p) = cutout.pixel(x, y) {
                let column = (x - from) as usize;
                let weight = 1.0 / (p.error * p.error);
                samples.push(Sample { column, y: y as f64 - middle, rate: p.rate - sky, weight, used: true });
            }
        }
    }
    let columns = (to - from) as usize;
    let steps = (reach / 0.5).ceil() as i32;
    let gain = |c: f64| amplitudes(&samples, columns, c, 1.2).iter().map(|(a, n)| a.max(0.0).powi(2) * n).sum::<f64>();
    let start = (-steps..=steps).map(|i| 0.5 * f64::from(i)).max_by(|&a, &b| gain(a).total_cmp(&gain(b)))?;
    let (mut c, mut s) = (start, 1.2);
    for round in 0..3 {
        for sample in &mut samples {
            sample.used = (sample.y - c).abs() <= half;
        }
        if round > 0 {
            reject(&mut samples, columns, c, s);
        }
        for _ in 0..20 {
            let (step, _) = gauss_newton(&samples, columns, c, s)?;
            c += step.0.clamp(-1.0, 1.0);
            s = (s + step.1.clamp(-0.4, 0.4)).clamp(WIDTHS.0, WIDTHS.1);
            if step.0.abs() + step.1.abs() < 1e-5 {
                break;
            }
        }
        // The light that draws the fit away is a neighbour's.
        if c.abs() > reach + 0.5 {
            return None;
        }
    }
    let (_, normal) = gauss_newton(&samples, columns, c, s)?;
    let determinant = normal[0] * normal[2] - normal[1] * normal[1];
    let light = amplitudes(&samples, columns, c, s);
    let chi2 = reduced(&samples, &light, c, s);
    let total: f64 = light.iter().map(|(a, _)| a.max(0.0)).sum();
    let x = light.iter().enumerate().map(|(i, (a, _))| a.max(0.0) * (from + i as i64) as f64).sum::<f64>() / total;
    let snr = light.iter().filter(|(_, n)| *n > 0.0).map(|(a, n)| a.max(0.0).powi(2) * n).sum::<f64>().sqrt();
    let core = samples.iter().filter(|p| p.used && (p.y - c).abs() <= 1.5 * s).count() as f64 / (columns as f64 * 3.0 * s);
    let error = (normal[2] / determinant).max(0.0).sqrt() * chi2.max(1.0).sqrt();
    (error.is_finite() && total > 0.0).then_some(RidgePoint { x, shift: c, error, width: s, snr, lost: (1.0 - core).clamp(0.0, 1.0) })
}

fn profile(sample: &Sample, c: f64, s: f64) -> f64 {
    (-0.5 * ((sample.y - c) / s).powi(2)).exp()
}

/// Amplitude of each column and the sum of its weighted squares of the profile.
fn amplitudes(samples: &[Sample], columns: usize, c: f64, s: f64) -> Vec<(f64, f64)> {
    let mut sums = vec![(0.0, 0.0); columns];
    for sample in samples.iter().filter(|p| p.used) {
        let g = profile(sample, c, s);
        sums[sample.column].0 += sample.weight * sample.rate * g;
        sums[sample.column].1 += sample.weight * g * g;
    }
    sums.into_iter().map(|(top, bottom)| if bottom > 0.0 { (top / bottom, bottom) } else { (0.0, 0.0) }).collect()
}

fn reject(samples: &mut [Sample], columns: usize, c: f64, s: f64) {
    let light = amplitudes(samples, columns, c, s);
    for sample in samples.iter_mut().filter(|p| p.used) {
        let model = light[sample.column].0.max(0.0);
        let expected = model * profile(sample, c, s);
        let tolerance = 5.0 * (1.0 / sample.weight + (0.1 * model).powi(2) * 0.25).sqrt();
        sample.used = (sample.rate - expected).abs() <= tolerance;
    }
}

fn reduced(samples: &[Sample], light: &[(f64, f64)], c: f64, s: f64) -> f64 {
    let (mut sum, mut count) = (0.0, 0.0);
    for p in samples.iter().filter(|p| p.used) {
        sum += p.weight * (p.rate - light[p.column].0 * profile(p, c, s)).powi(2);
        count += 1.0;
    }
    sum / f64::max(count - light.len() as f64 - 2.0, 1.0)
}

/// Steps of (c, s) and the normal matrix (cc, cs, ss), amplitudes projected out.
fn gauss_newton(samples: &[Sample], columns: usize, c: f64, s: f64) -> Option<((f64, f64), [f64; 3])> {
    let light = amplitudes(samples, columns, c, s);
    // Per column: sums of w g^2, w g j_c, w g j_s.
    let mut cross = vec![(0.0, 0.0, 0.0); columns];
    let derivative = |p: &Sample| {
        let (g, u) = (profile(p, c, s), (p.y - c) / s);
        let a = light[p.column].0;
        (g, a * g * u / s, a * g * u * u / s)
    };
    for p in samples.iter().filter(|p| p.used) {
        let (g, jc, js) = derivative(p);
        let sum = &mut cross[p.column];
        *sum = (sum.0 + p.weight * g * g, sum.1 + p.weight * g * jc, sum.2 + p.weight * g * js);
    }
    let (mut normal, mut right) = ([0.0; 3], (0.0, 0.0));
    for p in samples.iter().filter(|p| p.used) {
        let (g, jc, js) = derivative(p);
        let (gg, gc, gs) = cross[p.column];
        if gg <= 0.0 {
            continue;
        }
        let (jc, js) = (jc - g * gc / gg, js - g * gs / gg);
        let residual = p.rate - light[p.column].0 * g;
        normal = [normal[0] + p.weight * jc * jc, normal[1] + p.weight * jc * js, normal[2] + p.weight * js * js];
        right = (right.0 + p.weight * jc * residual, right.1 + p.weight * js * residual);
    }
    let determinant = normal[0] * normal[2] - normal[1] * normal[1];
    if determinant.is_nan() || determinant <= 1e-12 * normal[0] * normal[2] {
        return None;
    }
    Some((((normal[2] * right.0 - normal[1] * right.1) / determinant, (normal[0] * right.1 - normal[1] * right.0) / determinant), normal))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::image::SlitlessImage;
    use ndarray::Array2;

    #[test]
    fn the_centre_is_right_beside_a_line_with_a_hit_and_a_lost_pixel() {
        // Columns of very different light, a tilted ridge at 20.3 + 0.02 (x - 4), width 1.15.
        let mut rate = Array2::from_shape_fn((48, 8), |(y, x)| {
            let light = if x == 3 { 40.0 } else { 0.8 };
            let u = (y as f64 - 20.3 - 0.02 * (x as f64 - 4.0)) / 1.15;
            (0.2 + light * (-0.5 * u * u).exp()) as f32
        });
        rate[[22, 6]] += 30.0;
        rate[[20, 3]] = f32::NAN;
        let error = Array2::from_elem((48, 8), 0.05_f32);
        let flags = Array2::zeros((48, 8));
        let image = SlitlessImage { rate: rate.view(), error: error.view(), flags: flags.view(), origin: (0, 0), time_s: 150.0 };
        let point = fit_ridge(&Cutout(image), 0, 8, &|x| 19.0 + 0.02 * (x - 4.0), 6.0, 4.0).unwrap();
        assert!((point.shift - 1.3).abs() < 2e-3 && (point.width - 1.15).abs() < 5e-3, "{point:?}");
        assert!(point.snr > 500.0 && point.error < 0.01 && (point.x - 3.0).abs() < 0.3, "{point:?}");
    }
}
