//! The transfer function of an aberrated circular pupil, tabulated.
//!
//! # Effect
//! A wavefront that is not flat sends light out of the core of the image: the transfer function falls below that of
//! a perfect pupil and becomes complex.
//!
//! # Formula
//! `T(f) = (1/pi) integral over x of exp(2 pi i (W(x + s/2) - W(x - s/2)) / lambda)` over the lens in which two unit
//! discs shifted by `+-s/2` overlap, with `s = 2 nu f/|f|`, `nu = |f| lambda / D`.
//! It is tabulated as `T = M + M P / (1 - nu)`, `P = (1 - nu)(R - 1)`, with the closed form
//! `M(nu) = (2/pi)(acos nu - nu sqrt(1 - nu^2))` of a flat wavefront and the mean `R` of the exponential over the lens.
//!
//! # Symbols
//! `W` wavefront, positive where the light is ahead \[nm\]; `lambda` wavelength \[nm\]; `D` diameter of the pupil;
//! `f` frequency \[cycles / arcsec\]; `x` place in the pupil in units of its radius; `nu` 0 to 1.
//!
//! # Source
//! Goodman, Introduction to Fourier Optics, 3rd ed., sect. 6.4 (the autocorrelation); the sign is that of GalSim's
//! `OpticalPSF` (`phase_psf.py`), verified in the peers checks. The quadrature is ours: with x' along s and y' across,
//! `y' = sin(p)`, `x' = (cos p - nu) u`, `|p| <= acos nu`, `|u| <= 1`, the integrand is an entire function of p and u,
//! so Gauss-Legendre quadrature converges exponentially. The substitution `p -> -p` shows that R is even in
//! `acos nu`, hence analytic in nu on \[0, 1\]: Chebyshev interpolation in nu and trigonometric interpolation in
//! angle converge exponentially too. Only half of the angles are computed, since `T(-f)` is the conjugate.
//!
//! # Limits
//! Scalar, incoherent, monochromatic, unobstructed, uniformly lit pupil. The resolution goes up to wavefronts of
//! about a wave rms; beyond, an error. Error of the table below 1e-6 (tests: direct quadrature, and a pupil
//! autocorrelation on a grid).
//!
//! # Twin
//! None: the reduction measures its PSF from stars.

mod lens;
mod series;

use crate::kernels::{COEFFICIENTS, Coefficients};
#[cfg(test)]
use crate::quadrature::gauss_legendre;
#[cfg(test)]
use crate::zernike::Zernike;
use lens::{LENSES, accumulate, lens_means, lens_nodes, mean_phase, path_differences};
use multiversion::multiversion;
use num_complex::Complex64;
use series::{SERIES, Series};
#[cfg(test)]
use std::f64::consts::PI;

/// Largest last coefficient of a series, and largest change of the quadrature with its next size, that are accepted.
const TOLERANCE: f64 = 3e-7;

/// One Zernike pair of a wavefront: amplitudes of the cosine and of the sine \[nm\], norm included.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Pair {
    pub n: u32,
    pub m: u32,
    pub cosine: f64,
    pub sine: f64,
}

/// A tabulated transfer function: P over `acos(1 - 2 nu)` and half a turn, real and imaginary interleaved.
pub(crate) struct Table {
    /// `[nu][angle]` pairs, two samples of margin before and three after in each direction.
    values: Vec<f32>,
    stride: usize,
    radial: f64,
    angles: f64,
}

