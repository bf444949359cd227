//! Reads a binary table by ranges of rows, so that a table of any size costs the memory of one range.

use super::FitsError;
use super::header::Value;
use super::raw::{ColumnType, Kind, Reader};
use super::read::{column_data, opened, unit};
use super::scan::Sums;
use crate::table::ColumnData;
use std::path::Path;

/// A column of a table that is read by rows.
#[derive(Debug, Clone, PartialEq)]
pub struct TableColumn {
    /// TTYPE.
    pub name: String,
    /// TUNIT, empty for none.
    pub unit: String,
    /// No values, of the type that [`TableRows::read`] gives.
    pub kind: ColumnData,
    /// Logical values, given as 0 and 1.
    pub logical: bool,
    /// Whole number that stands for a missing value (TNULL).
    pub null: Option<i64>,
    number: i32,
}

/// The first table of a file, open for reading.
pub struct TableRows {
    reader: Reader,
    columns: Vec<TableColumn>,
    left_out: Vec<String>,
    types: Vec<ColumnType>,
    rows: usize,
}

impl TableRows {
    /// Opens the first table of a file. Checksums are not looked at: that would read everything.
    ///
    /// # Errors
    /// When the file is missing, truncated, not FITS, or has no table.
    pub fn open(path: &Path) -> Result<Self, FitsError> {
        let shown = path.display().to_string();
        let (reader, _) = opened(path, &shown, Sums::Ignore)?;
        let mut number = 1;
        while let Some(kind) = reader.go_to(number)? {
            if kind == Kind::Table {
                return Self::of_unit(reader, &shown, number, kind);
            }
            number += 1;
        }
        Err(FitsError::Content { path: shown, reason: "no table in this FITS file".into() })
    }

    fn of_unit(reader: Reader, path: &str, number: i32, kind: Kind) -> Result<Self, FitsError> {
        let header = unit(&reader, path, number, kind)?;
        let (rows, count) = reader.table_size()?;
        let (mut columns, mut types, mut left_out) = (Vec::new(), Vec::new(), Vec::new());
        for number in 1..=count {
            let text = |stem: &str| header.text(&format!("{stem}{number}")).unwrap_or_default().trim().to_string();
            let name = if text("TTYPE").is_empty() { format!("COL{number}") } else { text("TTYPE") };
            let kind = reader.column_type(number)?;
            let null = header.keywords.iter().find(|k| k.0 == format!("TNULL{number}"));
            let null = null.and_then(|k| if let Value::Int(v) = k.1 { Some(v) } else { None });
            match column_data(&reader, number, (0, 0), kind)? {
                Some(empty) => {
                    let logical = kind.scaled == fitsio_sys::TLOGICAL as i32;
                    columns.push(TableColumn { name, unit: text("TUNIT"), kind: empty, logical, null, number });
                    types.push(kind);
                }
                None => left_out.push(format!("{name} ({})", text("TFORM"))),
            }
        }
        Ok(Self { reader, columns, left_out, types, rows })
    }

    /// Columns of one number or text per row.
    #[must_use]
    pub fn columns(&self) -> &[TableColumn] {
        &self.columns
    }
    /// Name and TFORM of the columns that cannot be held: vectors, bits, complex values, variable length.
    #[must_use]
    pub fn left_out(&self) -> &[String] {
        &self.left_out
    }
    /// Rows.
    #[must_use]
    pub fn rows(&self) -> usize {
        self.rows
    }
    /// `count` values of a column (its place in [`TableRows::columns`]) from row `first`, from 0.
    ///
    /// # Errors
    /// When cfitsio cannot read them.
    pub fn read(&self, column: usize, first: usize, count: usize) -> Result<ColumnData, FitsError> {
        let (column, kind) = (&self.columns[column], self.types[column]);
        let count = count.min(self.rows.saturating_sub(first));
        Ok(column_data(&self.reader, column.number, (first, count), kind)?.unwrap_or(ColumnData::F64(Vec::new())))
    }
}
