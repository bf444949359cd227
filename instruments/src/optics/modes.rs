//! The mode loop: profile x PSF x pixel x phase for every mode of an object, wrapped into its period.
//!
//! # Formula
//! Z\[k mod N\] += exp(-2 pi i (kx cx / Nx + ky cy / Ny)) sum_j O_j\[k\] sum_c w_cj F_c(|M_c k|^2), k = (kx, ky), ky >= 0;
//! modes past N / 2 land where sampling aliases them, those with ky mod N > N / 2 as the conjugate of their mirror.
//! # Symbols
//! O_j  transfer grid of colour term j;  F_c  transform of component c;  w_cj  electrons x colour weight / N^2;
//! M_c  map from modes to half-light radii;  c  centre of the object in its stamp \[pixel\]
//! # Limits
//! f32: rounding < 1e-6 of the peak. No fused operations, so the bits are the same for every instruction set.

use super::colour::Weights;
use super::fft::{LANES, Lane};
use super::grid::{GridShape, Reach};
use super::plan::Period;
use super::sersic::{SUB, SUB_BITS};
use multiversion::multiversion;
use num_complex::Complex64;
use std::ops::Range;

/// Entries of an object's table of F over q (a power of two; 32 octaves).
pub(crate) const TABLE_LEN: usize = 32 * SUB;

/// A table of F over q: values at 128 nodes per octave.
#[derive(Clone)]
pub(crate) struct ProfileTable {
    pub(crate) values: Box<[f32; TABLE_LEN + 1]>,
    /// Bits of the lowest q, whose entry is F(0) = 1.
    pub(crate) low_bits: u32,
    /// Bits of the highest q.
    pub(crate) high_bits: u32,
}

impl Default for ProfileTable {
    fn default() -> Self {
        Self { values: Box::new([0.0; TABLE_LEN + 1]), low_bits: 0, high_bits: 0 }
    }
}

/// The radial transform of a component.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Radial {
    /// 1 everywhere.
    Point,
    /// (1 + q)^-3/2.
    Exponential,
    /// From the table of this number.
    Table(usize),
}

/// One component in the mode loop.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Lobe {
    pub(crate) radial: Radial,
    /// u = m\[0\] kx + m\[1\] ky, v = m\[2\] kx + m\[3\] ky, q = u^2 + v^2.
    pub(crate) map: [f32; 4],
    pub(crate) weights: Weights,
}

/// One drawing of the mode loop.
pub(crate) struct Modes<'a> {
    pub(crate) shape: &'a GridShape,
    /// Rows of kx that the grids hold.
    pub(crate) rows: Range<i64>,
    /// Grids of the field nodes with their weights.
    pub(crate) nodes: &'a [(&'a [Lane], f32)],
    /// Colour terms drawn, not more than the grids hold.
    pub(crate) colours: usize,
    pub(crate) lobes: &'a [Lobe],
    pub(crate) tables: &'a [ProfileTable],
    /// Complex transform of a component (knots, images): rows as in a grid of one wavelength node and this reach.
    pub(crate) factor: Option<&'a [Lane]>,
    /// Largest |k| drawn, not above the grid's.
    pub(crate) reach: Reach,
    /// Centre relative to pixel N / 2, columns and rows.
    pub(crate) offset: [f64; 2],
}

/// Working memory of the loop.
#[derive(Default)]
pub(crate) struct ModeScratch {
    phase_x: Vec<Complex64>,
    phase_re: Vec<Lane>,
    phase_im: Vec<Lane>,
    row: Vec<Lane>,
}

/// exp(-2 pi i k offset / N) (-1)^k for k = 0.. : the centre at N / 2 + offset.
fn phases(count: usize, offset: f64, size: usize) -> impl Iterator<Item = Complex64> {
    let turn = -Complex64::from_polar(1.0, -2.0 * std::f64::consts::PI * offset / size as f64);
    (0..count).scan(Complex64::new(1.0, 0.0), move |phase, _| {
        let out = *phase;
        *phase *= turn;
        Some(out)
    })
}

/// Adds the object's modes to the spectrum (Nx rows of kx, Ny / 2 + 8 columns of ky each).
pub(crate) fn accumulate(modes: &Modes<'_>, scratch: &mut ModeScratch, re: &mut [f32], im: &mut [f32]) {
    let Period { nx, ny } = modes.shape.period;
    let longest = modes.reach.y / LANES + 1;
    scratch.phase_x.clear();
    scratch.phase_x.extend(phases(modes.reach.x + 1, modes.offset[0], nx));
    scratch.phase_re.resize(longest, [0.0; LANES]);
    scratch.phase_im.resize(longest, [0.0; LANES]);
    for (k, phase) in phases(longest * LANES, modes.offset[1], ny).enumerate() {
        scratch.phase_re[k / LANES][k % LANES] = phase.re as f32;
        scratch.phase_im[k / LANES][k % LANES] = phase.im as f32;
    }
    scratch.row.resize((modes.lobes.len() + ROW_PARTS) * longest, [0.0; LANES]);
    run(modes, scratch, longest, re, im);
}

