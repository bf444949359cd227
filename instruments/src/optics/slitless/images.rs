//! An order as images of its source in single wavelengths, laid side by side along the trace.
//!
//! # Formula
//! image = integral n(x) S(x' - x, y' - y_t(x); lambda(x)) dx. Over a stretch of wavelengths S = sum_r p_r(lambda) S_r ([`super::stretches`]), so that
//! image = sum_r sum_c n_c p_r(lambda_c) S_r(x' - c, y' - y_c), n_c the light of column c with its first two moments ([`super::columns`]); the smoother S, the wider the columns. Each S_r is drawn once, its
//! rows as waves, and laid at every column and row ([`super::plates`]). Light that changes within a column has images of its own ([`super::spots`]).
//! # Symbols
//! n  electrons a column;  S  source through PSF and pixel;  y_t  row of the trace
//! # Source
//! Trapezoidal sums of band-limited functions (Trefethen & Weideman 2014, SIAM Review 56, 385).
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
use super::plates::{BLOCK, Frame, Press};
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
    press: Press,
    /// Grid of the plates of a part, and the light of columns in one of them.
    grid: Vec<Lane>,
    weights: Vec<f32>,
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
        let Layout { columns, light, spots, lit, size, .. } = layout;
        let (size, pitch, along, y0) = (*size, columns.pitch, &columns.along, figure.truth.y);
        // A row of the trace at any place along it.
        let at = |place: f64| {
            let c = (place.max(0.0) as usize).min(along.len() - 2);
            let share = place - c as f64;
            let between = |of: fn(&columns::Along) -> f64| of(&along[c]) + share * (of(&along[c + 1]) - of(&along[c]));
            (between(|a| a.nm), y0 + between(|a| a.dy))
        };
        let whole = |v: f64| (v + 0.5).floor() as i64;
        let half = size / 2;
        let (first, blocks) = (columns.pixel(lit.start as f64), ((lit.len() - 1) * pitch + size).div_ceil(BLOCK));
        // Rows of blocks, those of the middle of each.
        let middle = |b: usize| lit.start as f64 + ((b * BLOCK + BLOCK / 2) as f64 - half as f64) / pitch as f64;
        let rows: Vec<i64> = (0..blocks).map(|b| whole(at(middle(b)).1)).collect();
        let all = || rows.iter().copied().chain(spots.iter().map(|s| whole(at(s.at).1)));
        let (low, high) = (all().min().unwrap_or(0), all().max().unwrap_or(0));
        (stamp.x0, stamp.y0) = (whole(first) - half as i64, low - half as i64);
        (stamp.nx, stamp.ny) = (blocks * BLOCK, (high - low) as usize + size);
        stamp.sum = light.iter().flatten().sum::<f64>() + spots.iter().map(|s| s.electrons).sum::<f64>();
        stamp.pixels.clear();
        stamp.pixels.resize(stamp.nx * stamp.ny, 0.0);
        let tools = tools(figure, layout);
        brush.of = None;
        let frame = Frame { shape: &tools.shape, plan: self.stretches.plan(size), pitch, offset: first - (first + 0.5).floor() };
        frame.begin(along[lit.clone()].iter().map(|a| y0 + a.dy - low as f64), stamp.nx, &mut brush.press);
        for (end, (x, y)) in layout.places.into_iter().enumerate().filter(|(end, _)| layout.own_psf || *end == 1) {
            for number in 0..self.stretches.list.len() {
                self.plates(layout, &tools, (end, (x, y)), number, &frame, brush);
            }
        }
        for (b, row) in rows.iter().enumerate() {
            let corner = (row - low) as usize * stamp.nx + b * BLOCK;
            frame.block(b, row - low, &mut brush.press, &mut brush.fft, stamp.nx, &mut stamp.pixels[corner..]);
        }
        let mut electrons = vec![0.0; figure.parts.len()];
        for spot in spots {
            electrons.fill(0.0);
            electrons[spot.part] = spot.electrons;
            let (nm, y) = at(spot.at);
            self.image(&tools, layout, (columns.pixel(spot.at), y, nm), &electrons, brush);
            let corner = (whole(y) - low) as usize * stamp.nx + (whole(columns.pixel(spot.at)) - whole(first)) as usize;
            for (row, from) in stamp.pixels[corner..].chunks_mut(stamp.nx).zip(brush.image.chunks_exact(size)) {
                row.iter_mut().zip(from).for_each(|(to, from)| *to += from);
            }
        }
    }

    /// Lays the plates of the PSF of a place in a stretch.
    fn plates(
        &self,
        layout: &Layout,
        tools: &Tools,
        (end, (x, y)): (usize, (f64, f64)),
        number: usize,
        frame: &Frame<'_>,
        brush: &mut Brush,
    ) {
        let Layout { columns, light, lit, .. } = layout;
        let stretch = &self.stretches.list[number];
        let scale = 1.0 / tools.period.pixels() as f64;
        // How much of a column's image has the PSF of this place: straight between the middle of the order and its ends.
        let share = |c: usize| {
            if !layout.own_psf {
                return 1.0;
            }
            let [blue, middle, red] = layout.places.map(|place| place.0);
            let from = columns.pixel(c as f64) - middle;
            let (to, towards) = if from * (red - middle) > 0.0 { (2, red) } else { (0, blue) };
            let outer = (from / (towards - middle)).clamp(0.0, 1.0);
            if end == 1 { 1.0 - outer } else { outer * f64::from(u8::from(end == to)) }
        };
        let seen: Vec<Option<[f64; COLOURS_MAX]>> = (lit.clone())
            .map(|c| {
                let (nm, share) = (columns.along[c].nm, scale * share(c));
                (share > 0.0 && self.stretches.of(nm) == number).then(|| stretch.seen.band.basis_at(nm).map(|p| p * share))
            })
            .collect();
        let (Some(from), Some(to)) = (seen.iter().position(Option::is_some), seen.iter().rposition(Option::is_some)) else { return };
        for (part, light) in light.iter().enumerate() {
            let light = &light[lit.start + from..=lit.start + to];
            if light.iter().all(|l| *l == 0.0) {
                continue;
            }
            self.blend(tools, layout, (number, x, y), part, &mut brush.grid);
            let term = brush.grid.len() / layout.colours;
            for (colour, grid) in brush.grid.chunks_exact(term).enumerate() {
                brush.weights.clear();
                let weights =
                    light.iter().zip(&seen[from..=to]).map(|(light, basis)| basis.map_or(0.0, |basis| (light * basis[colour]) as f32));
                brush.weights.extend(weights);
                frame.lay(grid, &brush.weights, from, &mut brush.press);
            }
        }
    }

    /// The grid of a part through the PSF of a stretch at a place.
    fn blend(&self, tools: &Tools, layout: &Layout, (number, x, y): (usize, f64, f64), part: usize, grid: &mut Vec<Lane>) {
        let seen = &self.stretches.list[number].seen;
        let Some(stored) = seen.field.grids(tools.period) else { unreachable!("no grids were sampled for periods of {}", layout.size) };
        let corners = seen.field.corners(x, y);
        let nodes: Vec<(&[Lane], f32)> = corners.iter().filter(|n| n.1 != 0.0).map(|&(n, w)| (stored.node(n), w)).collect();
        let (lobe, factor) = &tools.parts[part];
        modes::blend((&stored.shape, &nodes), (lobe, &tools.tables, factor.as_deref()), layout.colours, &tools.shape, grid);
    }

    /// An image in a single wavelength at a place, its parts with these electrons, into the brush.
    fn image(&self, tools: &Tools, layout: &Layout, (x, y, nm): (f64, f64, f64), electrons: &[f64], brush: &mut Brush) {
        let Brush { fft, modes: scratch, re, im, grids, of, image, .. } = brush;
        let number = self.stretches.of(nm);
        let stretch = &self.stretches.list[number];
        let plan = self.stretches.plan(layout.size);
        let (psf_x, psf_y) = if layout.own_psf { (x, y) } else { layout.places[1] };
        if *of != Some((number, psf_x.to_bits())) {
            *of = Some((number, psf_x.to_bits()));
            grids.resize_with(tools.parts.len(), Vec::new);
            for (part, grid) in grids.iter_mut().enumerate() {
                self.blend(tools, layout, (number, psf_x, psf_y), part, grid);
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
