//! A seeded field of stars and galaxies with published number counts, for users without a catalogue.
//!
//! # Effect
//! A sky that is statistically right in density, magnitude, colour, size and shape.
//! # Formula
//! Per sky cell the number is Poisson with mean density x area; each object's properties follow from its own key
//! (seed, population, cell, number), so the same object comes out whichever footprint asks, in any order.
//! # Source
//! [`counts`], and the files `stars.rs` and `galaxies.rs` beside it: each law with its source or the word assumed.
//! # Limits
//! Nothing varies. Cells of 0.86 arcmin: HEALPix of order 12, NESTED. The reference magnitude is as observed, extinction included.
//! # Twin
//! None.

pub mod counts;
mod galaxies;
mod galaxy_law;
mod grid;
mod stars;

#[cfg(test)]
mod tests;

use crate::cosmos::Cosmology;
use crate::extinction::Curve;
use crate::milky_way::MilkyWay;
use crate::{Footprint, Library};
use galaxies::{GalaxyField, GalaxyModel};
use rayon::prelude::*;
use serde::{Deserialize, Serialize};
use sim_core::source::Source;
use sim_core::spectrum::Extinction;
use std::sync::Arc;

/// The population. Every key has a default but the seed, which comes from the scenario when it is absent here.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct FieldSpec {
    /// Seed of the sky.
    pub seed: Option<u64>,
    /// Stars.
    pub stars: StarSpec,
    /// Galaxies.
    pub galaxies: GalaxySpec,
    /// Lensing of the galaxies.
    pub lensing: LensingSpec,
    /// The universe that galaxies cluster and are lensed in.
    pub cosmology: Cosmology,
    /// Galactic colour excess E(B-V) of galaxies and stars \[mag\], 0 to 5.
    pub e_bv: f64,
}

impl Default for FieldSpec {
    fn default() -> Self {
        Self {
            seed: None,
            stars: StarSpec::default(),
            galaxies: GalaxySpec::default(),
            lensing: LensingSpec::None,
            cosmology: Cosmology::default(),
            e_bv: 0.0,
        }
    }
}

/// Stars of the field.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct StarSpec {
    /// Factor on the counts, 0 to 1000; 0 for none.
    pub scale: f64,
    /// Brightest V magnitude, 5 to 28.
    pub bright: f64,
    /// Faintest V magnitude, 5 to 28.
    pub faint: f64,
    /// Dust in front of stars by their distance: the model's, or scaled to the column `e_bv` when that is above 0.
    pub dust: bool,
    /// Companions: unresolved pairs are one source, pairs wider than 0.05 arcsec two.
    pub binaries: bool,
    /// Proper motion, parallax and radial velocity, which a scenario with an observer applies; without, stars stay where they were drawn.
    pub motion: bool,
}

impl Default for StarSpec {
    fn default() -> Self {
        Self { scale: 1.0, bright: 14.0, faint: 27.0, dust: true, binaries: true, motion: true }
    }
}

/// Galaxies of the field.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct GalaxySpec {
    /// Factor on the counts, 0 to 100; 0 for none.
    pub scale: f64,
    /// Brightest i magnitude, 16 to 28.75.
    pub bright: f64,
    /// Faintest i magnitude, 16 to 28.75.
    pub faint: f64,
    /// Fraction of the late-type galaxies with knots of star formation, 0 to 1.
    pub knots_fraction: f64,
    /// Whether galaxies follow the large-scale structure; else they are scattered evenly.
    pub clustering: bool,
}

impl Default for GalaxySpec {
    fn default() -> Self {
        Self { scale: 1.0, bright: 17.0, faint: 26.5, knots_fraction: 0.3, clustering: true }
    }
}

/// Weak lensing of all galaxies.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "snake_case", tag = "kind")]
pub enum LensingSpec {
    /// None.
    #[default]
    None,
    /// The same for all.
    Constant {
        /// Reduced shear along east-west.
        g1: f64,
        /// Reduced shear along the diagonal (north-east).
        g2: f64,
        /// Convergence, -0.5 to 0.5.
        kappa: f64,
    },
    /// Normal draws per galaxy, independent of its neighbours; no convergence.
    Random {
        /// Standard deviation of each component, 0 to 0.2.
        sigma: f64,
    },
    /// By the large-scale structure in front: convergence and shear of one potential, magnification and dilution included.
    Structure,
}

/// Why a field cannot be made.
#[derive(Debug, thiserror::Error, PartialEq)]
#[non_exhaustive]
pub enum FieldError {
    /// There is no default seed.
    #[error("field.seed is missing: a synthetic field needs a seed")]
    NoSeed,
    /// A value is outside its range.
    #[error("field.{key} = {value} is outside {range}")]
    Range {
        /// Key.
        key: &'static str,
        /// Value given.
        value: f64,
        /// Allowed.
        range: &'static str,
    },
}

