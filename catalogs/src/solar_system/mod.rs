//! Bodies of the solar system: users' orbits, or a population drawn by orbit.
//!
//! # Effect
//! Asteroids, near-Earth objects, Trojans of Jupiter and trans-Neptunian objects move by 0.01 to 100 pixels in an exposure, and shift while the telescope
//! goes round the Earth. The same body is where its orbit takes it in every exposure.
//! # Formula
//! Two-body orbits ([`ellipse`]), light time and apparent place (`look.rs`), H and G ([`brightness`]), sunlight on a surface (`colour.rs`).
//! # Source
//! Each module's; the population: [`population`].
//! # Limits
//! No planets, moons and comets. No perturbations.
//! # Twin
//! None.

pub mod brightness;
mod colour;
pub mod ellipse;
mod look;
pub mod population;
mod read;

#[cfg(test)]
mod tests;

pub use colour::{Colours, Taxon};
pub use look::{Arrival, Body};

use crate::moving::{Cone, Passage};
use crate::observer::Sight;
use crate::read::OnBadRow;
use population::Population;
use rayon::prelude::*;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::path::PathBuf;

/// Where the bodies come from: `[moving.solar_system]`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "snake_case", tag = "kind")]
pub enum SolarSystemSpec {
    /// A population with published numbers.
    Synthetic {
        /// Factor on the numbers, 0 to 100.
        #[serde(default = "one")]
        scale: f64,
        /// Faintest V magnitude, 0 to 28.
        #[serde(default = "faint")]
        faint: f64,
        /// Seed; the scenario's when absent.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        seed: Option<u64>,
    },
    /// Orbits of a file: MPCORB.DAT (by its ending), or a table of elements.
    File {
        /// The file.
        path: PathBuf,
        /// Faintest V magnitude, 0 to 40.
        #[serde(default = "faint")]
        faint: f64,
        /// Their surface.
        #[serde(default)]
        taxon: Taxon,
        /// Whether an orbit that cannot be used stops the run or is skipped and counted.
        #[serde(default)]
        on_bad_row: OnBadRow,
    },
}

fn one() -> f64 {
    1.0
}

fn faint() -> f64 {
    25.0
}

/// Why the bodies cannot be made.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SolarSystemError {
    /// A value of the scenario is outside its range.
    #[error("moving.solar_system.{key} = {value} is outside {range}")]
    Range {
        /// Key.
        key: &'static str,
        /// Value given.
        value: f64,
        /// Allowed.
        range: &'static str,
    },
    /// A file cannot be used.
    #[error("{path}: {reason}")]
    File {
        /// File.
        path: String,
        /// Reason.
        reason: String,
    },
    /// An orbit cannot be used.
    #[error("{path}: row {row}: {column} = {value} is outside {range}; on_bad_row = \"skip\" leaves such orbits out")]
    Row {
        /// File.
        path: String,
        /// Row (line of MPCORB) from 1.
        row: u64,
        /// Column.
        column: String,
        /// Value found.
        value: String,
        /// Allowed.
        range: String,
    },
}

/// The bodies, made ready.
pub struct SolarSystem {
    source: Source,
    faint: f64,
    skipped: BTreeMap<String, u64>,
}

enum Source {
    Drawn(Population),
    Listed { bodies: Vec<Body>, names: Vec<String> },
}

impl SolarSystem {
    /// From their parameters; `seed` is that of the scenario.
    ///
    /// # Errors
    /// When a value is outside its range or the file cannot be used.
    pub fn new(spec: &SolarSystemSpec, seed: u64) -> Result<Self, SolarSystemError> {
        let within = |key, value: f64, high: f64, range| {
            if (0.0..=high).contains(&value) { Ok(()) } else { Err(SolarSystemError::Range { key, value, range }) }
        };
        match spec {
            SolarSystemSpec::Synthetic { scale, faint, seed: own } => {
                within("scale", *scale, 100.0, "0..100")?;
                within("faint", *faint, 28.0, "0..28 mag")?;
                let drawn = Population::new(own.unwrap_or(seed), *scale, *faint);
                Ok(Self { source: Source::Drawn(drawn), faint: *faint, skipped: BTreeMap::new() })
            }
            SolarSystemSpec::File { path, faint, taxon, on_bad_row } => {
                within("faint", *faint, 40.0, "0..40 mag")?;
                let read::Read { bodies, names, skipped } = read::read(path, *on_bad_row, *taxon)?;
                Ok(Self { source: Source::Listed { bodies, names }, faint: *faint, skipped })
            }
        }
    }
    /// Orbits that cannot be used, by cause.
    #[must_use]
    pub fn skipped(&self) -> &BTreeMap<String, u64> {
        &self.skipped
    }
    /// Bodies that come within a cone during an exposure, in order of their numbers.
    #[must_use]
    pub fn passages(&self, sight: &Sight, cone: &Cone) -> Vec<Passage> {
        match &self.source {
            Source::Drawn(population) => population.passages(sight, cone),
            Source::Listed { bodies, names } => {
                let found = listed(bodies, sight, cone, self.faint);
                found.into_iter().map(|(k, p)| Passage { id: k as i64 + 1, name: names[k].clone(), ..p }).collect()
            }
        }
    }
}

/// Those of a list that come within a cone, with their places in it.
fn listed(bodies: &[Body], sight: &Sight, cone: &Cone, faint: f64) -> Vec<(usize, Passage)> {
    let (sun, observer) = (sight.sun_au(0.0), sight.observer_au(0.0));
    let sun_from_observer = std::array::from_fn(|k| sun[k] - observer[k]);
    let one = |(k, body): (usize, &Body)| body.passage(sight, cone, &sun_from_observer, faint).map(|p| (k, p));
    bodies.par_iter().enumerate().with_min_len(4096).filter_map(one).collect()
}
