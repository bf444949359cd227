//! Covariances of neighbouring pixels in pairs of equal flats.
//!
//! # Formula
//! With `d = m (a / m_a - b / m_b)` of two flats of means `m_a`, `m_b`, `m` their mean: `C_ij = <d(x, y) d(x + i, y + j)> / 2`, about the mean of
//! `d`; lags of both signs of `j` together. Pixels beyond `k` robust standard deviations are left out; what a normal loses by that, the factor
//! `f = 1 - 2 k phi(k) / (2 Phi(k) - 1)` of its variance, is put back: `C_00 / f`, other lags `/ f^2`.
//! # Symbols
//! `i` columns, `j` rows; `phi`, `Phi` density and distribution of the normal. Errors: `C_00 sqrt(2 / n)` of the variance, `C_00 sqrt(1 / n)` of the others.
//! # Source
//! Differences of pairs, as Guyonnet et al. 2015 (A&A 575, A41) and Astier et al. 2019 (A&A 629, A36). Moments of a truncated normal.
//! # Limits
//! Fixed patterns cancel in `d`; a slope of the illumination within the region raises products of levels by its relative variance.

use ndarray::{Array2, ArrayView2, s};
use rayon::prelude::*;
use sim_core::knowledge::Measured;
use sim_core::median::{SIGMA_PER_MAD, median};

/// Lags measured in each direction: 0 to 4 pixels.
pub const LAGS: usize = 5;
/// Partial sums of a row.
const LANES: usize = 16;
/// Pixels that a region needs in each direction, its edge taken off.
const LEAST: usize = 24;

/// How covariances are measured.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct CovarianceOptions {
    /// Pixels left out along the border of the region.
    pub edge: usize,
    /// Clip of differences, in robust standard deviations.
    pub clip_sigma: f64,
}

impl Default for CovarianceOptions {
    /// 8 pixels, 4 standard deviations (6e-5 of a normal; 0.1 % of its variance, which is put back).
    fn default() -> Self {
        Self { edge: 8, clip_sigma: 4.0 }
    }
}

/// Why covariances could not be measured.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum CovarianceError {
    /// The two flats differ in shape.
    #[error("flat covariance: regions of {0:?} and {1:?} (rows, columns) are no pair")]
    Shape((usize, usize), (usize, usize)),
    /// Too small a region.
    #[error("flat covariance: a region of {0:?} (rows, columns) with an edge of {1} leaves less than {LEAST} x {LEAST} pixels")]
    TooSmall((usize, usize), usize),
    /// No light.
    #[error("flat covariance: levels of {0} and {1} ADU; both must be above 0")]
    NoLight(f64, f64),
    /// A clip that leaves nothing.
    #[error("flat covariance: clip_sigma = {0} is outside 2..20")]
    Clip(f64),
    /// The differences have no scatter: a saturated pair.
    #[error("flat covariance: at {0} ADU most pixels of the pair are equal: saturated?")]
    NoScatter(f64),
}

/// Covariances of one region at one level.
#[derive(Debug, Clone, PartialEq)]
pub struct FlatCovariance {
    /// Mean level \[ADU\].
    pub mean_adu: f64,
    /// Covariances \[ADU^2\], `[j][i]`: i columns, j rows apart.
    pub lags: [[Measured; LAGS]; LAGS],
    /// Pixels used, of all pairs.
    pub pixels: f64,
    /// Fraction of pixels left out by the clip.
    pub clipped: f64,
}

/// Sums of products of one row with itself and those above.
#[derive(Clone, Copy)]
struct RowSums {
    product: [[f64; LAGS]; LAGS],
    count: [[f64; LAGS]; LAGS],
}

/// Share of its variance that a normal keeps when it is cut at `k` standard deviations.
#[must_use]
pub fn kept_variance(k: f64) -> f64 {
    let density = |x: f64| (-0.5 * x * x).exp() / (2.0 * std::f64::consts::PI).sqrt();
    // 2 Phi(k) - 1 by Simpson's rule.
    let steps = 400;
    let h = k / f64::from(steps);
    let inside: f64 =
        (0..=steps).map(|n| density(f64::from(n) * h) * if n == 0 || n == steps { 1.0 } else { 2.0 + 2.0 * f64::from(n % 2) }).sum::<f64>()
            * h
            / 3.0;
    1.0 - k * density(k) / inside
}

