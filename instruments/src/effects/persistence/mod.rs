//! Persistence: full pixels of earlier exposures glow in this one.
//!
//! # Effect
//! Charge of an overfull pixel reaches traps at the surface of the silicon and stays there when the pixel is read out; it comes back
//! slowly, as a faint image of what was bright (residual surface image).
//! # Formula
//! n += sum over earlier exposures and species of f max(q - c, 0) (exp(-t / tau) - exp(-(t + T) / tau))
//! # Symbols
//! n expected electrons \[electron\]; q charge that the pixel held at the end of the earlier exposure; c `threshold` \[electron\]; f
//! `fraction` \[1\], tau `release` \[s\] of two species; t from the end of that exposure to the start of this one, T its exposure time \[s\]
//! # Source
//! Surface traps filled beyond the surface full well: Janesick 2001, Scientific Charge-Coupled Devices (SPIE Press), ch. 8. Exponential
//! decay, level and time in thick e2v CCDs, and none in bias frames: Banovetz, Utsumi & Slater, Rubin DMTN-276; Rubin SITCOMTN-148;
//! Polin et al. 2025 (JINST 20, P07031). A slower part that is gone within 1000 s: WFPC2 Instrument Handbook, 3.7.
//! # Limits
//! What is released before an exposure begins is wiped out with the charge, what is released during the readout is spread and left out
//! (none is seen in bias frames). Traps do not fill up: two saturated exposures leave twice as much. The pixels that charge was clocked
//! through do not trap (they do in some e2v CCDs, DMTN-276). The charge q is that of an earlier exposure made without persistence of its
//! own: a few electrons in 90,000. Without a history with the light nothing is added; a cut-out remembers its own pixels.
//! # Twin
//! Approximate: pixels that earlier raw frames of the detector show to have been full lose what a full pixel leaves behind, as darks
//! after a saturated flat showed it, and are flagged PERSIST where that is more than a quarter of the read noise. Where the converter
//! stops below the full well it is not known how full a pixel was: the doubt goes into the variance. Of a detector whose pixels are full or
//! faint 1e-3 is left; of stars through the whole loop see `FIGURES.md`. Without earlier frames the step is skipped and says so.

mod apply;
mod correct;
pub mod model;

pub use apply::{LEAST_ELECTRON, law, reach_s};
pub use correct::reach_of;

use super::parameters::Parameter;
use super::registry::{Entry, Need, Twin};
use sim_core::plane::Light;

static PARAMETERS: [Parameter; 5] = [
    Parameter { key: "threshold", unit: "electron", low: 0.0, high: 1e7, meaning: "charge above which traps fill" },
    Parameter { key: "fraction_1", unit: "1", low: 0.0, high: 0.5, meaning: "part of the charge above it that is trapped, species 1" },
    Parameter { key: "release_1", unit: "s", low: 0.1, high: 1e6, meaning: "release time of species 1" },
    Parameter { key: "fraction_2", unit: "1", low: 0.0, high: 0.5, meaning: "part of the charge above it that is trapped, species 2" },
    Parameter { key: "release_2", unit: "s", low: 0.1, high: 1e6, meaning: "release time of species 2" },
];

/// Registry entry.
pub const ENTRY: Entry<Light> = Entry {
    name: "persistence",
    needs: &[Need::Time, Need::History],
    after: &["sky", "lamp", "flat", "shutter", "defects"],
    parameters: &PARAMETERS,
    forward: apply::make,
    twin: Twin::Approximate { make: correct::make, residual: 1e-3 },
    page: include_str!("mod.rs"),
};
