//! Scattered light: the wide halo of bright stars, of those off the chip too.
//!
//! # Effect
//! Dust and the roughness of mirrors scatter a small part of a star's light over degrees. Stars beside the chip, which are in no
//! image, lay a smooth gradient over it.
//! # Formula
//! n += sum over stars of E f A (1 + (theta / theta_0)^2)^(-s / 2), A such that the integral to `radius` is 1
//! # Symbols
//! n expected electrons \[electron\]; E electrons of the star; f `fraction` of its light that is scattered \[1\]; theta distance on the sky \[arcsec\]; theta_0
//! `shoulder` \[arcsec\]; s `slope` \[1\]
//! # Source
//! Form: Harvey 1976 (Light-scattering characteristics of optical surfaces, PhD thesis, University of Arizona; the ABC form of the BRDF of polished mirrors), slope -2 as the aureole of King 1971
//! (PASP 83, 199). Size: total integrated scatter (4 pi sigma / lambda)^2 of roughness sigma = 1 nm at 600 nm, 4.4e-4 for each of five
//! mirrors, and as much again for dust; assumed.
//! # Limits
//! Circular, one law for all places and wavelengths; no baffles, no Moon, Earth or Sun. Stars whose halo is below
//! `least_brightness` at its peak are left out, as is light from beyond `radius`. The halo is evaluated every few dozen pixels and
//! bilinear between. Needs the bright points around the window, as ghosts do.
//! # Twin
//! Flag only, SCATTERED, where a mesh background of the frame exceeds its own darkest tenth by half the noise of a pixel and 5 %. No subtraction: the
//! halo is smooth over hundreds of pixels, and every local background takes it away; level 1 keeps the sky.

mod apply;
mod correct;
pub mod model;

pub use apply::reach_pixel;

use super::parameters::Parameter;
use super::registry::{Entry, Twin};
use sim_core::plane::Light;

static PARAMETERS: [Parameter; 5] = [
    Parameter { key: "fraction", unit: "1", low: 0.0, high: 0.5, meaning: "part of a star's light that is scattered within the radius" },
    Parameter { key: "shoulder", unit: "arcsec", low: 0.1, high: 3600.0, meaning: "angle up to which the halo is flat" },
    Parameter { key: "slope", unit: "1", low: 0.5, high: 6.0, meaning: "fall of the halo with the angle beyond the shoulder" },
    Parameter { key: "radius", unit: "deg", low: 1e-3, high: 5.0, meaning: "angle at which the halo ends" },
    Parameter { key: "least_brightness", unit: "electron/pixel", low: 1e-6, high: 1e3, meaning: "peak of the faintest halo that is drawn" },
];

/// Registry entry.
pub const ENTRY: Entry<Light> = Entry {
    name: "scattered_light",
    needs: &[],
    after: &["sky", "lamp"],
    parameters: &PARAMETERS,
    forward: apply::make,
    twin: Twin::FlagOnly(correct::make),
    page: include_str!("mod.rs"),
};
