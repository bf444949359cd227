//! Spectra of stars: Planck curves with the published colours, the Sun's blanketing by temperature, hydrogen, molecular bands.
//!
//! # Formula
//! f_lambda = B_lambda(T) 10^(-0.4 (c(lambda, T) + s(T) (m_sun - c_sun))) H(lambda, T) F(lambda, T). c: straight lines through the centres
//! of SDSS u, g, r,
//! i, z so that the monochromatic AB colours are the published ones (the step from u to g between 370 and 400 nm; in hot stars at 366-374
//! nm). m_sun: the
//! Sun over its Planck curve in 5 nm bins. H: Balmer lines; F: metal lines and bands, each 1 - d(T) times a profile of mean 0 over 5 nm.
//! # Symbols
//! T effective temperature \[K\]; s strength of blanketing: 1.2 at 4400 K, 1 at 5772 K, 0 from 9500 K; d depth.
//! # Source
//! `data/redshift/SOURCES.md`: colours Covey et al. 2007, temperatures Pecaut & Mamajek 2013; Sun ASTM E490; depths of features assumed.
//! # Limits
//! Solar metallicity, no gravity (giants have dwarfs' colours); metal lines strong or none: a fit mixes the two. Below 300 nm only the Sun
//! is a measured
//! spectrum; M dwarfs there have no known light. White dwarfs are Planck curves with broad hydrogen lines. 2800 to 50 000 K.

use super::table::{held, number, numbers, rows};
use sim_core::units::{BOLTZMANN_J_K, PLANCK_J_S, SPEED_OF_LIGHT_M_S};

const LOCUS: &str = include_str!("../../../data/redshift/stellar_locus.csv");
const SUN: &str = include_str!("../../../data/redshift/solar.csv");
const FEATURES: &str = include_str!("../../../data/redshift/stellar_features.csv");
/// Centres of SDSS u, g, r, i, z \[nm\] (pivot wavelengths).
const CENTRES_NM: [f64; 5] = [355.7, 470.2, 617.6, 749.0, 894.7];
const SUN_K: f64 = 5772.0;
/// Hydrogen: wavelength \[nm\] and strength relative to H delta.
const BALMER: [(f64, f64); 9] = [
    (656.46, 0.85),
    (486.27, 0.95),
    (434.17, 1.0),
    (410.29, 1.0),
    (397.12, 0.95),
    (389.02, 0.8),
    (383.65, 0.6),
    (379.90, 0.45),
    (377.17, 0.3),
];

/// What a star is made with.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Surface {
    /// Metal lines, bands and the Sun's blanketing, `0..` in units of solar strength.
    Metals(f64),
    /// Hydrogen alone, broad.
    WhiteDwarf,
}

/// B_lambda relative to 550 nm.
pub(crate) fn planck(nm: f64, teff: f64) -> f64 {
    let x = |w: f64| PLANCK_J_S * SPEED_OF_LIGHT_M_S / (w * 1e-9 * BOLTZMANN_J_K * teff);
    (550.0 / nm).powi(5) * (x(550.0).exp_m1() / x(nm).exp_m1())
}

/// Everything the formula needs, read once.
pub(crate) struct StarMaker {
    log_t: Vec<f64>,
    /// Magnitudes over Planck at u, r, i, z (0 at g) by row of the locus.
    bends: [Vec<f64>; 4],
    sun_nm: Vec<f64>,
    sun_mag: Vec<f64>,
    features: Vec<Feature>,
}

struct Feature {
    nm: f64,
    fwhm: f64,
    head: bool,
    depths: [f64; 4],
}

