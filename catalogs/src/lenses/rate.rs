//! How often a galaxy stands behind another.
//!
//! # Effect
//! Strong lenses have the density that follows from the numbers of deflectors and of sources.
//! # Formula
//! Rate per deg2 = sum over redshifts of lenses, dispersions and shells of sources of dV phi(s) ds n_s pi (1.8 theta_E)^2; of these pairs those are lenses
//! whose source lies where it has several images.
//! # Symbols
//! n_s sources per deg2 in a shell of distance or of redshift; theta_E of the upper end of a bin, so that the circle holds all places with several images for
//! axis ratios from 0.2 and shears to 0.2 (1.61 at 0.2 without shear, Kormann et al. 1994; tested).
//! # Source
//! Turner, Ostriker & Gott 1984 (ApJ 284, 1), section II; functions: `deflector.rs`, the galaxies of the synthetic field.
//! # Limits
//! Lenses at redshifts 0.05 to 2; the mean over the sky; where lenses stand, the synthetic field decides. Within a bin (0.05 in redshift, 10 km/s) numbers are even.
//! # Twin
//! None.

use super::deflector::{DispersionFunction, RANGE_KM_S, einstein_arcsec};
use crate::clusters::volume_deg2;
use crate::cosmos::Background;
use crate::draw::Draw;

/// Radius of the circle in which a source is tried, in Einstein radii.
pub(super) const REACH: f64 = 1.8;
/// Redshifts and dispersions of a bin.
const FIRST_Z: f64 = 0.05;
const STEP_Z: f64 = 0.05;
const BINS_Z: usize = 39;
const STEP_KM_S: f64 = 10.0;
const BINS_KM_S: usize = 30;

/// Pairs per deg2, cumulative over their bins.
#[derive(Debug, Clone)]
pub struct LensRate {
    shells: usize,
    cumulative: Vec<f64>,
    reach: Vec<f64>,
}

/// A pair that may be a lens.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Chance {
    /// Redshift of the deflector.
    pub redshift: f64,
    /// Its velocity dispersion \[km / s\].
    pub sigma_km_s: f64,
    /// Shell of the source.
    pub shell: usize,
    /// Radius about the deflector in which the source lies \[arcsec\].
    pub reach_arcsec: f64,
}

impl LensRate {
    /// For shells of sources (comoving distance of the far side \[Mpc/h\], number per deg2), and lenses with at least an Einstein radius \[arcsec\].
    #[must_use]
    pub fn new(background: &Background, sources: &[(f64, f64)], least_arcsec: f64) -> Self {
        let function = DispersionFunction::new();
        let (mut cumulative, mut reach, mut sum) = (vec![0.0], Vec::new(), 0.0);
        for bin in 0..BINS_Z {
            let near = FIRST_Z + STEP_Z * bin as f64;
            let volume = STEP_Z * volume_deg2(background, near + 0.5 * STEP_Z);
            for step in 0..BINS_KM_S {
                let sigma = RANGE_KM_S.0 + STEP_KM_S * step as f64;
                let lenses = volume * function.at(sigma + 0.5 * STEP_KM_S) * STEP_KM_S;
                for (far, n) in sources {
                    let einstein = einstein_arcsec(sigma + STEP_KM_S, background.distance(near), *far);
                    let radius = REACH * einstein;
                    if einstein >= least_arcsec {
                        sum += lenses * n * std::f64::consts::PI * (radius / 3600.0).powi(2);
                    }
                    cumulative.push(sum);
                    reach.push(radius);
                }
            }
        }
        Self { shells: sources.len(), cumulative, reach }
    }
    /// Pairs per deg2.
    #[must_use]
    pub fn total_deg2(&self) -> f64 {
        self.cumulative[self.cumulative.len() - 1]
    }
    /// One of them.
    pub fn draw(&self, draw: &mut Draw) -> Chance {
        let at = draw.uniform() * self.total_deg2();
        let bin = self.cumulative.partition_point(|c| *c <= at).clamp(1, self.reach.len()) - 1;
        let (shell, rest) = (bin % self.shells, bin / self.shells);
        Chance {
            redshift: FIRST_Z + STEP_Z * ((rest / BINS_KM_S) as f64 + draw.uniform()),
            sigma_km_s: RANGE_KM_S.0 + STEP_KM_S * ((rest % BINS_KM_S) as f64 + draw.uniform()),
            shell,
            reach_arcsec: self.reach[bin],
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cosmos::Cosmology;
    use crate::cosmos::shells::Shells;
    use crate::lenses::Sie;
    use sim_core::stream::StreamKey;

    #[test]
    fn the_circle_holds_all_places_with_several_images() {
        let mut draw = Draw::new(StreamKey::new(2).stream(0));
        let mut most = 0.0_f64;
        for _ in 0..60 {
            let (g, (s, c)) = (draw.between(0.0, 0.15), draw.between(0.0, std::f64::consts::TAU).sin_cos());
            let lens = Sie { einstein_arcsec: 1.0, axis_ratio: draw.between(0.2, 1.0), angle_rad: 0.0, shear: (g * c, g * s) };
            for k in 0..360 {
                let phi = f64::from(k).to_radians();
                for p in [lens.cut(phi), lens.caustic(phi)] {
                    most = most.max(p[0].hypot(p[1]));
                }
            }
        }
        assert!((1.0..REACH).contains(&most), "{most}");
    }

    #[test]
    fn pairs_are_drawn_where_the_rate_is() {
        let background = Background::new(Cosmology::default());
        let shells = Shells::new(&background);
        let of = |n: f64| -> Vec<(f64, f64)> { (1..=32).map(|s| (shells.width * f64::from(s), if s <= 16 { n } else { 0.0 })).collect() };
        let rate = LensRate::new(&background, &of(1e4), 0.5);
        let drawn: Vec<Chance> = (0..4000).map(|k| rate.draw(&mut Draw::new(StreamKey::new(7).stream(k)))).collect();
        for c in &drawn {
            assert!(c.shell < 16 && c.reach_arcsec >= 0.5 * REACH && (0.05..2.0).contains(&c.redshift));
            assert!(shells.width * (c.shell + 1) as f64 > background.distance(c.redshift - STEP_Z));
        }
        // Twice the sources: twice the pairs.
        let twice = LensRate::new(&background, &of(2e4), 0.5);
        assert!((twice.total_deg2() / rate.total_deg2() - 2.0).abs() < 1e-9);
    }
}
