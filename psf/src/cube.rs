//! PSFs tabulated as images.
//!
//! # Effect
//! Any PSF that comes from elsewhere: ray tracing, a mission's own files, a measurement from stars.
//!
//! # Formula
//! `T(f) = sum over pixels of p exp(-2 pi i f.(x - c))` for |fx|, |fy| < 1 / (2 PIXSCALE), 0 beyond (band-limited
//! interpolation of the samples). Evaluated on a grid twice as fine as the image's own by FFT and from there by a
//! kernel of 8 x 8 points (`exp(b sqrt(1 - x^2))`), to 1e-6.
//!
//! # Symbols
//! `p` pixel, image normalised to sum 1; `x` its place, `c` the PSF's centre \[arcsec\]; `f` frequency.
//!
//! # Source
//! Barnett, Magland & af Klinteberg 2019 (SIAM J. Sci. Comput. 41, C479) for the kernel; Shepard 1968 and Franke &
//! Little 1980 for the weights of scattered positions.
//!
//! # Limits
//! Light outside the image is not there: give images wide enough for bright stars. Sampling must be fine enough for
//! the band (PIXSCALE <= lambda / 2 D for diffraction). Between positions images are averaged with weights, which
//! neither moves nor rotates them.
//!
//! # Twin
//! None: the reduction measures its PSF from stars.
//!
//! ## The file
//!
//! | unit | name | content |
//! |---|---|---|
//! | 0 | | header only: `PSFCUBE` = 1 (layout), `PIXRESP` (logical: the detector's pixel response is contained) |
//! | 1 | `POSITIONS` | table: `X_DEG`, `Y_DEG` \[deg\], focal-plane position of each PSF |
//! | 2.. | `PSF1`, `PSF2`, ... | 32-bit cube `[position, y, x]`, one unit per wavelength in ascending order: `WAVELEN` \[nm\], `PIXSCALE` \[arcsec\], optional `CRPIX1`, `CRPIX2` (centre of the PSF, 1-based; the middle of the image when absent) |
//!
//! All cubes have the same shape, scale and centre. Pixels are samples of the brightness along the detector's x and
//! y axes, in any unit: each image is normalised to sum 1. Positions that form a regular grid are interpolated
//! bilinearly and held beyond its edge; others by inverse distances that reach to twice the fourth-nearest distance.
//! Both are continuous: no seams.

mod field;
mod file;
mod image;

use crate::optical::out_of_range;
use field::Field;
use image::ImageTransfer;
use ndarray::{Array2, Array3, ArrayView2, Axis};
use num_complex::Complex64;
use rustfft::{Fft, FftPlanner};
use serde::{Deserialize, Serialize};
use sim_core::psf::{Psf, PsfError, Transfer};
use sim_core::units::{FocalPoint, Nanometre};
use std::f64::consts::TAU;
use std::sync::Arc;

/// How to go from one tabulated wavelength to the next.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum BetweenWavelengths {
    /// Linearly between the two neighbours.
    #[default]
    Linear,
    /// Lagrange's polynomial through the four nearest.
    Lagrange,
}

/// Tabulated PSF.
#[derive(Clone)]
pub struct CubePsf {
    wavelengths_nm: Vec<f64>,
    /// `[position, y, x]` per wavelength, each image of sum 1.
    cubes: Vec<Array3<f32>>,
    positions: Vec<FocalPoint>,
    field: Field,
    pixel_scale_arcsec: f64,
    /// 0-based centre (x, y).
    centre: (f64, f64),
    contains_pixel_response: bool,
    between: BetweenWavelengths,
    transforms: [Arc<dyn Fft<f32>>; 2],
}

impl std::fmt::Debug for CubePsf {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("CubePsf")
            .field("wavelengths_nm", &self.wavelengths_nm)
            .field("shape", &self.cubes.first().map(|c| c.dim()))
            .field("pixel_scale_arcsec", &self.pixel_scale_arcsec)
            .finish_non_exhaustive()
    }
}

