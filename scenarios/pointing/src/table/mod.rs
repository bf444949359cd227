//! Plans as files: CSV, FITS and Parquet, told by the name's ending.
//!
//! Columns: `obs_id`, `ra_deg`, `dec_deg`, `position_angle_deg` (of the mosaic's +y, north through east), `start_mjd` (UTC), `exposure_s`, `programme`,
//! `visit`. Further columns are left alone. Numbers survive unchanged in all three formats.

mod csv;
mod fits;
mod parquet;

use crate::{Pointing, Target};
use std::collections::BTreeMap;
use std::path::Path;

/// Columns with floats: name, unit, meaning, least and greatest value, range in words.
const FLOATS: [(&str, &str, &str, f64, f64, &str); 5] = [
    ("ra_deg", "deg", "right ascension of the boresight, ICRS", 0.0, 360.0, "0..360 deg"),
    ("dec_deg", "deg", "declination of the boresight, ICRS", -90.0, 90.0, "-90..90 deg"),
    ("position_angle_deg", "deg", "position angle of the mosaic's +y, north through east", -360.0, 360.0, "-360..360 deg"),
    ("start_mjd", "d", "start of the exposure, modified Julian date UTC", 36_934.0, 122_000.0, "36934..122000 (years 1960..2192)"),
    ("exposure_s", "s", "exposure time", 1e-3, 100_000.0, "0.001..100000 s"),
];
/// Greatest observation number: what all formats hold.
const MOST_ID: u64 = i64::MAX as u64;
const ID_RANGE: &str = "whole numbers 0..9223372036854775807";
const VISIT_RANGE: &str = "whole numbers 1..4294967295";

/// Why a plan cannot be read or written.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PlanError {
    /// The file as a whole.
    #[error("{path}: {reason}")]
    File {
        /// File.
        path: String,
        /// What is wrong.
        reason: String,
    },
    /// One value.
    #[error("{path}: row {row}: {column} = {value} is outside {range}")]
    Value {
        /// File.
        path: String,
        /// Row, from 1, without a heading.
        row: usize,
        /// Column.
        column: &'static str,
        /// Value found.
        value: String,
        /// Allowed.
        range: &'static str,
    },
    /// An observation number twice.
    #[error("{path}: row {row}: obs_id = {obs_id} is that of row {first} too: numbers are unique")]
    Duplicate {
        /// File.
        path: String,
        /// Row, from 1, without a heading.
        row: usize,
        /// Number.
        obs_id: u64,
        /// Row that has it first.
        first: usize,
    },
}

/// The columns of a plan as a format has them; all of one length.
#[derive(Debug, Default)]
struct Columns {
    obs_id: Vec<u64>,
    /// In the order of [`FLOATS`].
    floats: [Vec<f64>; 5],
    programme: Vec<String>,
    visit: Vec<u32>,
}

impl Columns {
    fn of(plan: &[Pointing]) -> Self {
        let float = |of: fn(&Pointing) -> f64| plan.iter().map(of).collect();
        Self {
            obs_id: plan.iter().map(|p| p.target.obs_id).collect(),
            floats: [
                float(|p| p.target.ra_deg),
                float(|p| p.target.dec_deg),
                float(|p| p.target.position_angle_deg),
                float(|p| p.start_mjd),
                float(|p| p.target.exposure_s),
            ],
            programme: plan.iter().map(|p| p.target.programme.clone()).collect(),
            visit: plan.iter().map(|p| p.target.visit).collect(),
        }
    }
    /// The plan, when each value is in its range and each number unique.
    fn checked(self, path: &str) -> Result<Vec<Pointing>, PlanError> {
        let mut seen = BTreeMap::<u64, usize>::new();
        for (k, &obs_id) in self.obs_id.iter().enumerate() {
            let row = k + 1;
            let fault = |column, value: String, range| Err(PlanError::Value { path: path.into(), row, column, value, range });
            if obs_id > MOST_ID {
                return fault("obs_id", obs_id.to_string(), ID_RANGE);
            }
            if let Some(first) = seen.insert(obs_id, row) {
                return Err(PlanError::Duplicate { path: path.into(), row, obs_id, first });
            }
            for (values, (column, _, _, low, high, range)) in self.floats.iter().zip(FLOATS) {
                if !(low..=high).contains(&values[k]) {
                    return fault(column, values[k].to_string(), range);
                }
            }
            let programme = &self.programme[k];
            if programme.is_empty() || programme.len() > 64 || !programme.bytes().all(|b| b.is_ascii_graphic()) {
                return fault("programme", format!("`{programme}`"), "1..64 printing ASCII characters without blanks");
            }
            if self.visit[k] == 0 {
                return fault("visit", "0".into(), VISIT_RANGE);
            }
        }
        let [ra, dec, angle, start, exposure] = &self.floats;
        let row = |k: usize| Pointing {
            target: Target {
                obs_id: self.obs_id[k],
                ra_deg: ra[k],
                dec_deg: dec[k],
                position_angle_deg: angle[k],
                exposure_s: exposure[k],
                programme: self.programme[k].clone(),
                visit: self.visit[k],
            },
            start_mjd: start[k],
        };
        Ok((0..self.obs_id.len()).map(row).collect())
    }
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum Format {
    Csv,
    Fits,
    Parquet,
}

fn format(path: &Path) -> Result<Format, PlanError> {
    match path.extension().and_then(|e| e.to_str()).map(str::to_ascii_lowercase).as_deref() {
        Some("csv") => Ok(Format::Csv),
        Some("fits" | "fit" | "fts") => Ok(Format::Fits),
        Some("parquet" | "pq") => Ok(Format::Parquet),
        _ => Err(PlanError::File { path: path.display().to_string(), reason: "a plan ends in .csv, .fits or .parquet".into() }),
    }
}

/// Reads a plan, in the order of the file.
///
/// # Errors
/// When the file cannot be read, a column is missing, a value is not a number or out of range, or an observation number comes twice; the message names
/// file, row, column, value and range.
pub fn read(path: &Path) -> Result<Vec<Pointing>, PlanError> {
    let shown = path.display().to_string();
    let columns = match format(path)? {
        Format::Csv => csv::read(path, &shown)?,
        Format::Fits => fits::read(path, &shown)?,
        Format::Parquet => parquet::read(path, &shown)?,
    };
    columns.checked(&shown)
}

/// Writes a plan whole or not at all; the same plan gives the same bytes.
///
/// # Errors
/// When a value is out of range, an observation number comes twice, or the file cannot be written.
pub fn write(path: &Path, plan: &[Pointing]) -> Result<(), PlanError> {
    let shown = path.display().to_string();
    let format = format(path)?;
    Columns::of(plan).checked(&shown)?;
    let columns = Columns::of(plan);
    match format {
        Format::Csv => csv::write(path, &shown, &columns),
        Format::Fits => fits::write(path, &shown, columns),
        Format::Parquet => parquet::write(path, &shown, columns),
    }
}

fn missing(path: &str, column: &str, found: &[&str]) -> PlanError {
    let hint = sim_core::spelling::hint(column, found.iter().copied());
    PlanError::File { path: path.into(), reason: format!("no column `{column}`{hint}; the file has {}", found.join(", ")) }
}

#[cfg(test)]
mod tests;
