//! Rows of a frame to their outputs, with the memory of the register.

use super::column::{Row, WIDTH};
use super::direction::{LineKey, Path, Transfer, Work};
use super::lines::Lines;
use ndarray::{Array2, ArrayView1, ArrayViewMut2, Axis, s};
use rayon::prelude::*;
use sim_core::detector::AmplifierTile;
use sim_core::ledger::Ledger;

/// Rows that follow one another in a lane; the row before the first of them is run too, for what it leaves in the register.
const RUN: usize = 16;

/// Serial transfer of a band of rows of one tile, `RUN` rows in a lane. `before` is the row before the band, as it was.
/// Returns the account and the overscan, one row per row, in reading order.
fn tile_rows(
    tile: &AmplifierTile,
    first_row: usize,
    before: Option<ArrayView1<'_, f32>>,
    mut rows: ArrayViewMut2<'_, f32>,
    mut variance: Option<ArrayViewMut2<'_, f32>>,
    transfer: &dyn Transfer,
    room: &mut (Vec<Row>, Work),
) -> (Ledger, Array2<f32>) {
    let (packets, work) = room;
    let (first, prescan) = (tile.serial_science, tile.serial_start);
    let path = Path { first, prescan, packets: tile.science.nx, trailing: tile.serial_len - tile.serial_overscan };
    let device = tile.amplifier as u64;
    let mut overscan = Array2::zeros((rows.nrows(), tile.raw_overscan.nx));
    if tile.flip_x {
        rows.invert_axis(Axis(1));
        variance.iter_mut().for_each(|v| v.invert_axis(Axis(1)));
    }
    // The last row of every lane before, as it is before any transfer.
    let mut last = Array2::zeros((rows.nrows().div_ceil(RUN), rows.ncols()));
    for (lane, mut last) in last.rows_mut().into_iter().enumerate() {
        match (lane, before) {
            (0, Some(row)) => last.iter_mut().enumerate().for_each(|(k, to)| *to = row[if tile.flip_x { row.len() - 1 - k } else { k }]),
            (0, None) => {}
            _ => last.assign(&rows.row(lane * RUN - 1)),
        }
    }
    work.remember(tile.serial_len);
    let keys = std::array::from_fn(|l| LineKey { device, line: (device << 32) | ((u64::MAX >> 32) - l as u64) });
    let mut nowhere = Array2::zeros((last.nrows(), path.trailing));
    let (mut pixels, mut trailing) = (last.view_mut().reversed_axes(), nowhere.view_mut().reversed_axes());
    Lines { pixels: &mut pixels, trailing: &mut trailing, variance: None, path: &path, keys }.transfer(transfer, packets, work);
    let mut account = Ledger::default();
    for k in 0..RUN.min(rows.nrows()) {
        let step = s![k..;RUN as isize, ..];
        let keys = std::array::from_fn(|l| LineKey { device, line: (device << 32) | (first_row + l * RUN + k) as u64 });
        let (mut science, mut scan) = (rows.slice_mut(step), overscan.slice_mut(step));
        let (mut pixels, mut trailing) = (science.view_mut().reversed_axes(), scan.view_mut().reversed_axes());
        let variance = variance.as_mut().map(|v| v.slice_mut(step).reversed_axes());
        let lines = Lines { pixels: &mut pixels, trailing: &mut trailing, variance, path: &path, keys };
        account = account.plus(lines.transfer(transfer, packets, work));
    }
    (account, overscan)
}

/// Rows of one half to the outputs of their tiles; `rows` in reading order from `path.first`.
/// Returns the account and the overscan of every tile, in reading order.
pub(super) fn serial(
    rows: ArrayViewMut2<'_, f32>,
    mut variance: Option<ArrayViewMut2<'_, f32>>,
    tiles: &[&AmplifierTile],
    first_row: usize,
    transfer: &dyn Transfer,
) -> (Ledger, Vec<Array2<f32>>) {
    let mut overscans: Vec<Array2<f32>> = tiles.iter().map(|t| Array2::zeros((rows.nrows(), t.raw_overscan.nx))).collect();
    if transfer.is_idle() {
        return (Ledger::default(), overscans);
    }
    let mut bands = Vec::new();
    let (mut rest, mut row, mut before) = (rows, 0, None);
    while rest.nrows() > 0 {
        let count = rest.nrows().min(RUN * WIDTH);
        let (band, others) = rest.split_at(Axis(0), count);
        let last = band.row(count - 1).to_owned();
        let mut noise = None;
        if let Some(view) = variance.take() {
            let (band, others) = view.split_at(Axis(0), count);
            (noise, variance) = (Some(band), Some(others));
        }
        bands.push((row, before.replace(last), band, noise));
        rest = others;
        row += count;
    }
    let done: Vec<(usize, Ledger, Vec<Array2<f32>>)> = bands
        .into_par_iter()
        .map_init(
            || (Vec::new(), Work::default()),
            |room, (row, before, mut band, mut noise)| {
                let mut account = Ledger::default();
                let mut out = Vec::with_capacity(tiles.len());
                for tile in tiles {
                    let columns = tile.science.x0..tile.science.x0 + tile.science.nx;
                    let before = before.as_ref().map(|row| row.slice(s![columns.clone()]));
                    let noise = noise.as_mut().map(|v| v.slice_mut(s![.., columns.clone()]));
                    let part = band.slice_mut(s![.., columns]);
                    let (ledger, overscan) = tile_rows(tile, first_row + row, before, part, noise, transfer, room);
                    account = account.plus(ledger);
                    out.push(overscan);
                }
                (row, account, out)
            },
        )
        .collect();
    let mut account = Ledger::default();
    for (row, ledger, parts) in done {
        account = account.plus(ledger);
        for (all, part) in overscans.iter_mut().zip(parts) {
            all.slice_mut(s![row..row + part.nrows(), ..]).assign(&part);
        }
    }
    (account, overscans)
}
