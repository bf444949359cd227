//! Supernovae of the synthetic field, in its galaxies.
//!
//! # Effect
//! A point in the light of a galaxy, at its redshift, for some months.
//! # Formula
//! In a slice of distance R(z) V / (1 + z) explode a year; a galaxy has the part w / sum of w n, the sum over galaxies of all magnitudes (16 to 28.75), with w of
//! [`crate::supernovae::rates`]. What galaxies outside the field's limits of magnitude have comes without host, evenly over the cell. Time is cut into
//! pieces of 400 d; each galaxy has a Poisson number in each, at uniform dates. Place: an exponential disk of the host's half-light radius and shape.
//! # Symbols
//! R supernovae / yr / Mpc3 at rest, V volume of the slice, n galaxies in it.
//! # Source
//! [`crate::supernovae`], `galaxy_law.rs`; that supernovae follow the light as in a disk: assumed.
//! # Limits
//! In the catalogue from first light to 300 d after maximum, at rest, while brighter than the limit in i. Not magnified by lensing. Farther than 9 arcsec from its host
//! none. Hosts are those of the numbers: with `galaxies.scale` 2 twice as many galaxies share the same supernovae.
//! # Twin
//! None.

use super::FieldSpec;
use super::counts::GalaxyCounts;
use super::galaxies::GalaxyModel;
use super::galaxy_law::SLICES;
use super::grid::Cell;
use crate::cosmos::{Background, SHELLS};
use crate::direction::shifted;
use crate::draw::Draw;
use crate::supernovae::{FIRST_DAY, LAST_DAY, Supernovae, rates};
use crate::{Footprint, Library};
use serde::{Deserialize, Serialize};
use sim_core::source::{Brightness, Component, Lensing, Position, Profile, Shear, Source, SourceKind};
use sim_core::spectrum::{Extinction, Sed};
use sim_core::stream::StreamKey;
use std::sync::Arc;

/// Population number in the object's number and key.
const POPULATION: u64 = 3;
/// Length of a piece of time \[d\].
const PIECE_D: f64 = 400.0;
/// Farthest from the host \[arcsec\].
const FARTHEST_ARCSEC: f64 = 9.0;
/// Half-light radius of an exponential disk over its scale.
const DISK: f64 = 1.678_35;

/// Supernovae of the field.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct SupernovaSpec {
    /// Factor on the rates, 0 to 1000; 0 for none.
    pub scale: f64,
    /// Faintest i magnitude at the date, 14 to 30.
    pub faint: f64,
}

impl Default for SupernovaSpec {
    fn default() -> Self {
        Self { scale: 0.0, faint: 27.0 }
    }
}

/// A galaxy in which stars explode.
pub(super) struct Host {
    pub at: (f64, f64),
    pub slice: usize,
    pub redshift: f64,
    pub lg_mass: f64,
    pub quiescent: bool,
    pub radius_arcsec: f64,
    pub shape: Shear,
}

/// Supernovae of a slice of distance, per year.
#[derive(Debug, Clone, Copy, Default)]
struct Slice {
    redshift: f64,
    /// Of a galaxy, per weight: Ia, collapse.
    per_weight: [f64; 2],
    /// Without a host in the field \[1 / deg2\].
    hostless: [f64; 2],
}

/// What holds at every place of the sky.
pub(super) struct SupernovaModel {
    slices: Vec<Slice>,
    supernovae: Supernovae,
    background: Background,
}

pub(super) struct SupernovaField<'a> {
    pub spec: &'a FieldSpec,
    pub key: StreamKey,
    pub library: &'a Library,
    pub extinction: Option<Arc<Extinction>>,
    pub model: &'a SupernovaModel,
    pub mjd: f64,
}

/// A footprint with the galaxies whose supernovae may be inside.
pub(super) fn widened(footprint: &Footprint) -> Footprint {
    Footprint { radius_deg: footprint.radius_deg + (FARTHEST_ARCSEC + 0.01) / 3600.0, ..*footprint }
}

