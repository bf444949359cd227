//! Row-parallel work on frames: rows are disjoint, sums run in row order, so the bits do not depend on threads.

use multiversion::multiversion;
use ndarray::Array2;
use rayon::prelude::*;
use sim_core::correction::CorrectionError;
use sim_core::detector::{AmplifierTile, ReadoutLayout};
use sim_core::effect::{Context, Effect, EffectError, RowWork, Rows};
use sim_core::frame::Frame;
use sim_core::ledger::Ledger;
use sim_core::memory;
use sim_core::plane::Plane;
use std::ops::Range;

/// Partial sums of a row.
const LANES: usize = 8;
/// Pixels turned to f64 at a time: a loop of its own, which the compiler turns into wide operations.
const STRETCH: usize = 64;
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
    /// Runs a kernel on a row and books what it changed.
    fn book(&mut self, y: usize, row: &mut [f32], kernel: impl Fn(usize, &mut [f32], &mut [f32])) -> Ledger {
        self.before.copy_from_slice(row);
        kernel(y, row, &mut self.draws);
        tally(&self.before, row)
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

/// Lanes from a function of the lane: arithmetic on values is what the compiler turns into wide operations.
#[inline(always)]
fn each(f: impl Fn(usize) -> f64) -> [f64; LANES] {
    let mut out = [0.0; LANES];
    for (l, o) in out.iter_mut().enumerate() {
        *o = f(l);
    }
    out
}

/// Sum of a row in f64, in fixed lanes.
#[multiversion(targets("x86_64+avx2"))]
fn row_sum(row: &[f32]) -> f64 {
    let (stretches, rest) = row.as_chunks::<STRETCH>();
    let mut lanes = [0.0_f64; LANES];
    let mut wide = [0.0_f64; STRETCH];
    for stretch in stretches {
        for (w, v) in wide.iter_mut().zip(stretch) {
            *w = f64::from(*v);
        }
        for w in wide.as_chunks::<LANES>().0 {
            lanes = each(|l| lanes[l] + w[l]);
        }
    }
    lanes.iter().sum::<f64>() + rest.iter().map(|&v| f64::from(v)).sum::<f64>()
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

/// Signed sums of the differences of two rows in f64, in fixed lanes: the same bits on every machine.
#[multiversion(targets("x86_64+avx2"))]
pub(crate) fn tally(before: &[f32], after: &[f32]) -> Ledger {
    let ((before, before_rest), (after, after_rest)) = (before.as_chunks::<STRETCH>(), after.as_chunks::<STRETCH>());
    let (mut net, mut size) = ([0.0_f64; LANES], [0.0_f64; LANES]);
    let mut change = [0.0_f64; STRETCH];
    for (b, a) in before.iter().zip(after) {
        for ((c, a), b) in change.iter_mut().zip(a).zip(b) {
            *c = f64::from(*a) - f64::from(*b);
        }
        for c in change.as_chunks::<LANES>().0 {
            net = each(|l| net[l] + c[l]);
            size = each(|l| size[l] + c[l].abs());
        }
    }
    let mut rest = Ledger::default();
    for (&b, &a) in before_rest.iter().zip(after_rest) {
        rest.book(f64::from(a) - f64::from(b));
    }
    let (net, size) = (net.iter().sum::<f64>(), size.iter().sum::<f64>());
    rest.plus(Ledger { added: 0.5 * (size + net), lost: 0.5 * (size - net) })
}

fn sum(ledgers: Vec<Ledger>) -> Ledger {
    ledgers.into_iter().fold(Ledger::default(), Ledger::plus)
}

/// Runs `work(y, row, scratch)` on every row of the frame; the answers are in row order.
fn each_row<P: Plane, T: Send>(frame: &mut Frame<P>, work: impl Fn(usize, &mut [f32], &mut Scratch) -> T + Sync) -> Vec<T> {
    let width = frame.pixels.ncols().max(1);
    as_slice_mut(&mut frame.pixels)
        .par_chunks_mut(width)
        .with_min_len(ROWS_PER_TASK)
        .enumerate()
        .map_init(|| Scratch::new(width), |scratch, (y, row)| work(y, row, scratch))
        .collect()
}

/// Runs `kernel(y, row, scratch)` on every row of the frame and books every pixel's change.
pub fn change<P: Plane>(frame: &mut Frame<P>, kernel: impl Fn(usize, &mut [f32], &mut [f32]) + Sync) -> Ledger {
    sum(each_row(frame, |y, row, scratch| scratch.book(y, row, &kernel)))
}

/// Runs kernels one after the other on each row of the frame and books every pixel's change, kernel by kernel.
pub fn change_by_all<P: Plane>(frame: &mut Frame<P>, kernels: &[RowWork<'_>]) -> Vec<Ledger> {
    if kernels.is_empty() {
        return Vec::new();
    }
    let ledgers: Vec<Vec<Ledger>> = each_row(frame, |y, row, scratch| kernels.iter().map(|kernel| scratch.book(y, row, kernel)).collect());
    (0..kernels.len()).map(|k| sum(ledgers.iter().map(|row| row[k]).collect())).collect()
}

/// [`Effect::apply`] of an effect that works row by row.
///
/// # Errors
/// As [`Effect::rows`], and when the frame does not have the shape the effect needs.
pub fn apply<P: Plane>(name: &'static str, effect: &dyn Effect<P>, frame: &mut Frame<P>, cx: &Context<'_>) -> Result<Ledger, EffectError> {
    match effect.rows(cx)? {
        Rows::Each(kernel) => {
            need_shape(name, frame, kernel.shape)?;
            Ok(change(frame, kernel.work))
        }
        Rows::Idle => Ok(Ledger::default()),
        Rows::Whole => unreachable!("{name} works row by row"),
    }
}

/// The tiles that a raw row crosses, left to right.
pub fn tiles_of_row(layout: &ReadoutLayout, raw_y: usize) -> impl Iterator<Item = (usize, &AmplifierTile)> {
    layout.tiles.iter().enumerate().filter(move |(_, t)| raw_y >= t.raw.y0 && raw_y < t.raw.y0 + t.raw.ny)
}

/// The tiles whose science pixels lie in row `y` of the window, left to right, with their columns.
pub fn science_tiles_of_row(layout: &ReadoutLayout, y: usize) -> impl Iterator<Item = (&AmplifierTile, Range<usize>)> {
    let holds = move |t: &&AmplifierTile| y >= t.science.y0 && y < t.science.y0 + t.science.ny;
    layout.tiles.iter().filter(holds).map(|t| (t, t.science.x0..t.science.x0 + t.science.nx))
}

/// Rows of a raw frame whose work is `kernel(tile index, tile, raw y, pixels of the tile in this row, scratch)` on every
/// amplifier's part.
pub fn each_tile<'a>(
    layout: &'a ReadoutLayout,
    kernel: impl Fn(usize, &AmplifierTile, usize, &mut [f32], &mut [f32]) + Send + Sync + 'a,
) -> Rows<'a> {
    Rows::each((layout.rows, layout.columns), move |raw_y, row, scratch| {
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
    let variance = as_slice_mut(frame.variance.get_or_insert_with(|| memory::zeros(shape)));
    let flags = as_slice_mut(frame.flags.get_or_insert_with(|| memory::zeros(shape)));
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
    let variance = as_slice_mut(frame.variance.get_or_insert_with(|| memory::zeros(shape)));
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
    let flags = as_slice_mut(frame.flags.get_or_insert_with(|| memory::zeros(shape)));
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
