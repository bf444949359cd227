//! Point-source limits of the slitless bands: from the noise model here, from frames in [`measured()`].
//!
//! # Formula
//! A star of AB magnitude m gives `n_k = f_nu(m) / (h lambda_k) step A eff_k T` electrons in column k. With all of a band's columns in a box of N rows
//! `SNR = sum n_k / sqrt(sum n_k + K N v)`, `v = (sky + dark) T + exposures RN^2`; an optimal extraction has `SNR^2 = sum n_k^2 / (n_k + N_e v)`, `N_e = 2 sqrt(pi) s`. The limit is
//! the magnitude with SNR = 5, by bisection.
//! # Symbols
//! K  columns of the band;  T  time of all exposures \[s\];  s  Gaussian width of the PSF across the trace, FWHM 0.3 arcsec (published, CESS)
//! # Source
//! Published limits: 23.2, 23.4, 23.2 (arXiv:2407.13991, citing Gong et al. 2019), without a definition. Four pixels are a resolution element (CESS).
//! # Limits
//! The definition that is compared with the published numbers is ours: the light of the whole band, summed without weights in a box of 19 rows (1.4 arcsec). The height
//! is assumed: one number fitted to three. Limits of an element or of a column are far brighter, and are given beside it. The model has no noise of
//! masters and of the background: frames have both.

mod measured;

pub use measured::{Measured, measured};

use anyhow::Context as _;
use instruments::description::{DetectorSpec, Instrument};
use sim_core::median::median;
use sim_core::units::{AB_ZERO_ERG_S_CM2_HZ, Nanometre, PLANCK_J_S};
use std::f64::consts::PI;

/// Exposures and time of each \[s\] of the published limits.
pub const EXPOSURES: (f64, f64) = (4.0, 150.0);
/// Rows of the box (assumed).
pub const ROWS: usize = 19;
/// FWHM of the PSF across the trace \[arcsec\], CESS.
const PSF_ARCSEC: f64 = 0.3;
/// Columns of a resolution element, CESS.
const ELEMENT: f64 = 4.0;
/// Signal to noise of a limit.
const SNR: f64 = 5.0;
/// Band, its range \[nm\] and published limit.
const BANDS: [(&str, (f64, f64), f64); 3] = [("GU", (255.0, 400.0), 23.2), ("GV", (400.0, 620.0), 23.4), ("GI", (620.0, 1000.0), 23.2)];

/// Limits of a band by the noise model.
#[derive(Debug, Clone, PartialEq, serde::Serialize)]
pub struct Modelled {
    /// Band.
    pub band: String,
    /// Sky \[electron / s / pixel\].
    pub sky: f64,
    /// Published.
    pub published: f64,
    /// Whole band, box of [`ROWS`] rows.
    pub band_box: f64,
    /// Whole band, optimal extraction.
    pub band_optimal: f64,
    /// Median resolution element of the band, optimal extraction.
    pub element: f64,
    /// Median column of the band, optimal extraction.
    pub column: f64,
}

/// Electrons of a star of AB magnitude 0 in each column of a band in a second, and the variance of a pixel in all exposures.
struct Budget {
    columns: Vec<f64>,
    time_s: f64,
    pixel: f64,
    /// Rows that an optimal extraction is as noisy as.
    rows: f64,
    sky: f64,
}

impl Budget {
    fn new(spec: &DetectorSpec, area_cm2: f64, range: (f64, f64), exposures: (f64, f64)) -> anyhow::Result<Self> {
        let number = spec.geometry.number;
        let known = |value: Option<f64>, what: &str| value.with_context(|| format!("detector {number}: the instrument has no {what}"));
        let grating = spec.grating.as_ref().with_context(|| format!("detector {number} has no grating"))?;
        let sky = known(spec.table_sky_electron_s, "table sky")?;
        let (dark, read) =
            (known(spec.nominal("dark", "rate"), "dark.rate")?, known(spec.nominal("read_noise", "sigma"), "read_noise.sigma")?);
        let step = 1e3 * grating.period_um * grating.pixel_pitch_mm / grating.distance_mm;
        let photons = |nm: f64| AB_ZERO_ERG_S_CM2_HZ / (PLANCK_J_S * 1e7 * nm) * step * area_cm2 * spec.band.at(Nanometre(nm));
        let count = ((range.1 - range.0) / step) as usize;
        let time_s = exposures.0 * exposures.1;
        Ok(Self {
            columns: (0..count).map(|k| photons(range.0 + step * (k as f64 + 0.5))).collect(),
            time_s,
            pixel: (sky + dark) * time_s + exposures.0 * read * read,
            rows: 2.0 * PI.sqrt() * PSF_ARCSEC / spec.geometry.pixel_scale_arcsec / 2.354_820_045,
            sky,
        })
    }
    fn electrons(&self, magnitude: f64) -> impl Iterator<Item = f64> + '_ {
        let scale = 10f64.powf(-0.4 * magnitude) * self.time_s;
        self.columns.iter().map(move |n| n * scale)
    }
    fn boxed(&self, magnitude: f64, rows: f64) -> f64 {
        let light: f64 = self.electrons(magnitude).sum();
        light / (light + self.columns.len() as f64 * rows * self.pixel).sqrt()
    }
    fn optimal(&self, magnitude: f64) -> f64 {
        self.electrons(magnitude).map(|n| n * n / (n + self.rows * self.pixel)).sum::<f64>().sqrt()
    }
    /// Median column, times the root of the columns taken together.
    fn median(&self, magnitude: f64, together: f64) -> f64 {
        let mut each: Vec<f64> = self.electrons(magnitude).map(|n| n / (n + self.rows * self.pixel).sqrt()).collect();
        median(&mut each).unwrap_or(f64::NAN) * together.sqrt()
    }
}

