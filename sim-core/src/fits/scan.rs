//! A first look at a plain file in safe code: where its units lie, whether it is whole, whether the sums are right.
//!
//! cfitsio trusts headers more than it should: a tile of zero pixels, for one, divides by zero and ends the program.
//! So it gets a file only after this look, which costs no more than its own check of the sums. Gzipped files are not
//! looked at: they are left to cfitsio whole.

use super::card::{CARD, Card, decode};
use super::checksum::Sum;
use super::{FitsError, Value};
use std::fs::File;
use std::io::{Read, Seek, SeekFrom};

/// Headers and data come in blocks of this many bytes.
const BLOCK: usize = 2880;
/// Blocks of the largest header that is read: 360,000 cards. A file of blanks has no end of header.
const LARGEST_HEADER: usize = 10_000;
/// No image has more pixels: a broken size, not a frame.
pub(super) const LARGEST_IMAGE: u64 = 1 << 34;

/// Whether the sums are checked too.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Sums {
    /// DATASUM and CHECKSUM are checked where they stand.
    Check,
    /// The data are not read.
    Ignore,
}

/// Walks the units of a plain file and refuses what is not whole; `shown` names the file in errors.
pub(super) fn scan(file: &mut File, shown: &str, sums: Sums) -> Result<(), FitsError> {
    let io = |source| FitsError::Io { path: shown.into(), source };
    let length = file.metadata().map_err(io)?.len();
    let (mut start, mut number) = (0, 1);
    while start < length {
        let refuse = |reason: String| FitsError::Content { path: shown.into(), reason: format!("unit {number}: {reason}") };
        let header = match header(file, start).map_err(io)? {
            Some(header) if number == 1 || header.first_keyword() == "XTENSION" => header,
            _ if number > 1 && only_zeros(file, start).map_err(io)? => return Ok(()),
            _ => return Err(refuse(format!("truncated or damaged: no whole header at byte {start}"))),
        };
        header.check_packing().map_err(refuse)?;
        let size = header.data_size().map_err(refuse)?;
        let data = start + header.bytes.len() as u64;
        let end = size.checked_next_multiple_of(BLOCK as u64).and_then(|s| s.checked_add(data)).unwrap_or(u64::MAX);
        if end > length {
            return Err(refuse(format!("truncated: it ends at byte {end}, the file at byte {length}")));
        }
        if sums == Sums::Check {
            header.check_sums(file, data, end).map_err(io)?.map_err(refuse)?;
        }
        (start, number) = (end, number + 1);
    }
    Ok(())
}

struct RawHeader {
    bytes: Vec<u8>,
    keywords: Vec<(String, Value)>,
    /// Keywords whose values are missing or no values.
    malformed: Vec<String>,
}

/// The header at `start`; `None` where there is none, or no end of it.
fn header(file: &mut File, start: u64) -> std::io::Result<Option<RawHeader>> {
    file.seek(SeekFrom::Start(start))?;
    let mut out = RawHeader { bytes: Vec::new(), keywords: Vec::new(), malformed: Vec::new() };
    let mut block = [0; BLOCK];
    for _ in 0..LARGEST_HEADER {
        match file.read_exact(&mut block) {
            Err(error) if error.kind() == std::io::ErrorKind::UnexpectedEof => return Ok(None),
            other => other?,
        }
        if out.bytes.is_empty() && !block.starts_with(b"SIMPLE  ") && !block.starts_with(b"XTENSION") {
            return Ok(None);
        }
        out.bytes.extend_from_slice(&block);
        for card in block.as_chunks::<CARD>().0 {
            let text: String = card.iter().map(|b| char::from(*b)).collect();
            if text.trim_end() == "END" {
                return Ok(Some(out));
            }
            match decode(&text) {
                Card::Keyword(key, value, _) => out.keywords.push((key, value)),
                Card::Other => out.malformed.push(text.chars().take(8).collect()),
                _ => {}
            }
        }
    }
    Ok(None)
}

/// Zeros that some writers leave after the last unit.
fn only_zeros(file: &mut File, start: u64) -> std::io::Result<bool> {
    file.seek(SeekFrom::Start(start))?;
    let mut rest = Vec::new();
    file.take(1 << 20).read_to_end(&mut rest)?;
    Ok(rest.iter().all(|b| *b == 0))
}

impl RawHeader {
    fn first_keyword(&self) -> &str {
        self.keywords.first().map_or("", |k| &k.0)
    }
    fn get(&self, key: &str) -> Option<&Value> {
        self.keywords.iter().find(|k| k.0 == key).map(|k| &k.1)
    }
    /// An integer in a range, as FITS requires it.
    fn integer(&self, key: &str, low: i64, high: i64) -> Result<u64, String> {
        match self.get(key) {
            Some(Value::Int(v)) if (low..=high).contains(v) => Ok(v.unsigned_abs()),
            Some(other) => Err(format!("{key} = {other:?}; allowed are the integers {low} to {high}")),
            None => Err(format!("{key} is missing")),
        }
    }

