//! How the brightness of a quasar wanders.
//!
//! # Effect
//! A quasar is brighter or fainter than its mean by a few tenths of a magnitude, over months to years.
//! # Formula
//! A damped random walk: normal, covariance (S^2 / 2) exp(-|dt| / tau); S and tau (1 + z)^-1 are 10^(A + B lg(lambda / 400 nm) + C (M_i + 23) + D lg(m / 1e9)),
//! with A, B, C, D = -0.51, -0.479, 0.131, 0.18 for S and 2.4, 0.17, 0.03, 0.21 for tau. Given both ends of an interval of 2 d, its middle is normal with
//! mean r (x_l + x_r) / (1 + r^2) and variance (1 - r^2) / (1 + r^2), r = exp(-d / tau): from two ends 5,700 years apart, halved until 84 s are left.
//! # Symbols
//! S structure function at long lags \[mag\]; tau damping time, observed \[d\]; lambda wavelength at rest; M_i absolute i magnitude at z = 2; m mass of the black hole \[solar\].
//! # Source
//! MacLeod et al. 2010 (ApJ 721, 1014), equation 7 and table 1 (coefficients as in public code, `holodeck`); as remembered, the mass by their relation to M_i: lg m = 2.0 - 0.27 M_i, scatter 0.58 + 0.011 M_i.
//! Bridges: the process is Markov (Uhlenbeck & Ornstein 1930, Phys. Rev. 36, 823).
//! # Limits
//! One curve for all wavelengths, with the amplitude at the reference band: real ones are bluer when they are brighter. Dates as far as 2,870 years from J2000.
//! Within 84 s straight. No flares, no jets.
//! # Twin
//! None.

use crate::dates::J2000_MJD;
use sim_core::noise::normal_of_word;
use sim_core::stream::StreamKey;

/// Half the length of the curve about J2000 \[d\]: a power of two.
const REACH_D: f64 = 1_048_576.0;
/// Halvings: from 2^21 d to 2^-10 d.
const HALVINGS: u32 = 31;

/// lg of the mass of a black hole \[solar\] for the absolute magnitude of its quasar and a standard normal number.
#[must_use]
pub fn lg_mass(absolute_i: f64, normal: f64) -> f64 {
    2.0 - 0.27 * absolute_i + (0.58 + 0.011 * absolute_i).max(0.1) * normal
}

/// The law of a curve.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Wander {
    /// Structure function at long lags \[mag\].
    pub structure_mag: f64,
    /// Damping time, as observed \[d\].
    pub tau_d: f64,
}

impl Wander {
    /// Of a quasar seen at an observed wavelength \[nm\].
    #[must_use]
    pub fn of(observed_nm: f64, redshift: f64, absolute_i: f64, lg_mass: f64) -> Self {
        let lg_wavelength = (observed_nm / (1.0 + redshift) / 400.0).log10();
        let law = |a: f64, b: f64, c: f64, d: f64| 10.0_f64.powf(a + b * lg_wavelength + c * (absolute_i + 23.0) + d * (lg_mass - 9.0));
        Self { structure_mag: law(-0.51, -0.479, 0.131, 0.18), tau_d: (1.0 + redshift) * law(2.4, 0.17, 0.03, 0.21) }
    }

