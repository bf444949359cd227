//! Reads whole files, or their headers, into [`Hdu`]s. A broken file is an error that names it, never a panic.

use super::card::{Card, decode};
use super::header::is_structural;
use super::raw::{ColumnType, Kind, Number, Reader};
use super::scan::{Sums, scan};
use super::{Data, FitsError, Hdu, Header, Value};
use crate::table::{Column, ColumnData, Table};
use fitsio_sys as c;
use ndarray::{Array2, Array3};
use std::io::Read;
use std::path::Path;

/// Reads a whole file, checking CHECKSUM and DATASUM where present.
///
/// Images: unsigned 16-bit stays; other 8-, 16- and 32-bit integers become i32, 64-bit and unsigned 32-bit ones f64;
/// blank pixels of scaled images become NaN; compressed images are unpacked; a stack of any type becomes f32; a single
/// row (one axis) becomes an image of one row.
/// Tables: columns of one value per row; 8- and 16-bit integers and logicals become i32 (1 for true). Columns of
/// vectors, bits, complex values or variable length cannot be held and are left out. Gzipped files are read.
///
/// # Errors
/// When the file is missing, truncated, has a wrong checksum, or holds something [`Data`] cannot.
pub fn read(path: &Path) -> Result<Vec<Hdu>, FitsError> {
    let mut out = Vec::new();
    walk(path, Sums::Check, |reader, unit| {
        let data = data(reader, &unit)?;
        let header = header(&unit, &data);
        out.push(Hdu { name: unit.name, header, data });
        Ok(())
    })?;
    Ok(out)
}

/// Reads the headers alone (name and header of each unit), without the data and its checksums.
///
/// # Errors
/// As [`read`], but for the checksums.
pub fn read_headers(path: &Path) -> Result<Vec<(String, Header)>, FitsError> {
    let mut out = Vec::new();
    walk(path, Sums::Ignore, |_, unit| {
        let header = header(&unit, &Data::None);
        out.push((unit.name, header));
        Ok(())
    })?;
    Ok(out)
}

/// A unit's header as it stands in the file.
pub(super) struct Unit {
    path: String,
    number: i32,
    kind: Kind,
    compressed: bool,
    name: String,
    pub(super) keywords: Vec<(String, Value, String)>,
    history: Vec<String>,
}

impl Unit {
    fn content(&self, reason: impl std::fmt::Display) -> FitsError {
        let name = if self.name.is_empty() { String::new() } else { format!(" ({})", self.name) };
        FitsError::Content { path: self.path.clone(), reason: format!("unit {}{name}: {reason}", self.number) }
    }
    pub(super) fn text(&self, key: &str) -> Option<&str> {
        self.keywords.iter().find(|k| k.0 == key).and_then(|k| if let Value::Text(t) = &k.1 { Some(t.as_str()) } else { None })
    }
}

/// Opens a file after a look at its bytes (a gzipped one cannot be looked at so); also whether it is gzipped.
pub(super) fn opened(path: &Path, shown: &str, sums: Sums) -> Result<(Reader, bool), FitsError> {
    let content = |reason: &str| FitsError::Content { path: shown.into(), reason: reason.into() };
    let io = |source| FitsError::Io { path: shown.into(), source };
    let mut file = std::fs::File::open(path).map_err(io)?;
    if !file.metadata().map_err(io)?.is_file() {
        return Err(content("this is not a file"));
    }
    let mut start = Vec::new();
    (&file).take(9).read_to_end(&mut start).map_err(io)?;
    let gzipped = start.starts_with(&[0x1f, 0x8b]);
    if !gzipped {
        if start != b"SIMPLE  =" {
            return Err(content("this is not a FITS file: it does not begin with SIMPLE"));
        }
        scan(&mut file, shown, sums)?;
    }
    Ok((Reader::open(path)?, gzipped))
}

fn walk(path: &Path, sums: Sums, mut visit: impl FnMut(&Reader, Unit) -> Result<(), FitsError>) -> Result<(), FitsError> {
    let shown = path.display().to_string();
    let (reader, gzipped) = opened(path, &shown, sums)?;
    let mut number = 1;
    while let Some(kind) = reader.go_to(number)? {
        let unit = unit(&reader, &shown, number, kind)?;
        // A plain file has been checked by the scan.
        if gzipped && sums == Sums::Check {
            check_sums(&reader, &unit)?;
        }
        visit(&reader, unit)?;
        number += 1;
    }
    Ok(())
}

