//! The point-spread function as the engine sees it: its transfer function.
//!
//! The design sketch had a `stamp` method. The engine works in Fourier space (one inverse transform per object
//! draws any profile through any PSF with the exact pixel response), so the trait hands out the optical transfer
//! function instead; a stamp is its inverse transform, and the reason is written in `ARCHITECTURE.md`.

use crate::units::{FocalPoint, Nanometre};
use num_complex::Complex64;

/// A point-spread function over the field and over wavelength.
pub trait Psf: Send + Sync {
    /// The transfer function at one place and wavelength.
    ///
    /// # Errors
    /// When the place or wavelength is outside what the model covers.
    fn transfer(&self, at: FocalPoint, wavelength: Nanometre) -> Result<Box<dyn Transfer>, PsfError>;
    /// The transfer functions at one place and several wavelengths. Override where they share work.
    ///
    /// # Errors
    /// As [`Psf::transfer`].
    fn transfers(&self, at: FocalPoint, wavelengths: &[Nanometre]) -> Result<Vec<Box<dyn Transfer>>, PsfError> {
        wavelengths.iter().map(|&w| self.transfer(at, w)).collect()
    }
    /// Whether the PSF is the same at all places (then one field node serves a whole detector).
    fn is_uniform(&self) -> bool {
        false
    }
    /// Whether the PSF is the same at all wavelengths (then one wavelength node serves a whole band).
    fn is_achromatic(&self) -> bool {
        false
    }
    /// Whether the pixel response is already part of it (PSF files of some peers).
    fn contains_pixel_response(&self) -> bool {
        false
    }
}

impl<P: Psf + ?Sized> Psf for &P {
    fn transfer(&self, at: FocalPoint, wavelength: Nanometre) -> Result<Box<dyn Transfer>, PsfError> {
        (**self).transfer(at, wavelength)
    }
    fn transfers(&self, at: FocalPoint, wavelengths: &[Nanometre]) -> Result<Vec<Box<dyn Transfer>>, PsfError> {
        (**self).transfers(at, wavelengths)
    }
    fn is_uniform(&self) -> bool {
        (**self).is_uniform()
    }
    fn is_achromatic(&self) -> bool {
        (**self).is_achromatic()
    }
    fn contains_pixel_response(&self) -> bool {
        (**self).contains_pixel_response()
    }
}

/// The transfer function of one PSF: the Fourier transform of its surface brightness, 1 at the origin,
/// `T(f) = integral psf(x) exp(-2 pi i f.x) d2x`.
/// Frequencies are in cycles per arcsec along the detector's x and y axes.
pub trait Transfer: Send + Sync {
    /// Value at a frequency.
    fn at(&self, fx_per_arcsec: f64, fy_per_arcsec: f64) -> Complex64;
    /// Frequency \[cycles / arcsec\] beyond which `|T| < tolerance`.
    fn cutoff(&self, tolerance: f64) -> f64;
    /// Radius \[arcsec\] beyond which the surface brightness is below `level` \[1 / arcsec^2, of unit flux\].
    /// An upper estimate is fine.
    fn radius_of_brightness(&self, level_per_arcsec2: f64) -> f64;
    /// Values at many frequencies. Override where a bulk evaluation is faster.
    fn sample(&self, fx_per_arcsec: &[f64], fy_per_arcsec: &[f64], out: &mut [Complex64]) {
        for ((o, &fx), &fy) in out.iter_mut().zip(fx_per_arcsec).zip(fy_per_arcsec) {
            *o = self.at(fx, fy);
        }
    }
}

/// Why a PSF could not be evaluated or read.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PsfError {
    /// Wavelength outside the model.
    #[error("wavelength {wavelength_nm} nm is outside the PSF model's {low_nm}..{high_nm} nm")]
    Wavelength {
        /// Asked for.
        wavelength_nm: f64,
        /// Lower end.
        low_nm: f64,
        /// Upper end.
        high_nm: f64,
    },
    /// A parameter is outside its range.
    #[error("psf.{key} = {value} {unit} is outside {range}")]
    OutOfRange {
        /// Parameter.
        key: String,
        /// Value given.
        value: f64,
        /// Unit.
        unit: &'static str,
        /// Allowed.
        range: &'static str,
    },
    /// A file could not be used.
    #[error("{path}: {reason}")]
    File {
        /// File.
        path: String,
        /// Reason.
        reason: String,
    },
}