    /// Magnitudes above the mean at a date; `key` is the object's.
    #[must_use]
    pub fn at(&self, key: StreamKey, mjd: f64) -> f64 {
        let normal = |node: u64| f64::from(normal_of_word(key.stream(node).word(0)));
        // The ends are 2^21 d apart: thousands of damping times, independent to the last bit.
        let (mut left, mut right) = (normal(0), normal(u64::MAX));
        let place = ((mjd - J2000_MJD + REACH_D) / (2.0 * REACH_D)).clamp(0.0, 1.0);
        let (mut low, mut width, mut node) = (0.0, 1.0, 1_u64);
        for _ in 0..HALVINGS {
            width *= 0.5;
            let steps = 2.0 * REACH_D * width / self.tau_d;
            let (r, rest) = ((-steps).exp(), -(-2.0 * steps).exp_m1());
            let scale = 1.0 + r * r;
            let middle = r * (left + right) / scale + (rest / scale).sqrt() * normal(node);
            node *= 2;
            if place < low + width {
                right = middle;
            } else {
                (left, low) = (middle, low + width);
                node += 1;
            }
        }
        let value = left + (right - left) * (place - low) / width;
        std::f64::consts::FRAC_1_SQRT_2 * self.structure_mag * value
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn amplitude_and_time_are_those_of_the_published_fit() {
        // By hand at 400 nm, M_i = -23, 1e9 solar masses: 10^-0.51 = 0.309 mag and 10^2.4 = 251 d at rest.
        let w = Wander::of(800.0, 1.0, -23.0, 9.0);
        assert!((w.structure_mag - 0.309_03).abs() < 1e-4 && (w.tau_d - 502.377).abs() < 0.01, "{w:?}");
        // Bright, blue: weaker with luminosity, stronger at short wavelengths.
        assert!(Wander::of(800.0, 1.0, -27.0, 9.0).structure_mag < w.structure_mag);
        assert!(Wander::of(500.0, 1.0, -23.0, 9.0).structure_mag > w.structure_mag);
        assert!((lg_mass(-27.0, 0.0) - 9.29).abs() < 1e-12);
    }

    #[test]
    fn the_structure_function_is_that_of_a_damped_walk_at_every_lag() {
        let law = Wander { structure_mag: 0.3, tau_d: 200.0 };
        let n = 6000_u64;
        for (start, lag) in [(60_000.0, 0.5), (61_000.25, 20.0), (51_544.5 - 3.0, 6.0), (58_849.0, 200.0), (70_000.0, 3000.0)] {
            let mut square = 0.0;
            let mut sums = (0.0, 0.0);
            for object in 0..n {
                let key = StreamKey::new(11).with(object);
                let (a, b) = (law.at(key, start), law.at(key, start + lag));
                square += (b - a).powi(2);
                sums = (sums.0 + a, sums.1 + a * a);
            }
            let expected = 0.09 * (1.0 - (-lag / 200.0_f64).exp());
            // A mean of n squares of normals: relative error sqrt(2 / n) = 1.8 %; four of them.
            assert!((square / n as f64 / expected - 1.0).abs() < 0.073, "lag {lag}: {} against {expected}", square / n as f64);
            // Stationary: mean 0 +- 0.212 / sqrt(n), variance 0.045.
            assert!((sums.0 / n as f64).abs() < 4.0 * 0.2122 / (n as f64).sqrt());
            assert!((sums.1 / n as f64 / 0.045 - 1.0).abs() < 0.073);
        }
    }

    #[test]
    fn the_same_date_gives_the_same_brightness_whatever_was_asked_before_and_the_curve_is_continuous() {
        let law = Wander { structure_mag: 0.3, tau_d: 300.0 };
        let key = StreamKey::new(1).with(5);
        let dates: Vec<f64> = (0..400).map(|k| 60_000.0 + 0.37 * f64::from(k)).collect();
        let forward: Vec<f64> = dates.iter().map(|&d| law.at(key, d)).collect();
        let mut backward: Vec<f64> = dates.iter().rev().map(|&d| law.at(key, d)).collect();
        backward.reverse();
        assert_eq!(forward, backward);
        // 0.37 d: rms step 0.3 sqrt(0.37 / 300) = 0.0105; six of them.
        assert!(forward.windows(2).all(|w| (w[1] - w[0]).abs() < 0.063));
        // Inside a leaf of 84 s the curve is straight: a second changes it by less than its rms of a minute.
        assert!((law.at(key, 60_000.0) - law.at(key, 60_000.0 + 1.0 / 86_400.0)).abs() < 1e-3);
    }
}
