//! The matter of a halo: where its galaxies are, how fast they move, how it bends light.
//!
//! # Effect
//! A cluster has a radius, a concentration, a velocity dispersion, a convergence and a shear.
//! # Formula
//! rho ~ 1 / (x (1 + x)^2), x = r / r_s, out to R; M(<r) ~ m(x) = ln(1 + x) - x / (1 + x); R comoving from M = 800 pi / 3 rho_m R^3;
//! concentration 10.14 (M / 2e12)^-0.081 (1 + z)^-1.01; one-dimensional dispersion 1082.9 km/s (E(z) M_c / 1e15)^0.3361. Projected on the sky, of the
//! profile without an end: kappa = 2 k_s F(x), mean convergence within x 4 k_s (ln(x / 2) + A) / x^2, F = (1 - A) / (x^2 - 1), A = arcosh(1 / x) /
//! sqrt(1 - x^2) below and arccos(1 / x) / sqrt(x^2 - 1) above x = 1; gamma_t = mean - kappa; k_s = rho_s r_s / Sigma_crit.
//! # Symbols
//! M mass within 200 times the mean density \[solar / h\]; M_c within 200 times the critical density of the halo's redshift.
//! # Source
//! Navarro, Frenk & White 1997 (ApJ 490, 493). Projection: Wright & Brainerd 2000 (ApJ 534, 34), equations 11 to 16. Concentration: Duffy et al. 2008
//! (MNRAS 390, L64), table 1, full sample, mean density. Dispersion: Evrard et al. 2008 (ApJ 672, 122), table 4.
//! # Limits
//! Spherical; no scatter in concentration; galaxies follow matter and move isotropically at one dispersion. Duffy's simulations have the
//! parameters of WMAP5.
//! # Twin
//! None.

use super::mass_function::CRITICAL;
use crate::cosmos::Background;

/// Velocity of light \[km / s\].
const LIGHT_KM_S: f64 = 299_792.458;

/// Mean concentration of a mass \[solar / h\] at a redshift.
#[must_use]
pub fn concentration(mass: f64, z: f64) -> f64 {
    10.14 * (mass / 2e12).powf(-0.081) * (1.0 + z).powf(-1.01)
}

/// Mass within x scale radii, but for a factor.
fn enclosed(x: f64) -> f64 {
    // The logarithm loses all figures of a small x.
    if x < 1e-3 { x * x * (0.5 - x * (2.0 / 3.0 - 0.75 * x)) } else { x.ln_1p() - x / (1.0 + x) }
}

/// arcosh(1/x) / sqrt(1 - x^2) and its continuation.
fn arc(x: f64) -> f64 {
    let y = (1.0 - x * x).abs();
    if y < 1e-6 {
        1.0 + (1.0 - x) * 2.0 / 3.0
    } else if x < 1.0 {
        ((1.0 + y.sqrt()) / x).ln() / y.sqrt()
    } else {
        (1.0 / x).acos() / y.sqrt()
    }
}

/// Surface density at x projected scale radii, in units of `2 rho_s r_s`.
#[must_use]
pub fn nfw_surface_density(x: f64) -> f64 {
    // Near x = 1 both parts vanish: 1/3 - 2/5 (x - 1) to first order.
    if (x - 1.0).abs() < 1e-4 { 1.0 / 3.0 - 0.4 * (x - 1.0) } else { (1.0 - arc(x)) / (x * x - 1.0) }
}

/// Mean surface density within x projected scale radii, in units of `2 rho_s r_s`.
#[must_use]
pub fn nfw_mean_convergence(x: f64) -> f64 {
    if x < 1e-3 {
        // (ln(2/x) - 1/2) to the order of x^2 ln x.
        return (2.0 / x).ln() - 0.5;
    }
    2.0 * ((0.5 * x).ln() + arc(x)) / (x * x)
}

