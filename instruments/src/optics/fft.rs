//! Inverse two-dimensional real Fourier transform in lanes of eight.
//!
//! # Effect
//! Turns half a plane of Fourier modes into an image of Nx x Ny pixels.
//! # Formula
//! image\[y, x\] = sum over kx, ky of spectrum exp(+2 pi i (kx x / Nx + ky y / Ny)), unnormalised.
//! # Source
//! Stockham's self-sorting algorithm, radix 5, 4, 3, 2 (Van Loan 1992, Computational Frameworks for the FFT, 1.7).
//! # Limits
//! N = 2^a 3^b 5^c, a multiple of 16.
//! # Twin
//! None.
//!
//! Eight one-dimensional transforms run side by side, one per SIMD lane, so that the compiler vectorises plain loops
//! and every machine does the same additions and multiplications in the same order: the bits do not depend on the
//! instruction set. `rustfft` picks fused-multiply kernels at run time and so gives other last bits on other machines.

use multiversion::multiversion;
use num_complex::Complex64;

/// Transforms side by side.
pub(crate) const LANES: usize = 8;

/// Columns of pixels that are transformed at once.
pub(crate) const STRIP: usize = 2 * LANES;

/// One number in each lane.
pub(crate) type Lane = [f32; LANES];

/// One complex number in each lane.
#[derive(Debug, Clone, Copy, Default)]
#[repr(C, align(64))]
pub(crate) struct Cell {
    pub(crate) re: Lane,
    pub(crate) im: Lane,
}

struct Pass {
    radix: usize,
    count: usize,
    stride: usize,
    /// (re, im) of the twiddle factors of each butterfly, as many as the radix less one.
    twiddles: Vec<[f32; 8]>,
}

/// Factors and twiddles of one size.
pub(crate) struct FftPlan {
    size: usize,
    passes: Vec<Pass>,
}

/// Working memory of one thread.
#[derive(Default)]
pub(crate) struct FftScratch {
    a: Vec<Cell>,
    b: Vec<Cell>,
    turned_re: Vec<f32>,
    turned_im: Vec<f32>,
}

impl FftPlan {
    /// Plan for an axis of `size` pixels.
    pub(crate) fn new(size: usize) -> Self {
        assert!(size.is_multiple_of(16), "FFT size {size}");
        let (mut n, mut stride, mut passes) = (size, 1, Vec::new());
        while n > 1 {
            let radix = if n.is_multiple_of(5) {
                5
            } else if n.is_multiple_of(3) {
                3
            } else if n.is_multiple_of(4) {
                4
            } else {
                2
            };
            assert!(n.is_multiple_of(radix), "FFT size {size} has a factor other than 2, 3 and 5");
            let count = n / radix;
            let twiddles = (0..count)
                .map(|p| {
                    let angle = 2.0 * std::f64::consts::PI * p as f64 / n as f64;
                    std::array::from_fn(|i| {
                        let turns = angle * (i / 2 + 1) as f64;
                        (if i % 2 == 0 { turns.cos() } else { turns.sin() }) as f32
                    })
                })
                .collect();
            passes.push(Pass { radix, count, stride, twiddles });
            n = count;
            stride *= radix;
        }
        Self { size, passes }
    }
    /// Columns of a spectrum row: ky = 0..=N/2 and padding.
    pub(crate) fn row_len(&self) -> usize {
        self.size / 2 + LANES
    }
}

#[inline(always)]
fn add(a: &Cell, b: &Cell) -> Cell {
    let mut o = Cell::default();
    for l in 0..LANES {
        o.re[l] = a.re[l] + b.re[l];
        o.im[l] = a.im[l] + b.im[l];
    }
    o
}

#[inline(always)]
fn sub(a: &Cell, b: &Cell) -> Cell {
    let mut o = Cell::default();
    for l in 0..LANES {
        o.re[l] = a.re[l] - b.re[l];
        o.im[l] = a.im[l] - b.im[l];
    }
    o
}

