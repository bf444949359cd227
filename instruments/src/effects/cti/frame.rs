//! Whole frames: columns to their register, then rows to their output, trails into the scans.

use super::columns::{halves, parallel};
use super::direction::Transfer;
use super::register::serial;
use ndarray::{Array2, ArrayViewMut2, Axis, s};
use sim_core::detector::{AmplifierTile, ReadoutLayout};
use sim_core::frame::{ScanCharge, Window};
use sim_core::ledger::Ledger;

/// Both directions of a detector.
pub struct Directions<'a> {
    /// Along columns.
    pub parallel: &'a dyn Transfer,
    /// Along rows.
    pub serial: &'a dyn Transfer,
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
    let (mut account, mut trails) = parallel(pixels, None, layout, window, directions.parallel);
    let mut scans: Vec<Option<ScanCharge>> = layout.tiles.iter().map(|_| None).collect();
    for (half, trail) in halves(layout).iter().zip(&mut trails) {
        let (numbers, tiles): (Vec<usize>, Vec<&AmplifierTile>) =
            layout.tiles.iter().enumerate().filter(|(_, t)| t.science.y0 == half.rows.start).unzip();
        let mut rows = pixels.slice_mut(s![half.rows.clone(), ..]);
        if half.flip {
            rows.invert_axis(Axis(0));
        }
        let (ledger, mut overscans) = serial(rows, None, &tiles, half.path.first, directions.serial);
        account = account.plus(ledger);
        let after = tiles.first().map_or(0, |t| t.parallel_overscan);
        let (ledger, corners) = serial(trail.view_mut(), None, &tiles, after, directions.serial);
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

/// Backward: rows, then columns, of the science pixels alone. The directions are those that undo. The variance of the noise of
/// the pixels is passed on, each pixel's own part of it.
pub fn backward(
    pixels: &mut Array2<f32>,
    mut variance: Option<&mut Array2<f32>>,
    layout: &ReadoutLayout,
    window: Window,
    directions: &Directions<'_>,
) {
    for half in halves(layout) {
        let tiles: Vec<&AmplifierTile> = layout.tiles.iter().filter(|t| t.science.y0 == half.rows.start).collect();
        let mut rows = pixels.slice_mut(s![half.rows.clone(), ..]);
        let mut noise = variance.as_mut().map(|v| v.slice_mut(s![half.rows.clone(), ..]));
        if half.flip {
            rows.invert_axis(Axis(0));
            noise.iter_mut().for_each(|v| v.invert_axis(Axis(0)));
        }
        serial(rows, noise, &tiles, half.path.first, directions.serial);
    }
    parallel(pixels, variance, layout, window, directions.parallel);
}
