//! A whole frame: position, background, contamination, spectra.
//!
//! # Formula
//! Spectra that stand for a source in the model: `f = (e / s^2 + m / (p m)^2) / (1 / s^2 + 1 / (p m)^2)`, from photometry m and, once extracted, e with its error s.
//! # Symbols
//! p  relative uncertainty given to the broad-band spectrum, 0.3 (assumed)
//! # Source
//! Order of the steps: Kuemmel et al. 2009 (PASP 121, 59); Brammer et al. 2012 (ApJS 200, 13) for the contamination iterated with extracted spectra.
//! # Limits
//! A source without photometry puts no light into the model: it contaminates others unseen, and is listed. The model of a source is only as good as its shape.

mod one;
mod settings;

pub use one::{Task, extract_one};
pub use settings::{BAD, Instrument, Method, ProfileChoice, Settings};

use super::background::Background;
use super::catalogue::{self, Source};
use super::error::ExtractionError;
use super::model::{self, ModelSpectrum};
use super::psf::Psf;
use super::response::{Curve, ReadyOrder, ready};
use super::shape::Drawn;
use crate::image::SlitlessImage;
use crate::position::{self, Position};
use crate::spectrum::Extracted;
use ndarray::Array2;
use rayon::prelude::*;

/// Step of a model spectrum that was taken from the frame \[nm\].
const STEP_NM: f64 = 0.25;
/// Relative uncertainty of a broad-band spectrum (assumed).
const PRIOR: f64 = 0.3;

/// Everything that came out of a frame.
#[derive(Debug, Clone)]
pub struct FrameSpectra {
    /// Spectra, in the order of the catalogue, then of gratings, then of the orders asked for.
    pub spectra: Vec<Extracted>,
    /// What the position step found; `None` when it was switched off.
    pub position: Option<Position>,
    /// Background on its mesh.
    pub background: Background,
    /// The PSF used.
    pub psf: Psf,
    /// Whether it was measured on this frame.
    pub psf_measured: bool,
    /// Model of all traces, `[y, x]` \[electron / s / pixel\].
    pub model: Array2<f32>,
    /// The catalogue where the position step puts it.
    pub sources: Vec<Source>,
    /// Spectrum of each of them in the model; `None` without photometry.
    pub drawn: Vec<Option<ModelSpectrum>>,
    /// Sources without photometry: they are in no model.
    pub without_photometry: Vec<u64>,
    /// Sources whose photometry does not reach over the band, and by how many nm it was continued with constant f_nu.
    pub beyond_photometry: Vec<(u64, f64)>,
}

/// Takes the spectra of all sources brighter than the limit out of a frame.
///
/// # Errors
/// Planes of unequal shape, a configuration of another detector, a missing order, a catalogue or settings out of range.
pub fn extract_frame(
    image: &SlitlessImage,
    instrument: &Instrument,
    catalogue: &[Source],
    settings: &Settings,
) -> Result<FrameSpectra, ExtractionError> {
    check(image, instrument, settings)?;
    catalogue::check(catalogue)?;
    let orders = ready(instrument.gratings, instrument.area_cm2)?;
    let range = orders.iter().fold((f64::INFINITY, f64::NEG_INFINITY), |r, o| (r.0.min(o.range_nm.0), r.1.max(o.range_nm.1)));
    let mut sources = catalogue.to_vec();
    let mut background = Background::measure(image, None, settings.mesh_px, settings.faint, settings.bad);
    let position = match &settings.position {
        Some(how) => Some(position::solve(image, &background, &instrument.psf, instrument.gratings, &orders, &sources, how)?),
        None => None,
    };
    if let Some(p) = &position {
        for source in &mut sources {
            let (dx, dy) = p.correction.at(source.x, source.y);
            (source.x, source.y) = (source.x + dx, source.y + dy);
        }
    }
    let broad: Vec<Option<ModelSpectrum>> =
        sources.iter().map(|s| s.photometry.as_ref().map(|p| ModelSpectrum { curve: p.curve(range), smeared: false })).collect();
    let (rows, columns) = image.rate.dim();
    let window = (image.origin.0 as i64, image.origin.1 as i64, columns as i64, rows as i64);
    let mut spectra = broad.clone();
    let (mut psf, mut psf_measured) = (instrument.psf.clone(), false);
    let draw = |spectra: &[Option<ModelSpectrum>], psf: &Psf| {
        model::frame(&orders, instrument.gratings, &sources, spectra, psf, window, settings.faintest_column)
    };
    let mut frame = draw(&spectra, &psf);
    for iteration in 0..=settings.iterations {
        background = Background::measure(image, Some(frame.view()), settings.mesh_px, settings.faint, settings.bad);
        if iteration == settings.iterations {
            break;
        }
        let task = Task { image, instrument, orders: &orders, background: &background, model: &frame, psf: &psf, window, settings };
        let measured = if settings.measure_psf && iteration == 0 { one::measure_psf(&task, &sources, &spectra) } else { None };
        if let Some(measured) = measured {
            (psf, psf_measured) = (measured, true);
        }
        let task = Task { image, instrument, orders: &orders, background: &background, model: &frame, psf: &psf, window, settings };
        spectra = improved(&task, &sources, &broad, &spectra, range);
        frame = draw(&spectra, &psf);
    }
    let task = Task { image, instrument, orders: &orders, background: &background, model: &frame, psf: &psf, window, settings };
    let wanted = |order: &&ReadyOrder| settings.orders.contains(&order.order.number);
    let extracted: Vec<Vec<Extracted>> = (0..sources.len())
        .into_par_iter()
        .map(|i| {
            if !bright(&sources[i], &orders, settings.faintest_ab) {
                return Ok(Vec::new());
            }
            let drawn = Drawn::new(&psf, &sources[i].morphology);
            let each = orders.iter().filter(wanted).map(|order| extract_one(&task, order, &sources[i], spectra[i].as_ref(), &drawn));
            each.filter_map(Result::transpose).collect()
        })
        .collect::<Result<_, ExtractionError>>()?;
    Ok(FrameSpectra {
        spectra: extracted.into_iter().flatten().collect(),
        position,
        background,
        psf,
        psf_measured,
        model: frame,
        without_photometry: sources.iter().filter(|s| s.photometry.is_none()).map(|s| s.id).collect(),
        beyond_photometry: sources
            .iter()
            .filter_map(|s| s.photometry.as_ref().map(|p| (s.id, p.beyond_nm(range))))
            .filter(|(_, nm)| *nm > 0.0)
            .collect(),
        sources,
        drawn: spectra,
    })
}

