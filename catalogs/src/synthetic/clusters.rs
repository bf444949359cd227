//! Clusters of galaxies of the synthetic field: members, brightest galaxies, the light between them.
//!
//! # Effect
//! Rich haloes shine with a red sequence of galaxies about a giant one, in a haze of their stars; the same cluster whichever window asks.
//! # Formula
//! Candidates: Poisson with 12 times the mean density per cell, mass and redshift from the mass function; kept with probability exp(r g - r^2 v / 2) / 12, r
//! = bias of the halo over that of galaxies (at most 6), g and v of [`crate::cosmos::Structure::smooth`]. Members: `clusters/light.rs`, radii by the
//! mass profile, directions even over the sphere, redshifts with the halo's dispersion. Spectrum of red members c = 0.3 (z - 0.5) + 0.07 (M - M*),
//! 0 to 1; blue share 0.15 + 0.25 z, at most 0.6. Diffuse light: an elliptical exponential.
//! # Symbols
//! c place in the sequence of spectra, M* magnitude of the characteristic luminosity.
//! # Source
//! `clusters/`. Slope of the red sequence: assumed; 0.07 in c is some 0.01 to 0.04 mag per mag in g - r, which is what red sequences have. Blue share: Butcher & Oemler 1984 (ApJ
//! 285, 426): 0.25 z by z = 0.5 beyond a few per cent; the share of 0.15 at z = 0, for fainter members than theirs, is assumed.
//! # Limits
//! Redshifts 0.05 to 2, masses to 10^15.6 solar / h. The counts of field galaxies hold clusters already: with members a field has as many more galaxies as they
//! are. Lensing: the profile without an end, to twice the halo's radius and no farther (a step of some 1e-3), added to the field of the structure, which has the
//! clusters' mean matter already: the mean convergence rises by that of the haloes. Galaxies whose light would be bent strongly (convergence
//! above 0.5 or reduced shear above 0.7) are left out: no arcs by clusters. Members are not sheared and do not avoid each other. The diffuse light is one source, which windows within four of its half-light
//! radii take (0.9 % lies beyond), though its centre be outside; the renderer folds what is beyond its largest period (5 arcmin for pixels of 0.074 arcsec), so that nearby
//! haloes' light (half-light radius above 60 arcsec, redshifts below 0.25 or so) is too concentrated.
//! # Twin
//! None.

use super::FieldSpec;
use super::galaxies::{GalaxyField, GalaxyModel};
use super::galaxy_law::{Absolute, quiescent_type};
use super::grid::{self, Cell};
use crate::Footprint;
use crate::clusters::light::{self, Luminosities};
use crate::clusters::{Halo, HaloCounts, volume_deg2};
use crate::cosmos::{Background, Sheared};
use crate::direction::{Vector, dot, shifted, vector};
use crate::draw::Draw;
use rayon::prelude::*;
use serde::{Deserialize, Serialize};
use sim_core::source::{Brightness, Component, Lensing, Position, Profile, Shear, Source, SourceKind};
use sim_core::spectrum::Sed;
use sim_core::stream::StreamKey;

/// Population number in the object's number and key.
const POPULATION: u64 = 4;
/// Bits of a member's number; above them that of the cluster in its cell.
const MEMBER_BITS: u32 = 16;
/// Number of the diffuse light, above all members.
const DIFFUSE: u64 = (1 << MEMBER_BITS) - 1;
const CLUSTERS: u64 = 64;
/// How far the density at a place may exceed the mean.
const CREST: f64 = 12.0;
/// Largest bias over that of galaxies.
const MOST_BIAS: f64 = 6.0;
/// Redshifts.
const NEAR: f64 = 0.05;
const FAR: f64 = 2.0;
const STEP_Z: f64 = 0.01;
/// Masses: lg \[solar / h\].
const HEAVIEST: f64 = 15.6;
const STEP_MASS: f64 = 0.02;
/// Largest reach on the sky \[deg\]: twice the radius of 10^15.6 solar / h at redshift 0.05 (1.37).
pub(super) const REACH_DEG: f64 = 2.8;
/// Half-light radii to which the diffuse light is followed.
const DIFFUSE_END: f64 = 4.0;