/// Parts of the row's working memory besides the lobes' values: the sum, real and imaginary.
const ROW_PARTS: usize = 2;

#[multiversion(targets("x86_64+avx2", "aarch64+neon"))]
fn run<'m>(modes: &Modes<'m>, scratch: &mut ModeScratch, longest: usize, re: &mut [f32], im: &mut [f32]) {
    let reach = modes.reach.x as i64;
    let (values, rest) = scratch.row.split_at_mut(modes.lobes.len() * longest);
    let (sum_re, sum_im) = rest.split_at_mut(longest);
    let term = 2 * (modes.shape.row_start(modes.rows.end) - modes.shape.row_start(modes.rows.start));
    let mut grid_at = 0;
    let mut factor_at = 0;
    for kx in modes.rows.clone() {
        let stored = modes.shape.row_blocks(kx);
        let start = grid_at;
        grid_at += 2 * stored;
        if kx.abs() > reach {
            continue;
        }
        let ky_reach = modes.reach.of_row(kx);
        let len = ky_reach / LANES + 1;
        let (sum_re, sum_im) = (&mut sum_re[..len], &mut sum_im[..len]);
        sum_re.fill([0.0; LANES]);
        sum_im.fill([0.0; LANES]);
        for (lobes, values) in modes.lobes.chunks(2).zip(values.chunks_mut(2 * longest)) {
            for (lobe, value) in lobes.iter().zip(values.chunks_exact_mut(longest)) {
                radial(lobe, modes.tables, kx as f32, &mut value[..len]);
            }
            let row = GridRow { nodes: modes.nodes, start, stored, term };
            match lobes {
                [a, b] => {
                    let values = [&values[..len], &values[longest..longest + len]];
                    add_colours::<2>(modes.colours, values, [&a.weights, &b.weights], &row, sum_re, sum_im);
                }
                [a] => add_colours::<1>(modes.colours, [&values[..len]], [&a.weights], &row, sum_re, sum_im),
                _ => {}
            }
        }
        if let Some(factor) = modes.factor {
            let (factor_re, factor_im) = (&factor[factor_at..factor_at + len], &factor[factor_at + len..factor_at + 2 * len]);
            factor_at += 2 * len;
            turn(sum_re, sum_im, factor_re, factor_im, 1.0, 0.0);
        }
        let phase = scratch.phase_x[kx.unsigned_abs() as usize];
        let sign = if kx < 0 { -1.0 } else { 1.0 };
        turn(sum_re, sum_im, &scratch.phase_re[..len], &scratch.phase_im[..len], phase.re as f32, (sign * phase.im) as f32);
        wrap(&sum_re.as_flattened()[..=ky_reach], &sum_im.as_flattened()[..=ky_reach], kx, modes.shape.period, re, im);
    }
}

/// The grids of the field nodes, blended, times the transform of a part: a grid of the part's own, in the layout of `own`. Electrons and colours stay in the
/// weights of what is drawn with it. `factor` is the complex transform of a part that has no radial one.
#[multiversion(targets("x86_64+avx2", "aarch64+neon"))]
pub(crate) fn blend(
    (stored, nodes): (&GridShape, &[(&[Lane], f32)]),
    (lobe, tables, factor): (&Lobe, &[ProfileTable], Option<&[Lane]>),
    colours: usize,
    own: &GridShape,
    out: &mut Vec<Lane>,
) {
    let term_of = |shape: &GridShape| 2 * (shape.row_start(shape.rows().end) - shape.row_start(shape.rows().start));
    let (term, own_term) = (term_of(stored), term_of(own));
    out.clear();
    out.resize(colours * own_term, [0.0; LANES]);
    let mut values = vec![[0.0; LANES]; own.reach.y / LANES + 1];
    for kx in own.rows() {
        let (len, at) = (own.row_blocks(kx), 2 * (own.row_start(kx) - own.row_start(own.rows().start)));
        let (from, stored_len) = (2 * (stored.row_start(kx) - stored.row_start(stored.rows().start)), stored.row_blocks(kx));
        radial(lobe, tables, kx as f32, &mut values[..len]);
        for colour in 0..colours {
            let row = &mut out[colour * own_term + at..][..2 * len];
            let (re, im) = row.split_at_mut(len);
            for (grid, weight) in nodes {
                let grid = &grid[colour * term + from..][..stored_len + len];
                for b in 0..len {
                    let (node_re, node_im, value) = (grid[b], grid[stored_len + b], values[b]);
                    re[b] = each(|l| re[b][l] + weight * value[l] * node_re[l]);
                    im[b] = each(|l| im[b][l] + weight * value[l] * node_im[l]);
                }
            }
            if let Some(factor) = factor {
                let (factor_re, factor_im) = (&factor[at..at + len], &factor[at + len..at + 2 * len]);
                turn(re, im, factor_re, factor_im, 1.0, 0.0);
            }
        }
    }
}

