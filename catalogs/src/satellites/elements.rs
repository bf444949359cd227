//! Element sets people have: TLE and OMM, propagated by SGP4.
//!
//! # Effect
//! General perturbation elements give the place of a satellite near their epoch.
//! # Formula
//! SGP4 (and SDP4 beyond 225 minutes) with the constants that element sets are made with (WGS 72), in the frame TEME; `r = PN^T Rz(e) r_TEME`, e the equation of the equinoxes
//! # Symbols
//! PN precession and nutation (IAU 2000B)
//! # Source
//! Vallado et al. 2006 (AIAA 2006-6753), through the crate `sgp4`; frames: SOFA routines pnm00b, nut00b, obl80
//! # Limits
//! A kilometre at the epoch, some kilometres a day later: it is the orbit's use, not its ephemeris. Elements older than weeks give the right number of
//! trails and not the right ones.
//! # Twin
//! None.

use super::SatelliteError;
use crate::dates::J2000_MJD;
use std::path::Path;

/// A satellite of a file.
pub(super) struct Tracked {
    pub name: String,
    pub number: i64,
    pub epoch_mjd: f64,
    pub constants: sgp4::Constants,
}

/// Days of a Julian year; the crate counts epochs in years since J2000.
const YEAR_D: f64 = 365.25;

/// Reads TLE (with or without a line of names) or OMM in JSON, told by the first character.
pub(super) fn read(path: &Path) -> Result<Vec<Tracked>, SatelliteError> {
    let shown = path.display().to_string();
    let fault = |reason: String| SatelliteError::File { path: shown.clone(), reason };
    let text = std::fs::read_to_string(path).map_err(|e| fault(e.to_string()))?;
    let sets: Vec<(usize, sgp4::Elements)> = if text.trim_start().starts_with(['[', '{']) {
        let list = if text.trim_start().starts_with('{') { format!("[{text}]") } else { text };
        let sets: Vec<sgp4::Elements> = serde_json::from_str(&list).map_err(|e| fault(format!("is not an OMM in JSON: {e}")))?;
        sets.into_iter().enumerate().map(|(k, e)| (k + 1, e)).collect()
    } else {
        two_lines(&text, &fault)?
    };
    if sets.is_empty() {
        return Err(fault("holds no element set".into()));
    }
    sets.into_iter()
        .map(|(row, set)| {
            let bad = |reason: String| SatelliteError::Row { path: shown.clone(), row, reason };
            let constants = sgp4::Constants::from_elements_afspc_compatibility_mode(&set).map_err(|e| bad(e.to_string()))?;
            Ok(Tracked {
                name: set.object_name.clone().unwrap_or_else(|| format!("NORAD {}", set.norad_id)),
                number: set.norad_id as i64,
                epoch_mjd: J2000_MJD + YEAR_D * set.epoch(),
                constants,
            })
        })
        .collect()
}

fn two_lines(text: &str, fault: &impl Fn(String) -> SatelliteError) -> Result<Vec<(usize, sgp4::Elements)>, SatelliteError> {
    let mut sets = Vec::new();
    let mut name: Option<String> = None;
    let mut lines = text.lines().map(str::trim_end).enumerate().filter(|(_, l)| !l.is_empty() && !l.starts_with('#'));
    while let Some((k, line)) = lines.next() {
        if !line.starts_with("1 ") {
            if line.starts_with("2 ") || name.is_some() {
                return Err(fault(format!("line {}: `{line}` where the first line of an element set should be", k + 1)));
            }
            name = Some(line.strip_prefix("0 ").unwrap_or(line).trim().to_string());
            continue;
        }
        let Some((at, second)) = lines.next() else {
            return Err(fault(format!("line {}: the second line of the element set is missing", k + 1)));
        };
        let set = sgp4::Elements::from_tle(name.take(), line.as_bytes(), second.as_bytes())
            .map_err(|e| fault(format!("lines {} and {}: {e}", k + 1, at + 1)))?;
        sets.push((k + 1, set));
    }
    match name {
        Some(name) => Err(fault(format!("ends after `{name}`, without its element set"))),
        None => Ok(sets),
    }
}

impl Tracked {
    /// Place in TEME \[km\]; none where SGP4 cannot go.
    pub fn teme_km(&self, mjd_utc: f64) -> Option<[f64; 3]> {
        let minutes = (mjd_utc - self.epoch_mjd) * 1440.0;
        self.constants.propagate_afspc_compatibility_mode(sgp4::MinutesSinceEpoch(minutes)).ok().map(|p| p.position)
    }
}
