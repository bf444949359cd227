//! Star-forming knots: equal points scattered as a Gaussian.
//!
//! # Formula
//! positions = sigma (z1, z2), z standard normal, sigma = half-light radius / sqrt(2 ln 2); transform = mean of
//! exp(-i k.x) over the knots.
//! # Source
//! GalSim `RandomKnots` (Gaussian case, half-light radius convention); Box & Muller 1958 for the normals.
//! # Limits
//! Positions depend on the object's number alone: the same object looks the same in every exposure and on every detector.

use sim_core::stream::StreamKey;

/// Seed of every knot pattern: not a scenario's seed, because the sky is the same in all scenarios.
const SKY: u64 = 0;

/// Positions \[half-light radius of the scatter = 1\].
pub(crate) fn positions(object: u64, count: u32) -> Vec<[f64; 2]> {
    let stream = StreamKey::new(SKY).with_name("knots").stream(object);
    let sigma = 1.0 / (2.0 * std::f64::consts::LN_2).sqrt();
    (0..u64::from(count))
        .map(|i| {
            let uniform = |w: u64| (f64::from(stream.word(2 * i + w)) + 0.5) / 4_294_967_296.0;
            let radius = sigma * (-2.0 * uniform(0).ln()).sqrt();
            let (sin, cos) = (2.0 * std::f64::consts::PI * uniform(1)).sin_cos();
            [radius * cos, radius * sin]
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn half_of_the_knots_lie_within_the_half_light_radius() {
        let inside = positions(17, 40_000).iter().filter(|p| p[0].hypot(p[1]) < 1.0).count();
        // binomial: 20000 +- 100; 5 sigma
        assert!(inside.abs_diff(20_000) < 500, "{inside}");
        assert_ne!(positions(1, 3), positions(2, 3));
        assert_eq!(positions(1, 3)[..2], positions(1, 2)[..], "more knots do not move the first ones");
    }
}