/// Clusters of galaxies.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct ClusterSpec {
    /// Factor on the mass function, 0 to 10; 0 for none.
    pub scale: f64,
    /// Least mass of a halo \[solar\], within 200 times the mean density, 1e13 to 1e15.
    pub least_mass: f64,
    /// Factor on the light between the galaxies, 0 to 3; 0 for none.
    pub diffuse: f64,
    /// Whether clusters bend the light of galaxies behind them, where `lensing` is that of the structure.
    pub lensing: bool,
}

impl Default for ClusterSpec {
    fn default() -> Self {
        Self { scale: 0.0, least_mass: 5e13, diffuse: 1.0, lensing: true }
    }
}

/// What holds at every place of the sky.
pub(super) struct ClusterModel {
    counts: HaloCounts,
    /// Cumulative numbers per deg2 over redshift.
    redshifts: Vec<f64>,
    /// Cumulative numbers over lg M at each redshift, and the first lg M.
    masses: Vec<Vec<f64>>,
    first: f64,
    key: StreamKey,
    scale: f64,
}

/// Radii of a halo to which it bends light.
const LENSING_END: f64 = 2.0;

/// A cluster.
pub(super) struct Cluster {
    cell: Cell,
    number: u64,
    ra_deg: f64,
    dec_deg: f64,
    at: Vector,
    halo: Halo,
}

impl Cluster {
    /// The halo and its place (ra, dec) \[deg\].
    #[cfg(test)]
    pub(super) fn centre(&self) -> (&Halo, (f64, f64)) {
        (&self.halo, (self.ra_deg, self.dec_deg))
    }
    /// Convergence and shear (u east, v north) of a source at a distance \[Mpc/h\] and a position, none beyond twice the halo's radius.
    pub(super) fn bend(&self, distance: f64, (ra_deg, dec_deg): (f64, f64), at: &Vector) -> Sheared {
        let nothing = Sheared { kappa: 0.0, gamma1: 0.0, gamma2: 0.0 };
        let apart: Vector = std::array::from_fn(|k| self.at[k] - at[k]);
        let angle = dot(&apart, &apart).sqrt();
        if distance <= self.halo.distance || angle > LENSING_END * self.halo.angle() {
            return nothing;
        }
        let (kappa, tangential) = self.halo.lensing(distance, angle);
        let ((sa, ca), (sd, cd)) = (ra_deg.to_radians().sin_cos(), dec_deg.to_radians().sin_cos());
        let (u, v) = (dot(&apart, &[-sa, ca, 0.0]), dot(&apart, &[-sd * ca, -sd * sa, cd]));
        let square = (u * u + v * v).max(1e-30);
        Sheared { kappa, gamma1: -tangential * (u * u - v * v) / square, gamma2: -tangential * 2.0 * u * v / square }
    }
}

/// Number of the first value of a cumulative above a target, and the part of the way to it from the last.
fn within(cumulative: &[f64], u: f64) -> f64 {
    let target = u * cumulative[cumulative.len() - 1];
    let k = cumulative.partition_point(|c| *c <= target).clamp(1, cumulative.len() - 1);
    let (a, b) = (cumulative[k - 1], cumulative[k]);
    (k - 1) as f64 + if b > a { (target - a) / (b - a) } else { 0.5 }
}

fn cumulate(values: impl Iterator<Item = f64>) -> Vec<f64> {
    let mut sum = 0.0;
    std::iter::once(0.0)
        .chain(values.map(|v| {
            sum += v;
            sum
        }))
        .collect()
}

