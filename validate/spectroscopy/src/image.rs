//! A level-1 slitless frame as the extraction takes it.

use ndarray::ArrayView2;
use sim_core::frame::Window;

/// Rate, error and flags of a slitless frame, all `[y, x]` of one shape.
#[derive(Debug, Clone, Copy)]
pub struct SlitlessImage<'a> {
    /// Rate \[electron / s / pixel\].
    pub rate: ArrayView2<'a, f32>,
    /// Standard error of the rate \[electron / s / pixel\]; not finite or not positive where a pixel has none.
    pub error: ArrayView2<'a, f32>,
    /// Flag bits ([`sim_core::flags`]).
    pub flags: ArrayView2<'a, u16>,
    /// First column and row of the image on the whole detector, 0-based: positions and configurations count from the detector's corner.
    pub origin: (usize, usize),
    /// Exposure time \[s\].
    pub time_s: f64,
}

impl SlitlessImage<'_> {
    /// The part of the detector that the frame is of.
    #[must_use]
    pub fn window(&self) -> Window {
        let (ny, nx) = self.rate.dim();
        Window { x0: self.origin.0, y0: self.origin.1, nx, ny }
    }
}
