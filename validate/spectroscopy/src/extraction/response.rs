//! Curves on even steps, and the response of an order.
//!
//! # Formula
//! `R(lambda) = A eff(lambda) lambda / (h c)` \[electron / s per erg / s / cm2\]
//! # Symbols
//! A  collecting area \[cm2\];  eff  efficiency of telescope, grating and detector in the order
//! # Source
//! Energy of a photon; constants of [`sim_core::units`].
//! # Limits
//! Sampled at 0.1 nm and linear in between: an edge of the efficiency sharper than that is 0.1 nm wide.

use super::error::ExtractionError;
use sim_core::dispersion::{Grating, Order, Trace};
use sim_core::units::{HC_ERG_NM, Nanometre};
use std::sync::Arc;

/// How far beyond 0..1 the parameter of a trace may go (assumed).
const BEYOND: f64 = 0.1;
/// Step of a response \[nm\].
const STEP_NM: f64 = 0.1;

/// A curve on even steps, linear in between and 0 outside.
#[derive(Debug, Clone, PartialEq)]
pub struct Curve {
    /// First wavelength \[nm\].
    pub from: f64,
    /// Step \[nm\].
    pub step: f64,
    /// Values.
    pub values: Arc<Vec<f64>>,
}

impl Curve {
    /// From a function over a range.
    #[must_use]
    pub fn sample(from: f64, to: f64, step: f64, f: impl Fn(f64) -> f64) -> Self {
        let count = ((to - from) / step).ceil().max(1.0) as usize + 1;
        Self { from, step, values: Arc::new((0..count).map(|i| f(from + i as f64 * step)).collect()) }
    }
    /// Value at a wavelength \[nm\].
    #[must_use]
    #[inline]
    pub fn at(&self, wavelength_nm: f64) -> f64 {
        let p = (wavelength_nm - self.from) / self.step;
        let last = self.values.len() - 1;
        if !(p >= 0.0 && p <= last as f64) {
            return 0.0;
        }
        let i = (p as usize).min(last.saturating_sub(1));
        let (a, b) = (self.values[i], self.values[(i + 1).min(last)]);
        a + (p - i as f64) * (b - a)
    }
    /// Last wavelength \[nm\].
    #[must_use]
    pub fn to(&self) -> f64 {
        self.from + (self.values.len() - 1) as f64 * self.step
    }
}

/// An order ready to be used: its polynomials and response.
#[derive(Debug, Clone)]
pub struct ReadyOrder<'a> {
    /// Place of the grating in the list.
    pub grating: usize,
    /// The order.
    pub order: &'a Order,
    /// Response \[electron / s per erg / s / cm2\], without the share of the opening.
    pub response: Curve,
    /// Largest response.
    pub peak: f64,
    /// Wavelengths where it is sensitive \[nm\].
    pub range_nm: (f64, f64),
}

impl ReadyOrder<'_> {
    /// Parameters of the trace between which the order has light: the ends of its sensitivity, but never beyond -0.1 and 1.1, where the polynomials would be
    /// continued too far.
    #[must_use]
    pub fn span(&self, trace: &Trace) -> (f64, f64) {
        let t = |w| trace.parameter(w).clamp(-BEYOND, 1.0 + BEYOND);
        (t(self.range_nm.0), t(self.range_nm.1))
    }
}

/// All orders of all gratings, in the order of the lists.
///
/// # Errors
/// An area that is not positive; an order whose wavelength or column stands still, or turns, along t.
pub fn ready<'a>(gratings: &'a [Grating], area_cm2: f64) -> Result<Vec<ReadyOrder<'a>>, ExtractionError> {
    if !(area_cm2 > 0.0 && area_cm2.is_finite()) {
        return Err(ExtractionError::Value { key: "area_cm2", value: area_cm2, range: "above 0" });
    }
    let mut out = Vec::new();
    for (grating, g) in gratings.iter().enumerate() {
        for order in &g.orders {
            let fault = |reason| ExtractionError::Trace { grating, order: order.number, reason };
            if order.x.is_empty() || order.y.is_empty() || order.wavelength_nm.len() < 2 {
                return Err(fault("x and y need one polynomial at least, the wavelength two"));
            }
            let trace = order.trace(0.0, 0.0);
            let slopes: Vec<f64> = (0..=20).map(|i| trace.wavelength_slope_nm(f64::from(i) / 20.0)).collect();
            if !(slopes.iter().all(|s| *s > 0.0) || slopes.iter().all(|s| *s < 0.0)) {
                return Err(fault("the wavelength must rise or fall all along t from 0 to 1"));
            }
            let range_nm = order.efficiency.range_nm();
            let efficiency = &order.efficiency;
            let response = Curve::sample(range_nm.0, range_nm.1, STEP_NM, |w| area_cm2 * efficiency.at(Nanometre(w)) * w / HC_ERG_NM);
            let peak = response.values.iter().copied().fold(0.0, f64::max);
            out.push(ReadyOrder { grating, order, response, peak, range_nm });
        }
    }
    Ok(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_curve_is_linear_inside_and_nothing_outside() {
        let curve = Curve::sample(500.0, 600.0, 0.5, |w| 2.0 * w);
        assert!((curve.at(533.37) - 1066.74).abs() < 1e-9 && (curve.at(600.0) - 1200.0).abs() < 1e-9);
        assert_eq!((curve.at(499.9), curve.at(600.1), curve.at(f64::NAN)), (0.0, 0.0, 0.0));
    }

    #[test]
    fn hc_is_the_energy_of_a_photon_of_1_nm() {
        // 1.98644586e-16 J nm (CODATA 2018: h c = 1.986 445 86e-25 J m).
        assert!((HC_ERG_NM / 1.986_445_86e-9 - 1.0).abs() < 1e-8);
    }
}
