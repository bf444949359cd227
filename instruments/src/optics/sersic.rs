//! The Fourier transform of Sersic profiles of any index, from one table.
//!
//! # Effect
//! Turns (index, frequency) into the transform of a circular Sersic profile of half-light radius 1 and flux 1.
//! # Formula
//! I(r) ~ exp(-b r^(1/n)); its Hankel transform as a Mellin-Barnes integral,
//! F(k) = 1/(2 pi i) integral Gamma(n (2 - s)) / Gamma(2 n) b^(n s) 2^(s-1) Gamma(s/2) / Gamma(1 - s/2) k^-s ds
//! along Re s = 1. The integrand falls like exp(-pi n |Im s| / 2), so the trapezoidal rule converges geometrically.
//! # Symbols
//! n index 0.3..6.2;  b half-light constant;  r \[half-light radii\];  k \[rad / half-light radius\];  q = k^2
//! # Source
//! Sersic 1963; GalSim's conventions (untruncated, half-light radius of the circular profile);
//! Mellin transform of J0: Erdelyi et al. 1954, Tables of Integral Transforms I, 6.8(1); Parseval's relation for it.
//! # Limits
//! q from 2^-26 (F = 1 below to 2e-7) to 2^40. Table error < 3e-7 of F(0) at its nodes; linear interpolation in
//! q between 128 nodes per octave adds < 3e-6, of both signs (the second derivative q^2 F'' stays below 0.6).
//! # Twin
//! None: light is not undone.
//!
//! The table is built once in about 20 ms of CPU and is a mathematical constant (like a table of logarithms),
//! therefore it may live in a static. Published polynomial fits of F are good to 1e-3 only.

use super::special::{ln_gamma, ln_gamma_real, sersic_b};
use num_complex::Complex64;
use std::sync::LazyLock;

/// Lowest and highest index.
pub const INDEX_RANGE: (f64, f64) = (0.3, 6.2);

pub(crate) const LOW_OCTAVE: i32 = -26;
const OCTAVES: usize = 66;
/// Nodes per octave of q, a power of two: the top seven bits of the mantissa are the index.
pub(crate) const SUB_BITS: u32 = 7;
pub(crate) const SUB: usize = 1 << SUB_BITS;
const DENSE: usize = OCTAVES * SUB + 1;
const COARSE_PER_OCTAVE: usize = 8;
const COARSE_PAD: usize = 3;
const COARSE: usize = OCTAVES * COARSE_PER_OCTAVE + 2 * COARSE_PAD + 1;
const LN_N_STEP: f64 = 0.05;
const ROWS: usize = 66;
/// Aliases of the trapezoidal rule: F(k e^(+-42)) e^(+-42), below 1e-12 for all k of the table.
const TRAPEZOID_STEP: f64 = 0.15;
const LINE: f64 = 1.0;

/// The table in (n, q).
pub(crate) struct SersicTable {
    coarse: Vec<f64>,
    dense: Vec<f32>,
    b: Vec<f64>,
    ln_central: Vec<f64>,
}

static TABLE: LazyLock<SersicTable> = LazyLock::new(SersicTable::build);

/// The table, built at first use.
pub(crate) fn table() -> &'static SersicTable {
    &TABLE
}

/// Weights of six-point Lagrange interpolation at `t` in 0..1 between nodes 2 and 3 of 0..5.
fn lagrange6(t: f64) -> [f64; 6] {
    std::array::from_fn(|i| (0..6).filter(|&j| j != i).map(|j| (t + 2.0 - j as f64) / (i as f64 - j as f64)).product())
}

fn row_position(n: f64) -> (usize, [f64; 6]) {
    let position = ((n / INDEX_RANGE.0).ln() / LN_N_STEP).max(0.0);
    let first = (position.floor() as usize).min(ROWS - 6);
    (first, lagrange6(position - first as f64))
}

fn row_index(row: usize) -> f64 {
    INDEX_RANGE.0 * ((row as f64 - 2.0) * LN_N_STEP).exp()
}

