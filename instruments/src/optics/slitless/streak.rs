//! A source drawn out into a spectrum: the straight piece of a trace, and the transform of the light along it.
//!
//! # Formula
//! image = integral N(lambda) B(x - x(lambda); lambda) dlambda, so its transform is `sum_r D_r(nu) A_r(k) F(k)` with
//! `D_r(nu) = integral N p_r exp(-2 pi i nu (x - xc)) dlambda / integral N dlambda`, `nu = kx / Nx + s ky / Ny`.
//! Along a row of modes, with `z = 2 pi s h ky / Ny`: `D_r = sum_p (-i z)^p / p! integral N p_r ((x - xc) / h)^p exp(-2 pi i kx (x - xc) / Nx) dlambda / ...`, whose
//! integrals are transforms along one axis; h is half the length of the piece.
//! # Symbols
//! N  electrons per wavelength;  B  source through PSF and pixel;  p_r, A_r  colour terms of [`super::super::colour`];  F  profile;
//! x(lambda)  column, xc its middle;  s  rows per column along the piece;  nu \[cycles / pixel\]
//! # Source
//! The convolution theorem; assignment to a mesh by splines and its window sinc^4 as in Hockney & Eastwood 1988, Computer Simulation Using Particles, ch. 5.
//! # Limits
//! Pieces are so short that they leave their straight line by [`BEND`] at most. Light is put on a mesh of four cells a wave at the
//! highest frequency drawn; the series ends where its terms are below 1e-6.
//! # Twin
//! None: light is not undone.

use super::super::colour::{BandQuadrature, NODES_MAX, Walk};
use super::super::fft::{self, FftPlan, FftScratch, LANES, Lane};
use super::super::grid::{GridShape, Reach};
use super::super::plan::Period;
use super::super::special::sinc;
use num_complex::{Complex32, Complex64};
use sim_core::bandpass::Bandpass;
use sim_core::dispersion::{Order, Trace};
use sim_core::spectrum::Sed;
use std::collections::BTreeMap;
use std::f64::consts::PI;

/// Largest departure of a piece from its straight line \[pixel\].
pub(crate) const BEND: f64 = 1e-3;
/// A piece shorter than this is a point \[pixel\].
const POINT: f64 = 1e-6;
/// Longest piece \[pixel\].
const LENGTH_MAX: f64 = 96.0;
/// A piece of an order: what one drawing puts on the detector.
pub(crate) struct Piece<'a> {
    pub(crate) order: &'a Order,
    pub(crate) from_nm: f64,
    pub(crate) to_nm: f64,
}

/// The straight piece of a trace that belongs to a source.
#[derive(Debug, Clone)]
pub(crate) struct Streak {
    trace: Trace,
    from_nm: f64,
    to_nm: f64,
    /// Middle, columns and rows from the undispersed image \[pixel\].
    pub(crate) middle: (f64, f64),
    /// Columns and rows from end to end \[pixel\].
    pub(crate) extent: (f64, f64),
}

/// The pieces of an order, short and straight for sources at any of the places; where there are several, `borders_nm` are between them.
pub(crate) fn pieces<'a>(order: &'a Order, places: &[(f64, f64)], borders_nm: impl Iterator<Item = f64>) -> Vec<Piece<'a>> {
    let (low, high) = order.efficiency.range_nm();
    let whole = cut(order, places, (low, high));
    if whole.len() == 1 {
        return whole;
    }
    let mut edges: Vec<f64> = vec![low];
    edges.extend(borders_nm.filter(|nm| *nm > low && *nm < high));
    edges.push(high);
    edges.windows(2).flat_map(|ends| cut(order, places, (ends[0], ends[1]))).collect()
}

fn cut<'a>(order: &'a Order, places: &[(f64, f64)], (low, high): (f64, f64)) -> Vec<Piece<'a>> {
    let fits = |from: f64, to: f64| {
        places.iter().all(|&(x, y)| {
            let streak = Streak::new(order, (x, y), from, to);
            streak.extent.0.hypot(streak.extent.1) <= LENGTH_MAX && streak.bend() <= BEND
        })
    };
    for count in 1..400 {
        let edge = |k: usize| low + (high - low) * k as f64 / count as f64;
        if count == 399 || (0..count).all(|k| fits(edge(k), edge(k + 1))) {
            return (0..count).map(|k| Piece { order, from_nm: edge(k), to_nm: edge(k + 1) }).collect();
        }
    }
    Vec::new()
}

