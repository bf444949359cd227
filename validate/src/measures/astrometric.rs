//! Positions against truth: pulls against the Cramer-Rao error of the PSF fit, and the offset on the sky.
//!
//! The effective PSF's origin is its own centroid, which need not be the true position of a star behind an asymmetric
//! PSF; a linear function of the field, fitted to the calibrators, takes that out, as an astrometric solution does.

use super::population::{Population, Subject};
use super::{FrameMeasures, Histogram};
use crate::level2::Level2;
use crate::product::{L1Frame, TruthObject};
use crate::statistics::{median64, moments};
use serde::{Deserialize, Serialize};

/// One isolated star.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct StarPosition {
    /// Expected signal-to-noise.
    pub snr: f64,
    /// Measured minus true column \[pixel\], offset removed.
    pub dx_px: f64,
    /// Measured minus true row \[pixel\], offset removed.
    pub dy_px: f64,
    /// Predicted error of the column \[pixel\].
    pub x_error_px: f64,
    /// Predicted error of the row \[pixel\].
    pub y_error_px: f64,
    /// It set the offset and is not judged.
    pub calibrator: bool,
}

/// Measured minus true position as a linear function of the place: `[constant, x slope, y slope]` for each axis.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Offset {
    x: [f64; 3],
    y: [f64; 3],
}

impl Offset {
    /// The offset at a place \[pixel\].
    #[must_use]
    pub fn at(&self, x: f64, y: f64) -> (f64, f64) {
        let value = |c: &[f64; 3]| c[0] + c[1] * x + c[2] * y;
        (value(&self.x), value(&self.y))
    }
    /// Fits `(x, y, difference)` points: a constant below 20 points, a plane from 20 on; outliers at 5 MAD removed.
    fn plane(points: &[(f64, f64, f64)]) -> [f64; 3] {
        let middle = median64(&mut points.iter().map(|p| p.2).collect::<Vec<_>>());
        let sigma = 1.4826 * median64(&mut points.iter().map(|p| (p.2 - middle).abs()).collect::<Vec<_>>());
        let kept: Vec<_> = points.iter().filter(|p| (p.2 - middle).abs() <= 5.0 * sigma.max(1e-6)).collect();
        let n = kept.len() as f64;
        let mean = |get: &dyn Fn(&(f64, f64, f64)) -> f64| kept.iter().map(|p| get(p)).sum::<f64>() / n;
        let (mx, my, md) = (mean(&|p| p.0), mean(&|p| p.1), mean(&|p| p.2));
        if kept.len() < 20 {
            return [md, 0.0, 0.0];
        }
        let (xx, yy, xy) = (mean(&|p| (p.0 - mx).powi(2)), mean(&|p| (p.1 - my).powi(2)), mean(&|p| (p.0 - mx) * (p.1 - my)));
        let (xd, yd) = (mean(&|p| (p.0 - mx) * (p.2 - md)), mean(&|p| (p.1 - my) * (p.2 - md)));
        let determinant = xx * yy - xy * xy;
        let (a, b) = ((xd * yy - yd * xy) / determinant, (yd * xx - xd * xy) / determinant);
        [md - a * mx - b * my, a, b]
    }
}

