//! How an order of a source is laid: its light in columns, spots, and the nodes where its images are drawn.
//!
//! # Formula
//! The pitch is the largest at which images of the highest frequency f that is kept, laid `p` pixels apart, are even between: `p < 0.45 / f`. Nodes: `d^2 / 8 |S''|` of what
//! is straight between them, for rows and for wavelengths.
//! # Symbols
//! p  pitch \[pixel\];  f  frequency \[cycles / pixel\];  d  distance of nodes;  S  image of the source
//! # Limits
//! Nodes are so close that rows and wavelengths between them cost a quarter of the tolerance each, spots another. Periods to [`SIZE_MAX`], [`NODES_MAX`] nodes and
//! [`SPOTS_MAX`] spots; what needs more, short orders and sources given as pictures are drawn in pieces.
//! # Twin
//! None: light is not undone.

use super::super::colour::Palette;
use super::super::error::OpticsError;
use super::super::grid::Reach;
use super::super::plan::{Extent, size_for};
use super::super::scene::{Figure, Light as Shape, Part, Resolver};
use super::super::{Imaging, RenderTolerance, render};
use super::columns::{self, Columns, Moments, Wide};
use super::ribbon::{self, Ribbon};
use super::spots::{self, Spot};
use super::stretches::Stretches;
use sim_core::dispersion::{Order, Trace};
use sim_core::source::Source;

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
/// Most pixels from an image to the next.
const PITCH_MAX: usize = 16;
/// Images of a highest frequency f are laid at a pitch of this over f at most \[pixel\]: what is even between them stays even.
const APART: f64 = 0.45;
/// Columns that a spectrum has at least, where they are wider than a pixel.
const COLUMNS_MIN: usize = 24;
/// Where there are more spots, narrower columns have fewer.
const SPOTS_FEW: usize = 3;
/// What moving to the PSF of the middle of a stretch costs at most, of the peak: coma that changes by 40 nm a degree moves images by 0.0025 pixel.
const FROM_MIDDLE: f64 = 1.5e-3;
/// Second derivative of a PSF's peak, which goes as the inverse square of the wavelength, times the wavelength squared, over the peak.
const CHROMATIC: f64 = 6.0;
/// What becomes of an order of a source.
pub(super) enum Outcome {
    /// Nothing is seen of it in the window.
    Nothing,
    /// It is laid.
    Laid(Box<Laid>),
    /// It must be drawn in pieces.
    Pieces,
}

/// The light of an order.
struct Light {
    light: Vec<Vec<f64>>,
    spots: Vec<Spot>,
    nodes: Vec<Node>,
}

/// An order of a source, and how it is laid.
pub(super) struct Laid {
    pub(super) figure: Figure,
    pub(super) way: Way,
}

/// A way to lay an order.
pub(super) enum Way {
    Images(Layout),
    Ribbon(Ribbon),
}

impl Laid {
    /// The period of what is drawn, and the places whose PSF it takes.
    pub(super) fn sampled(&self) -> (usize, [(f64, f64); 3]) {
        match &self.way {
            Way::Images(layout) => (layout.size, layout.places),
            Way::Ribbon(ribbon) => (ribbon.size, [(self.figure.x, self.figure.y); 3]),
        }
    }
}

/// How an order is laid.
pub(super) struct Layout {
    pub(super) columns: Wide,
    /// Light of each part at whole columns.
    pub(super) light: Vec<Vec<f64>>,
    pub(super) spots: Vec<Spot>,
    pub(super) nodes: Vec<Node>,
    /// Columns and rows of both ends and the middle of the trace \[pixel\].
    pub(super) places: [(f64, f64); 3],
    pub(super) size: usize,
    pub(super) reach: Reach,
    pub(super) colours: usize,
    /// Whether every image has the PSF of its own place; that of the middle of the order otherwise.
    pub(super) own_psf: bool,
}

/// One image on the way to the stamp.
#[derive(Debug, Clone, Copy)]
pub(super) struct Node {
    /// Columns from the first of the trace.
    pub(super) column: usize,
    pub(super) nm: f64,
    pub(super) y: f64,
}

/// What an order is seen through.
pub(super) struct Through<'a> {
    pub(super) imaging: Imaging<'a>,
    pub(super) order: &'a Order,
    pub(super) range_nm: (f64, f64),
    pub(super) resolver: Resolver<'a>,
}

/// Finds out how the orders of many sources are laid.
pub(super) struct Planner<'a> {
    pub(super) through: &'a Through<'a>,
    pub(super) stretches: &'a Stretches,
}

