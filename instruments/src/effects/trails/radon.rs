//! Sums along all straight lines of an image in N^2 log N steps.
//!
//! # Formula
//! Strips of h rows hold, for every start column and every shift 0..h over the strip, the sum along the line; two strips
//! make one of 2h rows: R(x, s) = A(x, s / 2) + B(x + (s + 1) / 2, s / 2), halves rounded down.
//! # Source
//! Brady 1998 (SIAM J. Comput. 27, 107: "A fast discrete approximation algorithm for the Radon transform"); use for trails: Nir, Zackay & Ofek 2018 (AJ
//! 156, 229).
//! # Limits
//! Lines are followed to half a pixel at most (log2 N / 6 in the worst case). Sums in a fixed order.

use multiversion::multiversion;
use rayon::prelude::*;

/// All lines that rise by 0..n columns over the n rows of a square image.
#[derive(Debug, Clone)]
pub struct Lines {
    /// Side of the image, a power of two.
    pub n: usize,
    /// Sums `[shift][start + n]`, start column from -n to n - 1 in row 0.
    pub sums: Vec<f32>,
}

#[multiversion(targets("x86_64+avx2"))]
fn join(out: &mut [f32], a: &[f32], b: &[f32], offset: usize) {
    let w = out.len();
    let (head, tail) = out.split_at_mut(w - offset);
    for ((o, a), b) in head.iter_mut().zip(a).zip(&b[offset..]) {
        *o = a + b;
    }
    for ((o, a), b) in tail.iter_mut().zip(&a[w - offset..]).zip(b) {
        *o = a + b;
    }
}

impl Lines {
    /// Of a square image, row after row.
    ///
    /// # Panics
    /// When the image is not `n` x `n` or `n` is not a power of two.
    #[must_use]
    pub fn new(image: &[f32], n: usize) -> Self {
        assert!(n.is_power_of_two() && image.len() == n * n, "{} pixels for a side of {n}", image.len());
        let w = 2 * n;
        // Columns are cyclic: the image in the second half, zeros in the first, where lines enter and leave.
        let mut now = vec![0.0_f32; n * w];
        for (row, line) in now.chunks_exact_mut(w).zip(image.chunks_exact(n)) {
            row[n..].copy_from_slice(line);
        }
        let mut next = vec![0.0_f32; n * w];
        let mut h = 1;
        while h < n {
            next.par_chunks_exact_mut(2 * h * w).zip(now.par_chunks_exact(2 * h * w)).for_each(|(out, strips)| {
                let (a, b) = strips.split_at(h * w);
                for (s, row) in out.chunks_exact_mut(w).enumerate() {
                    let from = (s / 2) * w..(s / 2 + 1) * w;
                    join(row, &a[from.clone()], &b[from], s.div_ceil(2));
                }
            });
            std::mem::swap(&mut now, &mut next);
            h *= 2;
        }
        Self { n, sums: now }
    }
    /// Sum of the line that starts in column `start` of row 0 and ends `shift` further in the last row.
    #[must_use]
    pub fn at(&self, start: i64, shift: usize) -> f32 {
        self.sums[shift * 2 * self.n + (start + self.n as i64) as usize]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_drawn_line_is_the_largest_sum_and_counts_its_pixels() {
        let n = 64;
        let mut image = vec![0.0; n * n];
        // Column 5 in row 0, column 5 + 27 in row 63.
        for y in 0..n {
            let x = 5.0 + 27.0 * y as f64 / 63.0;
            image[y * n + x.round() as usize] = 1.0;
        }
        let lines = Lines::new(&image, n);
        let (best, value) = lines.sums.iter().enumerate().fold((0, 0.0), |(i, m), (k, &v)| if v > m { (k, v) } else { (i, m) });
        let (shift, start) = (best / 128, best as i64 % 128 - 64);
        assert!((shift as i64 - 27).abs() <= 1 && (start - 5).abs() <= 1, "{start} {shift}");
        // Rounding puts some of its pixels one beside the digital line.
        assert!(value > 45.0, "{value}");
    }

    #[test]
    fn every_shift_sees_the_whole_image_once() {
        let n = 32;
        let image: Vec<f32> = (0..n * n).map(|i| ((i * 7919) % 13) as f32).collect();
        let total: f32 = image.iter().sum();
        let lines = Lines::new(&image, n);
        for row in lines.sums.chunks(2 * n) {
            assert_eq!(row.iter().sum::<f32>(), total);
        }
        // Upright lines are column sums.
        let column: f32 = (0..n).map(|y| image[y * n + 9]).sum();
        assert_eq!(lines.at(9, 0), column);
        assert_eq!(lines.at(-9, 0), 0.0);
    }
}
