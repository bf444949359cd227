//! Charge injection: lines of charge put into the columns electrically, a calibration without light.
//!
//! # Effect
//! In exposures of charge injection and of trap pumping, rows of the detector get charge before it is moved. Traps take from the
//! first lines and trail behind the last ones; pumped traps move it between neighbours ([`super::trap_pumping`]).
//! # Formula
//! n += Poisson(m_x) + sqrt((e - 1) m_x) z, m_x = L (1 + s z_x), in the rows `gap + k (rows + gap) .. + rows` from the register (of
//! trap pumping: in all rows); not below 0
//! # Symbols
//! n charge \[electron\]; L level of the exposure \[electron\]; e `excess_noise`, variance over mean of what is injected \[1\]; s
//! `column_scatter` \[1\]; z a normal for every pixel of every exposure, z_x one for every column of a register of the device
//! # Source
//! Injection from a diode at the far end of the columns, as on Gaia's and Euclid's devices: Short et al. 2013 (MNRAS 430, 3078).
//! # Limits
//! No public source says whether the devices of the survey camera can inject, nor with which noise. A line has the same charge from
//! its first row to its last; a column keeps its own level in all lines.
//! # Twin
//! None: injected charge is the signal that these exposures measure.

mod apply;
mod pattern;

pub use pattern::Pattern;

use super::parameters::Parameter;
use super::registry::{Entry, Need, Twin};
use sim_core::plane::Charge;

static PARAMETERS: [Parameter; 2] = [
    Parameter {
        key: "excess_noise",
        unit: "1",
        low: 1.0,
        high: 1e3,
        meaning: "variance over mean of the injected charge; 1 is shot noise",
    },
    Parameter { key: "column_scatter", unit: "1", low: 0.0, high: 0.3, meaning: "scatter of the injected level from column to column" },
];

/// Registry entry.
pub const ENTRY: Entry<Charge> = Entry {
    name: "charge_injection",
    needs: &[Need::Dice],
    after: &[],
    parameters: &PARAMETERS,
    forward: apply::make,
    twin: Twin::None("injected charge is the signal that these exposures measure"),
    page: include_str!("mod.rs"),
};