/// a + i b
#[inline(always)]
fn add_turned(a: &Cell, b: &Cell) -> Cell {
    let mut o = Cell::default();
    for l in 0..LANES {
        o.re[l] = a.re[l] - b.im[l];
        o.im[l] = a.im[l] + b.re[l];
    }
    o
}

/// a - i b
#[inline(always)]
fn sub_turned(a: &Cell, b: &Cell) -> Cell {
    let mut o = Cell::default();
    for l in 0..LANES {
        o.re[l] = a.re[l] + b.im[l];
        o.im[l] = a.im[l] - b.re[l];
    }
    o
}

#[inline(always)]
fn scale(a: &Cell, s: f32) -> Cell {
    let mut o = Cell::default();
    for l in 0..LANES {
        o.re[l] = a.re[l] * s;
        o.im[l] = a.im[l] * s;
    }
    o
}

#[inline(always)]
fn times(a: &Cell, re: f32, im: f32) -> Cell {
    let mut o = Cell::default();
    for l in 0..LANES {
        o.re[l] = a.re[l] * re - a.im[l] * im;
        o.im[l] = a.re[l] * im + a.im[l] * re;
    }
    o
}

#[inline(always)]
fn pass4(pass: &Pass, src: &[Cell], dst: &mut [Cell]) {
    let (m, s) = (pass.count, pass.stride);
    for ((p, w), out) in pass.twiddles.iter().enumerate().zip(dst.chunks_exact_mut(4 * s)) {
        let (o0, rest) = out.split_at_mut(s);
        let (o1, rest) = rest.split_at_mut(s);
        let (o2, o3) = rest.split_at_mut(s);
        let a = &src[s * p..][..s];
        let b = &src[s * (p + m)..][..s];
        let c = &src[s * (p + 2 * m)..][..s];
        let d = &src[s * (p + 3 * m)..][..s];
        for q in 0..s {
            let (ac, a_c) = (add(&a[q], &c[q]), sub(&a[q], &c[q]));
            let (bd, b_d) = (add(&b[q], &d[q]), sub(&b[q], &d[q]));
            o0[q] = add(&ac, &bd);
            o1[q] = times(&add_turned(&a_c, &b_d), w[0], w[1]);
            o2[q] = times(&sub(&ac, &bd), w[2], w[3]);
            o3[q] = times(&sub_turned(&a_c, &b_d), w[4], w[5]);
        }
    }
}

#[inline(always)]
fn pass3(pass: &Pass, src: &[Cell], dst: &mut [Cell]) {
    let (m, s) = (pass.count, pass.stride);
    let half_root3 = 0.866_025_4_f32;
    for ((p, w), out) in pass.twiddles.iter().enumerate().zip(dst.chunks_exact_mut(3 * s)) {
        let (o0, rest) = out.split_at_mut(s);
        let (o1, o2) = rest.split_at_mut(s);
        let a = &src[s * p..][..s];
        let b = &src[s * (p + m)..][..s];
        let c = &src[s * (p + 2 * m)..][..s];
        for q in 0..s {
            let sum = add(&b[q], &c[q]);
            let middle = sub(&a[q], &scale(&sum, 0.5));
            let side = scale(&sub(&b[q], &c[q]), half_root3);
            o0[q] = add(&a[q], &sum);
            o1[q] = times(&add_turned(&middle, &side), w[0], w[1]);
            o2[q] = times(&sub_turned(&middle, &side), w[2], w[3]);
        }
    }
}

