//! One order of one source, from pixels to a calibrated spectrum.
//!
//! # Formula
//! `f_lambda = rate / (R |d lambda / d x|)`; a line's width is that of PSF, shape along the dispersion and pixel, times the dispersion.
//! # Symbols
//! R  response with the share of the opening
//! # Source
//! Horne 1986 (PASP 98, 609).
//! # Limits
//! The error of the local background is in every element's error, and common to neighbours.

use super::settings::{Instrument, Method, ProfileChoice, Settings};
use crate::extraction::background::{Background, residual};
use crate::extraction::beam::Beam;
use crate::extraction::boxed::{self, Element};
use crate::extraction::catalogue::{Morphology, Source};
use crate::extraction::elements::Patch;
use crate::extraction::error::ExtractionError;
use crate::extraction::model::{ModelSpectrum, stamp};
use crate::extraction::optimal;
use crate::extraction::profile::Profile;
use crate::extraction::psf::Psf;
use crate::extraction::response::ReadyOrder;
use crate::extraction::shape::Drawn;
use crate::extraction::wings;
use crate::extraction::{NO_SENSITIVITY, PARTIAL};
use crate::image::SlitlessImage;
use crate::spectrum::Extracted;
use ndarray::Array2;

/// Share of the profile that optimal extraction uses.
const OPTIMAL_SHARE: f64 = 0.995;
/// Share of the profile inside which no background is looked for.
const INNER_SHARE: f64 = 0.99;
/// Rows beyond it on either side that are looked at for the background \[pixel\].
const OUTER_PX: f64 = 10.0;

/// Reach of a measured PSF \[pixel\].
const WINDOW_PX: f64 = 8.0;

/// What all sources of a frame have in common.
#[derive(Debug, Clone, Copy)]
pub struct Task<'a, 'p> {
    /// The frame.
    pub image: &'a SlitlessImage<'p>,
    /// The instrument.
    pub instrument: &'a Instrument<'a>,
    /// Its orders.
    pub orders: &'a [ReadyOrder<'a>],
    /// Background.
    pub background: &'a Background,
    /// Model of all traces.
    pub model: &'a Array2<f32>,
    /// PSF in use.
    pub psf: &'a Psf,
    /// The frame on the detector: first column, first row, columns, rows.
    pub window: (i64, i64, i64, i64),
    /// Settings.
    pub settings: &'a Settings,
}

/// Pixels and elements of one order of a source; `None` off the frame.
fn elements(
    task: &Task,
    order: &ReadyOrder,
    source: &Source,
    spectrum: Option<&ModelSpectrum>,
    drawn: &Drawn,
) -> Result<Option<(Patch, Vec<Element>, f64)>, ExtractionError> {
    let Some(beam) = Beam::new(order, task.instrument.gratings, source)? else { return Ok(None) };
    let (low, high) = (task.window.0, task.window.0 + task.window.2);
    if !beam.columns.iter().any(|c| c.column >= low && c.column < high) {
        return Ok(None);
    }
    let settings = task.settings;
    let middle = 0.5 * (order.range_nm.0 + order.range_nm.1);
    let across = drawn.across();
    let (inner, used) = (across.radius(INNER_SHARE, middle), across.radius(OPTIMAL_SHARE, middle));
    let half = if settings.local_background { used.max(inner + OUTER_PX) } else { used + 1.0 };
    let own = spectrum.and_then(|s| stamp(order, task.instrument.gratings, source, s, drawn, task.window));
    let others = settings.contamination.then_some((task.model.view(), own.as_ref()));
    let mut patch = Patch::cut(task.image, &beam, task.background, others, half, settings.bad);
    if patch.columns.is_empty() {
        return Ok(None);
    }
    let aperture = if let Method::Box { share } = settings.method { across.radius(share, middle) } else { used };
    let take = |patch: &mut Patch, profile: &Profile| match settings.method {
        Method::Box { .. } => boxed::extract(patch, profile, aperture),
        Method::Optimal { reject } => optimal::extract(patch, profile, aperture, reject),
    };
    let mut out = take(&mut patch, across);
    let mut left = 0.0;
    if settings.local_background {
        let own = |i: usize, d: f64| {
            let e = &out[i];
            let w = patch.columns[i].wavelength_nm;
            if e.rate.is_finite() { e.rate * (across.pixel(d, w) + across.wing(d, w)) } else { 0.0 }
        };
        if let Some((values, error)) = residual(&patch, inner, own) {
            patch.lower(&values);
            left = error;
            // Both methods are linear in the pixels: the weights need not be found again.
            for (e, residual) in out.iter_mut().zip(&values) {
                e.rate -= residual * e.lever;
                e.background += residual * e.lever;
            }
        }
    }
    if let ProfileChoice::Data { least } = settings.profile
        && let Some(profile) = optimal::data_profile(&patch, &out, used, least, across.below(used, middle) - across.below(-used, middle))
    {
        out = take(&mut patch, &profile);
    }
    Ok(Some((patch, out, left)))
}

