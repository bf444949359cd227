//! Passes of the kernel over a frame, tile by tile.
//!
//! # Formula
//! Charge arrives at a steady rate and moves boundaries at once: dq/dt = n + L(q), so that q = n + L(n / 2 + L(n / 6 + L(n / 24 ...))).
//! The half becomes n (1 - t), t the mean time of arrival of the electrons of a pixel: 1/2 +- 1 / sqrt(12 n) of the exposure.
//! Back: n = q - L(q / 2 - L(q / 12)), true to the third order, with the density of n from the round before
//! A pixel that is full at t = c / n of the exposure keeps c: n / 2 and n / 6 become its integrals over time, c (1 - t / 2) and
//! n (t^2 / 2 - t^3 / 3) + c (1 - t)^2 / 2, and L adds nothing to them.
//! Faint pixels, which lose less than a thousandth of their area by their own charge, have n / 2 in place of the inner series, no drawn time
//! of arrival, and back to front q as the density; the last L goes over all pixels, so that what one loses another gains.
//! # Symbols
//! n electrons that arrive, q electrons collected, c capacity \[electron\]; L charge moved by shifts per electron ([`super::model`])
//! # Source
//! Series of the exponential of L, and of its inverse (Bernoulli numbers). Variance of the mean of n uniform times: 1 / (12 n).
//! # Limits
//! Left out in faint pixels, s their shrinkage (below 1e-3): s / 3 of the charge that they move, s^2 / 12 of the variance of a flat; back to
//! front s of the charge that crosses their boundaries.
//!
//! A tile is read with a margin of [`REACH`] pixels for every pass; across the border of the array the frame is its own mirror
//! image, so that no shift is left there and nothing crosses. A pixel's value is a function of the charges within the margin, whatever the tiles.

use super::model::{GROUP, Kernel, Pass, Patch, Rows, SPARE, add_where, gained, pass, stretches};
use super::shifts::REACH;
use crate::effects::rows;
use multiversion::multiversion;
use ndarray::Array2;
use rayon::prelude::*;
use sim_core::ledger::Ledger;
use std::ops::Range;

/// Rows of a tile.
const TALL: usize = 192;
/// Columns of a tile; with its margins fewer than 64 groups.
const BROAD: usize = 512;
/// Bands of tiles between two looks at the frame, at least.
const BANDS: usize = 4;
/// Part of its area that a faint pixel loses at most.
const FAINT: f32 = 1e-3;

/// Fills a row of standard normals: row of the array, first column, numbers.
pub type Normals<'a> = &'a (dyn Fn(usize, usize, &mut [f32]) + Sync);

/// How charge is followed.
#[derive(Clone, Copy)]
pub struct Flow<'a> {
    /// The kernel.
    pub kernel: &'a Kernel,
    /// Charge a pixel can hold \[electron\]: more of it moves no boundary.
    pub capacity: f32,
    /// Charge of a faint pixel at most \[electron\].
    pub(super) faint: f32,
}

impl<'a> Flow<'a> {
    /// Charge that moves by `kernel`, in wells of `capacity` \[electron\].
    #[must_use]
    pub fn new(kernel: &'a Kernel, capacity: f32) -> Self {
        let shrinks = kernel.shrinkage();
        Self { kernel, capacity, faint: if shrinks > 0.0 { FAINT / shrinks } else { f32::MAX } }
    }
}

/// The arrays of a patch.
#[derive(Default)]
struct Arrays {
    /// The charge as it was read: arriving (forward) or collected (backward).
    charge: Vec<f32>,
    /// Its mean over the exposure.
    half: Vec<f32>,
    /// The same as in the term after it, six times: the charge itself where no pixel is full, and then left out.
    ramp: Vec<f32>,
    /// What arrives, to the round reached (backward).
    density: Vec<f32>,
    /// The same, of the round before.
    before: Vec<f32>,
    /// The inner series so far.
    inner: Vec<f32>,
    /// Full pixels.
    full: Vec<usize>,
    /// Groups with a pixel that is not faint, row by row.
    bright: Vec<u64>,
}

/// Room of one thread beside the arrays.
#[derive(Default)]
struct Room {
    draws: Vec<f32>,
    held: Vec<f32>,
    gain: Vec<f32>,
    rows: Rows,
}

/// A tile with its margin.
struct Tile {
    /// First row and column of the tile proper.
    at: (usize, usize),
    /// Its rows and columns.
    size: (usize, usize),
    margin: usize,
    patch: Patch,
}