    /// Bytes of data, without padding.
    fn data_size(&self) -> Result<u64, String> {
        let bits = self.integer("BITPIX", -64, 64)?;
        if ![8, 16, 32, 64].contains(&bits) {
            return Err(format!("BITPIX = {bits} bits; allowed are 8, 16, 32, 64, -32, -64"));
        }
        let axes = self.integer("NAXIS", 0, 999)?;
        let mut values = u64::from(axes > 0);
        for n in 1..=axes {
            let size = self.integer(&format!("NAXIS{n}"), 0, i64::MAX)?;
            // Random groups: a first axis of 0 that does not count.
            if !(n == 1 && size == 0 && self.get("GROUPS") == Some(&Value::Logical(true))) {
                values = values.checked_mul(size).ok_or("the product of the axes is too large")?;
            }
        }
        let or = |key: &str, default: u64, low| if self.get(key).is_some() { self.integer(key, low, i64::MAX) } else { Ok(default) };
        let (heap, groups) = (or("PCOUNT", 0, 0)?, or("GCOUNT", 1, 1)?);
        let bytes = values.checked_add(heap).and_then(|v| v.checked_mul(groups)).and_then(|v| v.checked_mul(bits / 8));
        bytes.ok_or_else(|| "the data are too large".into())
    }

    /// What cfitsio takes from the header of a compressed image without looking.
    fn check_packing(&self) -> Result<(), String> {
        match (self.get("ZIMAGE"), self.malformed.iter().find(|key| key.starts_with('Z'))) {
            (None | Some(Value::Logical(false)), None) => return Ok(()),
            (Some(Value::Logical(true)), None) => {}
            (Some(other), None) => return Err(format!("ZIMAGE = {other:?}; allowed are T and F")),
            (_, Some(key)) => return Err(format!("{} has no value that can be understood", key.trim_end())),
        }
        let mut names: Vec<_> = self.keywords.iter().map(|k| k.0.as_str()).filter(|k| k.starts_with('Z')).collect();
        names.sort_unstable();
        if let Some(twice) = names.windows(2).find(|pair| pair[0] == pair[1]) {
            return Err(format!("{} is there twice", twice[0]));
        }
        if ![8, 16, 32, 64].contains(&self.integer("ZBITPIX", -64, 64)?) {
            return Err("ZBITPIX is not 8, 16, 32, 64, -32 or -64".into());
        }
        let mut pixels = 1u64;
        for n in 1..=self.integer("ZNAXIS", 1, 6)? {
            let size = self.integer(&format!("ZNAXIS{n}"), 1, LARGEST_IMAGE as i64)?;
            pixels = pixels.saturating_mul(size);
            let tile = format!("ZTILE{n}");
            if self.get(&tile).is_some() {
                self.integer(&tile, 1, size as i64)?;
            }
        }
        if pixels > LARGEST_IMAGE {
            return Err(format!("the compressed image has {pixels} pixels; up to {LARGEST_IMAGE} can be read"));
        }
        if matches!(self.get("ZCMPTYPE"), Some(Value::Text(t)) if t.starts_with("RICE")) {
            if self.integer("ZVAL1", 16, 32)? % 16 != 0 {
                return Err("ZVAL1 is not a block size of 16 or 32".into());
            }
            let old_form = matches!(self.get("ZNAME2"), Some(Value::Text(t)) if t == "NOISEBIT");
            if !old_form && self.get("ZVAL2").is_some() && !self.integer("ZVAL2", 1, 8)?.is_power_of_two() {
                return Err("ZVAL2 is not a size of 1, 2, 4 or 8 bytes".into());
            }
        }
        Ok(())
    }

    /// DATASUM and CHECKSUM against the bytes.
    fn check_sums(&self, file: &mut File, data: u64, end: u64) -> std::io::Result<Result<(), String>> {
        let stated = match self.get("DATASUM") {
            Some(Value::Text(t)) => t.trim().parse::<u32>().ok(),
            _ => None,
        };
        let closed = matches!(self.get("CHECKSUM"), Some(Value::Text(t)) if t.len() == 16);
        if stated.is_none() && !closed {
            return Ok(Ok(()));
        }
        let mut sum = Sum::default();
        file.seek(SeekFrom::Start(data))?;
        let mut bytes = vec![0; 1 << 20];
        let mut left = end - data;
        while left > 0 {
            let piece = &mut bytes[..left.min(1 << 20) as usize];
            file.read_exact(piece)?;
            sum.add(piece);
            left -= piece.len() as u64;
        }
        let wrong = |key: &str| Ok(Err(format!("{key} does not fit the content: the file is damaged or was changed by hand")));
        // All ones and zero are the same number in this arithmetic.
        let reduced = |s: u32| if s == u32::MAX { 0 } else { s };
        if stated.is_some_and(|s| reduced(s) != reduced(sum.value())) {
            return wrong("DATASUM");
        }
        sum.add(&self.bytes);
        if closed && reduced(sum.value()) != 0 {
            return wrong("CHECKSUM");
        }
        Ok(Ok(()))
    }
}
