//! An order as images of its source in single wavelengths, laid side by side along the trace.
//!
//! # Formula
//! image = integral n(x) S(x' - x, y' - y_t(x); lambda(x)) dx. S changes slowly along the trace, so it is drawn at a few nodes and is a straight line between them:
//! image = sum_k sum_c h_k(c) n_c S_k(x' - c, y'), h_k the hat of node k, n_c the light of column c with its first two moments ([`super::columns`]). Light that changes
//! within a column has images of its own ([`super::spots`]).
//! # Symbols
//! n  electrons a column;  S  source through PSF and pixel;  y_t  row of the trace
//! # Source
//! Trapezoidal sums of band-limited functions (Trefethen & Weideman 2014, SIAM Review 56, 385); linear interpolation, its error `d^2 / 8 |S''|`.
//! # Limits
//! Nodes are so close that rows and wavelengths between them cost a quarter of the tolerance each, spots another. Periods to [`SIZE_MAX`], [`NODES_MAX`] nodes and
//! [`SPOTS_MAX`] spots; what needs more, short orders and sources given as pictures are drawn in pieces.
//! # Twin
//! None: light is not undone.

use super::super::colour::{BandQuadrature, GREY, NODES_MAX as COLOURS_MAX, Palette};
use super::super::error::OpticsError;
use super::super::fft::{self, FftScratch, LANES, Lane};
use super::super::grid::{GridShape, Reach};
use super::super::modes::{self, Lobe, ModeScratch, Modes, ProfileTable, Radial};
use super::super::paint::{self, Stamp};
use super::super::plan::{Extent, Period, size_for};
use super::super::scene::{Figure, Light, Part, Resolver};
use super::super::{Imaging, RenderTolerance, Rendered, render};
use super::columns::{self, Columns, Moments};
use super::spots::{self, Spot};
use super::streak::Piece;
use super::stretches::Stretches;
use multiversion::multiversion;
use rayon::prelude::*;
use sim_core::dispersion::{Opening, Order};
use sim_core::source::Source;
use sim_core::truth::TruthRow;
use std::time::Instant;

/// Shorter spectra are images or nearly \[pixel\].
const LENGTH_MIN: f64 = 24.0;
/// Largest period \[pixel\].
const SIZE_MAX: usize = 256;
/// Most nodes of an order.
const NODES_MAX: usize = 200;
/// Most spots of an order.
const SPOTS_MAX: usize = 200;
/// Columns at each end of a trace that light may be shared into.
const MARGIN: i64 = 3;
/// Columns that a resolution element has at least.
const ELEMENT: usize = 3;
/// What moving to the PSF of the middle of a stretch costs at most, of the peak: coma that changes by 40 nm a degree moves images by 0.0025 pixel.
const FROM_MIDDLE: f64 = 1.5e-3;
/// Second derivative of a PSF's peak, which goes as the inverse square of the wavelength, times the wavelength squared, over the peak.
const CHROMATIC: f64 = 6.0;
/// Sources whose stamps are added together.
const CHUNK: usize = 128;

/// What becomes of an order of a source.
enum Outcome {
    /// Nothing is seen of it in the window.
    Nothing,
    /// It is laid.
    Laid(Box<Laid>),
    /// It must be drawn in pieces.
    Pieces,
}

/// How an order of a source is laid.
struct Laid {
    figure: Figure,
    columns: Columns,
    /// Light of each part at whole columns.
    light: Vec<Vec<f64>>,
    spots: Vec<Spot>,
    nodes: Vec<Node>,
    /// Columns and rows of both ends and the middle of the trace \[pixel\].
    places: [(f64, f64); 3],
    size: usize,
    reach: Reach,
    colours: usize,
    /// Whether every image has the PSF of its own place; that of the middle of the order otherwise.
    own_psf: bool,
}

/// One image on the way to the stamp.
#[derive(Debug, Clone, Copy)]
struct Node {
    /// Columns from the first of the trace.
    column: usize,
    nm: f64,
    y: f64,
}

/// Working memory of images.
#[derive(Default)]
struct Brush {
    fft: FftScratch,
    modes: ModeScratch,
    re: Vec<f32>,
    im: Vec<f32>,
    /// Grids of parts, and the stretch and the place they are of.
    grids: Vec<Vec<Lane>>,
    of: Option<(usize, u64)>,
    image: Vec<f32>,
    /// The image, and the stamp, column after column.
    turned: Vec<f32>,
    columns: Vec<f32>,
    weights: Vec<f32>,
}

