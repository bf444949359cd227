//! Geometry of a detector and the layout of its raw frame: amplifiers, prescan, overscan, cut-outs.

use crate::frame::Window;
use serde::{Deserialize, Serialize};

/// Amplifier sections: `columns x rows` of equal size, each read through its own output at a corner of the
/// section towards the left or right edge, and the bottom or top register.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AmplifierGrid {
    /// Sections along x (8 for the survey camera).
    pub columns: usize,
    /// Sections along y: 1 (one register, bottom) or 2 (bottom and top registers).
    pub rows: usize,
    /// Serial prescan pixels per section.
    pub prescan_x: usize,
    /// Serial overscan pixels per section.
    pub overscan_x: usize,
    /// Parallel overscan rows per section.
    pub overscan_y: usize,
}

/// Geometry of one detector. Public knowledge: simulation and reduction both use it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct DetectorGeometry {
    /// Chip number, 1-30 for the survey camera. Part of every random key.
    pub number: u16,
    /// Name of the band or grating in front of it.
    pub filter: String,
    /// Science columns.
    pub nx: usize,
    /// Science rows.
    pub ny: usize,
    /// FITS reference pixel (boresight) along x.
    pub crpix1: f64,
    /// FITS reference pixel along y.
    pub crpix2: f64,
    /// Pixel scale \[arcsec / pixel\].
    pub pixel_scale_arcsec: f64,
    /// Amplifiers.
    pub amplifiers: AmplifierGrid,
}

impl DetectorGeometry {
    /// The window of the whole detector.
    #[must_use]
    pub fn full_window(&self) -> Window {
        Window { x0: 0, y0: 0, nx: self.nx, ny: self.ny }
    }
    /// Focal-plane position of a pixel (0-based): mosaic axes, degrees from the boresight, without distortion.
    #[must_use]
    pub fn focal_point(&self, x: f64, y: f64) -> crate::units::FocalPoint {
        crate::units::FocalPoint {
            x_deg: (x + 1.0 - self.crpix1) * self.pixel_scale_arcsec / 3600.0,
            y_deg: (y + 1.0 - self.crpix2) * self.pixel_scale_arcsec / 3600.0,
        }
    }
}

/// Which raw layout is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Scans {
    /// With prescan and overscan (10000 x 9400 for a full survey-camera chip).
    Full,
    /// Science pixels alone (9216 x 9232).
    Trimmed,
}

/// A rectangle of an array, 0-based.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Rect {
    /// First column.
    pub x0: usize,
    /// First row.
    pub y0: usize,
    /// Columns.
    pub nx: usize,
    /// Rows.
    pub ny: usize,
}

/// One amplifier's part of a raw frame.
///
/// `serial` is the order in which the output sees the columns of a row (0 = first prescan pixel), `parallel` the
/// order in which rows reach the register. Both count in the **full** detector, so that a cut-out keys its draws
/// like the full frame.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AmplifierTile {
    /// Amplifier number from 0, in the official order (bottom row left to right, then top row right to left).
    pub amplifier: usize,
    /// The science pixels, in coordinates of the window.
    pub science: Rect,
    /// The science pixels, in the raw frame.
    pub raw_science: Rect,
    /// The whole tile in the raw frame, scans included.
    pub raw: Rect,
    /// Serial prescan next to the science rows (empty when trimmed).
    pub raw_prescan: Rect,
    /// Serial overscan next to the science rows (empty when trimmed).
    pub raw_overscan: Rect,
    /// Parallel overscan rows, all columns of the tile (empty when trimmed).
    pub raw_overscan_rows: Rect,
    /// Columns are read from the right edge.
    pub flip_x: bool,
    /// Rows are read from the top edge.
    pub flip_y: bool,
    /// `serial` of the first raw column in reading order, for each of the three parts: prescan starts at 0;
    /// this is the first science pixel of the window.
    pub serial_science: usize,
    /// `serial` of the first column of the section: the prescan pixels of the register, also where the frame is trimmed.
    pub serial_start: usize,
    /// `serial` of the first overscan pixel (prescan + science columns of the full section).
    pub serial_overscan: usize,
    /// Serial pixels of a full row of this output (prescan + section + overscan).
    pub serial_len: usize,
    /// `parallel` of the first science row of the window in reading order.
    pub parallel_science: usize,
    /// `parallel` of the first overscan row (rows of the full section).
    pub parallel_overscan: usize,
}

