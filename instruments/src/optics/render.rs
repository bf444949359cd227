//! Draws a catalogue onto a window: resolve, plan, prepare the PSF, paint, add.
//!
//! # Limits
//! Deterministic: every source is resolved, planned and painted on its own; stamps are added to each row in one fixed
//! order (lattice cell, period, strip of 64 rows, column, place in the catalogue), whatever the number of threads.

use super::colour::{BandQuadrature, Palette, nodes_for};
use super::error::OpticsError;
use super::field::{FIELD_SIZE_MAX, Field, STORED_SIZE_MAX};
use super::grid::{PixelResponse, Reach, Sampling};
use super::paint::{Brush, Extents, Painter, Stamp};
use super::plan::{Period, Response, SIZES, size_for};
use super::scene::{Figure, Resolver};
use super::slitless::Piece;
use super::{Imaging, RenderTolerance, Timings};
use rayon::prelude::*;
use sim_core::bandpass::Bandpass;
use sim_core::dispersion::Opening;
use sim_core::frame::{Frame, Window};
use sim_core::ledger::Ledger;
use sim_core::plane::Light;
use sim_core::source::{Brightness, Source};
use sim_core::truth::TruthRow;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

/// Rows that are added by one task.
const BAND_ROWS: usize = 64;
/// Pixels painted before they are added: their stamps stay in cache.
const CHUNK_PIXELS: usize = 1 << 20;
/// No transfer function is followed beyond this frequency \[cycles / pixel\].
pub(super) const CUTOFF_MAX: f64 = 4.0;

/// Pieces of spectra that are nowhere brighter than this share of the tolerance are left out, of the truth too: most of all faint sources in weak orders.
pub(super) const INVISIBLE: f64 = 0.1;

struct Planned {
    index: usize,
    figure: Figure,
    extents: Extents,
    clipped: bool,
}

/// Memory of one figure of a chunk, used again by the next chunk.
#[derive(Default)]
struct Slot {
    stamps: Vec<Stamp>,
    inside: f64,
}

/// What a drawing tells besides its light.
pub(super) struct Drawn {
    /// Place in the catalogue and truth of every object that touches the window.
    pub(super) truth: Vec<(usize, TruthRow)>,
    /// Electrons added.
    pub(super) ledger: Ledger,
    pub(super) timings: Timings,
    /// Objects whose wings were folded into the largest period.
    pub(super) clipped: usize,
}

/// The PSF over the field, with the quadrature that its colour terms belong to.
pub(super) struct Seen {
    pub(super) band: BandQuadrature,
    pub(super) field: Field,
    pub(super) response: Response,
}

impl Seen {
    /// Through a band.
    pub(super) fn new(imaging: &Imaging<'_>, band: &Bandpass) -> Result<Self, OpticsError> {
        let band = BandQuadrature::new(band, if imaging.psf.is_achromatic() { 1 } else { nodes_for(band) });
        let sampling = sampling(imaging);
        let field = Field::new(imaging.psf, imaging.geometry, band.nodes_nm(), band.mix(), sampling)?;
        let response = Response::new(field.central(), band.mix(), sampling, 128, CUTOFF_MAX);
        Ok(Self { band, field, response })
    }
}

/// A piece of a spectrum, its grating's opening, and the PSF over wavelengths that hold the piece's, where it is known already.
pub(super) type PieceSeen<'a, 'b> = (&'a Piece<'b>, &'a Opening, Option<&'a mut Seen>);