/// Tables of one wavefront at several wavelengths, sharing quadrature nodes and path differences.
/// `None` when the wavefront is beyond the finest resolution.
pub(crate) fn tabulate(pairs: &[Pair], wavelengths_nm: &[f64]) -> Option<Vec<Table>> {
    let shortest = wavelengths_nm.iter().copied().fold(f64::INFINITY, f64::min);
    let variance = |p: &Pair| (p.cosine.powi(2) + p.sine.powi(2)) / f64::from((p.n + 1) * if p.m == 0 { 1 } else { 2 });
    let rms_waves = pairs.iter().map(variance).sum::<f64>().sqrt() / shortest;
    let order = pairs.iter().map(|p| p.n).max().unwrap_or(0);
    let (mut lens, mut size) = first_guess(rms_waves, order);
    while lens + 2 < LENSES.len() && size < SERIES.len() {
        // First the quadrature: its errors would keep the series from converging.
        if !quadrature_agrees(lens, size, pairs, shortest) {
            lens += 1;
            continue;
        }
        let series = Series::of(size);
        let values = lens_means(lens, size, pairs, wavelengths_nm);
        let one = series.radial * series.angles;
        if series.converged(&values[shortest_index(wavelengths_nm) * one..][..one]) {
            return Some(values.chunks(one).map(|v| Table::new(series, v)).collect());
        }
        size += 1;
    }
    None
}

fn shortest_index(wavelengths_nm: &[f64]) -> usize {
    (0..wavelengths_nm.len()).min_by(|&a, &b| wavelengths_nm[a].total_cmp(&wavelengths_nm[b])).unwrap_or(0)
}

/// Sizes that are usually enough, found by trial over wavefronts of 0.01 to 0.5 waves; a wrong guess costs time, not
/// accuracy, because the result is checked.
fn first_guess(rms_waves: f64, order: u32) -> (usize, usize) {
    let (root, steep) = (rms_waves.sqrt(), f64::from(order.max(3)) - 3.0);
    let nodes = 6.0 + 1.5 * steep + (28.0 + 7.0 * steep) * root + 16.0 * rms_waves;
    let radii = 7.0 + 1.0 * steep + (38.0 + 8.0 * steep) * root + 18.0 * rms_waves;
    let lens = LENSES.iter().position(|&l| l as f64 >= nodes).unwrap_or(LENSES.len() - 3).min(LENSES.len() - 3);
    let series = SERIES.iter().position(|s| s.0 as f64 >= radii).unwrap_or(SERIES.len() - 1);
    (lens, series)
}

/// Whether the quadrature and the one two sizes finer agree to [`TOLERANCE`], at three radii and six angles.
fn quadrature_agrees(lens: usize, size: usize, pairs: &[Pair], wavelength_nm: f64) -> bool {
    let series = Series::of(size);
    let (mut path, mut terms) = (Vec::new(), Vec::new());
    [1, 3, 5].into_iter().all(|sixth| {
        let i = series.radial * sixth / 7;
        (0..6).all(|k| {
            let turns = &series.turns[series.angles * k / 6];
            let mut mean = |lens: usize| {
                let nodes = lens_nodes(lens, size, i);
                path_differences(nodes, turns, pairs, &mut path);
                mean_phase(&path, &nodes.weights, 1.0 / wavelength_nm, &mut terms)
            };
            let (coarse, fine) = (mean(lens), mean(lens + 2));
            f64::hypot(coarse.0 - fine.0, coarse.1 - fine.1) < TOLERANCE
        })
    })
}

impl Table {
    /// From P at the nodes, `[nu][angle]`.
    fn new(series: &Series, nodes: &[(f64, f64)]) -> Self {
        let stride = 2 * (series.table_angles + 5);
        let mut values = vec![0.0_f32; stride * (series.table_radial + 5)];
        interpolate(series, nodes, stride, &mut values);
        Self { values, stride, radial: series.table_radial as f64, angles: series.table_angles as f64 }
    }

    /// The transfer function at many frequencies; `scale` is lambda / D \[arcsec\].
    pub(crate) fn sample(&self, scale: f64, fx: &[f64], fy: &[f64], out: &mut [Complex64]) {
        let coefficients = &*COEFFICIENTS;
        for ((fx, fy), out) in fx.chunks(CHUNK).zip(fy.chunks(CHUNK)).zip(out.chunks_mut(CHUNK)) {
            sample_chunk(self, coefficients, scale, fx, fy, out);
        }
    }
}

