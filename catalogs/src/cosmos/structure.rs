//! One realisation of the structure of a universe.
//!
//! # Effect
//! Galaxies cluster and light is bent by the same structure, the same at a place whoever asks.
//! # Formula
//! Density of galaxies in shell s: n_s exp(g_s - var / 2), g_s = sum over levels and centres of sqrt(w_sj) a_si kappa_j; convergence
//! and shear of a source at chi: sum over shells in front of the efficiency times sum sqrt(v_sj) a_si (kappa_j, gamma_j).
//! # Symbols
//! a_si normal number of centre i in shell s, keyed by seed, order and cell; w, v variances of the levels; see `kernel.rs`, `amplitudes.rs`.
//! # Source
//! Galaxies on a lognormal field and shear of the Gaussian field in shells: as Xavier, Abdalla & Joachimi 2016 (MNRAS 459, 3693) do on
//! full-sky maps; the local construction is ours. Bias b = 0.95 / D(z): LSST DESC Science Requirements (arXiv:1809.01669), section D1.1.
//! # Limits
//! Born approximation, no displacement. Galaxies are lognormal, the convergence is normal with the power of non-linear matter: its
//! skewness is missing, and on scales where galaxies are non-linear their correlation with the shear is below that of their bias.
//! One bias for all galaxies of a shell. Shells are independent.
//! # Twin
//! None.

use super::amplitudes::{Fitter, Variances};
use super::kernel::{LEVEL_COUNT, Level};
use super::patch::Patch;
use super::shells::{SHELLS, Shells};
use super::{Background, Cosmology, Matter};
use sim_core::stream::StreamKey;

/// A realisation; patches of it are made on demand.
#[derive(Debug, Clone)]
pub struct Structure {
    /// Distances and growth.
    pub background: Background,
    /// Shells.
    pub shells: Shells,
    pub(super) fitter: Fitter,
    pub(super) key: StreamKey,
    pub(super) variances: Vec<Variances>,
    /// Half the variance of the galaxies' field, by shell.
    pub(super) half_variance: Vec<f64>,
}

/// Bias of galaxies at a redshift.
#[must_use]
pub fn bias(background: &Background, z: f64) -> f64 {
    0.95 / background.growth(z)
}

impl Structure {
    /// The structure of a universe for a seed.
    #[must_use]
    pub fn new(cosmology: Cosmology, seed: u64) -> Self {
        let background = Background::new(cosmology);
        let matter = Matter::new(&background);
        let shells = Shells::new(&background);
        let fitter = Fitter::new(Level::all());
        let variances: Vec<Variances> = (0..SHELLS)
            .map(|s| fitter.fit(&shells.matter_power(s, &matter, fitter.multipoles()), bias(&background, shells.z[s])))
            .collect();
        let half_variance = variances.iter().map(|v| 0.5 * v.galaxies.iter().sum::<f64>()).collect();
        let key = StreamKey::new(seed).with_name("structure");
        Self { background, shells, fitter, key, variances, half_variance }
    }
    /// The patch in which a position lies (ra, dec) \[deg\]: its number.
    #[must_use]
    pub fn patch_number(ra_deg: f64, dec_deg: f64) -> u64 {
        cdshealpix::nested::hash(super::patch::ORDER, ra_deg.to_radians(), dec_deg.to_radians())
    }
    /// A patch by its number.
    #[must_use]
    pub fn patch(&self, number: u64) -> Patch {
        Patch::new(self, number)
    }
    /// Two-point function of all galaxies with counts by shell, at several angles \[rad\], as this structure has it.
    #[must_use]
    pub fn galaxy_correlations(&self, counts: &[f64], angles_rad: &[f64]) -> Vec<f64> {
        let total: f64 = counts.iter().sum();
        let of = |angle: f64| {
            let one = |(n, v): (&f64, &Variances)| (n / total).powi(2) * self.fitter.correlation(&v.galaxies, angle).exp_m1();
            counts.iter().zip(&self.variances).map(one).sum()
        };
        angles_rad.iter().map(|&a| of(a)).collect()
    }
    /// Power of the mean convergence of sources (distance \[Mpc/h\], weight) at several multipoles, as this structure has it.
    #[must_use]
    pub fn convergence_power(&self, sources: &[(f64, f64)], multipoles: &[f64]) -> Vec<f64> {
        let omega_m = self.background.cosmology.omega_m;
        let total: f64 = sources.iter().map(|s| s.1).sum();
        let mut variances = [0.0; LEVEL_COUNT];
        for (s, v) in self.variances.iter().enumerate() {
            let weight: f64 = sources.iter().map(|(chi, w)| w / total * self.shells.efficiency(s, omega_m, *chi)).sum();
            for (sum, one) in variances.iter_mut().zip(&v.matter) {
                *sum += weight * weight * one;
            }
        }
        multipoles.iter().map(|&l| self.fitter.power(&variances, l)).collect()
    }
}
