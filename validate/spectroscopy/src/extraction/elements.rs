//! The pixels of a beam, column by column, background and contamination taken away.
//!
//! # Formula
//! `D = rate - background - contamination`; the variance of a model that gives a pixel the rate m is `V = q + (background + contamination + m) / time`, q the part that
//! is not photon noise (`quiet.rs`).
//! # Symbols
//! D  what is left for the source \[electron / s\]
//! # Source
//! Horne 1986 (PASP 98, 609): variance from the model, not from the pixel, or faint spectra come out too low.
//! # Limits
//! The error of the frame is photon noise of the rate and a part that does not depend on it and is the same for most pixels of a beam.

use super::background::Background;
use super::beam::{Beam, BeamColumn};
use super::model::Stamp;
use super::quiet;
use crate::image::SlitlessImage;
use ndarray::ArrayView2;

/// A pixel near a trace.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Pixel {
    /// Rows from the trace \[pixel\].
    pub distance: f64,
    /// Rate, background and contamination taken away \[electron / s\].
    pub rate: f64,
    /// Variance by the model, at first that of the frame's error.
    pub variance: f64,
    /// Square of the frame's error.
    pub stated: f64,
    /// Variance that is not photon noise.
    pub quiet: f64,
    /// Light of other sources.
    pub contamination: f64,
    /// Background.
    pub background: f64,
    /// Flags of the frame.
    pub flags: u16,
    /// To be used.
    pub good: bool,
}

/// Pixels of a column of a beam.
#[derive(Debug, Clone, PartialEq)]
pub struct PatchColumn {
    /// Vacuum wavelength \[nm\].
    pub wavelength_nm: f64,
    /// The beam's column.
    pub beam: BeamColumn,
    /// The order is sensitive here.
    pub sensitive: bool,
    /// Pixels, by rising row.
    pub pixels: Vec<Pixel>,
}

/// Pixels of a beam; columns off the frame are left out.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Patch {
    /// Columns, by rising wavelength.
    pub columns: Vec<PatchColumn>,
    /// Exposure time \[s\].
    pub time_s: f64,
}

impl Patch {
    /// Cuts the pixels within `half` rows of a beam out of a frame. `others` is the model frame with the source's own light in this order, to be taken out
    /// of it. Pixels with a flag of `bad`, without a rate or without an error are not good.
    #[must_use]
    pub fn cut(
        image: &SlitlessImage,
        beam: &Beam,
        background: &Background,
        others: Option<(ArrayView2<f32>, Option<&Stamp>)>,
        half: f64,
        bad: u16,
    ) -> Self {
        let (rows, columns) = (image.rate.nrows() as i64, image.rate.ncols() as i64);
        let origin = (image.origin.0 as i64, image.origin.1 as i64);
        let mut out = Vec::with_capacity(beam.columns.len());
        for column in &beam.columns {
            let x = column.column - origin.0;
            let (low, high) = ((column.row - half).ceil() as i64 - origin.1, (column.row + half).floor() as i64 - origin.1);
            let trace_row = column.row.round() as i64 - origin.1;
            if x < 0 || x >= columns || trace_row < 0 || trace_row >= rows {
                continue;
            }
            let pixels = (low.max(0)..=high.min(rows - 1)).map(|y| {
                let at = (y as usize, x as usize);
                let (rate, error, flags) = (f64::from(image.rate[at]), f64::from(image.error[at]), image.flags[at]);
                let row = y + origin.1;
                let background = background.at(x as f64, y as f64);
                let contamination = others
                    .map_or(0.0, |(model, own)| (f64::from(model[at]) - own.map_or(0.0, |stamp| stamp.at(column.column, row))).max(0.0));
                let good = rate.is_finite() && error.is_finite() && error > 0.0 && flags & bad == 0;
                let stated = if good { error * error } else { f64::INFINITY };
                let distance = row as f64 - column.row;
                Pixel {
                    distance,
                    rate: rate - background - contamination,
                    variance: stated,
                    stated,
                    quiet: 0.0,
                    contamination,
                    background,
                    flags,
                    good,
                }
            });
            let pixels = pixels.collect();
            out.push(PatchColumn { wavelength_nm: column.wavelength_nm, beam: *column, sensitive: beam.sensitive(column), pixels });
        }
        let mut patch = Self { columns: out, time_s: image.time_s };
        patch.find_quiet();
        patch
    }
    /// Finds what of the variances is not photon noise.
    fn find_quiet(&mut self) {
        let total = |p: &Pixel| p.rate + p.background + p.contamination;
        let good = self.columns.iter().flat_map(|c| &c.pixels).filter(|p| p.good);
        let common = quiet::common(good.map(|p| (p.stated, total(p))), self.time_s);
        for p in self.columns.iter_mut().flat_map(|c| &mut c.pixels) {
            p.quiet = quiet::own(common, p.stated, total(p), self.time_s);
        }
    }
    /// Takes a local residual away: one value for each column, added to the pixels' background.
    pub fn lower(&mut self, residual: &[f64]) {
        for (column, r) in self.columns.iter_mut().zip(residual) {
            for p in &mut column.pixels {
                p.rate -= r;
                p.background += r;
            }
        }
    }
}

impl Pixel {
    /// Variance if the source gives this pixel the rate `model`.
    #[must_use]
    pub fn variance_of(&self, model: f64, time_s: f64) -> f64 {
        self.quiet + (self.background + self.contamination + model).max(0.0) / time_s
    }
}
