//! Point-source limits of the slitless bands: from the noise model, and from frames.
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
//! is assumed: one number fitted to three. Limits of an element or of a column are far brighter, and are given beside it.

use super::frames::{SlitlessFrame, of_folders};
use anyhow::{Context as _, bail};
use instruments::description::{DetectorSpec, Instrument};
use sim_core::dispersion::{Grating, Trace};
use sim_core::median::{SIGMA_PER_MAD, median};
use sim_core::units::{AB_ZERO_ERG_S_CM2_HZ, Nanometre, PLANCK_J_S};
use spectroscopy::extraction::frame::BAD;
use spectroscopy::extraction::table;
use std::collections::BTreeMap;
use std::f64::consts::PI;
use std::path::{Path, PathBuf};

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
/// Rows between the box and the sky beside it, and rows of that sky on either side.
const BESIDE: (i64, i64) = (4, 16);

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

/// Limits of a band measured on frames of stars of known brightness, scaled to the published exposures.
#[derive(Debug, Clone, PartialEq, serde::Serialize)]
pub struct Measured {
    /// Band.
    pub band: String,
    /// Stars and frames.
    pub stars: (usize, usize),
    /// Magnitude of the stars.
    pub magnitude: f64,
    /// Sky beside the spectra, dark taken away \[electron / s / pixel\], mean over the frames and its standard error.
    pub sky: (f64, f64),
    /// Whole band, box: limit and its standard error.
    pub band_box: (f64, f64),
    /// Whole band, sum of the extracted spectrum weighted by what the model expects; `None` without extracted spectra.
    pub band_optimal: Option<(f64, f64)>,
}

/// Sum of a box and the mean of the sky beside it; `None` where it leaves the frame.
fn boxed(frame: &SlitlessFrame, trace: &Trace, source: (f64, f64), range: (f64, f64), rows: f64) -> Option<(f64, f64)> {
    let image = &frame.frame;
    let (ny, nx) = image.rate.dim();
    let (mut a, mut b) = (trace.offset(trace.parameter(range.0)).0, trace.offset(trace.parameter(range.1)).0);
    (a, b) = (a.min(b) + source.0, a.max(b) + source.0);
    let half = (ROWS / 2) as i64;
    let (mut sum, mut sky) = (0.0, Vec::new());
    for column in a.round() as i64..b.round() as i64 {
        let y = source.1 + trace.offset(trace.parameter_of_column(column as f64 - source.0)?).1 + rows;
        let (x, row) = (column - image.origin.0 as i64, y.round() as i64 - image.origin.1 as i64);
        let reach = half + BESIDE.0 + BESIDE.1;
        if x < 2 || x + 2 >= nx as i64 || row < reach || row + reach >= ny as i64 {
            return None;
        }
        let good = |r: i64, c: i64| {
            let at = (r as usize, c as usize);
            (image.flags[at] & BAD == 0 && image.error[at].is_finite() && image.error[at] > 0.0).then(|| f64::from(image.rate[at]))
        };
        for d in -half..=half {
            // A pixel that is not good takes the mean of its neighbours along the trace.
            let value = good(row + d, x).or_else(|| {
                let near: Vec<f64> = [-2, -1, 1, 2].iter().filter_map(|s| good(row + d, x + s)).collect();
                (!near.is_empty()).then(|| near.iter().sum::<f64>() / near.len() as f64)
            });
            sum += value?;
        }
        for side in [-1, 1] {
            sky.extend((1..=BESIDE.1).filter_map(|d| good(row + side * (half + BESIDE.0 + d), x)));
        }
    }
    let level = clipped(&mut sky)?;
    Some((sum - level * (ROWS as i64 * (b.round() as i64 - a.round() as i64)) as f64, level))
}