impl CubePsf {
    /// From images `[position, y, x]` per wavelength \[nm\]. `centre` is the PSF's place in the image (x, y), 0-based;
    /// the middle when `None`.
    ///
    /// # Errors
    /// When the cubes differ in shape, wavelengths do not ascend, the number of positions differs from that of images,
    /// or an image has a pixel that is not finite or no flux.
    pub fn new(
        cubes: Vec<(Nanometre, Array3<f32>)>,
        positions: Vec<FocalPoint>,
        pixel_scale_arcsec: f64,
        centre: Option<(f64, f64)>,
        contains_pixel_response: bool,
    ) -> Result<Self, PsfError> {
        let Some(shape) = cubes.first().map(|c| c.1.dim()) else {
            return Err(out_of_range("cube", 0.0, "wavelengths", "1 and more wavelengths"));
        };
        if !(pixel_scale_arcsec > 0.0 && pixel_scale_arcsec < 60.0) {
            return Err(out_of_range("cube.PIXSCALE", pixel_scale_arcsec, "arcsec", "0 (excluded) to 60"));
        }
        if shape.0 == 0 || shape.0 != positions.len() {
            return Err(out_of_range("cube.POSITIONS", positions.len() as f64, "rows", "one row per image, at least one"));
        }
        let side = shape.1.max(shape.2);
        if !(2..=4096).contains(&side) || shape.1.min(shape.2) < 2 {
            return Err(out_of_range("cube.NAXIS1", side as f64, "pixels", "2 to 4096"));
        }
        if let Some(p) = positions.iter().find(|p| !(p.x_deg.is_finite() && p.y_deg.is_finite())) {
            return Err(out_of_range("cube.POSITIONS", p.x_deg + p.y_deg, "deg", "finite numbers"));
        }
        let mut wavelengths_nm: Vec<f64> = Vec::new();
        let mut images = Vec::new();
        for (wavelength, mut cube) in cubes {
            if wavelength.0.is_nan() || wavelength.0 <= wavelengths_nm.last().copied().unwrap_or(0.0) {
                return Err(out_of_range("cube.WAVELEN", wavelength.0, "nm", "positive and ascending"));
            }
            if cube.dim() != shape {
                return Err(out_of_range("cube.NAXIS1", cube.dim().2 as f64, "pixels", "the same shape at all wavelengths"));
            }
            for (i, mut image) in cube.axis_iter_mut(Axis(0)).enumerate() {
                let flux: f64 = image.iter().map(|&v| f64::from(v)).sum();
                if !(flux > 0.0 && flux.is_finite()) {
                    return Err(out_of_range(format!("cube image {} at {} nm: sum", i + 1, wavelength.0), flux, "", "positive, finite"));
                }
                image.mapv_inplace(|v| (f64::from(v) / flux) as f32);
            }
            wavelengths_nm.push(wavelength.0);
            images.push(cube);
        }
        let mut planner = FftPlanner::new();
        let transforms = [2 * shape.2, 2 * shape.1].map(|n| planner.plan_fft_forward(n.max(16)));
        let middle = (0.5 * (shape.2 as f64 - 1.0), 0.5 * (shape.1 as f64 - 1.0));
        Ok(Self {
            wavelengths_nm,
            cubes: images,
            field: Field::new(&positions),
            positions,
            pixel_scale_arcsec,
            centre: centre.unwrap_or(middle),
            contains_pixel_response,
            between: BetweenWavelengths::Linear,
            transforms,
        })
    }

    /// Tables any other PSF: `side` x `side` samples, centred on the middle of the image.
    ///
    /// # Errors
    /// When the PSF cannot be evaluated, or the result is no PSF (see [`CubePsf::new`]).
    pub fn tabulate(
        psf: &dyn Psf,
        positions: &[FocalPoint],
        wavelengths: &[Nanometre],
        pixel_scale_arcsec: f64,
        side: usize,
    ) -> Result<Self, PsfError> {
        let mut cubes: Vec<_> = wavelengths.iter().map(|&w| (w, Array3::zeros((positions.len(), side, side)))).collect();
        for (i, &at) in positions.iter().enumerate() {
            for (transfer, (_, cube)) in psf.transfers(at, wavelengths)?.iter().zip(&mut cubes) {
                cube.index_axis_mut(Axis(0), i).assign(&samples(transfer.as_ref(), pixel_scale_arcsec, side));
            }
        }
        Self::new(cubes, positions.to_vec(), pixel_scale_arcsec, None, psf.contains_pixel_response())
    }

