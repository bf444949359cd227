//! An order as images of its source in single wavelengths, laid side by side along the trace.
//!
//! # Formula
//! image = integral n(x) S(x' - x, y' - y_t(x); lambda(x)) dx. S changes slowly along the trace, so it is drawn at a few nodes and is a straight line between them:
//! image = sum_k sum_c h_k(c) n_c S_k(x' - c, y'), h_k the hat of node k, n_c the light of column c with its first two moments ([`super::columns`]); the smoother S, the wider the columns. Light that changes
//! within a column has images of its own ([`super::spots`]).
//! # Symbols
//! n  electrons a column;  S  source through PSF and pixel;  y_t  row of the trace
//! # Source
//! Trapezoidal sums of band-limited functions (Trefethen & Weideman 2014, SIAM Review 56, 385); linear interpolation, its error `d^2 / 8 |S''|`.
//! # Limits
//! Those of the layout ([`super::layout`]).
//! # Twin
//! None: light is not undone.

use super::super::colour::{BandQuadrature, GREY, NODES_MAX as COLOURS_MAX, Palette};
use super::super::error::OpticsError;
use super::super::fft::{self, FftScratch, Lane};
use super::super::grid::GridShape;
use super::super::modes::{self, Lobe, ModeScratch, Modes, ProfileTable, Radial};
use super::super::paint::{self, Stamp};
use super::super::plan::Period;
use super::super::scene::{Figure, Resolver};
use super::super::{Imaging, Rendered, render};
use super::columns;
use super::layout::{Laid, Layout, Outcome, Planner, Through, Way};
use super::put::{put, turn};
use super::ribbon::Loom;
use super::streak::Piece;
use super::stretches::Stretches;
use rayon::prelude::*;
use sim_core::dispersion::{Opening, Order};
use sim_core::source::Source;
use sim_core::truth::TruthRow;
use std::time::Instant;

/// Sources whose stamps are added together.
const CHUNK: usize = 128;

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
    padded: Vec<f32>,
    loom: Loom,
}

/// Draws an order of many sources.
struct Images<'a> {
    stretches: &'a Stretches,
}

/// Lays the images of an order into `rendered`; `book` hears the place in the catalogue and the truth of each source, with its electrons in the window. The places of
/// the sources that must be drawn in pieces. `keep` sees the stamp of each source laid.
pub(super) fn draw(
    imaging: &Imaging<'_>,
    (order, opening): (&Order, &Opening),
    stretches: &mut Stretches,
    sources: &[Source],
    rendered: &mut Rendered,
    book: &mut dyn FnMut(usize, TruthRow),
    keep: &mut dyn FnMut(usize, &[Stamp]),
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
        let planner = Planner { through: &through, stretches };
        let outcomes: Vec<Result<Outcome, OpticsError>> =
            group.par_iter().with_min_len(8).map_init(Palette::default, |palette, source| planner.resolve(source, palette)).collect();
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
        stretches.sample(imaging, laid.iter().map(|(_, one)| one.sampled()))?;
        rendered.timings.psf_s += clock.elapsed().as_secs_f64();
        let clock = Instant::now();
        let images = Images { stretches };
        laid.par_iter().zip(&mut stamps).for_each_init(Brush::default, |brush, ((_, one), stamp)| images.lay(one, brush, stamp));
        rendered.timings.paint_s += clock.elapsed().as_secs_f64();
        let clock = Instant::now();
        for ((index, one), stamp) in laid.iter().zip(&stamps) {
            let electrons_in_frame = render::sum_inside(stamp, imaging.window);
            rendered.ledger.book(electrons_in_frame);
            keep(*index, std::slice::from_ref(stamp));
            book(*index, TruthRow { electrons_in_frame, ..one.figure.truth.clone() });
        }
        render::add(&mut rendered.light, stamps[..laid.len()].iter());
        rendered.timings.add_s += clock.elapsed().as_secs_f64();
    }
    Ok(rough)
}