impl AmplifierTile {
    /// `parallel` of a raw row of the frame (must lie in `raw`).
    #[must_use]
    pub fn parallel(&self, raw_y: usize) -> usize {
        let in_order = if self.flip_y { self.raw.y0 + self.raw.ny - 1 - raw_y } else { raw_y - self.raw.y0 };
        if in_order < self.science.ny { self.parallel_science + in_order } else { self.parallel_overscan + in_order - self.science.ny }
    }
    /// `serial` of a raw column of the frame (must lie in `raw`).
    #[must_use]
    pub fn serial(&self, raw_x: usize) -> usize {
        let in_order = if self.flip_x { self.raw.x0 + self.raw.nx - 1 - raw_x } else { raw_x - self.raw.x0 };
        let prescan = self.raw_prescan.nx;
        if in_order < prescan {
            in_order
        } else if in_order < prescan + self.science.nx {
            self.serial_science + in_order - prescan
        } else {
            self.serial_overscan + in_order - prescan - self.science.nx
        }
    }
    /// Key of a row for random streams: amplifier and parallel number.
    #[must_use]
    pub fn row_key(&self, raw_y: usize) -> u64 {
        ((self.amplifier as u64) << 32) | self.parallel(raw_y) as u64
    }
}

/// The raw frame of a window.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReadoutLayout {
    /// With scans or trimmed.
    pub scans: Scans,
    /// Raw rows.
    pub rows: usize,
    /// Raw columns.
    pub columns: usize,
    /// Amplifiers in the frame.
    pub tiles: Vec<AmplifierTile>,
    /// Amplifiers of the full detector.
    pub amplifier_count: usize,
}

