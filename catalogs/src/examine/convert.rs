//! Any table into a partition by HEALPix cell, or into one Parquet file.
//!
//! Two passes: the first counts the rows of each cell of order 9 from the positions alone, the second carries the rows into their
//! cells. The whole is made in a folder beside the output, which becomes the output at the end: it is there whole or not at all.

use super::describe::{Placing, describe};
use super::leaves::Counts;
use super::spill::Spill;
use super::unfinished;
use crate::Region;
use crate::read::{Bound, CatalogSpec, Cell, Columns, Mapped, OnBadRow, ReadError};
use crate::region::healpix_29;
use crate::tables::{self, Cells, Chunk, Field, Kind, ParquetSink, Place, RowSource, TableError};
use serde::{Deserialize, Serialize};
use sim_core::table::ColumnData;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// The number of order 29, by which the rows of a cell are sorted.
pub(super) const NUMBER: &str = "_healpix_29";
/// Rows that stay in memory on their way into cells \[byte\].
const HELD_BYTES: usize = 256 << 20;
/// Faults that are listed.
const LISTED: usize = 1000;

/// What to convert and how.
#[derive(Debug, Clone)]
pub struct Conversion {
    /// Catalogue: file, format, the columns of the position, what to do with bad rows.
    pub spec: CatalogSpec,
    /// Folder to make.
    pub out: PathBuf,
    /// Only rows in it.
    pub region: Option<Region>,
    /// Rows of a cell at most.
    pub most_rows: u64,
    /// Rows in memory on their way into cells \[byte\]; 256 MiB when absent.
    pub held_bytes: Option<usize>,
}

/// What a conversion did; `conversion.json` of the partition.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct ConversionReport {
    /// Input.
    pub input: String,
    /// Rows read.
    pub rows: u64,
    /// Rows written.
    pub written: u64,
    /// Good rows outside the region.
    pub outside: u64,
    /// Rows left out because they cannot be used.
    pub skipped_rows: u64,
    /// How many of them by column.
    pub skipped_by: BTreeMap<String, u64>,
    /// The first 1000 of them: file, row from 1, column and content.
    pub skipped: Vec<String>,
    /// Cells, and their orders from and to.
    pub cells: usize,
    /// Largest order of a cell.
    pub order: u8,
    /// Columns of the input that cannot be held.
    pub left_out: Vec<String>,
    /// Cells of the input without a file that can be read, passed over.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub missing_cells: Vec<String>,
}

impl ConversionReport {
    fn skip(&mut self, column: &str, place: &Place, what: &str) {
        self.skipped_rows += 1;
        *self.skipped_by.entry(column.into()).or_default() += 1;
        if self.skipped.len() < LISTED {
            self.skipped.push(format!("{}: row {}, column `{column}`: {what}", place.path, place.row));
        }
    }
}

impl std::fmt::Display for ConversionReport {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(
            f,
            "{}: {} rows, {} written, {} outside the region, {} skipped; {} cells to order {}",
            self.input, self.rows, self.written, self.outside, self.skipped_rows, self.cells, self.order
        )?;
        for (column, count) in &self.skipped_by {
            write!(f, "\n  {count} rows skipped for column `{column}`")?;
        }
        for line in self.skipped.iter().take(5) {
            write!(f, "\n  {line}")?;
        }
        if !self.missing_cells.is_empty() {
            let some = self.missing_cells.iter().take(5).cloned().collect::<Vec<_>>().join("; ");
            write!(f, "\n  {} cells of the input have no file that can be read: {some}", self.missing_cells.len())?;
        }
        for column in &self.left_out {
            write!(f, "\n  {column} is left out: one value per row is needed")?;
        }
        Ok(())
    }
}

/// Position \[deg\] of a row, or what is wrong: column, content and range.
fn position(m: &Mapped<'_>, row: usize) -> Result<(f64, f64), (String, String)> {
    let get = |values: &Option<crate::read::Values<'_>>, low: f64, high: f64, range: &str| match values {
        Some(v) => match v.at(row) {
            Cell::Number(x) if x >= low && x <= high => Ok(x),
            _ => Err((v.name.to_string(), format!("{} is outside {range}", v.shown(row)))),
        },
        None => Err(("(none)".into(), "no column".into())),
    };
    if m.ra.is_some() {
        return Ok((get(&m.ra, 0.0, 360.0, "0..360 deg")?, get(&m.dec, -90.0, 90.0, "-90..90 deg")?));
    }
    let (l, b) = (get(&m.l, -360.0, 360.0, "-360..360 deg")?, get(&m.b, -90.0, 90.0, "-90..90 deg")?);
    let (ra, dec) = sofars::coords::g2icrs(l.to_radians(), b.to_radians());
    Ok((ra.to_degrees().rem_euclid(360.0), dec.to_degrees()))
}

