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
mod spec;
mod stars;

#[cfg(test)]
mod tests;

pub use spec::{FieldError, FieldSpec, GalaxySpec, LensingSpec, StarSpec};

use crate::extinction::Curve;
use crate::milky_way::MilkyWay;
use crate::{Footprint, Library};
use galaxies::{GalaxyField, GalaxyModel};
use rayon::prelude::*;
use sim_core::source::Source;
use sim_core::spectrum::Extinction;
use std::sync::Arc;

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
