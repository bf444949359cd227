//! Detection: expected electrons become whole ones. The only place where photons and thermal electrons are counted out.
//!
//! # Effect
//! Photo-electrons and thermal electrons arrive independently of each other: shot noise.
//! # Formula
//! P(N = k) = n^k exp(-n) / k!
//! # Symbols
//! n expected electrons \[electron\]; N realised electrons \[electron\]
//! # Source
//! Poisson statistics of independent arrivals: Janesick 2001, Scientific Charge-Coupled Devices (SPIE Press), ch. 2.
//! Sampler and its accuracy: [`sim_core::noise`].
//! # Limits
//! One electron per photon (no pair production in the far ultraviolet). Keyed by detector row and column, so that a
//! cut-out has the bits of the full frame; the draw is a quantile, so it grows with the mean when an effect is switched.
//! # Twin
//! Variance only: the noise cannot be undone. The variance grows by the measured signal where it is positive, the
//! usual estimate; it is correlated with the noise it estimates, which matters below some ten electrons.

mod apply;
mod correct;

use super::parameters::Parameter;
use super::registry::{CrossingEntry, CrossingTwin, Need};
use sim_core::plane::{Charge, Light};

static PARAMETERS: [Parameter; 0] = [];

/// Registry entry.
pub const ENTRY: CrossingEntry<Light, Charge> = CrossingEntry {
    name: "detect",
    needs: &[Need::Dice],
    parameters: &PARAMETERS,
    forward: apply::make,
    backward: correct::make,
    twin: CrossingTwin::VarianceOnly,
    page: include_str!("mod.rs"),
};
