//! Walking through a stack of raw frames in bands of rows, so that a stack of whole chips fits in memory.
//!
//! A frame is kept as its science pixels, still unsigned 16-bit, and one overscan level per amplifier and row. The level is
//! what [`SubtractOverscan`], the correction that reduces every frame, takes from the same row: bit for bit. A frame that was
//! cleaned before (`masters::clean`) is kept as float32 counts, overscan and bias subtracted.

use crate::amplifiers::{columns, tiles_of_row};
use crate::error::ReductionError;
use instruments::effects::bias::SubtractOverscan;
use instruments::product::level0::Level0;
use ndarray::{Array2, s};
use sim_core::correction::{Correction, CorrectionError};
use sim_core::detector::{AmplifierTile, ReadoutLayout, Rect};
use sim_core::frame::{Frame, Window};
use sim_core::knowledge::OverscanKnowledge;
use sim_core::plane::Counts;
use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::Arc;

/// Science pixels of a band of rows.
#[derive(Debug, Clone)]
pub enum Science {
    /// As read \[ADU\].
    Raw(Array2<u16>),
    /// Overscan and bias subtracted, known effects undone \[ADU\].
    Clean(Array2<f32>),
}

impl Science {
    /// Rows and columns.
    #[must_use]
    pub fn dim(&self) -> (usize, usize) {
        match self {
            Self::Raw(pixels) => pixels.dim(),
            Self::Clean(pixels) => pixels.dim(),
        }
    }
}

/// The science pixels of a raw frame, or of a band of its rows, with the overscan levels of all rows.
#[derive(Debug, Clone)]
pub struct RawFrame {
    /// Science pixels.
    pub science: Science,
    /// Row of the window of the first row of `science`.
    pub first_row: usize,
    /// Overscan level \[ADU\] by tile and row of the tile.
    pub levels: Arc<Vec<Vec<f32>>>,
}

impl RawFrame {
    /// Takes the science pixels of some rows and the overscan levels of a raw frame, by what is known of the overscan when something is.
    ///
    /// # Errors
    /// When the overscan correction refuses the frame.
    pub fn new(level0: &Level0, rows: &Range<usize>, known: Option<&Arc<OverscanKnowledge>>) -> Result<Self, ReductionError> {
        let info = &level0.info;
        let levels = overscan_levels(&info.layout, &level0.pixels, info.window, known);
        let levels = levels.map_err(|source| ReductionError::Correction { path: info.path.clone(), source })?;
        let mut science = Array2::zeros((rows.len(), info.window.nx));
        for tile in &info.layout.tiles {
            let (to, from) = (tile.science, tile.raw_science);
            let (first, last) = (rows.start.max(to.y0), rows.end.min(to.y0 + to.ny));
            if first < last {
                let raw_rows = from.y0 + first - to.y0..from.y0 + last - to.y0;
                let part = level0.pixels.slice(s![raw_rows, from.x0..from.x0 + from.nx]);
                science.slice_mut(s![first - rows.start..last - rows.start, to.x0..to.x0 + to.nx]).assign(&part);
            }
        }
        Ok(Self { science: Science::Raw(science), first_row: rows.start, levels: Arc::new(levels) })
    }
    /// Rows of a cleaned frame.
    #[must_use]
    pub fn clean(science: Array2<f32>, rows: &Range<usize>) -> Self {
        Self { science: Science::Clean(science), first_row: rows.start, levels: Arc::new(Vec::new()) }
    }
    /// Whether the bias is subtracted already.
    #[must_use]
    pub fn is_clean(&self) -> bool {
        matches!(self.science, Science::Clean(_))
    }
    /// Counts of a row of the window after overscan subtraction \[ADU\].
    pub fn row(&self, layout: &ReadoutLayout, y: usize, out: &mut [f32]) {
        let raw = match &self.science {
            Science::Clean(pixels) => {
                out.iter_mut().zip(pixels.row(y - self.first_row)).for_each(|(out, v)| *out = *v);
                return;
            }
            Science::Raw(pixels) => pixels.row(y - self.first_row),
        };
        for (index, tile) in tiles_of_row(layout, y) {
            let level = self.levels[index][y - tile.science.y0];
            for (out, &raw) in out[columns(tile)].iter_mut().zip(raw.slice(s![columns(tile)])) {
                *out = f32::from(raw) - level;
            }
        }
    }
}

