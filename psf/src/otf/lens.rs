//! The lens-shaped overlap of two shifted pupils: quadrature nodes, path differences, and the mean phasor.

use super::Pair;
use super::series::{SERIES, Series};
use crate::kernels::{cos_turns, sin_cos_turns};
use crate::quadrature::gauss_legendre;
use crate::zernike::Basis;
use multiversion::multiversion;
use std::f64::consts::PI;
use std::sync::OnceLock;

/// Nodes per dimension of the lens.
pub(super) const LENSES: [usize; 12] = [8, 10, 12, 16, 20, 26, 34, 44, 60, 80, 108, 144];

/// Nodes summed side by side: a fixed number, so that the sum is the same however wide the machine is.
const LANES: usize = 8;

/// A quarter of the lens at one nu.
pub(super) struct LensNodes {
    /// 1 - nu.
    edge: f64,
    /// Weights, their sum is 1.
    pub(super) weights: Vec<f64>,
    /// `Z(x + s/2) - Z(x - s/2)` per order up to 7 (`[order][node]`), cosine and sine.
    differences: Vec<(Vec<f64>, Vec<f64>)>,
}

/// Radial and azimuthal orders tabulated: Noll index 36 is n = 7.
pub(super) const HIGHEST: u32 = 7;

impl LensNodes {
    fn new(nu: f64, lens: usize) -> Self {
        let edge = nu.acos();
        // A narrow lens needs fewer nodes: even, in proportion to its half angle, but not to nothing.
        let half = (lens as f64 * (0.2 + 0.3 * edge / (0.5 * PI))).ceil() as usize;
        let lens = 2 * half;
        let (t, w) = gauss_legendre(lens);
        let mut points = Vec::with_capacity(half * half);
        let mut weights = Vec::with_capacity(half * half);
        for k in half..lens {
            let p = edge * t[k];
            // cos p - cos(edge), without cancellation.
            let width = 2.0 * (0.5 * (edge + p)).sin() * (0.5 * (edge - p)).sin();
            for l in half..lens {
                points.push((width * t[l], p.sin()));
                weights.push(w[k] * w[l] * p.cos() * width);
            }
        }
        let total: f64 = weights.iter().sum();
        weights.iter_mut().for_each(|w| *w /= total);
        // Nodes of no weight fill the last group of lanes.
        points.resize(points.len().next_multiple_of(LANES), (0.0, 0.0));
        weights.resize(points.len(), 0.0);
        let basis = Basis::new(HIGHEST);
        let mut differences = vec![(Vec::with_capacity(points.len()), Vec::with_capacity(points.len())); Basis::index(HIGHEST + 1, 0)];
        for &(x, y) in &points {
            for (out, (a, b)) in differences.iter_mut().zip(basis.at(x + nu, y).zip(basis.at(x - nu, y))) {
                out.0.push(a.0 - b.0);
                out.1.push(a.1 - b.1);
            }
        }
        Self { edge: 1.0 - nu, weights, differences }
    }
}

/// The lens nodes of one size for one radius of a series, computed once.
pub(super) fn lens_nodes(lens: usize, size: usize, radius: usize) -> &'static LensNodes {
    static CACHE: [[OnceLock<Vec<OnceLock<LensNodes>>>; SERIES.len()]; LENSES.len()] =
        [const { [const { OnceLock::new() }; SERIES.len()] }; LENSES.len()];
    let nus = &Series::of(size).nus;
    let all = CACHE[lens][size].get_or_init(|| nus.iter().map(|_| OnceLock::new()).collect());
    all[radius].get_or_init(|| LensNodes::new(nus[radius], LENSES[lens]))
}

