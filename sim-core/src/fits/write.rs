//! Writes whole files: header, data and checksums of each unit in one pass over the data.

use super::card::{CARD, encode, history};
use super::checksum::Sum;
use super::content::{describe, stream};
use super::header::is_structural;
use super::{Data, FitsError, Hdu, Packing, Value, rice};
use crate::files::AtomicFile;
use std::io::{Seek, SeekFrom, Write};
use std::path::Path;

/// Headers and data come in blocks of this many bytes.
const BLOCK: usize = 2880;
/// Where the value of CHECKSUM begins in its card.
const CHECKSUM_COLUMN: usize = 11;

/// Writes a whole file atomically (temporary name in the same folder, fsync, rename) with CHECKSUM and DATASUM in
/// every unit. The first unit must be header-only or an image. The same input gives the same bytes.
///
/// # Errors
/// When the folder cannot be written, the disk is full, or the content is not FITS: a keyword that is not finite, not
/// ASCII or one of the writer's own; a table whose columns differ in length. Nothing is left behind then.
pub fn write(path: &Path, hdus: &[Hdu]) -> Result<(), FitsError> {
    write_as(path, hdus, Packing::None)
}

/// As [`write()`], with images laid out as `packing` says; [`super::read`] reads them all the same.
///
/// # Errors
/// As [`write()`], or when a packed image is larger than 2^31 bytes.
pub fn write_as(path: &Path, hdus: &[Hdu], packing: Packing) -> Result<(), FitsError> {
    let shown = path.display().to_string();
    if hdus.is_empty() {
        return Err(FitsError::Content { path: shown, reason: "a FITS file has at least one unit".into() });
    }
    // Everything that can be refused is refused before the first byte.
    let described = hdus.iter().enumerate().map(|(i, hdu)| Described::new(hdu, i == 0, packing, &shown)).collect::<Result<Vec<_>, _>>()?;
    let io = |source| FitsError::Io { path: shown.clone(), source };
    let mut file = AtomicFile::create(path).map_err(io)?;
    for (hdu, described) in hdus.iter().zip(described) {
        described.write(hdu, &mut file).map_err(io)?;
    }
    file.commit().map_err(io)
}

/// A file that is written unit by unit, so that none has to wait in memory for the last. It appears under its name when it is whole, as with
/// [`write()`]; dropped before, it vanishes.
pub struct Writer {
    file: AtomicFile,
    path: String,
}

impl Writer {
    /// Begins a file with its first unit: header-only or an image.
    ///
    /// # Errors
    /// As [`write()`].
    pub fn begin(path: &Path, first: &Hdu) -> Result<Self, FitsError> {
        let shown = path.display().to_string();
        let described = Described::new(first, true, Packing::None, &shown)?;
        let io = |source| FitsError::Io { path: shown.clone(), source };
        let mut file = AtomicFile::create(path).map_err(io)?;
        described.write(first, &mut file).map_err(io)?;
        Ok(Self { file, path: shown })
    }
    /// Adds a unit.
    ///
    /// # Errors
    /// As [`write()`]; the file is then best dropped.
    pub fn add(&mut self, hdu: &Hdu) -> Result<(), FitsError> {
        let described = Described::new(hdu, false, Packing::None, &self.path)?;
        described.write(hdu, &mut self.file).map_err(|source| FitsError::Io { path: self.path.clone(), source })
    }
    /// Brings the file to the disk and gives it its name.
    ///
    /// # Errors
    /// When the disk is full.
    pub fn finish(self) -> Result<(), FitsError> {
        let path = self.path;
        self.file.commit().map_err(|source| FitsError::Io { path, source })
    }
}

/// A unit about to be written: its cards, and its data where they are packed.
struct Described {
    cards: Vec<String>,
    packed: Option<rice::Packed>,
}

