//! The kernel: the drift of the level during a readout.

/// Terms of the drift.
pub const TERMS: usize = 3;

/// Drift in units of its rms at row `parallel` of `rows`, for the amplitudes of one exposure.
#[must_use]
pub fn drift(parallel: usize, rows: usize, amplitudes: &[f32; TERMS]) -> f64 {
    let phase = std::f64::consts::PI * (parallel as f64 + 0.5) / rows as f64;
    let sum: f64 = (1..).zip(amplitudes).map(|(m, &y)| f64::from(y) * (f64::from(m) * phase).cos()).sum();
    (2.0 / TERMS as f64).sqrt() * sum
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_mean_square_of_the_drift_is_that_of_its_amplitudes() {
        // Discrete cosines are orthogonal with mean square 1/2: mean of D^2 = (2/3) (1 + 4 + 0.25) / 2 = 1.75.
        let amplitudes = [1.0, -2.0, 0.5];
        let mean: f64 = (0..64).map(|p| drift(p, 64, &amplitudes).powi(2)).sum::<f64>() / 64.0;
        assert!((mean - 1.75).abs() < 1e-12, "{mean}");
    }
}