/// Magnitude at which a falling signal to noise is [`SNR`].
fn limit(snr: impl Fn(f64) -> f64) -> f64 {
    let (mut bright, mut faint) = (10.0, 32.0);
    for _ in 0..60 {
        let middle = 0.5 * (bright + faint);
        if snr(middle) > SNR {
            bright = middle;
        } else {
            faint = middle;
        }
    }
    bright
}

/// A detector of a band.
fn of_band<'a>(instrument: &'a Instrument, band: &str) -> anyhow::Result<&'a DetectorSpec> {
    let found = instrument.detectors.values().find(|d| d.geometry.filter == band);
    found.with_context(|| format!("{} has no detector of band {band}", instrument.name))
}

/// Limits of the three bands by the noise model, with as many exposures of a time as given (number, \[s\]).
///
/// # Errors
/// When the instrument lacks a band or a number of its noise.
pub fn modelled(instrument: &Instrument, exposures: (f64, f64)) -> anyhow::Result<Vec<Modelled>> {
    let mut out = Vec::new();
    for (band, range, published) in BANDS {
        let budget = Budget::new(of_band(instrument, band)?, instrument.area_cm2, range, exposures)?;
        out.push(Modelled {
            band: band.into(),
            sky: budget.sky,
            published,
            band_box: limit(|m| budget.boxed(m, ROWS as f64)),
            band_optimal: limit(|m| budget.optimal(m)),
            element: limit(|m| budget.median(m, ELEMENT)),
            column: limit(|m| budget.median(m, 1.0)),
        });
    }
    Ok(out)
}

/// The definition of the limits that are compared with the published ones, in words.
#[must_use]
pub fn definition() -> String {
    let rows = ROWS as f64 * 0.074;
    format!("whole band in a box of {ROWS} rows ({rows:.1} arcsec; assumed), {} x {} s, SNR {SNR}", EXPOSURES.0, EXPOSURES.1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn limits_of_the_noise_model_are_the_published_ones_and_the_box_is_the_closed_form() {
        let msc = instruments::description::load("msc").unwrap();
        for m in modelled(&msc, EXPOSURES).unwrap() {
            assert!((m.band_box - m.published).abs() < 0.15, "{m:?}");
            // Weights gain; an element has less light than the band, a column less than an element.
            assert!(
                m.band_optimal > m.band_box + 0.3 && m.element < m.band_box - 1.0 && (m.element - m.column - 0.753).abs() < 0.2,
                "{m:?}"
            );
            // Without noise of the star itself the limit is in closed form.
            let (_, range, _) = BANDS.into_iter().find(|b| b.0 == m.band).unwrap();
            let budget = Budget::new(of_band(&msc, &m.band).unwrap(), msc.area_cm2, range, EXPOSURES).unwrap();
            let light: f64 = budget.electrons(0.0).sum();
            let noise = (budget.columns.len() as f64 * ROWS as f64 * budget.pixel).sqrt();
            let closed = 2.5 * (light / (SNR * noise)).log10();
            assert!((m.band_box - closed).abs() < 0.01, "{} {closed}", m.band_box);
        }
        let short = modelled(&msc, (1.0, 150.0)).unwrap();
        // All noise is of the sky, dark and read: four exposures are twice as deep.
        assert!((modelled(&msc, EXPOSURES).unwrap()[2].band_box - short[2].band_box - 2.5 * 2f64.log10()).abs() < 0.02);
    }
}
