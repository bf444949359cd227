//! Variance of the median and of the min/max-clipped mean of N normal values.
//!
//! # Formula
//! In units of the single value's variance:
//! median of odd N = 2m+1: `Var = int x^2 w / int w`, `w = [Phi (1 - Phi)]^m phi`;
//! even N = 2m: half the sum of the two middle values, joint density `Phi(x)^(m-1) (1 - Phi(y))^(m-1) phi(x) phi(y)`, x < y;
//! mean of N without its smallest and largest value: `Var = 1/N + (Var(x_1 + x_N) - 4/N) / (N - 2)^2`, because the mean is
//! independent of the residuals (Basu); joint density of the extremes `(Phi(y) - Phi(x))^(N-2) phi(x) phi(y)`.
//! # Source
//! David & Nagaraja, Order Statistics, 3rd ed. (2003), sections 2.1-2.2 (densities); tables checked in the tests.
//! # Limits
//! Normal values; the integrals are trapezoids on a grid of 0.04, good to 3e-4 of the result.

const STEP: f64 = 0.04;
const POINTS: usize = 401;

/// Density and distribution of the standard normal on the grid -8..8.
struct Normal {
    x: Vec<f64>,
    density: Vec<f64>,
    below: Vec<f64>,
}

impl Normal {
    fn new() -> Self {
        let x: Vec<f64> = (0..POINTS).map(|i| (i as f64 - (POINTS - 1) as f64 / 2.0) * STEP).collect();
        let density: Vec<f64> = x.iter().map(|x| (-0.5 * x * x).exp() / std::f64::consts::TAU.sqrt()).collect();
        let mut below = vec![0.0; POINTS];
        for i in 1..POINTS {
            // Trapezoid with its Euler-Maclaurin end correction.
            let ends = density[i] * -x[i] - density[i - 1] * -x[i - 1];
            below[i] = below[i - 1] + 0.5 * STEP * (density[i] + density[i - 1]) - STEP * STEP / 12.0 * ends;
        }
        Self { x, density, below }
    }
    /// Variance of `x + y` under the weight `w(x, y)` on x <= y (the diagonal counts half).
    fn variance_of_sum(&self, weight: impl Fn(usize, usize) -> f64) -> f64 {
        let (mut norm, mut first, mut second) = (0.0, 0.0, 0.0);
        for i in 0..POINTS {
            for j in i..POINTS {
                let w = weight(i, j) * self.density[i] * self.density[j] * if i == j { 0.5 } else { 1.0 };
                let sum = self.x[i] + self.x[j];
                norm += w;
                first += w * sum;
                second += w * sum * sum;
            }
        }
        second / norm - (first / norm).powi(2)
    }
}

/// Variance of the median of `count` normal values of variance 1.
///
/// # Panics
/// When `count` is 0.
#[must_use]
pub fn median_variance(count: usize) -> f64 {
    assert!(count > 0, "the median of no values");
    if count <= 2 {
        return 1.0 / count as f64;
    }
    let normal = Normal::new();
    let m = (count / 2) as i32;
    if count % 2 == 1 {
        let (mut norm, mut second) = (0.0, 0.0);
        for i in 0..POINTS {
            let below = normal.below[i];
            let w = (below * (1.0 - below)).max(0.0).powi(m) * normal.density[i];
            norm += w;
            second += w * normal.x[i] * normal.x[i];
        }
        second / norm
    } else {
        normal.variance_of_sum(|i, j| (normal.below[i].max(0.0) * (1.0 - normal.below[j]).max(0.0)).powi(m - 1)) / 4.0
    }
}

/// Variance of the mean of `count` normal values of variance 1 without their smallest and largest (of all of them
/// when there are fewer than three).
///
/// # Panics
/// When `count` is 0.
#[must_use]
pub fn clipped_mean_variance(count: usize) -> f64 {
    assert!(count > 0, "the mean of no values");
    let n = count as f64;
    if count <= 2 {
        return 1.0 / n;
    }
    let normal = Normal::new();
    let extremes = normal.variance_of_sum(|i, j| (normal.below[j] - normal.below[i]).max(0.0).powi(count as i32 - 2));
    1.0 / n + (extremes - 4.0 / n) / (n - 2.0).powi(2)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn medians_have_the_tabulated_variances() {
        // Variances of sample medians from the normal: Hojo 1931; David & Nagaraja table of order-statistic moments.
        for (count, expected) in [(1, 1.0), (2, 0.5), (3, 0.448_671), (4, 0.298_2), (5, 0.286_834), (7, 0.210_447), (9, 0.166_101)] {
            let got = median_variance(count);
            assert!((got / expected - 1.0).abs() < 1e-3, "{count}: {got} against {expected}");
        }
    }

    #[test]
    fn a_clipped_mean_of_three_or_four_is_their_median() {
        for count in [3, 4] {
            let (mean, median) = (clipped_mean_variance(count), median_variance(count));
            assert!((mean / median - 1.0).abs() < 1e-3, "{count}: {mean} against {median}");
        }
    }

    #[test]
    fn clipping_costs_less_and_less_as_frames_are_added() {
        let costs: Vec<f64> = [5, 8, 16, 40].iter().map(|&n| clipped_mean_variance(n) * n as f64).collect();
        assert!(costs.windows(2).all(|w| w[1] < w[0]), "{costs:?}");
        assert!(costs.iter().all(|&c| c > 1.0), "the mean is the best: {costs:?}");
        assert!(costs[3] < 1.02, "{costs:?}");
        // The median of many values costs pi/2.
        assert!((median_variance(201) * 201.0 - std::f64::consts::FRAC_PI_2).abs() < 0.01);
    }
}
