//! Transfer functions sampled on the frequency grid of an image size, ready for the mode loop.
//!
//! # Formula
//! O_j\[kx, ky\] = P(f; lambda_j) sinc(fx) sinc(fy), f = (kx, ky) / N cycles per pixel.
//! # Symbols
//! N  period \[pixel\], along x and along y;  reach  largest |k| along each: the grid may pass N / 2, the loop wraps (aliases) it as sampling does
//! # Limits
//! Half of the plane (ky >= 0) inside a circle of frequency; rows of ky in whole blocks of eight.
//!
//! Layout: colour term after colour term (most objects need the first two alone); in a term row after row of kx; in a
//! row the real parts of all ky, then the imaginary parts: plain contiguous loops, which the compiler vectorises for
//! every instruction set.

use super::fft::{LANES, Lane};
use super::plan::Period;
use super::special::sinc;
use num_complex::Complex64;
use sim_core::psf::Transfer;
use std::ops::Range;

/// Which modes a grid holds: for each kx from -reach to reach the blocks of ky = 0.. that touch the circle.
#[derive(Debug, Clone)]
pub(crate) struct GridShape {
    pub(crate) period: Period,
    pub(crate) reach: Reach,
    /// First block of each row; one more at the end.
    starts: Vec<usize>,
}

/// Largest |kx| and |ky|: the half axes of what is a circle in frequency.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Reach {
    pub(crate) x: usize,
    pub(crate) y: usize,
}

impl Reach {
    /// Largest ky of row kx.
    #[inline(always)]
    pub(crate) fn of_row(self, kx: i64) -> usize {
        let rest = ((self.x * self.x) as f64 - (kx * kx) as f64).max(0.0);
        if self.x == self.y {
            return rest.sqrt() as usize;
        }
        let (x, y) = (self.x as f64, self.y as f64);
        (rest * (y * y) / (x * x)).sqrt() as usize
    }
}

impl GridShape {
    pub(crate) fn new(period: Period, reach: Reach) -> Self {
        let mut starts = vec![0];
        let r = reach.x as i64;
        for kx in -r..=r {
            starts.push(starts[starts.len() - 1] + reach.of_row(kx) / LANES + 1);
        }
        Self { period, reach, starts }
    }
    /// First block of row kx (kx = reach + 1 gives the end).
    #[inline(always)]
    pub(crate) fn row_start(&self, kx: i64) -> usize {
        self.starts[(kx + self.reach.x as i64) as usize]
    }
    /// Blocks stored for row kx.
    #[inline(always)]
    pub(crate) fn row_blocks(&self, kx: i64) -> usize {
        self.row_start(kx + 1) - self.row_start(kx)
    }
    /// All rows.
    pub(crate) fn rows(&self) -> Range<i64> {
        -(self.reach.x as i64)..self.reach.x as i64 + 1
    }
}

/// Whether the pixel's response is multiplied in here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum PixelResponse {
    /// Square pixel.
    Square,
    /// The PSF holds it already.
    InPsf,
}

/// What every grid of one render shares.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Sampling {
    pub(crate) pixel_scale_arcsec: f64,
    pub(crate) pixel: PixelResponse,
}

/// Samples the transfer functions of one place on rows `rows` of kx; `mix` turns those of the wavelength nodes into
/// colour terms (`mix[term][node]`).
pub(crate) fn sample(
    transfers: &[Box<dyn Transfer>],
    mix: &[Vec<f64>],
    shape: &GridShape,
    rows: Range<i64>,
    sampling: Sampling,
) -> Vec<Lane> {
    let total = shape.row_start(rows.end) - shape.row_start(rows.start);
    let mut out = vec![[0.0; LANES]; 2 * total * mix.len()];
    let first = shape.row_start(rows.start);
    let step = |size: usize| 1.0 / (size as f64 * sampling.pixel_scale_arcsec);
    let (step_x, step_y) = (step(shape.period.nx), step(shape.period.ny));
    let response = |reach: usize, size: usize| -> Vec<f64> {
        let of = |k: usize| match sampling.pixel {
            PixelResponse::Square => sinc(k as f64 / size as f64),
            PixelResponse::InPsf => 1.0,
        };
        (0..reach + LANES + 1).map(of).collect()
    };
    let (response_x, response_y) = (response(shape.reach.x, shape.period.nx), response(shape.reach.y, shape.period.ny));
    let (mut fx, mut fy) = (Vec::new(), Vec::new());
    let mut values: Vec<Vec<Complex64>> = vec![Vec::new(); transfers.len()];
    for kx in rows {
        let blocks = shape.row_blocks(kx);
        let modes = blocks * LANES;
        fx.clear();
        fx.resize(modes, kx as f64 * step_x);
        fy.clear();
        fy.extend((0..modes).map(|ky| ky as f64 * step_y));
        for (transfer, values) in transfers.iter().zip(&mut values) {
            values.resize(modes, Complex64::default());
            transfer.sample(&fx, &fy, values);
        }
        let along_x = response_x[kx.unsigned_abs() as usize];
        for (weights, term) in mix.iter().zip(out.chunks_exact_mut(2 * total)) {
            let row = &mut term[2 * (shape.row_start(kx) - first)..][..2 * blocks];
            let (re, im) = row.split_at_mut(blocks);
            for (ky, (re, im)) in re.as_flattened_mut().iter_mut().zip(im.as_flattened_mut()).enumerate() {
                let value: Complex64 = weights.iter().zip(&values).map(|(w, v)| v[ky] * *w).sum();
                let pixel = along_x * response_y[ky];
                *re = (value.re * pixel) as f32;
                *im = (value.im * pixel) as f32;
            }
        }
    }
    out
}