impl ClusterModel {
    pub(super) fn new(spec: &FieldSpec, seed: u64, background: &Background) -> Self {
        let counts = HaloCounts::new(background);
        let first = (spec.clusters.least_mass * spec.cosmology.h).log10();
        let steps = ((HEAVIEST - first) / STEP_MASS).ceil() as usize;
        let bins = ((FAR - NEAR) / STEP_Z).round() as usize;
        let ln = STEP_MASS * std::f64::consts::LN_10;
        let masses: Vec<Vec<f64>> = (0..bins)
            .map(|bin| {
                let z = NEAR + STEP_Z * (bin as f64 + 0.5);
                let mass = |k: usize| 10.0_f64.powf(first + STEP_MASS * (k as f64 + 0.5));
                cumulate((0..steps).map(|k| counts.per_ln_mass(mass(k), z) * ln))
            })
            .collect();
        let of_bin = |bin: usize| {
            let z = NEAR + STEP_Z * (bin as f64 + 0.5);
            masses[bin][steps] * STEP_Z * volume_deg2(background, z)
        };
        let redshifts = cumulate((0..bins).map(of_bin));
        let key = StreamKey::new(seed).with_name("synthetic_field").with_name("clusters");
        Self { counts, redshifts, masses, first, key, scale: spec.clusters.scale }
    }
    /// Clusters per deg2 before structure.
    pub(super) fn total_deg2(&self) -> f64 {
        self.scale * self.redshifts[self.redshifts.len() - 1]
    }
    /// Clusters of a cell that reach into a footprint.
    fn of_cell(&self, cell: Cell, footprint: &Footprint, galaxies: &GalaxyModel) -> Vec<Cluster> {
        let key = self.key.with(cell.number);
        let count = Draw::new(key.stream(u64::MAX)).poisson(self.total_deg2() * CREST * cell.area_deg2()).min(CLUSTERS);
        let mut found = Vec::new();
        for number in 0..count {
            let mut draw = Draw::new(key.stream(number));
            let place = within(&self.redshifts, draw.uniform());
            let redshift = NEAR + STEP_Z * place;
            let masses = &self.masses[(place as usize).min(self.masses.len() - 1)];
            let mass = 10.0_f64.powf(self.first + STEP_MASS * within(masses, draw.uniform()));
            let (ra_deg, dec_deg) = cell.position(&mut draw);
            let crowd = draw.uniform();
            let background = &galaxies.structure.background;
            let halo = Halo::new(background, mass, redshift);
            let diffuse = DIFFUSE_END * light::diffuse_radius_kpc(mass) * background.arcsec_per_kpc(redshift) / 3600.0;
            let reach = footprint.radius_deg + (LENSING_END * halo.angle().to_degrees()).max(diffuse);
            let at = vector(ra_deg, dec_deg);
            let apart = dot(&at, &vector(footprint.ra_deg, footprint.dec_deg)).clamp(-1.0, 1.0).acos().to_degrees();
            if apart <= reach && crowd * CREST < self.density(&halo, (ra_deg, dec_deg), galaxies) {
                found.push(Cluster { cell, number, ra_deg, dec_deg, at, halo });
            }
        }
        found
    }
    /// Density of haloes at a place over the mean.
    fn density(&self, halo: &Halo, (ra_deg, dec_deg): (f64, f64), galaxies: &GalaxyModel) -> f64 {
        let structure = &galaxies.structure;
        let shell = structure.shells.at(halo.distance);
        let ratio = self.counts.bias(halo.mass, halo.redshift) / crate::cosmos::galaxy_bias(&structure.background, halo.redshift);
        structure.crowding(shell, ra_deg, dec_deg, ratio.min(MOST_BIAS))
    }
    /// Clusters that reach into a footprint with their galaxies or their lensing, in order of their numbers.
    pub(super) fn near(&self, footprint: &Footprint, galaxies: &GalaxyModel) -> Vec<Cluster> {
        let wide = Footprint { radius_deg: footprint.radius_deg + REACH_DEG, ..*footprint };
        self.of_cells(grid::cells_in(&wide), footprint, galaxies)
    }
    /// Those of some cells.
    pub(super) fn of_cells(&self, cells: Vec<Cell>, footprint: &Footprint, galaxies: &GalaxyModel) -> Vec<Cluster> {
        let clusters: Vec<Vec<Cluster>> = cells.into_par_iter().map(|cell| self.of_cell(cell, footprint, galaxies)).collect();
        clusters.into_iter().flatten().collect()
    }
    /// What of the light of clusters lies in a footprint, in order of its numbers.
    pub(super) fn light(&self, clusters: &[Cluster], footprint: &Footprint, field: &GalaxyField<'_>) -> Vec<Source> {
        let sources: Vec<Vec<Source>> = clusters.par_iter().map(|c| Painter::new(self, c, footprint, field).sources()).collect();
        sources.into_iter().flatten().collect()
    }
}

