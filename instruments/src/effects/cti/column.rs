//! The kernel: packets of charge in time order through a block of physical pixels, several columns side by side.
//!
//! # The state of a block
//! A block of L pixels that see the same packets is one pool. Electrons fill every empty trap below their height v, so
//! the occupancy of the volume is a staircase: below the height of the last packet all traps are full, then come marks
//! of earlier, higher packets whose traps have been emptying since. A mark holds its height, its time, the pixels that
//! had joined by then and the electrons of each species that the pool held then. All species share the marks.
//! Above the height v, last seen by mark k at time t_k with m_k pixels and H_k electrons of a species, the pool holds
//! `(H_k - m_k e(v)) exp(-(t - t_k) / tau)`, with `e(v)` the traps of a pixel below v; below v it holds `m e(v)`.
//! So one packet costs one height, one mark and one product per species, for any number of marks.
//!
//! # The start of a packet
//! A packet that starts inside the block meets, in its own pixel, traps that no packet has filled. It therefore joins its
//! pixel to the pool empty: m grows by one and nothing else changes. The mean occupancy is then exact, and so is the
//! account: what a packet gives is what the pool gains.
//!
//! The pass itself is in `pass.rs`, the pool in `pool.rs`, the marks in `marks.rs`.

pub use super::marks::{Marks, Row, WIDTH};
use super::pass::Pass;
pub use super::pool::Past;
use super::pool::Pool;
use super::traps::Traps;

/// Physical pixels `low..high` counted from the output, passed as one pool.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Block {
    /// First pixel.
    pub low: usize,
    /// One past the last.
    pub high: usize,
}

/// Pixels of `block` that a packet which starts in physical pixel `place` has joined to the pool.
#[inline(always)]
pub(super) fn joined(block: &Block, place: usize) -> f64 {
    (place + 1).saturating_sub(block.low).min(block.high - block.low) as f64
}

/// A line of packets at one block.
#[derive(Debug, Clone, Copy)]
pub struct Crossing<'a> {
    /// Traps.
    pub traps: &'a Traps,
    /// Pixels.
    pub block: Block,
    /// Physical pixel in which the first packet starts.
    pub first: usize,
    /// What an earlier line left.
    pub past: Option<&'a Past>,
}

impl<'a> Crossing<'a> {
    /// Packet number `now` at the block.
    #[inline(always)]
    pub(super) fn at(&self, now: usize) -> Pass<'a> {
        Pass { traps: self.traps, now, pixels: joined(&self.block, self.first + now), past: self.past }
    }

    /// Sends the packets through the block and returns the electrons left in its traps after the last packet. With `line`, the
    /// clock periods of a line, also what the next line finds; the marks go with it.
    ///
    /// `packets[k]` is the packet that starts in physical pixel `first + k`; those from before the block do not pass.
    /// The packets must be in time order, nearest to the output first.
    pub fn send(&self, packets: &mut [Row], marks: &mut Marks, line: Option<usize>) -> (Row, Option<Past>) {
        marks.reserve(packets.len(), self.traps);
        match self.traps.compiled() {
            0 => ([0.0; WIDTH], None),
            1 => send::<1>(self, packets, marks, line),
            2 => send::<2>(self, packets, marks, line),
            3 => send::<3>(self, packets, marks, line),
            _ => send::<4>(self, packets, marks, line),
        }
    }
}

#[multiversion::multiversion(targets("x86_64+avx512f+avx512bw+avx512dq+avx512vl", "x86_64+avx2", "aarch64+neon"))]
fn send<const S: usize>(crossing: &Crossing<'_>, packets: &mut [Row], marks: &mut Marks, line: Option<usize>) -> (Row, Option<Past>) {
    let mut pool = Pool::<S>::EMPTY;
    let from = crossing.block.low.saturating_sub(crossing.first).min(packets.len());
    for (k, row) in packets[from..].iter_mut().enumerate() {
        let pass = crossing.at(from + k);
        let found = pass.probe(&pool, marks, row);
        *row = found.after;
        pass.commit(&mut pool, marks, &found);
    }
    let end = packets.len().saturating_sub(1);
    let past = line.filter(|_| pool.total != [0.0; WIDTH]).map(|line| pool.past(marks, crossing.traps, end, line));
    (pool.total, past)
}