/// Levels by tile and row: the overscan correction applied to a frame that has one empty science column per amplifier.
fn overscan_levels(
    layout: &ReadoutLayout,
    pixels: &Array2<u16>,
    window: Window,
    known: Option<&Arc<OverscanKnowledge>>,
) -> Result<Vec<Vec<f32>>, CorrectionError> {
    let width = layout.tiles.iter().map(|t| t.raw_overscan.nx).max().unwrap_or(0);
    if width == 0 {
        return Ok(layout.tiles.iter().map(|t| vec![0.0; t.science.ny]).collect());
    }
    let mut places: BTreeMap<usize, usize> = BTreeMap::new();
    for tile in &layout.tiles {
        let next = places.len() * (width + 1);
        places.entry(tile.raw.x0).or_insert(next);
    }
    let mut narrow = Array2::<f32>::zeros((layout.rows, places.len() * (width + 1)));
    let tiles: Vec<AmplifierTile> = layout
        .tiles
        .iter()
        .map(|tile| {
            let x0 = places[&tile.raw.x0];
            let from = tile.raw_overscan;
            let rows = from.y0..from.y0 + from.ny;
            let part = pixels.slice(s![rows.clone(), from.x0..from.x0 + from.nx]);
            narrow.slice_mut(s![rows, x0 + 1..x0 + 1 + from.nx]).assign(&part.mapv(f32::from));
            AmplifierTile {
                raw: Rect { x0, nx: from.nx + 1, ..tile.raw },
                raw_science: Rect { x0, nx: 1, ..tile.raw_science },
                raw_prescan: Rect { x0, nx: 0, ..tile.raw_prescan },
                raw_overscan: Rect { x0: x0 + 1, ..from },
                raw_overscan_rows: Rect { x0, nx: from.nx + 1, ..tile.raw_overscan_rows },
                ..tile.clone()
            }
        })
        .collect();
    let narrow_layout = ReadoutLayout { columns: narrow.ncols(), tiles, ..layout.clone() };
    let mut frame = Frame::<Counts>::from_pixels(narrow, window);
    SubtractOverscan::with(narrow_layout.clone(), known.cloned()).correct(&mut frame)?;
    let of_tile = |t: &AmplifierTile| (0..t.science.ny).map(|y| -frame.pixels[(t.raw_science.y0 + y, t.raw_science.x0)]).collect();
    Ok(narrow_layout.tiles.iter().map(of_tile).collect())
}

/// Reads some rows of a frame.
pub type ReadRows<'a> = &'a dyn Fn(usize, &Range<usize>) -> Result<RawFrame, ReductionError>;

/// What is done with the rows of a band: gets the rows and that part of every frame.
pub type Visit<'a> = &'a mut dyn FnMut(Range<usize>, &[RawFrame]) -> Result<(), ReductionError>;

/// A stack of equal frames that are read one by one.
#[derive(Debug, Clone, Copy)]
pub struct Bands {
    /// Frames.
    pub count: usize,
    /// Rows of a frame.
    pub rows: usize,
    /// Columns of a frame.
    pub columns: usize,
    /// Bytes of a pixel: two of raw counts, four of cleaned ones.
    pub pixel_bytes: usize,
    /// Bytes the band of the whole stack may take.
    pub memory_bytes: usize,
}