fn check_sums(reader: &Reader, unit: &Unit) -> Result<(), FitsError> {
    let (data, whole) = reader.checksums()?;
    if data < 0 || whole < 0 {
        let key = if data < 0 { "DATASUM" } else { "CHECKSUM" };
        return Err(unit.content(format!("{key} does not fit the content: the file is damaged or was changed by hand")));
    }
    Ok(())
}

pub(super) fn unit(reader: &Reader, path: &str, number: i32, kind: Kind) -> Result<Unit, FitsError> {
    let mut keywords: Vec<(String, Value, String)> = Vec::new();
    let mut history = Vec::new();
    let mut open = false;
    for card in reader.cards()? {
        let card = decode(&card);
        let continued = matches!(card, Card::Continue(..)) && open;
        open = match card {
            Card::Keyword(key, value, comment) => {
                let open = matches!(&value, Value::Text(t) if t.ends_with('&'));
                keywords.push((key, value, comment));
                open
            }
            Card::Continue(text, more) if continued => {
                if let Some((_, Value::Text(whole), comment)) = keywords.last_mut() {
                    whole.pop();
                    whole.push_str(&text);
                    comment.push_str(&more);
                }
                text.ends_with('&')
            }
            Card::History(line) => {
                history.push(line);
                false
            }
            _ => false,
        };
    }
    let mut unit = Unit { path: path.into(), number, kind, compressed: reader.is_compressed()?, name: String::new(), keywords, history };
    unit.name = unit.text("EXTNAME").unwrap_or_default().trim_end().to_string();
    Ok(unit)
}

/// The keywords that are not layout.
fn header(unit: &Unit, data: &Data) -> Header {
    let is_table = unit.kind == Kind::Table || unit.compressed;
    let packing = |key: &str| {
        unit.compressed
            && ["ZIMAGE", "ZBITPIX", "ZNAXIS", "ZTILE", "ZCMPTYPE", "ZNAME", "ZVAL", "ZQUANTIZ", "ZDITHER0", "ZBLANK", "ZSCALE", "ZZERO"]
                .into_iter()
                .chain(["ZHECKSUM", "ZDATASUM", "ZEXTEND", "ZSIMPLE", "ZTENSION", "ZPCOUNT", "ZGCOUNT", "ZMASKCMP"])
                .any(|stem| key.starts_with(stem))
    };
    let blank = |key: &str| key == "BLANK" && !matches!(data, Data::I32(_) | Data::U16(_));
    let keep = |key: &str| !is_structural(key, is_table) && !packing(key) && !blank(key);
    Header { cards: unit.keywords.iter().filter(|k| keep(&k.0)).cloned().collect(), history: unit.history.clone() }
}

fn data(reader: &Reader, unit: &Unit) -> Result<Data, FitsError> {
    match unit.kind {
        Kind::Image => image(reader, unit),
        Kind::Table => table(reader, unit).map(Data::Table),
    }
}

fn image(reader: &Reader, unit: &Unit) -> Result<Data, FitsError> {
    let (kind, mut axes) = reader.image()?;
    while axes.len() > 3 && axes.last() == Some(&1) {
        axes.pop();
    }
    let size = |n: i64| usize::try_from(n).map_err(|_| unit.content(format!("axis of {n} pixels")));
    let axes = axes.into_iter().map(size).collect::<Result<Vec<_>, _>>()?;
    let count = axes.iter().try_fold(1usize, |n, axis| n.checked_mul(*axis)).ok_or_else(|| unit.content("the image is too large"))?;
    // Blank pixels exist in integers that are scaled to reals and in compressed images only.
    let stored = unit.keywords.iter().find(|k| k.0 == "BITPIX").and_then(|k| if let Value::Int(v) = k.1 { Some(v) } else { None });
    let may_be_blank = unit.compressed || stored.is_some_and(|b| b > 0);
    match axes[..] {
        [] => Ok(Data::None),
        [nx] => plane_of(reader, unit, kind, (1, nx), may_be_blank),
        [nx, ny] => plane_of(reader, unit, kind, (ny, nx), may_be_blank),
        [nx, ny, nz] => {
            let values = reader.pixels(count, may_be_blank.then_some(f32::NAN))?;
            Array3::from_shape_vec((nz, ny, nx), values).map(Data::Cube).map_err(|e| unit.content(e))
        }
        _ => Err(unit.content(format!("{} axes; up to 3 can be read", axes.len()))),
    }
}

