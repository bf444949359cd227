//! How an order of a source is laid: its light in columns and spots, and the period of its images.
//!
//! # Formula
//! The pitch is the largest at which images of the highest frequency f that is kept, laid `p` pixels apart, are even between: `p < 0.45 / f`.
//! # Symbols
//! p  pitch \[pixel\];  f  frequency \[cycles / pixel\]
//! # Limits
//! Colours that are left out cost half of the tolerance, light that is not a spot a quarter, the PSF of the middle another. Periods to [`SIZE_MAX`], [`SPOTS_MAX`] spots; what needs more, steeper
//! traces than [`plates::STEEP`], short orders and sources given as pictures are drawn in pieces.
//! # Twin
//! None: light is not undone.

use super::super::colour::Palette;
use super::super::error::OpticsError;
use super::super::grid::Reach;
use super::super::plan::{Extent, size_for};
use super::super::scene::{Figure, Light as Shape, Part, Resolver};
use super::super::{Imaging, RenderTolerance, render};
use super::columns::{self, Along, Columns, Moments, Wide};
use super::plates;
use super::ribbon::{self, Ribbon};
use super::spots::{self, Spot};
use super::stretches::Stretches;
use sim_core::dispersion::{Order, Trace};
use sim_core::source::Source;
use std::ops::Range;

/// Shorter spectra are images or nearly \[pixel\].
const LENGTH_MIN: f64 = 24.0;
/// Largest period \[pixel\].
const SIZE_MAX: usize = 256;
/// Steps in row or wavelength, each as much as the tolerance lets pass, in an order that is laid, and at most one a column: brighter ones are drawn in pieces.
const STEPS_MAX: usize = 200;
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
    lit: Range<usize>,
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
    /// Columns with light, and with spots.
    pub(super) lit: Range<usize>,
    /// Columns and rows of both ends and the middle of the trace \[pixel\].
    pub(super) places: [(f64, f64); 3],
    pub(super) size: usize,
    pub(super) reach: Reach,
    pub(super) colours: usize,
    /// Whether every image has the PSF of its own place; that of the middle of the order otherwise.
    pub(super) own_psf: bool,
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
        let stepped_over = || source.components.iter().any(|c| self.through.resolver.band.steps_over(&c.sed));
        if figure.parts.len() < source.components.len() && stepped_over() {
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
        if unseen(&rough) && !stepped_over() {
            return Ok(Outcome::Nothing);
        }
        let (x0, y0) = (figure.truth.x, figure.truth.y);
        let trace = self.through.order.trace(x0, y0);
        let Some(columns) = Columns::lay(&trace, x0, &self.through.order.efficiency, MARGIN) else { return Ok(Outcome::Pieces) };
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
        if peak >= ribbon::FAINT * tolerance || columns.climbs() > ribbon::STEEP || !figure.parts.iter().all(even) {
            return None;
        }
        let across = |level: f64| size_for(2.0 * self.stretches.most(|r| r.radius(extents, level)) + 2.0).0;
        // Large sources are not drawn so, even where their wings may be folded in.
        if across(ribbon::WINGS * peak) > ribbon::SIZE_MAX {
            return None;
        }
        let size = across((ribbon::WINGS * peak).max(ribbon::FOLDED * tolerance));
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
        let mut bounds = [0.0; 4];
        for (extent, bound) in extents.iter().zip(&slopes) {
            bounds.iter_mut().zip(bound).for_each(|(sum, d)| *sum += extent.electrons * extent.concentration * d);
        }
        let peak = bounds[0];
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
        if size > SIZE_MAX || k > self.stretches.reach(size) || columns.climbs() > plates::STEEP {
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
            if let Some(Light { light, spots, lit }) = self.at_pitch(&wide, moments, (&slopes, &bounds), tolerance) {
                return Ok(Layout { columns: wide, light, spots, lit, places, size, reach, colours, own_psf });
            }
            if pitch == 1 {
                return Err(Outcome::Pieces);
            }
            pitch /= 2;
        }
    }

    /// The light of each part in columns of a width, and what of it are spots; `None` where narrower columns may do, or do better. `slopes` and `bounds` are those of one
    /// electron of each part and of all light.
    fn at_pitch(
        &self,
        columns: &Wide,
        moments: &[Vec<Moments>],
        (slopes, bounds): (&[[f64; 4]], &[f64; 4]),
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
        let used = |c: &usize| light.iter().any(|light| light[*c] != 0.0);
        let all =
            || (0..columns.along.len()).filter(used).chain(spots.iter().flat_map(|s| [s.at.floor(), s.at.ceil()].map(|c| c as usize)));
        let lit = all().min()?..all().max()? + 1;
        let most = STEPS_MAX.min(lit.len().max(3) - 1) as f64;
        (steps(&columns.along[lit.clone()], bounds, tolerance) < most).then_some(Light { light, spots, lit })
    }

    /// The light of every part in the columns, and what planning needs to know of it.
    fn light_of(&self, figure: &Figure, columns: &Columns) -> Option<(Vec<Vec<Moments>>, Vec<Extent>)> {
        let of = |part: &Part| {
            let (sed, photons) = part.sed.as_ref()?;
            let moments = columns.fill(sed, part.electrons / photons);
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
}

/// Images of other rows and wavelengths along columns that a straight line between them tells to a quarter of the tolerance; `bounds` are those of all light.
fn steps(along: &[Along], [peak, curvature, ..]: &[f64; 4], tolerance: f64) -> f64 {
    let (row_step, nm_step) = ((2.0 * tolerance / curvature).sqrt(), (2.0 * tolerance / (CHROMATIC * peak)).sqrt());
    let between = |w: &[Along]| ((w[1].dy - w[0].dy).abs() / row_step).max((w[1].nm / w[0].nm).ln().abs() / nm_step);
    // The steepest part of the trace stands for all.
    along.windows(2).map(between).fold(0.0, f64::max) * (along.len() - 1) as f64
}

/// How far the light of images of a period goes \[pixel\].
fn reach_of(size: usize) -> f64 {
    0.5 * size as f64 + 1.0
}
