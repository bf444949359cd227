//! Drift of the electronic level from row to row, settling of every line, and the memory of the video chain in the overscan.
//!
//! # Effect
//! The level of an output wanders while the frame is read; the first pixels of every line see the chain settle after the pause of
//! the row transfer; behind the last science pixel the overscan sees a tail of what that pixel held.
//! # Formula
//! c += D(p) + s exp(-i / l_s), and in the overscan + h c_last exp(-(k + 1) / l_h); D(p + 1) = e D(p) + sqrt(1 - e^2) d z, e =
//! exp(-1 / L): covariance of D is d^2 exp(-lag / L), its spectrum d^2 (1 - e^2) / (1 + e^2 - 2 e cos(2 pi f)) at f per row
//! # Symbols
//! c counts \[adu\]; p parallel and i serial number in reading order; k pixels since the first of the overscan; d `drift_rms`
//! \[adu\], L `drift_length` \[pixel\], rows; s `settling` \[adu\], l_s `settling_length` \[pixel\]; h `memory` \[1\], l_h
//! `memory_length` \[pixel\]; c_last signal of the last science pixel of the line without bias; z new in every exposure and amplifier
//! # Source
//! Ornstein-Uhlenbeck process: Uhlenbeck & Ornstein 1930 (Phys. Rev. 36, 823). Wandering levels and overscan that remembers bright
//! lines: ACS/WFC after its repair (Golimowski et al. 2011, ISR ACS 2011-04: bias shift and drift). The sizes are assumptions.
//! # Limits
//! Amplifiers drift apart from each other. The memory is put into the overscan alone: within the science pixels the same tail is
//! h of the neighbour and belongs to the transfer of charge. A cut-out without the last science column has no memory.
//! # Twin
//! None of its own, `bias` undoes it: the overscan is smoothed by the optimal filter of a random walk whose step calibration
//! measured, without its first columns, as many as flats show a tail in; the master bias takes the settling, which is fixed. What is
//! left of D is in the variance (sqrt(q r) / 2 in the middle of a frame, q step and r row variance).

mod apply;
pub mod model;

use super::parameters::Parameter;
use super::registry::{Entry, Need, Twin};
use sim_core::plane::Counts;

static PARAMETERS: [Parameter; 6] = [
    Parameter { key: "drift_rms", unit: "adu", low: 0.0, high: 1e3, meaning: "rms of the wandering level" },
    Parameter { key: "drift_length", unit: "pixel", low: 1.0, high: 1e6, meaning: "rows over which the level forgets" },
    Parameter { key: "settling", unit: "adu", low: -1e3, high: 1e3, meaning: "offset of the first pixel of a line" },
    Parameter { key: "settling_length", unit: "pixel", low: 0.1, high: 1e4, meaning: "pixels over which a line settles" },
    Parameter { key: "memory", unit: "1", low: -0.1, high: 0.1, meaning: "part of the last science pixel seen in the overscan" },
    Parameter { key: "memory_length", unit: "pixel", low: 0.1, high: 1e4, meaning: "pixels over which that part decays" },
];

/// Registry entry.
pub const ENTRY: Entry<Counts> = Entry {
    name: "bias_drift",
    needs: &[Need::Dice],
    after: &["crosstalk", "non_linearity"],
    parameters: &PARAMETERS,
    forward: apply::make,
    twin: Twin::None("the overscan and master bias of `bias` undo it"),
    page: include_str!("mod.rs"),
};
