//! Surveys as files: areas, programme, and what is stated about them elsewhere.
//!
//! # Source
//! `scenarios/data/surveys/*.toml`: every number with its source and status.

use crate::Target;
use crate::area::Area;
use crate::focal_plane::FocalPlane;
use crate::input::{self, InputError};
use crate::tiling::{Programme, Reference, tile};
use serde::Deserialize;
use sim_core::quantity::Quantity;
use std::collections::BTreeSet;
use std::path::Path;

/// Areas and the programme that is carried out on them.
#[derive(Debug, Clone)]
pub struct Survey {
    /// Name.
    pub name: String,
    /// Regions: name and area.
    pub regions: Vec<(String, Area)>,
    /// How they are observed.
    pub programme: Programme,
    /// Bands that have their depth up to the border of every region; none: all of the focal plane.
    pub up_to_border: Vec<String>,
    /// Number of exposures stated elsewhere, with its source.
    pub stated_exposures: Quantity<u64>,
    /// What the geometry makes of it, in words.
    pub note: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct SurveyFile {
    name: String,
    note: String,
    stated_exposures: Quantity<u64>,
    programme: ProgrammeTable,
    region: Vec<RegionTable>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ProgrammeTable {
    name: String,
    exposure: Quantity,
    visits: Quantity<u32>,
    step: Quantity<(f64, f64)>,
    dithers: Quantity<Vec<(f64, f64)>>,
    position_angle: Quantity,
    reference: Quantity<Reference>,
    up_to_border: Option<Quantity<Vec<String>>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RegionTable {
    name: String,
    area: Quantity<String>,
}

/// The surveys that are shipped: name and file.
pub const SHIPPED: [(&str, &str); 4] = [
    ("survey25", include_str!("../../data/surveys/survey25.toml")),
    ("survey50_wide", include_str!("../../data/surveys/survey50_wide.toml")),
    ("survey50_deep", include_str!("../../data/surveys/survey50_deep.toml")),
    ("survey1000", include_str!("../../data/surveys/survey1000.toml")),
];

impl Survey {
    /// A shipped survey by its name.
    ///
    /// # Errors
    /// When there is none of that name; the message has those there are.
    pub fn shipped(name: &str) -> Result<Self, InputError> {
        let names = SHIPPED.map(|s| s.0);
        let Some((_, text)) = SHIPPED.iter().find(|s| s.0 == name) else {
            let reason = format!("no shipped survey of this name; there are {}{}", names.join(", "), sim_core::spelling::hint(name, names));
            return Err(InputError::File { path: name.into(), reason });
        };
        Self::parse(text, name)
    }
    /// Reads a file.
    ///
    /// # Errors
    /// When it cannot be read, has an unknown key or lacks one, or a value is out of range.
    pub fn read(path: &Path) -> Result<Self, InputError> {
        let (text, shown) = input::text(path)?;
        Self::parse(&text, &shown)
    }
    fn parse(text: &str, path: &str) -> Result<Self, InputError> {
        let file: SurveyFile = toml::from_str(text).map_err(|e| InputError::File { path: path.into(), reason: e.to_string() })?;
        let range = |key, value: f64, low: f64, high: f64, range| {
            let ok = (low..=high).contains(&value);
            if ok { Ok(()) } else { Err(InputError::Range { path: path.into(), key, value: value.to_string(), range }) }
        };
        let p = file.programme;
        range("programme.exposure", p.exposure.value, 0.1, 100_000.0, "0.1..100000 s")?;
        range("programme.visits", f64::from(p.visits.value), 1.0, 1000.0, "1..1000")?;
        range("programme.step", p.step.value.0.min(p.step.value.1), 1e-3, 10.0, "0.001..10 deg")?;
        range("programme.step", p.step.value.0.max(p.step.value.1), 1e-3, 10.0, "0.001..10 deg")?;
        range("programme.position_angle", p.position_angle.value, -360.0, 360.0, "-360..360 deg")?;
        for (x, y) in &p.dithers.value {
            range("programme.dithers", x.abs().max(y.abs()), 0.0, 10.0, "-10..10 deg")?;
        }
        let regions = file
            .region
            .into_iter()
            .map(|r| Ok((r.name, Area::parse(&r.area.value).map_err(|source| InputError::Area { path: path.into(), source })?)))
            .collect::<Result<_, InputError>>()?;
        let programme = Programme {
            name: p.name,
            exposure_s: p.exposure.value,
            visits: p.visits.value,
            step_deg: p.step.value,
            dithers_deg: p.dithers.value,
            position_angle_deg: p.position_angle.value,
            reference: p.reference.value,
        };
        let up_to_border = p.up_to_border.map(|q| q.value).unwrap_or_default();
        Ok(Self { name: file.name, regions, programme, up_to_border, stated_exposures: file.stated_exposures, note: file.note })
    }
    /// The pointings of all regions, numbered from `first_id`.
    ///
    /// # Errors
    /// When a band that is to have its depth up to the border is not in the focal plane.
    pub fn targets(&self, plane: &FocalPlane, first_id: u64) -> Result<Vec<Target>, InputError> {
        let bands: BTreeSet<&str> = plane.detectors.iter().map(|d| d.band.as_str()).collect();
        if let Some(unknown) = self.up_to_border.iter().find(|band| !bands.contains(band.as_str())) {
            let names: Vec<&str> = bands.into_iter().collect();
            let reason = format!("programme.up_to_border: the focal plane has no band {unknown}; it has {}", names.join(", "));
            return Err(InputError::File { path: self.name.clone(), reason });
        }
        let counts = |band: &str| self.up_to_border.is_empty() || self.up_to_border.iter().any(|b| b == band);
        let plane = &FocalPlane { detectors: plane.detectors.iter().filter(|d| counts(&d.band)).cloned().collect() };
        let mut out = Vec::new();
        for (_, area) in &self.regions {
            out.extend(tile(area, &self.programme, plane, first_id + out.len() as u64));
        }
        Ok(out)
    }
    /// Solid angle of all regions \[deg2\].
    #[must_use]
    pub fn area_deg2(&self) -> f64 {
        self.regions.iter().map(|r| r.1.area_deg2()).sum()
    }
}