impl SersicTable {
    fn build() -> Self {
        let t_count = 900;
        // exp(-i t ln k) serves all indices: sample it once.
        let mut phases = vec![Complex64::default(); COARSE * t_count];
        let mut scale = vec![0.0; COARSE];
        for (i, row) in phases.chunks_exact_mut(t_count).enumerate() {
            let log2_q = f64::from(LOW_OCTAVE) + (i as f64 - COARSE_PAD as f64) / COARSE_PER_OCTAVE as f64;
            let ln_k = 0.5 * log2_q * std::f64::consts::LN_2;
            scale[i] = (-LINE * ln_k).exp() * TRAPEZOID_STEP / std::f64::consts::PI;
            let turn = Complex64::from_polar(1.0, -TRAPEZOID_STEP * ln_k);
            let mut phase = Complex64::new(1.0, 0.0);
            for p in row.iter_mut() {
                *p = phase;
                phase *= turn;
            }
        }
        let mut coarse = vec![0.0; ROWS * COARSE];
        let (mut b_of_row, mut ln_central) = (Vec::new(), Vec::new());
        for (row, out) in coarse.chunks_exact_mut(COARSE).enumerate() {
            let n = row_index(row);
            let b = sersic_b(n);
            b_of_row.push(b);
            ln_central.push(2.0 * n * b.ln() - (2.0 * std::f64::consts::PI * n).ln() - ln_gamma_real(2.0 * n));
            let integrand = mellin_barnes(n, b, t_count);
            for ((o, p), s) in out.iter_mut().zip(phases.chunks_exact(t_count)).zip(&scale) {
                let sum: f64 = integrand.iter().zip(p).map(|(g, p)| g.re * p.re - g.im * p.im).sum();
                *o = sum * s;
            }
        }
        let mut dense = vec![0.0; ROWS * DENSE];
        let stencils: Vec<(usize, [f64; 6])> = (0..SUB)
            .map(|m| {
                let position = (1.0 + m as f64 / SUB as f64).log2() * COARSE_PER_OCTAVE as f64;
                (position.floor() as usize, lagrange6(position.fract()))
            })
            .collect();
        let mut exact = vec![0.0; DENSE];
        for (out, row) in dense.chunks_exact_mut(DENSE).zip(coarse.chunks_exact(COARSE)) {
            for (d, e) in exact.iter_mut().enumerate() {
                let (offset, weights) = &stencils[d % SUB];
                let first = (d / SUB) * COARSE_PER_OCTAVE + offset + COARSE_PAD - 2;
                *e = weights.iter().zip(&row[first..]).map(|(w, v)| w * v).sum::<f64>();
            }
            for (d, o) in out.iter_mut().enumerate() {
                *o = (exact[d] - sag(&exact, d)) as f32;
            }
        }
        Self { coarse, dense, b: b_of_row, ln_central }
    }

    /// Writes the transform at index `n` for nodes of q from octave `low` on (2^low first) into `out`.
    pub(crate) fn tabulate(&self, n: f64, low: i32, out: &mut [f32]) {
        let (first, weights) = row_position(n);
        let w: [f32; 6] = weights.map(|w| w as f32);
        let start = (low - LOW_OCTAVE).max(0) as usize * SUB;
        let row = |i: usize| &self.dense[(first + i) * DENSE..][..DENSE][start..];
        let rows: [&[f32]; 6] = std::array::from_fn(row);
        let count = out.len().min(rows[0].len());
        let rows = rows.map(|r| &r[..count]);
        for (i, o) in out[..count].iter_mut().enumerate() {
            *o =
                (w[0] * rows[0][i] + w[1] * rows[1][i]) + (w[2] * rows[2][i] + w[3] * rows[3][i]) + (w[4] * rows[4][i] + w[5] * rows[5][i]);
        }
        out[count..].fill(0.0);
    }

    /// The transform at q = scale k^2, k = 0, 1, ..., to 1e-3: for what is faint.
    pub(crate) fn on_axis(&self, n: f64, scale: f64, count: usize) -> impl Iterator<Item = f32> + '_ {
        let (first, weights) = row_position(n);
        (0..count).map(move |k| {
            let q = scale * (k * k) as f64;
            if q < 2.0_f64.powi(LOW_OCTAVE) {
                return 1.0;
            }
            let d = dense_index(q);
            let at = |d: usize| (0..6).map(|r| weights[r] as f32 * self.dense[(first + r) * DENSE + d]).sum::<f32>();
            let edge = |d: usize| 2.0_f64.powi(LOW_OCTAVE + (d / SUB) as i32) * (1.0 + (d % SUB) as f64 / SUB as f64);
            let (low, high) = (edge(d), edge(d + 1));
            let share = ((q - low) / (high - low)).clamp(0.0, 1.0) as f32;
            at(d) * (1.0 - share) + at((d + 1).min(DENSE - 1)) * share
        })
    }

    /// The transform near (n, q), good to a few per cent: for planning only.
    pub(crate) fn rough(&self, n: f64, q: f64) -> f64 {
        let row = (((n / INDEX_RANGE.0).ln() / LN_N_STEP + 2.5) as usize).min(ROWS - 1);
        f64::from(self.dense[row * DENSE + dense_index(q)])
    }

    /// The one-dimensional transform at index `n`, in double precision.
    pub(crate) fn at_index(&self, n: f64) -> SersicTransform {
        let (first, weights) = row_position(n);
        let values = (0..COARSE).map(|i| (0..6).map(|r| weights[r] * self.coarse[(first + r) * COARSE + i]).sum()).collect();
        SersicTransform { values }
    }

    /// (b, ln of the central surface brightness at unit flux and half-light radius), linear in ln n: for planning.
    pub(crate) fn brightness(&self, n: f64) -> (f64, f64) {
        let position = (n / INDEX_RANGE.0).ln() / LN_N_STEP + 2.0;
        let i = (position.floor() as usize).min(ROWS - 2);
        let t = position - i as f64;
        (self.b[i] + t * (self.b[i + 1] - self.b[i]), self.ln_central[i] + t * (self.ln_central[i + 1] - self.ln_central[i]))
    }
}

