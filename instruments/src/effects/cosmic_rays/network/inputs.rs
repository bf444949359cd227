//! What the network sees of a pixel: six numbers that do not depend on the level of the sky.
//!
//! # Formula
//! asinh((d - b) / 2 sigma_b), asinh((d - m) / 2 sigma_m), ln(sigma_m^2 / 25) / 2, (d - b) / 2 sigma_b - 5/2 between -2 and 2, 1 or 0, 4 (c - 0.35), with d
//! the electrons less dark, b the coarse level of the sky, m the separable median of 5 x 5 pixels, sigma_v^2 = max(v, 0) + dark + read
//! variance. The first shows sources and hits on one scale, the second hits over the light of sources, the third the noise
//! \[5 electrons\], from which source noise follows, the fourth how far a pixel of the sky is from the limit of the truth (5 sigma), the
//! fifth which pixels are left out: they are filled along their row, and what lies beside saturated ones is no hit's edge. The sixth is the
//! frame's: c, the charge cloud from the light side \[pixel\]. A hit in silicon of much diffusion looks like a star seen through silicon of little.
//! Beyond the frame the image is its mirror image.

use super::arithmetic::{asinh, ln};
use crate::effects::cosmic_rays::laplacian::background::Background;
use crate::effects::cosmic_rays::laplacian::field::{CLOUD_PX, Field, mirrored};
use crate::effects::cosmic_rays::laplacian::medians::{along5, median5};
use multiversion::multiversion;
use ndarray::Array3;

/// Numbers of a pixel.
pub const CHANNELS: usize = 6;
/// Pixels around that the median needs.
const MEDIAN: usize = 2;
/// Limit of the primary definition of truth \[sigma\], in the middle of the fourth number.
const LIMIT: f32 = 5.0;
/// Reference variance of the third number \[electron^2\].
const REFERENCE: f32 = 25.0;

/// What the numbers of a rectangle of a frame are made from; room of one thread.
#[derive(Default)]
pub(super) struct Patch {
    /// Columns of the numbers, and of the rows with what the medians need around.
    columns: usize,
    width: usize,
    image: Vec<f32>,
    along: Vec<f32>,
    medians: Vec<f32>,
    /// Variance that does not depend on light.
    floor: Vec<f32>,
    dark: Vec<f32>,
    level: Vec<f32>,
    /// 1 where a pixel is left out, 0 elsewhere.
    out: Vec<f32>,
    /// The sixth number.
    cloud: f32,
}

impl Patch {
    /// Takes the rectangle of `rows` and `columns` from `(y, x)` on; any of it may lie outside.
    pub(super) fn take(&mut self, field: &Field<'_>, background: &Background, (y0, x0): (isize, isize), (rows, columns): (usize, usize)) {
        let (ny, nx) = field.shape();
        let width = columns + 2 * MEDIAN;
        let tall = rows + 2 * MEDIAN;
        (self.columns, self.width, self.cloud) = (columns, width, 4.0 * (field.cloud_px - CLOUD_PX));
        self.image.resize(tall * width, 0.0);
        self.along.resize(tall * width, 0.0);
        for part in [&mut self.medians, &mut self.floor, &mut self.dark, &mut self.level, &mut self.out] {
            part.resize(rows * width, 0.0);
        }
        let first = x0 - MEDIAN as isize;
        for (k, (row, along)) in self.image.chunks_exact_mut(width).zip(self.along.chunks_exact_mut(width)).take(tall).enumerate() {
            field.row(mirrored(y0 + k as isize - MEDIAN as isize, ny), first, row);
            along5(row, along);
        }
        for k in 0..rows {
            let y = mirrored(y0 + k as isize, ny);
            let here = k * width..(k + 1) * width;
            let along = |i: usize| &self.along[(k + i) * width..(k + i + 1) * width];
            median5([0, 1, 2, 3, 4].map(along), &mut self.medians[here.clone()]);
            field.read_variances(y, first, &mut self.floor[here.clone()]);
            field.dark_electrons(y, first, &mut self.dark[here.clone()]);
            self.floor[here.clone()].iter_mut().zip(&self.dark[here.clone()]).for_each(|(f, d)| *f += d);
            field.left_out(y, first, &mut self.out[here.clone()]);
            for (u, v) in self.level[here].iter_mut().enumerate() {
                *v = background.at(y, mirrored(first + u as isize, nx));
            }
        }
    }
    /// The numbers of row `k`.
    pub(super) fn row(&self, k: usize, out: &mut [f32]) {
        let from = k * self.width + MEDIAN;
        let columns = from..from + self.columns;
        let image = &self.image[columns.start + MEDIAN * self.width..columns.end + MEDIAN * self.width];
        let [medians, level, floor, left_out] = [&self.medians, &self.level, &self.floor, &self.out].map(|part| &part[columns.clone()]);
        numbers([image, medians, level, floor, left_out], self.cloud, out);
    }
}

#[multiversion(targets("x86_64+avx512f", "x86_64+avx2"))]
fn numbers([image, medians, level, floor, left_out]: [&[f32]; 5], cloud: f32, out: &mut [f32]) {
    let n = image.len();
    let (medians, level, floor, left_out, out) = (&medians[..n], &level[..n], &floor[..n], &left_out[..n], &mut out[..CHANNELS * n]);
    let positive = |v: f32| if v > 0.0 { v } else { 0.0 };
    // A read noise of nothing on no light must not divide by nothing.
    let variance = |light: f32, floor: f32| (positive(light) + floor).max(1e-3);
    for x in 0..n {
        let (d, m, b) = (image[x], medians[x], level[x]);
        let (over_b, over_m) = (variance(b, floor[x]), variance(m, floor[x]));
        let above = 0.5 * (d - b) / over_b.sqrt();
        out[CHANNELS * x] = asinh(above);
        out[CHANNELS * x + 1] = asinh(0.5 * (d - m) / over_m.sqrt());
        out[CHANNELS * x + 2] = 0.5 * ln(over_m * (1.0 / REFERENCE));
        out[CHANNELS * x + 3] = (above - 0.5 * LIMIT).clamp(-2.0, 2.0);
        out[CHANNELS * x + 4] = left_out[x];
        out[CHANNELS * x + 5] = cloud;
    }
}

/// The input of a whole frame `[y, x, channel]` with `pad` pixels around, for training and tests.
#[must_use]
pub fn whole(field: &Field<'_>, pad: usize) -> Array3<f32> {
    let (ny, nx) = field.shape();
    let background = Background::of(field);
    let (rows, columns) = (ny + 2 * pad, nx + 2 * pad);
    let mut patch = Patch::default();
    patch.take(field, &background, (-(pad as isize), -(pad as isize)), (rows, columns));
    let mut out = Array3::zeros((rows, columns, CHANNELS));
    for (k, mut row) in out.outer_iter_mut().enumerate() {
        if let Some(row) = row.as_slice_mut() {
            patch.row(k, row);
        }
    }
    out
}
