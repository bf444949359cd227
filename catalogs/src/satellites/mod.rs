//! Satellites of the Earth, seen from the telescope's own orbit.
//!
//! # Effect
//! Sunlit satellites cross the field at some degrees a second: fast and blurred when near, slow and faint when far.
//! # Formula
//! Places of constellations by circular orbits with a turning node ([`crate::observer::Orbit`]), of element sets by SGP4 (`elements.rs`); seen in the direction
//! `s(t - d / c) - v d / c - o(t)`, which aberration by the telescope's velocity then turns; v velocity of the Earth, whose part of
//! the aberration falls out. Brightness and shadow: [`light`]. Which cross: `crossing.rs`.
//! # Symbols
//! s place of the satellite and o of the telescope about the centre of the Earth, d distance
//! # Source
//! Light time and aberration: Explanatory Supplement to the Astronomical Almanac (Urban & Seidelmann 2013), 7.2; shells: `data/satellites/constellations.csv`.
//! # Limits
//! One brightness along a passage, that of its middle.
//! # Twin
//! None.

mod crossing;
mod elements;
pub mod light;
mod shells;

#[cfg(test)]
mod tests;

pub use shells::Shell;

use crate::dates::terrestrial_time;
use crate::direction::{Vector, unit};
use crate::draw::Draw;
use crate::moving::{Cone, Passage, angle, path};
use crate::observer::{DAY_S, Orbit, Sight};
use crate::solar_system::Taxon;
use elements::Tracked;
use rayon::prelude::*;
use serde::{Deserialize, Serialize};
use sim_core::stream::StreamKey;
use sim_core::units::SPEED_OF_LIGHT_M_S;
use std::path::PathBuf;

/// Halvings until a moment of dusk or dawn is known: a millisecond of a minute.
const DUSK_HALVINGS: usize = 20;

/// Where the satellites come from: `[moving.satellites]`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "snake_case", tag = "kind")]
pub enum SatelliteSpec {
    /// Constellations: circular orbits in shells.
    Constellations {
        /// Built-in ones: `starlink_gen1`, `starlink_gen2`, `oneweb`, `kuiper`.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        names: Vec<String>,
        /// Shells of the user's own.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        shell: Vec<Shell>,
        /// Faintest V magnitude, 0 to 40.
        #[serde(default = "faint")]
        faint: f64,
    },
    /// Element sets of a file: TLE, or OMM in JSON.
    File {
        /// The file.
        path: PathBuf,
        /// V at 1000 km and a phase of 90 deg, -10 to 20.
        #[serde(default = "shells::magnitude")]
        magnitude: f64,
        /// Standard deviation of that from satellite to satellite \[mag\], 0 to 3.
        #[serde(default = "shells::scatter")]
        scatter_mag: f64,
        /// Size \[m\], 0 to 200.
        #[serde(default = "shells::size")]
        size_m: f64,
        /// Faintest V magnitude, 0 to 40.
        #[serde(default = "faint")]
        faint: f64,
    },
}

fn faint() -> f64 {
    16.0
}

/// Why satellites cannot be made.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SatelliteError {
    /// A value of the scenario is outside its range.
    #[error("moving.satellites.{key} = {value} is outside {low}..{high}")]
    Range {
        /// Key.
        key: String,
        /// Value given.
        value: f64,
        /// Least.
        low: f64,
        /// Most.
        high: f64,
    },
    /// There is no constellation of that name.
    #[error("moving.satellites.names: `{name}` is not built in; there are {known}")]
    Name {
        /// Name given.
        name: String,
        /// Names there are.
        known: String,
    },
    /// Nothing is named.
    #[error("moving.satellites names no constellation and no shell; built in are {known}")]
    Empty {
        /// Names there are.
        known: String,
    },
    /// A file cannot be used.
    #[error("{path}: {reason}")]
    File {
        /// File.
        path: String,
        /// Reason.
        reason: String,
    },
    /// An element set cannot be used.
    #[error("{path}: element set of row {row}: {reason}")]
    Row {
        /// File.
        path: String,
        /// Line of a TLE, place of an OMM, from 1.
        row: usize,
        /// Reason.
        reason: String,
    },
}

