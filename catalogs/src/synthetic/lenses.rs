//! Strong lenses of the synthetic field.
//!
//! # Effect
//! Now and then a galaxy stands behind a massive one and is seen as arcs around it; the same lens whichever window asks.
//! # Formula
//! Pairs: Poisson per cell with the rate of [`crate::lenses::LensRate`]; the source even over its circle, its magnitude and kind those of the field's galaxies of
//! that shell. A pair is a lens when the source's middle has several images, theta_E is at least the least one and all images together are
//! brighter than the limit. Where the field's galaxies cluster a pair is kept with probability exp(r g - r^2 v / 2) / 6, g and v of
//! [`crate::cosmos::Structure::smooth`] in the middle of its cell of order 9, r its bias over that of galaxies, at most 3.
//! # Source
//! `lenses/`; galaxies: `galaxies.rs`. After Collett 2015 (ApJ 811, 20).
//! # Limits
//! Sources have i above 18 before lensing and at most 3 mag (and 28.7) below the limit; those whose points' images are 0.75 mag too faint are not
//! traced. Deflectors and sources are drawn beside the field's galaxies, not from them; sources do not follow the structure. Knots of a source are one
//! Gaussian. The image holds 4 half-light radii beyond the outermost image of the middle.
//! # Twin
//! None.

use super::FieldSpec;
use super::counts::{GalaxyCounts, MagnitudeLaw};
use super::galaxies::{GalaxyField, GalaxyModel};
use super::galaxy_law::{Absolute, SLICES, quiescent_type};
use super::grid::{self, Cell};
use crate::Footprint;
use crate::cosmos::{SHELLS, crowded};
use crate::draw::Draw;
use crate::lenses::arc::{Sersic, trace};
use crate::lenses::{Deflector, Image, LensRate, Sie};
use rayon::prelude::*;
use serde::{Deserialize, Serialize};
use sim_core::source::{Brightness, Component, Lensing, Position, Profile, Shear, Source, SourceKind};
use sim_core::spectrum::Sed;
use sim_core::stream::StreamKey;
use std::collections::BTreeMap;
use std::sync::Arc;

/// Population number in the object's number and key.
const POPULATION: u64 = 5;
/// Brightest and faintest sources before lensing \[mag\].
const BRIGHTEST: f64 = 18.0;
const FAINTEST: f64 = 28.7;
/// Brightening beyond which no source is looked for, and by which a traced image may exceed its points \[mag\].
const GAIN_MAG: f64 = 3.0;
const SPARE_MAG: f64 = 0.75;
/// Brightening of old galaxies \[mag / unit of redshift\] (Bernardi et al. 2003, r).
const EVOLUTION_MAG: f64 = 0.85;
/// Order of the cells (6.9 arcmin, below the 8 Mpc/h of the smooth field at all redshifts) at whose middles the structure is looked at.
const SMOOTH_ORDER: u8 = 9;
/// The smooth structure of the shells at a place, and its variance.
type Smooth = [(f64, f64); SHELLS];
/// Density over the mean up to which deflectors are kept, and the largest bias over that of galaxies.
const CREST: f64 = 6.0;
const MOST_RATIO: f64 = 3.0;
/// Pixels across an image, and their sizes \[arcsec\].
const ACROSS: f64 = 240.0;
const PIXEL_ARCSEC: (f64, f64) = (0.02, 0.12);
const MOST_PIXELS: usize = 512;

/// Strong lenses.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct LensSpec {
    /// Factor on the density, 0 to 1000; 0 for none.
    pub scale: f64,
    /// Faintest i magnitude of all images of a source together, 20 to 28.
    pub faint: f64,
    /// Least Einstein radius \[arcsec\], 0.1 to 5.
    pub least_einstein_arcsec: f64,
}

impl Default for LensSpec {
    fn default() -> Self {
        Self { scale: 0.0, faint: 26.0, least_einstein_arcsec: 0.3 }
    }
}

/// A strong lens.
#[derive(Debug, Clone)]
pub struct Lens {
    /// Place of the deflector (ra, dec) \[deg\].
    pub at: (f64, f64),
    /// The deflector.
    pub deflector: Deflector,
    /// Its i magnitude.
    pub deflector_i: f64,
    /// Its half-light radius \[arcsec\].
    pub deflector_radius_arcsec: f64,
    /// What it does to light.
    pub sie: Sie,
    /// Redshift of the source.
    pub source_redshift: f64,
    /// i magnitude of the source before lensing.
    pub source_i: f64,
    /// Half-light radius of its largest component \[arcsec\].
    pub source_radius_arcsec: f64,
    /// Place of the source without lensing, from the deflector, east and north \[arcsec\].
    pub source_at: [f64; 2],
    /// Images of the middle of the source.
    pub images: Vec<Image>,
    /// i magnitude of all images together.
    pub images_i: f64,
    /// Magnification of the whole source.
    pub magnification: f64,
    /// Deflector, and images.
    pub sources: [Source; 2],
}

