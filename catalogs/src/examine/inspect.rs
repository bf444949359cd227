//! What is in a table: format, rows, columns with units, ranges and what is missing.

use crate::read::Profile;
use crate::tables::{self, Cells, Field, Format, Kind, TableError};
use serde::Serialize;
use sim_core::table::ColumnData;
use std::fmt;
use std::path::Path;

/// A column and what its cells are.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ColumnReport {
    /// Name, unit, type.
    #[serde(flatten)]
    pub field: Field,
    /// Cells that hold nothing.
    pub missing: u64,
    /// Cells that are not of the column's type, also counted as missing.
    pub odd: u64,
    /// Least value, of text the first in order; none when all are missing.
    pub least: Option<String>,
    /// Largest value.
    pub most: Option<String>,
    /// The first cell that is not of the column's type: row from 1, content.
    pub first_odd: Option<(u64, String)>,
}

/// What a table holds.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Inspection {
    /// File or folder.
    pub path: String,
    /// Format.
    pub format: Format,
    /// Rows looked at.
    pub rows: u64,
    /// Whether these are all.
    pub all: bool,
    /// Columns.
    pub columns: Vec<ColumnReport>,
    /// Columns that cannot be read.
    pub left_out: Vec<String>,
    /// Ready profile that fits.
    pub profile: Option<&'static str>,
    /// Cells of a partition: how many, and their orders from and to.
    pub cells: Option<(usize, u8, u8)>,
    /// Cells without a file that can be read.
    pub missing_cells: Vec<String>,
}

/// Least and largest so far.
enum Range {
    Whole(Option<(i64, i64)>),
    Real(Option<(f64, f64)>),
    Words(Option<(String, String)>),
}

impl Range {
    fn take(&mut self, cells: &Cells) {
        let there = |row: &usize| !cells.missing.get(*row).copied().unwrap_or(false);
        match (self, &cells.data) {
            (Self::Whole(range), ColumnData::I64(v)) => {
                (0..v.len()).filter(there).for_each(|k| *range = Some(range.map_or((v[k], v[k]), |r| (r.0.min(v[k]), r.1.max(v[k])))));
            }
            (Self::Whole(range), ColumnData::I32(v)) => (0..v.len()).filter(there).for_each(|k| {
                let x = i64::from(v[k]);
                *range = Some(range.map_or((x, x), |r| (r.0.min(x), r.1.max(x))));
            }),
            (Self::Words(range), ColumnData::Text(v)) => (0..v.len()).filter(there).for_each(|k| match range {
                None => *range = Some((v[k].clone(), v[k].clone())),
                Some((a, _)) if v[k] < *a => a.clone_from(&v[k]),
                Some((_, b)) if v[k] > *b => b.clone_from(&v[k]),
                Some(_) => {}
            }),
            (Self::Real(range), data) => (0..data.len()).filter(|k| !cells.is_missing(*k)).for_each(|k| {
                let x = cells.number(k);
                *range = Some(range.map_or((x, x), |r| (r.0.min(x), r.1.max(x))));
            }),
            _ => {}
        }
    }
    fn shown(self, kind: Kind) -> (Option<String>, Option<String>) {
        fn both<T: ToString>(pair: Option<(T, T)>) -> (Option<String>, Option<String>) {
            pair.map_or((None, None), |(a, b)| (Some(a.to_string()), Some(b.to_string())))
        }
        match self {
            Self::Whole(pair) => both(pair),
            // A 32-bit float is shown with its own digits.
            Self::Real(pair) if kind == Kind::Float32 => both(pair.map(|(a, b)| (a as f32, b as f32))),
            Self::Real(pair) => both(pair),
            Self::Words(pair) => both(pair),
        }
    }
}

