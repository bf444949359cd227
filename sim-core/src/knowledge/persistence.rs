//! What calibration knows of persistence.

use super::Measured;

/// Traps that hold on to charge after a pixel was full.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct HeldCharge {
    /// Charge that a full pixel leaves behind \[electron\].
    pub electrons: Measured,
    /// Release time \[s\].
    pub release_s: Measured,
}

/// The law of persistence of one detector.
#[derive(Debug, Clone, PartialEq)]
pub struct PersistenceKnowledge {
    /// Kinds of traps, the fastest first.
    pub species: Vec<HeldCharge>,
}

/// Pixels of one earlier raw frame of the same detector and window that were full.
#[derive(Debug, Clone, PartialEq)]
pub struct FullBefore {
    /// From the end of that exposure to the start of the frame being reduced \[s\].
    pub since_s: f64,
    /// Pixels: row times columns of the window, plus column; ascending.
    pub pixels: Vec<u32>,
}
