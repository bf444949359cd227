//! Landau's distribution: quantiles from numerical inversion of its integral, truncated at the kinematic limit.
//!
//! # Formula
//! P(> l) = 1/pi integral over t > 0 of exp(-t ln t - l t) sin(pi t) / t; density the same without 1/t. A loss is
//! D = mean + xi (l - m), m = -0.42278 - beta^2 - ln(xi / T_max); the limit L is where the mean of the truncated law is m, so
//! that the mean loss is Bethe's (the device of GEANT 3.21's manual, PHYS332, here with our own table).
//! # Source
//! Landau 1944 (J. Phys. USSR 8, 201); the way of tabulating: Koelbig & Schorr 1984 (Comput. Phys. Commun. 31, 97).

/// Quantiles and truncated means.
#[derive(Debug, Clone)]
pub struct Landau {
    lambda: Vec<f64>,
    /// P(> lambda).
    above: Vec<f64>,
    /// Mean of the law truncated at lambda.
    mean: Vec<f64>,
}

/// Least lambda of the table; P(< -3.7) = 2e-10.
const LOWEST: f64 = -3.7;

/// `1/pi integral exp(-t ln t - l t) sin(pi t) t^power dt`, by Simpson's rule in v = sqrt(t).
fn integral(lambda: f64, over_t: bool) -> f64 {
    const PANELS: usize = 800;
    // Beyond the end the exponential is below e^-40.
    let end: f64 = if lambda > 1.0 { (44.0 / lambda).min(18.0) } else { 18.0 + 6.0 * (1.0 - lambda) };
    let step = end.sqrt() / PANELS as f64;
    let value = |v: f64| {
        if v == 0.0 {
            return 0.0;
        }
        let t = v * v;
        let wave = (std::f64::consts::PI * t).sin();
        (-t * t.ln() - lambda * t).exp() * wave * if over_t { 2.0 / v } else { 2.0 * v }
    };
    let sum: f64 = (0..=PANELS)
        .map(|i| {
            value(i as f64 * step)
                * if i == 0 || i == PANELS {
                    1.0
                } else if i % 2 == 1 {
                    4.0
                } else {
                    2.0
                }
        })
        .sum();
    sum * step / 3.0 / std::f64::consts::PI
}

/// Landau's density.
#[must_use]
pub fn density(lambda: f64) -> f64 {
    integral(lambda, false)
}

impl Default for Landau {
    fn default() -> Self {
        Self::new()
    }
}

