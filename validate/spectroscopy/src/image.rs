//! A level-1 slitless frame as the extraction takes it.

use ndarray::ArrayView2;

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
