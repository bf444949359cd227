//! Defects of single pixels: dead and cold ones, and telegraph ones whose dark current jumps.
//!
//! # Effect
//! A few pixels answer light weakly or not at all. In a few others a trap near the surface switches a generation centre on and
//! off: their dark current jumps between two levels at random times (random telegraph signal), often during an exposure.
//! # Formula
//! n = n r, r uniform in 0..`cold_response`; n += A T_on, T_on the part of t + w in the upper state, w = t_read / 2; dwell times
//! are exponential of means tau_on, tau_off; the first state is drawn from the odds tau_on : tau_off. With p = tau_on / (tau_on +
//! tau_off) and 1 / tau = 1 / tau_on + 1 / tau_off: mean of T_on p T, variance 2 p (1 - p) tau (T - tau (1 - exp(-T / tau))), T = t + w
//! # Symbols
//! n expected electrons \[electron\]; a pixel is cold with the probability `cold_fraction`, telegraph with `telegraph_fraction`; A
//! exponential of mean `telegraph_rate` \[electron / s\]; log tau uniform between `dwell_short` and `dwell_long` \[s\], on and off
//! alike drawn apart; r, A, tau fixed for the device, jumps new in every exposure; t exposure time, t_read `readout_time` \[s\]
//! # Source
//! Two-level dark current after displacement damage, exponential dwell times, amplitudes to many times the mean dark current:
//! Hopkins & Hopkinson 1993 (IEEE Trans. Nucl. Sci. 40, 1567), 1995 (ibid. 42, 2074). Variance of the time in a state: integral of
//! the exponential covariance of a two-state Markov process (Machlup 1954, J. Appl. Phys. 25, 341). Numbers are assumptions.
//! # Limits
//! The state does not carry over to the next exposure: right for dwell times shorter than the time between exposures. Two levels.
//! Cold pixels are cold at all wavelengths and do not lose dark current. Shorter dwell times than 1 s average out and are refused.
//! # Twin
//! Flag only: DEAD and TELEGRAPH as calibration found them (flats, scatter among darks). The flat divides a cold response out, at
//! the price of noise; the jumps of one exposure cannot be known from it.

mod apply;
mod correct;
pub mod model;

pub use apply::{Telegraph, cold_pixels, telegraph_pixels};

use super::parameters::Parameter;
use super::registry::{Entry, Need, Twin};
use sim_core::plane::Light;

static PARAMETERS: [Parameter; 7] = [
    Parameter { key: "cold_fraction", unit: "1", low: 0.0, high: 0.5, meaning: "fraction of dead and cold pixels" },
    Parameter { key: "cold_response", unit: "1", low: 0.0, high: 1.0, meaning: "greatest response of a cold pixel" },
    Parameter { key: "telegraph_fraction", unit: "1", low: 0.0, high: 0.5, meaning: "fraction of telegraph pixels" },
    Parameter { key: "telegraph_rate", unit: "electron/s", low: 0.0, high: 1e6, meaning: "mean height of the upper level" },
    Parameter { key: "dwell_short", unit: "s", low: 1.0, high: 1e9, meaning: "shortest mean dwell time" },
    Parameter { key: "dwell_long", unit: "s", low: 1.0, high: 1e9, meaning: "longest mean dwell time" },
    Parameter { key: "readout_time", unit: "s", low: 0.0, high: 1e4, meaning: "time to read the detector" },
];

/// Registry entry.
pub const ENTRY: Entry<Light> = Entry {
    name: "defects",
    needs: &[Need::Time, Need::Dice],
    after: &["sky", "lamp", "flat", "shutter"],
    parameters: &PARAMETERS,
    forward: apply::make,
    twin: Twin::FlagOnly(correct::make),
    page: include_str!("mod.rs"),
};