impl Landau {
    /// Makes the table: 0.04 apart to 8, then 2 % apart to 1e7.
    #[must_use]
    pub fn new() -> Self {
        let mut lambda: Vec<f64> = (0..=292).map(|i| LOWEST + 0.04 * f64::from(i)).collect();
        while lambda[lambda.len() - 1] < 1e7 {
            lambda.push(lambda[lambda.len() - 1] * 1.02);
        }
        let mut above: Vec<f64> = lambda.iter().map(|&l| integral(l, true).clamp(0.0, 1.0)).collect();
        above[0] = 1.0;
        // Truncated mean by parts: (lowest - L P(> L) + integral of P) / P(< L).
        let (mut area, mut mean) = (0.0, vec![LOWEST]);
        for i in 1..lambda.len() {
            above[i] = above[i].min(above[i - 1]);
            area += 0.5 * (above[i] + above[i - 1]) * (lambda[i] - lambda[i - 1]);
            let below = (1.0 - above[i]).max(1e-300);
            mean.push(((LOWEST - lambda[i] * above[i] + area) / below).max(mean[i - 1]));
        }
        Self { lambda, above, mean }
    }
    /// The lambda above which a fraction `above` lies. In the tail 1 / P(> l) is nearly linear in l.
    #[must_use]
    pub fn quantile_above(&self, above: f64) -> f64 {
        let i = self.above.partition_point(|&a| a > above).clamp(1, self.above.len() - 1);
        let (a, b) = (self.above[i - 1], self.above[i]);
        let part = if a <= b {
            0.0
        } else if a < 0.3 {
            (1.0 / above - 1.0 / a) / (1.0 / b - 1.0 / a)
        } else {
            (a - above) / (a - b)
        };
        self.lambda[i - 1] + part.clamp(0.0, 1.0) * (self.lambda[i] - self.lambda[i - 1])
    }
    /// P(> l).
    #[must_use]
    pub fn above(&self, lambda: f64) -> f64 {
        let i = self.lambda.partition_point(|&l| l < lambda).clamp(1, self.lambda.len() - 1);
        let part = ((lambda - self.lambda[i - 1]) / (self.lambda[i] - self.lambda[i - 1])).clamp(0.0, 1.0);
        self.above[i - 1] + part * (self.above[i] - self.above[i - 1])
    }
    /// The limit at which the truncated mean is `mean`.
    #[must_use]
    pub fn limit_of_mean(&self, mean: f64) -> f64 {
        let i = self.mean.partition_point(|&m| m < mean).clamp(1, self.mean.len() - 1);
        let (a, b) = (self.mean[i - 1], self.mean[i]);
        let part = if b > a { ((mean - a) / (b - a)).clamp(0.0, 1.0) } else { 0.0 };
        self.lambda[i - 1] + part * (self.lambda[i] - self.lambda[i - 1])
    }
    /// A draw below `limit` from a uniform number.
    #[must_use]
    pub fn draw_below(&self, limit: f64, uniform: f64) -> f64 {
        let least = self.above(limit);
        self.quantile_above(least + uniform * (1.0 - least))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_density_has_the_published_peak_and_width() {
        // Koelbig & Schorr 1984: maximum 0.18066 at -0.22278; full width at half maximum 4.018.
        let peak = (-400..400).map(|i| f64::from(i) * 0.001).fold((0.0, 0.0), |best, l| {
            let d = density(l);
            if d > best.1 { (l, d) } else { best }
        });
        assert!((peak.0 + 0.22278).abs() < 2e-3, "{peak:?}");
        assert!((peak.1 - 0.18066).abs() < 2e-5, "{peak:?}");
        let cross = |mut low: f64, mut high: f64| {
            for _ in 0..60 {
                let middle = 0.5 * (low + high);
                if (density(middle) > 0.5 * peak.1) == (density(low) > 0.5 * peak.1) { low = middle } else { high = middle }
            }
            low
        };
        let width = cross(0.0, 6.0) - cross(-3.0, 0.0);
        assert!((width - 4.018).abs() < 2e-3, "{width}");
    }

    #[test]
    fn quantiles_are_the_inverse_of_the_law() {
        let landau = Landau::new();
        // Koelbig & Schorr's RANLAN(0.5) = 1.3558 (median).
        assert!((landau.quantile_above(0.5) - 1.3558).abs() < 2e-3, "{}", landau.quantile_above(0.5));
        for above in [0.999, 0.9, 0.3, 0.05, 1e-3, 1e-5] {
            let l = landau.quantile_above(above);
            assert!((integral(l, true) / above - 1.0).abs() < 2e-3, "{above}: {l}");
        }
        // The tail is Rutherford's: P(> l) l -> 1.
        assert!((landau.above(1e5) * 1e5 - 1.0).abs() < 2e-3);
    }

    #[test]
    fn the_truncated_law_has_the_mean_asked_for() {
        let landau = Landau::new();
        for wanted in [0.5, 3.0, 7.0] {
            let limit = landau.limit_of_mean(wanted);
            let n = 200_000;
            let mean = (0..n).map(|i| landau.draw_below(limit, (f64::from(i) + 0.5) / f64::from(n))).sum::<f64>() / f64::from(n);
            // Midpoint rule over a law with a 1/l^2 tail: the last of n draws misses about limit / n; interpolation 1e-2.
            assert!((mean - wanted).abs() < 0.02 + limit / f64::from(n), "{wanted}: {mean} with limit {limit}");
        }
    }
}
