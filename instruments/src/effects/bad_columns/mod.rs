//! Bad columns: blocked from a row on, or robbed by a trap that swallows the first electrons to pass.
//!
//! # Effect
//! Charge is carried along columns to the register. Where a gate or channel is broken nothing from behind it arrives: the column
//! is dead from that row to its far end. A deep trap (pocket) in the column takes electrons out of the first packets that pass
//! until it is full: a dark tail behind it, the longer the fainter the sky, which no later packet feels.
//! # Formula
//! Blocked at row r: n(p) = 0 for p >= r. Pocket of capacity N at r: n(p) -= min(n(p), N - sum of what it took before), p = r, r + 1, ...
//! # Symbols
//! n electrons \[electron\]; p row in the order of transfer, from the register of the section; a column of a section is blocked
//! with the probability `blocked_fraction`, has a pocket with `pocket_fraction`; r uniform over the section; N exponential of mean
//! `pocket_capacity` \[electron\]; all fixed for the device
//! # Source
//! Blocked and trapped columns and their signatures in flat fields of low level: Janesick 2001, Scientific Charge-Coupled Devices
//! (SPIE Press), ch. 5 (spurious potential pockets). Numbers are assumptions.
//! # Limits
//! The pocket is empty at the start of each readout and gives nothing back within it. No bright columns and no blooming at the
//! block. A cut-out takes rows outside it as empty: a pocket below the cut-out is not filled before its first row.
//! # Twin
//! Flag only: BAD_COLUMN from the block on; behind a pocket as far as the mean of the neighbouring columns, summed from the
//! pocket on, needs to fill it, with a margin of three times the errors of that sum and of the capacity.

mod apply;
mod correct;
pub mod model;

pub use apply::column_defects;

use super::parameters::Parameter;
use super::registry::{Entry, Twin};
use sim_core::plane::Charge;

static PARAMETERS: [Parameter; 3] = [
    Parameter { key: "blocked_fraction", unit: "1", low: 0.0, high: 0.5, meaning: "fraction of columns that are blocked" },
    Parameter { key: "pocket_fraction", unit: "1", low: 0.0, high: 0.5, meaning: "fraction of columns with a pocket" },
    Parameter { key: "pocket_capacity", unit: "electron", low: 0.0, high: 1e7, meaning: "mean capacity of a pocket" },
];

/// Registry entry.
pub const ENTRY: Entry<Charge> = Entry {
    name: "bad_columns",
    needs: &[],
    after: &["cosmic_rays", "full_well"],
    parameters: &PARAMETERS,
    forward: apply::make,
    twin: Twin::FlagOnly(correct::make),
    page: include_str!("mod.rs"),
};
