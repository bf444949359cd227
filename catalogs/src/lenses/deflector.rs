//! Deflectors: early-type galaxies by their velocity dispersion.
//!
//! # Effect
//! How many galaxies bend light how strongly, and how they look.
//! # Formula
//! phi(s) = phi* (s / s*)^alpha exp(-(s / s*)^beta) beta / Gamma(alpha / beta) / s, phi* = 8.0e-3 (h / Mpc)^3, s* = 161 km/s, alpha = 2.32, beta = 2.67;
//! theta_E = 4 pi (s / c)^2 D_ls / D_s. M_r: 0.006 M^2 + 0.37 M + 2.97 + lg s = 0, scatter 0.0625; lg R \[kpc\] = 2.46 - 2.79 lg s + 0.84 (lg s)^2, scatter
//! 0.11. Bias over that of galaxies: 1.06 + 0.21 (L / L*)^1.12, L* of M_r = -21.2 (h = 0.7). Axis ratio 1 - Rayleigh(0.378 - 0.000572 s), 0.2 to 1. External shear Rayleigh(0.05).
//! # Symbols
//! s velocity dispersion \[km / s\].
//! # Source
//! Choi, Park & Vogeley 2007 (ApJ 658, 884). Relations of light and size, Hyde & Bernardi 2009 (MNRAS 394, 1978), axis ratios and shear: Collett 2015 (ApJ 811,
//! 20), numbers as in the program LensPop. Bias by luminosity: Zehavi et al. 2011 (ApJ 736, 59), section 3, as remembered; L* of
//! Blanton et al. 2003 (ApJ 592, 819). Brightening with redshift: `clusters/light.rs`.
//! # Limits
//! 100 to 400 km/s; no evolution of phi in comoving density (as Collett 2015); mass follows light; the shear's scale is assumed to be 0.05 where
//! LensPop's paper draws from a distribution of that width; isothermal. The bias is that of all galaxies of a luminosity, of which early types have somewhat more.
//! # Twin
//! None.

use crate::cosmos::Background;
use crate::draw::Draw;

/// Least and greatest velocity dispersion \[km / s\].
pub(super) const RANGE_KM_S: (f64, f64) = (100.0, 400.0);
const LIGHT_KM_S: f64 = 299_792.458;
const SLOPE: f64 = 2.32;
const BEND: f64 = 2.67;
const CHARACTERISTIC_KM_S: f64 = 161.0;
const DENSITY: f64 = 8.0e-3;
/// Absolute magnitude of L* in r, for h = 0.7.
const CHARACTERISTIC_R: f64 = -21.2;
/// Rayleigh scale of the external shear.
const SHEAR: f64 = 0.05;

/// Number of early-type galaxies per velocity dispersion \[(h / Mpc)^3 / (km / s)\].
pub(super) struct DispersionFunction {
    norm: f64,
}

impl DispersionFunction {
    pub(super) fn new() -> Self {
        // Gamma(alpha / beta) = beta integral x^(alpha - 1) exp(-x^beta) dx, in ln x.
        let (steps, low, high) = (4000, -16.0_f64, 1.5_f64);
        let width = (high - low) / f64::from(steps);
        let of = |k: i32| {
            let y = low + width * (f64::from(k) + 0.5);
            (SLOPE * y - (BEND * y).exp()).exp() * width
        };
        Self { norm: DENSITY / (0..steps).map(of).sum::<f64>() }
    }
    pub(super) fn at(&self, sigma_km_s: f64) -> f64 {
        let x = sigma_km_s / CHARACTERISTIC_KM_S;
        self.norm * x.powf(SLOPE) * (-x.powf(BEND)).exp() / sigma_km_s
    }
}

/// Einstein radius \[arcsec\] of a dispersion \[km / s\], for comoving distances of lens and source \[Mpc/h\] in a flat universe.
#[must_use]
pub(super) fn einstein_arcsec(sigma_km_s: f64, lens: f64, source: f64) -> f64 {
    let bend = 4.0 * std::f64::consts::PI * (sigma_km_s / LIGHT_KM_S).powi(2);
    bend.to_degrees() * 3600.0 * (1.0 - lens / source).max(0.0)
}

/// A deflector.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Deflector {
    /// Redshift.
    pub redshift: f64,
    /// Velocity dispersion \[km / s\].
    pub sigma_km_s: f64,
    /// Minor over major axis, of mass and light.
    pub axis_ratio: f64,
    /// Direction of the major axis, from east to north \[rad\].
    pub angle_rad: f64,
    /// External shear.
    pub shear: (f64, f64),
}

/// How a deflector looks.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Light {
    /// Absolute magnitude in r at rest, for h = 0.7.
    pub absolute_r: f64,
    /// Half-light radius \[kpc\], for h = 0.7.
    pub radius_kpc: f64,
}

