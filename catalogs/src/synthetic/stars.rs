//! Stars of the synthetic field.
//!
//! # Effect
//! Point sources with the counts, colours, distances, motions and companions of the Milky Way in the field's direction.
//! # Formula
//! Stars of [`crate::milky_way`] along the line of sight to the middle of the HEALPix cell of order 8 (0.23 deg) in which the star's cell lies. The
//! spectrum is reddened by the dust in front of the star, in steps of 0.01 mag of E(B-V); the magnitude is V as observed. A companion nearer than 0.05 arcsec is a second component of
//! the source; one between 0.05 and 5 arcsec is a source of its own, whose number is that of the star plus 1. A flare is
//! one more component of its star.
//! # Symbols
//! V apparent Johnson magnitude (Vega).
//! # Source
//! [`crate::milky_way`]. AB - Vega in V: -0.01, from 363.1e-11 erg/s/cm2/A at V = 0 (Bessell, Castelli & Plez 1998, table A2) at the pivot of 550.03 nm; other
//! values run from -0.04 (Frei & Gunn 1995) to +0.02 (Blanton & Roweis 2007, Vega at 0).
//! # Limits
//! Those of the model. Counts step by 1 % between cells of order 8 at b = 20 deg. A resolved pair is two stars, each of which has to be within the limits of
//! magnitude. Positions hold at the epoch of [`crate::milky_way::EPOCH_YEAR`].
//! # Twin
//! None.

use super::FieldSpec;
use super::grid::{self, Cell};
use super::tints::Tints;
use crate::band::V_AB_MINUS_VEGA;
use crate::direction::shifted;
use crate::draw::Draw;
use crate::extinction::Curve;
use crate::milky_way::{Companion, Dust, FLARE_K, Flares, Line, MilkyWay, Pairs, Star, Variable, motion};
use crate::sed::black_body;
use crate::{Footprint, Library};
use rayon::prelude::*;
use sim_core::source::{Brightness, Component, Lensing, Motion, Position, Profile, Source, SourceKind};
use sim_core::spectrum::{Extinction, Sed, Spectrum};
use sim_core::stream::StreamKey;
use std::sync::Arc;

/// Population number in the object's number and key.
const POPULATION: u64 = 0;
/// Order of the cells that share a line of sight.
const LINE_ORDER: u8 = 8;
/// Step of the colour excess of the spectra \[mag\].
const E_BV_STEP: f64 = 0.01;
/// Closest pair that is two sources \[arcsec\].
const RESOLVED_ARCSEC: f64 = 0.05;

/// Least light of a flare over that of its star that is shown.
const LEAST_FLARE: f64 = 1e-4;

pub(super) struct StarField<'a> {
    spec: &'a FieldSpec,
    key: StreamKey,
    library: &'a Library,
    model: &'a MilkyWay,
    /// Lines of sight by the number of their cell, rising.
    lines: Vec<(u64, Line)>,
    /// The date at which variable stars are seen.
    mjd: f64,
    /// Colours of variable stars, and the light of flares; none without them.
    tints: Option<(Tints, Arc<Spectrum>)>,
    /// Dust of 0, 1, 2 ... steps of colour excess.
    shades: Vec<Option<Arc<Extinction>>>,
}

impl<'a> StarField<'a> {
    pub(super) fn new(spec: &'a FieldSpec, seed: u64, library: &'a Library, model: &'a MilkyWay, cells: &[Cell], mjd: f64) -> Self {
        let mut parents: Vec<u64> = if spec.stars.scale > 0.0 { cells.iter().map(|c| c.parent(LINE_ORDER)).collect() } else { Vec::new() };
        parents.dedup();
        let dust = match (spec.stars.dust, spec.e_bv > 0.0) {
            (false, _) => Dust::None,
            (true, true) => Dust::Column(spec.e_bv),
            (true, false) => Dust::Model,
        };
        let lines: Vec<(u64, Line)> = parents
            .into_par_iter()
            .map(|parent| {
                let (ra, dec) = grid::middle_deg(LINE_ORDER, parent);
                let (l, b) = sofars::coords::icrs2g(ra.to_radians(), dec.to_radians());
                (parent, model.line(l.to_degrees(), b.to_degrees(), dust, spec.stars.bright, spec.stars.faint))
            })
            .collect();
        let thickest = lines.iter().map(|l| l.1.column_e_bv()).fold(0.0, f64::max);
        let curve = Curve::new();
        let steps = (thickest / E_BV_STEP).round() as usize;
        let shades = (0..=steps).map(|k| (k > 0).then(|| curve.extinction(E_BV_STEP * k as f64))).collect();
        let tints = spec.stars.variables.then(|| Some((Tints::new(library), black_body(FLARE_K).ok()?))).flatten();
        Self { spec, key: StreamKey::new(seed).with_name("synthetic_field").with_name("stars"), library, model, lines, mjd, tints, shades }
    }

    pub(super) fn of_cell(&self, cell: &Cell, footprint: &Footprint) -> Vec<Source> {
        let parent = cell.parent(LINE_ORDER);
        let Ok(at) = self.lines.binary_search_by_key(&parent, |l| l.0) else { return Vec::new() };
        let line = &self.lines[at].1;
        let key = self.key.with(cell.number);
        let count = Draw::new(key.stream(u64::MAX)).poisson(line.total_deg2() * cell.area_deg2() * self.spec.stars.scale);
        let mut sources = Vec::with_capacity(count as usize);
        for place in 0..count {
            self.star(cell, place, line, Draw::new(key.stream(place)), footprint, &mut sources);
        }
        sources
    }

