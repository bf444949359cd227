//! Spectra so smooth that their light along the trace and their profile across it are drawn one after the other.
//!
//! # Formula
//! A source of light n(x) along its trace and image B(x, y) gives `integral n(x') B(x - x', y - y_t(x')) dx'`. With B replaced by the product of what it adds up to
//! along rows and along columns, B ~ K(x) P(y), that is `(n * K)(x) P(y - y_t(x))`: one row of numbers and one profile instead of a plane of modes.
//! The difference is, in the row at y, n smeared with B(x, y) - P(y) K(x), which has no light in any row and so acts on the change of n alone: at most
//! `P_max max|d(n * K)/dx| r`, r the distance that the light of one row lies from that of the others, `|rho| sigma_x` for an inclined Gaussian.
//! # Symbols
//! K, P  sections of the source through PSF and pixel ([`super::sections`]);  y_t  row of the trace;  rho, sigma  correlation and width of B
//! # Source
//! Convolution and its first moment; tested against sums of images in single wavelengths (`instruments/tests/slitless.rs`).
//! # Limits
//! Drawn so where the bound, with [`UNLIKE`] of the width for what is not Gaussian and [`ROUGH`] of the peak for profiles between wavelengths, is below the tolerance; every
//! other order is drawn in pieces, by modes. Light is folded into 64 rows around the trace; sources with half-light radii above [`RADIUS_MAX`] go in pieces.
//! # Twin
//! None: light is not undone.

use super::super::colour::{BandQuadrature, Palette};
use super::super::error::OpticsError;
use super::super::fft::{Cell, LANES, Lane};
use super::super::paint::Stamp;
use super::super::scene::{Light, Part, Resolver};
use super::super::sersic::table;
use super::super::special::sinc;
use super::super::{Imaging, RenderTolerance, Rendered, render, shape};
use super::columns::Columns;
use super::sections::{Axis, PERIOD, Sections};
use super::streak::Piece;
use multiversion::multiversion;
use num_complex::Complex32;
use rayon::prelude::*;
use sim_core::dispersion::{Opening, Order};
use sim_core::source::Source;
use sim_core::truth::TruthRow;
use std::f64::consts::PI;
use std::time::Instant;

/// Distance between the light of rows that has nothing to do with an inclination, over the width of the image: profiles are no Gaussians. The middle of an exponential
/// disk is pi / 2 times as bright as the product of its sections; through the PSF it is less.
const UNLIKE: f64 = 1.0;
/// Error of profiles, of their peak.
const ROUGH: f64 = 2e-3;
/// Largest half-light radius \[pixel\].
const RADIUS_MAX: f64 = 12.0;
/// Shorter spectra are images or nearly \[pixel\].
const LENGTH_MIN: f64 = 24.0;
/// Samples of a profile in a pixel.
const FINE: usize = 8;
/// Rows on each side of the trace, and columns that light is smeared by, at most.
const REACH_MAX: usize = 28;
/// Share of the light that rows and columns in use must hold.
const HELD: f32 = 0.98;
/// No pixel has a larger share of a point's light through PSF and pixel, along one axis.
const SHARE_MAX: f64 = 0.8;

/// Sources whose stamps are added together.
const CHUNK: usize = 256;

/// Draws the smooth spectra of an order into `rendered`; `book` hears the place in the catalogue and the truth of each, with its electrons in the window.
/// The places of the sources that must be drawn in pieces.
pub(super) fn draw(
    imaging: &Imaging<'_>,
    (order, opening): (&Order, &Opening),
    sections: &Sections,
    sources: &[Source],
    rendered: &mut Rendered,
    book: &mut dyn FnMut(usize, TruthRow),
) -> Result<Vec<usize>, OpticsError> {
    let (from_nm, to_nm) = order.efficiency.range_nm();
    let piece = Piece { order, from_nm, to_nm };
    let band = BandQuadrature::new(&order.efficiency, 1);
    let references = render::references(sources);
    let through = Imaging { band: &order.efficiency, ..*imaging };
    let resolver = Resolver::new(&through, &band, &references, true, Some((&piece, opening)));
    let smooth = Smooth { imaging: through, order, range_nm: (from_nm, to_nm), resolver, sections };
    let mut stamps: Vec<Stamp> = Vec::new();
    stamps.resize_with(CHUNK, Stamp::default);
    let mut rough = Vec::new();
    for (chunk, group) in sources.chunks(CHUNK).enumerate() {
        let clock = Instant::now();
        let outcomes: Vec<Result<Outcome, OpticsError>> = group
            .par_iter()
            .zip(&mut stamps[..group.len()])
            .map_init(Scratch::default, |scratch, (source, stamp)| smooth.draw(source, scratch, stamp))
            .collect();
        rendered.timings.paint_s += clock.elapsed().as_secs_f64();
        let clock = Instant::now();
        let mut drawn = Vec::with_capacity(group.len());
        for (at, (outcome, stamp)) in outcomes.into_iter().zip(&stamps).enumerate() {
            match outcome? {
                Outcome::Nothing => {}
                Outcome::Pieces => rough.push(chunk * CHUNK + at),
                Outcome::Drawn(row) => {
                    let electrons_in_frame = render::sum_inside(stamp, imaging.window);
                    rendered.ledger.book(electrons_in_frame);
                    book(chunk * CHUNK + at, TruthRow { electrons_in_frame, ..row });
                    drawn.push(stamp);
                }
            }
        }
        render::add(&mut rendered.light, drawn.into_iter());
        rendered.timings.add_s += clock.elapsed().as_secs_f64();
    }
    Ok(rough)
}

