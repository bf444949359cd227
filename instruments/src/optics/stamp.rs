//! One source on one pixel grid, in double precision: for comparison with other renderers and for debugging.
//!
//! # Formula
//! As the frame renderer ([`super::modes`]), with every mode, both signs of ky, every profile and every phase
//! evaluated in f64 without tables in frequency: it shares the profiles with the frame renderer, not the loop.
//! # Limits
//! Periods to 4096 pixels, frequencies to 16 cycles per pixel. Error about the relative tolerance asked for.

use super::error::OpticsError;
use super::grid::{PixelResponse, Sampling};
use super::picture::Picture;
use super::plan::{Response, size_for};
use super::scene::{Light, Part, light_of};
use super::sersic::SersicTransform;
use super::shape;
use super::special::sinc;
use ndarray::Array2;
use num_complex::Complex64;
use rayon::prelude::*;
use realfft::RealFftPlanner;
use rustfft::FftPlanner;
use sim_core::psf::Transfer;
use sim_core::source::{Lensing, Profile};
use std::f64::consts::PI;

/// What to draw. The centre is the true centre of the grid, ((nx - 1) / 2, (ny - 1) / 2), plus the offset.
pub struct StampSpec<'a> {
    /// Object number, named in errors; key of its knots.
    pub id: u64,
    /// Light distributions with their electrons; shapes in pixel axes.
    pub components: &'a [(Profile, f64)],
    /// Lensing, applied to all components.
    pub lensing: Lensing,
    /// PSF.
    pub transfer: &'a dyn Transfer,
    /// Whether the PSF holds the pixel response already (then no pixel is multiplied in).
    pub psf_contains_pixel: bool,
    /// Columns.
    pub nx: usize,
    /// Rows.
    pub ny: usize,
    /// Pixel size \[arcsec\].
    pub pixel_scale_arcsec: f64,
    /// Offset of the centre \[pixel\], columns and rows.
    pub offset_px: (f64, f64),
    /// Error of a pixel over the peak, 1e-12..0.1.
    pub relative_tolerance: f64,
}

enum Transform {
    Point,
    Sersic(SersicTransform),
    Knots(Vec<[f64; 2]>),
    Picture(Picture),
}

impl Transform {
    /// Value at circular frequency (u, v) \[rad per unit of the part's map\].
    fn at(&self, u: f64, v: f64) -> Complex64 {
        match self {
            Self::Point => Complex64::new(1.0, 0.0),
            Self::Sersic(transform) => transform.at(u * u + v * v).into(),
            Self::Knots(at) => at.iter().map(|p| Complex64::from_polar(1.0, -(u * p[0] + v * p[1]))).sum::<Complex64>() / at.len() as f64,
            Self::Picture(picture) => picture.at(u / (2.0 * PI), v / (2.0 * PI)),
        }
    }
}

