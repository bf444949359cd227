//! Distances and growth.
//!
//! # Effect
//! How far away a redshift is, and how much weaker structure was then.
//! # Formula
//! chi(z) = c / H0 integral_0^z dz / E; E^2 = Om (1+z)^3 + Or (1+z)^4 + 1 - Om - Or; D(a) ~ E integral_0^a da / (a E)^3, D(1) = 1.
//! # Symbols
//! chi comoving distance \[Mpc/h\]; a = 1 / (1+z); Or = 4.184e-5 / h^2 (photons of 2.7255 K and 3.046 massless neutrinos).
//! # Source
//! Peebles 1980, The Large-Scale Structure of the Universe, section 10 (growth with matter and a constant alone).
//! # Limits
//! Flat; redshift 0 to 12. Growth without radiation. Neutrinos without mass.
//! # Twin
//! None.

use super::Cosmology;
use crate::table::along;

/// Velocity of light over the Hubble constant \[Mpc/h\].
pub(super) const HUBBLE_RADIUS: f64 = 2_997.924_58;
/// Highest redshift.
const Z_MAX: f64 = 12.0;
/// Step of the tables in ln(1 + z).
const STEP: f64 = 0.0025;

/// Distances and growth of a universe, tabulated.
#[derive(Debug, Clone)]
pub struct Background {
    /// Its parameters.
    pub cosmology: Cosmology,
    /// chi over ln(1 + z).
    distance: Vec<f64>,
    /// D over ln(1 + z).
    growth: Vec<f64>,
}

impl Background {
    /// Tables for a universe.
    #[must_use]
    pub fn new(cosmology: Cosmology) -> Self {
        let radiation = 4.184e-5 / (cosmology.h * cosmology.h);
        let (om, lambda) = (cosmology.omega_m, 1.0 - cosmology.omega_m - radiation);
        let e = |y: f64| (om * (3.0 * y).exp() + radiation * (4.0 * y).exp() + lambda).sqrt();
        let count = (Z_MAX.ln_1p() / STEP).ceil() as usize + 1;
        // Simpson's rule on each step: dz = exp(y) dy.
        let mut distance = vec![0.0];
        for k in 1..count {
            let y = (k - 1) as f64 * STEP;
            let f = |y: f64| y.exp() / e(y);
            let piece = STEP / 6.0 * (f(y) + 4.0 * f(y + 0.5 * STEP) + f(y + STEP));
            distance.push(distance[k - 1] + HUBBLE_RADIUS * piece);
        }
        // Matter and a constant: from a = exp(-12), where D = a, in steps of ln a.
        let plain = |x: f64| (om * (-3.0 * x).exp() + 1.0 - om).sqrt();
        let f = |x: f64| x.exp() / (x.exp() * plain(x)).powi(3);
        let below = (12.0 / STEP) as usize;
        let mut integral = 0.4 * (-30.0_f64).exp() / om.powf(1.5);
        let mut rising = Vec::with_capacity(below + 1);
        for k in 0..=below {
            let x = (k as f64 - below as f64) * STEP;
            if k > 0 {
                integral += STEP / 6.0 * (f(x - STEP) + 4.0 * f(x - 0.5 * STEP) + f(x));
            }
            rising.push(plain(x) * integral);
        }
        let today = rising[below];
        let growth = (0..count).map(|k| rising[below - k] / today).collect();
        Self { cosmology, distance, growth }
    }
    /// Comoving distance of a redshift \[Mpc/h\].
    #[must_use]
    pub fn distance(&self, z: f64) -> f64 {
        along(&self.distance, z.ln_1p() / STEP)
    }
    /// Redshift at a comoving distance \[Mpc/h\].
    #[must_use]
    pub fn redshift(&self, distance: f64) -> f64 {
        let d = &self.distance;
        let k = d.partition_point(|&v| v <= distance).clamp(1, d.len() - 1);
        let y = STEP * ((k - 1) as f64 + (distance - d[k - 1]) / (d[k] - d[k - 1]));
        y.clamp(0.0, Z_MAX.ln_1p()).exp_m1()
    }
    /// Linear growth since a redshift, 1 today.
    #[must_use]
    pub fn growth(&self, z: f64) -> f64 {
        along(&self.growth, z.ln_1p() / STEP)
    }
    /// Density of matter at a redshift over the critical density then.
    #[must_use]
    pub fn omega_m(&self, z: f64) -> f64 {
        let matter = self.cosmology.omega_m * (1.0 + z).powi(3);
        matter / (matter + 1.0 - self.cosmology.omega_m)
    }
    /// Distance modulus \[mag\].
    #[must_use]
    pub fn modulus(&self, z: f64) -> f64 {
        5.0 * (self.distance(z).max(1e-3) / self.cosmology.h * (1.0 + z) * 1e5).log10()
    }
    /// Angle of a length \[arcsec / kpc\].
    #[must_use]
    pub fn arcsec_per_kpc(&self, z: f64) -> f64 {
        (1e-3 * (1.0 + z) / (self.distance(z).max(1e-3) / self.cosmology.h)).to_degrees() * 3600.0
    }
}