/// What becomes of an order of a source.
enum Outcome {
    /// Nothing is seen of it in the window.
    Nothing,
    /// It is in the stamp.
    Drawn(TruthRow),
    /// It must be drawn in pieces.
    Pieces,
}

/// Draws the smooth spectra of an order.
struct Smooth<'a> {
    imaging: Imaging<'a>,
    order: &'a Order,
    /// Wavelengths \[nm\] that the order lets through.
    range_nm: (f64, f64),
    resolver: Resolver<'a>,
    sections: &'a Sections,
}

/// A part on its way to the stamp.
#[derive(Default)]
struct Smeared {
    /// Electrons in each column after the section along the trace.
    light: Vec<f32>,
    /// Modes of the section across it.
    across: Vec<Cell>,
    /// Profile across by eighth of a pixel, wavelength and row.
    profile: Vec<f32>,
    reach: usize,
}

/// Working memory of one thread.
#[derive(Default)]
struct Scratch {
    palette: Palette,
    columns: Columns,
    raw: Vec<f32>,
    transform: Vec<f32>,
    turned: Vec<Complex32>,
    slice: Vec<Cell>,
    samples: Vec<Lane>,
    parts: Vec<Smeared>,
}

impl Smooth<'_> {
    /// Draws the order of a source into `stamp`, if it is smooth.
    fn draw(&self, source: &Source, scratch: &mut Scratch, stamp: &mut Stamp) -> Result<Outcome, OpticsError> {
        let Some(figure) = self.resolver.figure(source, &mut scratch.palette)? else { return Ok(Outcome::Nothing) };
        let Some(streak) = &figure.streak else { return Ok(Outcome::Pieces) };
        if streak.extent.0.abs() < LENGTH_MIN || figure.parts.iter().any(|part| !is_small(part)) {
            return Ok(Outcome::Pieces);
        }
        let half = |extent: f64| 0.5 * extent.abs() + REACH_MAX as f64 + 4.0;
        if !render::touches(self.imaging.window, &figure, (half(streak.extent.0), half(streak.extent.1))) {
            return Ok(Outcome::Nothing);
        }
        // Lines between the steps of the quadrature are not in the electrons it gives; it may have found a part dark.
        let stepped_over = source.components.iter().any(|c| self.resolver.band.steps_over(&c.sed));
        if stepped_over && figure.parts.len() < source.components.len() {
            return Ok(Outcome::Pieces);
        }
        let electrons: f64 = figure.parts.iter().map(|part| part.electrons).sum();
        if !stepped_over
            && let RenderTolerance::Electrons(tolerance) = self.imaging.tolerance
            && electrons * SHARE_MAX.powi(2) < render::INVISIBLE * tolerance
        {
            return Ok(Outcome::Nothing);
        }
        let x0 = figure.truth.x;
        let trace = self.order.trace(x0, figure.truth.y);
        if scratch.columns.lay(&trace, x0, self.range_nm, REACH_MAX as i64).is_none() {
            return Ok(Outcome::Pieces);
        }
        scratch.parts.resize_with(scratch.parts.len().max(figure.parts.len()), Smeared::default);
        let (mut peak, mut error) = (0.0, 0.0);
        for (number, part) in figure.parts.iter().enumerate() {
            let Some((sed, photons)) = &part.sed else { return Ok(Outcome::Pieces) };
            scratch.raw.clear();
            scratch.raw.resize(scratch.columns.along.len(), 0.0);
            scratch.columns.fill(sed, &self.order.efficiency, part.electrons / photons, &mut scratch.raw);
            let (brightest, wrong) = self.smear((figure.x, figure.y), part, number, scratch);
            peak += brightest;
            error += wrong;
        }
        let tolerance = match self.imaging.tolerance {
            RenderTolerance::Electrons(tolerance) => tolerance,
            RenderTolerance::Relative(fraction) => fraction * peak,
        };
        if peak < render::INVISIBLE * tolerance {
            return Ok(Outcome::Nothing);
        }
        if error > tolerance {
            return Ok(Outcome::Pieces);
        }
        let Scratch { parts, samples, .. } = scratch;
        if !parts[..figure.parts.len()].iter_mut().all(|part| part.shape(tolerance, samples)) {
            return Ok(Outcome::Pieces);
        }
        put(scratch, figure.parts.len(), figure.truth.y, self.sections, stamp);
        Ok(Outcome::Drawn(figure.truth))
    }

    /// Smears the light in `raw` along the trace; the peak of what it will draw and a bound of its error \[electron\].
    fn smear(&self, place: (f64, f64), part: &Part, number: usize, scratch: &mut Scratch) -> (f64, f64) {
        let Scratch { columns, raw, transform, turned, slice, samples, parts, .. } = scratch;
        // Along: sampled at whole pixels; what sharing a column's light with its neighbour adds to the pixel's response is taken off.
        transform_along(part, Axis::Columns, self.sections.modes(), transform, turned);
        self.sections.slice(place, Axis::Columns, turned, slice);
        slice.truncate(PERIOD / 2 + 1);
        for (k, cell) in slice.iter_mut().enumerate().skip(1) {
            let s = 1.0 / sinc(k as f64 / PERIOD as f64) as f32;
            let s = if 2 * k == PERIOD { 0.5 * s } else { s };
            cell.re.iter_mut().chain(&mut cell.im).for_each(|v| *v *= s);
        }
        synthesise(slice, FINE, REACH_MAX + 1, samples);
        let (kernel_reach, _) = reach_of(samples, 0.0, HELD);
        let kernel = normalised(samples, kernel_reach);
        let smeared = &mut parts[number];
        smeared.light.clear();
        smeared.light.resize(raw.len(), 0.0);
        let count = 2 * kernel_reach + 1;
        for (c, (&light, along)) in raw.iter().zip(&columns.along).enumerate() {
            if light == 0.0 {
                continue;
            }
            let (lane, share) = self.sections.lane_at(along.nm);
            let first = c - kernel_reach.min(c);
            let (a, b) = (&kernel[lane * count..][..count], &kernel[(lane + 1) * count..][..count]);
            for ((sum, a), b) in smeared.light[first..].iter_mut().zip(a).zip(b) {
                *sum += light * (a + share * (b - a));
            }
        }
        // Across: the peak alone, to tell whether this is good enough.
        transform_along(part, Axis::Rows, self.sections.modes(), transform, turned);
        self.sections.slice(place, Axis::Rows, turned, &mut smeared.across);
        let highest = |cells: &[Cell]| -> f64 {
            let sum =
                |l: usize| cells.iter().enumerate().map(|(k, c)| if k == 0 { c.re[l] } else { 2.0 * c.re[l].hypot(c.im[l]) }).sum::<f32>();
            (0..LANES).map(|l| f64::from(sum(l))).fold(0.0, f64::max) / PERIOD as f64
        };
        let across = highest(&smeared.across).min(SHARE_MAX);
        let most = smeared.light.iter().fold(0.0_f32, |m, v| m.max(*v));
        let change = smeared.light.windows(2).map(|w| (w[1] - w[0]).abs()).fold(0.0, f32::max);
        let sigma = 1.0 / ((2.0 * PI).sqrt() * f64::from(kernel.iter().fold(0.0_f32, |m, v| m.max(*v))).max(1e-3));
        let sigma_across = 1.0 / ((2.0 * PI).sqrt() * across.max(1e-3));
        // Second moments of a profile over its half-light radius squared: 1.07 for an exponential disk, more in wings that hardly count.
        let a = &part.map;
        let mixed = 1.07 * (a[0][0] * a[1][0] + a[0][1] * a[1][1]).abs();
        let apart = (mixed / sigma_across).min(sigma) + UNLIKE * sigma;
        (across * f64::from(most), across * (f64::from(change) * apart + ROUGH * f64::from(most)))
    }
}