    fn star(&self, cell: &Cell, place: u64, line: &Line, mut draw: Draw, footprint: &Footprint, sources: &mut Vec<Source>) {
        let at = cell.position(&mut draw);
        // A companion may be inside where the star is not: 5 arcsec around the cone.
        let near = Footprint { radius_deg: footprint.radius_deg + 5.001 / 3600.0, ..*footprint };
        if !near.contains(at.0, at.1) {
            return;
        }
        let pairs = if self.spec.stars.binaries { Pairs::Drawn } else { Pairs::Single };
        let star = line.star(self.model, pairs, &mut draw);
        let motion = self.spec.stars.motion.then(|| motion(at.0, at.1, star.distance_pc, star.velocity_km_s));
        let id = cell.object(POPULATION, 2 * place);
        let dimming = star.v - star.system_absolute_v;
        let (change, teff_k) = self.change(cell, place, &star);
        let mut brighter = self.light(&star, teff_k, star.log_g, star.v + change);
        let mut second = None;
        if let Some(companion) = &star.companion {
            brighter = self.light(&star, teff_k, star.log_g, star.absolute_v + dimming + change);
            let v = companion.absolute_v + dimming;
            let sequences = self.model.sequences();
            let teff_k = sequences.dwarf_teff_k(companion.absolute_v, star.feh);
            let log_g = sequences.log_g(sequences.dwarf_mass(companion.absolute_v), teff_k, companion.absolute_v);
            second = Some((self.light(&star, teff_k, log_g, v), v, beside(at, companion, star.distance_pc)));
        }
        let flare = self.flare(cell, place, &star, &brighter);
        let first = |second: Option<Component>| std::iter::once(brighter).chain(second).chain(flare).collect::<Vec<Component>>();
        let within =
            |v: f64, at: (f64, f64)| (self.spec.stars.bright..=self.spec.stars.faint).contains(&v) && footprint.contains(at.0, at.1);
        match second {
            None => sources.extend(within(star.v, at).then(|| source(id, at, first(None), motion))),
            Some((light, _, None)) => sources.extend(within(star.v, at).then(|| source(id, at, first(Some(light)), motion))),
            Some((light, v, Some(place))) => {
                sources.extend(within(star.absolute_v + dimming, at).then(|| source(id, at, first(None), motion)));
                sources.extend(within(v, place).then(|| source(id + 1, place, vec![light], motion)));
            }
        }
    }

    /// Magnitudes in V above the mean at the date, and the temperature \[K\] that goes with them; of pairs the brighter star varies.
    fn change(&self, cell: &Cell, place: u64, star: &Star) -> (f64, f64) {
        let Some((tints, _)) = &self.tints else { return (0.0, star.teff_k) };
        let mut draw = Draw::new(self.key.with_name("variables").with(cell.number).stream(place));
        Variable::of(star, &mut draw).map_or((0.0, star.teff_k), |variable| {
            let change = variable.at(self.mjd);
            (change, tints.reddened_k(variable.teff_k(star), (1.0 - variable.i_over_v()) * change))
        })
    }

    /// The light of flares on the brighter star at the date.
    fn flare(&self, cell: &Cell, place: u64, star: &Star, quiet: &Component) -> Option<Component> {
        let (_, template) = self.tints.as_ref()?;
        let key = self.key.with_name("flares").with(cell.number).with(place);
        let relative = Flares::of(star, &mut Draw::new(key.stream(0)))?.at(key, self.mjd);
        let Brightness::Ab { magnitude, band } = &quiet.brightness else { return None };
        if relative < LEAST_FLARE {
            return None;
        }
        let (sed, g) = (Sed { template: template.clone(), ..quiet.sed.clone() }, self.library.bands.gaia_g());
        let in_g = g.ab_magnitude(&quiet.sed, *magnitude, band) - 2.5 * relative.log10();
        let brightness = Brightness::Ab { magnitude: band.ab_magnitude(&sed, in_g, g), band: band.clone() };
        Some(Component { profile: Profile::Point, sed, brightness })
    }

    fn light(&self, star: &Star, teff_k: f64, log_g: f64, v: f64) -> Component {
        let shade = ((star.e_bv / E_BV_STEP).round() as usize).min(self.shades.len() - 1);
        Component {
            profile: Profile::Point,
            sed: Sed { template: self.library.seds.star(teff_k, log_g, star.feh), redshift: 0.0, extinction: self.shades[shade].clone() },
            brightness: Brightness::Ab { magnitude: v + V_AB_MINUS_VEGA, band: self.library.bands.bessell_v().clone() },
        }
    }
}

fn source(id: u64, at: (f64, f64), components: Vec<Component>, motion: Option<Motion>) -> Source {
    Source {
        id,
        kind: SourceKind::Star,
        position: Position::Sky { ra_deg: at.0, dec_deg: at.1 },
        components,
        lensing: Lensing::default(),
        redshift: 0.0,
        motion,
        seen: None,
    }
}

/// Where a companion stands, if it is seen apart from its star.
fn beside(at: (f64, f64), companion: &Companion, distance_pc: f64) -> Option<(f64, f64)> {
    let arcsec = companion.separation_au / distance_pc;
    if arcsec < RESOLVED_ARCSEC {
        return None;
    }
    let (sine, cosine) = companion.angle_rad.sin_cos();
    let small = (arcsec / 3600.0).to_radians();
    Some(shifted(at, small * sine, small * cosine))
}
