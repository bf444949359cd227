//! Trap pumping: charge moved to and fro until single traps show as dipoles.
//!
//! # Effect
//! In exposures of trap pumping the injected charge of every pixel is moved to its neighbour and back, many times, before it is read.
//! A trap below the right phase takes an electron from the packet above it and gives it to the neighbour if it lets it go while that
//! lies above it: one pixel loses, the next gains.
//! # Formula
//! A = N P, P = exp(-t / tau) - exp(-2 t / tau), while the packet that gives still reaches the trap; scatter N P (1 - P)
//! # Symbols
//! A electrons moved by a trap \[electron\]; N `cycles`, t `phase_time_s` of the exposure; tau release time of the species of
//! [`super::cti`] \[transfers\] times `line_time` \[s\]; traps per pixel: `pumped_fraction` rho (v(n) - d) / (1 - d), with density rho, filled
//! volume v and depth d of the same species at the date of the exposure, half of them with either neighbour
//! # Source
//! P and the traps below the phases of a three-phase device: Hall et al. 2014 (IEEE TNS 61, 1826); the method: Janesick 2001,
//! Scientific Charge-Coupled Devices, section 5.3; Murray et al. 2012 (Proc. SPIE 8453); four phases: Skottfelt et al. 2018
//! (JATIS 4, 018005).
//! # Limits
//! Capture is instant (as in [`super::cti`]): the probability of capture in a cycle is 1 within the volume and 0 outside. The traps of the
//! other phases do not pump; those between phases (Skottfelt et al. 2018), which pump with other times, are not there. P is 1/4 at most, at
//! t = tau ln 2. A trap keeps its place in the order in which the volume is filled; as the device ages, more traps lie within a volume, the
//! old ones deeper in it. Charge is moved in 8 portions of cycles. Nothing is moved across the border of a window or a register's half.
//! The draws of single electrons are normal. Moves along columns alone.
//! # Twin
//! None: what the traps pump is the signal that these exposures measure.

mod apply;
pub mod model;

use super::parameters::Parameter;
use super::registry::{Entry, Need, Twin};
use sim_core::plane::Charge;

static PARAMETERS: [Parameter; 2] = [
    Parameter {
        key: "line_time",
        unit: "s",
        low: 1e-6,
        high: 10.0,
        meaning: "time from line to line of the readout: a transfer along columns",
    },
    Parameter {
        key: "pumped_fraction",
        unit: "1",
        low: 0.0,
        high: 1.0,
        meaning: "part of the traps that pump with the clocks of the exposure",
    },
];

/// Registry entry.
pub const ENTRY: Entry<Charge> = Entry {
    name: "trap_pumping",
    needs: &[Need::Dice],
    after: &["charge_injection"],
    parameters: &PARAMETERS,
    forward: apply::make,
    twin: Twin::None("what the traps pump is the signal that these exposures measure"),
    page: include_str!("mod.rs"),
};
