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
//! The same objects at every date; quasars, active nuclei and variable stars change their brightness, supernovae come and go. Cells of 0.86 arcmin: HEALPix of order 12, NESTED. The reference magnitude is as observed, extinction included.
//! # Twin
//! None.

mod clusters;
pub mod counts;
mod galaxies;
mod galaxy_law;
mod grid;
mod lens_pairs;
mod lensed_quasars;
mod lenses;
mod nuclei;
mod quasars;
mod spec;
mod stars;
mod supernovae;
mod tints;

#[cfg(test)]
mod tests;
#[cfg(test)]
mod tests_counts;
#[cfg(test)]
mod tests_deep;
#[cfg(test)]
mod tests_lensed_quasars;
#[cfg(test)]
mod tests_varying;

pub use clusters::ClusterSpec;
pub use lenses::{Lens, LensSpec};
pub use nuclei::NucleusSpec;
pub use quasars::QuasarSpec;
pub use spec::{FieldError, FieldSpec, GalaxySpec, LensingSpec, StarSpec};
pub use supernovae::SupernovaSpec;

use crate::dates::J2000_MJD;
use crate::extinction::Curve;
use crate::milky_way::MilkyWay;
use crate::{Footprint, Library};
use clusters::{ClusterModel, REACH_DEG};
use galaxies::{GalaxyField, GalaxyModel};
use lenses::LensModel;
use nuclei::{NucleusField, NucleusModel};
use quasars::{QuasarField, QuasarModel};
use rayon::prelude::*;
use sim_core::source::Source;
use sim_core::spectrum::Extinction;
use sim_core::stream::StreamKey;
use std::sync::Arc;
use supernovae::{SupernovaField, SupernovaModel, widened};

/// Order of the cells by which a large field is made.
const BLOCK_ORDER: u8 = 7;

/// A population made ready: what does not depend on the place is computed once.
pub struct Population {
    spec: FieldSpec,
    seed: u64,
    milky_way: MilkyWay,
    /// None without galaxies, clusters, lenses and supernovae.
    galaxies: Option<GalaxyModel>,
    clusters: Option<ClusterModel>,
    lenses: Option<LensModel>,
    /// None without quasars.
    quasars: Option<QuasarModel>,
    /// None without supernovae.
    supernovae: Option<SupernovaModel>,
    /// None without active nuclei in galaxies.
    nuclei: Option<NucleusModel>,
    extinction: Option<Arc<Extinction>>,
}

impl Population {
    /// From its parameters.
    ///
    /// # Errors
    /// When the seed is missing or a value is outside its range.
    pub fn new(spec: &FieldSpec, library: &Library) -> Result<Self, FieldError> {
        let seed = spec.check()?;
        let (clusters, supernovae) = (spec.clusters.scale > 0.0, spec.supernovae.scale > 0.0);
        let lenses = spec.lenses.scale > 0.0 || spec.lenses.quasars > 0.0;
        let galaxies = (spec.galaxies.scale > 0.0 || clusters || lenses || supernovae).then(|| GalaxyModel::new(spec, seed, library));
        Ok(Self {
            spec: spec.clone(),
            seed,
            milky_way: MilkyWay::new(),
            clusters: galaxies.as_ref().filter(|_| clusters).map(|g| ClusterModel::new(spec, seed, &g.structure.background)),
            lenses: galaxies.as_ref().filter(|_| lenses).map(|g| LensModel::new(spec, seed, g, library)),
            supernovae: galaxies.as_ref().filter(|_| supernovae).map(|g| SupernovaModel::new(spec, g, library)),
            nuclei: galaxies.as_ref().filter(|_| spec.nuclei.scale > 0.0).map(|g| NucleusModel::new(g, library)),
            galaxies,
            quasars: (spec.quasars.scale > 0.0).then(|| QuasarModel::new(spec, library, (spec.quasars.bright, spec.quasars.faint))),
            extinction: (spec.e_bv > 0.0).then(|| Curve::new().extinction(spec.e_bv)),
        })
    }

    /// All objects whose centres lie in the footprint, and the light between galaxies that reaches into it, in order of their numbers, as bright as they
    /// are at a date (modified Julian, UTC).
    ///
    /// Numbers are unique and stable: cell, population and place in the cell.
    #[must_use]
    pub fn within(&self, footprint: &Footprint, library: &Library, mjd: f64) -> Vec<Source> {
        self.made(None, footprint, library, mjd)
    }

    /// The pieces by which a large footprint is made in bounded memory: larger cells, 0.46 deg wide, for [`Population::of_block`].
    #[must_use]
    pub fn blocks(&self, footprint: &Footprint) -> Vec<u64> {
        // Members of clusters belong to the cluster's cell.
        let reach = if self.clusters.is_some() { REACH_DEG } else { 0.0 };
        grid::blocks_in(BLOCK_ORDER, &Footprint { radius_deg: footprint.radius_deg + reach, ..*footprint })
    }

    /// The objects of [`Population::within`] whose numbers belong to a block: those of all blocks, one after the other, are all of them in order.
    #[must_use]
    pub fn of_block(&self, block: u64, footprint: &Footprint, library: &Library, mjd: f64) -> Vec<Source> {
        self.made(Some(block), footprint, library, mjd)
    }