/// Enters positions, pulls and sky offsets; returns the offset for forced photometry.
pub(super) fn measure(out: &mut FrameMeasures, frame: &L1Frame, level2: &Level2, truth: &[TruthObject], population: &Population) -> Offset {
    let usable = |s: &&Subject| s.isolated && s.clean && !s.saturated && s.snr > 5.0;
    let found: Vec<(&Subject, crate::level2::centroid::PointFit)> = population
        .subjects
        .iter()
        .filter(usable)
        .filter_map(|s| Some((s, level2.catalogue.sources[s.detection?].point?)))
        .filter(|(_, p)| p.x_error > 0.0 && p.y_error > 0.0)
        .collect();
    let mut offset = Offset::default();
    let standards: Vec<_> = found.iter().filter(|(s, _)| s.calibrator).collect();
    if standards.len() >= 5 {
        offset.x = Offset::plane(&standards.iter().map(|(s, p)| (p.x, p.y, p.x - truth[s.truth].x)).collect::<Vec<_>>());
        offset.y = Offset::plane(&standards.iter().map(|(s, p)| (p.x, p.y, p.y - truth[s.truth].y)).collect::<Vec<_>>());
    }
    let calibrated = standards.len() >= 5;
    out.astrometry = found
        .iter()
        .map(|(s, p)| {
            let t = &truth[s.truth];
            let (ox, oy) = offset.at(t.x, t.y);
            StarPosition {
                snr: s.snr,
                dx_px: p.x - t.x - ox,
                dy_px: p.y - t.y - oy,
                x_error_px: p.x_error,
                y_error_px: p.y_error,
                calibrator: s.calibrator && calibrated,
            }
        })
        .collect();
    let judged = |low: f64, high: f64| out.astrometry.iter().filter(move |p| !p.calibrator && p.snr >= low && p.snr < high);
    let pulls: Vec<f64> = judged(10.0, 200.0).flat_map(|p| [p.dx_px / p.x_error_px, p.dy_px / p.y_error_px]).collect();
    let bright: Vec<f64> = judged(200.0, f64::INFINITY).flat_map(|p| [p.dx_px, p.dy_px]).collect();
    let m = moments(&pulls, 6.0);
    if let Some(m) = &m {
        out.values.set("astrometry_pull_std", m.std, Some(m.std_error), m.count);
    }
    out.histograms.push(Histogram::of_pulls("Positions", &pulls, m));
    if bright.len() >= 10 {
        let n = bright.len() as f64;
        let rms = (bright.iter().map(|d| d * d).sum::<f64>() / n).sqrt();
        out.values.set("astrometry_bright_rms_px", rms, Some(rms / (2.0 * n).sqrt()), bright.len());
    }
    sky_offset(out, frame, truth, &found);
    offset
}

/// Centroids through the header's WCS against the true right ascension and declination.
fn sky_offset(out: &mut FrameMeasures, frame: &L1Frame, truth: &[TruthObject], found: &[(&Subject, crate::level2::centroid::PointFit)]) {
    let Some(wcs) = &frame.wcs else {
        out.notes.push("The header has no WCS: nothing on the sky was measured.".into());
        return;
    };
    let (mut east, mut north) = (Vec::new(), Vec::new());
    for (s, p) in found.iter().filter(|(s, _)| s.snr > 30.0) {
        let t = &truth[s.truth];
        let (ra, dec) = wcs.sky_from_pixel(p.x, p.y);
        let turn = (ra - t.ra_deg + 540.0).rem_euclid(360.0) - 180.0;
        east.push(turn * t.dec_deg.to_radians().cos() * 3.6e6);
        north.push((dec - t.dec_deg) * 3.6e6);
    }
    if east.len() < 5 {
        return;
    }
    let (me, mn) = (median64(&mut east.clone()), median64(&mut north.clone()));
    let spread: Vec<f64> = east.iter().map(|e| e - me).chain(north.iter().map(|n| n - mn)).collect();
    let Some(m) = moments(&spread, 1e4) else { return };
    let centre_error = 1.2533 * m.std / (east.len() as f64).sqrt();
    out.values.set("astrometry_sky_offset_mas", me.hypot(mn), Some(centre_error), east.len());
    out.values.set("astrometry_sky_rms_mas", m.std, Some(m.std_error), spread.len());
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_plane_through_calibrators_is_found_despite_an_outlier() {
        let mut points: Vec<(f64, f64, f64)> = (0..40)
            .map(|i| (f64::from(i % 8) * 100.0, f64::from(i / 8) * 100.0))
            .map(|(x, y)| (x, y, 0.02 + 1e-5 * x - 2e-5 * y))
            .collect();
        points.push((350.0, 250.0, 3.0));
        let c = Offset::plane(&points);
        assert!((c[0] - 0.02).abs() < 1e-9 && (c[1] - 1e-5).abs() < 1e-12 && (c[2] + 2e-5).abs() < 1e-12);
    }
}