// Lane arithmetic takes and returns values: with all loads before the store the compiler keeps lanes in registers.

#[inline(always)]
fn each(f: impl Fn(usize) -> f32) -> Lane {
    let mut out = [0.0; LANES];
    for (l, o) in out.iter_mut().enumerate() {
        *o = f(l);
    }
    out
}

/// One row of the grids of the field nodes.
struct GridRow<'a> {
    nodes: &'a [(&'a [Lane], f32)],
    /// First block of the row in a term.
    start: usize,
    /// Blocks of the row.
    stored: usize,
    /// Blocks of a term.
    term: usize,
}

/// Chooses the unrolled loop for the number of colour terms and field nodes.
#[inline(always)]
fn add_colours<const L: usize>(
    colours: usize,
    values: [&[Lane]; L],
    weights: [&Weights; L],
    row: &GridRow<'_>,
    sum_re: &mut [Lane],
    sum_im: &mut [Lane],
) {
    if row.nodes.len() == 4 {
        match colours {
            1 => add_nodes::<1, 4, L>(values, weights, row, sum_re, sum_im),
            2 => add_nodes::<2, 4, L>(values, weights, row, sum_re, sum_im),
            3 => add_nodes::<3, 4, L>(values, weights, row, sum_re, sum_im),
            _ => add_nodes::<4, 4, L>(values, weights, row, sum_re, sum_im),
        }
        return;
    }
    // One node, or a rare set of nodes one by one.
    for node in row.nodes {
        let row = GridRow { nodes: std::slice::from_ref(node), ..*row };
        match colours {
            1 => add_nodes::<1, 1, L>(values, weights, &row, sum_re, sum_im),
            2 => add_nodes::<2, 1, L>(values, weights, &row, sum_re, sum_im),
            3 => add_nodes::<3, 1, L>(values, weights, &row, sum_re, sum_im),
            _ => add_nodes::<4, 1, L>(values, weights, &row, sum_re, sum_im),
        }
    }
}

/// sum += sum over nodes and colour terms of node weight x (sum over lobes of weight x value) x grid
#[inline(always)]
fn add_nodes<const J: usize, const N: usize, const L: usize>(
    values: [&[Lane]; L],
    weights: [&Weights; L],
    row: &GridRow<'_>,
    sum_re: &mut [Lane],
    sum_im: &mut [Lane],
) {
    let len = sum_re.len();
    let sum_im = &mut sum_im[..len];
    let values: [&[Lane]; L] = std::array::from_fn(|c| &values[c][..len]);
    let grid = |j: usize, n: usize, part: usize| &row.nodes[n].0[row.start + j * row.term + part * row.stored..][..len];
    let re: [[&[Lane]; N]; J] = std::array::from_fn(|j| std::array::from_fn(|n| grid(j, n, 0)));
    let im: [[&[Lane]; N]; J] = std::array::from_fn(|j| std::array::from_fn(|n| grid(j, n, 1)));
    for b in 0..len {
        let (mut out_re, mut out_im) = (sum_re[b], sum_im[b]);
        for j in 0..J {
            let mut s = [0.0; LANES];
            for c in 0..L {
                let (value, weight) = (values[c][b], weights[c][j]);
                s = if c == 0 { each(|l| weight * value[l]) } else { each(|l| s[l] + weight * value[l]) };
            }
            let (mut r, mut i) = ([0.0; LANES], [0.0; LANES]);
            for n in 0..N {
                let (node_re, node_im, weight) = (re[j][n][b], im[j][n][b], row.nodes[n].1);
                if n == 0 {
                    r = each(|l| weight * node_re[l]);
                    i = each(|l| weight * node_im[l]);
                } else {
                    r = each(|l| r[l] + weight * node_re[l]);
                    i = each(|l| i[l] + weight * node_im[l]);
                }
            }
            out_re = each(|l| out_re[l] + s[l] * r[l]);
            out_im = each(|l| out_im[l] + s[l] * i[l]);
        }
        sum_re[b] = out_re;
        sum_im[b] = out_im;
    }
}

