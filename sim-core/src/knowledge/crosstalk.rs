//! What calibration knows of crosstalk.

use super::Measured;
use serde::{Deserialize, Serialize};

/// The leak of every output into every other.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct CrosstalkKnowledge {
    /// Amplifiers of the detector.
    pub amplifiers: usize,
    /// Signal of the victim over that of the source \[1\], `[victim * amplifiers + source]`; 0 between a source and itself.
    pub coefficients: Vec<Measured>,
}