const CHUNK: usize = 64;

#[multiversion(targets("x86_64+avx512f+avx512bw+avx512dq+avx512vl", "x86_64+avx2", "aarch64+neon"))]
fn sample_chunk(table: &Table, coefficients: &Coefficients, scale: f64, fx: &[f64], fy: &[f64], out: &mut [Complex64]) {
    let n = fx.len().min(fy.len()).min(out.len());
    let (mut x, mut y) = ([0.0; CHUNK], [0.0; CHUNK]);
    x[..n].copy_from_slice(&fx[..n]);
    y[..n].copy_from_slice(&fy[..n]);
    let (mut mtf, mut factor, mut sign) = ([0.0; CHUNK], [0.0; CHUNK], [0.0; CHUNK]);
    let (mut row, mut column) = ([0_i32; CHUNK], [0_i32; CHUNK]);
    let (mut across, mut along) = ([0.0_f32; CHUNK], [0.0_f32; CHUNK]);
    for i in 0..CHUNK {
        let nu = ((x[i] * x[i] + y[i] * y[i]).sqrt() * scale).min(1.0);
        (mtf[i], factor[i]) = coefficients.diffraction(nu);
        let turns = coefficients.angle_turns(y[i], x[i]);
        // Below the axis: the conjugate of the opposite point.
        sign[i] = if turns < 0.0 { -factor[i] } else { factor[i] };
        let radius = coefficients.chebyshev_angle(nu) * table.radial;
        let angle = if turns < 0.0 { turns + 0.5 } else { turns } * 2.0 * table.angles;
        let (whole_radius, whole_angle) = (radius.floor().min(table.radial - 1.0), angle.floor().min(table.angles - 1.0));
        row[i] = whole_radius as i32;
        column[i] = whole_angle as i32;
        across[i] = (radius - whole_radius) as f32;
        along[i] = (angle - whole_angle) as f32;
    }
    // Weights across the rows, then along them, the latter once for each of real and imaginary part.
    let mut wr = [[0.0_f32; CHUNK]; 6];
    let mut wa = [[0.0_f32; 12]; CHUNK];
    for i in 0..CHUNK {
        let w = quintic_weights(across[i]);
        for k in 0..6 {
            wr[k][i] = w[k];
        }
    }
    for (pairs, &t) in wa.iter_mut().zip(&along) {
        let w = quintic_weights(t);
        for k in 0..6 {
            pairs[2 * k] = w[k];
            pairs[2 * k + 1] = w[k];
        }
    }
    // Written to memory step by step: that is what the compiler turns into wide operations.
    let mut sums = [[0.0_f32; 4]; CHUNK];
    for i in 0..n {
        let start = row[i] as usize * table.stride + 2 * column[i] as usize;
        let values = &table.values[start..start + 5 * table.stride + 12];
        let line = |k: usize| -> &[f32; 12] { values[k * table.stride..].first_chunk().unwrap_or(&[0.0; 12]) };
        let (v, w) = ([line(0), line(1), line(2), line(3), line(4), line(5)], [wr[0][i], wr[1][i], wr[2][i], wr[3][i], wr[4][i], wr[5][i]]);
        let mut products = [0.0_f32; 12];
        for l in 0..12 {
            products[l] =
                ((w[0] * v[0][l] + w[1] * v[1][l]) + (w[2] * v[2][l] + w[3] * v[3][l]) + (w[4] * v[4][l] + w[5] * v[5][l])) * wa[i][l];
        }
        for l in 0..4 {
            sums[i][l] = products[l] + products[l + 4] + products[l + 8];
        }
    }
    for i in 0..n {
        let (re, im) = (sums[i][0] + sums[i][2], sums[i][1] + sums[i][3]);
        out[i] = Complex64::new(mtf[i] + f64::from(re) * factor[i], f64::from(im) * sign[i]);
    }
}

