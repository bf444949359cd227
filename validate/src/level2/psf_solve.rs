//! The least-squares solution for the effective PSF: conjugate gradients on the normal equations.
//!
//! # Formula
//! (sum_s A_s^T W_s A_s + R) c = sum_s A_s^T W_s d_s; R is the prior that second differences of neighbouring
//! coefficients are of the order of the local brightness of the current model.
//! # Source
//! Conjugate gradients: Hestenes & Stiefel 1952 (J. Res. NBS 49, 409), with the diagonal as preconditioner.

use super::MeasuredFrame;
use super::psf_model::{CENTRE, EffectivePsf, NODES_PER_PIXEL, PsfPixel, RADIUS_PX, SIDE, node_of, spline};
use ndarray::Array2;
use rayon::prelude::*;

/// Relative error allowed to the model, so that the brightest stars do not rule the solution.
const MODEL_ERROR: f64 = 0.005;
/// Residual, in standard deviations, beyond which a pixel of a star is left out (a neighbour, a hit).
const CLIP: f64 = 5.0;
/// Prior on second differences, as a fraction of the local brightness: a Gaussian PSF of 2 pixels FWHM has 0.15 at its
/// centre, and with 0.3 the noise of 170 stars showed as 0.7 % of the peak (0.5 % with 0.1).
const STIFFNESS: f64 = 0.1;
/// Stars per parallel chunk: fixed, so that sums have one order for any number of threads.
const CHUNK: usize = 8;

/// The pixels of one star, ready for the solver.
pub(crate) struct Sample {
    terms: Vec<f64>,
    first: [usize; 2],
    wx: [f64; 4],
    wy: [f64; 4],
    data: Vec<f64>,
    weight: Vec<f64>,
}

const STAMP: usize = 2 * RADIUS_PX + 1;

impl Sample {
    /// Takes the stamp of a star; weights come from the sky and the current model, never from the data.
    pub fn new(frame: &MeasuredFrame, psf: &EffectivePsf, x: f64, y: f64, rate: f64) -> Self {
        let half = RADIUS_PX as i64;
        let (cx, cy) = (x.round() as i64, y.round() as i64);
        let ((first_x, tx), (first_y, ty)) = (node_of((cx - half) as f64 - x), node_of((cy - half) as f64 - y));
        let mut model: Vec<PsfPixel> = Vec::new();
        psf.at(x, y).stamp(x, y, half, &mut model);
        let variance = frame.background.variance.at(x, y);
        let (ny, nx) = frame.rate.dim();
        // The starting model is crude: only from the second round on is a large residual a neighbour's.
        let first_round = psf.stars == 0;
        let (mut data, mut weight) = (vec![0.0; STAMP * STAMP], vec![0.0; STAMP * STAMP]);
        for (k, pixel) in model.iter().enumerate() {
            let (px, py) = (cx - half + (k % STAMP) as i64, cy - half + (k / STAMP) as i64);
            if px < 0 || py < 0 || px >= nx as i64 || py >= ny as i64 || !frame.good[(py as usize, px as usize)] {
                continue;
            }
            let value = f64::from(frame.rate[(py as usize, px as usize)]);
            let expected = rate * pixel.value.max(0.0);
            let v = variance + expected / frame.exposure_s + (MODEL_ERROR * expected).powi(2);
            if !first_round && (value - expected).abs() > CLIP * (v + (0.05 * expected).powi(2)).sqrt() {
                continue;
            }
            data[k] = value / rate;
            weight[k] = rate * rate / v;
        }
        let clamp = |first: i64| first.clamp(0, (SIDE - 4 - (STAMP - 1) * NODES_PER_PIXEL) as i64) as usize;
        Self { terms: psf.field.terms(x, y), first: [clamp(first_y), clamp(first_x)], wx: spline(tx).0, wy: spline(ty).0, data, weight }
    }
    /// Model pixels of coefficients `c` (already combined over the field terms).
    fn project(&self, c: &[f64], out: &mut [f64]) {
        out.fill(0.0);
        for (j, line) in out.chunks_exact_mut(STAMP).enumerate() {
            for b in 0..4 {
                let row = (self.first[0] + j * NODES_PER_PIXEL + b) * SIDE + self.first[1];
                let nodes = &c[row..row + (STAMP - 1) * NODES_PER_PIXEL + 4];
                for (value, n) in line.iter_mut().zip(nodes.windows(4).step_by(NODES_PER_PIXEL)) {
                    *value += self.wy[b] * (self.wx[0] * n[0] + self.wx[1] * n[1] + self.wx[2] * n[2] + self.wx[3] * n[3]);
                }
            }
        }
    }
    /// Adds the transpose of [`Self::project`] applied to `pixels`, or of its square for the diagonal.
    fn spread(&self, pixels: &[f64], squared: bool, out: &mut [f64]) {
        let power = |w: [f64; 4]| if squared { w.map(|v| v * v) } else { w };
        let (wx, wy) = (power(self.wx), power(self.wy));
        for (j, line) in pixels.chunks_exact(STAMP).enumerate() {
            for (b, &w) in wy.iter().enumerate() {
                let row = (self.first[0] + j * NODES_PER_PIXEL + b) * SIDE + self.first[1];
                let nodes = &mut out[row..row + (STAMP - 1) * NODES_PER_PIXEL + 4];
                for (i, &value) in line.iter().enumerate() {
                    let n = &mut nodes[i * NODES_PER_PIXEL..i * NODES_PER_PIXEL + 4];
                    let v = w * value;
                    for a in 0..4 {
                        n[a] += v * wx[a];
                    }
                }
            }
        }
    }
}