#[inline(always)]
fn pass5(pass: &Pass, src: &[Cell], dst: &mut [Cell]) {
    let (m, s) = (pass.count, pass.stride);
    let (c1, s1) = (0.309_017_f32, 0.951_056_5_f32);
    let (c2, s2) = (-0.809_017_f32, 0.587_785_24_f32);
    for ((p, w), out) in pass.twiddles.iter().enumerate().zip(dst.chunks_exact_mut(5 * s)) {
        let (o0, rest) = out.split_at_mut(s);
        let (o1, rest) = rest.split_at_mut(s);
        let (o2, rest) = rest.split_at_mut(s);
        let (o3, o4) = rest.split_at_mut(s);
        let part = |i: usize| &src[s * (p + i * m)..][..s];
        let (a, b, c, d, e) = (part(0), part(1), part(2), part(3), part(4));
        for q in 0..s {
            let (be, b_e) = (add(&b[q], &e[q]), sub(&b[q], &e[q]));
            let (cd, c_d) = (add(&c[q], &d[q]), sub(&c[q], &d[q]));
            let even1 = add(&a[q], &add(&scale(&be, c1), &scale(&cd, c2)));
            let even2 = add(&a[q], &add(&scale(&be, c2), &scale(&cd, c1)));
            let odd1 = add(&scale(&b_e, s1), &scale(&c_d, s2));
            let odd2 = sub(&scale(&b_e, s2), &scale(&c_d, s1));
            o0[q] = add(&a[q], &add(&be, &cd));
            o1[q] = times(&add_turned(&even1, &odd1), w[0], w[1]);
            o2[q] = times(&add_turned(&even2, &odd2), w[2], w[3]);
            o3[q] = times(&sub_turned(&even2, &odd2), w[4], w[5]);
            o4[q] = times(&sub_turned(&even1, &odd1), w[6], w[7]);
        }
    }
}

#[inline(always)]
fn pass2(pass: &Pass, src: &[Cell], dst: &mut [Cell]) {
    let (m, s) = (pass.count, pass.stride);
    for ((p, w), out) in pass.twiddles.iter().enumerate().zip(dst.chunks_exact_mut(2 * s)) {
        let (o0, o1) = out.split_at_mut(s);
        let a = &src[s * p..][..s];
        let b = &src[s * (p + m)..][..s];
        for q in 0..s {
            o0[q] = add(&a[q], &b[q]);
            o1[q] = times(&sub(&a[q], &b[q]), w[0], w[1]);
        }
    }
}

/// Transforms `a`; the result is left in `a`.
#[inline(always)]
fn transform(plan: &FftPlan, a: &mut Vec<Cell>, b: &mut Vec<Cell>) {
    for pass in &plan.passes {
        match pass.radix {
            5 => pass5(pass, a, b),
            4 => pass4(pass, a, b),
            3 => pass3(pass, a, b),
            _ => pass2(pass, a, b),
        }
        std::mem::swap(a, b);
    }
}

/// The image of a spectrum, from the plans along x and along y. `re` and `im` hold Nx rows (kx = 0..Nx, wrapped) of [`FftPlan::row_len`]
/// columns of the plan along y (ky = 0..=Ny/2); columns from `columns` on are zero. `image` gets Ny rows of Nx pixels.
#[multiversion(targets("x86_64+avx2", "aarch64+neon"))]
pub(crate) fn inverse(
    (along_x, along_y): (&FftPlan, &FftPlan),
    re: &[f32],
    im: &[f32],
    columns: usize,
    scratch: &mut FftScratch,
    image: &mut [f32],
) {
    let (nx, ny) = (along_x.size, along_y.size);
    let half = ny / 2;
    let row_len = half + LANES;
    let padded = nx.next_multiple_of(2 * LANES);
    scratch.a.clear();
    scratch.a.resize(nx, Cell::default());
    scratch.b.resize(nx, Cell::default());
    scratch.turned_re.resize((half + 1) * padded, 0.0);
    scratch.turned_im.resize((half + 1) * padded, 0.0);
    let groups = columns.min(half).div_ceil(LANES).max(1);
    for group in 0..groups {
        let first = group * LANES;
        for (k, cell) in scratch.a.iter_mut().enumerate() {
            cell.re.copy_from_slice(&re[k * row_len + first..][..LANES]);
            cell.im.copy_from_slice(&im[k * row_len + first..][..LANES]);
            if group == 0 {
                // Both end columns give real sequences: the last travels as the imaginary part of the first.
                cell.re[0] -= im[k * row_len + half];
                cell.im[0] += re[k * row_len + half];
            }
        }
        transform(along_x, &mut scratch.a, &mut scratch.b);
        for (block, cells) in scratch.a.chunks_exact(LANES).enumerate() {
            let x = block * LANES;
            for l in 0..LANES {
                let at = (first + l) * padded + x;
                let out_re = &mut scratch.turned_re[at..][..LANES];
                for (o, c) in out_re.iter_mut().zip(cells) {
                    *o = c.re[l];
                }
                let out_im = &mut scratch.turned_im[at..][..LANES];
                for (o, c) in out_im.iter_mut().zip(cells) {
                    *o = c.im[l];
                }
            }
        }
        if group == 0 {
            let (low, high) = scratch.turned_re.split_at_mut(half * padded);
            let _ = low;
            high[..nx].copy_from_slice(&scratch.turned_im[..nx]);
            scratch.turned_im[..nx].fill(0.0);
            scratch.turned_im[half * padded..][..nx].fill(0.0);
        }
    }
    let used = (groups * LANES).min(half);
    let FftScratch { a, b, turned_re, turned_im } = scratch;
    for x in (0..padded).step_by(STRIP) {
        pixels(along_y, (&turned_re[x..], &turned_im[x..], padded), used, a, b);
        for (cell, row) in a.iter().zip(image.chunks_exact_mut(nx)) {
            row[x..x + LANES].copy_from_slice(&cell.re);
            if x + LANES < nx {
                row[x + LANES..x + 2 * LANES].copy_from_slice(&cell.im);
            }
        }
    }
}

