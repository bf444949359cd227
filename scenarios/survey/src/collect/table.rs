//! The state of a run as a Parquet table.

use crate::failure::SurveyError;
use crate::folder::Run;
use crate::journal::{self, Line};
use crate::manifest::{self, Extra};
use crate::status::look;
use arrow_array::{Float64Array, Int64Array, StringArray};
use std::path::Path;
use std::sync::Arc;

/// Writes the units and how they stand as a Parquet table: the manifest's columns and those of their last attempt.
///
/// # Errors
/// When the manifest or a journal cannot be read, or the table not written.
pub fn export(run: &Run, path: &Path) -> Result<usize, SurveyError> {
    let units = manifest::read(&run.units())?;
    let lines = journal::read_all(run)?;
    let seen = look(run, &units, &lines);
    let number = |value: fn(&Line) -> Option<f64>| Arc::new(seen.iter().map(|s| s.last.and_then(value)).collect::<Float64Array>());
    let count = |value: fn(&Line) -> Option<i64>| Arc::new(seen.iter().map(|s| s.last.and_then(value)).collect::<Int64Array>());
    let text = |value: fn(&Line) -> Option<&str>| Arc::new(seen.iter().map(|s| s.last.and_then(value)).collect::<StringArray>());
    let extra = [
        Extra { name: "state", unit: "", values: Arc::new(seen.iter().map(|s| Some(s.state.name())).collect::<StringArray>()) },
        Extra { name: "attempts", unit: "", values: Arc::new(seen.iter().map(|s| Some(i64::from(s.attempts))).collect::<Int64Array>()) },
        Extra { name: "host", unit: "", values: text(|l| Some(&l.host)) },
        Extra { name: "wall_s", unit: "s", values: number(|l| l.wall_s) },
        Extra { name: "cpu_s", unit: "s", values: number(|l| l.cpu_s) },
        Extra { name: "peak_mb", unit: "MB", values: number(|l| l.peak_mb) },
        Extra { name: "objects_made", unit: "", values: count(|l| l.objects.map(|n| n as i64)) },
        Extra { name: "bytes", unit: "byte", values: count(|l| l.is_done().then(|| l.bytes() as i64)) },
        Extra { name: "class", unit: "", values: text(|l| l.class.map(|c| c.name())) },
        Extra { name: "error", unit: "", values: text(|l| l.error.as_deref()) },
    ];
    manifest::write_with(path, &units, &extra)?;
    Ok(units.len())
}
