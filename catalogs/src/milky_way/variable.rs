//! Stars whose brightness changes with the date.
//!
//! # Effect
//! Pulsating, eclipsing and long-period stars and pulsating white dwarfs are brighter or fainter than their mean, pulsating ones bluer when they are brighter.
//! # Formula
//! With phase p = frac(mjd / P + p0). RR Lyrae: A (p / f - 1/2) to p = f = 0.85, then back in a straight line; Cepheids with f = 0.7. Eclipses: depth d1 at p = 0, d2 at p = 1/2, for a part
//! w = 0.12 P^(-2/3) of the period, sloping over its outer thirds. Miras, long-period stars and white dwarfs: (A / 2) sin 2 pi p. Cepheids: M = -4.05 - 2.43 (lg P - 1), lg T = 3.795 - 0.055
//! lg P. Miras: M_bol = 2.85 - 3.00 lg P. Change in i over that in V: RR Lyrae 0.63, Cepheids 0.60, Miras 0.45, others 1.
//! # Symbols
//! P period \[d\]; A full amplitude in V \[mag\]; w at most 0.25; M absolute V, M_bol bolometric magnitude; T effective temperature \[K\].
//! # Source
//! RR Lyrae: P normal 0.57 +- 0.07 d and A 0.5 to 1.2 in V (ab type; Smith 1995, RR Lyrae Stars). Eclipses: 1.3 % of stars (Kirk et al. 2016, AJ 151, 68), lg P uniform from
//! 0.3 to 30 d; w for two stars of solar mean density. Long-period: 30 to 400 d, A 0.05 to 0.5 for all giants below 3900 K (semiregular ones of OGLE, Soszynski et al. 2009, Acta Astron. 59,
//! 239). White dwarfs: 10,800 to 12,300 K, 100 to 1200 s, A 0.01 to 0.1 (Fontaine & Brassard 2008, PASP 120, 1043). Cepheids: period and luminosity of Benedict et al. 2007 (AJ 133, 1810)
//! with 0.2 mag of scatter; 20,000 in the Galaxy (Windmark et al. 2011, A&A 530, A76), 20 / kpc2 here by a disk of 2.6 kpc, 1.1e-7 / pc3, which is 8 % of the young stars brighter than M = -2.35;
//! A 0.4 to 1.2 and the 0.60 (Klagyivik & Szabados 2009, A&A 504, 959). Miras: Feast et al. 1989 (MNRAS 241, 375), P 100 to 500 d, A 2.5 to 6; 200 / kpc2 here (Jura & Kleinmann 1992, ApJS 79, 105),
//! 4e-7 / pc3, which is 5 % of the giants of their M_bol. Numbers as remembered; T of Cepheids, 0.45 of Miras, distributions within the ranges: assumed.
//! # Limits
//! RR Lyrae are the horizontal-branch stars of the halo next to the gap of this model, 5900 to 7900 K. Colours follow V and i through the spectra's steps of 2 % in temperature, and no star is cooler than
//! 2850 K. Flares: `flare.rs`. No spots, no novae, no first overtones. Means over the exposure are not taken: a white dwarf has the brightness of the middle.
//! # Twin
//! None.

use super::{GIANT_MASS, Kind, Population, Star};
use crate::draw::Draw;

/// Share of dwarfs that eclipse.
const ECLIPSING: f64 = 0.013;
/// Share of the young stars of their luminosity that are Cepheids, and their absolute magnitudes in V.
const CEPHEIDS: (f64, f64, f64) = (0.08, -6.0, -2.35);
/// Share of the giants of their luminosity that are Miras, and their bolometric magnitudes.
const MIRAS: (f64, f64, f64) = (0.05, -5.25, -3.15);
/// Hottest giant that varies by its pulsation \[K\].
const COOL_K: f64 = 3900.0;

/// A star that varies.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Variable {
    /// RR Lyrae: period \[d\], phase, amplitude \[mag\].
    RrLyrae(f64, f64, f64),
    /// Classical Cepheid: period \[d\], phase, amplitude \[mag\].
    Cepheid(f64, f64, f64),
    /// Mira: period \[d\], phase, amplitude \[mag\].
    Mira(f64, f64, f64),
    /// Eclipses: period \[d\], phase, depths \[mag\].
    Eclipsing(f64, f64, f64, f64),
    /// A sine: period \[d\], phase, full amplitude \[mag\].
    Sine(f64, f64, f64),
}

/// Bolometric magnitude of a giant, from its gravity and temperature.
fn bolometric(star: &Star) -> f64 {
    4.74 + 2.5 * (star.log_g - 4.438 - GIANT_MASS.log10() - 4.0 * (star.teff_k / 5772.0).log10())
}