/// Mean without what lies beyond four sigma: light of neighbours and hits that were missed.
fn clipped(values: &mut Vec<f64>) -> Option<f64> {
    for _ in 0..5 {
        let middle = median(values)?;
        let mut off: Vec<f64> = values.iter().map(|v| (v - middle).abs()).collect();
        let sigma = SIGMA_PER_MAD * median(&mut off)?;
        values.retain(|v| (v - middle).abs() <= 4.0 * sigma);
    }
    (!values.is_empty()).then(|| values.iter().sum::<f64>() / values.len() as f64)
}

/// Signals of stars by frame, and of empty places.
#[derive(Default)]
struct Signals {
    stars: BTreeMap<u64, Vec<f64>>,
    empty: Vec<f64>,
    skies: Vec<f64>,
    optimal: BTreeMap<u64, Vec<f64>>,
    magnitudes: Vec<f64>,
    frames: usize,
    time_s: f64,
}

/// Mean of the stars, standard deviation of one exposure, and the number of degrees of freedom that it has.
fn spread(stars: &BTreeMap<u64, Vec<f64>>, empty: &[f64]) -> (f64, f64, f64) {
    let (mut sum, mut count, mut squares, mut freedom) = (0.0, 0.0, 0.0, 0.0);
    for values in stars.values() {
        let n = values.len() as f64;
        let mean = values.iter().sum::<f64>() / n;
        (sum, count) = (sum + mean * n, count + n);
        if values.len() > 1 {
            squares += values.iter().map(|v| (v - mean).powi(2)).sum::<f64>();
            freedom += n - 1.0;
        }
    }
    squares += empty.iter().map(|v| v * v).sum::<f64>();
    freedom += empty.len() as f64;
    (sum / count, (squares / freedom).sqrt(), freedom)
}

/// Limit of the published exposures from the light \[electron\] and noise of one exposure, and its standard error.
fn scaled(magnitude: f64, light: f64, noise: f64, freedom: f64, exposures: f64) -> (f64, f64) {
    let sky = (noise * noise - light).max(0.0);
    let snr = |m: f64| {
        let n = light * 10f64.powf(-0.4 * (m - magnitude));
        exposures.sqrt() * n / (n + sky).sqrt()
    };
    (limit(snr), 1.086 / (2.0 * freedom).sqrt())
}

/// Measures the limits on the frames of folders: stars of one magnitude, spectra far from each other.
///
/// # Errors
/// When there are no frames, fewer than three stars in a band, exposures of another time than the published ones, or a list of objects cannot be read.
pub fn measured(folders: &[PathBuf], configuration: &Path, instrument: &Instrument) -> anyhow::Result<Vec<Measured>> {
    let mut by_band: BTreeMap<String, Signals> = BTreeMap::new();
    for frame in of_folders(folders)? {
        let band = frame.level1.filter.trim().to_string();
        let Some((_, range, _)) = BANDS.iter().find(|b| b.0 == band) else { bail!("{}: band {band} has no limit", frame.path.display()) };
        if (frame.level1.exposure_s - EXPOSURES.1).abs() > 0.5 {
            bail!("{}: {} s, the published limits are of exposures of {} s", frame.path.display(), frame.level1.exposure_s, EXPOSURES.1);
        }
        let gratings: Vec<Grating> =
            super::configuration::read(configuration, &band, frame.detector)?.into_iter().map(|c| c.grating).collect();
        let signals = by_band.entry(band).or_default();
        signals.frames += 1;
        signals.time_s = frame.level1.exposure_s;
        stars(&frame, &gratings, *range, signals)?;
        extracted(&frame, *range, instrument, signals)?;
    }
    let mut out = Vec::new();
    for (band, mut signals) in by_band {
        if signals.stars.len() < 3 {
            bail!("{band}: {} stars with all of their first order on the frames, three at least are needed", signals.stars.len());
        }
        let magnitude = median(&mut signals.magnitudes).unwrap_or(f64::NAN);
        let time_s = signals.time_s;
        let of = |(light, noise, freedom): (f64, f64, f64)| scaled(magnitude, light * time_s, noise * time_s, freedom, EXPOSURES.0);
        let n = signals.skies.len() as f64;
        let sky = signals.skies.iter().sum::<f64>() / n;
        let scatter = (signals.skies.iter().map(|v| (v - sky).powi(2)).sum::<f64>() / (n - 1.0).max(1.0) / n).sqrt();
        out.push(Measured {
            stars: (signals.stars.len(), signals.frames),
            magnitude,
            sky: (sky, scatter),
            band_box: of(spread(&signals.stars, &signals.empty)),
            band_optimal: (signals.optimal.len() > 2).then(|| of(spread(&signals.optimal, &[]))),
            band,
        });
    }
    Ok(out)
}

