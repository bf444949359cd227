//! Galaxies of the synthetic field.
//!
//! # Effect
//! Bulges, disks and knots with the counts, redshifts, types, sizes, shapes and clustering of deep surveys, sheared by the matter in front.
//! # Formula
//! Per cell and shell of distance a Poisson number with the mean density times the shell's overdensity at the place, over the magnification.
//! i from the counts, slice of distance, type and mass from [`super::galaxy_law`].
//! Bulge fraction of star-forming (quiescent) galaxies 0.2 (0.5) m^0.27 (0.10), m = M / 1e10, scatter 0.2 dex. Half-light radii \[kpc\]: disk
//! 2.8 (1+z)^-0.3 10^(0.2 (lg M - 9.35)), beyond z = 1.7 falling with (1+z)^-0.7, scatter 0.25 dex; bulge 8 (1+z)^-1.3 10^(0.56 (lg M - 11.25)), scatter 0.2
//! dex. Gas: A(H alpha) = 0.91 + 0.77 X + 0.11 X^2 - 0.09 X^3, X = lg m. Ellipticity of disks e = (a - b) / (a + b): p(e) ~ e
//! (1 - exp((e - 0.804) / 0.2539)) / ((1 + e) sqrt(e^2 + 0.0256^2)), position angle uniform.
//! # Symbols
//! i AB magnitude before lensing (the renderer brightens by the magnification); M stellar mass \[solar, Salpeter\].
//! # Source
//! Bulge fractions and sizes: Schreiber et al. 2017 (A&A 602, A96), section 3, as in their program EGG (fits to Lang et al. 2014 and to the sizes of van der
//! Wel et al. 2014). Dust: Garn & Best 2010 (MNRAS 409, 421), for Chabrier masses. Ellipticity: Miller et al. 2013 (MNRAS 429, 2858), appendix B, numbers as in the
//! source of lensfit. Assumed: the spectrum scatters by 0.5 around its type's; dust of a galaxy 0 to 2 times the mean, and of it the share
//! 0.45 (c - 1.5), none earlier: older spectra have the dust of observed galaxies, the youngest has none; bulges 0.4 (star-forming) earlier than disks, disks of quiescent galaxies 0.25 later; bulge not larger than half the disk beside
//! a disk of more light; bulge shape half the disk's; Sersic index 4 (alone or most of the light), 2.5, 1 (disks); knots: 5 to 30 with 10 to 40 % of the disk's light.
//! # Limits
//! Active nuclei: `nuclei.rs`. i 16 to 28.75; half-light radii 0.03 to 10 arcsec; redshifts to 7. Sizes are those of the light at 500 nm at rest in every band. Lensing: see [`crate::cosmos`].
//! # Twin
//! None.

use super::clusters::Cluster;
use super::counts::{GalaxyCounts, MagnitudeLaw};
use super::galaxy_law::{GalaxyLaw, SLICES, forming_type, quiescent_type};
use super::grid::{Cell, ORDER, middle_deg};
use super::nuclei::NucleusField;
use super::supernovae::{Host, SupernovaField, widened};
use super::{FieldSpec, LensingSpec};
use crate::cosmos::{Patch, SHELLS, Sheared, Structure};
use crate::direction::vector;
use crate::draw::Draw;
use crate::{Footprint, Library};
use rayon::prelude::*;
use sim_core::source::{Brightness, Component, Lensing, Position, Profile, Shear, Source, SourceKind};
use sim_core::spectrum::{Extinction, Sed};
use sim_core::stream::StreamKey;
use std::collections::BTreeMap;
use std::sync::Arc;

/// Population number in the object's number and key.
const POPULATION: u64 = 1;
/// How far the density at a place may exceed its nodes.
const CREST: f64 = 1.3;
/// Largest dilution by lensing: 1 / mu.
const DILUTION: f64 = 1.25;
/// Radius of a cell over the root of its area (the corners of a HEALPix cell at most).
const CELL_RADIUS: f64 = 0.86;

/// What holds at every place of the sky.
pub(super) struct GalaxyModel {
    pub(super) structure: Structure,
    pub(super) law: GalaxyLaw,
    /// Magnitudes of the galaxies of each shell.
    magnitudes: Vec<MagnitudeLaw>,
    /// Cumulative of p(e) on a grid of e.
    ellipticity: (Vec<f64>, Vec<f64>),
}