impl Planner<'_> {
    /// The light of an order of a source in columns, spots and nodes, and how it is drawn.
    pub(super) fn resolve(&self, source: &Source, palette: &mut Palette) -> Result<Outcome, OpticsError> {
        let Some(figure) = self.through.resolver.figure(source, palette)? else { return Ok(Outcome::Nothing) };
        let Some(streak) = &figure.streak else { return Ok(Outcome::Pieces) };
        if streak.extent.0.abs() < LENGTH_MIN || figure.parts.iter().any(|part| matches!(part.light, Shape::Picture(_))) {
            return Ok(Outcome::Pieces);
        }
        // Lines between the steps of the quadrature are not in the electrons it gives; it may have found a part dark.
        let stepped_over = source.components.iter().any(|c| self.through.resolver.band.steps_over(&c.sed));
        if stepped_over && figure.parts.len() < source.components.len() {
            return Ok(Outcome::Pieces);
        }
        if !self.touches(&figure, reach_of(SIZE_MAX)) {
            // Wider wings than those are drawn in pieces.
            let extents: Vec<Extent> = figure.parts.iter().map(|part| part.extent(None)).collect();
            let far = match self.through.imaging.tolerance {
                RenderTolerance::Electrons(tolerance) => self.stretches.most(|r| r.radius(&extents, tolerance)),
                RenderTolerance::Relative(_) => f64::INFINITY,
            };
            return Ok(if self.touches(&figure, far) { Outcome::Pieces } else { Outcome::Nothing });
        }
        let rough: Vec<Extent> = figure.parts.iter().map(|part| part.extent(figure.streak.as_ref())).collect();
        let tolerance = match self.through.imaging.tolerance {
            RenderTolerance::Electrons(tolerance) => Some(tolerance),
            RenderTolerance::Relative(_) => None,
        };
        let unseen = |parts: &[Extent]| tolerance.is_some_and(|t| self.stretches.most(|r| r.peak_about(parts)) < render::INVISIBLE * t);
        if !stepped_over && unseen(&rough) {
            return Ok(Outcome::Nothing);
        }
        let (x0, y0) = (figure.truth.x, figure.truth.y);
        let trace = self.through.order.trace(x0, y0);
        let Some(columns) = Columns::lay(&trace, x0, self.through.range_nm, MARGIN) else { return Ok(Outcome::Pieces) };
        let Some((moments, extents)) = self.light_of(&figure, &columns) else { return Ok(Outcome::Pieces) };
        if unseen(&extents) {
            return Ok(Outcome::Nothing);
        }
        let way = match tolerance.and_then(|tolerance| self.ribbon(&figure, &columns, &moments, &extents, tolerance)) {
            Some(ribbon) => Way::Ribbon(ribbon),
            None => match self.lay_out(&figure, (&trace, &columns), &moments, &extents) {
                Ok(layout) => Way::Images(layout),
                Err(otherwise) => return Ok(otherwise),
            },
        };
        Ok(Outcome::Laid(Box::new(Laid { figure, way })))
    }

    /// An order that is so faint that profiles draw it.
    fn ribbon(&self, figure: &Figure, columns: &Columns, moments: &[Vec<Moments>], extents: &[Extent], tolerance: f64) -> Option<Ribbon> {
        let peak = self.stretches.most(|r| r.peak_about(extents));
        let even = |part: &Part| matches!(part.light, Shape::Point | Shape::Sersic(_));
        let (first, last) = (columns.along.first()?, columns.along.last()?);
        let climbs = (last.dy - first.dy).abs() / columns.along.len() as f64;
        if peak >= ribbon::FAINT * tolerance || climbs > ribbon::STEEP || !figure.parts.iter().all(even) {
            return None;
        }
        let size = size_for(2.0 * self.stretches.most(|r| r.radius(extents, ribbon::WINGS * peak)) + 2.0).0;
        if size > ribbon::SIZE_MAX {
            return None;
        }
        let (low, high) = self.through.range_nm;
        let waves_nm = [low + 0.15 * (high - low), low + 0.85 * (high - low)];
        let light = moments.iter().map(|m| columns::at_whole_columns(m)).collect();
        Some(Ribbon { first: columns.first, along: columns.along.clone(), light, waves_nm, size })
    }

    /// Whether light so far from the trace \[pixel\] is in the window.
    fn touches(&self, figure: &Figure, far: f64) -> bool {
        let half = |extent: f64| 0.5 * extent.abs() + far;
        let (along, across) = figure.streak.as_ref().map_or((0.0, 0.0), |s| s.extent);
        render::touches(self.through.imaging.window, figure, (half(along), half(across)))
    }

    /// How an order is laid in images, or what else becomes of it.
    fn lay_out(
        &self,
        figure: &Figure,
        (trace, columns): (&Trace, &Columns),
        moments: &[Vec<Moments>],
        extents: &[Extent],
    ) -> Result<Layout, Outcome> {
        let (x0, y0) = (figure.truth.x, figure.truth.y);
        let slopes = self.slopes(extents);
        let mut all = [0.0; 4];
        for (extent, bound) in extents.iter().zip(&slopes) {
            all.iter_mut().zip(bound).for_each(|(sum, d)| *sum += extent.electrons * extent.concentration * d);
        }
        let peak = all[0];
        let tolerance = match self.through.imaging.tolerance {
            RenderTolerance::Electrons(tolerance) => tolerance,
            RenderTolerance::Relative(fraction) => fraction * peak,
        };
        if peak < render::INVISIBLE * tolerance {
            return Err(Outcome::Nothing);
        }
        let cutoff = self.stretches.most(|r| r.cutoff(extents, tolerance));
        let size = size_for(2.0 * self.stretches.most(|r| r.radius(extents, tolerance)) + 2.0).0;
        let k = ((cutoff * size as f64).ceil() as usize).max(1);
        if size > SIZE_MAX || k > self.stretches.reach(size) {
            return Err(Outcome::Pieces);
        }
        if !self.touches(figure, reach_of(size)) {
            return Err(Outcome::Nothing);
        }
        let end = |nm: f64| {
            let (dx, dy) = trace.offset(trace.parameter(nm));
            (x0 + dx, y0 + dy)
        };
        let places = [end(self.through.range_nm.0), (figure.x, figure.y), end(self.through.range_nm.1)];
        let (reach, colours) = (Reach { x: k, y: k }, self.stretches.colours(extents, 0.5 * tolerance));
        let own_psf = FROM_MIDDLE * peak > 0.25 * tolerance;
        let mut pitch = ((APART / cutoff) as usize).min(columns.along.len() / COLUMNS_MIN).clamp(1, PITCH_MAX);
        loop {
            let wide = columns.wide(pitch);
            if let Some(Light { light, spots, nodes }) = self.at_pitch(&wide, moments, y0, (&slopes, &all), tolerance) {
                return Ok(Layout { columns: wide, light, spots, nodes, places, size, reach, colours, own_psf });
            }
            if pitch == 1 {
                return Err(Outcome::Pieces);
            }
            pitch /= 2;
        }
    }

    /// The light of each part in columns of a width, what of it are spots, and the nodes; `None` where narrower columns may do, or do better. `slopes` are those of one
    /// electron of each part, and of all.
    fn at_pitch(
        &self,
        columns: &Wide,
        moments: &[Vec<Moments>],
        y0: f64,
        (slopes, all): (&[[f64; 4]], &[f64; 4]),
        tolerance: f64,
    ) -> Option<Light> {
        let (width, mut spots) = (columns.pitch as f64, Vec::new());
        let mut light = Vec::with_capacity(moments.len());
        for (part, (pixels, bound)) in moments.iter().zip(slopes).enumerate() {
            let mut moments = columns.gather(pixels);
            let by_column = (bound[2] * width.powi(3), bound[3] * width.powi(4));
            let told = spots::take(&mut moments, part, by_column, 0.25 * tolerance, &mut spots);
            if !told || spots.len() > if columns.pitch > 1 { SPOTS_FEW } else { SPOTS_MAX } {
                return None;
            }
            light.push(columns::at_whole_columns(&moments));
        }
        let nodes = self.nodes(columns, &light, y0, all, tolerance)?;
        Some(Light { light, spots, nodes })
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
            let of = self.stretches.list.iter().map(|s| s.seen.response.derivatives(&one));
            of.fold([0.0_f64; 4], |most, d| std::array::from_fn(|i| most[i].max(d[i])))
        };
        extents.iter().map(of).collect()
    }

    /// Chooses the nodes; `None` when they are too many.
    fn nodes(&self, columns: &Wide, light: &[Vec<f64>], y0: f64, slopes: &[f64; 4], tolerance: f64) -> Option<Vec<Node>> {
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
}

/// How far the light of images of a period goes \[pixel\].
fn reach_of(size: usize) -> f64 {
    0.5 * size as f64 + 1.0
}
