//! What temperature a star has whose colour has changed.
//!
//! # Effect
//! A pulsating star is bluer when it is brighter, so that its amplitude differs from band to band.
//! # Formula
//! T' with c(T') = c(T) + d, c the colour V - i of the star spectra, straight between its values at temperatures 2 % apart, held at the ends.
//! # Source
//! [`crate::sed::SedLibrary::star`]; d from the ratio of amplitudes of [`crate::milky_way::Variable`].
//! # Limits
//! 2850 to 12,000 K. The spectra come in steps of 2 %, up to 0.1 mag of V - i in the coolest.
//! # Twin
//! None.

use crate::Library;
use crate::sed::STAR_TEFF_RANGE_K;
use crate::table::held;
use sim_core::spectrum::Sed;

/// Hottest star that changes its colour \[K\].
const HOTTEST_K: f64 = 12_000.0;
const STEP: f64 = 1.02;

/// Colours by temperature.
pub(super) struct Tints {
    /// ln T, rising, and V - i, falling.
    ln_t: Vec<f64>,
    colour: Vec<f64>,
    /// The same the other way round: V - i rising and its ln T.
    rising: (Vec<f64>, Vec<f64>),
}

impl Tints {
    pub(super) fn new(library: &Library) -> Self {
        let steps = ((HOTTEST_K / STAR_TEFF_RANGE_K.0).ln() / STEP.ln()) as i32;
        let temperatures: Vec<f64> = (0..=steps).map(|k| STAR_TEFF_RANGE_K.0 * STEP.powi(k)).collect();
        let colour: Vec<f64> = temperatures
            .iter()
            .map(|&t| {
                let sed = Sed::rest(library.seds.star(t, 4.0, 0.0));
                -2.5 * (library.bands.bessell_v().mean_fnu(&sed) / library.bands.sdss_i().mean_fnu(&sed)).log10()
            })
            .collect();
        let ln_t: Vec<f64> = temperatures.iter().map(|t| t.ln()).collect();
        let rising = (colour.iter().rev().copied().collect(), ln_t.iter().rev().copied().collect());
        Self { ln_t, colour, rising }
    }
    /// The temperature \[K\] of a star that is redder by a colour V - i \[mag\] than one of a temperature.
    pub(super) fn reddened_k(&self, teff_k: f64, redder: f64) -> f64 {
        if redder == 0.0 || teff_k > HOTTEST_K {
            return teff_k;
        }
        held(&self.rising.0, &self.rising.1, held(&self.ln_t, &self.colour, teff_k.ln()) + redder).exp()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::milky_way::Variable;

    #[test]
    fn amplitudes_in_i_over_those_in_v_are_the_published_ones_in_the_spectra() {
        let library = Library::load();
        let tints = Tints::new(&library);
        assert!(tints.colour.windows(2).all(|c| c[1] < c[0]), "{:?}", tints.colour);
        assert_eq!((tints.reddened_k(5000.0, 0.0), tints.reddened_k(30_000.0, 0.3)), (5000.0, 30_000.0));
        let i_at = |t: f64, v: f64| {
            let sed = Sed::rest(library.seds.star(t, 4.0, 0.0));
            library.bands.sdss_i().ab_magnitude(&sed, v, library.bands.bessell_v())
        };
        for (variable, teff_k, least) in [(Variable::RrLyrae(0.5, 0.0, 1.2), 6700.0, 0.1), (Variable::Cepheid(10.0, 0.0, 1.2), 5500.0, 0.1)]
        {
            let period = if let Variable::RrLyrae(p, ..) | Variable::Cepheid(p, ..) = variable { p } else { 1.0 };
            let light: Vec<(f64, f64)> = (0..50)
                .map(|k| {
                    let v = variable.at(60_000.0 + period * f64::from(k) / 50.0);
                    (v, i_at(tints.reddened_k(teff_k, (1.0 - variable.i_over_v()) * v), v))
                })
                .collect();
            let span = |of: &dyn Fn(&(f64, f64)) -> f64| {
                light.iter().map(of).fold(f64::MIN, f64::max) - light.iter().map(of).fold(f64::MAX, f64::min)
            };
            let ratio = span(&|l| l.1) / span(&|l| l.0);
            // Half a step of the spectra at both ends: 0.03 mag of 1.2.
            assert!((ratio - variable.i_over_v()).abs() < least, "{variable:?}: {ratio}");
        }
    }
}