/// What holds at every place of the sky.
pub(super) struct LensModel {
    rate: LensRate,
    magnitudes: Vec<MagnitudeLaw>,
    key: StreamKey,
}

impl LensModel {
    pub(super) fn new(spec: &FieldSpec, seed: u64, galaxies: &GalaxyModel) -> Self {
        let (counts, structure) = (GalaxyCounts::load(), &galaxies.structure);
        let faint = (spec.lenses.faint + GAIN_MAG).min(FAINTEST);
        let of_shell = |s: usize| MagnitudeLaw::new(BRIGHTEST, faint, 0.05, |a, b| galaxies.law.shell_count_deg2(&counts, s, a, b));
        let magnitudes: Vec<MagnitudeLaw> = (0..SHELLS).map(of_shell).collect();
        let sources: Vec<f64> = magnitudes.iter().map(MagnitudeLaw::total_deg2).collect();
        let rate = LensRate::new(&structure.background, &structure.shells, &sources, spec.lenses.least_einstein_arcsec);
        let key = StreamKey::new(seed).with_name("synthetic_field").with_name("lenses");
        Self { rate, magnitudes, key }
    }
    /// The lenses whose deflector lies in a footprint, in order of their numbers.
    pub(super) fn within(&self, footprint: &Footprint, field: &GalaxyField<'_>) -> Vec<Lens> {
        self.of_cells(&grid::cells_in(footprint), footprint, field)
    }
    /// Those of some cells.
    pub(super) fn of_cells(&self, cells: &[Cell], footprint: &Footprint, field: &GalaxyField<'_>) -> Vec<Lens> {
        let mut blocks: BTreeMap<u64, Option<Smooth>> = cells.iter().map(|cell| (cell.parent(SMOOTH_ORDER), None)).collect();
        if field.spec.galaxies.clustering {
            blocks.par_iter_mut().for_each(|(block, smooth)| {
                let (ra_deg, dec_deg) = grid::middle_deg(SMOOTH_ORDER, *block);
                *smooth = Some(field.model.structure.smooth_shells(ra_deg, dec_deg));
            });
        }
        let of_cell = |cell: &Cell| self.of_cell(cell, footprint, field, blocks[&cell.parent(SMOOTH_ORDER)].as_ref());
        let lenses: Vec<Vec<Lens>> = cells.par_iter().map(of_cell).collect();
        lenses.into_iter().flatten().collect()
    }
    fn of_cell(&self, cell: &Cell, footprint: &Footprint, field: &GalaxyField<'_>, smooth: Option<&Smooth>) -> Vec<Lens> {
        let key = self.key.with(cell.number);
        let crest = if smooth.is_some() { CREST } else { 1.0 };
        let mean = crest * self.rate.total_deg2() * cell.area_deg2() * field.spec.lenses.scale;
        let count = Draw::new(key.stream(u64::MAX)).poisson(mean);
        (0..count).filter_map(|number| self.lens(cell, number, Draw::new(key.stream(number)), footprint, field, smooth)).collect()
    }
    /// Whether the structure has a deflector at its place.
    pub(super) fn stands(&self, cell: &Cell, number: u64, deflector: &Deflector, field: &GalaxyField<'_>, smooth: &Smooth) -> bool {
        let structure = &field.model.structure;
        let shell = structure.shells.at(structure.background.distance(deflector.redshift));
        let thin = Draw::new(self.key.with(cell.number).with_name("structure").stream(number)).uniform();
        thin * CREST < crowded(smooth[shell], deflector.bias_ratio().min(MOST_RATIO))
    }
    fn lens(
        &self,
        cell: &Cell,
        number: u64,
        mut draw: Draw,
        footprint: &Footprint,
        field: &GalaxyField<'_>,
        smooth: Option<&Smooth>,
    ) -> Option<Lens> {
        let at = cell.position(&mut draw);
        if !footprint.contains(at.0, at.1) {
            return None;
        }
        let (model, spec) = (field.model, &field.spec.lenses);
        let (background, shells) = (&model.structure.background, &model.structure.shells);
        let chance = self.rate.draw(&mut draw);
        let source_i = self.magnitudes[chance.shell].quantile(draw.uniform());
        let slice = model.law.slice(chance.shell, source_i, draw.uniform());
        let source_redshift = background.redshift(shells.width / SLICES as f64 * (slice as f64 + draw.uniform()));
        let radius = chance.reach_arcsec * draw.uniform().sqrt();
        let (s, c) = draw.between(0.0, std::f64::consts::TAU).sin_cos();
        let source_at = [radius * c, radius * s];
        let deflector = Deflector::draw(chance.redshift, chance.sigma_km_s, &mut draw);
        let sie = deflector.lens(background, source_redshift);
        if sie.einstein_arcsec < spec.least_einstein_arcsec
            || !smooth.is_none_or(|smooth| self.stands(cell, number, &deflector, field, smooth))
        {
            return None;
        }
        let images = sie.images(source_at);
        let points: f64 = images.iter().map(|i| i.magnification.abs()).sum();
        if images.len() < 2 || source_i - 2.5 * points.min(30.0).log10() > spec.faint + SPARE_MAG {
            return None;
        }
        let prospect = model.law.prospect(slice, source_i);
        let quiescent = draw.chance(prospect.quiescent);
        let (behind, _) = field.components(source_i, prospect.mass[usize::from(quiescent)], source_redshift, quiescent, &mut draw);
        let (components, source_radius_arcsec) = traced(&sie, source_at, &images, &behind);
        let flux = |components: &[Component]| components.iter().map(light).sum::<f64>();
        let images_i = -2.5 * flux(&components).log10();
        if components.is_empty() || images_i > spec.faint {
            return None;
        }
        let (galaxy, deflector_i, deflector_radius_arcsec) = deflector_light(&deflector, field, &mut draw);
        let source = |place, kind, redshift, components| Source {
            id: cell.object(POPULATION, 2 * number + place),
            kind,
            position: Position::Sky { ra_deg: at.0, dec_deg: at.1 },
            components,
            lensing: Lensing::default(),
            redshift,
            motion: None,
            seen: None,
        };
        let sources = [
            source(0, SourceKind::LensGalaxy, deflector.redshift, vec![galaxy]),
            source(1, SourceKind::LensedGalaxy, source_redshift, components),
        ];
        let magnification = 10.0_f64.powf(0.4 * (source_i - images_i));
        Some(Lens {
            at,
            deflector,
            deflector_i,
            deflector_radius_arcsec,
            sie,
            source_redshift,
            source_i,
            source_radius_arcsec,
            source_at,
            images,
            images_i,
            magnification,
            sources,
        })
    }
}

