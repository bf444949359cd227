//! Plans in Parquet.

use super::{Columns, FLOATS, ID_RANGE, PlanError, VISIT_RANGE, missing};
use arrow_array::cast::AsArray;
use arrow_array::types::{Float32Type, Float64Type, Int32Type, Int64Type, UInt32Type, UInt64Type};
use arrow_array::{Array, ArrayRef, Float64Array, RecordBatch, StringArray, UInt32Array, UInt64Array};
use arrow_schema::{DataType, Field, Schema};
use parquet::arrow::ArrowWriter;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use parquet::basic::Compression;
use parquet::file::properties::WriterProperties;
use std::collections::HashMap;
use std::fs::File;
use std::path::Path;
use std::sync::Arc;

/// Whole numbers of a column of any width; none where one is missing.
fn wholes(array: &dyn Array) -> Option<Vec<Option<i128>>> {
    macro_rules! of {
        ($kind:ty) => {
            array.as_primitive_opt::<$kind>().map(|a| a.iter().map(|v| v.map(i128::from)).collect())
        };
    }
    match array.data_type() {
        DataType::Int32 => of!(Int32Type),
        DataType::Int64 => of!(Int64Type),
        DataType::UInt32 => of!(UInt32Type),
        DataType::UInt64 => of!(UInt64Type),
        _ => None,
    }
}

fn floats(array: &dyn Array) -> Option<Vec<f64>> {
    match array.data_type() {
        DataType::Float64 => array.as_primitive_opt::<Float64Type>().map(|a| a.iter().map(|v| v.unwrap_or(f64::NAN)).collect()),
        DataType::Float32 => array.as_primitive_opt::<Float32Type>().map(|a| a.iter().map(|v| v.map_or(f64::NAN, f64::from)).collect()),
        _ => wholes(array).map(|v| v.into_iter().map(|v| v.map_or(f64::NAN, |v| v as f64)).collect()),
    }
}

fn texts(array: &dyn Array) -> Option<Vec<String>> {
    let owned = |v: Option<&str>| v.unwrap_or_default().to_string();
    match array.data_type() {
        DataType::Utf8 => Some(array.as_string::<i32>().iter().map(owned).collect()),
        DataType::LargeUtf8 => Some(array.as_string::<i64>().iter().map(owned).collect()),
        DataType::Utf8View => Some(array.as_string_view().iter().map(owned).collect()),
        _ => None,
    }
}

pub(super) fn read(path: &Path, shown: &str) -> Result<Columns, PlanError> {
    let fault = |reason: String| PlanError::File { path: shown.into(), reason };
    let file = File::open(path).map_err(|e| fault(e.to_string()))?;
    let builder = ParquetRecordBatchReaderBuilder::try_new(file).map_err(|e| fault(e.to_string()))?;
    let schema = builder.schema().clone();
    let names: Vec<&str> = schema.fields().iter().map(|f| f.name().as_str()).collect();
    let mut out = Columns::default();
    for batch in builder.build().map_err(|e| fault(e.to_string()))? {
        let batch = batch.map_err(|e| fault(format!("damaged or truncated: {e}")))?;
        let first = out.obs_id.len();
        let find = |name: &str| batch.column_by_name(name).ok_or_else(|| missing(shown, name, &names));
        let kind = |name: &str, what: &str| fault(format!("column `{name}` does not hold {what}"));
        let whole = |column: &'static str, most: i128, range| -> Result<Vec<u64>, PlanError> {
            let values = wholes(find(column)?.as_ref()).ok_or_else(|| kind(column, "whole numbers"))?;
            let one = |(k, v): (usize, Option<i128>)| {
                let value = v.map_or("missing".into(), |v| v.to_string());
                let wrong = PlanError::Value { path: shown.into(), row: first + k + 1, column, value, range };
                v.filter(|v| (0..=most).contains(v)).map(|v| v as u64).ok_or(wrong)
            };
            values.into_iter().enumerate().map(one).collect()
        };
        let visits = whole("visit", u32::MAX.into(), VISIT_RANGE)?;
        out.obs_id.extend(whole("obs_id", i64::MAX.into(), ID_RANGE)?);
        out.visit.extend(visits.into_iter().map(|v| v as u32));
        for (values, (name, ..)) in out.floats.iter_mut().zip(FLOATS) {
            values.extend(floats(find(name)?.as_ref()).ok_or_else(|| kind(name, "numbers"))?);
        }
        out.programme.extend(texts(find("programme")?.as_ref()).ok_or_else(|| kind("programme", "text"))?);
    }
    Ok(out)
}

pub(super) fn write(path: &Path, shown: &str, columns: Columns) -> Result<(), PlanError> {
    let fault = |reason: String| PlanError::File { path: shown.into(), reason };
    let field = |name: &str, unit: &str, kind: DataType| {
        Field::new(name, kind, false).with_metadata(HashMap::from([("unit".to_string(), unit.to_string())]))
    };
    let mut fields = vec![field("obs_id", "", DataType::UInt64)];
    let mut arrays: Vec<ArrayRef> = vec![Arc::new(UInt64Array::from(columns.obs_id))];
    for (values, (name, unit, ..)) in columns.floats.into_iter().zip(FLOATS) {
        fields.push(field(name, unit, DataType::Float64));
        arrays.push(Arc::new(Float64Array::from(values)));
    }
    fields.extend([field("programme", "", DataType::Utf8), field("visit", "", DataType::UInt32)]);
    arrays.push(Arc::new(StringArray::from(columns.programme)));
    arrays.push(Arc::new(UInt32Array::from(columns.visit)));
    let schema = Arc::new(Schema::new(fields));
    let batch = RecordBatch::try_new(schema.clone(), arrays).map_err(|e| fault(e.to_string()))?;
    let properties = WriterProperties::builder().set_compression(Compression::SNAPPY).build();
    let mut bytes = Vec::new();
    let mut writer = ArrowWriter::try_new(&mut bytes, schema, Some(properties)).map_err(|e| fault(e.to_string()))?;
    writer.write(&batch).and_then(|()| writer.close().map(drop)).map_err(|e| fault(e.to_string()))?;
    sim_core::files::write_atomically(path, &bytes).map_err(|e| fault(e.to_string()))
}
