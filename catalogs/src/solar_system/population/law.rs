//! How many bodies are brighter than an absolute magnitude.
//!
//! # Formula
//! `N(< H)` is a chain of powers `10^(alpha H)` through given points, held at the last
//! # Symbols
//! alpha slope \[1 / mag\]

/// Cumulative numbers: straight lines in `lg N` between points, the first slope before them.
#[derive(Debug, Clone, PartialEq)]
pub struct CountLaw {
    /// Points (H, lg N), H increasing.
    points: Vec<(f64, f64)>,
    /// Slope before the first point \[1 / mag\].
    first_slope: f64,
}

impl CountLaw {
    /// `number` bodies brighter than `pivot`; slopes before, between and after two breaks; nothing beyond `end`.
    #[must_use]
    pub fn new(pivot: f64, number: f64, slope: f64, breaks: &[(f64, f64)], end: f64) -> Self {
        let mut points = vec![(pivot, number.log10())];
        let (mut h, mut lg, mut along) = (pivot, number.log10(), slope);
        for &(at, next) in breaks {
            lg += along * (at - h);
            h = at;
            along = next;
            points.push((h, lg));
        }
        points.push((end, lg + along * (end - h)));
        Self { points, first_slope: slope }
    }
    /// Bodies brighter than H.
    #[must_use]
    pub fn brighter(&self, h: f64) -> f64 {
        let first = self.points[0];
        if h <= first.0 {
            return 10.0_f64.powf(first.1 + self.first_slope * (h - first.0));
        }
        for w in self.points.windows(2) {
            if h <= w[1].0 {
                return 10.0_f64.powf(w[0].1 + (w[1].1 - w[0].1) * (h - w[0].0) / (w[1].0 - w[0].0));
            }
        }
        10.0_f64.powf(self.points[self.points.len() - 1].1)
    }
    /// The H that so many are brighter than; none when there are not so many.
    #[must_use]
    pub fn limit_of(&self, number: f64) -> Option<f64> {
        let lg = number.log10();
        let first = self.points[0];
        if lg <= first.1 {
            return Some(first.0 + (lg - first.1) / self.first_slope);
        }
        self.points.windows(2).find(|w| lg <= w[1].1).map(|w| w[0].0 + (w[1].0 - w[0].0) * (lg - w[0].1) / (w[1].1 - w[0].1))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_grow_by_their_slopes_and_end() {
        let law = CountLaw::new(15.0, 1000.0, 0.5, &[(17.0, 0.3)], 20.0);
        for (h, n) in [(13.0, 100.0), (15.0, 1000.0), (17.0, 10_000.0), (20.0, 10_000.0 * 10.0_f64.powf(0.9))] {
            assert!((law.brighter(h) / n - 1.0).abs() < 1e-12, "{h}");
            assert!((law.limit_of(n * 0.999_999).unwrap() - h).abs() < 1e-5, "{h}");
        }
        assert_eq!(law.brighter(25.0), law.brighter(20.0));
        assert_eq!(law.limit_of(1e5), None);
    }
}