pub(super) struct GalaxyField<'a> {
    pub(super) spec: &'a FieldSpec,
    key: StreamKey,
    pub(super) library: &'a Library,
    pub(super) extinction: Option<Arc<Extinction>>,
    pub(super) model: &'a GalaxyModel,
    /// What explodes in them.
    supernovae: Option<&'a SupernovaField<'a>>,
    /// What shines in their middles.
    nuclei: Option<&'a NucleusField<'a>>,
    /// Clusters that bend light.
    haloes: &'a [Cluster],
}

/// Where and in which light a galaxy is.
struct Place {
    ra_deg: f64,
    dec_deg: f64,
    shell: usize,
}

impl GalaxyModel {
    pub(super) fn new(spec: &FieldSpec, seed: u64, library: &Library) -> Self {
        let counts = GalaxyCounts::load();
        let structure = Structure::new(spec.cosmology, seed);
        let law = GalaxyLaw::new(library, &structure.background, &structure.shells);
        let of_shell =
            |s: usize| MagnitudeLaw::new(spec.galaxies.bright, spec.galaxies.faint, 0.05, |a, b| law.shell_count_deg2(&counts, s, a, b));
        let magnitudes = (0..SHELLS).map(of_shell).collect();
        Self { structure, law, magnitudes, ellipticity: ellipticity_law() }
    }
}

impl<'a> GalaxyField<'a> {
    pub(super) fn new(
        spec: &'a FieldSpec,
        seed: u64,
        library: &'a Library,
        extinction: Option<Arc<Extinction>>,
        model: &'a GalaxyModel,
        supernovae: Option<&'a SupernovaField<'a>>,
        nuclei: Option<&'a NucleusField<'a>>,
    ) -> Self {
        let key = StreamKey::new(seed).with_name("synthetic_field").with_name("galaxies");
        Self { spec, key, library, extinction, model, supernovae, nuclei, haloes: &[] }
    }

    /// The same galaxies behind clusters.
    pub(super) fn behind(self, haloes: &'a [Cluster]) -> Self {
        Self { haloes, ..self }
    }

    fn lensed(&self) -> bool {
        self.spec.lensing == LensingSpec::Structure
    }

    /// Galaxies of all cells, in their order. The structure is made patch by patch and dropped again.
    pub(super) fn of_cells(&self, cells: &[Cell], footprint: &Footprint) -> Vec<Vec<Source>> {
        if !self.spec.galaxies.clustering && !self.lensed() {
            return cells.par_iter().map(|cell| self.of_cell(cell, None, footprint)).collect();
        }
        let mut patches: BTreeMap<u64, Vec<usize>> = BTreeMap::new();
        for (index, cell) in cells.iter().enumerate() {
            let (ra_deg, dec_deg) = middle_deg(ORDER, cell.number);
            patches.entry(Structure::patch_number(ra_deg, dec_deg)).or_default().push(index);
        }
        let patches: Vec<(u64, Vec<usize>)> = patches.into_iter().collect();
        let made: Vec<Vec<(usize, Vec<Source>)>> = patches
            .par_iter()
            .map(|(number, indices)| {
                let patch = self.model.structure.patch(*number);
                indices.par_iter().map(|&k| (k, self.of_cell(&cells[k], Some(&patch), footprint))).collect()
            })
            .collect();
        let mut out = vec![Vec::new(); cells.len()];
        for (index, sources) in made.into_iter().flatten() {
            out[index] = sources;
        }
        out
    }

