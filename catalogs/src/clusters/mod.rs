//! Clusters of galaxies: how many haloes there are, how matter lies in them, and the light of their galaxies and between them.
//!
//! [`HaloCounts`] has numbers and bias, [`Halo`] one halo's matter and its lensing, [`light`] its galaxies and the light between
//! them. `synthetic/clusters.rs` draws from these.

pub mod light;
mod mass_function;
mod nfw;

pub use mass_function::HaloCounts;
pub(crate) use mass_function::volume_deg2;
pub use nfw::{Halo, concentration, nfw_mean_convergence, nfw_surface_density};
