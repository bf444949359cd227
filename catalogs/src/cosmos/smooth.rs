//! The large-scale part of the structure at one place, without a patch.
//!
//! # Effect
//! Clusters stand where the structure is dense on scales that are still linear.
//! # Formula
//! g = sum over levels with R_j chi >= 8 Mpc/h of sqrt(w_sj) a_si kappa_j, with the variance sum w_sj of those levels.
//! # Symbols
//! See `structure.rs`; R_j radius of a bump, chi distance of the shell's middle.
//! # Source
//! Ours: the sum of `patch.rs`, of its large levels and at one place. 8 Mpc/h: the scale at which the rms of the linear density is near one.
//! # Limits
//! 0.1 to 0.3 ms a place, whether one shell is asked for or all; the largest level alone where none is large enough.
//! # Twin
//! None.

use super::kernel::bump;
use super::patch::Sums;
use super::shells::SHELLS;
use super::structure::Structure;
use crate::direction::vector;
use cdshealpix::nested;
use std::ops::Range;

/// Smallest radius of a bump that counts \[Mpc/h\].
const LEAST: f64 = 8.0;

impl Structure {
    /// The logarithm of the density of a shell's galaxies over its mean, plus half the variance, of the large levels at a position
    /// (ra, dec) \[deg\]; and the variance.
    #[must_use]
    pub fn smooth(&self, shell: usize, ra_deg: f64, dec_deg: f64) -> (f64, f64) {
        self.smooth_of(shell..shell + 1, ra_deg, dec_deg)[shell]
    }
    /// The same of all shells, for little more than of one.
    #[must_use]
    pub fn smooth_shells(&self, ra_deg: f64, dec_deg: f64) -> [(f64, f64); SHELLS] {
        self.smooth_of(0..SHELLS, ra_deg, dec_deg)
    }
    fn smooth_of(&self, shells: Range<usize>, ra_deg: f64, dec_deg: f64) -> [(f64, f64); SHELLS] {
        let at = vector(ra_deg, dec_deg);
        let sums = Sums::new(self);
        let mut out = [(0.0, 0.0); SHELLS];
        for (j, level) in self.fitter.levels.iter().enumerate() {
            let counts = |&shell: &usize| j == 0 || level.radius * self.shells.middle(shell) >= LEAST;
            let large: Vec<usize> = shells.clone().filter(counts).collect();
            if large.is_empty() {
                break;
            }
            for &shell in &large {
                out[shell].1 += self.variances[shell].galaxies[j];
            }
            for &cell in &nested::cone_coverage_approx_flat(level.order, ra_deg.to_radians(), dec_deg.to_radians(), level.radius) {
                let centre = sums.centre(j, level, cell);
                let apart: [f64; 3] = std::array::from_fn(|k| centre.at[k] - at[k]);
                let x = 0.5 * crate::direction::dot(&apart, &apart) / level.h;
                if x < 1.0 {
                    let height = bump(x, level.h).0;
                    for &shell in &large {
                        out[shell].0 += height * f64::from(centre.density[shell]);
                    }
                }
            }
        }
        out
    }
    /// Density at a position \[deg\] over the mean of objects whose bias is `ratio` times that of galaxies: lognormal, of the large levels.
    #[must_use]
    pub fn crowding(&self, shell: usize, ra_deg: f64, dec_deg: f64, ratio: f64) -> f64 {
        crowded(self.smooth(shell, ra_deg, dec_deg), ratio)
    }
}

/// Density over the mean of objects whose bias is `ratio` times that of galaxies, for a smooth field and its variance.
#[must_use]
pub fn crowded((g, variance): (f64, f64), ratio: f64) -> f64 {
    (ratio * g - 0.5 * ratio * ratio * variance).exp()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cosmos::Cosmology;
    use crate::draw::Draw;
    use sim_core::stream::StreamKey;

    #[test]
    fn the_smooth_field_has_the_variance_that_it_states() {
        let structure = Structure::new(Cosmology::default(), 11);
        let mut draw = Draw::new(StreamKey::new(3).stream(0));
        let (mut sums, n) = ((0.0, 0.0), 600);
        for _ in 0..n {
            let (ra, dec) = (draw.between(0.0, 360.0), draw.between(-1.0, 1.0).asin().to_degrees());
            let (g, variance) = structure.smooth(6, ra, dec);
            let x = g / variance.sqrt();
            (sums.0, sums.1) = (sums.0 + x, sums.1 + x * x);
        }
        // 600 places over the sky, nearly independent: mean 0 +- 0.041, variance 1 +- 0.058; five sigma.
        assert!((sums.0 / 600.0_f64).abs() < 0.2 && (sums.1 / 600.0 - 1.0_f64).abs() < 0.3, "{sums:?}");
    }

    #[test]
    fn all_shells_at_once_are_those_one_by_one() {
        let structure = Structure::new(Cosmology::default(), 11);
        let all = structure.smooth_shells(200.0, -31.0);
        assert!((0..SHELLS).all(|shell| all[shell] == structure.smooth(shell, 200.0, -31.0) && all[shell].1 > 0.0), "{all:?}");
    }

    #[test]
    fn the_smooth_field_goes_with_the_density_of_the_patch() {
        let structure = Structure::new(Cosmology::default(), 11);
        let (ra, dec) = (40.0, 12.0);
        let number = Structure::patch_number(ra, dec);
        let patch = structure.patch(number);
        let middle = nested::center(8, number);
        let at = (middle.0.to_degrees(), middle.1.to_degrees());
        // What the patch has beyond the large levels is the small ones: of zero mean, rms below 2 of a normal.
        let apart: Vec<f64> = (3..20)
            .map(|shell| {
                let whole = patch.density(shell, at.0, at.1).ln() + structure.half_variance[shell];
                let (g, variance) = structure.smooth(shell, at.0, at.1);
                (whole - g) / (2.0 * structure.half_variance[shell] - variance).max(1e-9).sqrt()
            })
            .collect();
        assert!(apart.iter().all(|x| x.abs() < 4.5), "{apart:?}");
    }
}
