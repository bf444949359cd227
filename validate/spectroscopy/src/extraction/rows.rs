//! Columns of tables of spectra, by name: what tables of single and of stacked spectra read alike.

use super::error::ExtractionError;
use sim_core::fits::{Data, read};
use sim_core::table::{ColumnData, Table};
use std::path::Path;

/// The columns of a table.
pub(super) struct Rows<'a>(pub(super) &'a Table);

impl<'a> Rows<'a> {
    fn missing(&self, column: &'static str) -> ExtractionError {
        ExtractionError::Column { table: self.0.name.clone(), column }
    }
    /// A column of numbers.
    pub(super) fn f64s(&self, name: &'static str) -> Result<Vec<f64>, ExtractionError> {
        self.0.f64s(name).ok_or_else(|| self.missing(name))
    }
    /// A column of 64-bit integers, which numbers of sources need.
    pub(super) fn i64s(&self, name: &'static str) -> Result<&'a [i64], ExtractionError> {
        match self.0.column(name).map(|c| &c.data) {
            Some(ColumnData::I64(v)) => Ok(v),
            _ => Err(self.missing(name)),
        }
    }
    /// A column of text.
    pub(super) fn texts(&self, name: &'static str) -> Result<&'a [String], ExtractionError> {
        match self.0.column(name).map(|c| &c.data) {
            Some(ColumnData::Text(v)) => Ok(v),
            _ => Err(self.missing(name)),
        }
    }
}

/// What `of` makes of the table of this name in a file; `whole` says in an error that there is none.
pub(super) fn load<T>(
    path: &Path,
    name: &str,
    whole: &'static str,
    of: impl Fn(&Table) -> Result<T, ExtractionError>,
) -> Result<T, ExtractionError> {
    for hdu in read(path)? {
        if hdu.name == name
            && let Data::Table(table) = &hdu.data
        {
            return of(table);
        }
    }
    Err(ExtractionError::Column { table: path.display().to_string(), column: whole })
}
