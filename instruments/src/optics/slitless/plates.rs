//! Images laid side by side along a trace, their rows as waves: a shift along rows is then a factor.
//!
//! # Formula
//! F(x, k) = sum over plates w and columns c of L_w(c) exp(-2 pi i k (y_c - y_0) / N) P_w(x - c p, k); image(x, y) = sum_k F(x, k) exp(2 pi i k (y - y_0) / N), for x about which the
//! trace is in row b with y - b from -N / 2 to N / 2.
//! # Symbols
//! P_w  image of a part through one colour term of the PSF, transformed along columns of pixels alone;  L_w  light of a column in it;  y_c  row of the trace;  p  pitch \[pixel\];  N  period \[pixel\]
//! # Limits
//! Single precision. Traces climb less than [`STEEP`], so that what a column is given from beside it lies within the period.
//! # Twin
//! None.

use super::super::fft::{self, Cell, FftPlan, FftScratch, LANES, Lane};
use super::super::grid::GridShape;
use multiversion::multiversion;
use std::f64::consts::PI;

/// Rows a column that a trace climbs at most.
pub(super) const STEEP: f64 = 0.2;
/// Waves side by side.
const WIDE: usize = 16;
/// Columns that are drawn about the same row.
pub(super) const BLOCK: usize = fft::STRIP;

type Chunk = [f32; WIDE];

/// Numbers of a pixel or a column: real and imaginary parts of [`WIDE`] waves in turn.
type Waves = [Chunk];

/// Working memory of one thread.
#[derive(Default)]
pub(super) struct Press {
    cells: Vec<Cell>,
    spare: Vec<Cell>,
    /// A plate, a dark column before and after it.
    plate: Vec<Chunk>,
    /// Waves of each column, and these times its light.
    phases: Vec<Chunk>,
    inked: Vec<Chunk>,
    /// Waves of each pixel along the trace.
    sheet: Vec<Chunk>,
    re: Vec<f32>,
    im: Vec<f32>,
}

/// What all plates of a drawing share.
pub(super) struct Frame<'a> {
    pub(super) shape: &'a GridShape,
    pub(super) plan: &'a FftPlan,
    /// Pixels from a column to the next.
    pub(super) pitch: usize,
    /// Where between pixels columns lie \[pixel\].
    pub(super) offset: f64,
}

impl Frame<'_> {
    fn size(&self) -> usize {
        self.shape.period.nx
    }
    fn chunks(&self) -> usize {
        (self.shape.reach.y + 1).next_multiple_of(LANES).div_ceil(WIDE)
    }
    /// Makes room for columns in these rows \[pixel\], and for so many pixels along the trace.
    pub(super) fn begin(&self, rows: impl Iterator<Item = f64>, pixels: usize, press: &mut Press) {
        let chunks = self.chunks();
        press.phases.clear();
        for row in rows {
            // The image's middle is half a period from its first row.
            waves(-row / self.size() as f64 + 0.5, chunks, &mut press.phases);
        }
        press.sheet.clear();
        press.sheet.resize((pixels + 2) * 2 * chunks, [0.0; WIDE]);
    }
    /// Lays a plate, one colour term of a grid, with the light of each column from a first one on.
    pub(super) fn lay(&self, term: &[Lane], light: &[f32], first: usize, press: &mut Press) {
        let (size, chunks) = (self.size(), self.chunks());
        self.plate(term, press);
        press.inked.clear();
        for (phases, light) in press.phases[first * 2 * chunks..].chunks_exact(2 * chunks).zip(light) {
            press.inked.extend(phases.iter().map(|chunk| chunk.map(|phase| phase * light)));
        }
        let sheet = &mut press.sheet[first * self.pitch * 2 * chunks..];
        add(&press.plate, (&press.inked, self.pitch), (size, chunks), sheet);
    }
    /// A colour term of a grid, transformed along columns of pixels.
    fn plate(&self, term: &[Lane], press: &mut Press) {
        let (size, chunks, shape) = (self.size(), self.chunks(), self.shape);
        let first = shape.row_start(shape.rows().start);
        let turn = |kx: i64| {
            let turns = kx as f64 * (0.5 + self.offset / size as f64);
            let (sin, cos) = (-2.0 * PI * turns.fract()).sin_cos();
            (cos as f32, sin as f32)
        };
        let turns: Vec<(f32, f32)> = shape.rows().map(turn).collect();
        press.plate.clear();
        press.plate.resize((size + 2) * 2 * chunks, [0.0; WIDE]);
        for group in 0..shape.reach.y / LANES + 1 {
            press.cells.clear();
            press.cells.resize(size, Cell::default());
            for (kx, (cos, sin)) in shape.rows().zip(&turns) {
                let blocks = shape.row_blocks(kx);
                if group >= blocks {
                    continue;
                }
                let at = 2 * (shape.row_start(kx) - first) + group;
                let (re, im) = (&term[at], &term[at + blocks]);
                let cell = &mut press.cells[kx.rem_euclid(size as i64) as usize];
                for l in 0..LANES {
                    cell.re[l] += re[l] * cos - im[l] * sin;
                    cell.im[l] += re[l] * sin + im[l] * cos;
                }
            }
            fft::side_by_side(self.plan, &mut press.cells, &mut press.spare);
            let (chunk, lane) = (group * LANES / WIDE, group * LANES % WIDE);
            for (cell, column) in press.cells.iter().zip(press.plate.chunks_exact_mut(2 * chunks).skip(1)) {
                column[2 * chunk][lane..lane + LANES].copy_from_slice(&cell.re);
                column[2 * chunk + 1][lane..lane + LANES].copy_from_slice(&cell.im);
            }
        }
    }
    /// The pixels of a block of columns about a row, which is `row` from the one that rows of columns are counted from: as many rows as the period has, those of the block in the
    /// first [`BLOCK`] pixels of each `nx`.
    pub(super) fn block(&self, number: usize, row: i64, press: &mut Press, fft: &mut FftScratch, nx: usize, out: &mut [f32]) {
        let (size, chunks) = (self.size(), self.chunks());
        let sheet = &mut press.sheet[number * BLOCK * 2 * chunks..][..BLOCK * 2 * chunks];
        if row != 0 {
            press.inked.clear();
            waves((row as f64 / size as f64).fract(), chunks, &mut press.inked);
            turn(sheet, &press.inked);
        }
        let half = size / 2;
        press.re.clear();
        press.re.resize((half + 1) * BLOCK, 0.0);
        press.im.clear();
        press.im.resize((half + 1) * BLOCK, 0.0);
        for k in 0..chunks * WIDE {
            // Where sampling puts the wave, and whether as the conjugate of its mirror.
            let folded = k % size;
            let (to, sign) = if folded > half { (size - folded, -1.0) } else { (folded, 1.0) };
            // A wave and its mirror in one place.
            let (times, real) = if k > 0 && (to == 0 || to == half) { (2.0, true) } else { (1.0, k == 0) };
            let (re, im) = (&mut press.re[to * BLOCK..][..BLOCK], &mut press.im[to * BLOCK..][..BLOCK]);
            let from =
                sheet.chunks_exact(2 * chunks).map(|column| (column[2 * (k / WIDE)][k % WIDE], column[2 * (k / WIDE) + 1][k % WIDE]));
            for ((re, im), (a, b)) in re.iter_mut().zip(im).zip(from) {
                *re += times * a;
                *im += if real { 0.0 } else { sign * b };
            }
        }
        let used = (self.shape.reach.y + 1).next_multiple_of(LANES).min(half + 1);
        fft::strip(self.plan, &press.re, &press.im, used, fft, nx, out);
    }
}

