//! Sharp edges: the Laplacian of the twice subsampled image against noise and fine structure.
//!
//! # Formula
//! Each pixel is cut in 2 x 2; the Laplacian of a quarter is 2 c - a - b with the two neighbours it touches. L is a quarter
//! of the sum of the positive ones, S = L / 2 sigma, S' = S - median5(S), F = median3 - median7(median3), sigma^2 = median5 + r^2.
//! A core of a hit is steeper than light can be ([`super::steep`]), or has S' sigma > `contrast` F + `core_sigma` s, s^2 = median3 + r^2, and rises `core_sigma` sigma above
//! median7(median3): sharper than the sharpest star, by more than noise.
//! # Source
//! van Dokkum 2001 (PASP 113, 1420), eqs. 9-14; there the contrast and the noise are two conditions, here one, so that
//! neither faint nor bright stars pass by chance. The subsampled image is never made: four sums per pixel replace it.

use super::Options;
use super::background::Background;
use super::field::{Field, mirrored};
use super::medians::{along3, along5, along7, median3, median5, median7};
use super::steep::{any_steep, is_steep_at};
use multiversion::multiversion;
use rayon::prelude::*;

/// Rows of a strip: what it needs stays in the cache.
const STRIP: usize = 24;
/// Rows and columns around that the widest chain of filters needs.
const PAD: usize = 4;

/// Rows of equal width in one piece of memory.
struct Rows {
    width: usize,
    values: Vec<f32>,
}

impl Rows {
    fn new(rows: usize, width: usize) -> Self {
        Self { width, values: vec![0.0; rows * width] }
    }
    fn row(&self, y: usize) -> &[f32] {
        &self.values[y * self.width..(y + 1) * self.width]
    }
    fn row_mut(&mut self, y: usize) -> &mut [f32] {
        &mut self.values[y * self.width..(y + 1) * self.width]
    }
}

/// Strength of the edges of a row: the sum of the quarters' positive Laplacians over 8 (so that a lone pixel of c
/// electrons on nothing has c), without the noise.
#[multiversion(targets("x86_64+avx512f", "x86_64+avx2"))]
pub(super) fn sharpness(above: &[f32], row: &[f32], below: &[f32], out: &mut [f32]) {
    let n = row.len();
    let (above, below, out) = (&above[..n], &below[..n], &mut out[..n]);
    for x in 1..n - 1 {
        let twice = 2.0 * row[x];
        let (l, r, u, d) = (row[x - 1], row[x + 1], above[x], below[x]);
        let positive = |v: f32| if v > 0.0 { v } else { 0.0 };
        out[x] = 0.125 * (positive(twice - l - u) + positive(twice - r - u) + positive(twice - l - d) + positive(twice - r - d));
    }
}

#[multiversion(targets("x86_64+avx512f", "x86_64+avx2"))]
fn over_noise(sharp: &[f32], level: &[f32], variance: &[f32], sigma: &mut [f32], out: &mut [f32]) {
    let n = out.len();
    let (sharp, level, variance, sigma) = (&sharp[..n], &level[..n], &variance[..n], &mut sigma[..n]);
    for x in 0..n {
        let light = if level[x] > 0.0 { level[x] } else { 0.0 };
        let s = (light + variance[x]).sqrt();
        sigma[x] = s;
        out[x] = if s > 0.0 { sharp[x] / s } else { 0.0 };
    }
}

/// The cores of hits, as positions `y * nx + x` in order.
pub fn cores(field: &Field<'_>, options: &Options) -> Vec<usize> {
    let (ny, nx) = field.shape();
    if ny == 0 || nx == 0 {
        return Vec::new();
    }
    let background = Background::of(field);
    let strips: Vec<Vec<usize>> = (0..ny.div_ceil(STRIP))
        .into_par_iter()
        .map_init(|| Strip::new(nx), |strip, k| strip.run(field, &background, options, k * STRIP, ((k + 1) * STRIP).min(ny)))
        .collect();
    strips.concat()
}

/// Sharper than a star of that fine structure, by more than noise.
fn is_sharp(edge: f32, level: f32, broad: f32, read_variance: f32, options: &Options) -> bool {
    let noise = (level.max(0.0) + read_variance).sqrt();
    edge > options.contrast * (level - broad).max(0.0) + options.core_sigma * noise
}