impl Images<'_> {
    /// Lays the images of an order of a source into `stamp`.
    fn lay(&self, laid: &Laid, brush: &mut Brush, stamp: &mut Stamp) {
        *stamp = Stamp { pixels: std::mem::take(&mut stamp.pixels), ..Stamp::default() };
        match &laid.way {
            Way::Images(layout) => self.side_by_side(&laid.figure, layout, brush, stamp),
            Way::Ribbon(ribbon) => ribbon.draw(&laid.figure, self.stretches, &mut brush.loom, stamp),
        }
    }

    /// Lays images side by side.
    fn side_by_side(&self, figure: &Figure, layout: &Layout, brush: &mut Brush, stamp: &mut Stamp) {
        let Layout { columns, light, spots, nodes, size, .. } = layout;
        let (size, pitch, along, y0) = (*size, columns.pitch, &columns.along, figure.truth.y);
        // A row of the trace at any place along it.
        let at = |place: f64| {
            let c = (place.max(0.0) as usize).min(along.len() - 2);
            let share = place - c as f64;
            let between = |of: fn(&columns::Along) -> f64| of(&along[c]) + share * (of(&along[c + 1]) - of(&along[c]));
            (between(|a| a.nm), y0 + between(|a| a.dy))
        };
        let whole = |v: f64| (v + 0.5).floor() as i64;
        let spot_places = spots.iter().map(|s| (whole(columns.pixel(s.at)), whole(at(s.at).1)));
        let places = nodes.iter().map(|n| (whole(columns.pixel(n.column as f64)), whole(n.y))).chain(spot_places);
        let Some((left, right, low, high)) = places.fold(None, |b: Option<(i64, i64, i64, i64)>, (c, r)| {
            Some(b.map_or((c, c, r, r), |b| (b.0.min(c), b.1.max(c), b.2.min(r), b.3.max(r))))
        }) else {
            return;
        };
        let half = (size / 2) as i64;
        (stamp.x0, stamp.y0) = (left - half, low - half);
        (stamp.nx, stamp.ny) = ((right - left) as usize + size, (high - low) as usize + size);
        brush.columns.clear();
        brush.columns.resize(stamp.nx * stamp.ny, 0.0);
        let tools = tools(figure, layout);
        brush.of = None;
        let mut electrons = vec![0.0; figure.parts.len()];
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
            self.image(&tools, layout, (columns.pixel(node.column as f64), node.y, node.nm), &electrons, brush);
            let corner = ((whole(columns.pixel(from as f64)) - left) as usize, (whole(node.y) - low) as usize);
            put(&brush.turned, size, (&brush.weights, pitch), corner, (stamp.ny, &mut brush.columns), &mut brush.padded);
            stamp.sum += total;
        }
        for spot in spots.iter() {
            electrons.fill(0.0);
            electrons[spot.part] = spot.electrons;
            let (nm, y) = at(spot.at);
            self.image(&tools, layout, (columns.pixel(spot.at), y, nm), &electrons, brush);
            let corner = ((whole(columns.pixel(spot.at)) - left) as usize, (whole(y) - low) as usize);
            put(&brush.turned, size, (&[1.0], 1), corner, (stamp.ny, &mut brush.columns), &mut brush.padded);
            stamp.sum += spot.electrons;
        }
        stamp.pixels.resize(stamp.nx * stamp.ny, 0.0);
        turn(&brush.columns, stamp.ny, &mut stamp.pixels);
    }

    /// An image in a single wavelength at a place, its parts with these electrons, into the brush.
    fn image(&self, tools: &Tools, layout: &Layout, (x, y, nm): (f64, f64, f64), electrons: &[f64], brush: &mut Brush) {
        let Brush { fft, modes: scratch, re, im, grids, of, image, turned, .. } = brush;
        let number = self.stretches.of(nm);
        let stretch = &self.stretches.list[number];
        let plan = self.stretches.plan(layout.size);
        let (psf_x, psf_y) = if layout.own_psf { (x, y) } else { layout.places[1] };
        if *of != Some((number, psf_x.to_bits())) {
            *of = Some((number, psf_x.to_bits()));
            let Some(stored) = stretch.seen.field.grids(tools.period) else {
                unreachable!("no grids were sampled for periods of {}", layout.size)
            };
            let corners = stretch.seen.field.corners(psf_x, psf_y);
            let nodes: Vec<(&[Lane], f32)> = corners.iter().filter(|n| n.1 != 0.0).map(|&(n, w)| (stored.node(n), w)).collect();
            grids.resize_with(tools.parts.len(), Vec::new);
            for ((lobe, factor), grid) in tools.parts.iter().zip(grids.iter_mut()) {
                let part = (lobe, &tools.tables[..], factor.as_deref());
                modes::blend((&stored.shape, &nodes), part, layout.colours, &tools.shape, grid);
            }
        }
        let size = layout.size;
        re.clear();
        re.resize(size * plan.row_len(), 0.0);
        im.clear();
        im.resize(size * plan.row_len(), 0.0);
        let offset = [x - (x + 0.5).floor(), y - (y + 0.5).floor()];
        let basis = stretch.seen.band.basis_at(nm);
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
                colours: layout.colours,
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

fn tools(figure: &Figure, layout: &Layout) -> Tools {
    let period = Period::square(layout.size);
    let (mut tables, mut used) = (Vec::new(), 0);
    let parts = figure.parts.iter().map(|part| {
        let lobe = paint::lobe(part, period, layout.reach, 1.0, &mut tables, &mut used);
        (lobe.unwrap_or(Lobe { radial: Radial::Point, map: [0.0; 4], weights: GREY }), paint::factor(part, period, layout.reach))
    });
    let parts = parts.collect();
    Tools { period, shape: GridShape::new(period, layout.reach), parts, tables }
}
