//! Colours of what the Sun shines on.
//!
//! # Effect
//! The Sun's spectrum times how a surface reflects it.
//! # Formula
//! `f = f_sun R(lambda)`, R linear between the wavelengths of the table, held beyond; R = 1 at 550 nm
//! # Source
//! `data/solar_system/reflectance.csv`: after the mean classes of DeMeo et al. 2009 (Icarus 202, 160), below 450 nm after ECAS (Tholen 1984); the red of
//! trans-Neptunian objects after Hainaut et al. 2012 (A&A 546, A115). Two digits, not the tables themselves: status assumed. The Sun is
//! [`crate::sed`]'s star of 5772 K.
//! # Limits
//! Means of classes, no scatter within them, no reddening with phase.
//! # Twin
//! None.

use crate::Library;
use crate::table::{columns, held};
use serde::{Deserialize, Serialize};
use sim_core::spectrum::{Sed, Spectrum};
use std::sync::Arc;

const REFLECTANCE: &str = include_str!("../../data/solar_system/reflectance.csv");
/// Effective temperature of the Sun \[K\], IAU 2015 B3.
const SUN_K: f64 = 5772.0;

/// Kind of a surface.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Default, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Taxon {
    /// Grey: satellites, and bodies of which nothing is known.
    Grey,
    /// Carbonaceous.
    #[default]
    C,
    /// Siliceous.
    S,
    /// Basaltic.
    V,
    /// Dark and red: most Trojans of Jupiter.
    D,
    /// Red bodies beyond Neptune.
    Red,
}

impl Taxon {
    /// All of them, in the order of the table's columns.
    pub const ALL: [Self; 6] = [Self::Grey, Self::C, Self::S, Self::V, Self::D, Self::Red];

    /// Usual slope parameter G: Warner, Harris & Pravec 2009 (Icarus 202, 134) for C, S and V; the catalogues' 0.15 for others.
    #[must_use]
    pub fn slope(self) -> f64 {
        match self {
            Self::C => 0.12,
            Self::S => 0.24,
            Self::V => 0.43,
            Self::Grey | Self::D | Self::Red => 0.15,
        }
    }
}

/// Spectra of all surfaces.
#[derive(Debug, Clone)]
pub struct Colours(Vec<Sed>);

impl Colours {
    /// From the Sun of a library.
    ///
    /// # Panics
    /// Never: the compiled table is valid.
    #[must_use]
    pub fn new(library: &Library) -> Self {
        let sun = library.seds.star(SUN_K, 4.44, 0.0);
        let surface = |k: usize| {
            let (nm, reflectance) = columns(REFLECTANCE, 0, k + 1);
            let flux = sun.wavelength_nm().iter().zip(sun.flux_lambda()).map(|(w, f)| f * held(&nm, &reflectance, *w)).collect();
            let name = format!("sunlight_{:?}", Taxon::ALL[k]).to_lowercase();
            Sed::rest(Arc::new(Spectrum::new(name, sun.wavelength_nm().to_vec(), flux).expect("a reflectance is not negative")))
        };
        Self((0..Taxon::ALL.len()).map(surface).collect())
    }
    /// The spectrum of one.
    #[must_use]
    pub fn sed(&self, taxon: Taxon) -> &Sed {
        &self.0[taxon as usize]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn siliceous_asteroids_are_redder_than_carbonaceous_ones_by_what_surveys_see() {
        let library = Library::load();
        let colours = Colours::new(&library);
        let bands = &library.bands;
        let colour = |t: Taxon| -2.5 * (bands.sdss_g().mean_fnu(colours.sed(t)) / bands.sdss_r().mean_fnu(colours.sed(t))).log10();
        // SDSS: g - r of 0.45 to 0.5 for C and 0.6 to 0.7 for S (Ivezic et al. 2001, AJ 122, 2749, fig. 9); the library's Sun is 0.06 off.
        assert!((0.10..0.26).contains(&(colour(Taxon::S) - colour(Taxon::C))), "{} {}", colour(Taxon::S), colour(Taxon::C));
        assert!((colour(Taxon::C) - colour(Taxon::Grey)).abs() < 0.05);
        assert!(colour(Taxon::Red) > colour(Taxon::D) && colour(Taxon::D) > colour(Taxon::C));
        assert_eq!(Taxon::ALL.map(|t| t as usize), [0, 1, 2, 3, 4, 5]);
    }
}
