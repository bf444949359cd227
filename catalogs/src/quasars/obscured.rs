//! Nuclei whose broad lines are hidden: how many, and what is still seen of them.
//!
//! # Effect
//! Beside each nucleus with broad lines there are others of the same power behind dust: narrow lines and a little scattered light.
//! # Formula
//! Share hidden: p = min(0.84, max(0.43 (1 + min(z, 2))^0.48 - 0.24 (lg L_X - 43.75), 0.2)). lg L_X = 0.721 lg l_250 + 4.531 + 17.96, l_250 from M_g(z = 2) by the template.
//! Light: 0.01 of the hidden spectrum and Gaussians of sigma 0.6 nm with F(\[O III\] 501 nm) = 1.5 nm times f_lambda(510 nm) of the hidden one, others by their ratios.
//! # Symbols
//! L_X luminosity at 2 to 10 keV \[erg / s\]; l_250 luminosity per Hz at 250 nm; 17.96 = lg of 4.84e17 Hz (2 keV) times 1.90, the integral of a spectrum of photon index 1.8 to 10 keV.
//! # Source
//! Share: Ueda et al. 2014 (ApJ 786, 104), absorbed among Compton-thin nuclei, numbers confirmed in public code. L_X: Steffen et al. 2006 (AJ 131, 2826). \[O III\]: 1 / 3500 of the
//! bolometric luminosity with 0.38 dex of scatter (Heckman et al. 2004, ApJ 613, 109), that being 10.3 times the one at 510 nm (Richards et al. 2006, ApJS 166, 470). Ratios: mean of
//! Seyfert 2 galaxies (Ferland & Osterbrock 1986, ApJ 300, 658). All but the first as remembered. That absorption of X-rays and of broad lines are one, and 1 % of scattered light: assumed.
//! # Limits
//! No Compton-thick nuclei, no dust before the narrow lines, no Lyman alpha, no infrared. Lines are as wide as those of young stars (`sed/lines.rs`), for quadratures.
//! # Twin
//! None.

use super::Luminosity;
use sim_core::spectrum::Spectrum;
use sim_core::units::Nanometre;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

/// Lines: wavelength in vacuum \[nm\], flux over that of H beta.
const LINES: [(f64, f64); 19] = [
    (154.95, 12.0),
    (164.04, 2.0),
    (190.87, 5.5),
    (279.91, 1.8),
    (342.69, 1.2),
    (372.85, 3.2),
    (386.99, 1.4),
    (434.17, 0.47),
    (436.44, 0.21),
    (468.70, 0.29),
    (486.27, 1.0),
    (496.03, 3.6),
    (OXYGEN_NM, OXYGEN),
    (630.20, 0.57),
    (654.99, 0.97),
    (656.46, 3.1),
    (658.53, 2.9),
    (671.83, 0.77),
    (673.27, 0.73),
];
const OXYGEN_NM: f64 = 500.82;
const OXYGEN: f64 = 10.8;
/// Width of the lines \[nm\].
const SIGMA_NM: f64 = 0.6;
/// Flux of \[O III\] over the hidden f_lambda at 510 nm \[nm\]: 10.3 / 3500 x 510.
const OXYGEN_WIDTH_NM: f64 = 1.5;
/// Part of the hidden light that is scattered into sight.
const SCATTERED: f64 = 0.01;

/// lg of the luminosity at 2 to 10 keV \[erg / s\] of a nucleus of M_g(z = 2).
fn lg_x_ray(luminosity: &Luminosity, g: f64) -> f64 {
    // Per Hz at 10 pc: 4 pi (3.0857e19 cm)^2 x 3.631e-20 erg / s / cm2 / Hz.
    let lg_250 = 20.638 - 0.4 * luminosity.absolute_250(g);
    0.721 * lg_250 + 4.531 + 17.96
}

/// Share of the nuclei of M_g(z = 2) at a redshift whose broad lines are hidden.
#[must_use]
pub fn hidden_share(luminosity: &Luminosity, g: f64, z: f64) -> f64 {
    let at_4375 = 0.43 * (1.0 + z.min(2.0)).powf(0.48);
    (at_4375 - 0.24 * (lg_x_ray(luminosity, g) - 43.75)).clamp(0.2, 0.84)
}

/// Spectra of hidden nuclei, on the scale of the spectrum that is hidden; each is made when first asked for.
#[derive(Debug, Default)]
pub struct HiddenSpectra {
    made: Mutex<BTreeMap<String, Arc<Spectrum>>>,
}

