//! The model frame: every source and order drawn from its shape and spectrum. What it holds besides a source is that source's contamination.
//!
//! # Formula
//! `pixel(c, r) = N(c - s (r - y), r) P(r - y(c), lambda(c))`; N is the light between the edges of a column, s the displacement of the rows ([`super::shape`]).
//! # Symbols
//! N  rate of a column \[electron / s\];  P  [`super::profile`];  y  row of the trace
//! # Source
//! Kuemmel et al. 2009 (PASP 121, 59): contamination from direct images.
//! # Limits
//! Light is sampled each quarter of a column; sixteen columns share the profile of their middle. A spectrum taken from the frame has the width of its lines in it already
//! and is not smeared again, in other long orders neither.
//! # Twin
//! Simulated frames are drawn by other code, in Fourier space.

use super::catalogue::{Morphology, Source};
use super::profile::Cumulative;
use super::psf::Psf;
use super::response::{Curve, ReadyOrder};
use super::shape::{Drawn, Part};
use ndarray::{Array2, ArrayViewMut2, Axis};
use rayon::prelude::*;
use sim_core::dispersion::{Grating, Trace};

/// Cells per column along the dispersion.
const FINE: usize = 4;
/// Share of the light that the smearing along the dispersion keeps.
const KEPT: f64 = 0.9995;
/// Orders shorter than this are smeared whatever the spectrum is \[pixel\].
const SHORT: f64 = 40.0;
/// Columns that share one profile.
const BLOCK: i64 = 16;
/// Rows of a strip that is drawn at once.
const STRIP: usize = 128;

/// Spectrum of a source as the model draws it.
#[derive(Debug, Clone, PartialEq)]
pub struct ModelSpectrum {
    /// f_lambda \[erg / s / cm2 / nm\].
    pub curve: Curve,
    /// Whether the widths of PSF and source are in it already.
    pub smeared: bool,
}

/// Light of one order of one source along the columns.
#[derive(Debug)]
struct Streak<'a> {
    /// Left edge of the first cell \[pixel\].
    from: f64,
    /// Light of a column whose left edge is at the edge of each cell.
    columns: Vec<f64>,
    trace: Trace,
    source: (f64, f64),
    span: (f64, f64),
    part: &'a Part,
}

/// A rectangle of the detector with model rates \[electron / s / pixel\].
#[derive(Debug, Clone, PartialEq)]
pub struct Stamp {
    /// First column and row on the whole detector.
    pub origin: (i64, i64),
    /// Rates, `[y, x]`.
    pub rate: Array2<f32>,
}

impl Stamp {
    /// Rate at a pixel of the detector; 0 outside.
    #[must_use]
    pub fn at(&self, column: i64, row: i64) -> f64 {
        let (x, y) = (column - self.origin.0, row - self.origin.1);
        if x < 0 || y < 0 { 0.0 } else { self.rate.get((y as usize, x as usize)).map_or(0.0, |v| f64::from(*v)) }
    }
}

