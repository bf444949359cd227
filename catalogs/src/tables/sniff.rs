//! What a file is, and what a cell of text is.

use super::{Format, Kind, TableError, ebf};
use flate2::read::MultiGzDecoder;
use std::fs::File;
use std::io::{BufRead, BufReader, Read};
use std::path::Path;

/// A number, NaN for a cell that holds none, `None` for anything else.
pub(super) fn number(text: &str) -> Option<f64> {
    if let Ok(value) = text.parse() {
        return Some(value);
    }
    let text = text.trim();
    if is_nothing(text) { Some(f64::NAN) } else { text.parse().ok() }
}

/// Whether a cell says that it holds nothing.
pub(super) fn is_nothing(text: &str) -> bool {
    ["", "nan", "null", "none", "--", "n/a"].iter().any(|m| text.eq_ignore_ascii_case(m))
}

/// The type that a cell could have: the narrowest of whole number, number, logical, text; `None` for an empty one.
pub(super) fn guess(text: &str) -> Option<Kind> {
    let text = text.trim();
    if is_nothing(text) {
        // NaN is a float.
        return text.eq_ignore_ascii_case("nan").then_some(Kind::Float64);
    }
    Some(if text.parse::<i64>().is_ok() {
        Kind::Int64
    } else if text.parse::<f64>().is_ok() {
        Kind::Float64
    } else if logical(text).is_some() {
        Kind::Bool
    } else {
        Kind::Text
    })
}

/// A logical value.
pub(super) fn logical(text: &str) -> Option<i32> {
    match text.trim() {
        "True" | "true" | "TRUE" | "t" | "T" | "1" => Some(1),
        "False" | "false" | "FALSE" | "f" | "F" | "0" => Some(0),
        _ => None,
    }
}

/// The type that holds both.
pub(super) fn common(a: Kind, b: Kind) -> Kind {
    use Kind::{Float64, Int64, Text};
    match (a, b) {
        (a, b) if a == b => a,
        (Int64, Float64) | (Float64, Int64) => Float64,
        _ => Text,
    }
}

/// A file of text, unpacked when gzipped.
pub(super) fn reader(path: &Path) -> Result<Box<dyn BufRead>, TableError> {
    let fault = |e: std::io::Error| TableError::new(path.display(), e);
    let mut file = BufReader::with_capacity(1 << 18, File::open(path).map_err(fault)?);
    let gzipped = file.fill_buf().map_err(fault)?.starts_with(&[0x1f, 0x8b]);
    Ok(if gzipped { Box::new(BufReader::with_capacity(1 << 18, MultiGzDecoder::new(file))) } else { Box::new(file) })
}

/// The format of a file or folder, from its first bytes, then from its name.
///
/// # Errors
/// When it is missing or not known.
pub fn format_of(path: &Path) -> Result<Format, TableError> {
    if path.is_dir() {
        return Ok(Format::Hats);
    }
    let name = path.file_name().unwrap_or_default().to_string_lossy().to_ascii_lowercase();
    let plain = name.strip_suffix(".gz").unwrap_or(&name);
    let ending = plain.rsplit_once('.').map_or("", |(_, end)| end);
    let mut start = Vec::new();
    // A missing file is named with its reason; a FITS file is packed by whoever wrote it and stays so for cfitsio.
    reader(path)?.take(512).read_to_end(&mut start).map_err(|e| TableError::new(path.display(), e))?;
    let text = String::from_utf8_lossy(&start);
    let begins = |word: &str| text.trim_start_matches('\u{feff}').trim_start().starts_with(word);
    Ok(if start.starts_with(b"SIMPLE  =") {
        Format::Fits
    } else if start.starts_with(b"PAR1") {
        Format::Parquet
    } else if start.starts_with(b"\x89HDF\r\n\x1a\n") {
        Format::Hdf5
    } else if start.starts_with(&ebf::SIGNATURE) || start.starts_with(b"EBF>>>") {
        Format::Ebf
    } else if begins("# %ECSV") {
        Format::Ecsv
    } else if begins("<?xml") || begins("<VOTABLE") {
        Format::Votable
    } else {
        match ending {
            "fits" | "fit" | "fts" => Format::Fits,
            "csv" => Format::Csv,
            "ecsv" => Format::Ecsv,
            "txt" | "dat" | "asc" | "tri" => Format::Text,
            "xml" | "vot" | "votable" => Format::Votable,
            "parquet" | "parq" | "pq" => Format::Parquet,
            "h5" | "hdf5" | "hdf" => Format::Hdf5,
            "ebf" => Format::Ebf,
            _ => {
                return Err(TableError::new(
                    path.display(),
                    "the format is known neither from the first bytes nor from the name; give catalog.format (--format): fits, csv, ecsv, text, \
                     votable, parquet, hdf5, ebf or hats",
                ));
            }
        }
    })
}