/// Draws sources into `light`; of `piece`, if one is given, what they put on the detector instead of images. `keep` sees the stamps of each source, by its place in the
/// catalogue.
pub(super) fn render(
    imaging: &Imaging<'_>,
    piece: Option<PieceSeen<'_, '_>>,
    sources: &[Source],
    light: &mut Frame<Light>,
    keep: &mut dyn FnMut(usize, &[Stamp]),
    progress: &(dyn Fn(usize, usize) + Sync),
) -> Result<Drawn, OpticsError> {
    check(imaging)?;
    let mut timings = Timings::default();
    let clock = Instant::now();

    let (piece, known) = match piece {
        Some((piece, opening, known)) => (Some((piece, opening)), known),
        None => (None, None),
    };
    // Pieces whose PSF is known have electrons alone from their own quadrature.
    let (mut own, counted);
    let (seen, band) = match known {
        Some(known) => {
            counted = BandQuadrature::new(imaging.band, 1);
            (known, Some(&counted))
        }
        None => {
            own = Seen::new(imaging, imaging.band)?;
            (&mut own, None)
        }
    };
    let Seen { band: colours, field, response } = seen;
    let band = band.unwrap_or(colours);
    timings.psf_s += clock.elapsed().as_secs_f64();

    // Sources to figures.
    let clock = Instant::now();
    let references = references(sources);
    let resolver = Resolver::new(imaging, band, &references, imaging.psf.is_achromatic(), piece);
    let resolved: Vec<Result<Option<Planned>, OpticsError>> = sources
        .par_iter()
        .enumerate()
        .with_min_len(64)
        .map_init(Palette::default, |palette, (index, source)| {
            let Some(figure) = resolver.figure(source, palette)? else { return Ok(None) };
            Ok(plan(imaging, response, piece.is_some(), index, figure))
        })
        .collect();
    let mut planned = Vec::with_capacity(sources.len());
    for item in resolved {
        planned.extend(item?);
    }
    let clipped = planned.iter().filter(|p| p.clipped).count();
    planned.sort_by_cached_key(|p| {
        // Users of the same grids together, and neighbours one after the other: both stay in cache.
        let strip = (p.figure.y.max(0.0) as usize) / BAND_ROWS;
        let column = p.figure.x.max(0.0) as usize;
        (field.cell(p.figure.x, p.figure.y), p.extents.period, strip, column, p.index)
    });
    timings.sources_s = clock.elapsed().as_secs_f64();

    // Grids of the PSF at the sizes and nodes in use.
    let clock = Instant::now();
    let wanted = wanted_grids(&planned, field);
    let nodes: Vec<usize> = wanted.iter().flat_map(|(_, _, nodes)| nodes.iter().copied()).collect::<BTreeSet<_>>().into_iter().collect();
    field.evaluate(imaging.psf, imaging.geometry, colours.nodes_nm(), &nodes)?;
    field.sample(&wanted);
    timings.psf_s += clock.elapsed().as_secs_f64();

    // Paint and add.
    let has = |period: Period, size: usize| period.nx == size || period.ny == size;
    let uses = |size: usize| planned.iter().any(|p| has(p.extents.period, size) || p.extents.difference.is_some_and(|d| has(d, size)));
    let painter = Painter::new(field, (imaging.band, colours), uses);
    let mut truth: Vec<(usize, TruthRow)> = Vec::with_capacity(planned.len());
    let mut ledger = Ledger::default();
    let mut modes = 0.0;
    let mut rest = &planned[..];
    let mut slots: Vec<Slot> = Vec::new();
    // One per thread; a thread paints one figure at a time, so nobody waits.
    let brushes: Vec<Mutex<Brush>> = (0..rayon::current_num_threads()).map(|_| Mutex::default()).collect();
    while !rest.is_empty() {
        let mut pixels = 0;
        let count = rest.iter().take_while(|p| {
            let first = pixels == 0;
            pixels += p.extents.period.pixels();
            first || pixels <= CHUNK_PIXELS
        });
        let (chunk, after) = rest.split_at(count.count());
        rest = after;
        let clock = Instant::now();
        slots.resize_with(slots.len().max(chunk.len()), Slot::default);
        chunk.par_iter().zip(&mut slots[..chunk.len()]).for_each(|(p, slot)| {
            let mut brush =
                brushes[rayon::current_thread_index().unwrap_or(0) % brushes.len()].lock().unwrap_or_else(PoisonError::into_inner);
            if p.figure.parts.is_empty() {
                slot.stamps.clear();
            } else {
                painter.paint(&p.figure, p.extents, &mut brush, &mut slot.stamps);
            }
            slot.inside = slot.stamps.iter().map(|s| sum_inside(s, imaging.window)).sum();
        });
        timings.paint_s += clock.elapsed().as_secs_f64();
        let clock = Instant::now();
        let painted = &slots[..chunk.len()];
        add(light, painted.iter().flat_map(|slot| &slot.stamps));
        for (p, Slot { inside, stamps }) in chunk.iter().zip(painted) {
            keep(p.index, stamps);
            let mut row = p.figure.truth.clone();
            row.electrons_in_frame = *inside;
            ledger.book(*inside);
            truth.push((p.index, row));
            let reach = p.extents.reach(p.extents.period);
            modes += 0.5 * std::f64::consts::PI * (reach.x * reach.y) as f64;
        }
        timings.add_s += clock.elapsed().as_secs_f64();
        progress(planned.len() - rest.len(), planned.len());
    }
    truth.sort_by_key(|(index, _)| *index);
    timings.objects = planned.len();
    timings.modes = modes;
    Ok(Drawn { truth, ledger, timings, clipped })
}

