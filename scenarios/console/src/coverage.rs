//! Exposures of a run on the sky: where each points, and how the units of its detectors stand.

use crate::snapshot::Snapshot;
use pointing::focal_plane::Detector;
use schemars::JsonSchema;
use serde::Serialize;
use std::collections::BTreeMap;
use survey::manifest::UnitRow;

/// A detector in the mosaic.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct Outline {
    /// Number.
    pub detector: u16,
    /// Band.
    pub band: String,
    /// Corners (x, y) of what is made of it, in order round it, in the tangent plane of the boresight with the axes of the mosaic \[deg\]: +y at the
    /// position angle, +x to the west where that is 0. None where it is not known.
    pub corners_deg: Option<[(f64, f64); 4]>,
}

/// An exposure.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct Exposure {
    /// Observation number.
    pub obs_id: u64,
    /// Right ascension of the boresight \[deg\].
    pub ra_deg: f64,
    /// Declination of the boresight \[deg\].
    pub dec_deg: f64,
    /// Position angle \[deg\].
    pub position_angle_deg: f64,
    /// Start, modified Julian date, UTC \[d\].
    pub start_mjd: f64,
    /// A letter for each detector of the list: `d` done, `f` failed, `s` stale, `m` missing, `o` begun without an end, `-` no unit of the run.
    pub states: String,
}

/// Some exposures.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct Coverage {
    /// State of the run that this belongs to.
    pub revision: u64,
    /// Exposures of the run.
    pub total: usize,
    /// The first of them here.
    pub offset: usize,
    /// Detectors of the run.
    pub detectors: Vec<Outline>,
    /// The exposures.
    pub exposures: Vec<Exposure>,
}

/// Detectors of a run in the order of their numbers, with outlines where these are known.
#[must_use]
pub fn detectors(units: &[UnitRow], outlines: &[Detector]) -> Vec<Outline> {
    let bands: BTreeMap<u16, &str> = units.iter().map(|u| (u.detector, u.band.as_str())).collect();
    let corners = |number: u16| outlines.iter().find(|d| d.number == u32::from(number)).map(|d| d.corners_deg);
    bands.into_iter().map(|(detector, band)| Outline { detector, band: band.into(), corners_deg: corners(detector) }).collect()
}

/// Places of the first unit of each exposure and of the one after its last; the units of an exposure stand together.
#[must_use]
pub fn spans(units: &[UnitRow]) -> Vec<(usize, usize)> {
    let mut begin = 0;
    let lengths = units.chunk_by(|a, b| a.obs_id == b.obs_id).map(<[UnitRow]>::len);
    lengths
        .map(|n| {
            begin += n;
            (begin - n, begin)
        })
        .collect()
}

/// An exposure from its units' places.
#[must_use]
pub fn exposure(snapshot: &Snapshot, (begin, end): (usize, usize), detectors: &[Outline]) -> Exposure {
    let mut letters = vec!['-'; detectors.len()];
    for (unit, view) in snapshot.units[begin..end].iter().zip(&snapshot.views[begin..end]) {
        if let Some(k) = detectors.iter().position(|d| d.detector == unit.detector) {
            letters[k] = view.standing().letter();
        }
    }
    let first = &snapshot.units[begin];
    Exposure {
        obs_id: first.obs_id,
        ra_deg: first.ra_deg,
        dec_deg: first.dec_deg,
        position_angle_deg: first.position_angle_deg,
        start_mjd: first.start_mjd,
        states: letters.into_iter().collect(),
    }
}