impl SupernovaModel {
    pub(super) fn new(spec: &FieldSpec, galaxies: &GalaxyModel, library: &Library) -> Self {
        let (counts, background) = (GalaxyCounts::load(), galaxies.structure.background.clone());
        let (width, h) = (galaxies.structure.shells.width / SLICES as f64, spec.cosmology.h);
        let deg2 = (std::f64::consts::PI / 180.0_f64).powi(2) / h.powi(3);
        let (bright, faint, step) = (counts.range().0, counts.range().1, 0.05);
        let slices = (0..SHELLS * SLICES)
            .map(|slice| {
                let distance = width * (slice as f64 + 0.5);
                let z = background.redshift(distance);
                let yearly =
                    [rates::thermonuclear(z, h), rates::collapse(z, h)].map(|r| r * distance * distance * width * deg2 / (1.0 + z));
                let (mut all, mut shown) = ([0.0; 2], [0.0; 2]);
                for k in 0..((faint - bright) / step) as usize {
                    let (low, high) = (bright + step * k as f64, bright + step * (k + 1) as f64);
                    let i = 0.5 * (low + high);
                    let p = galaxies.law.prospect(slice, i);
                    let (forming, old) = (rates::weights(p.mass[0], false, z), rates::weights(p.mass[1], true, z));
                    let of = |f: f64, o: f64| (1.0 - p.quiescent) * f + p.quiescent * o;
                    let weights = [of(forming.0, old.0), of(forming.1, old.1)];
                    let galaxies_deg2 = counts.between_deg2(low, high) * galaxies.law.share(slice, i);
                    let inside = ((high.min(spec.galaxies.faint) - low.max(spec.galaxies.bright)) / step).clamp(0.0, 1.0);
                    let inside = if spec.galaxies.scale > 0.0 { inside } else { 0.0 };
                    for kind in 0..2 {
                        all[kind] += galaxies_deg2 * weights[kind];
                        shown[kind] += galaxies_deg2 * weights[kind] * inside;
                    }
                }
                let part = |kind: usize| if all[kind] > 0.0 { shown[kind] / all[kind] } else { 0.0 };
                Slice {
                    redshift: z,
                    per_weight: [0, 1].map(|k| if shown[k] > 0.0 { yearly[k] / all[k] / spec.galaxies.scale } else { 0.0 }),
                    hostless: [0, 1].map(|k| yearly[k] * (1.0 - part(k))),
                }
            })
            .collect();
        Self { slices, supernovae: Supernovae::new(&library.bands), background }
    }
}

