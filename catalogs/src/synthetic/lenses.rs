//! Strong lenses of the synthetic field.
//!
//! # Effect
//! Now and then a galaxy stands behind a massive one and is seen as arcs around it; the same lens whichever window asks.
//! # Formula
//! Pairs: `lens_pairs.rs`; magnitude and kind of the source are those of the field's galaxies of that shell. A pair is a lens when the source's middle has
//! several images, theta_E is at least the least one and all images together are brighter than the limit. Quasars: `lensed_quasars.rs`.
//! # Source
//! `lenses/`; galaxies: `galaxies.rs`. After Collett 2015 (ApJ 811, 20).
//! # Limits
//! Sources have i above 18 before lensing and at most 3 mag (and 28.7) below the limit; those whose points' images are 0.75 mag too faint are not
//! traced. Deflectors and sources are drawn beside the field's galaxies, not from them. Knots of a source are one
//! Gaussian. The image holds 4 half-light radii beyond the outermost image of the middle.
//! # Twin
//! None.

use super::FieldSpec;
use super::counts::{GalaxyCounts, MagnitudeLaw};
use super::galaxies::{GalaxyField, GalaxyModel};
use super::galaxy_law::{Absolute, SLICES, quiescent_type};
use super::grid::{self, Cell};
use super::lens_pairs::{LensPairs, Spot};
use super::lensed_quasars::LensedQuasars;
use crate::cosmos::{Background, SHELLS};
use crate::draw::Draw;
use crate::lenses::arc::{Sersic, trace};
use crate::lenses::{Deflector, Image, LensRate, Sie};
use crate::{Footprint, Library};
use serde::{Deserialize, Serialize};
use sim_core::source::{Brightness, Component, Lensing, Position, Profile, Shear, Source, SourceKind};
use sim_core::spectrum::Sed;
use sim_core::stream::StreamKey;
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
/// Days of light in a megaparsec: 3.0857e22 m.
const MPC_DAYS: f64 = 1.191_29e9;
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
    /// Factor on the density of those with a quasar behind them, 0 to 1000; 0 for none.
    pub quasars: f64,
    /// Faintest i magnitude of all images of a source together, 20 to 28.
    pub faint: f64,
    /// Least Einstein radius \[arcsec\], 0.1 to 5.
    pub least_einstein_arcsec: f64,
}

