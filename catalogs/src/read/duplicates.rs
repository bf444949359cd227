//! Ids that are there twice, in bounded memory: the ids are looked at in shares, one pass over their column for each.

use super::columns::{Bound, ColumnSpec, Columns};
use super::{FillReport, OnBadRow, ReadError};
use crate::tables::RowSource;

/// Ids held at a time: 16 bytes each.
const HELD: usize = 20_000_000;

/// Counts the rows whose id an earlier one has; the first of them is an error when it says so.
pub(super) fn look(source: &mut dyn RowSource, column: usize, on_bad_row: OnBadRow, report: &mut FillReport) -> Result<(), ReadError> {
    let shares = (report.rows / HELD) as u64 + 1;
    let path = source.path().to_string();
    let columns = Columns { id: Some(ColumnSpec::new(&source.fields()[column].name, "1")), ..Columns::default() };
    for share in 0..shares {
        let bound = Bound::new(&columns, &columns, source.fields(), &path)?;
        source.select(&bound.chosen)?;
        let mut ids: Vec<(u64, u64)> = Vec::new();
        while let Some(chunk) = source.next_chunk()? {
            let mapped = bound.on(&chunk);
            let Some(values) = &mapped.id else { continue };
            for index in 0..chunk.rows {
                if let Some(id) = values.whole(index).filter(|id| id % shares == share) {
                    ids.push((id, chunk.first_row + index as u64 + 1));
                }
            }
        }
        ids.sort_unstable();
        let again = ids.windows(2).filter(|p| p[0].0 == p[1].0);
        for pair in again {
            let (id, first, second) = (pair[0].0, pair[0].1, pair[1].1);
            if on_bad_row == OnBadRow::Stop {
                return Err(ReadError::DuplicateId { path, first, second, id });
            }
            let place = crate::tables::Place { path: path.clone(), row: second };
            report.skip(place, "an id that another row has", format!("row {first} has the same id {id}"));
            report.used = report.used.saturating_sub(1);
        }
    }
    Ok(())
}
