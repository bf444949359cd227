//! Draws of one object, in order, from its own keyed stream.
//!
//! Each draw uses whole 32-bit words of the stream, so what an object is depends on its key alone. Normals and
//! Poisson numbers are the platform-independent ones of [`sim_core::noise`].

use sim_core::noise::{normal_of_word, poisson_of_word};
use sim_core::stream::Stream;

/// A stream read in order.
#[derive(Debug, Clone)]
pub struct Draw {
    stream: Stream,
    next: u64,
}

impl Draw {
    /// Starts at the stream's first word.
    #[must_use]
    pub fn new(stream: Stream) -> Self {
        Self { stream, next: 0 }
    }
    fn word(&mut self) -> u32 {
        self.next += 1;
        self.stream.word(self.next - 1)
    }
    /// Uniform in (0, 1), 2^-64 fine: positions must not fall on a lattice.
    pub fn uniform(&mut self) -> f64 {
        let bits = (u64::from(self.word()) << 20) | u64::from(self.word() >> 12);
        (bits as f64 + 0.5) / (1_u64 << 52) as f64
    }
    /// Uniform in (low, high).
    pub fn between(&mut self, low: f64, high: f64) -> f64 {
        low + (high - low) * self.uniform()
    }
    /// Standard normal.
    pub fn normal(&mut self) -> f64 {
        f64::from(normal_of_word(self.word()))
    }
    /// Exponential of mean 1.
    pub fn exponential(&mut self) -> f64 {
        -self.uniform().ln()
    }
    /// Poisson number.
    pub fn poisson(&mut self, mean: f64) -> u64 {
        poisson_of_word(mean as f32, self.word()) as u64
    }
    /// True with a probability.
    pub fn chance(&mut self, probability: f64) -> bool {
        self.uniform() < probability
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use sim_core::stream::StreamKey;

    #[test]
    fn uniform_normal_exponential_and_poisson_have_their_means() {
        let n = 40_000_u64;
        let mut sums = [0.0; 4];
        for i in 0..n {
            let mut d = Draw::new(StreamKey::new(5).stream(i));
            sums[0] += d.uniform();
            sums[1] += d.normal();
            sums[2] += d.exponential();
            sums[3] += d.poisson(3.7) as f64;
        }
        // Errors of the mean: sqrt(1/12), 1, 1 and sqrt(3.7) over sqrt(n) = 200; five of them allowed.
        for ((sum, mean), sigma) in sums.iter().zip([0.5, 0.0, 1.0, 3.7]).zip([0.2887, 1.0, 1.0, 1.9235]) {
            assert!((sum / n as f64 - mean).abs() < 5.0 * sigma / 200.0, "{sums:?}");
        }
    }
}
