//! Tables people have, read in chunks: FITS, CSV, ECSV, blank-separated text, VOTable, Parquet, HDF5, EBF,
//! HEALPix-partitioned Parquet.
//!
//! # Effect
//! A [`RowSource`] gives the chosen columns of a table, some ten thousand rows at a time, with names, units and types as the file has
//! them. Memory is that of a chunk, whatever the size of the file. Nothing is interpreted here: what columns mean is `read`'s business.
//! # Limits
//! One value per row and column. Vectors, lists and complex values are left out and named ([`RowSource::left_out`]); a two-dimensional
//! data set of HDF5 becomes one column for each of its columns. Unsigned 64-bit numbers beyond 2^63 are cells that cannot be used.

mod arrow;
mod ebf;
mod ecsv;
mod fits;
mod hats;
mod hdf5;
mod parquet;
mod sniff;
mod text;
mod votable;
mod votable_data;
mod write;

#[cfg(test)]
mod tests;

pub use hats::{CellId, Hats, PROPERTIES};
pub use parquet::ParquetSource;
pub use sniff::format_of;
pub use write::ParquetSink;

use serde::{Deserialize, Serialize};
use sim_core::table::ColumnData;
use std::path::Path;

/// Rows of a chunk, unless the file has its own blocks.
pub const CHUNK_ROWS: usize = 65_536;

/// File format.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Format {
    /// FITS binary table, the first in the file.
    Fits,
    /// Comma-separated values with a header line; lines that start with `#` are comments.
    Csv,
    /// ECSV: CSV with units and types in a YAML header.
    Ecsv,
    /// Columns separated by blanks, with a header line that may begin with `#` (TRILEGAL writes such tables).
    Text,
    /// `VOTable`: TABLEDATA, BINARY or BINARY2, the first table in the file.
    Votable,
    /// Parquet.
    Parquet,
    /// HDF5: groups of one-dimensional data sets of equal length; groups of the same columns follow each other.
    Hdf5,
    /// EBF, the binary format of Galaxia: data objects of one column each.
    Ebf,
    /// A folder of Parquet files by HEALPix cell in the layout of HATS.
    Hats,
}

/// Type of a column.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// 64-bit floats.
    Float64,
    /// 32-bit floats.
    Float32,
    /// 64-bit integers.
    Int64,
    /// 32-bit integers and shorter ones.
    Int32,
    /// Logical values, held as 0 and 1.
    Bool,
    /// Text.
    Text,
}

impl Kind {
    /// Its name.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Float64 => "float64",
            Self::Float32 => "float32",
            Self::Int64 => "int64",
            Self::Int32 => "int32",
            Self::Bool => "bool",
            Self::Text => "text",
        }
    }
    /// No values of it, with room for `rows`.
    #[must_use]
    pub fn empty(self, rows: usize) -> ColumnData {
        match self {
            Self::Float64 => ColumnData::F64(Vec::with_capacity(rows)),
            Self::Float32 => ColumnData::F32(Vec::with_capacity(rows)),
            Self::Int64 => ColumnData::I64(Vec::with_capacity(rows)),
            Self::Int32 | Self::Bool => ColumnData::I32(Vec::with_capacity(rows)),
            Self::Text => ColumnData::Text(Vec::with_capacity(rows)),
        }
    }
}

/// A column of a file.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Field {
    /// Name.
    pub name: String,
    /// Unit the file states, empty for none.
    pub unit: String,
    /// Type.
    pub kind: Kind,
    /// Description the file has, empty for none.
    pub description: String,
}

impl Field {
    /// A column without description.
    #[must_use]
    pub fn new(name: &str, unit: &str, kind: Kind) -> Self {
        Self { name: name.into(), unit: unit.into(), kind, description: String::new() }
    }
}

/// The cells of a column in a chunk.
#[derive(Debug, Clone, PartialEq)]
pub struct Cells {
    /// Values; 0, NaN or an empty text where missing.
    pub data: ColumnData,
    /// Which are missing, a flag per row; empty when none is. A float that is NaN is as good as missing and needs no flag.
    pub missing: Vec<bool>,
    /// Cells that do not hold a value of the column's type, by row of the chunk: they are missing too.
    pub odd: Vec<(usize, String)>,
}

impl Cells {
    /// Cells that are all there.
    #[must_use]
    pub fn whole(data: ColumnData) -> Self {
        Self { data, missing: Vec::new(), odd: Vec::new() }
    }
    /// Whether a cell holds nothing.
    #[must_use]
    pub fn is_missing(&self, row: usize) -> bool {
        self.missing.get(row).copied().unwrap_or(false)
            || match &self.data {
                ColumnData::F64(v) => v[row].is_nan(),
                ColumnData::F32(v) => v[row].is_nan(),
                _ => false,
            }
    }
    /// What stands in the file where it is not a value of the column's type.
    #[must_use]
    pub fn odd(&self, row: usize) -> Option<&str> {
        if self.odd.is_empty() {
            return None;
        }
        self.odd.binary_search_by_key(&row, |o| o.0).ok().map(|k| self.odd[k].1.as_str())
    }
    /// A number; NaN where there is none.
    #[must_use]
    pub fn number(&self, row: usize) -> f64 {
        if self.missing.get(row).copied().unwrap_or(false) {
            return f64::NAN;
        }
        match &self.data {
            ColumnData::F64(v) => v[row],
            ColumnData::F32(v) => f64::from(v[row]),
            ColumnData::I64(v) => v[row] as f64,
            ColumnData::I32(v) => f64::from(v[row]),
            ColumnData::Text(v) => sniff::number(&v[row]).unwrap_or(f64::NAN),
        }
    }
    /// The cell as the file has it, for messages.
    #[must_use]
    pub fn shown(&self, row: usize) -> String {
        if let Some(odd) = self.odd(row) {
            return format!("`{odd}`");
        }
        if self.missing.get(row).copied().unwrap_or(false) {
            return "nothing".into();
        }
        match &self.data {
            ColumnData::F64(v) => v[row].to_string(),
            ColumnData::F32(v) => v[row].to_string(),
            ColumnData::I64(v) => v[row].to_string(),
            ColumnData::I32(v) => v[row].to_string(),
            ColumnData::Text(v) => format!("`{}`", v[row]),
        }
    }
    fn mark_missing(&mut self, row: usize) {
        if self.missing.len() <= row {
            self.missing.resize(row + 1, false);
        }
        self.missing[row] = true;
    }
}

