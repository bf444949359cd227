//! FITS input and output through cfitsio: images, tables, headers, checksums. STUB: being written.
use crate::table::Table;
use ndarray::Array2;
use std::path::Path;

/// A keyword value.
#[derive(Debug, Clone, PartialEq)]
pub enum Value {
    /// T or F.
    Logical(bool),
    /// Integer.
    Int(i64),
    /// Real.
    Real(f64),
    /// Text (long strings use CONTINUE).
    Text(String),
}

/// A header: keywords in order, with comments, then HISTORY lines. Structural keywords (SIMPLE, BITPIX, NAXIS*,
/// XTENSION, PCOUNT, GCOUNT, TFIELDS, TTYPE*, TFORM*, BZERO, BSCALE, CHECKSUM, DATASUM, EXTEND) are the writer's.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Header {
    /// Keyword, value, comment.
    pub cards: Vec<(String, Value, String)>,
    /// HISTORY lines.
    pub history: Vec<String>,
}

impl Header {
    /// Sets a keyword (replacing it when there), with a comment (unit in brackets first: `[s] exposure time`).
    pub fn set(&mut self, key: &str, value: impl Into<Value>, comment: &str) {
        let value = value.into();
        match self.cards.iter_mut().find(|c| c.0 == key) {
            Some(card) => *card = (key.into(), value, comment.into()),
            None => self.cards.push((key.into(), value, comment.into())),
        }
    }
    /// A keyword's value.
    #[must_use]
    pub fn get(&self, key: &str) -> Option<&Value> {
        self.cards.iter().find(|c| c.0 == key).map(|c| &c.1)
    }
    /// A number (integers too).
    #[must_use]
    pub fn f64(&self, key: &str) -> Option<f64> {
        match self.get(key)? {
            Value::Real(v) => Some(*v),
            Value::Int(v) => Some(*v as f64),
            _ => None,
        }
    }
    /// An integer.
    #[must_use]
    pub fn i64(&self, key: &str) -> Option<i64> {
        match self.get(key)? {
            Value::Int(v) => Some(*v),
            _ => None,
        }
    }
    /// Text, trailing blanks removed.
    #[must_use]
    pub fn text(&self, key: &str) -> Option<&str> {
        match self.get(key)? {
            Value::Text(v) => Some(v.trim_end()),
            _ => None,
        }
    }
}

impl From<bool> for Value {
    fn from(v: bool) -> Self {
        Self::Logical(v)
    }
}
impl From<i64> for Value {
    fn from(v: i64) -> Self {
        Self::Int(v)
    }
}
impl From<i32> for Value {
    fn from(v: i32) -> Self {
        Self::Int(v.into())
    }
}
impl From<f64> for Value {
    fn from(v: f64) -> Self {
        Self::Real(v)
    }
}
impl From<&str> for Value {
    fn from(v: &str) -> Self {
        Self::Text(v.into())
    }
}
impl From<String> for Value {
    fn from(v: String) -> Self {
        Self::Text(v)
    }
}

/// What a header-data unit holds.
#[derive(Debug, Clone, PartialEq)]
pub enum Data {
    /// Header only.
    None,
    /// 32-bit floats, `[y, x]`.
    F32(Array2<f32>),
    /// 64-bit floats, `[y, x]`.
    F64(Array2<f64>),
    /// A stack of 32-bit floats, `[z, y, x]`.
    Cube(ndarray::Array3<f32>),
    /// Unsigned 16-bit (BZERO 32768).
    U16(Array2<u16>),
    /// Signed 32-bit.
    I32(Array2<i32>),
    /// Binary table.
    Table(Table),
}

/// One header-data unit.
#[derive(Debug, Clone, PartialEq)]
pub struct Hdu {
    /// EXTNAME (the primary HDU has none).
    pub name: String,
    /// Keywords.
    pub header: Header,
    /// Data.
    pub data: Data,
}

impl Hdu {
    /// A header-only unit.
    #[must_use]
    pub fn primary(header: Header) -> Self {
        Self { name: String::new(), header, data: Data::None }
    }
    /// A unit with data.
    #[must_use]
    pub fn new(name: &str, header: Header, data: Data) -> Self {
        Self { name: name.into(), header, data }
    }
}

/// Why a FITS file could not be written or read.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum FitsError {
    /// cfitsio said no.
    #[error("{path}: {doing}: {reason} (cfitsio status {status})")]
    Cfitsio {
        /// File.
        path: String,
        /// What was being done.
        doing: String,
        /// cfitsio's words.
        reason: String,
        /// Its code.
        status: i32,
    },
    /// The file is not what was expected.
    #[error("{path}: {reason}")]
    Content {
        /// File.
        path: String,
        /// What is wrong.
        reason: String,
    },
    /// A keyword is missing or wrong.
    #[error("keyword {key}: {reason}")]
    Keyword {
        /// Keyword.
        key: String,
        /// What is wrong, with the range allowed.
        reason: String,
    },
    /// The file system said no.
    #[error("{path}: {source}")]
    Io {
        /// File.
        path: String,
        /// Reason.
        source: std::io::Error,
    },
}

/// Writes a whole file atomically (temporary name in the same folder, fsync, rename) with CHECKSUM and DATASUM in
/// every unit. The first unit must be header-only or an image.
///
/// # Errors
/// When the folder cannot be written, the disk is full, or cfitsio refuses. Nothing is left behind then.
pub fn write(path: &Path, hdus: &[Hdu]) -> Result<(), FitsError> {
    let _ = (path, hdus);
    unimplemented!()
}

/// Reads a whole file, checking CHECKSUM and DATASUM where present. Image types are converted to those of [`Data`]
/// (unsigned 16-bit stays; 8/16/32-bit integers to i32; compressed images are unpacked).
///
/// # Errors
/// When the file is missing, truncated, has a wrong checksum, or holds something [`Data`] cannot.
pub fn read(path: &Path) -> Result<Vec<Hdu>, FitsError> {
    let _ = path;
    unimplemented!()
}

/// Reads the headers alone.
///
/// # Errors
/// As [`read`].
pub fn read_headers(path: &Path) -> Result<Vec<(String, Header)>, FitsError> {
    let _ = path;
    unimplemented!()
}
