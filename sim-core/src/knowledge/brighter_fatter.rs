//! What calibration knows of the shift of pixel boundaries with charge.

use super::Measured;
use serde::{Deserialize, Serialize};

/// Shifts of pixel boundaries towards a charge, and how often the correction is run.
///
/// `between_columns[k][l]`: shift of a boundary between two columns by a charge k + 1/2 columns and l rows away
/// \[pixel / electron\], mean over the length of the boundary; `between_rows[k][l]`: of a boundary between two rows, k + 1/2 rows
/// and l columns away. Beyond the tables the shift is 0.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct BoundaryKnowledge {
    /// Boundaries between columns.
    pub between_columns: Vec<Vec<f64>>,
    /// Boundaries between rows.
    pub between_rows: Vec<Vec<f64>>,
    /// Relative change of a pixel's area by its own charge \[1 / electron\]: negative.
    pub self_area: Measured,
    /// Charge a pixel can hold: more of it shifts no boundary \[electron\].
    pub capacity_electron: f64,
    /// Rounds of the correction.
    pub iterations: usize,
}
