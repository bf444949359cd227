//! Parquet files: units and descriptions in the metadata of each column.

use super::{Cells, Field, TableError, arrow};
use arrow_array::RecordBatch;
use parquet::arrow::ArrowWriter;
use parquet::basic::{Compression, ZstdLevel};
use parquet::file::properties::WriterProperties;
use std::fs::File;
use std::path::Path;
use std::sync::Arc;

/// Rows of a row group: what a small selection reads at least.
const GROUP_ROWS: usize = 65_536;

/// A Parquet file that is being written.
pub struct ParquetSink {
    path: String,
    fields: Vec<Field>,
    schema: Arc<arrow_schema::Schema>,
    writer: ArrowWriter<File>,
}

impl ParquetSink {
    /// Begins a file. The same rows give the same bytes.
    ///
    /// # Errors
    /// When it cannot be created.
    pub fn create(path: &Path, fields: &[Field]) -> Result<Self, TableError> {
        let shown = path.display().to_string();
        let file = File::create(path).map_err(|e| TableError::new(&shown, e))?;
        let schema = Arc::new(arrow::schema(fields));
        // Zstandard's level 1 unpacks as fast as level 3 and packs faster; numbers gain nothing from dictionaries.
        let level = ZstdLevel::try_new(1).map_err(|e| TableError::new(&shown, e))?;
        let properties = WriterProperties::builder()
            .set_compression(Compression::ZSTD(level))
            .set_dictionary_enabled(false)
            .set_max_row_group_row_count(Some(GROUP_ROWS))
            .set_created_by(concat!("skyloop ", env!("CARGO_PKG_VERSION")).into())
            .build();
        let writer = ArrowWriter::try_new(file, schema.clone(), Some(properties)).map_err(|e| TableError::new(&shown, e))?;
        Ok(Self { path: shown, fields: fields.to_vec(), schema, writer })
    }

    /// Appends rows: a column of cells for each field.
    ///
    /// # Errors
    /// When the disk is full, or the columns are not those of the file.
    pub fn write(&mut self, columns: Vec<Cells>) -> Result<(), TableError> {
        let arrays = columns.into_iter().zip(&self.fields).map(|(cells, f)| arrow::array(cells, f.kind)).collect::<Result<Vec<_>, _>>()?;
        let batch = RecordBatch::try_new(self.schema.clone(), arrays).map_err(|e| TableError::new(&self.path, e))?;
        self.writer.write(&batch).map_err(|e| TableError::new(&self.path, e))
    }

    /// Writes the footer; without it the file is truncated.
    ///
    /// # Errors
    /// When the disk is full.
    pub fn finish(self) -> Result<(), TableError> {
        let path = self.path;
        self.writer.close().map(|_| ()).map_err(|e| TableError::new(path, e))
    }
}
