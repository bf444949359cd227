//! Where the ghosts of bright stars lie and how large they are, from images of such stars.
//!
//! # Formula
//! About a star at s the halo is alike on both sides, a ghost is not: D(d) = I(s + d) - I(s - d) has the disc at +shift and its negative at
//! -shift. The disc is the circle of the largest sum D / sqrt(area) over centres and radii: a matched filter. Over stars,
//! shift = shift_0 + slope (s - axis), least squares in both coordinates with one slope.
//! # Source
//! Matched filter: Turin 1960 (IRE Trans. Inform. Theory 6, 311); reflection about the star removes any even halo.
//! # Limits
//! The ghost must lie beside the star: shifts less than half a radius cancel in part. Neighbours of the star are discs to the filter
//! only if they are as wide as one. The brightness of a saturated star is not known, so the fraction of light is not measured.

use nalgebra::{Matrix3, Vector3};
use ndarray::Array2;
use sim_core::knowledge::{GhostPath, Measured};
use sim_core::median::median;

/// Side of the squares that are averaged, as a part of the least radius.
const FINE: f64 = 0.2;
/// Step from radius to radius.
const RADIUS_STEP: f64 = 1.06;
/// Least significance of a disc.
const LEAST: f64 = 8.0;
/// Least number of discs for a path.
pub const LEAST_DISCS: usize = 4;

/// Why there is no ghost path.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum GhostError {
    /// Too few ghosts were seen.
    #[error("{got} ghosts seen: a path needs at least {LEAST_DISCS}, of stars spread over the detector")]
    TooFew {
        /// Discs given.
        got: usize,
    },
    /// The stars are too close together.
    #[error("the stars lie within {spread:.0} pixels of each other: the change of the shift over the field cannot be told")]
    Together {
        /// Root mean square distance of the stars from their mean \[pixel\].
        spread: f64,
    },
}

/// A disc seen beside a star.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Disc {
    /// The star, 0-based detector pixels.
    pub star: (f64, f64),
    /// Centre of the disc minus the star \[pixel\].
    pub shift: (f64, f64),
    /// Radius \[pixel\].
    pub radius: f64,
    /// Sum over its error.
    pub significance: f64,
}

/// Where to look for a ghost.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Search {
    /// Least and greatest radius \[pixel\].
    pub radius: (f64, f64),
    /// Greatest shift \[pixel\].
    pub shift: f64,
}

