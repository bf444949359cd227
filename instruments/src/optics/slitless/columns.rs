//! The light of a spectrum in each column of its trace, and in wider columns for images that are smooth.
//!
//! # Formula
//! `n(c) = integral S T lambda dlambda` over the wavelengths of column c; S is straight between its samples, so S lambda, its first
//! and second moments of place have closed forms; the efficiency is that of the light's mean wavelength. Wider columns have the sums of the moments about their own
//! middles. What images at whole columns get of it is what has the same three moments: q / 2 - m / 2, n - q, q / 2 + m / 2 in the column and its neighbours.
//! # Symbols
//! S  spectrum;  T  efficiency, dust included;  n, m, q  light, first and second moment about the column's middle \[electron, electron column, electron column^2\]
//! # Limits
//! The efficiency is taken once a pixel: some 1e-5 of smooth curves. The trace is a cubic between knots: 1e-9 pixel of polynomials of the whole detector.

use super::super::colour::Walk;
use sim_core::bandpass::Bandpass;
use sim_core::dispersion::Trace;
use sim_core::spectrum::Sed;

/// Distance of the knots of a trace \[pixel\].
const KNOTS: f64 = 16.0;

/// A column of a trace.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Along {
    /// Rows from the undispersed image \[pixel\].
    pub(super) dy: f64,
    /// Wavelength \[nm\].
    pub(super) nm: f64,
}

/// A trace and its slopes at knots.
struct Knots {
    from: f64,
    at: Vec<(Along, Along)>,
}

impl Knots {
    /// Of the trace of an undispersed image in column `x0` between two columns; `None` where it turns back.
    fn of(trace: &Trace, x0: f64, (from, to): (f64, f64), guess: f64, per_column: f64) -> Option<Self> {
        const SETTLED: usize = 6;
        const NEXT: usize = 3;
        let count = ((to - from) / KNOTS).ceil().max(1.0) as usize;
        let mut at = Vec::with_capacity(count + 1);
        let mut t = guess;
        for k in 0..=count {
            let x = from + k as f64 * KNOTS;
            for _ in 0..if k == 0 { SETTLED } else { NEXT } {
                t += (x - x0 - trace.offset(t).0) / trace.direction(t).0;
            }
            let (across, along) = (trace.direction(t), trace.wavelength_slope_nm(t));
            if !(t.is_finite() && across.0 / across.1.hypot(across.0) * per_column > 0.0) {
                return None;
            }
            at.push((Along { dy: trace.offset(t).1, nm: trace.wavelength_nm(t) }, Along { dy: across.1 / across.0, nm: along / across.0 }));
            t += per_column * KNOTS;
        }
        Some(Self { from, at })
    }

    /// The trace in a column \[pixel\].
    fn at(&self, x: f64) -> Along {
        let place = (x - self.from) / KNOTS;
        let k = (place.max(0.0) as usize).min(self.at.len() - 2);
        let s = place - k as f64;
        let ((a, da), (b, db)) = (&self.at[k], &self.at[k + 1]);
        // Hermite's cubic.
        let (rise, fall) = (s * s * (3.0 - 2.0 * s), (1.0 - s) * (1.0 - s));
        let of = |a: f64, da: f64, b: f64, db: f64| a + rise * (b - a) + KNOTS * s * (fall * da - s * (1.0 - s) * db);
        Along { dy: of(a.dy, da.dy, b.dy, db.dy), nm: of(a.nm, da.nm, b.nm, db.nm) }
    }
}

/// Light in a column: electrons, and their first and second moments about its middle \[column\].
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

/// The columns of a trace around a range of wavelengths, one pixel wide, with as many more at each end as light is smeared by.
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
    pub(super) fn lay(trace: &Trace, x0: f64, (low, high): (f64, f64), margin: i64) -> Option<Self> {
        let (t_low, t_high) = (trace.parameter(low), trace.parameter(high));
        let (a, b) = (x0 + trace.offset(t_low).0, x0 + trace.offset(t_high).0);
        let step = if b > a { 1 } else { -1 };
        let column = |x: f64| (x + 0.5).floor() as i64;
        let (from, to) = (column(a), column(b));
        let first = from.min(to) - margin;
        let count = (from - to).abs() + 1 + 2 * margin;
        let per_column = (t_high - t_low) / (b - a);
        let ends = (first as f64, (first + count - 1) as f64);
        let knots = Knots::of(trace, x0, ends, t_low + (ends.0 - a) * per_column, per_column)?;
        let along = (first..first + count).map(|c| knots.at(c as f64)).collect();
        let mut edges = Vec::with_capacity(count as usize + 1);
        edges.push((low, a));
        let mut at = from;
        while at != to {
            let border = at as f64 + 0.5 * f64::from(step);
            let nm = knots.at(border).nm;
            if !(nm >= edges[edges.len() - 1].0 && nm <= high + 1.0) {
                return None;
            }
            at += i64::from(step);
            edges.push((nm.min(high), border));
        }
        edges.push((high, b));
        Some(Self { first, along, edges })
    }

    /// Columns of `pitch` pixels in their place, and one more at each end.
    pub(super) fn wide(&self, pitch: usize) -> Wide {
        let last = self.along.len() - 1;
        // Beyond the ends the trace goes on as it ends.
        let at = |k: i64| {
            let inside = k.clamp(0, last as i64 - 1) as usize;
            let (a, b, share) = (self.along[inside], self.along[inside + 1], (k - inside as i64) as f64);
            Along { dy: a.dy + share * (b.dy - a.dy), nm: a.nm + share * (b.nm - a.nm) }
        };
        let width = pitch as i64;
        let count = self.along.len().div_ceil(pitch) as i64;
        let middle = |c: i64| {
            let (a, b) = (at(c * width + (width - 1) / 2), at(c * width + width / 2));
            Along { dy: 0.5 * (a.dy + b.dy), nm: 0.5 * (a.nm + b.nm) }
        };
        Wide { pitch, first: self.first as f64 + 0.5 * (pitch as f64 - 1.0) - pitch as f64, along: (-1..=count).map(middle).collect() }
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

/// Columns of several pixels.
#[derive(Debug)]
pub(super) struct Wide {
    /// Their width \[pixel\].
    pub(super) pitch: usize,
    /// Middle of the first \[pixel\].
    pub(super) first: f64,
    /// What is in their middles.
    pub(super) along: Vec<Along>,
}

impl Wide {
    /// A place \[pixel\] from one counted in columns from the first.
    pub(super) fn pixel(&self, place: f64) -> f64 {
        self.first + place * self.pitch as f64
    }

    /// What of the light of the columns of a pixel lies in these.
    pub(super) fn gather(&self, pixels: &[Moments]) -> Vec<Moments> {
        let width = self.pitch as f64;
        let of = |pixels: &[Moments]| {
            let mut sum = Moments::default();
            for (k, one) in pixels.iter().enumerate() {
                let place = (k as f64 - 0.5 * (width - 1.0)) / width;
                let (first, second) = (one.first / width, one.second / (width * width));
                sum.light += one.light;
                sum.first += first + place * one.light;
                sum.second += second + 2.0 * place * first + place * place * one.light;
            }
            sum
        };
        let none = || std::iter::once(Moments::default());
        none().chain(pixels.chunks(self.pitch).map(of)).chain(none()).collect()
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