/// How the PSF is sampled on a camera's pixels.
pub(super) fn sampling(imaging: &Imaging<'_>) -> Sampling {
    let pixel = if imaging.psf.contains_pixel_response() { PixelResponse::InPsf } else { PixelResponse::Square };
    Sampling { pixel_scale_arcsec: imaging.geometry.pixel_scale_arcsec, pixel }
}

fn check(imaging: &Imaging<'_>) -> Result<(), OpticsError> {
    let tolerance = match imaging.tolerance {
        RenderTolerance::Relative(v) | RenderTolerance::Electrons(v) => v,
    };
    let (w, g) = (&imaging.window, imaging.geometry);
    for (key, value, unit, range, ok) in [
        ("tolerance", tolerance, "", "0 (exclusive) to 1e6", tolerance > 0.0 && tolerance < 1e6),
        ("area", imaging.area_cm2, "cm2", "> 0", imaging.area_cm2 > 0.0),
        ("time", imaging.time_s, "s", "> 0", imaging.time_s > 0.0 && imaging.time_s.is_finite()),
        ("window.nx", w.nx as f64, "pixel", "1 to the detector's right edge", w.nx > 0 && w.x0 + w.nx <= g.nx),
        ("window.ny", w.ny as f64, "pixel", "1 to the detector's top edge", w.ny > 0 && w.y0 + w.ny <= g.ny),
        ("pixel_scale", g.pixel_scale_arcsec, "arcsec", "> 0", g.pixel_scale_arcsec > 0.0),
    ] {
        if !ok {
            return Err(OpticsError::Setting { key, value, unit, range });
        }
    }
    Ok(())
}

pub(super) fn references<'a>(sources: impl IntoIterator<Item = &'a Source>) -> HashMap<usize, BandQuadrature> {
    let mut out = HashMap::new();
    for component in sources.into_iter().flat_map(|s| &s.components) {
        if let Brightness::Ab { band, .. } = &component.brightness {
            out.entry(Arc::as_ptr(band) as usize).or_insert_with(|| BandQuadrature::new(band, 1));
        }
    }
    out
}

/// Period and cutoff of a figure; `None` when it does not touch the window.
fn plan(imaging: &Imaging<'_>, response: &Response, is_spectrum: bool, index: usize, figure: Figure) -> Option<Planned> {
    let parts: Vec<_> = figure.parts.iter().map(|part| part.extent(figure.streak.as_ref())).collect();
    let tolerance = match imaging.tolerance {
        RenderTolerance::Electrons(tolerance) => tolerance,
        RenderTolerance::Relative(fraction) => fraction * response.peak(&parts),
    };
    let w = &imaging.window;
    if parts.is_empty() {
        let extents = Extents { period: Period::square(SIZES[0]), difference: None, cutoff: 0.0, colours: 1 };
        return w.contains(figure.x, figure.y).then_some(Planned { index, figure, extents, clipped: false });
    }
    if is_spectrum && response.peak(&parts) < INVISIBLE * tolerance {
        return None;
    }
    let across = 2.0 * response.radius(&parts, tolerance) + 2.0;
    let (long, high) = figure.streak.as_ref().map_or((0.0, 0.0), |s| (s.extent.0.abs(), s.extent.1.abs()));
    let ((nx, whole_x), (ny, whole_y)) = (size_for(across + long), size_for(across + high));
    let (half_x, half_y) = ((nx / 2) as f64 + 1.0, (ny / 2) as f64 + 1.0);
    if !touches(imaging.window, &figure, (half_x, half_y)) {
        return None;
    }
    let period = Period { nx, ny };
    let core = |length: f64| size_for(FIELD_SIZE_MAX as f64 + length).0;
    let difference = (period.pixels() > FIELD_SIZE_MAX * FIELD_SIZE_MAX).then(|| Period { nx: core(long), ny: core(high) });
    let cutoff = response.cutoff(&parts, tolerance);
    let colours = response.colours(&parts, 0.5 * tolerance);
    Some(Planned { index, figure, extents: Extents { period, difference, cutoff, colours }, clipped: !(whole_x && whole_y) })
}

/// Whether what reaches so far from a figure's middle, along columns and rows \[pixel\], may touch the window.
pub(super) fn touches(window: Window, figure: &Figure, (half_x, half_y): (f64, f64)) -> bool {
    figure.x + half_x >= window.x0 as f64
        && figure.y + half_y >= window.y0 as f64
        && figure.x - half_x <= (window.x0 + window.nx) as f64
        && figure.y - half_y <= (window.y0 + window.ny) as f64
}

