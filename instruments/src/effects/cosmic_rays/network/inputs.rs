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

/// Rows of a frame from which the network's input is made, as far as it is needed.
pub(super) struct Strip {
    pad: usize,
    width: usize,
    image: Vec<f32>,
    medians: Vec<f32>,
    /// Variance that does not depend on light.
    floor: Vec<f32>,
    level: Vec<f32>,
    /// 1 where a pixel is left out, 0 elsewhere.
    out: Vec<f32>,
    /// The sixth number.
    cloud: f32,
}

impl Strip {
    /// Rows `first..first + count` of the frame (may lie outside), with `pad` columns at both ends.
    pub(super) fn new(field: &Field<'_>, background: &Background, first: isize, count: usize, pad: usize) -> Self {
        let (ny, nx) = field.shape();
        let side = pad + MEDIAN;
        let width = nx + 2 * side;
        let tall = count + 2 * MEDIAN;
        let mut image = vec![0.0; tall * width];
        let mut along = vec![0.0; tall * width];
        for (k, (row, along)) in image.chunks_exact_mut(width).zip(along.chunks_exact_mut(width)).enumerate() {
            field.padded_row(mirrored(first + k as isize - MEDIAN as isize, ny), side, row);
            along5(row, along);
        }
        let (mut medians, mut floor, mut level) = (vec![0.0; count * width], vec![0.0; count * width], vec![0.0; count * width]);
        let (mut dark, mut left_out) = (vec![0.0; width], vec![0.0; count * width]);
        for k in 0..count {
            let row = |i: usize| &along[(k + i) * width..(k + i + 1) * width];
            let here = k * width..(k + 1) * width;
            median5([0, 1, 2, 3, 4].map(row), &mut medians[here.clone()]);
            let y = mirrored(first + k as isize, ny);
            field.padded_variance(y, side, &mut floor[here.clone()]);
            field.padded_dark(y, side, &mut dark);
            floor[here.clone()].iter_mut().zip(&dark).for_each(|(f, d)| *f += d);
            field.padded_out(y, side, &mut left_out[here.clone()]);
            let line = &mut level[here];
            for (u, v) in line.iter_mut().enumerate() {
                *v = background.at(y, mirrored(u as isize - side as isize, nx));
            }
        }
        image.drain(..MEDIAN * width);
        image.truncate(count * width);
        Self { pad, width, image, medians, floor, level, out: left_out, cloud: 4.0 * (field.cloud_px - CLOUD_PX) }
    }
    /// Columns `first..first + out.len() / CHANNELS` of the frame (may lie `pad` outside) of row `k` of the strip.
    pub(super) fn fill(&self, k: usize, first: isize, out: &mut [f32]) {
        let from = k * self.width + (first + (self.pad + MEDIAN) as isize) as usize;
        let columns = from..from + out.len() / CHANNELS;
        let parts = [&self.image, &self.medians, &self.level, &self.floor, &self.out];
        numbers(parts.map(|part| &part[columns.clone()]), self.cloud, out);
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
    let strip = Strip::new(field, &background, -(pad as isize), rows, pad);
    let mut out = Array3::zeros((rows, columns, CHANNELS));
    for (k, mut row) in out.outer_iter_mut().enumerate() {
        if let Some(row) = row.as_slice_mut() {
            strip.fill(k, -(pad as isize), row);
        }
    }
    out
}
