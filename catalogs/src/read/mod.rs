//! Catalogues people have: tables of stars and galaxies, with the columns mapped in the scenario.
//!
//! # Effect
//! Rows become [`Source`]s; what is missing is filled with a documented value and counted ([`FillReport`]). Tables are read in chunks
//! ([`crate::tables`]); of a partition by HEALPix only the cells and row groups that overlap the footprint are read.
//! # Formula
//! Proper motion: p(t) = unit(p + (t - t0) (mu_alpha* e_east + mu_delta e_north)), which is exact at the poles.
//! Temperature from BP-RP = c: 5040 K / (0.4929 + 0.5092 c - 0.0353 c^2 + 0.0192 m - 0.0020 m^2 - 0.0395 m c) for 0.39 < c <= 1.5;
//! straight lines through the A and the M dwarfs of a table (BP-RP, T) for the bluer and the redder, held at its ends (-0.12, 4.16).
//! Apparent from absolute magnitude: m = M + 5 lg(d / 10 pc) + k E(B-V). E(B-V) = A(V) / 3.1.
//! Scattered stars: uniform in area, z = 1 - u (1 - cos r), position angle 2 pi v, with u and v keyed by seed and number.
//! # Symbols
//! t exposure, t0 catalogue epoch \[Julian year\]; mu_alpha* = mu_alpha cos delta; m = \[Fe/H\] \[dex\]; k extinction in the band per E(B-V).
//! # Source
//! Mucciarelli, Bellazzini & Massari 2021 (A&A 653, A90), dwarfs, scatter 61 K. A and M dwarfs: colours and temperatures by type of
//! Pecaut & Mamajek 2013 (ApJS 208, 9), online table, version 2024.05.15. No colour: 5500 K (assumed). Profiles: `profile.rs`.
//! # Limits
//! Parallax and radial velocity are read, checked and counted, and change nothing yet. BP-RP is not dereddened. Galaxies are a bulge
//! and a disk of the templates; spectral coefficients of catalogues are not used. Numbers that are the same twice are looked for among
//! the rows that are read: `skyloop catalog check` looks through all.
//! # Twin
//! None.

mod columns;
mod duplicates;
mod galaxy;
pub(crate) mod profile;
mod report;
mod rows;
mod setting;
mod star;
mod units;

#[cfg(test)]
mod tests;
#[cfg(test)]
mod tests_profiles;

pub use crate::tables::Format;
pub(crate) use columns::{Bound, Cell, Mapped, Values};
pub use columns::{ColumnSpec, Columns};
pub use profile::{PROFILES, Profile};
pub use report::{Fill, FillReport, Skip};

use crate::tables::{self, Hats, Kind, RowSource, TableError};
use crate::{Footprint, Library, Region};
use serde::{Deserialize, Serialize};
use sim_core::source::Source;
use std::path::PathBuf;

/// A catalogue file and how to understand it.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct CatalogSpec {
    /// File, or the folder of a partition by HEALPix cell in the layout of HATS (`skyloop catalog convert` makes one).
    pub path: PathBuf,
    /// Format; by the first bytes and the name's ending when absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub format: Option<Format>,
    /// Ready-made mapping of columns.
    #[serde(default)]
    pub profile: Profile,
    /// Mapping of columns; each entry replaces that of the profile.
    #[serde(default)]
    pub columns: Columns,
    /// Band of the magnitudes (`sdss_g`, `gaia_g`, ...); that of the profile when absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub band: Option<String>,
    /// Kind of the objects; that of the profile when absent, else stars.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kind: Option<ObjectKind>,
    /// AB minus Vega magnitude in the band, for magnitudes in `mag(Vega)`; known for `gaia_g` alone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub vega_offset: Option<f64>,
    /// Epoch of the positions \[Julian year\] where no column says so; that of the profile (2016.0) when absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub epoch: Option<f64>,
    /// Colour excess E(B-V) \[mag\] where no column says so, 0 to 10.
    #[serde(default)]
    pub e_bv: f64,
    /// Where the first axis of shapes and shears points.
    #[serde(default, skip_serializing_if = "ShapeAxes::is_west")]
    pub shape_axes: ShapeAxes,
    /// Places for the rows of a catalogue that has none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scatter: Option<Scatter>,
    /// What to do with a row that cannot be used, an id that another row has, and a missing cell of a partition.
    #[serde(default)]
    pub on_bad_row: OnBadRow,
}

