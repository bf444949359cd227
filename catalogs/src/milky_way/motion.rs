//! How stars move.
//!
//! # Effect
//! Proper motions, parallaxes and radial velocities; populations lag behind the Sun's circle the more, the hotter they are.
//! # Formula
//! Disks: normal velocities along R, phi, Z with sigmas of the component about (0, V0 - sigma_R^2 / 80 km/s, 0). Halo: normal along
//! the spherical r, theta, phi with 141, 75, 85 km/s about 0. Relative to the Sun at (11.1, V0 + 12.24, 7.25) km/s (towards the centre, along
//! the rotation, north). Proper motion v / (4.740470446 d), parallax 1 / d.
//! # Symbols
//! V0 = 238 km/s circular speed, the same at all R; d distance \[kpc\] for mas / yr.
//! # Source
//! Sun: Schonrich, Binney & Dehnen 2010 (MNRAS 403, 1829). V0: Bland-Hawthorn & Gerhard 2016. Sigmas of the disks: Robin et al. 2003 (A&A 409, 523),
//! table 4, by age: which age stands for which range of luminosity is assumed. Asymmetric drift: Dehnen & Binney 1998 (MNRAS 298, 387). Halo: Bond et al. 2010
//! (ApJ 716, 1), table 1.
//! # Limits
//! Sigmas do not change with place; no vertex deviation, streams or moving groups; orbits of binaries are not followed.
//! # Twin
//! None.

use super::density::Place;
use crate::draw::Draw;
use sim_core::source::Motion;

/// Circular speed \[km/s\].
pub const CIRCULAR_KM_S: f64 = 238.0;
/// The Sun's velocity beyond the circular one: towards the centre, along the rotation, north \[km/s\].
pub const SUN_PECULIAR_KM_S: [f64; 3] = [11.1, 12.24, 7.25];
/// One astronomical unit per Julian year \[km/s\].
pub const AU_YEAR_KM_S: f64 = 4.740_470_446;
/// Julian year in which drawn positions hold: the middle of the years in which the survey is expected to observe, so that no star strays
/// far from where it was drawn.
pub const EPOCH_YEAR: f64 = 2030.0;
/// Square of the dispersion over the asymmetric drift \[km/s\].
const DRIFT_KM_S: f64 = 80.0;
const HALO_KM_S: [f64; 3] = [141.0, 75.0, 85.0];

/// Velocities of a component.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Velocities {
    /// Dispersions along R, phi, Z \[km/s\].
    Disk([f64; 3]),
    Halo,
}

impl Velocities {
    /// Mean rotation \[km/s\].
    fn rotation_km_s(&self) -> f64 {
        match self {
            Self::Disk(sigma) => CIRCULAR_KM_S - sigma[0] * sigma[0] / DRIFT_KM_S,
            Self::Halo => 0.0,
        }
    }
    /// Velocity relative to the Sun in galactic axes (towards the centre, l = 90 deg, north) \[km/s\].
    pub(super) fn draw(&self, place: &Place, draw: &mut Draw) -> [f64; 3] {
        let n = [draw.normal(), draw.normal(), draw.normal()];
        let [x, y, z] = place.xyz_pc;
        // Outward along R, and along the rotation, which at the Sun points to l = 90 deg.
        let r = place.r_pc.max(1e-6);
        let (outward, along) = ([x / r, y / r], [y / r, -x / r]);
        let [v_r, v_phi, v_z] = match self {
            Self::Disk(sigma) => [sigma[0] * n[0], self.rotation_km_s() + sigma[1] * n[1], sigma[2] * n[2]],
            Self::Halo => {
                let s = r.hypot(z);
                let (sine, cosine) = (r / s, z / s);
                let (radial, polar) = (HALO_KM_S[0] * n[0], HALO_KM_S[1] * n[1]);
                [sine * radial + cosine * polar, HALO_KM_S[2] * n[2], cosine * radial - sine * polar]
            }
        };
        [
            v_r * outward[0] + v_phi * along[0] - SUN_PECULIAR_KM_S[0],
            v_r * outward[1] + v_phi * along[1] - CIRCULAR_KM_S - SUN_PECULIAR_KM_S[1],
            v_z - SUN_PECULIAR_KM_S[2],
        ]
    }
}

/// What a velocity in galactic axes relative to the Sun is on the sky, at a place \[deg\] and a distance.
#[must_use]
pub fn motion(ra_deg: f64, dec_deg: f64, distance_pc: f64, velocity_km_s: [f64; 3]) -> Motion {
    let (sa, ca) = ra_deg.to_radians().sin_cos();
    let (sd, cd) = dec_deg.to_radians().sin_cos();
    let v = equatorial(velocity_km_s);
    let east = -sa * v[0] + ca * v[1];
    let north = -sd * ca * v[0] - sd * sa * v[1] + cd * v[2];
    let away = cd * ca * v[0] + cd * sa * v[1] + sd * v[2];
    let per_km_s = 1000.0 / (AU_YEAR_KM_S * distance_pc);
    Motion {
        pm_ra_mas_yr: east * per_km_s,
        pm_dec_mas_yr: north * per_km_s,
        parallax_mas: 1000.0 / distance_pc,
        radial_velocity_km_s: away,
        epoch_year: EPOCH_YEAR,
    }
}

