//! Light of stellar populations of one age, put together from the stars of `stars.rs`, with dust.
//!
//! # Formula
//! f(t) = sum over masses up to the turn-off of m^-2.35 dm L(m) S(T(m)) + the giants' share of the whole: g(t) L S(T_g). S: spectrum of
//! unit luminosity
//! (integrated over wavelength). Dust: 10^(-0.4 E k(lambda)).
//! # Symbols
//! t age; L luminosity \[solar\]; m mass \[solar\]; g share of giants in the total light; E colour excess of the stars \[mag\]; k
//! Calzetti's curve.
//! # Source
//! Slope 2.35: Salpeter 1955. Masses, temperatures and luminosities of dwarfs: standard main sequence, rounded (assumed). Lifetime 10 Gyr m
//! / L. Giants' shares and
//! temperatures: after Renzini's fuel consumption (Renzini & Buzzoni 1986), rounded (assumed). Dust: Calzetti et al. 2000 (ApJ 533, 682),
//! equation 4.
//! # Limits
//! No metallicity, no horizontal branch, no thermally pulsing giants: colours are right to 0.1 to 0.2 mag, breaks and lines to a few per
//! cent of the light. The
//! fit allows for that (`nuisance.rs`).

use super::stars::{StarMaker, Surface};
use super::table::held;

/// Dwarfs: mass \[solar\], temperature \[K\], luminosity \[solar\].
const DWARFS: [(f64, f64, f64); 14] = [
    (0.2, 3200.0, 0.0055),
    (0.4, 3600.0, 0.025),
    (0.6, 4100.0, 0.08),
    (0.8, 5000.0, 0.3),
    (1.0, 5800.0, 1.0),
    (1.2, 6250.0, 2.0),
    (1.5, 7100.0, 5.5),
    (2.0, 8800.0, 18.0),
    (3.0, 11_500.0, 90.0),
    (5.0, 16_500.0, 600.0),
    (9.0, 22_500.0, 4500.0),
    (15.0, 30_000.0, 2e4),
    (25.0, 37_000.0, 8e4),
    (40.0, 42_000.0, 2.5e5),
];
/// Giants: lg age \[yr\], share of the light, temperature \[K\].
const GIANTS: [(f64, f64, f64); 6] =
    [(6.7, 0.05, 4000.0), (7.5, 0.3, 4000.0), (8.0, 0.3, 4600.0), (8.5, 0.35, 4900.0), (9.0, 0.5, 4700.0), (10.0, 0.65, 4400.0)];

/// Steps in ln mass.
const STEPS: usize = 36;

/// Calzetti's k at a wavelength \[nm\] (the short branch is continued below 120 nm, the long one flat beyond 2200).
pub(crate) fn calzetti(nm: f64) -> f64 {
    let x = 1000.0 / nm;
    if nm < 630.0 {
        2.659 * (-2.156 + 1.509 * x - 0.198 * x * x + 0.011 * x.powi(3)) + 4.05
    } else {
        (2.659 * (-1.857 + 1.040 * x) + 4.05).max(0.0)
    }
}

fn unit(spectrum: Vec<f64>, nm: &[f64]) -> Vec<f64> {
    let total: f64 = spectrum.iter().zip(nm).map(|(f, w)| f * w).sum();
    spectrum.into_iter().map(|f| f / total).collect()
}

/// Spectra of unit luminosity of the dwarfs, made once for all ages: ln mass, luminosity, lifetime \[yr\], spectrum.
pub(crate) struct Dwarfs {
    nm: Vec<f64>,
    steps: Vec<(f64, f64, f64, Vec<f64>)>,
}