/// Index of the dense node at or below q.
pub(crate) fn dense_index(q: f64) -> usize {
    let q = (q as f32).clamp(2.0_f32.powi(LOW_OCTAVE), 2.0_f32.powi(LOW_OCTAVE + OCTAVES as i32 - 1) * 1.99);
    ((q.to_bits() >> (23 - SUB_BITS)) as usize) - ((127 + LOW_OCTAVE) as usize) * SUB
}

/// Half of what a chord between neighbouring nodes lies above the curve: taken off the nodes, so that linear
/// interpolation errs equally to both sides instead of twice as much to one.
fn sag(values: &[f64], d: usize) -> f64 {
    if d == 0 || d + 1 == values.len() {
        return 0.0;
    }
    // Spacing of q doubles at each octave.
    let left = if d.is_multiple_of(SUB) { 0.5 } else { 1.0 };
    let second = 2.0 * ((values[d + 1] - values[d]) - (values[d] - values[d - 1]) / left) / (1.0 + left);
    second * (0.5 * (1.0 + left)).powi(2) / 16.0
}

fn mellin_barnes(n: f64, b: f64, t_count: usize) -> Vec<Complex64> {
    let ln_total = ln_gamma_real(2.0 * n);
    let mut out = Vec::with_capacity(t_count);
    let mut largest = 0.0_f64;
    for m in 0..t_count {
        let s = Complex64::new(LINE, TRAPEZOID_STEP * m as f64);
        let log = ln_gamma(n * (2.0 - s)) - ln_total + n * s * b.ln() + (s - 1.0) * std::f64::consts::LN_2 + ln_gamma(0.5 * s)
            - ln_gamma(1.0 - 0.5 * s);
        let value = log.exp() * if m == 0 { 0.5 } else { 1.0 };
        largest = largest.max(value.norm());
        if value.norm() < 1e-18 * largest {
            break;
        }
        out.push(value);
    }
    out
}

/// The transform at one index, in double precision.
pub struct SersicTransform {
    values: Vec<f64>,
}