/// The table, and the cells of a partition that are passed over.
fn open(spec: &CatalogSpec) -> Result<(Box<dyn RowSource>, Vec<String>), ReadError> {
    let is_partition = spec.format == Some(tables::Format::Hats) || (spec.format.is_none() && spec.path.is_dir());
    if is_partition {
        let mut hats = tables::Hats::open(&spec.path)?;
        hats.skip_missing = spec.on_bad_row == OnBadRow::Skip;
        let part = hats.all()?;
        let missing = part.missing.clone();
        return Ok((Box::new(part), missing));
    }
    Ok((tables::open(&spec.path, spec.format)?, Vec::new()))
}

/// The columns of the position.
fn place_columns(spec: &CatalogSpec) -> Columns {
    let all = spec.columns.over(&spec.profile.columns());
    let galactic = all.ra.is_none();
    Columns { ra: all.ra, dec: all.dec, l: all.l.filter(|_| galactic), b: all.b.filter(|_| galactic), ..Columns::default() }
}

/// Makes a partition in the layout of HATS; `progress` hears the rows done, of twice those of the input.
///
/// # Errors
/// When the input cannot be read, the output is there, the disk is full, or (with `on_bad_row = "stop"`) a row has no position or a
/// cell that is not of its column's type.
pub fn convert(job: &Conversion, progress: &mut dyn FnMut(u64)) -> Result<ConversionReport, ReadError> {
    let shown = job.out.display().to_string();
    if job.out.exists() {
        return Err(TableError::new(&shown, "it is there already; give another folder, or remove it").into());
    }
    let partial = unfinished(&job.out);
    if partial.exists() {
        // What a conversion left that was killed.
        std::fs::remove_dir_all(&partial).map_err(|e| TableError::new(partial.display(), e))?;
    }
    std::fs::create_dir_all(partial.join("spill")).map_err(|e| TableError::new(partial.display(), e))?;
    let made = make(job, &partial, progress).and_then(|report| {
        std::fs::rename(&partial, &job.out).map_err(|e| TableError::new(&shown, e))?;
        Ok(report)
    });
    if made.is_err() {
        let _ = std::fs::remove_dir_all(&partial);
    }
    made
}

fn make(job: &Conversion, folder: &Path, progress: &mut dyn FnMut(u64)) -> Result<ConversionReport, ReadError> {
    let spec = &job.spec;
    let (mut source, missing_cells) = open(spec)?;
    let path = source.path().to_string();
    let columns = place_columns(spec);
    for (_, column) in columns.entries() {
        if let Some(place) = source.position(&column.name) {
            source.take_as(place, Kind::Float64);
        }
    }
    let missing = |quantity| ReadError::NotMapped { path: path.clone(), quantity };
    if columns.ra.is_none() && (columns.l.is_none() || columns.b.is_none()) {
        return Err(missing("ra"));
    }
    if columns.ra.is_some() && columns.dec.is_none() {
        return Err(missing("dec"));
    }
    // First pass: where the rows are.
    let bound = Bound::new(&columns, &columns, source.fields(), &path)?;
    source.select(&bound.chosen)?;
    let mut counts = Counts::new();
    let mut done = 0;
    while let Some(chunk) = source.next_chunk()? {
        let mapped = bound.on(&chunk);
        for row in 0..chunk.rows {
            if let Ok((ra, dec)) = position(&mapped, row)
                && job.region.as_ref().is_none_or(|r| r.contains(ra, dec))
            {
                counts.add(healpix_29(ra, dec));
            }
        }
        done += chunk.rows as u64;
        progress(done);
    }
    let leaves = counts.leaves(job.most_rows);
    drop(counts);
    // Second pass: the rows.
    let kept: Vec<usize> = (0..source.fields().len()).filter(|&k| source.fields()[k].name != NUMBER).collect();
    let bound = Bound::among(kept.clone(), &columns, &columns, source.fields(), &path)?;
    let mut fields: Vec<Field> = kept.iter().map(|&k| source.fields()[k].clone()).collect();
    let placing = Placing::new(&columns, &mut fields, &bound);
    source.select(&bound.chosen)?;
    let mut report = ConversionReport {
        input: path,
        left_out: source.left_out().to_vec(),
        cells: leaves.cells.len(),
        missing_cells,
        ..Default::default()
    };
    let mut spill = Spill::new(folder.join("spill"), &fields, leaves.cells.len(), job.held_bytes.unwrap_or(HELD_BYTES));
    while let Some(mut chunk) = source.next_chunk()? {
        let places = places(&chunk, &bound, job, source.as_ref(), &kept, &mut report)?;
        placing.put(&mut chunk, &places);
        for (row, place) in places.iter().enumerate() {
            let Some((ra, dec)) = *place else { continue };
            let number = healpix_29(ra, dec);
            let Some(leaf) = leaves.of(number) else { continue };
            spill.push(leaf, &chunk.columns, row, number)?;
        }
        done += chunk.rows as u64;
        progress(done);
    }
    let mut with_number = vec![Field::new(NUMBER, "", Kind::Int64)];
    with_number.extend(fields);
    for (k, cell) in leaves.cells.iter().enumerate() {
        let file = folder.join("dataset").join(cell.file(".parquet"));
        if let Some(parent) = file.parent() {
            std::fs::create_dir_all(parent).map_err(|e| TableError::new(parent.display(), e))?;
        }
        let rows = spill.take(k)?.sorted();
        let mut sink = ParquetSink::create(&file, &with_number)?;
        for first in (0..rows.numbers.len()).step_by(tables::CHUNK_ROWS) {
            let part = rows.part(first, (first + tables::CHUNK_ROWS).min(rows.numbers.len()));
            let numbers = part.numbers.iter().map(|n| *n as i64).collect();
            let mut columns = vec![Cells::whole(ColumnData::I64(numbers))];
            columns.extend(part.columns);
            sink.write(columns)?;
        }
        sink.finish()?;
        report.written += rows.numbers.len() as u64;
        report.order = report.order.max(cell.order);
    }
    if leaves.cells.is_empty() {
        return Err(TableError::new(&report.input, "no row is left to be written").into());
    }
    describe(job, folder, &leaves.cells, &placing, &with_number, &report)?;
    Ok(report)
}