/// Looks into a table, at `most_rows` rows at most.
///
/// # Errors
/// When it cannot be read.
pub fn inspect(path: &Path, format: Option<Format>, most_rows: Option<u64>) -> Result<Inspection, TableError> {
    let format = format.map_or_else(|| tables::format_of(path), Ok)?;
    let (mut cells, mut missing_cells) = (None, Vec::new());
    let mut source: Box<dyn tables::RowSource> = if format == Format::Hats {
        let mut hats = tables::Hats::open(path)?;
        hats.skip_missing = true;
        let orders = hats.cells.iter().map(|c| c.order);
        cells = Some((hats.cells.len(), orders.clone().min().unwrap_or(0), orders.max().unwrap_or(0)));
        let part = hats.all()?;
        missing_cells.clone_from(&part.missing);
        Box::new(part)
    } else {
        tables::open(path, Some(format))?
    };
    let fields = source.fields().to_vec();
    let mut ranges: Vec<Range> = fields
        .iter()
        .map(|f| match f.kind {
            Kind::Int64 | Kind::Int32 | Kind::Bool => Range::Whole(None),
            Kind::Float64 | Kind::Float32 => Range::Real(None),
            Kind::Text => Range::Words(None),
        })
        .collect();
    let mut counts = vec![(0u64, 0u64, None); fields.len()];
    let (mut rows, mut all) = (0, true);
    while let Some(chunk) = source.next_chunk()? {
        for (k, cells) in chunk.columns.iter().enumerate() {
            ranges[k].take(cells);
            counts[k].0 += (0..chunk.rows).filter(|&row| cells.is_missing(row)).count() as u64;
            counts[k].1 += cells.odd.len() as u64;
            if let (None, Some((row, text))) = (&counts[k].2, cells.odd.first()) {
                counts[k].2 = Some((chunk.first_row + *row as u64 + 1, text.clone()));
            }
        }
        rows += chunk.rows as u64;
        if most_rows.is_some_and(|most| rows >= most) {
            all = source.rows() == Some(rows);
            break;
        }
    }
    let names: Vec<&str> = fields.iter().map(|f| f.name.as_str()).collect();
    let profile = Profile::fitting(&names).map(|p| p.0);
    let columns = fields
        .into_iter()
        .zip(ranges)
        .zip(counts)
        .map(|((field, range), (missing, odd, first_odd))| {
            let (least, most) = range.shown(field.kind);
            ColumnReport { field, missing, odd, least, most, first_odd }
        })
        .collect();
    Ok(Inspection {
        path: source.path().into(),
        format,
        rows,
        all,
        columns,
        left_out: source.left_out().to_vec(),
        profile,
        cells,
        missing_cells,
    })
}

impl fmt::Display for Inspection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let some = if self.all { "" } else { " looked at; there are more" };
        let format = serde_name(&self.format);
        writeln!(f, "{}: {format}, {} rows{some}, {} columns", self.path, self.rows, self.columns.len())?;
        if let Some((count, from, to)) = self.cells {
            writeln!(f, "{count} cells of orders {from} to {to} (HEALPix, NESTED)")?;
        }
        for cell in &self.missing_cells {
            writeln!(f, "cell {cell} has no file that can be read")?;
        }
        let width = |get: &dyn Fn(&ColumnReport) -> usize, least: usize| self.columns.iter().map(get).max().unwrap_or(0).max(least);
        let (name, unit) = (width(&|c| c.field.name.chars().count(), 6), width(&|c| c.field.unit.chars().count(), 4));
        writeln!(f, "{:<name$}  {:<unit$}  {:<7}  {:>9}  least .. largest", "column", "unit", "type", "missing")?;
        for c in &self.columns {
            let range = match (&c.least, &c.most) {
                (Some(a), Some(b)) => format!("{a} .. {b}"),
                _ => "(nothing)".into(),
            };
            writeln!(f, "{:<name$}  {:<unit$}  {:<7}  {:>9}  {range}", c.field.name, c.field.unit, c.field.kind.name(), c.missing)?;
            if let Some((row, text)) = &c.first_odd {
                writeln!(f, "{:<name$}  {} cells are no {}; the first: row {row}, `{text}`", "", c.odd, c.field.kind.name())?;
            }
        }
        for column in &self.left_out {
            writeln!(f, "{column} cannot be read: one value per row is needed")?;
        }
        match self.profile {
            Some(profile) => writeln!(f, "the profile \"{profile}\" fits"),
            None => writeln!(f, "no ready profile fits: map the columns with catalog.columns"),
        }
    }
}

/// The name of a format in scenarios.
fn serde_name(format: &Format) -> &'static str {
    match format {
        Format::Fits => "FITS",
        Format::Csv => "CSV",
        Format::Ecsv => "ECSV",
        Format::Text => "text",
        Format::Votable => "VOTable",
        Format::Parquet => "Parquet",
        Format::Hdf5 => "HDF5",
        Format::Ebf => "EBF",
        Format::Hats => "HEALPix partition",
    }
}