/// What an order is seen through.
struct Through<'a> {
    imaging: Imaging<'a>,
    order: &'a Order,
    range_nm: (f64, f64),
    resolver: Resolver<'a>,
}

/// Draws an order of many sources.
struct Images<'a> {
    through: &'a Through<'a>,
    stretches: &'a Stretches,
}

/// Lays the images of an order into `rendered`; `book` hears the place in the catalogue and the truth of each source, with its electrons in the window. The places of
/// the sources that must be drawn in pieces.
pub(super) fn draw(
    imaging: &Imaging<'_>,
    (order, opening): (&Order, &Opening),
    stretches: &mut Stretches,
    sources: &[Source],
    rendered: &mut Rendered,
    book: &mut dyn FnMut(usize, TruthRow),
) -> Result<Vec<usize>, OpticsError> {
    let range_nm = order.efficiency.range_nm();
    let piece = Piece { order, from_nm: range_nm.0, to_nm: range_nm.1 };
    let band = BandQuadrature::new(&order.efficiency, 1);
    let references = render::references(sources);
    let own = Imaging { band: &order.efficiency, ..*imaging };
    let resolver = Resolver::new(&own, &band, &references, true, Some((&piece, opening)));
    let through = Through { imaging: own, order, range_nm, resolver };
    let mut stamps: Vec<Stamp> = Vec::new();
    stamps.resize_with(CHUNK, Stamp::default);
    let mut rough = Vec::new();
    for (chunk, group) in sources.chunks(CHUNK).enumerate() {
        let clock = Instant::now();
        let images = Images { through: &through, stretches };
        let outcomes: Vec<Result<Outcome, OpticsError>> =
            group.par_iter().with_min_len(8).map_init(Palette::default, |palette, source| images.resolve(source, palette)).collect();
        let mut laid: Vec<(usize, Box<Laid>)> = Vec::with_capacity(group.len());
        for (index, outcome) in (chunk * CHUNK..).zip(outcomes) {
            match outcome? {
                Outcome::Nothing => {}
                Outcome::Pieces => rough.push(index),
                Outcome::Laid(one) => laid.push((index, one)),
            }
        }
        rendered.timings.sources_s += clock.elapsed().as_secs_f64();
        let clock = Instant::now();
        stretches.sample(imaging, laid.iter().map(|(_, one)| (one.size, one.places)))?;
        rendered.timings.psf_s += clock.elapsed().as_secs_f64();
        let clock = Instant::now();
        let images = Images { through: &through, stretches };
        laid.par_iter().zip(&mut stamps).for_each_init(Brush::default, |brush, ((_, one), stamp)| images.lay(one, brush, stamp));
        rendered.timings.paint_s += clock.elapsed().as_secs_f64();
        let clock = Instant::now();
        for ((index, one), stamp) in laid.iter().zip(&stamps) {
            let electrons_in_frame = render::sum_inside(stamp, imaging.window);
            rendered.ledger.book(electrons_in_frame);
            book(*index, TruthRow { electrons_in_frame, ..one.figure.truth.clone() });
        }
        render::add(&mut rendered.light, stamps[..laid.len()].iter());
        rendered.timings.add_s += clock.elapsed().as_secs_f64();
    }
    Ok(rough)
}

