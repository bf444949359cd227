//! The packets before the transfer from those after it.
//!
//! A packet is changed by earlier packets and by itself alone. So packets are taken in time order, and each is led back through the
//! blocks, from the output to its pixel, before the next one sees the traps it leaves: every block is turned round by itself
//! (`unwind.rs`), where its slope is mild even when almost nothing of a small change comes through all of them. To iterate
//! the whole line at once instead (Bristow & Alexov 2003, Massey et al. 2010) passes the error of every packet on to the
//! packets behind it; to iterate a packet through all blocks starts where the slope says nothing of the packet that is looked for.
//!
//! # Formula
//! Share of a packet's difference from what is expected of it that meets the traps of a block: `s^2 / (s^2 + lambda)`, s the slope of the
//! blocks between this one and the output, lambda the damping (`belief.rs`). What did not come through (s^2 below lambda) cannot be
//! found; the growth of noise ends there, at about `1 / sqrt(lambda)`.
//! # More iterations
//! After the way back, each further iteration runs the forward model and takes `n += s (d - f(n)) / (s^2 + lambda + 0.02)`: damped
//! Gauss-Newton (Levenberg 1944, Q. Appl. Math. 2, 164); the number bounds what errors of the model do in a sky of a few electrons. The gain of
//! a packet's own noise follows from the same steps; what its noise does to the packets behind it is put into numbers in `noise.rs`.

#![expect(clippy::needless_range_loop, reason = "lanes of several arrays side by side")]

use super::belief;
use super::column::{Crossing, Marks, Past, Row, WIDTH};
use super::pool::Pool;
use super::unwind::Belief;

/// Least damping of the further iterations.
const REFINEMENT: f64 = 0.02;

/// What becomes of small changes of a packet.
#[derive(Debug, Clone, Copy)]
pub struct Response {
    /// Change of the restored packet for one electron more in its data.
    pub gain: Row,
    /// What of one electron more before the transfer was in the packet after it.
    pub through: Row,
    /// Mean of the packets around it in the data \[electron\].
    pub expected: Row,
}

/// What is to be restored.
pub struct Line<'a> {
    /// Packets after the transfer, replaced by those before it; the last `trailing` are forward alone, empty to begin with.
    pub packets: &'a mut [Row],
    /// Packets that follow, empty.
    pub trailing: usize,
    /// Variance of the noise in each of the others, where there is noise.
    pub noise: Option<&'a [Row]>,
    /// Takes, where wanted, what becomes of small changes of every packet.
    pub gains: Option<&'a mut Vec<Response>>,
    /// Clock periods to the next line, where lines are remembered.
    pub next: Option<usize>,
}

