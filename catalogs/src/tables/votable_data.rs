//! The binary serialisations of `VOTable`: base64 of big-endian rows, in BINARY2 each led by a flag per column that says "null".

use super::Cells;
use super::votable::Column;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use sim_core::table::ColumnData;
use std::io::{BufRead, Read};

/// A datatype of `VOTable`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Stored {
    Boolean,
    Bit,
    UnsignedByte,
    Short,
    Int,
    Long,
    Char,
    Unicode,
    Float,
    Double,
    FloatComplex,
    DoubleComplex,
}

impl Stored {
    pub(super) fn named(name: &str) -> Option<Self> {
        Some(match name {
            "boolean" => Self::Boolean,
            "bit" => Self::Bit,
            "unsignedByte" => Self::UnsignedByte,
            "short" => Self::Short,
            "int" => Self::Int,
            "long" => Self::Long,
            "char" => Self::Char,
            "unicodeChar" => Self::Unicode,
            "float" => Self::Float,
            "double" => Self::Double,
            "floatComplex" => Self::FloatComplex,
            "doubleComplex" => Self::DoubleComplex,
            _ => return None,
        })
    }
    /// Bytes of `count` values.
    fn bytes(self, count: usize) -> Option<usize> {
        let one = match self {
            Self::Bit => return Some(count.div_ceil(8)),
            Self::Boolean | Self::UnsignedByte | Self::Char => 1,
            Self::Short | Self::Unicode => 2,
            Self::Int | Self::Float => 4,
            Self::Long | Self::Double | Self::FloatComplex => 8,
            Self::DoubleComplex => 16,
        };
        count.checked_mul(one)
    }
}

/// No array in a row is longer \[byte\]: a broken length, not data.
const LONGEST: usize = 1 << 28;

pub(super) struct Binary {
    input: Unpacked,
    flags: bool,
    value: Vec<u8>,
}

impl Binary {
    pub(super) fn new(input: Box<dyn BufRead>, flags: bool) -> Self {
        Self { input: Unpacked { input, bytes: Vec::new(), at: 0, end: false }, flags, value: Vec::new() }
    }

    /// Reads a row; false at the end of the data.
    pub(super) fn row(&mut self, columns: &[Column], targets: &[Vec<usize>], cells: &mut [Cells], row: usize) -> Result<bool, String> {
        if self.input.is_at_end()? {
            return Ok(false);
        }
        let mut nulls = vec![0u8; if self.flags { columns.len().div_ceil(8) } else { 0 }];
        self.fill_into(&mut nulls)?;
        for (k, column) in columns.iter().enumerate() {
            let count = match column.count {
                Some(count) => count,
                None => {
                    let mut length = [0u8; 4];
                    self.fill_into(&mut length)?;
                    u32::from_be_bytes(length) as usize
                }
            };
            let bytes = column.stored.bytes(count).filter(|b| *b <= LONGEST).ok_or("an array is too long: the data are damaged")?;
            let mut value = std::mem::take(&mut self.value);
            value.resize(bytes, 0);
            self.fill_into(&mut value)?;
            let null = nulls.get(k / 8).is_some_and(|byte| byte & (0x80 >> (k % 8)) != 0);
            for &t in &targets[k] {
                put(&mut cells[t], row, column, &value, null);
            }
            self.value = value;
        }
        Ok(true)
    }

    fn fill_into(&mut self, out: &mut [u8]) -> Result<(), String> {
        self.input.read_exact(out).map_err(|e| match e.kind() {
            std::io::ErrorKind::UnexpectedEof => "the data end inside this row: the file is truncated".into(),
            _ => e.to_string(),
        })
    }
}

