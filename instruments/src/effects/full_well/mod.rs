//! Full well: a pixel holds a finite charge.
//!
//! # Effect
//! Charge above the capacity of a pixel is lost.
//! # Formula
//! n = min(n, c)
//! # Symbols
//! n electrons \[electron\]; c `capacity` \[electron\]
//! # Source
//! Hard clip, as the public survey-camera code treats saturation (CESS; CSST_specimgs: 90,000 electrons).
//! # Limits
//! Surplus charge goes to the ledger, not to the neighbours: bleeding along the column will take it from here. One capacity
//! for all pixels.
//! # Twin
//! Flag only: SATURATED above the saturation level that calibration knows; the lost charge cannot be given back.

mod apply;
mod correct;

use super::parameters::Parameter;
use super::registry::{Entry, Twin};
use sim_core::plane::Charge;

static PARAMETERS: [Parameter; 1] =
    [Parameter { key: "capacity", unit: "electron", low: 1.0, high: 1e7, meaning: "charge a pixel can hold" }];

/// Registry entry.
pub const ENTRY: Entry<Charge> = Entry {
    name: "full_well",
    after: &["cosmic_rays"],
    parameters: &PARAMETERS,
    forward: apply::make,
    twin: Twin::FlagOnly(correct::make),
    page: include_str!("mod.rs"),
};
