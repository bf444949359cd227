//! Brighter-fatter: charge that a pixel has collected pushes later electrons into its neighbours.
//!
//! # Effect
//! The field of stored charge bends the drift of electrons that arrive later: boundaries between pixels move towards the charge.
//! Bright stars grow with their flux, and flats lose variance to covariances of neighbours.
//! # Formula
//! dq/dt = n + L(q), L(q) = divergence of d n, d = sum of e(k, l) (charges beyond - charges before the boundary); a_ij from e;
//! covariances of flats: C = (exp(2 a v) - 1) / (2 a v) v in Fourier space = v (1 + a v + 2/3 a a v^2 + ...)
//! # Symbols
//! n electrons that arrive in the exposure, q collected \[electron\]; d shift of a boundary \[pixel\]; e shift per electron
//! \[pixel / electron\] by distance: shape from the slab ([`electrostatics`]), a_00 = -`strength`; a_ij relative change of a pixel's area
//! per electron; v mean level of a flat \[electron\]
//! # Source
//! Antilogus et al. 2014 (JINST 9, C03048); Guyonnet et al. 2015 (A&A 575, A41); flats: Astier et al. 2019 (A&A 629, A36), eqs. 13-16;
//! electrostatics and correction by shifts of boundaries: Astier & Regnault 2023 (A&A 670, A118); another form, a scalar potential:
//! Coulton et al. 2018 (AJ 155, 258), which has no room for boundaries that differ between columns and rows
//! # Limits
//! Three terms in time (the next is a fifth of 1e-4 of a star's peak at full well, [`tiles`]); shifts linear in the charge, the same
//! everywhere and at all wavelengths, cut beyond 4 pixels. The electrons drawn by `detect` are moved in fractions. Their times of
//! arrival are not those of the draw: the mean time of each pixel is drawn here, which gives flats their covariances to second
//! order. Cosmic rays count as if they came bit by bit. Borders of a frame or cut-out are closed, mirrored: within 13 pixels of
//! its border a cut-out differs from the whole frame.
//! # Twin
//! Approximate: charge moved back by the shifts that calibration knows, by the inverse of the same series; times of arrival stay
//! unknown. Pixels within 4 of a saturated one are flagged BFE_UNRELIABLE. The variance is left as it was.

mod apply;
mod correct;
pub mod electrostatics;
pub mod model;
mod parameters;
pub mod shifts;
#[cfg(test)]
mod tests;
pub mod tiles;

pub use parameters::Settings;

use super::parameters::Parameter;
use super::registry::{Entry, Need, Twin};
use sim_core::plane::Charge;

static PARAMETERS: [Parameter; parameters::COUNT] = parameters::table();

/// Registry entry.
pub const ENTRY: Entry<Charge> = Entry {
    name: "brighter_fatter",
    needs: &[Need::Dice],
    after: &["cosmic_rays"],
    parameters: &PARAMETERS,
    forward: apply::make,
    twin: Twin::Approximate { make: correct::make, residual: 0.01 },
    page: include_str!("mod.rs"),
};
