//! First level-2 measurement: sky, detection, the effective PSF, photometry, positions, catalogue.
//!
//! Good enough to judge the loop: point sources in fields that are not confused. Galaxy models come later.

pub mod aperture;
pub mod background;
pub mod catalogue;
pub mod centroid;
pub mod deblend;
pub mod detection;
pub mod photometry;
pub mod psf_model;
mod psf_solve;
pub mod star_selection;

use crate::product::L1Frame;
use background::Background;
use catalogue::Catalogue;
use detection::DetectionOptions;
use ndarray::parallel::prelude::*;
use ndarray::{Array2, Axis};
use psf_model::EffectivePsf;
use sim_core::flags;

/// A frame ready to be measured: sky subtracted, usable pixels known.
#[derive(Debug, Clone)]
pub struct MeasuredFrame {
    /// Sky-subtracted rate `[y, x]` \[electron / s\].
    pub rate: Array2<f32>,
    /// Pixels with a weight.
    pub good: Array2<bool>,
    /// Pixels that may be used to find sources: good ones and saturated ones (a bright star's core is no hole).
    pub detectable: Array2<bool>,
    /// Official flag bits.
    pub flags: Array2<u16>,
    /// Sky level and noise.
    pub background: Background,
    /// Exposure time \[s\].
    pub exposure_s: f64,
}

impl MeasuredFrame {
    fn new(frame: &L1Frame, background: Background) -> Self {
        let mut out = Self {
            rate: frame.rate.clone(),
            good: Array2::from_elem(frame.rate.dim(), false),
            detectable: Array2::from_elem(frame.rate.dim(), false),
            flags: frame.flags.clone(),
            background,
            exposure_s: frame.exposure_s,
        };
        out.subtract(frame);
        out
    }
    /// Subtracts the sky and marks the usable pixels, row by row.
    fn subtract(&mut self, frame: &L1Frame) {
        let nx = frame.rate.ncols();
        let saturated = flags::official(flags::SATURATED);
        let level = &self.background.level;
        let rows = self.rate.axis_iter_mut(Axis(0)).into_par_iter();
        let good = self.good.axis_iter_mut(Axis(0)).into_par_iter();
        let detectable = self.detectable.axis_iter_mut(Axis(0)).into_par_iter();
        rows.zip(good).zip(detectable).enumerate().for_each(|(y, ((mut rate, mut good), mut detectable))| {
            let mut sky = vec![0.0_f32; nx];
            level.row(y, &mut sky);
            for x in 0..nx {
                let value = frame.rate[(y, x)];
                good[x] = frame.weight[(y, x)] > 0.0 && value.is_finite();
                detectable[x] = good[x] || (value.is_finite() && frame.flags[(y, x)] & saturated != 0);
                rate[x] = if value.is_finite() { value - sky[x] } else { 0.0 };
            }
        });
    }
}

/// How level 2 is made.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Level2Options {
    /// Background cell \[pixel\].
    pub background_cell: usize,
    /// Detection.
    pub detection: DetectionOptions,
}

impl Default for Level2Options {
    fn default() -> Self {
        Self { background_cell: 128, detection: DetectionOptions::default() }
    }
}

/// Level 2 of a frame.
#[derive(Debug)]
pub struct Level2 {
    /// The sky-subtracted frame.
    pub frame: MeasuredFrame,
    /// Pixels covered by sources.
    pub covered: Array2<bool>,
    /// The effective PSF, when there were stars enough to measure it.
    pub psf: Option<EffectivePsf>,
    /// The sources.
    pub catalogue: Catalogue,
}

/// Measures a frame: sky, detection, sky again without the sources, PSF, photometry.
#[must_use]
pub fn process(l1: &L1Frame, options: &Level2Options) -> Level2 {
    let cell = options.background_cell.min(l1.rate.nrows()).min(l1.rate.ncols()).max(16);
    let mut frame = MeasuredFrame::new(l1, background::measure(l1, cell, None));
    let peaks = detection::detect(&frame, &options.detection);
    let covered = cover(&frame, &peaks);
    frame.background = background::measure(l1, cell, Some(&covered));
    frame.subtract(l1);
    let stars = star_selection::select(&frame, &peaks);
    let psf = psf_model::measure(&frame, &stars);
    let catalogue = catalogue::measure(&frame, &peaks, psf.as_ref());
    Level2 { frame, covered, psf, catalogue }
}

/// The pixels under sources: a disc about each peak.
fn cover(frame: &MeasuredFrame, peaks: &[deblend::Peak]) -> Array2<bool> {
    let (ny, nx) = frame.rate.dim();
    let mut covered = Array2::from_elem((ny, nx), false);
    for peak in peaks {
        let radius = peak.cover_radius_px();
        let (x, y) = (peak.peak_x as f64, peak.peak_y as f64);
        let y_range = (y - radius).max(0.0) as usize..=((y + radius) as usize).min(ny - 1);
        for py in y_range {
            let dy = py as f64 - y;
            let reach = (radius * radius - dy * dy).max(0.0).sqrt();
            for px in (x - reach).max(0.0) as usize..=((x + reach) as usize).min(nx - 1) {
                covered[(py, px)] = true;
            }
        }
    }
    covered
}
