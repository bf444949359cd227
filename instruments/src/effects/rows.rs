//! Row-parallel work on frames: rows are disjoint, sums run in row order, so the bits do not depend on threads.

use multiversion::multiversion;
use ndarray::Array2;
use rayon::prelude::*;
use sim_core::correction::CorrectionError;
use sim_core::detector::{AmplifierTile, ReadoutLayout};
use sim_core::effect::EffectError;
use sim_core::frame::Frame;
use sim_core::ledger::Ledger;
use sim_core::plane::{Counts, Plane};

/// Rows handed to a thread at once at least.
const ROWS_PER_TASK: usize = 8;

/// What one thread keeps between rows.
pub struct Scratch {
    before: Vec<f32>,
    /// Room for one row of random numbers.
    pub draws: Vec<f32>,
}

impl Scratch {
    fn new(width: usize) -> Self {
        Self { before: vec![0.0; width], draws: vec![0.0; width] }
    }
}

/// The pixels as one slice, row after row.
pub fn as_slice_mut<T: Clone>(array: &mut Array2<T>) -> &mut [T] {
    if !array.is_standard_layout() {
        *array = array.as_standard_layout().into_owned();
    }
    match array.as_slice_mut() {
        Some(slice) => slice,
        None => unreachable!("an owned array in standard layout is one slice"),
    }
}

/// Sum of a row in f64, in 8 fixed lanes.
#[multiversion(targets("x86_64+avx2"))]
fn row_sum(row: &[f32]) -> f64 {
    let mut lanes = [0.0_f64; 8];
    let blocks = row.chunks_exact(8);
    let rest: f64 = blocks.remainder().iter().map(|&v| f64::from(v)).sum();
    for block in blocks {
        for (lane, &value) in lanes.iter_mut().zip(block) {
            *lane += f64::from(value);
        }
    }
    lanes.iter().sum::<f64>() + rest
}

/// Total of an array: rows in parallel, added in order.
#[must_use]
pub fn total(array: &Array2<f32>) -> f64 {
    let Some(slice) = array.as_slice() else {
        return array.rows().into_iter().map(|row| row.iter().map(|&v| f64::from(v)).sum::<f64>()).sum();
    };
    let sums: Vec<f64> = slice.par_chunks(array.ncols().max(1)).with_min_len(ROWS_PER_TASK).map(row_sum).collect();
    sums.into_iter().sum()
}

/// Signed sums of the differences of two rows, in 8 fixed lanes: the same bits on every machine.
#[multiversion(targets("x86_64+avx2"))]
fn tally(before: &[f32], after: &[f32]) -> Ledger {
    const LANES: usize = 8;
    let (mut net, mut size) = ([0.0_f64; LANES], [0.0_f64; LANES]);
    let (before_blocks, after_blocks) = (before.chunks_exact(LANES), after.chunks_exact(LANES));
    let rest: f64 = before_blocks.remainder().iter().zip(after_blocks.remainder()).map(|(&b, &a)| f64::from(a) - f64::from(b)).sum();
    let rest_size: f64 =
        before_blocks.remainder().iter().zip(after_blocks.remainder()).map(|(&b, &a)| (f64::from(a) - f64::from(b)).abs()).sum();
    for (b, a) in before_blocks.zip(after_blocks) {
        for lane in 0..LANES {
            let change = f64::from(a[lane]) - f64::from(b[lane]);
            net[lane] += change;
            size[lane] += change.abs();
        }
    }
    let net = net.iter().sum::<f64>() + rest;
    let size = size.iter().sum::<f64>() + rest_size;
    Ledger { added: 0.5 * (size + net), lost: 0.5 * (size - net) }
}

fn sum(ledgers: Vec<Ledger>) -> Ledger {
    ledgers.into_iter().fold(Ledger::default(), Ledger::plus)
}

/// Runs `kernel(y, row, scratch)` on every row of the frame and books every pixel's change.
pub fn change<P: Plane>(frame: &mut Frame<P>, kernel: impl Fn(usize, &mut [f32], &mut [f32]) + Sync) -> Ledger {
    let width = frame.pixels.ncols().max(1);
    let ledgers = as_slice_mut(&mut frame.pixels)
        .par_chunks_mut(width)
        .with_min_len(ROWS_PER_TASK)
        .enumerate()
        .map_init(
            || Scratch::new(width),
            |scratch, (y, row)| {
                scratch.before.copy_from_slice(row);
                kernel(y, row, &mut scratch.draws);
                tally(&scratch.before, row)
            },
        )
        .collect();
    sum(ledgers)
}

/// The tiles that a raw row crosses, left to right.
pub fn tiles_of_row(layout: &ReadoutLayout, raw_y: usize) -> impl Iterator<Item = (usize, &AmplifierTile)> {
    layout.tiles.iter().enumerate().filter(move |(_, t)| raw_y >= t.raw.y0 && raw_y < t.raw.y0 + t.raw.ny)
}