    fn of_cell(&self, cell: &Cell, patch: Option<&Patch>, footprint: &Footprint) -> Vec<Source> {
        let key = self.key.with(cell.number);
        let clustering = if self.spec.galaxies.clustering { patch } else { None };
        let most = clustering.map_or([1.0; SHELLS], |p| {
            let (ra_deg, dec_deg) = middle_deg(ORDER, cell.number);
            p.densest(ra_deg, dec_deg, CELL_RADIUS * cell.area_deg2().sqrt().to_radians()).map(|d| CREST * d)
        });
        let dilution = if self.lensed() { DILUTION } else { 1.0 };
        let mut numbers = Draw::new(key.stream(u64::MAX));
        // What explodes in a galaxy outside may be inside.
        let around = if self.supernovae.is_some() { widened(footprint) } else { *footprint };
        let (mut next, mut sources) = (0, Vec::new());
        for (shell, most) in most.iter().enumerate() {
            let mean = self.model.magnitudes[shell].total_deg2() * cell.area_deg2() * self.spec.galaxies.scale;
            let count = numbers.poisson(mean * most * dilution);
            for number in next..next + count {
                let mut draw = Draw::new(key.stream(number));
                let (ra_deg, dec_deg) = cell.position(&mut draw);
                let (crowd, thin) = (draw.uniform(), draw.uniform());
                if !around.contains(ra_deg, dec_deg) || clustering.is_some_and(|p| crowd * most > p.density(shell, ra_deg, dec_deg)) {
                    continue;
                }
                let place = Place { ra_deg, dec_deg, shell };
                let Some((mut galaxy, host)) = self.galaxy(cell.object(POPULATION, number), &place, patch, thin * dilution, draw) else {
                    continue;
                };
                if let Some(supernovae) = self.supernovae {
                    supernovae.in_host(cell, number, &host, footprint, &mut sources);
                }
                if footprint.contains(ra_deg, dec_deg) {
                    galaxy.components.extend(self.nuclei.and_then(|nuclei| nuclei.of(cell, number, &host)));
                    sources.push(galaxy);
                }
            }
            next += count;
        }
        sources
    }

    /// A galaxy, unless the sky that magnification stretches has no room for it.
    fn galaxy(&self, id: u64, place: &Place, patch: Option<&Patch>, thin: f64, mut draw: Draw) -> Option<(Source, Host)> {
        let (background, shells) = (&self.model.structure.background, &self.model.structure.shells);
        let i = self.model.magnitudes[place.shell].quantile(draw.uniform());
        let slice = self.model.law.slice(place.shell, i, draw.uniform());
        let distance = shells.width / SLICES as f64 * (slice as f64 + draw.uniform());
        let redshift = background.redshift(distance);
        let lensing = self.lensing(place, patch, distance, &mut draw);
        if self.lensed() && thin > ((1.0 - lensing.kappa).powi(2) * (1.0 - lensing.shear.g1.powi(2) - lensing.shear.g2.powi(2))) {
            return None;
        }
        let prospect = self.model.law.prospect(slice, i);
        let quiescent = draw.chance(prospect.quiescent);
        let lg_mass = prospect.mass[usize::from(quiescent)];
        let (components, (radius_arcsec, shape)) = self.components(i, lg_mass, redshift, quiescent, &mut draw);
        let position = Position::Sky { ra_deg: place.ra_deg, dec_deg: place.dec_deg };
        let host = Host { at: (place.ra_deg, place.dec_deg), slice, redshift, lg_mass, quiescent, radius_arcsec, shape };
        Some((Source { id, kind: SourceKind::Galaxy, position, components, lensing, redshift, motion: None, seen: None }, host))
    }

    /// The light of a galaxy of a magnitude i, a mass \[lg solar\] and a redshift; half-light radius \[arcsec\] and shape of what most of it is.
    pub(super) fn components(&self, i: f64, mass: f64, redshift: f64, quiescent: bool, draw: &mut Draw) -> (Vec<Component>, (f64, Shear)) {
        let kind = self.kind(mass, redshift, quiescent, draw);
        let arcsec_per_kpc = self.model.structure.background.arcsec_per_kpc(redshift);
        let size = |kpc: f64| (kpc * arcsec_per_kpc).clamp(0.03, 10.0);
        let disk_radius = size(disk_kpc(mass, redshift) * dex(0.25 * draw.normal()));
        let bulge_radius = size(bulge_kpc(mass, redshift) * dex(0.2 * draw.normal()));
        let bulge_radius = if kind.bulge_fraction < 0.5 { bulge_radius.min((0.5 * disk_radius).max(0.03)) } else { bulge_radius };
        let disk_shape = self.shape(draw);
        let bulge_shape = Shear { g1: 0.5 * disk_shape.g1, g2: 0.5 * disk_shape.g2 };
        let sed = |coordinate| Sed {
            template: self.library.seds.galaxy_at(coordinate, kind.dust, redshift),
            redshift,
            extinction: self.extinction.clone(),
        };
        let brightness = |share: f64| Brightness::Ab { magnitude: i - 2.5 * share.log10(), band: self.library.bands.sdss_i().clone() };
        let sersic = |index, half_light_radius_arcsec, shear| Profile::Sersic { index, half_light_radius_arcsec, shear };
        let mut components = Vec::with_capacity(3);
        let bulge = kind.bulge_fraction;
        if bulge > 0.0 {
            components.push(Component {
                profile: sersic(if bulge > 0.5 { 4.0 } else { 2.5 }, bulge_radius, bulge_shape),
                sed: sed(kind.bulge_spectrum),
                brightness: brightness(bulge),
            });
        }
        let knots = self.knots(quiescent, draw);
        if bulge < 1.0 {
            components.push(Component {
                profile: sersic(1.0, disk_radius, disk_shape),
                sed: sed(kind.disk_spectrum),
                brightness: brightness((1.0 - bulge) * (1.0 - knots.1)),
            });
            if knots.0 > 0 {
                components.push(Component {
                    profile: Profile::Knots { count: knots.0, half_light_radius_arcsec: disk_radius, shear: disk_shape },
                    sed: sed(kind.disk_spectrum.max(3.0)),
                    brightness: brightness((1.0 - bulge) * knots.1),
                });
            }
        }
        // Light of a bulge with most of it, else of the disk.
        (components, if bulge > 0.5 { (bulge_radius, bulge_shape) } else { (disk_radius, disk_shape) })
    }

