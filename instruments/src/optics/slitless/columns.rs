//! The light of a spectrum in each column of its trace.
//!
//! # Formula
//! `n(c) = integral S T lambda dlambda` over the wavelengths of column c; S is straight between its samples, so S lambda, its first
//! and second moments of place have closed forms; the efficiency is that of the light's mean wavelength. What images at whole columns get of it is what has the
//! same three moments: q / 2 - m / 2, n - q, q / 2 + m / 2 in the column and its neighbours.
//! # Symbols
//! S  spectrum;  T  efficiency, dust included;  n, m, q  light, first and second moment about the column's middle \[electron, electron pixel, electron pixel^2\]
//! # Limits
//! The efficiency is taken once a column: some 1e-5 of smooth curves.

use super::super::colour::Walk;
use sim_core::bandpass::Bandpass;
use sim_core::dispersion::Trace;
use sim_core::spectrum::Sed;

/// A column of a trace.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Along {
    /// Rows from the undispersed image \[pixel\].
    pub(super) dy: f64,
    /// Wavelength \[nm\].
    pub(super) nm: f64,
}

/// Light in a column: electrons, and their first and second moments about its middle \[pixel\].
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(super) struct Moments {
    pub(super) light: f64,
    pub(super) first: f64,
    pub(super) second: f64,
}

impl Moments {
    fn add(&mut self, light: f64, place: f64) {
        self.light += light;
        self.first += light * place;
        self.second += light * place * place;
    }
    pub(super) fn times(self, factor: f64) -> Self {
        Self { light: self.light * factor, first: self.first * factor, second: self.second * factor }
    }
    pub(super) fn less(self, other: Self) -> Self {
        Self { light: self.light - other.light, first: self.first - other.first, second: self.second - other.second }
    }
    /// Shares of the column before, the column and the column after that have these moments.
    fn shares(self) -> [f64; 3] {
        [0.5 * (self.second - self.first), self.light - self.second, 0.5 * (self.second + self.first)]
    }
}

/// The columns of a trace around a range of wavelengths, with as many more at each end as light is smeared by.
#[derive(Debug, Default)]
pub(super) struct Columns {
    /// First column of the detector.
    pub(super) first: i64,
    pub(super) along: Vec<Along>,
    /// Where the light begins, the borders of columns in the order of wavelength, and where it ends: wavelength \[nm\] and place \[pixel\].
    edges: Vec<(f64, f64)>,
}

impl Columns {
    /// Of a source whose undispersed image is in column `x0`; `None` where the trace turns back.
    pub(super) fn lay(&mut self, trace: &Trace, x0: f64, (low, high): (f64, f64), margin: i64) -> Option<()> {
        let (t_low, t_high) = (trace.parameter(low), trace.parameter(high));
        let (a, b) = (x0 + trace.offset(t_low).0, x0 + trace.offset(t_high).0);
        let step = if b > a { 1 } else { -1 };
        let column = |x: f64| (x + 0.5).floor() as i64;
        let (from, to) = (column(a), column(b));
        self.first = from.min(to) - margin;
        let count = (from - to).abs() + 1 + 2 * margin;
        let per_column = (t_high - t_low) / (b - a);
        // The parameter at a place from that of the place before: columns are alike, so that one step of Newton's method leaves less than 1e-7 pixel.
        let find = |x: f64, near: f64, steps: usize| {
            let mut t = near;
            for _ in 0..steps {
                t += (x - x0 - trace.offset(t).0) / trace.direction(t).0;
            }
            t
        };
        const SETTLED: usize = 6;
        self.along.clear();
        let mut t = find(self.first as f64, t_low + (self.first as f64 - a) * per_column, SETTLED);
        for k in 0..count {
            t = find((self.first + k) as f64, t, 1);
            if !t.is_finite() {
                return None;
            }
            self.along.push(Along { dy: trace.offset(t).1, nm: trace.wavelength_nm(t) });
            t += per_column;
        }
        self.edges.clear();
        self.edges.push((low, a));
        let mut at = from;
        let mut t = find(at as f64 + 0.5 * f64::from(step), t_low, SETTLED);
        while at != to {
            let border = at as f64 + 0.5 * f64::from(step);
            t = find(border, t, 1);
            let nm = trace.wavelength_nm(t);
            if !(nm >= self.edges[self.edges.len() - 1].0 && nm <= high + 1.0) {
                return None;
            }
            at += i64::from(step);
            self.edges.push((nm.min(high), border));
            t += f64::from(step) * per_column;
        }
        self.edges.push((high, b));
        Some(())
    }

