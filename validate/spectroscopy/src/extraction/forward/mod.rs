//! Spectra of a group of sources fitted together to the pixels of several exposures, orientations and gratings.
//!
//! # Formula
//! Least squares of all pixels over their errors for the flux densities on a grid, columns of the matrix scaled to length 1, with damping:
//! `|A x - b|^2 + d^2 |x - x0|^2`. The damping is given, or the corner of the curve (lg |A x - b|, lg |x - x0|): its largest curvature.
//! # Symbols
//! d  damping;  x0  first guess of the spectra, photometry where a source has it, else 0
//! # Source
//! Ryan, Casertano & Pirzkal 2018 (PASP 130, 034501), LINEAR; Hansen 1992 (SIAM Rev. 34, 561), L-curve; Paige & Saunders 1982 for the solver.
//! # Limits
//! Without Monte Carlo an error is that of an element with all others known: an underestimate, as STScI says of LINEAR. With Monte Carlo it is the scatter of
//! damped solutions, which leaves out the bias of the damping towards the first guess.

pub mod lsqr;
mod matrix;

use super::background::Background;
use super::catalogue::{self, Source};
use super::error::{ExtractionError, within};
use super::psf::Psf;
use super::response::ready;
use super::shape::Drawn;
use crate::image::SlitlessImage;
use lsqr::{Solution, Sparse, lsqr};
use matrix::{Row, Rows};
use ndarray::ArrayView2;
use sim_core::dispersion::Grating;
use sim_core::noise::normals;
use sim_core::stream::StreamKey;
use std::collections::HashMap;

/// One exposure of the group.
#[derive(Debug, Clone)]
pub struct Exposure<'a, 'p> {
    /// The frame.
    pub image: &'a SlitlessImage<'p>,
    /// Its gratings.
    pub gratings: &'a [Grating],
    /// Its background.
    pub background: &'a Background,
    /// Its PSF.
    pub psf: &'a Psf,
    /// Model of all sources that are not of the group, `[y, x]` \[electron / s / pixel\].
    pub others: Option<ArrayView2<'p, f32>>,
    /// The group as this exposure sees it: the same numbers in the same order, positions and angles of this orientation.
    pub sources: &'a [Source],
}

/// How strongly spectra are held to their first guess.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Damping {
    /// This much, in units of the scaled columns.
    Given(f64),
    /// The corner of the L-curve between 0.001 and 10.
    LCurve,
}

/// How a group is solved.
#[derive(Debug, Clone, PartialEq)]
pub struct Settings {
    /// Orders that are fitted.
    pub orders: Vec<i32>,
    /// Damping.
    pub damping: Damping,
    /// Monte Carlo: number of draws (0 for none) and seed.
    pub monte_carlo: (usize, u64),
    /// Most iterations of the solver.
    pub iterations: usize,
    /// Flags that make a pixel unusable.
    pub bad: u16,
}

impl Default for Settings {
    /// Orders 0, 1 and 2, L-curve, no Monte Carlo, 400 iterations.
    fn default() -> Self {
        Self { orders: vec![0, 1, 2], damping: Damping::LCurve, monte_carlo: (0, 0), iterations: 400, bad: super::frame::BAD }
    }
}

/// Spectrum of one source of a group.
#[derive(Debug, Clone, PartialEq)]
pub struct JointSpectrum {
    /// Number of the source.
    pub id: u64,
    /// Flux density at the grid \[erg / s / cm2 / nm\]; not a number where no pixel tells of it.
    pub flux: Vec<f64>,
    /// Its standard error; see the limits of the module.
    pub flux_error: Vec<f64>,
}

/// What a joint fit gives.
#[derive(Debug, Clone, PartialEq)]
pub struct Joint {
    /// Spectra, in the order of the group.
    pub spectra: Vec<JointSpectrum>,
    /// Grid \[nm\].
    pub wavelength_nm: Vec<f64>,
    /// Damping used.
    pub damping: f64,
    /// Chi squared per pixel.
    pub chi2: f64,
    /// Pixels used.
    pub pixels: usize,
    /// Whether errors are by Monte Carlo.
    pub monte_carlo: bool,
    /// The L-curve: damping, `|A x - b|`, `|x - x0|`; empty when the damping was given.
    pub curve: Vec<(f64, f64, f64)>,
}