fn rayleigh(draw: &mut Draw) -> f64 {
    (2.0 * draw.exponential()).sqrt()
}

impl Deflector {
    /// Shape and surroundings of a galaxy of a redshift and dispersion.
    pub fn draw(redshift: f64, sigma_km_s: f64, draw: &mut Draw) -> Self {
        let scale = 0.378 - 0.000_572 * sigma_km_s;
        let axis_ratio = loop {
            let q = 1.0 - scale * rayleigh(draw);
            if q > 0.2 {
                break q;
            }
        };
        let angle_rad = draw.between(0.0, std::f64::consts::PI);
        let (strength, (s, c)) = ((SHEAR * rayleigh(draw)).min(0.3), draw.between(0.0, std::f64::consts::TAU).sin_cos());
        Self { redshift, sigma_km_s, axis_ratio, angle_rad, shear: (strength * c, strength * s) }
    }
    /// Mean absolute magnitude in r at rest of a galaxy of this dispersion, for h = 0.7.
    fn absolute_r(&self) -> f64 {
        (-0.37 + (0.37_f64.powi(2) - 4.0 * 0.006 * (2.97 + self.sigma_km_s.log10())).sqrt()) / (2.0 * 0.006)
    }
    /// Bias over that of galaxies.
    #[must_use]
    pub fn bias_ratio(&self) -> f64 {
        1.06 + 0.21 * 10.0_f64.powf(-0.4 * 1.12 * (self.absolute_r() - CHARACTERISTIC_R))
    }
    /// Light of a galaxy of this dispersion.
    pub fn light(&self, draw: &mut Draw) -> Light {
        let v = self.sigma_km_s.log10();
        let absolute_r = self.absolute_r() + 0.15 / 2.4 * draw.normal();
        let radius_kpc = 10.0_f64.powf(2.46 - 2.79 * v + 0.84 * v * v + 0.11 * draw.normal());
        Light { absolute_r, radius_kpc }
    }
    /// The lens that it is for a source at a redshift.
    #[must_use]
    pub fn lens(&self, background: &Background, source_redshift: f64) -> super::Sie {
        let (lens, source) = (background.distance(self.redshift), background.distance(source_redshift));
        super::Sie {
            einstein_arcsec: einstein_arcsec(self.sigma_km_s, lens, source),
            axis_ratio: self.axis_ratio,
            angle_rad: self.angle_rad,
            shear: self.shear,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use sim_core::stream::StreamKey;

    #[test]
    fn the_function_has_the_published_total() {
        let function = DispersionFunction::new();
        let all: f64 = (0..6000).map(|k| 0.1 * function.at(0.1 * (f64::from(k) + 0.5))).sum();
        assert!((all / DENSITY - 1.0).abs() < 1e-3, "{all}");
    }

    #[test]
    fn a_galaxy_of_220_km_s_has_a_ring_of_an_arcsecond_and_the_light_of_a_giant() {
        // 4 pi (220 / 299792)^2 = 6.767e-6 rad = 1.396 arcsec, times D_ls / D_s.
        assert!((einstein_arcsec(220.0, 1000.0, 3000.0) - 1.396 * 2.0 / 3.0).abs() < 1e-3);
        assert_eq!(einstein_arcsec(220.0, 3000.0, 1000.0), 0.0);
        let galaxies: Vec<(Deflector, Light)> = (0..500)
            .map(|k| {
                let mut draw = Draw::new(StreamKey::new(9).stream(k));
                let d = Deflector::draw(0.5, 220.0, &mut draw);
                (d, d.light(&mut draw))
            })
            .collect();
        let mean = galaxies.iter().map(|g| g.1.absolute_r).sum::<f64>() / 500.0;
        // Hyde & Bernardi 2009, figure 1: M_r near -22.3 at lg s = 2.34; radius near 5.5 kpc.
        assert!((-22.9..-21.9).contains(&mean), "{mean}");
        let radius = galaxies.iter().map(|g| g.1.radius_kpc).sum::<f64>() / 500.0;
        assert!((3.5..8.5).contains(&radius), "{radius}");
        // Its mean M_r is -22.75: 4.17 L*, 1.06 + 0.21 x 4.95; luminous red galaxies have 1.9 to 2.2.
        assert!((galaxies[0].0.bias_ratio() - 2.10).abs() < 0.01, "{}", galaxies[0].0.bias_ratio());
        assert!(galaxies.iter().all(|g| g.0.axis_ratio > 0.2 && g.0.axis_ratio < 1.0 && g.0.shear.0.hypot(g.0.shear.1) <= 0.3 + 1e-12));
        let shear = galaxies.iter().map(|g| g.0.shear.0.powi(2)).sum::<f64>() / 500.0;
        // Each component is normal of 0.05: the variance is known to sqrt(2 / 500) = 6 %; five of it.
        assert!((shear / 0.0025 - 1.0).abs() < 0.32, "{shear}");
    }
}
