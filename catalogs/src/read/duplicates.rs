//! Ids that are there twice, in bounded memory: the ids are looked at in shares, one pass over their column for each.

use super::columns::{Bound, ColumnSpec, Columns};
use super::{FillReport, OnBadRow, ReadError};
use crate::tables::{Place, RowSource};

/// Ids held at a time: 16 bytes each.
const HELD: usize = 20_000_000;

/// Where the rows of a table stand, by their numbers in the whole: one entry a chunk.
#[derive(Default)]
pub(super) struct Places(Vec<(u64, Place)>);

impl Places {
    /// Takes the chunk that a table gave last.
    pub(super) fn take(&mut self, first_row: u64, table: &dyn RowSource) {
        self.0.push((first_row, table.place(first_row)));
    }
    /// File and row of a row.
    pub(super) fn of(&self, row: u64) -> Place {
        let at = self.0.partition_point(|p| p.0 <= row).max(1) - 1;
        let (first, place) = &self.0[at];
        Place { path: place.path.clone(), row: place.row + row - first }
    }
}

/// A row that had the id before, seen from another.
pub(super) fn earlier(first: &Place, second: &Place) -> String {
    if first.path == second.path { format!("row {}", first.row) } else { format!("row {} of {}", first.row, first.path) }
}

/// Counts the rows whose id an earlier one has; the first of them is an error when it says so.
pub(super) fn look(source: &mut dyn RowSource, column: usize, on_bad_row: OnBadRow, report: &mut FillReport) -> Result<(), ReadError> {
    let shares = (report.rows / HELD) as u64 + 1;
    let path = source.path().to_string();
    let name = source.fields()[column].name.clone();
    let columns = Columns { id: Some(ColumnSpec::new(&name, "1")), ..Columns::default() };
    for share in 0..shares {
        let bound = Bound::new(&columns, &columns, source.fields(), &path)?;
        source.select(&bound.chosen)?;
        let mut ids: Vec<(u64, u64)> = Vec::new();
        let mut places = Places::default();
        while let Some(chunk) = source.next_chunk()? {
            places.take(chunk.first_row, source);
            let mapped = bound.on(&chunk);
            let Some(values) = &mapped.id else { continue };
            for index in 0..chunk.rows {
                if let Some(id) = values.whole(index).filter(|id| id % shares == share) {
                    ids.push((id, chunk.first_row + index as u64));
                }
            }
        }
        ids.sort_unstable();
        let again = ids.windows(2).filter(|p| p[0].0 == p[1].0);
        for pair in again {
            let (id, first, second) = (pair[0].0, places.of(pair[0].1), places.of(pair[1].1));
            let earlier = earlier(&first, &second);
            if on_bad_row == OnBadRow::Stop {
                return Err(ReadError::DuplicateId { path: second.path, row: second.row, column: name, first: earlier, id });
            }
            report.skip(second, "an id that another row has", format!("column `{name}`: {earlier} has the same id {id}"));
            report.used = report.used.saturating_sub(1);
        }
    }
    Ok(())
}
