//! Spherical shells of matter, and what they give on the sky.
//!
//! # Effect
//! Structure is projected shell by shell; galaxies of a shell follow its density, light from behind it is bent by it.
//! # Formula
//! C_l = 1 / width^2 integral dchi / chi^2 P((l + 1/2) / chi, z); kappa(chi) = 3/2 Om (H0 / c)^2 width sum_s (1 + z_s) chi_s
//! (1 - chi_s / chi) delta_s over shells in front.
//! # Symbols
//! chi comoving distance \[Mpc/h\]; width 187 Mpc/h for 32 shells to redshift 7; delta_s mean overdensity along the shell.
//! # Source
//! LoVerde & Afshordi 2008 (PRD 78, 123506) for l + 1/2; Bartelmann & Schneider 2001 (Phys. Rep. 340, 291), equation 6.16.
//! # Limits
//! Shells are independent of each other and have the power of Limber's approximation, so broad slices of redshift have theirs;
//! slices not wider than a shell have too much at l < chi / width. Each shell bends light at its middle.
//! # Twin
//! None.

use super::background::HUBBLE_RADIUS;
use super::{Background, Matter};

/// Number of shells.
pub const SHELLS: usize = 32;
/// Redshift of the far edge.
pub const FAR_Z: f64 = 7.0;

/// The shells of a universe.
#[derive(Debug, Clone)]
pub struct Shells {
    /// Thickness \[Mpc/h\].
    pub width: f64,
    /// Redshift of the middle of each.
    pub z: Vec<f64>,
}

impl Shells {
    /// Equal shells of comoving distance.
    #[must_use]
    pub fn new(background: &Background) -> Self {
        let width = background.distance(FAR_Z) / SHELLS as f64;
        Self { width, z: (0..SHELLS).map(|s| background.redshift(width * (s as f64 + 0.5))).collect() }
    }
    /// Distance of the middle of a shell \[Mpc/h\].
    #[must_use]
    pub fn middle(&self, shell: usize) -> f64 {
        self.width * (shell as f64 + 0.5)
    }
    /// The shell at a distance \[Mpc/h\], the last beyond all.
    #[must_use]
    pub fn at(&self, distance: f64) -> usize {
        ((distance / self.width).max(0.0) as usize).min(SHELLS - 1)
    }
    /// Redshifts between which a shell lies.
    #[must_use]
    pub fn range(&self, shell: usize, background: &Background) -> (f64, f64) {
        (background.redshift(self.width * shell as f64), background.redshift(self.width * (shell + 1) as f64))
    }
    /// Power of the projected overdensity of matter in a shell at each multipole.
    #[must_use]
    pub fn matter_power(&self, shell: usize, matter: &Matter, multipoles: &[f64]) -> Vec<f64> {
        const PARTS: usize = 6;
        let fit = matter.nonlinear(self.z[shell]);
        let near = self.width * shell as f64;
        multipoles
            .iter()
            .map(|l| {
                let part = |p: usize| {
                    let chi = near + self.width * (p as f64 + 0.5) / PARTS as f64;
                    matter.power((l + 0.5) / chi, &fit) / (chi * chi)
                };
                (0..PARTS).map(part).sum::<f64>() / (PARTS as f64 * self.width)
            })
            .collect()
    }
    /// Convergence per unit overdensity of a shell for sources infinitely far away.
    #[must_use]
    pub fn bending(&self, shell: usize, omega_m: f64) -> f64 {
        1.5 * omega_m / (HUBBLE_RADIUS * HUBBLE_RADIUS) * self.width * self.middle(shell) * (1.0 + self.z[shell])
    }
    /// Convergence per unit overdensity of a shell for a source at a distance \[Mpc/h\].
    #[must_use]
    pub fn efficiency(&self, shell: usize, omega_m: f64, source: f64) -> f64 {
        self.bending(shell, omega_m) * (1.0 - self.middle(shell) / source).max(0.0)
    }
    /// Power of the convergence of sources at a distance: the sum over the shells in front.
    #[must_use]
    pub fn convergence_power(&self, matter: &Matter, omega_m: f64, source: f64, multipoles: &[f64]) -> Vec<f64> {
        let mut total = vec![0.0; multipoles.len()];
        for shell in (0..SHELLS).take_while(|&s| self.middle(s) < source) {
            let weight = self.efficiency(shell, omega_m, source).powi(2);
            for (t, c) in total.iter_mut().zip(self.matter_power(shell, matter, multipoles)) {
                *t += weight * c;
            }
        }
        total
    }
}
