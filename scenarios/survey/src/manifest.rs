//! The run's manifest: a Parquet table with one row per unit, that any tool can read.

use crate::failure::SurveyError;
use arrow_array::cast::AsArray;
use arrow_array::types::{Float64Type, Int32Type, Int64Type};
use arrow_array::{Array, ArrayRef, Float64Array, Int32Array, Int64Array, RecordBatch, StringArray};
use arrow_schema::{DataType, Field, Metadata, Schema};
use parquet::arrow::ArrowWriter;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use parquet::basic::{Compression, ZstdLevel};
use parquet::file::properties::WriterProperties;
use sim_core::files::AtomicFile;
use std::path::Path;
use std::sync::Arc;

/// One unit of a run.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct UnitRow {
    /// Number in the run, from 0.
    pub index: u32,
    /// Chunk it belongs to, from 0.
    pub chunk: u32,
    /// Name for people.
    pub name: String,
    /// Observation number.
    pub obs_id: u64,
    /// Detector number.
    pub detector: u16,
    /// Right ascension of the boresight \[deg\].
    pub ra_deg: f64,
    /// Declination of the boresight \[deg\].
    pub dec_deg: f64,
    /// Position angle \[deg\].
    pub position_angle_deg: f64,
    /// Start, modified Julian date, UTC \[d\].
    pub start_mjd: f64,
    /// Exposure time \[s\].
    pub exposure_s: f64,
    /// Band.
    pub band: String,
    /// Objects expected.
    pub objects: f64,
    /// Cost expected \[core-s\].
    pub cost_s: f64,
    /// Memory expected \[MB\].
    pub memory_mb: f64,
    /// Product that the record stands beside, relative to the run's folder.
    pub path: String,
    /// Key: the same key means the same bits.
    pub key: String,
}

/// Rows of a batch in memory while reading and writing.
const BATCH: usize = 65_536;

/// A column: name, unit, and its values of some rows as an array.
type Column = (&'static str, &'static str, DataType, fn(&[UnitRow]) -> ArrayRef);

fn numbers(rows: &[UnitRow], value: fn(&UnitRow) -> f64) -> ArrayRef {
    Arc::new(Float64Array::from_iter_values(rows.iter().map(value)))
}

fn texts(rows: &[UnitRow], value: fn(&UnitRow) -> &str) -> ArrayRef {
    Arc::new(StringArray::from_iter_values(rows.iter().map(value)))
}

fn counts(rows: &[UnitRow], value: fn(&UnitRow) -> i32) -> ArrayRef {
    Arc::new(Int32Array::from_iter_values(rows.iter().map(value)))
}

const COLUMNS: [Column; 16] = [
    ("index", "", DataType::Int32, |r| counts(r, |u| u.index as i32)),
    ("chunk", "", DataType::Int32, |r| counts(r, |u| u.chunk as i32)),
    ("name", "", DataType::Utf8, |r| texts(r, |u| &u.name)),
    ("obs_id", "", DataType::Int64, |r| Arc::new(Int64Array::from_iter_values(r.iter().map(|u| u.obs_id as i64)))),
    ("detector", "", DataType::Int32, |r| counts(r, |u| i32::from(u.detector))),
    ("ra_deg", "deg", DataType::Float64, |r| numbers(r, |u| u.ra_deg)),
    ("dec_deg", "deg", DataType::Float64, |r| numbers(r, |u| u.dec_deg)),
    ("position_angle_deg", "deg", DataType::Float64, |r| numbers(r, |u| u.position_angle_deg)),
    ("start_mjd", "d", DataType::Float64, |r| numbers(r, |u| u.start_mjd)),
    ("exposure_s", "s", DataType::Float64, |r| numbers(r, |u| u.exposure_s)),
    ("band", "", DataType::Utf8, |r| texts(r, |u| &u.band)),
    ("objects", "", DataType::Float64, |r| numbers(r, |u| u.objects)),
    ("cost_s", "s", DataType::Float64, |r| numbers(r, |u| u.cost_s)),
    ("memory_mb", "MB", DataType::Float64, |r| numbers(r, |u| u.memory_mb)),
    ("path", "", DataType::Utf8, |r| texts(r, |u| &u.path)),
    ("key", "", DataType::Utf8, |r| texts(r, |u| &u.key)),
];

/// Writes a manifest: whole or not at all; the same rows give the same bytes.
///
/// # Errors
/// When the file cannot be written.
pub fn write(path: &Path, rows: &[UnitRow]) -> Result<(), SurveyError> {
    write_with(path, rows, &[])
}

/// A column that stands beside the manifest's own: name, unit, one value for each row.
pub(crate) struct Extra {
    pub name: &'static str,
    pub unit: &'static str,
    pub values: ArrayRef,
}

