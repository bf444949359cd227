//! Tables of text: CSV, ECSV and columns separated by blanks.
//!
//! CSV and blank-separated text state no types: they are guessed from the first rows, and a later cell that does not fit is reported as
//! such ([`Cells::odd`]). A row of another number of cells than the header has no cell that fits.

use super::sniff::{self, common, guess, logical, number};
use super::{CHUNK_ROWS, Cells, Chunk, Field, Format, Heading, Kind, RowSource, TableError, ecsv};
use sim_core::table::ColumnData;
use std::io::BufRead;
use std::path::{Path, PathBuf};

/// Rows from which types are guessed.
const SAMPLE_ROWS: usize = 10_000;

/// How cells are told apart.
#[derive(Clone, Copy, PartialEq)]
enum Cut {
    Delimiter(u8),
    Blanks,
}

pub(super) struct TextSource {
    heading: Heading,
    file: PathBuf,
    cut: Cut,
    chosen: Vec<usize>,
    lines: Lines,
    next: u64,
}

impl TextSource {
    pub(super) fn csv(path: &Path) -> Result<Self, TableError> {
        Self::guessed(path, Format::Csv, Cut::Delimiter(b','))
    }
    pub(super) fn blanks(path: &Path) -> Result<Self, TableError> {
        Self::guessed(path, Format::Text, Cut::Blanks)
    }
    pub(super) fn ecsv(path: &Path) -> Result<Self, TableError> {
        let shown = path.display().to_string();
        let header = ecsv::header(path)?;
        let cut = Cut::Delimiter(header.delimiter);
        let lines = Lines::open(path, cut)?;
        let names: Vec<&str> = header.fields.iter().map(|f| f.name.as_str()).collect();
        if lines.names != names {
            return Err(TableError::new(
                shown,
                format!("the header line names {}, the ECSV header {}", lines.names.join(", "), names.join(", ")),
            ));
        }
        Ok(Self::with(path, Format::Ecsv, cut, header.fields, lines))
    }

    fn guessed(path: &Path, format: Format, cut: Cut) -> Result<Self, TableError> {
        let mut sample = Lines::open(path, cut)?;
        let mut kinds: Vec<Option<Kind>> = vec![None; sample.names.len()];
        let mut rows = 0;
        while rows < SAMPLE_ROWS && sample.next()? {
            let whole = if sample.ragged.is_none() { kinds.len() } else { 0 };
            for (k, kind) in kinds.iter_mut().enumerate().take(whole) {
                if let Some(own) = guess(sample.cell(k)) {
                    *kind = Some(kind.map_or(own, |k| common(k, own)));
                }
            }
            rows += 1;
        }
        let fields = sample.names.iter().zip(kinds).map(|(name, kind)| Field::new(name, "", kind.unwrap_or(Kind::Float64))).collect();
        Ok(Self::with(path, format, cut, fields, Lines::open(path, cut)?))
    }

    fn with(path: &Path, format: Format, cut: Cut, fields: Vec<Field>, lines: Lines) -> Self {
        let chosen = (0..fields.len()).collect();
        let heading = Heading { path: path.display().to_string(), format, fields, left_out: Vec::new() };
        Self { heading, file: path.into(), cut, chosen, lines, next: 0 }
    }
}

impl RowSource for TextSource {
    fn heading(&self) -> &Heading {
        &self.heading
    }
    fn rows(&self) -> Option<u64> {
        None
    }
    fn select(&mut self, columns: &[usize]) -> Result<(), TableError> {
        self.chosen = columns.to_vec();
        self.lines = Lines::open(&self.file, self.cut)?;
        self.next = 0;
        Ok(())
    }
    fn take_as(&mut self, column: usize, kind: Kind) {
        if self.heading.format != Format::Ecsv {
            self.heading.fields[column].kind = kind;
        }
    }
    fn next_chunk(&mut self) -> Result<Option<Chunk>, TableError> {
        let mut columns: Vec<Cells> = self.chosen.iter().map(|&k| Cells::whole(self.heading.fields[k].kind.empty(CHUNK_ROWS))).collect();
        let mut rows = 0;
        while rows < CHUNK_ROWS && self.lines.next()? {
            for (cells, &k) in columns.iter_mut().zip(&self.chosen) {
                match &self.lines.ragged {
                    None => push(cells, rows, self.lines.cell(k), self.heading.fields[k].kind == Kind::Bool),
                    Some(words) => {
                        push(cells, rows, "", false);
                        cells.odd.push((rows, words.clone()));
                        cells.mark_missing(rows);
                    }
                }
            }
            rows += 1;
        }
        if rows == 0 {
            return Ok(None);
        }
        for cells in columns.iter_mut().filter(|c| !c.missing.is_empty()) {
            cells.missing.resize(rows, false);
        }
        let first_row = self.next;
        self.next += rows as u64;
        Ok(Some(Chunk { first_row, rows, columns }))
    }
}