/// Kind of the objects of a catalogue.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum ObjectKind {
    /// Stars.
    Star,
    /// Galaxies.
    Galaxy,
}

/// Where the first axis of a catalogue's shapes points.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum ShapeAxes {
    /// West, as in GalSim and most weak-lensing catalogues: the sign of every second component is turned.
    #[default]
    West,
    /// East.
    East,
}

impl ShapeAxes {
    fn is_west(&self) -> bool {
        *self == Self::West
    }
}

/// A cone over which rows without positions are spread, uniform in area.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Scatter {
    /// Right ascension of its axis \[deg\].
    pub ra_deg: f64,
    /// Declination of its axis \[deg\].
    pub dec_deg: f64,
    /// Radius \[deg\], to 20.
    pub radius_deg: f64,
    /// Seed of the places.
    pub seed: u64,
}

/// What to do with a row that cannot be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum OnBadRow {
    /// Stop with an error that names row, column, value and range.
    #[default]
    Stop,
    /// Leave it out, and count it in the report.
    Skip,
}

/// Why a catalogue cannot be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ReadError {
    /// The file cannot be read.
    #[error("{path}: {reason}")]
    File {
        /// File.
        path: String,
        /// Reason.
        reason: String,
    },
    /// The table cannot be read.
    #[error(transparent)]
    Table(#[from] TableError),
    /// A required column is missing.
    #[error("{path}: column `{name}` (for {quantity}) is missing; the file has: {present}. Map it with catalog.columns.{quantity}")]
    MissingColumn {
        /// File.
        path: String,
        /// Column looked for.
        name: String,
        /// What it should hold.
        quantity: &'static str,
        /// Columns there.
        present: String,
    },
    /// No column is mapped to a required quantity.
    #[error("{path}: no column is mapped to {quantity}; give catalog.columns.{quantity} = {{ name = \"..\", unit = \"..\" }}")]
    NotMapped {
        /// File.
        path: String,
        /// Quantity.
        quantity: &'static str,
    },
    /// A unit is not one of the quantity's.
    #[error("{path}: column `{name}` (for {quantity}): unit `{unit}` is not one of {allowed}")]
    Unit {
        /// File.
        path: String,
        /// Column.
        name: String,
        /// Quantity.
        quantity: &'static str,
        /// Unit given.
        unit: String,
        /// Units understood.
        allowed: String,
    },
    /// The file's own unit contradicts the mapping.
    #[error("{path}: column `{name}` is in `{found}` according to the file, but catalog.columns.{quantity} says `{given}`")]
    UnitConflict {
        /// File.
        path: String,
        /// Column.
        name: String,
        /// Quantity.
        quantity: &'static str,
        /// In the file.
        found: String,
        /// In the mapping.
        given: String,
    },
    /// A value cannot be used.
    #[error("{path}: row {row}, column `{column}`: {value} is outside {range} (on_bad_row = \"skip\" leaves such rows out)")]
    Value {
        /// File.
        path: String,
        /// Row, from 1 (the first data row).
        row: u64,
        /// Column.
        column: String,
        /// Value as read.
        value: String,
        /// Allowed.
        range: &'static str,
    },
    /// Two rows carry one number.
    #[error(
        "{path}: row {row}, column `{column}`: {first} has the same id {id}; ids key the random draws and must be unique (on_bad_row = \"skip\" keeps the first)"
    )]
    DuplicateId {
        /// File, of a partition that of the cell.
        path: String,
        /// Row, from 1, in that file.
        row: u64,
        /// Column of the ids.
        column: String,
        /// The row that had it before, with its file where that is another.
        first: String,
        /// The number.
        id: u64,
    },
    /// A key of the specification is outside its range.
    #[error("catalog.{key} = {value} is not {allowed}")]
    Spec {
        /// Key.
        key: &'static str,
        /// Value given.
        value: String,
        /// Allowed.
        allowed: String,
    },
}

