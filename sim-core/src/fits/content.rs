//! The data of a unit as FITS lays it out: the keywords that describe it, and its big-endian bytes in order.

use super::card::encode;
use super::{Data, FitsError, Hdu, Value};
use crate::table::{ColumnData, Table};
use ndarray::{ArrayBase, Data as ArrayStorage, Dimension};
use std::io::Result as IoResult;

/// Values turned at a time: the buffer (0.5 to 2 MB) stays in the second-level cache.
const CHUNK: usize = 256 * 1024;

/// Adds the layout keywords, from SIMPLE or XTENSION on, EXTNAME included.
pub(super) fn describe(hdu: &Hdu, first: bool, path: &str) -> Result<Vec<String>, FitsError> {
    let content = |reason: String| FitsError::Content { path: path.into(), reason };
    let (bitpix, axes): (i64, Vec<usize>) = match &hdu.data {
        Data::None => (8, vec![]),
        Data::F32(a) => (-32, vec![a.ncols(), a.nrows()]),
        Data::F64(a) => (-64, vec![a.ncols(), a.nrows()]),
        Data::U16(a) => (16, vec![a.ncols(), a.nrows()]),
        Data::I16(a) => (16, vec![a.ncols(), a.nrows()]),
        Data::U8(a) => (8, vec![a.ncols(), a.nrows()]),
        Data::I32(a) => (32, vec![a.ncols(), a.nrows()]),
        Data::Counts(a) => (16, vec![a.ncols(), a.nrows()]),
        Data::Sparse(a) => (32, vec![a.dim().1, a.dim().0]),
        Data::Cube(a) => (-32, vec![a.dim().2, a.dim().1, a.dim().0]),
        Data::Table(table) => {
            if first {
                return Err(content(format!("the first unit must be an image or a header, not the table {}", hdu.name)));
            }
            check(table).map_err(|reason| content(format!("table {}: {reason}", hdu.name)))?;
            (8, vec![widths(table).iter().sum(), table.rows()])
        }
    };
    let mut cards = Vec::new();
    let mut put = |key: &str, value: Value, comment: &str| encode(key, &value, comment).map(|c| cards.extend(c));
    let is_table = matches!(hdu.data, Data::Table(_));
    if first {
        put("SIMPLE", true.into(), "FITS standard")?;
    } else {
        put("XTENSION", if is_table { "BINTABLE" } else { "IMAGE" }.into(), if is_table { "binary table" } else { "image" })?;
    }
    put("BITPIX", bitpix.into(), "bits per value, negative for reals")?;
    put("NAXIS", (axes.len() as i64).into(), "axes")?;
    for (i, n) in axes.iter().enumerate() {
        let comment = match (is_table, i) {
            (true, 0) => "bytes per row",
            (true, _) => "rows",
            _ => "",
        };
        put(&format!("NAXIS{}", i + 1), (*n as i64).into(), comment)?;
    }
    if first {
        put("EXTEND", true.into(), "there may be extensions")?;
    } else {
        put("PCOUNT", 0i64.into(), "")?;
        put("GCOUNT", 1i64.into(), "")?;
    }
    if let Data::Table(table) = &hdu.data {
        put("TFIELDS", (table.columns.len() as i64).into(), "columns")?;
    }
    if matches!(hdu.data, Data::U16(_) | Data::Counts(_)) {
        put("BSCALE", 1i64.into(), "")?;
        put("BZERO", 32768i64.into(), "unsigned 16-bit integers")?;
    }
    if !hdu.name.is_empty() {
        put("EXTNAME", hdu.name.as_str().into(), "name of this unit")?;
    }
    if let Data::Table(table) = &hdu.data {
        for (i, (column, width)) in table.columns.iter().zip(widths(table)).enumerate() {
            let n = i + 1;
            put(&format!("TTYPE{n}"), column.name.as_str().into(), "")?;
            put(&format!("TFORM{n}"), form(&column.data, width).into(), "")?;
            if !column.unit.is_empty() {
                put(&format!("TUNIT{n}"), column.unit.as_str().into(), "")?;
            }
            if !column.description.is_empty() {
                put(&format!("TCOMM{n}"), ascii(&column.description).into(), "")?;
            }
        }
    }
    Ok(cards)
}

