//! EBF, the Efficient Binary Format in which Galaxia writes: data objects of one column each, one after the other.
//!
//! # Formula
//! An object is a header, then its bytes. Header: 8 bytes of signature; version 1.1.0.0 (4 bytes); eight 32-bit integers: 1684234849 in the writer's byte
//! order, length of the header, of the name, code of the type, bytes of a value, dimensions, lengths of the unit and of the definition of a structure; 4
//! bytes of flags; 64 bits of room for the data \[byte\]; a 64-bit length for each dimension (row-major); name, unit, definition; filling. Types: 1 char, 2
//! and 3 32 and 64-bit integer, 4 and 5 32 and 64-bit float, 6 16-bit integer, 8 structure, 9 8-bit integer, 10 to 13 unsigned of 8, 16, 32, 64 bit.
//! # Source
//! Sharma, ebfformat.sourceforge.net, library version 0.0.40 (`ebfpy`, BSD): how it writes is what is read here.
//! # Limits
//! A table is the objects of the length that most one-dimensional ones have; names are in lower case, as the library takes them. Objects of other lengths,
//! text and structures are left out and named. Files of version 1.0 (before 2012) are refused.

use super::{CHUNK_ROWS, Cells, Chunk, Field, Format, Heading, Kind, RowSource, TableError};
use sim_core::table::ColumnData;
use std::collections::BTreeMap;
use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::path::Path;

/// How an object begins.
pub(super) const SIGNATURE: [u8; 8] = [0x8a, b'E', b'B', b'F', 0xae, 0x2b, 0xaf, 0x0a];
const ORDER_MARK: u32 = 1_684_234_849;
/// Length of a header before its dimensions.
const FIXED_BYTES: usize = 56;
/// Longest header that is believed \[byte\].
const LONGEST_HEADER: u32 = 1 << 20;
/// Columns that a two-dimensional object may have.
const WIDEST: u64 = 64;

/// A column: where its values are.
#[derive(Debug, Clone, Copy)]
struct Column {
    /// First byte of the object's data.
    start: u64,
    /// Code of the type, and bytes of a value.
    code: u32,
    size: u64,
    /// Values of a row, and which of them.
    width: u64,
    part: u64,
    swapped: bool,
}

pub(super) struct EbfSource {
    heading: Heading,
    file: File,
    rows: u64,
    columns: Vec<Column>,
    chosen: Vec<usize>,
    next: u64,
}

/// An object: name, unit, lengths, and the column it would be.
struct Object {
    name: String,
    unit: String,
    lengths: Vec<u64>,
    column: Column,
    end: u64,
}

fn kind_of(code: u32) -> Option<Kind> {
    match code {
        5 => Some(Kind::Float64),
        4 => Some(Kind::Float32),
        3 | 12 | 13 => Some(Kind::Int64),
        2 | 6 | 9 | 10 | 11 => Some(Kind::Int32),
        _ => None,
    }
}

/// Reads the header at a byte of the file; what is wrong with it otherwise.
fn object(file: &mut File, at: u64, length: u64) -> Result<Object, String> {
    let damaged = |what: &str| format!("damaged or truncated at byte {at}: {what}");
    let mut read = |bytes: &mut [u8], what: &str| file.read_exact(bytes).map_err(|e| damaged(&format!("{what}: {e}")));
    let mut fixed = [0u8; FIXED_BYTES];
    read(&mut fixed[..8], "the header of a data object")?;
    if fixed.starts_with(b"EBF>>>") {
        return Err("EBF of version 1.0, which is not read: write it again with a library of 2012 or later".into());
    }
    if fixed[..8] != SIGNATURE {
        return Err(damaged("no data object begins here"));
    }
    read(&mut fixed[8..], "the header of a data object")?;
    if fixed[8] != 1 {
        return Err(damaged(&format!("EBF of version {}, known is 1", fixed[8])));
    }
    let bytes = |k: usize| [fixed[k], fixed[k + 1], fixed[k + 2], fixed[k + 3]];
    let swapped = match u32::from_ne_bytes(bytes(12)) {
        ORDER_MARK => false,
        mark if mark.swap_bytes() == ORDER_MARK => true,
        _ => return Err(damaged("the mark of the byte order is wrong")),
    };
    let word = |k: usize| {
        let raw = u32::from_ne_bytes(bytes(12 + 4 * k));
        if swapped { raw.swap_bytes() } else { raw }
    };
    let long = |raw: [u8; 8]| {
        let raw = u64::from_ne_bytes(raw);
        if swapped { raw.swap_bytes() } else { raw }
    };
    let [header, name, code, size, rank, unit, structure] = std::array::from_fn(|k| word(k + 1));
    let needed = FIXED_BYTES as u64 + 8 * u64::from(rank) + u64::from(name) + u64::from(unit) + u64::from(structure);
    if header > LONGEST_HEADER || needed > u64::from(header) {
        return Err(damaged(&format!("a header of {header} bytes for {needed}")));
    }
    let mut rest = vec![0u8; header as usize - FIXED_BYTES];
    read(&mut rest, "the header of a data object")?;
    let mut capacity = [0u8; 8];
    capacity.copy_from_slice(&fixed[48..56]);
    let (dimensions, words) = rest.split_at(8 * rank as usize);
    let lengths: Vec<u64> = dimensions
        .chunks_exact(8)
        .map(|c| {
            let mut raw = [0u8; 8];
            raw.copy_from_slice(c);
            long(raw)
        })
        .collect();
    let (name, words) = words.split_at(name as usize);
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).trim_matches(['\0', ' ']).to_string();
    let name = text(name).trim_start_matches('/').to_lowercase();
    let start = at + u64::from(header);
    let taken = lengths.iter().try_fold(u64::from(size), |product, n| product.checked_mul(*n));
    let end = start.checked_add(long(capacity)).filter(|_| taken.is_some_and(|t| t <= long(capacity)));
    let Some(end) = end.filter(|end| *end <= length) else {
        return Err(damaged(&format!("the file ends before the data object `{name}` of {} values does", lengths.iter().product::<u64>())));
    };
    let column = Column { start, code, size: u64::from(size), width: 1, part: 0, swapped };
    Ok(Object { name, unit: text(&words[..unit as usize]), lengths, column, end })
}

