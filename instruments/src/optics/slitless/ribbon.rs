//! Faint orders: the light along the trace times a profile across it.
//!
//! # Formula
//! image(x, y) = sum over parts and wavelengths w of L_w(x) P_w(y - y_t(x)); L_w = (light of the columns, in its share of w) * l_w; l_w and P_w are what is left of the image in a
//! single wavelength when it is summed along columns and along rows: their transforms are the image's on the axes, S(kx, 0) and S(0, ky). P_w(y - s) is a parabola of s through
//! s = -1/2, 0, 1/2. Both sum to one, so that no light is lost.
//! # Symbols
//! y_t  row of the trace;  S  source through PSF and pixel;  w  one of two wavelengths, between which the image is a straight line
//! # Source
//! Exact where the light along the trace changes slowly, whatever the shape of S: image = integral n(x) S(x' - x, y' - y_t(x)) dx = n(x') P(y' - y_t(x')).
//! # Limits
//! For orders whose brightest pixel has less than [`FAINT`] times the tolerance, on traces that climb less than [`STEEP`]: lines and ends of inclined sources are drawn as if S were l P. Errors stay
//! within the tolerance (tested on faint stars and disks against 600 images in single wavelengths). Wings below [`WINGS`] of the peak or [`FOLDED`] of the tolerance are folded in.
//! # Twin
//! None: light is not undone.

use super::super::field::Corners;
use super::super::paint::Stamp;
use super::super::plan::Period;
use super::super::scene::{Figure, Light, Part};
use super::super::sersic;
use super::columns::Along;
use super::stretches::{Stretches, Waves};
use multiversion::multiversion;
use std::f64::consts::PI;

/// Brightest pixel of an order that is drawn so, over the tolerance.
pub(super) const FAINT: f64 = 12.0;
/// Rows a column that a trace climbs at most.
pub(super) const STEEP: f64 = 0.03;
/// Brightness of wings that are folded in, over the peak, or over the tolerance where that is more.
pub(super) const WINGS: f64 = 0.03;
pub(super) const FOLDED: f64 = 0.1;
/// Largest period \[pixel\].
pub(super) const SIZE_MAX: usize = 128;
/// Columns that are drawn about the same row.
const BLOCK: usize = 16;
/// Rows at a time.
const ROWS: usize = 4;
/// Wavelengths of profiles.
const WAVES: usize = 2;
/// Powers of the distance from the row.
const POWERS: usize = 3;

type Block = [f32; BLOCK];

/// An order that is drawn as profiles.
pub(super) struct Ribbon {
    /// First column of the trace on the detector.
    pub(super) first: i64,
    pub(super) along: Vec<Along>,
    /// Light of each part at whole columns.
    pub(super) light: Vec<Vec<f64>>,
    /// Wavelengths of the profiles \[nm\].
    pub(super) waves_nm: [f64; WAVES],
    /// Period of the profiles \[pixel\].
    pub(super) size: usize,
}

/// Working memory of one thread.
#[derive(Default)]
pub(super) struct Loom {
    axes: [Vec<[f32; 2]>; 2],
    profile: Vec<f32>,
    shares: Vec<f32>,
    threads: Vec<f32>,
    /// Light along the trace, by part, wavelength and power.
    warp: Vec<Block>,
    /// Profiles across it, the same.
    weft: Vec<f32>,
    /// Rows of the blocks, from the undispersed image \[pixel\].
    bases: Vec<i64>,
}

impl Ribbon {
    /// Draws the order of a figure into `stamp`.
    pub(super) fn draw(&self, figure: &Figure, stretches: &Stretches, loom: &mut Loom, stamp: &mut Stamp) {
        let (size, half) = (self.size, self.size / 2);
        let waves = stretches.waves(size);
        let blocks = (self.along.len() + size).div_ceil(BLOCK);
        let terms = figure.parts.len() * WAVES * POWERS;
        loom.warp.clear();
        loom.warp.resize(blocks * terms, [0.0; BLOCK]);
        loom.weft.clear();
        loom.weft.resize(size * terms, 0.0);
        loom.bases.clear();
        let row = |x: f64| {
            // Beyond its ends the trace goes on straight.
            let k = (x.max(0.0) as usize).min(self.along.len() - 2);
            figure.truth.y + self.along[k].dy + (x - k as f64) * (self.along[k + 1].dy - self.along[k].dy)
        };
        loom.bases.extend((0..blocks).map(|b| (row((b * BLOCK + BLOCK / 2) as f64 - half as f64) + 0.5).floor() as i64));
        let span = self.waves_nm[1] - self.waves_nm[0];
        for (number, (part, light)) in figure.parts.iter().zip(&self.light).enumerate() {
            for (wave, nm) in self.waves_nm.into_iter().enumerate() {
                let first = (number * WAVES + wave) * POWERS;
                axes(part, stretches, (figure.x, figure.y, nm), size, &mut loom.axes);
                // Across: a parabola through the profiles half a row below and above.
                across(&loom.axes[1], waves, &mut loom.profile);
                for j in 0..size {
                    let [low, middle, high] = [0, 1, 2].map(|shift| loom.profile[shift * size + j]);
                    let powers = [middle, high - low, 2.0 * (high + low - 2.0 * middle)];
                    loom.weft[j * terms + first..][..POWERS].copy_from_slice(&powers);
                }
                across(&loom.axes[0], waves, &mut loom.profile);
                let share = |c: usize| {
                    let towards = (self.along[c].nm - self.waves_nm[0]) / span;
                    if wave == 1 { towards } else { 1.0 - towards }
                };
                loom.threads.clear();
                loom.threads.resize(blocks * BLOCK, 0.0);
                loom.shares.clear();
                loom.shares.extend(light.iter().enumerate().map(|(c, l)| (l * share(c)) as f32));
                smear(&loom.shares, &loom.profile[size..2 * size], &mut loom.threads);
                for (b, light) in loom.threads.chunks_exact(BLOCK).enumerate() {
                    let (from, to) = (row((b * BLOCK) as f64 - half as f64), row((b * BLOCK + BLOCK) as f64 - half as f64));
                    let (low, step) = ((from - loom.bases[b] as f64) as f32, ((to - from) / BLOCK as f64) as f32);
                    let warp = &mut loom.warp[b * terms + first..][..POWERS];
                    for (i, light) in light.iter().enumerate() {
                        let s = low + step * i as f32;
                        (warp[0][i], warp[1][i], warp[2][i]) = (*light, *light * s, *light * s * s);
                    }
                }
            }
        }
        let (low, high) = loom.bases.iter().fold((i64::MAX, i64::MIN), |(low, high), b| (low.min(*b), high.max(*b)));
        (stamp.x0, stamp.y0) = (self.first - half as i64, low - half as i64);
        (stamp.nx, stamp.ny) = (blocks * BLOCK, (high - low) as usize + size);
        stamp.sum = self.light.iter().flatten().sum();
        stamp.pixels.clear();
        stamp.pixels.resize(stamp.nx * stamp.ny, 0.0);
        for (b, (base, warp)) in loom.bases.iter().zip(loom.warp.chunks_exact(terms)).enumerate() {
            let from = (base - low) as usize * stamp.nx + b * BLOCK;
            weave(warp, &loom.weft, stamp.nx, &mut stamp.pixels[from..]);
        }
    }
}

