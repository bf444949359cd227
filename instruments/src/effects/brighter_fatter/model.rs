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
    shrinkage: f32,
}

impl Kernel {
    /// From shifts per electron.
    #[must_use]
    pub fn new(shifts: &BoundaryShifts) -> Self {
        let single = |table: &Table| table.map(|row| row.map(|v| v as f32));
        Self { columns: single(&shifts.between_columns), rows: single(&shifts.between_rows), shrinkage: -shifts.area(0, 0) as f32 }
    }
    /// Part of its area that a pixel loses per electron it holds.
    #[must_use]
    pub fn shrinkage(&self) -> f32 {
        self.shrinkage
    }
}

/// Rows of a patch: `width` pixels each, the last [`SPARE`] of no meaning.
#[derive(Debug, Clone, Copy)]
pub struct Patch {
    /// Pixels of a row, at most those of 64 groups.
    pub width: usize,
}

impl Patch {
    fn row<'a>(&self, array: &'a [f32], y: usize) -> &'a [f32] {
        &array[y * self.width..(y + 1) * self.width]
    }
}

/// Pixels of a row that are looked at or left out together: one bit of a row's mask.
pub const GROUP: usize = LANES;

/// Columns of the groups of a mask, cut to `xs`: neighbours together.
pub fn stretches(mut mask: u64, xs: Range<usize>) -> impl Iterator<Item = Range<usize>> {
    std::iter::from_fn(move || {
        while mask != 0 {
            let first = mask.trailing_zeros();
            let many = (mask >> first).trailing_ones();
            mask &= if first + many < 64 { u64::MAX << (first + many) } else { 0 };
            let found = (first as usize * GROUP).max(xs.start)..((first + many) as usize * GROUP).min(xs.end);
            if !found.is_empty() {
                return Some(found);
            }
        }
        None
    })
}

/// Room for one row of each intermediate, and the charge gained by a row.
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

/// Where a pass works, and what it works on: all arrays of the same patch.
#[derive(Debug, Clone)]
pub struct Pass<'a> {
    /// Arriving electrons \[electron\].
    pub density: &'a [f32],
    /// Charge that shifts boundaries \[electron\].
    pub source: &'a [f32],
    /// Rows and columns; the source is read [`REACH`] pixels around them.
    pub area: (Range<usize>, Range<usize>),
    /// Groups looked at, by row of the patch; all of them without.
    pub groups: Option<&'a [u64]>,
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

/// L(source) row by row: `put` is called with row, columns and what [`add_where`] and [`gained`] ask for.
///
/// # Panics
/// When the patch does not hold that margin.
pub fn pass(kernel: &Kernel, patch: Patch, pass: &Pass<'_>, rows: &mut Rows, mut put: impl FnMut(usize, &Range<usize>, &Rows)) {
    rows.fit(patch.width);
    let (ys, xs) = pass.area.clone();
    let (source, density) = (pass.source, pass.density);
    if ys.is_empty() || xs.is_empty() {
        return;
    }
    assert!(xs.start > REACH && xs.end + SPARE <= patch.width, "columns {xs:?} of {}", patch.width);
    let mask = |y: usize| pass.groups.map_or(u64::MAX, |groups| groups[y]);
    for y in ys.start - 1..ys.end {
        // Boundaries above this row are those below the next.
        std::mem::swap(&mut rows.up, &mut rows.below);
        for x in stretches(mask(y) | mask(y + 1), xs.clone()) {
            moved_up(&kernel.rows, patch, source, density, y, &x, rows);
        }
        if y < ys.start {
            continue;
        }
        for x in stretches(mask(y), xs.clone()) {
            moved_right(&kernel.columns, patch, source, density, y, &x, rows);
            put(y, &x, rows);
        }
    }
}

/// Weighted sum; written out, so that it stays in registers.
#[inline(always)]
fn mix(c: [f32; REACH], d: [Lanes; REACH]) -> Lanes {
    lanes(|i| (c[0] * d[0][i] + c[1] * d[1][i]) + (c[2] * d[2][i] + c[3] * d[3][i]))
}

#[inline(always)]
fn plus(a: Lanes, b: Lanes) -> Lanes {
    lanes(|i| a[i] + b[i])
}

#[inline(always)]
fn minus(a: Lanes, b: Lanes) -> Lanes {
    lanes(|i| a[i] - b[i])
}

/// The middle row times its coefficient, and the pairs of rows beside it.
#[inline(always)]
fn row_sum(c: &[f32; REACH + 1], middle: Lanes, pairs: [Lanes; REACH]) -> Lanes {
    let beside = mix([c[1], c[2], c[3], c[4]], pairs);
    lanes(|i| c[0] * middle[i] + beside[i])
}