/// The position of every row that is to be written.
fn places(
    chunk: &Chunk,
    bound: &Bound,
    job: &Conversion,
    source: &dyn RowSource,
    kept: &[usize],
    report: &mut ConversionReport,
) -> Result<Vec<Option<(f64, f64)>>, ReadError> {
    let mapped = bound.on(chunk);
    let mut places = Vec::with_capacity(chunk.rows);
    report.rows += chunk.rows as u64;
    // Cells that are not of their column's type, by row.
    let mut odd: BTreeMap<usize, usize> = BTreeMap::new();
    for (k, cells) in chunk.columns.iter().enumerate() {
        for (row, _) in &cells.odd {
            odd.entry(*row).or_insert(k);
        }
    }
    for row in 0..chunk.rows {
        let fault = match (position(&mapped, row), odd.get(&row)) {
            (Ok((ra, dec)), _) if job.region.as_ref().is_some_and(|r| !r.contains(ra, dec)) => {
                report.outside += 1;
                places.push(None);
                continue;
            }
            (Ok(place), None) => {
                places.push(Some(place));
                continue;
            }
            (Err(fault), _) => fault,
            (Ok(_), Some(&k)) => {
                let field = &source.fields()[kept[k]];
                (field.name.clone(), format!("{} is no {}", chunk.columns[k].shown(row), field.kind.name()))
            }
        };
        let place = source.place(chunk.first_row + row as u64);
        if job.spec.on_bad_row == OnBadRow::Stop {
            let words = format!("row {}, column `{}`: {} (--on-error skip leaves such rows out)", place.row, fault.0, fault.1);
            return Err(TableError::new(place.path, words).into());
        }
        report.skip(&fault.0, &place, &fault.1);
        places.push(None);
    }
    Ok(places)
}

/// Writes a table as one Parquet file, in the order of its rows, whole or not at all.
///
/// # Errors
/// When the input cannot be read, the disk is full, or (with `on_bad_row = "stop"`) a cell is not of its column's type.
pub fn rewrite(spec: &CatalogSpec, out: &Path, progress: &mut dyn FnMut(u64)) -> Result<ConversionReport, ReadError> {
    let (mut source, missing_cells) = open(spec)?;
    let fields = source.fields().to_vec();
    let mut report =
        ConversionReport { input: source.path().into(), left_out: source.left_out().to_vec(), missing_cells, ..Default::default() };
    let partial = unfinished(out);
    let mut sink = ParquetSink::create(&partial, &fields)?;
    let mut run = || -> Result<(), ReadError> {
        while let Some(chunk) = source.next_chunk()? {
            report.rows += chunk.rows as u64;
            let mut bad = vec![false; chunk.rows];
            for (k, cells) in chunk.columns.iter().enumerate() {
                for (row, text) in &cells.odd {
                    let place = source.place(chunk.first_row + *row as u64);
                    let what = format!("`{text}` is no {}", fields[k].kind.name());
                    if spec.on_bad_row == OnBadRow::Stop {
                        let words =
                            format!("row {}, column `{}`: {what} (--on-error skip leaves such rows out)", place.row, fields[k].name);
                        return Err(TableError::new(place.path, words).into());
                    }
                    if !bad[*row] {
                        report.skip(&fields[k].name, &place, &what);
                    }
                    bad[*row] = true;
                }
            }
            report.written += bad.iter().filter(|b| !**b).count() as u64;
            sink.write(super::spill::without(chunk.columns, &bad))?;
            progress(report.rows);
        }
        Ok(())
    };
    let done = run();
    let finished = done
        .and_then(|()| Ok(sink.finish()?))
        .and_then(|()| Ok(std::fs::rename(&partial, out).map_err(|e| TableError::new(out.display(), e))?));
    if finished.is_err() {
        let _ = std::fs::remove_file(&partial);
    }
    finished.map(|()| report)
}
