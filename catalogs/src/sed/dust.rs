//! Dust of star-forming galaxies.
//!
//! # Effect
//! Dust within a galaxy dims and reddens its light.
//! # Formula
//! T = 10^(-0.4 k E_s); k = 2.659 (-2.156 + 1.509 / l - 0.198 / l^2 + 0.011 / l^3) + 4.05 for 0.12 <= l < 0.63, 2.659 (-1.857 + 1.040 / l) + 4.05
//! for 0.63 <= l < 2.2; E_s = 0.44 E(B-V) of the gas.
//! # Symbols
//! l wavelength at rest \[um\]; E_s colour excess of the stars' light \[mag\].
//! # Source
//! Calzetti et al. 2000 (ApJ 533, 682), equations 2 to 4.
//! # Limits
//! Below 120 nm held straight on with the slope there; beyond 2200 nm never below 0.
//! # Twin
//! None.

/// Colour excess of the stars' light over that of the gas.
pub(super) const STARS_OVER_GAS: f64 = 0.44;

/// k(lambda) at a wavelength at rest \[nm\].
pub(super) fn calzetti(wavelength_nm: f64) -> f64 {
    let x = |l: f64| 1.0 / l;
    let short = |x: f64| 2.659 * (-2.156 + 1.509 * x - 0.198 * x * x + 0.011 * x * x * x) + 4.05;
    let l = 1e-3 * wavelength_nm;
    if l < 0.12 {
        let (at, before) = (short(x(0.12)), short(x(0.122)));
        at + (at - before) / (x(0.12) - x(0.122)) * (x(l) - x(0.12))
    } else if l < 0.63 {
        short(x(l))
    } else {
        (2.659 * (-1.857 + 1.040 * x(l)) + 4.05).max(0.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_curve_is_r_v_in_the_visual_and_steep_in_the_ultraviolet() {
        // Calzetti et al. 2000: R_V = 4.05 at V (550 nm) by construction; k(B) - k(V) = 1; k(150 nm) = 10.33 by hand.
        assert!((calzetti(550.0) - 4.05).abs() < 0.02, "{}", calzetti(550.0));
        assert!((calzetti(440.0) - calzetti(550.0) - 1.0).abs() < 0.05);
        assert!((calzetti(150.0) - 10.33).abs() < 0.02, "{}", calzetti(150.0));
        assert!((calzetti(629.99) - calzetti(630.01)).abs() < 0.05 && calzetti(119.0) > calzetti(121.0));
    }
}
