//! Units as types for public signatures; kernels take `f64` with the unit in the name.

use serde::{Deserialize, Serialize};

/// A wavelength \[nm\], in vacuum.
#[derive(Debug, Clone, Copy, PartialEq, PartialOrd, Serialize, Deserialize)]
pub struct Nanometre(pub f64);

/// A time span \[s\].
#[derive(Debug, Clone, Copy, PartialEq, PartialOrd, Serialize, Deserialize)]
pub struct Second(pub f64);

/// An angle on the sky \[arcsec\].
#[derive(Debug, Clone, Copy, PartialEq, PartialOrd, Serialize, Deserialize)]
pub struct Arcsecond(pub f64);

/// A position in the focal plane \[deg\], along the mosaic's x and y axes, from the boresight.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct FocalPoint {
    /// Along mosaic x \[deg\].
    pub x_deg: f64,
    /// Along mosaic y \[deg\].
    pub y_deg: f64,
}

/// Speed of light \[m / s\], exact (SI).
pub const SPEED_OF_LIGHT_M_S: f64 = 299_792_458.0;
/// Planck constant \[J s\], exact (SI 2019).
pub const PLANCK_J_S: f64 = 6.626_070_15e-34;
/// Planck constant times speed of light \[erg nm\]: over a wavelength, the energy of a photon.
pub const HC_ERG_NM: f64 = PLANCK_J_S * SPEED_OF_LIGHT_M_S * 1e16;
/// Boltzmann constant \[J / K\], exact (SI 2019).
pub const BOLTZMANN_J_K: f64 = 1.380_649e-23;
/// Radians in an arcsecond.
pub const RADIAN_PER_ARCSECOND: f64 = std::f64::consts::PI / 648_000.0;
/// Flux density of AB magnitude 0 \[erg / s / cm2 / Hz\] (Oke & Gunn 1983: m = -2.5 lg f - 48.60).
pub const AB_ZERO_ERG_S_CM2_HZ: f64 = 3.630_780_547_701_013e-20;
