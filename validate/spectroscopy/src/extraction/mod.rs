//! Spectra out of a level-1 slitless frame.
//!
//! # Formula
//! The rate of a source in column x of an order is `n(x) = f_lambda(lambda) R(lambda) |d lambda / d x|`, with the response `R = share A eff lambda / (h c)`;
//! a pixel at the distance d from the trace gets `n(x) P(d, lambda)`, P the cross-dispersion profile ([`profile`]).
//! # Symbols
//! n  rate \[electron / s / column\];  A  collecting area \[cm2\];  eff  efficiency of the order;  P  share of the light in a pixel
//! # Source
//! Horne 1986 (PASP 98, 609); Kuemmel et al. 2009 (PASP 121, 59), aXe; Pirzkal & Ryan 2017 (STScI ISR WFC3 2017-01).
//! # Limits
//! Traces run along the columns' axis, within some degrees. Elements are columns of the detector: light of one wavelength that lies along a tilted line (a galaxy
//! whose long axis is oblique) is spread over elements, and [`crate::spectrum::Extracted::line_fwhm_nm`] says how far.
//!
//! [`frame::extract_frame`] does all steps: position, background, contamination, spectra.

pub mod background;
pub mod beam;
pub mod boxed;
pub mod catalogue;
pub mod elements;
pub mod error;
pub mod forward;
pub mod frame;
pub mod model;
pub mod optimal;
pub mod photometry;
pub mod profile;
pub mod psf;
mod quiet;
pub mod response;
mod rows;
pub mod shape;
pub mod stack;
pub mod stack_table;
pub mod table;
mod weighted_median;
pub mod wings;

pub use catalogue::{Bulge, Morphology, Source};
pub use error::ExtractionError;
pub use frame::{FrameSpectra, Instrument, Method, ProfileChoice, Settings, extract_frame};
pub use photometry::{Photometry, Point};
pub use psf::Psf;

/// Bit of [`crate::spectrum::Extracted::flags`]: the order has no sensitivity at this wavelength, the flux is not a number. (Bits 10 and 12 are free in
/// [`sim_core::flags`].)
pub const NO_SENSITIVITY: u16 = 1 << 10;
/// Bit of [`crate::spectrum::Extracted::flags`]: less than half of the profile was on good pixels; the rate is not a number.
pub const PARTIAL: u16 = 1 << 12;