/// Fits a group.
///
/// # Errors
/// No exposure or source, exposures with other sources, planes of unequal shape, a grid that does not rise, settings out of range, no good pixel.
pub fn solve(exposures: &[Exposure], grid: &[f64], area_cm2: f64, settings: &Settings) -> Result<Joint, ExtractionError> {
    check(exposures, grid, settings)?;
    let (group, n) = (exposures[0].sources, grid.len());
    let mut rows: Vec<Row> = Vec::new();
    for exposure in exposures {
        let orders = ready(exposure.gratings, area_cm2)?;
        let mut part = Rows { exposure, index: HashMap::new(), rows: Vec::new() };
        for (s, source) in exposure.sources.iter().enumerate() {
            let drawn = Drawn::new(exposure.psf, &source.morphology);
            for order in orders.iter().filter(|o| settings.orders.contains(&o.order.number)) {
                part.add(order, source, &drawn, grid, s * n, settings.bad);
            }
        }
        part.find_quiet();
        rows.extend(part.rows.into_iter().filter(|r| !r.entries.is_empty()));
    }
    if rows.is_empty() {
        return Err(ExtractionError::Value { key: "good pixels of the group", value: 0.0, range: "1 at least" });
    }
    let first: Vec<f64> = group.iter().flat_map(|s| grid.iter().map(|w| s.photometry.as_ref().map_or(0.0, |p| p.at(*w)))).collect();
    let mut variances: Vec<f64> = rows.iter().map(|r| r.stated).collect();
    let mut curve = Vec::new();
    let mut damping = if let Damping::Given(d) = settings.damping { d } else { f64::NAN };
    let mut system = System::new(&rows, &variances, &first);
    let mut solution = Solution { x: Vec::new(), residual: 0.0, iterations: 0, converged: false };
    // Twice: the second time with the variances of the first fit's model.
    for round in 0..2 {
        if round > 0 {
            let flux = system.flux(&solution.x, &first);
            for (v, r) in variances.iter_mut().zip(&rows) {
                let model: f64 = r.entries.iter().map(|(c, a)| a * flux[*c as usize]).sum();
                *v = (r.quiet + (r.taken + model).max(0.0) / r.time_s).max(f64::MIN_POSITIVE);
            }
            system = System::new(&rows, &variances, &first);
        }
        if settings.damping == Damping::LCurve && round == 0 {
            curve = system.curve(settings.iterations);
            damping = corner(&curve);
        }
        solution = lsqr(&system.a, &system.b, damping, 1e-8, settings.iterations);
    }
    let flux = system.flux(&solution.x, &first);
    let draws = settings.monte_carlo.0;
    let relative =
        if draws > 1 { system.scatter(&solution.x, damping, settings) } else { vec![1.0 / (1.0 + damping * damping).sqrt(); first.len()] };
    let spectra = group.iter().enumerate().map(|(s, source)| {
        let known = |k: usize| system.scale[s * n + k] > 0.0;
        let flux = (0..n).map(|k| if known(k) { flux[s * n + k] } else { f64::NAN }).collect();
        let flux_error = (0..n).map(|k| if known(k) { relative[s * n + k] / system.scale[s * n + k] } else { f64::NAN }).collect();
        JointSpectrum { id: source.id, flux, flux_error }
    });
    Ok(Joint {
        spectra: spectra.collect(),
        wavelength_nm: grid.to_vec(),
        damping,
        chi2: solution.residual.powi(2) / rows.len() as f64,
        pixels: rows.len(),
        monte_carlo: draws > 1,
        curve,
    })
}

/// Matrix with scaled rows and columns, and what the first guess leaves.
struct System {
    a: Sparse,
    b: Vec<f64>,
    /// Length of each column before scaling; 0 where no pixel tells of the unknown.
    scale: Vec<f64>,
}