impl Piece<'_> {
    /// The efficiency within the piece.
    pub(crate) fn band(&self) -> Bandpass {
        let whole = &self.order.efficiency;
        let at = |nm: f64| whole.at(sim_core::units::Nanometre(nm));
        let inner = whole.wavelength_nm().iter().zip(whole.efficiency()).filter(|(w, _)| **w > self.from_nm && **w < self.to_nm);
        let (mut wavelength_nm, mut efficiency) = (vec![self.from_nm], vec![at(self.from_nm)]);
        for (w, e) in inner {
            wavelength_nm.push(*w);
            efficiency.push(*e);
        }
        wavelength_nm.push(self.to_nm);
        efficiency.push(at(self.to_nm));
        let name = format!("{} {:+}", whole.name, self.order.number);
        // A cut of a band is a band.
        Bandpass::new(name, wavelength_nm, efficiency).unwrap_or_else(|_| (**whole).clone())
    }
    /// The piece of the spectrum of a source whose undispersed image is at a place.
    pub(crate) fn streak(&self, x: f64, y: f64) -> Streak {
        Streak::new(self.order, (x, y), self.from_nm, self.to_nm)
    }
}

impl Streak {
    fn new(order: &Order, (x, y): (f64, f64), from_nm: f64, to_nm: f64) -> Self {
        let trace = order.trace(x, y);
        let (a, b) = (trace.offset(trace.parameter(from_nm)), trace.offset(trace.parameter(to_nm)));
        Self { trace, from_nm, to_nm, middle: (0.5 * (a.0 + b.0), 0.5 * (a.1 + b.1)), extent: (b.0 - a.0, b.1 - a.1) }
    }
    /// Rows per column.
    fn slope(&self) -> f64 {
        if self.extent.0.abs() < POINT { 0.0 } else { self.extent.1 / self.extent.0 }
    }
    /// Whether it runs along the columns' axis rather than along the rows', as drawing wants it.
    pub(crate) fn is_along_x(&self) -> bool {
        self.extent.1.abs() <= self.extent.0.abs().max(POINT)
    }
    /// Largest departure from the straight line \[pixel\].
    fn bend(&self) -> f64 {
        let (from, to) = (self.trace.parameter(self.from_nm), self.trace.parameter(self.to_nm));
        let away = |i: i32| {
            let (x, y) = self.trace.offset(from + (to - from) * f64::from(i) / 8.0);
            (y - self.middle.1 - self.slope() * (x - self.middle.0)).abs()
        };
        (1..8).map(away).fold(0.0, f64::max)
    }
}

/// Working memory of one thread.
#[derive(Default)]
pub(crate) struct SpreadScratch {
    fft: FftScratch,
    plans: BTreeMap<usize, FftPlan>,
    mesh: Vec<[f32; NODES_MAX]>,
    powers: Vec<Lane>,
}

/// Transforms of the light along a streak, one for each colour term.
pub(crate) struct Spread {
    /// By colour term and power p: `(-i)^p / p!` times the transform of the light times (x / half)^p, at kx = 0, 1, ...
    moments: Vec<Vec<Vec<Complex32>>>,
    /// 2 pi s half: what turns ky / Ny into the variable of the series.
    turn: f64,
}

