//! Paints one figure: its modes, one inverse transform, one stamp.
//!
//! # Limits
//! A figure whose period exceeds [`super::field::FIELD_SIZE_MAX`] squared under a PSF that varies over the field is two stamps: the whole
//! object through the central PSF, and what the local PSF changes, in a smaller period (see [`super::field`]).

use super::colour::{BandQuadrature, GREY, NODES_MAX};
use super::fft::{self, FftPlan, FftScratch, LANES, Lane};
use super::field::{Field, STORED_SIZE_MAX};
use super::grid::{self, GridShape, Reach};
use super::modes::{self, Lobe, ModeScratch, Modes, ProfileTable, Radial};
use super::picture::Picture;
use super::plan::{Period, SIZES, octaves};
use super::scene::{Figure, Light, Part};
use super::sersic::{self, SUB};
use super::shape;
use super::slitless::{Spread, SpreadScratch};
use super::special::sersic_b;
use num_complex::Complex64;
use sim_core::bandpass::Bandpass;
use std::f64::consts::PI;
use std::ops::Range;

/// Painted pixels `[y, x]`.
#[derive(Default)]
pub(crate) struct Stamp {
    /// Detector column and row of the first pixel.
    pub(crate) x0: i64,
    pub(crate) y0: i64,
    /// Columns and rows.
    pub(crate) nx: usize,
    pub(crate) ny: usize,
    pub(crate) pixels: Vec<f32>,
    /// Sum of the pixels: the mode at zero frequency.
    pub(crate) sum: f64,
}

/// How one figure is drawn.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Extents {
    pub(crate) period: Period,
    /// The smaller period of the difference that the local PSF makes, where the figure's own is too large for grids at every node.
    pub(crate) difference: Option<Period>,
    /// Highest frequency \[cycles / pixel\].
    pub(crate) cutoff: f64,
    /// Colour terms that matter.
    pub(crate) colours: usize,
}

impl Extents {
    /// Largest |k| in a period.
    pub(crate) fn reach(&self, period: Period) -> Reach {
        let of = |size: usize| ((self.cutoff * size as f64).ceil() as usize).max(1);
        Reach { x: of(period.nx), y: of(period.ny) }
    }
}

/// Working memory of one thread.
#[derive(Default)]
pub(crate) struct Brush {
    fft: FftScratch,
    modes: ModeScratch,
    re: Vec<f32>,
    im: Vec<f32>,
    tables: Vec<ProfileTable>,
    lobes: Vec<Lobe>,
    spread: SpreadScratch,
    factor: Vec<Lane>,
}

/// What all figures of a render share.
pub(crate) struct Painter<'a> {
    pub(crate) field: &'a Field,
    /// The efficiency, and its quadrature.
    band: (&'a Bandpass, &'a BandQuadrature),
    pub(crate) plans: Vec<Option<FftPlan>>,
}

impl<'a> Painter<'a> {
    /// FFT plans for the sizes in use.
    pub(crate) fn new(field: &'a Field, band: (&'a Bandpass, &'a BandQuadrature), used: impl Fn(usize) -> bool) -> Self {
        Self { field, band, plans: SIZES.iter().map(|&s| used(s).then(|| FftPlan::new(s))).collect() }
    }

    /// Paints the stamps of a figure, largest first; `stamps` lends its memory.
    pub(crate) fn paint(&self, figure: &Figure, extents: Extents, brush: &mut Brush, stamps: &mut Vec<Stamp>) {
        let corners = self.field.corners(figure.x, figure.y);
        let centre = self.field.centre();
        let difference = extents.difference.filter(|_| !self.field.is_uniform());
        stamps.resize_with(if difference.is_some() { 2 } else { 1 }, Stamp::default);
        if self.field.is_uniform() || difference.is_some() {
            self.stamp(figure, extents, extents.period, &[(centre, 1.0)], brush, &mut stamps[0]);
        } else {
            self.stamp(figure, extents, extents.period, &corners, brush, &mut stamps[0]);
        }
        if let Some(period) = difference {
            let mut change = [(centre, -1.0); 5];
            change[..4].copy_from_slice(&corners);
            self.stamp(figure, extents, period, &change, brush, &mut stamps[1]);
        }
    }