/// Writes the rows with more columns beside their own.
pub(crate) fn write_with(path: &Path, rows: &[UnitRow], extra: &[Extra]) -> Result<(), SurveyError> {
    let failed = |e: &dyn std::fmt::Display| SurveyError::manifest(path, e);
    let described = |name: &str, unit: &str, kind: &DataType| {
        let metadata = [("unit", unit)].into_iter().filter(|(_, v)| !v.is_empty()).collect::<Metadata>();
        Field::new(name, kind.clone(), !extra.is_empty()).with_metadata(metadata)
    };
    let own = COLUMNS.iter().map(|(name, unit, kind, _)| described(name, unit, kind));
    let schema =
        Arc::new(Schema::new(own.chain(extra.iter().map(|e| described(e.name, e.unit, e.values.data_type()))).collect::<Vec<_>>()));
    let file = AtomicFile::create(path).map_err(SurveyError::io(path))?;
    let level = ZstdLevel::try_new(1).map_err(|e| failed(&e))?;
    let properties = WriterProperties::builder()
        .set_compression(Compression::ZSTD(level))
        .set_created_by(concat!("skyloop ", env!("CARGO_PKG_VERSION")).into())
        .build();
    let mut writer = ArrowWriter::try_new(file, schema.clone(), Some(properties)).map_err(|e| failed(&e))?;
    for (k, part) in rows.chunks(BATCH).enumerate() {
        let beside = extra.iter().map(|e| e.values.slice(k * BATCH, part.len()));
        let arrays = COLUMNS.iter().map(|(_, _, _, values)| values(part)).chain(beside).collect();
        let batch = RecordBatch::try_new(schema.clone(), arrays).map_err(|e| failed(&e))?;
        writer.write(&batch).map_err(|e| failed(&e))?;
    }
    writer.into_inner().map_err(|e| failed(&e))?.commit().map_err(SurveyError::io(path))
}

/// Reads a manifest.
///
/// # Errors
/// When the file is missing, damaged, or lacks a column.
pub fn read(path: &Path) -> Result<Vec<UnitRow>, SurveyError> {
    let file = std::fs::File::open(path).map_err(SurveyError::io(path))?;
    let damaged = |e: &dyn std::fmt::Display| SurveyError::manifest(path, format!("not a whole manifest of units: {e}"));
    let reader = ParquetRecordBatchReaderBuilder::try_new(file).and_then(|b| b.with_batch_size(BATCH).build()).map_err(|e| damaged(&e))?;
    let mut rows = Vec::new();
    for batch in reader {
        let batch = batch.map_err(|e| damaged(&e))?;
        for (name, _, kind, _) in &COLUMNS {
            match batch.column_by_name(name) {
                Some(column) if column.data_type() == kind && column.null_count() == 0 => {}
                _ => return Err(damaged(&format!("column `{name}` of type {kind} without nulls is missing"))),
            }
        }
        rows.extend((0..batch.num_rows()).map(|k| row(&batch, k)));
    }
    Ok(rows)
}

/// A row of a batch whose columns were checked.
fn row(batch: &RecordBatch, k: usize) -> UnitRow {
    let number = |name: &str| batch[name].as_primitive::<Float64Type>().value(k);
    let count = |name: &str| batch[name].as_primitive::<Int32Type>().value(k);
    let text = |name: &str| batch[name].as_string::<i32>().value(k).to_string();
    UnitRow {
        index: count("index") as u32,
        chunk: count("chunk") as u32,
        name: text("name"),
        obs_id: batch["obs_id"].as_primitive::<Int64Type>().value(k) as u64,
        detector: count("detector") as u16,
        ra_deg: number("ra_deg"),
        dec_deg: number("dec_deg"),
        position_angle_deg: number("position_angle_deg"),
        start_mjd: number("start_mjd"),
        exposure_s: number("exposure_s"),
        band: text("band"),
        objects: number("objects"),
        cost_s: number("cost_s"),
        memory_mb: number("memory_mb"),
        path: text("path"),
        key: text("key"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rows(count: u32) -> Vec<UnitRow> {
        (0..count)
            .map(|index| UnitRow {
                index,
                chunk: index / 30,
                name: format!("{}/{:02}", 10_160_000_000_u64 + u64::from(index / 30), index % 30),
                obs_id: 10_160_000_000 + u64::from(index / 30),
                detector: (index % 30) as u16,
                ra_deg: 192.86 + f64::from(index),
                start_mjd: 61_582.858_310_185_2,
                cost_s: 4.6,
                band: "g".into(),
                path: format!("L0/{index}.fits"),
                key: format!("{index:064x}"),
                ..UnitRow::default()
            })
            .collect()
    }

    #[test]
    fn what_is_written_is_read_and_the_same_rows_give_the_same_bytes() {
        let folder = tempfile::tempdir().unwrap();
        let (a, b) = (folder.path().join("a.parquet"), folder.path().join("b.parquet"));
        // More than one batch.
        let rows = rows(70_000);
        write(&a, &rows).unwrap();
        write(&b, &rows).unwrap();
        assert!(read(&a).unwrap() == rows);
        assert!(std::fs::read(&a).unwrap() == std::fs::read(&b).unwrap());
    }

    #[test]
    fn a_damaged_manifest_and_a_strange_table_are_named() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("units.parquet");
        write(&path, &rows(10)).unwrap();
        let bytes = std::fs::read(&path).unwrap();
        std::fs::write(&path, &bytes[..bytes.len() / 2]).unwrap();
        let message = read(&path).unwrap_err().to_string();
        assert!(message.contains("units.parquet") && message.contains("not a whole manifest"), "{message}");
        assert!(matches!(read(&folder.path().join("none")), Err(SurveyError::Io { .. })));
    }
}
