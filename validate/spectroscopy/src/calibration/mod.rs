//! Calibration of slitless gratings on the sky: traces, wavelengths, their change over the detector, sensitivities.
//!
//! # Formula
//! Trace `y - y0 = f(x - x0)`; wavelength `lambda(t)`, `x - x0 = X_0 + X_1 t`; both fitted over the field as [`sim_core::dispersion`] has it;
//! rate in a column `= integral S(lambda) p(lambda) LSF d lambda`.
//! # Symbols
//! (x0, y0)  undispersed position of a calibrator, from a direct image or catalogue \[pixel, detector, 0-based, centres at integers\]
//! t  parameter of an order, 0 to 1;  S  efficiency;  p  photons of the model spectrum
//! # Source
//! The four functions of the survey camera's calibration toolkit; Pirzkal & Ryan 2017 (ISR WFC3 2017-01) for the model.
//! # Limits
//! Traces within some degrees of the rows. First guesses within [`Settings::search_px`] and [`Settings::search_scale`].
//!
//! Positions are measured one by one ([`measure::measure_position`]), then fitted together ([`field::fit_field`]); [`sensitivity`] follows with the
//! fitted configuration. [`page`] shows the same measurements in a browser and sends a person's choices ([`edits::Edits`]) to the same functions.

pub mod carried;
pub mod cutout;
pub mod detect;
pub mod dispersion;
pub mod edits;
pub mod error;
pub mod field;
pub mod field_design;
pub mod frames;
pub mod identify;
pub mod line_fit;
pub mod line_list;
pub mod linear;
pub mod measure;
pub mod page;
pub mod polynomial;
pub mod report;
pub mod ridge;
pub mod ridge_search;
pub mod ridge_spectrum;
pub mod sensitivity;
pub mod settings;
pub mod spline;
pub mod trace;
pub mod wide_box;
pub mod zeroth;

pub use edits::Edits;
pub use error::CalibrationError;
pub use frames::{CalibrationFrame, Calibrator, Nominal, OwnedFrame};
pub use measure::{OrderMeasurement, PositionMeasurement};
pub use report::CalibrationReport;
pub use settings::Settings;
