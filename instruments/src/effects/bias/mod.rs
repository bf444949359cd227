//! Bias: the electronic level under the signal.
//!
//! # Effect
//! Every output adds its own level, a pattern along its serial register that never changes, and a slow drift during
//! the readout that is new in every exposure.
//! # Formula
//! c += b + s z_a + k z_(a,i) + r D(p), with D(p) = sqrt(2 / 3) sum over m = 1..3 of y_m cos(pi m (p + 1/2) / N)
//! # Symbols
//! c counts \[adu\]; b `level`, s `level_scatter`, k `column_structure_rms`, r `row_structure_rms`, all \[adu\]; a
//! amplifier; i serial and p parallel number of the pixel in reading order; N rows of the section; z standard normals
//! fixed for the device; y standard normals new in every exposure and amplifier; the mean square of D over rows is 1
//! on average
//! # Source
//! Level per output with the overscan as its monitor and fixed structure in bias frames: Howell 2006, Handbook of CCD
//! Astronomy (Cambridge University Press), ch. 3 and 4. The shape of the drift is an assumption: the smoothest that a
//! straight line does not describe.
//! # Limits
//! No jumps, no pick-up noise between rows, no dependence on the signal. The pattern is one number per column.
//! # Twin
//! Approximate: the overscan follows level and drift (robust means in bins of rows, joined by straight lines; where
//! calibration knows how the level wanders, the optimal filter of that walk, without the columns that hold tails),
//! the master bias takes the pattern. What is left is the curvature of the drift within a bin. Trimmed frames have no
//! overscan: the master bias takes level and pattern, and the drift stays.

mod apply;
mod correct;
pub mod level_walk;
pub mod model;
mod overscan;

pub use correct::SubtractMasterBias;
pub use overscan::SubtractOverscan;

use super::parameters::Parameter;
use super::registry::{Entry, Need, Twin};
use sim_core::plane::Counts;

static PARAMETERS: [Parameter; 4] = [
    Parameter { key: "level", unit: "adu", low: 0.0, high: 6e4, meaning: "mean level" },
    Parameter { key: "level_scatter", unit: "adu", low: 0.0, high: 1e4, meaning: "scatter of the level over amplifiers" },
    Parameter { key: "column_structure_rms", unit: "adu", low: 0.0, high: 1e3, meaning: "rms of the fixed pattern along the register" },
    Parameter { key: "row_structure_rms", unit: "adu", low: 0.0, high: 1e3, meaning: "rms of the drift during a readout" },
];

/// Registry entry.
pub const ENTRY: Entry<Counts> = Entry {
    name: "bias",
    needs: &[Need::Dice],
    after: &["crosstalk", "non_linearity", "bias_drift"],
    parameters: &PARAMETERS,
    forward: apply::make,
    twin: Twin::Approximate { make: correct::make, residual: 1e-4 },
    page: include_str!("mod.rs"),
};