impl SupernovaField<'_> {
    /// Pieces of time in which maxima lie that are seen at the date.
    fn pieces(&self, redshift: f64) -> std::ops::RangeInclusive<i64> {
        let piece = |day: f64| ((self.mjd - day * (1.0 + redshift)) / PIECE_D).floor() as i64;
        piece(LAST_DAY)..=piece(FIRST_DAY)
    }
    fn expected(&self, yearly: f64) -> f64 {
        yearly * self.spec.supernovae.scale * PIECE_D / 365.25
    }

    /// Those in a galaxy.
    pub(super) fn in_host(&self, cell: &Cell, number: u64, host: &Host, footprint: &Footprint, out: &mut Vec<Source>) {
        let slice = &self.model.slices[host.slice];
        let weights = rates::weights(host.lg_mass, host.quiescent, host.redshift);
        let yearly = [weights.0 * slice.per_weight[0], weights.1 * slice.per_weight[1]];
        let mean = self.expected(yearly[0] + yearly[1]);
        let key = self.key.with(cell.number).with(number);
        for piece in self.pieces(host.redshift) {
            let key = key.with(piece as u64);
            let count = Draw::new(key.stream(u64::MAX)).poisson(mean);
            for event in 0..count {
                let mut draw = Draw::new(key.stream(event));
                let radius = host.radius_arcsec / DISK * (draw.exponential() + draw.exponential());
                let (sine, cosine) = (std::f64::consts::TAU * draw.uniform()).sin_cos();
                let (u, v) = sheared(radius * cosine, radius * sine, host.shape);
                let small = (FARTHEST_ARCSEC / u.hypot(v)).min(1.0) * (1.0_f64 / 3600.0).to_radians();
                let at = shifted(host.at, small * u, small * v);
                // 13 bits of the galaxy, 5 of the time (35 years), 3 of the event.
                let place = ((number & 0x1FFF) << 8) | ((piece as u64 & 0x1F) << 3) | (event & 7);
                out.extend(self.seen(cell.object(POPULATION, place), at, host.redshift, yearly, piece, draw, footprint));
            }
        }
    }

    /// Those whose galaxies are not in the field.
    pub(super) fn without_host(&self, cell: &Cell, footprint: &Footprint) -> Vec<Source> {
        let mut out = Vec::new();
        let total: f64 = self.model.slices.iter().map(|s| s.hostless[0] + s.hostless[1]).sum();
        let farthest = self.model.slices[self.model.slices.len() - 1].redshift;
        let key = self.key.with_name("without_host").with(cell.number);
        for piece in self.pieces(farthest) {
            let key = key.with(piece as u64);
            let count = Draw::new(key.stream(u64::MAX)).poisson(self.expected(total) * cell.area_deg2());
            for event in 0..count {
                let mut draw = Draw::new(key.stream(event));
                let at = cell.position(&mut draw);
                let mut left = draw.uniform() * total;
                let slice = self.model.slices.iter().find(|s| {
                    left -= s.hostless[0] + s.hostless[1];
                    left < 0.0
                });
                let Some(slice) = slice else { continue };
                let place = (1 << 21) | ((piece as u64 & 0x7F) << 14) | (event & 0x3FFF);
                out.extend(self.seen(cell.object(POPULATION, place), at, slice.redshift, slice.hostless, piece, draw, footprint));
            }
        }
        out
    }

    #[allow(clippy::too_many_arguments, reason = "what a supernova has from its host and its piece of time")]
    fn seen(
        &self,
        id: u64,
        at: (f64, f64),
        redshift: f64,
        yearly: [f64; 2],
        piece: i64,
        mut draw: Draw,
        footprint: &Footprint,
    ) -> Option<Source> {
        if !footprint.contains(at.0, at.1) {
            return None;
        }
        let maximum_mjd = PIECE_D * (piece as f64 + draw.uniform());
        let is_ia = draw.chance(yearly[0] / (yearly[0] + yearly[1]));
        let explosion = self.model.supernovae.draw(is_ia, self.spec.cosmology.h, &mut draw);
        let day = (self.mjd - maximum_mjd) / (1.0 + redshift);
        let band = self.library.bands.sdss_i();
        let (magnitude, template) = self.model.supernovae.on_day(&explosion, day, redshift, band, &self.model.background)?;
        (magnitude < self.spec.supernovae.faint).then(|| Source {
            id,
            kind: SourceKind::Supernova,
            position: Position::Sky { ra_deg: at.0, dec_deg: at.1 },
            components: vec![Component {
                profile: Profile::Point,
                sed: Sed { template, redshift, extinction: self.extinction.clone() },
                brightness: Brightness::Ab { magnitude, band: band.clone() },
            }],
            lensing: Lensing::default(),
            redshift,
            motion: None,
            seen: None,
        })
    }
}

/// A place in a round disk, in the disk of a shape: area kept.
fn sheared(u: f64, v: f64, g: Shear) -> (f64, f64) {
    let norm = (1.0 - g.g1 * g.g1 - g.g2 * g.g2).sqrt();
    (((1.0 + g.g1) * u + g.g2 * v) / norm, (g.g2 * u + (1.0 - g.g1) * v) / norm)
}
