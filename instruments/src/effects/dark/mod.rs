//! Dark current and hot pixels: electrons that heat makes.
//!
//! # Effect
//! Every pixel gathers thermal electrons while it integrates and while it waits for its readout; a few pixels far more.
//! # Formula
//! n += (d + h) (t + w), w = t_read / 2; a pixel is hot with probability f, then h is exponential of mean m, else 0
//! # Symbols
//! n expected electrons \[electron\]; d `rate` \[electron / s\]; t exposure time \[s\], 0 for a bias; t_read `readout_time`
//! \[s\]; w mean wait; f `hot_fraction` \[1\]; m `hot_rate_mean` \[electron / s\]; h fixed for the pixel
//! # Source
//! Janesick 2001, Scientific Charge-Coupled Devices (SPIE Press), ch. 7: dark current adds linearly in time with Poisson
//! noise. The exponential distribution of hot rates is an assumption in the manner of Widenhorn et al. 2002
//! (SPIE 4669, 193), who find a long tail.
//! # Limits
//! One temperature. The mean wait is used for all rows: a pixel's electrons of the readout are smeared along its
//! column in truth, and rows near the register wait less. It acts on the light plane because expected thermal electrons
//! are Poisson like photo-electrons, and the one Poisson draw comes after. Not through the flat, not through the shutter.
//! # Twin
//! Exact: subtraction of the master dark times t (the wait is part of the bias exposures, so the master bias takes it).
//! Hot and warm flags come with the known defects.

mod apply;
mod correct;
pub mod model;

use super::parameters::Parameter;
use super::registry::{Entry, Need, Twin};
use sim_core::plane::Light;

static PARAMETERS: [Parameter; 4] = [
    Parameter { key: "rate", unit: "electron/s", low: 0.0, high: 1e5, meaning: "thermal electrons of a normal pixel" },
    Parameter { key: "hot_fraction", unit: "1", low: 0.0, high: 0.5, meaning: "fraction of hot pixels" },
    Parameter { key: "hot_rate_mean", unit: "electron/s", low: 0.0, high: 1e6, meaning: "mean additional rate of hot pixels" },
    Parameter { key: "readout_time", unit: "s", low: 0.0, high: 1e4, meaning: "time to read the detector" },
];

/// Registry entry.
pub const ENTRY: Entry<Light> = Entry {
    name: "dark",
    needs: &[Need::Time],
    after: &["sky", "lamp", "flat", "shutter"],
    parameters: &PARAMETERS,
    forward: apply::make,
    twin: Twin::Exact(correct::make),
    page: include_str!("mod.rs"),
};