impl Smeared {
    /// The profile across the trace of a part, as far as it is brighter than a quarter of the tolerance and holds its light; whether all but half of the tolerance
    /// is within reach.
    fn shape(&mut self, tolerance: f64, samples: &mut Vec<Lane>) -> bool {
        synthesise(&self.across, FINE, REACH_MAX + 1, samples);
        let most = f64::from(self.light.iter().fold(0.0_f32, |m, v| m.max(*v)));
        let level = if most > 0.0 { (0.25 * tolerance / most) as f32 } else { 1.0 };
        let outside = f64::from(1.0 - HELD).min(0.25 * tolerance / (most * SHARE_MAX).max(1e-30));
        let (reach, held) = reach_of(samples, level, 1.0 - outside as f32);
        self.reach = reach;
        if f64::from(1.0 - held) * most * SHARE_MAX > 0.5 * tolerance {
            return false;
        }
        let (rows, fine_reach) = (2 * reach + 2, reach + 1);
        synthesise(&self.across, 1, FINE * fine_reach + 1, samples);
        let zero = (samples.len() / 2) as i64;
        self.profile.clear();
        self.profile.resize((FINE + 1) * LANES * rows, 0.0);
        for phase in 0..=FINE {
            for lane in 0..LANES {
                let out = &mut self.profile[(phase * LANES + lane) * rows..][..rows];
                let mut sum = 0.0;
                for (row, o) in out.iter_mut().enumerate() {
                    let at = zero + FINE as i64 * (row as i64 - reach as i64) - phase as i64;
                    *o = samples.get(at as usize).map_or(0.0, |s| s[lane]);
                    sum += *o;
                }
                out.iter_mut().for_each(|o| *o /= sum);
            }
        }
        true
    }
}