impl Spread {
    /// Of a spectrum through an efficiency, over `photons`, for the modes of a drawing.
    pub(crate) fn new(
        streak: &Streak,
        (sed, photons): (&Sed, f64),
        (efficiency, band): (&Bandpass, &BandQuadrature),
        colours: usize,
        (period, reach): (Period, Reach),
        scratch: &mut SpreadScratch,
    ) -> Self {
        // Four cells a wave at the highest frequency, where 1 % of the light folds in from higher ones; 4e-4 at half of it.
        let cells = (4.0 * reach.x as f64 / period.nx as f64).max(1.0).log2().ceil() as u32;
        let (per_pixel, size) = (f64::from(1 << cells), period.nx << cells);
        scratch.mesh.clear();
        scratch.mesh.resize(size, [0.0; NODES_MAX]);
        deposit(streak, sed, efficiency, band, 1.0 / per_pixel, &mut scratch.mesh);
        let half = 0.5 * streak.extent.0.abs() + 1.0;
        let turn = 2.0 * PI * streak.slope() * half;
        let powers = powers_for(turn.abs() * reach.y as f64 / period.ny as f64);
        let plan = scratch.plans.entry(size).or_insert_with(|| FftPlan::new(size));
        let window = |k: usize| {
            let s = sinc(k as f64 / size as f64);
            1.0 / (s.powi(4) * photons)
        };
        let mut moments = vec![Vec::with_capacity(powers); colours];
        let mut factorial = 1.0;
        for first in (0..powers).step_by(LANES) {
            let count = (powers - first).min(LANES);
            let factors: Vec<Complex64> = (first..first + count)
                .map(|p| {
                    factorial *= p.max(1) as f64;
                    Complex64::new(0.0, -1.0).powi(p as i32) / factorial
                })
                .collect();
            for (term, moments) in moments.iter_mut().enumerate() {
                scratch.powers.clear();
                scratch.powers.extend(scratch.mesh.iter().enumerate().map(|(m, light)| {
                    let cell = if m < size / 2 { m as f64 } else { m as f64 - size as f64 };
                    let x = (cell / per_pixel / half) as f32;
                    let mut value = light[term] * x.powi(first as i32);
                    std::array::from_fn(|_| {
                        let now = value;
                        value *= x;
                        now
                    })
                }));
                let values = fft::lanes(plan, &scratch.powers, count, reach.x + 1, &mut scratch.fft);
                moments.extend(values.into_iter().zip(&factors).map(|(values, factor)| -> Vec<Complex32> {
                    let scaled = values.into_iter().enumerate().map(|(k, v)| v * factor * window(k));
                    scaled.map(|v| Complex32::new(v.re as f32, v.im as f32)).collect()
                }));
            }
        }
        Self { moments, turn }
    }

    /// Colour terms held.
    pub(crate) fn terms(&self) -> usize {
        self.moments.len()
    }

    /// The factor of a colour term: rows of kx, in each the real parts of ky = 0, 1, ... and then the imaginary ones.
    pub(crate) fn factor(&self, term: usize, period: Period, reach: Reach, out: &mut Vec<Lane>) {
        let shape = GridShape::new(period, reach);
        let moments = &self.moments[term];
        let per_row = (self.turn / period.ny as f64) as f32;
        out.clear();
        out.resize(2 * (shape.row_start(reach.x as i64 + 1)), [0.0; LANES]);
        let mut series = vec![Complex32::default(); moments.len()];
        for kx in shape.rows() {
            let blocks = shape.row_blocks(kx);
            for (p, (c, moment)) in series.iter_mut().zip(moments).enumerate() {
                let value = moment[kx.unsigned_abs() as usize];
                // Light and its moments are real, so their transforms at -kx are conjugate; (-i)^p is not of them.
                *c = match (kx < 0, p % 2 == 0) {
                    (false, _) => value,
                    (true, true) => value.conj(),
                    (true, false) => -value.conj(),
                };
            }
            let row = &mut out[2 * shape.row_start(kx)..][..2 * blocks];
            let (re, im) = row.split_at_mut(blocks);
            for (block, (re, im)) in re.iter_mut().zip(im).enumerate() {
                let z: Lane = std::array::from_fn(|l| per_row * (block * LANES + l) as f32);
                let (mut a, mut b) = ([0.0_f32; LANES], [0.0_f32; LANES]);
                for c in series.iter().rev() {
                    a = std::array::from_fn(|l| a[l] * z[l] + c.re);
                    b = std::array::from_fn(|l| b[l] * z[l] + c.im);
                }
                (*re, *im) = (a, b);
            }
        }
    }
}