/// Draws the light of one cluster.
struct Painter<'a> {
    cluster: &'a Cluster,
    footprint: &'a Footprint,
    field: &'a GalaxyField<'a>,
    key: StreamKey,
    light: Luminosities,
    modulus: f64,
    arcsec_per_kpc: f64,
}

impl<'a> Painter<'a> {
    fn new(model: &ClusterModel, cluster: &'a Cluster, footprint: &'a Footprint, field: &'a GalaxyField<'a>) -> Self {
        let background = &field.model.structure.background;
        let z = cluster.halo.redshift;
        Self {
            cluster,
            footprint,
            field,
            key: model.key.with(cluster.cell.number).with_name("members").with(cluster.number),
            light: Luminosities::new(cluster.halo.mass),
            modulus: background.modulus(z),
            arcsec_per_kpc: background.arcsec_per_kpc(z),
        }
    }
    fn source(&self, member: u64, kind: SourceKind, at: (f64, f64), redshift: f64, components: Vec<Component>) -> Source {
        Source {
            id: self.cluster.cell.object(POPULATION, (self.cluster.number << MEMBER_BITS) | member),
            kind,
            position: Position::Sky { ra_deg: at.0, dec_deg: at.1 },
            components,
            lensing: Lensing::default(),
            redshift,
            motion: None,
            seen: None,
        }
    }
    fn h(&self) -> f64 {
        self.field.model.structure.background.cosmology.h
    }
    /// i magnitude and mass of a luminosity with a spectrum.
    fn seen(&self, luminosity: f64, coordinate: f64) -> (f64, f64) {
        let z = self.cluster.halo.redshift;
        self.field.model.law.seen(light::absolute_magnitude(luminosity, z, self.h()), Absolute::ShiftedR, coordinate, z, self.modulus)
    }
    fn old(&self, coordinate: f64) -> Sed {
        let redshift = self.cluster.halo.redshift;
        let template = self.field.library.seds.galaxy_at(coordinate, 0.0, redshift);
        Sed { template, redshift, extinction: self.field.extinction.clone() }
    }
    fn sources(&self) -> Vec<Source> {
        let mut draw = Draw::new(self.key.stream(u64::MAX));
        let centre = (self.cluster.ra_deg, self.cluster.dec_deg);
        let brightest = self.light.draw_brightest(&mut draw);
        let shape = self.field.shape(&mut draw);
        let shape = Shear { g1: 0.5 * shape.g1, g2: 0.5 * shape.g2 };
        let share = light::draw_diffuse_share(&mut draw);
        let z = self.cluster.halo.redshift;
        let coordinate = quiescent_type(z);
        // Fainter members than are wanted are never drawn: magnitudes go with luminosities of the reddest spectrum, half a magnitude to spare.
        let reference = self.seen(1e10, coordinate).0;
        let least = 1e10 * 10.0_f64.powf(-0.4 * (self.field.spec.galaxies.faint + 0.5 - reference));
        let count = draw.poisson(self.light.members(least)).min(DIFFUSE - 1);
        let mut sources = Vec::new();
        if self.footprint.contains(centre.0, centre.1) {
            let radius = (light::brightest_radius_kpc(brightest) * 0.7 / self.h() * self.arcsec_per_kpc).clamp(0.03, 100.0);
            let component = Component {
                profile: Profile::Sersic { index: 4.0, half_light_radius_arcsec: radius, shear: shape },
                sed: self.old(coordinate),
                brightness: self.brightness(self.seen(brightest, coordinate).0),
            };
            sources.push(self.source(0, SourceKind::ClusterGalaxy, centre, z, vec![component]));
        }
        sources.extend((1..=count).filter_map(|member| self.member(member, least)));
        if self.field.spec.clusters.diffuse > 0.0 {
            let galaxies = self.light.total() - self.light.brightest + brightest;
            let diffuse = self.field.spec.clusters.diffuse * light::diffuse_luminosity(share, galaxies);
            sources.extend(self.diffuse(self.seen(diffuse, coordinate).0, shape));
        }
        sources
    }
    fn brightness(&self, magnitude: f64) -> Brightness {
        Brightness::Ab { magnitude, band: self.field.library.bands.sdss_i().clone() }
    }
    fn member(&self, number: u64, least: f64) -> Option<Source> {
        let mut draw = Draw::new(self.key.stream(number));
        let halo = &self.cluster.halo;
        let radius = halo.radius_of_share(draw.uniform()) * halo.angle();
        let (cosine, (s, c)) = (draw.between(-1.0, 1.0), draw.between(0.0, std::f64::consts::TAU).sin_cos());
        let across = radius * (1.0 - cosine * cosine).max(0.0).sqrt();
        let at = shifted((self.cluster.ra_deg, self.cluster.dec_deg), across * s, across * c);
        if !self.footprint.contains(at.0, at.1) {
            return None;
        }
        let redshift = halo.shifted(halo.dispersion_km_s() * draw.normal());
        let luminosity = self.light.draw_member(least, &mut draw);
        let blue = draw.chance((0.15 + 0.25 * halo.redshift).min(0.6));
        let below = 2.5 * (self.light.characteristic / luminosity).log10();
        let red = (quiescent_type(halo.redshift) + 0.07 * below.max(-1.0)).clamp(0.0, 1.0);
        let (i, mass) = if blue { self.seen(luminosity, 2.0) } else { self.seen(luminosity, red) };
        if i > self.field.spec.galaxies.faint {
            return None;
        }
        let components = if blue {
            self.field.components(i, mass, redshift, false, &mut draw).0
        } else {
            let mut components = self.field.components(i, mass, redshift, true, &mut draw).0;
            // One red sequence for bulge and disk.
            let template = self.field.library.seds.galaxy_at(red, 0.0, redshift);
            for component in &mut components {
                component.sed.template = template.clone();
            }
            components
        };
        Some(self.source(number, SourceKind::ClusterGalaxy, at, redshift, components))
    }
    /// The light between the galaxies, of a magnitude in all, where it reaches into the footprint.
    fn diffuse(&self, magnitude: f64, shape: Shear) -> Option<Source> {
        let half_light = light::diffuse_radius_kpc(self.cluster.halo.mass) * self.arcsec_per_kpc;
        let wide = Footprint { radius_deg: self.footprint.radius_deg + DIFFUSE_END * half_light / 3600.0, ..*self.footprint };
        let centre = (self.cluster.ra_deg, self.cluster.dec_deg);
        let component = Component {
            profile: Profile::Sersic { index: 1.0, half_light_radius_arcsec: half_light, shear: shape },
            sed: self.old(quiescent_type(self.cluster.halo.redshift)),
            brightness: self.brightness(magnitude),
        };
        let redshift = self.cluster.halo.redshift;
        wide.contains(centre.0, centre.1).then(|| self.source(DIFFUSE, SourceKind::IntraclusterLight, centre, redshift, vec![component]))
    }
}