fn is_small(part: &Part) -> bool {
    let (major, _) = shape::stretches(&part.map);
    match &part.light {
        Light::Point => true,
        Light::Sersic(_) => major <= RADIUS_MAX,
        Light::Knots(at) => major * at.iter().map(|p| p[0].hypot(p[1])).fold(0.0, f64::max) <= 2.0 * RADIUS_MAX,
        Light::Picture(_) => false,
    }
}

/// The transform of a part along an axis, at whole numbers of waves in [`PERIOD`] pixels.
fn transform_along(part: &Part, axis: Axis, modes: usize, values: &mut Vec<f32>, out: &mut Vec<Complex32>) {
    let row = match axis {
        Axis::Columns => part.map[0],
        Axis::Rows => part.map[1],
    };
    let step = 2.0 * PI / PERIOD as f64;
    out.clear();
    match &part.light {
        Light::Sersic(n) => {
            let unit = step * row[0].hypot(row[1]);
            values.clear();
            table().values(*n, (0..modes).map(|k| (unit * k as f64).powi(2)), values);
            out.extend(values.iter().map(|&v| Complex32::new(v, 0.0)));
        }
        Light::Knots(at) => {
            let share = 1.0 / at.len() as f32;
            out.resize(modes, Complex32::default());
            for p in at.iter() {
                let turn = Complex32::from_polar(1.0, (-step * (row[0] * p[0] + row[1] * p[1])) as f32);
                let mut phase = Complex32::new(share, 0.0);
                for o in out.iter_mut() {
                    *o += phase;
                    phase *= turn;
                }
            }
        }
        Light::Point | Light::Picture(_) => out.resize(modes, Complex32::new(1.0, 0.0)),
    }
}

/// The profile of modes at `count` distances of `stride / FINE` pixels to both sides: from the farthest on the left to the farthest on the right.
fn synthesise(modes: &[Cell], stride: usize, count: usize, out: &mut Vec<Lane>) {
    thread_local! {
        static WAVES: Vec<(f32, f32)> = (0..FINE * PERIOD)
            .map(|i| {
                let (sin, cos) = (2.0 * PI * i as f64 / (FINE * PERIOD) as f64).sin_cos();
                (cos as f32, sin as f32)
            })
            .collect();
    }
    out.clear();
    out.resize(2 * count - 1, [0.0; LANES]);
    WAVES.with(|waves| sum_waves(modes, stride, count, waves, out));
}

