//! The kernel: a straight gradient.

use multiversion::multiversion;

/// Position of pixel `i` of `n` in (-1, 1).
#[must_use]
pub fn unit_position(i: usize, n: usize) -> f64 {
    (2.0 * i as f64 + 1.0) / n as f64 - 1.0
}

/// Adds `start + along[i]` to pixel `i`.
#[multiversion(targets("x86_64+avx2"))]
pub fn add_line(row: &mut [f32], start: f32, along: &[f32]) {
    for (pixel, &along) in row.iter_mut().zip(along) {
        *pixel += start + along;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn positions_are_symmetric_about_the_centre() {
        assert_eq!(unit_position(0, 4), -0.75);
        assert_eq!(unit_position(3, 4), 0.75);
        let mean: f64 = (0..9216).map(|i| unit_position(i, 9216)).sum::<f64>() / 9216.0;
        assert!(mean.abs() < 1e-15, "{mean}");
    }
}