/// Rows of the frame as they were before charge moved: those that the tiles now at work read.
struct Before {
    /// Rows and columns of the frame.
    shape: (usize, usize),
    /// First row held.
    first: usize,
    values: Vec<f32>,
}

impl Before {
    /// Goes on to other rows, which begin and end no earlier than those held. Only rows that are not held yet are read: the frame has changed before them.
    fn go_on(&mut self, pixels: &[f32], rows: Range<usize>) {
        let nx = self.shape.1;
        self.values.drain(..(rows.start - self.first) * nx);
        self.first = rows.start;
        self.values.extend_from_slice(&pixels[self.first * nx + self.values.len()..rows.end * nx]);
    }
    fn row(&self, y: usize) -> &[f32] {
        let nx = self.shape.1;
        &self.values[(y - self.first) * nx..][..nx]
    }
}

/// Index beyond the ends of `0..n`, mirrored about the border.
fn mirrored(i: isize, n: usize) -> usize {
    let n = n as isize;
    let m = i.rem_euclid(2 * n);
    (if m < n { m } else { 2 * n - 1 - m }) as usize
}

/// Whether any is above the limit: a fold of bits runs on wide registers, a search does not.
fn above(limit: f32, part: &[f32]) -> bool {
    part.iter().fold(0, |any, &n| any | u32::from(n > limit)) != 0
}

impl Tile {
    fn tall(&self) -> usize {
        self.size.0 + 2 * self.margin
    }
    /// Rows and columns of the patch within `depth` pixels of the tile proper.
    fn within(&self, depth: usize) -> (Range<usize>, Range<usize>) {
        let skip = self.margin - depth;
        (skip..skip + self.size.0 + 2 * depth, skip..skip + self.size.1 + 2 * depth)
    }

    /// Reads the tile and its margin: charge, and the means over the exposure of a charge that grows steadily.
    fn read(&self, before: &Before, flow: &Flow<'_>, normals: Option<Normals<'_>>, arrays: &mut Arrays, draws: &mut Vec<f32>) {
        let (ny, nx) = before.shape;
        let (w, broad) = (self.patch.width, self.size.1 + 2 * self.margin);
        for array in [&mut arrays.charge, &mut arrays.half] {
            array.resize(w * self.tall(), 0.0);
        }
        arrays.full.clear();
        arrays.bright.clear();
        let columns: Vec<usize> = (0..broad).map(|j| mirrored((self.at.1 + j) as isize - self.margin as isize, nx)).collect();
        let (low, high) = columns.iter().fold((nx, 0), |(low, high), &x| (low.min(x), high.max(x + 1)));
        for i in 0..self.tall() {
            let y = mirrored((self.at.0 + i) as isize - self.margin as isize, ny);
            let from = before.row(y);
            let row = i * w..i * w + broad;
            let whole = |n: f32| if n.abs() < f32::MAX { n } else { 0.0 };
            let to = &mut arrays.charge[row.clone()];
            if high - low == broad {
                to.iter_mut().zip(&from[low..high]).for_each(|(to, &n)| *to = whole(n));
            } else {
                to.iter_mut().zip(&columns).for_each(|(to, &x)| *to = whole(from[x]));
            }
            let charge = &arrays.charge[row.clone()];
            arrays.half[row.clone()].iter_mut().zip(charge).for_each(|(half, n)| *half = 0.5 * n);
            let bright = charge.chunks(GROUP).enumerate().fold(0, |mask, (g, part)| mask | u64::from(above(flow.faint, part)) << g);
            arrays.bright.push(bright);
            if above(flow.capacity, charge) {
                arrays.full.extend(row.clone().filter(|&at| arrays.charge[at] > flow.capacity));
            }
            let Some(normals) = normals.filter(|_| bright != 0) else { continue };
            let half = &mut arrays.half[row];
            if high - low < broad {
                // Across the border the draws are mirrored too.
                draws.resize(high - low, 0.0);
                normals(y, low, draws);
                let drawn: Vec<f32> = columns.iter().map(|&x| draws[x - low]).collect();
                arrive(charge, &drawn, flow.faint, half);
                continue;
            }
            for x in stretches(bright, 0..broad) {
                draws.resize(x.len(), 0.0);
                normals(y, low + x.start, draws);
                arrive(&charge[x.clone()], draws, flow.faint, &mut half[x]);
            }
        }
        if !arrays.full.is_empty() {
            arrays.ramp.clone_from(&arrays.charge);
        }
    }

