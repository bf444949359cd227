//! Kernel: the probability of a pumped electron, and the charge of columns after it.

/// Portions in which the cycles are followed.
const PORTIONS: usize = 8;

/// Electrons that a trap moves in a cycle, on average: released after the charge has gone to the neighbour and before it is back.
#[must_use]
pub fn probability(phase_time_s: f64, release_s: f64) -> f64 {
    let stays = (-phase_time_s / release_s).exp();
    stays - stays * stays
}

/// A trap that pumps.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct PumpingTrap {
    /// Pixel whose packet it takes from, by index.
    pub from: usize,
    /// Pixel whose packet it gives to.
    pub to: usize,
    /// Charge a packet needs to reach the trap \[electron\].
    pub reached_electron: f64,
    /// Electrons it moves as long as it is reached \[electron\].
    pub most_electron: f64,
}

/// Moves the charge of pixels. Traps act in their order, portion by portion.
pub fn pump(pixels: &mut [f64], traps: &[PumpingTrap]) {
    for _ in 0..PORTIONS {
        for trap in traps {
            let there = pixels[trap.from];
            let above = there - trap.reached_electron;
            if above > 0.0 {
                let moved = (trap.most_electron / PORTIONS as f64).max(0.0).min(above);
                pixels[trap.from] = there - moved;
                pixels[trap.to] += moved;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn most_is_pumped_at_the_release_time_times_the_logarithm_of_two() {
        let tau = 0.065;
        let best = probability(tau * 2.0_f64.ln(), tau);
        assert!((best - 0.25).abs() < 1e-15, "{best}");
        for t in [0.5, 0.9, 1.1, 2.0] {
            assert!(probability(t * tau * 2.0_f64.ln(), tau) < best);
        }
        assert!(probability(1e3 * tau, tau) < 1e-100 && probability(1e-9, tau) < 1e-7);
    }

    #[test]
    fn a_trap_makes_a_dipole_and_stops_when_it_is_no_longer_reached() {
        let trap = |most_electron, reached_electron| PumpingTrap { from: 1, to: 2, reached_electron, most_electron };
        let mut pixels = [100.0; 4];
        pump(&mut pixels, &[trap(40.0, 10.0)]);
        assert_eq!(pixels, [100.0, 60.0, 140.0, 100.0]);
        let mut pixels = [100.0; 4];
        pump(&mut pixels, &[trap(400.0, 30.0)]);
        assert_eq!(pixels, [100.0, 30.0, 170.0, 100.0]);
        let mut pixels = [20.0; 4];
        pump(&mut pixels, &[trap(40.0, 30.0)]);
        assert_eq!(pixels, [20.0; 4], "out of reach");
    }
}
