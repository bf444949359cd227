//! A file becomes columns of cells.

use super::{CatalogSpec, Format, ReadError};
use sim_core::fits::{self, Data};
use sim_core::table::ColumnData;
use std::collections::BTreeMap;

/// A column of the file.
pub(super) struct FileColumn {
    pub(super) name: String,
    /// Unit the file states, empty for none.
    pub(super) unit: String,
    pub(super) cells: Cells,
}

/// Cells of a column.
pub(super) enum Cells {
    /// Text, to be parsed where used: text columns of FITS, and numbers of objects, which a double cannot hold.
    Text(Vec<String>),
    /// Numbers of a text file, NaN where there is none, and by row what is neither a number nor nothing.
    Parsed(Vec<f64>, BTreeMap<usize, String>),
    /// Floating numbers.
    Float(Vec<f64>),
    /// Whole numbers.
    Whole(Vec<i64>),
}

/// A number, NaN for a cell that holds none, `None` for anything else.
pub(super) fn number(text: &str) -> Option<f64> {
    if let Ok(value) = text.parse() {
        return Some(value);
    }
    let text = text.trim();
    if ["", "nan", "null", "none", "--", "n/a"].iter().any(|m| text.eq_ignore_ascii_case(m)) {
        return Some(f64::NAN);
    }
    text.parse().ok()
}

/// The table of a file.
pub(super) struct FileTable {
    /// Names of all columns, those not wanted too, for messages.
    pub(super) names: Vec<String>,
    pub(super) columns: Vec<FileColumn>,
    pub(super) rows: usize,
}

fn format(spec: &CatalogSpec, path: &str) -> Result<Format, ReadError> {
    if let Some(format) = spec.format {
        return Ok(format);
    }
    let name = path.to_ascii_lowercase();
    if [".fits", ".fit", ".fits.gz", ".fit.gz"].iter().any(|end| name.ends_with(end)) {
        Ok(Format::Fits)
    } else if name.ends_with(".csv") {
        Ok(Format::Csv)
    } else {
        Err(ReadError::File {
            path: path.into(),
            reason: "the format is not known from the name; give catalog.format = \"fits\" or \"csv\"".into(),
        })
    }
}

/// The wanted columns of a file; a Gaia row has 152 of which a dozen are used. `id` is the column kept as text.
pub(super) fn table(spec: &CatalogSpec, path: &str, wanted: &[&str], id: Option<&str>) -> Result<FileTable, ReadError> {
    match format(spec, path)? {
        Format::Fits => from_fits(spec, path, wanted),
        Format::Csv => from_csv(spec, path, wanted, id),
    }
}

fn from_fits(spec: &CatalogSpec, path: &str, wanted: &[&str]) -> Result<FileTable, ReadError> {
    for hdu in fits::read(&spec.path)? {
        if let Data::Table(table) = hdu.data {
            let rows = table.rows();
            let names = table.columns.iter().map(|c| c.name.clone()).collect();
            let columns = table
                .columns
                .into_iter()
                .filter(|c| wanted.contains(&c.name.as_str()))
                .map(|c| FileColumn {
                    name: c.name,
                    unit: c.unit,
                    cells: match c.data {
                        ColumnData::F64(v) => Cells::Float(v),
                        ColumnData::F32(v) => Cells::Float(v.into_iter().map(f64::from).collect()),
                        ColumnData::I64(v) => Cells::Whole(v),
                        ColumnData::I32(v) => Cells::Whole(v.into_iter().map(i64::from).collect()),
                        ColumnData::Text(v) => Cells::Text(v),
                    },
                })
                .collect();
            return Ok(FileTable { names, columns, rows });
        }
    }
    Err(ReadError::File { path: path.into(), reason: "no table in this FITS file".into() })
}

fn from_csv(spec: &CatalogSpec, path: &str, wanted: &[&str], id: Option<&str>) -> Result<FileTable, ReadError> {
    let fault = |reason: String| ReadError::File { path: path.into(), reason };
    let mut reader =
        csv::ReaderBuilder::new().comment(Some(b'#')).trim(csv::Trim::All).from_path(&spec.path).map_err(|e| fault(e.to_string()))?;
    let names: Vec<String> = reader.headers().map_err(|e| fault(e.to_string()))?.iter().map(Into::into).collect();
    let mut columns: Vec<(usize, FileColumn)> = names
        .iter()
        .enumerate()
        .filter(|(_, name)| wanted.contains(&name.as_str()))
        .map(|(k, name)| {
            let cells = if id == Some(name.as_str()) { Cells::Text(Vec::new()) } else { Cells::Parsed(Vec::new(), BTreeMap::new()) };
            (k, FileColumn { name: name.clone(), unit: String::new(), cells })
        })
        .collect();
    let mut rows = 0;
    let mut record = csv::StringRecord::new();
    // The reader refuses a row with another number of cells than the header, with its line.
    while reader.read_record(&mut record).map_err(|e| fault(e.to_string()))? {
        for (k, column) in &mut columns {
            let cell = &record[*k];
            match &mut column.cells {
                Cells::Text(v) => v.push(cell.into()),
                Cells::Parsed(v, odd) => v.push(number(cell).unwrap_or_else(|| {
                    odd.insert(rows, cell.into());
                    f64::NAN
                })),
                Cells::Float(_) | Cells::Whole(_) => {}
            }
        }
        rows += 1;
    }
    Ok(FileTable { names, columns: columns.into_iter().map(|(_, c)| c).collect(), rows })
}
