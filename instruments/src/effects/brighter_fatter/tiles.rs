//! Passes of the kernel over a frame, tile by tile.
//!
//! # Formula
//! Charge arrives at a steady rate and moves boundaries at once: dq/dt = n + L(q), so that q = n + L(n / 2 + L(n / 6 + L(n / 24 ...))).
//! The half becomes n (1 - t), t the mean time of arrival of the electrons of a pixel: 1/2 +- 1 / sqrt(12 n) of the exposure.
//! Back: n = q - L(q / 2 - L(q / 12)), true to the third order, with the density of n from the round before
//! A pixel that is full at t = c / n of the exposure keeps c: n / 2 and n / 6 become its integrals over time, c (1 - t / 2) and
//! n (t^2 / 2 - t^3 / 3) + c (1 - t)^2 / 2, and L adds nothing to them.
//! # Symbols
//! n electrons that arrive, q electrons collected, c capacity \[electron\]; L charge moved by shifts per electron ([`super::model`])
//! # Source
//! Series of the exponential of L, and of its inverse (Bernoulli numbers). Variance of the mean of n uniform times: 1 / (12 n).
//!
//! A tile is read with a margin of [`REACH`] pixels for every pass; across the border of the array the frame is its own mirror
//! image, so that no shift is left there and nothing crosses. A pixel's value is a function of the charges within the margin, whatever the tiles.

use super::model::{Kernel, Pass, Patch, Rows, SPARE, pass};
use super::shifts::REACH;
use crate::effects::rows;
use multiversion::multiversion;
use ndarray::Array2;
use rayon::prelude::*;
use sim_core::ledger::Ledger;
use sim_core::memory;

/// Rows of a tile.
const TALL: usize = 192;
/// Columns of a tile.
const BROAD: usize = 512;

/// Fills a row of standard normals: row of the array, first column, numbers.
pub type Normals<'a> = &'a (dyn Fn(usize, usize, &mut [f32]) + Sync);

/// How charge is followed.
#[derive(Clone, Copy)]
pub struct Flow<'a> {
    /// The kernel.
    pub kernel: &'a Kernel,
    /// Charge a pixel can hold \[electron\]: more of it moves no boundary.
    pub capacity: f32,
}

/// Room of one thread.
#[derive(Default)]
struct Work {
    density: Vec<f32>,
    half: Vec<f32>,
    ramp: Vec<f32>,
    full: Vec<usize>,
    first: Vec<f32>,
    second: Vec<f32>,
    draws: Vec<f32>,
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

/// Index beyond the ends of `0..n`, mirrored about the border.
fn mirrored(i: isize, n: usize) -> usize {
    let n = n as isize;
    let m = i.rem_euclid(2 * n);
    (if m < n { m } else { 2 * n - 1 - m }) as usize
}

impl Tile {
    fn tall(&self) -> usize {
        self.size.0 + 2 * self.margin
    }
    /// Rows and columns of the patch within `depth` pixels of the tile proper.
    fn within(&self, depth: usize) -> (std::ops::Range<usize>, std::ops::Range<usize>) {
        let skip = self.margin - depth;
        (skip..skip + self.size.0 + 2 * depth, skip..skip + self.size.1 + 2 * depth)
    }