/// What carries a satellite.
enum Carrier {
    Shell(Orbit),
    Tracked(Box<Tracked>),
}

/// One satellite.
struct Satellite {
    carrier: Carrier,
    id: i64,
    name: String,
    standard: f64,
    size_m: f64,
}

/// The satellites, made ready.
pub struct Satellites {
    all: Vec<Satellite>,
    faint: f64,
}

impl Satellites {
    /// From their parameters; `seed` is that of the scenario.
    ///
    /// # Errors
    /// When a value is outside its range, a name is not known, or the file cannot be used.
    pub fn new(spec: &SatelliteSpec, seed: u64) -> Result<Self, SatelliteError> {
        let key = StreamKey::new(seed).with_name("satellites");
        let within = |key: &str, value: f64, low: f64, high: f64| {
            if (low..=high).contains(&value) { Ok(()) } else { Err(SatelliteError::Range { key: key.into(), value, low, high }) }
        };
        // The same scatter for a satellite in every exposure.
        let standard = |id: i64, mean: f64, scatter: f64| mean + scatter * Draw::new(key.with_name("magnitude").stream(id as u64)).normal();
        let mut all = Vec::new();
        let faint = match spec {
            SatelliteSpec::Constellations { names, shell, faint } => {
                let known = shells::names().join(", ");
                let mut shells = Vec::new();
                for name in names {
                    let found = shells::built_in(name);
                    if found.is_empty() {
                        return Err(SatelliteError::Name { name: name.clone(), known });
                    }
                    shells.extend(found);
                }
                for (index, own) in shell.iter().enumerate() {
                    own.check(index)?;
                    shells.push(own.clone());
                }
                if shells.is_empty() {
                    return Err(SatelliteError::Empty { known });
                }
                for (number, shell) in shells.iter().enumerate() {
                    for (k, orbit) in shell.orbits(number as u64, key).into_iter().enumerate() {
                        let id = (number as i64) * 1_000_000 + k as i64 + 1;
                        let (plane, slot) = (k as u32 / shell.per_plane + 1, k as u32 % shell.per_plane + 1);
                        let name = format!("{} {}/{plane}-{slot}", shell.name, shell.altitude_km);
                        let standard = standard(id, shell.magnitude, shell.scatter_mag);
                        all.push(Satellite { carrier: Carrier::Shell(orbit), id, name, standard, size_m: shell.size_m });
                    }
                }
                *faint
            }
            SatelliteSpec::File { path, magnitude, scatter_mag, size_m, faint } => {
                within("magnitude", *magnitude, -10.0, 20.0)?;
                within("scatter_mag", *scatter_mag, 0.0, 3.0)?;
                within("size_m", *size_m, 0.0, 200.0)?;
                for tracked in elements::read(path)? {
                    let (id, name) = (tracked.number, tracked.name.clone());
                    let standard = standard(id, *magnitude, *scatter_mag);
                    all.push(Satellite { carrier: Carrier::Tracked(Box::new(tracked)), id, name, standard, size_m: *size_m });
                }
                *faint
            }
        };
        within("faint", faint, 0.0, 40.0)?;
        Ok(Self { all, faint })
    }
    /// Element sets that SGP4 cannot carry to an exposure: satellites that have come down.
    #[must_use]
    pub fn lost(&self, sight: &Sight) -> u64 {
        let frame = Frame::new(sight);
        self.all.par_iter().filter(|s| frame.place(s, 0.0).is_none()).count() as u64
    }
    /// Sunlit satellites that cross a cone during an exposure, in the order of the list.
    #[must_use]
    pub fn passages(&self, sight: &Sight, cone: &Cone) -> Vec<Passage> {
        let frame = Frame::new(sight);
        self.all.par_iter().with_min_len(256).flat_map_iter(|satellite| self.of(satellite, &frame, cone)).collect()
    }
    fn of(&self, satellite: &Satellite, frame: &Frame<'_>, cone: &Cone) -> Vec<Passage> {
        let half = 0.5 * frame.sight.time_s;
        let seen = |t: f64| frame.seen(satellite, t).map(|s| s.from_observer);
        let mut out = Vec::new();
        for (from_s, to_s) in crossing::spans(cone, (-half, half), &seen) {
            let Some((from_s, to_s)) = frame.lit_part(satellite, from_s, to_s) else { continue };
            let Some(middle) = frame.seen(satellite, 0.5 * (from_s + to_s)) else { continue };
            if light::hidden(&frame.sight.observer_km(0.5 * (from_s + to_s)), &middle.from_observer) {
                continue;
            }
            let phase = angle(&middle.from_observer, &std::array::from_fn(|k| middle.from_earth[k] - frame.sun_km[k]));
            let distance_km = crate::direction::dot(&middle.from_observer, &middle.from_observer).sqrt();
            let v = light::apparent(satellite.standard, distance_km, phase);
            if v > self.faint || to_s <= from_s {
                continue;
            }
            let show = |t: f64| frame.seen(satellite, t).map_or((f64::NAN, f64::NAN), |s| frame.sight.show(&unit(s.from_observer), None));
            let (path, rate_arcsec_s) = path(from_s, to_s, show);
            if path.iter().any(|p| !p.0.is_finite()) {
                continue;
            }
            out.push(Passage {
                id: satellite.id,
                name: satellite.name.clone(),
                path,
                from_s: from_s + half,
                to_s: to_s + half,
                rate_arcsec_s,
                v,
                absolute_magnitude: satellite.standard,
                distance_km,
                phase_deg: phase.to_degrees(),
                size_m: satellite.size_m,
                taxon: Taxon::Grey,
            });
        }
        out
    }
}