impl Described {
    fn new(hdu: &Hdu, first: bool, packing: Packing, shown: &str) -> Result<Self, FitsError> {
        let wanted = !first && (packing == Packing::Rice || matches!(hdu.data, Data::Sparse(_)));
        let packed = wanted.then(|| rice::pack(&hdu.data)).flatten();
        let layout = match &packed {
            Some(packed) => packed.describe(hdu, shown)?,
            None => describe(hdu, first, shown)?,
        };
        Ok(Self { cards: cards(hdu, layout)?, packed })
    }
    fn write(self, hdu: &Hdu, file: &mut AtomicFile) -> std::io::Result<()> {
        match self.packed {
            Some(packed) => unit(file, self.cards, |sink| packed.stream(sink)),
            None => unit(file, self.cards, |sink| stream(&hdu.data, sink)),
        }
    }
}

/// All cards but CHECKSUM, DATASUM and END, those of the layout first.
fn cards(hdu: &Hdu, layout: Vec<String>) -> Result<Vec<String>, FitsError> {
    let mut cards = layout;
    let is_table = matches!(hdu.data, Data::Table(_));
    for (key, value, comment) in &hdu.header.cards {
        let refuse = |reason: &str| Err(FitsError::Keyword { key: key.clone(), reason: reason.into() });
        if key == "EXTNAME" {
            if *value == Value::Text(hdu.name.clone()) {
                continue;
            }
            return refuse("the name of a unit is given once, not also as a keyword");
        }
        if key == "BLANK"
            && !matches!(hdu.data, Data::U8(_) | Data::I16(_) | Data::I32(_) | Data::U16(_) | Data::Counts(_) | Data::Sparse(_))
        {
            return refuse("only integer images have a blank value");
        }
        if is_structural(key, is_table) {
            return refuse("this keyword follows from the data and is the writer's");
        }
        cards.extend(encode(key, value, comment)?);
    }
    if cards.iter().any(|c| c.starts_with("CONTINUE  ")) {
        cards.extend(encode("LONGSTRN", &"OGIP 1.0".into(), "text may go on in CONTINUE cards")?);
    }
    for line in &hdu.header.history {
        cards.extend(history(line));
    }
    Ok(cards)
}

/// One unit: room for the header, the data with its sum, then the header that states the sum.
fn unit(
    file: &mut AtomicFile,
    mut cards: Vec<String>,
    data: impl FnOnce(&mut dyn FnMut(&[u8]) -> std::io::Result<()>) -> std::io::Result<()>,
) -> std::io::Result<()> {
    let checksum_at = cards.len() * CARD + CHECKSUM_COLUMN;
    let sum_card = cards.len() + 1;
    for key in ["CHECKSUM", "DATASUM"] {
        cards.push(text_card(key, "0000000000000000", if key == "CHECKSUM" { "sum of this unit" } else { "sum of its data" }));
    }
    cards.push(format!("{:CARD$}", "END"));
    let header_bytes = (cards.len() * CARD).next_multiple_of(BLOCK);

    let start = file.stream_position()?;
    file.seek(SeekFrom::Start(start + header_bytes as u64))?;
    let (mut sum, mut written) = (Sum::default(), 0);
    data(&mut |bytes| {
        sum.add(bytes);
        written += bytes.len();
        file.write_all(bytes)
    })?;
    let padding = vec![0; written.next_multiple_of(BLOCK) - written];
    file.write_all(&padding)?;
    let end = file.stream_position()?;

    cards[sum_card] = text_card("DATASUM", &sum.value().to_string(), "sum of its data");
    let mut header = cards.concat().into_bytes();
    header.resize(header_bytes, b' ');
    let mut whole = Sum::default();
    whole.add(&header);
    whole.join(sum);
    header[checksum_at..checksum_at + 16].copy_from_slice(whole.complement_text().as_bytes());
    file.seek(SeekFrom::Start(start))?;
    file.write_all(&header)?;
    file.seek(SeekFrom::Start(end))?;
    Ok(())
}

fn text_card(key: &str, value: &str, comment: &str) -> String {
    let value = format!("'{value:8}'");
    format!("{:CARD$}", format!("{key:8}= {value:20} / {comment}"))
}