impl<'a> Streak<'a> {
    fn new(order: &ReadyOrder, share: f64, source: &Source, spectrum: &ModelSpectrum, part: &'a Part) -> Self {
        let trace = order.order.trace(source.x, source.y);
        let span = order.span(&trace);
        let (a, b) = (source.x + trace.offset(span.0).0, source.x + trace.offset(span.1).0);
        let length = (b - a).abs();
        let smear = !spectrum.smeared || length < SHORT;
        let middle = 0.5 * (order.range_nm.0 + order.range_nm.1);
        let taps = if smear { taps(&part.along.table(middle)) } else { vec![1.0] };
        let margin = (taps.len() / 2 / FINE + 2) as f64;
        // A trace that bends back a little still stays within its margin.
        let from = a.min(b).floor() - margin - 0.5;
        let cells = ((a.max(b) - from + margin + 1.0) * FINE as f64) as usize;
        let mut light = vec![0.0; cells];
        let samples = ((length * FINE as f64).ceil() as usize).max(64);
        let dt = (span.1 - span.0) / samples as f64;
        for i in 0..samples {
            let t = span.0 + (i as f64 + 0.5) * dt;
            let w = trace.wavelength_nm(t);
            let amount = spectrum.curve.at(w) * order.response.at(w) * share * (trace.wavelength_slope_nm(t) * dt).abs();
            // Between the middles of two cells, each by its nearness: the centroid is kept.
            let p = (source.x + trace.offset(t).0 - from) * FINE as f64 - 0.5;
            if p >= 0.0 && (p as usize) + 1 < cells {
                let (k, part) = (p as usize, p.fract());
                light[k] += (1.0 - part) * amount;
                light[k + 1] += part * amount;
            }
        }
        let light = smeared(&light, &taps);
        let mut below = Vec::with_capacity(cells + 1);
        below.push(0.0);
        let mut sum = 0.0;
        for v in light {
            sum += v;
            below.push(sum);
        }
        // Linear between cells as the cumulative is.
        let columns = (0..cells).map(|i| below[(i + FINE).min(cells)] - below[i]).collect();
        Self { from, columns, trace, source: (source.x, source.y), span, part }
    }
    /// Light of the column whose middle is x.
    #[inline]
    fn column(&self, x: f64) -> f64 {
        let p = (x - 0.5 - self.from) * FINE as f64;
        let i = p as usize;
        if p < 0.0 || i + 1 >= self.columns.len() {
            return 0.0;
        }
        self.columns[i] + (p - i as f64) * (self.columns[i + 1] - self.columns[i])
    }
    /// Parameter nearest to a column.
    fn parameter(&self, x: f64) -> f64 {
        let (a, b) = (self.trace.offset(self.span.0).0, self.trace.offset(self.span.1).0);
        let (low, high) = (self.span.0.min(self.span.1), self.span.0.max(self.span.1));
        if (b - a).abs() < 2.0 {
            return 0.5 * (low + high);
        }
        let offset = x - self.source.0;
        let mut t = (self.span.0 + (offset - a) / (b - a) * (self.span.1 - self.span.0)).clamp(low, high);
        for _ in 0..3 {
            t = (t + (offset - self.trace.offset(t).0) / self.trace.direction(t).0).clamp(low, high);
        }
        t
    }
    /// Adds the light to a rectangle whose first column and row are at `origin`.
    fn add(&self, origin: (i64, i64), mut out: ArrayViewMut2<f32>) {
        let (rows, columns) = (out.nrows() as i64, out.ncols() as i64);
        let (profile, displacement) = (&self.part.across, self.part.displacement);
        let half = profile.half();
        let extra = (displacement * half).abs();
        let to = self.from + self.columns.len() as f64 / FINE as f64;
        let first = ((self.from - extra).floor() as i64).max(origin.0);
        let last = ((to + extra).ceil() as i64).min(origin.0 + columns - 1);
        let mut table = profile.tables[0].clone();
        for column in first..=last {
            let x = column as f64;
            let t = self.parameter(x);
            let y = self.source.1 + self.trace.offset(t).1;
            if (column - first) % BLOCK == 0 {
                let middle = self.parameter(x + 0.5 * (BLOCK - 1) as f64);
                table = profile.table(self.trace.wavelength_nm(middle));
            }
            let n = self.column(x);
            if n == 0.0 && displacement == 0.0 {
                continue;
            }
            let (r0, r1) = (((y - half - 0.5).floor() as i64).max(origin.1), ((y + half + 0.5).ceil() as i64).min(origin.1 + rows - 1));
            let mut edge = table.at(r0 as f64 - 0.5 - y);
            for row in r0..=r1 {
                let d = row as f64 - y;
                let next = table.at(d + 0.5);
                let n = if displacement == 0.0 { n } else { self.column(x - displacement * d) };
                out[((row - origin.1) as usize, (column - origin.0) as usize)] += (n * (next - edge)) as f32;
                edge = next;
            }
        }
    }
}

/// Distance within which all but 1 - KEPT of the light lies \[pixel\].
pub(super) fn reach_of(along: &Cumulative) -> f64 {
    let cell = 1.0 / FINE as f64;
    (1..).map(|k| f64::from(k) * cell).find(|d| along.at(*d) - along.at(-d) >= KEPT || *d >= along.half).unwrap_or(along.half)
}

/// Weights of cells about the middle one, sum 1.
fn taps(along: &Cumulative) -> Vec<f64> {
    let cell = 1.0 / FINE as f64;
    let n = (reach_of(along) / cell).ceil() as i64;
    let weights: Vec<f64> = (-n..=n).map(|k| along.at((k as f64 + 0.5) * cell) - along.at((k as f64 - 0.5) * cell)).collect();
    let sum: f64 = weights.iter().sum();
    weights.into_iter().map(|w| w / sum).collect()
}

fn smeared(light: &[f64], taps: &[f64]) -> Vec<f64> {
    let reach = taps.len() / 2;
    let mut out = vec![0.0; light.len()];
    for (i, &v) in light.iter().enumerate().filter(|(_, v)| **v != 0.0) {
        let (from, to) = (i.saturating_sub(reach), (i + reach).min(light.len() - 1));
        for (o, w) in out[from..=to].iter_mut().zip(&taps[from + reach - i..]) {
            *o += v * w;
        }
    }
    out
}

/// Draws an order, whole or in parts, into a rectangle whose first column and row are at `origin`.
fn draw(
    order: &ReadyOrder,
    share: f64,
    source: &Source,
    spectrum: &ModelSpectrum,
    drawn: &Drawn,
    origin: (i64, i64),
    mut out: ArrayViewMut2<f32>,
) {
    let trace = order.order.trace(source.x, source.y);
    let span = order.span(&trace);
    let length = (trace.offset(span.1).0 - trace.offset(span.0).0).abs();
    if length >= SHORT || drawn.parts.is_empty() {
        return Streak::new(order, share, source, spectrum, &drawn.whole).add(origin, out);
    }
    for (light, part) in &drawn.parts {
        Streak::new(order, share * light, source, spectrum, part).add(origin, out.view_mut());
    }
}