/// Rows that follow each other.
#[derive(Debug, Clone, PartialEq)]
pub struct Chunk {
    /// Number of its first row in the source, from 0.
    pub first_row: u64,
    /// Rows.
    pub rows: usize,
    /// The chosen columns in the order of the choice.
    pub columns: Vec<Cells>,
}

/// Where a row stands: the file and its number there from 1; a partition has many files.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// File.
    pub path: String,
    /// Row in that file, from 1.
    pub row: u64,
}

/// What is known of a table before its rows are read.
#[derive(Debug, Clone, PartialEq)]
pub struct Heading {
    /// File or folder.
    pub path: String,
    /// Format.
    pub format: Format,
    /// All columns that can be read.
    pub fields: Vec<Field>,
    /// Columns that cannot be read, with the reason.
    pub left_out: Vec<String>,
}

/// A table that is read in chunks.
pub trait RowSource {
    /// What is known before the rows are read.
    fn heading(&self) -> &Heading;
    /// File or folder.
    fn path(&self) -> &str {
        &self.heading().path
    }
    /// Format.
    fn format(&self) -> Format {
        self.heading().format
    }
    /// All columns that can be read.
    fn fields(&self) -> &[Field] {
        &self.heading().fields
    }
    /// Columns that cannot be read, with the reason.
    fn left_out(&self) -> &[String] {
        &self.heading().left_out
    }
    /// Rows, where the file says it.
    fn rows(&self) -> Option<u64>;
    /// Chooses columns by their places in [`RowSource::fields`], and starts again at the first row. At first all are chosen.
    ///
    /// # Errors
    /// When the file cannot be opened again.
    fn select(&mut self, columns: &[usize]) -> Result<(), TableError>;
    /// Takes a column as numbers whatever its first rows look like; for formats that do not state types.
    fn take_as(&mut self, _column: usize, _kind: Kind) {}
    /// The next rows; `None` at the end.
    ///
    /// # Errors
    /// When the file is damaged.
    fn next_chunk(&mut self) -> Result<Option<Chunk>, TableError>;
    /// Where a row of the chunk given last stands.
    fn place(&self, row: u64) -> Place {
        Place { path: self.path().into(), row: row + 1 }
    }
    /// A number for a row of the chunk given last that does not depend on which part of the table is read: from 1 in a file; in a
    /// partition of 63 bits, from the cell and the row in its file.
    fn number(&self, row: u64) -> u64 {
        row + 1
    }
    /// The place of a column by its exact name.
    fn position(&self, name: &str) -> Option<usize> {
        self.fields().iter().position(|f| f.name == name)
    }
}

/// Why a table cannot be read or written.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TableError {
    /// The file is not there, damaged, or not what its format asks for.
    #[error("{path}: {reason}")]
    File {
        /// File.
        path: String,
        /// Reason.
        reason: String,
    },
    /// FITS said no.
    #[error(transparent)]
    Fits(#[from] sim_core::fits::FitsError),
}

impl TableError {
    pub(crate) fn new(path: impl std::fmt::Display, reason: impl std::fmt::Display) -> Self {
        Self::File { path: path.to_string(), reason: reason.to_string() }
    }
}

/// Opens a table; the format is found from the file's first bytes, then from its name, when it is not given.
///
/// # Errors
/// When the file is missing, damaged, or of a format that is not known.
pub fn open(path: &Path, format: Option<Format>) -> Result<Box<dyn RowSource>, TableError> {
    let format = match format {
        Some(format) => format,
        None => format_of(path)?,
    };
    Ok(match format {
        Format::Fits => Box::new(fits::FitsSource::open(path)?),
        Format::Csv => Box::new(text::TextSource::csv(path)?),
        Format::Ecsv => Box::new(text::TextSource::ecsv(path)?),
        Format::Text => Box::new(text::TextSource::blanks(path)?),
        Format::Votable => Box::new(votable::VotableSource::open(path)?),
        Format::Parquet => Box::new(ParquetSource::open(path)?),
        Format::Hdf5 => Box::new(hdf5::Hdf5Source::open(path)?),
        Format::Ebf => Box::new(ebf::EbfSource::open(path)?),
        Format::Hats => Box::new(Hats::open(path)?.all()?),
    })
}

/// The columns of a table; of a partition those of the first cell that has a file.
///
/// # Errors
/// As [`open`].
pub fn fields(path: &Path, format: Option<Format>) -> Result<Vec<Field>, TableError> {
    if format == Some(Format::Hats) || (format.is_none() && path.is_dir()) {
        let mut hats = Hats::open(path)?;
        hats.skip_missing = true;
        return Ok(hats.all()?.fields().to_vec());
    }
    Ok(open(path, format)?.fields().to_vec())
}
