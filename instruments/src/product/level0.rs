//! The level-0 file: one exposure of one detector, raw counts.
//!
//! HDU0 is a header, HDU1 the image as unsigned 16-bit integers (BZERO 32768), packed where that is asked for. Keys read by the official code
//! (csst-dfs-commons, csster/csst) keep their names; those of the project are listed in [`write_level0`].
//!
//! Gain and read noise are in the header as **nominal** values of the instrument file, for a reader's convenience:
//! the reduction measures its own (photon transfer and bias pairs) and never uses these.

mod read;
pub mod wcs_keys;
mod write;

pub use read::{read_level0, read_level0_info};
pub use write::{keep_level0, level0_of, write_level0};

use super::names::{GRATING_FILTERS, NameStyle, ProductName};
use ndarray::{Array2, Zip};
use sim_core::detector::{DetectorGeometry, ReadoutLayout};
use sim_core::exposure::{Exposure, ExposureKind, Pointing};
use sim_core::fits::{Header, Packing};
use sim_core::frame::{Frame, Window};
use sim_core::plane::Counts;
use sim_core::wcs::Wcs;
use std::path::PathBuf;

/// Clocks of the columns: design, not measurement.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Clocking {
    /// Time from line to line of the readout \[s\]: the unit of release times in transfers.
    pub line_time_s: f64,
    /// Part of the traps that pump.
    pub pumped_fraction: f64,
}

/// What the header says besides the pixels.
#[derive(Debug, Clone, Copy)]
pub struct Level0Meta<'a> {
    /// Instrument name, `msc`.
    pub instrument: &'a str,
    /// Detector.
    pub geometry: &'a DetectorGeometry,
    /// Exposure. Its sky background is truth and is not written.
    pub exposure: &'a Exposure,
    /// Raw layout of the window.
    pub layout: &'a ReadoutLayout,
    /// World coordinates of the whole detector; the file carries them shifted to the window.
    pub wcs: &'a Wcs,
    /// Angles on the sky over the angles seen, of a moving observer, where the world coordinates have it: written as VAFACTOR.
    pub aberration: Option<f64>,
    /// Name of the target or field.
    pub object: &'a str,
    /// Nominal gain per amplifier \[electron / ADU\]: documentation.
    pub nominal_gain: &'a [f64],
    /// Nominal read noise per amplifier \[electron\]: documentation.
    pub nominal_read_noise_electron: &'a [f64],
    /// Nominal full well \[electron\], if specified: documentation, and the upper bound of SATURATE.
    pub nominal_full_well_electron: Option<f64>,
    /// Clocks of the columns, if specified: written with exposures of trap pumping.
    pub clocking: Option<Clocking>,
    /// Name and version of the software that made the file.
    pub software: &'a str,
    /// How the name is written.
    pub style: &'a NameStyle,
    /// How the image is laid out in the file.
    pub packing: Packing,
}

impl Level0Meta<'_> {
    /// The product's name.
    #[must_use]
    pub fn name(&self) -> ProductName {
        ProductName::level0(self.instrument, self.exposure, self.geometry.number, self.style)
    }
}

/// An exposure as its header tells it.
#[derive(Debug, Clone, PartialEq)]
pub struct Observation {
    /// Observation number.
    pub id: u64,
    /// What it looks at.
    pub kind: ExposureKind,
    /// Name of the target or field.
    pub object: String,
    /// Where the telescope points.
    pub pointing: Pointing,
    /// Start, modified Julian date, UTC \[d\].
    pub start_mjd: f64,
    /// End \[d\].
    pub stop_mjd: f64,
    /// Exposure time \[s\].
    pub time_s: f64,
}

/// All of a level-0 file but the pixels.
#[derive(Debug, Clone)]
pub struct Level0Info {
    /// File read.
    pub path: PathBuf,
    /// Its name.
    pub name: ProductName,
    /// Instrument, in lower case.
    pub instrument: String,
    /// Exposure.
    pub observation: Observation,
    /// Detector.
    pub geometry: DetectorGeometry,
    /// Window of the science array.
    pub window: Window,
    /// Raw layout.
    pub layout: ReadoutLayout,
    /// World coordinates of the trimmed window.
    pub wcs: Wcs,
    /// Header of HDU0.
    pub primary: Header,
    /// Header of HDU1.
    pub header: Header,
}

impl Level0Info {
    /// Whether the detector is behind gratings ([`GRATING_FILTERS`]).
    #[must_use]
    pub fn is_slitless(&self) -> bool {
        GRATING_FILTERS.contains(&self.geometry.filter.as_str())
    }
}

/// A level-0 file.
#[derive(Debug, Clone)]
pub struct Level0 {
    /// What the header says.
    pub info: Level0Info,
    /// Raw counts \[ADU\], `[y, x]`.
    pub pixels: Array2<u16>,
}

impl Level0 {
    /// The raw counts as a frame.
    #[must_use]
    pub fn frame(&self) -> Frame<Counts> {
        let mut pixels = sim_core::memory::zeros(self.pixels.dim());
        Zip::from(&mut pixels).and(&self.pixels).par_for_each(|out, &raw| *out = f32::from(raw));
        Frame::from_pixels(pixels, self.info.window)
    }
}
