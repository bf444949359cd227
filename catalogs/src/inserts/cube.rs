//! Spectral cubes: bins of wavelength, each an image whose spectrum is flat within the bin and nothing outside.
//!
//! # Formula
//! f_lambda of a pixel and bin: mean over the bin's planes, times the unit. AB magnitude of f_lambda = 1 through a box of the bin:
//! `-2.5 lg(integral lambda d lambda / integral d lambda / lambda / c / 3631e-23)`.
//! # Symbols
//! lambda vacuum wavelength \[nm\], from the third axis (`CRVAL3 + (k + 1 - CRPIX3) CDELT3`, `CD3_3` in place of `CDELT3`).
//! # Source
//! FITS standard 4.0, section 8.4 (Pence et al. 2010; spectral axes Greisen et al. 2006).
//! # Limits
//! Wavelengths in steps of one size; light of a bin spread evenly over it. In air (`AWAV`) they are taken for vacuum ones with a factor 1.00028.
//! # Twin
//! None.

use super::region::{Background, Kept, background};
use super::tiles::{Coat, light};
use ndarray::Array2;
use sim_core::bandpass::Bandpass;
use sim_core::fits::{Header, Value};
use sim_core::spectrum::{Sed, Spectrum};
use sim_core::units::{AB_ZERO_ERG_S_CM2_HZ, SPEED_OF_LIGHT_M_S};
use std::sync::Arc;

/// Refraction of air from 400 to 1000 nm, within 5e-6 (Ciddor 1996).
const AIR: f64 = 1.000_28;

/// The third axis of a cube.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Axis {
    /// Vacuum wavelength of the middle of the first plane \[nm\].
    pub first_nm: f64,
    /// Step \[nm\].
    pub step_nm: f64,
}

impl Axis {
    /// Reads it from a header.
    ///
    /// # Errors
    /// With the keyword, when it is missing or not a wavelength in equal rising steps.
    pub fn read(header: &Header, planes: usize) -> Result<Self, String> {
        let number = |key: &str| match header.get(key) {
            Some(Value::Real(v)) => Some(*v),
            Some(Value::Int(v)) => Some(*v as f64),
            _ => None,
        };
        let needed =
            |key: &str| number(key).ok_or_else(|| format!("keyword {key}: missing or not a number; the third axis of a cube needs it"));
        let step = number("CD3_3").map_or_else(|| needed("CDELT3"), Ok)?;
        let unit = header.text("CUNIT3").unwrap_or("m").trim();
        let in_nm = match unit {
            "m" => 1e9,
            "um" | "micron" => 1e3,
            "nm" => 1.0,
            "Angstrom" | "angstrom" | "A" => 0.1,
            other => return Err(format!("keyword CUNIT3: `{other}` is not known; m, um, nm, Angstrom are")),
        };
        let vacuum = match header.text("CTYPE3").unwrap_or("").trim() {
            "WAVE" | "LAMBDA" | "WAVELENGTH" => 1.0,
            "AWAV" => AIR,
            other => return Err(format!("keyword CTYPE3: `{other}` is not known; WAVE (vacuum) and AWAV (air) are")),
        };
        let reference = number("CRPIX3").unwrap_or(1.0);
        let first = needed("CRVAL3")? + (1.0 - reference) * step;
        let axis = Self { first_nm: first * in_nm * vacuum, step_nm: step * in_nm * vacuum };
        let last = axis.first_nm + axis.step_nm * (planes as f64 - 1.0);
        if !(axis.step_nm > 0.0 && axis.first_nm > 10.0 && last < 1e6) {
            return Err(format!("the third axis runs from {} to {last} nm; it has to rise within 10..1e6 nm", axis.first_nm));
        }
        Ok(axis)
    }
}

/// The bins of a cube as layers of light; the mask loses pixels that are not finite in some plane. A background that is given as a value
/// is that of the planes' sum and shared by them evenly.
pub(super) fn coats(
    planes: &[Array2<f32>],
    axis: &Axis,
    bins: usize,
    unit_erg_s_cm2_angstrom: f64,
    how: Background,
    kept: &mut Kept,
) -> Vec<Coat> {
    for plane in planes {
        kept.mask.zip_mut_with(plane, |keep, v| *keep = *keep && v.is_finite());
    }
    let bins = bins.min(planes.len());
    let edge = |k: usize| k * planes.len() / bins;
    let coat = |k: usize| {
        let (from, to) = (edge(k), edge(k + 1));
        let mut mean = planes[from].clone();
        planes[from + 1..to].iter().for_each(|plane| mean += plane);
        mean /= (to - from) as f32;
        let at = |plane: usize| axis.first_nm + axis.step_nm * (plane as f64 - 0.5);
        let (low, high) = (at(from), at(to));
        // Flanks so steep that neighbours neither overlap nor leave a gap to speak of.
        let flank = 1e-4 * (high - low);
        let wavelength_nm = vec![low - 0.5 * flank, low + 0.5 * flank, high - 0.5 * flank, high + 0.5 * flank];
        let box_of = |name: String| Spectrum::new(name, wavelength_nm.clone(), vec![0.0, 1.0, 1.0, 0.0]);
        let band = Bandpass::new(format!("bin_{low:.2}_{high:.2}"), wavelength_nm.clone(), vec![0.0, 1.0, 1.0, 0.0]).ok()?;
        let sed = Sed::rest(Arc::new(box_of(format!("cube_{low:.2}_{high:.2}")).ok()?));
        // f_lambda of 1 per nm -> f_nu.
        let f_nu = band.mean_fnu(&sed) / (SPEED_OF_LIGHT_M_S * 1e9) * unit_erg_s_cm2_angstrom * 10.0;
        let own = match how {
            Background::Value { value } => value / planes.len() as f64,
            other => background(&mean, other).unwrap_or(0.0),
        };
        let zero_point = -2.5 * (f_nu / AB_ZERO_ERG_S_CM2_HZ).log10();
        Some(Coat { light: light(mean, kept, own), zero_point, band: Arc::new(band), sed })
    };
    (0..bins).filter_map(coat).collect()
}
