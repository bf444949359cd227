//! The transfer function of one image.

use crate::kernels::polynomial;
use crate::quadrature::panels;
use ndarray::ArrayView2;
use num_complex::{Complex32, Complex64};
use rustfft::Fft;
use sim_core::psf::Transfer;
use std::f64::consts::{PI, TAU};
use std::sync::{Arc, LazyLock};

/// Points of the kernel per axis.
const WIDTH: usize = 8;

/// The kernel: polynomials per point, and its shape parameter for a grid twice as fine (Barnett et al. 2019, eq. 6).
const SHAPE: f64 = 2.30 * WIDTH as f64;

fn kernel(x: f64) -> f64 {
    let inside = 1.0 - (2.0 * x / WIDTH as f64).powi(2);
    if inside <= 0.0 { 0.0 } else { (SHAPE * (inside.sqrt() - 1.0)).exp() }
}

static PIECES: LazyLock<[[f64; 14]; WIDTH]> =
    LazyLock::new(|| std::array::from_fn(|k| polynomial(|t| kernel(t + 0.5 * WIDTH as f64 - 1.0 - k as f64))));

fn kernel_weights(pieces: &[[f64; 14]; WIDTH], t: f64) -> [f64; WIDTH] {
    let t = 2.0 * t - 1.0;
    std::array::from_fn(|k| pieces[k].iter().rev().fold(0.0, |p, c| p * t + c))
}

/// Transform of the kernel at `u` cycles per grid step.
fn kernel_transform(u: f64, nodes: &(Vec<f64>, Vec<f64>)) -> f64 {
    nodes.0.iter().zip(&nodes.1).map(|(x, w)| 2.0 * w * kernel(*x) * (TAU * u * x).cos()).sum()
}

/// Transfer function of an image.
pub(super) struct ImageTransfer {
    /// `[y, x]` on the doubled grid, frequency 0 first.
    grid: Vec<Complex32>,
    nx: usize,
    ny: usize,
    pixel_scale_arcsec: f64,
    /// Centre of the PSF from the pixel that carries no phase \[pixels\].
    offset: (f64, f64),
    /// Largest brightness \[1 / arcsec^2\] at and beyond each whole pixel of radius.
    brightness: Vec<f32>,
}

impl ImageTransfer {
    pub(super) fn new(
        image: ArrayView2<'_, f32>,
        pixel_scale_arcsec: f64,
        centre: (f64, f64),
        transforms: &[Arc<dyn Fft<f32>>; 2],
    ) -> Self {
        let (rows, columns) = image.dim();
        let (nx, ny) = (transforms[0].len(), transforms[1].len());
        let (x0, y0) = (columns / 2, rows / 2);
        let nodes = panels(0.0, 0.5 * WIDTH as f64, 4, 16);
        let correction = |n: usize, from: usize, grid: usize| -> Vec<f64> {
            (0..n).map(|i| 1.0 / kernel_transform((i as f64 - from as f64) / grid as f64, &nodes)).collect()
        };
        let (cx, cy) = (correction(columns, x0, nx), correction(rows, y0, ny));
        let mut brightness = vec![0.0_f32; rows.max(columns) * 2];
        let area = (pixel_scale_arcsec * pixel_scale_arcsec) as f32;
        let mut grid = vec![Complex32::default(); nx * ny];
        let mut scratch = vec![Complex32::default(); transforms[0].get_inplace_scratch_len().max(transforms[1].get_inplace_scratch_len())];
        for (y, row) in image.rows().into_iter().enumerate() {
            let line = (y + ny - y0) % ny * nx;
            for (x, &v) in row.iter().enumerate() {
                grid[line + (x + nx - x0) % nx] = Complex32::new((f64::from(v) * cx[x] * cy[y]) as f32, 0.0);
                let radius = (x as f64 - centre.0).hypot(y as f64 - centre.1) as usize;
                let last = brightness.len() - 1;
                let slot = &mut brightness[radius.min(last)];
                *slot = slot.max(v / area);
            }
            transforms[0].process_with_scratch(&mut grid[line..line + nx], &mut scratch);
        }
        // Columns in groups, so that each line of the cache is used whole.
        const GROUP: usize = 16;
        let mut block = vec![Complex32::default(); GROUP * ny];
        for x in (0..nx).step_by(GROUP) {
            let width = GROUP.min(nx - x);
            for y in 0..ny {
                for k in 0..width {
                    block[k * ny + y] = grid[y * nx + x + k];
                }
            }
            block.chunks_mut(ny).take(width).for_each(|c| transforms[1].process_with_scratch(c, &mut scratch));
            for y in 0..ny {
                for k in 0..width {
                    grid[y * nx + x + k] = block[k * ny + y];
                }
            }
        }
        for i in (1..brightness.len()).rev() {
            brightness[i - 1] = brightness[i - 1].max(brightness[i]);
        }
        Self { grid, nx, ny, pixel_scale_arcsec, offset: (centre.0 - x0 as f64, centre.1 - y0 as f64), brightness }
    }
}