    /// Reads the tile and its margin: density, and the means over the exposure of a charge that grows steadily.
    fn read(&self, before: &Array2<f32>, flow: &Flow<'_>, normals: Option<Normals<'_>>, way: Way, work: &mut Work) {
        let (ny, nx) = before.dim();
        let (w, broad) = (self.patch.width, self.size.1 + 2 * self.margin);
        let length = w * self.tall();
        for array in [&mut work.density, &mut work.half, &mut work.ramp, &mut work.first, &mut work.second] {
            array.resize(length, 0.0);
        }
        work.full.clear();
        let columns: Vec<usize> = (0..broad).map(|j| mirrored((self.at.1 + j) as isize - self.margin as isize, nx)).collect();
        let (low, high) = columns.iter().fold((nx, 0), |(low, high), &x| (low.min(x), high.max(x + 1)));
        work.draws.resize(high - low, 0.0);
        for i in 0..self.tall() {
            let y = mirrored((self.at.0 + i) as isize - self.margin as isize, ny);
            let from = before.row(y);
            let row = i * w..i * w + broad;
            let whole = |n: f32| if n.abs() < f32::MAX { n } else { 0.0 };
            let to = &mut work.density[row.clone()];
            match from.as_slice() {
                Some(from) if high - low == broad => to.iter_mut().zip(&from[low..high]).for_each(|(to, &n)| *to = whole(n)),
                _ => to.iter_mut().zip(&columns).for_each(|(to, &x)| *to = whole(from[x])),
            }
            let density = &work.density[row.clone()];
            work.ramp[row.clone()].copy_from_slice(density);
            work.half[row.clone()].iter_mut().zip(density).for_each(|(half, n)| *half = 0.5 * n);
            // A fold of bits runs on wide registers, a search does not.
            if density.iter().fold(0, |any, &n| any | u32::from(n > flow.capacity)) != 0 {
                work.full.extend(row.clone().filter(|&at| work.density[at] > flow.capacity));
            }
            if let Some(normals) = normals {
                normals(y, low, &mut work.draws);
                if high - low < broad {
                    // Across the border the draws are mirrored too.
                    let drawn = work.draws.clone();
                    work.draws.clear();
                    work.draws.extend(columns.iter().map(|&x| drawn[x - low]));
                }
                arrive(density, &work.draws, &mut work.half[row]);
                work.draws.resize(high - low, 0.0);
            }
        }
        fill(flow.capacity, way, work);
    }
}

/// Takes from the mean charge what electrons that came later than on average did not yet hold.
#[multiversion(targets("x86_64+avx512f", "x86_64+avx2"))]
fn arrive(density: &[f32], draws: &[f32], half: &mut [f32]) {
    for ((half, &n), &z) in half.iter_mut().zip(density).zip(draws) {
        *half -= z * (if n > 0.0 { n } else { 0.0 } * (1.0 / 12.0)).sqrt();
    }
}

/// Which series the means are for.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Way {
    Forward,
    Backward,
}

/// Means over the exposure of the charge of pixels that are full before its end: in place of n / 2, and of n in the term after it.
fn fill(capacity: f32, way: Way, work: &mut Work) {
    for &at in &work.full {
        let n = work.density[at];
        let t = if n > capacity { capacity / n } else { 1.0 };
        let half = capacity * (1.0 - 0.5 * t);
        let ramp = 6.0 * (capacity * t * (0.5 - t * (1.0 / 3.0)) + capacity * (1.0 - t) * (1.0 - t) * 0.5);
        work.half[at] = half;
        work.ramp[at] = if way == Way::Forward { ramp } else { 6.0 * half - 2.0 * ramp };
    }
}

/// Runs `change` on every tile; it leaves what is to be added to the pixels in `work.second`.
fn each_tile(
    pixels: &mut Array2<f32>,
    flow: &Flow<'_>,
    margin: usize,
    normals: Option<Normals<'_>>,
    way: Way,
    change: impl Fn(&Tile, &mut Work) + Sync,
) -> Ledger {
    let (ny, nx) = pixels.dim();
    if ny == 0 || nx == 0 {
        return Ledger::default();
    }
    // One column more, for the boundary left of the first.
    let margin = margin + 1;
    let before = memory::copy(pixels);
    let bands = rows::as_slice_mut(pixels).par_chunks_mut(TALL * nx).enumerate();
    let ledgers: Vec<Ledger> = bands
        .map_init(Work::default, |work, (band, rows)| {
            let mut ledger = Ledger::default();
            for x0 in (0..nx).step_by(BROAD) {
                let size = (rows.len() / nx, BROAD.min(nx - x0));
                let patch = Patch { width: size.1 + 2 * margin + SPARE };
                let tile = Tile { at: (band * TALL, x0), size, margin, patch };
                tile.read(&before, flow, normals, way, work);
                change(&tile, work);
                for (i, row) in rows.chunks_mut(nx).enumerate() {
                    let row = &mut row[x0..x0 + size.1];
                    let at = (i + margin) * patch.width + margin;
                    for (pixel, change) in row.iter_mut().zip(&work.second[at..at + size.1]) {
                        *pixel += change;
                    }
                    let was = before.row(tile.at.0 + i);
                    let was = was.as_slice().map_or(&[][..], |r| &r[x0..x0 + size.1]);
                    ledger = ledger.plus(rows::tally(was, row));
                }
            }
            ledger
        })
        .collect();
    ledgers.into_iter().fold(Ledger::default(), Ledger::plus)
}

