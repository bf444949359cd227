//! Where the sources of the catalogue really are on a slitless frame: zeroth-order images found, matched, and a distortion fitted.
//!
//! # Formula
//! `x_true = x + dx(x, y)`, dx and dy polynomials of degree 2 at most of the catalogue's position; found by least squares between zeroth-order images on the frame
//! and where the configuration predicts them.
//! # Symbols
//! x, y  undispersed position by the catalogue, 0-based on the whole detector \[pixel\]
//! # Source
//! CSST documentation (csst-doc-msc, slitless position step): point images found, matched, two-dimensional polynomial of second order, iterated; success with more than 10
//! stars.
//! # Limits
//! A shift larger than the search is not found. The configuration is asked at the position of the catalogue, not of the correction: 0.02 pixel for 20 pixels and 1e-3 per pixel.
//! Emission lines on bright traces look like zeroth orders: the match sorts them out, not the finding.

mod detect;
mod fit;
mod matching;
mod zeroth;

pub use detect::{Detection, detect};
pub use fit::{Correction, Status};
pub use matching::Matched;
pub use zeroth::{Coverage, Predicted, coverage, predict, spread};

use crate::extraction::background::Background;
use crate::extraction::catalogue::Source;
use crate::extraction::error::{ExtractionError, within};
use crate::extraction::psf::Psf;
use crate::extraction::response::ReadyOrder;
use crate::image::SlitlessImage;
use sim_core::dispersion::Grating;

/// How positions are found.
#[derive(Debug, Clone, PartialEq)]
pub struct Settings {
    /// Largest shift looked for, on either axis \[pixel\].
    pub search_px: f64,
    /// Significance of a detection \[sigma\].
    pub detect_sigma: f64,
    /// Radius of the first match after the shift \[pixel\]; it shrinks to 3 rms, but not below 0.5.
    pub match_px: f64,
    /// Highest degree of the distortion, 0 to 2.
    pub degree: usize,
    /// Clipping of residuals \[sigma\].
    pub clip: f64,
    /// A distortion needs more stars than this, else it is a shift.
    pub least: usize,
    /// Flags that make a pixel unusable.
    pub bad: u16,
}

impl Default for Settings {
    /// Search 20 pixel, 6 sigma, match within 3 pixel, degree 2, clip at 3 sigma, more than 10 stars.
    fn default() -> Self {
        Self { search_px: 20.0, detect_sigma: 6.0, match_px: 3.0, degree: 2, clip: 3.0, least: 10, bad: crate::extraction::frame::BAD }
    }
}

/// What the position step found.
#[derive(Debug, Clone, PartialEq)]
pub struct Position {
    /// The correction, to be added to the catalogue's positions.
    pub correction: Correction,
    /// Everything found on the frame.
    pub detections: Vec<Detection>,
    /// Zeroth orders predicted from the catalogue, on the frame or within the search of it.
    pub predicted: Vec<Predicted>,
    /// Pairs within the last radius, of which the fit used those within its clipping: of each, the place in `predicted` and in `detections`.
    pub matched: Vec<Matched>,
    /// First orders on the frame, and how many of them have their zeroth order on it.
    pub coverage: Coverage,
}

/// Finds the correction. Without an order 0 in the configuration, or without a match, the catalogue's positions stay ([`Status::Untouched`]).
///
/// # Errors
/// Settings out of range.
pub fn solve(
    image: &SlitlessImage,
    background: &Background,
    psf: &Psf,
    gratings: &[Grating],
    orders: &[ReadyOrder],
    sources: &[Source],
    settings: &Settings,
) -> Result<Position, ExtractionError> {
    within("position.search_px", settings.search_px, 1.0, 500.0, "1..500")?;
    within("position.detect_sigma", settings.detect_sigma, 3.0, 1000.0, "3..1000")?;
    within("position.match_px", settings.match_px, 0.5, 50.0, "0.5..50")?;
    within("position.degree", settings.degree as f64, 0.0, 2.0, "0..2")?;
    within("position.clip", settings.clip, 2.0, 10.0, "2..10")?;
    let coverage = coverage(image.window(), gratings, orders, sources);
    let predicted = predict(image, psf, gratings, orders, sources, settings.search_px);
    let (rows, columns) = image.rate.dim();
    let scale = (image.origin.0 as f64 + 0.5 * columns as f64, image.origin.1 as f64 + 0.5 * rows as f64, 0.5 * columns.max(rows) as f64);
    if predicted.is_empty() {
        let correction = Correction::untouched(scale);
        return Ok(Position { correction, detections: Vec::new(), predicted, matched: Vec::new(), coverage });
    }
    let width = spread(orders, psf, (scale.0, scale.1));
    let detections = detect(image, background, width, settings.detect_sigma, settings.bad);
    let (correction, matched) = matching::solve(&predicted, &detections, scale, settings);
    Ok(Position { correction, detections, predicted, matched, coverage })
}
