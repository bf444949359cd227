//! Predicted and found zeroth orders brought together.
//!
//! # Formula
//! All differences (found - predicted) within the search fall into cells of 1 pixel; the fullest 3 x 3 cells are the shift. Then nearest pairs both ways, and
//! polynomials of rising degree, clipped, with a shrinking radius.
//! # Symbols
//! search  largest shift on either axis
//! # Source
//! Offset histograms as in Budavari & Lubow 2012 (ApJ 761, 188) and older; pairs in both directions against false ones.
//! # Limits
//! A shift counts when its cells hold 5 sigma more pairs than the mean of all cells, and three pairs at least. A rotation beyond a few pixels over the frame blurs the histogram.

use super::fit::{Correction, Status};
use super::{Detection, Predicted, Settings};

/// Most sources on either side of the histogram, the brightest.
const BRIGHTEST: usize = 1500;

/// Least scatter that the clipping takes for real: neighbours pull centroids so much (assumed) \[pixel\].
const FLOOR: f64 = 0.05;

/// A pair: places in the lists of predicted and found images.
pub type Matched = (usize, usize);

/// Detections by rising row, for quick search.
struct ByRow<'a> {
    order: Vec<usize>,
    detections: &'a [Detection],
}

impl<'a> ByRow<'a> {
    fn new(detections: &'a [Detection], most: usize) -> Self {
        let mut order: Vec<usize> = (0..detections.len().min(most)).collect();
        order.sort_by(|a, b| detections[*a].y.total_cmp(&detections[*b].y));
        Self { order, detections }
    }
    fn near(&self, y: f64, radius: f64) -> impl Iterator<Item = usize> + '_ {
        let from = self.order.partition_point(|i| self.detections[*i].y < y - radius);
        self.order[from..].iter().copied().take_while(move |i| self.detections[*i].y <= y + radius)
    }
}

/// The shift that most pairs have, or nothing significant.
fn shift(predicted: &[Predicted], detections: &[Detection], search: f64) -> Option<(f64, f64)> {
    let side = 2 * search.ceil() as usize + 1;
    let mut cells = vec![0u32; side * side];
    let by_row = ByRow::new(detections, BRIGHTEST);
    let mut pairs = Vec::new();
    for p in predicted.iter().take(BRIGHTEST) {
        for k in by_row.near(p.y, search) {
            let (dx, dy) = (detections[k].x - p.x, detections[k].y - p.y);
            if dx.abs() <= search {
                cells[(dy + search.ceil()).round() as usize * side + (dx + search.ceil()).round() as usize] += 1;
                pairs.push((dx, dy));
            }
        }
    }
    let around = |y: usize, x: usize| {
        let (y0, y1, x0, x1) = (y.saturating_sub(1), (y + 1).min(side - 1), x.saturating_sub(1), (x + 1).min(side - 1));
        (y0..=y1).flat_map(|j| (x0..=x1).map(move |i| j * side + i)).map(|k| cells[k]).sum::<u32>()
    };
    let (count, y, x) = (0..side * side).map(|k| (around(k / side, k % side), k / side, k % side)).max_by_key(|c| c.0)?;
    let mean = 9.0 * (pairs.len() as f64 - f64::from(count)).max(0.0) / (side * side) as f64;
    if count < 3 || f64::from(count) < mean + 5.0 * mean.max(0.1).sqrt() {
        return None;
    }
    let middle = (x as f64 - search.ceil(), y as f64 - search.ceil());
    let mut near: (Vec<f64>, Vec<f64>) =
        pairs.iter().filter(|p| (p.0 - middle.0).abs() <= 1.5 && (p.1 - middle.1).abs() <= 1.5).copied().unzip();
    Some((sim_core::median::median(&mut near.0)?, sim_core::median::median(&mut near.1)?))
}

/// Pairs that are each other's nearest within a radius, after a correction of the predicted places.
fn pairs(predicted: &[Predicted], by_row: &ByRow, correction: &Correction, radius: f64) -> Vec<Matched> {
    let detections = by_row.detections;
    let mut best: Vec<Option<(f64, usize)>> = vec![None; detections.len()];
    for (i, p) in predicted.iter().enumerate() {
        let (dx, dy) = correction.at(p.undispersed.0, p.undispersed.1);
        let (x, y) = (p.x + dx, p.y + dy);
        let nearest = by_row
            .near(y, radius)
            .map(|k| ((detections[k].x - x).hypot(detections[k].y - y), k))
            .filter(|n| n.0 <= radius)
            .min_by(|a, b| a.0.total_cmp(&b.0));
        if let Some((distance, k)) = nearest
            && best[k].is_none_or(|b| distance < b.0)
        {
            best[k] = Some((distance, i));
        }
    }
    best.iter().enumerate().filter_map(|(k, b)| b.map(|(_, i)| (i, k))).collect()
}

