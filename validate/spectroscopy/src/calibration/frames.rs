//! Calibration frames and the configuration one starts from.

use super::error::CalibrationError;
use crate::image::SlitlessImage;
use ndarray::Array2;
use serde::{Deserialize, Serialize};
use sim_core::dispersion::Grating;

/// What a calibrator is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Calibrator {
    /// A compact planetary nebula: emission lines.
    Nebula,
    /// A hot white dwarf: continuum of known flux.
    WhiteDwarf,
}

/// A level-1 frame that owns its planes, `[y, x]` of one shape; see [`SlitlessImage`].
#[derive(Debug, Clone, PartialEq)]
pub struct OwnedFrame {
    /// Rate \[electron / s / pixel\].
    pub rate: Array2<f32>,
    /// Standard error of the rate.
    pub error: Array2<f32>,
    /// Flag bits ([`sim_core::flags`]).
    pub flags: Array2<u16>,
    /// First column and row on the detector.
    pub origin: (usize, usize),
    /// Exposure time \[s\].
    pub time_s: f64,
}

impl OwnedFrame {
    /// As the engine takes it.
    #[must_use]
    pub fn image(&self) -> SlitlessImage<'_> {
        SlitlessImage {
            rate: self.rate.view(),
            error: self.error.view(),
            flags: self.flags.view(),
            origin: self.origin,
            time_s: self.time_s,
        }
    }
}

/// A frame with one calibrator on it.
#[derive(Debug, Clone, Copy)]
pub struct CalibrationFrame<'a> {
    /// Name, unique in a calibration: edits and reports go by it.
    pub name: &'a str,
    /// Name of the detector it was taken with.
    pub detector: &'a str,
    /// The frame or a cut-out of it.
    pub image: SlitlessImage<'a>,
    /// What the calibrator is.
    pub calibrator: Calibrator,
    /// Column of its undispersed image on the detector \[pixel, 0-based, centres at integers\].
    pub x0: f64,
    /// Row of its undispersed image.
    pub y0: f64,
}

/// The configuration one starts from: off by pixels and per cents.
#[derive(Debug, Clone, PartialEq)]
pub struct Nominal {
    /// Name of the detector.
    pub detector: String,
    /// Band of the grating.
    pub band: String,
    /// Opening and orders.
    pub grating: Grating,
}

impl CalibrationFrame<'_> {
    /// Checks the detector and the planes.
    ///
    /// # Errors
    /// [`CalibrationError::WrongDetector`], [`CalibrationError::Shapes`].
    pub fn check(&self, nominal: &Nominal) -> Result<(), CalibrationError> {
        if self.detector != nominal.detector {
            return Err(CalibrationError::WrongDetector {
                frame: self.name.into(),
                got: self.detector.into(),
                expected: nominal.detector.clone(),
            });
        }
        let (rate, error, flags) = (self.image.rate.dim(), self.image.error.dim(), self.image.flags.dim());
        if rate != error || rate != flags {
            return Err(CalibrationError::Shapes { frame: self.name.into(), rate, error, flags });
        }
        Ok(())
    }
}