/// Waves k = 0, 1, ... at a place of so many periods.
fn waves(turns: f64, chunks: usize, out: &mut Vec<Chunk>) {
    let at = |k: usize| (2.0 * PI * (k as f64 * turns).fract()).sin_cos();
    let (sin, cos) = at(1);
    let (mut re, mut im) = ([1.0_f64; WIDE], [0.0_f64; WIDE]);
    for k in 1..WIDE {
        (re[k], im[k]) = (re[k - 1] * cos - im[k - 1] * sin, re[k - 1] * sin + im[k - 1] * cos);
    }
    for chunk in 0..chunks {
        let (sin, cos) = at(chunk * WIDE);
        out.push(std::array::from_fn(|k| (re[k] * cos - im[k] * sin) as f32));
        out.push(std::array::from_fn(|k| (re[k] * sin + im[k] * cos) as f32));
    }
}

/// Multiplies the waves of columns.
#[multiversion(targets("x86_64+avx512f+avx512bw+avx512dq+avx512vl", "x86_64+avx2", "aarch64+neon"))]
fn turn(columns: &mut Waves, by: &Waves) {
    for column in columns.chunks_exact_mut(by.len()) {
        for (value, by) in column.chunks_exact_mut(2).zip(by.chunks_exact(2)) {
            let (re, im) = (value[0], value[1]);
            value[0] = std::array::from_fn(|k| re[k] * by[0][k] - im[k] * by[1][k]);
            value[1] = std::array::from_fn(|k| re[k] * by[1][k] + im[k] * by[0][k]);
        }
    }
}