    fn stamp(&self, figure: &Figure, extents: Extents, period: Period, nodes: &[(usize, f32)], brush: &mut Brush, out: &mut Stamp) {
        let reach = extents.reach(period);
        let (column, row) = ((figure.x + 0.5).floor(), (figure.y + 0.5).floor());
        let offset = [figure.x - column, figure.y - row];
        let plan = |size: usize| {
            let plan = SIZES.iter().position(|&s| s == size).and_then(|i| self.plans[i].as_ref());
            let Some(plan) = plan else { unreachable!("no plan was made for periods of {size}") };
            plan
        };
        let (along_x, along_y) = (plan(period.nx), plan(period.ny));
        let row_len = along_y.row_len();
        brush.re.clear();
        brush.re.resize(period.nx * row_len, 0.0);
        brush.im.clear();
        brush.im.resize(period.nx * row_len, 0.0);
        let scale = 1.0 / period.pixels() as f64;

        brush.lobes.clear();
        let mut tables_used = 0;
        for part in &figure.parts {
            if let Some(lobe) = lobe(part, period, reach, scale, &mut brush.tables, &mut tables_used) {
                brush.lobes.push(lobe);
            }
        }
        let lobes = std::mem::take(&mut brush.lobes);
        if !lobes.is_empty() {
            let terms = 0..extents.colours;
            match &figure.streak {
                None => self.modes(period, reach, nodes, terms, &lobes, None, offset, brush),
                Some(_) => {
                    let radial = figure.parts.iter().filter(|p| matches!(p.light, Light::Point | Light::Sersic(_)));
                    for (part, lobe) in radial.zip(&lobes) {
                        self.drawn_out(figure, part, lobe, None, (period, extents), nodes, offset, brush);
                    }
                }
            }
        }
        for part in &figure.parts {
            if let Some(factor) = factor(part, period, reach) {
                let point = Lobe { radial: Radial::Point, map: [0.0; 4], weights: weights(part, scale) };
                match &figure.streak {
                    None => self.modes(period, reach, nodes, 0..extents.colours, &[point], Some(&factor), offset, brush),
                    Some(_) => self.drawn_out(figure, part, &point, Some(&factor), (period, extents), nodes, offset, brush),
                }
            }
        }
        brush.lobes = lobes;
        out.sum = f64::from(brush.re[0]) * period.pixels() as f64;
        out.pixels.resize(period.pixels(), 0.0);
        fft::inverse((along_x, along_y), &brush.re, &brush.im, reach.y + 1, &mut brush.fft, &mut out.pixels);
        (out.x0, out.y0) = (column as i64 - (period.nx / 2) as i64, row as i64 - (period.ny / 2) as i64);
        (out.nx, out.ny) = (period.nx, period.ny);
    }

    /// The modes of a part along its streak: each colour term has its own transform of the spectrum.
    #[allow(clippy::too_many_arguments)] // the loop's inputs, split so that borrows of the brush stay apart
    fn drawn_out(
        &self,
        figure: &Figure,
        part: &Part,
        lobe: &Lobe,
        own: Option<&[Lane]>,
        (period, extents): (Period, Extents),
        nodes: &[(usize, f32)],
        offset: [f64; 2],
        brush: &mut Brush,
    ) {
        let (Some(streak), Some((sed, photons))) = (&figure.streak, &part.sed) else { return };
        let reach = extents.reach(period);
        let spread = Spread::new(streak, (sed, *photons), self.band, extents.colours, (period, reach), &mut brush.spread);
        let lobe = Lobe { weights: GREY.map(|grey| grey * lobe.weights[0]), ..*lobe };
        let mut factor = std::mem::take(&mut brush.factor);
        for term in 0..spread.terms() {
            spread.factor(term, period, reach, &mut factor);
            if let Some(own) = own {
                multiply(&mut factor, own, &GridShape::new(period, reach));
            }
            self.modes(period, reach, nodes, term..term + 1, &[lobe], Some(&factor), offset, brush);
        }
        brush.factor = factor;
    }

    #[allow(clippy::too_many_arguments)] // the loop's inputs, split so that borrows of the brush stay apart
    fn modes(
        &self,
        period: Period,
        reach: Reach,
        nodes: &[(usize, f32)],
        terms: Range<usize>,
        lobes: &[Lobe],
        factor: Option<&[Lane]>,
        offset: [f64; 2],
        brush: &mut Brush,
    ) {
        let colours = terms.len();
        let Brush { modes: scratch, re, im, tables, .. } = brush;
        if let Some(grids) = self.field.grids(period) {
            let first = grids.term_len() * terms.start;
            let held: Vec<(&[Lane], f32)> = nodes.iter().filter(|n| n.1 != 0.0).map(|&(n, w)| (&grids.node(n)[first..], w)).collect();
            let rows = grids.shape.rows();
            let modes = Modes { shape: &grids.shape, rows, nodes: &held, colours, lobes, tables, factor, reach, offset };
            modes::accumulate(&modes, scratch, re, im);
            return;
        }
        // Too large to keep: sample a few rows at a time from the centre's transfer functions.
        debug_assert!(period.pixels() > STORED_SIZE_MAX * STORED_SIZE_MAX);
        let shape = GridShape::new(period, reach);
        let last = reach.x as i64;
        let mut kx = -last;
        let mut factor_at = 0;
        while kx <= last {
            let rows = kx..(kx + 16).min(last + 1);
            let grid = grid::sample(self.field.central(), &self.field.mix[terms.clone()], &shape, rows.clone(), self.field.sampling);
            let factor = factor.map(|f| &f[factor_at..]);
            factor_at += grid.len() / colours;
            kx = rows.end;
            let held = [(&grid[..], 1.0)];
            let modes = Modes { shape: &shape, rows, nodes: &held, colours, lobes, tables, factor, reach, offset };
            modes::accumulate(&modes, scratch, re, im);
        }
    }
}

