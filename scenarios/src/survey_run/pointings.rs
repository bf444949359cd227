//! The pointings of a survey: a table, or entries of its file.

use crate::scenario::{CALIBRATION_ID, ExposureSpec, PointingSpec};
use anyhow::ensure;
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
    /// Position angle of the mosaic's +y axis \[deg\], from north through east: `pointing.rotation_deg` of a scenario and half a turn.
    pub position_angle_deg: f64,
    /// Start, modified Julian date, UTC \[d\]; to the millisecond.
    pub start_mjd: f64,
    /// Exposure time \[s\].
    pub exposure_s: f64,
}

/// Columns with the range of their values in a survey's run.
const COLUMNS: [(&str, f64, f64); 6] = [
    ("obs_id", 0.0, CALIBRATION_ID as f64 - 1.0),
    ("ra_deg", 0.0, 360.0),
    ("dec_deg", -90.0, 90.0),
    ("position_angle_deg", -360.0, 360.0),
    ("start_mjd", 33_282.0, 88_069.0),
    ("exposure_s", 1e-3, 1e5),
];

impl From<pointing::Pointing> for Pointing {
    fn from(planned: pointing::Pointing) -> Self {
        let pointing::Target { obs_id, ra_deg, dec_deg, position_angle_deg, exposure_s, .. } = planned.target;
        Self { obs_id, ra_deg, dec_deg, position_angle_deg, start_mjd: planned.start_mjd, exposure_s }
    }
}

impl Pointing {
    /// Image rotation of the world coordinates \[deg\]: half a turn from the position angle, to the last digit that tables have.
    fn rotation_deg(&self) -> f64 {
        let turned = (self.position_angle_deg - 180.0).rem_euclid(360.0);
        let signed = if turned > 180.0 { turned - 360.0 } else { turned };
        (signed * 1e10).round() / 1e10
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
            pointing: Some(PointingSpec { ra_deg: self.ra_deg % 360.0, dec_deg: self.dec_deg, rotation_deg: self.rotation_deg() }),
        }
    }
}

/// Reads a table of pointings, as `skyloop pointings` writes them.
///
/// # Errors
/// When it cannot be read, a column is missing, or a cell is empty or out of range: file, row, column and value are named.
pub fn read(path: &Path) -> anyhow::Result<Vec<Pointing>> {
    let pointings: Vec<Pointing> = pointing::table::read(path)?.into_iter().map(Pointing::from).collect();
    check(&pointings, &path.display().to_string())?;
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
