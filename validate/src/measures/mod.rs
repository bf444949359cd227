//! Measures of a frame against its truth.
//!
//! Every measure has a name, a unit, a value and an error; the names are those of [`MEASURES`], and criteria may use
//! no others.

pub mod astrometric;
pub mod calibration;
pub mod charge_transfer;
pub mod completeness;
pub mod cosmic_rays;
pub mod depth;
pub mod effect;
pub mod matching;
pub mod noise;
pub mod photometric;
pub mod picture;
pub mod population;
mod pull_sums;
pub mod reference;
pub mod residual;

use crate::error::ValidateError;
use crate::level2::photometry::Growth;
use crate::level2::{Level2, Level2Options, process};
use crate::product::{L1Frame, NoiseKnowledge, TruthObject, read_image, read_truth};
use crate::statistics::Moments;
use ndarray::Array2;
use serde::{Deserialize, Serialize};
use sim_core::ledger::LedgerLine;
use sim_core::level1::Level1Files;
use sim_core::table::Table;
use std::collections::BTreeMap;
use std::path::PathBuf;

/// Name, unit and meaning of every measure.
pub const MEASURES: &[(&str, &str, &str)] = &[
    ("detections", "", "sources found"),
    ("recovery_isolated_snr5", "", "fraction of isolated true point sources with expected SNR > 5 that were found"),
    ("purity_snr5", "", "fraction of detections with SNR > 5 that have a true object within 2 pixels"),
    ("completeness50_mag", "mag", "magnitude at which half of the true stars are found"),
    ("photometry_pull_mean", "", "mean of (measured - true) / error, forced PSF photometry of isolated stars, SNR 5..200"),
    ("photometry_pull_std", "", "standard deviation of the pulls of forced PSF photometry"),
    ("aperture_pull_mean", "", "mean pull of 5-pixel aperture photometry of isolated stars, SNR 5..200"),
    ("aperture_pull_std", "", "standard deviation of the pulls of aperture photometry"),
    ("photometry_bright_rms_mag", "mag", "rms of measured - true magnitude, isolated unsaturated stars, SNR > 200"),
    ("zero_point", "mag", "recovered zero point: AB magnitude of 1 electron / s"),
    ("zero_point_offset", "mag", "recovered minus true zero point"),
    ("astrometry_pull_std", "", "standard deviation of (centroid - true position) / predicted error, isolated stars, SNR 10..200"),
    ("astrometry_bright_rms_px", "pixel", "rms of centroid - true position per axis, isolated stars, SNR > 200"),
    ("astrometry_sky_offset_mas", "mas", "median offset on the sky of centroids through the header's WCS from the true positions"),
    ("astrometry_sky_rms_mas", "mas", "rms about the median sky offset per axis, isolated stars, SNR > 30"),
    ("noise_ratio", "", "measured variance of blank sky / variance predicted from sky, dark, read noise and masters"),
    ("weight_ratio", "", "measured variance of blank sky / variance stated by the weight map"),
    ("blank_sky_pull_mean", "", "mean of (pixel - sky) sqrt(weight) over blank sky"),
    ("blank_sky_pull_std", "", "standard deviation of (pixel - sky) sqrt(weight) over blank sky"),
    (
        "depth_5sigma",
        "mag",
        "5-sigma point-source limit: r = 0.15 arcsec, N exposures, noise per pixel from blank apertures times the full aperture area",
    ),
    ("depth_5sigma_exact", "mag", "5-sigma limit with the noise of exact-overlap apertures as measured"),
    ("aperture_fraction", "", "fraction of a star's light inside r = 0.15 arcsec"),
    ("psf_fwhm_px", "pixel", "full width at half maximum of the effective PSF"),
    ("psf_ellipticity", "", "modulus of the effective PSF's ellipticity at the centre of the frame"),
    ("psf_ree80_arcsec", "arcsec", "radius that encloses 80 % of a star's light, pixel included"),
    ("psf_stars", "", "stars from which the PSF was measured"),
    ("sky_electron_s", "electron/s", "sky level per pixel"),
    ("flagged_fraction", "", "fraction of pixels without weight"),
    ("residual_pull_mean", "", "mean of (level 1 - noiseless truth) / sigma"),
    ("residual_pull_std", "", "standard deviation of (level 1 - noiseless truth) / sigma"),
    ("residual_source_pull_std", "", "the same standard deviation on pixels where sources rise above the sky noise"),
    ("cosmic_ray_recall", "", "pixels hit by cosmic rays (charge > 5 sigma, >= 10 electrons) that are flagged"),
    ("cosmic_ray_precision", "", "pixels flagged as cosmic rays that are hit"),
    ("cosmic_ray_event_recall", "", "hits with a flagged pixel"),
    ("cosmic_ray_source_damage", "", "clean source pixels flagged as cosmic rays"),
    ("cosmic_ray_line_damage", "", "spectra without a slit: clean pixels of zeroth orders and emission lines flagged as cosmic rays"),
    (
        "cosmic_ray_lines_lost",
        "",
        "spectra without a slit: zeroth orders and emission lines that lose more than a tenth of their light to flags of cosmic rays that did not hit",
    ),
    ("cosmic_ray_recall_ceiling", "", "recall of a detector that knows the noiseless sky, at its best F1"),
    ("cosmic_ray_precision_ceiling", "", "precision of that detector"),
    ("cosmic_ray_f1_below_ceiling", "", "F1 of that detector minus F1 measured"),
    (
        "cti_light_1000_before",
        "",
        "light gained by stars of 1000 to 3000 electrons, r = 5 pixel, in the quarter of the rows furthest from the register; charge transfer not undone",
    ),
    ("cti_light_1000", "", "the same, undone"),
    ("cti_centroid_1000_before", "pixel", "shift of these stars away from the register; charge transfer not undone"),
    ("cti_centroid_1000", "pixel", "the same, undone"),
    ("cti_ellipticity_1000_before", "", "change of the ellipticity of these stars along the columns; charge transfer not undone"),
    ("cti_ellipticity_1000", "", "the same, undone"),
    ("cti_trail_removed_1000", "", "part of the charge in the trails of stars of 1000 to 3000 electrons that was removed, all distances"),
    (
        "cti_light_3000_before",
        "",
        "light gained by stars of more than 3000 electrons, r = 5 pixel, in the quarter of the rows furthest from the register; charge transfer not undone",
    ),
    ("cti_light_3000", "", "the same, undone"),
    ("cti_centroid_3000_before", "pixel", "shift of these stars away from the register; charge transfer not undone"),
    ("cti_centroid_3000", "pixel", "the same, undone"),
    ("cti_ellipticity_3000_before", "", "change of the ellipticity of these stars along the columns; charge transfer not undone"),
    ("cti_ellipticity_3000", "", "the same, undone"),
    ("cti_trail_removed_3000", "", "part of the charge in the trails of stars of more than 3000 electrons that was removed, all distances"),
    ("closure_pull_mean", "", "calibration: mean of residual / sigma"),
    ("closure_pull_std", "", "calibration: standard deviation of residual / sigma"),
    ("closure_chi2", "", "calibration: mean of (residual / sigma)^2, outliers included"),
    ("closure_row_pull_std", "", "calibration: standard deviation of row means in units of their error (1 when there is no row structure)"),
    ("reference_offset", "", "a reference's figure on a calibration exposure it was not made of, minus what a right reference gives"),
    ("effect_rms_before", "sigma", "effect left in: rms change of the pixels in units of their errors"),
    ("effect_rms_after", "sigma", "effect undone: rms change of the pixels that keep weight, in units of their errors"),
    ("effect_pixels_before", "", "effect left in: pixels changed by more than their error"),
    ("effect_pixels_after", "", "effect undone: pixels that keep weight and are changed by more than their error"),
    ("effect_left", "", "effect undone over effect left in: root of the ratio of the sums of squared changes"),
    ("effect_flux_before", "", "effect left in: mean relative change of a star's flux in 5 pixels"),
    ("effect_flux_after", "", "effect undone: mean relative change of a star's flux in 5 pixels"),
    ("effect_size_before", "", "effect left in: mean relative change of a star's size"),
    ("effect_size_after", "", "effect undone: mean relative change of a star's size"),
    ("effect_shift_before", "pixel", "effect left in: rms shift of stars"),
    ("effect_shift_after", "pixel", "effect undone: rms shift of stars"),
    ("effect_ellipticity_before", "", "effect left in: rms change of a star's ellipticity"),
    ("effect_ellipticity_after", "", "effect undone: rms change of a star's ellipticity"),
    ("closure_column_pull_std", "", "calibration: standard deviation of column means in units of their error"),
];

