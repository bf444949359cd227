//! Pairs of the synthetic field: a deflector, and something that may stand behind it.
//!
//! # Effect
//! Which deflectors have a galaxy or a quasar behind them; the same pairs whichever window asks.
//! # Formula
//! Pairs: Poisson per cell with the rate of [`crate::lenses::LensRate`], the source even over its circle. Where the field's galaxies cluster a pair is kept with
//! probability exp(r g - r^2 v / 2) / 6, g and v of [`crate::cosmos::Structure::smooth`] in the middle of its cell of order 9, r its bias over that of galaxies, at most 3.
//! # Source
//! `lenses/`.
//! # Limits
//! Sources do not follow the structure.
//! # Twin
//! None.

use super::galaxies::GalaxyField;
use super::grid::{self, Cell};
use super::lenses::Lens;
use crate::cosmos::{SHELLS, crowded};
use crate::draw::Draw;
use crate::lenses::{Chance, Deflector, LensRate, Sie};
use rayon::prelude::*;
use sim_core::stream::StreamKey;
use std::collections::BTreeMap;

/// Order of the cells (6.9 arcmin, below the 8 Mpc/h of the smooth field at all redshifts) at whose middles the structure is looked at.
const SMOOTH_ORDER: u8 = 9;
/// Density over the mean up to which deflectors are kept, and the largest bias over that of galaxies.
const CREST: f64 = 6.0;
const MOST_RATIO: f64 = 3.0;

/// The smooth structure of the shells at a place, and its variance.
pub(super) type Smooth = [(f64, f64); SHELLS];

/// Where a pair is looked at: its cell, its number there, and the structure.
#[derive(Clone, Copy)]
pub(super) struct Spot<'a> {
    pub(super) cell: &'a Cell,
    pub(super) number: u64,
    pub(super) smooth: Option<&'a Smooth>,
}

/// The pairs of one kind of sources.
pub(super) struct LensPairs {
    rate: LensRate,
    pub(super) key: StreamKey,
}

impl LensPairs {
    pub(super) fn new(rate: LensRate, key: StreamKey) -> Self {
        Self { rate, key }
    }
    /// Those of the pairs of some cells that `lens` makes lenses of, in order of their numbers.
    pub(super) fn of_cells(
        &self,
        cells: &[Cell],
        scale: f64,
        field: &GalaxyField<'_>,
        lens: impl Fn(Spot<'_>, Draw) -> Option<Lens> + Sync,
    ) -> Vec<Lens> {
        let mut blocks: BTreeMap<u64, Option<Smooth>> = cells.iter().map(|cell| (cell.parent(SMOOTH_ORDER), None)).collect();
        if field.spec.galaxies.clustering {
            blocks.par_iter_mut().for_each(|(block, smooth)| {
                let (ra_deg, dec_deg) = grid::middle_deg(SMOOTH_ORDER, *block);
                *smooth = Some(field.model.structure.smooth_shells(ra_deg, dec_deg));
            });
        }
        let of_cell = |cell: &Cell| -> Vec<Lens> {
            let (key, smooth) = (self.key.with(cell.number), blocks[&cell.parent(SMOOTH_ORDER)].as_ref());
            let crest = if smooth.is_some() { CREST } else { 1.0 };
            let count = Draw::new(key.stream(u64::MAX)).poisson(crest * self.rate.total_deg2() * cell.area_deg2() * scale);
            (0..count).filter_map(|number| lens(Spot { cell, number, smooth }, Draw::new(key.stream(number)))).collect()
        };
        let lenses: Vec<Vec<Lens>> = cells.par_iter().map(of_cell).collect();
        lenses.into_iter().flatten().collect()
    }
    pub(super) fn draw(&self, draw: &mut Draw) -> Chance {
        self.rate.draw(draw)
    }
    /// Whether the structure has a deflector at its place.
    pub(super) fn stands(&self, spot: Spot<'_>, deflector: &Deflector, field: &GalaxyField<'_>) -> bool {
        let Some(smooth) = spot.smooth else { return true };
        let structure = &field.model.structure;
        let shell = structure.shells.at(structure.background.distance(deflector.redshift));
        let thin = Draw::new(self.key.with(spot.cell.number).with_name("structure").stream(spot.number)).uniform();
        thin * CREST < crowded(smooth[shell], deflector.bias_ratio().min(MOST_RATIO))
    }
    /// Place of the source of a pair without lensing \[arcsec\], the deflector, and what that does to light from a redshift; none where it is too weak or does not stand.
    pub(super) fn aligned(
        &self,
        spot: Spot<'_>,
        chance: &Chance,
        source_redshift: f64,
        field: &GalaxyField<'_>,
        draw: &mut Draw,
    ) -> Option<([f64; 2], Deflector, Sie)> {
        let radius = chance.reach_arcsec * draw.uniform().sqrt();
        let (s, c) = draw.between(0.0, std::f64::consts::TAU).sin_cos();
        let deflector = Deflector::draw(chance.redshift, chance.sigma_km_s, draw);
        let sie = deflector.lens(&field.model.structure.background, source_redshift);
        let is_strong = sie.einstein_arcsec >= field.spec.lenses.least_einstein_arcsec;
        (is_strong && self.stands(spot, &deflector, field)).then_some(([radius * c, radius * s], deflector, sie))
    }
}