/// Coefficients of all field terms, or anything of that shape.
type Stack = Vec<Array2<f64>>;

fn dot(a: &Stack, b: &Stack) -> f64 {
    a.iter().zip(b).map(|(a, b)| a.iter().zip(b).map(|(x, y)| x * y).sum::<f64>()).sum()
}

/// Sums a stack over stars: chunks in parallel, added in the order of the stars. `each` fills one star's share.
fn accumulate(samples: &[Sample], terms: usize, squared: bool, each: impl Fn(&Sample, &mut [f64], &mut [f64]) + Sync) -> Stack {
    let parts: Vec<Vec<f64>> = samples
        .par_chunks(CHUNK)
        .map(|chunk| {
            let mut part = vec![0.0; terms * SIDE * SIDE];
            let (mut pixels, mut one) = (vec![0.0; STAMP * STAMP], vec![0.0; SIDE * SIDE]);
            for sample in chunk {
                one.fill(0.0);
                each(sample, &mut one, &mut pixels);
                for (sum, &term) in part.chunks_exact_mut(SIDE * SIDE).zip(&sample.terms) {
                    let term = if squared { term * term } else { term };
                    sum.iter_mut().zip(&one).for_each(|(s, o)| *s += term * o);
                }
            }
            part
        })
        .collect();
    (0..terms)
        .map(|k| {
            let mut total = Array2::zeros((SIDE, SIDE));
            for part in &parts {
                total.iter_mut().zip(&part[k * SIDE * SIDE..(k + 1) * SIDE * SIDE]).for_each(|(t, p)| *t += p);
            }
            total
        })
        .collect()
}

/// The prior: precision of second differences and (for the varying terms) of the values themselves.
struct Prior {
    precision: Array2<f64>,
}