    /// Adds `factor` L(`source`) to the pixels of `out` within `depth` that are neither faint nor full.
    fn add_bright(&self, flow: &Flow<'_>, step: &Step<'_>, room: &mut Room, out: &mut [f32]) {
        let Room { held, rows, .. } = room;
        held.clear();
        held.extend(step.full.iter().map(|&at| out[at]));
        let width = self.patch.width;
        pass(flow.kernel, self.patch, &step.pass, rows, |y, xs, rows| {
            let row = y * width..(y + 1) * width;
            add_where(&step.charge[row.clone()], flow.faint, step.factor, xs, rows, &mut out[row]);
        });
        step.full.iter().zip(held.iter()).for_each(|(&at, &held)| out[at] = held);
    }
}

impl Arrays {
    /// What the inner terms begin with.
    fn ramp(&self) -> &[f32] {
        if self.full.is_empty() { &self.charge } else { &self.ramp }
    }
    /// A pass over what is bright.
    fn step<'a>(&'a self, density: &'a [f32], source: &'a [f32], area: (Range<usize>, Range<usize>), factor: f32) -> Step<'a> {
        let pass = Pass { density, source, area, groups: Some(&self.bright) };
        Step { pass, charge: &self.charge, full: &self.full, factor }
    }
}

/// Copies the bright groups of a patch; all else is the same already.
fn renew(to: &mut [f32], from: &[f32], bright: &[u64], width: usize) {
    for ((to, from), &mask) in to.chunks_mut(width).zip(from.chunks(width)).zip(bright) {
        for x in stretches(mask, 0..width) {
            to[x.clone()].copy_from_slice(&from[x]);
        }
    }
}

/// A pass over what is bright.
struct Step<'a> {
    pass: Pass<'a>,
    /// What says which pixels are faint.
    charge: &'a [f32],
    full: &'a [usize],
    factor: f32,
}

/// Takes from the mean charge what electrons that came later than on average did not yet hold.
#[multiversion(targets("x86_64+avx512f", "x86_64+avx2"))]
fn arrive(charge: &[f32], draws: &[f32], faint: f32, half: &mut [f32]) {
    for ((half, &n), &z) in half.iter_mut().zip(charge).zip(draws) {
        *half -= z * (if n > faint { n } else { 0.0 } * (1.0 / 12.0)).sqrt();
    }
}

/// Means over the exposure of the charge of pixels that are full before its end, of which `arriving` is known: in place of n / 2, and what
/// `ramp` makes of it and of six times the mean in the term after it.
fn fill(capacity: f32, arrays: &mut Arrays, arriving: impl Fn(&Arrays, usize) -> f32, ramp: impl Fn(f32, f32) -> f32) {
    for i in 0..arrays.full.len() {
        let at = arrays.full[i];
        let n = arriving(arrays, at);
        let t = if n > capacity { capacity / n } else { 1.0 };
        let half = capacity * (1.0 - 0.5 * t);
        let after = 6.0 * (capacity * t * (0.5 - t * (1.0 / 3.0)) + capacity * (1.0 - t) * (1.0 - t) * 0.5);
        arrays.half[at] = half;
        arrays.ramp[at] = ramp(half, after);
    }
}

