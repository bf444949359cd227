//! Catalogues people have: CSV and FITS tables of stars, with the columns mapped in the scenario.
//!
//! # Effect
//! Rows become [`Source`]s; what is missing is filled with a documented value and counted ([`FillReport`]).
//! # Formula
//! Proper motion: p(t) = unit(p + (t - t0) (mu_alpha* e_east + mu_delta e_north)), which is exact at the poles.
//! Temperature from BP-RP = c: 5040 K / (0.4929 + 0.5092 c - 0.0353 c^2 + 0.0192 m - 0.0020 m^2 - 0.0395 m c) for 0.39 < c <= 1.5;
//! straight lines through the A and the M dwarfs of a table (BP-RP, T) for the bluer and the redder, held at its ends (-0.12, 4.16).
//! # Symbols
//! t exposure, t0 catalogue epoch \[Julian year\]; mu_alpha* = mu_alpha cos delta; m = \[Fe/H\] \[dex\].
//! # Source
//! Mucciarelli, Bellazzini & Massari 2021 (A&A 653, A90), dwarfs, scatter 61 K. A and M dwarfs: colours and temperatures by type of
//! Pecaut & Mamajek 2013 (ApJS 208, 9), online table, version 2024.05.15. No colour: 5500 K (assumed).
//! # Limits
//! Point sources only. Parallax and radial velocity are read, checked and counted, and change nothing yet. BP-RP is not dereddened.
//! # Twin
//! None.

mod columns;
mod input;
mod report;
mod rows;

#[cfg(test)]
mod tests;

pub use columns::{ColumnSpec, Columns, Profile};
pub use report::{Fill, FillReport, Skip};

use crate::{Footprint, Library};
use serde::{Deserialize, Serialize};
use sim_core::source::Source;
use std::path::PathBuf;

/// A catalogue file and how to understand it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct CatalogSpec {
    /// File.
    pub path: PathBuf,
    /// Format; by the name's ending (`.fits`, `.fit`, `.csv`, each also with `.gz` for FITS) when absent.
    pub format: Option<Format>,
    /// Ready-made mapping of columns.
    #[serde(default)]
    pub profile: Profile,
    /// Mapping of columns; each entry replaces that of the profile.
    #[serde(default)]
    pub columns: Columns,
    /// Band of the magnitudes (`sdss_g`, `gaia_g`, ...); that of the profile when absent.
    pub band: Option<String>,
    /// Epoch of the positions \[Julian year\] where no column says so; that of the profile (2016.0) when absent.
    pub epoch: Option<f64>,
    /// Colour excess E(B-V) \[mag\] where no column says so, 0 to 10.
    #[serde(default)]
    pub e_bv: f64,
    /// What to do with a row that cannot be used.
    #[serde(default)]
    pub on_bad_row: OnBadRow,
}

/// File format.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Format {
    /// FITS binary table, the first in the file.
    Fits,
    /// Comma-separated values with a header line; lines that start with `#` are comments.
    Csv,
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
    /// FITS said no.
    #[error(transparent)]
    Fits(#[from] sim_core::fits::FitsError),
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
        row: usize,
        /// Column.
        column: String,
        /// Value as read.
        value: String,
        /// Allowed.
        range: &'static str,
    },
    /// Two rows carry one number.
    #[error("{path}: rows {first} and {second} have the same id {id}; ids key the random draws and must be unique")]
    DuplicateId {
        /// File.
        path: String,
        /// First row.
        first: usize,
        /// Second row.
        second: usize,
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
/// When the file cannot be read, a required column is missing, a unit is wrong, two ids are the same, or (with
/// `on_bad_row = "stop"`) a value cannot be used.
pub fn read(
    spec: &CatalogSpec,
    footprint: Option<&Footprint>,
    epoch_year: f64,
    library: &Library,
) -> Result<(Vec<Source>, FillReport), ReadError> {
    let path = spec.path.display().to_string();
    let wrong = |key, value: String, allowed: &str| ReadError::Spec { key, value, allowed: allowed.into() };
    if !(1900.0..=2200.0).contains(&epoch_year) {
        return Err(wrong("epoch of the exposure", epoch_year.to_string(), "in 1900..2200 yr"));
    }
    if !(0.0..=10.0).contains(&spec.e_bv) {
        return Err(wrong("e_bv", spec.e_bv.to_string(), "in 0..10 mag"));
    }
    if let Some(epoch) = spec.epoch
        && !(1800.0..=2200.0).contains(&epoch)
    {
        return Err(wrong("epoch", epoch.to_string(), "in 1800..2200 yr"));
    }
    let band_name = spec.band.clone().or_else(|| spec.profile.band().map(Into::into));
    let names = crate::ReferenceBands::names().join(", ");
    let Some(band_name) = band_name else {
        return Err(wrong("band", "missing".into(), &format!("one of {names}")));
    };
    let Some(band) = library.bands.by_name(&band_name) else {
        return Err(wrong("band", band_name, &format!("one of {names}")));
    };
    let columns = spec.columns.over(&spec.profile.columns());
    let table = input::table(spec, &path, &columns.names(), columns.id.as_ref().map(|c| c.name.as_str()))?;
    let mapped = columns::Mapped::new(&columns, &spec.columns, table, &path)?;
    rows::Reader { spec, path: &path, mapped, band, library, epoch_year }.read(footprint)
}

/// Julian year of a modified Julian date (days of UTC; a minute is nothing here).
#[must_use]
pub fn julian_year(mjd: f64) -> f64 {
    2000.0 + (mjd - 51_544.5) / 365.25
}