impl Images<'_> {
    /// The light of an order of a source in columns, spots and nodes, and how it is drawn.
    fn resolve(&self, source: &Source, palette: &mut Palette) -> Result<Outcome, OpticsError> {
        let Some(figure) = self.through.resolver.figure(source, palette)? else { return Ok(Outcome::Nothing) };
        let Some(streak) = &figure.streak else { return Ok(Outcome::Pieces) };
        if streak.extent.0.abs() < LENGTH_MIN || figure.parts.iter().any(|part| matches!(part.light, Light::Picture(_))) {
            return Ok(Outcome::Pieces);
        }
        // Lines between the steps of the quadrature are not in the electrons it gives; it may have found a part dark.
        let stepped_over = source.components.iter().any(|c| self.through.resolver.band.steps_over(&c.sed));
        if stepped_over && figure.parts.len() < source.components.len() {
            return Ok(Outcome::Pieces);
        }
        let reach_of = |size: usize| 0.5 * size as f64 + 1.0;
        let touches = |far: f64| {
            let half = |extent: f64| 0.5 * extent.abs() + far;
            render::touches(self.through.imaging.window, &figure, (half(streak.extent.0), half(streak.extent.1)))
        };
        if !touches(reach_of(SIZE_MAX)) {
            // Wider wings than those are drawn in pieces.
            let extents: Vec<Extent> = figure.parts.iter().map(|part| part.extent(None)).collect();
            let far = match self.through.imaging.tolerance {
                RenderTolerance::Electrons(tolerance) => self.stretches.most(|r| r.radius(&extents, tolerance)),
                RenderTolerance::Relative(_) => f64::INFINITY,
            };
            return Ok(if touches(far) { Outcome::Pieces } else { Outcome::Nothing });
        }
        let rough: Vec<Extent> = figure.parts.iter().map(|part| part.extent(figure.streak.as_ref())).collect();
        let one = self.slopes(&rough);
        let at_most: f64 = rough.iter().zip(&one).map(|(extent, bound)| extent.electrons * extent.concentration * bound[0]).sum();
        if !stepped_over
            && let RenderTolerance::Electrons(tolerance) = self.through.imaging.tolerance
            && at_most < render::INVISIBLE * tolerance
        {
            return Ok(Outcome::Nothing);
        }
        let (x0, y0) = (figure.truth.x, figure.truth.y);
        let trace = self.through.order.trace(x0, y0);
        let mut columns = Columns::default();
        if columns.lay(&trace, x0, self.through.range_nm, MARGIN).is_none() {
            return Ok(Outcome::Pieces);
        }
        let Some((mut moments, extents)) = self.light_of(&figure, &columns) else { return Ok(Outcome::Pieces) };
        let mut all = [0.0; 4];
        for (extent, bound) in extents.iter().zip(&one) {
            all.iter_mut().zip(bound).for_each(|(sum, d)| *sum += extent.electrons * extent.concentration * d);
        }
        let peak = all[0];
        let tolerance = match self.through.imaging.tolerance {
            RenderTolerance::Electrons(tolerance) => tolerance,
            RenderTolerance::Relative(fraction) => fraction * peak,
        };
        if peak < render::INVISIBLE * tolerance {
            return Ok(Outcome::Nothing);
        }
        let size = size_for(2.0 * self.stretches.most(|r| r.radius(&extents, tolerance)) + 2.0).0;
        let cutoff = self.stretches.most(|r| r.cutoff(&extents, tolerance));
        let k = ((cutoff * size as f64).ceil() as usize).max(1);
        if size > SIZE_MAX || k > self.stretches.reach(size) {
            return Ok(Outcome::Pieces);
        }
        if !touches(reach_of(size)) {
            return Ok(Outcome::Nothing);
        }
        let mut spots = Vec::new();
        let allowed = 0.25 * tolerance;
        let told = moments
            .iter_mut()
            .zip(&one)
            .enumerate()
            .all(|(part, (moments, bound))| spots::take(moments, part, (bound[2], bound[3]), allowed, &mut spots));
        let light: Vec<Vec<f64>> = moments.iter().map(|moments| columns::at_whole_columns(moments)).collect();
        let nodes = self.nodes(&columns, &light, y0, &all, tolerance);
        let (Some(nodes), true) = (nodes, told && spots.len() <= SPOTS_MAX) else { return Ok(Outcome::Pieces) };
        let end = |nm: f64| {
            let (dx, dy) = trace.offset(trace.parameter(nm));
            (x0 + dx, y0 + dy)
        };
        let places = [end(self.through.range_nm.0), (figure.x, figure.y), end(self.through.range_nm.1)];
        let (reach, colours) = (Reach { x: k, y: k }, self.stretches.colours(&extents, 0.5 * tolerance));
        let own_psf = FROM_MIDDLE * peak > allowed;
        Ok(Outcome::Laid(Box::new(Laid { figure, columns, light, spots, nodes, places, size, reach, colours, own_psf })))
    }

    /// The light of every part in the columns, and what planning needs to know of it.
    fn light_of(&self, figure: &Figure, columns: &Columns) -> Option<(Vec<Vec<Moments>>, Vec<Extent>)> {
        let of = |part: &Part| {
            let (sed, photons) = part.sed.as_ref()?;
            let moments = columns.fill(sed, &self.through.order.efficiency, part.electrons / photons);
            let electrons: f64 = moments.iter().map(|m| m.light).sum();
            let brightest = moments.windows(ELEMENT).map(|w| w.iter().map(|m| m.light).sum::<f64>()).fold(0.0, f64::max);
            let concentration = if electrons > 0.0 { (brightest / electrons).min(1.0) } else { 1.0 };
            Some((moments, Extent { electrons, concentration, ..part.extent(figure.streak.as_ref()) }))
        };
        figure.parts.iter().map(of).collect()
    }

    /// Bounds of the brightness of one electron of each part, and of its second, third and fourth derivative along an axis.
    fn slopes(&self, extents: &[Extent]) -> Vec<[f64; 4]> {
        let of = |extent: &Extent| {
            let one = [Extent { electrons: 1.0, concentration: 1.0, ..*extent }];
            let of = self.stretches.list.iter().map(|s| s.response.derivatives(&one));
            of.fold([0.0_f64; 4], |most, d| std::array::from_fn(|i| most[i].max(d[i])))
        };
        extents.iter().map(of).collect()
    }

    /// Chooses the nodes; `None` when they are too many.
    fn nodes(&self, columns: &Columns, light: &[Vec<f64>], y0: f64, slopes: &[f64; 4], tolerance: f64) -> Option<Vec<Node>> {
        let mut nodes: Vec<Node> = Vec::new();
        let along = &columns.along;
        let lit = |c: &usize| light.iter().any(|light| light[*c] != 0.0);
        let (Some(first), Some(last)) = ((0..along.len()).find(lit), (0..along.len()).rfind(lit)) else { return Some(nodes) };
        let [peak, curvature, ..] = slopes;
        let (row_step, nm_step) = ((2.0 * tolerance / curvature).sqrt(), (2.0 * tolerance / (CHROMATIC * peak)).sqrt());
        let steps = |a: usize, b: usize| {
            let (a, b) = (&along[a], &along[b]);
            ((b.dy - a.dy).abs() / row_step).max((b.nm / a.nm).ln().abs() / nm_step)
        };
        // The steepest part of the trace sets the spacing of all.
        let steepest = (first..last).step_by(8).map(|c| steps(c, (c + 8).min(last)) / ((c + 8).min(last) - c) as f64).fold(0.0, f64::max);
        let count = (steepest * (last - first) as f64).ceil().max(1.0) as usize;
        if count >= NODES_MAX.min((last - first).max(2)) {
            return None;
        }
        for k in 0..=count {
            let column = first + (last - first) * k / count;
            if nodes.last().is_none_or(|n| n.column < column) {
                nodes.push(Node { column, nm: along[column].nm, y: y0 + along[column].dy });
            }
        }
        Some(nodes)
    }

    /// Lays the images of an order of a source into `stamp`.
    fn lay(&self, laid: &Laid, brush: &mut Brush, stamp: &mut Stamp) {
        *stamp = Stamp { pixels: std::mem::take(&mut stamp.pixels), ..Stamp::default() };
        let Laid { figure, columns, light, spots, nodes, size, .. } = laid;
        let (size, along, y0) = (*size, &columns.along, figure.truth.y);
        // A row of the trace at any place along it.
        let at = |place: f64| {
            let c = (place.max(0.0) as usize).min(along.len() - 2);
            let share = place - c as f64;
            let between = |of: fn(&columns::Along) -> f64| of(&along[c]) + share * (of(&along[c + 1]) - of(&along[c]));
            (between(|a| a.nm), y0 + between(|a| a.dy))
        };
        let whole = |v: f64| (v + 0.5).floor() as i64;
        let spot_places = spots.iter().map(|s| (whole(s.at), whole(at(s.at).1)));
        let places = nodes.iter().map(|n| (n.column as i64, whole(n.y))).chain(spot_places);
        let Some((left, right, low, high)) = places.fold(None, |b: Option<(i64, i64, i64, i64)>, (c, r)| {
            Some(b.map_or((c, c, r, r), |b| (b.0.min(c), b.1.max(c), b.2.min(r), b.3.max(r))))
        }) else {
            return;
        };
        let half = (size / 2) as i64;
        (stamp.x0, stamp.y0) = (columns.first + left - half, low - half);
        (stamp.nx, stamp.ny) = ((right - left) as usize + size, (high - low) as usize + size);
        brush.columns.clear();
        brush.columns.resize(stamp.nx * stamp.ny, 0.0);
        let tools = tools(laid);
        brush.of = None;
        let mut electrons = vec![0.0; figure.parts.len()];
        let first = columns.first as f64;
        for (k, node) in nodes.iter().enumerate() {
            let (from, to) = (if k == 0 { node.column } else { nodes[k - 1].column }, nodes.get(k + 1).map_or(node.column, |n| n.column));
            let hat = |c: usize| match c.cmp(&node.column) {
                std::cmp::Ordering::Equal => 1.0,
                std::cmp::Ordering::Less => (c - from) as f64 / (node.column - from) as f64,
                std::cmp::Ordering::Greater => (to - c) as f64 / (to - node.column) as f64,
            };
            for (sum, light) in electrons.iter_mut().zip(light.iter()) {
                *sum = (from..=to).map(|c| hat(c) * light[c]).sum();
            }
            let total: f64 = electrons.iter().sum();
            if total == 0.0 {
                continue;
            }
            brush.weights.clear();
            brush.weights.extend((from..=to).map(|c| (hat(c) * light.iter().map(|l| l[c]).sum::<f64>() / total) as f32));
            self.image(&tools, laid, (first + node.column as f64, node.y, node.nm), &electrons, brush);
            let corner = ((from as i64 - left) as usize, (whole(node.y) - low) as usize);
            put(&brush.turned, size, &brush.weights, corner, stamp.ny, &mut brush.columns);
            stamp.sum += total;
        }
        for spot in spots.iter() {
            electrons.fill(0.0);
            electrons[spot.part] = spot.electrons;
            let (nm, y) = at(spot.at);
            self.image(&tools, laid, (first + spot.at, y, nm), &electrons, brush);
            let corner = ((whole(spot.at) - left) as usize, (whole(y) - low) as usize);
            put(&brush.turned, size, &[1.0], corner, stamp.ny, &mut brush.columns);
            stamp.sum += spot.electrons;
        }
        stamp.pixels.resize(stamp.nx * stamp.ny, 0.0);
        turn(&brush.columns, stamp.ny, &mut stamp.pixels);
    }

    /// An image in a single wavelength at a place, its parts with these electrons, into the brush.
    fn image(&self, tools: &Tools, laid: &Laid, (x, y, nm): (f64, f64, f64), electrons: &[f64], brush: &mut Brush) {
        let Brush { fft, modes: scratch, re, im, grids, of, image, turned, .. } = brush;
        let number = self.stretches.of(nm);
        let stretch = &self.stretches.list[number];
        let plan = self.stretches.plan(laid.size);
        let (psf_x, psf_y) = if laid.own_psf { (x, y) } else { laid.places[1] };
        if *of != Some((number, psf_x.to_bits())) {
            *of = Some((number, psf_x.to_bits()));
            let Some(stored) = stretch.field.grids(tools.period) else {
                unreachable!("no grids were sampled for periods of {}", laid.size)
            };
            let corners = stretch.field.corners(psf_x, psf_y);
            let nodes: Vec<(&[Lane], f32)> = corners.iter().filter(|n| n.1 != 0.0).map(|&(n, w)| (stored.node(n), w)).collect();
            grids.resize_with(tools.parts.len(), Vec::new);
            for ((lobe, factor), grid) in tools.parts.iter().zip(grids.iter_mut()) {
                let part = (lobe, &tools.tables[..], factor.as_deref());
                modes::blend((&stored.shape, &nodes), part, laid.colours, &tools.shape, grid);
            }
        }
        let size = laid.size;
        re.clear();
        re.resize(size * plan.row_len(), 0.0);
        im.clear();
        im.resize(size * plan.row_len(), 0.0);
        let offset = [x - (x + 0.5).floor(), y - (y + 0.5).floor()];
        let basis = stretch.band.basis_at(nm);
        let scale = 1.0 / tools.period.pixels() as f64;
        for (grid, &electrons) in grids.iter().zip(electrons) {
            if electrons == 0.0 {
                continue;
            }
            let weights: [f32; COLOURS_MAX] = basis.map(|b| (b * electrons * scale) as f32);
            let point = [Lobe { radial: Radial::Point, map: [0.0; 4], weights }];
            let modes = Modes {
                shape: &tools.shape,
                rows: tools.shape.rows(),
                nodes: &[(grid, 1.0)],
                colours: laid.colours,
                lobes: &point,
                tables: &[],
                factor: None,
                reach: tools.shape.reach,
                offset,
            };
            modes::accumulate(&modes, scratch, re, im);
        }
        image.resize(tools.period.pixels(), 0.0);
        fft::inverse((plan, plan), re, im, tools.shape.reach.y + 1, fft, image);
        turned.resize(image.len(), 0.0);
        turn(image, size, turned);
    }
}