/// Charge gained by pixels of row `y` across the boundaries on their right, from one column left of `xs`.
#[multiversion(targets("x86_64+avx512f", "x86_64+avx2"))]
fn moved_right(c: &Coefficients, patch: Patch, source: &[f32], density: &[f32], y: usize, xs: &Range<usize>, rows: &mut Rows) {
    let w = patch.width;
    let row = |dy: usize| &source[(y + dy - REACH) * w..][..w];
    let (r0, r1, r2, r3, r4, r5, r6, r7, r8) = (row(0), row(1), row(2), row(3), row(4), row(5), row(6), row(7), row(8));
    let [s0, s1, s2, s3, _] = &mut rows.across;
    let (s0, s1, s2, s3) = (&mut s0[..w], &mut s1[..w], &mut s2[..w], &mut s3[..w]);
    let start = xs.start - 1;
    let mut x = start + 1 - REACH;
    while x < xs.end + REACH {
        let middle = load(r4, x);
        let pairs = [
            plus(load(r5, x), load(r3, x)),
            plus(load(r6, x), load(r2, x)),
            plus(load(r7, x), load(r1, x)),
            plus(load(r8, x), load(r0, x)),
        ];
        store(s0, x, row_sum(&c[0], middle, pairs));
        store(s1, x, row_sum(&c[1], middle, pairs));
        store(s2, x, row_sum(&c[2], middle, pairs));
        store(s3, x, row_sum(&c[3], middle, pairs));
        x += LANES;
    }
    let n = patch.row(density, y);
    let right = &mut rows.right[..w];
    let mut x = start;
    while x < xs.end {
        let near = plus(minus(load(s0, x + 1), load(s0, x)), minus(load(s1, x + 2), load(s1, x - 1)));
        let far = plus(minus(load(s2, x + 3), load(s2, x - 2)), minus(load(s3, x + 4), load(s3, x - 3)));
        let n = face(load(n, x - 1), load(n, x), load(n, x + 1), load(n, x + 2));
        store(right, x, lanes(|i| (near[i] + far[i]) * n[i]));
        x += LANES;
    }
}

/// Charge gained by pixels of row `y` across the boundaries above them.
#[multiversion(targets("x86_64+avx512f", "x86_64+avx2"))]
fn moved_up(c: &Coefficients, patch: Patch, source: &[f32], density: &[f32], y: usize, xs: &Range<usize>, rows: &mut Rows) {
    let w = patch.width;
    let row = |array: &'_ [f32], up: usize| -> Range<usize> {
        debug_assert!((y + up - REACH + 1) * w <= array.len());
        (y + up - REACH) * w..(y + up - REACH + 1) * w
    };
    let of = |up: usize| &source[row(source, up)];
    let (b3, b2, b1, b0, a0, a1, a2, a3) = (of(1), of(2), of(3), of(4), of(5), of(6), of(7), of(8));
    let [s0, s1, s2, s3, s4] = &mut rows.across;
    let (s0, s1, s2, s3, s4) = (&mut s0[..w], &mut s1[..w], &mut s2[..w], &mut s3[..w], &mut s4[..w]);
    let along = |l: usize| [c[0][l], c[1][l], c[2][l], c[3][l]];
    let (c0, c1, c2, c3, c4) = (along(0), along(1), along(2), along(3), along(4));
    let mut x = xs.start - REACH;
    while x < xs.end + REACH {
        let across = [
            minus(load(a0, x), load(b0, x)),
            minus(load(a1, x), load(b1, x)),
            minus(load(a2, x), load(b2, x)),
            minus(load(a3, x), load(b3, x)),
        ];
        store(s0, x, mix(c0, across));
        store(s1, x, mix(c1, across));
        store(s2, x, mix(c2, across));
        store(s3, x, mix(c3, across));
        store(s4, x, mix(c4, across));
        x += LANES;
    }
    let n = |up: usize| &density[row(density, up)];
    let (n0, n1, n2, n3) = (n(3), n(4), n(5), n(6));
    let gained = &mut rows.up[..w];
    let mut x = xs.start;
    while x < xs.end {
        let near = plus(plus(load(s1, x - 1), load(s1, x + 1)), plus(load(s2, x - 2), load(s2, x + 2)));
        let far = plus(plus(load(s3, x - 3), load(s3, x + 3)), plus(load(s4, x - 4), load(s4, x + 4)));
        let own = load(s0, x);
        let n = face(load(n0, x), load(n1, x), load(n2, x), load(n3, x));
        store(gained, x, lanes(|i| (own[i] + (near[i] + far[i])) * n[i]));
        x += LANES;
    }
}

/// Adds `factor` times the charge gained to the pixels `xs` of a row that get more than `faint` electrons.
#[multiversion(targets("x86_64+avx512f", "x86_64+avx2"))]
pub fn add_where(density: &[f32], faint: f32, factor: f32, xs: &Range<usize>, rows: &Rows, out: &mut [f32]) {
    let mut x = xs.start;
    while x < xs.end {
        let (moved, n, base) = (net(rows, x), load(density, x), load(out, x));
        let end = xs.end - x;
        store(out, x, lanes(|i| if n[i] > faint && i < end { base[i] + factor * moved[i] } else { base[i] }));
        x += LANES;
    }
}

/// Charge gained by the pixels `xs` of a row, into the first places of `out`.
#[multiversion(targets("x86_64+avx512f", "x86_64+avx2"))]
pub fn gained(xs: &Range<usize>, rows: &Rows, out: &mut Vec<f32>) {
    out.resize(xs.len().next_multiple_of(LANES), 0.0);
    for (place, x) in xs.clone().step_by(LANES).enumerate() {
        store(out, place * LANES, net(rows, x));
    }
}

#[inline(always)]
fn net(rows: &Rows, x: usize) -> Lanes {
    let (right, left) = (load(&rows.right, x), load(&rows.right, x - 1));
    let (up, down) = (load(&rows.up, x), load(&rows.below, x));
    lanes(|i| (right[i] - left[i]) + (up[i] - down[i]))
}
