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

mod clusters;
pub mod counts;
mod galaxies;
mod galaxy_law;
mod grid;
mod lenses;
mod spec;
mod stars;

#[cfg(test)]
mod tests;
#[cfg(test)]
mod tests_deep;

pub use clusters::ClusterSpec;
pub use lenses::{Lens, LensSpec};
pub use spec::{FieldError, FieldSpec, GalaxySpec, LensingSpec, StarSpec};

use crate::extinction::Curve;
use crate::milky_way::MilkyWay;
use crate::{Footprint, Library};
use clusters::ClusterModel;
use galaxies::{GalaxyField, GalaxyModel};
use lenses::LensModel;
use rayon::prelude::*;
use sim_core::source::Source;
use sim_core::spectrum::Extinction;
use std::sync::Arc;

/// A population made ready: what does not depend on the place is computed once.
pub struct Population {
    spec: FieldSpec,
    seed: u64,
    milky_way: MilkyWay,
    /// None without galaxies, clusters and lenses.
    galaxies: Option<GalaxyModel>,
    clusters: Option<ClusterModel>,
    lenses: Option<LensModel>,
    extinction: Option<Arc<Extinction>>,
}

impl Population {
    /// From its parameters.
    ///
    /// # Errors
    /// When the seed is missing or a value is outside its range.
    pub fn new(spec: &FieldSpec, library: &Library) -> Result<Self, FieldError> {
        let seed = spec.check()?;
        let (clusters, lenses) = (spec.clusters.scale > 0.0, spec.lenses.scale > 0.0);
        let galaxies = (spec.galaxies.scale > 0.0 || clusters || lenses).then(|| GalaxyModel::new(spec, seed, library));
        Ok(Self {
            spec: spec.clone(),
            seed,
            milky_way: MilkyWay::new(),
            clusters: galaxies.as_ref().filter(|_| clusters).map(|g| ClusterModel::new(spec, seed, &g.structure.background)),
            lenses: galaxies.as_ref().filter(|_| lenses).map(|g| LensModel::new(spec, seed, g)),
            galaxies,
            extinction: (spec.e_bv > 0.0).then(|| Curve::new().extinction(spec.e_bv)),
        })
    }

    /// All objects whose centres lie in the footprint, and the light between galaxies that reaches into it, in order of their numbers.
    ///
    /// Numbers are unique and stable: cell, population and place in the cell.
    #[must_use]
    pub fn within(&self, footprint: &Footprint, library: &Library) -> Vec<Source> {
        let Some(field) = self.galaxy_field(library) else { return self.of(footprint, library, None) };
        let clusters = match (&self.clusters, &self.galaxies) {
            (Some(model), Some(galaxies)) => model.near(footprint, galaxies),
            _ => Vec::new(),
        };
        let field = if self.spec.clusters.lensing { field.behind(&clusters) } else { field };
        let mut sources = self.of(footprint, library, Some(&field));
        let apart = sources.len();
        if let Some(model) = &self.clusters {
            sources.extend(model.light(&clusters, footprint, &field));
        }
        if let Some(lenses) = &self.lenses {
            sources.extend(lenses.within(footprint, &field).into_iter().flat_map(|lens| lens.sources));
        }
        if sources.len() > apart {
            sources.sort_by_key(|s| s.id);
        }
        sources
    }

    /// The stars alone: the same ones.
    #[must_use]
    pub fn stars_within(&self, footprint: &Footprint, library: &Library) -> Vec<Source> {
        self.of(footprint, library, None)
    }

    /// The strong lenses alone, with what is known of them: the same ones.
    #[must_use]
    pub fn lenses_within(&self, footprint: &Footprint, library: &Library) -> Vec<Lens> {
        match (&self.lenses, self.galaxy_field(library)) {
            (Some(lenses), Some(field)) => lenses.within(footprint, &field),
            _ => Vec::new(),
        }
    }

    fn galaxy_field<'a>(&'a self, library: &'a Library) -> Option<GalaxyField<'a>> {
        let model = self.galaxies.as_ref()?;
        Some(GalaxyField::new(&self.spec, self.seed, library, self.extinction.clone(), model))
    }

    fn of(&self, footprint: &Footprint, library: &Library, galaxies: Option<&GalaxyField<'_>>) -> Vec<Source> {
        let cells = grid::cells_in(footprint);
        let stars = stars::StarField::new(&self.spec, self.seed, library, &self.milky_way, &cells);
        let galaxies = match galaxies {
            Some(field) if self.spec.galaxies.scale > 0.0 => field.of_cells(&cells, footprint),
            _ => vec![Vec::new(); cells.len()],
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
