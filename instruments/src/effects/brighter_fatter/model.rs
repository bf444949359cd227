//! The kernel: charge that moves across boundaries, on a patch of rows.
//!
//! # Formula
//! L(q) = divergence of d n: d shift of each boundary by the charges q around it, n density of arriving electrons there from
//! four pixels, (7 (n1 + n2) - (n0 + n3)) / 12 and not below 0
//! # Source
//! Boundary shifts: Guyonnet et al. 2015. Value at a face from means of cells: Colella & Woodward 1984 (J. Comput. Phys. 54, 174), eq. 1.9.

use super::shifts::{BoundaryShifts, REACH, Table};
use multiversion::multiversion;
use std::ops::Range;

/// Pixels worked on together.
const LANES: usize = 16;
/// Columns to spare at the right end of a patch, for lanes that run over.
pub const SPARE: usize = 2 * LANES;

type Lanes = [f32; LANES];
type Coefficients = [[f32; REACH + 1]; REACH];

/// Coefficients of the kernel.
#[derive(Debug, Clone, Copy)]
pub struct Kernel {
    columns: Coefficients,
    rows: Coefficients,
}

impl Kernel {
    /// From shifts per electron.
    #[must_use]
    pub fn new(shifts: &BoundaryShifts) -> Self {
        let single = |table: &Table| table.map(|row| row.map(|v| v as f32));
        Self { columns: single(&shifts.between_columns), rows: single(&shifts.between_rows) }
    }
}

/// Rows of a patch: `width` pixels each, the last [`SPARE`] of no meaning.
#[derive(Debug, Clone, Copy)]
pub struct Patch {
    /// Pixels of a row.
    pub width: usize,
}

impl Patch {
    fn row<'a>(&self, array: &'a [f32], y: usize) -> &'a [f32] {
        &array[y * self.width..(y + 1) * self.width]
    }
}

/// Room for one row of each intermediate.
#[derive(Debug, Default)]
pub struct Rows {
    across: [Vec<f32>; REACH + 1],
    right: Vec<f32>,
    up: Vec<f32>,
    below: Vec<f32>,
}

impl Rows {
    fn fit(&mut self, width: usize) {
        self.across.iter_mut().chain([&mut self.right, &mut self.up, &mut self.below]).for_each(|v| v.resize(width, 0.0));
    }
}

/// What a pass works on: all arrays of the same patch.
#[derive(Debug, Clone, Copy)]
pub struct Pass<'a> {
    /// Arriving electrons \[electron\].
    pub density: &'a [f32],
    /// Charge that shifts boundaries \[electron\].
    pub source: &'a [f32],
    /// What is added to.
    pub base: &'a [f32],
    /// Factor of `base`.
    pub keep: f32,
    /// Factor of the moved charge.
    pub move_by: f32,
}

#[inline(always)]
fn lanes(f: impl Fn(usize) -> f32) -> Lanes {
    let mut out = [0.0; LANES];
    for (l, o) in out.iter_mut().enumerate() {
        *o = f(l);
    }
    out
}

#[inline(always)]
fn load(slice: &[f32], at: usize) -> Lanes {
    let mut out = [0.0; LANES];
    out.copy_from_slice(&slice[at..at + LANES]);
    out
}

#[inline(always)]
fn store(slice: &mut [f32], at: usize, values: Lanes) {
    slice[at..at + LANES].copy_from_slice(&values);
}

/// Density at the face between the second and the third of four pixels.
#[inline(always)]
fn face(n0: Lanes, n1: Lanes, n2: Lanes, n3: Lanes) -> Lanes {
    lanes(|l| {
        let value = (7.0 * (n1[l] + n2[l]) - (n0[l] + n3[l])) * (1.0 / 12.0);
        if value > 0.0 { value } else { 0.0 }
    })
}

/// `out = keep base + move_by L(source)` on the rows and columns given, of a patch. The source is read [`REACH`] pixels around them.
///
/// # Panics
/// When the patch does not hold that margin.
pub fn pass(kernel: &Kernel, patch: Patch, pass: &Pass<'_>, area: (Range<usize>, Range<usize>), rows: &mut Rows, out: &mut [f32]) {
    rows.fit(patch.width);
    let (ys, xs) = area;
    let (source, density) = (pass.source, pass.density);
    if ys.is_empty() || xs.is_empty() {
        return;
    }
    assert!(xs.start > REACH && xs.end + SPARE <= patch.width, "columns {xs:?} of {}", patch.width);
    moved_up(&kernel.rows, patch, source, density, ys.start - 1, &xs, rows);
    for y in ys {
        std::mem::swap(&mut rows.up, &mut rows.below);
        moved_up(&kernel.rows, patch, source, density, y, &xs, rows);
        moved_right(&kernel.columns, patch, source, density, y, &xs, rows);
        add(patch, pass.base, [pass.keep, pass.move_by], y, &xs, rows, &mut out[y * patch.width..(y + 1) * patch.width]);
    }
}