impl Default for LensSpec {
    fn default() -> Self {
        Self { scale: 0.0, quasars: 0.0, faint: 26.0, least_einstein_arcsec: 0.3 }
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
    /// i magnitude of the source before lensing; of a quasar its nucleus alone, the mean over time.
    pub source_i: f64,
    /// Half-light radius of its largest component \[arcsec\]; 0 of a quasar.
    pub source_radius_arcsec: f64,
    /// Place of the source without lensing, from the deflector, east and north \[arcsec\].
    pub source_at: [f64; 2],
    /// Images of the middle of the source.
    pub images: Vec<Image>,
    /// How much later than the first each arrives \[d\].
    pub delays_d: Vec<f64>,
    /// i magnitude of all images together.
    pub images_i: f64,
    /// Magnification of the whole source.
    pub magnification: f64,
    /// Deflector and images: of a galaxy all in one, of a quasar one by one, then those of its host.
    pub sources: Vec<Source>,
}

/// What holds at every place of the sky.
pub(super) struct LensModel {
    pub(super) pairs: LensPairs,
    magnitudes: Vec<MagnitudeLaw>,
    /// None without lensed quasars.
    quasars: Option<LensedQuasars>,
}

impl LensModel {
    pub(super) fn new(spec: &FieldSpec, seed: u64, galaxies: &GalaxyModel, library: &Library) -> Self {
        let (counts, structure) = (GalaxyCounts::load(), &galaxies.structure);
        let faint = (spec.lenses.faint + GAIN_MAG).min(FAINTEST);
        let of_shell = |s: usize| MagnitudeLaw::new(BRIGHTEST, faint, 0.05, |a, b| galaxies.law.shell_count_deg2(&counts, s, a, b));
        let magnitudes: Vec<MagnitudeLaw> = (0..SHELLS).map(of_shell).collect();
        let sources: Vec<(f64, f64)> =
            (1..).map(|s| structure.shells.width * f64::from(s)).zip(magnitudes.iter().map(MagnitudeLaw::total_deg2)).collect();
        let rate = LensRate::new(&structure.background, &sources, spec.lenses.least_einstein_arcsec);
        let key = StreamKey::new(seed).with_name("synthetic_field").with_name("lenses");
        let quasars =
            (spec.lenses.quasars > 0.0).then(|| LensedQuasars::new(spec, key.with_name("quasars"), &structure.background, library));
        Self { pairs: LensPairs::new(rate, key), magnitudes, quasars }
    }
    /// The lenses whose deflector lies in a footprint, as they are on a date (modified Julian): galaxies behind, then quasars.
    pub(super) fn within(&self, footprint: &Footprint, field: &GalaxyField<'_>, mjd: f64) -> Vec<Lens> {
        self.of_cells(&grid::cells_in(footprint), footprint, field, mjd)
    }
    /// Those of some cells.
    pub(super) fn of_cells(&self, cells: &[Cell], footprint: &Footprint, field: &GalaxyField<'_>, mjd: f64) -> Vec<Lens> {
        let mut lenses = Vec::new();
        if field.spec.lenses.scale > 0.0 {
            lenses = self.pairs.of_cells(cells, field.spec.lenses.scale, field, |spot, draw| self.lens(spot, draw, footprint, field));
        }
        lenses.extend(self.quasars.iter().flat_map(|quasars| quasars.of_cells(cells, footprint, field, mjd)));
        lenses
    }
    fn lens(&self, spot: Spot<'_>, mut draw: Draw, footprint: &Footprint, field: &GalaxyField<'_>) -> Option<Lens> {
        let at = spot.cell.position(&mut draw);
        if !footprint.contains(at.0, at.1) {
            return None;
        }
        let (model, spec) = (field.model, &field.spec.lenses);
        let (background, shells) = (&model.structure.background, &model.structure.shells);
        let chance = self.pairs.draw(&mut draw);
        let source_i = self.magnitudes[chance.shell].quantile(draw.uniform());
        let slice = model.law.slice(chance.shell, source_i, draw.uniform());
        let source_redshift = background.redshift(shells.width / SLICES as f64 * (slice as f64 + draw.uniform()));
        let (source_at, deflector, sie) = self.pairs.aligned(spot, &chance, source_redshift, field, &mut draw)?;
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
        let sources = vec![
            source((spot.cell.object(POPULATION, 2 * spot.number), SourceKind::LensGalaxy), at, deflector.redshift, vec![galaxy]),
            source((spot.cell.object(POPULATION, 2 * spot.number + 1), SourceKind::LensedGalaxy), at, source_redshift, components),
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
            delays_d: delays_d(&sie, &images, chance.redshift, source_redshift, background),
            images,
            images_i,
            magnification,
            sources,
        })
    }
}

/// A source of the field at a place (ra, dec) \[deg\].
pub(super) fn source((id, kind): (u64, SourceKind), at: (f64, f64), redshift: f64, components: Vec<Component>) -> Source {
    let position = Position::Sky { ra_deg: at.0, dec_deg: at.1 };
    Source { id, kind, position, components, lensing: Lensing::default(), redshift, motion: None, seen: None }
}

/// How much later than the first each image arrives \[d\]: D_l D_s / D_ls (1 + z_l) / c, in comoving distances, times the Fermat potential.
pub(super) fn delays_d(sie: &Sie, images: &[Image], lens_z: f64, source_z: f64, background: &Background) -> Vec<f64> {
    let (lens, source) = (background.distance(lens_z), background.distance(source_z));
    let distance_mpc = lens * source / (source - lens) / background.cosmology.h;
    let days = distance_mpc * MPC_DAYS * (1.0_f64 / 3600.0).to_radians().powi(2);
    let potential: Vec<f64> = images.iter().map(|image| sie.fermat_arcsec2(image.at)).collect();
    let first = potential.iter().copied().fold(f64::INFINITY, f64::min);
    potential.into_iter().map(|p| days * (p - first)).collect()
}

fn light(component: &Component) -> f64 {
    match component.brightness {
        Brightness::Ab { magnitude, .. } => 10.0_f64.powf(-0.4 * magnitude),
        Brightness::Electrons(_) => 0.0,
    }
}

/// Images of the components of a source, and the largest half-light radius of them \[arcsec\].
pub(super) fn traced(sie: &Sie, at: [f64; 2], images: &[Image], behind: &[Component]) -> (Vec<Component>, f64) {
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
pub(super) fn deflector_light(deflector: &Deflector, field: &GalaxyField<'_>, draw: &mut Draw) -> (Component, f64, f64) {
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