/// A measured number.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Measure {
    /// Value, in the unit of [`MEASURES`].
    pub value: f64,
    /// Standard error, where there is one.
    pub error: Option<f64>,
    /// Objects, pixels or frames it rests on.
    pub count: Option<usize>,
}

/// Measures by name; only finite values enter.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Measures(pub BTreeMap<String, Measure>);

impl Measures {
    /// Enters a value; the name must be one of [`MEASURES`] (a broken invariant of ours otherwise).
    pub(crate) fn set(&mut self, name: &str, value: f64, error: Option<f64>, count: usize) {
        assert!(MEASURES.iter().any(|m| m.0 == name), "measure {name} is not registered");
        if value.is_finite() {
            self.0.insert(name.into(), Measure { value, error: error.filter(|e| e.is_finite()), count: Some(count) });
        }
    }
    /// Enters mean and standard deviation of a sample of pulls.
    pub(crate) fn set_moments(&mut self, mean: &str, std: &str, moments: &Moments) {
        self.set(mean, moments.mean, Some(moments.mean_error), moments.count);
        self.set(std, moments.std, Some(moments.std_error), moments.count);
    }
    /// A measure.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&Measure> {
        self.0.get(name)
    }
}

/// A histogram of pulls with its moments.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Histogram {
    /// What it shows.
    pub name: String,
    /// Left edge of the first bin.
    pub low: f64,
    /// Right edge of the last bin.
    pub high: f64,
    /// Counts.
    pub counts: Vec<u64>,
    /// Moments of the sample.
    pub moments: Option<Moments>,
}

