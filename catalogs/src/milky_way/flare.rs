//! Flares of M dwarfs.
//!
//! # Effect
//! Some cool dwarfs are brighter for minutes to hours, most of all in the ultraviolet.
//! # Formula
//! An active star has 0.38 flares a day with an equivalent duration D above 1 s, as many above D as D^-1.01, to 1e5 s; one that is not active a thirtieth. With t = (time - peak) / w,
//! w = 180 s (D / 2 s)^(1/3), light over that of the star in G: a (1 + 1.941 t - 0.175 t^2 - 2.246 t^3 - 1.125 t^4) from t = -1 to 0, then a (0.689 exp(-1.6 t) + 0.303
//! exp(-0.2783 t)); a = D / (1.827 w), for the integral to be D. Its spectrum is a black body of 10,000 K.
//! # Symbols
//! D the flare's light over the star's, integrated \[s\]; w full width at half maximum.
//! # Source
//! Shape: Davenport et al. 2014 (ApJ 797, 122). Rate: GJ 1243, 18 a day above 1e29 erg at a quiet 10^30.67 erg / s (Hawley et al. 2014, ApJ 797, 121). Widths: E^0.39 of Maehara et
//! al. 2015 as a cube root. Temperature: Hawley & Fisher 1992 (ApJS 78, 565). Active part of the thin disk by type, M0 to M8: 2, 5 (M2), 10, 25, 45, 65, 75, 90 % (West et al. 2008, AJ 135,
//! 785). All as remembered; a thirtieth, and none of the thick disk, halo and bulge active: assumed. The Kepler band is taken for Gaia G.
//! # Limits
//! Light of the moment asked for, not of an exposure. Companions have none. No Balmer jump or lines in the flare; flares come at random, without trains.
//! # Twin
//! None.

use super::{Kind, Population, Star};
use crate::draw::Draw;
use crate::table::held;
use sim_core::stream::StreamKey;

/// Temperature of the light \[K\].
pub const FLARE_K: f64 = 10_000.0;
/// Hottest star with flares \[K\].
const HOTTEST_K: f64 = 3900.0;
/// Flares a day of an active star above the least equivalent duration.
const DAILY: f64 = 0.38;
const INACTIVE: f64 = 1.0 / 30.0;
/// Equivalent durations \[s\] and the power of their cumulative number.
const DURATIONS_S: (f64, f64) = (1.0, 1e5);
const POWER: f64 = -1.01;
/// Active part by temperature \[K\].
const ACTIVE: ([f64; 8], [f64; 8]) =
    ([2570.0, 2680.0, 2810.0, 3060.0, 3210.0, 3430.0, 3560.0, 3850.0], [0.9, 0.75, 0.65, 0.45, 0.25, 0.1, 0.05, 0.02]);
/// Widths after which a flare has gone: 0.303 exp(-0.2783 x 25) is 3e-4 of the peak.
const GONE: f64 = 25.0;
/// Days in which a flare that is still seen can have begun: 25 widths of the longest are 1.9 d.
const DAYS_BACK: i64 = 3;

/// How often a star flares.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Flares {
    /// Flares a day.
    pub daily: f64,
}

/// Light of a flare over its peak, widths after the peak.
fn shape(t: f64) -> f64 {
    match t {
        t if t < -1.0 => 0.0,
        t if t < 0.0 => 1.0 + t * (1.941 + t * (-0.175 + t * (-2.246 - 1.125 * t))),
        t if t < GONE => 0.689 * (-1.6 * t).exp() + 0.303 * (-0.2783 * t).exp(),
        _ => 0.0,
    }
}

impl Flares {
    /// Of a star, if it is cool enough; from draws of its own.
    #[must_use]
    pub fn of(star: &Star, draw: &mut Draw) -> Option<Self> {
        if star.kind != Kind::Dwarf || star.teff_k >= HOTTEST_K {
            return None;
        }
        let active = star.population == Population::ThinDisk && draw.chance(held(&ACTIVE.0, &ACTIVE.1, star.teff_k));
        Some(Self { daily: DAILY * if active { 1.0 } else { INACTIVE } })
    }
    /// Light of all flares over that of the quiet star in G at a date; `key` is the star's.
    #[must_use]
    pub fn at(&self, key: StreamKey, mjd: f64) -> f64 {
        let today = mjd.floor() as i64;
        let mut sum = 0.0;
        // One that peaks tomorrow rises today: a day of 86,400 s is longer than the rise of any.
        for day in today - DAYS_BACK..=today + 1 {
            let key = key.with(day as u64);
            let count = Draw::new(key.stream(u64::MAX)).poisson(self.daily);
            for event in 0..count {
                let mut draw = Draw::new(key.stream(event));
                let peak = day as f64 + draw.uniform();
                let (least, most) = (DURATIONS_S.0.powf(POWER), DURATIONS_S.1.powf(POWER));
                let duration = (least + (most - least) * draw.uniform()).powf(1.0 / POWER);
                let width = 180.0 * (duration / 2.0).cbrt();
                sum += duration / (1.827 * width) * shape((mjd - peak) * 86_400.0 / width);
            }
        }
        sum
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_shape_has_its_integral_and_no_step() {
        let n = 60_000;
        let sum: f64 = (0..n).map(|k| shape(-1.5 + 30.0 * (f64::from(k) + 0.5) / f64::from(n)) * 30.0 / f64::from(n)).sum();
        // 1 - 1.941 / 2 - 0.175 / 3 + 2.246 / 4 - 1.125 / 5 + 0.689 / 1.6 + 0.303 / 0.2783 = 1.827.
        assert!((sum - 1.827).abs() < 0.003, "{sum}");
        assert!((shape(-1e-9) - 1.0).abs() < 1e-6 && (shape(0.0) - 0.992).abs() < 1e-9 && shape(-1.0).abs() < 0.01);
        // Half the peak is crossed one width apart, 0.91 in the published fit.
        let at = |from: f64, to: f64| {
            (0..10_000).map(|k| from + (to - from) * f64::from(k) / 1e4).find(|&t| (shape(t) > 0.5) == (to < 0.0)).unwrap()
        };
        assert!((at(0.0, 2.0) - at(-1.0, -1e-9) - 0.91).abs() < 0.02, "{} {}", at(0.0, 2.0), at(-1.0, -1e-9));
    }

    #[test]
    fn light_in_flares_is_rate_times_mean_duration_and_a_date_has_one_brightness() {
        let flares = Flares { daily: 2.0 };
        let n = 60_000_u64;
        let value = |k: u64| flares.at(StreamKey::new(3).with(k), 60_000.0 + 0.37 * (k % 100) as f64);
        let share = (0..n).filter(|&k| value(k) > 1e-3).count() as f64 / n as f64;
        // A flare of 2 s (a = 0.006) is above 0.001 for 5 widths of 180 s or so: some per cent of the time at two a day, by tens of minutes each.
        assert!((0.01..0.1).contains(&share), "{share}");
        let steady: Vec<f64> = (0..500).map(value).collect();
        assert!(steady.iter().enumerate().rev().all(|(k, v)| *v == value(k as u64)));
        // Mean light: daily x E[D] / 86,400 s with E[D] = 1.01 (1 - 1e5^-0.01) / 0.01 = 10.98 s within the scatter of its few great flares.
        let mean = (0..n).map(value).sum::<f64>() / n as f64;
        let wanted = 2.0 * 10.98 / 86_400.0;
        assert!((0.4..2.5).contains(&(mean / wanted)), "{mean} against {wanted}");
    }
}
