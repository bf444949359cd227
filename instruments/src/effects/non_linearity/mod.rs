//! Non-linearity of the output amplifiers: the response bends near full scale.
//!
//! # Effect
//! The gain of an output stage falls, or rises, with the signal it carries. Every amplifier has a curve of its own, close to
//! the others'. The curve acts on the signal above the electronic level, scans included, before that level is added.
//! # Formula
//! c = x (1 + a_2 u + a_3 u^2 + a_4 u^3), u = x / F, for 0 <= x <= 2 F; below 0 the slope is 1, above 2 F that at 2 F;
//! a_k = A_k (1 + s z_(a,k))
//! # Symbols
//! x counts before, c counts after \[adu\]; F `full_scale` \[adu\]; A_2 `quadratic`, A_3 `cubic`, A_4 `quartic` \[1\], the
//! relative bends at full scale; s `scatter` \[1\]; z a standard normal fixed for amplifier a and term k. The slope is 1 at no
//! signal: what a linear term would do is the gain.
//! # Source
//! Polynomial in the signal as used for output amplifiers of CCDs: Janesick, Photon Transfer (SPIE 2007), ch. 7; a device of
//! the same maker departs by several per cent at 50,000 electrons, differently for each output: Tajitsu et al. 2010 (PASJ
//! 62, 1271, EEV 42-80 of HDS). Place before bias and gain: the steps of the official level-1 pipelines (csster/csst).
//! # Limits
//! No memory of the pixel read before, no dependence on temperature, no kink at low signal. The signal of crosstalk bends with
//! that of the pixel it falls on.
//! # Twin
//! Approximate: the inverse curve of the amplifier as ramps of flats gave it, a polynomial with slope 1 at no signal; above the
//! calibrated range it goes on straight and the pixel is flagged NONLINEAR. The residual is the terms that the polynomial
//! lacks. Variance goes with the square of the slope; the error of the curve is common to all pixels of an amplifier and kept out
//! of it, as that of the gain is.

mod apply;
mod correct;
pub mod model;

pub use apply::{knowledge, responses};
pub use correct::Linearise;

use super::parameters::Parameter;
use super::registry::{Entry, Twin};
use sim_core::plane::Counts;

static PARAMETERS: [Parameter; 5] = [
    Parameter { key: "full_scale", unit: "adu", low: 1.0, high: 1e7, meaning: "signal at which the bends are given" },
    Parameter { key: "quadratic", unit: "1", low: -0.2, high: 0.2, meaning: "relative bend at full scale of the square term" },
    Parameter { key: "cubic", unit: "1", low: -0.2, high: 0.2, meaning: "of the cubic term" },
    Parameter { key: "quartic", unit: "1", low: -0.2, high: 0.2, meaning: "of the term of fourth order" },
    Parameter { key: "scatter", unit: "1", low: 0.0, high: 1.0, meaning: "relative scatter of the terms over amplifiers" },
];

/// Registry entry.
pub const ENTRY: Entry<Counts> = Entry {
    name: "non_linearity",
    needs: &[],
    after: &["crosstalk"],
    parameters: &PARAMETERS,
    forward: apply::make,
    twin: Twin::Approximate { make: correct::make, residual: 2e-3 },
    page: include_str!("mod.rs"),
};
