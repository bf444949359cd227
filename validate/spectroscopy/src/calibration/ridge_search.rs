//! The place of a ridge near a guess: a shift and a tilt.
//!
//! # Formula
//! `z(x, y) = sum g d / e^2 / root(sum g^2 / e^2)` along a column, clipped to -3..10; the score of (shift, tilt) is its mean over columns along
//! `centre(x) + shift + tilt (x - pivot)`, less 30 % at the end of the search. For lines (a nebula) z is what it has above its running median
//! over 31 columns and three errors, so that the even light of a star beside or across it does not count.
//! # Symbols
//! g  Gaussian of 1.2 pixel (a point source of 0.2");  d, e  rate above the column's median and its error
//! # Source
//! Matched filter; the clip keeps hits, lines and zeroth orders from outweighing many columns (chosen here).
//! # Limits
//! Tilts within 0.012 of the guess. Of two ridges the brighter and nearer is taken; `rival` says how close the other came.

use super::cutout::{Cutout, median};

/// Width of the filter \[pixel\].
const SIGMA: f64 = 1.2;
/// Largest error of the guessed tilt.
const TILT: f64 = 0.012;

/// What lines must have above the running median, in errors, to count.
const NOISE: f64 = 3.0;

/// Least score of lines: one column in two hundred at the clip. Below it the ridge of even light is sought.
const LEAST: f64 = 0.03;

/// A ridge found.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Found {
    /// Rows above the guess at the pivot.
    pub shift: f64,
    /// Rows per column beyond the guess.
    pub tilt: f64,
    /// Mean significance of a column.
    pub score: f64,
    /// Score of the best ridge more than five rows away, relative to this one.
    pub rival: f64,
}

/// Searches columns `from..to` around `centre`, `reach` rows either way, for a ridge of `lines` or of even light; `None` without a column on the frame.
pub fn search(cutout: &Cutout<'_>, from: i64, to: i64, centre: &dyn Fn(f64) -> f64, reach: f64, lines: bool) -> Option<Found> {
    let pivot = 0.5 * (from + to) as f64;
    let margin = (reach + TILT * 0.5 * (to - from) as f64).ceil() as i64 + 1;
    let (first, last) = cutout.columns();
    let mut columns: Vec<(f64, i64, Vec<f64>)> = (from.max(first)..to.min(last))
        .filter_map(|x| {
            let middle = centre(x as f64).round() as i64;
            significance(cutout, x, middle - margin, middle + margin).map(|z| (x as f64, middle - margin, z))
        })
        .collect();
    if columns.is_empty() {
        return None;
    }
    if lines {
        above_running_median(&mut columns);
    }
    let score = |shift: f64, tilt: f64| {
        let sum: f64 = columns
            .iter()
            .map(|(x, low, z)| {
                let row = (centre(*x) + shift + tilt * (x - pivot)).round() as i64 - low;
                usize::try_from(row).ok().and_then(|r| z.get(r)).copied().unwrap_or(0.0)
            })
            .sum();
        sum / columns.len() as f64 * (1.0 - 0.3 * (shift / reach).powi(2))
    };
    let steps = (2.0 * reach).ceil() as i32;
    let mut all = Vec::new();
    for i in -steps..=steps {
        let shift = reach * f64::from(i) / f64::from(steps);
        for j in -6..=6 {
            let tilt = TILT * f64::from(j) / 6.0;
            all.push((score(shift, tilt), shift, tilt));
        }
    }
    let best = all.iter().copied().max_by(|a, b| a.0.total_cmp(&b.0))?;
    if lines && best.0 < LEAST {
        return search(cutout, from, to, centre, reach, false);
    }
    let rival = all.iter().filter(|a| (a.1 - best.1).abs() > 5.0).map(|a| a.0).fold(0.0, f64::max);
    Some(Found { shift: best.1, tilt: best.2, score: best.0, rival: rival / best.0.max(1e-9) })
}

/// Takes the running median over 31 columns off each row, as rows lie from the guess.
fn above_running_median(columns: &mut [(f64, i64, Vec<f64>)]) {
    let rows = columns.iter().map(|c| c.2.len()).min().unwrap_or(0);
    for row in 0..rows {
        let z: Vec<f64> = columns.iter().map(|c| c.2[row]).collect();
        for (i, column) in columns.iter_mut().enumerate() {
            let mut near = z[i.saturating_sub(15)..(i + 16).min(z.len())].to_vec();
            column.2[row] = (z[i] - median(&mut near) - NOISE).max(0.0);
        }
    }
}

/// The matched filter along rows `low..=high` of a column; `None` when the column has fewer than five good pixels there.
fn significance(cutout: &Cutout<'_>, x: i64, low: i64, high: i64) -> Option<Vec<f64>> {
    let pixels: Vec<Option<(f64, f64)>> = (low - 4..=high + 4).map(|y| cutout.pixel(x, y).map(|p| (p.rate, p.error))).collect();
    let mut rates: Vec<f64> = pixels.iter().flatten().map(|p| p.0).collect();
    if rates.len() < 5 {
        return None;
    }
    let sky = median(&mut rates);
    let filter: Vec<f64> = (-4..=4).map(|k| (-0.5 * (f64::from(k) / SIGMA).powi(2)).exp()).collect();
    let at = |window: &[Option<(f64, f64)>]| {
        let (mut top, mut bottom) = (0.0, 0.0);
        for (g, (rate, error)) in filter.iter().zip(window).filter_map(|(g, p)| p.map(|p| (g, p))) {
            top += g * (rate - sky) / (error * error);
            bottom += g * g / (error * error);
        }
        if bottom > 0.0 { (top / bottom.sqrt()).clamp(-3.0, 10.0) } else { 0.0 }
    };
    Some(pixels.windows(9).map(at).collect())
}