/// A satellite at a moment.
struct Seen {
    from_earth: Vector,
    from_observer: Vector,
}

/// What an exposure has once for all satellites.
struct Frame<'a> {
    sight: &'a Sight,
    teme: [[f64; 3]; 3],
    sun_km: Vector,
    earth_km_s: Vector,
}

impl<'a> Frame<'a> {
    fn new(sight: &'a Sight) -> Self {
        // The sight has checked the date.
        let teme =
            terrestrial_time(sight.middle_mjd).map_or([[1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0]], sim_core::axes::gcrs_from_teme);
        Self { sight, teme, sun_km: sight.sun_from_earth_km(), earth_km_s: sight.earth_km_s() }
    }
    /// Place about the centre of the Earth \[km\].
    fn place(&self, satellite: &Satellite, offset_s: f64) -> Option<Vector> {
        let mjd = self.sight.middle_mjd + offset_s / DAY_S;
        match &satellite.carrier {
            Carrier::Shell(orbit) => Some(orbit.state(mjd)[0].map(|m| m / 1000.0)),
            Carrier::Tracked(tracked) => tracked.teme_km(mjd).map(|r| self.teme.map(|row| crate::direction::dot(&row, &r))),
        }
    }
    /// As its light arrives so many seconds after the middle.
    fn seen(&self, satellite: &Satellite, offset_s: f64) -> Option<Seen> {
        let observer = self.sight.observer_km(offset_s);
        let now = self.place(satellite, offset_s)?;
        let distance = (0..3).map(|k| (now[k] - observer[k]).powi(2)).sum::<f64>().sqrt();
        let light_s = distance / (SPEED_OF_LIGHT_M_S / 1000.0);
        let from_earth = self.place(satellite, offset_s - light_s)?;
        let from_observer = std::array::from_fn(|k| from_earth[k] - self.earth_km_s[k] * light_s - observer[k]);
        Some(Seen { from_earth, from_observer })
    }
    /// The part of a span in which it is lit; the light changes once at most in so short a time.
    fn lit_part(&self, satellite: &Satellite, from_s: f64, to_s: f64) -> Option<(f64, f64)> {
        let lit = |t: f64| self.place(satellite, t).is_some_and(|p| light::lit(&p, &self.sun_km));
        let (first, last) = (lit(from_s), lit(to_s));
        if first && last {
            return Some((from_s, to_s));
        }
        if !first && !last {
            return None;
        }
        let (mut low, mut high) = (from_s, to_s);
        for _ in 0..DUSK_HALVINGS {
            let t = 0.5 * (low + high);
            if lit(t) == first { low = t } else { high = t }
        }
        Some(if first { (from_s, low) } else { (high, to_s) })
    }
}
