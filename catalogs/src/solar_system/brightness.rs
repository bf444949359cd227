//! How bright a body of the solar system is.
//!
//! # Effect
//! Sunlight falls with the squares of both distances and with the phase: small angles show the opposition surge.
//! # Formula
//! `V = H + 5 lg(r d) - 2.5 lg((1 - G) P1 + G P2)`, `Pk = exp(-Ak tan(phase / 2)^Bk)`, A = 3.33, 1.87, B = 0.63, 1.22
//! # Symbols
//! H absolute magnitude, G slope parameter; r, d distances from Sun and observer \[au\]
//! # Source
//! Bowell et al. 1989 (Asteroids II, University of Arizona Press, 524), the form that the IAU adopted in 1985
//! # Limits
//! Phases to 120 deg; beyond, the law goes on and is a guess. No rotation: light curves have 0.1 to 0.3 mag.
//! # Twin
//! None.

/// Apparent V of H and G at distances \[au\] from the Sun and the observer and a phase \[rad\].
#[must_use]
pub fn apparent(h: f64, g: f64, sun_au: f64, observer_au: f64, phase: f64) -> f64 {
    let t = (0.5 * phase).tan().abs();
    let part = |a: f64, b: f64| (-a * t.powf(b)).exp();
    h + 5.0 * (sun_au * observer_au).log10() - 2.5 * ((1.0 - g) * part(3.33, 0.63) + g * part(1.87, 1.22)).log10()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn at_one_au_and_opposition_a_body_shows_its_absolute_magnitude_and_fades_with_phase() {
        assert_eq!(apparent(15.0, 0.15, 1.0, 1.0, 0.0), 15.0);
        assert!((apparent(15.0, 0.15, 2.5, 1.5, 0.0) - 15.0 - 5.0 * 3.75_f64.log10()).abs() < 1e-12);
        // tan 10 deg = 0.17633: P1 = exp(-3.33 x 0.33513) = 0.32757, P2 = exp(-1.87 x 0.12036) = 0.79847; 0.39821 is 1.000 mag.
        assert!((apparent(0.0, 0.15, 1.0, 1.0, 20.0_f64.to_radians()) - 1.000).abs() < 2e-3);
        let fades = (0..12).map(|k| apparent(0.0, 0.15, 1.0, 1.0, f64::from(k) * 0.2)).collect::<Vec<_>>();
        assert!(fades.windows(2).all(|w| w[1] > w[0]));
        // From behind there is no light.
        assert!(apparent(0.0, 0.15, 1.0, 1.0, std::f64::consts::PI) > 1e3);
    }
}