impl SersicTransform {
    /// The transform of a Sersic profile of unit half-light radius and flux.
    #[must_use]
    pub fn new(index: f64) -> Self {
        table().at_index(index)
    }
    /// Value at q = (k x half-light radius)^2.
    #[must_use]
    pub fn at(&self, q: f64) -> f64 {
        if q < 2.0_f64.powi(LOW_OCTAVE) {
            return 1.0;
        }
        let position = (q.log2() - f64::from(LOW_OCTAVE)) * COARSE_PER_OCTAVE as f64;
        if position >= (OCTAVES * COARSE_PER_OCTAVE) as f64 {
            return 0.0;
        }
        let first = position.floor() as usize + COARSE_PAD - 2;
        let weights = lagrange6(position.fract());
        weights.iter().zip(&self.values[first..]).map(|(w, v)| w * v).sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_exponential_and_the_gaussian_come_out_in_closed_form() {
        let (exponential, gaussian) = (SersicTransform::new(1.0), SersicTransform::new(0.5));
        let (b1, b05) = (sersic_b(1.0), sersic_b(0.5));
        for i in 0..200 {
            let q = 2.0_f64.powf(-20.0 + 0.15 * f64::from(i));
            let exact = (1.0 + q / (b1 * b1)).powf(-1.5);
            assert!((exponential.at(q) - exact).abs() < 1e-8, "n = 1, q = {q}: {} {exact}", exponential.at(q));
            // relative accuracy holds in the wings of a power law
            assert!((exponential.at(q) / exact - 1.0).abs() < 1e-5, "n = 1, q = {q}, relative");
            let exact = (-q / (4.0 * b05)).exp();
            assert!((gaussian.at(q) - exact).abs() < 5e-8, "n = 0.5, q = {q}: {} {exact}", gaussian.at(q));
        }
    }

    /// Simpson's rule over an even number of steps.
    fn simpson(count: u32, step: f64, f: impl Fn(f64) -> f64) -> f64 {
        let weight = |i: u32| match (i, i % 2) {
            (0, _) => 1.0,
            (i, _) if i == count => 1.0,
            (_, 1) => 4.0,
            _ => 2.0,
        };
        (0..=count).map(|i| weight(i) * f(step * f64::from(i))).sum::<f64>() * step / 3.0
    }

    /// Direct Hankel integration by Simpson's rule, in r or (n > 2) in u = r^(1/n).
    fn direct(n: f64, k: f64) -> f64 {
        let b = sersic_b(n);
        let norm = (ln_gamma_real(2.0 * n) - 2.0 * n * b.ln()).exp() * n;
        let u_max: f64 = 45.0 / b + 5.0;
        let count = 40_000;
        let integral = if n < 2.0 {
            // smooth enough in r
            simpson(count, u_max.powf(n) / f64::from(count), |r| (-b * r.powf(1.0 / n)).exp() * bessel_j0(k * r) * r)
        } else {
            // r = u^n: r dr = n u^(2n-1) du
            simpson(count, u_max / f64::from(count), |u| (-b * u).exp() * bessel_j0(k * u.powf(n)) * n * u.powf(2.0 * n - 1.0))
        };
        integral / norm
    }

    /// J0 by its integral (1/pi) integral cos(x sin t) dt for small x, Hankel's asymptotic form for large x.
    fn bessel_j0(x: f64) -> f64 {
        if x > 25.0 {
            let z = 1.0 / (8.0 * x);
            let p = 1.0 - 4.5 * z * z + (9.0 * 25.0 * 49.0) / 24.0 * z.powi(4) - (9.0 * 25.0 * 49.0 * 81.0 * 121.0) / 720.0 * z.powi(6);
            let q = -z + 37.5 * z.powi(3) - (9.0 * 25.0 * 49.0 * 81.0) / 120.0 * z.powi(5);
            let a = x - std::f64::consts::FRAC_PI_4;
            return (2.0 / (std::f64::consts::PI * x)).sqrt() * (p * a.cos() - q * a.sin());
        }
        let count = 48;
        (0..count).map(|i| (x * (std::f64::consts::PI * (f64::from(i) + 0.5) / f64::from(count)).sin()).cos()).sum::<f64>()
            / f64::from(count)
    }

    #[test]
    fn the_table_agrees_with_direct_hankel_integration_to_1e_5() {
        for n in [0.3, 0.37, 0.61, 0.8, 1.5, 2.345, 3.3, 4.0, 5.21, 6.2] {
            let transform = SersicTransform::new(n);
            for k in [0.03, 0.2, 0.7, 1.5, 3.0, 6.0] {
                let exact = direct(n, k);
                let got = transform.at(k * k);
                assert!((got - exact).abs() < 1e-5, "n = {n}, k = {k}: {got} against {exact}");
            }
        }
    }

    #[test]
    fn the_fast_table_follows_the_exact_one_to_1e_5_for_any_index() {
        let mut fast = vec![0.0_f32; 40 * SUB];
        for i in 0..60 {
            let n = 0.3 + 5.9 * f64::from(i) / 59.0;
            table().tabulate(n, -20, &mut fast);
            let exact = table().at_index(n);
            for j in 0..3000 {
                let q = 2.0_f64.powf(-19.9 + 0.012 * f64::from(j)) as f32;
                let bits = q.to_bits();
                let index = (bits >> (23 - SUB_BITS)) as usize - 107 * SUB;
                let t = f32::from_bits(0x3f80_0000 | ((bits << SUB_BITS) & 0x007f_ffff)) - 1.0;
                let got = fast[index] + t * (fast[index + 1] - fast[index]);
                assert!((f64::from(got) - exact.at(f64::from(q))).abs() < 3e-6, "n = {n}, q = {q}");
            }
        }
    }

    #[test]
    fn the_wings_fall_as_the_cusp_demands() {
        // I ~ 1 - b r^(1/n) at the centre: F ~ k^-(2 + 1/n) at high k.
        for n in [1.0, 1.5, 2.0] {
            let transform = SersicTransform::new(n);
            let slope = (transform.at(1e11) / transform.at(1e10)).log10() * 2.0;
            assert!((slope + 2.0 + 1.0 / n).abs() < 0.01, "n = {n}: slope {slope}");
        }
    }
}