fn check(image: &SlitlessImage, instrument: &Instrument, settings: &Settings) -> Result<(), ExtractionError> {
    let expected = image.rate.dim();
    for (name, got) in [("error", image.error.dim()), ("flags", image.flags.dim())] {
        if got != expected {
            return Err(ExtractionError::Shape { name, got, expected });
        }
    }
    if expected.0 < 8 || expected.1 < 8 {
        return Err(ExtractionError::Value {
            key: "rows or columns of the frame",
            value: expected.0.min(expected.1) as f64,
            range: "8 at least",
        });
    }
    if instrument.configured_detector != instrument.frame_detector {
        let (got, expected) = (instrument.configured_detector.to_string(), instrument.frame_detector.to_string());
        return Err(ExtractionError::Detector { got, expected });
    }
    if !(image.time_s > 0.0 && image.time_s.is_finite()) {
        return Err(ExtractionError::Value { key: "time_s", value: image.time_s, range: "above 0" });
    }
    if instrument.gratings.is_empty() {
        return Err(ExtractionError::Value { key: "number of gratings", value: 0.0, range: "1 at least" });
    }
    for (grating, g) in instrument.gratings.iter().enumerate() {
        for &order in &settings.orders {
            if !g.orders.iter().any(|o| o.number == order) {
                let has = g.orders.iter().map(|o| o.number).collect();
                return Err(ExtractionError::MissingOrder { grating, order, has });
            }
        }
    }
    settings.check()
}

/// Whether a source is to be extracted: bright enough at the middle of the first order asked for, or without photometry.
fn bright(source: &Source, orders: &[ReadyOrder], faintest_ab: f64) -> bool {
    let middle = orders.iter().find(|o| o.order.number == 1).or(orders.first()).map_or(500.0, |o| 0.5 * (o.range_nm.0 + o.range_nm.1));
    source.photometry.as_ref().is_none_or(|p| super::photometry::ab_of_flux(p.at(middle), middle) <= faintest_ab)
}

/// Model spectra of bright sources put right by what the frame shows in order 1.
fn improved(
    task: &Task,
    sources: &[Source],
    broad: &[Option<ModelSpectrum>],
    now: &[Option<ModelSpectrum>],
    range: (f64, f64),
) -> Vec<Option<ModelSpectrum>> {
    (0..sources.len())
        .into_par_iter()
        .map(|i| {
            let (Some(prior), source) = (&broad[i], &sources[i]) else { return broad[i].clone() };
            if !bright(source, task.orders, task.settings.iterate_ab) {
                return broad[i].clone();
            }
            let first = task.orders.iter().filter(|o| o.order.number == 1).max_by(|a, b| {
                let share = |o: &ReadyOrder| task.instrument.gratings[o.grating].opening.share(source.x);
                share(a).total_cmp(&share(b))
            });
            let drawn = Drawn::new(task.psf, &source.morphology);
            let spectrum = first.and_then(|order| extract_one(task, order, source, now[i].as_ref(), &drawn).ok().flatten());
            spectrum.map_or_else(|| broad[i].clone(), |s| Some(combined(&s, &prior.curve, range)))
        })
        .collect()
}

/// Extracted and broad-band spectrum by their inverse variances; the broad-band one where there is no other.
fn combined(extracted: &Extracted, prior: &Curve, range: (f64, f64)) -> ModelSpectrum {
    let points: Vec<(f64, f64, f64)> = extracted
        .wavelength_nm
        .iter()
        .zip(extracted.flux.iter().zip(&extracted.flux_error))
        .filter(|(_, (f, e))| f.is_finite() && e.is_finite() && **e > 0.0)
        .map(|(w, (f, e))| {
            let m = prior.at(*w);
            let (a, b) = (1.0 / (e * e), 1.0 / (PRIOR * m).powi(2).max(1e-300));
            (*w, ((a * f + b * m) / (a + b)).max(0.0), m)
        })
        .collect();
    let gap = points.windows(2).map(|p| p[1].0 - p[0].0).fold(f64::INFINITY, f64::min) * 3.5;
    let curve = Curve::sample(range.0, range.1, STEP_NM, |w| {
        let i = points.partition_point(|p| p.0 <= w);
        if i == 0 || i == points.len() || points[i].0 - points[i - 1].0 > gap {
            return prior.at(w);
        }
        let (a, b) = (points[i - 1], points[i]);
        a.1 + (w - a.0) / (b.0 - a.0) * (b.1 - a.1)
    });
    ModelSpectrum { curve, smeared: true }
}