/// Runs `kernel(tile index, tile, raw y, pixels of the tile in this row, scratch)` on every amplifier's part of
/// every raw row and books every pixel's change.
pub fn change_tiles(
    frame: &mut Frame<Counts>,
    layout: &ReadoutLayout,
    kernel: impl Fn(usize, &AmplifierTile, usize, &mut [f32], &mut [f32]) + Sync,
) -> Ledger {
    change(frame, |raw_y, row, scratch| {
        for (index, tile) in tiles_of_row(layout, raw_y) {
            let pixels = &mut row[tile.raw.x0..tile.raw.x0 + tile.raw.nx];
            kernel(index, tile, raw_y, pixels, &mut scratch[..tile.raw.nx]);
        }
    })
}

/// Refuses a frame that is not of the shape needed (rows, columns).
///
/// # Errors
/// [`EffectError::Shape`].
pub fn need_shape<P: Plane>(effect: &'static str, frame: &Frame<P>, need: (usize, usize)) -> Result<(), EffectError> {
    let got = frame.pixels.dim();
    if got == need { Ok(()) } else { Err(EffectError::Shape { effect, got, need }) }
}

/// The same for a correction.
///
/// # Errors
/// [`CorrectionError::Shape`].
pub fn need_reference(step: &'static str, reference: (usize, usize), frame: (usize, usize)) -> Result<(), CorrectionError> {
    if reference == frame { Ok(()) } else { Err(CorrectionError::Shape { step, reference, frame }) }
}

/// One row of a frame under reduction.
pub struct ReducedRow<'a> {
    /// Row number in the array.
    pub y: usize,
    /// Pixels.
    pub pixels: &'a mut [f32],
    /// Variance.
    pub variance: &'a mut [f32],
    /// Flags.
    pub flags: &'a mut [u32],
}

/// Runs `kernel` on every row of pixels, variance and flags; missing variance starts at 0, missing flags at 0.
pub fn reduce<P: Plane>(frame: &mut Frame<P>, kernel: impl Fn(ReducedRow<'_>) + Sync) {
    let shape = frame.pixels.dim();
    let width = shape.1.max(1);
    let pixels = as_slice_mut(&mut frame.pixels);
    let variance = as_slice_mut(frame.variance.get_or_insert_with(|| Array2::zeros(shape)));
    let flags = as_slice_mut(frame.flags.get_or_insert_with(|| Array2::zeros(shape)));
    pixels
        .par_chunks_mut(width)
        .zip(variance.par_chunks_mut(width))
        .zip(flags.par_chunks_mut(width))
        .with_min_len(ROWS_PER_TASK)
        .enumerate()
        .for_each(|(y, ((pixels, variance), flags))| kernel(ReducedRow { y, pixels, variance, flags }));
}

/// Runs `kernel(y, pixels, variance)` on every row; missing variance starts at 0.
pub fn reduce_variance<P: Plane>(frame: &mut Frame<P>, kernel: impl Fn(usize, &mut [f32], &mut [f32]) + Sync) {
    let shape = frame.pixels.dim();
    let width = shape.1.max(1);
    let pixels = as_slice_mut(&mut frame.pixels);
    let variance = as_slice_mut(frame.variance.get_or_insert_with(|| Array2::zeros(shape)));
    pixels
        .par_chunks_mut(width)
        .zip(variance.par_chunks_mut(width))
        .with_min_len(ROWS_PER_TASK)
        .enumerate()
        .for_each(|(y, (pixels, variance))| kernel(y, pixels, variance));
}

/// Runs `kernel(y, pixels, flags)` on every row; missing flags start at 0.
pub fn reduce_flags<P: Plane>(frame: &mut Frame<P>, kernel: impl Fn(usize, &[f32], &mut [u32]) + Sync) {
    let shape = frame.pixels.dim();
    let width = shape.1.max(1);
    let pixels = as_slice_mut(&mut frame.pixels);
    let flags = as_slice_mut(frame.flags.get_or_insert_with(|| Array2::zeros(shape)));
    pixels
        .par_chunks(width)
        .zip(flags.par_chunks_mut(width))
        .with_min_len(ROWS_PER_TASK)
        .enumerate()
        .for_each(|(y, (pixels, flags))| kernel(y, pixels, flags));
}

#[cfg(test)]
mod tests {
    use super::*;
    use sim_core::frame::Window;
    use sim_core::plane::Charge;

    #[test]
    fn gains_and_losses_are_booked_apart() {
        let mut frame = Frame::<Charge>::from_pixels(ndarray::Array2::from_elem((3, 19), 10.0), Window { x0: 0, y0: 0, nx: 19, ny: 3 });
        let ledger = change(&mut frame, |y, row, _| {
            row[0] += 4.0;
            row[18] -= 1.0 + y as f32;
        });
        assert_eq!(ledger, Ledger { added: 12.0, lost: 6.0 });
        assert_eq!(frame.total(), 3.0 * 19.0 * 10.0 + 6.0);
    }
}
