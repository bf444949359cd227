//! Stars of the synthetic field.
//!
//! # Effect
//! Point sources with the counts of disk and spheroid and colours that redden towards faint magnitudes.
//! # Formula
//! V from the counts' cumulative; disk or spheroid by their share at that V; temperature by population:
//! spheroid N(5800, 350) K, \[Fe/H\] N(-1.5, 0.4); disk: M dwarfs N(3500, 250) K with probability
//! (V - 13) / 10 held to 0.05..0.85, a white dwarf of 12000 K with probability 0.005, else N(5900 - 120 (V - 14), 600) K held to
//! 4000..9500; \[Fe/H\] N(-0.2, 0.25).
//! # Symbols
//! V apparent Johnson magnitude (Vega); N(m, s) normal of mean m and standard deviation s.
//! # Source
//! Counts: [`super::counts`]. The two-peaked colours (halo turn-off and M dwarfs beyond V = 19) are those of Bahcall & Soneira 1980,
//! fig. 6, and Juric et al. 2008 (ApJ 673, 864), in kind; the numbers of the temperature law are assumed. AB - Vega in V: -0.01, from
//! 363.1e-11 erg/s/cm2/A at V = 0 (Bessell, Castelli & Plez 1998, table A2) at the pivot of 550.03 nm; other values run from
//! -0.04 (Frei & Gunn 1995) to +0.02 (Blanton & Roweis 2007, Vega at 0), all below the counts' 15 %.
//! # Limits
//! No giants, binaries or proper motions.
//! # Twin
//! None.

use super::FieldSpec;
use super::counts::{MagnitudeLaw, star_count_deg2};
use super::grid::Cell;
use crate::draw::Draw;
use crate::{Footprint, Library};
use sim_core::source::{Brightness, Component, Lensing, Position, Profile, Source, SourceKind};
use sim_core::spectrum::{Extinction, Sed};
use sim_core::stream::StreamKey;
use std::sync::Arc;

/// AB minus Vega magnitude in V.
const V_AB_MINUS_VEGA: f64 = -0.01;
/// Population number in the object's number and key.
const POPULATION: u64 = 0;

pub(super) struct StarField<'a> {
    spec: &'a FieldSpec,
    key: StreamKey,
    library: &'a Library,
    extinction: Option<Arc<Extinction>>,
}

impl<'a> StarField<'a> {
    pub(super) fn new(spec: &'a FieldSpec, seed: u64, library: &'a Library, extinction: Option<Arc<Extinction>>) -> Self {
        Self { spec, key: StreamKey::new(seed).with_name("synthetic_field").with_name("stars"), library, extinction }
    }

    pub(super) fn of_cell(&self, cell: &Cell, footprint: &Footprint) -> Vec<Source> {
        if self.spec.stars.scale <= 0.0 {
            return Vec::new();
        }
        let (ra, dec) = cell.middle_deg();
        let (l, b) = sofars::coords::icrs2g(ra.to_radians(), dec.to_radians());
        let (l, b) = (l.to_degrees(), b.to_degrees());
        let (bright, faint) = (self.spec.stars.bright, self.spec.stars.faint);
        let law = MagnitudeLaw::new(bright, faint, 0.25, |x, y| star_count_deg2(l, b, y).total() - star_count_deg2(l, b, x).total());
        let key = self.key.with(cell.number);
        let count = Draw::new(key.stream(u64::MAX)).poisson(law.total_deg2() * cell.area_deg2() * self.spec.stars.scale);
        (0..count).filter_map(|place| self.star(cell, place, &law, (l, b), Draw::new(key.stream(place)), footprint)).collect()
    }

    fn star(
        &self,
        cell: &Cell,
        place: u64,
        law: &MagnitudeLaw,
        galactic: (f64, f64),
        mut draw: Draw,
        footprint: &Footprint,
    ) -> Option<Source> {
        let (ra_deg, dec_deg) = cell.position(&mut draw);
        if !footprint.contains(ra_deg, dec_deg) {
            return None;
        }
        let v = law.quantile(draw.uniform());
        let (fainter, brighter) = (star_count_deg2(galactic.0, galactic.1, v + 0.1), star_count_deg2(galactic.0, galactic.1, v - 0.1));
        let disk_share = (fainter.disk - brighter.disk) / (fainter.total() - brighter.total());
        let (teff_k, feh) = if draw.chance(disk_share) { disk_star(v, &mut draw) } else { spheroid_star(&mut draw) };
        let sed = Sed { template: self.library.seds.star(teff_k, 4.5, feh), redshift: 0.0, extinction: self.extinction.clone() };
        let brightness = Brightness::Ab { magnitude: v + V_AB_MINUS_VEGA, band: self.library.bands.bessell_v().clone() };
        Some(Source {
            id: cell.object(POPULATION, place),
            kind: SourceKind::Star,
            position: Position::Sky { ra_deg, dec_deg },
            components: vec![Component { profile: Profile::Point, sed, brightness }],
            lensing: Lensing::default(),
            redshift: 0.0,
            motion: None,
            seen: None,
        })
    }
}

fn spheroid_star(draw: &mut Draw) -> (f64, f64) {
    ((5800.0 + 350.0 * draw.normal()).clamp(4500.0, 8500.0), -1.5 + 0.4 * draw.normal())
}

fn disk_star(v: f64, draw: &mut Draw) -> (f64, f64) {
    let feh = -0.2 + 0.25 * draw.normal();
    let m_dwarfs = ((v - 13.0) / 10.0).clamp(0.05, 0.85);
    let which = draw.uniform();
    let teff_k = if which < m_dwarfs {
        (3500.0 + 250.0 * draw.normal()).clamp(2850.0, 4000.0)
    } else if which > 0.995 {
        12_000.0
    } else {
        (5900.0 - 120.0 * (v - 14.0) + 600.0 * draw.normal()).clamp(4000.0, 9500.0)
    };
    (teff_k, feh)
}
