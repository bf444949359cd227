//! Whole frames: columns to their register, then rows to their output, trails into the scans.

use super::column::{Row, WIDTH};
use super::direction::{LineKey, Path, Transfer, Work};
use ndarray::{Array2, ArrayView1, ArrayViewMut2, Axis, s};
use rayon::prelude::*;
use sim_core::detector::{AmplifierTile, ReadoutLayout};
use sim_core::frame::{ScanCharge, Window};
use sim_core::ledger::Ledger;

/// Columns fetched at once: a few cache lines of every row.
const COLUMNS: usize = 8 * WIDTH;

/// Both directions of a detector.
pub struct Directions<'a> {
    /// Along columns.
    pub parallel: &'a dyn Transfer,
    /// Along rows.
    pub serial: &'a dyn Transfer,
}

/// The part of the frame that goes to one serial register.
struct Half {
    rows: std::ops::Range<usize>,
    flip: bool,
    path: Path,
}

fn halves(layout: &ReadoutLayout) -> Vec<Half> {
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

/// Moves a group of lines: reads `value(line, packet)`, transfers, hands every packet to `write(line, packet, before, after)`.
fn lines(
    path: &Path,
    keys: &[LineKey; WIDTH],
    transfer: &dyn Transfer,
    packets: &mut Vec<Row>,
    work: &mut Work,
    view: &mut ArrayViewMut2<'_, f32>,
    trailing: &mut ArrayViewMut2<'_, f32>,
) -> Ledger {
    // Both views are [packet, line], in reading order.
    let count = view.ncols();
    packets.clear();
    packets.resize(path.packets + path.trailing, [0.0; WIDTH]);
    for (packet, row) in packets.iter_mut().zip(view.rows()) {
        for (to, from) in packet.iter_mut().zip(row) {
            *to = f64::from(*from);
        }
    }
    transfer.transfer(path, keys, packets, work);
    let (mut net, mut size) = ([0.0; WIDTH], [0.0; WIDTH]);
    for (packet, mut row) in packets.iter().zip(view.rows_mut().into_iter().chain(trailing.rows_mut())) {
        for (l, pixel) in row.iter_mut().enumerate() {
            let after = packet[l] as f32;
            let change = f64::from(after) - f64::from(*pixel);
            net[l] += change;
            size[l] += change.abs();
            *pixel = after;
        }
    }
    let (net, size) = (net[..count].iter().sum::<f64>(), size[..count].iter().sum::<f64>());
    Ledger { added: 0.5 * (size + net), lost: 0.5 * (size - net) }
}

fn sum(ledgers: Vec<Ledger>) -> Ledger {
    ledgers.into_iter().fold(Ledger::default(), Ledger::plus)
}

/// Columns to their register. Returns the account and the rows clocked out after the last of each half, in reading order.
fn parallel(pixels: &mut Array2<f32>, layout: &ReadoutLayout, window: Window, transfer: &dyn Transfer) -> (Ledger, Vec<Array2<f32>>) {
    let halves = halves(layout);
    let mut trails: Vec<Array2<f32>> = halves.iter().map(|h| Array2::zeros((h.path.trailing, pixels.ncols()))).collect();
    if transfer.is_idle() {
        return (Ledger::default(), trails);
    }
    let mut tasks = Vec::new();
    let mut rest = pixels.view_mut();
    for (half, trail) in halves.iter().zip(&mut trails) {
        let (mut part, after) = rest.split_at(Axis(0), half.rows.len());
        rest = after;
        if half.flip {
            part.invert_axis(Axis(0));
        }
        let register = u64::from(half.flip) << 32;
        let mut x = window.x0;
        let mut trail = trail.view_mut();
        while part.ncols() > 0 {
            let width = part.ncols().min(COLUMNS);
            let (columns, others) = part.split_at(Axis(1), width);
            let (trailing, other_trails) = trail.split_at(Axis(1), width);
            tasks.push((columns, trailing, half.path, register + x as u64));
            (part, trail) = (others, other_trails);
            x += width;
        }
    }
    let ledgers = tasks
        .into_par_iter()
        .map_init(
            || (Vec::new(), Work::default()),
            |(packets, work), (mut columns, mut trailing, path, key)| {
                // A copy in the cache: the rows of the frame lie far apart.
                let mut near = columns.to_owned();
                let mut account = Ledger::default();
                let groups = near.axis_chunks_iter_mut(Axis(1), WIDTH).zip(trailing.axis_chunks_iter_mut(Axis(1), WIDTH));
                for (group, (mut view, mut trailing)) in groups.enumerate() {
                    let keys = std::array::from_fn(|l| {
                        let key = key + (group * WIDTH + l) as u64;
                        LineKey { device: key, line: key }
                    });
                    account = account.plus(lines(&path, &keys, transfer, packets, work, &mut view, &mut trailing));
                }
                columns.assign(&near);
                account
            },
        )
        .collect();
    (sum(ledgers), trails)
}

/// Rows that follow one another in a lane; the row before the first of them is run too, for what it leaves in the register.
const RUN: usize = 16;

/// Serial transfer of a band of rows of one tile, `RUN` rows in a lane. `before` is the row before the band, as it was.
/// Returns the account and the overscan, one row per row, in reading order.
fn tile_rows(
    tile: &AmplifierTile,
    first_row: usize,
    before: Option<ArrayView1<'_, f32>>,
    mut rows: ArrayViewMut2<'_, f32>,
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
    lines(&path, &keys, transfer, packets, work, &mut last.view_mut().reversed_axes(), &mut nowhere.view_mut().reversed_axes());
    let mut account = Ledger::default();
    for k in 0..RUN.min(rows.nrows()) {
        let step = s![k..;RUN as isize, ..];
        let keys = std::array::from_fn(|l| LineKey { device, line: (device << 32) | (first_row + l * RUN + k) as u64 });
        let (mut science, mut scan) = (rows.slice_mut(step), overscan.slice_mut(step));
        account = account.plus(lines(
            &path,
            &keys,
            transfer,
            packets,
            work,
            &mut science.view_mut().reversed_axes(),
            &mut scan.view_mut().reversed_axes(),
        ));
    }
    (account, overscan)
}

/// Rows of one half to the outputs of their tiles; `rows` in reading order from `path.first`.
/// Returns the account and the overscan of every tile, in reading order.
fn serial(rows: ArrayViewMut2<'_, f32>, tiles: &[&AmplifierTile], first_row: usize, transfer: &dyn Transfer) -> (Ledger, Vec<Array2<f32>>) {
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
        bands.push((row, before.replace(last), band));
        rest = others;
        row += count;
    }
    let done: Vec<(usize, Ledger, Vec<Array2<f32>>)> = bands
        .into_par_iter()
        .map_init(
            || (Vec::new(), Work::default()),
            |room, (row, before, mut band)| {
                let mut account = Ledger::default();
                let mut out = Vec::with_capacity(tiles.len());
                for tile in tiles {
                    let columns = tile.science.x0..tile.science.x0 + tile.science.nx;
                    let before = before.as_ref().map(|row| row.slice(s![columns.clone()]));
                    let part = band.slice_mut(s![.., columns]);
                    let (ledger, overscan) = tile_rows(tile, first_row + row, before, part, transfer, room);
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

/// Puts an array in reading order into the orientation of the raw frame.
fn oriented(mut array: ArrayViewMut2<'_, f32>, tile: &AmplifierTile) -> Array2<f32> {
    if tile.flip_x {
        array.invert_axis(Axis(1));
    }
    if tile.flip_y {
        array.invert_axis(Axis(0));
    }
    array.to_owned()
}

/// Forward: columns, then rows. The ledger books every pixel's change of either step and the charge in the scans.
pub fn forward(pixels: &mut Array2<f32>, layout: &ReadoutLayout, window: Window, directions: &Directions<'_>) -> (Ledger, Vec<ScanCharge>) {
    let (mut account, mut trails) = parallel(pixels, layout, window, directions.parallel);
    let mut scans: Vec<Option<ScanCharge>> = layout.tiles.iter().map(|_| None).collect();
    for (half, trail) in halves(layout).iter().zip(&mut trails) {
        let (numbers, tiles): (Vec<usize>, Vec<&AmplifierTile>) =
            layout.tiles.iter().enumerate().filter(|(_, t)| t.science.y0 == half.rows.start).unzip();
        let mut rows = pixels.slice_mut(s![half.rows.clone(), ..]);
        if half.flip {
            rows.invert_axis(Axis(0));
        }
        let (ledger, mut overscans) = serial(rows, &tiles, half.path.first, directions.serial);
        account = account.plus(ledger);
        let after = tiles.first().map_or(0, |t| t.parallel_overscan);
        let (ledger, corners) = serial(trail.view_mut(), &tiles, after, directions.serial);
        account = account.plus(ledger);
        for (k, tile) in tiles.iter().enumerate() {
            let (pre, nx, rows) = (tile.raw_prescan.nx, tile.science.nx, tile.raw_overscan_rows.ny);
            let mut last = Array2::zeros((rows, tile.raw.nx));
            let mut columns = trail.slice_mut(s![.., tile.science.x0..tile.science.x0 + nx]);
            if tile.flip_x {
                columns.invert_axis(Axis(1));
            }
            last.slice_mut(s![.., pre..pre + nx]).assign(&columns);
            last.slice_mut(s![.., pre + nx..]).assign(&corners[k]);
            scans[numbers[k]] = Some(ScanCharge {
                prescan: Array2::zeros((tile.raw_prescan.ny, pre)),
                overscan: oriented(overscans[k].view_mut(), tile),
                overscan_rows: oriented(last.view_mut(), tile),
            });
        }
    }
    (account, scans.into_iter().flatten().collect())
}

/// Backward: rows, then columns, of the science pixels alone. The directions are those that undo.
pub fn backward(pixels: &mut Array2<f32>, layout: &ReadoutLayout, window: Window, directions: &Directions<'_>) {
    for half in halves(layout) {
        let tiles: Vec<&AmplifierTile> = layout.tiles.iter().filter(|t| t.science.y0 == half.rows.start).collect();
        let mut rows = pixels.slice_mut(s![half.rows.clone(), ..]);
        if half.flip {
            rows.invert_axis(Axis(0));
        }
        serial(rows, &tiles, half.path.first, directions.serial);
    }
    parallel(pixels, layout, window, directions.parallel);
}
