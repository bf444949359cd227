//! `VOTable`: the first table of the file, with its data as TABLEDATA, BINARY or BINARY2.
//!
//! # Source
//! IVOA Recommendation `VOTable` 1.4: FIELD attributes `datatype`, `arraysize`, `unit`, VALUES `null`; section 5 for the serialisations.
//! # Limits
//! Data in the file itself (no `href`); no FITS stream. Columns of arrays other than text are left out.

use super::votable_data::{Binary, Stored};
use super::{CHUNK_ROWS, Cells, Chunk, Field, Format, Heading, Kind, RowSource, TableError, sniff, text};
use quick_xml::events::{BytesStart, Event};
use quick_xml::reader::Reader;
use std::io::BufRead;
use std::path::{Path, PathBuf};

/// A FIELD.
#[derive(Debug, Clone)]
pub(super) struct Column {
    pub(super) stored: Stored,
    /// Values per row; `None` for a length in the data.
    pub(super) count: Option<usize>,
    /// The value that means nothing, as text.
    pub(super) null: Option<String>,
    /// Its place in the fields that can be read.
    pub(super) place: Option<usize>,
}

enum Body {
    Rows(Reader<Box<dyn BufRead>>),
    Binary(Binary),
    Empty,
}

pub(super) struct VotableSource {
    heading: Heading,
    file: PathBuf,
    columns: Vec<Column>,
    rows: Option<u64>,
    chosen: Vec<usize>,
    body: Body,
    next: u64,
}

/// What stands before the data.
struct Head {
    columns: Vec<Column>,
    fields: Vec<Field>,
    left_out: Vec<String>,
    rows: Option<u64>,
    body: Body,
}

impl VotableSource {
    pub(super) fn open(path: &Path) -> Result<Self, TableError> {
        let shown = path.display().to_string();
        let head = head(sniff::reader(path)?, &shown, true)?;
        let chosen = (0..head.fields.len()).collect();
        let Head { columns, fields, left_out, rows, body } = head;
        let heading = Heading { path: shown, format: Format::Votable, fields, left_out };
        Ok(Self { heading, file: path.into(), columns, rows, chosen, body, next: 0 })
    }
}

/// The fields of a table without data, for the header that Parquet files may carry (`VOParquet`).
pub(super) fn fields_of(text: &str, path: &str) -> Result<Vec<Field>, TableError> {
    Ok(head(Box::new(std::io::Cursor::new(text.as_bytes().to_vec())), path, false)?.fields)
}

fn attribute(tag: &BytesStart<'_>, key: &str) -> Option<String> {
    let found = tag.attributes().flatten().find(|a| a.key.local_name().as_ref() == key)?;
    let text = found.value.into_owned();
    Some(quick_xml::escape::unescape(&text).map_or_else(|_| text.clone(), |t| t.into_owned()))
}

fn head(input: Box<dyn BufRead>, path: &str, wants_data: bool) -> Result<Head, TableError> {
    let mut reader = Reader::from_reader(input);
    let fault = |e: &dyn std::fmt::Display| TableError::new(path, format!("VOTable: {e}"));
    let mut head = Head { columns: Vec::new(), fields: Vec::new(), left_out: Vec::new(), rows: None, body: Body::Empty };
    let (mut buffer, mut in_table, mut in_description, mut last) = (Vec::new(), false, false, None::<usize>);
    loop {
        buffer.clear();
        let event = reader.read_event_into(&mut buffer).map_err(|e| fault(&e))?;
        let closed = matches!(event, Event::Empty(_));
        match event {
            Event::Start(tag) | Event::Empty(tag) => match tag.local_name().as_ref() {
                "TABLE" => {
                    in_table = true;
                    head.rows = attribute(&tag, "nrows").and_then(|n| n.parse().ok());
                    if closed {
                        return Ok(head);
                    }
                }
                "FIELD" if in_table => {
                    last = field(&tag, &mut head).map_err(|e| fault(&e))?;
                    last = last.filter(|_| !closed);
                }
                "VALUES" => {
                    if let Some(column) = head.columns.last_mut().filter(|_| in_table) {
                        column.null = column.null.take().or_else(|| attribute(&tag, "null"));
                    }
                }
                "DESCRIPTION" if !closed => in_description = true,
                "TABLEDATA" if !closed => {
                    head.body = Body::Rows(reader);
                    return Ok(head);
                }
                kind @ ("BINARY" | "BINARY2") if !closed => {
                    let flags = kind == "BINARY2";
                    stream(&mut reader, path)?;
                    head.body = Body::Binary(Binary::new(reader.into_inner(), flags));
                    return Ok(head);
                }
                "FITS" | "PARQUET" if !wants_data => return Ok(head),
                "FITS" | "PARQUET" => return Err(fault(&"data as a FITS or Parquet stream: open that file itself")),
                _ => {}
            },
            Event::Text(words) if in_description => {
                if let Some(k) = last {
                    head.fields[k].description.push_str(&words);
                }
            }
            Event::GeneralRef(name) if in_description => {
                if let (Some(k), Ok(text)) = (last, quick_xml::escape::unescape(&format!("&{};", &*name))) {
                    head.fields[k].description.push_str(&text);
                }
            }
            Event::End(tag) => match tag.local_name().as_ref() {
                "DESCRIPTION" => in_description = false,
                "FIELD" => last = None,
                "TABLE" => return Ok(head),
                _ => {}
            },
            Event::Eof if in_table => return Ok(head),
            Event::Eof => return Err(fault(&"no TABLE in it")),
            _ => {}
        }
    }
}