/// Looks for the disc of a star at `star` (x, y; array coordinates); `origin` is the detector position of the first pixel.
/// `None` when nothing is significant.
#[must_use]
pub fn look(pixels: &Array2<f32>, flags: &Array2<u32>, star: (f64, f64), origin: (f64, f64), search: Search) -> Option<Disc> {
    let square = (FINE * search.radius.0).floor().max(1.0);
    let reach = ((search.shift + search.radius.1) / square).ceil() as i64;
    let side = (2 * reach + 1) as usize;
    let good = |x: f64, y: f64| {
        let (x, y) = (x.round(), y.round());
        let (ny, nx) = pixels.dim();
        if x < 0.0 || y < 0.0 || x >= nx as f64 || y >= ny as f64 {
            return None;
        }
        let at = [y as usize, x as usize];
        (flags[at] == 0 && pixels[at].is_finite()).then(|| f64::from(pixels[at]))
    };
    // Medians of the differences in squares: stars beside the star are outliers.
    let mut map = Array2::<f64>::from_elem((side, side), f64::NAN);
    let inner = square as i64;
    for ((j, i), cell) in map.indexed_iter_mut() {
        let (cx, cy) = ((i as i64 - reach) as f64 * square, (j as i64 - reach) as f64 * square);
        let mut values = Vec::new();
        for b in 0..inner {
            for a in 0..inner {
                let offset = |k: i64| (k as f64 + 0.5) - 0.5 * square;
                let (dx, dy) = (cx + offset(a), cy + offset(b));
                if let (Some(here), Some(there)) = (good(star.0 + dx, star.1 + dy), good(star.0 - dx, star.1 - dy)) {
                    values.push(here - there);
                }
            }
        }
        if 2 * values.len() as i64 >= inner * inner && !values.is_empty() {
            *cell = median(&mut values).unwrap_or(f64::NAN);
        }
    }
    let mut all: Vec<f64> = map.iter().filter(|v| v.is_finite()).map(|v| v.abs()).collect();
    if all.len() < 200 {
        return None;
    }
    let sigma = 1.4826 * median(&mut all)?;
    if sigma <= 0.0 {
        return None;
    }
    // Sums along rows, cut at 5 sigma, so that a disc costs its height.
    let mut sums = Array2::<f64>::zeros((side, side + 1));
    let mut counts = Array2::<f64>::zeros((side, side + 1));
    for j in 0..side {
        for i in 0..side {
            let v = map[[j, i]];
            let (value, one) = if v.is_finite() { ((v / sigma).clamp(-5.0, 5.0), 1.0) } else { (0.0, 0.0) };
            sums[[j, i + 1]] = sums[[j, i]] + value;
            counts[[j, i + 1]] = counts[[j, i]] + one;
        }
    }
    let mut best: Option<Disc> = None;
    let mut radius = search.radius.0;
    while radius <= search.radius.1 {
        let r = radius / square;
        let most = (search.shift / square).floor() as i64;
        for cj in -most..=most {
            for ci in -most..=most {
                if ((ci * ci + cj * cj) as f64).sqrt() * square > search.shift {
                    continue;
                }
                let (mut sum, mut count) = (0.0, 0.0);
                let height = r.floor() as i64;
                for dj in -height..=height {
                    let half = (r * r - (dj * dj) as f64).sqrt().floor() as i64;
                    let row = (cj + dj + reach).clamp(0, side as i64 - 1) as usize;
                    let low = (ci - half + reach).clamp(0, side as i64) as usize;
                    let high = (ci + half + 1 + reach).clamp(0, side as i64) as usize;
                    sum += sums[[row, high]] - sums[[row, low]];
                    count += counts[[row, high]] - counts[[row, low]];
                }
                let significance = if count > 8.0 { sum / f64::sqrt(count) } else { 0.0 };
                if significance > LEAST && best.is_none_or(|b| significance > b.significance) {
                    let shift = (ci as f64 * square, cj as f64 * square);
                    best = Some(Disc { star: (star.0 + origin.0, star.1 + origin.1), shift, radius, significance });
                }
            }
        }
        radius *= RADIUS_STEP;
    }
    best
}

fn mean_and_error(values: &[f64]) -> Measured {
    let n = values.len() as f64;
    let value = values.iter().sum::<f64>() / n;
    let square = values.iter().map(|v| (v - value).powi(2)).sum::<f64>() / (n - 1.0).max(1.0);
    Measured { value, error: (square / n).sqrt() }
}

/// The path of discs of one pair of surfaces.
///
/// # Errors
/// Too few discs, or stars too close together.
pub fn path(discs: &[Disc], axis: (f64, f64)) -> Result<GhostPath, GhostError> {
    if discs.len() < LEAST_DISCS {
        return Err(GhostError::TooFew { got: discs.len() });
    }
    let n = discs.len() as f64;
    let centre = (discs.iter().map(|d| d.star.0).sum::<f64>() / n, discs.iter().map(|d| d.star.1).sum::<f64>() / n);
    let spread = (discs.iter().map(|d| (d.star.0 - centre.0).powi(2) + (d.star.1 - centre.1).powi(2)).sum::<f64>() / n).sqrt();
    let mut normal = Matrix3::<f64>::zeros();
    let mut right = Vector3::<f64>::zeros();
    let rows = discs.iter().flat_map(|d| {
        let (u, v) = (d.star.0 - axis.0, d.star.1 - axis.1);
        [(Vector3::new(1.0, 0.0, u), d.shift.0), (Vector3::new(0.0, 1.0, v), d.shift.1)]
    });
    for (row, value) in rows.clone() {
        normal += row * row.transpose();
        right += row * value;
    }
    let inverse = match normal.try_inverse() {
        Some(inverse) if spread > 10.0 => inverse,
        _ => return Err(GhostError::Together { spread }),
    };
    let solution = inverse * right;
    let square: f64 = rows.map(|(row, value)| (value - row.dot(&solution)).powi(2)).sum::<f64>() / (2.0 * n - 3.0);
    let measured = |k: usize| Measured { value: solution[k], error: (square * inverse[(k, k)]).sqrt() };
    let radius = mean_and_error(&discs.iter().map(|d| d.radius).collect::<Vec<_>>());
    Ok(GhostPath { radius, shift_x: measured(0), shift_y: measured(1), slope: measured(2) })
}