/// Adds a plate times the waves of each column, each column `pitch` pixels further.
#[multiversion(targets("x86_64+avx512f+avx512bw+avx512dq+avx512vl", "x86_64+avx2", "aarch64+neon"))]
fn add(plate: &Waves, (columns, pitch): (&Waves, usize), (size, chunks): (usize, usize), sheet: &mut Waves) {
    let length = 2 * chunks;
    let count = columns.len() / length;
    if count == 0 {
        return;
    }
    // Two pixels at a time, which share the columns that reach either.
    for x in (0..(count - 1) * pitch + size).step_by(2) {
        let low = (x + 1).saturating_sub(size).div_ceil(pitch);
        let high = ((x + 1) / pitch).min(count - 1);
        for chunk in 0..chunks {
            // Real and imaginary part of either pixel: apart, so that they stay in registers.
            let (mut a_re, mut a_im, mut b_re, mut b_im) = ([0.0_f32; WIDE], [0.0_f32; WIDE], [0.0_f32; WIDE], [0.0_f32; WIDE]);
            let mut at = (x + 1 - low * pitch) * length + 2 * chunk;
            for column in columns[low * length..(high + 1) * length].chunks_exact(length) {
                let [u, v] = pair(&column[2 * chunk..]);
                let [re, im] = pair(&plate[at..]);
                for k in 0..WIDE {
                    a_re[k] += u[k] * re[k] - v[k] * im[k];
                }
                for k in 0..WIDE {
                    a_im[k] += u[k] * im[k] + v[k] * re[k];
                }
                let [re, im] = pair(&plate[at + length..]);
                for k in 0..WIDE {
                    b_re[k] += u[k] * re[k] - v[k] * im[k];
                }
                for k in 0..WIDE {
                    b_im[k] += u[k] * im[k] + v[k] * re[k];
                }
                at = at.wrapping_sub(pitch * length);
            }
            for (x, sums) in [(x, [a_re, a_im]), (x + 1, [b_re, b_im])] {
                for (to, sum) in sheet[x * length + 2 * chunk..].iter_mut().zip(sums) {
                    for (t, s) in to.iter_mut().zip(sum) {
                        *t += s;
                    }
                }
            }
        }
    }
}

/// The real and the imaginary part at the beginning of waves.
#[inline(always)]
fn pair(waves: &Waves) -> &[Chunk; 2] {
    let Some(pair) = waves.first_chunk() else { unreachable!("waves come in pairs") };
    pair
}

#[cfg(test)]
mod tests {
    use super::super::super::grid::Reach;
    use super::super::super::plan::Period;
    use super::*;

    /// Modes of a lopsided image, conjugate at ky = 0.
    fn mode(kx: i64, ky: usize) -> (f64, f64) {
        let (x, y) = (kx as f64, ky as f64);
        let blur = (-0.02 * (x * x + y * y)).exp();
        let angle = 0.3 * x - 0.21 * y + 0.002 * x * x * y;
        (blur * angle.cos(), blur * angle.sin())
    }

    #[test]
    fn plates_are_images_at_the_rows_of_their_columns() {
        // The second reach is beyond half of the period: sampling folds its waves.
        for (size, reach, pitch) in [(32, 11, 1), (32, 19, 3), (48, 22, 5), (16, 20, 2)] {
            let (period, reach) = (Period::square(size), Reach { x: reach, y: reach });
            let shape = GridShape::new(period, reach);
            let mut term: Vec<Lane> = Vec::new();
            for kx in shape.rows() {
                let blocks = shape.row_blocks(kx);
                for part in 0..2 {
                    term.extend((0..blocks).map(|b| -> Lane {
                        std::array::from_fn(|l| {
                            let (re, im) = mode(kx, b * LANES + l);
                            (if part == 0 { re } else { im }) as f32
                        })
                    }));
                }
            }
            let plan = FftPlan::new(size);
            let frame = Frame { shape: &shape, plan: &plan, pitch, offset: 0.5 };
            let (rows, light) = ([0.3, -1.2, 0.8, 1.6], [1.0_f32, 0.0, -2.0, 0.7]);
            let nx = (3 * pitch + size).next_multiple_of(BLOCK);
            let mut press = Press::default();
            frame.begin(rows.into_iter(), nx, &mut press);
            frame.lay(&term, &light[1..], 1, &mut press);
            frame.lay(&term, &light[..1], 0, &mut press);
            let row = 1;
            let mut pixels = vec![0.0; nx * size];
            for block in 0..nx / BLOCK {
                frame.block(block, row, &mut press, &mut FftScratch::default(), nx, &mut pixels[block * BLOCK..]);
            }
            for x in 0..3 * pitch + size {
                for y in 0..size {
                    let mut exact = 0.0;
                    for (c, (down, light)) in rows.iter().zip(light).enumerate().filter(|(c, _)| x >= c * pitch && x < c * pitch + size) {
                        for kx in shape.rows() {
                            for ky in 0..shape.row_blocks(kx) * LANES {
                                let (re, im) = mode(kx, ky);
                                let place = (x - c * pitch) as f64 - (size / 2) as f64 - 0.5;
                                let height = (y as f64 + row as f64) - (size / 2) as f64 - down;
                                let angle = 2.0 * PI * (kx as f64 * place + ky as f64 * height) / size as f64;
                                let both = if ky == 0 { 1.0 } else { 2.0 };
                                exact += f64::from(light) * both * (re * angle.cos() - im * angle.sin());
                            }
                        }
                    }
                    let got = f64::from(pixels[y * nx + x]);
                    assert!((got - exact).abs() < 1e-3, "size {size}, pitch {pitch}, pixel ({x}, {y}): {got} for {exact}");
                }
            }
        }
    }
}