/// A halo.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Halo {
    /// Mass within 200 times the mean density \[solar / h\].
    pub mass: f64,
    /// Redshift.
    pub redshift: f64,
    /// Radius over scale radius.
    pub concentration: f64,
    /// Radius, comoving \[Mpc/h\].
    pub radius: f64,
    /// Comoving distance \[Mpc/h\].
    pub distance: f64,
    omega_m: f64,
}

impl Halo {
    /// A halo with the mean concentration.
    #[must_use]
    pub fn new(background: &Background, mass: f64, redshift: f64) -> Self {
        let omega_m = background.cosmology.omega_m;
        let density = CRITICAL * omega_m;
        let radius = (mass / (800.0 / 3.0 * std::f64::consts::PI * density)).cbrt();
        let distance = background.distance(redshift);
        Self { mass, redshift, concentration: concentration(mass, redshift), radius, distance, omega_m }
    }
    /// Angle of the radius \[rad\].
    #[must_use]
    pub fn angle(&self) -> f64 {
        self.radius / self.distance
    }
    /// Radius \[in units of the halo's\] within which a share of the mass lies.
    #[must_use]
    pub fn radius_of_share(&self, share: f64) -> f64 {
        let target = share * enclosed(self.concentration);
        let (mut low, mut high) = (0.0, self.concentration);
        for _ in 0..60 {
            let middle = 0.5 * (low + high);
            if enclosed(middle) < target { low = middle } else { high = middle }
        }
        0.5 * (low + high) / self.concentration
    }
    /// Critical density over the mean density of matter, at the halo's redshift.
    fn critical_ratio(&self) -> f64 {
        let matter = self.omega_m * (1.0 + self.redshift).powi(3);
        (matter + 1.0 - self.omega_m) / matter
    }
    /// Mass within 200 times the critical density \[solar / h\].
    #[must_use]
    pub fn critical_mass(&self) -> f64 {
        // enclosed(x) / x^3 falls with x; it is `ratio` times what it is at the halo's own radius.
        let ratio = self.critical_ratio() * enclosed(self.concentration) / self.concentration.powi(3);
        let (mut low, mut high) = (1e-2, self.concentration);
        for _ in 0..60 {
            let middle = 0.5 * (low + high);
            if enclosed(middle) / middle.powi(3) > ratio { low = middle } else { high = middle }
        }
        self.mass * enclosed(low) / enclosed(self.concentration)
    }
    /// One-dimensional velocity dispersion \[km / s\].
    #[must_use]
    pub fn dispersion_km_s(&self) -> f64 {
        let expansion = (self.omega_m * (1.0 + self.redshift).powi(3) + 1.0 - self.omega_m).sqrt();
        1082.9 * (expansion * self.critical_mass() / 1e15).powf(0.3361)
    }
    /// A member's redshift for a velocity along the line of sight \[km / s\].
    #[must_use]
    pub fn shifted(&self, velocity_km_s: f64) -> f64 {
        (1.0 + self.redshift) * (1.0 + velocity_km_s / LIGHT_KM_S) - 1.0
    }
    /// Convergence and tangential shear of a source at a comoving distance \[Mpc/h\], an angle \[rad\] from the centre; nothing in front.
    #[must_use]
    pub fn lensing(&self, source: f64, angle: f64) -> (f64, f64) {
        if source <= self.distance {
            return (0.0, 0.0);
        }
        let scale = self.radius / self.concentration;
        // Comoving: rho_s r_s chi_l (1 - chi_l / chi_s) (1 + z) 4 pi G / c^2, and 4 pi G rho_m / c^2 = 3/2 Om (H0 / c)^2.
        let hubble = 1.0 / 2_997.924_58;
        let characteristic = 200.0 / 3.0 * self.concentration.powi(3) / enclosed(self.concentration);
        let strength = 1.5 * self.omega_m * hubble * hubble * characteristic * scale;
        let k_s = strength * self.distance * (1.0 - self.distance / source) * (1.0 + self.redshift);
        let x = (angle * self.distance / scale).max(1e-4);
        let kappa = 2.0 * k_s * nfw_surface_density(x);
        (kappa, 2.0 * k_s * nfw_mean_convergence(x) - kappa)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cosmos::Cosmology;

    fn halo() -> (Halo, Background) {
        let background = Background::new(Cosmology::default());
        (Halo::new(&background, 5e14, 0.3), background)
    }

    #[test]
    fn the_projection_is_the_line_of_sight_integral_of_the_profile() {
        for x in [0.02, 0.3, 0.999_95, 1.0, 1.7, 9.0] {
            // integral dl 1 / (r (1 + r)^2), l = x sinh t: half of it per side; in units of 2.
            let f = |t: f64| {
                let r = x * t.cosh();
                x * t.cosh() / (r * (1.0 + r).powi(2))
            };
            let steps = 40_000;
            let width = 20.0 / f64::from(steps);
            let sum: f64 = (0..steps).map(|k| f((f64::from(k) + 0.5) * width) * width).sum();
            assert!((sum / nfw_surface_density(x) - 1.0).abs() < 1e-5, "{x}: {sum} {}", nfw_surface_density(x));
        }
    }

    #[test]
    fn the_mean_within_a_circle_is_the_integral_of_the_surface_density() {
        for end in [5e-4, 0.1, 1.0, 6.0_f64] {
            let steps = 20_000;
            let sum: f64 = (0..steps)
                .map(|k| {
                    // In ln x, from 1e-6 of the end.
                    let y = 1e-6_f64.ln() * (1.0 - (f64::from(k) + 0.5) / f64::from(steps));
                    let x = end * y.exp();
                    2.0 * nfw_surface_density(x) * x * x * (-(1e-6_f64.ln()) / f64::from(steps))
                })
                .sum();
            assert!((sum / (end * end) / nfw_mean_convergence(end) - 1.0).abs() < 1e-4, "{end}");
        }
    }

    #[test]
    fn the_convergence_holds_the_mass_of_the_halo() {
        let (halo, background) = halo();
        // M(< cylinder of radius R) = 4 pi rho_s r_s^3 (ln(x/2) + A): with Sigma_crit from c^2 / (4 pi G) by hand, in h = 1 comoving units.
        let source = background.distance(1.0);
        let angle = halo.angle();
        let (kappa, gamma) = halo.lensing(source, angle);
        let mean = kappa + gamma;
        // c^2 / (4 pi G) = 1.6629e18 solar / Mpc.
        let (l, s) = (halo.distance / 1.3, source / 2.0);
        let ls = (source - halo.distance) / 2.0;
        let sigma_crit = 1.6629e18 * s / (l * ls);
        let inside = mean * sigma_crit * std::f64::consts::PI * (halo.radius / 1.3).powi(2);
        let c = halo.concentration;
        let expected = halo.mass * ((0.5 * c).ln() + arc(c)) / enclosed(c);
        assert!((inside / expected - 1.0).abs() < 2e-3, "{inside:e} {expected:e}");
        assert_eq!(halo.lensing(halo.distance, 1e-4), (0.0, 0.0));
    }

    #[test]
    fn shares_radii_and_dispersion_are_those_of_a_rich_cluster() {
        let (halo, _) = halo();
        assert!((halo.radius_of_share(1.0) - 1.0).abs() < 1e-9 && halo.radius_of_share(0.5) < 0.5);
        let half = halo.radius_of_share(0.5);
        assert!((enclosed(half * halo.concentration) / enclosed(halo.concentration) - 0.5).abs() < 1e-9);
        // 5e14 solar / h at z = 0.3: 850 to 950 km/s by Evrard's relation with M_c of 3.5 to 4.2e14.
        assert!((3.2e14..4.5e14).contains(&halo.critical_mass()), "{:e}", halo.critical_mass());
        assert!((750.0..950.0).contains(&halo.dispersion_km_s()), "{}", halo.dispersion_km_s());
    }
}