impl Histogram {
    /// A histogram of pulls between -5 and 5.
    #[must_use]
    pub fn of_pulls(name: &str, pulls: &[f64], moments: Option<Moments>) -> Self {
        let mut counts = vec![0; if pulls.len() < 2000 { 40 } else { 100 }];
        for p in pulls {
            let bin = ((p + 5.0) / 10.0 * counts.len() as f64).floor();
            if bin >= 0.0 && (bin as usize) < counts.len() {
                counts[bin as usize] += 1;
            }
        }
        Self { name: name.into(), low: -5.0, high: 5.0, counts, moments }
    }
}

/// A noiseless truth image.
#[derive(Debug, Clone)]
pub struct NoiselessInput {
    /// File: the same window as the frame. Unit from BUNIT: `electron` (of the exposure) or `electron/s`.
    pub path: PathBuf,
    /// Whether the sky is in it. The dark current must not be (level 1 has it subtracted).
    pub includes_sky: bool,
}

/// The same frame without one correction, for a comparison.
#[derive(Debug, Clone)]
pub struct Before {
    /// Level 1.
    pub files: Level1Files,
    /// Rows of the whole detector.
    pub rows: usize,
}

/// Where everything of one frame is.
#[derive(Debug, Clone)]
pub struct FrameInputs {
    /// Name in the report, e.g. `r, chip 9`.
    pub label: String,
    /// Level 1.
    pub files: Level1Files,
    /// Object table of the truth.
    pub truth: PathBuf,
    /// Noiseless truth image, when there is one.
    pub noiseless: Option<NoiselessInput>,
    /// Ledger of the effects (JSON list of [`LedgerLine`]), when there is one.
    pub ledger: Option<PathBuf>,
    /// Noise of the detector, for the budget.
    pub noise: Option<NoiseKnowledge>,
    /// AB magnitude of 1 electron / s of the band; taken from the truth table when absent.
    pub zero_point: Option<f64>,
    /// Exposures to which the limiting magnitude is scaled; the survey's own number when absent.
    pub depth_exposures: Option<u32>,
    /// The frame without the correction of charge transfer, when it was asked for.
    pub before: Option<Before>,
}

impl FrameInputs {
    /// Whether the frame holds spectra: nothing of it is measured as an image's stars are.
    #[must_use]
    pub fn is_slitless(&self) -> bool {
        matches!(self.files, Level1Files::Slitless(_))
    }
}

