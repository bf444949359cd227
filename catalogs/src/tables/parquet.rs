//! Parquet, one row group after the other.

use super::{CHUNK_ROWS, Chunk, Field, Format, RowSource, TableError, arrow};
use parquet::arrow::ProjectionMask;
use parquet::arrow::arrow_reader::{ArrowReaderMetadata, ArrowReaderOptions, ParquetRecordBatchReader, ParquetRecordBatchReaderBuilder};
use parquet::file::statistics::Statistics;
use std::fs::File;
use std::ops::Range;
use std::path::{Path, PathBuf};

/// A Parquet file.
pub struct ParquetSource {
    file: PathBuf,
    path: String,
    metadata: ArrowReaderMetadata,
    fields: Vec<Field>,
    places: Vec<usize>,
    left_out: Vec<String>,
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
        let (places, fields): (Vec<usize>, Vec<Field>) = found.into_iter().unzip();
        let mut start = 0;
        let groups = (0..metadata.metadata().num_row_groups())
            .map(|k| {
                let first = start;
                start += metadata.metadata().row_group(k).num_rows().max(0) as u64;
                (k, first)
            })
            .collect();
        let chosen = (0..fields.len()).collect();
        Ok(Self { file: path.into(), path: shown, metadata, fields, places, left_out, chosen, groups, next_group: 0, open: None, next: 0 })
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

    fn reader(&self, group: usize) -> Result<ParquetRecordBatchReader, TableError> {
        let handle = File::open(&self.file).map_err(|e| TableError::new(&self.path, e))?;
        let mask = ProjectionMask::roots(self.metadata.parquet_schema(), self.chosen.iter().map(|&k| self.places[k]));
        ParquetRecordBatchReaderBuilder::new_with_metadata(handle, self.metadata.clone())
            .with_projection(mask)
            .with_row_groups(vec![group])
            .with_batch_size(CHUNK_ROWS)
            .build()
            .map_err(|e| TableError::new(&self.path, format!("row group {group}: {e}")))
    }
}

impl RowSource for ParquetSource {
    fn path(&self) -> &str {
        &self.path
    }
    fn format(&self) -> Format {
        Format::Parquet
    }
    fn fields(&self) -> &[Field] {
        &self.fields
    }
    fn left_out(&self) -> &[String] {
        &self.left_out
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
            let fault =
                |e: &dyn std::fmt::Display| TableError::new(&self.path, format!("after row {}: damaged or truncated: {e}", self.next));
            let batch = batch.map_err(|e| fault(&e))?;
            // The reader gives the columns in the order of the file, each once.
            let mut order: Vec<usize> = self.chosen.iter().map(|&k| self.places[k]).collect();
            order.sort_unstable();
            order.dedup();
            let mut columns = Vec::with_capacity(self.chosen.len());
            for &k in &self.chosen {
                let at = order.binary_search(&self.places[k]).map_err(|_| fault(&"a column is missing"))?;
                columns.push(arrow::cells(batch.column(at).as_ref()).ok_or_else(|| fault(&"a column changed its type"))?);
            }
            let chunk = Chunk { first_row: self.next, rows: batch.num_rows(), columns };
            self.next += batch.num_rows() as u64;
            return Ok(Some(chunk));
        }
    }
}