/// From galactic axes to those of the ICRS: rows are the galactic axes in the ICRS (ESA 1997, The Hipparcos and Tycho Catalogues, vol. 1, eq. 1.5.11, the matrix of SOFA's icrs2g).
const GALACTIC: [[f64; 3]; 3] = [
    [-0.054_875_560_416_215_37, -0.873_437_090_234_885, -0.483_835_015_548_713_2],
    [0.494_109_427_875_583_65, -0.444_829_629_960_011_2, 0.746_982_244_497_218_8],
    [-0.867_666_149_019_004_7, -0.198_076_373_431_201_52, 0.455_983_776_175_066_9],
];

fn equatorial(galactic: [f64; 3]) -> [f64; 3] {
    std::array::from_fn(|k| (0..3).map(|row| GALACTIC[row][k] * galactic[row]).sum())
}

#[cfg(test)]
mod tests {
    use super::super::density::Sightline;
    use super::*;
    use sim_core::stream::StreamKey;

    #[test]
    fn a_star_at_rest_shows_the_mirror_of_the_suns_motion() {
        // A star at rest against the local standard of rest, 100 pc away. Towards the apex of the Sun's motion it comes nearer at the Sun's speed
        // and has no proper motion; at right angles to it the proper motion is 18.05 km/s / (4.74 x 0.1 kpc) = 38.07 mas/yr.
        let sun = SUN_PECULIAR_KM_S;
        let speed = sun.iter().map(|v| v * v).sum::<f64>().sqrt();
        let sky = |l: f64, b: f64| {
            let (ra, dec) = sofars::coords::g2icrs(l, b);
            (ra.to_degrees(), dec.to_degrees())
        };
        let (l, b) = (sun[1].atan2(sun[0]), (sun[2] / speed).asin());
        let apex = sky(l, b);
        let m = motion(apex.0, apex.1, 100.0, sun.map(|v| -v));
        assert!((m.radial_velocity_km_s + speed).abs() < 1e-9 && m.pm_ra_mas_yr.hypot(m.pm_dec_mas_yr) < 1e-9, "{m:?}");
        let side = sky(l + 0.5 * std::f64::consts::PI, 0.0);
        let m = motion(side.0, side.1, 100.0, sun.map(|v| -v));
        assert!((m.pm_ra_mas_yr.hypot(m.pm_dec_mas_yr) - speed / AU_YEAR_KM_S * 10.0).abs() < 1e-9);
        assert!(m.radial_velocity_km_s.abs() < 1e-9 && m.parallax_mas == 10.0);
    }

    #[test]
    fn drawn_velocities_have_the_means_and_dispersions_of_their_law() {
        // At the Sun the axes are: R away from the centre, phi along l = 90 deg, Z north.
        let place = Sightline::new(0.0, 90.0).at(0.0);
        let sigma = [43.1, 27.8, 17.5];
        let n = 20_000;
        let (mut sum, mut squares) = ([0.0; 3], [0.0; 3]);
        for k in 0..n {
            let v = Velocities::Disk(sigma).draw(&place, &mut Draw::new(StreamKey::new(8).stream(k)));
            (0..3).for_each(|i| {
                sum[i] += v[i];
                squares[i] += v[i] * v[i];
            });
        }
        let n = n as f64;
        // The drift is 43.1^2 / 80 = 23.2 km/s. Errors: sigma / sqrt(n) = 0.3 of the mean at most, 0.5 % of a sigma; five of them.
        for (i, mean) in [-11.1, -12.24 - 43.1 * 43.1 / 80.0, -7.25].into_iter().enumerate() {
            let got = sum[i] / n;
            assert!((got - mean).abs() < 5.0 * sigma[i] / n.sqrt(), "{i}: {got} against {mean}");
            let spread = (squares[i] / n - got * got).sqrt();
            assert!((spread / sigma[i] - 1.0).abs() < 5.0 / (2.0 * n).sqrt(), "{i}: {spread}");
        }
    }

    #[test]
    fn circular_orbits_show_oorts_rotation() {
        // A flat rotation curve has A = -B = V0 / (2 R0): nearby stars on circular orbits in the plane have
        // v_r = A d sin 2l and mu_l = (A cos 2l + B) / 4.74. Sightline at l = 45 deg: v_r = A d; mu_l = B / 4.74.
        let a = 0.5 * CIRCULAR_KM_S / super::super::density::SUN_R_PC;
        let distance = 20.0;
        let line = Sightline::new(45.0, 0.0);
        let place = line.at(distance);
        let v = Velocities::Disk([0.0; 3]).draw(&place, &mut Draw::new(StreamKey::new(1).stream(0)));
        let lsr: [f64; 3] = std::array::from_fn(|k| v[k] + SUN_PECULIAR_KM_S[k]);
        let away: f64 = (0..3).map(|k| lsr[k] * line.direction[k]).sum();
        let along = -lsr[0] * 0.5_f64.sqrt() + lsr[1] * 0.5_f64.sqrt();
        // Second order in d / R0: 0.25 %.
        assert!((away / (a * distance) - 1.0).abs() < 0.005, "{away}");
        assert!((along / (-a * distance) - 1.0).abs() < 0.005, "{along}");
    }
}
