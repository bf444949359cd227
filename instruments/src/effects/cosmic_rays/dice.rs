//! Draws of one event from its keyed stream, in order.

use rand::Rng;
use sim_core::noise;
use sim_core::stream::Stream;

/// The dice of one event.
#[derive(Debug, Clone)]
pub struct Dice(Stream);

impl Dice {
    /// Dice that read a stream in order.
    #[must_use]
    pub fn new(stream: Stream) -> Self {
        Self(stream)
    }
    /// Uniform in (0, 1).
    pub fn uniform(&mut self) -> f64 {
        (f64::from(self.0.next_u32()) + 0.5) / 4_294_967_296.0
    }
    /// Standard normal.
    pub fn normal(&mut self) -> f64 {
        f64::from(noise::normal_of_word(self.0.next_u32()))
    }
    /// Exponential of mean 1.
    pub fn exponential(&mut self) -> f64 {
        -self.uniform().ln()
    }
    /// Logarithmically uniform between two bounds.
    pub fn log_uniform(&mut self, low: f64, high: f64) -> f64 {
        low * (self.uniform() * (high / low).ln()).exp()
    }
    /// Gamma of the given shape and scale 1: Marsaglia & Tsang 2000 (ACM Trans. Math. Softw. 26, 363).
    pub fn gamma(&mut self, shape: f64) -> f64 {
        if shape <= 0.0 {
            return 0.0;
        }
        let boost = if shape < 1.0 { self.uniform().powf(1.0 / shape) } else { 1.0 };
        let d = if shape < 1.0 { shape + 1.0 } else { shape } - 1.0 / 3.0;
        let c = 1.0 / (9.0 * d).sqrt();
        loop {
            let x = self.normal();
            let v = (1.0 + c * x).powi(3);
            if v > 0.0 && self.uniform().ln() < 0.5 * x * x + d - d * v + d * v.ln() {
                return boost * d * v;
            }
        }
    }
    /// Whole number around `mean` with the given variance: a rounded normal, by chance up or down where it is small.
    pub fn whole(&mut self, mean: f64, variance: f64) -> u32 {
        let value = (mean + variance.sqrt() * self.normal()).max(0.0);
        let floor = value.floor();
        (floor + if self.uniform() < value - floor { 1.0 } else { 0.0 }) as u32
    }
    /// Binomial of `n` trials: sequential inversion while the expected number is small, else a rounded normal
    /// (whose skewness is below 0.2 there).
    pub fn binomial(&mut self, n: u32, p: f64) -> u32 {
        if n == 0 || p <= 0.0 {
            return 0;
        }
        if p >= 1.0 {
            return n;
        }
        if p > 0.5 {
            return n - self.binomial(n, 1.0 - p);
        }
        let trials = f64::from(n);
        let mean = trials * p;
        if mean > 25.0 {
            let draw = (mean + (mean * (1.0 - p)).sqrt() * self.normal() + 0.5).floor();
            return draw.clamp(0.0, trials) as u32;
        }
        let mut left = self.uniform();
        let odds = p / (1.0 - p);
        // (1 - p)^n by its logarithm.
        let mut term = (trials * (-p).ln_1p()).exp();
        let mut k = 0;
        while left > term && k < n {
            left -= term;
            k += 1;
            term *= odds * f64::from(n + 1 - k) / f64::from(k);
        }
        k
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use sim_core::stream::StreamKey;

    fn dice(item: u64) -> Dice {
        Dice::new(StreamKey::new(5).with_name("dice").stream(item))
    }

    fn moments(n: usize, mut draw: impl FnMut() -> f64) -> (f64, f64) {
        let values: Vec<f64> = (0..n).map(|_| draw()).collect();
        let mean = values.iter().sum::<f64>() / n as f64;
        (mean, values.iter().map(|v| (v - mean).powi(2)).sum::<f64>() / n as f64)
    }

    #[test]
    fn binomials_and_gammas_have_mean_and_variance_of_their_laws() {
        const N: usize = 40_000;
        for (n, p) in [(10_u32, 0.3), (1000, 0.01), (1000, 0.4), (7, 0.9)] {
            let mut d = dice(u64::from(n));
            let (mean, variance) = moments(N, || f64::from(d.binomial(n, p)));
            let (m, v) = (f64::from(n) * p, f64::from(n) * p * (1.0 - p));
            // 5 sigma of the mean; variance of a variance about 2 v^2 / N and at most twice that for these laws.
            assert!((mean - m).abs() < 5.0 * (v / N as f64).sqrt(), "{n} {p}: {mean}");
            assert!((variance / v - 1.0).abs() < 5.0 * (4.0 / N as f64).sqrt(), "{n} {p}: {variance} for {v}");
        }
        for shape in [0.4, 1.0, 6.0] {
            let mut d = dice(99);
            let (mean, variance) = moments(N, || d.gamma(shape));
            assert!((mean - shape).abs() < 5.0 * (shape / N as f64).sqrt(), "{shape}: {mean}");
            // Fourth central moment of a gamma: 3 k^2 + 6 k.
            assert!((variance - shape).abs() < 5.0 * ((2.0 * shape * shape + 6.0 * shape) / N as f64).sqrt(), "{shape}: {variance}");
        }
    }

    #[test]
    fn whole_numbers_keep_their_mean() {
        let mut d = dice(3);
        let (mean, _) = moments(40_000, || f64::from(d.whole(12.3, 1.4)));
        assert!((mean - 12.3).abs() < 5.0 * ((1.4_f64 + 0.25) / 40_000.0).sqrt(), "{mean}");
    }
}