impl ReadoutLayout {
    /// The raw layout of `window` on a detector.
    ///
    /// Tiles keep their place: columns left to right, the bottom register's rows below the top's. In a full frame
    /// with scans, prescans lie at the outer side of each section, overscans at the inner, and the parallel
    /// overscans of both registers meet at mid-height.
    ///
    /// # Panics
    /// When the window does not lie on the detector or the sections do not divide it (both are checked when the
    /// configuration is read).
    #[must_use]
    pub fn new(geometry: &DetectorGeometry, window: Window, scans: Scans) -> Self {
        let grid = &geometry.amplifiers;
        assert!(
            window.nx > 0 && window.ny > 0 && window.x0 + window.nx <= geometry.nx && window.y0 + window.ny <= geometry.ny,
            "window {window:?} is not on the {} x {} detector",
            geometry.nx,
            geometry.ny
        );
        assert!(geometry.nx.is_multiple_of(grid.columns) && geometry.ny.is_multiple_of(grid.rows), "sections do not divide the detector");
        let (section_nx, section_ny) = (geometry.nx / grid.columns, geometry.ny / grid.rows);
        let (prescan, overscan_x, overscan_y) = match scans {
            Scans::Full => (grid.prescan_x, grid.overscan_x, grid.overscan_y),
            Scans::Trimmed => (0, 0, 0),
        };
        let mut tiles = Vec::new();
        let (mut raw_y, mut columns) = (0, 0);
        for row in 0..grid.rows {
            let y_low = (row * section_ny).max(window.y0);
            let y_high = ((row + 1) * section_ny).min(window.y0 + window.ny);
            if y_low >= y_high {
                continue;
            }
            let top = row == 1;
            let tile_ny = y_high - y_low + overscan_y;
            let mut raw_x = 0;
            for column in 0..grid.columns {
                let x_low = (column * section_nx).max(window.x0);
                let x_high = ((column + 1) * section_nx).min(window.x0 + window.nx);
                if x_low >= x_high {
                    continue;
                }
                let flip_x = grid.columns > 1 && column >= grid.columns / 2;
                let nx = x_high - x_low;
                let ny = y_high - y_low;
                let raw = Rect { x0: raw_x, y0: raw_y, nx: prescan + nx + overscan_x, ny: tile_ny };
                let science_x0 = raw.x0 + if flip_x { overscan_x } else { prescan };
                let science_y0 = raw.y0 + if top { overscan_y } else { 0 };
                tiles.push(AmplifierTile {
                    amplifier: if top { 2 * grid.columns - 1 - column } else { column },
                    science: Rect { x0: x_low - window.x0, y0: y_low - window.y0, nx, ny },
                    raw_science: Rect { x0: science_x0, y0: science_y0, nx, ny },
                    raw,
                    raw_prescan: Rect { x0: if flip_x { raw.x0 + overscan_x + nx } else { raw.x0 }, y0: science_y0, nx: prescan, ny },
                    raw_overscan: Rect { x0: if flip_x { raw.x0 } else { raw.x0 + prescan + nx }, y0: science_y0, nx: overscan_x, ny },
                    raw_overscan_rows: Rect { x0: raw.x0, y0: if top { raw.y0 } else { raw.y0 + ny }, nx: raw.nx, ny: overscan_y },
                    flip_x,
                    flip_y: top,
                    serial_science: grid.prescan_x + if flip_x { (column + 1) * section_nx - x_high } else { x_low - column * section_nx },
                    serial_start: grid.prescan_x,
                    serial_overscan: grid.prescan_x + section_nx,
                    serial_len: grid.prescan_x + section_nx + grid.overscan_x,
                    parallel_science: if top { geometry.ny - y_high } else { y_low },
                    parallel_overscan: section_ny,
                });
                raw_x += raw.nx;
            }
            columns = raw_x;
            raw_y += tile_ny;
        }
        Self { scans, rows: raw_y, columns, tiles, amplifier_count: grid.columns * grid.rows }
    }
    /// The tile that holds a raw pixel.
    #[must_use]
    pub fn tile_at(&self, raw_x: usize, raw_y: usize) -> Option<&AmplifierTile> {
        self.tiles.iter().find(|t| raw_x >= t.raw.x0 && raw_x < t.raw.x0 + t.raw.nx && raw_y >= t.raw.y0 && raw_y < t.raw.y0 + t.raw.ny)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chip() -> DetectorGeometry {
        DetectorGeometry {
            number: 8,
            filter: "g".into(),
            nx: 9216,
            ny: 9232,
            crpix1: 0.0,
            crpix2: 0.0,
            pixel_scale_arcsec: 0.074,
            amplifiers: AmplifierGrid { columns: 8, rows: 2, prescan_x: 27, overscan_x: 71, overscan_y: 84 },
        }
    }

    #[test]
    fn a_full_chip_with_scans_is_10000_by_9400() {
        let geometry = chip();
        let layout = ReadoutLayout::new(&geometry, geometry.full_window(), Scans::Full);
        assert_eq!((layout.columns, layout.rows, layout.tiles.len()), (10000, 9400, 16));
        let pixels: usize = layout.tiles.iter().map(|t| t.raw.nx * t.raw.ny).sum();
        assert_eq!(pixels, 94_000_000, "tiles cover the raw frame once");
    }

    #[test]
    fn amplifiers_follow_the_official_unfolding() {
        let geometry = chip();
        let layout = ReadoutLayout::new(&geometry, geometry.full_window(), Scans::Full);
        let at = |x, y| layout.tile_at(x, y).map(|t| (t.amplifier, t.flip_x, t.flip_y)).unwrap();
        assert_eq!(at(0, 0), (0, false, false));
        assert_eq!(at(9999, 0), (7, true, false));
        assert_eq!(at(9999, 9399), (8, true, true));
        assert_eq!(at(0, 9399), (15, false, true));
        let middle = &layout.tiles[3];
        assert_eq!(middle.raw_overscan.x0 + middle.raw_overscan.nx, layout.tiles[4].raw_overscan.x0, "two overscans meet in the middle");
    }

    #[test]
    fn a_cut_out_keys_its_pixels_like_the_full_frame() {
        let geometry = chip();
        let full = ReadoutLayout::new(&geometry, geometry.full_window(), Scans::Full);
        let window = Window { x0: 4000, y0: 4300, nx: 2048, ny: 1024 };
        let cut = ReadoutLayout::new(&geometry, window, Scans::Full);
        for tile in &cut.tiles {
            let same = full.tiles.iter().find(|t| t.amplifier == tile.amplifier).unwrap();
            for (dx, dy) in [(0, 0), (tile.science.nx - 1, tile.science.ny - 1)] {
                let x = window.x0 + tile.science.x0 + dx;
                let y = window.y0 + tile.science.y0 + dy;
                let full_x = same.raw_science.x0 + x - same.science.x0;
                let full_y = same.raw_science.y0 + y - same.science.y0;
                assert_eq!(tile.serial(tile.raw_science.x0 + dx), same.serial(full_x));
                assert_eq!(tile.row_key(tile.raw_science.y0 + dy), same.row_key(full_y));
            }
        }
    }
}