    /// The same with another way between wavelengths.
    #[must_use]
    pub fn between_wavelengths(self, between: BetweenWavelengths) -> Self {
        Self { between, ..self }
    }

    /// The image of one wavelength and position, by number; sum 1.
    ///
    /// # Panics
    /// When there are fewer.
    #[must_use]
    pub fn image(&self, wavelength: usize, position: usize) -> ArrayView2<'_, f32> {
        self.cubes[wavelength].index_axis(Axis(0), position)
    }

    /// Weights of the tabulated wavelengths.
    fn spectral_weights(&self, wavelength: Nanometre) -> Result<Vec<(usize, f64)>, PsfError> {
        let nodes = &self.wavelengths_nm;
        let last = nodes.len() - 1;
        if last == 0 {
            return Ok(vec![(0, 1.0)]);
        }
        if !(wavelength.0 >= nodes[0] && wavelength.0 <= nodes[last]) {
            return Err(PsfError::Wavelength { wavelength_nm: wavelength.0, low_nm: nodes[0], high_nm: nodes[last] });
        }
        let below = nodes.iter().rposition(|&n| n <= wavelength.0).unwrap_or(0).min(last - 1);
        let range = match self.between {
            BetweenWavelengths::Linear => below..=below + 1,
            BetweenWavelengths::Lagrange => {
                let first = below.saturating_sub(1).min(last.saturating_sub(3));
                first..=(first + 3).min(last)
            }
        };
        let weight = |i: usize| range.clone().filter(|&k| k != i).map(|k| (wavelength.0 - nodes[k]) / (nodes[i] - nodes[k])).product();
        Ok(range.clone().map(|i| (i, weight(i))).filter(|w| w.1 != 0.0).collect())
    }

    fn blend(&self, at: FocalPoint, wavelength: Nanometre) -> Result<Array2<f32>, PsfError> {
        let shape = self.cubes[0].dim();
        let mut sum = Array2::zeros((shape.1, shape.2));
        for (l, spectral) in self.spectral_weights(wavelength)? {
            for (i, spatial) in self.field.weights(&self.positions, at) {
                sum.scaled_add((spectral * spatial) as f32, &self.cubes[l].index_axis(Axis(0), i));
            }
        }
        Ok(sum)
    }
}

impl Psf for CubePsf {
    fn transfer(&self, at: FocalPoint, wavelength: Nanometre) -> Result<Box<dyn Transfer>, PsfError> {
        Ok(Box::new(ImageTransfer::new(self.blend(at, wavelength)?.view(), self.pixel_scale_arcsec, self.centre, &self.transforms)))
    }
    fn is_uniform(&self) -> bool {
        self.positions.len() == 1
    }
    fn is_achromatic(&self) -> bool {
        self.wavelengths_nm.len() == 1
    }
    fn contains_pixel_response(&self) -> bool {
        self.contains_pixel_response
    }
}

/// Samples of a transfer function's image, times the area of a pixel.
fn samples(transfer: &dyn Transfer, pixel_scale_arcsec: f64, side: usize) -> Array2<f32> {
    let n = side as f64;
    let frequency = |k: usize| (k as f64 - if 2 * k > side { n } else { 0.0 }) / (n * pixel_scale_arcsec);
    let middle = 0.5 * (n - 1.0);
    let fft = FftPlanner::<f64>::new().plan_fft_inverse(side);
    let mut values = vec![Complex64::default(); side * side];
    let fx: Vec<f64> = (0..side).map(frequency).collect();
    for (ky, row) in values.chunks_mut(side).enumerate() {
        let fy = frequency(ky);
        transfer.sample(&fx, &vec![fy; side], row);
        for (v, fx) in row.iter_mut().zip(&fx) {
            // The first pixel is at -middle.
            *v *= Complex64::from_polar(1.0, -TAU * pixel_scale_arcsec * middle * (fx + fy));
        }
        fft.process(row);
    }
    let mut out = Array2::zeros((side, side));
    let mut column = vec![Complex64::default(); side];
    for x in 0..side {
        (0..side).for_each(|y| column[y] = values[y * side + x]);
        fft.process(&mut column);
        (0..side).for_each(|y| out[[y, x]] = (column[y].re / (n * n)) as f32);
    }
    out
}

#[cfg(test)]
mod tests;