fn put(cells: &mut Cells, row: usize, column: &Column, value: &[u8], null: bool) {
    fn array<const N: usize>(value: &[u8]) -> [u8; N] {
        let mut out = [0; N];
        out.copy_from_slice(&value[..N]);
        out
    }
    let mut missing = null;
    let is_null = |number: i64| column.null.as_deref().and_then(|n| n.trim().parse::<i64>().ok()) == Some(number);
    match (&mut cells.data, column.stored) {
        (ColumnData::F64(v), _) => v.push(if null { f64::NAN } else { f64::from_be_bytes(array(value)) }),
        (ColumnData::F32(v), _) => v.push(if null { f32::NAN } else { f32::from_be_bytes(array(value)) }),
        (ColumnData::I64(v), _) => {
            let number = i64::from_be_bytes(array(value));
            missing |= is_null(number);
            v.push(number);
        }
        (ColumnData::I32(v), Stored::Boolean) => {
            let truth = value[0];
            missing |= matches!(truth, b'?' | b' ' | 0);
            v.push(i32::from(matches!(truth, b'T' | b't' | b'1')));
        }
        // The first bit by the standard, the fifth in files of astropy; the others are filling.
        (ColumnData::I32(v), Stored::Bit) => v.push(i32::from(value[0] != 0)),
        (ColumnData::I32(v), stored) => {
            let number = match stored {
                Stored::UnsignedByte => i32::from(value[0]),
                Stored::Short => i32::from(i16::from_be_bytes(array(value))),
                _ => i32::from_be_bytes(array(value)),
            };
            missing |= is_null(i64::from(number));
            v.push(number);
        }
        (ColumnData::Text(v), stored) => {
            let text = if stored == Stored::Unicode {
                let units: Vec<u16> = value.chunks_exact(2).map(|c| u16::from_be_bytes([c[0], c[1]])).take_while(|u| *u != 0).collect();
                String::from_utf16_lossy(&units)
            } else {
                let end = value.iter().position(|b| *b == 0).unwrap_or(value.len());
                String::from_utf8_lossy(&value[..end]).into_owned()
            };
            let text = if column.count.is_some() { text.trim_end().to_string() } else { text };
            missing |= text.is_empty();
            v.push(text);
        }
    }
    if missing {
        cells.mark_missing(row);
    }
}

/// The bytes of a base64 text that ends at the next tag; blanks and line ends are no part of it.
struct Unpacked {
    input: Box<dyn BufRead>,
    bytes: Vec<u8>,
    at: usize,
    end: bool,
}

impl Unpacked {
    /// Unpacks some more; nothing comes at the end.
    fn refill(&mut self) -> std::io::Result<()> {
        let mut letters = Vec::with_capacity(1 << 16);
        while letters.len() < (1 << 16) && !self.end {
            let block = self.input.fill_buf()?;
            let stop = block.iter().position(|b| *b == b'<');
            letters.extend(block[..stop.unwrap_or(block.len())].iter().filter(|b| !b.is_ascii_whitespace()));
            self.end = stop.is_some() || block.is_empty();
            let used = stop.unwrap_or(block.len());
            self.input.consume(used);
            // Whole groups of four letters; what is more waits.
            if letters.len() % 4 != 0 && letters.len() >= (1 << 16) && !self.end {
                while letters.len() % 4 != 0 && !self.end {
                    let mut one = [0u8];
                    self.end = self.input.read(&mut one)? == 0 || one[0] == b'<';
                    if !self.end && !one[0].is_ascii_whitespace() {
                        letters.push(one[0]);
                    }
                }
            }
        }
        if self.end {
            // What is torn off is missed by whoever reads the rows.
            letters.truncate(letters.len() / 4 * 4);
        }
        self.bytes = STANDARD.decode(&letters).map_err(|e| std::io::Error::new(std::io::ErrorKind::InvalidData, format!("base64: {e}")))?;
        self.at = 0;
        Ok(())
    }
    fn is_at_end(&mut self) -> Result<bool, String> {
        while self.at == self.bytes.len() && !self.end {
            self.refill().map_err(|e| e.to_string())?;
        }
        Ok(self.at == self.bytes.len())
    }
}

impl Read for Unpacked {
    fn read(&mut self, out: &mut [u8]) -> std::io::Result<usize> {
        while self.at == self.bytes.len() && !self.end {
            self.refill()?;
        }
        let count = out.len().min(self.bytes.len() - self.at);
        out[..count].copy_from_slice(&self.bytes[self.at..self.at + count]);
        self.at += count;
        Ok(count)
    }
}