/// Goes behind the opening STREAM tag.
fn stream(reader: &mut Reader<Box<dyn BufRead>>, path: &str) -> Result<(), TableError> {
    let mut buffer = Vec::new();
    loop {
        buffer.clear();
        match reader.read_event_into(&mut buffer).map_err(|e| TableError::new(path, format!("VOTable: {e}")))? {
            Event::Start(tag) | Event::Empty(tag) if tag.local_name().as_ref() == "STREAM" => {
                if attribute(&tag, "href").is_some() {
                    return Err(TableError::new(
                        path,
                        "VOTable: the data are in another file (STREAM href); only data in the file can be read",
                    ));
                }
                return match attribute(&tag, "encoding").as_deref() {
                    Some("base64") | None => Ok(()),
                    Some(other) => Err(TableError::new(path, format!("VOTable: STREAM encoding `{other}` is not base64"))),
                };
            }
            Event::Eof => return Err(TableError::new(path, "VOTable: no STREAM in its BINARY data")),
            _ => {}
        }
    }
}

/// Takes a FIELD; its place in the readable fields.
fn field(tag: &BytesStart<'_>, head: &mut Head) -> Result<Option<usize>, String> {
    let name = attribute(tag, "name").or_else(|| attribute(tag, "ID")).ok_or("a FIELD has no name")?;
    let datatype = attribute(tag, "datatype").ok_or_else(|| format!("FIELD `{name}` has no datatype"))?;
    let stored = Stored::named(&datatype).ok_or_else(|| format!("FIELD `{name}`: datatype `{datatype}` is not one of VOTable's"))?;
    let size = attribute(tag, "arraysize").unwrap_or_else(|| "1".into());
    // `3x4` is an array of arrays, `12*` at most twelve.
    let count = size.split('x').try_fold(1usize, |n, part| part.trim().parse::<usize>().ok().and_then(|k| n.checked_mul(k)));
    let scalar = matches!(size.trim(), "1" | "");
    let kind = match stored {
        Stored::Char | Stored::Unicode if !size.contains('x') => Some(Kind::Text),
        _ if !scalar => None,
        Stored::Boolean | Stored::Bit => Some(Kind::Bool),
        Stored::UnsignedByte | Stored::Short | Stored::Int => Some(Kind::Int32),
        Stored::Long => Some(Kind::Int64),
        Stored::Float => Some(Kind::Float32),
        Stored::Double => Some(Kind::Float64),
        _ => None,
    };
    let place = kind.map(|_| head.fields.len());
    match kind {
        Some(kind) => head.fields.push(Field::new(&name, &attribute(tag, "unit").unwrap_or_default(), kind)),
        None => head.left_out.push(format!("{name} ({datatype}[{size}])")),
    }
    head.columns.push(Column { stored, count, null: None, place });
    Ok(place)
}