impl Transfer for ImageTransfer {
    fn at(&self, fx: f64, fy: f64) -> Complex64 {
        // Cycles per pixel.
        let (u, v) = (fx * self.pixel_scale_arcsec, fy * self.pixel_scale_arcsec);
        if u.abs() >= 0.5 || v.abs() >= 0.5 {
            return Complex64::default();
        }
        let pieces = &*PIECES;
        let (gx, gy) = (u * self.nx as f64, v * self.ny as f64);
        let (wx, wy) = (kernel_weights(pieces, gx - gx.floor()), kernel_weights(pieces, gy - gy.floor()));
        let reach = WIDTH as isize / 2 - 1;
        let first_x = (gx.floor() as isize - reach).rem_euclid(self.nx as isize) as usize;
        let first_y = gy.floor() as isize - reach;
        let mut sum = Complex32::default();
        for (k, w) in wy.iter().enumerate() {
            let y = (first_y + k as isize).rem_euclid(self.ny as isize) as usize;
            let line = &self.grid[y * self.nx..(y + 1) * self.nx];
            let mut along = Complex32::default();
            if let Some(values) = line.get(first_x..first_x + WIDTH) {
                values.iter().zip(&wx).for_each(|(v, w)| along += v * *w as f32);
            } else {
                wx.iter().enumerate().for_each(|(i, w)| along += line[(first_x + i) % self.nx] * *w as f32);
            }
            sum += along * *w as f32;
        }
        let phase = TAU * (u * self.offset.0 + v * self.offset.1);
        Complex64::new(f64::from(sum.re), f64::from(sum.im)) * Complex64::from_polar(1.0, phase)
    }
    fn cutoff(&self, tolerance: f64) -> f64 {
        let nyquist = 0.5 / self.pixel_scale_arcsec;
        let (rings, angles) = (64, 24);
        let step = nyquist * 2f64.sqrt() / f64::from(rings);
        let largest = |ring: i32| {
            (0..angles)
                .map(|k| {
                    let (s, c) = (PI * (f64::from(k) + 0.5) / f64::from(angles)).sin_cos();
                    let f = step * f64::from(ring);
                    self.at(f * c, f * s).norm()
                })
                .fold(0.0, f64::max)
        };
        // One ring of margin.
        let last = (0..rings).rev().find(|&ring| largest(ring) > tolerance).map_or(1, |ring| ring + 2);
        step * f64::from(last.min(rings))
    }
    fn radius_of_brightness(&self, level: f64) -> f64 {
        let pixels = self.brightness.iter().position(|&b| f64::from(b) <= level).unwrap_or(self.brightness.len());
        (pixels as f64 + 1.0) * self.pixel_scale_arcsec
    }
}