/// Boxes on the stars of a frame and beside them.
fn stars(frame: &SlitlessFrame, gratings: &[Grating], range: (f64, f64), out: &mut Signals) -> anyhow::Result<()> {
    let path = super::extract::own_list(&frame.path)?;
    let objects = super::closure::named(&path, "OBJECTS")?;
    let column = |name: &str| objects.f64s(name).with_context(|| format!("{}: column {name} is missing", path.display()));
    let ids = super::catalogue::ids(&objects).with_context(|| format!("{}: column OBJ_ID", path.display()))?;
    let (ra, dec, magnitudes) = (column("RA")?, column("DEC")?, column("MAG")?);
    for (i, id) in ids.iter().enumerate() {
        let Some(place) = frame.place(ra[i], dec[i])? else { continue };
        let Some(grating) = gratings.iter().find(|g| g.opening.share(place.0) > 0.99) else { continue };
        let Some(order) = grating.orders.iter().find(|o| o.number == 1) else { continue };
        let trace = order.trace(place.0, place.1);
        if let Some((sum, _)) = boxed(frame, &trace, place, range, 0.0) {
            out.stars.entry(*id).or_default().push(sum);
            out.magnitudes.push(magnitudes[i]);
        }
        for rows in [-58.0, 58.0] {
            if let Some((sum, level)) = boxed(frame, &trace, place, range, rows) {
                out.empty.push(sum);
                out.skies.push(level);
            }
        }
    }
    Ok(())
}

/// Whole-band sums of extracted spectra with the weights of an optimal sum for a star of constant f_nu.
fn extracted(frame: &SlitlessFrame, range: (f64, f64), instrument: &Instrument, out: &mut Signals) -> anyhow::Result<()> {
    let folder = frame.path.parent().and_then(Path::parent).map(|p| p.join("spectra"));
    let Some(path) = folder.map(|f| f.join(format!("{}_spec.fits", frame.name()))).filter(|p| p.is_file()) else { return Ok(()) };
    let spec = instrument.detectors.get(&frame.detector).with_context(|| format!("no detector {}", frame.detector))?;
    for spectrum in table::load(&path).with_context(|| path.display().to_string())?.iter().filter(|s| s.order == 1) {
        let (mut top, mut norm, mut all) = (0.0, 0.0, 0.0);
        for (k, nm) in spectrum.wavelength_nm.iter().enumerate().filter(|(_, nm)| **nm >= range.0 && **nm <= range.1) {
            let expected = spec.band.at(Nanometre(*nm)) / nm;
            all += expected;
            if spectrum.rate[k].is_finite() && spectrum.rate_error[k] > 0.0 {
                let weight = expected / spectrum.rate_error[k].powi(2);
                top += weight * spectrum.rate[k];
                norm += weight * expected;
            }
        }
        // In electrons of the whole band, so that the same star has the same signal in every exposure.
        if norm > 0.0 {
            out.optimal.entry(spectrum.id).or_default().push(top / norm * all);
        }
    }
    Ok(())
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

    #[test]
    fn a_limit_scales_with_the_exposures() {
        let (one, error) = scaled(22.0, 1000.0, 250.0, 200.0, 1.0);
        let (four, _) = scaled(22.0, 1000.0, 250.0, 200.0, 4.0);
        assert!((four - one - 0.753).abs() < 0.03 && (error - 0.054).abs() < 0.001, "{one} {four} {error}");
    }
}