fn mean(region: ArrayView2<'_, f32>) -> f64 {
    let rows: f64 = region.rows().into_iter().map(|row| row.iter().map(|&v| f64::from(v)).sum::<f64>()).sum();
    rows / region.len() as f64
}

/// Sum of products, in fixed lanes.
fn dot(a: &[f32], b: &[f32]) -> f64 {
    let n = a.len().min(b.len());
    let ((a, a_rest), (b, b_rest)) = (a[..n].as_chunks::<LANES>(), b[..n].as_chunks::<LANES>());
    let mut lanes = [0.0_f32; LANES];
    for (a, b) in a.iter().zip(b) {
        for l in 0..LANES {
            lanes[l] += a[l] * b[l];
        }
    }
    let rest: f64 = a_rest.iter().zip(b_rest).map(|(&a, &b)| f64::from(a) * f64::from(b)).sum();
    lanes.iter().map(|&v| f64::from(v)).sum::<f64>() + rest
}

/// Covariances of a pair of regions, bias subtracted \[ADU\].
///
/// # Errors
/// When they are no pair, too small, dark or saturated.
pub fn of_pair(a: ArrayView2<'_, f32>, b: ArrayView2<'_, f32>, options: &CovarianceOptions) -> Result<FlatCovariance, CovarianceError> {
    if a.dim() != b.dim() {
        return Err(CovarianceError::Shape(a.dim(), b.dim()));
    }
    let ((ny, nx), edge, k) = (a.dim(), options.edge, options.clip_sigma);
    if ny < LEAST + 2 * edge || nx < LEAST + 2 * edge {
        return Err(CovarianceError::TooSmall((ny, nx), edge));
    }
    if !(2.0..=20.0).contains(&k) {
        return Err(CovarianceError::Clip(k));
    }
    let inner = s![edge..ny - edge, edge..nx - edge];
    let (a, b) = (a.slice(inner), b.slice(inner));
    let (of_a, of_b) = (mean(a), mean(b));
    if !(of_a > 0.0 && of_b > 0.0) {
        return Err(CovarianceError::NoLight(of_a, of_b));
    }
    let level = 0.5 * (of_a + of_b);
    let (scale_a, scale_b) = (level / of_a, level / of_b);
    let mut d = Array2::<f32>::zeros(a.dim());
    ndarray::Zip::from(&mut d).and(a).and(b).for_each(|d, &a, &b| *d = (scale_a * f64::from(a) - scale_b * f64::from(b)) as f32);

    let mut values: Vec<f32> = d.iter().copied().collect();
    let centre = median(&mut values).unwrap_or(0.0);
    values.iter_mut().for_each(|v| *v = (*v - centre).abs());
    let sigma = SIGMA_PER_MAD * median(&mut values).map_or(0.0, f64::from);
    if sigma <= 0.0 {
        return Err(CovarianceError::NoScatter(level));
    }
    // Outliers count as 0, twice: the mean of the rest is taken off between.
    let (mut kept, mut total, mut levels) = (0.0, 0.0, 0.0);
    let reach = (k * sigma) as f32;
    for ((&d, &a), &b) in d.iter().zip(a).zip(b) {
        if (d - centre as f32).abs() <= reach {
            kept += 1.0;
            total += f64::from(d);
            levels += 0.5 * (f64::from(a) + f64::from(b));
        }
    }
    let middle = (total / kept) as f32;
    let mask = d.mapv(|v| if (v - centre as f32).abs() <= reach { 1.0_f32 } else { 0.0 });
    ndarray::Zip::from(&mut d).and(&mask).for_each(|d, &m| *d = m * (*d - middle));

    let (rows, columns) = d.dim();
    let hurt: Vec<bool> = mask.rows().into_iter().map(|row| row.iter().any(|&m| m == 0.0)).collect();
    let row_of = |array: &'_ Array2<f32>, y: usize| -> Vec<f32> { array.row(y).to_vec() };
    let sums: Vec<RowSums> = (0..rows)
        .into_par_iter()
        .map(|y| {
            let mut sums = RowSums { product: [[0.0; LAGS]; LAGS], count: [[0.0; LAGS]; LAGS] };
            let (low, low_mask) = (row_of(&d, y), row_of(&mask, y));
            for j in 0..LAGS.min(rows - y) {
                let (high, high_mask) = (row_of(&d, y + j), row_of(&mask, y + j));
                let masked = hurt[y] || hurt[y + j];
                for i in 0..LAGS {
                    let mut add = |a: &[f32], b: &[f32], m: &[f32], n: &[f32]| {
                        sums.product[j][i] += dot(a, b);
                        sums.count[j][i] += if masked { dot(m, n) } else { (columns - i) as f64 };
                    };
                    add(&low, &high[i..], &low_mask, &high_mask[i..]);
                    if i > 0 && j > 0 {
                        add(&low[i..], &high, &low_mask[i..], &high_mask);
                    }
                }
            }
            sums
        })
        .collect();
    let f = kept_variance(k);
    let mut lags = [[Measured { value: 0.0, error: 0.0 }; LAGS]; LAGS];
    for (j, line) in lags.iter_mut().enumerate() {
        for (i, lag) in line.iter_mut().enumerate() {
            let product: f64 = sums.iter().map(|s| s.product[j][i]).sum();
            let count: f64 = sums.iter().map(|s| s.count[j][i]).sum();
            let factor = if i + j == 0 { f } else { f * f };
            *lag = Measured { value: 0.5 * product / count / factor, error: (if i + j == 0 { 2.0 } else { 1.0 } / count).sqrt() };
        }
    }
    let variance = lags[0][0].value;
    lags.iter_mut().flatten().for_each(|lag| lag.error *= variance);
    let clipped = 1.0 - kept / d.len() as f64;
    Ok(FlatCovariance { mean_adu: levels / kept, lags, pixels: kept, clipped })
}