impl Prior {
    fn new(model: &Array2<f64>) -> Self {
        // Azimuthal mean of the current model, falling monotonically, never quite zero.
        let mut sums = vec![(0.0, 0.0); SIDE];
        for ((j, i), &c) in model.indexed_iter() {
            let r = ((i as f64 - CENTRE as f64).hypot(j as f64 - CENTRE as f64)).round() as usize;
            sums[r].0 += c;
            sums[r].1 += 1.0;
        }
        let peak = sums[0].0.max(1e-3);
        let mut floor = peak;
        let profile: Vec<f64> = sums
            .iter()
            .map(|&(s, n)| {
                floor = if n > 0.0 { floor.min((s / n).max(0.7 * floor)) } else { floor }.max(1e-4 * peak);
                floor
            })
            .collect();
        let precision = Array2::from_shape_fn((SIDE, SIDE), |(j, i)| {
            let r = ((i as f64 - CENTRE as f64).hypot(j as f64 - CENTRE as f64)).round() as usize;
            (STIFFNESS * profile[r]).powi(-2)
        });
        Self { precision }
    }
    /// Adds `R v` to `out`.
    fn apply(&self, v: &Stack, out: &mut Stack) {
        for (k, (v, out)) in v.iter().zip(out).enumerate() {
            // The field variation is smaller than the PSF itself: ten times the precision.
            let strength = if k == 0 { 1.0 } else { 10.0 };
            for j in 0..SIDE {
                for i in 0..SIDE {
                    if i > 0 && i + 1 < SIDE {
                        let d = strength * self.precision[(j, i)] * (v[(j, i - 1)] - 2.0 * v[(j, i)] + v[(j, i + 1)]);
                        out[(j, i - 1)] += d;
                        out[(j, i)] -= 2.0 * d;
                        out[(j, i + 1)] += d;
                    }
                    if j > 0 && j + 1 < SIDE {
                        let d = strength * self.precision[(j, i)] * (v[(j - 1, i)] - 2.0 * v[(j, i)] + v[(j + 1, i)]);
                        out[(j - 1, i)] += d;
                        out[(j, i)] -= 2.0 * d;
                        out[(j + 1, i)] += d;
                    }
                    if k > 0 {
                        out[(j, i)] += self.precision[(j, i)] * v[(j, i)];
                    }
                }
            }
        }
    }
    fn diagonal(&self, k: usize, j: usize, i: usize) -> f64 {
        let strength = if k == 0 { 1.0 } else { 10.0 };
        12.0 * strength * self.precision[(j, i)]
    }
}

/// Solves for the coefficients, starting from those of `psf`, until the residual has fallen by `tolerance`.
pub(crate) fn solve(psf: &mut EffectivePsf, samples: &[Sample], tolerance: f64) {
    let terms = psf.field.count();
    let prior = Prior::new(&psf.coefficients[0]);
    let normal = |v: &Stack| {
        let mut out = accumulate(samples, terms, false, |sample, one, pixels| {
            // The share of this star is small beside the stack: combine the field terms first, `one` as scratch.
            for (v, &term) in v.iter().zip(&sample.terms) {
                one.iter_mut().zip(v).for_each(|(o, v)| *o += term * v);
            }
            sample.project(one, pixels);
            pixels.iter_mut().zip(&sample.weight).for_each(|(p, w)| *p *= w);
            one.fill(0.0);
            sample.spread(pixels, false, one);
        });
        prior.apply(v, &mut out);
        out
    };
    let right = accumulate(samples, terms, false, |sample, one, pixels| {
        for ((p, w), d) in pixels.iter_mut().zip(&sample.weight).zip(&sample.data) {
            *p = w * d;
        }
        sample.spread(pixels, false, one);
    });
    let mut diagonal = accumulate(samples, terms, true, |sample, one, _| sample.spread(&sample.weight, true, one));
    for (k, d) in diagonal.iter_mut().enumerate() {
        for ((j, i), d) in d.indexed_iter_mut() {
            *d += prior.diagonal(k, j, i);
        }
    }
    let precondition = |r: &Stack| -> Stack { r.iter().zip(&diagonal).map(|(r, d)| r / d).collect() };
    let c = &mut psf.coefficients;
    let mut residual: Stack = right.iter().zip(normal(c)).map(|(b, a)| b - a).collect();
    let mut z = precondition(&residual);
    let mut direction = z.clone();
    let mut rho = dot(&residual, &z);
    let goal = tolerance * tolerance * dot(&right, &precondition(&right));
    for _ in 0..100 {
        if rho <= goal {
            break;
        }
        let image = normal(&direction);
        let step = rho / dot(&direction, &image);
        for k in 0..terms {
            c[k].scaled_add(step, &direction[k]);
            residual[k].scaled_add(-step, &image[k]);
        }
        z = precondition(&residual);
        let next = dot(&residual, &z);
        let beta = next / rho;
        for (d, z) in direction.iter_mut().zip(&z) {
            d.zip_mut_with(z, |d, &z| *d = z + beta * *d);
        }
        rho = next;
    }
}