fn light(component: &Component) -> f64 {
    match component.brightness {
        Brightness::Ab { magnitude, .. } => 10.0_f64.powf(-0.4 * magnitude),
        Brightness::Electrons(_) => 0.0,
    }
}

/// Images of the components of a source, and the largest half-light radius of them \[arcsec\].
fn traced(sie: &Sie, at: [f64; 2], images: &[Image], behind: &[Component]) -> (Vec<Component>, f64) {
    let profile = |component: &Component| match component.profile {
        Profile::Sersic { index, half_light_radius_arcsec, shear } => Some(Sersic { index, half_light_radius_arcsec, shape: shear }),
        Profile::Knots { half_light_radius_arcsec, shear, .. } => Some(Sersic { index: 0.5, half_light_radius_arcsec, shape: shear }),
        Profile::Point | Profile::Image { .. } => None,
    };
    let radius = behind.iter().filter_map(profile).map(|p| p.half_light_radius_arcsec).fold(0.0, f64::max);
    let farthest = images.iter().map(|i| i.at[0].hypot(i.at[1])).fold(0.0, f64::max);
    let wide = 2.0 * (1.1 * farthest.max(sie.einstein_arcsec) + 4.0 * radius);
    let pixel = (wide / ACROSS).clamp(PIXEL_ARCSEC.0, PIXEL_ARCSEC.1);
    let side = ((wide / pixel).ceil() as usize).clamp(16, MOST_PIXELS);
    let components = behind
        .iter()
        .filter_map(|component| {
            let seen = trace(sie, at, profile(component)?, (side, pixel));
            let Brightness::Ab { magnitude, band } = &component.brightness else { return None };
            (seen.magnification > 1e-6).then(|| Component {
                profile: Profile::Image { pixels: Arc::new(seen.pixels), axes_arcsec: [[pixel, 0.0], [0.0, pixel]] },
                sed: component.sed.clone(),
                brightness: Brightness::Ab { magnitude: magnitude - 2.5 * seen.magnification.log10(), band: band.clone() },
            })
        })
        .collect();
    (components, radius)
}

/// The deflector's light, its i magnitude and its half-light radius \[arcsec\].
fn deflector_light(deflector: &Deflector, field: &GalaxyField<'_>, draw: &mut Draw) -> (Component, f64, f64) {
    let background = &field.model.structure.background;
    let (z, h) = (deflector.redshift, background.cosmology.h);
    let looks = deflector.light(draw);
    let coordinate = quiescent_type(z);
    let absolute = looks.absolute_r + 5.0 * (h / 0.7).log10() - EVOLUTION_MAG * z;
    let (i, _) = field.model.law.seen(absolute, Absolute::R, coordinate, z, background.modulus(z));
    let radius = (looks.radius_kpc * 0.7 / h * background.arcsec_per_kpc(z)).clamp(0.03, 30.0);
    // Reduced shear of an ellipse of that axis ratio.
    let g = (1.0 - deflector.axis_ratio) / (1.0 + deflector.axis_ratio);
    let (s, c) = (2.0 * deflector.angle_rad).sin_cos();
    let component = Component {
        profile: Profile::Sersic { index: 4.0, half_light_radius_arcsec: radius, shear: Shear { g1: g * c, g2: g * s } },
        sed: Sed { template: field.library.seds.galaxy_at(coordinate, 0.0, z), redshift: z, extinction: field.extinction.clone() },
        brightness: Brightness::Ab { magnitude: i, band: field.library.bands.sdss_i().clone() },
    };
    (component, i, radius)
}