/// Draws a stamp, `[y, x]`, in electrons.
///
/// # Errors
/// When a value is outside its range.
pub fn draw_stamp(spec: &StampSpec<'_>) -> Result<Array2<f64>, OpticsError> {
    let setting = |key, value: f64, unit, range: &'static str, ok: bool| {
        if ok { Ok(()) } else { Err(OpticsError::Setting { key, value, unit, range }) }
    };
    let scale = spec.pixel_scale_arcsec;
    setting("stamp.nx", spec.nx as f64, "pixel", "1..2048", (1..=2048).contains(&spec.nx))?;
    setting("stamp.ny", spec.ny as f64, "pixel", "1..2048", (1..=2048).contains(&spec.ny))?;
    setting("stamp.pixel_scale", scale, "arcsec", "0 (exclusive) to 3600", scale > 0.0 && scale <= 3600.0)?;
    setting("stamp.offset_x", spec.offset_px.0, "pixel", "-1e4..1e4", spec.offset_px.0.abs() <= 1e4)?;
    setting("stamp.offset_y", spec.offset_px.1, "pixel", "-1e4..1e4", spec.offset_px.1.abs() <= 1e4)?;
    let tolerance = spec.relative_tolerance;
    setting("stamp.relative_tolerance", tolerance, "", "1e-12..0.1", (1e-12..=0.1).contains(&tolerance))?;

    let (lens, mu) = shape::lens_map(spec.id, &spec.lensing)?;
    let mut parts = Vec::new();
    for (profile, electrons) in spec.components {
        if !(electrons.is_finite() && *electrons >= 0.0) {
            return Err(OpticsError::Source { id: spec.id, key: "flux", value: *electrons, unit: "electron", range: "finite and >= 0" });
        }
        let (light, inner, _, _) = light_of(spec.id, profile)?;
        let map = shape::product(&lens, &inner).map(|row| row.map(|v| v / scale));
        parts.push(Part { light, map, electrons: electrons * mu, weights: super::colour::GREY, sed: None, concentration: 1.0 });
    }
    parts.retain(|p| p.electrons > 0.0);
    if parts.is_empty() {
        return Ok(Array2::zeros((spec.ny, spec.nx)));
    }

    let pixel = if spec.psf_contains_pixel { PixelResponse::InPsf } else { PixelResponse::Square };
    let sampling = Sampling { pixel_scale_arcsec: scale, pixel };
    let extents: Vec<_> = parts.iter().map(|part| part.extent(None)).collect();
    let borrowed: Vec<Box<dyn Transfer + '_>> = vec![Box::new(Borrowed(spec.transfer))];
    let response = Response::new(&borrowed, &[vec![1.0]], sampling, 1024, 16.0);
    let level = 0.1 * tolerance * response.peak(&extents);
    let centre = [0.5 * (spec.nx as f64 - 1.0) + spec.offset_px.0, 0.5 * (spec.ny as f64 - 1.0) + spec.offset_px.1];
    let farthest = |c: f64, n: usize| c.abs().max((n as f64 - 1.0 - c).abs());
    let reach_px = farthest(centre[0], spec.nx).max(farthest(centre[1], spec.ny));
    // The next image of the object must be dark everywhere on the stamp.
    let (size, _) = size_for(response.radius(&extents, level) + reach_px + 1.0);
    let reach = ((response.cutoff(&extents, level) * size as f64).ceil() as i64).max(1);
    let transforms: Vec<(&Part, Transform)> = parts
        .iter()
        .map(|p| {
            let transform = match &p.light {
                Light::Point => Transform::Point,
                Light::Sersic(n) => Transform::Sersic(SersicTransform::new(*n)),
                Light::Knots(at) => Transform::Knots(at.to_vec()),
                Light::Picture(pixels) => Transform::Picture(Picture::new(pixels)),
            };
            (p, transform)
        })
        .collect();

    // For each ky of the period: all modes that alias to it, then the inverse transform along x.
    let along_x = FftPlanner::<f64>::new().plan_fft_inverse(size);
    let columns = spec.nx.min(size);
    let rows: Vec<Vec<Complex64>> = (0..=size / 2)
        .into_par_iter()
        .map(|folded| {
            let mut row = vec![Complex64::default(); size];
            let n = size as i64;
            let mut ky = folded as i64 - n * ((reach + folded as i64) / n);
            while ky <= reach {
                add_modes(spec, &transforms, size, reach, centre, ky, &mut row);
                ky += n;
            }
            along_x.process(&mut row);
            row.truncate(columns);
            row
        })
        .collect();
    let along_y = RealFftPlanner::<f64>::new().plan_fft_inverse(size);
    let images: Vec<Vec<f64>> = (0..columns)
        .into_par_iter()
        .map(|x| {
            let mut spectrum: Vec<Complex64> = rows.iter().map(|r| r[x]).collect();
            spectrum[0].im = 0.0;
            spectrum[size / 2].im = 0.0;
            let mut image = vec![0.0; size];
            // The only failures are wrong lengths, which the planner fixed.
            let done = along_y.process(&mut spectrum, &mut image);
            assert!(done.is_ok(), "inverse transform of length {size}");
            image
        })
        .collect();
    let norm = 1.0 / (size * size) as f64;
    Ok(Array2::from_shape_fn((spec.ny, spec.nx), |(y, x)| if x < columns && y < size { images[x][y] * norm } else { 0.0 }))
}

fn add_modes(
    spec: &StampSpec<'_>,
    parts: &[(&Part, Transform)],
    size: usize,
    reach: i64,
    centre: [f64; 2],
    ky: i64,
    row: &mut [Complex64],
) {
    let span = ((reach * reach - ky * ky).max(0) as f64).sqrt() as i64;
    let per_px = 1.0 / size as f64;
    let fx: Vec<f64> = (-span..=span).map(|kx| kx as f64 * per_px / spec.pixel_scale_arcsec).collect();
    let fy = vec![ky as f64 * per_px / spec.pixel_scale_arcsec; fx.len()];
    let mut values = vec![Complex64::default(); fx.len()];
    spec.transfer.sample(&fx, &fy, &mut values);
    for (kx, transfer) in (-span..=span).zip(values) {
        let (x, y) = (kx as f64 * per_px, ky as f64 * per_px);
        let mut value = Complex64::default();
        for (part, transform) in parts {
            let a = &part.map;
            let (u, v) = (2.0 * PI * (a[0][0] * x + a[1][0] * y), 2.0 * PI * (a[0][1] * x + a[1][1] * y));
            value += transform.at(u, v) * part.electrons;
        }
        let pixel = if spec.psf_contains_pixel { 1.0 } else { sinc(x) * sinc(y) };
        let turns = (x * centre[0] + y * centre[1]).fract();
        row[kx.rem_euclid(size as i64) as usize] += value * transfer * pixel * Complex64::from_polar(1.0, -2.0 * PI * turns);
    }
}

struct Borrowed<'a>(&'a dyn Transfer);

impl Transfer for Borrowed<'_> {
    fn at(&self, fx_per_arcsec: f64, fy_per_arcsec: f64) -> Complex64 {
        self.0.at(fx_per_arcsec, fy_per_arcsec)
    }
    fn cutoff(&self, tolerance: f64) -> f64 {
        self.0.cutoff(tolerance)
    }
    fn radius_of_brightness(&self, level_per_arcsec2: f64) -> f64 {
        self.0.radius_of_brightness(level_per_arcsec2)
    }
    fn sample(&self, fx_per_arcsec: &[f64], fy_per_arcsec: &[f64], out: &mut [Complex64]) {
        self.0.sample(fx_per_arcsec, fy_per_arcsec, out);
    }
}
