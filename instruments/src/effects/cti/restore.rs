//! The packets before the transfer from those after it.
//!
//! # Formula
//! `n += s (d - f(n)) / (s^2 + lambda)`, repeated for each packet: d its data, f the forward model of the packet behind all earlier
//! ones, s the slope of f, the product of those of the blocks (`pass.rs`).
//! # Source
//! The iteration: damped Gauss-Newton (Levenberg 1944, Q. Appl. Math. 2, 164), one packet at a time.
//!
//! A packet is changed by earlier packets and by itself alone. So packets are taken in time order, each through all blocks,
//! and each is iterated until the forward model gives its data back, before the next one sees the traps it leaves. To iterate
//! the whole line at once instead (Bristow & Alexov 2003, Massey et al. 2010) passes the error of every packet on to the
//! packets behind it: with a loss of a third over the whole path, the trail after four rounds is worse than after two.
//!
//! After k rounds `1 - (lambda / (s^2 + lambda))^k` of what the traps took is back: 96, 99.8 % for a slope of 0.7 after 1 and 2 (from a start near enough),
//! but little where the traps take nearly all of what a packet gains, as in a sky of a few electrons: what did not
//! come through cannot be found, and looking for it would only amplify noise. The gain of a packet's own noise follows from the
//! same rounds, `r += (1 - s r) s / (s^2 + lambda)` from 1 on; what its noise does to the packets behind it is less, by the traps that its
//! height decides over, and is not followed.

#![expect(clippy::needless_range_loop, reason = "lanes of several arrays side by side")]

use super::column::{Crossing, Marks, Past, Row, WIDTH};
use super::pool::Pool;

/// Damping lambda: packets of which less than its root, a seventh, comes through for one electron more are hardly moved.
const DAMPING: f64 = 0.02;

/// Replaces the packets by those that the blocks, farthest first, turn into them; the last `trailing` are forward alone, empty
/// to begin with. One set of marks per block is kept in `marks`. Returns what the next line finds, when there is one.
pub fn restore(
    crossings: &[Crossing<'_>],
    packets: &mut [Row],
    trailing: usize,
    iterations: usize,
    marks: &mut Vec<Marks>,
    mut gains: Option<&mut Vec<Row>>,
    line: Option<usize>,
) -> Vec<Option<Past>> {
    let count = crossings.first().map_or(0, |c| c.traps.count);
    marks.resize_with(marks.len().max(crossings.len()), Marks::default);
    marks.iter_mut().for_each(|m| m.reserve(packets.len()));
    // Trailing packets change no earlier one: they only carry the traps to the next line.
    let (packets, trailing) = packets.split_at_mut(packets.len() - trailing);
    let trailing = if line.is_some() { trailing } else { &mut [] };
    if let Some(gains) = &mut gains {
        gains.clear();
    }
    match count {
        0 => Vec::new(),
        1 => run::<1>(crossings, packets, trailing, iterations, marks, gains, line),
        2 => run::<2>(crossings, packets, trailing, iterations, marks, gains, line),
        3 => run::<3>(crossings, packets, trailing, iterations, marks, gains, line),
        _ => run::<4>(crossings, packets, trailing, iterations, marks, gains, line),
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

#[multiversion::multiversion(targets("x86_64+avx512f+avx512bw+avx512dq+avx512vl", "x86_64+avx2", "aarch64+neon"))]
fn run<const S: usize>(
    crossings: &[Crossing<'_>],
    packets: &mut [Row],
    trailing: &mut [Row],
    iterations: usize,
    marks: &mut [Marks],
    mut gains: Option<&mut Vec<Row>>,
    line: Option<usize>,
) -> Vec<Option<Past>> {
    let mut pools = vec![Pool::<S>::EMPTY; crossings.len()];
    for (now, row) in packets.iter_mut().enumerate() {
        let data = *row;
        let mut gain = [1.0; WIDTH];
        for _ in 0..iterations {
            let (model, slope) = walk(crossings, now, row, &mut pools, marks, false);
            for l in 0..WIDTH {
                let s = if slope[l] > 0.0 { slope[l] } else { 0.0 };
                let step = s / (s * s + DAMPING);
                row[l] += (data[l] - model[l]) * step;
                gain[l] += (1.0 - s * gain[l]) * step;
            }
        }
        if let Some(gains) = &mut gains {
            gains.push(gain);
        }
        walk(crossings, now, row, &mut pools, marks, true);
    }
    let first = packets.len();
    for (k, row) in trailing.iter_mut().enumerate() {
        *row = walk(crossings, first + k, row, &mut pools, marks, true).0;
    }
    let end = (first + trailing.len()).saturating_sub(1);
    let pasts = pools.iter().zip(marks).map(|(pool, marks)| line.map(|line| pool.past(marks, end, line)));
    pasts.collect()
}