    /// The electrons of a spectrum through an efficiency, `scale` each photon, and where they lie in each column.
    pub(super) fn fill(&self, sed: &Sed, efficiency: &Bandpass, scale: f64) -> Vec<Moments> {
        // Gauss's rule of three points: exact for the product of S, lambda and a square.
        const GAUSS: [(f64, f64); 3] = [(-0.774_596_669_241_483_4, 5.0 / 18.0), (0.0, 8.0 / 18.0), (0.774_596_669_241_483_4, 5.0 / 18.0)];
        let mut out = vec![Moments::default(); self.along.len()];
        let to_rest = 1.0 / (1.0 + sed.redshift);
        let (samples, flux) = (sed.template.wavelength_nm(), sed.template.flux_lambda());
        let mut through = Walk::new(efficiency.wavelength_nm(), efficiency.efficiency(), 1.0);
        let mut dust = sed.extinction.as_ref().map(|e| Walk::new(e.transmission.wavelength_nm(), e.transmission.flux_lambda(), 1.0));
        let Some(&(low, _)) = self.edges.first() else { return out };
        let mut next = samples.partition_point(|w| *w <= low * to_rest);
        let mut from = low * to_rest;
        for border in self.edges.windows(2) {
            let ((blue, left), (red, right)) = (border[0], border[1]);
            let (start, end) = (from, red * to_rest);
            let centre = (0.5 * (left + right) + 0.5).floor();
            // Wavelength and place go together within a column.
            let per_nm = if end > start { (right - left) / (end - start) } else { 0.0 };
            let mut sum = Moments::default();
            while from < end {
                let to = samples.get(next).map_or(end, |s| s.min(end));
                if next > 0 && next < samples.len() {
                    let slope = (flux[next] - flux[next - 1]) / (samples[next] - samples[next - 1]);
                    for (node, weight) in GAUSS {
                        let r = 0.5 * (from + to) + 0.5 * node * (to - from);
                        let photons = weight * (to - from) * r * (flux[next - 1] + (r - samples[next - 1]) * slope);
                        sum.add(photons, left - centre + (r - start) * per_nm);
                    }
                }
                if samples.get(next).is_some_and(|s| *s <= to) {
                    next += 1;
                }
                from = to;
            }
            if sum.light <= 0.0 {
                continue;
            }
            let share = if right == left { 0.5 } else { (sum.first / sum.light + centre - left) / (right - left) };
            let nm = blue + share.clamp(0.0, 1.0) * (red - blue);
            let electrons = scale / (to_rest * to_rest) * through.at(nm) * dust.as_mut().map_or(1.0, |d| d.at(nm));
            if let Some(column) = out.get_mut((centre as i64 - self.first) as usize) {
                *column = sum.times(electrons);
            }
        }
        out
    }
}

/// What images at whole columns get of the light, so that its first three moments are right.
pub(super) fn at_whole_columns(moments: &[Moments]) -> Vec<f64> {
    let mut out = vec![0.0; moments.len()];
    for (c, column) in moments.iter().enumerate().take(moments.len().saturating_sub(1)).skip(1) {
        out[c - 1..=c + 1].iter_mut().zip(column.shares()).for_each(|(sum, share)| *sum += share);
    }
    out
}