impl FieldSpec {
    fn check(&self) -> Result<u64, FieldError> {
        let within = |key, value: f64, low: f64, high: f64, range| {
            if value >= low && value <= high { Ok(()) } else { Err(FieldError::Range { key, value, range }) }
        };
        within("e_bv", self.e_bv, 0.0, 5.0, "0..5 mag")?;
        within("stars.scale", self.stars.scale, 0.0, 1000.0, "0..1000")?;
        within("stars.bright", self.stars.bright, 5.0, 28.0, "5..28 mag")?;
        within("stars.faint", self.stars.faint, self.stars.bright + 1e-3, 28.0, "stars.bright..28 mag")?;
        within("galaxies.scale", self.galaxies.scale, 0.0, 100.0, "0..100")?;
        within("galaxies.bright", self.galaxies.bright, 16.0, 28.75, "16..28.75 mag")?;
        within("galaxies.faint", self.galaxies.faint, self.galaxies.bright + 1e-3, 28.75, "galaxies.bright..28.75 mag")?;
        within("galaxies.knots_fraction", self.galaxies.knots_fraction, 0.0, 1.0, "0..1")?;
        if let Some((key, value, range)) = self.cosmology.fault() {
            return Err(FieldError::Range { key, value, range });
        }
        match self.lensing {
            LensingSpec::None | LensingSpec::Structure => {}
            LensingSpec::Constant { g1, g2, kappa } => {
                within("lensing.g1, g2 (modulus)", g1.hypot(g2), 0.0, 0.9, "0..0.9")?;
                within("lensing.kappa", kappa, -0.5, 0.5, "-0.5..0.5")?;
            }
            LensingSpec::Random { sigma } => within("lensing.sigma", sigma, 0.0, 0.2, "0..0.2")?,
        }
        self.seed.ok_or(FieldError::NoSeed)
    }
}

/// A population made ready: what does not depend on the place is computed once.
pub struct Population {
    spec: FieldSpec,
    seed: u64,
    milky_way: MilkyWay,
    /// None without galaxies.
    galaxies: Option<GalaxyModel>,
    extinction: Option<Arc<Extinction>>,
}

impl Population {
    /// From its parameters.
    ///
    /// # Errors
    /// When the seed is missing or a value is outside its range.
    pub fn new(spec: &FieldSpec, library: &Library) -> Result<Self, FieldError> {
        let seed = spec.check()?;
        Ok(Self {
            spec: spec.clone(),
            seed,
            milky_way: MilkyWay::new(),
            galaxies: (spec.galaxies.scale > 0.0).then(|| GalaxyModel::new(spec, seed, library)),
            extinction: (spec.e_bv > 0.0).then(|| Curve::new().extinction(spec.e_bv)),
        })
    }

    /// All objects whose centres lie in the footprint, in order of their numbers.
    ///
    /// Numbers are unique and stable: cell, population and place in the cell.
    #[must_use]
    pub fn within(&self, footprint: &Footprint, library: &Library) -> Vec<Source> {
        self.of(footprint, library, self.galaxies.as_ref())
    }

    /// The stars alone: the same ones.
    #[must_use]
    pub fn stars_within(&self, footprint: &Footprint, library: &Library) -> Vec<Source> {
        self.of(footprint, library, None)
    }

    fn of(&self, footprint: &Footprint, library: &Library, galaxies: Option<&GalaxyModel>) -> Vec<Source> {
        let cells = grid::cells_in(footprint);
        let stars = stars::StarField::new(&self.spec, self.seed, library, &self.milky_way, &cells);
        let galaxies = match galaxies {
            Some(model) => GalaxyField::new(&self.spec, self.seed, library, self.extinction.clone(), model).of_cells(&cells, footprint),
            None => vec![Vec::new(); cells.len()],
        };
        let per_cell: Vec<Vec<Source>> = cells
            .par_iter()
            .zip(galaxies)
            .map(|(cell, galaxies)| {
                let mut sources = stars.of_cell(cell, footprint);
                sources.extend(galaxies);
                sources
            })
            .collect();
        per_cell.into_iter().flatten().collect()
    }
}

/// All objects of a field that is asked for once, see [`Population`].
///
/// # Errors
/// When the seed is missing or a value is outside its range.
pub fn field(spec: &FieldSpec, footprint: &Footprint, library: &Library) -> Result<Vec<Source>, FieldError> {
    Ok(Population::new(spec, library)?.within(footprint, library))
}
