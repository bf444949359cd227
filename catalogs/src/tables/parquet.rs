//! Parquet, one row group after the other.

use super::{CHUNK_ROWS, Chunk, Field, Format, Heading, Kind, RowSource, TableError, arrow};
use parquet::arrow::ProjectionMask;
use parquet::arrow::arrow_reader::{ArrowReaderMetadata, ArrowReaderOptions, ParquetRecordBatchReader, ParquetRecordBatchReaderBuilder};
use parquet::file::statistics::Statistics;
use std::fs::File;
use std::ops::Range;
use std::path::{Path, PathBuf};

/// A Parquet file.
pub struct ParquetSource {
    heading: Heading,
    file: PathBuf,
    metadata: ArrowReaderMetadata,
    places: Vec<usize>,
    /// Place of the column that says where this one is missing: astropy writes masked columns so.
    masks: Vec<Option<usize>>,
    chosen: Vec<usize>,
    /// Row groups to read, and the row at which each begins.
    groups: Vec<(usize, u64)>,
    next_group: usize,
    open: Option<ParquetRecordBatchReader>,
    next: u64,
}

impl ParquetSource {
    /// Opens a file: its footer is read.
    ///
    /// # Errors
    /// When it is missing, truncated or not Parquet.
    pub fn open(path: &Path) -> Result<Self, TableError> {
        let shown = path.display().to_string();
        let handle = File::open(path).map_err(|e| TableError::new(&shown, e))?;
        let metadata = ArrowReaderMetadata::load(&handle, ArrowReaderOptions::new())
            .map_err(|e| TableError::new(&shown, format!("not a whole Parquet file (truncated or damaged): {e}")))?;
        let (found, left_out) = arrow::fields(metadata.schema(), &shown);
        let mask_of =
            |name: &str| found.iter().find(|(_, f)| f.kind == Kind::Bool && f.name.strip_suffix(".mask") == Some(name)).map(|f| f.0);
        let by_astropy = metadata.schema().metadata().contains_key("table_meta_yaml");
        let masks: Vec<Option<usize>> = found.iter().map(|(_, f)| mask_of(&f.name).filter(|_| by_astropy)).collect();
        let kept: Vec<usize> = (0..found.len()).filter(|&k| !masks.contains(&Some(found[k].0))).collect();
        let places = kept.iter().map(|&k| found[k].0).collect();
        let fields: Vec<Field> = kept.iter().map(|&k| found[k].1.clone()).collect();
        let masks = kept.iter().map(|&k| masks[k]).collect();
        let mut start = 0;
        let groups = (0..metadata.metadata().num_row_groups())
            .map(|k| {
                let first = start;
                start += metadata.metadata().row_group(k).num_rows().max(0) as u64;
                (k, first)
            })
            .collect();
        let chosen = (0..fields.len()).collect();
        Ok(Self {
            file: path.into(),
            metadata,
            places,
            masks,
            heading: Heading { path: shown, format: Format::Parquet, fields, left_out },
            chosen,
            groups,
            next_group: 0,
            open: None,
            next: 0,
        })
    }

    /// Leaves out row groups in which a whole-number column lies outside all ranges, by the file's statistics. Rows of the groups
    /// that stay may lie outside still.
    pub fn only_groups_within(&mut self, column: &str, ranges: &[Range<u64>]) {
        let metadata = self.metadata.metadata().clone();
        let Some(place) = self.metadata.parquet_schema().columns().iter().position(|c| c.path().string() == column) else { return };
        self.groups.retain(|(group, _)| {
            let bounds = match metadata.row_group(*group).column(place).statistics() {
                Some(Statistics::Int64(s)) => s.min_opt().zip(s.max_opt()).map(|(a, b)| (*a as u64, *b as u64)),
                _ => None,
            };
            bounds.is_none_or(|(low, high)| ranges.iter().any(|r| r.start <= high && low < r.end))
        });
    }

    /// Row groups that will be read, of those there are.
    #[must_use]
    pub fn groups(&self) -> (usize, usize) {
        (self.groups.len(), self.metadata.metadata().num_row_groups())
    }

    /// Places of the columns that are read, each once: the reader gives them in the order of the file.
    fn order(&self) -> Vec<usize> {
        let mut order: Vec<usize> = self.chosen.iter().flat_map(|&k| [Some(self.places[k]), self.masks[k]]).flatten().collect();
        order.sort_unstable();
        order.dedup();
        order
    }

    fn reader(&self, group: usize) -> Result<ParquetRecordBatchReader, TableError> {
        let handle = File::open(&self.file).map_err(|e| TableError::new(&self.heading.path, e))?;
        let mask = ProjectionMask::roots(self.metadata.parquet_schema(), self.order());
        ParquetRecordBatchReaderBuilder::new_with_metadata(handle, self.metadata.clone())
            .with_projection(mask)
            .with_row_groups(vec![group])
            .with_batch_size(CHUNK_ROWS)
            .build()
            .map_err(|e| TableError::new(&self.heading.path, format!("row group {group}: {e}")))
    }
}

impl RowSource for ParquetSource {
    fn heading(&self) -> &Heading {
        &self.heading
    }
    fn rows(&self) -> Option<u64> {
        Some(self.metadata.metadata().file_metadata().num_rows().max(0) as u64)
    }
    fn select(&mut self, columns: &[usize]) -> Result<(), TableError> {
        self.chosen = columns.to_vec();
        (self.next_group, self.next, self.open) = (0, 0, None);
        Ok(())
    }
    fn next_chunk(&mut self) -> Result<Option<Chunk>, TableError> {
        loop {
            if self.open.is_none() {
                let Some(&(group, first)) = self.groups.get(self.next_group) else { return Ok(None) };
                self.open = Some(self.reader(group)?);
                self.next = first;
                self.next_group += 1;
            }
            let Some(batch) = self.open.as_mut().and_then(Iterator::next) else {
                self.open = None;
                continue;
            };
            let fault = |e: &dyn std::fmt::Display| {
                TableError::new(&self.heading.path, format!("after row {}: damaged or truncated: {e}", self.next))
            };
            let batch = batch.map_err(|e| fault(&e))?;
            let order = self.order();
            let get = |place: usize| {
                let at = order.binary_search(&place).map_err(|_| fault(&"a column is missing"))?;
                arrow::cells(batch.column(at).as_ref()).ok_or_else(|| fault(&"a column changed its type"))
            };
            let mut columns = Vec::with_capacity(self.chosen.len());
            for &k in &self.chosen {
                let mut cells = get(self.places[k])?;
                if let Some(mask) = self.masks[k] {
                    let mask = get(mask)?;
                    (0..batch.num_rows()).filter(|&row| mask.number(row) == 1.0).for_each(|row| cells.mark_missing(row));
                    if !cells.missing.is_empty() {
                        cells.missing.resize(batch.num_rows(), false);
                    }
                }
                columns.push(cells);
            }
            let chunk = Chunk { first_row: self.next, rows: batch.num_rows(), columns };
            self.next += batch.num_rows() as u64;
            return Ok(Some(chunk));
        }
    }
}
