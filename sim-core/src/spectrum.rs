//! Spectral energy distributions.

use crate::units::Nanometre;
use std::sync::Arc;

/// A tabulated spectrum: f_lambda in arbitrary units over vacuum wavelength \[nm\], linear between samples,
/// 0 outside. Wavelengths strictly increase; values are finite and >= 0.
#[derive(Debug, Clone, PartialEq)]
pub struct Spectrum {
    /// Name, written to the truth.
    pub name: String,
    wavelength_nm: Vec<f64>,
    flux_lambda: Vec<f64>,
}

/// Why a table is not a spectrum (or a bandpass).
#[derive(Debug, thiserror::Error, PartialEq)]
#[non_exhaustive]
pub enum CurveError {
    /// Fewer than two samples, or unequal lengths.
    #[error("curve {name}: {got} samples; needs at least 2, and as many values as wavelengths")]
    Length {
        /// Curve.
        name: String,
        /// Samples given.
        got: usize,
    },
    /// Wavelengths must increase.
    #[error("curve {name}: wavelength {value} nm at row {row} does not increase or is not positive and finite")]
    Order {
        /// Curve.
        name: String,
        /// Row, from 0.
        row: usize,
        /// Wavelength there.
        value: f64,
    },
    /// Values must be finite and not negative.
    #[error("curve {name}: value {value} at row {row} is outside {range}")]
    Value {
        /// Curve.
        name: String,
        /// Row, from 0.
        row: usize,
        /// Value there.
        value: f64,
        /// Allowed.
        range: &'static str,
    },
}

pub(crate) fn check_curve(name: &str, wavelength_nm: &[f64], values: &[f64], ceiling: f64, range: &'static str) -> Result<(), CurveError> {
    if wavelength_nm.len() < 2 || wavelength_nm.len() != values.len() {
        return Err(CurveError::Length { name: name.into(), got: wavelength_nm.len().min(values.len()) });
    }
    let mut last = 0.0;
    for (row, &w) in wavelength_nm.iter().enumerate() {
        if !w.is_finite() || w <= last {
            return Err(CurveError::Order { name: name.into(), row, value: w });
        }
        last = w;
    }
    for (row, &v) in values.iter().enumerate() {
        if !v.is_finite() || v < 0.0 || v > ceiling {
            return Err(CurveError::Value { name: name.into(), row, value: v, range });
        }
    }
    Ok(())
}

pub(crate) fn interpolate(x: &[f64], y: &[f64], at: f64) -> f64 {
    if !(at >= x[0] && at <= x[x.len() - 1]) {
        return 0.0;
    }
    let i = x.partition_point(|&v| v <= at).clamp(1, x.len() - 1);
    let t = (at - x[i - 1]) / (x[i] - x[i - 1]);
    y[i - 1] + t * (y[i] - y[i - 1])
}

impl Spectrum {
    /// A spectrum from a table.
    ///
    /// # Errors
    /// When the table is not increasing, finite and non-negative.
    pub fn new(name: impl Into<String>, wavelength_nm: Vec<f64>, flux_lambda: Vec<f64>) -> Result<Self, CurveError> {
        let name = name.into();
        check_curve(&name, &wavelength_nm, &flux_lambda, f64::INFINITY, "0..inf")?;
        Ok(Self { name, wavelength_nm, flux_lambda })
    }
    /// A spectrum of constant f_nu (AB magnitude the same in all bands), 90 to 3000 nm.
    #[must_use]
    pub fn flat_fnu() -> Self {
        let wavelength_nm: Vec<f64> = (0..600).map(|i| 90.0 * (3000.0_f64 / 90.0).powf(f64::from(i) / 599.0)).collect();
        let flux_lambda = wavelength_nm.iter().map(|w| (500.0 / w).powi(2)).collect();
        Self { name: "flat_fnu".into(), wavelength_nm, flux_lambda }
    }
    /// f_lambda at a wavelength (arbitrary units); 0 outside the table.
    #[must_use]
    pub fn at(&self, wavelength: Nanometre) -> f64 {
        interpolate(&self.wavelength_nm, &self.flux_lambda, wavelength.0)
    }
    /// Sampled wavelengths \[nm\].
    #[must_use]
    pub fn wavelength_nm(&self) -> &[f64] {
        &self.wavelength_nm
    }
    /// Sampled f_lambda.
    #[must_use]
    pub fn flux_lambda(&self) -> &[f64] {
        &self.flux_lambda
    }
}

/// A spectrum as a source shows it: a template, redshifted and reddened. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Sed {
    /// Rest-frame template.
    pub template: Arc<Spectrum>,
    /// Redshift; the shape moves, the amplitude is set by the source's brightness.
    pub redshift: f64,
    /// Extinction of the Milky Way in front of it.
    pub extinction: Option<Arc<Extinction>>,
}

/// An extinction curve at one strength: transmission over observed wavelength.
#[derive(Debug, Clone, PartialEq)]
pub struct Extinction {
    /// Colour excess E(B-V) \[mag\].
    pub e_bv: f64,
    /// Transmission 0..1 over observed wavelength.
    pub transmission: Spectrum,
}

impl Sed {
    /// A template as it is.
    #[must_use]
    pub fn rest(template: Arc<Spectrum>) -> Self {
        Self { template, redshift: 0.0, extinction: None }
    }
    /// f_lambda at an observed wavelength (arbitrary units).
    #[must_use]
    pub fn at(&self, wavelength: Nanometre) -> f64 {
        let intrinsic = self.template.at(Nanometre(wavelength.0 / (1.0 + self.redshift)));
        match &self.extinction {
            Some(e) => intrinsic * e.transmission.at(wavelength),
            None => intrinsic,
        }
    }
}