/// All measures of a frame, and what the report draws.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct FrameMeasures {
    /// Name in the report.
    pub label: String,
    /// Band.
    pub filter: String,
    /// Detector.
    pub detector: String,
    /// Exposure time \[s\].
    pub exposure_s: f64,
    /// Rows and columns.
    pub shape: (usize, usize),
    /// Pixel scale \[arcsec\].
    pub pixel_scale_arcsec: f64,
    /// The numbers.
    pub values: Measures,
    /// What could not be measured and why, and what was assumed.
    pub notes: Vec<String>,
    /// Found fractions.
    pub completeness: completeness::Completeness,
    /// Photometry of single stars.
    pub photometry: Vec<photometric::StarPhotometry>,
    /// Positions of single stars.
    pub astrometry: Vec<astrometric::StarPosition>,
    /// Noise budget of blank sky.
    pub noise: noise::NoiseBudget,
    /// Growth curve.
    pub growth: Option<Growth>,
    /// Pull distributions.
    pub histograms: Vec<Histogram>,
    /// Limiting magnitude, with its ingredients.
    pub depth: Option<depth::Depth>,
    /// The effects' ledger.
    pub ledger: Vec<LedgerLine>,
    /// Scores of the cosmic-ray flags; empty without a truth.
    #[serde(default)]
    pub cosmic_rays: Vec<cosmic_rays::table::Row>,
    /// Pictures.
    pub pictures: Vec<picture::Picture>,
    /// Stars by distance from the register, with charge transfer and with its correction.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub transfer: Vec<charge_transfer::TransferBin>,
}

/// Reads the products of a frame, makes its level 2 and measures it.
///
/// # Errors
/// When a file is missing, unreadable or does not fit the others. What merely cannot be measured (too few stars) is
/// absent from the measures and said in the notes.
pub fn measure(inputs: &FrameInputs) -> Result<FrameMeasures, ValidateError> {
    measure_with_catalogue(inputs).map(|(measures, _)| measures)
}

/// As [`measure`], with the level-2 catalogue it rests on; spectra without a slit have none.
///
/// # Errors
/// As [`measure`].
pub fn measure_with_catalogue(inputs: &FrameInputs) -> Result<(FrameMeasures, Option<Table>), ValidateError> {
    let frame = L1Frame::read(&inputs.files)?;
    let truth = read_truth(&inputs.truth, &frame)?;
    let noiseless = inputs.noiseless.as_ref().map(|n| read_noiseless(n, &frame)).transpose()?;
    let ledger = match &inputs.ledger {
        None => Vec::new(),
        Some(path) => {
            let text = std::fs::read_to_string(path).map_err(|source| ValidateError::Io { path: path.display().to_string(), source })?;
            serde_json::from_str(&text).map_err(|e| ValidateError::content(path, format!("is not a ledger: {e}")))?
        }
    };
    let level2 = process(&frame, &Level2Options::default());
    let zero_point = inputs.zero_point.or_else(|| photometric::true_zero_point(&truth));
    let catalogue = (!inputs.is_slitless()).then(|| level2.catalogue.table(frame.wcs.as_ref(), zero_point));
    let mut measures = measure_frame(inputs, &frame, &level2, &truth, noiseless.as_ref(), ledger);
    if let (Some(hits), Some(noiseless)) = (cosmic_rays::in_frame::read(&inputs.truth, &frame)?, &noiseless) {
        let scene = cosmic_rays::in_frame::Scene { frame: &frame, level2: &level2, noiseless, slitless: inputs.is_slitless() };
        cosmic_rays::in_frame::measure(&mut measures, &scene, &hits, inputs.noise.as_ref());
    }
    if let (Some(before), Some(rate), Some(input)) = (&inputs.before, &noiseless, &inputs.noiseless) {
        let spoilt = L1Frame::read(&before.files)?;
        let comparison =
            charge_transfer::Comparison { after: &frame, before: &spoilt, level2: &level2, noiseless: rate, rows: before.rows };
        comparison.measure(&mut measures, &truth, input);
    }
    Ok((measures, catalogue))
}

/// The noiseless image as a rate, sky-subtracted or not as it came.
fn read_noiseless(input: &NoiselessInput, frame: &L1Frame) -> Result<Array2<f32>, ValidateError> {
    let (mut pixels, header) = read_image(&input.path)?;
    if pixels.dim() != frame.rate.dim() {
        return Err(ValidateError::Shape {
            path: input.path.display().to_string(),
            got: pixels.dim(),
            need: frame.rate.dim(),
            like: "the level-1 image".into(),
        });
    }
    match header.text("BUNIT").map(str::trim) {
        Some("electron" | "electrons" | "e-") => pixels.mapv_inplace(|v| v / frame.exposure_s as f32),
        Some("electron/s" | "electron / s" | "e-/s") => {}
        other => {
            return Err(ValidateError::Keyword {
                path: input.path.display().to_string(),
                key: "BUNIT".into(),
                problem: format!("= {other:?}; must be 'electron' or 'electron/s'"),
            });
        }
    }
    Ok(pixels)
}

