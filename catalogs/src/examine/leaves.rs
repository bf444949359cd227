//! The cells of a partition: as large as the number of rows allows.

use crate::tables::CellId;

/// The finest order of a partition's cells: 6.9 arcmin wide.
pub(super) const DEEPEST: u8 = 9;

/// Rows by cell of the finest order.
pub(super) struct Counts(Vec<u32>);

impl Counts {
    pub(super) fn new() -> Self {
        Self(vec![0; 12 << (2 * DEEPEST)])
    }
    /// Counts a row by its number of order 29.
    pub(super) fn add(&mut self, number: u64) {
        let cell = &mut self.0[(number >> (2 * (29 - DEEPEST))) as usize];
        *cell = cell.saturating_add(1);
    }
    /// The coarsest cells that hold at most `most_rows` rows each, those without rows left out.
    pub(super) fn leaves(&self, most_rows: u64) -> Leaves {
        let mut sums: Vec<Vec<u64>> = vec![self.0.iter().map(|c| u64::from(*c)).collect()];
        for _ in 0..DEEPEST {
            let next = sums[0].chunks_exact(4).map(|four| four.iter().sum()).collect();
            sums.insert(0, next);
        }
        let mut leaves = Leaves { cells: Vec::new(), rows: Vec::new(), of_finest: vec![u32::MAX; self.0.len()] };
        for base in 0..12 {
            leaves.split(CellId { order: 0, pixel: base }, &sums, most_rows);
        }
        leaves
    }
}

pub(super) struct Leaves {
    pub(super) cells: Vec<CellId>,
    pub(super) rows: Vec<u64>,
    of_finest: Vec<u32>,
}

impl Leaves {
    fn split(&mut self, cell: CellId, sums: &[Vec<u64>], most_rows: u64) {
        let rows = sums[usize::from(cell.order)][cell.pixel as usize];
        if rows == 0 {
            return;
        }
        if rows > most_rows && cell.order < DEEPEST {
            for quarter in 0..4 {
                self.split(CellId { order: cell.order + 1, pixel: 4 * cell.pixel + quarter }, sums, most_rows);
            }
            return;
        }
        let finest = 1usize << (2 * (DEEPEST - cell.order));
        let first = cell.pixel as usize * finest;
        self.of_finest[first..first + finest].fill(self.cells.len() as u32);
        self.cells.push(cell);
        self.rows.push(rows);
    }
    /// The place of the cell that holds a number of order 29.
    pub(super) fn of(&self, number: u64) -> Option<usize> {
        let place = self.of_finest[(number >> (2 * (29 - DEEPEST))) as usize];
        (place != u32::MAX).then_some(place as usize)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn crowded_cells_split_and_empty_ones_are_not_there() {
        let mut counts = Counts::new();
        let number = |pixel: u64| pixel << (2 * (29 - u32::from(DEEPEST)));
        // Ten rows in one of the finest cells of base cell 3, one in each of the four of another parent of base cell 7.
        let (a, b) = (3 << (2 * DEEPEST), (7 << (2 * DEEPEST)) + 8);
        (0..10).for_each(|_| counts.add(number(a)));
        (0..4).for_each(|k| counts.add(number(b + k)));
        let leaves = counts.leaves(5);
        assert_eq!(leaves.cells, [CellId { order: DEEPEST, pixel: a }, CellId { order: 0, pixel: 7 }]);
        assert_eq!((leaves.rows.clone(), leaves.of(number(b + 2)), leaves.of(number(a + 1))), (vec![10, 4], Some(1), None));
        assert_eq!(counts.leaves(100).cells, [CellId { order: 0, pixel: 3 }, CellId { order: 0, pixel: 7 }]);
    }
}