impl StarMaker {
    pub(crate) fn new() -> Self {
        let locus = numbers(LOCUS);
        let mut log_t: Vec<f64> = locus.iter().map(|r| r[0].ln()).collect();
        let mut bends: [Vec<f64>; 4] = Default::default();
        for row in &locus {
            let ab = |k: usize| -2.5 * (planck(CENTRES_NM[k], row[0]) * CENTRES_NM[k] * CENTRES_NM[k]).log10();
            let (ug, gr, ri, iz) = (row[1], row[2], row[3], row[4]);
            bends[0].push(ug - (ab(0) - ab(1)));
            bends[1].push(-gr - (ab(2) - ab(1)));
            bends[2].push(-gr - ri - (ab(3) - ab(1)));
            bends[3].push(-gr - ri - iz - (ab(4) - ab(1)));
        }
        log_t.push(30_000.0_f64.ln());
        bends.iter_mut().for_each(|b| b.push(0.0));
        let mut maker = Self { log_t, bends, sun_nm: vec![], sun_mag: vec![], features: vec![] };
        let sun = numbers(SUN);
        let at_470 = sun.iter().find(|r| r[0] >= 470.0).map_or(1.0, |r| r[1] / planck(r[0], SUN_K));
        for row in &sun {
            maker.sun_nm.push(row[0]);
            maker.sun_mag.push(-2.5 * (row[1] / planck(row[0], SUN_K) / at_470).log10() - maker.bend(row[0], SUN_K));
        }
        maker.features = rows(FEATURES)
            .iter()
            .map(|r| Feature { nm: number(r[0]), fwhm: number(r[1]), head: r[2] == "head", depths: [3, 4, 5, 6].map(|k| number(r[k])) })
            .collect();
        maker
    }
    fn bend(&self, nm: f64, teff: f64) -> f64 {
        let b: [f64; 4] = std::array::from_fn(|k| held(&self.log_t, &self.bends[k], teff.ln()));
        let hot = ((teff - 7000.0) / 2000.0).clamp(0.0, 1.0);
        let (jump, end) = (370.0 - 4.0 * hot, 400.0 - 26.0 * hot);
        held(&[jump, end, CENTRES_NM[1], CENTRES_NM[2], CENTRES_NM[3], CENTRES_NM[4]], &[b[0], 0.0, 0.0, b[1], b[2], b[3]], nm)
    }
    fn features(&self, nm: f64, teff: f64, strength: f64) -> f64 {
        let places = [3700.0_f64, 4500.0, 5770.0, 7000.0, 9500.0];
        let mut factor = 1.0;
        for f in &self.features {
            let d = held(&places, &[f.depths[3], f.depths[2], f.depths[1], f.depths[0], 0.0], teff);
            let extra = if f.head { ((3700.0 - teff) / 700.0).clamp(0.0, 1.0) * 0.9 + 1.0 } else { 1.0 };
            let d = (d * extra * strength).min(0.9);
            let x = nm - f.nm;
            let profile = if f.head {
                if x < 0.0 { (-x * x / 2.0).exp() } else { (-x / f.fwhm).exp() }
            } else {
                let g = |fwhm: f64| (-4.0 * std::f64::consts::LN_2 * x * x / (fwhm * fwhm)).exp();
                // The Sun's 5 nm bins hold the mean of the line already: what is added has no mean in the blue.
                let wide = (f.fwhm * f.fwhm + 36.0).sqrt();
                if f.nm < 600.0 { g(f.fwhm) - f.fwhm / wide * g(wide) } else { g(f.fwhm) }
            };
            factor *= 1.0 - d * profile;
        }
        factor
    }
    /// The spectrum (f_lambda, 1 near 550 nm) on wavelengths \[nm\].
    pub(crate) fn spectrum(&self, nm: &[f64], teff: f64, surface: Surface) -> Vec<f64> {
        let strength = match surface {
            Surface::Metals(s) => s,
            Surface::WhiteDwarf => 0.0,
        };
        let blanket = strength * held(&[3000.0, 4400.0, 5772.0, 6500.0, 8000.0, 9500.0], &[1.2, 1.2, 1.0, 0.7, 0.2, 0.0], teff);
        let ew = match surface {
            Surface::Metals(_) => held(
                &[5200.0, 5800.0, 6500.0, 7500.0, 9000.0, 10_000.0, 12_000.0, 15_000.0, 20_000.0, 30_000.0, 40_000.0],
                &[0.0, 0.15, 0.5, 1.0, 1.5, 1.4, 1.1, 0.8, 0.5, 0.25, 0.15],
                teff,
            ),
            Surface::WhiteDwarf => held(&[6000.0, 8000.0, 12_000.0, 20_000.0, 50_000.0], &[0.1, 1.5, 4.5, 3.0, 1.2], teff),
        };
        let width = if surface == Surface::WhiteDwarf { 7.0 } else { 2.0 };
        nm.iter()
            .map(|&w| {
                let bend = if surface == Surface::WhiteDwarf { 0.0 } else { self.bend(w, teff) };
                let sun = if w < 205.0 { self.sun_mag[1] } else { held(&self.sun_nm, &self.sun_mag, w) };
                let mut f = planck(w, teff) * 10.0_f64.powf(-0.4 * (bend + blanket * sun));
                for (centre, ratio) in BALMER {
                    let x: f64 = (w - centre) / width;
                    let depth = (ew * ratio / (width * std::f64::consts::PI) * 1.3).min(0.8);
                    f *= 1.0 - depth * (0.6 * (-x * x).exp() + 0.4 / (1.0 + x * x));
                }
                if strength > 0.0 {
                    f *= self.features(w, teff, strength);
                }
                if w < 91.2 { 0.0 } else { f }
            })
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_sun_comes_back_in_its_5_nm_bins() {
        let maker = StarMaker::new();
        let sun = numbers(SUN);
        let nm: Vec<f64> = (0..9000).map(|k| 250.0 + 0.1 * f64::from(k)).collect();
        let f = maker.spectrum(&nm, SUN_K, Surface::Metals(1.0));
        let mut worst: f64 = 0.0;
        let mean = |a: f64, b: f64| {
            let inside: Vec<f64> = nm.iter().zip(&f).filter(|(w, _)| **w >= a && **w < b).map(|(_, v)| *v).collect();
            inside.iter().sum::<f64>() / inside.len() as f64
        };
        let norm = mean(545.0, 555.0) / sun.iter().find(|r| r[0] > 549.0).unwrap()[1];
        for row in sun.iter().filter(|r| r[0] > 300.0 && r[0] < 900.0) {
            worst = worst.max((mean(row[0] - 2.5, row[0] + 2.5) / row[1] / norm - 1.0).abs());
        }
        assert!(worst < 0.2, "{worst}");
    }
}
