//! Spectra from slitless frames: traces and wavelengths calibrated on the sky, spectra taken out of frames, redshifts and types read off them.
//!
//! A level-1 frame ([`image::SlitlessImage`]) and the configuration of its gratings ([`sim_core::dispersion`]) give spectra ([`spectrum::Extracted`]) of
//! the sources of a direct-imaging catalogue. Nothing here knows the truth or the simulator: sim-core's planes, tables and polynomials are all it imports.

pub mod calibration;
pub mod extraction;
pub mod image;
pub mod position;
pub mod redshift;
pub mod spectrum;