/// Scratch of one thread.
struct Strip {
    image: Rows,
    one: Rows,
    two: Rows,
    structure: Rows,
    sigma: Rows,
    strength: Rows,
    variance: Vec<f32>,
    line: Vec<f32>,
    other: Vec<f32>,
}

impl Strip {
    fn new(nx: usize) -> Self {
        let (rows, width) = (STRIP + 2 * PAD, nx + 2 * PAD);
        let make = || Rows::new(rows, width);
        let line = || vec![0.0; width];
        Self {
            image: make(),
            one: make(),
            two: make(),
            structure: make(),
            sigma: make(),
            strength: make(),
            variance: line(),
            line: line(),
            other: line(),
        }
    }
    fn run(&mut self, field: &Field<'_>, background: &Background, options: &Options, y0: usize, y1: usize) -> Vec<usize> {
        let (ny, nx) = field.shape();
        let rows = y1 - y0 + 2 * PAD;
        // Row k of the scratch is row y0 + k - PAD of the frame; rows beyond the frame mirror it.
        let frame_row = |k: usize| mirrored((y0 + k) as isize - PAD as isize, ny);
        for k in 0..rows {
            field.row(frame_row(k), -(PAD as isize), self.image.row_mut(k));
        }
        // Noise from the median of 5 x 5, and the sharpness over it.
        for k in 0..rows {
            along5(self.image.row(k), self.one.row_mut(k));
        }
        for k in 2..rows - 2 {
            median5([0, 1, 2, 3, 4].map(|i| self.one.row(k + i - 2)), &mut self.line);
            field.read_variances(frame_row(k), -(PAD as isize), &mut self.variance);
            sharpness(self.image.row(k - 1), self.image.row(k), self.image.row(k + 1), &mut self.other);
            over_noise(&self.other, &self.line, &self.variance, self.sigma.row_mut(k), self.strength.row_mut(k));
        }
        // Fine structure.
        for k in 0..rows {
            along3(self.image.row(k), self.one.row_mut(k));
        }
        for k in 1..rows - 1 {
            median3(self.one.row(k - 1), self.one.row(k), self.one.row(k + 1), self.structure.row_mut(k));
            along7(self.structure.row(k), self.two.row_mut(k));
        }
        // What is larger than a hit leaves the sharpness.
        for k in 2..rows - 2 {
            along5(self.strength.row(k), self.one.row_mut(k));
        }
        let mut found = Vec::new();
        for k in PAD..rows - PAD {
            median7([0, 1, 2, 3, 4, 5, 6].map(|i| self.two.row(k + i - 3)), &mut self.line);
            median5([0, 1, 2, 3, 4].map(|i| self.one.row(k + i - 2)), &mut self.other);
            let (image, sigma, structure, strength) = (self.image.row(k), self.sigma.row(k), self.structure.row(k), self.strength.row(k));
            let (below, above) = (self.image.row(k - 1), self.image.row(k + 1));
            let y = y0 + k - PAD;
            field.read_variances(y, -(PAD as isize), &mut self.variance);
            for x in PAD..PAD + nx {
                // The common case first: nothing here.
                let level = background.at(y, x - PAD);
                if image[x] - level > options.core_sigma * sigma[x] && !field.is_out(y, x - PAD) {
                    let at_border = y == 0 || y + 1 == ny || x == PAD || x + 1 == PAD + nx;
                    let belongs = if field.is_near_saturation(y, x - PAD, 2) {
                        is_steep_at(field, options, level, y, x - PAD)
                    } else {
                        let edge = strength[x] - self.other[x];
                        let pixel = |row: &[f32], x: usize| (row[x] - level, row[x].max(0.0) + self.variance[x]);
                        let square = || [below, image, above].map(|row| [pixel(row, x - 1), pixel(row, x), pixel(row, x + 1)]);
                        (edge > options.core_sigma
                            && image[x] - self.line[x] > options.core_sigma * sigma[x]
                            && is_sharp(edge * sigma[x], structure[x], self.line[x], self.variance[x], options))
                            || if at_border { is_steep_at(field, options, level, y, x - PAD) } else { any_steep(&square(), options) }
                    };
                    if !belongs {
                        continue;
                    }
                    found.push(y * nx + x - PAD);
                }
            }
        }
        found
    }
}
