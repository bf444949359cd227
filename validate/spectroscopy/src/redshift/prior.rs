//! What is expected of a source before its spectrum is looked at.
//!
//! # Formula
//! Galaxies: p(z | i) ~ z^2 exp(-(z / z0)^1.5), median 0.28 x 10^(0.145 (i - 20)), plus 0.02 exp(-z / (2 median)) in ln(1 + z), times
//! exp(-6 d - 3 d^2), d the magnitudes by
//! which i is brighter than 19.4 + 5.4 lg z (8 lg z beyond 1; M of about -24, -23 in the ultraviolet: the brightest galaxies). Quasars:
//! z^1.5 exp(-(z / 2.2)^2.5). Stars to
//! galaxies: 10^(0.6 - 0.36 (i - 18)); quasars to galaxies: 0.01.
//! # Symbols
//! i AB magnitude of the spectrum near 750 nm, held to 16..25.
//! # Source
//! Form: Benitez 2000 (ApJ 536, 571); numbers assumed, rounded from counts and redshift surveys at high galactic latitude.
//! # Limits
//! One mix for the whole sky: near the Galactic plane stars are more common than this says.

/// Prior of a source.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Prior {
    magnitude: f64,
    z0: f64,
    norm: f64,
    quasar_norm: f64,
    /// ln of the shares of stars, galaxies, quasars.
    pub(crate) ln_class: [f64; 3],
}

impl Prior {
    /// The prior at a magnitude, with the probability of being a point.
    pub(crate) fn new(magnitude: f64, point: Option<f64>, galaxy_z_max: f64, quasar_z_max: f64) -> Self {
        let m = if magnitude.is_finite() { magnitude.clamp(16.0, 25.0) } else { 22.0 };
        let z0 = 0.28 * 10.0_f64.powf(0.145 * (m - 20.0)) / 1.412;
        let stars = 10.0_f64.powf(0.6 - 0.36 * (m - 18.0));
        let p = point.unwrap_or(0.5).clamp(0.02, 0.98);
        let shares = [stars * p, 1.0 - p, 0.01 * p];
        let total: f64 = shares.iter().sum();
        let mut prior = Self { magnitude: m, z0, norm: 1.0, quasar_norm: 1.0, ln_class: shares.map(|s| (s / total).ln()) };
        let sum = |f: &dyn Fn(f64) -> f64, z_max: f64| {
            (0..4000).map(|k| f((z_max.ln_1p()) * (f64::from(k) + 0.5) / 4000.0)).sum::<f64>() * z_max.ln_1p() / 4000.0
        };
        prior.norm = sum(&|x| prior.galaxy_shape(x), galaxy_z_max) / 0.98;
        prior.quasar_norm = sum(&|x| quasar_shape(x), quasar_z_max) / 0.98;
        prior
    }
    fn galaxy_shape(&self, ln1z: f64) -> f64 {
        let z = ln1z.exp_m1().max(0.0);
        z * z * (-(z / self.z0).powf(1.5)).exp() * ln1z.exp()
    }
    /// ln of the density of galaxies per ln(1 + z).
    pub(crate) fn ln_galaxy(&self, ln1z: f64) -> f64 {
        (self.galaxy_shape(ln1z) / self.norm + 0.02 * (-ln1z.exp_m1() / (2.0 * 1.412 * self.z0)).exp() + 1e-6).ln()
            - 6.0 * self.too_bright(ln1z)
            - 3.0 * self.too_bright(ln1z).powi(2)
    }
    /// Magnitudes by which a galaxy there would outshine the brightest known, held at 4.
    fn too_bright(&self, ln1z: f64) -> f64 {
        let lg = ln1z.exp_m1().max(1e-3).log10();
        (19.4 + if lg > 0.0 { 8.0 } else { 5.4 } * lg - self.magnitude).clamp(0.0, 4.0)
    }
    /// ln of the density of quasars per ln(1 + z).
    pub(crate) fn ln_quasar(&self, ln1z: f64) -> f64 {
        (quasar_shape(ln1z) / self.quasar_norm + 0.02).ln()
    }
}

fn quasar_shape(ln1z: f64) -> f64 {
    let z = ln1z.exp_m1().max(0.0);
    z.powf(1.5) * (-(z / 2.2).powf(2.5)).exp() * ln1z.exp()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_densities_integrate_to_about_one() {
        let p = Prior::new(23.0, None, 4.0, 6.0);
        let d = 1e-3;
        let total: f64 = (0..1609).map(|k| p.ln_galaxy(d * (f64::from(k) + 0.5)).exp() * d).sum();
        assert!((total - 0.99).abs() < 0.02, "{total}");
        assert!((p.ln_class.iter().map(|l| l.exp()).sum::<f64>() - 1.0).abs() < 1e-9);
    }
}