/// The correction and all pairs within the last radius of it.
pub(super) fn solve(
    predicted: &[Predicted],
    detections: &[Detection],
    scale: (f64, f64, f64),
    settings: &Settings,
) -> (Correction, Vec<Matched>) {
    let untouched = || (Correction::untouched(scale), Vec::new());
    let Some((dx, dy)) = shift(predicted, detections, settings.search_px) else { return untouched() };
    let mut correction = Correction { x: vec![dx], y: vec![dy], status: Status::ShiftOnly, ..Correction::untouched(scale) };
    let by_row = ByRow::new(detections, usize::MAX);
    let mut radius = settings.match_px;
    let mut used: Vec<Matched> = Vec::new();
    for round in 0..8 {
        let matched = pairs(predicted, &by_row, &correction, radius);
        let wanted = match matched.len() {
            n if n > settings.least => settings.degree.min(if round == 0 { 1 } else { 2 }),
            _ => 0,
        };
        let Some((fitted, kept)) = clipped(predicted, detections, &matched, wanted, scale, settings.clip) else { return untouched() };
        let same = kept == used && round > 3;
        (correction, used) = (fitted, kept);
        let rms = correction.rms.0.max(correction.rms.1);
        // Only a settled fit narrows the match: at first the edges of the frame are still off.
        if rms.is_finite() && round > 2 {
            radius = (3.0 * rms).clamp(0.5, settings.match_px);
        }
        if same {
            break;
        }
    }
    if used.len() < 3 {
        return untouched();
    }
    let all = pairs(predicted, &by_row, &correction, radius);
    (correction, all)
}

/// A fit with residuals beyond `clip` sigma taken out; the degree falls when the places do not carry it.
fn clipped(
    predicted: &[Predicted],
    detections: &[Detection],
    matched: &[Matched],
    degree: usize,
    scale: (f64, f64, f64),
    clip: f64,
) -> Option<(Correction, Vec<Matched>)> {
    let mut kept = matched.to_vec();
    loop {
        let points: Vec<(f64, f64, f64, f64)> = kept
            .iter()
            .map(|&(i, k)| {
                let (p, d) = (&predicted[i], &detections[k]);
                (p.undispersed.0, p.undispersed.1, d.x - p.x, d.y - p.y)
            })
            .collect();
        let fitted = (0..=degree).rev().find_map(|degree| Correction::fit(&points, degree, scale))?;
        let before = kept.len();
        let mut off: Vec<f64> = Vec::with_capacity(before);
        for p in &points {
            let (dx, dy) = fitted.at(p.0, p.1);
            off.push((p.2 - dx).hypot(p.3 - dy));
        }
        // Median of the distance of a two-dimensional normal: sigma root(2 ln 2).
        let sigma = sim_core::median::median(&mut off.clone())? / (2.0 * std::f64::consts::LN_2).sqrt();
        let limit = clip * sigma.max(FLOOR);
        let mut place = off.iter();
        kept.retain(|_| place.next().is_some_and(|o| *o <= limit));
        if kept.len() == before || kept.len() < 3 {
            return Some((fitted, kept));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(x: f64, y: f64) -> Detection {
        Detection { x, y, rate: 1.0, sigma: 10.0, widths: (1.0, 1.0) }
    }

    #[test]
    fn few_stars_give_a_shift_and_none_leaves_the_catalogue() {
        let predicted: Vec<Predicted> = (0..6)
            .map(|i| {
                let (x, y) = (100.0 + 130.0 * f64::from(i), 50.0 + 37.0 * f64::from(i * i % 7));
                Predicted { id: i as u64, x, y, undispersed: (x + 30.0, y), rate: 1.0 }
            })
            .collect();
        let stars: Vec<Detection> = predicted.iter().map(|p| found(p.x + 7.3, p.y - 4.1)).collect();
        let scale = (450.0, 150.0, 450.0);
        let (correction, used) = solve(&predicted, &stars, scale, &Settings::default());
        assert_eq!((correction.status, used.len()), (Status::ShiftOnly, 6));
        let (dx, dy) = correction.at(200.0, 100.0);
        assert!((dx - 7.3).abs() < 1e-9 && (dy + 4.1).abs() < 1e-9);
        let elsewhere: Vec<Detection> = (0..6).map(|i| found(40.0 + 71.0 * f64::from(i), 290.0 - 3.0 * f64::from(i))).collect();
        let (correction, used) = solve(&predicted, &elsewhere, scale, &Settings::default());
        assert_eq!((correction.status, used.len(), correction.at(5.0, 5.0)), (Status::Untouched, 0, (0.0, 0.0)));
    }
}