/// Light along the trace through a profile: column c to columns c, c + 1, ... of the sum.
#[multiversion(targets("x86_64+avx512f+avx512bw+avx512dq+avx512vl", "x86_64+avx2", "aarch64+neon"))]
fn smear(light: &[f32], profile: &[f32], out: &mut [f32]) {
    for (c, light) in light.iter().enumerate().filter(|(_, light)| **light != 0.0) {
        for (to, p) in out[c..c + profile.len()].iter_mut().zip(profile) {
            *to += light * p;
        }
    }
}

/// Sums of products of light along the trace and profiles across it, [`BLOCK`] columns wide.
#[multiversion(targets("x86_64+avx512f+avx512bw+avx512dq+avx512vl", "x86_64+avx2", "aarch64+neon"))]
fn weave(warp: &[Block], weft: &[f32], nx: usize, out: &mut [f32]) {
    let terms = warp.len();
    for (group, weft) in weft.chunks_exact(ROWS * terms).enumerate() {
        let mut sums = [[0.0_f32; BLOCK]; ROWS];
        for (m, light) in warp.iter().enumerate() {
            for (r, sum) in sums.iter_mut().enumerate() {
                let weight = weft[r * terms + m];
                for (s, l) in sum.iter_mut().zip(light) {
                    *s += weight * l;
                }
            }
        }
        for (r, sum) in sums.iter().enumerate() {
            out[(group * ROWS + r) * nx..][..BLOCK].copy_from_slice(sum);
        }
    }
}

/// The transform of a part through the PSF of a place and wavelength along both axes: (kx, 0) and (0, ky), from 0 on.
fn axes(part: &Part, stretches: &Stretches, (x, y, nm): (f64, f64, f64), size: usize, out: &mut [Vec<[f32; 2]>; 2]) {
    let seen = &stretches.list[stretches.of(nm)].seen;
    let Some(grids) = seen.field.grids(Period::square(size)) else { unreachable!("no grids were sampled for periods of {size}") };
    let basis = seen.band.basis_at(nm);
    let corners: Corners = seen.field.corners(x, y);
    let (shape, term) = (&grids.shape, grids.term_len());
    let first = shape.row_start(shape.rows().start);
    let count = stretches.reach(size).min(shape.reach.x) + 1;
    for (axis, out) in out.iter_mut().enumerate() {
        out.clear();
        out.resize(count, [0.0; 2]);
        for &(node, weight) in corners.iter().filter(|n| n.1 != 0.0) {
            let grid = grids.node(node);
            for (r, p) in basis.iter().enumerate().take(seen.field.mix.len()) {
                let weight = weight * *p as f32;
                for (k, value) in out.iter_mut().enumerate() {
                    let (kx, ky) = if axis == 0 { (k as i64, 0) } else { (0, k) };
                    let start = r * term + 2 * (shape.row_start(kx) - first);
                    let (block, lane) = (ky / 8, ky % 8);
                    value[0] += weight * grid[start + block][lane];
                    value[1] += weight * grid[start + shape.row_blocks(kx) + block][lane];
                }
            }
        }
        if let Light::Sersic(n) = part.light {
            let step = 2.0 * PI / size as f64;
            let scale = (part.map[axis][0].powi(2) + part.map[axis][1].powi(2)) * step * step;
            let profile = sersic::table().on_axis(n, scale, count);
            for (value, f) in out.iter_mut().zip(profile) {
                *value = value.map(|v| v * f);
            }
        }
    }
}

/// A profile from its transform, for shifts of -1/2, 0 and 1/2.
#[multiversion(targets("x86_64+avx512f+avx512bw+avx512dq+avx512vl", "x86_64+avx2", "aarch64+neon"))]
fn across(transform: &[[f32; 2]], waves: &Waves, out: &mut Vec<f32>) {
    let length = waves.length;
    out.clear();
    out.resize(length, 0.0);
    let both = transform.iter().zip(waves.cosines.chunks_exact(length).zip(waves.sines.chunks_exact(length)));
    for ([re, im], (cosines, sines)) in both {
        for ((o, c), s) in out.iter_mut().zip(cosines).zip(sines) {
            *o += re * c - im * s;
        }
    }
}
