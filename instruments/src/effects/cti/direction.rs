//! One direction of transfer: lines of packets forward through the traps, and back by iteration.

use super::column::{Crossing, Marks, Past, Row, WIDTH};
use super::restore::{Line, Response, restore};
use super::schedule::{self, Steps};
use super::traps::{TrapModel, Traps};

/// A cut-out knows nothing of the pixels nearer to the output; so many release times of them are taken as its mirror image.
const REACH: f64 = 8.0;
/// And at least so many.
const LEAST: f64 = 16.0;

/// Where a line of packets lies on the device.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Path {
    /// Pixels between the first packet and the output.
    pub first: usize,
    /// Of these, pixels of the register that never hold charge of the image.
    pub prescan: usize,
    /// Packets that start in pixels of the window.
    pub packets: usize,
    /// Empty packets clocked out after them, through all pixels: overscan.
    pub trailing: usize,
}

/// What a line of packets is called: part of the keys of random draws.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct LineKey {
    /// The physical pixels: column and register, or amplifier.
    pub device: u64,
    /// The line itself: as `device` for columns, amplifier and row for rows.
    pub line: u64,
}

/// Something that moves lines of packets to the output.
pub trait Transfer: Sync {
    /// Moves the packets, nearest to the output first: `path.packets` with charge, then `path.trailing` empty ones.
    /// Returns the electrons that stayed in traps.
    fn transfer(&self, path: &Path, keys: &[LineKey; WIDTH], packets: &mut [Row], work: &mut Work) -> Row;
    /// Whether there are no traps, so that nothing changes.
    fn is_idle(&self) -> bool;
}

/// What traps keep from one line to the next.
#[derive(Debug, Default)]
pub enum Memory {
    /// Nothing: every line finds empty traps.
    #[default]
    None,
    /// What the last line left in every block.
    Register {
        /// Clock periods from line to line.
        line: usize,
        /// The blocks; empty before the first line.
        blocks: Vec<Option<Past>>,
    },
}

impl Memory {
    /// Clock periods of a line, where lines are remembered.
    fn line(&self) -> Option<usize> {
        match self {
            Self::None => None,
            Self::Register { line, .. } => Some(*line),
        }
    }
    /// Takes what the last line left in every block.
    fn take(&mut self, count: usize) -> Vec<Option<Past>> {
        let mut blocks = match self {
            Self::None => Vec::new(),
            Self::Register { blocks, .. } => std::mem::take(blocks),
        };
        blocks.resize_with(count, || None);
        blocks
    }
    fn keep(&mut self, left: Vec<Option<Past>>) {
        if let Self::Register { blocks, .. } = self {
            *blocks = left;
        }
    }
}

impl Work {
    /// Forgets all lines; from here on each line finds what the one before it left `line` clock periods earlier.
    pub fn remember(&mut self, line: usize) {
        self.memory = Memory::Register { line, blocks: Vec::new() };
    }
    /// Tells a correction the variance of the noise of each packet; it then says how much it amplifies it. `None`: there is no noise.
    pub fn expect_noise(&mut self, variance: Option<impl Iterator<Item = Row>>) {
        self.gains = variance.is_some().then(|| self.gains.take().unwrap_or_default());
        self.noise.clear();
        self.noise.extend(variance.into_iter().flatten());
    }
    /// What became of small changes of every corrected packet of the last line, mirror image first.
    #[must_use]
    pub fn gains(&self) -> Option<&[Response]> {
        self.gains.as_deref()
    }
}

/// What one thread keeps between lines.
#[derive(Debug, Default)]
pub struct Work {
    marks: Marks,
    /// A line with its mirror image.
    pub line: Vec<Row>,
    pools: Vec<Marks>,
    memory: Memory,
    noise: Vec<Row>,
    gains: Option<Vec<Response>>,
}

/// How many pixels of the mirror image a cut-out needs with these traps.
#[must_use]
pub fn reach(model: &TrapModel) -> usize {
    (REACH * model.longest_release()).max(LEAST).ceil().min(1e6) as usize
}

/// Runs `run(first, packets)` with the mirror image of a cut-out's first packets before it, where the device has pixels.
pub fn with_mirror(path: &Path, reach: usize, packets: &mut [Row], line: &mut Vec<Row>, run: impl FnOnce(usize, &mut [Row]) -> Row) -> Row {
    // The serial prescan has no charge to start with: a line that starts at its end is whole.
    let mirrored = path.first.saturating_sub(path.prescan).min(reach).min(path.packets);
    if mirrored == 0 {
        return run(path.first, packets);
    }
    line.clear();
    line.extend(packets[..mirrored].iter().rev());
    line.extend_from_slice(packets);
    let left = run(path.first - mirrored, line);
    packets.copy_from_slice(&line[mirrored..]);
    left
}

