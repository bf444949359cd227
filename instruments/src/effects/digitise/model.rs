//! The kernels: where science pixels lie in the raw frame.

use crate::effects::rows::{as_slice_mut, tiles_of_row};
use ndarray::Array2;
use rayon::prelude::*;
use sim_core::detector::ReadoutLayout;
use sim_core::frame::{ScanCharge, Window};
use sim_core::memory;

/// Rows of the raw frame that are laid out before the science rows they were made of are given back.
const BAND: usize = 256;

/// Lays the science pixels into a new raw frame, each divided by the gain of its amplifier. The scans hold the charge that
/// transfer carried there, one entry of `scans` per tile, or 0. The memory of the science pixels goes over to the raw frame band by band.
#[must_use]
pub fn lay_out(mut science: Array2<f32>, scans: Option<&[ScanCharge]>, layout: &ReadoutLayout, gain: &[f64]) -> Array2<f32> {
    let mut raw = memory::zeros((layout.rows, layout.columns));
    let (width, columns) = (science.ncols(), layout.columns.max(1));
    for (band, rows) in as_slice_mut(&mut raw).chunks_mut(BAND * columns).enumerate() {
        let from = &science;
        rows.par_chunks_mut(columns).enumerate().for_each(|(k, row)| {
            let raw_y = band * BAND + k;
            for (_, tile) in tiles_of_row(layout, raw_y) {
                let rect = tile.raw_science;
                if raw_y < rect.y0 || raw_y >= rect.y0 + rect.ny {
                    continue;
                }
                let from = from.row(tile.science.y0 + raw_y - rect.y0);
                let gain = gain[tile.amplifier] as f32;
                for (to, from) in row[rect.x0..rect.x0 + rect.nx].iter_mut().zip(from.iter().skip(tile.science.x0)) {
                    *to = from / gain;
                }
            }
        });
        let done = (band + 1) * BAND;
        let read = layout.tiles.iter().filter(|t| done < t.raw_science.y0 + t.raw_science.ny);
        let read = read.map(|t| t.science.y0 + done.saturating_sub(t.raw_science.y0)).min().unwrap_or(science.nrows());
        memory::release(&mut as_slice_mut(&mut science)[..read * width]);
    }
    for (tile, scans) in layout.tiles.iter().zip(scans.unwrap_or_default()) {
        let parts =
            [(tile.raw_prescan, &scans.prescan), (tile.raw_overscan, &scans.overscan), (tile.raw_overscan_rows, &scans.overscan_rows)];
        for (rect, charge) in parts {
            let gain = gain[tile.amplifier] as f32;
            let mut part = raw.slice_mut(ndarray::s![rect.y0..rect.y0 + rect.ny, rect.x0..rect.x0 + rect.nx]);
            part.zip_mut_with(charge, |to, from| *to = from / gain);
        }
    }
    raw
}

/// Changes the pixels of each amplifier of a science array with `kernel(amplifier, pixels)`.
pub fn for_amplifiers(science: &mut Array2<f32>, layout: &ReadoutLayout, kernel: impl Fn(usize, &mut [f32]) + Sync) {
    let width = science.ncols().max(1);
    as_slice_mut(science).par_chunks_mut(width).enumerate().for_each(|(y, row)| {
        for tile in layout.tiles.iter().filter(|t| y >= t.science.y0 && y < t.science.y0 + t.science.ny) {
            kernel(tile.amplifier, &mut row[tile.science.x0..tile.science.x0 + tile.science.nx]);
        }
    });
}

/// Cuts the scans off, moving the science pixels to the front of the same memory.
///
/// # Panics
/// When the array is not of the raw layout's shape (callers check).
#[must_use]
pub fn trim<T: Copy>(mut raw: Array2<T>, layout: &ReadoutLayout, window: Window) -> Array2<T> {
    assert_eq!(raw.dim(), (layout.rows, layout.columns), "not a raw frame of this layout");
    if raw.dim() == window.shape() {
        return raw;
    }
    let slice = as_slice_mut(&mut raw);
    for y in 0..window.ny {
        // Left to right, bottom to top, the target never passes the source: raw positions only grow by the scans.
        for tile in layout.tiles.iter().filter(|t| y >= t.science.y0 && y < t.science.y0 + t.science.ny) {
            let from = (tile.raw_science.y0 + y - tile.science.y0) * layout.columns + tile.raw_science.x0;
            slice.copy_within(from..from + tile.science.nx, y * window.nx + tile.science.x0);
        }
    }
    let (mut values, offset) = raw.into_raw_vec_and_offset();
    if let Some(offset) = offset.filter(|&o| o > 0) {
        values.drain(..offset);
    }
    values.truncate(window.nx * window.ny);
    values.shrink_to_fit();
    match Array2::from_shape_vec(window.shape(), values) {
        Ok(science) => science,
        Err(error) => unreachable!("a raw frame holds its science pixels: {error}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use sim_core::detector::{AmplifierGrid, DetectorGeometry, Scans};

    #[test]
    fn a_small_frame_is_laid_out_and_trimmed_as_drawn_by_hand() {
        let geometry = DetectorGeometry {
            number: 1,
            filter: "g".into(),
            nx: 4,
            ny: 2,
            crpix1: 0.0,
            crpix2: 0.0,
            pixel_scale_arcsec: 1.0,
            amplifiers: AmplifierGrid { columns: 2, rows: 2, prescan_x: 1, overscan_x: 1, overscan_y: 1 },
        };
        let window = geometry.full_window();
        let layout = ReadoutLayout::new(&geometry, window, Scans::Full);
        let science = ndarray::array![[2.0, 4.0, 6.0, 8.0], [10.0, 12.0, 14.0, 16.0]];
        // Amplifiers: 0, 1 bottom left to right; 2 top right, 3 top left.
        let raw = lay_out(science.clone(), None, &layout, &[2.0, 1.0, 4.0, 1.0]);
        let by_hand = ndarray::array![
            [0.0, 1.0, 2.0, 0.0, 0.0, 6.0, 8.0, 0.0],
            [0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0],
            [0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0],
            [0.0, 10.0, 12.0, 0.0, 0.0, 3.5, 4.0, 0.0],
        ];
        assert_eq!(raw, by_hand);
        let mut back = trim(raw, &layout, window);
        for_amplifiers(&mut back, &layout, |amplifier, pixels| {
            pixels.iter_mut().for_each(|pixel| *pixel *= [2.0, 1.0, 4.0, 1.0][amplifier]);
        });
        assert_eq!(back, science);
    }
}
