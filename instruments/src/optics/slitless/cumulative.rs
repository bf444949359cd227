//! Photons of a spectrum up to a wavelength, and their moments.
//!
//! # Formula
//! M_j(r) = integral from the first wavelength to r of S(q) q (q - m)^j dq, j = 0, 1, 2. S is straight between its samples; on an interval of half width h about its middle c, with the value v there and
//! the slope k, the moments about c are 2 h (v c + k h^2 / 3), 2 h^3 (v + k c) / 3 and 2 h^3 (v c / 3 + k h^2 / 5). What lies in a column is a difference.
//! # Symbols
//! S  spectrum;  m  middle of the range
//! # Limits
//! Differences have the rounding of the whole: 1e-13 of its light, 1e-8 of a column's second moment.
//! # Twin
//! None.

use super::columns::Moments;
use sim_core::spectrum::Spectrum;

/// Photons of a spectrum up to a wavelength, and their moments about the middle of a range, at wavelengths that rise.
pub(super) struct Cumulative {
    /// What moments are about \[nm\].
    pub(super) middle: f64,
    /// Samples in the range, between which the spectrum is straight.
    knots: Vec<Knot>,
    next: usize,
}

/// A sample of a spectrum: wavelength, value, slope to the next, and what is up to it.
struct Knot {
    nm: f64,
    value: f64,
    slope: f64,
    up_to: Moments,
}

impl Knot {
    /// What is up to a wavelength before the next sample.
    #[inline(always)]
    fn up_to(&self, nm: f64, about: f64) -> Moments {
        let (middle, half) = (0.5 * (self.nm + nm), 0.5 * (nm - self.nm));
        let (value, square) = (self.value + half * self.slope, half * half);
        // S r, r the wavelength, is a parabola about the middle.
        let light = 2.0 * half * (value * middle + self.slope * square / 3.0);
        let first = 2.0 * half * square * (value + self.slope * middle) / 3.0;
        let second = 2.0 * half * square * (value * middle / 3.0 + self.slope * square / 5.0);
        let mut sum = self.up_to;
        sum.add_at(middle - about, Moments { light, first, second });
        sum
    }
}

impl Cumulative {
    /// Of a spectrum between two wavelengths \[nm\].
    pub(super) fn new(spectrum: &Spectrum, (low, high): (f64, f64)) -> Self {
        let (samples, flux) = (spectrum.wavelength_nm(), spectrum.flux_lambda());
        let middle = 0.5 * (low + high);
        // From the last sample before the range on.
        let first = samples.partition_point(|w| *w <= low).saturating_sub(1);
        let last = samples.partition_point(|w| *w < high).min(samples.len() - 1);
        let mut knots: Vec<Knot> = Vec::with_capacity(last.saturating_sub(first) + 1);
        let mut up_to = Moments::default();
        for k in first..last {
            let slope = (flux[k + 1] - flux[k]) / (samples[k + 1] - samples[k]);
            let start = samples[k].max(low);
            let knot = Knot { nm: start, value: flux[k] + (start - samples[k]) * slope, slope, up_to };
            up_to = knot.up_to(samples[k + 1], middle);
            knots.push(knot);
        }
        // Dark from the last sample on.
        knots.push(Knot { nm: samples[last], value: 0.0, slope: 0.0, up_to });
        Self { middle, knots, next: 0 }
    }
    #[inline(always)]
    pub(super) fn up_to(&mut self, nm: f64) -> Moments {
        while self.knots.get(self.next + 1).is_some_and(|knot| knot.nm <= nm) {
            self.next += 1;
        }
        let knot = &self.knots[self.next];
        knot.up_to(nm.max(knot.nm), self.middle)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_lies_between_two_wavelengths_is_the_integral() {
        // Dark beyond 700 nm and before 610 nm, a line of 0.2 nm, uneven samples.
        let waves = vec![610.0, 620.0, 649.9, 650.0, 650.1, 651.0, 690.0, 700.0];
        let flux = vec![1.0, 3.0, 2.5, 90.0, 2.5, 2.0, 0.0, 0.0];
        let spectrum = Spectrum::new("uneven", waves, flux).unwrap();
        let mut photons = Cumulative::new(&spectrum, (600.0, 720.0));
        let mut before = Moments::default();
        let mut from = 600.0;
        for k in 1..=150 {
            let to = 600.0 + 0.8 * f64::from(k);
            let up_to = photons.up_to(to);
            let (got, mut exact) = (up_to.less(before), Moments::default());
            let steps = 4000;
            for i in 0..steps {
                let nm = from + (to - from) * (f64::from(i) + 0.5) / f64::from(steps);
                let light = spectrum.at(sim_core::units::Nanometre(nm)) * nm * (to - from) / f64::from(steps);
                exact.add_at(nm - photons.middle, Moments { light, ..Moments::default() });
            }
            let scale = exact.light.max(1.0);
            for (power, (a, b)) in [(got.light, exact.light), (got.first, exact.first), (got.second, exact.second)].into_iter().enumerate()
            {
                let far = 60.0_f64.powi(power as i32);
                assert!((a - b).abs() < 1e-5 * scale * far, "{from} to {to} nm, moment {power}: {a} for {b}");
            }
            if from >= 700.0 || to <= 610.0 {
                assert_eq!(got, Moments::default(), "{from} to {to} nm: dark to the bit");
            }
            (before, from) = (up_to, to);
        }
    }
}
