//! Shutter: two leaves that need time to open and close, so that not all pixels are lit equally long.
//!
//! # Effect
//! Two leaves, each half the width, turn about two parallel bearings at the sides. Opening, the middle is uncovered
//! first and the sides last; closing runs the other way, so the middle sees more light than the sides.
//! # Formula
//! A leaf turned by theta covers from its bearing to (D / 2) cos theta. With theta = (pi / 2) tau / T, tau from 0 to T, a
//! point at q = 1 - |x| / (D / 2) of the way from its bearing is uncovered at tau = T (2 / pi) arccos q; the closing leaf,
//! started t later, covers it T (2 / pi) arcsin q later. Time open = t + T (1 - (4 / pi) arccos q); n *= time open / t
//! # Symbols
//! n expected electrons \[electron\]; t exposure time, between the starts of the two motions \[s\]; T `travel_time` \[s\];
//! D `bearing_distance` \[mm\]; x distance from the boresight along the mosaic's x \[mm\], through `pixel_pitch` \[mm\]
//! # Source
//! Derived here from the geometry of hinged leaves at constant angular speed; status assumed. The motion of the real
//! shutter is not public (a profile with soft starts changes the shape by some per cent of T, not its size).
//! # Limits
//! Shadows are sharp (the shutter is taken to lie in the focal plane). The leaves open along the mosaic's x.
//! Time open is cut at 0 for exposures shorter than T. Same pattern in all exposures.
//! # Twin
//! Exact: division by 1 + dt / t with the known excess dt, which does not depend on t.

mod apply;
mod correct;
pub mod model;

use super::parameters::Parameter;
use super::registry::{Entry, Need, Twin};
use sim_core::plane::Light;

static PARAMETERS: [Parameter; 3] = [
    Parameter { key: "travel_time", unit: "s", low: 0.0, high: 100.0, meaning: "time a leaf needs from closed to open" },
    Parameter { key: "bearing_distance", unit: "mm", low: 1.0, high: 1e4, meaning: "distance of the two bearings" },
    Parameter { key: "pixel_pitch", unit: "mm", low: 1e-4, high: 1.0, meaning: "size of a pixel on the focal plane" },
];

/// Registry entry.
pub const ENTRY: Entry<Light> = Entry {
    name: "shutter",
    needs: &[Need::Time],
    after: &["sky", "lamp", "flat"],
    parameters: &PARAMETERS,
    forward: apply::make,
    twin: Twin::Exact(correct::make),
    page: include_str!("mod.rs"),
};
