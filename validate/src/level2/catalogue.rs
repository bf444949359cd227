//! The catalogue: one row per detected source, with SExtractor's column names.

use super::MeasuredFrame;
use super::aperture::{RADII_PX, apertures};
use super::centroid::{FitOptions, PointFit, fit};
use super::deblend::Peak;
use super::photometry::{Growth, aperture_flux, growth};
use super::psf_model::EffectivePsf;
use rayon::prelude::*;
use sim_core::flags;
use sim_core::table::{Column, ColumnData, Table};
use sim_core::wcs::Wcs;

/// A neighbour inside the fit radius.
pub const FLAG_NEIGHBOUR: i32 = 1;
/// Split from a neighbour.
pub const FLAG_BLENDED: i32 = 2;
/// A saturated pixel.
pub const FLAG_SATURATED: i32 = 4;
/// Cut by the edge of the image, or a bad pixel inside the fit radius.
pub const FLAG_TRUNCATED: i32 = 8;
/// The PSF fit failed: position and flux are isophotal.
pub const FLAG_NO_FIT: i32 = 16;

/// A measured source.
#[derive(Debug, Clone)]
pub struct Source {
    /// The detection.
    pub peak: Peak,
    /// The PSF fit, when there is a PSF and it converged.
    pub point: Option<PointFit>,
    /// Rate and error in the twelve official apertures \[electron / s\].
    pub apertures: [(f64, f64); 12],
    /// `FLAG_` bits, as SExtractor's FLAGS.
    pub flags: i32,
}

impl Source {
    /// Best position: of the PSF fit, else the barycentre (0-based).
    #[must_use]
    pub fn position(&self) -> (f64, f64) {
        self.point.map_or((self.peak.x, self.peak.y), |p| (p.x, p.y))
    }
}

/// The sources of a frame and what turns their PSF rates into total ones.
#[derive(Debug, Clone)]
pub struct Catalogue {
    /// Sources in detection order.
    pub sources: Vec<Source>,
    /// Growth curve of a point source, when there were stars to measure it.
    pub growth: Option<Growth>,
}

/// Measures all detections, each by itself: those with neighbours inside the fit are flagged.
#[must_use]
pub fn measure(frame: &MeasuredFrame, peaks: &[Peak], psf: Option<&EffectivePsf>) -> Catalogue {
    let (ny, nx) = frame.rate.dim();
    let grid = crate::measures::matching::Grid::new(peaks.iter().map(|p| (p.peak_x as f64, p.peak_y as f64)), nx, ny);
    let saturated = flags::official(flags::SATURATED);
    let options = FitOptions::default();
    let sources = peaks
        .par_iter()
        .enumerate()
        .map(|(index, peak)| {
            let (x, y) = (peak.peak_x as f64, peak.peak_y as f64);
            let point = psf.and_then(|psf| {
                let start = peak.isophotal.max(1.0 / frame.exposure_s);
                let local = psf.at(x, y);
                fit(frame, &local, x, y, start, &FitOptions { radius_px: 3.0, ..options })
                    .and_then(|p| fit(frame, &local, p.x, p.y, p.rate, &options).or(Some(p)))
            });
            let (cx, cy) = point.map_or((peak.x, peak.y), |p| (p.x, p.y));
            let sums = apertures(frame, cx, cy, &RADII_PX);
            let mut flux = [(0.0, 0.0); 12];
            for (out, sum) in flux.iter_mut().zip(&sums) {
                *out = aperture_flux(frame, sum, cx, cy);
            }
            let mut bits = 0;
            if grid.within(x, y, options.radius_px + 2.0).into_iter().any(|(other, _)| other != index) {
                bits |= FLAG_NEIGHBOUR;
            }
            if peak.blended {
                bits |= FLAG_BLENDED;
            }
            if peak.image_flags & saturated != 0 {
                bits |= FLAG_SATURATED;
            }
            if sums[2].lost > 0.0 {
                bits |= FLAG_TRUNCATED;
            }
            if point.is_none() {
                bits |= FLAG_NO_FIT;
            }
            Source { peak: peak.clone(), point, apertures: flux, flags: bits }
        })
        .collect();
    Catalogue { sources, growth: psf.and_then(|psf| growth(frame, psf, peaks)) }
}

