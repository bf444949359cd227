//! Readout through the amplifiers: electrons become counts in the raw layout.
//!
//! # Effect
//! Each section of the detector is read through its own output with its own gain. With scans, every row begins with
//! prescan pixels and ends with overscan pixels, and overscan rows follow the last row; they hold what charge
//! transfer left there (`cti`), else nothing.
//! # Formula
//! c = n / g_a, g_a = g (1 + s z_a), in scans as in science pixels
//! # Symbols
//! c counts, not yet whole, without bias \[adu\]; n electrons \[electron\]; g `gain` \[electron / adu\]; s `gain_scatter`
//! \[1\]; z_a a standard normal fixed for amplifier a
//! # Source
//! Layout: [`sim_core::detector::ReadoutLayout`]. Gain as electrons per count: the survey camera's header key GAIN1.
//! # Limits
//! Linear. No crosstalk between outputs. Gain does not drift.
//! # Twin
//! Exact but for the error of the known gain: trims to the science pixels and multiplies by the gain per amplifier.
//! The gain's own error is common to all pixels of an amplifier, so it is kept out of the pixels' variance.

mod apply;
mod correct;
pub mod model;

pub use apply::amplifier_gains;

use super::parameters::Parameter;
use super::registry::{CrossingEntry, CrossingTwin};
use sim_core::plane::{Charge, Counts};

static PARAMETERS: [Parameter; 2] = [
    Parameter { key: "gain", unit: "electron/adu", low: 1e-3, high: 1e3, meaning: "electrons per count" },
    Parameter { key: "gain_scatter", unit: "1", low: 0.0, high: 0.1, meaning: "relative scatter of the gain over amplifiers" },
];

/// Registry entry.
pub const ENTRY: CrossingEntry<Charge, Counts> = CrossingEntry {
    name: "digitise",
    needs: &[],
    parameters: &PARAMETERS,
    forward: apply::make,
    backward: correct::make,
    twin: CrossingTwin::Exact,
    page: include_str!("mod.rs"),
};
