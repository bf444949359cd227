//! Between Arrow's arrays, in which Parquet is read and written, and ours.

use super::{Cells, Field, Kind, TableError};
use arrow_array::cast::AsArray;
use arrow_array::types::{
    Float16Type, Float32Type, Float64Type, Int8Type, Int16Type, Int32Type, Int64Type, UInt8Type, UInt16Type, UInt32Type, UInt64Type,
};
use arrow_array::{Array, ArrayRef, ArrowPrimitiveType, BooleanArray, Float32Array, Float64Array, Int32Array, Int64Array, StringArray};
use arrow_buffer::NullBuffer;
use arrow_schema::DataType;
use sim_core::table::ColumnData;
use std::collections::HashMap;
use std::sync::Arc;

/// Type of a column; `None` for what cannot be held.
pub(super) fn kind(data_type: &DataType) -> Option<Kind> {
    Some(match data_type {
        DataType::Boolean => Kind::Bool,
        DataType::Int8 | DataType::Int16 | DataType::Int32 | DataType::UInt8 | DataType::UInt16 => Kind::Int32,
        DataType::Int64 | DataType::UInt32 | DataType::UInt64 => Kind::Int64,
        DataType::Float16 | DataType::Float32 => Kind::Float32,
        DataType::Float64 => Kind::Float64,
        DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View => Kind::Text,
        DataType::Dictionary(_, values) if matches!(**values, DataType::Utf8 | DataType::LargeUtf8) => Kind::Text,
        _ => return None,
    })
}

/// The values of an array; where it is null, NaN, 0 or an empty text, with a flag.
pub(super) fn cells(array: &dyn Array) -> Option<Cells> {
    let mut cells = Cells::whole(match array.data_type() {
        DataType::Boolean => {
            let values = array.as_boolean();
            ColumnData::I32((0..values.len()).map(|k| i32::from(values.is_valid(k) && values.value(k))).collect())
        }
        DataType::Int8 => ColumnData::I32(mapped::<Int8Type, _>(array, i32::from)),
        DataType::Int16 => ColumnData::I32(mapped::<Int16Type, _>(array, i32::from)),
        DataType::UInt8 => ColumnData::I32(mapped::<UInt8Type, _>(array, i32::from)),
        DataType::UInt16 => ColumnData::I32(mapped::<UInt16Type, _>(array, i32::from)),
        DataType::Int32 => ColumnData::I32(array.as_primitive::<Int32Type>().values().to_vec()),
        DataType::Int64 => ColumnData::I64(array.as_primitive::<Int64Type>().values().to_vec()),
        DataType::UInt32 => ColumnData::I64(mapped::<UInt32Type, _>(array, i64::from)),
        DataType::UInt64 => return Some(unsigned(array)),
        DataType::Float16 => ColumnData::F32(mapped::<Float16Type, _>(array, f32::from)),
        DataType::Float32 => ColumnData::F32(array.as_primitive::<Float32Type>().values().to_vec()),
        DataType::Float64 => ColumnData::F64(array.as_primitive::<Float64Type>().values().to_vec()),
        DataType::Utf8 => ColumnData::Text(array.as_string::<i32>().iter().map(owned).collect()),
        DataType::LargeUtf8 => ColumnData::Text(array.as_string::<i64>().iter().map(owned).collect()),
        DataType::Utf8View => ColumnData::Text(array.as_string_view().iter().map(owned).collect()),
        DataType::Dictionary(_, _) => {
            let dictionary = array.as_any_dictionary();
            if dictionary.values().is_empty() {
                // All are null.
                return Some(Cells {
                    missing: vec![true; array.len()],
                    ..Cells::whole(ColumnData::Text(vec![String::new(); array.len()]))
                });
            }
            let Cells { data: ColumnData::Text(words), .. } = cells(dictionary.values().as_ref())? else { return None };
            let valid = |k: usize| dictionary.keys().is_valid(k);
            let keys = dictionary.normalized_keys();
            ColumnData::Text(keys.iter().enumerate().map(|(k, key)| if valid(k) { words[*key].clone() } else { String::new() }).collect())
        }
        _ => return None,
    });
    if let Some(nulls) = array.nulls().filter(|n| n.null_count() > 0) {
        cells.missing = nulls.iter().map(|valid| !valid).collect();
        for (row, _) in cells.missing.iter().enumerate().filter(|(_, missing)| **missing) {
            match &mut cells.data {
                ColumnData::F64(v) => v[row] = f64::NAN,
                ColumnData::F32(v) => v[row] = f32::NAN,
                ColumnData::I64(v) => v[row] = 0,
                ColumnData::I32(v) => v[row] = 0,
                ColumnData::Text(_) => {}
            }
        }
    }
    Some(cells)
}

fn owned(text: Option<&str>) -> String {
    text.unwrap_or_default().into()
}