fn weights(part: &Part, scale: f64) -> [f32; NODES_MAX] {
    part.weights.map(|w| (f64::from(w) * part.electrons * scale) as f32)
}

/// The lobe of a part with a real, radial transform.
pub(crate) fn lobe(
    part: &Part,
    period: Period,
    reach: Reach,
    scale: f64,
    tables: &mut Vec<ProfileTable>,
    used: &mut usize,
) -> Option<Lobe> {
    let weights = weights(part, scale);
    let (step_x, step_y) = (2.0 * PI / period.nx as f64, 2.0 * PI / period.ny as f64);
    match part.light {
        Light::Point => Some(Lobe { radial: Radial::Point, map: [0.0; 4], weights }),
        Light::Sersic(n) => {
            let unit = |step: f64| if n == 1.0 { step / sersic_b(1.0) } else { step };
            let (x, y) = (unit(step_x), unit(step_y));
            let a = &part.map;
            let map = [a[0][0] * x, a[1][0] * y, a[0][1] * x, a[1][1] * y].map(|v| v as f32);
            if n == 1.0 {
                return Some(Lobe { radial: Radial::Exponential, map, weights });
            }
            let (major, minor) = shape::stretches(a);
            let far = ((reach.x + LANES) as f64 * step_x).max((reach.y + LANES) as f64 * step_y) * major;
            let (low, count) = octaves((minor * step_x.min(step_y)).powi(2), far * far);
            if tables.len() == *used {
                tables.push(ProfileTable::default());
            }
            let table = &mut tables[*used];
            sersic::table().tabulate(n, low, &mut table.values[..count * SUB + 1]);
            table.values[0] = 1.0;
            table.low_bits = ((low + 127) as u32) << 23;
            table.high_bits = (((low + count as i32 + 127) as u32) << 23) - 1;
            *used += 1;
            Some(Lobe { radial: Radial::Table(*used - 1), map, weights })
        }
        Light::Knots(_) | Light::Picture(_) => None,
    }
}

/// Multiplies a complex factor by another of the same rows.
fn multiply(factor: &mut [Lane], other: &[Lane], shape: &GridShape) {
    let mut at = 0;
    for kx in shape.rows() {
        let blocks = shape.row_blocks(kx);
        let (re, im) = factor[at..at + 2 * blocks].split_at_mut(blocks);
        let (other_re, other_im) = other[at..at + 2 * blocks].split_at(blocks);
        at += 2 * blocks;
        let ours = re.as_flattened_mut().iter_mut().zip(im.as_flattened_mut());
        for ((a, b), (c, d)) in ours.zip(other_re.as_flattened().iter().zip(other_im.as_flattened())) {
            (*a, *b) = (*a * c - *b * d, *a * d + *b * c);
        }
    }
}

/// The complex transform of a part: rows as in a grid of one colour term and this reach.
pub(crate) fn factor(part: &Part, period: Period, reach: Reach) -> Option<Vec<Lane>> {
    let a = &part.map;
    let fill = |row: &dyn Fn(i64, &mut [Complex64])| {
        let shape = GridShape::new(period, reach);
        let mut out = Vec::new();
        let mut values = Vec::new();
        for kx in shape.rows() {
            let blocks = shape.row_blocks(kx);
            values.clear();
            values.resize(blocks * LANES, Complex64::default());
            row(kx, &mut values);
            let start = out.len();
            out.resize(start + 2 * blocks, [0.0; LANES]);
            let (re, im) = out[start..].split_at_mut(blocks);
            for ((re, im), v) in re.as_flattened_mut().iter_mut().zip(im.as_flattened_mut()).zip(&values) {
                (*re, *im) = (v.re as f32, v.im as f32);
            }
        }
        out
    };
    match &part.light {
        Light::Point | Light::Sersic(_) => None,
        Light::Knots(positions) => {
            let turn = |k: i64, at: f64, size: usize| Complex64::from_polar(1.0, -2.0 * PI * (k as f64 * at / size as f64).fract());
            let share = 1.0 / positions.len() as f64;
            let at: Vec<[f64; 2]> = positions.iter().map(|p| [a[0][0] * p[0] + a[0][1] * p[1], a[1][0] * p[0] + a[1][1] * p[1]]).collect();
            Some(fill(&|kx, values| {
                for at in &at {
                    let mut phase = turn(kx, at[0], period.nx) * share;
                    let step = turn(1, at[1], period.ny);
                    for v in values.iter_mut() {
                        *v += phase;
                        phase *= step;
                    }
                }
            }))
        }
        Light::Picture(pixels) => {
            let picture = Picture::new(pixels);
            Some(fill(&|kx, values| {
                for (ky, v) in values.iter_mut().enumerate() {
                    let (fx, fy) = (kx as f64 / period.nx as f64, ky as f64 / period.ny as f64);
                    *v = picture.at(a[0][0] * fx + a[1][0] * fy, a[0][1] * fx + a[1][1] * fy);
                }
            }))
        }
    }
}
