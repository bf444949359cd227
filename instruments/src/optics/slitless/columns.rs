//! The light of a spectrum in each column of its trace, and in wider columns for images that are smooth.
//!
//! # Formula
//! `n(c) = integral S T lambda dlambda` over the wavelengths of column c; S is straight between its samples, so S lambda, its first
//! and second moments of place have closed forms; the efficiency is straight within a column. Wider columns have the sums of the moments about their own
//! middles. What images at whole columns get of it is what has the same three moments: q / 2 - m / 2, n - q, q / 2 + m / 2 in the column and its neighbours.
//! # Symbols
//! S  spectrum;  T  efficiency, dust included;  n, m, q  light, first and second moment about the column's middle \[electron, electron column, electron column^2\]
//! # Limits
//! The efficiency is taken at the borders of pixels: some 1e-5 of smooth curves; its slope moves no light within a column. The trace is a cubic between knots: 1e-9 pixel of polynomials of the whole detector.

use super::super::colour::Walk;
use super::cumulative::Cumulative;
use sim_core::bandpass::Bandpass;
use sim_core::dispersion::Trace;
use sim_core::spectrum::Sed;

/// Distance of the knots of a trace \[pixel\], and halves of a column between them.
const KNOTS: f64 = 16.0;
const HALVES: usize = 32;

/// Hermite's cubics at each half of a column between knots: shares of value and slope at the one before, and at the one after.
const HERMITE: [[f64; 4]; HALVES + 1] = {
    let mut out = [[0.0; 4]; HALVES + 1];
    let mut i = 0;
    while i <= HALVES {
        let s = i as f64 / HALVES as f64;
        let rise = s * s * (3.0 - 2.0 * s);
        out[i] = [1.0 - rise, KNOTS * s * (1.0 - s) * (1.0 - s), rise, -KNOTS * s * s * (1.0 - s)];
        i += 1;
    }
    out
};

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
        Some(Self { at })
    }

    /// The trace so many halves of a column from the first knot.
    fn at(&self, halves: usize) -> Along {
        let k = (halves / HALVES).min(self.at.len() - 2);
        let [w, dw, v, dv] = HERMITE[halves - k * HALVES];
        let ((a, da), (b, db)) = (&self.at[k], &self.at[k + 1]);
        Along { dy: w * a.dy + dw * da.dy + v * b.dy + dv * db.dy, nm: w * a.nm + dw * da.nm + v * b.nm + dv * db.nm }
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
    /// Adds light whose moments are about a place.
    pub(super) fn add_at(&mut self, place: f64, one: Self) {
        self.light += one.light;
        self.first += one.first + place * one.light;
        self.second += one.second + 2.0 * place * one.first + place * place * one.light;
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
    /// What of each column the light covers, in the order of wavelength.
    covered: Vec<Covered>,
}

/// What of a column the light covers: to its end from that of the one before.
#[derive(Debug)]
struct Covered {
    /// Number of the column.
    column: usize,
    /// Wavelengths at which it begins and ends \[nm\].
    nm: (f64, f64),
    /// Where it begins, from the column's middle \[pixel\], and pixels a nanometre.
    left: f64,
    per_nm: f64,
    /// Efficiency where it begins, and its slope \[1 / nm\].
    efficiency: f64,
    slope: f64,
}

impl Columns {
    /// Of a source whose undispersed image is in column `x0`, seen through an efficiency; `None` where the trace turns back.
    pub(super) fn lay(trace: &Trace, x0: f64, efficiency: &Bandpass, margin: i64) -> Option<Self> {
        let (low, high) = efficiency.range_nm();
        let (t_low, t_high) = (trace.parameter(low), trace.parameter(high));
        let (a, b) = (x0 + trace.offset(t_low).0, x0 + trace.offset(t_high).0);
        let step = if b > a { 1_i64 } else { -1 };
        let column = |x: f64| (x + 0.5).floor() as i64;
        let (from, to) = (column(a), column(b));
        let first = from.min(to) - margin;
        let count = (from - to).abs() + 1 + 2 * margin;
        let per_column = (t_high - t_low) / (b - a);
        let ends = (first as f64, (first + count - 1) as f64);
        let knots = Knots::of(trace, x0, ends, t_low + (ends.0 - a) * per_column, per_column)?;
        let along = (0..count as usize).map(|c| knots.at(2 * c)).collect();
        let mut covered = Vec::with_capacity((from - to).unsigned_abs() as usize + 1);
        let mut read = Walk::new(efficiency.wavelength_nm(), efficiency.efficiency(), 1.0);
        let (mut blue, mut at) = ((low, a, read.at(low)), from);
        loop {
            let red = if at == to {
                (high, b)
            } else {
                let border = at as f64 + 0.5 * step as f64;
                let nm = knots.at((2 * (at - first) + step) as usize).nm;
                if !(nm >= blue.0 && nm <= high + 1.0) {
                    return None;
                }
                (nm.min(high), border)
            };
            let (width, end) = (red.0 - blue.0, read.at(red.0));
            // Wavelength and place go together within a column.
            let (per_nm, slope) = if width > 0.0 { ((red.1 - blue.1) / width, (end - blue.2) / width) } else { (0.0, 0.0) };
            let column = (at - first) as usize;
            covered.push(Covered { column, nm: (blue.0, red.0), left: blue.1 - at as f64, per_nm, efficiency: blue.2, slope });
            if at == to {
                return Some(Self { first, along, covered });
            }
            (blue, at) = ((red.0, red.1, end), at + step);
        }
    }

    /// Rows a column that the trace climbs.
    pub(super) fn climbs(&self) -> f64 {
        let (first, last) = (self.along[0], self.along[self.along.len() - 1]);
        (last.dy - first.dy).abs() / self.along.len() as f64
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

    /// The electrons of a spectrum, `scale` each photon that the efficiency lets through, and where they lie in each column.
    pub(super) fn fill(&self, sed: &Sed, scale: f64) -> Vec<Moments> {
        let mut out = vec![Moments::default(); self.along.len()];
        let stretch = 1.0 + sed.redshift;
        let to_rest = 1.0 / stretch;
        let scale = scale * stretch * stretch;
        let mut dust = sed.extinction.as_ref().map(|e| Walk::new(e.transmission.wavelength_nm(), e.transmission.flux_lambda(), 1.0));
        let (Some(blue), Some(red)) = (self.covered.first(), self.covered.last()) else { return out };
        let mut photons = Cumulative::new(&sed.template, (blue.nm.0 * to_rest, red.nm.1 * to_rest));
        let middle = photons.middle * stretch;
        let mut before = Moments::default();
        for one in &self.covered {
            let up_to = photons.up_to(one.nm.1 * to_rest);
            let within = up_to.less(before);
            before = up_to;
            if within.light <= 0.0 {
                continue;
            }
            let (first, second) = (within.first * stretch, within.second * stretch * stretch);
            let mean = middle - one.nm.0 + first / within.light;
            let electrons = scale * (one.efficiency + one.slope * mean) * dust.as_mut().map_or(1.0, |d| d.at(one.nm.0 + mean));
            let about = Moments { light: within.light, first: first * one.per_nm, second: second * one.per_nm * one.per_nm };
            let mut sum = Moments::default();
            sum.add_at(one.left + (middle - one.nm.0) * one.per_nm, about);
            out[one.column] = sum.times(electrons);
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
                sum.add_at(place, Moments { light: one.light, first: one.first / width, second: one.second / (width * width) });
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