/// Weights of the quintic through six equidistant samples at -2 ... 3 for a point between 0 and 1.
#[inline(always)]
fn quintic_weights(t: f32) -> [f32; 6] {
    let (a, b, c, d, e) = (t + 2.0, t + 1.0, t - 1.0, t - 2.0, t - 3.0);
    let (ab, de, tc) = (a * b, d * e, t * c);
    [
        b * tc * de * (-1.0 / 120.0),
        a * tc * de * (1.0 / 24.0),
        ab * c * de * (-1.0 / 12.0),
        ab * t * de * (1.0 / 12.0),
        ab * tc * e * (-1.0 / 24.0),
        ab * tc * d * (1.0 / 120.0),
    ]
}

/// Interpolates P from the nodes to the table: trigonometric in angle, Chebyshev in nu.
#[multiversion(targets("x86_64+avx512f+avx512bw+avx512dq+avx512vl", "x86_64+avx2", "aarch64+neon"))]
fn interpolate(series: &Series, nodes: &[(f64, f64)], stride: usize, values: &mut [f32]) {
    let angles = series.table_angles;
    let mut rows = vec![0.0; series.radial * stride];
    let (mut re, mut im) = (vec![0.0; angles], vec![0.0; angles]);
    for (row, nodes) in rows.chunks_mut(stride).zip(nodes.chunks(series.angles)) {
        re.fill(0.0);
        im.fill(0.0);
        for (j, node) in nodes.iter().enumerate() {
            accumulate(&mut re, node.0, &series.to_angles.0[j * angles..(j + 1) * angles]);
            accumulate(&mut im, node.1, &series.to_angles.1[j * angles..(j + 1) * angles]);
        }
        // Two samples before and three after: the conjugates of the other end.
        for (place, pair) in row.chunks_mut(2).enumerate() {
            let t = (place + angles - 2) % angles;
            let inside = (2..angles + 2).contains(&place);
            pair[0] = re[t];
            pair[1] = if inside { im[t] } else { -im[t] };
        }
    }
    let mut sum = vec![0.0; stride];
    for (out, weights) in values.chunks_mut(stride).zip(series.to_radii.chunks(series.radial)) {
        sum.fill(0.0);
        for (row, &w) in rows.chunks(stride).zip(weights) {
            accumulate(&mut sum, w, row);
        }
        for (o, s) in out.iter_mut().zip(&sum) {
            *o = *s as f32;
        }
    }
}

/// Direct quadrature with `lens` nodes per dimension, for tests of the table.
#[cfg(test)]
pub(crate) fn direct(pairs: &[Pair], wavelength_nm: f64, nu: f64, angle: f64, lens: usize) -> Complex64 {
    let (t, w) = gauss_legendre(lens);
    let edge = nu.acos();
    let wave = |x: f64, y: f64| -> f64 {
        let (r, a) = (x.hypot(y), y.atan2(x));
        pairs
            .iter()
            .map(|p| {
                let z = Zernike { n: p.n, m: p.m, sine: false };
                z.radial(r) * (p.cosine * (f64::from(p.m) * a).cos() + p.sine * (f64::from(p.m) * a).sin())
            })
            .sum()
    };
    let (s, c) = angle.sin_cos();
    let mut sum = Complex64::default();
    for (t1, w1) in t.iter().zip(&w) {
        let p = edge * t1;
        let width = p.cos() - nu;
        for (t2, w2) in t.iter().zip(&w) {
            let (along, across) = (width * t2, p.sin());
            let point = |along: f64| wave(along * c - across * s, along * s + across * c);
            let phase = 2.0 * PI * (point(along + nu) - point(along - nu)) / wavelength_nm;
            sum += w1 * w2 * p.cos() * width * edge * Complex64::from_polar(1.0, phase);
        }
    }
    sum / PI
}
