//! What calibration knows of the overscan.

use serde::{Deserialize, Serialize};

/// How the level of an output wanders, as bias frames show it.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct LevelWalk {
    /// Variance that the level gains from one row to the next \[adu^2\].
    pub step_adu2: f64,
    /// Variance of the mean of one row's overscan about the level \[adu^2\].
    pub row_adu2: f64,
}

/// How the overscan is to be read.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct OverscanKnowledge {
    /// First overscan columns in reading order that hold tails of the science pixels and are left out.
    pub skip_columns: usize,
    /// By amplifier number.
    pub walk: Vec<LevelWalk>,
}