/// Pairs of the same region and level together, weighted by their pixels; `None` without any.
#[must_use]
pub fn together(pairs: &[FlatCovariance]) -> Option<FlatCovariance> {
    let pixels: f64 = pairs.iter().map(|p| p.pixels).sum();
    if pairs.is_empty() || pixels <= 0.0 {
        return None;
    }
    let mean = |of: &dyn Fn(&FlatCovariance) -> f64| pairs.iter().map(|p| p.pixels * of(p)).sum::<f64>() / pixels;
    let lag = |j: usize, i: usize| Measured {
        value: mean(&|p| p.lags[j][i].value),
        error: pairs.iter().map(|p| (p.pixels * p.lags[j][i].error).powi(2)).sum::<f64>().sqrt() / pixels,
    };
    Some(FlatCovariance {
        mean_adu: mean(&|p| p.mean_adu),
        lags: std::array::from_fn(|j| std::array::from_fn(|i| lag(j, i))),
        pixels,
        clipped: mean(&|p| p.clipped),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use sim_core::noise;
    use sim_core::stream::StreamKey;

    /// White noise of variance 1000 at the level 2000, smeared: each pixel gives `share` of its deviation to its right neighbour.
    fn flat(seed: u64, share: f32) -> Array2<f32> {
        let mut out = Array2::zeros((600, 700));
        for (y, mut row) in out.rows_mut().into_iter().enumerate() {
            let mut draws = vec![0.0_f32; 700];
            noise::normals(&StreamKey::new(seed).stream(y as u64), 0, &mut draws);
            for x in 0..700 {
                let left = if x > 0 { draws[x - 1] } else { 0.0 };
                row[x] = 2000.0 + 1000.0_f32.sqrt() * ((1.0 - share) * draws[x] + share * left);
            }
        }
        out
    }

    #[test]
    fn smearing_shows_at_its_lag_and_nowhere_else() {
        let (a, b) = (flat(1, 0.1), flat(2, 0.1));
        let found = of_pair(a.view(), b.view(), &CovarianceOptions::default()).unwrap();
        // (0.9^2 + 0.1^2) 1000 and 0.9 x 0.1 x 1000.
        for (j, line) in found.lags.iter().enumerate() {
            for (i, lag) in line.iter().enumerate() {
                let expected = match (i, j) {
                    (0, 0) => 820.0,
                    (1, 0) => 90.0,
                    _ => 0.0,
                };
                assert!((lag.value - expected).abs() < 4.0 * lag.error, "lag {i} {j}: {lag:?} instead of {expected}");
            }
        }
        // 584 x 684 pixels: 820 / sqrt(4e5) = 1.3.
        assert!((found.lags[0][1].error - 1.3).abs() < 0.05, "{:?}", found.lags[0][1]);
        assert!(found.lags[1][1].error < 0.75 * found.lags[0][1].error, "both diagonals");
    }

    #[test]
    fn the_clip_costs_nothing_on_average() {
        // Cut at 2.5: 6.9 % of the variance is missing before it is put back.
        assert!((kept_variance(2.5) - 0.9112).abs() < 2e-4, "{}", kept_variance(2.5));
        assert!((kept_variance(4.0) - 0.99893).abs() < 1e-5, "{}", kept_variance(4.0));
        let (a, b) = (flat(3, 0.1), flat(4, 0.1));
        let all = of_pair(a.view(), b.view(), &CovarianceOptions { edge: 8, clip_sigma: 8.0 }).unwrap();
        let cut = of_pair(a.view(), b.view(), &CovarianceOptions { edge: 8, clip_sigma: 2.5 }).unwrap();
        assert!(cut.clipped > 0.01 && all.clipped == 0.0);
        for (i, bound) in [(0, 0.006), (1, 0.05)] {
            // The robust scatter is good to 1.17 / sqrt(2 n) = 0.13 %, the variance cut at 2.5 moves by three times as much.
            let ratio = cut.lags[0][i].value / all.lags[0][i].value - 1.0;
            assert!(ratio.abs() < bound, "lag {i}: {ratio}");
        }
    }

    #[test]
    fn hits_and_unequal_lamps_do_not_show() {
        let (a, mut b) = (flat(5, 0.1), flat(6, 0.1));
        let clean = of_pair(a.view(), b.view(), &CovarianceOptions::default()).unwrap();
        for k in 0..300 {
            b[[(k * 37) % 600, (k * 91) % 700]] += 9000.0;
        }
        b.mapv_inplace(|v| v * 1.01);
        let hit = of_pair(a.view(), b.view(), &CovarianceOptions::default()).unwrap();
        assert!(hit.clipped > 5e-4);
        let change = hit.lags[0][1].value - clean.lags[0][1].value;
        // 300 of 4e5 pixels are missing: 1 error x sqrt(1.5e-3); the lamp changes variances by 1 %.
        assert!(change.abs() < 0.3 * clean.lags[0][1].error + 0.01 * clean.lags[0][1].value, "{change} of {:?}", clean.lags[0][1]);
    }

    #[test]
    fn what_is_no_pair_is_refused() {
        let options = CovarianceOptions::default();
        let (a, small) = (flat(1, 0.0), Array2::<f32>::ones((20, 20)));
        assert!(matches!(of_pair(a.view(), small.view(), &options), Err(CovarianceError::Shape(..))));
        assert!(matches!(of_pair(small.view(), small.view(), &options), Err(CovarianceError::TooSmall(..))));
        let (dark, full) = (Array2::<f32>::zeros((60, 60)), Array2::<f32>::from_elem((60, 60), 65_535.0));
        assert!(matches!(of_pair(dark.view(), dark.view(), &options), Err(CovarianceError::NoLight(..))));
        assert!(matches!(of_pair(full.view(), full.view(), &options), Err(CovarianceError::NoScatter(..))));
        let error = of_pair(a.view(), a.view(), &CovarianceOptions { edge: 8, clip_sigma: 0.5 }).unwrap_err();
        assert_eq!(error.to_string(), "flat covariance: clip_sigma = 0.5 is outside 2..20");
        assert_eq!(together(&[]), None);
    }
}
