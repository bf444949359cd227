//! Columns of a frame to their register.

use super::column::WIDTH;
use super::direction::{LineKey, Path, Transfer, Work};
use super::lines::{self, Lines};
use ndarray::{Array2, Axis};
use rayon::prelude::*;
use sim_core::detector::ReadoutLayout;
use sim_core::frame::Window;
use sim_core::ledger::Ledger;

/// Columns fetched at once: a few cache lines of every row.
const COLUMNS: usize = 8 * WIDTH;

/// The part of the frame that goes to one serial register.
pub(super) struct Half {
    /// Rows of the window.
    pub rows: std::ops::Range<usize>,
    /// Read from the top edge.
    pub flip: bool,
    /// Its columns on the device.
    pub path: Path,
}

pub(super) fn halves(layout: &ReadoutLayout) -> Vec<Half> {
    let mut halves: Vec<Half> = Vec::new();
    for tile in &layout.tiles {
        let rows = tile.science.y0..tile.science.y0 + tile.science.ny;
        if halves.iter().all(|h| h.rows != rows) {
            let path = Path { first: tile.parallel_science, prescan: 0, packets: tile.science.ny, trailing: tile.raw_overscan_rows.ny };
            halves.push(Half { rows, flip: tile.flip_y, path });
        }
    }
    halves.sort_by_key(|h| h.rows.start);
    halves
}

/// Columns to their register. Returns the account and the rows clocked out after the last of each half, in reading order.
pub(super) fn parallel(
    pixels: &mut Array2<f32>,
    mut variance: Option<&mut Array2<f32>>,
    layout: &ReadoutLayout,
    window: Window,
    transfer: &dyn Transfer,
) -> (Ledger, Vec<Array2<f32>>) {
    let halves = halves(layout);
    let mut trails: Vec<Array2<f32>> = halves.iter().map(|h| Array2::zeros((h.path.trailing, pixels.ncols()))).collect();
    if transfer.is_idle() {
        return (Ledger::default(), trails);
    }
    let mut tasks = Vec::new();
    let mut rest = pixels.view_mut();
    let mut rest_variance = variance.as_mut().map(|v| v.view_mut());
    for (half, trail) in halves.iter().zip(&mut trails) {
        let (mut part, after) = rest.split_at(Axis(0), half.rows.len());
        rest = after;
        if half.flip {
            part.invert_axis(Axis(0));
        }
        let mut part_variance = None;
        if let Some(view) = rest_variance.take() {
            let (mut part, after) = view.split_at(Axis(0), half.rows.len());
            rest_variance = Some(after);
            if half.flip {
                part.invert_axis(Axis(0));
            }
            part_variance = Some(part);
        }
        let register = u64::from(half.flip) << 32;
        let mut x = window.x0;
        let mut trail = trail.view_mut();
        while part.ncols() > 0 {
            let width = part.ncols().min(COLUMNS);
            let (columns, others) = part.split_at(Axis(1), width);
            let (trailing, other_trails) = trail.split_at(Axis(1), width);
            let mut near = None;
            if let Some(view) = part_variance.take() {
                let (columns, others) = view.split_at(Axis(1), width);
                (near, part_variance) = (Some(columns), Some(others));
            }
            tasks.push((columns, near, trailing, half.path, register + x as u64));
            (part, trail) = (others, other_trails);
            x += width;
        }
    }
    let ledgers = tasks
        .into_par_iter()
        .map_init(
            || (Vec::new(), Work::default()),
            |(packets, work), (mut columns, mut variance, mut trailing, path, key)| {
                // A copy in the cache: the rows of the frame lie far apart.
                let mut near = columns.to_owned();
                let mut near_variance = variance.as_ref().map(|v| v.to_owned());
                let mut account = Ledger::default();
                let groups = near.axis_chunks_iter_mut(Axis(1), WIDTH).zip(trailing.axis_chunks_iter_mut(Axis(1), WIDTH));
                let mut variances = near_variance.as_mut().map(|v| v.axis_chunks_iter_mut(Axis(1), WIDTH));
                for (group, (mut view, mut trailing)) in groups.enumerate() {
                    let keys = std::array::from_fn(|l| {
                        let key = key + (group * WIDTH + l) as u64;
                        LineKey { device: key, line: key }
                    });
                    let variance = variances.as_mut().and_then(Iterator::next);
                    let lines = Lines { pixels: &mut view, trailing: &mut trailing, variance, path: &path, keys };
                    account = account.plus(lines.transfer(transfer, packets, work));
                }
                columns.assign(&near);
                if let (Some(to), Some(from)) = (&mut variance, &near_variance) {
                    to.assign(from);
                }
                account
            },
        )
        .collect();
    (lines::sum(ledgers), trails)
}
