//! HDF5: groups whose data sets are columns.
//!
//! The official Cycle 9 input has a group for each HEALPix cell with one data set for each column; such groups follow each other in the
//! order of their names, numbers by their value.

use super::{CHUNK_ROWS, Cells, Chunk, Field, Format, Heading, Kind, Place, RowSource, TableError};
use hdf5_reader::group::Group;
use hdf5_reader::{Dataset, Datatype, Hdf5File, SliceInfo, SliceInfoElem};
use sim_core::table::ColumnData;
use std::path::Path;

/// Columns that a two-dimensional data set may have.
const WIDEST: u64 = 64;

/// A column: the data set and, of two dimensions, which of its columns.
#[derive(Debug, Clone, PartialEq)]
struct Column {
    data_set: String,
    part: Option<u64>,
}

pub(super) struct Hdf5Source {
    heading: Heading,
    file: Hdf5File,
    /// Groups with the table's columns, and their rows.
    groups: Vec<(String, u64)>,
    columns: Vec<Column>,
    chosen: Vec<usize>,
    /// Group and row that come next.
    at: (usize, u64),
    /// Group and row of the last chunk, and its row in the whole.
    last: (usize, u64, u64),
    given: u64,
}

/// Columns of a group, rows, and what cannot be read; `None` when it is no table.
type Table = (Vec<Column>, Vec<Field>, Vec<String>, u64);

impl Hdf5Source {
    pub(super) fn open(path: &Path) -> Result<Self, TableError> {
        let shown = path.display().to_string();
        let fault = |e: &dyn std::fmt::Display| TableError::new(&shown, format!("HDF5: {e}"));
        let file = Hdf5File::open(path).map_err(|e| fault(&e))?;
        let root = file.root_group().map_err(|e| fault(&e))?;
        let mut found: Vec<(String, Table)> = Vec::new();
        walk(&root, "", 0, &mut found).map_err(|e| fault(&e))?;
        let Some((_, first)) = found.first().cloned() else { return Err(fault(&"no group with data sets of one length")) };
        let (columns, fields, left_out, _) = first;
        let mut groups = Vec::new();
        for (name, (own, own_fields, _, rows)) in found {
            if own != columns || own_fields.iter().map(|f| f.kind).ne(fields.iter().map(|f| f.kind)) {
                return Err(fault(&format!(
                    "group {name} has other columns than group {}",
                    groups.first().map_or("", |g: &(String, u64)| &g.0)
                )));
            }
            groups.push((name, rows));
        }
        let chosen = (0..fields.len()).collect();
        let heading = Heading { path: shown, format: Format::Hdf5, fields, left_out };
        Ok(Self { heading, file, groups, columns, chosen, at: (0, 0), last: (0, 0, 0), given: 0 })
    }

    fn cells(&self, group: &str, column: usize, first: u64, rows: u64) -> Result<Cells, TableError> {
        let Column { data_set, part } = &self.columns[column];
        let fault = |e: &dyn std::fmt::Display| TableError::new(&self.heading.path, format!("HDF5: data set {group}/{data_set}: {e}"));
        let set = self.file.dataset(&format!("{group}/{data_set}")).map_err(|e| fault(&e))?;
        let mut selections = vec![SliceInfoElem::Slice { start: first, end: first + rows, step: 1 }];
        if let Some(part) = part {
            selections.push(SliceInfoElem::Index(*part));
        }
        let range = SliceInfo { selections };
        macro_rules! read {
            ($type:ty) => {
                set.read_slice::<$type>(&range).map_err(|e| fault(&e))?.into_iter()
            };
        }
        let data = match (self.heading.fields[column].kind, set.dtype()) {
            (Kind::Float64, _) => ColumnData::F64(read!(f64).collect()),
            (Kind::Float32, _) => ColumnData::F32(read!(f32).collect()),
            (Kind::Int64, Datatype::FixedPoint { size: 8, signed: true, .. }) => ColumnData::I64(read!(i64).collect()),
            (Kind::Int64, Datatype::FixedPoint { size: 8, .. }) => {
                let values: Vec<u64> = read!(u64).collect();
                let mut cells = Cells::whole(ColumnData::I64(values.iter().map(|v| i64::try_from(*v).unwrap_or(0)).collect()));
                for (row, value) in values.iter().enumerate().filter(|(_, v)| i64::try_from(**v).is_err()) {
                    cells.odd.push((row, value.to_string()));
                    cells.mark_missing(row);
                }
                if !cells.missing.is_empty() {
                    cells.missing.resize(values.len(), false);
                }
                return Ok(cells);
            }
            (Kind::Int64, _) => ColumnData::I64(read!(u32).map(i64::from).collect()),
            (_, Datatype::FixedPoint { size: 4, .. }) => ColumnData::I32(read!(i32).collect()),
            (_, Datatype::FixedPoint { size: 2, signed: true, .. }) => ColumnData::I32(read!(i16).map(i32::from).collect()),
            (_, Datatype::FixedPoint { size: 2, .. }) => ColumnData::I32(read!(u16).map(i32::from).collect()),
            (_, Datatype::FixedPoint { signed: true, .. }) => ColumnData::I32(read!(i8).map(i32::from).collect()),
            _ => ColumnData::I32(read!(u8).map(i32::from).collect()),
        };
        Ok(Cells::whole(data))
    }
}