/// Sets full pixels of `source`: what moves leaves their charge as it is.
fn hold(full: &[usize], means: &[f32], factor: f32, source: &mut [f32]) {
    for &at in full {
        source[at] = factor * means[at];
    }
}

/// Moves charge as it arrives, with `terms` of the series (1 to 3).
pub fn forward(pixels: &mut Array2<f32>, flow: &Flow<'_>, terms: usize, normals: Option<Normals<'_>>) -> Ledger {
    let terms = terms.clamp(1, 3);
    each_tile(pixels, flow, terms * REACH, normals, Way::Forward, |tile, work| {
        let Work { density, half, ramp, full, first, second, rows, .. } = work;
        let density = density.as_slice();
        let mut run = |source: &[f32], base: &[f32], factors: [f32; 2], depth: usize, out: &mut [f32]| {
            let step = Pass { density, source, base, keep: factors[0], move_by: factors[1] };
            pass(flow.kernel, tile.patch, &step, tile.within(depth * REACH), rows, out);
        };
        let source: &[f32] = match terms {
            1 => half,
            2 => {
                run(ramp, half, [1.0, 1.0 / 6.0], 1, first);
                hold(full, half, 1.0, first);
                first
            }
            _ => {
                run(ramp, ramp, [1.0 / 6.0, 1.0 / 24.0], 2, second);
                hold(full, ramp, 1.0 / 6.0, second);
                run(second, half, [1.0, 1.0], 1, first);
                hold(full, half, 1.0, first);
                first
            }
        };
        run(source, density, [0.0, 1.0], 0, second);
    })
}

/// Moves charge back where it arrived, in `rounds` (0 to 4) after the first order.
pub fn backward(pixels: &mut Array2<f32>, flow: &Flow<'_>, rounds: usize) -> Ledger {
    let rounds = rounds.min(4);
    each_tile(pixels, flow, (1 + 2 * rounds) * REACH, None, Way::Backward, |tile, work| {
        // `density` becomes the estimate of what arrived.
        let collected = work.density.clone();
        let mut depth = 2 * rounds;
        let run = |pass_of: [&[f32]; 3], factors: [f32; 2], depth: usize, rows: &mut Rows, out: &mut [f32]| {
            let [density, source, base] = pass_of;
            let step = Pass { density, source, base, keep: factors[0], move_by: factors[1] };
            pass(flow.kernel, tile.patch, &step, tile.within(depth * REACH), rows, out);
        };
        let keep = |left: usize| if left == 0 { 0.0 } else { 1.0 };
        run([&collected, &work.half, &collected], [keep(rounds), -1.0], depth, &mut work.rows, &mut work.second);
        for left in (0..rounds).rev() {
            std::mem::swap(&mut work.density, &mut work.second);
            fill(flow.capacity, Way::Backward, work);
            let Work { density, half, ramp, full, first, second, rows, .. } = work;
            run([density, ramp, half], [1.0, -1.0 / 12.0], depth - 1, rows, first);
            hold(full, half, 1.0, first);
            run([density, first, &collected], [keep(left), -1.0], depth - 2, rows, second);
            depth -= 2;
        }
    })
}
