//! From fits over redshift and class to probabilities, peaks and a reliability.
//!
//! # Formula
//! p(class, z) ~ prior x E^(1 / T), T = max(1, least reduced chi2). About the highest maxima the grid (1e-3 in ln(1 + z)) is refined eight
//! times. The answer
//! is the mean over the window of 0.01 on either side that has the most mass, widened to three widths; its error their width. Where that is narrower than the grid
//! resolves, top and width of the refined peak. Reliability = 1 / (1 + exp(-(c0 + c1 logit p)))
//! # Symbols
//! p the mass within three errors of the answer, 0.005 in ln(1 + z) at least and 0.02 at most.
//! # Source
//! c0 = -0.8, c1 = 0.75: a logistic curve (Platt scaling; Platt 1999) drawn by hand through 800 simulated sources of
//! `examples/redshift_mock.rs`
//! (seed 11; p of 0.19, 0.39, 0.60, 0.74, 0.85, 0.92, 0.97 were right in 0.09, 0.26, 0.33, 0.57, 0.71, 0.74, 0.90).
//! # Limits
//! The calibration is that of the simulated mix of sources; other mixes or worse spectra want it measured again.

#![allow(clippy::needless_range_loop, reason = "indices run over several arrays at once")]

use super::model::Workspace;
use super::samples::Samples;
use super::templates::TemplateSet;

/// Step of the scan in ln(1 + z).
pub(crate) const SCAN: f64 = 1e-3;
/// Fine steps in a step of the scan.
const FINE: i32 = 8;
/// Half of the window in ln(1 + z) that the densest part is looked for with.
const WINDOW: f64 = 0.01;
/// Most that it is widened to.
const WIDEST: f64 = 0.03;
/// Peaks refined.
const PEAKS: usize = 6;

/// A class over redshift.
#[derive(Debug, Clone)]
pub(crate) struct Scan {
    /// ln of prior density x evidence at each cell of the grid.
    pub(crate) ln_post: Vec<f64>,
    pub(crate) chi2_min: f64,
    /// Refined maxima: ln(1 + z), ln of the density.
    pub(crate) tops: Vec<(f64, f64)>,
    /// First cell.
    first: usize,
}

/// Scans a class between two redshifts; `stride` cells are stepped over and filled linearly.
pub(crate) fn scan(
    work: &mut Workspace,
    s: &Samples,
    set: &TemplateSet,
    range: (f64, f64),
    stride: usize,
    prior: &dyn Fn(f64) -> f64,
) -> Scan {
    let (first, last) = ((range.0.ln_1p() / SCAN).ceil() as usize, (range.1.ln_1p() / SCAN).floor() as usize);
    let mut nodes: Vec<(usize, f64)> = Vec::new();
    let mut chi2_min = f64::INFINITY;
    let mut cell = first;
    while cell <= last {
        let x = SCAN * cell as f64;
        let fit = work.fit(s, set, x);
        chi2_min = chi2_min.min(fit.chi2);
        nodes.push((cell, fit.ln_evidence));
        cell += stride;
    }
    let mut ln_post = vec![f64::NEG_INFINITY; last + 1];
    for pair in nodes.windows(2) {
        for c in pair[0].0..pair[1].0 {
            let t = (c - pair[0].0) as f64 / stride as f64;
            ln_post[c] = pair[0].1 + t * (pair[1].1 - pair[0].1) + prior(SCAN * c as f64);
        }
    }
    if let Some(&(c, v)) = nodes.last() {
        ln_post[c] = v + prior(SCAN * c as f64);
    }
    let mut maxima: Vec<usize> = (0..nodes.len())
        .filter(|&i| (i == 0 || nodes[i].1 >= nodes[i - 1].1) && (i + 1 == nodes.len() || nodes[i].1 > nodes[i + 1].1))
        .map(|i| nodes[i].0)
        .collect();
    maxima.sort_by(|a, b| ln_post[*b].total_cmp(&ln_post[*a]));
    let mut out = Scan { ln_post, chi2_min, tops: vec![], first };
    for &c in maxima.iter().take(PEAKS) {
        out.refine(work, s, set, c, stride, prior);
    }
    out
}