    fn kind(&self, mass: f64, redshift: f64, quiescent: bool, draw: &mut Draw) -> Kind {
        let (hue, scatter, dusty) = (draw.between(-0.5, 0.5), draw.normal(), draw.between(0.0, 2.0));
        let m = mass - 10.0;
        let fraction = dex(0.2 * scatter) * if quiescent { 0.5 * dex(0.10 * m) } else { 0.2 * dex(0.27 * m) };
        let bulge_fraction = match fraction {
            f if f < 0.02 => 0.0,
            f if f > 0.95 => 1.0,
            f => f,
        };
        if quiescent {
            let c = quiescent_type(redshift);
            return Kind { bulge_fraction, bulge_spectrum: c, disk_spectrum: c + 0.25 + 0.5 * hue.max(0.0), dust: 0.0 };
        }
        let disk_spectrum = (forming_type(mass, redshift) + hue).clamp(0.75, crate::sed::YOUNGEST);
        // Garn & Best 2010: Chabrier masses; colour excess of the gas A / 3.33, of the stars 0.44 of it.
        let x = (m - 0.24).clamp(-2.5, 1.5);
        let gas = (0.91 + 0.77 * x + 0.11 * x * x - 0.09 * x * x * x).max(0.0) / 3.33;
        // The older spectra have the dust of the galaxies that they were observed in, the youngest has none.
        let dust = 0.45 * (disk_spectrum - 1.5).max(0.0) * 0.44 * gas * dusty;
        Kind { bulge_fraction, bulge_spectrum: (disk_spectrum - 0.4).max(0.25), disk_spectrum, dust }
    }

    /// Number of knots and their share of the disk's light; always the same number of draws.
    fn knots(&self, quiescent: bool, draw: &mut Draw) -> (u32, f64) {
        let (with, count, share) = (draw.chance(self.spec.galaxies.knots_fraction), draw.between(5.0, 31.0) as u32, draw.between(0.1, 0.4));
        if with && !quiescent { (count, share) } else { (0, 0.0) }
    }

    pub(super) fn shape(&self, draw: &mut Draw) -> Shear {
        let (e, cumulative) = &self.model.ellipticity;
        let modulus = crate::table::held(cumulative, e, draw.uniform());
        let (s, c) = (std::f64::consts::TAU * draw.uniform()).sin_cos();
        Shear { g1: modulus * c, g2: modulus * s }
    }

    fn lensing(&self, place: &Place, patch: Option<&Patch>, distance: f64, draw: &mut Draw) -> Lensing {
        match self.spec.lensing {
            LensingSpec::None => Lensing::default(),
            LensingSpec::Constant { g1, g2, kappa } => Lensing { shear: Shear { g1, g2 }, kappa },
            LensingSpec::Random { sigma } => {
                let shear = Shear { g1: sigma * draw.normal(), g2: sigma * draw.normal() };
                // Beyond four sigma of the largest sigma allowed the thin-lens formulae would diverge.
                let modulus = shear.g1.hypot(shear.g2).max(0.8) / 0.8;
                Lensing { shear: Shear { g1: shear.g1 / modulus, g2: shear.g2 / modulus }, kappa: 0.0 }
            }
            LensingSpec::Structure => patch.map_or_else(Lensing::default, |p| {
                let seen = p.lensing(distance, place.ra_deg, place.dec_deg);
                let kappa = seen.kappa.clamp(-0.5, 0.5);
                let lensing = Lensing { shear: Shear { g1: seen.gamma1 / (1.0 - kappa), g2: seen.gamma2 / (1.0 - kappa) }, kappa };
                if self.haloes.is_empty() { lensing } else { self.bent(seen, place, distance) }
            }),
        }
    }
}