/// What the images of one source share.
struct Tools {
    period: Period,
    shape: GridShape,
    /// The transform of each part: radial, or complex.
    parts: Vec<(Lobe, Option<Vec<Lane>>)>,
    tables: Vec<ProfileTable>,
}

fn tools(laid: &Laid) -> Tools {
    let period = Period::square(laid.size);
    let (mut tables, mut used) = (Vec::new(), 0);
    let parts = laid.figure.parts.iter().map(|part| {
        let lobe = paint::lobe(part, period, laid.reach, 1.0, &mut tables, &mut used);
        (lobe.unwrap_or(Lobe { radial: Radial::Point, map: [0.0; 4], weights: GREY }), paint::factor(part, period, laid.reach))
    });
    let parts = parts.collect();
    Tools { period, shape: GridShape::new(period, laid.reach), parts, tables }
}

/// Turns rows of `length` numbers into columns.
fn turn(from: &[f32], length: usize, to: &mut [f32]) {
    let rows = from.len() / length;
    for top in (0..rows).step_by(LANES) {
        for left in (0..length).step_by(LANES) {
            let (high, wide) = (LANES.min(rows - top), LANES.min(length - left));
            let mut tile = [[0.0_f32; LANES]; LANES];
            for (row, out) in tile[..high].iter_mut().enumerate() {
                out[..wide].copy_from_slice(&from[(top + row) * length + left..][..wide]);
            }
            for column in 0..wide {
                let turned: Lane = std::array::from_fn(|row| tile[row][column]);
                to[(left + column) * rows + top..][..high].copy_from_slice(&turned[..high]);
            }
        }
    }
}

