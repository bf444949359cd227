//! What was filled and what was left out: printed, and kept in the manifest.

use crate::tables::Place;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fmt;

/// Skipped rows listed one by one; beyond this they are counted only.
const LISTED: usize = 1000;

/// A column that was filled.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Fill {
    /// Quantity.
    pub quantity: String,
    /// Column in the file; `None` when the file has none.
    pub column: Option<String>,
    /// Rows filled, of those used.
    pub rows: usize,
    /// With what.
    pub value: String,
}

/// A row that was left out.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Skip {
    /// Row, from 1, in its file.
    pub row: u64,
    /// File, where the catalogue has several.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub file: String,
    /// Why.
    pub reason: String,
}

/// What reading a catalogue did beyond copying.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct FillReport {
    /// File.
    pub file: String,
    /// Rows in the file.
    pub rows: usize,
    /// Rows turned into sources.
    pub used: usize,
    /// Good rows outside the footprint.
    pub outside: usize,
    /// Columns filled, in a fixed order.
    pub filled: Vec<Fill>,
    /// Rows left out because they cannot be used.
    pub skipped_rows: usize,
    /// How many of them by what was wrong: a column, or an id that another row has.
    #[serde(default)]
    pub skipped_by: BTreeMap<String, usize>,
    /// The first 1000 of them.
    pub skipped: Vec<Skip>,
    /// Cells of a partition without a file that can be read, passed over.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub missing_cells: Vec<String>,
}

impl FillReport {
    pub(super) fn fill(&mut self, quantity: &str, column: Option<&str>, value: &str) {
        match self.filled.iter_mut().find(|f| f.quantity == quantity && f.value == value) {
            Some(entry) => entry.rows += 1,
            None => self.filled.push(Fill { quantity: quantity.into(), column: column.map(Into::into), rows: 1, value: value.into() }),
        }
    }
    pub(super) fn skip(&mut self, place: Place, cause: &str, reason: String) {
        self.skipped_rows += 1;
        *self.skipped_by.entry(cause.into()).or_default() += 1;
        if self.skipped.len() < LISTED {
            let file = if place.path == self.file { String::new() } else { place.path };
            self.skipped.push(Skip { row: place.row, file, reason });
        }
    }
}

impl fmt::Display for FillReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{}: {} rows, {} used, {} outside the footprint, {} skipped",
            self.file, self.rows, self.used, self.outside, self.skipped_rows
        )?;
        for fill in &self.filled {
            let column = fill.column.as_ref().map_or("no column".to_string(), |c| format!("column `{c}`"));
            write!(f, "\n  {} ({column}): {} rows filled with {}", fill.quantity, fill.rows, fill.value)?;
        }
        for (cause, count) in &self.skipped_by {
            write!(f, "\n  {count} skipped for {cause}")?;
        }
        if !self.missing_cells.is_empty() {
            let some = self.missing_cells.iter().take(5).cloned().collect::<Vec<_>>().join("; ");
            write!(f, "\n  {} cells of the partition have no file that can be read: {some}", self.missing_cells.len())?;
        }
        for skip in self.skipped.iter().take(5) {
            write!(f, "\n  row {} skipped: {}", skip.row, skip.reason)?;
        }
        if self.skipped_rows > 5 {
            write!(f, "\n  ... and {} more", self.skipped_rows - 5)?;
        }
        Ok(())
    }
}