/// Replaces the packets by those that the blocks, farthest first, turn into them. One set of marks per block is kept in `marks`.
/// Returns what the next line finds, when there is one.
pub fn restore(crossings: &[Crossing<'_>], mut line: Line<'_>, iterations: usize, marks: &mut Vec<Marks>) -> Vec<Option<Past>> {
    let count = crossings.first().map_or(0, |c| c.traps.compiled());
    marks.resize_with(marks.len().max(crossings.len()), Marks::default);
    for (marks, crossing) in marks.iter_mut().zip(crossings) {
        marks.reserve(line.packets.len(), crossing.traps);
    }
    if let Some(gains) = &mut line.gains {
        gains.clear();
    }
    match count {
        0 => Vec::new(),
        1 => run::<1>(crossings, line, iterations, marks),
        2 => run::<2>(crossings, line, iterations, marks),
        3 => run::<3>(crossings, line, iterations, marks),
        _ => run::<4>(crossings, line, iterations, marks),
    }
}

/// One packet through all blocks, and the slope of the outcome; with `commit` the traps take what they found.
#[inline(always)]
fn walk<const S: usize>(
    crossings: &[Crossing<'_>],
    now: usize,
    packet: &Row,
    pools: &mut [Pool<S>],
    marks: &mut [Marks],
    commit: bool,
) -> (Row, Row) {
    let mut packet = *packet;
    let mut slope = [1.0; WIDTH];
    for ((crossing, pool), marks) in crossings.iter().zip(pools).zip(marks) {
        let pass = crossing.at(now);
        if pass.pixels > 0.0 {
            let found = pass.probe(pool, marks, &packet);
            packet = found.after;
            for l in 0..WIDTH {
                slope[l] *= found.slope[l];
            }
            if commit {
                pass.commit(pool, marks, &found);
            }
        }
    }
    (packet, slope)
}

/// One packet back through all blocks, nearest to the output first, its gain, and what of a change comes through forwards; with `commit` the traps take what they found.
#[inline(always)]
fn back<const S: usize>(
    crossings: &[Crossing<'_>],
    now: usize,
    data: &Row,
    belief: &Belief,
    pools: &mut [Pool<S>],
    marks: &mut [Marks],
    commit: bool,
) -> (Row, Row, Row) {
    let mut packet = *data;
    let (mut slope, mut gain, mut through) = ([1.0; WIDTH], [1.0; WIDTH], [1.0; WIDTH]);
    for ((crossing, pool), marks) in crossings.iter().zip(pools).zip(marks).rev() {
        let pass = crossing.at(now);
        if pass.pixels > 0.0 {
            let mut weight = [0.0; WIDTH];
            for l in 0..WIDTH {
                let square = slope[l] * slope[l];
                weight[l] = square / (square + belief.damping[l]);
            }
            let found = pass.unwind(pool, marks, &packet, &belief.expected, &weight);
            packet = found.after;
            for l in 0..WIDTH {
                gain[l] *= found.slope[l];
                through[l] *= found.through[l];
                slope[l] = 1.0 / gain[l];
            }
            if commit {
                pass.commit(pool, marks, &found);
            }
        }
    }
    (packet, gain, through)
}

#[multiversion::multiversion(targets("x86_64+avx512f+avx512bw+avx512dq+avx512vl", "x86_64+avx2", "aarch64+neon"))]
fn run<const S: usize>(crossings: &[Crossing<'_>], line: Line<'_>, iterations: usize, marks: &mut [Marks]) -> Vec<Option<Past>> {
    let Line { packets, trailing, noise, mut gains, next } = line;
    // Trailing packets change no earlier one: they only carry the traps to the next line.
    let (packets, trailing) = packets.split_at_mut(packets.len() - trailing);
    let trailing = if next.is_some() { trailing } else { &mut [] };
    let data = packets.to_vec();
    let mut pools = vec![Pool::<S>::EMPTY; crossings.len()];
    for (now, row) in packets.iter_mut().enumerate() {
        let belief = belief::about(&data, noise, now);
        let (mut gain, through);
        (*row, gain, through) = back(crossings, now, &data[now], &belief, &mut pools, marks, iterations < 2);
        for _ in 1..iterations {
            let (model, slope) = walk(crossings, now, row, &mut pools, marks, false);
            for l in 0..WIDTH {
                let s = if slope[l] > 0.0 { slope[l] } else { 0.0 };
                let step = s / (s * s + belief.damping[l] + REFINEMENT);
                row[l] += (data[now][l] - model[l]) * step;
                gain[l] += (1.0 - s * gain[l]) * step;
            }
        }
        if iterations > 1 {
            walk(crossings, now, row, &mut pools, marks, true);
        }
        if let Some(gains) = &mut gains {
            gains.push(Response { gain, through, expected: belief.expected });
        }
    }
    let first = packets.len();
    for (k, row) in trailing.iter_mut().enumerate() {
        *row = walk(crossings, first + k, row, &mut pools, marks, true).0;
    }
    let end = (first + trailing.len()).saturating_sub(1);
    let pasts = crossings.iter().zip(pools).zip(marks);
    let pasts = pasts.map(|((crossing, pool), marks)| next.map(|line| pool.past(marks, crossing.traps, end, line)));
    pasts.collect()
}
