//! The light of a spectrum in each column of its trace.
//!
//! # Formula
//! `n(c) = integral S T lambda dlambda` over the wavelengths of column c; S is straight between its samples, so S lambda and its first moment have closed
//! forms; the efficiency is that of the light's mean wavelength. Each column's light lies at its mean place, shared between the two columns around it: light
//! and centroid are exact, of a line too.
//! # Symbols
//! S  spectrum;  T  efficiency, dust included
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

    /// Adds the photons of a spectrum through an efficiency, times `scale`, to `light`, one number a column.
    pub(super) fn fill(&self, sed: &Sed, efficiency: &Bandpass, scale: f64, light: &mut [f32]) {
        let to_rest = 1.0 / (1.0 + sed.redshift);
        let (samples, flux) = (sed.template.wavelength_nm(), sed.template.flux_lambda());
        let mut through = Walk::new(efficiency.wavelength_nm(), efficiency.efficiency(), 1.0);
        let mut dust = sed.extinction.as_ref().map(|e| Walk::new(e.transmission.wavelength_nm(), e.transmission.flux_lambda(), 1.0));
        let Some(&(low, _)) = self.edges.first() else { return };
        let mut next = samples.partition_point(|w| *w <= low * to_rest);
        let mut from = low * to_rest;
        for border in self.edges.windows(2) {
            let ((blue, left), (red, right)) = (border[0], border[1]);
            let end = red * to_rest;
            // Integral of S r and its first moment about r_0, in the rest frame.
            let start = from;
            let (mut photons, mut moment) = (0.0, 0.0);
            while from < end {
                let to = samples.get(next).map_or(end, |s| s.min(end));
                if next > 0 && next < samples.len() {
                    let slope = (flux[next] - flux[next - 1]) / (samples[next] - samples[next - 1]);
                    let f = |r: f64| flux[next - 1] + (r - samples[next - 1]) * slope;
                    let (fa, fb, width) = (f(from), f(to), to - from);
                    let (ra, rb) = (from, to);
                    let part = width * (fa * (2.0 * ra + rb) + fb * (ra + 2.0 * rb)) / 6.0;
                    photons += part;
                    // The first moment of S r, r counted from the start of the column.
                    let (u, v) = (from - start, to - start);
                    moment += width * (fa * (ra * (3.0 * u + v) + rb * (u + v)) + fb * (ra * (u + v) + rb * (u + 3.0 * v))) / 12.0;
                }
                if samples.get(next).is_some_and(|s| *s <= to) {
                    next += 1;
                }
                from = to;
            }
            if photons <= 0.0 {
                continue;
            }
            let nm = ((start + moment / photons) / to_rest).clamp(blue, red);
            // Wavelength and place go together within a column.
            let share = if red > blue { (nm - blue) / (red - blue) } else { 0.5 };
            let place = left + share * (right - left) - self.first as f64;
            let electrons = scale * photons / (to_rest * to_rest) * through.at(nm) * dust.as_mut().map_or(1.0, |d| d.at(nm));
            let (column, share) = (place.floor(), place - place.floor());
            let column = column as usize;
            if let Some([a, b]) = light.get_mut(column..column + 2) {
                *a += (electrons * (1.0 - share)) as f32;
                *b += (electrons * share) as f32;
            }
        }
    }
}