impl Catalogue {
    /// The FITS table. Pixel columns count from 1, as SExtractor's; rates are electron / s; PSF rates are total.
    #[must_use]
    pub fn table(&self, wcs: Option<&Wcs>, zero_point: Option<f64>) -> Table {
        let n = self.sources.len();
        let inside = self.growth.as_ref().map_or(1.0, |g| g.at(super::psf_model::RADIUS_PX as f64));
        let real = |get: &dyn Fn(&Source) -> f64| ColumnData::F64(self.sources.iter().map(get).collect());
        let single = |get: &dyn Fn(&Source) -> f64| ColumnData::F32(self.sources.iter().map(|s| get(s) as f32).collect());
        let fitted = |get: fn(&PointFit) -> f64| move |s: &Source| s.point.as_ref().map_or(f64::NAN, get);
        let magnitude = |f: f64| zero_point.map_or(f64::NAN, |zp| if f > 0.0 { zp - 2.5 * f.log10() } else { f64::NAN });
        let magnitude_error = |f: f64, e: f64| if f > 0.0 { 1.085_736_2 * e / f } else { f64::NAN };
        let sky = |s: &Source| wcs.map_or((f64::NAN, f64::NAN), |w| w.sky_from_pixel(s.position().0, s.position().1));
        let column = Column::new;
        let mut columns = vec![
            column("NUMBER", "", "running number", ColumnData::I32((1..=n as i32).collect())),
            column("X_IMAGE", "pixel", "barycentre, column, first pixel 1", real(&|s| s.peak.x + 1.0)),
            column("Y_IMAGE", "pixel", "barycentre, row, first pixel 1", real(&|s| s.peak.y + 1.0)),
            column("XPSF_IMAGE", "pixel", "PSF fit, column, first pixel 1", real(&|s| fitted(|p| p.x + 1.0)(s))),
            column("YPSF_IMAGE", "pixel", "PSF fit, row, first pixel 1", real(&|s| fitted(|p| p.y + 1.0)(s))),
            column("ERRXPSF_IMAGE", "pixel", "standard error of XPSF_IMAGE", single(&|s| fitted(|p| p.x_error)(s))),
            column("ERRYPSF_IMAGE", "pixel", "standard error of YPSF_IMAGE", single(&|s| fitted(|p| p.y_error)(s))),
            column("ALPHA_J2000", "deg", "right ascension of the best position", real(&|s| sky(s).0)),
            column("DELTA_J2000", "deg", "declination of the best position", real(&|s| sky(s).1)),
            column("SNR_DET", "", "signal-to-noise of the filtered peak", single(&|s| f64::from(s.peak.snr))),
            column(
                "ISOAREA_IMAGE",
                "pixel2",
                "pixels above the threshold",
                ColumnData::I32(self.sources.iter().map(|s| s.peak.area as i32).collect()),
            ),
            column("FLUX_ISO", "electron/s", "sum of those pixels", single(&|s| s.peak.isophotal)),
            column("X2_IMAGE", "pixel2", "variance along columns", single(&|s| s.peak.moments[0])),
            column("Y2_IMAGE", "pixel2", "variance along rows", single(&|s| s.peak.moments[1])),
            column("XY_IMAGE", "pixel2", "covariance", single(&|s| s.peak.moments[2])),
            column("FLUX_PSF", "electron/s", "total rate from the PSF fit", single(&|s| fitted(|p| p.rate)(s) / inside)),
            column("FLUXERR_PSF", "electron/s", "its standard error", single(&|s| fitted(|p| p.rate_error)(s) / inside)),
            column("MAG_PSF", "mag", "AB magnitude", single(&|s| magnitude(fitted(|p| p.rate)(s) / inside))),
            column(
                "MAGERR_PSF",
                "mag",
                "its standard error",
                single(&|s| magnitude_error(fitted(|p| p.rate)(s), fitted(|p| p.rate_error)(s))),
            ),
            column("CHI2_PSF", "", "reduced chi-square of the PSF fit", single(&|s| fitted(|p| p.chi2)(s))),
        ];
        for (k, radius) in RADII_PX.iter().enumerate() {
            let name = |stem: &str| format!("{stem}_APER{}", k + 1);
            columns.push(column(&name("FLUX"), "electron/s", &format!("rate inside {radius} pixels"), single(&|s| s.apertures[k].0)));
            columns.push(column(&name("FLUXERR"), "electron/s", "its standard error", single(&|s| s.apertures[k].1)));
            columns.push(column(&name("MAG"), "mag", "AB magnitude, not corrected to total", single(&|s| magnitude(s.apertures[k].0))));
        }
        columns.push(column(
            "FLAGS",
            "",
            "1 neighbour, 2 blended, 4 saturated, 8 truncated, 16 no fit",
            ColumnData::I32(self.sources.iter().map(|s| s.flags).collect()),
        ));
        columns.push(column(
            "IMAFLAGS_ISO",
            "",
            "OR of the flag image over the source",
            ColumnData::I32(self.sources.iter().map(|s| i32::from(s.peak.image_flags)).collect()),
        ));
        Table { name: "CATALOGUE".into(), columns }
    }
}
