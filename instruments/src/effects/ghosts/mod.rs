//! Ghosts: a star's light that was reflected twice before it reached the detector.
//!
//! # Effect
//! Light reflected by the detector and again by the filter, or twice inside the filter, arrives out of focus: an image of the pupil, a
//! disc without hole (the telescope is unobstructed), beside the star.
//! # Formula
//! With g the distance of the two surfaces (glass: thickness / index), r = g / (N p); centre = star + 2 g tan(tilt) / p + (2 g / L) (star - axis);
//! light of the disc = f electrons of the star, even over its area pi r^2, its rim one pixel wide
//! # Symbols
//! g `gap` \[mm\]; N `f_number` \[1\]; p `pixel_pitch` \[mm\]; tilt `tilt_x`, `tilt_y` of the surfaces against each other \[deg\]; L `pupil_distance` \[mm\], from
//! the detector to the exit pupil, whence the chief rays come; f `fraction`, product of the two reflectances \[1\]; two pairs of surfaces, _1 and _2
//! # Source
//! Geometry: the round trip 2 g defocuses a beam of f/N to a disc of diameter 2 g / N and shifts a chief ray of slope x / L by 2 g x / L. Reflectances
//! and distances of the camera are not public.
//! # Limits
//! Two pairs of flat surfaces. Even pupil, no vignetting, one reflectance over the band. Ghosts fainter than `least_brightness` per
//! pixel are left out. Needs the bright points around the window ([`sim_core::frame::Frame::bright`]); an image without such a list is
//! its own list. Light is added, not taken from the star (f is 1e-3 at most and part of the throughput).
//! # Twin
//! Flag only, GHOST: the reduction sees no catalogue. Stars bright enough for a ghost are saturated, so every group of saturated
//! pixels predicts its discs by the geometry that calibration knows; a disc brighter than its mirror image about the star (or
//! than its surroundings, where star and disc overlap) by five standard errors is flagged. Ghosts of stars off the chip are not found. No subtraction:
//! a saturated star does not tell its brightness, and the sky under a disc is even, so local backgrounds take it.

mod apply;
mod correct;
pub mod model;

pub use apply::reach_pixel;
pub use correct::{Group, saturated_groups};

use super::parameters::Parameter;
use super::registry::{Entry, Twin};
use sim_core::plane::Light;

const fn gap(key: &'static str) -> Parameter {
    Parameter { key, unit: "mm", low: 0.01, high: 1e4, meaning: "distance of the two surfaces, glass over its index" }
}
const fn fraction(key: &'static str) -> Parameter {
    Parameter { key, unit: "1", low: 0.0, high: 0.5, meaning: "product of the two reflectances" }
}
const fn tilt(key: &'static str) -> Parameter {
    Parameter { key, unit: "deg", low: -10.0, high: 10.0, meaning: "tilt of the surfaces against each other" }
}

static PARAMETERS: [Parameter; 12] = [
    Parameter { key: "f_number", unit: "1", low: 0.5, high: 200.0, meaning: "focal length over aperture" },
    Parameter { key: "pupil_distance", unit: "mm", low: 1.0, high: 1e7, meaning: "from the detector to the exit pupil" },
    Parameter { key: "pixel_pitch", unit: "mm", low: 1e-4, high: 1.0, meaning: "size of a pixel on the focal plane" },
    Parameter { key: "least_brightness", unit: "electron/pixel", low: 1e-6, high: 1e3, meaning: "faintest ghost that is drawn" },
    gap("gap_1"),
    fraction("fraction_1"),
    tilt("tilt_x_1"),
    tilt("tilt_y_1"),
    gap("gap_2"),
    fraction("fraction_2"),
    tilt("tilt_x_2"),
    tilt("tilt_y_2"),
];

/// Registry entry.
pub const ENTRY: Entry<Light> = Entry {
    name: "ghosts",
    needs: &[],
    after: &["sky", "lamp"],
    parameters: &PARAMETERS,
    forward: apply::make,
    twin: Twin::FlagOnly(correct::make),
    page: include_str!("mod.rs"),
};
