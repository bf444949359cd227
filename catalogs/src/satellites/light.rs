//! Sunlight on satellites.
//!
//! # Effect
//! A satellite shines while it sees the Sun past the Earth, by its distance and by how much of its lit side is seen.
//! # Formula
//! Lit while the angle between Earth and Sun, seen from it, is above `asin(R / r)`. `m = m1 + 5 lg(d / 1000 km) - 2.5 lg(F(phase) / F(90 deg))`,
//! `F = (sin phase + (pi - phase) cos phase) / pi`: a diffuse sphere
//! # Symbols
//! R equatorial radius of the Earth, r distance from its centre; d from the telescope; m1 magnitude at 1000 km and a phase of 90 deg
//! # Source
//! Diffuse sphere: Hejduk 2011 (AMOS conference, "Specular and diffuse components in spherical satellite photometric modeling"); Lambert's law, any textbook
//! # Limits
//! The Sun is a point: dusk lasts 8 s at 550 km and is a step here. No air: refraction and reddening at the edge of the shadow (Mallama 2021,
//! arXiv:2112.08966) are left out. No earthshine, no mirrors: flat panels flash, and models of this kind leave 0.6 mag.
//! # Twin
//! None.

use crate::direction::{Vector, dot};
use crate::moving::angle;
use std::f64::consts::{FRAC_PI_2, PI};

/// Equatorial radius of the Earth \[km\], IERS Conventions 2010.
pub const EARTH_KM: f64 = 6378.1366;

/// Whether a satellite sees the Sun: places from the centre of the Earth.
#[must_use]
pub fn lit(satellite_km: &[f64; 3], sun_km: &[f64; 3]) -> bool {
    let r = satellite_km.iter().map(|x| x * x).sum::<f64>().sqrt();
    let to_sun: Vector = std::array::from_fn(|k| sun_km[k] - satellite_km[k]);
    let down = satellite_km.map(|x| -x);
    r > EARTH_KM && angle(&down, &to_sun) > (EARTH_KM / r).asin()
}

/// Whether the Earth is in front of what lies so far from an observer \[km\]; an observer at its centre sees everything.
#[must_use]
pub fn hidden(observer_km: &[f64; 3], from_observer_km: &[f64; 3]) -> bool {
    let (r2, d2) = (dot(observer_km, observer_km), dot(from_observer_km, from_observer_km));
    let along = dot(observer_km, from_observer_km);
    if r2 <= EARTH_KM * EARTH_KM || along >= 0.0 {
        return false;
    }
    // The nearest point of the line to the centre, and whether it is reached.
    r2 - along * along / d2 < EARTH_KM * EARTH_KM && -along / d2.sqrt() < d2.sqrt()
}

/// What a diffuse sphere shows of its light.
#[must_use]
pub fn diffuse(phase: f64) -> f64 {
    (phase.sin() + (PI - phase) * phase.cos()) / PI
}

/// Apparent magnitude at a distance \[km\] and a phase \[rad\].
#[must_use]
pub fn apparent(standard: f64, distance_km: f64, phase: f64) -> f64 {
    standard + 5.0 * (distance_km / 1000.0).log10() - 2.5 * (diffuse(phase).max(1e-12) / diffuse(FRAC_PI_2)).log10()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_shadow_is_a_cylinder_as_wide_as_the_earth() {
        let sun = [1.496e8, 0.0, 0.0];
        for (x, y, sees) in
            [(7000.0, 0.0, true), (-7000.0, 0.0, false), (-7000.0, 6300.0, false), (-7000.0, 6450.0, true), (0.0, 7000.0, true)]
        {
            assert_eq!(lit(&[x, y, 0.0], &sun), sees, "({x}, {y})");
        }
        // A circle of 6928 km is dark for asin(6378.1 / 6928.1) / 180 deg of its turn: 0.3723 (rays diverge by 4e-5 rad).
        let dark = (0..100_000)
            .filter(|k| {
                let (s, c) = (f64::from(*k) * 2.0 * PI / 1e5).sin_cos();
                !lit(&[6928.1366 * c, 6928.1366 * s, 0.0], &sun)
            })
            .count() as f64
            / 1e5;
        let exact = (6378.1366_f64 / 6928.1366).asin() / PI;
        assert!((dark - exact).abs() < 5e-5, "{dark} against {exact}");
    }

    #[test]
    fn the_earth_hides_what_is_behind_it() {
        let observer = [6778.0, 0.0, 0.0];
        for (from, hides) in [
            ([-15_000.0, 0.0, 0.0], true),
            ([-200.0, 0.0, 0.0], false),
            ([500.0, 0.0, 0.0], false),
            ([-1000.0, 5000.0, 0.0], false),
            ([-7000.0, 3000.0, 0.0], true),
        ] {
            assert_eq!(hidden(&observer, &from), hides, "{from:?}");
        }
        assert!(!hidden(&[0.0; 3], &[7000.0, 0.0, 0.0]));
    }

    #[test]
    fn brightness_falls_with_distance_and_phase() {
        assert!((apparent(7.0, 1000.0, FRAC_PI_2) - 7.0).abs() < 1e-12);
        assert!((apparent(7.0, 500.0, FRAC_PI_2) - 7.0 + 5.0 * 2.0_f64.log10()).abs() < 1e-12);
        // Full: pi times as much as at 90 deg, 1.243 mag.
        assert!((apparent(7.0, 1000.0, 0.0) - 7.0 + 2.5 * PI.log10()).abs() < 1e-12);
        assert!(apparent(7.0, 1000.0, 3.0) > 12.0);
        // The standard magnitude of starlink_gen1: 5.5 overhead at 550 km and 72 deg.
        let overhead = apparent(7.3, 550.0, 72.0_f64.to_radians());
        assert!((overhead - 5.5).abs() < 0.06, "{overhead}");
    }
}
