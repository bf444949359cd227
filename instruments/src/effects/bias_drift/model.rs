//! The kernel: a stationary process with exponential covariance.

/// Process of standard deviation `rms` and covariance `rms^2 exp(-lag / length)`, one value for each normal given.
#[must_use]
pub fn wander(rms: f64, length: f64, normals: &[f32]) -> Vec<f32> {
    let keep = (-1.0 / length).exp();
    let step = rms * (1.0 - keep * keep).sqrt();
    let mut value = 0.0;
    let next = |(k, z): (usize, &f32)| {
        value = if k == 0 { rms * f64::from(*z) } else { keep * value + step * f64::from(*z) };
        value as f32
    };
    normals.iter().enumerate().map(next).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use sim_core::noise;
    use sim_core::stream::StreamKey;

    #[test]
    fn the_covariance_is_exponential_from_the_first_value_on() {
        // Ensemble of 20,000: a product of two normals of covariance c scatters by sqrt(1 + c^2) <= 1.42 of the variance.
        let (n, rms, length) = (20_000, 2.0, 30.0);
        let mut sums = [0.0; 4];
        let lags = [0, 1, 30, 90];
        for k in 0..n {
            let mut z = [0.0; 91];
            noise::normals(&StreamKey::new(8).stream(k), 0, &mut z);
            let d = wander(rms, length, &z);
            for (sum, lag) in sums.iter_mut().zip(lags) {
                *sum += f64::from(d[0]) * f64::from(d[lag]);
            }
        }
        for (sum, lag) in sums.iter().zip(lags) {
            let want = rms * rms * (-(lag as f64) / length).exp();
            let got = sum / n as f64;
            assert!((got - want).abs() < 5.0 * 1.42 * 4.0 / (n as f64).sqrt(), "lag {lag}: {got}, {want}");
        }
    }
}
