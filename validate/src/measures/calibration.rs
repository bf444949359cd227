//! Closure of the calibration: a bias, dark or flat reduced by the chain should be zero within its own errors.
//!
//! # Formula
//! pull = residual / sigma per pixel: mean 0, standard deviation 1 when the error model holds. Row and column means in
//! units of their errors show structure that single pixels hide.

use super::Measures;
use super::picture::{Picture, pull_picture};
use super::pull_sums::PullSums;
use crate::error::ValidateError;
use crate::product::read_image;
use crate::statistics::{Moments, moments};
use ndarray::{Array2, Axis};
use serde::{Deserialize, Serialize};
use std::path::PathBuf;

/// A reduced calibration frame: what is left, and the variance it should have.
#[derive(Debug, Clone)]
pub struct CalibrationInputs {
    /// Name in the report, e.g. `dark, chip 9`.
    pub label: String,
    /// Kind: bias, dark or flat; criteria can ask for one kind.
    pub kind: String,
    /// Residual image.
    pub residual: PathBuf,
    /// Its variance, in the square of its unit; pixels with a variance that is not positive are left out.
    pub variance: PathBuf,
    /// Flag image: pixels with any bit set are left out.
    pub flags: Option<PathBuf>,
}

/// Closure statistics of a calibration frame.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct CalibrationMeasures {
    /// Name in the report.
    pub label: String,
    /// Kind.
    pub kind: String,
    /// The numbers.
    pub values: Measures,
    /// Pull distribution.
    pub histogram: super::Histogram,
    /// Pull map.
    pub pictures: Vec<Picture>,
}

/// Pulls beyond this are outliers: they and the pixels around them stay out of the moments, not out of chi-square.
const LIMIT: f64 = 8.0;

/// Means along an axis in units of their errors.
fn line_pulls(pulls: &Array2<f32>, axis: Axis) -> Option<Moments> {
    let lines: Vec<f64> = pulls
        .axis_iter(axis)
        .filter_map(|line| {
            let (sum, n) = line
                .iter()
                .filter(|p| p.is_finite() && f64::from(p.abs()) < LIMIT)
                .fold((0.0, 0_usize), |(s, n), &p| (s + f64::from(p), n + 1));
            (n >= 10).then(|| sum / (n as f64).sqrt())
        })
        .collect();
    moments(&lines, f64::INFINITY)
}

/// Reads and measures a calibration residual.
///
/// # Errors
/// When a file cannot be read or shapes differ.
pub fn measure_calibration(inputs: &CalibrationInputs) -> Result<CalibrationMeasures, ValidateError> {
    let (residual, _) = read_image(&inputs.residual)?;
    let (variance, _) = read_image(&inputs.variance)?;
    let flags = inputs.flags.as_ref().map(|p| read_image(p).map(|r| (p, r.0))).transpose()?;
    for (path, shape) in [(&inputs.variance, variance.dim())].into_iter().chain(flags.as_ref().map(|(p, f)| (*p, f.dim()))) {
        if shape != residual.dim() {
            return Err(ValidateError::Shape {
                path: path.display().to_string(),
                got: shape,
                need: residual.dim(),
                like: inputs.residual.display().to_string(),
            });
        }
    }
    Ok(measure_closure(&inputs.label, &inputs.kind, &residual, &variance, flags.as_ref().map(|f| &f.1)))
}

/// The pulls without the neighbours of pixels beyond [`LIMIT`]: a cosmic ray that struck the frame (calibration frames are not searched for
/// them) leaves pixels of a few standard deviations around its track.
fn without_skirts(pulls: &Array2<f32>) -> Array2<f32> {
    let (ny, nx) = pulls.dim();
    let mut left = pulls.clone();
    for ((y, x), pull) in pulls.indexed_iter() {
        if f64::from(pull.abs()) >= LIMIT {
            let (rows, columns) = (y.saturating_sub(1)..(y + 2).min(ny), x.saturating_sub(1)..(x + 2).min(nx));
            left.slice_mut(ndarray::s![rows, columns]).fill(f32::NAN);
        }
    }
    left
}