/// Reads a catalogue: the sources in the footprint (all when `None`) at an epoch \[Julian year\], in the file's order, and what
/// was filled or skipped.
///
/// # Errors
/// When the file cannot be read, a required column is missing, a unit is wrong, or (with `on_bad_row = "stop"`) two ids are the same,
/// a value cannot be used or a cell of a partition is missing.
pub fn read(
    spec: &CatalogSpec,
    footprint: Option<&Footprint>,
    epoch_year: f64,
    library: &Library,
) -> Result<(Vec<Source>, FillReport), ReadError> {
    let region = footprint.map(|f| Region::Cone(*f));
    let (mut source, missing) = open(spec, region.as_ref(), epoch_year)?;
    let (bound, setting) = bind(spec, source.as_mut(), epoch_year, library)?;
    rows::Reader { spec, setting, bound, library }.read(source.as_mut(), region.as_ref(), missing)
}

/// Looks at every row of a catalogue as [`read`] would, in the memory of a chunk, and at all ids.
///
/// # Errors
/// As [`read`].
pub fn check(spec: &CatalogSpec, epoch_year: f64, library: &Library) -> Result<FillReport, ReadError> {
    let (mut source, missing) = open(spec, None, epoch_year)?;
    let (bound, setting) = bind(spec, source.as_mut(), epoch_year, library)?;
    let id = bound.id.as_ref().and_then(columns::BoundColumn::place).map(|place| bound.chosen[place]);
    let mut report = rows::Reader { spec, setting, bound, library }.check(source.as_mut(), missing)?;
    if let Some(id) = id {
        duplicates::look(source.as_mut(), id, spec.on_bad_row, &mut report)?;
    }
    Ok(report)
}

/// Opens the table of a catalogue: of a partition the part that can hold objects of the region at the epoch, and the missing cells
/// that are passed over.
fn open(spec: &CatalogSpec, region: Option<&Region>, epoch_year: f64) -> Result<(Box<dyn RowSource>, Vec<String>), ReadError> {
    let is_partition = spec.format == Some(Format::Hats) || (spec.format.is_none() && spec.path.is_dir());
    if !is_partition {
        return Ok((tables::open(&spec.path, spec.format)?, Vec::new()));
    }
    let mut hats = Hats::open(&spec.path)?;
    hats.skip_missing = spec.on_bad_row == OnBadRow::Skip;
    let epoch = spec.epoch.unwrap_or(spec.profile.epoch_year());
    let part = match region {
        Some(region) => hats.within(&region.ranges(rows::reach_deg(epoch_year - epoch)))?,
        None => hats.all()?,
    };
    let missing = part.missing.clone();
    Ok((Box::new(part), missing))
}

/// Finds the columns of a catalogue in its table, and chooses them.
fn bind(
    spec: &CatalogSpec,
    source: &mut dyn RowSource,
    epoch_year: f64,
    library: &Library,
) -> Result<(Bound, setting::Setting), ReadError> {
    let setting = setting::Setting::new(spec, epoch_year, library)?;
    let columns = spec.columns.over(&spec.profile.columns_in(spec.band.as_deref()));
    let path = source.path().to_string();
    // Text files state no types: all are numbers but the id, which a double cannot hold.
    for (quantity, column) in columns.entries() {
        if let Some(place) = source.position(&column.name) {
            source.take_as(place, if quantity == "id" { Kind::Text } else { Kind::Float64 });
        }
    }
    let bound = Bound::new(&columns, &spec.columns, source.fields(), &path)?;
    setting.require(&bound, spec, &path)?;
    source.select(&bound.chosen)?;
    Ok((bound, setting))
}

/// Kind of the objects of a catalogue.
#[must_use]
pub fn kind_of(spec: &CatalogSpec) -> ObjectKind {
    spec.kind.unwrap_or_else(|| spec.profile.kind())
}

/// Julian year of a modified Julian date (days of UTC; a minute is nothing here).
#[must_use]
pub fn julian_year(mjd: f64) -> f64 {
    2000.0 + (mjd - crate::dates::J2000_MJD) / 365.25
}
