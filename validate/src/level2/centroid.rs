//! Position and flux of a point source by fitting the effective PSF, with errors.
//!
//! # Formula
//! Gauss-Newton on (f, x, y \[, b\]) with weights 1 / (V + f P / t): V the sky's variance, t the exposure time. The
//! covariance is the inverse of the normal matrix, which is the Cramer-Rao bound of the model.
//! # Source
//! Weights from the model and not from the data: Humphrey, Liu & Buote 2009 (ApJ 693, 822) on the bias of data weights.
//! # Limits
//! One star at a time: neighbours inside the fit radius disturb it.

use super::MeasuredFrame;
use super::psf_model::{LocalPsf, PsfPixel};

/// Whether a constant under the star is fitted too.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LocalSky {
    /// The mesh background is trusted.
    Fixed,
    /// A constant is fitted with the star.
    Fitted,
}

/// What is fitted, and where.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct FitOptions {
    /// Pixels used: centres within this radius \[pixel\].
    pub radius_px: f64,
    /// Relative error of the model added to the variance.
    pub model_error: f64,
    /// Largest move from the start before the fit is given up \[pixel\].
    pub max_shift_px: f64,
    /// Hold the position (forced photometry).
    pub forced: bool,
    /// Local sky.
    pub sky: LocalSky,
}

impl Default for FitOptions {
    fn default() -> Self {
        Self { radius_px: 5.0, model_error: 0.0, max_shift_px: 1.5, forced: false, sky: LocalSky::Fixed }
    }
}

/// A fitted point source.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct PointFit {
    /// Column, 0-based.
    pub x: f64,
    /// Row, 0-based.
    pub y: f64,
    /// Rate inside the PSF model's radius \[electron / s\].
    pub rate: f64,
    /// Standard error of the rate.
    pub rate_error: f64,
    /// Standard error of the column \[pixel\]; 0 when forced.
    pub x_error: f64,
    /// Standard error of the row \[pixel\]; 0 when forced.
    pub y_error: f64,
    /// Reduced chi-square.
    pub chi2: f64,
    /// Fraction of the PSF that fell on bad pixels or off the image.
    pub lost: f64,
}

/// Inverts a small symmetric positive matrix by Gauss-Jordan; `None` when singular.
fn invert<const N: usize>(mut a: [[f64; N]; N], n: usize) -> Option<[[f64; N]; N]> {
    let mut inverse = [[0.0; N]; N];
    for (i, row) in inverse.iter_mut().enumerate() {
        row[i] = 1.0;
    }
    for i in 0..n {
        let pivot = a[i][i];
        if pivot.is_nan() || pivot.abs() < 1e-300 {
            return None;
        }
        for k in 0..n {
            a[i][k] /= pivot;
            inverse[i][k] /= pivot;
        }
        for j in 0..n {
            if j != i {
                let factor = a[j][i];
                for k in 0..n {
                    a[j][k] -= factor * a[i][k];
                    inverse[j][k] -= factor * inverse[i][k];
                }
            }
        }
    }
    Some(inverse)
}