fn plane_of(reader: &Reader, unit: &Unit, kind: i32, shape: (usize, usize), may_be_blank: bool) -> Result<Data, FitsError> {
    fn plane<T: Number>(reader: &Reader, unit: &Unit, shape: (usize, usize), null: Option<T>) -> Result<Array2<T>, FitsError> {
        Array2::from_shape_vec(shape, reader.pixels(shape.0 * shape.1, null)?).map_err(|e| unit.content(e))
    }
    let is = |names: &[u32]| names.iter().any(|n| *n as i32 == kind);
    if is(&[c::USHORT_IMG]) {
        plane(reader, unit, shape, None).map(Data::U16)
    } else if is(&[c::BYTE_IMG, c::SBYTE_IMG, c::SHORT_IMG, c::LONG_IMG]) {
        plane(reader, unit, shape, None).map(Data::I32)
    } else if kind == c::FLOAT_IMG {
        plane(reader, unit, shape, may_be_blank.then_some(f32::NAN)).map(Data::F32)
    } else {
        plane(reader, unit, shape, may_be_blank.then_some(f64::NAN)).map(Data::F64)
    }
}

fn table(reader: &Reader, unit: &Unit) -> Result<Table, FitsError> {
    let (rows, count) = reader.table_size()?;
    let mut columns = Vec::new();
    for number in 1..=count {
        let name = unit.text(&format!("TTYPE{number}")).map_or_else(|| format!("COL{number}"), |n| n.trim().to_string());
        let Some(data) = column_data(reader, number, (0, rows), reader.column_type(number)?)? else { continue };
        let unit_text = unit.text(&format!("TUNIT{number}")).unwrap_or_default().trim();
        columns.push(Column::new(&name, unit_text, &description(unit, number), data));
    }
    Ok(Table { name: unit.name.clone(), columns })
}

/// TCOMMn, else the comment of TTYPEn where it says more than cfitsio's "label for field".
fn description(unit: &Unit, number: i32) -> String {
    if let Some(text) = unit.text(&format!("TCOMM{number}")) {
        return text.trim().into();
    }
    let key = format!("TTYPE{number}");
    let comment = unit.keywords.iter().find(|k| k.0 == key).map_or("", |k| k.2.as_str());
    if comment.starts_with("label for") { String::new() } else { comment.into() }
}

/// `rows.1` values of a column from row `rows.0` (from 0); `None` for a column that cannot be held.
pub(super) fn column_data(reader: &Reader, number: i32, rows: (usize, usize), kind: ColumnType) -> Result<Option<ColumnData>, FitsError> {
    let is = |names: &[u32], code: i32| names.iter().any(|n| *n as i32 == code);
    if is(&[c::TSTRING], kind.stored) {
        let Ok(width) = usize::try_from(kind.width) else { return Ok(None) };
        // cfitsio counts the characters of a row as repeats; more than one text per row is a vector.
        let single = kind.repeat == kind.width || kind.repeat == 1;
        return if width > 0 && single { reader.texts(number, rows, width).map(|t| Some(ColumnData::Text(t))) } else { Ok(None) };
    }
    if kind.repeat != 1 {
        return Ok(None);
    }
    let code = kind.scaled;
    Ok(Some(if is(&[c::TLOGICAL], code) {
        ColumnData::I32(reader.logicals(number, rows)?.into_iter().map(i32::from).collect())
    } else if is(&[c::TBYTE, c::TSBYTE, c::TSHORT, c::TUSHORT, c::TINT, c::TLONG], code) {
        ColumnData::I32(reader.numbers(number, rows, None)?)
    } else if is(&[c::TUINT, c::TULONG, c::TLONGLONG], code) {
        ColumnData::I64(reader.numbers(number, rows, None)?)
    } else if is(&[c::TFLOAT], code) {
        let scaled = !is(&[c::TFLOAT], kind.stored);
        ColumnData::F32(reader.numbers(number, rows, scaled.then_some(f32::NAN))?)
    } else if is(&[c::TDOUBLE], code) {
        let scaled = !is(&[c::TDOUBLE], kind.stored);
        ColumnData::F64(reader.numbers(number, rows, scaled.then_some(f64::NAN))?)
    } else {
        return Ok(None);
    }))
}