impl EbfSource {
    pub(super) fn open(path: &Path) -> Result<Self, TableError> {
        let shown = path.display().to_string();
        let fault = |e: &dyn std::fmt::Display| TableError::new(&shown, format!("EBF: {e}"));
        let mut file = File::open(path).map_err(|e| TableError::new(&shown, e))?;
        let length = file.metadata().map_err(|e| fault(&e))?.len();
        let (mut objects, mut at) = (Vec::new(), 0);
        while at < length {
            file.seek(SeekFrom::Start(at)).map_err(|e| fault(&e))?;
            let object = object(&mut file, at, length).map_err(|e| fault(&e))?;
            at = object.end;
            // The library's own index and notes.
            if !object.name.starts_with(".ebf") {
                objects.push(object);
            }
        }
        // The length of most columns; of two such lengths the larger.
        let mut counts: BTreeMap<u64, usize> = BTreeMap::new();
        objects
            .iter()
            .filter(|o| o.lengths.len() == 1 && kind_of(o.column.code).is_some())
            .for_each(|o| *counts.entry(o.lengths[0]).or_default() += 1);
        let Some((&rows, _)) = counts.iter().max_by_key(|(rows, count)| (**count, **rows)) else {
            return Err(fault(&"no one-dimensional data object of numbers"));
        };
        let (mut columns, mut fields, mut left_out) = (Vec::new(), Vec::new(), Vec::new());
        for object in &objects {
            match (kind_of(object.column.code), object.lengths[..].split_first()) {
                (Some(kind), Some((&own, rest))) if own == rows && rest.iter().product::<u64>() <= WIDEST => {
                    let width = rest.iter().product();
                    for part in 0..width {
                        let name = if rest.is_empty() { object.name.clone() } else { format!("{}_{}", object.name, part + 1) };
                        columns.push(Column { width, part, ..object.column });
                        fields.push(Field::new(&name, &object.unit, kind));
                    }
                }
                (None, _) => left_out.push(format!("{} (text or a structure)", object.name)),
                _ => left_out.push(format!("{} (shape {:?})", object.name, object.lengths)),
            }
        }
        let chosen = (0..fields.len()).collect();
        Ok(Self { heading: Heading { path: shown, format: Format::Ebf, fields, left_out }, file, rows, columns, chosen, next: 0 })
    }

    fn cells(&mut self, k: usize, rows: usize) -> Result<Cells, TableError> {
        let Column { start, code, size, width, part, swapped } = self.columns[k];
        let row = (size * width) as usize;
        let mut bytes = vec![0u8; rows * row];
        let fault =
            |e: std::io::Error| TableError::new(&self.heading.path, format!("EBF: data object {}: {e}", self.heading.fields[k].name));
        self.file.seek(SeekFrom::Start(start + self.next * row as u64)).map_err(fault)?;
        self.file.read_exact(&mut bytes).map_err(fault)?;
        let first = (size * part) as usize;
        macro_rules! values {
            ($type:ty) => {
                bytes.chunks_exact(row).map(move |c| {
                    let mut raw = [0u8; size_of::<$type>()];
                    raw.copy_from_slice(&c[first..first + size_of::<$type>()]);
                    if swapped {
                        raw.reverse();
                    }
                    <$type>::from_ne_bytes(raw)
                })
            };
        }
        Ok(Cells::whole(match code {
            5 => ColumnData::F64(values!(f64).collect()),
            4 => ColumnData::F32(values!(f32).collect()),
            3 => ColumnData::I64(values!(i64).collect()),
            12 => ColumnData::I64(values!(u32).map(i64::from).collect()),
            13 => {
                let all: Vec<u64> = values!(u64).collect();
                let mut cells = Cells::whole(ColumnData::I64(all.iter().map(|v| i64::try_from(*v).unwrap_or(0)).collect()));
                for (row, value) in all.iter().enumerate().filter(|(_, v)| i64::try_from(**v).is_err()) {
                    cells.odd.push((row, value.to_string()));
                    cells.mark_missing(row);
                }
                if !cells.missing.is_empty() {
                    cells.missing.resize(all.len(), false);
                }
                return Ok(cells);
            }
            2 => ColumnData::I32(values!(i32).collect()),
            6 => ColumnData::I32(values!(i16).map(i32::from).collect()),
            11 => ColumnData::I32(values!(u16).map(i32::from).collect()),
            9 => ColumnData::I32(values!(i8).map(i32::from).collect()),
            _ => ColumnData::I32(values!(u8).map(i32::from).collect()),
        }))
    }
}

