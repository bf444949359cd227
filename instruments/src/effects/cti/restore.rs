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

use super::column::{Block, Marks, Pass, Pool, Row, WIDTH, joined};
use super::traps::Traps;

/// Replaces the packets by those that the blocks, farthest first, turn into them. `first` as in [`super::column::pass`].
/// One set of marks per block is kept in `marks`.
pub fn restore(traps: &Traps, blocks: &[Block], first: usize, packets: &mut [Row], iterations: usize, marks: &mut Vec<Marks>) {
    marks.resize_with(marks.len().max(blocks.len()), Marks::default);
    marks.iter_mut().for_each(|m| m.reserve(packets.len()));
    match traps.count {
        0 => {}
        1 => restore_of::<1>(traps, blocks, first, packets, iterations, marks),
        2 => restore_of::<2>(traps, blocks, first, packets, iterations, marks),
        3 => restore_of::<3>(traps, blocks, first, packets, iterations, marks),
        _ => restore_of::<4>(traps, blocks, first, packets, iterations, marks),
    }
}

/// Least slope of the forward model that is undone.
const LEAST_SLOPE: f64 = 0.2;

#[multiversion::multiversion(targets("x86_64+avx512f+avx512bw+avx512dq+avx512vl", "x86_64+avx2", "aarch64+neon"))]
fn restore_of<const S: usize>(traps: &Traps, blocks: &[Block], first: usize, packets: &mut [Row], iterations: usize, marks: &mut [Marks]) {
    let mut pools = vec![Pool::<S>::EMPTY; blocks.len()];
    for (now, row) in packets.iter_mut().enumerate() {
        let place = first + now;
        let data = *row;
        let (mut last, mut last_model) = (*row, *row);
        for round in 0..=iterations {
            let mut packet = *row;
            for ((block, pool), marks) in blocks.iter().zip(&mut pools).zip(marks.iter_mut()) {
                let pixels = joined(block, place);
                if pixels > 0.0 {
                    let pass = Pass { traps, now, pixels };
                    let found = pass.probe(pool, marks, &packet);
                    packet = found.after;
                    if round == iterations {
                        pass.commit(pool, marks, &found);
                    }
                }
            }
            if round < iterations {
                for l in 0..WIDTH {
                    let (step, rise) = (row[l] - last[l], packet[l] - last_model[l]);
                    let slope = if round > 0 && step != 0.0 { (rise / step).clamp(LEAST_SLOPE, 1.0) } else { 1.0 };
                    (last[l], last_model[l]) = (row[l], packet[l]);
                    row[l] += (data[l] - packet[l]) / slope;
                }
            }
        }
    }
}
