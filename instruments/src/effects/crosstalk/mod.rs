//! Crosstalk: the signal of one output leaks into the others while they are read at the same time.
//!
//! # Effect
//! All outputs are clocked together. A bright pixel in one leaves a faint ghost, of either sign, in the pixels of the others that
//! are read at the same moment: mirrored between halves, because the outputs read towards different corners.
//! # Formula
//! c_a(s, p) += sum over b of X_ab c_b(s, p); X_ab = e_ab (f + (n - f) exp(-(d - 1) / l)) (1 + r z_ab), X_aa = 0, d = |a - b|
//! # Symbols
//! c counts without bias \[adu\]; a victim, b source, amplifier numbers; s serial and p parallel number in reading order, scans
//! included; n `near`, f `far` \[1\]; l `reach` \[1\], in outputs; r `scatter` \[1\]; e = -1 with the probability
//! `negative_fraction`, else 1; z standard normal; e and z are fixed for the device
//! # Source
//! Linear coupling of simultaneous pixels, one coefficient per pair: Freyhammer et al. 2001 (Experimental Astronomy 12, 147);
//! O'Connor 2015 (JINST 10, C05010): 1e-5 to 1e-3, falling with the distance of the channels. Both signs in flight: ACS
//! (Giavalisco 2004, ISR ACS 2004-12 and 2004-13), about 1e-4. How it falls and scatters is an assumption.
//! # Limits
//! Instant: no delay or tail between serial pixels. Linear in the source up to any signal, before the converter. A cut-out knows
//! only the sources inside it. No coupling inside one output (that would be a gain).
//! # Twin
//! Exact for the matrix that calibration measured, by the inverse of 1 + X: what is left is the error of X times the source, and
//! it is in the variance. Where a source is saturated its true signal is unknown: victims whose correction exceeds the read noise
//! get the flag CROSSTALK.

mod apply;
mod correct;
pub mod model;

pub use apply::coupling;

use super::parameters::Parameter;
use super::registry::{Entry, Twin};
use sim_core::plane::Counts;

static PARAMETERS: [Parameter; 5] = [
    Parameter { key: "near", unit: "1", low: -0.01, high: 0.01, meaning: "mean coefficient between neighbouring outputs" },
    Parameter { key: "far", unit: "1", low: -0.01, high: 0.01, meaning: "mean coefficient between distant outputs" },
    Parameter { key: "reach", unit: "1", low: 0.1, high: 100.0, meaning: "outputs over which the coefficient falls by e" },
    Parameter { key: "scatter", unit: "1", low: 0.0, high: 1.0, meaning: "relative scatter of the coefficients" },
    Parameter { key: "negative_fraction", unit: "1", low: 0.0, high: 1.0, meaning: "fraction of pairs with the other sign" },
];

/// Registry entry.
pub const ENTRY: Entry<Counts> = Entry {
    name: "crosstalk",
    needs: &[],
    after: &[],
    parameters: &PARAMETERS,
    forward: apply::make,
    twin: Twin::Exact(correct::make),
    page: include_str!("mod.rs"),
};