/// Hands the data over as big-endian bytes, in pieces whose lengths are multiples of four but for the last.
pub(super) fn stream(data: &Data, sink: &mut dyn FnMut(&[u8]) -> IoResult<()>) -> IoResult<()> {
    match data {
        Data::None => Ok(()),
        Data::F32(a) => values(a, f32::to_be_bytes, sink),
        Data::Cube(a) => values(a, f32::to_be_bytes, sink),
        Data::F64(a) => values(a, f64::to_be_bytes, sink),
        // Value = stored + 32768: the top bit turned.
        Data::U16(a) => values(a, |v| (v ^ 0x8000).to_be_bytes(), sink),
        Data::I16(a) => values(a, i16::to_be_bytes, sink),
        Data::U8(a) => values(a, u8::to_be_bytes, sink),
        Data::I32(a) => values(a, i32::to_be_bytes, sink),
        Data::Counts(a) => values(a, |v| (v as u16 ^ 0x8000).to_be_bytes(), sink),
        Data::Sparse(a) => values(&a.dense(), i32::to_be_bytes, sink),
        Data::Table(table) => rows(table, sink),
    }
}

fn values<T: Copy, const N: usize, S: ArrayStorage<Elem = T>, D: Dimension>(
    array: &ArrayBase<S, D>,
    to_bytes: impl Fn(T) -> [u8; N],
    sink: &mut dyn FnMut(&[u8]) -> IoResult<()>,
) -> IoResult<()> {
    let array = array.as_standard_layout();
    let all = array.as_slice().unwrap_or(&[]);
    let mut bytes = vec![0u8; N * CHUNK.min(all.len())];
    for chunk in all.chunks(CHUNK) {
        for (out, v) in bytes.as_chunks_mut::<N>().0.iter_mut().zip(chunk) {
            *out = to_bytes(*v);
        }
        sink(&bytes[..N * chunk.len()])?;
    }
    Ok(())
}

fn rows(table: &Table, sink: &mut dyn FnMut(&[u8]) -> IoResult<()>) -> IoResult<()> {
    let widths = widths(table);
    let row_bytes: usize = widths.iter().sum();
    // A multiple of four rows keeps the pieces whole words.
    let step = (CHUNK / row_bytes.max(1)).next_multiple_of(4).max(4);
    let mut bytes = Vec::with_capacity(step * row_bytes);
    for start in (0..table.rows()).step_by(step) {
        bytes.clear();
        for row in start..(start + step).min(table.rows()) {
            for (column, width) in table.columns.iter().zip(&widths) {
                match &column.data {
                    ColumnData::F64(v) => bytes.extend_from_slice(&v[row].to_be_bytes()),
                    ColumnData::F32(v) => bytes.extend_from_slice(&v[row].to_be_bytes()),
                    ColumnData::I64(v) => bytes.extend_from_slice(&v[row].to_be_bytes()),
                    ColumnData::I32(v) => bytes.extend_from_slice(&v[row].to_be_bytes()),
                    ColumnData::Text(v) => {
                        bytes.extend_from_slice(v[row].as_bytes());
                        bytes.resize(bytes.len() + width - v[row].len(), b' ');
                    }
                }
            }
        }
        sink(&bytes)?;
    }
    Ok(())
}

/// Bytes of each column in a row. Text columns are as wide as their longest text, at least 1.
fn widths(table: &Table) -> Vec<usize> {
    table
        .columns
        .iter()
        .map(|c| match &c.data {
            ColumnData::F64(_) | ColumnData::I64(_) => 8,
            ColumnData::F32(_) | ColumnData::I32(_) => 4,
            ColumnData::Text(v) => v.iter().map(String::len).max().unwrap_or(0).max(1),
        })
        .collect()
}

fn form(data: &ColumnData, width: usize) -> String {
    match data {
        ColumnData::F64(_) => "1D".into(),
        ColumnData::F32(_) => "1E".into(),
        ColumnData::I64(_) => "1K".into(),
        ColumnData::I32(_) => "1J".into(),
        ColumnData::Text(_) => format!("{width}A"),
    }
}

fn check(table: &Table) -> Result<(), String> {
    if table.columns.len() > 999 {
        return Err(format!("{} columns; FITS allows 999", table.columns.len()));
    }
    for (i, column) in table.columns.iter().enumerate() {
        let name = &column.name;
        if name.is_empty() {
            return Err(format!("column {} has no name", i + 1));
        }
        if let Some(other) = table.columns[..i].iter().find(|c| c.name.eq_ignore_ascii_case(name)) {
            return Err(format!("columns {} and {name} have the same name (FITS does not tell upper from lower case)", other.name));
        }
        if column.data.len() != table.rows() {
            return Err(format!("column {name} has {} rows, {} has {}", column.data.len(), table.columns[0].name, table.rows()));
        }
        if let ColumnData::Text(texts) = &column.data
            && let Some((row, text)) = texts.iter().enumerate().find(|(_, t)| !t.bytes().all(|b| (b' '..=b'~').contains(&b)))
        {
            return Err(format!("column {name}, row {}: {text:?}: text is printable ASCII", row + 1));
        }
    }
    Ok(())
}

fn ascii(text: &str) -> String {
    text.chars().map(|c| if (' '..='~').contains(&c) { c } else { '?' }).collect()
}