/// Collects the groups that are tables, numbers by their value.
fn walk(group: &Group, path: &str, depth: usize, found: &mut Vec<(String, Table)>) -> Result<(), String> {
    if depth > 16 {
        return Err("groups deeper than 16".into());
    }
    let (mut groups, sets) = group.members().map_err(|e| e.to_string())?;
    if let Some(table) = table(&sets) {
        found.push((path.to_string(), table));
    }
    groups.sort_by_key(|g| (last_name(g.name()).parse::<u64>().ok(), g.name().to_string()));
    for group in groups {
        walk(&group, &format!("{path}/{}", last_name(group.name())), depth + 1, found)?;
    }
    Ok(())
}

/// The name without the groups above.
fn last_name(name: &str) -> &str {
    name.rsplit('/').next().unwrap_or_default()
}

fn table(sets: &[Dataset]) -> Option<Table> {
    let rows = *sets.first()?.shape().first()?;
    if sets.iter().any(|s| s.shape().first() != Some(&rows)) {
        return None;
    }
    let (mut columns, mut fields, mut left_out) = (Vec::new(), Vec::new(), Vec::new());
    let mut sets: Vec<&Dataset> = sets.iter().collect();
    sets.sort_by(|a, b| a.name().cmp(b.name()));
    for set in sets {
        let name = last_name(set.name()).to_string();
        let word = |key: &str| set.attribute(key).ok().and_then(|a| a.read_string().ok());
        let unit = word("unit").or_else(|| word("units")).unwrap_or_default();
        let kind = match set.dtype() {
            Datatype::FloatingPoint { size: 8, .. } => Some(Kind::Float64),
            Datatype::FloatingPoint { size: 4, .. } => Some(Kind::Float32),
            Datatype::FixedPoint { size: 8, .. } | Datatype::FixedPoint { size: 4, signed: false, .. } => Some(Kind::Int64),
            Datatype::FixedPoint { size: 1 | 2 | 4, .. } => Some(Kind::Int32),
            _ => None,
        };
        match (kind, set.shape()) {
            (Some(kind), [_]) => {
                columns.push(Column { data_set: name.clone(), part: None });
                fields.push(Field::new(&name, &unit, kind));
            }
            (Some(kind), [_, width]) if *width <= WIDEST => {
                for part in 0..*width {
                    columns.push(Column { data_set: name.clone(), part: Some(part) });
                    fields.push(Field::new(&format!("{name}_{}", part + 1), &unit, kind));
                }
            }
            (_, shape) => left_out.push(format!("{name} (shape {shape:?})")),
        }
    }
    (!columns.is_empty()).then_some((columns, fields, left_out, rows))
}

impl RowSource for Hdf5Source {
    fn heading(&self) -> &Heading {
        &self.heading
    }
    fn rows(&self) -> Option<u64> {
        Some(self.groups.iter().map(|g| g.1).sum())
    }
    fn select(&mut self, columns: &[usize]) -> Result<(), TableError> {
        self.chosen = columns.to_vec();
        (self.at, self.given) = ((0, 0), 0);
        Ok(())
    }
    fn next_chunk(&mut self) -> Result<Option<Chunk>, TableError> {
        let (mut group, mut first) = self.at;
        while group < self.groups.len() && first >= self.groups[group].1 {
            (group, first) = (group + 1, 0);
        }
        let Some((name, all)) = self.groups.get(group).cloned() else { return Ok(None) };
        let rows = (CHUNK_ROWS as u64).min(all - first);
        let columns = self.chosen.iter().map(|&k| self.cells(&name, k, first, rows)).collect::<Result<Vec<_>, _>>()?;
        self.at = (group, first + rows);
        self.last = (group, first, self.given);
        self.given += rows;
        Ok(Some(Chunk { first_row: self.last.2, rows: rows as usize, columns }))
    }
    fn place(&self, row: u64) -> Place {
        let (group, first, start) = self.last;
        let name = self.groups.get(group).map_or("", |g| &g.0);
        let colon = if name.is_empty() { "" } else { ":" };
        Place { path: format!("{}{colon}{name}", self.heading.path), row: first + row.saturating_sub(start) + 1 }
    }
}
