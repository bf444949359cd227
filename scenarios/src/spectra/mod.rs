//! Spectra of a folder of slitless frames: configurations, calibration on the sky, extraction, redshifts, and how all of it closes on the truth.
//!
//! Everything but [`closure`], [`direct`], [`limits`] on frames and the verdict of [`zeroth`] reads level-1 frames, catalogues and configurations alone.

pub mod calibrate;
pub mod catalogue;
pub mod closure;
pub mod configuration;
pub mod direct;
pub mod extract;
pub mod frames;
pub mod joint;
pub mod limits;
pub mod redshifts;
pub mod stack;
pub mod zeroth;

/// Name of a side of a detector's border: its first grating is `left`.
#[must_use]
pub fn side(grating: usize) -> &'static str {
    if grating == 0 { "left" } else { "right" }
}