impl Dwarfs {
    /// Makes them on wavelengths \[nm\].
    pub(crate) fn new(maker: &StarMaker, nm: &[f64]) -> Self {
        let ln = |pick: fn(&(f64, f64, f64)) -> f64| -> Vec<f64> { DWARFS.iter().map(|d| pick(d).ln()).collect() };
        let (m, t, l) = (ln(|d| d.0), ln(|d| d.1), ln(|d| d.2));
        let (low, high) = (m[0], m[m.len() - 1]);
        let steps = (0..STEPS).map(|k| {
            let lm = low + (high - low) * (k as f64 + 0.5) / STEPS as f64;
            let (temperature, luminosity) = (held(&m, &t, lm).exp(), held(&m, &l, lm).exp());
            let star = unit(maker.spectrum(nm, temperature, Surface::Metals(1.0)), nm);
            (lm, luminosity, 1e10 * lm.exp() / luminosity, star)
        });
        Self { nm: nm.to_vec(), steps: steps.collect() }
    }
    /// The light of a population of an age \[yr\] behind dust \[mag\], divided by its value near 500 nm.
    pub(crate) fn population(&self, maker: &StarMaker, age: f64, excess: f64) -> Vec<f64> {
        self.with_light(maker, age, excess).0
    }
    /// The same, and what it was divided by: its light near 500 nm, in one unit for all ages of the same stars formed.
    pub(crate) fn with_light(&self, maker: &StarMaker, age: f64, excess: f64) -> (Vec<f64>, f64) {
        let nm = &self.nm;
        let mut light = vec![0.0; nm.len()];
        let mut total = 0.0;
        for (lm, luminosity, life, star) in &self.steps {
            // The last step to the turn-off fades, so that ages between steps differ.
            let weight = (-1.35 * lm).exp() * luminosity * (1.5 - 0.5 * age / life).clamp(0.0, 1.0);
            if weight > 0.0 {
                total += weight;
                light.iter_mut().zip(star).for_each(|(a, s)| *a += weight * s);
            }
        }
        let (ages, shares): (Vec<f64>, Vec<f64>) = GIANTS.iter().map(|g| (g.0, g.1)).unzip();
        let temperatures: Vec<f64> = GIANTS.iter().map(|g| g.2).collect();
        let share = held(&ages, &shares, age.log10());
        let giant = unit(maker.spectrum(nm, held(&ages, &temperatures, age.log10()), Surface::Metals(1.0)), nm);
        let weight = total * share / (1.0 - share);
        let mut out: Vec<f64> =
            light.iter().zip(giant).zip(nm).map(|((a, g), w)| (a + weight * g) * 10.0_f64.powf(-0.4 * excess * calzetti(*w))).collect();
        let near: Vec<f64> = nm.iter().zip(&out).filter(|(w, _)| (490.0..510.0).contains(*w)).map(|(_, f)| *f).collect();
        let norm = near.iter().sum::<f64>() / near.len() as f64;
        out.iter_mut().for_each(|f| *f /= norm);
        (out, norm)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn old_light_has_the_break_and_young_light_the_blue() {
        let maker = StarMaker::new();
        let nm: Vec<f64> = (0..4000).map(|k| 200.0 + 0.2 * f64::from(k)).collect();
        let dwarfs = Dwarfs::new(&maker, &nm);
        let mean = |f: &[f64], a: f64, b: f64| {
            let v: Vec<f64> = nm.iter().zip(f).filter(|(w, _)| **w >= a && **w < b).map(|(w, f)| f * w * w).collect();
            v.iter().sum::<f64>() / v.len() as f64
        };
        // Dn4000 of Balogh et al. 1999: 400-410 over 385-395 nm in f_nu; about 1.8 in old, 1.0 to 1.1 in young galaxies.
        let d = |age| {
            let f = dwarfs.population(&maker, age, 0.0);
            mean(&f, 400.0, 410.0) / mean(&f, 385.0, 395.0)
        };
        assert!((1.6..2.1).contains(&d(1e10)), "{}", d(1e10));
        assert!((0.85..1.2).contains(&d(5e6)), "{}", d(5e6));
        assert!((calzetti(550.0) - 4.05).abs() < 0.1);
    }
}