/// Measures a calibration residual already in memory.
#[must_use]
pub fn measure_closure(
    label: &str,
    kind: &str,
    residual: &Array2<f32>,
    variance: &Array2<f32>,
    flags: Option<&Array2<f32>>,
) -> CalibrationMeasures {
    let pulls = Array2::from_shape_fn(residual.dim(), |p| {
        let good = variance[p] > 0.0 && residual[p].is_finite() && flags.is_none_or(|f| f[p] == 0.0);
        if good { residual[p] / variance[p].sqrt() } else { f32::NAN }
    });
    let sums_of = |pulls: &Array2<f32>| {
        let rows = pulls.rows().into_iter().map(|row| {
            let mut sums = PullSums::new(LIMIT);
            row.iter().filter(|p| p.is_finite()).for_each(|&p| sums.add(f64::from(p)));
            sums
        });
        PullSums::of_rows(LIMIT, rows)
    };
    let mut values = Measures::default();
    let all = sums_of(&pulls);
    let (chi2, n) = all.mean_square();
    let inner = without_skirts(&pulls);
    if let Some(m) = sums_of(&inner).moments() {
        values.set_moments("closure_pull_mean", "closure_pull_std", &m);
        values.set("closure_chi2", chi2, Some((2.0 / n as f64).sqrt()), n);
    }
    for (name, axis) in [("closure_row_pull_std", Axis(0)), ("closure_column_pull_std", Axis(1))] {
        if let Some(m) = line_pulls(&inner, axis) {
            values.set(name, m.std, Some(m.std_error), m.count);
        }
    }
    let histogram = all.histogram(label);
    let picture = pull_picture("closure", &format!("Residual / sigma of the reduced {label}"), &pulls);
    CalibrationMeasures { label: label.into(), kind: kind.into(), values, histogram, pictures: vec![picture] }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_offset_hidden_in_single_pixels_shows_in_the_row_means() {
        // 0.1 sigma alternating between rows of 400 pixels: 2 sigma in each row mean; the pixels themselves are +-1.
        let residual =
            Array2::from_shape_fn((100, 400), |(y, x)| (if x % 2 == 0 { 1.0 } else { -1.0 }) + if y % 2 == 0 { 0.1 } else { -0.1 });
        let m = measure_closure("bias", "bias", &residual, &Array2::from_elem((100, 400), 1.0), None);
        assert!((m.values.get("closure_pull_std").unwrap().value - 1.005).abs() < 1e-3);
        let rows = m.values.get("closure_row_pull_std").unwrap().value;
        assert!((rows - 2.0 * (100.0_f64 / 99.0).sqrt()).abs() < 1e-3, "{rows}");
    }
    #[test]
    fn the_skirt_of_a_hit_is_no_noise() {
        // Pulls of +-1, and a track of fifty times the error whose neighbours have five: 3 x 42 - 40 = 86 of 40,000 pixels, 1 + 86 x 24 / 40,000 = 1.05.
        let mut residual = Array2::from_shape_fn((200, 200), |(y, x)| if (x + y) % 2 == 0 { 1.0 } else { -1.0 });
        residual.slice_mut(ndarray::s![99..102, 60..102]).fill(5.0);
        residual.slice_mut(ndarray::s![100..101, 61..101]).fill(50.0);
        let m = measure_closure("dark", "dark", &residual, &Array2::from_elem((200, 200), 1.0), None);
        let value = |name: &str| m.values.get(name).unwrap().value;
        assert!((value("closure_pull_std") - 1.0).abs() < 1e-4, "{}", value("closure_pull_std"));
        assert!(value("closure_chi2") > 3.0, "outliers stay in it: {}", value("closure_chi2"));
    }
}
