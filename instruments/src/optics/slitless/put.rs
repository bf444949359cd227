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

/// Adds an image of `size` columns of as many rows, once for each weight and each time `pitch` columns further, from a corner of the stamp on, whose columns have `ny`
/// rows.
#[multiversion(targets("x86_64+avx2", "aarch64+neon"))]
pub(super) fn put(image: &[f32], size: usize, (weights, pitch): (&[f32], usize), corner: (usize, usize), ny: usize, columns: &mut [f32]) {
    // So many rows at a time stay in registers; periods are multiples of 16.
    match size {
        80 => put_rows::<40>(image, size, (weights, pitch), corner, ny, columns),
        48 | 96 => put_rows::<48>(image, size, (weights, pitch), corner, ny, columns),
        size if size.is_multiple_of(32) => put_rows::<32>(image, size, (weights, pitch), corner, ny, columns),
        _ => put_rows::<16>(image, size, (weights, pitch), corner, ny, columns),
    }
}

#[inline(always)]
fn put_rows<const ROWS: usize>(
    image: &[f32],
    size: usize,
    (weights, pitch): (&[f32], usize),
    (x, y): (usize, usize),
    ny: usize,
    columns: &mut [f32],
) {
    if weights.is_empty() {
        return;
    }
    for out in 0..(weights.len() - 1) * pitch + size {
        let to = &mut columns[(x + out) * ny + y..][..size];
        // Images that have a column here.
        let (first, last) = ((out + 1).saturating_sub(size).div_ceil(pitch), (out / pitch).min(weights.len() - 1));
        for (block, to) in to.chunks_exact_mut(ROWS).enumerate() {
            let mut sum = [0.0_f32; ROWS];
            for (number, weight) in (first..).zip(&weights[first..=last]) {
                let column = &image[(out - number * pitch) * size + block * ROWS..][..ROWS];
                for (s, f) in sum.iter_mut().zip(column) {
                    *s += weight * f;
                }
            }
            for (t, s) in to.iter_mut().zip(sum) {
                *t += s;
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
            put(&image, size, (&weights, pitch), corner, ny, &mut columns);
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
