//! The spectrum along a measured trace, column by column.
//!
//! # Formula
//! `F(x) = sum w(y) (d - sky) + lost share`: rows within `half_box` of the trace, edge rows by their share; the light of lost pixels is put back
//! with the profile of the trace.
//! # Symbols
//! w  share of a row in the box, 0 to 1;  d  rate \[electron / s\]
//! # Source
//! The box extraction of aXe (Kuemmel et al. 2009), with the loss by the measured profile.
//! # Limits
//! Columns with more than half of the profile lost have no value (not a number). Unflagged hits are found where a pixel is further than seven errors
//! and a quarter of the column's profile from it.

use super::cutout::Cutout;
use super::frames::CalibrationFrame;
use super::trace::TraceFit;
use serde::Serialize;

/// A spectrum by columns of the detector; all vectors have one length.
#[derive(Debug, Clone, PartialEq, Default, Serialize)]
pub struct RidgeSpectrum {
    /// First column on the detector.
    pub from: i64,
    /// Rate \[electron / s\] of each column; not a number where there is none.
    pub rate: Vec<f64>,
    /// Its standard error.
    pub error: Vec<f64>,
    /// Flags of the pixels within a width and a half of the ridge, united.
    pub flags: Vec<u16>,
}

impl RidgeSpectrum {
    /// Index of a column.
    #[must_use]
    pub fn index(&self, column: i64) -> Option<usize> {
        usize::try_from(column - self.from).ok().filter(|i| *i < self.rate.len())
    }
}

/// Takes the spectrum of columns `from..to`.
#[must_use]
pub fn take(frame: &CalibrationFrame<'_>, trace: &TraceFit, from: i64, to: i64, half_box: f64) -> RidgeSpectrum {
    let cutout = Cutout(frame.image);
    let (first, last) = cutout.columns();
    let (from, to) = (from.max(first), to.min(last));
    let centre = |x: f64| frame.y0 + trace.polynomial.at(x - frame.x0);
    let mut spectrum = RidgeSpectrum { from, ..RidgeSpectrum::default() };
    for x in from..to {
        let width = trace.width.at(x as f64 - frame.x0).clamp(0.5, 4.0);
        let (rate, error) = column(&cutout, x, &centre, width, half_box).unwrap_or((f64::NAN, f64::NAN));
        let middle = centre(x as f64);
        let near = (middle - 1.5 * width).round() as i64..=(middle + 1.5 * width).round() as i64;
        spectrum.rate.push(rate);
        spectrum.error.push(error);
        spectrum.flags.push(near.fold(0, |bits, y| bits | cutout.flags(x, y)));
    }
    spectrum
}

fn column(cutout: &Cutout<'_>, x: i64, centre: &impl Fn(f64) -> f64, width: f64, half: f64) -> Option<(f64, f64)> {
    let (sky, sky_error) = cutout.sky(x - 4, x + 5, centre, half + 3.0, half + 15.0)?;
    let middle = centre(x as f64);
    let rows = (middle - half - 0.5).ceil() as i64..=(middle + half + 0.5).floor() as i64;
    // Row, share in the box, profile per row of unit light, pixel.
    let norm = width * (2.0 * std::f64::consts::PI).sqrt();
    let mut pixels: Vec<_> = rows
        .map(|y| {
            let u = y as f64 - middle;
            let share = (half + 0.5 - u.abs()).clamp(0.0, 1.0);
            (share, (-0.5 * (u / width).powi(2)).exp() / norm, cutout.pixel(x, y))
        })
        .collect();
    let light = |pixels: &[(f64, f64, Option<super::cutout::Pixel>)]| {
        let (mut top, mut bottom) = (0.0, 0.0);
        for (_, g, p) in pixels {
            if let Some(p) = p {
                top += g * (p.rate - sky) / (p.error * p.error);
                bottom += g * g / (p.error * p.error);
            }
        }
        if bottom > 0.0 { top / bottom } else { 0.0 }
    };
    // One hit at a time, the worst first: a hit pulls the profile up and makes its neighbours look low.
    for _ in 0..4 {
        let all = light(&pixels).max(0.0);
        let excess = |p: &super::cutout::Pixel, g: f64| (p.rate - sky - all * g) / (7.0 * p.error + 0.25 * all / norm);
        let worst = pixels
            .iter()
            .enumerate()
            .filter_map(|(i, (_, g, p))| p.as_ref().map(|p| (i, excess(p, *g))))
            .max_by(|a, b| a.1.total_cmp(&b.1))?;
        if worst.1 < 1.0 {
            break;
        }
        pixels[worst.0].2 = None;
    }
    let (mut sum, mut variance, mut inside, mut seen, mut shares) = (0.0, 0.0, 0.0, 0.0, 0.0);
    for (share, g, p) in &pixels {
        inside += share * g;
        if let Some(p) = p {
            sum += share * (p.rate - sky);
            variance += (share * p.error).powi(2);
            seen += share * g;
            shares += share;
        }
    }
    let factor = inside / seen;
    (seen > 0.5 * inside).then(|| (sum * factor, factor * (variance + (shares * sky_error).powi(2)).sqrt()))
}
