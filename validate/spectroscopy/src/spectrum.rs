//! A one-dimensional spectrum of one source in one order.

/// A spectrum taken out of a frame: all vectors have one length, one element a step of the trace, wavelengths rising.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Extracted {
    /// Number of the source in the catalogue.
    pub id: u64,
    /// Band of the grating: `GU`, `GV`, `GI`.
    pub band: String,
    /// Number of the order.
    pub order: i32,
    /// Place of the grating among those of the detector: 0 before the border.
    pub grating: usize,
    /// Vacuum wavelength \[nm\].
    pub wavelength_nm: Vec<f64>,
    /// Rate of the source in the element, contamination taken away \[electron / s\].
    pub rate: Vec<f64>,
    /// Its standard error.
    pub rate_error: Vec<f64>,
    /// Rate that other sources put into the aperture, taken away from `rate` \[electron / s\].
    pub contamination: Vec<f64>,
    /// Background taken away \[electron / s\].
    pub background: Vec<f64>,
    /// Flux density \[erg / s / cm2 / nm\]; not a number where the order has no sensitivity.
    pub flux: Vec<f64>,
    /// Its standard error.
    pub flux_error: Vec<f64>,
    /// Flag bits of the pixels in the aperture, used or left out, united.
    pub flags: Vec<u16>,
    /// Full width at half maximum of a narrow line of this source \[nm\].
    pub line_fwhm_nm: f64,
}
