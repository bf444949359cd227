//! Noise that pixels share: pick-up common to all outputs, and 1/f noise along the line.
//!
//! # Effect
//! All outputs are sampled at the same moment and pick up the same disturbance; the noise of an output's own chain is not white:
//! neighbouring pixels of a line go up and down together.
//! # Formula
//! c += m w(p, i) + sum over k = 1..3 of u_k(i), u_k(i + 1) = e_k u_k(i) + sqrt(1 - e_k^2) (s / sqrt 3) z, e_k = exp(-1 / l_k), l_k in
//! equal ratios from `shortest` to `longest`. Variance m^2 + s^2; covariance m^2 between outputs at the same moment, (s^2 / 3) sum of
//! exp(-lag / l_k) along a line; spectrum (s^2 / 3) sum of (1 - e_k^2) / (1 + e_k^2 - 2 e_k cos(2 pi f)): falls as 1/f between
//! 1 / (2 pi longest) and 1 / (2 pi shortest) per pixel
//! # Symbols
//! c counts \[adu\]; p parallel and i serial number in reading order; m `common_rms`, s `pink_rms` \[adu\]; l correlation lengths
//! \[pixel\]; w, z standard normals, new in every exposure; w the same for all outputs
//! # Source
//! 1/f noise as a sum of relaxation processes spread evenly in log time: Bernamont 1937, van der Ziel 1950 (Physica 16, 359); in
//! CCD readout: Janesick 2001, Scientific Charge-Coupled Devices (SPIE Press), ch. 6. Common-mode noise between channels:
//! Antilogus et al. 2017 (JINST 12, C03046). The sizes are assumptions.
//! # Limits
//! A line begins anew, its first value drawn from the whole variance: noise slower than a line is `bias_drift`. The pick-up is white
//! and equal in all outputs. Gaussian.
//! # Twin
//! None: its variance is part of the read noise that bias pairs measure, so it is in the error model; what neighbours share cannot
//! be told from signal in one exposure, and the covariance is not carried.

mod apply;
pub mod model;

use super::parameters::Parameter;
use super::registry::{Entry, Need, Twin};
use sim_core::plane::Counts;

static PARAMETERS: [Parameter; 4] = [
    Parameter { key: "common_rms", unit: "adu", low: 0.0, high: 1e3, meaning: "noise common to all outputs" },
    Parameter { key: "pink_rms", unit: "adu", low: 0.0, high: 1e3, meaning: "1/f noise of each output" },
    Parameter { key: "shortest", unit: "pixel", low: 0.1, high: 1e5, meaning: "shortest correlation length along a line" },
    Parameter { key: "longest", unit: "pixel", low: 0.1, high: 1e5, meaning: "longest correlation length along a line" },
];

/// Registry entry.
pub const ENTRY: Entry<Counts> = Entry {
    name: "correlated_noise",
    needs: &[Need::Dice],
    after: &["bias", "bias_drift"],
    parameters: &PARAMETERS,
    forward: apply::make,
    twin: Twin::None("its variance is in the measured read noise; the covariance of neighbours is not carried"),
    page: include_str!("mod.rs"),
};