/// Fits a point source near `(x, y)`; `None` when it cannot be fitted (no pixels, lost, wandered off).
#[must_use]
pub fn fit(frame: &MeasuredFrame, psf: &LocalPsf, x: f64, y: f64, rate: f64, options: &FitOptions) -> Option<PointFit> {
    let half = options.radius_px.ceil() as i64;
    let side = (2 * half + 1) as usize;
    let (ny, nx) = frame.rate.dim();
    let variance = frame.background.variance.at(x.clamp(0.0, nx as f64 - 1.0), y.clamp(0.0, ny as f64 - 1.0));
    let mut model: Vec<PsfPixel> = Vec::new();
    let (mut fx, mut fy, mut flux, mut sky) = (x, y, rate, 0.0);
    let with_sky = options.sky == LocalSky::Fitted;
    // The pixels are those about the start, whatever the fit does.
    let (centre_x, centre_y) = (x, y);
    let rounds = if options.forced { 4 } else { 14 };
    let mut result = None;
    for round in 0..rounds {
        psf.stamp(fx, fy, half + 2, &mut model);
        let (cx, cy) = (fx.round() as i64, fy.round() as i64);
        let wide = side + 4;
        let mut normal = [[0.0; 4]; 4];
        let mut right = [0.0; 4];
        let (mut chi2, mut count, mut lost) = (0.0, 0_usize, 0.0);
        for (k, p) in model.iter().enumerate() {
            let (px, py) = (cx - half - 2 + (k % wide) as i64, cy - half - 2 + (k / wide) as i64);
            if (px as f64 - centre_x).hypot(py as f64 - centre_y) > options.radius_px {
                continue;
            }
            if px < 0 || py < 0 || px >= nx as i64 || py >= ny as i64 || !frame.good[(py as usize, px as usize)] {
                lost += p.value;
                continue;
            }
            let expected = flux.max(0.0) * p.value.max(0.0);
            let w = 1.0 / (variance + expected / frame.exposure_s + (options.model_error * expected).powi(2));
            let difference = f64::from(frame.rate[(py as usize, px as usize)]) - flux * p.value - sky;
            // Order: rate, sky, column, row: what is not fitted is cut off or left at zero.
            let row = [p.value, f64::from(u8::from(with_sky)), flux * p.by_x, flux * p.by_y];
            for i in 0..4 {
                right[i] += w * row[i] * difference;
                for j in 0..4 {
                    normal[i][j] += w * row[i] * row[j];
                }
            }
            chi2 += w * difference * difference;
            count += 1;
        }
        if !with_sky {
            normal[1] = [0.0, 1.0, 0.0, 0.0];
            for row in [0, 2, 3] {
                normal[row][1] = 0.0;
            }
            right[1] = 0.0;
        }
        let fitted = if options.forced { 2 } else { 4 };
        let parameters = fitted - usize::from(!with_sky);
        if count < parameters + 4 {
            return None;
        }
        let covariance = invert(normal, fitted)?;
        let step: Vec<f64> = (0..fitted).map(|i| (0..fitted).map(|j| covariance[i][j] * right[j]).sum()).collect();
        flux += step[0];
        sky += step[1];
        let mut moved = 0.0_f64;
        if !options.forced {
            let limit = if round < 3 { 0.5 } else { 0.25 };
            let (sx, sy) = (step[2].clamp(-limit, limit), step[3].clamp(-limit, limit));
            fx += sx;
            fy += sy;
            moved = sx.abs().max(sy.abs());
            if !flux.is_finite() || (fx - x).hypot(fy - y) > options.max_shift_px {
                return None;
            }
            if flux <= 0.0 {
                // A dip cannot be centred.
                return None;
            }
        }
        let error = |i: usize| if i < fitted { covariance[i][i].max(0.0).sqrt() } else { 0.0 };
        result = Some(PointFit {
            x: fx,
            y: fy,
            rate: flux,
            rate_error: error(0),
            x_error: error(2),
            y_error: error(3),
            chi2: chi2 / (count - parameters) as f64,
            lost,
        });
        if round > 1 && moved < 1e-5 && step[0].abs() < 1e-6 * flux.abs() {
            break;
        }
    }
    result
}

/// What a fit of a star of that rate can reach: standard errors of its rate and of its position \[pixel\], from the
/// model alone (no data). Position errors are 0 when forced.
#[must_use]
pub fn expected_errors(frame: &MeasuredFrame, psf: &LocalPsf, x: f64, y: f64, rate: f64, options: &FitOptions) -> Option<(f64, f64, f64)> {
    let (ny, nx) = frame.rate.dim();
    let variance = frame.background.variance.at(x.clamp(0.0, nx as f64 - 1.0), y.clamp(0.0, ny as f64 - 1.0));
    let half = options.radius_px.ceil() as i64;
    let mut model = Vec::new();
    psf.stamp(x, y, half, &mut model);
    let side = (2 * half + 1) as usize;
    let mut normal = [[0.0; 4]; 4];
    for (k, p) in model.iter().enumerate() {
        let (dx, dy) = (x.round() + (k % side) as f64 - half as f64 - x, y.round() + (k / side) as f64 - half as f64 - y);
        if dx.hypot(dy) > options.radius_px {
            continue;
        }
        let w = 1.0 / (variance + rate * p.value.max(0.0) / frame.exposure_s);
        let row = [p.value, f64::from(u8::from(options.sky == LocalSky::Fitted)), rate * p.by_x, rate * p.by_y];
        for i in 0..4 {
            for j in 0..4 {
                normal[i][j] += w * row[i] * row[j];
            }
        }
    }
    if options.sky == LocalSky::Fixed {
        normal[1] = [0.0, 1.0, 0.0, 0.0];
    }
    if options.sky == LocalSky::Fixed {
        for row in [0, 2, 3] {
            normal[row][1] = 0.0;
        }
    }
    if options.forced {
        let covariance = invert(normal, 2)?;
        return Some((covariance[0][0].sqrt(), 0.0, 0.0));
    }
    let covariance = invert(normal, 4)?;
    Some((covariance[0][0].sqrt(), covariance[2][2].sqrt(), covariance[3][3].sqrt()))
}