/// out *= (re + i im) (px + i py)
#[inline(always)]
fn turn(out_re: &mut [Lane], out_im: &mut [Lane], re: &[Lane], im: &[Lane], px: f32, py: f32) {
    for (((o_re, o_im), r), i) in out_re.iter_mut().zip(out_im).zip(re).zip(im) {
        let (c, d, r, i) = (*o_re, *o_im, *r, *i);
        let a = each(|l| r[l] * px - i[l] * py);
        let b = each(|l| r[l] * py + i[l] * px);
        *o_re = each(|l| c[l] * a[l] - d[l] * b[l]);
        *o_im = each(|l| c[l] * b[l] + d[l] * a[l]);
    }
}

/// F on one row of modes.
#[inline(always)]
fn radial(lobe: &Lobe, tables: &[ProfileTable], kx: f32, out: &mut [Lane]) {
    if matches!(lobe.radial, Radial::Point) {
        out.fill([1.0; LANES]);
        return;
    }
    let (u0, v0, u1, v1) = (lobe.map[0] * kx, lobe.map[2] * kx, lobe.map[1], lobe.map[3]);
    let q = |b: usize| {
        let ky0 = (b * LANES) as f32;
        let u = each(|l| u0 + u1 * (ky0 + l as f32));
        let v = each(|l| v0 + v1 * (ky0 + l as f32));
        each(|l| u[l] * u[l] + v[l] * v[l])
    };
    match lobe.radial {
        Radial::Point => {}
        Radial::Exponential => {
            for (b, o) in out.iter_mut().enumerate() {
                let q = q(b);
                let s = each(|l| 1.0 + q[l]);
                let root = each(|l| s[l].sqrt());
                *o = each(|l| 1.0 / (s[l] * root[l]));
            }
        }
        Radial::Table(i) => {
            let table = &tables[i];
            let values = &table.values;
            let (low, high) = (f32::from_bits(table.low_bits), f32::from_bits(table.high_bits));
            let base = table.low_bits >> (23 - SUB_BITS);
            for (b, o) in out.iter_mut().enumerate() {
                let q = q(b);
                let q = each(|l| if q[l] > low { q[l] } else { low });
                let q = each(|l| if q[l] < high { q[l] } else { high });
                let t = each(|l| f32::from_bits(0x3f80_0000 | ((q[l].to_bits() << SUB_BITS) & 0x007f_ffff)) - 1.0);
                let mut index = [0_u32; LANES];
                for (i, q) in index.iter_mut().zip(q) {
                    *i = (q.to_bits() >> (23 - SUB_BITS)).wrapping_sub(base) & (TABLE_LEN as u32 - 1);
                }
                let a = each(|l| values[index[l] as usize]);
                let b = each(|l| values[index[l] as usize + 1]);
                *o = each(|l| a[l] + t[l] * (b[l] - a[l]));
            }
        }
    }
}

/// Adds one row of modes (ky = 0, 1, ...) where sampling puts it.
#[inline(always)]
fn wrap(row_re: &[f32], row_im: &[f32], kx: i64, period: Period, re: &mut [f32], im: &mut [f32]) {
    let half = period.ny / 2;
    let row_len = half + LANES;
    let direct = kx.rem_euclid(period.nx as i64) as usize * row_len;
    let mirror = (-kx).rem_euclid(period.nx as i64) as usize * row_len;
    let mut first = 0;
    while first < row_re.len() {
        let count = half.min(row_re.len() - first);
        let (from_re, from_im) = (&row_re[first..first + count], &row_im[first..first + count]);
        if (first / half).is_multiple_of(2) {
            // ky mod N in 0..N/2
            for (o, v) in re[direct..direct + count].iter_mut().zip(from_re) {
                *o += v;
            }
            for (o, v) in im[direct..direct + count].iter_mut().zip(from_im) {
                *o += v;
            }
            if first > 0 {
                re[mirror] += from_re[0];
                im[mirror] -= from_im[0];
            }
        } else {
            // ky mod N in N/2..N: the conjugate of the mirrored mode
            let to = mirror + half + 1 - count..mirror + half + 1;
            for (o, v) in re[to.clone()].iter_mut().rev().zip(from_re) {
                *o += v;
            }
            for (o, v) in im[to].iter_mut().rev().zip(from_im) {
                *o -= v;
            }
            re[direct + half] += from_re[0];
            im[direct + half] += from_im[0];
        }
        first += half;
    }
}