/// One order of one source; `None` when the grating gets none of its light or the order is off the frame.
///
/// # Errors
/// A trace that cannot be followed ([`Beam::new`]).
pub fn extract_one(
    task: &Task,
    order: &ReadyOrder,
    source: &Source,
    spectrum: Option<&ModelSpectrum>,
    drawn: &Drawn,
) -> Result<Option<Extracted>, ExtractionError> {
    let Some((patch, elements, left)) = elements(task, order, source, spectrum, drawn)? else { return Ok(None) };
    let n = elements.len();
    let with = || Vec::with_capacity(n);
    let (band, number) = (task.instrument.band.into(), order.order.number);
    let mut out = Extracted { id: source.id, band, order: number, grating: order.grating, ..Extracted::default() };
    (out.wavelength_nm, out.rate, out.rate_error, out.contamination) = (with(), with(), with(), with());
    (out.background, out.flux, out.flux_error, out.flags) = (with(), with(), with(), Vec::with_capacity(n));
    let mut dispersions: Vec<f64> = Vec::with_capacity(n);
    for (column, e) in patch.columns.iter().zip(&elements) {
        let error = (e.variance + (left * e.lever).powi(2)).sqrt();
        let scale = if column.sensitive { column.beam.response * column.beam.dispersion } else { f64::NAN };
        let partial = if e.partial { PARTIAL } else { 0 };
        let blind = if column.sensitive { 0 } else { NO_SENSITIVITY };
        out.wavelength_nm.push(column.wavelength_nm);
        out.rate.push(e.rate);
        out.rate_error.push(error);
        out.contamination.push(e.contamination);
        out.background.push(e.background);
        out.flux.push(e.rate / scale);
        out.flux_error.push(error / scale);
        out.flags.push(e.flags | partial | blind);
        dispersions.push(column.beam.dispersion);
    }
    let dispersion = sim_core::median::median(&mut dispersions).unwrap_or(f64::NAN);
    let middle = 0.5 * (order.range_nm.0 + order.range_nm.1);
    let along = Profile::new(task.psf, source.morphology.ellipse().0, source.morphology.bulge());
    out.line_fwhm_nm = along.table(middle).fwhm() * dispersion;
    Ok(Some(out))
}

/// Pixels far to either side of an order, for the wings.
fn wide_patch(task: &Task, order: &ReadyOrder, source: &Source, spectrum: Option<&ModelSpectrum>, drawn: &Drawn) -> Option<Patch> {
    let beam = Beam::new(order, task.instrument.gratings, source).ok()??;
    let own = spectrum.and_then(|s| stamp(order, task.instrument.gratings, source, s, drawn, task.window));
    Some(Patch::cut(task.image, &beam, task.background, Some((task.model.view(), own.as_ref())), wings::REACH_PX, task.settings.bad))
}

/// The PSF from the frame's bright, isolated stars in order 1: less than 2 % contamination over the trace, columns above 20 sigma, three ranges of wavelength with 60
/// columns each at least; `None` when there are not enough. The share of the light within its window is measured where the stars are bright enough for that.
pub(super) fn measure_psf(task: &Task, sources: &[Source], spectra: &[Option<ModelSpectrum>]) -> Option<Psf> {
    const MOST: usize = 60;
    let middle = task.orders.iter().find(|o| o.order.number == 1).map(|o| 0.5 * (o.range_nm.0 + o.range_nm.1))?;
    let brightness = |i: usize| sources[i].photometry.as_ref().map_or(0.0, |p| p.at(middle));
    let mut stars: Vec<usize> = (0..sources.len()).filter(|&i| sources[i].morphology == Morphology::Point && brightness(i) > 0.0).collect();
    stars.sort_by(|a, b| brightness(*b).total_cmp(&brightness(*a)));
    let settings = Settings { method: Method::Box { share: 0.95 }, profile: ProfileChoice::Model, ..task.settings.clone() };
    let task = Task { settings: &settings, ..*task };
    let (mut patches, mut wide) = (Vec::new(), Vec::new());
    for i in stars.into_iter().take(4 * MOST) {
        for order in task.orders.iter().filter(|o| o.order.number == 1) {
            let drawn = Drawn::new(task.psf, &sources[i].morphology);
            let Ok(Some((patch, elements, _))) = elements(&task, order, &sources[i], spectra[i].as_ref(), &drawn) else { continue };
            let sum = |f: &dyn Fn(&Element) -> f64| elements.iter().map(f).filter(|v| v.is_finite()).sum::<f64>();
            let saturated = elements.iter().any(|e| u32::from(e.flags) & sim_core::flags::SATURATED != 0);
            if !saturated && sum(&|e| e.contamination) < 0.02 * sum(&|e| e.rate) {
                patches.push((patch, elements.iter().map(|e| e.rate).collect::<Vec<f64>>()));
                wide.extend(wide_patch(&task, order, &sources[i], spectra[i].as_ref(), &drawn));
            }
        }
        if patches.len() >= MOST {
            break;
        }
    }
    let psf = Psf::measure(&patches, 3, WINDOW_PX, 20.0, 60)?;
    let shares = wings::shares_within(&wide, &psf.wavelength_nm, WINDOW_PX);
    Some(psf.holding(&shares))
}