impl Bands {
    /// Rows of a band: as many as the memory allows, at least one.
    fn rows_per_band(&self) -> usize {
        (self.memory_bytes / (self.count.max(1) * self.columns.max(1) * self.pixel_bytes.max(1))).clamp(1, self.rows.max(1))
    }
    /// Calls `visit(rows, bands)` for every band in order, `bands[k]` being those rows of frame `k`. When the whole stack
    /// fits, every frame is read once; else once for each band.
    ///
    /// # Errors
    /// When a frame cannot be read, or the visitor says no.
    pub fn visit(&self, read: ReadRows<'_>, visit: Visit<'_>) -> Result<(), ReductionError> {
        let height = self.rows_per_band();
        let mut start = 0;
        while start < self.rows {
            let rows = start..(start + height).min(self.rows);
            let mut band = Vec::with_capacity(self.count);
            for index in 0..self.count {
                let frame = read(index, &rows)?;
                assert_eq!(frame.science.dim(), (rows.len(), self.columns), "a band has its rows and the window's columns");
                band.push(frame);
            }
            visit(rows.clone(), &band)?;
            start = rows.end;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use sim_core::detector::{AmplifierGrid, DetectorGeometry, Scans};

    fn geometry() -> DetectorGeometry {
        DetectorGeometry {
            number: 1,
            filter: "g".into(),
            nx: 24,
            ny: 16,
            crpix1: 0.0,
            crpix2: 0.0,
            pixel_scale_arcsec: 1.0,
            amplifiers: AmplifierGrid { columns: 4, rows: 2, prescan_x: 2, overscan_x: 9, overscan_y: 2 },
        }
    }

    #[test]
    fn every_row_is_visited_once_whatever_the_memory() {
        let science = |k: usize| Array2::from_shape_fn((13, 4), |(y, x)| (100 * k + 10 * y + x) as u16);
        let read = |k: usize, rows: &Range<usize>| {
            let science = science(k).slice(s![rows.clone(), ..]).to_owned();
            Ok(RawFrame { science: Science::Raw(science), first_row: rows.start, levels: Arc::new(Vec::new()) })
        };
        for memory_bytes in [1, 3 * 4 * 2 * 5, 1 << 20] {
            let mut seen = vec![Array2::zeros((13, 4)); 3];
            Bands { count: 3, rows: 13, columns: 4, pixel_bytes: 2, memory_bytes }
                .visit(&read, &mut |rows, band| {
                    for (k, part) in band.iter().enumerate() {
                        assert_eq!(part.first_row, rows.start);
                        let Science::Raw(part) = &part.science else { unreachable!("read as raw") };
                        seen[k].slice_mut(s![rows.clone(), ..]).assign(part);
                    }
                    Ok(())
                })
                .unwrap();
            assert_eq!(seen, (0..3).map(science).collect::<Vec<_>>());
        }
    }

    #[test]
    fn levels_are_those_of_the_correction_bit_for_bit() {
        let geometry = geometry();
        let layout = ReadoutLayout::new(&geometry, geometry.full_window(), Scans::Full);
        let pixels = Array2::from_shape_fn((layout.rows, layout.columns), |(y, x)| (500 + (y * 31 + x * 17 + x * y) % 13) as u16);
        let mut frame = Frame::<Counts>::from_pixels(pixels.mapv(f32::from), geometry.full_window());
        SubtractOverscan::new(layout.clone()).correct(&mut frame).unwrap();
        let levels = overscan_levels(&layout, &pixels, geometry.full_window(), None).unwrap();
        let mut science = Array2::zeros((16, 24));
        for tile in &layout.tiles {
            for y in 0..tile.science.ny {
                for x in 0..tile.science.nx {
                    science[(tile.science.y0 + y, tile.science.x0 + x)] = pixels[(tile.raw_science.y0 + y, tile.raw_science.x0 + x)];
                }
            }
        }
        let raw = RawFrame { science: Science::Raw(science), first_row: 0, levels: Arc::new(levels) };
        let mut row = vec![0.0; 24];
        for tile in &layout.tiles {
            for y in 0..tile.science.ny {
                raw.row(&layout, tile.science.y0 + y, &mut row);
                for x in 0..tile.science.nx {
                    let corrected = frame.pixels[(tile.raw_science.y0 + y, tile.raw_science.x0 + x)];
                    assert_eq!(row[tile.science.x0 + x], corrected);
                }
            }
        }
    }
}
