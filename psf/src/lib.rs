//! Point-spread functions as transfer functions: analytic profiles, an aberrated pupil, tabulated images, and what
//! smears them.
//!
//! Everything implements [`sim_core::psf::Psf`]; an instrument file's `[psf]` table is read by [`config::build`], a
//! stamp's plain numbers by [`spec::PsfSpec`]. [`energy`] measures the radius of encircled energy and tunes a model
//! to a published one.
//!
//! ```
//! use sim_core::psf::Psf;
//! use sim_core::units::{FocalPoint, Nanometre};
//!
//! let optics = psf::optical::OpticalPsf::new(2.0, vec![], 0.0)?;
//! let transfer = optics.transfer(FocalPoint { x_deg: 0.0, y_deg: 0.0 }, Nanometre(620.0))?;
//! assert!((transfer.at(0.0, 0.0).re - 1.0).abs() < 1e-9);
//! // Nothing passes beyond D / lambda = 15.6 cycles per arcsec.
//! assert_eq!(transfer.at(15.7, 0.0).re, 0.0);
//! # Ok::<(), sim_core::psf::PsfError>(())
//! ```

pub mod airy;
pub mod analytic;
mod bessel;
pub mod blur;
pub mod config;
pub mod cube;
pub mod energy;
mod kernels;
pub mod moffat;
pub mod optical;
mod otf;
mod quadrature;
pub mod spec;
pub mod zernike;
