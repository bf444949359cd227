//! What calibration knows of ghosts.

use super::Measured;
use serde::{Deserialize, Serialize};

/// One ghost of every star: a disc beside it. Measured in pixels of the detector, about its point on the optical axis
/// (CRPIX of the header): a star at (x, y) has its disc at x + shift_x + slope (x - axis_x), and the same in y.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct GhostPath {
    /// Radius of the disc \[pixel\].
    pub radius: Measured,
    /// Shift along x that all stars have \[pixel\].
    pub shift_x: Measured,
    /// The same along y \[pixel\].
    pub shift_y: Measured,
    /// Shift per pixel of distance from the axis \[1\].
    pub slope: Measured,
}

/// The ghosts of a detector.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct GhostKnowledge {
    /// Point on the optical axis, 0-based pixels of the detector (x, y); it may lie off the detector.
    pub axis: (f64, f64),
    /// One entry per pair of reflecting surfaces.
    pub paths: Vec<GhostPath>,
}

impl GhostPath {
    /// Centre of the disc of a star at (x, y) \[0-based detector pixels\].
    #[must_use]
    pub fn centre(&self, axis: (f64, f64), x: f64, y: f64) -> (f64, f64) {
        let slope = self.slope.value;
        (x + self.shift_x.value + slope * (x - axis.0), y + self.shift_y.value + slope * (y - axis.1))
    }
}
