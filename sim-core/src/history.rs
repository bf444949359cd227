//! What a detector held in earlier exposures: given explicitly, because one exposure does not know another.
//!
//! A history lists the pixels that were bright, with the end of their exposures: a few thousand numbers for an exposure of the sky. Who
//! makes exposures fills it and hands it over with the light ([`crate::frame::Frame::history`]).

use crate::frame::Frame;
use crate::plane::Charge;

/// A pixel that held much charge.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct BrightPixel {
    /// Column of the detector.
    pub x: u32,
    /// Row of the detector.
    pub y: u32,
    /// Charge it held \[electron\].
    pub electrons: f32,
}

/// The bright pixels of one earlier exposure.
#[derive(Debug, Clone, PartialEq)]
pub struct Earlier {
    /// End of the exposure, modified Julian date \[d\].
    pub end_mjd: f64,
    /// Its bright pixels, in order of rows.
    pub bright: Vec<BrightPixel>,
}

impl Earlier {
    /// The pixels of a frame that hold more than `level_electron`.
    #[must_use]
    pub fn of_charge(frame: &Frame<Charge>, level_electron: f64, end_mjd: f64) -> Self {
        let (x0, y0) = (frame.window.x0, frame.window.y0);
        let bright = frame.pixels.indexed_iter().filter(|(_, n)| f64::from(**n) > level_electron);
        let bright = bright.map(|((y, x), &electrons)| BrightPixel { x: (x0 + x) as u32, y: (y0 + y) as u32, electrons }).collect();
        Self { end_mjd, bright }
    }
}

/// All earlier exposures that still matter, in order of time.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct History {
    /// The exposures.
    pub earlier: Vec<std::sync::Arc<Earlier>>,
}
