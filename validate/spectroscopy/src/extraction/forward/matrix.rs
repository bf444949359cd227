//! The pixels of a group of sources as linear functions of their spectra.
//!
//! # Formula
//! `rate(c, r) = sum_k f_k sum_j hat_k(lambda_j) R(lambda_j) dlambda_j L(c - s d - x_j) P(d)`, d = r - y(c).
//! # Symbols
//! f_k  flux density at node k of the grid;  hat_k  1 at node k, 0 at its neighbours, linear between;  L, P  profiles along and across the dispersion
//! # Source
//! Ryan, Casertano & Pirzkal 2018 (PASP 130, 034501), LINEAR.
//! # Limits
//! Samples each quarter of a column. Shares of a pixel below 1e-4 of the column are left out.

use super::Exposure;
use crate::extraction::catalogue::Source;
use crate::extraction::model::reach_of;
use crate::extraction::quiet;
use crate::extraction::response::ReadyOrder;
use crate::extraction::shape::Drawn;
use std::collections::HashMap;

/// Least share of a column's light in a pixel.
const LEAST: f64 = 1e-4;

/// A pixel of the fit.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Row {
    /// Rate, background and contamination taken away.
    pub rate: f64,
    /// Square of the frame's error.
    pub stated: f64,
    /// Background and contamination that were taken away.
    pub taken: f64,
    /// Variance that is not photon noise; 0 until all rows are known.
    pub quiet: f64,
    /// Exposure time \[s\].
    pub time_s: f64,
    /// Unknowns and coefficients.
    pub entries: Vec<(u32, f64)>,
}

/// Rows of one exposure under construction.
pub(super) struct Rows<'a, 'p> {
    pub exposure: &'a Exposure<'a, 'p>,
    pub index: HashMap<(i64, i64), usize>,
    pub rows: Vec<Row>,
}

/// A sample of an order along the dispersion.
struct Sample {
    x: f64,
    node: usize,
    part: f64,
    weight: f64,
}

impl Rows<'_, '_> {
    /// Adds an order of a source whose first unknown is `first`.
    pub fn add(&mut self, order: &ReadyOrder, source: &Source, drawn: &Drawn, grid: &[f64], first: usize, bad: u16) {
        let share = self.exposure.gratings[order.grating].opening.share(source.x);
        if share <= 0.0 {
            return;
        }
        // Short orders weigh little here: the whole shape.
        let part = &drawn.whole;
        let trace = order.order.trace(source.x, source.y);
        let span = order.span(&trace);
        let ends = (source.x + trace.offset(span.0).0, source.x + trace.offset(span.1).0);
        let count = ((4.0 * (ends.1 - ends.0).abs()) as usize).max(16);
        let dt = (span.1 - span.0) / count as f64;
        let mut samples: Vec<Sample> = Vec::with_capacity(count);
        let mut path: Vec<(f64, f64, f64)> = Vec::with_capacity(count);
        for i in 0..count {
            let t = span.0 + (i as f64 + 0.5) * dt;
            let (w, (dx, dy)) = (trace.wavelength_nm(t), trace.offset(t));
            path.push((source.x + dx, source.y + dy, w));
            let weight = share * order.response.at(w) * (trace.wavelength_slope_nm(t) * dt).abs();
            let k = grid.partition_point(|g| *g <= w);
            if k > 0 && k < grid.len() && weight > 0.0 {
                let part = (w - grid[k - 1]) / (grid[k] - grid[k - 1]);
                samples.push(Sample { x: source.x + dx, node: k - 1, part, weight });
            }
        }
        if ends.1 < ends.0 {
            samples.reverse();
            path.reverse();
        }
        if samples.is_empty() {
            return;
        }
        let along = part.along.table(0.5 * (order.range_nm.0 + order.range_nm.1));
        let reach = reach_of(&along) + 0.5;
        let half = part.across.half();
        let extra = (part.displacement * half).abs();
        let (from, to) = ((samples[0].x - reach - extra).floor() as i64, (samples[samples.len() - 1].x + reach + extra).ceil() as i64);
        let image = self.exposure.image;
        let origin = (image.origin.0 as i64, image.origin.1 as i64);
        let (height, width) = (image.rate.nrows() as i64, image.rate.ncols() as i64);
        for column in from.max(origin.0)..=to.min(origin.0 + width - 1) {
            let x = column as f64;
            let near = path.partition_point(|p| p.0 < x).min(path.len() - 1);
            let (y, w) = (path[near].1, path[near].2);
            let nodes = |x: f64| {
                let start = samples.partition_point(|s| s.x < x - reach);
                let mut sums: Vec<(usize, f64)> = Vec::new();
                let mut put = |node: usize, v: f64| match sums.iter_mut().find(|s| s.0 == node) {
                    Some(s) => s.1 += v,
                    None => sums.push((node, v)),
                };
                for s in samples[start..].iter().take_while(|s| s.x <= x + reach) {
                    let light = s.weight * (along.at(x + 0.5 - s.x) - along.at(x - 0.5 - s.x));
                    put(s.node, (1.0 - s.part) * light);
                    put(s.node + 1, s.part * light);
                }
                sums
            };
            let straight = if part.displacement == 0.0 { nodes(x) } else { Vec::new() };
            for row in ((y - half).ceil() as i64).max(origin.1)..=((y + half).floor() as i64).min(origin.1 + height - 1) {
                let d = row as f64 - y;
                let share = part.across.pixel(d, w);
                if share < LEAST {
                    continue;
                }
                let Some(at) = self.row((column - origin.0, row - origin.1), bad) else { continue };
                let moved;
                let list = if part.displacement == 0.0 {
                    &straight
                } else {
                    moved = nodes(x - part.displacement * d);
                    &moved
                };
                let entries = &mut self.rows[at].entries;
                for (node, v) in list.iter().filter(|l| l.1 > 0.0) {
                    let unknown = (first + node) as u32;
                    match entries.iter_mut().find(|e| e.0 == unknown) {
                        Some(e) => e.1 += v * share,
                        None => entries.push((unknown, v * share)),
                    }
                }
            }
        }
    }
    /// Finds what of the variances is not photon noise.
    pub(super) fn find_quiet(&mut self) {
        let time_s = self.exposure.image.time_s;
        let common = quiet::common(self.rows.iter().map(|r| (r.stated, r.rate + r.taken)), time_s);
        for r in &mut self.rows {
            r.quiet = quiet::own(common, r.stated, r.rate + r.taken, time_s);
        }
    }
    /// Place of a pixel's row in the list; `None` where the pixel is bad.
    fn row(&mut self, at: (i64, i64), bad: u16) -> Option<usize> {
        if let Some(i) = self.index.get(&at) {
            return Some(*i);
        }
        let (e, k) = (self.exposure, (at.1 as usize, at.0 as usize));
        let (rate, error) = (f64::from(e.image.rate[k]), f64::from(e.image.error[k]));
        if !(rate.is_finite() && error.is_finite() && error > 0.0) || e.image.flags[k] & bad != 0 {
            return None;
        }
        let others = e.others.map_or(0.0, |o| f64::from(o[k]));
        let taken = e.background.at(at.0 as f64, at.1 as f64) + others;
        let rate = rate - taken;
        self.index.insert(at, self.rows.len());
        self.rows.push(Row { rate, stated: error * error, taken, quiet: 0.0, time_s: e.image.time_s, entries: Vec::new() });
        Some(self.rows.len() - 1)
    }
}