/// Convergence and reduced shear beyond which light is bent strongly.
const STRONG: (f64, f64) = (0.5, 0.7);

impl GalaxyField<'_> {
    /// Lensing by the structure and the clusters in front; without light where it is strong.
    fn bent(&self, mut seen: Sheared, place: &Place, distance: f64) -> Lensing {
        let at = vector(place.ra_deg, place.dec_deg);
        for cluster in self.haloes {
            let one = cluster.bend(distance, (place.ra_deg, place.dec_deg), &at);
            seen = Sheared { kappa: seen.kappa + one.kappa, gamma1: seen.gamma1 + one.gamma1, gamma2: seen.gamma2 + one.gamma2 };
        }
        let kappa = seen.kappa.max(-0.5);
        let shear = Shear { g1: seen.gamma1 / (1.0 - kappa), g2: seen.gamma2 / (1.0 - kappa) };
        if kappa > STRONG.0 || shear.g1.hypot(shear.g2) > STRONG.1 {
            // No room for images on the sky: the galaxy is left out.
            return Lensing { shear: Shear { g1: 1.0, g2: 0.0 }, kappa: 0.0 };
        }
        Lensing { shear, kappa }
    }
}

/// Light split and spectra of a galaxy (0 E to 4 young).
struct Kind {
    bulge_fraction: f64,
    bulge_spectrum: f64,
    disk_spectrum: f64,
    dust: f64,
}

fn dex(x: f64) -> f64 {
    10.0_f64.powf(x)
}

/// Median half-light radius of a disk \[kpc\].
fn disk_kpc(mass: f64, z: f64) -> f64 {
    let bend = 2.7_f64;
    let evolution = if z < 1.7 { (1.0 + z).powf(-0.3) } else { bend.powf(-0.3) * ((1.0 + z) / bend).powf(-0.7) };
    2.8 * evolution * dex(0.2 * (mass - 9.35))
}

/// Median half-light radius of a bulge \[kpc\].
fn bulge_kpc(mass: f64, z: f64) -> f64 {
    8.0 * (1.0 + z).powf(-1.3) * dex(0.56 * (mass - 11.25))
}

fn ellipticity_law() -> (Vec<f64>, Vec<f64>) {
    let (e_max, a, e_0): (f64, f64, f64) = (0.804, 0.2539, 0.0256);
    let density = |e: f64| e * (1.0 - ((e - e_max) / a).exp()) / ((1.0 + e) * e.hypot(e_0));
    let steps = 400;
    let grid: Vec<f64> = (0..=steps).map(|k| e_max * f64::from(k) / f64::from(steps)).collect();
    let mut cumulative = vec![0.0];
    for pair in grid.windows(2) {
        cumulative.push(cumulative[cumulative.len() - 1] + density(0.5 * (pair[0] + pair[1])));
    }
    let total = cumulative[cumulative.len() - 1];
    (grid, cumulative.into_iter().map(|c| c / total).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_those_of_van_der_wel_at_the_pivot_mass() {
        // Van der Wel et al. 2014, table 1, at 5e10 Chabrier = 10.94 here, 500 nm: late types 10^0.86, 0.78, 0.70, 0.65, 0.55, 0.51 kpc at z = 0.25, 0.75,
        // 1.25, 1.75, 2.25, 2.75, early types 10^0.60, 0.42, 0.22, 0.09: the fits of EGG are for their disks and bulges, 35 %.
        for (z, lg) in [(0.25, 0.86), (0.75, 0.78), (1.25, 0.70), (1.75, 0.65), (2.25, 0.55), (2.75, 0.51)] {
            let ratio = disk_kpc(10.94, z) / dex(lg);
            assert!((0.65..1.35).contains(&ratio), "disk at {z}: {ratio}");
        }
        for (z, lg) in [(0.25, 0.60), (0.75, 0.42), (1.25, 0.22)] {
            let ratio = bulge_kpc(10.94, z) / dex(lg);
            assert!((0.65..1.6).contains(&ratio), "bulge at {z}: {ratio}");
        }
    }
}