impl Scan {
    fn refine(&mut self, work: &mut Workspace, s: &Samples, set: &TemplateSet, cell: usize, stride: usize, prior: &dyn Fn(f64) -> f64) {
        let reach = stride as i32;
        let fine = if stride > 1 { FINE / 2 } else { FINE };
        let n = (2 * reach + 1) * fine;
        let centre = SCAN * cell as f64;
        let step = SCAN / f64::from(fine);
        let values: Vec<(f64, f64)> = (0..n)
            .map(|k| centre + step * (f64::from(k) + 0.5 - 0.5 * f64::from(n)))
            .filter(|x| *x >= SCAN * self.first as f64 - 0.5 * SCAN)
            .map(|x| {
                let fit = work.fit(s, set, x);
                self.chi2_min = self.chi2_min.min(fit.chi2);
                (x, fit.ln_evidence + prior(x))
            })
            .collect();
        let Some(top) = (0..values.len()).max_by(|&a, &b| values[a].1.total_cmp(&values[b].1)) else { return };
        let mut place = values[top].0;
        if top > 0 && top + 1 < values.len() {
            let (a, b, c) = (values[top - 1].1, values[top].1, values[top + 1].1);
            let bend = a - 2.0 * b + c;
            if bend < 0.0 {
                place += 0.5 * step * (a - c) / bend;
            }
        }
        self.tops.push((place, values[top].1));
        for c in cell.saturating_sub(stride)..=(cell + stride).min(self.ln_post.len() - 1) {
            let (low, high) = (SCAN * (c as f64 - 0.5), SCAN * (c as f64 + 0.5));
            let inside: Vec<f64> = values.iter().filter(|v| v.0 >= low && v.0 < high).map(|v| v.1).collect();
            if !inside.is_empty() {
                self.ln_post[c] = ln_mean(&inside);
            }
        }
    }
    /// Width of the peak at a top from the curvature of fine fits; `None` when it has none.
    pub(crate) fn width(work: &mut Workspace, s: &Samples, set: &TemplateSet, top: f64, temperature: f64) -> Option<f64> {
        // A step that falls by about a half to three in ln E is looked for.
        let mut step = 2.5e-4;
        let centre = work.fit(s, set, top).ln_evidence / temperature;
        for _ in 0..8 {
            let sides: Vec<f64> = [-step, step].iter().map(|d| work.fit(s, set, top + d).ln_evidence / temperature - centre).collect();
            let drop = -0.5 * (sides[0] + sides[1]);
            if drop > 0.4 || step > 8e-3 {
                return (drop > 0.0).then(|| step / (2.0 * drop).sqrt());
            }
            step *= 1.6;
        }
        None
    }
}

/// Mean and width in ln(1 + z) of the densest part of masses by cell: the window of [`WINDOW`] on either side with the most mass, then all within three
/// widths, [`WINDOW`] at least.
pub(crate) fn densest(mass: &[f64]) -> (f64, f64) {
    let cumulative: Vec<f64> = std::iter::once(0.0)
        .chain(mass.iter().scan(0.0, |sum, m| {
            *sum += m;
            Some(*sum)
        }))
        .collect();
    let reach = (WINDOW / SCAN).round() as usize;
    let (from, to) = (|k: usize| k.saturating_sub(reach), |k: usize| (k + reach + 1).min(mass.len()));
    let most =
        (0..mass.len()).max_by(|&a, &b| (cumulative[to(a)] - cumulative[from(a)]).total_cmp(&(cumulative[to(b)] - cumulative[from(b)])));
    let mut centre = most.map_or(0.0, |k| SCAN * k as f64);
    let mut half = SCAN * reach as f64;
    let mut width = SCAN;
    for _ in 0..3 {
        let cells =
            ((centre - half) / SCAN).ceil().max(0.0) as usize..(((centre + half) / SCAN).floor().max(0.0) as usize + 1).min(mass.len());
        let total: f64 = cells.clone().map(|k| mass[k]).sum();
        if total <= 0.0 {
            break;
        }
        centre = cells.clone().map(|k| mass[k] * SCAN * k as f64).sum::<f64>() / total;
        width = (cells.map(|k| mass[k] * (SCAN * k as f64 - centre).powi(2)).sum::<f64>() / total + SCAN * SCAN / 12.0).sqrt();
        half = (3.0 * width).clamp(SCAN * reach as f64, WIDEST);
    }
    (centre, width)
}

/// ln of the mean of exp.
pub(crate) fn ln_mean(values: &[f64]) -> f64 {
    let top = values.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    if top == f64::NEG_INFINITY {
        return top;
    }
    top + (values.iter().map(|v| (v - top).exp()).sum::<f64>() / values.len() as f64).ln()
}

/// Reliability from the mass of the answer.
pub(crate) fn reliability(mass: f64) -> f64 {
    const C0: f64 = -0.8;
    const C1: f64 = 0.75;
    let p = mass.clamp(1e-4, 1.0 - 1e-4);
    1.0 / (1.0 + (-(C0 + C1 * (p / (1.0 - p)).ln())).exp())
}
