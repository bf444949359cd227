//! Sample statistics with their errors: medians, clipped moments, pulls, binomial fractions.

use serde::{Deserialize, Serialize};

/// The median; reorders `values`. NaN when empty.
pub fn median(values: &mut [f32]) -> f32 {
    sim_core::median::median(values).unwrap_or(f32::NAN)
}

/// The median of 64-bit values; reorders `values`. NaN when empty.
pub fn median64(values: &mut [f64]) -> f64 {
    sim_core::median::median(values).unwrap_or(f64::NAN)
}

/// Mean, median and standard deviation of what survives clipping.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Clipped {
    /// Mean of the survivors.
    pub mean: f64,
    /// Median of the survivors.
    pub median: f64,
    /// Standard deviation of the survivors, corrected for the truncation of a normal distribution.
    pub std: f64,
    /// Survivors.
    pub count: usize,
}

/// Ratio of a normal distribution's standard deviation after truncation at `+-kappa` sigma to that before:
/// `sqrt(1 - 2 kappa phi(kappa) / (2 Phi(kappa) - 1))`; 0.98658 for 3.
#[must_use]
pub fn truncated_std_ratio(kappa: f64) -> f64 {
    let density = (-0.5 * kappa * kappa).exp() / (2.0 * std::f64::consts::PI).sqrt();
    (1.0 - 2.0 * kappa * density / erf(kappa / std::f64::consts::SQRT_2)).sqrt()
}

/// Error function (Abramowitz & Stegun 1964, 7.1.26; absolute error below 1.5e-7).
#[must_use]
pub fn erf(x: f64) -> f64 {
    let t = 1.0 / (1.0 + 0.327_591_1 * x.abs());
    let poly = t * (0.254_829_592 + t * (-0.284_496_736 + t * (1.421_413_741 + t * (-1.453_152_027 + t * 1.061_405_429))));
    (1.0 - poly * (-x * x).exp()).copysign(x)
}

/// Clips at `kappa` standard deviations around the median until nothing more leaves; reorders and shortens `values`.
pub fn clip(values: &mut Vec<f32>, kappa: f64) -> Clipped {
    let ratio = truncated_std_ratio(kappa);
    let mut correction = 1.0;
    for round in 0..20 {
        let centre = f64::from(median(values));
        let (mut sum, mut squares) = (0.0, 0.0);
        for &v in values.iter() {
            let d = f64::from(v) - centre;
            sum += d;
            squares += d * d;
        }
        let n = values.len() as f64;
        let mean = sum / n;
        let std = ((squares / n - mean * mean).max(0.0) * n / (n - 1.0).max(1.0)).sqrt() / correction;
        let before = values.len();
        let limit = kappa * std;
        if round < 19 && std > 0.0 {
            values.retain(|&v| (f64::from(v) - centre).abs() <= limit);
        }
        if values.len() == before || values.len() < 3 {
            return Clipped { mean: centre + mean, median: centre, std, count: values.len() };
        }
        correction = ratio;
    }
    Clipped { mean: f64::NAN, median: f64::NAN, std: f64::NAN, count: 0 }
}

/// Mean and standard deviation of a sample of pulls, with their standard errors for a normal parent.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Moments {
    /// Mean.
    pub mean: f64,
    /// Error of the mean: std / sqrt(n).
    pub mean_error: f64,
    /// Standard deviation.
    pub std: f64,
    /// Error of the standard deviation: std / sqrt(2 (n - 1)).
    pub std_error: f64,
    /// Values used.
    pub count: usize,
    /// Values left out as outliers (further than the stated limit from the median).
    pub outliers: usize,
}

/// Moments of the values within `limit` of their median; `None` with fewer than three.
#[must_use]
pub fn moments(values: &[f64], limit: f64) -> Option<Moments> {
    let centre = median64(&mut values.to_vec());
    let kept: Vec<f64> = values.iter().copied().filter(|v| (v - centre).abs() <= limit).collect();
    let n = kept.len();
    if n < 3 {
        return None;
    }
    let mean = kept.iter().sum::<f64>() / n as f64;
    let std = (kept.iter().map(|v| (v - mean) * (v - mean)).sum::<f64>() / (n - 1) as f64).sqrt();
    Some(Moments {
        mean,
        mean_error: std / (n as f64).sqrt(),
        std,
        std_error: std / (2.0 * (n - 1) as f64).sqrt(),
        count: n,
        outliers: values.len() - n,
    })
}

/// A binomial fraction with the half-width of its 68 % Wilson interval (Wilson 1927).
#[must_use]
pub fn fraction(successes: usize, trials: usize) -> (f64, f64) {
    if trials == 0 {
        return (f64::NAN, f64::NAN);
    }
    let (n, p) = (trials as f64, successes as f64 / trials as f64);
    (p, (p * (1.0 - p) / n + 1.0 / (4.0 * n * n)).sqrt() / (1.0 + 1.0 / n))
}

#[cfg(test)]
mod tests {
    use super::*;
    use sim_core::stream::StreamKey;

    fn normals(n: usize) -> Vec<f64> {
        use rand_like::normal;
        let stream = StreamKey::new(11).with_name("statistics").stream(0);
        (0..n as u64).map(|i| normal(&stream, i)).collect()
    }

    /// Box-Muller on stream words, so that these tests need nothing but the stream.
    mod rand_like {
        use sim_core::stream::Stream;
        pub fn normal(stream: &Stream, i: u64) -> f64 {
            let u = |k: u64| (f64::from(stream.word(k)) + 0.5) / 4_294_967_296.0;
            (-2.0 * u(2 * i).ln()).sqrt() * (2.0 * std::f64::consts::PI * u(2 * i + 1)).cos()
        }
    }

    #[test]
    fn truncating_a_normal_at_three_sigma_narrows_it_by_1_34_per_cent() {
        assert!((truncated_std_ratio(3.0) - 0.986_58).abs() < 1e-4);
        assert!((truncated_std_ratio(8.0) - 1.0).abs() < 1e-6);
    }

    #[test]
    fn clipping_gives_back_the_width_of_a_normal_with_outliers() {
        let mut values: Vec<f32> = normals(40_000).iter().map(|&v| v as f32).collect();
        values.extend(std::iter::repeat_n(50.0, 400));
        let clipped = clip(&mut values, 3.0);
        // std error of 40,000 normals is 1 / sqrt(80,000) = 0.0035; 5 sigma = 0.018
        assert!((clipped.std - 1.0).abs() < 0.018, "std {}", clipped.std);
        assert!(clipped.median.abs() < 5.0 * 1.25 / 200.0);
    }

    #[test]
    fn moments_of_a_normal_agree_with_their_own_errors() {
        let m = moments(&normals(10_000), 6.0).unwrap();
        assert!(m.mean.abs() < 5.0 * m.mean_error && (m.std - 1.0).abs() < 5.0 * m.std_error);
        assert!((m.mean_error - 0.01).abs() < 5e-4);
    }

    #[test]
    fn a_fraction_of_all_still_has_an_error() {
        let (p, error) = fraction(100, 100);
        assert_eq!(p, 1.0);
        assert!((error - 0.005 / 1.01).abs() < 1e-12);
    }
}
