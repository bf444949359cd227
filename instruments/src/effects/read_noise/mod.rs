//! Read noise: what the output amplifier adds to every pixel it reads.
//!
//! # Effect
//! Every pixel, scans included, gets independent Gaussian noise.
//! # Formula
//! c += (sigma / g_a) z
//! # Symbols
//! c counts \[adu\]; sigma `sigma` \[electron\]; g_a gain of amplifier a \[electron / adu\] (see `digitise`); z standard normal,
//! new in every exposure, keyed by amplifier, row and serial number in reading order
//! # Source
//! White noise of the output stage: Janesick 2001, Scientific Charge-Coupled Devices (SPIE Press), ch. 6.
//! # Limits
//! White and Gaussian: no 1/f noise, no random telegraph signals, no correlation between outputs.
//! # Twin
//! Variance only: (sigma / g)^2 with the measured sigma and gain of the amplifier. Noise measured on bias pairs holds the
//! rounding of the converter (1/12 adu^2) already, so that is not added again.

mod apply;
mod correct;

use super::parameters::Parameter;
use super::registry::{Entry, Need, Twin};
use sim_core::plane::Counts;

static PARAMETERS: [Parameter; 1] =
    [Parameter { key: "sigma", unit: "electron", low: 0.0, high: 1e4, meaning: "standard deviation of the read noise" }];

/// Registry entry.
pub const ENTRY: Entry<Counts> = Entry {
    name: "read_noise",
    needs: &[Need::Dice],
    after: &["bias"],
    parameters: &PARAMETERS,
    forward: apply::make,
    twin: Twin::VarianceOnly(correct::make),
    page: include_str!("mod.rs"),
};
