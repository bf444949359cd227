//! Numbers and bias of haloes by mass and redshift.
//!
//! # Effect
//! How many clusters a volume holds, and how much more they cluster than matter.
//! # Formula
//! dn / dln M = f(sigma) rho / M |dln sigma / dln M|; f = A ((sigma / b)^-a + 1) exp(-c / sigma^2); bias
//! 1 - A nu^a / (nu^a + delta^a) + B nu^b + C nu^c, nu = delta / sigma; sigma^2 = integral Delta^2 W^2 dln k.
//! # Symbols
//! M mass within 200 times the mean density of matter \[solar / h\]; sigma rms of the linear density in spheres that hold M on average, W the sphere's
//! transform; delta 1.686; rho mean density of matter 2.775e11 Om \[solar h2 / Mpc3\].
//! # Source
//! Tinker et al. 2008 (ApJ 688, 709), table 2 and equations 3 to 8; bias: Tinker et al. 2010 (ApJ 724, 878), table 2.
//! # Limits
//! 10^13 to 10^16 solar / h; fitted for redshifts to 2.5, held at 3. 5 % by their statement. No massive neutrinos, no baryons.
//! # Twin
//! None.

use crate::cosmos::{Background, Matter};
use crate::table::along;
use std::f64::consts::PI;

/// Critical density today \[solar h2 / Mpc3\].
pub(super) const CRITICAL: f64 = 2.775_366_27e11;
/// Collapse threshold of the bias.
const DELTA: f64 = 1.686;
/// Table of sigma: lg M = 12.5 to 16.5.
const FIRST: f64 = 12.5;
const STEP: f64 = 0.05;
const ROWS: usize = 81;

/// Numbers of haloes of a universe.
#[derive(Debug, Clone)]
pub struct HaloCounts {
    background: Background,
    /// ln sigma today over lg M.
    sigma: Vec<f64>,
}

impl HaloCounts {
    /// Tables for a universe.
    #[must_use]
    pub fn new(background: &Background) -> Self {
        let matter = Matter::new(background);
        let density = CRITICAL * background.cosmology.omega_m;
        // ln k from ln 1e-4 to ln 1e2 \[h/Mpc\] in steps of 0.01: the window's oscillations are seen to k R = 100.
        let step = 0.01;
        let power: Vec<(f64, f64)> = (0..1382)
            .map(|row| {
                let k = (1e-4_f64.ln() + step * f64::from(row)).exp();
                (k, k.powi(3) / (2.0 * PI * PI) * matter.linear(k, 0.0))
            })
            .collect();
        let sigma = (0..ROWS)
            .map(|row| {
                let radius = (0.75 / PI * 10.0_f64.powf(FIRST + STEP * row as f64) / density).cbrt();
                let part = |&(k, delta2): &(f64, f64)| {
                    let x = k * radius;
                    let window = if x < 1e-2 { 1.0 - 0.1 * x * x } else { 3.0 * (x.sin() - x * x.cos()) / x.powi(3) };
                    delta2 * window * window
                };
                0.5 * (step * power.iter().map(part).sum::<f64>()).ln()
            })
            .collect();
        Self { background: background.clone(), sigma }
    }
    fn place(mass: f64) -> f64 {
        (mass.log10() - FIRST) / STEP
    }
    /// Linear rms of the density in spheres that hold a mass \[solar / h\] on average.
    #[must_use]
    pub fn sigma(&self, mass: f64, z: f64) -> f64 {
        along(&self.sigma, Self::place(mass)).exp() * self.background.growth(z)
    }
    /// Haloes per unit of ln mass \[(h / Mpc)^3, comoving\], mass in solar / h.
    #[must_use]
    pub fn per_ln_mass(&self, mass: f64, z: f64) -> f64 {
        let (sigma, now) = (self.sigma(mass, z), z.clamp(0.0, 3.0));
        let place = Self::place(mass);
        // Over 0.2 dex, centred.
        let slope = (along(&self.sigma, place + 2.0) - along(&self.sigma, place - 2.0)) / (4.0 * STEP * std::f64::consts::LN_10);
        let overdensity = 200.0_f64;
        let alpha = 10.0_f64.powf(-(0.75 / (overdensity / 75.0).log10()).powf(1.2));
        let norm = 0.186 * (1.0 + now).powf(-0.14);
        let a = 1.47 * (1.0 + now).powf(-0.06);
        let b = 2.57 * (1.0 + now).powf(-alpha);
        let f = norm * ((sigma / b).powf(-a) + 1.0) * (-1.19 / (sigma * sigma)).exp();
        f * CRITICAL * self.background.cosmology.omega_m / mass * -slope
    }
    /// Linear bias of haloes of a mass \[solar / h\].
    #[must_use]
    pub fn bias(&self, mass: f64, z: f64) -> f64 {
        let nu = DELTA / self.sigma(mass, z);
        let y = 200.0_f64.log10();
        let steep = (-(4.0 / y).powi(4)).exp();
        let (norm, a) = (1.0 + 0.24 * y * steep, 0.44 * y - 0.88);
        let c = 0.019 + 0.107 * y + 0.19 * steep;
        1.0 - norm * nu.powf(a) / (nu.powf(a) + DELTA.powf(a)) + 0.183 * nu.powf(1.5) + c * nu.powf(2.4)
    }
    /// Haloes above a mass \[solar / h\] per deg2 between two redshifts.
    #[must_use]
    pub fn above_deg2(&self, mass: f64, near: f64, far: f64) -> f64 {
        let steps = 200;
        let width = (far - near) / f64::from(steps);
        (0..steps).map(|k| self.per_redshift_deg2(mass, near + width * (f64::from(k) + 0.5)) * width).sum()
    }
    /// Haloes above a mass \[solar / h\] per deg2 and unit of redshift.
    #[must_use]
    pub fn per_redshift_deg2(&self, mass: f64, z: f64) -> f64 {
        let volume = volume_deg2(&self.background, z);
        let (steps, first) = (60, mass.ln());
        let width = (10.0_f64.powf(16.0).ln() - first) / f64::from(steps);
        (0..steps).map(|k| self.per_ln_mass((first + width * (f64::from(k) + 0.5)).exp(), z) * width).sum::<f64>() * volume
    }
}