    fn made(&self, block: Option<u64>, footprint: &Footprint, library: &Library, mjd: f64) -> Vec<Source> {
        let key = StreamKey::new(self.seed).with_name("synthetic_field");
        let supernovae = self.supernovae.as_ref().map(|model| SupernovaField {
            spec: &self.spec,
            key: key.with_name("supernovae"),
            library,
            extinction: self.extinction.clone(),
            model,
            mjd,
        });
        let wide = if supernovae.is_some() { widened(footprint) } else { *footprint };
        let cells = block.map_or_else(
            || grid::cells_in(&wide),
            |b| grid::cells_of(BLOCK_ORDER, b).into_iter().filter(|cell| grid::can_reach(cell, &wide)).collect(),
        );
        // Clusters that lens something, and those whose light is asked for.
        let (clusters, shining) = match (&self.clusters, &self.galaxies, block) {
            (Some(model), Some(galaxies), None) => (model.near(footprint, galaxies), None),
            (Some(model), Some(galaxies), Some(block)) => {
                let lensing = if cells.is_empty() { Vec::new() } else { model.near(&grid::around(BLOCK_ORDER, block), galaxies) };
                (lensing, Some(model.of_cells(grid::cells_of(BLOCK_ORDER, block), footprint, galaxies)))
            }
            _ => (Vec::new(), None),
        };
        let nuclei = self.nuclei.as_ref().map(|model| NucleusField {
            spec: &self.spec,
            key: key.with_name("nuclei"),
            library,
            extinction: self.extinction.clone(),
            model,
            mjd,
        });
        let field = self.galaxy_field(library, supernovae.as_ref(), nuclei.as_ref());
        let field = field.map(|field| if self.spec.clusters.lensing { field.behind(&clusters) } else { field });
        let mut parts = vec![self.stars(&cells, footprint, library, mjd)];
        parts.extend(field.as_ref().filter(|_| self.spec.galaxies.scale > 0.0).map(|field| field.of_cells(&cells, footprint)));
        if let Some(field) = &supernovae {
            parts.push(cells.par_iter().map(|cell| field.without_host(cell, footprint)).collect());
        }
        if let Some(model) = &self.quasars {
            let structure = self.galaxies.as_ref().filter(|_| self.spec.galaxies.clustering).map(|g| &g.structure);
            let (key, extinction) = (key.with_name("quasars"), self.extinction.clone());
            let field = QuasarField { spec: &self.spec, key, library, extinction, model, mjd, structure };
            parts.push(cells.par_iter().map(|cell| field.of_cell(cell, footprint)).collect());
        }
        let mut all: Vec<Source> = Vec::with_capacity(parts.iter().flatten().map(Vec::len).sum());
        for index in 0..cells.len() {
            for part in &mut parts {
                all.append(&mut part[index]);
            }
        }
        if let Some(field) = &field {
            let shining = shining.as_deref().unwrap_or(&clusters);
            all.extend(self.clusters.iter().flat_map(|model| model.light(shining, footprint, field)));
            all.extend(self.lenses.iter().flat_map(|model| model.of_cells(&cells, footprint, field, mjd)).flat_map(|lens| lens.sources));
        }
        // Cell by cell, and in a cell by population: in order already, but for supernovae among their hosts, clusters and lenses.
        all.sort_by_key(|source| source.id);
        all
    }

    /// The stars alone: the same ones.
    #[must_use]
    pub fn stars_within(&self, footprint: &Footprint, library: &Library, mjd: f64) -> Vec<Source> {
        self.stars(&grid::cells_in(footprint), footprint, library, mjd).into_iter().flatten().collect()
    }

    fn stars(&self, cells: &[grid::Cell], footprint: &Footprint, library: &Library, mjd: f64) -> Vec<Vec<Source>> {
        let stars = stars::StarField::new(&self.spec, self.seed, library, &self.milky_way, cells, mjd);
        cells.par_iter().map(|cell| stars.of_cell(cell, footprint)).collect()
    }

    /// The strong lenses alone, with what is known of them, as they are at a date (modified Julian, UTC): the same ones.
    #[must_use]
    pub fn lenses_within(&self, footprint: &Footprint, library: &Library, mjd: f64) -> Vec<Lens> {
        match (&self.lenses, self.galaxy_field(library, None, None)) {
            (Some(lenses), Some(field)) => lenses.within(footprint, &field, mjd),
            _ => Vec::new(),
        }
    }

    fn galaxy_field<'a>(
        &'a self,
        library: &'a Library,
        supernovae: Option<&'a SupernovaField<'a>>,
        nuclei: Option<&'a NucleusField<'a>>,
    ) -> Option<GalaxyField<'a>> {
        let model = self.galaxies.as_ref()?;
        Some(GalaxyField::new(&self.spec, self.seed, library, self.extinction.clone(), model, supernovae, nuclei))
    }
}

/// All objects of a field that is asked for once, at J2000, see [`Population`].
///
/// # Errors
/// When the seed is missing or a value is outside its range.
pub fn field(spec: &FieldSpec, footprint: &Footprint, library: &Library) -> Result<Vec<Source>, FieldError> {
    Ok(Population::new(spec, library)?.within(footprint, library, J2000_MJD))
}