impl RowSource for VotableSource {
    fn heading(&self) -> &Heading {
        &self.heading
    }
    fn rows(&self) -> Option<u64> {
        self.rows
    }
    fn select(&mut self, columns: &[usize]) -> Result<(), TableError> {
        self.chosen = columns.to_vec();
        self.body = head(sniff::reader(&self.file)?, &self.heading.path, true)?.body;
        self.next = 0;
        Ok(())
    }
    fn next_chunk(&mut self) -> Result<Option<Chunk>, TableError> {
        // Where a column of the file goes in the chunk.
        let mut targets = vec![Vec::new(); self.columns.len()];
        for (k, column) in self.columns.iter().enumerate() {
            targets[k] = (0..self.chosen.len()).filter(|&t| Some(self.chosen[t]) == column.place).collect();
        }
        let mut cells: Vec<Cells> = self.chosen.iter().map(|&k| Cells::whole(self.heading.fields[k].kind.empty(CHUNK_ROWS))).collect();
        let mut rows = 0;
        while rows < CHUNK_ROWS {
            let row = self.next + rows as u64 + 1;
            let found = match &mut self.body {
                Body::Rows(reader) => table_row(reader, &self.columns, &targets, &mut cells, rows)
                    .map_err(|e| TableError::new(&self.heading.path, format!("row {row}: {e}")))?,
                Body::Binary(binary) => binary
                    .row(&self.columns, &targets, &mut cells, rows)
                    .map_err(|e| TableError::new(&self.heading.path, format!("row {row}: {e}")))?,
                Body::Empty => false,
            };
            if !found {
                self.body = Body::Empty;
                break;
            }
            rows += 1;
        }
        if rows == 0 {
            return Ok(None);
        }
        for column in cells.iter_mut().filter(|c| !c.missing.is_empty()) {
            column.missing.resize(rows, false);
        }
        let first_row = self.next;
        self.next += rows as u64;
        Ok(Some(Chunk { first_row, rows, columns: cells }))
    }
}

/// Reads a TR; false at the end of the data.
fn table_row(
    reader: &mut Reader<Box<dyn BufRead>>,
    columns: &[Column],
    targets: &[Vec<usize>],
    cells: &mut [Cells],
    row: usize,
) -> Result<bool, String> {
    let (mut buffer, mut words, mut k, mut in_row) = (Vec::new(), String::new(), 0, false);
    loop {
        buffer.clear();
        match reader.read_event_into(&mut buffer).map_err(|e| e.to_string())? {
            Event::Start(tag) if tag.local_name().as_ref() == "TR" => in_row = true,
            Event::Start(tag) if tag.local_name().as_ref() == "TD" => words.clear(),
            Event::Empty(tag) if tag.local_name().as_ref() == "TD" => {
                put(columns, targets, cells, row, k, "")?;
                k += 1;
            }
            Event::Text(text) => words.push_str(&text),
            Event::CData(text) => words.push_str(&text),
            Event::GeneralRef(name) => {
                let whole = format!("&{};", &*name);
                words.push_str(&quick_xml::escape::unescape(&whole).map_err(|e| e.to_string())?);
            }
            Event::End(tag) if tag.local_name().as_ref() == "TD" => {
                put(columns, targets, cells, row, k, &words)?;
                words.clear();
                k += 1;
            }
            Event::End(tag) if tag.local_name().as_ref() == "TR" => {
                return if k == columns.len() { Ok(true) } else { Err(format!("{k} cells, the table has {} columns", columns.len())) };
            }
            Event::End(tag) if tag.local_name().as_ref() == "TABLEDATA" && !in_row => return Ok(false),
            Event::Eof => return Err("the file ends inside the table: it is truncated".into()),
            _ => {}
        }
    }
}

fn put(columns: &[Column], targets: &[Vec<usize>], cells: &mut [Cells], row: usize, k: usize, words: &str) -> Result<(), String> {
    let Some(column) = columns.get(k) else { return Err(format!("more than {} cells", columns.len())) };
    for &t in &targets[k] {
        let is_logical = matches!(column.stored, Stored::Boolean | Stored::Bit);
        let trimmed = if matches!(column.stored, Stored::Char | Stored::Unicode) { words } else { words.trim() };
        let nothing = column.null.as_deref() == Some(trimmed) || (is_logical && trimmed == "?");
        text::push(&mut cells[t], row, if nothing { "" } else { trimmed }, is_logical);
    }
    Ok(())
}