/// Terms of the exponential series that leave less than 1e-6 at an argument.
fn powers_for(argument: f64) -> usize {
    let (mut term, mut count) = (1.0, 0);
    while term > 1e-6 && count < 40 {
        count += 1;
        term *= argument / count as f64;
    }
    count
}

/// Weights of the four cells around a place, `f` of a cell after the second: the cubic B-spline.
fn spline(f: f64) -> [f64; 4] {
    let (g, f2, f3) = (1.0 - f, f * f, f * f * f);
    [g * g * g, 3.0 * f3 - 6.0 * f2 + 4.0, -3.0 * f3 + 3.0 * f2 + 3.0 * f + 1.0, f3].map(|w| w / 6.0)
}

/// Photons per wavelength of a spectrum through an efficiency, in the spectrum's unit, read at rising wavelengths.
pub(crate) struct Photons<'a> {
    spectrum: Walk<'a>,
    efficiency: Walk<'a>,
    dust: Option<Walk<'a>>,
}

impl<'a> Photons<'a> {
    pub(crate) fn new(sed: &'a Sed, efficiency: &'a Bandpass) -> Self {
        Self {
            spectrum: Walk::new(sed.template.wavelength_nm(), sed.template.flux_lambda(), 1.0 / (1.0 + sed.redshift)),
            efficiency: Walk::new(efficiency.wavelength_nm(), efficiency.efficiency(), 1.0),
            dust: sed.extinction.as_ref().map(|e| Walk::new(e.transmission.wavelength_nm(), e.transmission.flux_lambda(), 1.0)),
        }
    }
    pub(crate) fn at(&mut self, nm: f64) -> f64 {
        self.spectrum.at(nm) * self.efficiency.at(nm) * nm * self.dust.as_mut().map_or(1.0, |d| d.at(nm))
    }
}

/// Puts the photons of a spectrum on the mesh, times the colour terms; cell 0 is the middle of the streak.
fn deposit(streak: &Streak, sed: &Sed, efficiency: &Bandpass, band: &BandQuadrature, cell: f64, mesh: &mut [[f32; NODES_MAX]]) {
    let to_rest = 1.0 / (1.0 + sed.redshift);
    let mut density = Photons::new(sed, efficiency);
    let mut photons = |nm: f64| density.at(nm);
    // Steps of half a cell, and the spectrum's own samples, so that nothing narrow is stepped over.
    let steps = (2.0 * streak.extent.0.hypot(streak.extent.1) / cell).ceil().max(16.0) as usize;
    let samples = sed.template.wavelength_nm();
    let mut next_sample = samples.partition_point(|w| w / to_rest <= streak.from_nm);
    let width = (streak.to_nm - streak.from_nm) / steps as f64;
    let (mut t, size) = (streak.trace.parameter(streak.from_nm), mesh.len() as i64);
    let (mut from, mut left) = (streak.from_nm, photons(streak.from_nm));
    for k in 1..=steps {
        let end = if k == steps { streak.to_nm } else { streak.from_nm + width * k as f64 };
        while from < end {
            let to = match samples.get(next_sample).map(|w| w / to_rest) {
                Some(sample) if sample < end => {
                    next_sample += 1;
                    sample
                }
                _ => end,
            };
            if to <= from {
                continue;
            }
            let (middle, right) = (photons(0.5 * (from + to)), photons(to));
            // Simpson's rule: exact for the product of three straight lines.
            let light = (left + 4.0 * middle + right) * (to - from) / 6.0;
            if light > 0.0 {
                let mean = 0.5 * (from + to) + (right - left) * (to - from) * (to - from) / 12.0 / light;
                t = streak.trace.parameter_near(mean, t);
                let place = (streak.trace.offset(t).0 - streak.middle.0) / cell;
                let (low, share) = (place.floor(), place - place.floor());
                let basis = band.basis_at(mean);
                for (at, share) in (low as i64 - 1..).zip(spline(share)) {
                    let cell = &mut mesh[at.rem_euclid(size) as usize];
                    for (sum, p) in cell.iter_mut().zip(basis) {
                        *sum += (light * share * p) as f32;
                    }
                }
            }
            (from, left) = (to, right);
        }
    }
}