/// Charge gained by pixels of row `y` across the boundaries on their right, from one column left of `xs`.
#[multiversion(targets("x86_64+avx512f", "x86_64+avx2"))]
fn moved_right(c: &Coefficients, patch: Patch, source: &[f32], density: &[f32], y: usize, xs: &Range<usize>, rows: &mut Rows) {
    let around: [&[f32]; 2 * REACH + 1] = std::array::from_fn(|r| patch.row(source, y + r - REACH));
    let start = xs.start - 1;
    let mut x = start + 1 - REACH;
    while x < xs.end + REACH {
        let middle = load(around[REACH], x);
        let pairs: [Lanes; REACH] = std::array::from_fn(|l| {
            let (above, below) = (load(around[REACH + 1 + l], x), load(around[REACH - 1 - l], x));
            lanes(|i| above[i] + below[i])
        });
        for (k, sums) in rows.across.iter_mut().take(REACH).enumerate() {
            let mut sum = lanes(|i| c[k][0] * middle[i]);
            for (l, pair) in pairs.iter().enumerate() {
                sum = lanes(|i| sum[i] + c[k][l + 1] * pair[i]);
            }
            store(sums, x, sum);
        }
        x += LANES;
    }
    let n = patch.row(density, y);
    let mut x = start;
    while x < xs.end {
        let mut shift = [0.0; LANES];
        for (k, sums) in rows.across.iter().take(REACH).enumerate() {
            let (right, left) = (load(sums, x + 1 + k), load(sums, x - k));
            shift = lanes(|i| shift[i] + (right[i] - left[i]));
        }
        let n = face(load(n, x - 1), load(n, x), load(n, x + 1), load(n, x + 2));
        store(&mut rows.right, x, lanes(|i| shift[i] * n[i]));
        x += LANES;
    }
}

/// Charge gained by pixels of row `y` across the boundaries above them.
#[multiversion(targets("x86_64+avx512f", "x86_64+avx2"))]
fn moved_up(c: &Coefficients, patch: Patch, source: &[f32], density: &[f32], y: usize, xs: &Range<usize>, rows: &mut Rows) {
    let above: [&[f32]; REACH] = std::array::from_fn(|k| patch.row(source, y + 1 + k));
    let below: [&[f32]; REACH] = std::array::from_fn(|k| patch.row(source, y - k));
    let mut x = xs.start - REACH;
    while x < xs.end + REACH {
        let across: [Lanes; REACH] = std::array::from_fn(|k| {
            let (above, below) = (load(above[k], x), load(below[k], x));
            lanes(|i| above[i] - below[i])
        });
        for (l, sums) in rows.across.iter_mut().enumerate() {
            let mut sum = lanes(|i| c[0][l] * across[0][i]);
            for k in 1..REACH {
                sum = lanes(|i| sum[i] + c[k][l] * across[k][i]);
            }
            store(sums, x, sum);
        }
        x += LANES;
    }
    let n: [&[f32]; 4] = std::array::from_fn(|k| patch.row(density, y + k - 1));
    let mut x = xs.start;
    while x < xs.end {
        let mut shift = load(&rows.across[0], x);
        for (l, sums) in rows.across.iter().enumerate().skip(1) {
            let (left, right) = (load(sums, x - l), load(sums, x + l));
            shift = lanes(|i| shift[i] + (left[i] + right[i]));
        }
        let n = face(load(n[0], x), load(n[1], x), load(n[2], x), load(n[3], x));
        store(&mut rows.up, x, lanes(|i| shift[i] * n[i]));
        x += LANES;
    }
}

#[multiversion(targets("x86_64+avx512f", "x86_64+avx2"))]
fn add(patch: Patch, base: &[f32], factors: [f32; 2], y: usize, xs: &Range<usize>, rows: &Rows, out: &mut [f32]) {
    let base = patch.row(base, y);
    let [keep, move_by] = factors;
    let mut x = xs.start;
    while x < xs.end {
        let (right, left) = (load(&rows.right, x), load(&rows.right, x - 1));
        let (up, down) = (load(&rows.up, x), load(&rows.below, x));
        let base = load(base, x);
        store(out, x, lanes(|i| keep * base[i] + move_by * ((right[i] - left[i]) + (up[i] - down[i]))));
        x += LANES;
    }
}
