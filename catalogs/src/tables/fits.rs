//! FITS binary tables by ranges of rows.

use super::{CHUNK_ROWS, Cells, Chunk, Field, Format, Heading, Kind, RowSource, TableError};
use sim_core::fits::TableRows;
use sim_core::table::ColumnData;
use std::path::Path;

pub(super) struct FitsSource {
    heading: Heading,
    table: TableRows,
    chosen: Vec<usize>,
    next: usize,
}

impl FitsSource {
    pub(super) fn open(path: &Path) -> Result<Self, TableError> {
        let table = TableRows::open(path)?;
        let fields: Vec<Field> = table
            .columns()
            .iter()
            .map(|c| {
                let kind = match c.kind {
                    ColumnData::F64(_) => Kind::Float64,
                    ColumnData::F32(_) => Kind::Float32,
                    ColumnData::I64(_) => Kind::Int64,
                    ColumnData::I32(_) if c.logical => Kind::Bool,
                    ColumnData::I32(_) => Kind::Int32,
                    ColumnData::Text(_) => Kind::Text,
                };
                Field::new(&c.name, &c.unit, kind)
            })
            .collect();
        let chosen = (0..fields.len()).collect();
        let left_out = table.left_out().to_vec();
        let heading = Heading { path: path.display().to_string(), format: Format::Fits, fields, left_out };
        Ok(Self { heading, table, chosen, next: 0 })
    }
}

impl RowSource for FitsSource {
    fn heading(&self) -> &Heading {
        &self.heading
    }
    fn rows(&self) -> Option<u64> {
        Some(self.table.rows() as u64)
    }
    fn select(&mut self, columns: &[usize]) -> Result<(), TableError> {
        self.chosen = columns.to_vec();
        self.next = 0;
        Ok(())
    }
    fn next_chunk(&mut self) -> Result<Option<Chunk>, TableError> {
        let rows = CHUNK_ROWS.min(self.table.rows() - self.next);
        if rows == 0 {
            return Ok(None);
        }
        let mut columns = Vec::with_capacity(self.chosen.len());
        for &k in &self.chosen {
            let mut cells = Cells::whole(self.table.read(k, self.next, rows)?);
            if let Some(null) = self.table.columns()[k].null {
                let missing: Vec<usize> = match &cells.data {
                    ColumnData::I64(v) => v.iter().enumerate().filter(|(_, x)| **x == null).map(|(r, _)| r).collect(),
                    ColumnData::I32(v) => v.iter().enumerate().filter(|(_, x)| i64::from(**x) == null).map(|(r, _)| r).collect(),
                    _ => Vec::new(),
                };
                missing.into_iter().for_each(|row| cells.mark_missing(row));
                if !cells.missing.is_empty() {
                    cells.missing.resize(rows, false);
                }
            }
            columns.push(cells);
        }
        let chunk = Chunk { first_row: self.next as u64, rows, columns };
        self.next += rows;
        Ok(Some(chunk))
    }
}