/// Adds an image of `size` columns of as many rows, once for each weight and each time a column further, from a corner of the stamp on, whose columns have `ny` rows.
#[multiversion(targets("x86_64+avx2", "aarch64+neon"))]
fn put(image: &[f32], size: usize, weights: &[f32], corner: (usize, usize), ny: usize, columns: &mut [f32]) {
    // So many rows at a time stay in registers; periods are multiples of 16.
    match size {
        80 => put_rows::<40>(image, size, weights, corner, ny, columns),
        48 | 96 => put_rows::<48>(image, size, weights, corner, ny, columns),
        size if size.is_multiple_of(32) => put_rows::<32>(image, size, weights, corner, ny, columns),
        _ => put_rows::<16>(image, size, weights, corner, ny, columns),
    }
}

#[inline(always)]
fn put_rows<const ROWS: usize>(image: &[f32], size: usize, weights: &[f32], (x, y): (usize, usize), ny: usize, columns: &mut [f32]) {
    for out in 0..weights.len() + size - 1 {
        let to = &mut columns[(x + out) * ny + y..][..size];
        // Columns of the image that come to lie here.
        let (first, last) = ((out + 1).saturating_sub(weights.len()), out.min(size - 1));
        for (block, to) in to.chunks_exact_mut(ROWS).enumerate() {
            let mut sum = [0.0_f32; ROWS];
            let here = image[first * size..(last + 1) * size].chunks_exact(size).zip(weights[out - last..=out - first].iter().rev());
            for (column, weight) in here {
                for (s, f) in sum.iter_mut().zip(&column[block * ROWS..(block + 1) * ROWS]) {
                    *s += weight * f;
                }
            }
            for (t, s) in to.iter_mut().zip(sum) {
                *t += s;
            }
        }
    }
}