#[multiversion(targets("x86_64+avx2", "aarch64+neon"))]
fn sum_waves(modes: &[Cell], stride: usize, count: usize, waves: &[(f32, f32)], out: &mut [Lane]) {
    for m in 0..count {
        let (mut even, mut odd) = ([0.0_f32; LANES], [0.0_f32; LANES]);
        let mut at = 0;
        for (k, cell) in modes.iter().enumerate() {
            let (cos, sin) = waves[at];
            let twice = if k == 0 { 1.0 } else { 2.0 };
            let (cos, sin) = (twice * cos, twice * sin);
            for l in 0..LANES {
                even[l] += cell.re[l] * cos;
                odd[l] += cell.im[l] * sin;
            }
            at = (at + stride * m) % waves.len();
        }
        for l in 0..LANES {
            out[count - 1 + m][l] = (even[l] - odd[l]) / PERIOD as f32;
            out[count - 1 - m][l] = (even[l] + odd[l]) / PERIOD as f32;
        }
    }
}

/// Smallest reach of samples by pixel that holds a share of the light at every wavelength and all that is above a level; the share it holds.
fn reach_of(samples: &[Lane], level: f32, wanted: f32) -> (usize, f32) {
    let centre = samples.len() / 2;
    let mut held = samples[centre];
    let mut reach = 0;
    while reach + 1 < centre {
        let (left, right) = (samples[centre - reach - 1], samples[centre + reach + 1]);
        let bright = level > 0.0 && left.iter().chain(&right).any(|v| *v > level);
        if !bright && held.iter().all(|h| *h >= wanted) {
            break;
        }
        held.iter_mut().zip(left.iter().zip(&right)).for_each(|(h, (a, b))| *h += a + b);
        reach += 1;
    }
    (reach, held.into_iter().fold(1.0, f32::min))
}

/// Samples by pixel within a reach, lane after lane, each of sum 1.
fn normalised(samples: &[Lane], reach: usize) -> Vec<f32> {
    let within = &samples[samples.len() / 2 - reach..=samples.len() / 2 + reach];
    let mut out = Vec::with_capacity(LANES * within.len());
    for lane in 0..LANES {
        let sum: f32 = within.iter().map(|s| s[lane]).sum();
        out.extend(within.iter().map(|s| s[lane] / sum));
    }
    out
}

/// Adds all parts to a stamp around the trace of a source in row `y0`.
fn put(scratch: &Scratch, parts: usize, y0: f64, sections: &Sections, stamp: &mut Stamp) {
    let along = &scratch.columns.along;
    let parts = &scratch.parts[..parts];
    let reach = parts.iter().map(|p| p.reach).max().unwrap_or(0) as i64;
    let lit = |c: usize| parts.iter().any(|p| p.light[c] != 0.0);
    let (Some(first), Some(last)) = ((0..along.len()).find(|&c| lit(c)), (0..along.len()).rfind(|&c| lit(c))) else {
        *stamp = Stamp::default();
        return;
    };
    let row_of = |c: usize| (y0 + along[c].dy).floor() as i64;
    let (low, high) = (first..=last).map(row_of).fold((i64::MAX, i64::MIN), |(l, h), r| (l.min(r), h.max(r)));
    stamp.x0 = scratch.columns.first + first as i64;
    stamp.y0 = low - reach;
    (stamp.nx, stamp.ny) = (last - first + 1, (high - low + 2 * reach + 2) as usize);
    stamp.pixels.clear();
    stamp.pixels.resize(stamp.nx * stamp.ny, 0.0);
    stamp.sum = parts.iter().flat_map(|p| &p.light[first..=last]).map(|v| f64::from(*v)).sum();
    for (c, here) in along.iter().enumerate().take(last + 1).skip(first) {
        let y = y0 + here.dy;
        let row = y.floor();
        let fine = (y - row) * FINE as f64;
        let phase = (fine as usize).min(FINE - 1);
        let (share, (lane, colour)) = ((fine - phase as f64) as f32, sections.lane_at(here.nm));
        for part in parts.iter().filter(|p| p.light[c] != 0.0) {
            let rows = 2 * part.reach + 2;
            let of = |phase: usize, lane: usize| &part.profile[(phase * LANES + lane) * rows..][..rows];
            let light = part.light[c];
            let weights =
                [(1.0 - share) * (1.0 - colour), share * (1.0 - colour), (1.0 - share) * colour, share * colour].map(|w| w * light);
            let profiles = [of(phase, lane), of(phase + 1, lane), of(phase, lane + 1), of(phase + 1, lane + 1)];
            let start = (row as i64 - part.reach as i64 - stamp.y0) as usize;
            let column = stamp.pixels[start * stamp.nx + (c - first)..].iter_mut().step_by(stamp.nx);
            for (d, pixel) in column.take(rows).enumerate() {
                *pixel +=
                    weights[0] * profiles[0][d] + weights[1] * profiles[1][d] + weights[2] * profiles[2][d] + weights[3] * profiles[3][d];
            }
        }
    }
}