/// Measures a frame already in memory. `noiseless` is a rate \[electron / s\].
#[must_use]
pub fn measure_frame(
    inputs: &FrameInputs,
    frame: &L1Frame,
    level2: &Level2,
    truth: &[TruthObject],
    noiseless: Option<&Array2<f32>>,
    ledger: Vec<LedgerLine>,
) -> FrameMeasures {
    let mut out = FrameMeasures {
        label: inputs.label.clone(),
        filter: frame.filter.clone(),
        detector: frame.detector.clone(),
        exposure_s: frame.exposure_s,
        shape: frame.rate.dim(),
        pixel_scale_arcsec: frame.pixel_scale_arcsec,
        values: Measures::default(),
        notes: Vec::new(),
        completeness: completeness::Completeness::default(),
        photometry: Vec::new(),
        astrometry: Vec::new(),
        noise: noise::NoiseBudget::default(),
        growth: level2.catalogue.growth.clone(),
        histograms: Vec::new(),
        depth: None,
        ledger,
        cosmic_rays: Vec::new(),
        pictures: Vec::new(),
        transfer: Vec::new(),
    };
    describe(&mut out, frame, level2);
    if inputs.is_slitless() {
        out.growth = None;
        out.notes.push("Spectra without a slit: `skyloop spectra` measures sources; here are noise, residuals and flags alone.".into());
        noise::measure(&mut out, frame, level2, inputs.noise.as_ref());
    } else {
        describe_stars(&mut out, frame, level2);
        let population = population::Population::new(frame, level2, truth);
        completeness::measure(&mut out, level2, truth, &population);
        let zero_point = inputs.zero_point.or_else(|| photometric::true_zero_point(truth));
        let offset = astrometric::measure(&mut out, frame, level2, truth, &population);
        let recovered = photometric::measure(&mut out, level2, truth, &population, offset, zero_point);
        noise::measure(&mut out, frame, level2, inputs.noise.as_ref());
        depth::measure(&mut out, level2, recovered, inputs.depth_exposures);
    }
    picture::frame(&mut out, frame, level2);
    if let Some(noiseless) = noiseless {
        let includes_sky = inputs.noiseless.as_ref().is_some_and(|n| n.includes_sky);
        residual::measure(&mut out, frame, level2, noiseless, includes_sky);
    }
    out
}

/// Properties of the frame itself: sky and flags.
fn describe(out: &mut FrameMeasures, frame: &L1Frame, level2: &Level2) {
    let pixels = frame.rate.len();
    let good: usize = level2.frame.good.rows().into_iter().map(|r| r.iter().filter(|g| **g).count()).sum();
    out.values.set("flagged_fraction", 1.0 - good as f64 / pixels as f64, None, pixels);
    let sky = &level2.frame.background.level;
    out.values.set("sky_electron_s", sky.median(), None, sky.values.len());
}

/// Properties of the stars of an image: how many sources there are, PSF.
fn describe_stars(out: &mut FrameMeasures, frame: &L1Frame, level2: &Level2) {
    out.values.set("detections", level2.catalogue.sources.len() as f64, None, level2.catalogue.sources.len());
    match &level2.psf {
        None => out.notes.push(format!(
            "Fewer than {} isolated bright stars: no PSF was measured, so nothing that rests on it.",
            crate::level2::psf_model::MIN_STARS
        )),
        Some(psf) => {
            let (ny, nx) = frame.rate.dim();
            let centre = psf.at(nx as f64 / 2.0, ny as f64 / 2.0);
            let (e1, e2) = centre.ellipticity();
            out.values.set("psf_fwhm_px", centre.fwhm_px(), None, psf.stars);
            out.values.set("psf_ellipticity", e1.hypot(e2), None, psf.stars);
            out.values.set("psf_stars", psf.stars as f64, None, psf.stars);
        }
    }
    if let Some(growth) = &level2.catalogue.growth {
        let i = growth.fraction.partition_point(|&f| f < 0.8).clamp(1, growth.fraction.len() - 1);
        let (r0, r1, f0, f1) = (growth.radius_px[i - 1], growth.radius_px[i], growth.fraction[i - 1], growth.fraction[i]);
        let radius = r0 + (r1 - r0) * (0.8 - f0) / (f1 - f0);
        let error = growth.error[i] * (r1 - r0) / (f1 - f0);
        let scale = frame.pixel_scale_arcsec;
        out.values.set("psf_ree80_arcsec", radius * scale, Some(error * scale), growth.stars);
    }
}
