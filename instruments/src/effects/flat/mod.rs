//! Flat field: how unevenly the pixels respond.
//!
//! # Effect
//! Illumination and response vary smoothly over the chip; on top of it every pixel has its own sensitivity (PRNU).
//! # Formula
//! n *= L (1 + p z), with L = 1 + a \[b(u, v) + u cos phi + v sin phi\] / (1 + sqrt 2), b = 1/2 - 3/4 (u^2 + v^2)
//! # Symbols
//! n expected electrons \[electron\]; a `large_scale_amplitude` \[1\]; p `prnu_rms` \[1\]; z a standard normal fixed for
//! the pixel; phi a direction fixed for the detector; u, v detector position in (-1, 1); the bracket stays
//! within (1 + sqrt 2) of zero and b has mean 0
//! # Source
//! PRNU as independent normals: EMVA Standard 1288, release 4.0 (spatial nonuniformity). The polynomial is an assumption that stands
//! for any smooth illumination.
//! # Limits
//! No dependence on wavelength. No dead pixels or bad columns. Response is cut at 0.
//! # Twin
//! Exact: division by the master flat. Flat outside 0.5-1.5 of its median flags BAD (csster/csst, official flag 1);
//! no valid flat flags NO_FLAT and leaves the pixel as it is.

mod apply;
mod correct;
pub mod model;

use super::parameters::Parameter;
use super::registry::{Entry, Twin};
use sim_core::plane::Light;

static PARAMETERS: [Parameter; 2] = [
    Parameter { key: "large_scale_amplitude", unit: "1", low: 0.0, high: 0.9, meaning: "greatest smooth deviation from 1" },
    Parameter { key: "prnu_rms", unit: "1", low: 0.0, high: 0.2, meaning: "rms of the pixels' own sensitivity" },
];

/// Registry entry.
pub const ENTRY: Entry<Light> = Entry {
    name: "flat",
    needs: &[],
    after: &["sky", "lamp", "trails", "ghosts", "scattered_light", "fringing"],
    parameters: &PARAMETERS,
    forward: apply::make,
    twin: Twin::Exact(correct::make),
    page: include_str!("mod.rs"),
};
