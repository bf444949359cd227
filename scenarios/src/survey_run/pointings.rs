//! The table of pointings of a survey: CSV, FITS, Parquet, or whatever else catalogues are read from.

use crate::scenario::{CALIBRATION_ID, ExposureSpec, PointingSpec};
use anyhow::{Context as _, ensure};
use catalogs::tables::{self, Kind};
use instruments::product::time::Civil;
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;
use std::path::Path;

/// One exposure to be made.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Pointing {
    /// Observation number.
    pub obs_id: u64,
    /// Right ascension of the boresight, ICRS \[deg\].
    pub ra_deg: f64,
    /// Declination of the boresight, ICRS \[deg\].
    pub dec_deg: f64,
    /// Image rotation \[deg\], as `pointing.rotation_deg` of a scenario.
    pub position_angle_deg: f64,
    /// Start, modified Julian date, UTC \[d\]; to the millisecond.
    pub start_mjd: f64,
    /// Exposure time \[s\].
    pub exposure_s: f64,
}

/// Columns that a table must have, with the range of their values; others are not looked at.
const COLUMNS: [(&str, f64, f64); 6] = [
    ("obs_id", 0.0, CALIBRATION_ID as f64 - 1.0),
    ("ra_deg", 0.0, 360.0),
    ("dec_deg", -90.0, 90.0),
    ("position_angle_deg", -360.0, 360.0),
    ("start_mjd", 33_282.0, 88_069.0),
    ("exposure_s", 1e-3, 1e5),
];

impl Pointing {
    fn of(values: [f64; 6]) -> Self {
        let [obs_id, ra_deg, dec_deg, position_angle_deg, start_mjd, exposure_s] = values;
        Self { obs_id: obs_id as u64, ra_deg, dec_deg, position_angle_deg, start_mjd, exposure_s }
    }
    fn values(&self) -> [f64; 6] {
        [self.obs_id as f64, self.ra_deg, self.dec_deg, self.position_angle_deg, self.start_mjd, self.exposure_s]
    }
    /// The exposure as a scenario has it.
    #[must_use]
    pub fn exposure(&self) -> ExposureSpec {
        ExposureSpec {
            id: self.obs_id,
            start: Civil::from_mjd(self.start_mjd).iso(),
            time_s: self.exposure_s,
            dither_east_arcsec: 0.0,
            dither_north_arcsec: 0.0,
            pointing: Some(PointingSpec { ra_deg: self.ra_deg % 360.0, dec_deg: self.dec_deg, rotation_deg: self.position_angle_deg }),
        }
    }
}

/// Reads a table of pointings.
///
/// # Errors
/// When it cannot be read, a column is missing, or a cell is empty or out of range: file, row, column and value are named.
pub fn read(path: &Path) -> anyhow::Result<Vec<Pointing>> {
    let shown = path.display();
    let mut table = tables::open(path, None)?;
    let places: Vec<usize> = COLUMNS
        .iter()
        .map(|(name, ..)| {
            let known = || table.fields().iter().map(|f| f.name.as_str()).collect::<Vec<_>>().join(", ");
            table.position(name).with_context(|| format!("{shown}: there is no column `{name}`; there are {}", known()))
        })
        .collect::<anyhow::Result<_>>()?;
    for &place in &places {
        if table.fields()[place].kind == Kind::Text {
            table.take_as(place, Kind::Float64);
        }
    }
    table.select(&places)?;
    let mut pointings = Vec::new();
    while let Some(chunk) = table.next_chunk()? {
        for row in 0..chunk.rows {
            let mut values = [0.0; 6];
            for ((value, cells), (name, ..)) in values.iter_mut().zip(&chunk.columns).zip(&COLUMNS) {
                *value = cells.number(row);
                let place = chunk.first_row + row as u64 + 1;
                ensure!(value.is_finite(), "{shown}: row {place}: {name} = {} is not a number", cells.shown(row));
            }
            pointings.push(Pointing::of(values));
        }
    }
    check(&pointings, &shown.to_string())?;
    Ok(pointings)
}

/// Refuses values out of range and observation numbers that come twice; `name` is for messages.
///
/// # Errors
/// With the row, the column, the value and its range.
pub fn check(pointings: &[Pointing], name: &str) -> anyhow::Result<()> {
    ensure!(!pointings.is_empty(), "{name}: there are no pointings");
    let mut ids = BTreeSet::new();
    for (row, pointing) in pointings.iter().enumerate() {
        for (value, (column, low, high)) in pointing.values().into_iter().zip(COLUMNS) {
            ensure!((low..=high).contains(&value), "{name}: row {}: {column} = {value} is outside {low}..{high}", row + 1);
        }
        ensure!(ids.insert(pointing.obs_id), "{name}: row {}: obs_id = {} is there twice", row + 1, pointing.obs_id);
    }
    Ok(())
}
