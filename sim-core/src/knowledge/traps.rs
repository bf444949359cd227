//! What calibration knows of charge traps.

use super::Measured;
use serde::{Deserialize, Serialize};

/// One species of charge traps, as calibration measured it.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct TrapSpecies {
    /// Traps in a pixel \[1 / pixel\].
    pub density: Measured,
    /// Release time \[transfers\].
    pub release: Measured,
    /// Fraction of the volume of a pixel below the traps \[1\]: 0 for traps in the bulk.
    pub depth: f64,
    /// Capture time \[transfers\]: 0 for traps that take electrons at once.
    #[serde(default)]
    pub capture: f64,
}

/// The traps met in one direction of transfer, and how electrons fill the volume of a pixel.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TransferTraps {
    /// Species.
    pub species: Vec<TrapSpecies>,
    /// Exponent of the filled volume in the charge \[1\].
    pub exponent: f64,
    /// Charge that fills the whole volume \[electron\].
    pub full_well_electron: f64,
    /// Charge held in the notch, which meets no traps \[electron\].
    pub notch_electron: f64,
}

/// What calibration knows of charge transfer at the date of a frame.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TrapKnowledge {
    /// Along columns, to the serial register.
    pub parallel: TransferTraps,
    /// Along the register, to the output.
    pub serial: TransferTraps,
    /// Blocks into which the path of a packet is cut; 0 follows every transfer.
    pub blocks: usize,
    /// Times the forward model is run for the correction.
    pub iterations: usize,
}