fn mapped<T: ArrowPrimitiveType, O>(array: &dyn Array, f: impl Fn(T::Native) -> O) -> Vec<O> {
    array.as_primitive::<T>().values().iter().map(|v| f(*v)).collect()
}

/// Unsigned 64-bit numbers: those beyond 2^63 cannot be held.
fn unsigned(array: &dyn Array) -> Cells {
    let values = array.as_primitive::<UInt64Type>();
    let mut cells = Cells::whole(ColumnData::I64(values.values().iter().map(|v| i64::try_from(*v).unwrap_or(0)).collect()));
    for row in 0..values.len() {
        if values.is_null(row) {
            cells.mark_missing(row);
        } else if i64::try_from(values.value(row)).is_err() {
            cells.odd.push((row, values.value(row).to_string()));
            cells.mark_missing(row);
        }
    }
    if !cells.missing.is_empty() {
        cells.missing.resize(values.len(), false);
    }
    cells
}

/// The columns of an Arrow schema that can be held, with their places in it, and those that cannot.
pub(super) fn fields(schema: &arrow_schema::Schema, path: &str) -> (Vec<(usize, Field)>, Vec<String>) {
    let (mut fields, mut left_out) = (Vec::new(), Vec::new());
    let stated = stated_units(schema, path);
    for (place, field) in schema.fields().iter().enumerate() {
        match kind(field.data_type()) {
            Some(kind) => {
                let own = |keys: &[&str]| keys.iter().find_map(|k| field.metadata().get(k).cloned());
                let known = stated.get(field.name());
                let unit = own(&["unit", "units"]).or_else(|| known.map(|f| f.unit.clone())).unwrap_or_default();
                let description = own(&["description"]).or_else(|| known.map(|f| f.description.clone())).unwrap_or_default();
                fields.push((place, Field { name: field.name().clone(), unit, kind, description }));
            }
            None => left_out.push(format!("{} ({})", field.name(), field.data_type())),
        }
    }
    (fields, left_out)
}

/// Units that stand in the file's own metadata: astropy's ECSV header, or the header of a `VOTable` (`VOParquet`).
fn stated_units(schema: &arrow_schema::Schema, path: &str) -> HashMap<String, Field> {
    let metadata = schema.metadata();
    let by_name = |fields: Vec<Field>| fields.into_iter().map(|f| (f.name.clone(), f)).collect();
    if let Some(header) = metadata.get("table_meta_yaml").and_then(|yaml| super::ecsv::parse(yaml, path).ok()) {
        return by_name(header.fields);
    }
    metadata
        .get("IVOA.VOTable-Parquet.content")
        .and_then(|text| super::votable::fields_of(text, path).ok())
        .map_or_else(HashMap::new, by_name)
}

/// The schema of a file with these columns.
pub(super) fn schema(fields: &[Field]) -> arrow_schema::Schema {
    let columns: Vec<arrow_schema::Field> = fields
        .iter()
        .map(|f| {
            let data_type = match f.kind {
                Kind::Float64 => DataType::Float64,
                Kind::Float32 => DataType::Float32,
                Kind::Int64 => DataType::Int64,
                Kind::Int32 => DataType::Int32,
                Kind::Bool => DataType::Boolean,
                Kind::Text => DataType::Utf8,
            };
            let entries = [("unit", &f.unit), ("description", &f.description)].into_iter().filter(|(_, v)| !v.is_empty());
            arrow_schema::Field::new(&f.name, data_type, true)
                .with_metadata(entries.map(|(k, v)| (k, v.clone())).collect::<arrow_schema::Metadata>())
        })
        .collect();
    arrow_schema::Schema::new(columns)
}

/// An array of the cells.
pub(super) fn array(mut cells: Cells, kind: Kind) -> Result<ArrayRef, TableError> {
    if !cells.missing.is_empty() {
        cells.missing.resize(cells.data.len(), false);
    }
    let nulls = (!cells.missing.is_empty()).then(|| NullBuffer::from(cells.missing.iter().map(|m| !m).collect::<Vec<bool>>()));
    Ok(match (cells.data, kind) {
        (ColumnData::F64(v), _) => Arc::new(Float64Array::new(v.into(), nulls)),
        (ColumnData::F32(v), _) => Arc::new(Float32Array::new(v.into(), nulls)),
        (ColumnData::I64(v), _) => Arc::new(Int64Array::new(v.into(), nulls)),
        (ColumnData::I32(v), Kind::Bool) => Arc::new(BooleanArray::new(v.iter().map(|x| *x != 0).collect::<Vec<bool>>().into(), nulls)),
        (ColumnData::I32(v), _) => Arc::new(Int32Array::new(v.into(), nulls)),
        (ColumnData::Text(v), _) => {
            let missing = |k: usize| cells.missing.get(k).copied().unwrap_or(false);
            Arc::new(v.iter().enumerate().map(|(k, text)| (!missing(k)).then_some(text.as_str())).collect::<StringArray>())
        }
    })
}
