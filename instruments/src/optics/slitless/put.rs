//! Images laid side by side: what moves the pixels.
//!
//! # Formula
//! Column x of the sum is `sum_c w_c I(x - c p)`, I the image's columns, p the pitch. Pictures are held by columns, so that a column is in one piece of memory.
//! # Limits
//! Single precision.
//! # Twin
//! None.

use super::super::fft::{LANES, Lane};
use multiversion::multiversion;

/// Turns rows of `length` numbers into columns.
#[multiversion(targets("x86_64+avx2", "aarch64+neon"))]
pub(super) fn turn(from: &[f32], length: usize, to: &mut [f32]) {
    let rows = from.len() / length;
    let (high, wide) = (rows / LANES * LANES, length / LANES * LANES);
    for top in (0..high).step_by(LANES) {
        for left in (0..wide).step_by(LANES) {
            let mut tile = [[0.0_f32; LANES]; LANES];
            for (row, out) in tile.iter_mut().enumerate() {
                out.copy_from_slice(&from[(top + row) * length + left..][..LANES]);
            }
            for column in 0..LANES {
                let turned: Lane = std::array::from_fn(|row| tile[row][column]);
                to[(left + column) * rows + top..][..LANES].copy_from_slice(&turned);
            }
        }
    }
    // What is left of rows and columns.
    for row in 0..rows {
        for column in if row < high { wide..length } else { 0..length } {
            to[column * rows + row] = from[row * length + column];
        }
    }
}

/// Rows, and columns of the sum, that stay in registers.
const ROWS: usize = 16;
const GROUP: usize = 4;

/// Adds an image of `size` columns of as many rows, once for each weight and each time `pitch` columns further, from a corner of the stamp on, whose columns have `ny`
/// rows. Periods are multiples of 16. `padded` lends its memory.
pub(super) fn put(
    image: &[f32],
    size: usize,
    (weights, pitch): (&[f32], usize),
    corner: (usize, usize),
    (ny, columns): (usize, &mut [f32]),
    padded: &mut Vec<f32>,
) {
    padded.clear();
    padded.resize(GROUP, 0.0);
    padded.extend_from_slice(weights);
    padded.resize(weights.len() + 2 * GROUP, 0.0);
    put_padded(image, size, (padded, pitch), corner, ny, columns);
}

#[multiversion(targets("x86_64+avx512f+avx512bw+avx512dq+avx512vl", "x86_64+avx2", "aarch64+neon"))]
fn put_padded(image: &[f32], size: usize, (padded, pitch): (&[f32], usize), (x, y): (usize, usize), ny: usize, columns: &mut [f32]) {
    let count = padded.len() - 2 * GROUP;
    for block in (0..size).step_by(ROWS) {
        // Images that lie a pitch apart share the columns that are as far apart.
        for residue in 0..pitch.min(size) {
            // Image columns residue + j pitch meet columns of the sum residue + o pitch, o = j + the image's number.
            let held = (size - residue).div_ceil(pitch);
            for first in (0..held + count - 1).step_by(GROUP) {
                let mut sums = [[0.0_f32; ROWS]; GROUP];
                let (from, to) = ((first + 1).saturating_sub(count), (first + GROUP).min(held));
                for j in from..to {
                    let column: &[f32; ROWS] = match image[(residue + j * pitch) * size + block..].first_chunk() {
                        Some(column) => column,
                        None => return,
                    };
                    let weights: &[f32; GROUP] = match padded[first + GROUP - j..].first_chunk() {
                        Some(weights) => weights,
                        None => return,
                    };
                    for (sum, weight) in sums.iter_mut().zip(weights) {
                        for (s, f) in sum.iter_mut().zip(column) {
                            *s += weight * f;
                        }
                    }
                }
                for (o, sum) in (first..(held + count - 1).min(first + GROUP)).zip(sums) {
                    let to = &mut columns[(x + residue + o * pitch) * ny + y + block..][..ROWS];
                    for (t, s) in to.iter_mut().zip(sum) {
                        *t += s;
                    }
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn turned_twice_is_as_before() {
        for (rows, length) in [(16, 32), (37, 11), (8, 9), (5, 3)] {
            let from: Vec<f32> = (0..rows * length).map(|k| k as f32).collect();
            let (mut once, mut twice) = (vec![0.0; from.len()], vec![0.0; from.len()]);
            turn(&from, length, &mut once);
            turn(&once, rows, &mut twice);
            assert_eq!(once[rows], 1.0, "the second column begins with the second of the first row");
            assert_eq!(from, twice);
        }
    }

    #[test]
    fn images_lie_a_pitch_apart() {
        for (size, pitch) in [(16, 1), (16, 5), (48, 7), (80, 2), (96, 3), (128, 16)] {
            let image: Vec<f32> = (0..size * size).map(|k| (k % 97) as f32).collect();
            let weights = [1.0_f32, -2.0, 0.0, 3.0, 0.5];
            let (ny, corner) = (size + 3, (2, 1));
            let mut columns = vec![0.0_f32; ny * (size + 4 * pitch + 3)];
            let mut expected = columns.clone();
            put(&image, size, (&weights, pitch), corner, (ny, &mut columns), &mut Vec::new());
            for (c, weight) in weights.iter().enumerate() {
                for (k, value) in image.iter().enumerate() {
                    expected[(corner.0 + c * pitch + k / size) * ny + corner.1 + k % size] += weight * value;
                }
            }
            let worst = columns.iter().zip(&expected).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
            assert!(worst < 1e-3, "size {size}, pitch {pitch}: {worst}");
        }
    }
}