impl RowSource for EbfSource {
    fn heading(&self) -> &Heading {
        &self.heading
    }
    fn rows(&self) -> Option<u64> {
        Some(self.rows)
    }
    fn select(&mut self, columns: &[usize]) -> Result<(), TableError> {
        self.chosen = columns.to_vec();
        self.next = 0;
        Ok(())
    }
    fn next_chunk(&mut self) -> Result<Option<Chunk>, TableError> {
        let rows = (CHUNK_ROWS as u64).min(self.rows - self.next) as usize;
        if rows == 0 {
            return Ok(None);
        }
        let columns = self.chosen.clone().into_iter().map(|k| self.cells(k, rows)).collect::<Result<Vec<_>, _>>()?;
        let chunk = Chunk { first_row: self.next, rows, columns };
        self.next += rows as u64;
        Ok(Some(chunk))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tables::{Format, format_of, open};

    fn shown(path: &Path) -> BTreeMap<String, Vec<String>> {
        let mut source = open(path, None).unwrap();
        let names: Vec<String> = source.fields().iter().map(|f| f.name.clone()).collect();
        let chunk = source.next_chunk().unwrap().unwrap();
        assert!(source.next_chunk().unwrap().is_none());
        let cells = chunk.columns.iter().map(|c| (0..chunk.rows).map(|row| c.shown(row)).collect());
        names.into_iter().zip(cells).collect()
    }

    #[test]
    fn every_type_that_the_library_of_the_format_writes_is_read() {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/types.ebf");
        let cells = shown(&path);
        let wanted = [
            ("big", ["1.5", "-2.25", "inf"]),
            ("i1", ["-1", "2", "127"]),
            ("u1", ["0", "2", "255"]),
            ("i2", ["-300", "2", "3"]),
            ("u2", ["0", "2", "65535"]),
            ("u4", ["0", "2", "4294967295"]),
            // Beyond 2^63: no value, and named.
            ("u8", ["0", "2", "`18446744073709551615`"]),
            ("pair_1", ["0", "2", "4"]),
            ("pair_2", ["1", "3", "5"]),
            ("deep/er", ["7", "8", "9"]),
        ];
        assert_eq!(cells.len(), wanted.len(), "{cells:?}");
        for (name, values) in wanted {
            assert_eq!(cells[name], values, "{name}");
        }
        assert_eq!(open(&path, None).unwrap().left_out(), ["words (text or a structure)"]);
    }

    #[test]
    fn files_that_end_early_or_hold_something_else_are_named() {
        let folder = tempfile::tempdir().unwrap();
        let whole = std::fs::read(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/galaxia.ebf")).unwrap();
        let path = folder.path().join("cut.ebf");
        let message = |bytes: &[u8]| {
            std::fs::write(&path, bytes).unwrap();
            open(&path, None).err().map(|e| e.to_string()).unwrap_or_default()
        };
        // Wherever it is cut but between two objects, it is said; nothing is read wrong.
        let cuts = (20..whole.len()).step_by(7).filter(|k| message(&whole[..*k]).contains("damaged or truncated")).count();
        assert!(cuts > (whole.len() - 20) / 7 - 8, "{cuts}");
        let mut other = whole.clone();
        other[12] ^= 1;
        assert!(message(&other).contains("byte order"), "{}", message(&other));
        let mut huge = whole.clone();
        huge[16..20].copy_from_slice(&u32::MAX.to_le_bytes());
        assert!(message(&huge).contains("a header of 4294967295 bytes"));
        let end = whole.len();
        let mut tail = whole.clone();
        tail.extend(b"nonsense nonsense");
        assert!(message(&tail).contains(&format!("byte {end}: no data object begins here")), "{}", message(&tail));
        assert!(message(b"EBF>>> of old").contains("version 1.0"));
        assert_eq!(format_of(&path).unwrap(), Format::Ebf);
    }
}