impl System {
    fn new(rows: &[Row], variances: &[f64], first: &[f64]) -> Self {
        let mut squares = vec![0.0; first.len()];
        for (r, v) in rows.iter().zip(variances) {
            r.entries.iter().for_each(|(c, a)| squares[*c as usize] += a * a / v);
        }
        let highest = squares.iter().copied().fold(0.0, f64::max);
        // Unknowns at the very ends of an order carry no information.
        let scale: Vec<f64> = squares.iter().map(|s| if *s > 1e-6 * highest { s.sqrt() } else { 0.0 }).collect();
        let mut b = Vec::with_capacity(rows.len());
        let scaled: Vec<Vec<(u32, f64)>> = rows
            .iter()
            .zip(variances)
            .map(|(r, v)| {
                let sigma = v.sqrt();
                b.push((r.rate - r.entries.iter().map(|(c, a)| a * first[*c as usize]).sum::<f64>()) / sigma);
                let known = r.entries.iter().filter(|(c, _)| scale[*c as usize] > 0.0);
                known.map(|(c, a)| (*c, a / sigma / scale[*c as usize])).collect()
            })
            .collect();
        Self { a: Sparse::new(&scaled, first.len()), b, scale }
    }
    fn flux(&self, x: &[f64], first: &[f64]) -> Vec<f64> {
        x.iter().zip(first).zip(&self.scale).map(|((x, f), s)| if *s > 0.0 { f + x / s } else { *f }).collect()
    }
    fn curve(&self, iterations: usize) -> Vec<(f64, f64, f64)> {
        (0..17)
            .map(|i| {
                let damping = 10f64.powf(-3.0 + 0.25 * f64::from(i));
                let s = lsqr(&self.a, &self.b, damping, 1e-6, iterations);
                (damping, s.residual, s.x.iter().map(|x| x * x).sum::<f64>().sqrt())
            })
            .collect()
    }
    /// Standard deviation of the scaled unknowns over draws of the noise.
    fn scatter(&self, x: &[f64], damping: f64, settings: &Settings) -> Vec<f64> {
        let (draws, seed) = settings.monte_carlo;
        let model = self.a.times(x);
        let key = StreamKey::new(seed).with_name("forward");
        let (mut sums, mut squares) = (vec![0.0; x.len()], vec![0.0; x.len()]);
        for draw in 0..draws {
            let mut noise = vec![0f32; model.len()];
            normals(&key.stream(draw as u64), 0, &mut noise);
            let b: Vec<f64> = model.iter().zip(&noise).map(|(m, n)| m + f64::from(*n)).collect();
            let solution = lsqr(&self.a, &b, damping, 1e-6, settings.iterations);
            for (k, v) in solution.x.iter().enumerate() {
                sums[k] += v;
                squares[k] += v * v;
            }
        }
        let n = draws as f64;
        sums.iter().zip(&squares).map(|(s, q)| ((q - s * s / n) / (n - 1.0)).max(0.0).sqrt()).collect()
    }
}

/// Damping at the largest curvature of the L-curve.
fn corner(curve: &[(f64, f64, f64)]) -> f64 {
    let points: Vec<(f64, f64)> = curve.iter().map(|c| (c.1.max(1e-300).ln(), c.2.max(1e-300).ln())).collect();
    let curvature = |i: usize| {
        let (a, b, c) = (points[i - 1], points[i], points[i + 1]);
        // Menger: four times the area over the product of the sides, positive at a corner that points to the origin.
        let area = (b.0 - a.0) * (c.1 - a.1) - (c.0 - a.0) * (b.1 - a.1);
        let side = |p: (f64, f64), q: (f64, f64)| (p.0 - q.0).hypot(p.1 - q.1);
        let product = side(a, b) * side(b, c) * side(c, a);
        if product > 0.0 { 2.0 * area / product } else { 0.0 }
    };
    let best = (1..points.len().saturating_sub(1)).map(|i| (curvature(i), i)).max_by(|a, b| a.0.total_cmp(&b.0));
    best.map_or(curve[0].0, |(_, i)| curve[i].0)
}

fn check(exposures: &[Exposure], grid: &[f64], settings: &Settings) -> Result<(), ExtractionError> {
    let Some(first) = exposures.first() else {
        return Err(ExtractionError::Value { key: "number of exposures", value: 0.0, range: "1 at least" });
    };
    if first.sources.is_empty() {
        return Err(ExtractionError::Value { key: "number of sources of the group", value: 0.0, range: "1 at least" });
    }
    for e in exposures {
        catalogue::check(e.sources)?;
        if let Some(s) = e.sources.iter().zip(first.sources).find(|(a, b)| a.id != b.id) {
            return Err(ExtractionError::Source {
                id: s.0.id,
                reason: format!("exposures must list the group alike; here stands {}", s.1.id),
            });
        }
        if e.sources.len() != first.sources.len() {
            let value = e.sources.len() as f64;
            return Err(ExtractionError::Value { key: "number of sources of an exposure", value, range: "that of the first exposure" });
        }
        let expected = e.image.rate.dim();
        let others = e.others.map_or(expected, |o| o.dim());
        for (name, got) in [("error", e.image.error.dim()), ("flags", e.image.flags.dim()), ("others", others)] {
            if got != expected {
                return Err(ExtractionError::Shape { name, got, expected });
            }
        }
    }
    if grid.len() < 2 || !grid.windows(2).all(|w| w[1] > w[0]) {
        return Err(ExtractionError::Value { key: "nodes of the grid", value: grid.len() as f64, range: "2 at least, rising" });
    }
    if let Damping::Given(d) = settings.damping {
        within("damping", d, 0.0, 1e6, "0..1e6")?;
    }
    within("solver iterations", settings.iterations as f64, 1.0, 1e6, "1..1e6")
}
