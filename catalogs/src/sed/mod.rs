//! Spectra: stars by temperature, gravity and metallicity, galaxies by type, power laws, black bodies.
//!
//! A [`SedLibrary`] is built once and handed around; spectra are shared (`Arc`), so a field of a million objects has
//! a few hundred spectra, and whoever integrates them through a band can do it once per spectrum.

mod dust;
mod galaxy;
mod gravity;
mod hydrogen;
mod lines;
mod nebula;
mod simple;
mod star;

pub use galaxy::GalaxyType;
pub(crate) use galaxy::YOUNGEST;
pub(crate) use gravity::Gravity;
pub(crate) use hydrogen::Hydrogen;
pub use nebula::{nebula, nebula_lines};
pub use simple::{black_body, power_law};
pub(crate) use star::parameters;
pub use star::{STAR_FEH_RANGE, STAR_TEFF_RANGE_K};

use crate::band::ReferenceBands;
use sim_core::spectrum::Spectrum;
use std::sync::Arc;

/// All spectra.
#[derive(Debug, Clone)]
pub struct SedLibrary {
    stars: star::StarGrid,
    galaxies: galaxy::GalaxyGrid,
    flat: Arc<Spectrum>,
}

impl SedLibrary {
    /// Builds the library; `bands` are those in which the stellar colours are published.
    #[must_use]
    pub fn load(bands: &ReferenceBands) -> Self {
        Self { stars: star::StarGrid::new(bands), galaxies: galaxy::GalaxyGrid::new(), flat: Arc::new(Spectrum::flat_fnu()) }
    }
    /// The spectrum of a star: the nearest of a grid of 2 % in effective temperature \[K\] and 0.5 dex in lg g (0 to 4.5) and \[Fe/H\], held at the
    /// ends of the grid.
    #[must_use]
    pub fn star(&self, teff_k: f64, logg: f64, feh: f64) -> Arc<Spectrum> {
        self.stars.nearest(teff_k, logg, feh)
    }
    /// The spectrum of a galaxy type.
    #[must_use]
    pub fn galaxy(&self, kind: GalaxyType) -> Arc<Spectrum> {
        self.galaxies.at(kind.coordinate(), 0.0, 0.0)
    }
    /// The spectrum of a galaxy at rest, with what hydrogen on its way from a redshift leaves: between types 0 E, 1 Sbc, 2 Scd, 3 Im,
    /// 4 young, with further dust of a colour excess \[mag\] of the stars' light; the nearest of a grid, held at its ends.
    #[must_use]
    pub fn galaxy_at(&self, coordinate: f64, dust_e_bv: f64, redshift: f64) -> Arc<Spectrum> {
        self.galaxies.at(coordinate, dust_e_bv, redshift)
    }
    /// Constant f_nu.
    #[must_use]
    pub fn flat_fnu(&self) -> Arc<Spectrum> {
        self.flat.clone()
    }
}