impl HiddenSpectra {
    /// What is seen of a nucleus whose spectrum at rest (of [`super::QuasarSpectra::at`]) is hidden.
    #[must_use]
    pub fn of(&self, hidden: &Spectrum) -> Arc<Spectrum> {
        let found = || self.made.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(spectrum) = found().get(&hidden.name) {
            return spectrum.clone();
        }
        // Made without the lock: the same one whoever comes first.
        let spectrum = Arc::new(seen(hidden));
        found().entry(hidden.name.clone()).or_insert(spectrum).clone()
    }
}

fn seen(hidden: &Spectrum) -> Spectrum {
    let nodes = LINES.iter().flat_map(|(w, _)| (-8..=8).map(move |k| w + 0.5 * SIGMA_NM * f64::from(k)));
    let mut wavelength_nm: Vec<f64> = hidden.wavelength_nm().iter().copied().chain(nodes).collect();
    wavelength_nm.sort_by(f64::total_cmp);
    wavelength_nm.dedup_by(|b, a| *b - *a < 1e-6);
    let peak = OXYGEN_WIDTH_NM * hidden.at(Nanometre(510.0)) / OXYGEN / (SIGMA_NM * std::f64::consts::TAU.sqrt());
    let value = |w: f64| {
        let lines = LINES.iter().map(|(at, ratio)| {
            let x = (w - at) / SIGMA_NM;
            if x.abs() <= 4.0 { ratio * (-0.5 * x * x).exp() } else { 0.0 }
        });
        SCATTERED * hidden.at(Nanometre(w)) + peak * lines.sum::<f64>()
    };
    let flux = wavelength_nm.iter().map(|&w| value(w)).collect();
    Spectrum::new(format!("hidden_{}", hidden.name), wavelength_nm, flux).expect("a finite curve and finite lines over a rising grid")
}

#[cfg(test)]
mod tests {
    use super::super::QuasarSpectra;
    use super::*;
    use crate::ReferenceBands;

    #[test]
    fn bright_nuclei_are_hidden_less_often_and_early_ones_more() {
        let bands = ReferenceBands::load();
        let l = Luminosity::new(&QuasarSpectra::new(), &bands, bands.sdss_i());
        // By hand: M = -23 at 250 nm is lg l = 29.838, lg L_X = 44.00: at z = 0 p = 0.43 - 0.24 x 0.25 = 0.369.
        let g = -23.0 - (l.absolute_250(-23.0) + 23.0);
        assert!((lg_x_ray(&l, g) - 44.00).abs() < 0.01 && (hidden_share(&l, g, 0.0) - 0.369).abs() < 0.003, "{}", lg_x_ray(&l, g));
        // M_1450 is 1.2 to 1.4 mag fainter than M_g(z = 2), and the continuum rises as l^0.35 in f_nu from there: 0.2 mag.
        assert!((0.8..1.4).contains(&(l.absolute_250(-23.0) + 23.0)), "{}", l.absolute_250(-23.0));
        assert_eq!((hidden_share(&l, -28.5, 0.0), hidden_share(&l, -16.0, 1.0)), (0.2, 0.84));
        assert!(
            hidden_share(&l, -24.0, 2.0) > 1.5 * hidden_share(&l, -24.0, 0.0)
                && hidden_share(&l, -24.0, 2.0) == hidden_share(&l, -24.0, 5.0)
        );
    }

    #[test]
    fn a_hidden_nucleus_shows_narrow_lines_of_their_ratios_on_a_hundredth_of_its_light() {
        let (quasars, spectra) = (QuasarSpectra::new(), HiddenSpectra::default());
        let whole = quasars.at(0.5, 0.0, 0.0);
        let s = spectra.of(&whole);
        assert!(Arc::ptr_eq(&s, &spectra.of(&whole)));
        let line = |from: f64, to: f64| -> f64 {
            (0..4000)
                .map(|k| from + (to - from) * (f64::from(k) + 0.5) / 4000.0)
                .fold(0.0, |sum, w| sum + (s.at(Nanometre(w)) - 0.01 * whole.at(Nanometre(w))) * (to - from) / 4000.0)
        };
        let oxygen = line(498.5, 503.5);
        assert!((oxygen / (1.5 * whole.at(Nanometre(510.0))) - 1.0).abs() < 0.01, "{oxygen}");
        assert!((oxygen / line(484.0, 488.5) / 10.8 - 1.0).abs() < 0.02);
        assert!((s.at(Nanometre(550.0)) / whole.at(Nanometre(550.0)) - 0.01).abs() < 1e-4);
    }
}