/// Pixels of [`STRIP`] columns from their waves, `stride` numbers from one to the next, of which those below `used` and the last are not zero: those of the first
/// half of the columns are left in the real parts of `a`, those of the other half in the imaginary ones.
#[inline(always)]
fn pixels(plan: &FftPlan, (re, im, stride): (&[f32], &[f32], usize), used: usize, a: &mut Vec<Cell>, b: &mut Vec<Cell>) {
    let (ny, half) = (plan.size, plan.size / 2);
    a.resize(ny, Cell::default());
    b.resize(ny, Cell::default());
    for k in 0..=half {
        let mut forward = Cell::default();
        let mut backward = Cell::default();
        if k < used || k == half {
            let a_re = &re[k * stride..][..STRIP];
            let a_im = &im[k * stride..][..STRIP];
            for l in 0..LANES {
                let (a, b) = (a_re[l], a_re[l + LANES]);
                let (c, d) = (a_im[l], a_im[l + LANES]);
                forward.re[l] = a - d;
                forward.im[l] = c + b;
                backward.re[l] = a + d;
                backward.im[l] = b - c;
            }
        }
        a[k] = forward;
        if k > 0 && k < half {
            a[ny - k] = backward;
        }
    }
    transform(plan, a, b);
}

/// The pixels of [`STRIP`] columns from their waves k = 0 to N / 2, one wave of all columns after the other; those from `used` on but for the last are zero. `out` gets N rows of them, `nx` numbers
/// from one to the next.
#[multiversion(targets("x86_64+avx2", "aarch64+neon"))]
pub(crate) fn strip(plan: &FftPlan, re: &[f32], im: &[f32], used: usize, scratch: &mut FftScratch, nx: usize, out: &mut [f32]) {
    pixels(plan, (re, im, STRIP), used, &mut scratch.a, &mut scratch.b);
    for (cell, row) in scratch.a.iter().zip(out.chunks_mut(nx)) {
        row[..LANES].copy_from_slice(&cell.re);
        row[LANES..STRIP].copy_from_slice(&cell.im);
    }
}

/// Sums over k of cell\[k\] exp(+2 pi i k m / N) side by side, unnormalised; `spare` lends its memory.
#[multiversion(targets("x86_64+avx2", "aarch64+neon"))]
pub(crate) fn side_by_side(plan: &FftPlan, cells: &mut Vec<Cell>, spare: &mut Vec<Cell>) {
    spare.resize(plan.size, Cell::default());
    transform(plan, cells, spare);
}