impl Variable {
    /// Whether and how a star varies, from draws of its own.
    #[must_use]
    pub fn of(star: &Star, draw: &mut Draw) -> Option<Self> {
        let (chance, phase, period, amplitude, second) = (draw.uniform(), draw.uniform(), draw.uniform(), draw.uniform(), draw.uniform());
        let (normal, rare) = (draw.normal(), draw.uniform());
        let between = |low: f64, high: f64, u: f64| low + (high - low) * u;
        let log_between = |low: f64, high: f64, u: f64| low * (high / low).powf(u);
        let within = |(share, bright, faint): (f64, f64, f64), m: f64| rare < share && (bright..faint).contains(&m);
        match star.kind {
            Kind::Giant
                if star.population == Population::Halo
                    && (0.5..1.4).contains(&star.absolute_v)
                    && (5900.0..7900.0).contains(&star.teff_k) =>
            {
                Some(Self::RrLyrae((0.57 + 0.07 * normal).clamp(0.4, 0.9), phase, between(0.5, 1.2, amplitude)))
            }
            Kind::Giant if star.teff_k < COOL_K && within(MIRAS, bolometric(star)) => {
                Some(Self::Mira(10.0_f64.powf((2.85 - bolometric(star)) / 3.0), phase, between(2.5, 6.0, amplitude)))
            }
            Kind::Giant if star.teff_k < COOL_K => {
                Some(Self::Sine(log_between(30.0, 400.0, period), phase, log_between(0.05, 0.5, amplitude)))
            }
            Kind::Dwarf if star.population == Population::ThinDisk && within(CEPHEIDS, star.absolute_v) => {
                let lg_period = 1.0 - (star.absolute_v + 4.05 + 0.2 * normal) / 2.43;
                Some(Self::Cepheid(10.0_f64.powf(lg_period), phase, between(0.4, 1.2, amplitude)))
            }
            Kind::Dwarf if chance < ECLIPSING => {
                let depth = between(0.02, 0.7, amplitude);
                Some(Self::Eclipsing(log_between(0.3, 30.0, period), phase, depth, depth * second))
            }
            Kind::WhiteDwarf if (10_800.0..12_300.0).contains(&star.teff_k) => {
                Some(Self::Sine(log_between(100.0, 1200.0, period) / 86_400.0, phase, log_between(0.01, 0.1, amplitude)))
            }
            _ => None,
        }
    }
    /// Mean effective temperature \[K\]: a Cepheid is no main-sequence star of its luminosity.
    #[must_use]
    pub fn teff_k(&self, star: &Star) -> f64 {
        match *self {
            Self::Cepheid(period, ..) => 10.0_f64.powf(3.795 - 0.055 * period.log10()),
            _ => star.teff_k,
        }
    }
    /// Change in i over that in V.
    #[must_use]
    pub fn i_over_v(&self) -> f64 {
        match self {
            Self::RrLyrae(..) => 0.63,
            Self::Cepheid(..) => 0.60,
            Self::Mira(..) => 0.45,
            Self::Eclipsing(..) | Self::Sine(..) => 1.0,
        }
    }
    /// Magnitudes in V above the mean (eclipses: above the light outside of them) at a date.
    #[must_use]
    pub fn at(&self, mjd: f64) -> f64 {
        let (Self::RrLyrae(period, start, _)
        | Self::Cepheid(period, start, _)
        | Self::Mira(period, start, _)
        | Self::Eclipsing(period, start, ..)
        | Self::Sine(period, start, _)) = *self;
        let phase = (mjd / period + start).rem_euclid(1.0);
        let saw = |fall: f64| if phase < fall { phase / fall - 0.5 } else { 0.5 - (phase - fall) / (1.0 - fall) };
        match *self {
            Self::RrLyrae(.., amplitude) => amplitude * saw(0.85),
            Self::Cepheid(.., amplitude) => amplitude * saw(0.7),
            Self::Mira(.., amplitude) | Self::Sine(.., amplitude) => 0.5 * amplitude * (std::f64::consts::TAU * phase).sin(),
            Self::Eclipsing(_, _, first, second) => {
                let half = 0.5 * (0.12 * period.powf(-2.0 / 3.0)).min(0.25);
                let dip = |from: f64| ((half - from.abs()) / (2.0 / 3.0 * half)).clamp(0.0, 1.0);
                first * dip(phase.min(1.0 - phase)) + second * dip(phase - 0.5)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mean(v: Variable, period: f64) -> f64 {
        (0..20_000).map(|k| v.at(60_000.0 + period * f64::from(k) / 20_000.0)).sum::<f64>() / 20_000.0
    }

    #[test]
    fn curves_repeat_with_their_period_and_have_their_mean_and_amplitude() {
        for (v, period) in [
            (Variable::RrLyrae(0.6, 0.3, 1.0), 0.6),
            (Variable::Cepheid(5.4, 0.1, 0.9), 5.4),
            (Variable::Mira(300.0, 0.2, 4.0), 300.0),
            (Variable::Sine(100.0, 0.7, 0.4), 100.0),
        ] {
            assert!((v.at(60_000.1) - v.at(60_000.1 + 7.0 * period)).abs() < 1e-6);
            assert!(mean(v, period).abs() < 3e-4, "{}", mean(v, period));
        }
        let fastest = (0..10_000).map(|k| Variable::RrLyrae(1.0, 0.0, 1.0).at(60_000.0 + f64::from(k) * 1e-4));
        let (low, high) = fastest.fold((9.0_f64, -9.0_f64), |a, x| (a.0.min(x), a.1.max(x)));
        assert!((low + 0.5).abs() < 1e-3 && (high - 0.5).abs() < 1e-3);
    }

    #[test]
    fn eclipses_have_two_depths_and_last_as_long_as_the_period_says() {
        let v = Variable::Eclipsing(1.0, 0.0, 0.6, 0.2);
        assert_eq!((v.at(60_000.0), v.at(60_000.5), v.at(60_000.25)), (0.6, 0.2, 0.0));
        // Depth times two thirds of the width 0.12, twice.
        assert!((mean(v, 1.0) - (0.6 + 0.2) * 0.12 * 2.0 / 3.0).abs() < 1e-4, "{}", mean(v, 1.0));
    }

    fn star(kind: Kind, population: Population, absolute_v: f64, teff_k: f64, log_g: f64) -> Star {
        Star {
            kind,
            population,
            v: 15.0,
            absolute_v,
            system_absolute_v: absolute_v,
            distance_pc: 1000.0,
            e_bv: 0.0,
            teff_k,
            log_g,
            feh: 0.0,
            velocity_km_s: [0.0; 3],
            companion: None,
        }
    }

    fn all(star: &Star, n: u64) -> Vec<Variable> {
        let key = sim_core::stream::StreamKey::new(9);
        (0..n).filter_map(|k| Variable::of(star, &mut Draw::new(key.stream(k)))).collect()
    }

    #[test]
    fn cepheids_and_miras_are_as_many_as_published_and_follow_their_laws() {
        let n = 20_000;
        // M = -4.05 is a period of 10 d; 8 % of them, binomial error 0.19 %; T = 10^3.74.
        let young = star(Kind::Dwarf, Population::ThinDisk, -4.05, 20_000.0, 4.0);
        let found: Vec<Variable> = all(&young, n).into_iter().filter(|v| matches!(v, Variable::Cepheid(..))).collect();
        assert!((found.len() as f64 / n as f64 - 0.08).abs() < 0.01, "{}", found.len());
        let lg = |v: &Variable| if let Variable::Cepheid(p, ..) | Variable::Mira(p, ..) = v { p.log10() } else { f64::NAN };
        let mean = found.iter().map(lg).sum::<f64>() / found.len() as f64;
        // Scatter 0.2 / 2.43 = 0.082 dex over 1600: 0.002; five of them.
        assert!((mean - 1.0).abs() < 0.0103, "{mean}");
        assert!((found[0].teff_k(&young) / 10.0_f64.powf(3.795 - 0.055 * lg(&found[0])) - 1.0).abs() < 1e-12);
        assert!(
            all(&star(Kind::Dwarf, Population::ThickDisk, -4.05, 20_000.0, 4.0), n).iter().all(|v| matches!(v, Variable::Eclipsing(..)))
        );
        // A giant of M_bol = -4.15 at 3105 K: lg g = 4.438 + 0.041 + 4 lg(3105 / 5772) + 0.4 (-4.15 - 4.74); period 10^(7 / 3) = 215 d.
        let log_g = 4.438 + 1.1_f64.log10() + 4.0 * (3105.0_f64 / 5772.0).log10() + 0.4 * (-4.15 - 4.74);
        let giant = star(Kind::Giant, Population::ThickDisk, -1.4, 3105.0, log_g);
        let found = all(&giant, n);
        let miras: Vec<&Variable> = found.iter().filter(|v| matches!(v, Variable::Mira(..))).collect();
        assert!(found.len() as u64 == n && (miras.len() as f64 / n as f64 - 0.05).abs() < 0.008, "{}", miras.len());
        assert!(miras.iter().all(|v| (lg(v) - 7.0 / 3.0).abs() < 1e-9));
    }
}
