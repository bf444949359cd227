//! The kernel: where the hot pixels of a row are.

/// Hot pixels of a row of `nx` pixels, as (column, rate \[electron / s\]): gaps between them are geometric of
/// probability `fraction`, rates exponential of mean `rate_mean`. `uniform` gives numbers in (0, 1), two per pixel found.
/// The cost is that of the hot pixels, not of the row.
pub fn hot_pixels(nx: usize, fraction: f64, rate_mean: f64, mut uniform: impl FnMut() -> f64) -> Vec<(usize, f64)> {
    let mut found = Vec::new();
    if fraction <= 0.0 || rate_mean <= 0.0 {
        return found;
    }
    let per_gap = 1.0 / (-fraction).ln_1p();
    let mut next = 0.0;
    loop {
        next += (uniform().ln() * per_gap).floor();
        if next >= nx as f64 {
            return found;
        }
        found.push((next as usize, -rate_mean * uniform().ln()));
        next += 1.0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_gap_is_the_number_of_failures_before_a_success() {
        // f = 1/2: ln u / ln(1/2) = 2.3 for u = 2^-2.3, so the third pixel is the first hot one.
        let mut numbers = [2.0_f64.powf(-2.3), (-1.0_f64).exp(), 2.0_f64.powf(-0.5), (-2.0_f64).exp(), 1e-30].into_iter();
        let hot = hot_pixels(10, 0.5, 4.0, || numbers.next().unwrap());
        assert_eq!(hot.iter().map(|h| h.0).collect::<Vec<_>>(), [2, 3]);
        assert!((hot[0].1 - 4.0).abs() < 1e-12 && (hot[1].1 - 8.0).abs() < 1e-12);
    }

    #[test]
    fn no_fraction_or_no_rate_means_no_hot_pixel() {
        assert!(hot_pixels(10, 0.0, 4.0, || panic!("no draw is needed")).is_empty());
        assert!(hot_pixels(10, 0.1, 0.0, || panic!("no draw is needed")).is_empty());
    }
}
