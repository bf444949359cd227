//! The packets before the transfer from those after it.
//!
//! # Formula
//! `n += (d - f(n)) / s`, repeated for each packet: d its data, f the forward model of the packet behind all earlier ones, s the
//! slope of f: 1 at first, then the secant of the last two rounds, kept within 0.2..1
//!
//! A packet is changed by earlier packets and by itself alone. So packets are taken in time order, each through all blocks,
//! and each is iterated until the forward model gives its data back, before the next one sees the traps it leaves. To iterate
//! the whole line at once instead (Bristow & Alexov 2003, Massey et al. 2010) passes the error of every packet on to the
//! packets behind it: with a loss of a third over the whole path, the trail after four rounds is worse than after two.
//! The least slope bounds the gain of a packet's own noise: at most 5 where traps take most of what a packet gains.

use super::column::{Crossing, Marks, Past, Pool, Row, WIDTH};

/// Least slope of the forward model that is undone.
const LEAST_SLOPE: f64 = 0.2;

/// Replaces the packets by those that the blocks, farthest first, turn into them; the last `trailing` are forward alone, empty
/// to begin with. One set of marks per block is kept in `marks`. Returns what the next line finds, when there is one.
pub fn restore(
    crossings: &[Crossing<'_>],
    packets: &mut [Row],
    trailing: usize,
    iterations: usize,
    marks: &mut Vec<Marks>,
    line: Option<usize>,
) -> Vec<Option<Past>> {
    let count = crossings.first().map_or(0, |c| c.traps.count);
    marks.resize_with(marks.len().max(crossings.len()), Marks::default);
    marks.iter_mut().for_each(|m| m.reserve(packets.len()));
    // Trailing packets change no earlier one: they only carry the traps to the next line.
    let (packets, trailing) = packets.split_at_mut(packets.len() - trailing);
    let trailing = if line.is_some() { trailing } else { &mut [] };
    match count {
        0 => Vec::new(),
        1 => run::<1>(crossings, packets, trailing, iterations, marks, line),
        2 => run::<2>(crossings, packets, trailing, iterations, marks, line),
        3 => run::<3>(crossings, packets, trailing, iterations, marks, line),
        _ => run::<4>(crossings, packets, trailing, iterations, marks, line),
    }
}

/// One packet through all blocks; with `commit` the traps take what they found.
#[inline(always)]
fn walk<const S: usize>(
    crossings: &[Crossing<'_>],
    now: usize,
    packet: &Row,
    pools: &mut [Pool<S>],
    marks: &mut [Marks],
    commit: bool,
) -> Row {
    let mut packet = *packet;
    for ((crossing, pool), marks) in crossings.iter().zip(pools).zip(marks) {
        let pass = crossing.at(now);
        if pass.pixels > 0.0 {
            let found = pass.probe(pool, marks, &packet);
            packet = found.after;
            if commit {
                pass.commit(pool, marks, &found);
            }
        }
    }
    packet
}

#[multiversion::multiversion(targets("x86_64+avx512f+avx512bw+avx512dq+avx512vl", "x86_64+avx2", "aarch64+neon"))]
fn run<const S: usize>(
    crossings: &[Crossing<'_>],
    packets: &mut [Row],
    trailing: &mut [Row],
    iterations: usize,
    marks: &mut [Marks],
    line: Option<usize>,
) -> Vec<Option<Past>> {
    let mut pools = vec![Pool::<S>::EMPTY; crossings.len()];
    for (now, row) in packets.iter_mut().enumerate() {
        let data = *row;
        let (mut last, mut last_model) = (*row, *row);
        for round in 0..iterations {
            let model = walk(crossings, now, row, &mut pools, marks, false);
            for l in 0..WIDTH {
                let (step, rise) = (row[l] - last[l], model[l] - last_model[l]);
                let slope = if round > 0 && step != 0.0 { (rise / step).clamp(LEAST_SLOPE, 1.0) } else { 1.0 };
                (last[l], last_model[l]) = (row[l], model[l]);
                row[l] += (data[l] - model[l]) / slope;
            }
        }
        walk(crossings, now, row, &mut pools, marks, true);
    }
    let first = packets.len();
    for (k, row) in trailing.iter_mut().enumerate() {
        *row = walk(crossings, first + k, row, &mut pools, marks, true);
    }
    let end = (first + trailing.len()).saturating_sub(1);
    let pasts = pools.iter().zip(marks).map(|(pool, marks)| line.map(|line| pool.past(marks, end, line)));
    pasts.collect()
}