/// P at every node, `[wavelength][nu][angle]`.
pub(super) fn lens_means(lens: usize, size: usize, pairs: &[Pair], wavelengths_nm: &[f64]) -> Vec<(f64, f64)> {
    let series = Series::of(size);
    let one = series.radial * series.angles;
    let mut values = vec![(0.0, 0.0); one * wavelengths_nm.len()];
    let (mut path, mut terms) = (Vec::new(), Vec::new());
    for i in 0..series.radial {
        let lens = lens_nodes(lens, size, i);
        for (j, turns) in series.turns.iter().enumerate() {
            path_differences(lens, turns, pairs, &mut path);
            for (l, &wavelength) in wavelengths_nm.iter().enumerate() {
                let (re, im) = mean_phase(&path, &lens.weights, 1.0 / wavelength, &mut terms);
                values[l * one + i * series.angles + j] = (lens.edge * (re - 1.0), lens.edge * im);
            }
        }
    }
    values
}

/// `W(x + s/2) - W(x - s/2)` at the nodes for one direction of s, in four parts: cosine terms of even, of odd order
/// (under inversion), then sine terms likewise.
#[multiversion(targets("x86_64+avx512f+avx512bw+avx512dq+avx512vl", "x86_64+avx2", "aarch64+neon"))]
pub(super) fn path_differences(lens: &LensNodes, turns: &[(f64, f64)], pairs: &[Pair], path: &mut Vec<f64>) {
    let nodes = lens.weights.len();
    path.clear();
    path.resize(4 * nodes, 0.0);
    let (cosines, sines) = path.split_at_mut(2 * nodes);
    for p in pairs {
        let (c, s) = turns[p.m as usize];
        let difference = &lens.differences[Basis::index(p.n, p.m)];
        let part = (p.m % 2) as usize * nodes..((p.m % 2) as usize + 1) * nodes;
        accumulate(&mut cosines[part.clone()], p.cosine * c + p.sine * s, &difference.0);
        if p.m > 0 {
            accumulate(&mut sines[part], p.sine * c - p.cosine * s, &difference.1);
        }
    }
}

#[inline(always)]
pub(super) fn accumulate(sum: &mut [f64], factor: f64, values: &[f64]) {
    for (s, v) in sum.iter_mut().zip(values) {
        *s += factor * v;
    }
}

/// Mean of the exponential over the lens from a quarter of it: with the path difference split by parity into E (even
/// orders, odd under inversion of x) and O, and into cosine and sine terms (even and odd across s), the four points
/// `(+-x, +-y)` add up to `2 [exp(i (Oc + Os)) cos(Ec + Es) + exp(i (Oc - Os)) cos(Ec - Es)]`.
#[multiversion(targets("x86_64+avx512f+avx512bw+avx512dq+avx512vl", "x86_64+avx2", "aarch64+neon"))]
pub(super) fn mean_phase(path: &[f64], weights: &[f64], per_wavelength: f64, terms: &mut Vec<f64>) -> (f64, f64) {
    let n = weights.len();
    let (ec, rest) = path.split_at(n);
    let (oc, rest) = rest.split_at(n);
    let (es, os) = rest.split_at(n);
    terms.resize(2 * n, 0.0);
    let (re, im) = terms.split_at_mut(n);
    let (es, os, ec, oc) = (&es[..n], &os[..n], &ec[..n], &oc[..n]);
    for i in 0..n {
        let (sp, cp) = sin_cos_turns((oc[i] + os[i]) * per_wavelength);
        let (sm, cm) = sin_cos_turns((oc[i] - os[i]) * per_wavelength);
        let ep = cos_turns((ec[i] + es[i]) * per_wavelength);
        let em = cos_turns((ec[i] - es[i]) * per_wavelength);
        re[i] = 0.5 * weights[i] * (cp * ep + cm * em);
        im[i] = 0.5 * weights[i] * (sp * ep + sm * em);
    }
    (lane_sum(re), lane_sum(im))
}

/// Sum in a fixed number of lanes, so that it is the same however wide the machine is.
#[inline(always)]
fn lane_sum(values: &[f64]) -> f64 {
    let mut lanes = [0.0; LANES];
    for group in values.chunks_exact(LANES) {
        for (l, v) in lanes.iter_mut().zip(group) {
            *l += v;
        }
    }
    lanes.iter().sum()
}