/// The expected number of electrons after the traps of one direction.
#[derive(Debug, Clone)]
pub struct Expected {
    traps: Traps,
    steps: Steps,
    density: f64,
    reach: usize,
}

impl Expected {
    /// Prepares the tables.
    #[must_use]
    pub fn new(model: &TrapModel, steps: Steps) -> Self {
        Self { traps: Traps::new(model), steps, density: model.density(), reach: reach(model) }
    }
    /// The trap tables.
    #[must_use]
    pub fn traps(&self) -> &Traps {
        &self.traps
    }

    fn run(&self, path: &Path, first: usize, packets: &mut [Row], marks: &mut Marks, memory: &mut Memory) -> Row {
        let mut left = [0.0; WIDTH];
        let blocks = schedule::blocks(path.first + path.packets, self.steps, self.density);
        let mut pasts = memory.take(blocks.len());
        for (block, past) in blocks.into_iter().zip(&mut pasts) {
            let crossing = Crossing { traps: &self.traps, block, first, past: past.as_ref() };
            let (stays, next) = crossing.send(packets, marks, memory.line());
            if let Some(old) = std::mem::replace(past, next) {
                // Its room serves the next block.
                old.give_room(marks);
            }
            left.iter_mut().zip(stays).for_each(|(sum, stays)| *sum += stays);
        }
        memory.keep(pasts);
        left
    }
}

impl Transfer for Expected {
    fn transfer(&self, path: &Path, _: &[LineKey; WIDTH], packets: &mut [Row], work: &mut Work) -> Row {
        let Work { line, marks, memory, .. } = work;
        with_mirror(path, self.reach, packets, line, |first, packets| self.run(path, first, packets, marks, memory))
    }
    fn is_idle(&self) -> bool {
        self.traps.count == 0
    }
}

/// The forward model turned round, packet by packet: see [`super::restore`].
#[derive(Debug, Clone)]
pub struct Undo {
    /// The forward model. Exact steps are followed in [`MOST_BLOCKS`] blocks: each keeps its own marks.
    pub forward: Expected,
    /// 1: every packet is led back through the blocks; more: the forward model then looks after it as often.
    pub iterations: usize,
}

/// Blocks of a correction at most: at 64 the forward model is within 1e-4 of the exact one.
pub const MOST_BLOCKS: usize = 64;

impl Transfer for Undo {
    fn transfer(&self, path: &Path, _: &[LineKey; WIDTH], packets: &mut [Row], work: &mut Work) -> Row {
        let Work { line, pools, memory, noise, gains, .. } = work;
        if self.iterations == 0 {
            *gains = None;
            return [0.0; WIDTH];
        }
        let Expected { traps, steps, reach, density } = &self.forward;
        let steps = match *steps {
            Steps::Exact => Steps::Blocks(MOST_BLOCKS),
            Steps::Blocks(count) => Steps::Blocks(count.min(MOST_BLOCKS)),
            Steps::AtMost(count) => Steps::AtMost(count.min(MOST_BLOCKS)),
        };
        let blocks = schedule::blocks(path.first + path.packets, steps, *density);
        with_mirror(path, *reach, packets, line, |first, packets| {
            let pasts = memory.take(blocks.len());
            let crossings: Vec<Crossing<'_>> =
                blocks.iter().zip(&pasts).map(|(&block, past)| Crossing { traps, block, first, past: past.as_ref() }).collect();
            if !noise.is_empty() {
                // The mirror image has the noise of what it mirrors.
                let mirrored = packets.len() - path.packets - path.trailing;
                noise.splice(..0, noise[..mirrored].iter().rev().copied().collect::<Vec<Row>>());
            }
            let noise = (!noise.is_empty()).then_some(noise.as_slice());
            let line = Line { packets, trailing: path.trailing, noise, gains: gains.as_mut(), next: memory.line() };
            let left = restore(&crossings, line, self.iterations, pools);
            drop(crossings);
            for (past, marks) in pasts.into_iter().zip(pools.iter_mut()) {
                if let Some(past) = past {
                    past.give_room(marks);
                }
            }
            memory.keep(left);
            [0.0; WIDTH]
        })
    }
    fn is_idle(&self) -> bool {
        self.forward.is_idle()
    }
}
