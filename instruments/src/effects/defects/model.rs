//! The kernel: time in the upper state of a two-state process.

/// Seconds of `time_s` in the upper state. Mean dwell times \[s\] of upper and lower state; `uniform` gives numbers in (0, 1), one
/// for the first state and one for each dwell.
pub fn time_on_s(time_s: f64, mean_on_s: f64, mean_off_s: f64, mut uniform: impl FnMut() -> f64) -> f64 {
    let mut is_on = uniform() * (mean_on_s + mean_off_s) < mean_on_s;
    let (mut now, mut on) = (0.0, 0.0);
    while now < time_s {
        let dwell = -uniform().ln() * if is_on { mean_on_s } else { mean_off_s };
        let end = (now + dwell).min(time_s);
        if is_on {
            on += end - now;
        }
        now = end;
        is_on = !is_on;
    }
    on
}

/// Mean and variance of [`time_on_s`] \[s, s^2\].
#[must_use]
pub fn moments_of_time_on(time_s: f64, mean_on_s: f64, mean_off_s: f64) -> (f64, f64) {
    let p = mean_on_s / (mean_on_s + mean_off_s);
    let tau = mean_on_s * mean_off_s / (mean_on_s + mean_off_s);
    (p * time_s, 2.0 * p * (1.0 - p) * tau * (time_s - tau * (1.0 - (-time_s / tau).exp())))
}

#[cfg(test)]
mod tests {
    use super::*;
    use sim_core::stream::StreamKey;

    #[test]
    fn dwells_add_up_as_by_hand() {
        // Starts low (0.9 x 4 > 1), low for 3 ln 2, high for 1 ln 4, then low beyond the end.
        let mut numbers = [0.9, 0.5, 0.25, 1e-6].into_iter();
        let on = time_on_s(10.0, 1.0, 3.0, || numbers.next().unwrap());
        assert!((on - 4.0_f64.ln()).abs() < 1e-12, "{on}");
    }

    #[test]
    fn mean_and_variance_are_those_of_the_closed_form() {
        for (case, (on, off)) in [(30.0, 90.0), (200.0, 100.0), (4.0, 5.0), (5000.0, 2000.0)].into_iter().enumerate() {
            let n = 20_000;
            let stream = StreamKey::new(3).stream(case as u64);
            let mut index = 0;
            let mut uniform = || {
                index += 1;
                (f64::from(stream.word(index)) + 0.5) / 2.0_f64.powi(32)
            };
            let times: Vec<f64> = (0..n).map(|_| time_on_s(150.0, on, off, &mut uniform)).collect();
            let (mean, variance) = moments_of_time_on(150.0, on, off);
            let got = times.iter().sum::<f64>() / f64::from(n);
            let square = times.iter().map(|t| (t - got).powi(2)).sum::<f64>() / f64::from(n);
            let fourth = times.iter().map(|t| (t - got).powi(4)).sum::<f64>() / f64::from(n);
            // Errors of a sample mean and of a sample variance (from its fourth moment), five of them.
            assert!((got - mean).abs() < 5.0 * (variance / f64::from(n)).sqrt(), "{on} {off}: mean {got}, {mean}");
            let error = ((fourth - square * square) / f64::from(n)).sqrt();
            assert!((square - variance).abs() < 5.0 * error, "{on} {off}: variance {square}, {variance} +- {error}");
        }
    }

    #[test]
    fn slow_jumps_have_the_variance_of_a_coin_and_fast_ones_none() {
        let (_, slow) = moments_of_time_on(100.0, 1e9, 1e9);
        assert!((slow / 2500.0 - 1.0).abs() < 1e-3, "0.25 x 100^2: {slow}");
        let (_, fast) = moments_of_time_on(100.0, 1e-3, 1e-3);
        assert!(fast < 0.03, "{fast}");
    }
}
