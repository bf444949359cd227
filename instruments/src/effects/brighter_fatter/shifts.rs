//! Shifts of pixel boundaries by distance from the charge, and what they do to the area of pixels.
//!
//! # Formula
//! a_ij = -[x(i, j) - x(i - 1, j)] - [y(i, j) - y(i, j - 1)]: relative change of the area of the pixel i columns and j rows from
//! a unit charge; x(i, j) outward shift of its right boundary towards the charge, odd about the charge, y of its upper one
//! # Source
//! Astier et al. 2019 (A&A 629, A36); Guyonnet et al. 2015 (A&A 575, A41).

use sim_core::knowledge::{BoundaryKnowledge, Measured};

/// Pixels on either side of a boundary whose charge moves it.
pub const REACH: usize = 4;

/// Shifts of the boundaries of one direction: `[k][l]` by a charge k + 1/2 pixels across and l pixels along the boundary away
/// \[pixel / electron\], positive towards the charge.
pub type Table = [[f64; REACH + 1]; REACH];

/// Shifts of all boundaries.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct BoundaryShifts {
    /// Boundaries between two columns.
    pub between_columns: Table,
    /// Boundaries between two rows.
    pub between_rows: Table,
}

/// Shift, away from the charge, of the boundary between pixels `k` and `k + 1` (counted from the charge), `l` along.
fn outward(table: &Table, k: isize, l: usize) -> f64 {
    let at = |k: usize| table.get(k).and_then(|row| row.get(l)).copied().unwrap_or(0.0);
    if k >= 0 { -at(k as usize) } else { at((-k - 1) as usize) }
}

impl BoundaryShifts {
    /// Relative change of the area of the pixel `i` columns and `j` rows from a charge, per electron.
    #[must_use]
    pub fn area(&self, i: usize, j: usize) -> f64 {
        let (x, y) = (i as isize, j as isize);
        outward(&self.between_columns, x, j) - outward(&self.between_columns, x - 1, j) + outward(&self.between_rows, y, i)
            - outward(&self.between_rows, y - 1, i)
    }
    /// The same shifts times a factor.
    #[must_use]
    pub fn times(&self, factor: f64) -> Self {
        let times = |table: &Table| table.map(|row| row.map(|v| factor * v));
        Self { between_columns: times(&self.between_columns), between_rows: times(&self.between_rows) }
    }
    /// What a calibration without error would know.
    #[must_use]
    pub fn knowledge(&self, capacity_electron: f64, iterations: usize) -> BoundaryKnowledge {
        let rows = |table: &Table| table.iter().map(|row| row.to_vec()).collect();
        BoundaryKnowledge {
            between_columns: rows(&self.between_columns),
            between_rows: rows(&self.between_rows),
            self_area: Measured { value: self.area(0, 0), error: 0.0 },
            capacity_electron,
            iterations,
        }
    }
    /// The shifts that calibration knows; `None` when a table is larger than [`REACH`] or a number is not finite.
    #[must_use]
    pub fn known(knowledge: &BoundaryKnowledge) -> Option<Self> {
        let table = |rows: &[Vec<f64>]| {
            let mut out = Table::default();
            for (k, row) in rows.iter().enumerate() {
                for (l, &v) in row.iter().enumerate() {
                    *out.get_mut(k)?.get_mut(l)? = v.is_finite().then_some(v)?;
                }
            }
            Some(out)
        };
        Some(Self { between_columns: table(&knowledge.between_columns)?, between_rows: table(&knowledge.between_rows)? })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn boundaries_move_area_and_make_none() {
        let mut shifts = BoundaryShifts::default();
        shifts.between_columns[0] = [4e-7, 3e-8, 1e-8, 0.0, 0.0];
        shifts.between_columns[1] = [5e-8, 1e-8, 0.0, 0.0, 0.0];
        shifts.between_rows[0] = [6e-7, 2e-8, 0.0, 0.0, 0.0];
        // All four boundaries of the charged pixel come nearer: 2 (4e-7 + 6e-7).
        assert!((shifts.area(0, 0) + 2e-6).abs() < 1e-20);
        // The next pixel of the row: its left boundary gives, its right takes, its upper and lower take 2e-8 each.
        assert!((shifts.area(1, 0) - (4e-7 - 5e-8 - 2.0 * 2e-8)).abs() < 1e-20, "{}", shifts.area(1, 0));
        let mut sum = 0.0;
        for i in 0..=REACH {
            for j in 0..=REACH {
                sum += shifts.area(i, j) * if i > 0 { 2.0 } else { 1.0 } * if j > 0 { 2.0 } else { 1.0 };
            }
        }
        assert!(sum.abs() < 1e-20, "{sum}");
    }

    #[test]
    fn knowledge_gives_the_shifts_back_and_refuses_nonsense() {
        let mut shifts = BoundaryShifts::default();
        shifts.between_columns[3][4] = 1e-9;
        let mut knowledge = shifts.knowledge(9e4, 2);
        assert_eq!(BoundaryShifts::known(&knowledge), Some(shifts));
        knowledge.between_rows[0][0] = f64::NAN;
        assert_eq!(BoundaryShifts::known(&knowledge), None);
        knowledge.between_rows = vec![vec![0.0; 9]; 9];
        assert_eq!(BoundaryShifts::known(&knowledge), None);
    }
}
