//! The Universe behind the synthetic field: distances, the power of matter, and one realisation of its structure that can be asked
//! for at any place of the sky alone.
//!
//! [`Background`] has distances and growth, [`Matter`] the power spectrum, [`shells`] what it gives on the sky, and
//! [`Structure`] the realisation: densities of galaxies and weak lensing from the same random numbers.

mod amplitudes;
mod background;
mod kernel;
mod patch;
mod power;
pub mod shells;
mod smooth;
mod structure;

#[cfg(test)]
mod tests;

pub use background::Background;
pub use kernel::{LEVELS, Level};
pub use patch::{Patch, Sheared};
pub use power::Matter;
pub use shells::SHELLS;
pub use smooth::crowded;
pub use structure::{Structure, bias as galaxy_bias};

use serde::{Deserialize, Serialize};

/// Parameters of a flat universe of matter, radiation and a cosmological constant.
///
/// Defaults: Planck 2018 results VI (A&A 641, A6), table 2, last column (TT,TE,EE+lowE+lensing+BAO); baryons from their
/// `omega_b h^2` = 0.02242 with h = 0.6766.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Cosmology {
    /// Hubble constant \[100 km / s / Mpc\], 0.4 to 1.
    pub h: f64,
    /// Density of all matter today, 0.1 to 0.6.
    pub omega_m: f64,
    /// Density of baryons today, 0.01 to half that of matter.
    pub omega_b: f64,
    /// Linear rms of the density today in spheres of 8 Mpc/h, 0.3 to 1.5.
    pub sigma_8: f64,
    /// Slope of the primordial power, 0.8 to 1.2.
    pub n_s: f64,
}

impl Default for Cosmology {
    fn default() -> Self {
        Self { h: 0.6766, omega_m: 0.3111, omega_b: 0.048_975, sigma_8: 0.8102, n_s: 0.9665 }
    }
}

impl Cosmology {
    /// The first parameter outside its range: (key, value, range).
    #[must_use]
    pub fn fault(&self) -> Option<(&'static str, f64, &'static str)> {
        let half = 0.5 * self.omega_m;
        [
            ("cosmology.h", self.h, 0.4, 1.0, "0.4..1"),
            ("cosmology.omega_m", self.omega_m, 0.1, 0.6, "0.1..0.6"),
            ("cosmology.omega_b", self.omega_b, 0.01, half, "0.01..omega_m / 2"),
            ("cosmology.sigma_8", self.sigma_8, 0.3, 1.5, "0.3..1.5"),
            ("cosmology.n_s", self.n_s, 0.8, 1.2, "0.8..1.2"),
        ]
        .into_iter()
        .find(|(_, value, low, high, _)| !(value >= low && value <= high))
        .map(|(key, value, _, _, range)| (key, value, range))
    }
}
