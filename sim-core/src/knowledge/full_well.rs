//! What calibration knows of the charge that pixels hold.

use super::Measured;
use serde::{Deserialize, Serialize};

/// The full well of the pixels that one amplifier reads.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct FullWell {
    /// Mean charge of a full pixel \[electron\].
    pub capacity: Measured,
    /// Standard deviation over full pixels of one frame, read noise included \[electron\].
    pub scatter_electron: f64,
}

/// The full wells of a detector, by amplifier number.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct FullWells {
    /// `None`: no flat reached it, as where the converter stops before.
    pub amplifiers: Vec<Option<FullWell>>,
}