/// Moves charge in every tile, `factor` times, by the density and the source that `prepare` says.
fn each_tile<P>(pixels: &mut Array2<f32>, flow: &Flow<'_>, margin: usize, normals: Option<Normals<'_>>, factor: f32, prepare: P) -> Ledger
where
    P: for<'w> Fn(&Tile, &'w mut Arrays, &mut Room) -> [&'w [f32]; 2] + Sync,
{
    let (ny, nx) = pixels.dim();
    if ny == 0 || nx == 0 {
        return Ledger::default();
    }
    // One column more, for the boundary left of the first.
    let margin = margin + 1;
    let mut before = Before { shape: (ny, nx), first: 0, values: Vec::new() };
    let pixels = rows::as_slice_mut(pixels);
    let group = TALL * BANDS.max(2 * rayon::current_num_threads());
    let mut total = Ledger::default();
    for y0 in (0..ny).step_by(group) {
        let y1 = ny.min(y0 + group);
        before.go_on(pixels, y0.saturating_sub(margin)..ny.min(y1 + margin));
        let before = &before;
        let bands = pixels[y0 * nx..y1 * nx].par_chunks_mut(TALL * nx).enumerate();
        let change = |(arrays, room): &mut (Arrays, Room), (band, pixels): (usize, &mut [f32])| {
            let mut ledger = Ledger::default();
            for x0 in (0..nx).step_by(BROAD) {
                let size = (pixels.len() / nx, BROAD.min(nx - x0));
                let patch = Patch { width: size.1 + 2 * margin + SPARE };
                let tile = Tile { at: (y0 + band * TALL, x0), size, margin, patch };
                tile.read(before, flow, normals, arrays, &mut room.draws);
                let [density, source] = prepare(&tile, arrays, room);
                let last = Pass { density, source, area: tile.within(0), groups: None };
                let Room { rows, gain, .. } = room;
                pass(flow.kernel, patch, &last, rows, |y, xs, rows| {
                    gained(xs, rows, gain);
                    let i = y - margin;
                    let row = &mut pixels[i * nx + x0..][..size.1];
                    row.iter_mut().zip(gain.iter()).for_each(|(pixel, gain)| *pixel += factor * gain);
                    ledger = ledger.plus(rows::tally(&before.row(tile.at.0 + i)[x0..x0 + size.1], row));
                });
            }
            ledger
        };
        let ledgers: Vec<Ledger> = bands.map_init(<(Arrays, Room)>::default, change).collect();
        total = ledgers.into_iter().fold(total, Ledger::plus);
    }
    total
}

/// Moves charge as it arrives, with `terms` of the series (1 to 3).
pub fn forward(pixels: &mut Array2<f32>, flow: &Flow<'_>, terms: usize, normals: Option<Normals<'_>>) -> Ledger {
    let terms = terms.clamp(1, 3);
    each_tile(pixels, flow, terms * REACH, normals, 1.0, |tile, arrays, room| {
        fill(flow.capacity, arrays, |arrays, at| arrays.charge[at], |_, after| after);
        let any = terms > 1 && arrays.bright.iter().any(|&mask| mask != 0);
        if any && terms > 2 {
            let mut inner = std::mem::take(&mut arrays.inner);
            inner.clear();
            inner.extend_from_slice(arrays.ramp());
            tile.add_bright(flow, &arrays.step(&arrays.charge, arrays.ramp(), tile.within(2 * REACH), 0.25), room, &mut inner);
            arrays.inner = inner;
        }
        if any {
            let mut half = std::mem::take(&mut arrays.half);
            let source = if terms > 2 { &arrays.inner } else { arrays.ramp() };
            tile.add_bright(flow, &arrays.step(&arrays.charge, source, tile.within(REACH), 1.0 / 6.0), room, &mut half);
            arrays.half = half;
        }
        [&arrays.charge, &arrays.half]
    })
}

/// Moves charge back where it arrived, in `rounds` (0 to 4) after the first order.
pub fn backward(pixels: &mut Array2<f32>, flow: &Flow<'_>, rounds: usize) -> Ledger {
    let rounds = rounds.min(4);
    each_tile(pixels, flow, (1 + 2 * rounds) * REACH, None, -1.0, |tile, arrays, room| {
        let ramp_of = |half, after| 6.0 * half - 2.0 * after;
        fill(flow.capacity, arrays, |arrays, at| arrays.charge[at], ramp_of);
        if rounds == 0 || arrays.bright.iter().all(|&mask| mask == 0) {
            return [&arrays.charge, &arrays.half];
        }
        let (mut density, mut before, mut inner) =
            (std::mem::take(&mut arrays.density), std::mem::take(&mut arrays.before), std::mem::take(&mut arrays.inner));
        density.clone_from(&arrays.charge);
        before.clone_from(&arrays.charge);
        inner.clone_from(&arrays.half);
        let width = tile.patch.width;
        for round in (1..=rounds).rev() {
            std::mem::swap(&mut density, &mut before);
            renew(&mut density, &arrays.charge, &arrays.bright, width);
            let step = Step { full: &[], ..arrays.step(&before, &inner, tile.within(2 * round * REACH), -1.0) };
            tile.add_bright(flow, &step, room, &mut density);
            fill(flow.capacity, arrays, |_, at| density[at], ramp_of);
            renew(&mut inner, &arrays.half, &arrays.bright, width);
            let step = arrays.step(&density, arrays.ramp(), tile.within((2 * round - 1) * REACH), -1.0 / 12.0);
            tile.add_bright(flow, &step, room, &mut inner);
        }
        (arrays.density, arrays.before, arrays.inner) = (density, before, inner);
        [&arrays.density, &arrays.inner]
    })
}
