//! Full well: a pixel holds a finite charge.
//!
//! # Effect
//! Charge above the capacity of a pixel is lost. In a chain with `bleeding` before it nothing is left to lose: there the
//! surplus has run along the column.
//! # Formula
//! n = min(n, c), c = C (1 + S z_a) (1 + s z_p)
//! # Symbols
//! n electrons \[electron\]; C `capacity` \[electron\]; S `section_scatter` \[1\], z_a a standard normal fixed for the section of
//! amplifier a; s `pixel_scatter` \[1\], z_p a standard normal fixed for the pixel
//! # Source
//! Hard clip, as the public survey-camera code treats saturation (CESS; CSST_specimgs: 90,000 electrons).
//! # Limits
//! The capacity is the same at every charge state of the neighbours and does not depend on clock voltages; surface full well
//! and blooming full well are one number. The register's own capacity is not limited.
//! # Twin
//! Flag only: SATURATED from just below the full well that calibration measured for the amplifier's section, else above the
//! saturation level it was given; the lost charge cannot be given back. In the survey camera the converter stops at
//! 71,500 electrons, so that no raw pixel shows its full well and the converter's flag comes first.

mod apply;
mod correct;
mod model;

pub use correct::{MARGIN, flag_levels};
pub use model::{Capacity, full_pixels};

use super::parameters::Parameter;
use super::registry::{Entry, Twin};
use sim_core::plane::Charge;

static PARAMETERS: [Parameter; 3] = [
    Parameter { key: "capacity", unit: "electron", low: 1.0, high: 1e7, meaning: "charge a pixel can hold" },
    Parameter { key: "section_scatter", unit: "1", low: 0.0, high: 0.1, meaning: "relative scatter over the amplifiers' sections" },
    Parameter { key: "pixel_scatter", unit: "1", low: 0.0, high: 0.1, meaning: "relative scatter from pixel to pixel" },
];

/// Registry entry.
pub const ENTRY: Entry<Charge> = Entry {
    name: "full_well",
    needs: &[],
    after: &["cosmic_rays", "bleeding"],
    parameters: &PARAMETERS,
    forward: apply::make,
    twin: Twin::FlagOnly(correct::make),
    page: include_str!("mod.rs"),
};