/// Transforms sum over m of sequence\[m\] exp(-2 pi i k m / N) of real sequences side by side, for the frequencies k below `count`.
pub(crate) fn lanes<const W: usize>(
    plan: &FftPlan,
    sequences: &[[f32; W]],
    wanted: usize,
    count: usize,
    scratch: &mut FftScratch,
) -> Vec<Vec<Complex64>> {
    const { assert!(W <= LANES) };
    scratch.a.clear();
    scratch.a.resize(plan.size, Cell::default());
    scratch.b.resize(plan.size, Cell::default());
    for (cell, values) in scratch.a.iter_mut().zip(sequences) {
        cell.re[..W].copy_from_slice(values);
    }
    in_lanes(plan, scratch);
    // The transform has the other sign: of real numbers, the conjugate.
    let term = |l: usize| scratch.a[..count].iter().map(|c| Complex64::new(f64::from(c.re[l]), -f64::from(c.im[l]))).collect();
    (0..wanted.min(W)).map(term).collect()
}

#[multiversion(targets("x86_64+avx2", "aarch64+neon"))]
fn in_lanes(plan: &FftPlan, scratch: &mut FftScratch) {
    transform(plan, &mut scratch.a, &mut scratch.b);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_mode_becomes_its_wave_for_all_small_sizes() {
        let squares = [16_usize, 32, 48, 64, 80, 96, 160].map(|n| (n, n));
        let mut scratch = FftScratch::default();
        for (nx, ny) in squares.into_iter().chain([(16, 48), (160, 32), (256, 16)]) {
            let (along_x, along_y) = (FftPlan::new(nx), FftPlan::new(ny));
            let row_len = along_y.row_len();
            let mut image = vec![0.0; nx * ny];
            for (kx, ky) in [(0, 0), (1, 0), (3, 2), (nx - 2, 5), (nx / 2, 3), (2, ny / 2), (0, ny / 2 - 1)] {
                let (mut re, mut im) = (vec![0.0; nx * row_len], vec![0.0; nx * row_len]);
                let (c, s) = (0.8_f32, -0.6_f32);
                re[kx * row_len + ky] += c;
                im[kx * row_len + ky] += s;
                if ky == 0 || ky == ny / 2 {
                    // end columns carry both signs of kx
                    let other = (nx - kx) % nx;
                    re[other * row_len + ky] += c;
                    im[other * row_len + ky] -= s;
                }
                inverse((&along_x, &along_y), &re, &im, ny / 2 + 1, &mut scratch, &mut image);
                for (i, &got) in image.iter().enumerate() {
                    let (y, x) = (i / nx, i % nx);
                    let turns = (kx * x) as f64 / nx as f64 + (ky * y) as f64 / ny as f64;
                    let angle = 2.0 * std::f64::consts::PI * turns;
                    let exact = 2.0 * (f64::from(c) * angle.cos() - f64::from(s) * angle.sin());
                    assert!((f64::from(got) - exact).abs() < 2e-6, "{nx} x {ny}, mode ({kx}, {ky}), pixel ({x}, {y}): {got} {exact}");
                }
            }
        }
    }

    #[test]
    fn unused_columns_may_be_left_out() {
        let plan = FftPlan::new(64);
        let row_len = plan.row_len();
        let (mut re, mut im) = (vec![0.0; 64 * row_len], vec![0.0; 64 * row_len]);
        for kx in 0..64 {
            for ky in 0..10 {
                re[kx * row_len + ky] = ((kx * 7 + ky * 3) % 11) as f32;
                im[kx * row_len + ky] = if ky == 0 { 0.0 } else { ((kx * 5 + ky) % 7) as f32 };
            }
        }
        let (mut a, mut b) = (vec![0.0; 4096], vec![0.0; 4096]);
        let mut scratch = FftScratch::default();
        inverse((&plan, &plan), &re, &im, 33, &mut scratch, &mut a);
        inverse((&plan, &plan), &re, &im, 10, &mut scratch, &mut b);
        assert_eq!(a, b, "the zeros carry nothing");
    }
}
