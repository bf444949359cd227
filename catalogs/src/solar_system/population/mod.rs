//! A population of the solar system drawn by orbit, for users without orbits.
//!
//! # Effect
//! Each body is drawn once, by its orbit and not by a piece of sky: it is in every exposure where its orbit takes it. A seed gives the same bodies
//! whatever the pointing and the limit.
//! # Formula
//! Zones of semi-major axis, each with its distribution of e (Rayleigh, within limits of the perihelion) and i (`sin i exp(-i^2 / 2 s^2)`), even in node,
//! perihelion and mean anomaly at the epoch, and its count N(H) ([`law`]). Belts: cells of (a, e, i, node, perihelion, M) with constant density, in each of them bodies in order of H as
//! arrivals of a Poisson process in N(H): those beyond the limit are never drawn, and only cells that may be in the field are looked at ([`search`]). Trojans and
//! trans-Neptunian objects are few: lists.
//! # Symbols
//! s width in inclination \[deg\]
//! # Source
//! `data/solar_system/zones.csv`, each number with source and status. Main belt: counts so that 210 / deg2 are above R = 23 at opposition (Gladman et al.
//! 2009, Icarus 202, 104), slopes of the same survey (0.51 to H = 15.4; beyond, that of its counts in R, 0.27). Near-Earth: Granvik et al. 2018 (Icarus 312, 181), 962 with
//! H < 17.75 and 802,000 with H < 25. Trojans: Uehata et al. 2022 (AJ 163, 213). Beyond Neptune: Fraser et al. 2014 (ApJ 782, 100).
//! # Limits
//! No families, no gaps, no correlations of e and i but by zone; no bodies fainter than the published ends (main belt H 24, near-Earth 25). Trojans go round with Jupiter
//! without libration. Far from the epoch of the population (2030) the search takes longer.
//! # Twin
//! None.

pub mod law;
mod lists;
pub mod search;
mod zones;

use super::colour::Taxon;
use super::ellipse::{Elements, Ellipse};
use super::look::Body;
use super::{Sight, listed};
use crate::draw::Draw;
use crate::moving::{Cone, Passage};
pub(super) use search::Belt;
use sim_core::stream::StreamKey;

/// Epoch of the population, modified Julian date TT: 1 January 2030.
pub const EPOCH_MJD: f64 = 62_502.0;

/// The bodies.
pub struct Population {
    belts: Vec<Belt>,
    lists: Vec<lists::List>,
    faint: f64,
}

impl Population {
    /// With a factor on the numbers and a faintest V magnitude.
    #[must_use]
    pub fn new(seed: u64, scale: f64, faint: f64) -> Self {
        let key = StreamKey::new(seed).with_name("solar_system");
        let zones = zones::zones();
        let belts = zones.iter().enumerate().filter(|(_, z)| !z.listed).map(|(k, z)| Belt::new(z, k as u64, key, scale)).collect();
        let lists =
            zones.iter().enumerate().filter(|(_, z)| z.listed).map(|(k, z)| lists::List::new(z, k as u64, key, scale, faint)).collect();
        Self { belts, lists, faint }
    }
    /// Those that come within a cone during an exposure, in order of their numbers.
    #[must_use]
    pub fn passages(&self, sight: &Sight, cone: &Cone) -> Vec<Passage> {
        let mut all = Vec::new();
        for belt in &self.belts {
            all.extend(belt.passages(sight, cone, self.faint));
        }
        for list in &self.lists {
            let found = listed(&list.bodies, sight, cone, self.faint);
            all.extend(found.into_iter().map(|(k, p)| named(p, list.zone, list.prefix, k as u64)));
        }
        all.sort_by_key(|p| p.id);
        all
    }
}

/// Bits of a number that say which body of its zone it is.
const ZONE_SHIFT: u32 = 56;

/// Gives a passage its number and name: zone and number in it.
fn named(passage: Passage, zone: u64, prefix: &str, number: u64) -> Passage {
    Passage { id: ((zone << ZONE_SHIFT) | number) as i64, name: format!("{prefix}-{number:x}"), ..passage }
}

/// A surface by the shares of a zone.
fn surface(draw: &mut Draw, shares: &[(Taxon, f64)]) -> Taxon {
    let mut left = draw.uniform();
    for &(taxon, share) in shares {
        left -= share;
        if left < 0.0 {
            return taxon;
        }
    }
    shares.last().map_or(Taxon::Grey, |s| s.0)
}

fn body(elements: &Elements, h: f64, taxon: Taxon) -> Body {
    Body { orbit: Ellipse::new(elements), h, g: taxon.slope(), taxon }
}

/// Two rings of the middle belt with fewer bodies, for tests.
#[cfg(test)]
pub(super) fn test_belt(key: StreamKey, scale: f64) -> Belt {
    Belt::new(&zones::Zone { a_au: (2.6, 2.64), ..zones::zones()[1].clone() }, 1, key, scale)
}
