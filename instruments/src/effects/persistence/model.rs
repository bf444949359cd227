//! The kernel: what comes back, and when.

/// Traps that hold on to charge.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Species {
    /// Part of the charge above the threshold that is trapped.
    pub fraction: f64,
    /// Release time \[s\].
    pub release_s: f64,
}

/// The law of one detector.
#[derive(Debug, Clone, PartialEq)]
pub struct Law {
    /// Charge above which traps fill \[electron\].
    pub threshold_electron: f64,
    /// The traps.
    pub species: Vec<Species>,
}

/// Part of a trapped electron that comes back within `time_s`, from `since_s` after it was trapped on.
#[must_use]
pub fn released(release_s: f64, since_s: f64, time_s: f64) -> f64 {
    -(-since_s / release_s).exp() * (-time_s / release_s).exp_m1()
}

/// How long the parts `(electrons, release time [s])` need to fall below `least_electron` together.
#[must_use]
pub fn reach_s(parts: &[(f64, f64)], least_electron: f64) -> f64 {
    let count = parts.len().max(1) as f64;
    // Each below its share: not shorter than needed.
    parts.iter().map(|(electrons, release_s)| release_s * (count * electrons / least_electron).max(1.0).ln()).fold(0.0, f64::max)
}

impl Law {
    /// What one electron above the threshold gives back.
    #[must_use]
    pub fn released(&self, since_s: f64, time_s: f64) -> f64 {
        self.species.iter().map(|s| s.fraction * released(s.release_s, since_s, time_s)).sum()
    }
    /// Electrons above the threshold.
    #[must_use]
    pub fn excess(&self, electrons: f64) -> f64 {
        (electrons - self.threshold_electron).max(0.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_that_was_trapped_comes_back_in_the_end() {
        // 1 - 1/e within the release time; then 1/e of that in the next.
        assert!((released(1000.0, 0.0, 1000.0) - 0.632_120_558_8).abs() < 1e-9);
        assert!((released(1000.0, 1000.0, 1000.0) / released(1000.0, 0.0, 1000.0) - (-1.0_f64).exp()).abs() < 1e-12);
        assert!((released(1000.0, 0.0, 1e6) - 1.0).abs() < 1e-12);
        // Successive darks add up to one long one.
        let darks: f64 = (0..50).map(|k| released(30.0, 10.0 * f64::from(k), 10.0)).sum();
        assert!((darks - released(30.0, 0.0, 500.0)).abs() < 1e-12);
        assert_eq!(released(30.0, 5.0, 0.0), 0.0, "a bias frame shows none");
    }

    #[test]
    fn species_add_and_faint_pixels_trap_nothing() {
        let species = vec![Species { fraction: 4e-3, release_s: 30.0 }, Species { fraction: 1e-3, release_s: 300.0 }];
        let law = Law { threshold_electron: 8e4, species };
        assert_eq!((law.excess(7.9e4), law.excess(9e4)), (0.0, 1e4));
        // 60 s later, for 150 s: 40 (e^-2 - e^-7) + 10 (e^-0.2 - e^-0.7).
        let by_hand = 40.0 * ((-2.0_f64).exp() - (-7.0_f64).exp()) + 10.0 * ((-0.2_f64).exp() - (-0.7_f64).exp());
        assert!((law.excess(9e4) * law.released(60.0, 150.0) - by_hand).abs() < 1e-9);
    }

    #[test]
    fn the_reach_is_where_all_is_below_the_least() {
        assert!((reach_s(&[(10.0, 300.0)], 0.01) - 300.0 * 1000.0_f64.ln()).abs() < 1e-9);
        let parts = [(40.0, 30.0), (10.0, 300.0)];
        let reach = reach_s(&parts, 0.01);
        let left: f64 = parts.iter().map(|(n, tau)| n * (-reach / tau).exp()).sum();
        assert!(left < 0.01 && left > 0.004, "{left}");
        assert_eq!(reach_s(&[(0.001, 300.0)], 0.01), 0.0);
        assert_eq!(reach_s(&[], 0.01), 0.0);
    }
}