/// Rectangle (first column, last column, first row, last row) that an order of a source may touch \[pixel\].
fn bounds(order: &ReadyOrder, source: &Source, reach: f64) -> (f64, f64, f64, f64) {
    let trace = order.order.trace(source.x, source.y);
    let span = order.span(&trace);
    let (mut x, mut y) = ((f64::INFINITY, f64::NEG_INFINITY), (f64::INFINITY, f64::NEG_INFINITY));
    for i in 0..=8 {
        let (dx, dy) = trace.offset(span.0 + f64::from(i) / 8.0 * (span.1 - span.0));
        x = (x.0.min(dx), x.1.max(dx));
        y = (y.0.min(dy), y.1.max(dy));
    }
    (source.x + x.0 - reach, source.x + x.1 + reach, source.y + y.0 - reach, source.y + y.1 + reach)
}

/// Upper bound of the reach of a source's light from its trace \[pixel\].
fn reach(psf: &Psf, morphology: &Morphology) -> f64 {
    let (xx, xy, yy) = morphology.ellipse();
    let widest = (xx + yy + xy.abs()).sqrt() * morphology.bulge().reach();
    psf.tables[0].half + widest.min(60.0) + 4.0
}

/// One order of one source in a rectangle of its own, clipped to a window (first column, first row, columns, rows); `None` where it does not touch it or has
/// no spectrum.
#[must_use]
pub fn stamp(
    order: &ReadyOrder,
    gratings: &[Grating],
    source: &Source,
    spectrum: &ModelSpectrum,
    drawn: &Drawn,
    window: (i64, i64, i64, i64),
) -> Option<Stamp> {
    let share = gratings[order.grating].opening.share(source.x);
    if share <= 0.0 {
        return None;
    }
    let b = bounds(order, source, drawn.whole.across.half().max(drawn.whole.along.half()) + 4.0);
    let (x0, x1) = ((b.0 as i64).max(window.0), (b.1.ceil() as i64).min(window.0 + window.2 - 1));
    let (y0, y1) = ((b.2 as i64).max(window.1), (b.3.ceil() as i64).min(window.1 + window.3 - 1));
    if x1 < x0 || y1 < y0 {
        return None;
    }
    let mut rate = Array2::zeros(((y1 - y0 + 1) as usize, (x1 - x0 + 1) as usize));
    draw(order, share, source, spectrum, drawn, (x0, y0), rate.view_mut());
    Some(Stamp { origin: (x0, y0), rate })
}

/// All orders of all sources with a spectrum, `[y, x]` \[electron / s / pixel\], on a window (first column, first row, columns, rows) of the detector.
/// Orders whose brightest column has less than `faintest` \[electron / s\] are left out. The result does not depend on the number of threads.
#[must_use]
pub fn frame(
    orders: &[ReadyOrder],
    gratings: &[Grating],
    sources: &[Source],
    spectra: &[Option<ModelSpectrum>],
    psf: &Psf,
    window: (i64, i64, i64, i64),
    faintest: f64,
) -> Array2<f32> {
    let mut out = Array2::<f32>::zeros((window.3 as usize, window.2 as usize));
    let touched: Vec<Vec<(usize, f64, f64)>> = sources
        .par_iter()
        .zip(spectra)
        .map(|(source, spectrum)| {
            let Some(spectrum) = spectrum else { return Vec::new() };
            let reach = reach(psf, &source.morphology);
            let brightest = spectrum.curve.values.iter().copied().fold(0.0, f64::max);
            let list = orders.iter().enumerate().filter_map(|(i, order)| {
                let share = gratings[order.grating].opening.share(source.x);
                let trace = order.order.trace(source.x, source.y);
                let span = order.span(&trace);
                let length = (trace.offset(span.1).0 - trace.offset(span.0).0).abs().max(1.0);
                let column = brightest * order.peak * share * (order.range_nm.1 - order.range_nm.0) / length;
                let b = bounds(order, source, reach);
                let outside = b.1 < window.0 as f64 || b.0 > (window.0 + window.2) as f64;
                (share > 0.0 && column >= faintest && !outside).then_some((i, b.2, b.3))
            });
            list.collect()
        })
        .collect();
    out.axis_chunks_iter_mut(Axis(0), STRIP).into_par_iter().enumerate().for_each(|(strip, mut rows)| {
        let first = window.1 + (strip * STRIP) as i64;
        let last = first + rows.nrows() as i64;
        for ((source, spectrum), list) in sources.iter().zip(spectra).zip(&touched) {
            let Some(spectrum) = spectrum else { continue };
            let mut drawn = None;
            for (i, low, high) in list.iter().filter(|(_, low, high)| *high >= first as f64 && *low <= last as f64) {
                debug_assert!(low <= high);
                let drawn = drawn.get_or_insert_with(|| Drawn::new(psf, &source.morphology));
                let order = &orders[*i];
                let share = gratings[order.grating].opening.share(source.x);
                draw(order, share, source, spectrum, drawn, (window.0, first), rows.view_mut());
            }
        }
    });
    out
}
