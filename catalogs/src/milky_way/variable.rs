//! Stars whose brightness changes with the date.
//!
//! # Effect
//! Pulsating, eclipsing and long-period stars and pulsating white dwarfs are brighter or fainter than their mean.
//! # Formula
//! With phase p = frac(mjd / P + p0). RR Lyrae: A (p / 0.85 - 1/2) to p = 0.85, then back in a straight line. Eclipses: depth d1 at p = 0, d2 at p = 1/2, for a part
//! w = 0.12 P^(-2/3) of the period, sloping over its outer thirds. Long-period stars and white dwarfs: (A / 2) sin 2 pi p.
//! # Symbols
//! P period \[d\]; A full amplitude \[mag\]; w at most 0.25.
//! # Source
//! RR Lyrae: P normal 0.57 +- 0.07 d and A 0.5 to 1.2 in V (ab type; Smith 1995, RR Lyrae Stars). Eclipses: 1.3 % of stars (Kirk et al. 2016, AJ 151, 68), lg P uniform from
//! 0.3 to 30 d; w for two stars of solar mean density. Long-period: 30 to 400 d, A 0.05 to 0.5 for all giants below 3900 K (semiregular ones of OGLE, Soszynski et al. 2009, Acta Astron. 59,
//! 239). White dwarfs: 10,800 to 12,300 K, 100 to 1200 s, A 0.01 to 0.1 (Fontaine & Brassard 2008, PASP 120, 1043). Numbers as remembered; distributions within the ranges: assumed.
//! # Limits
//! All wavelengths alike. RR Lyrae are the horizontal-branch stars of the halo next to the gap of this model, 5900 to 7900 K. No Cepheids, no Miras, no flares, no spots, no
//! novae. Means over the exposure are not taken: a white dwarf has the brightness of the middle.
//! # Twin
//! None.

use super::{Kind, Population, Star};
use crate::draw::Draw;

/// Share of dwarfs that eclipse.
const ECLIPSING: f64 = 0.013;

/// A star that varies.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Variable {
    /// RR Lyrae: period \[d\], phase, amplitude \[mag\].
    RrLyrae(f64, f64, f64),
    /// Eclipses: period \[d\], phase, depths \[mag\].
    Eclipsing(f64, f64, f64, f64),
    /// A sine: period \[d\], phase, full amplitude \[mag\].
    Sine(f64, f64, f64),
}

impl Variable {
    /// Whether and how a star varies, from draws of its own.
    #[must_use]
    pub fn of(star: &Star, draw: &mut Draw) -> Option<Self> {
        let (chance, phase, period, amplitude, second) = (draw.uniform(), draw.uniform(), draw.uniform(), draw.uniform(), draw.uniform());
        let normal = draw.normal();
        let between = |low: f64, high: f64, u: f64| low + (high - low) * u;
        let log_between = |low: f64, high: f64, u: f64| low * (high / low).powf(u);
        match star.kind {
            Kind::Giant
                if star.population == Population::Halo
                    && (0.5..1.4).contains(&star.absolute_v)
                    && (5900.0..7900.0).contains(&star.teff_k) =>
            {
                Some(Self::RrLyrae((0.57 + 0.07 * normal).clamp(0.4, 0.9), phase, between(0.5, 1.2, amplitude)))
            }
            Kind::Giant if star.teff_k < 3900.0 => {
                Some(Self::Sine(log_between(30.0, 400.0, period), phase, log_between(0.05, 0.5, amplitude)))
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
    /// Magnitudes above the mean (eclipses: above the light outside of them) at a date.
    #[must_use]
    pub fn at(&self, mjd: f64) -> f64 {
        let (Self::RrLyrae(period, start, _) | Self::Eclipsing(period, start, ..) | Self::Sine(period, start, _)) = *self;
        let phase = (mjd / period + start).rem_euclid(1.0);
        match *self {
            Self::RrLyrae(.., amplitude) if phase < 0.85 => amplitude * (phase / 0.85 - 0.5),
            Self::RrLyrae(.., amplitude) => amplitude * (0.5 - (phase - 0.85) / 0.15),
            Self::Sine(.., amplitude) => 0.5 * amplitude * (std::f64::consts::TAU * phase).sin(),
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
        for (v, period) in [(Variable::RrLyrae(0.6, 0.3, 1.0), 0.6), (Variable::Sine(100.0, 0.7, 0.4), 100.0)] {
            assert!((v.at(60_000.1) - v.at(60_000.1 + 7.0 * period)).abs() < 1e-6);
            assert!(mean(v, period).abs() < 1e-4, "{}", mean(v, period));
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
}
