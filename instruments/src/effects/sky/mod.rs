//! Sky background: the diffuse light that falls on every pixel of a science exposure.
//!
//! # Effect
//! Zodiacal light, earthshine and starlight, already through the band, add light that varies mildly over the chip.
//! # Formula
//! n += s t (1 + g (u + v) / 2), with u = (2 x + 1) / nx - 1 and v = (2 y + 1) / ny - 1
//! # Symbols
//! n expected electrons \[electron\]; s sky rate before flat and shutter, `exposure.sky_electron_s` \[electron / s\];
//! t exposure time \[s\]; g `gradient` \[1\], from the centre to the corner (1, 1); x, y 0-based detector pixels
//! # Source
//! The rate: the scenario's sky spectrum through the band. The linear gradient: the lowest order of any smooth sky.
//! # Limits
//! One straight gradient along the diagonal; its mean over the whole detector is exactly s t. No fringing, no stray
//! light, no ghosts. Nothing in calibration exposures: the sky is not seen through a closed shutter or with the lamp.
//! # Twin
//! Approximate, for level 2 only: a mesh of clipped modes, median-filtered and interpolated bilinearly
//! (Bertin & Arnouts 1996, A&AS 117, 393). It cannot tell sky from the wings of bright objects. Level 1 keeps the sky.

mod apply;
mod correct;
pub mod mesh;
mod model;

pub use correct::Background;
pub(crate) use model::unit_position;

use super::parameters::Parameter;
use super::registry::{Entry, Need, Twin};
use sim_core::plane::Light;

static PARAMETERS: [Parameter; 1] = [Parameter {
    key: "gradient",
    unit: "1",
    low: -1.0,
    high: 1.0,
    meaning: "relative change of the sky from the centre to the corner of the detector",
}];

/// Registry entry.
pub const ENTRY: Entry<Light> = Entry {
    name: "sky",
    needs: &[Need::Time],
    after: &[],
    parameters: &PARAMETERS,
    forward: apply::make,
    twin: Twin::Approximate { make: correct::make, residual: 0.01 },
    page: include_str!("mod.rs"),
};