/// Appends a cell of text as the column's type.
pub(super) fn push(cells: &mut Cells, row: usize, text: &str, is_logical: bool) {
    let mut fault = false;
    let mut missing = false;
    match &mut cells.data {
        ColumnData::F64(v) => v.push(number(text).unwrap_or_else(|| {
            fault = true;
            f64::NAN
        })),
        ColumnData::F32(v) => match text.parse::<f32>() {
            Ok(value) => v.push(value),
            Err(_) => v.push(number(text).map_or_else(
                || {
                    fault = true;
                    f32::NAN
                },
                |value| value as f32,
            )),
        },
        ColumnData::I64(v) => match text.trim().parse() {
            Ok(value) => v.push(value),
            Err(_) => {
                (missing, fault) = (true, !sniff::is_nothing(text.trim()));
                v.push(0);
            }
        },
        ColumnData::I32(v) => {
            let value = if is_logical { logical(text) } else { text.trim().parse().ok() };
            if value.is_none() {
                (missing, fault) = (true, !sniff::is_nothing(text.trim()));
            }
            v.push(value.unwrap_or(0));
        }
        ColumnData::Text(v) => {
            missing = text.is_empty();
            v.push(text.into());
        }
    }
    if fault {
        cells.odd.push((row, text.into()));
    }
    if missing {
        cells.mark_missing(row);
    }
}

/// The lines of a table, cut into cells.
struct Lines {
    path: String,
    names: Vec<String>,
    row: u64,
    /// What is wrong with the number of cells of this row.
    ragged: Option<String>,
    kind: LineKind,
}

enum LineKind {
    Csv { reader: Box<csv::Reader<Box<dyn BufRead>>>, record: csv::StringRecord },
    Blanks { reader: Box<dyn BufRead>, line: String, cells: Vec<(usize, usize)> },
}

impl Lines {
    fn open(path: &Path, cut: Cut) -> Result<Self, TableError> {
        let shown = path.display().to_string();
        let mut reader = sniff::reader(path)?;
        match cut {
            Cut::Delimiter(delimiter) => {
                let mut reader = csv::ReaderBuilder::new()
                    .comment(Some(b'#'))
                    .trim(csv::Trim::All)
                    .delimiter(delimiter)
                    .flexible(true)
                    .from_reader(reader);
                let names: Vec<String> = reader
                    .headers()
                    .map_err(|e| TableError::new(&shown, e))?
                    .iter()
                    .map(|n| n.trim_start_matches('\u{feff}').into())
                    .collect();
                if names.iter().all(String::is_empty) {
                    return Err(TableError::new(&shown, "no header line: it is empty or truncated"));
                }
                unique(&names, &shown)?;
                let kind = LineKind::Csv { reader: Box::new(reader), record: csv::StringRecord::new() };
                Ok(Self { path: shown, names, row: 0, ragged: None, kind })
            }
            Cut::Blanks => {
                // The header is the last line that begins with # before the numbers, else the first line.
                let mut names: Vec<String> = Vec::new();
                let mut line = String::new();
                loop {
                    line.clear();
                    if reader.read_line(&mut line).map_err(|e| TableError::new(&shown, e))? == 0 {
                        break;
                    }
                    let text = line.trim();
                    if text.is_empty() {
                        continue;
                    }
                    if let Some(comment) = text.strip_prefix('#') {
                        names = comment.split_whitespace().map(Into::into).collect();
                        continue;
                    }
                    let is_header = text.split_whitespace().any(|word| number(word).is_none());
                    let width = text.split_whitespace().count();
                    // After a commented line of as many words this one is data, whatever it holds.
                    if is_header && names.len() != width {
                        names = text.split_whitespace().map(Into::into).collect();
                        line.clear();
                    }
                    break;
                }
                if names.is_empty() {
                    return Err(TableError::new(&shown, "no line of column names before the first numbers"));
                }
                unique(&names, &shown)?;
                Ok(Self { path: shown, names, row: 0, ragged: None, kind: LineKind::Blanks { reader, line, cells: Vec::new() } })
            }
        }
    }

    /// Goes to the next row; false at the end.
    fn next(&mut self) -> Result<bool, TableError> {
        let (path, row, width) = (&self.path, self.row + 1, self.names.len());
        let found = match &mut self.kind {
            LineKind::Csv { reader, record } => reader.read_record(record).map_err(|e| TableError::new(path, format!("row {row}: {e}")))?,
            LineKind::Blanks { reader, line, cells } => loop {
                // The line that ended the search for the header is the first row.
                if row > 1 || line.is_empty() {
                    line.clear();
                    if reader.read_line(line).map_err(|e| TableError::new(path, format!("row {row}: {e}")))? == 0 {
                        break false;
                    }
                }
                let text = line.trim();
                if text.is_empty() || text.starts_with('#') {
                    line.clear();
                    continue;
                }
                cells.clear();
                let start = line.as_ptr() as usize;
                cells.extend(line.split_whitespace().map(|w| (w.as_ptr() as usize - start, w.len())));
                break true;
            },
        };
        let cells = match &self.kind {
            LineKind::Csv { record, .. } => record.len(),
            LineKind::Blanks { cells, .. } => cells.len(),
        };
        self.ragged = (found && cells != width).then(|| format!("a row of {cells} cells, the header has {width}"));
        self.row += u64::from(found);
        Ok(found)
    }

    fn cell(&self, k: usize) -> &str {
        match &self.kind {
            LineKind::Csv { record, .. } => &record[k],
            LineKind::Blanks { line, cells, .. } => &line[cells[k].0..cells[k].0 + cells[k].1],
        }
    }
}

/// Two columns of one name cannot be told apart.
fn unique(names: &[String], path: &str) -> Result<(), TableError> {
    for (k, name) in names.iter().enumerate() {
        if names[..k].contains(name) {
            return Err(TableError::new(path, format!("two columns are called `{name}`")));
        }
    }
    Ok(())
}
