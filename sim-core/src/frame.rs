//! A frame: pixels on one physical plane, and the window of the detector they cover.

use crate::history::History;
use crate::hits::HitRecord;
use crate::moving::Movers;
use crate::plane::Plane;
use ndarray::Array2;
use serde::{Deserialize, Serialize};
use std::marker::PhantomData;
use std::sync::Arc;

/// A rectangle of the science array, 0-based pixels of the whole detector. A cut-out is a window;
/// a full detector is the window (0, 0, nx, ny). Random draws are keyed by detector coordinates, so a
/// cut-out has the same bits as the same pixels of the full frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Window {
    /// First column.
    pub x0: usize,
    /// First row.
    pub y0: usize,
    /// Columns.
    pub nx: usize,
    /// Rows.
    pub ny: usize,
}

impl Window {
    /// Array shape `(rows, columns)`.
    #[must_use]
    pub fn shape(&self) -> (usize, usize) {
        (self.ny, self.nx)
    }
    /// Whether a pixel position (0-based detector coordinates, centre of first pixel = 0) lies inside.
    #[must_use]
    pub fn contains(&self, x: f64, y: f64) -> bool {
        x >= self.x0 as f64 - 0.5
            && y >= self.y0 as f64 - 0.5
            && x < (self.x0 + self.nx) as f64 - 0.5
            && y < (self.y0 + self.ny) as f64 - 0.5
    }
}

/// Charge that leaves an output before the first and after the last science pixel: what transfer carried into the scans of
/// one amplifier. Arrays `[y, x]` in the orientation of the raw frame, of the shapes of the tile's `raw_prescan`,
/// `raw_overscan` and `raw_overscan_rows` ([`crate::detector::AmplifierTile`]).
#[derive(Debug, Clone, PartialEq)]
pub struct ScanCharge {
    /// Serial prescan next to the science rows \[electron\].
    pub prescan: Array2<f32>,
    /// Serial overscan next to the science rows \[electron\].
    pub overscan: Array2<f32>,
    /// Parallel overscan rows, all columns of the tile \[electron\].
    pub overscan_rows: Array2<f32>,
}

impl ScanCharge {
    /// Sum of all parts \[electron\].
    #[must_use]
    pub fn total(&self) -> f64 {
        [&self.prescan, &self.overscan, &self.overscan_rows].into_iter().flatten().map(|&v| f64::from(v)).sum()
    }
}

/// A bright point of light in front of a detector, inside or outside the window: what makes ghosts and scattered light.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct BrightPoint {
    /// Column of its image, 0-based detector pixels; may lie off the detector.
    pub x: f64,
    /// Row of its image, 0-based detector pixels.
    pub y: f64,
    /// Expected electrons of its whole image in the exposure.
    pub electrons: f64,
}

/// Pixels on plane `P`, `pixels[y, x]`, row-major, f32 (chosen by measurement, see `ARCHITECTURE.md`).
///
/// Forward frames (light, charge, counts) carry pixels alone; the reduction attaches variance \[BUNIT^2\]
/// and [`crate::flags`] bits, with the same shape as `pixels`.
#[derive(Debug, Clone)]
pub struct Frame<P: Plane> {
    /// Pixel values `[y, x]` in [`Plane::BUNIT`].
    pub pixels: Array2<f32>,
    /// Variance of `pixels`, when the reduction has an error model.
    pub variance: Option<Array2<f32>>,
    /// Quality flags, bits of [`crate::flags`].
    pub flags: Option<Array2<u32>>,
    /// The part of the science array covered. For counts in a raw layout the pixel array is larger than
    /// the window (scans): see [`crate::detector::ReadoutLayout`].
    pub window: Window,
    /// Charge plane: what transfer carried into the scans, one entry per tile of the raw layout. `None`: nothing.
    pub scans: Option<Vec<ScanCharge>>,
    /// Light plane: bright points in and around the window, as the optics saw them. `None`: nobody said; effects that need
    /// them take them from the pixels.
    pub bright: Option<Arc<[BrightPoint]>>,
    /// Light plane: what moves through the window. `None`: nobody said; the effect's own population stands in.
    pub movers: Option<Arc<Movers>>,
    /// Light plane: what the detector held in earlier exposures. `None`: it had none, or nobody said.
    pub history: Option<Arc<History>>,
    /// Light and charge planes: what hits of cosmic rays were, written by the effect when a record lies here. `None`: not asked for.
    pub hits: Option<HitRecord>,
    plane: PhantomData<P>,
}

impl<P: Plane> Frame<P> {
    /// A frame of zeros over `window`.
    #[must_use]
    pub fn zeros(window: Window) -> Self {
        Self::from_pixels(crate::memory::zeros(window.shape()), window)
    }
    /// A frame around existing pixels.
    #[must_use]
    pub fn from_pixels(pixels: Array2<f32>, window: Window) -> Self {
        Self {
            pixels,
            variance: None,
            flags: None,
            window,
            scans: None,
            bright: None,
            movers: None,
            history: None,
            hits: None,
            plane: PhantomData,
        }
    }
    /// Moves the arrays to another plane. Only crossings call this.
    #[must_use]
    pub fn cross<Q: Plane>(self) -> Frame<Q> {
        let Self { pixels, variance, flags, window, scans, hits, .. } = self;
        Frame { pixels, variance, flags, window, scans, bright: None, movers: None, history: None, hits, plane: PhantomData }
    }
    /// Total signal, scans included, summed in f64 in row order (the same for any number of threads).
    #[must_use]
    pub fn total(&self) -> f64 {
        let pixels: f64 = self.pixels.rows().into_iter().map(|row| row.iter().map(|&v| f64::from(v)).sum::<f64>()).sum();
        pixels + self.scans.iter().flatten().map(ScanCharge::total).sum::<f64>()
    }
}