/// Comoving volume per deg2 and unit of redshift \[(Mpc/h)^3\].
pub(crate) fn volume_deg2(background: &Background, z: f64) -> f64 {
    let chi = background.distance(z);
    let step = 0.005;
    let slope = (background.distance(z + step) - background.distance((z - step).max(0.0))) / (step + z.min(step));
    chi * chi * slope * (PI / 180.0).powi(2)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cosmos::Cosmology;

    fn counts(cosmology: Cosmology) -> HaloCounts {
        HaloCounts::new(&Background::new(cosmology))
    }

    #[test]
    fn a_sphere_of_eight_megaparsec_has_the_sigma_of_the_cosmology() {
        let c = Cosmology::default();
        let mass = 4.0 / 3.0 * PI * 512.0 * CRITICAL * c.omega_m;
        // The table is linear in lg M between nodes of 0.05 dex: the curvature of ln sigma leaves 1e-4.
        assert!((counts(c).sigma(mass, 0.0) / c.sigma_8 - 1.0).abs() < 5e-4);
    }

    #[test]
    fn haloes_are_as_many_as_published_and_massive_ones_are_rare_and_biased() {
        let counts = counts(Cosmology::default());
        // About 5e-5 haloes of 10^14 per (Mpc/h)^3 and e-fold today (Tinker et al. 2008, figure 5: M^2 / rho dn/dM = 10^-1.3 to 10^-1.2).
        let number = counts.per_ln_mass(1e14, 0.0);
        assert!((4e-5..6.5e-5).contains(&number), "{number:e}");
        let (a, b) = (counts.per_ln_mass(1e14, 0.0), counts.per_ln_mass(1e15, 0.0));
        assert!(b < 0.02 * a && counts.per_ln_mass(1e14, 1.0) < 0.4 * a, "{a} {b}");
        // Tinker et al. 2010, figure 1: b = 2 to 2.6 at nu = 2 (10^14 today), 1 near nu = 1.
        let bias = counts.bias(1e14, 0.0);
        assert!((1.8..2.8).contains(&bias) && counts.bias(1e15, 0.0) > 1.7 * bias, "{bias}");
    }

    #[test]
    fn counts_add_up_over_redshift() {
        let counts = counts(Cosmology::default());
        let (near, far) = (counts.above_deg2(1e14, 0.1, 0.6), counts.above_deg2(1e14, 0.6, 1.5));
        let whole = counts.above_deg2(1e14, 0.1, 1.5);
        assert!((whole / (near + far) - 1.0).abs() < 1e-3 && near > 1.0, "{near} {far} {whole}");
    }
}