/// Period, reach and nodes of every grid the figures need.
fn wanted_grids(planned: &[Planned], field: &Field) -> Vec<(Period, Reach, Vec<usize>)> {
    let mut wanted: BTreeMap<Period, (f64, BTreeSet<usize>)> = BTreeMap::new();
    for p in planned.iter().filter(|p| !p.figure.parts.is_empty()) {
        let difference = p.extents.difference.filter(|_| !field.is_uniform());
        let own = Some(p.extents.period).filter(|period| period.pixels() <= STORED_SIZE_MAX * STORED_SIZE_MAX);
        for period in own.into_iter().chain(difference) {
            let (cutoff, nodes) = wanted.entry(period).or_default();
            *cutoff = cutoff.max(p.extents.cutoff);
            let local = !field.is_uniform() && (difference == Some(period) || period.pixels() <= FIELD_SIZE_MAX * FIELD_SIZE_MAX);
            if local {
                nodes.extend(field.corners(p.figure.x, p.figure.y).iter().filter(|n| n.1 != 0.0).map(|n| n.0));
            }
            if !local || difference == Some(period) {
                nodes.insert(field.centre());
            }
        }
    }
    let grid = |(period, (cutoff, nodes)): (Period, (f64, BTreeSet<usize>))| {
        (period, Extents { period, difference: None, cutoff, colours: 1 }.reach(period), nodes.into_iter().collect())
    };
    wanted.into_iter().map(grid).collect()
}

/// Columns of the stamp and of the window that overlap: (first in stamp, first in window, count).
pub(super) fn overlap(start: i64, size: usize, window_start: usize, window_size: usize) -> Option<(usize, usize, usize)> {
    let (low, high) = (window_start as i64, (window_start + window_size) as i64);
    let (from, to) = (start.max(low), (start + size as i64).min(high));
    (from < to).then(|| ((from - start) as usize, (from - low) as usize, (to - from) as usize))
}

/// The light of a stamp inside the window.
pub(super) fn sum_inside(stamp: &Stamp, window: Window) -> f64 {
    let (Some((sx, _, nx)), Some((sy, _, ny))) =
        (overlap(stamp.x0, stamp.nx, window.x0, window.nx), overlap(stamp.y0, stamp.ny, window.y0, window.ny))
    else {
        return 0.0;
    };
    if nx == stamp.nx && ny == stamp.ny {
        return stamp.sum;
    }
    (sy..sy + ny).map(|y| row_sum(&stamp.pixels[y * stamp.nx + sx..][..nx])).sum()
}

fn row_sum(row: &[f32]) -> f64 {
    let mut lanes = [0.0_f32; 8];
    let chunks = row.chunks_exact(8);
    let tail: f64 = chunks.remainder().iter().map(|&v| f64::from(v)).sum();
    for chunk in chunks {
        for (l, v) in lanes.iter_mut().zip(chunk) {
            *l += v;
        }
    }
    lanes.iter().map(|&v| f64::from(v)).sum::<f64>() + tail
}

/// Adds stamps to the frame, in order in every row.
pub(super) fn add<'s>(light: &mut Frame<Light>, stamps: impl Iterator<Item = &'s Stamp>) {
    let window = light.window;
    let boxes: Vec<_> = stamps
        .filter_map(|s| {
            let x = overlap(s.x0, s.nx, window.x0, window.nx)?;
            let y = overlap(s.y0, s.ny, window.y0, window.ny)?;
            Some((s, x, y))
        })
        .collect();
    let (Some(first), Some(last)) = (boxes.iter().map(|b| b.2.1).min(), boxes.iter().map(|b| b.2.1 + b.2.2).max()) else { return };
    let Some(pixels) = light.pixels.as_slice_mut() else { unreachable!("frames are row-major") };
    let (first_band, last_band) = (first / BAND_ROWS, (last - 1) / BAND_ROWS);
    pixels.par_chunks_mut(BAND_ROWS * window.nx).enumerate().skip(first_band).take(last_band + 1 - first_band).for_each(|(band, rows)| {
        let low = band * BAND_ROWS;
        let high = low + rows.len() / window.nx;
        for (stamp, (sx, wx, nx), (sy, wy, ny)) in &boxes {
            for y in low.max(*wy)..high.min(wy + ny) {
                let from = &stamp.pixels[(sy + y - wy) * stamp.nx + sx..][..*nx];
                let to = &mut rows[(y - low) * window.nx + wx..][..*nx];
                for (t, f) in to.iter_mut().zip(from) {
                    *t += f;
                }
            }
        }
    });
}
