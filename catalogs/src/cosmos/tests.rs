use super::amplitudes::{Fitter, multipoles};
use super::kernel::{LEVEL_COUNT, bessel, bump};
use super::structure::bias;
use super::*;
use crate::direction::vector;
use crate::draw::Draw;
use sim_core::stream::StreamKey;
use std::f64::consts::PI;

fn structure() -> Structure {
    Structure::new(Cosmology::default(), 20_270_101)
}

#[test]
fn a_universe_of_matter_alone_has_the_closed_forms() {
    let flat = Background::new(Cosmology { h: 1.0, omega_m: 1.0 - 4.184e-5, ..Cosmology::default() });
    for z in [0.3, 1.0, 5.0] {
        // chi = 2 c / H0 (1 - 1 / sqrt(1 + z)) and D = 1 / (1 + z); radiation of 4e-5 (1 + z) takes less than 1e-4.
        let chi = 2.0 * 2_997.924_58 * (1.0 - 1.0 / (1.0_f64 + z).sqrt());
        assert!((flat.distance(z) / chi - 1.0).abs() < 1e-4, "{}", flat.distance(z));
        assert!((flat.growth(z) * (1.0 + z) - 1.0).abs() < 1e-3, "{}", flat.growth(z));
        assert!((flat.redshift(flat.distance(z)) - z).abs() < 1e-5);
    }
}

#[test]
fn the_linear_power_has_the_stated_sigma_8_and_the_fit_leaves_large_scales_alone() {
    let background = Background::new(Cosmology::default());
    let matter = Matter::new(&background);
    let (mut sum, step) = (0.0, 0.002);
    for k in 0..6000 {
        let k = (-7.0 + step * f64::from(k)).exp();
        let x = 8.0 * k;
        let w = 3.0 * (x.sin() - x * x.cos()) / x.powi(3);
        sum += matter.linear(k, 0.0) * k.powi(3) / (2.0 * PI * PI) * w * w * step;
    }
    // Rows of 0.03 in ln k, straight in the logarithm: 1e-3.
    assert!((sum.sqrt() / 0.8102 - 1.0).abs() < 1e-3, "{}", sum.sqrt());
    let fit = matter.nonlinear(0.0);
    assert!((matter.power(0.003, &fit) / matter.linear(0.003, 0.0) - 1.0).abs() < 0.02);
    let boost = matter.power(1.0, &fit) / matter.linear(1.0, 0.0);
    assert!((4.0..12.0).contains(&boost), "non-linear growth at 1 h/Mpc today: {boost}");
    assert!(matter.power(1.0, &matter.nonlinear(6.0)) / matter.linear(1.0, 6.0) < 1.5);
}

#[test]
fn a_bump_has_no_mass_and_its_shear_is_what_the_mean_convergence_inside_says() {
    // J_5(5) = 0.26114, J_0(1) = 0.76520 (Abramowitz & Stegun, table 9).
    assert!((bessel(5, 5.0) - 0.261_14).abs() < 1e-5 && (bessel(0, 1.0) - 0.765_198).abs() < 1e-6);
    for level in Level::all() {
        let h = level.h;
        let steps = 40_000;
        let mut inside = 0.0;
        for k in 0..steps {
            let x = (f64::from(k) + 0.5) / f64::from(steps);
            let (kappa, half_second) = bump(x, h);
            inside += kappa / f64::from(steps);
            if k % 4000 == 2000 {
                // On the sphere: gamma_t = 2 cos / (1 + cos) mean(< theta) - kappa, and gamma_t = -psi_mu_mu sin^2 / 2.
                let mu = 1.0 - x * h;
                let mean = (inside - 0.5 * kappa / f64::from(steps)) / x;
                let tangential = 2.0 * mu / (1.0 + mu) * mean - kappa;
                let analytic = -half_second * x * (2.0 - x * h);
                assert!((tangential - analytic).abs() < 1e-3, "order {}: {tangential} against {analytic}", level.order);
            }
        }
        assert!(inside.abs() < 1e-8, "order {}: mass {inside}", level.order);
    }
}

#[test]
fn levels_add_up_to_the_power_of_matter_and_to_the_two_point_function_of_galaxies() {
    let background = Background::new(Cosmology::default());
    let (matter, shells) = (Matter::new(&background), shells::Shells::new(&background));
    let fitter = Fitter::new(Level::all());
    let structure = structure();
    for shell in [2, 6, 12, 20, 31] {
        let power = shells.matter_power(shell, &matter, &multipoles());
        let variances = &structure.variances[shell];
        for (l, wanted) in multipoles().iter().zip(&power) {
            let ratio = fitter.power(&variances.matter, *l) / wanted;
            // Neighbouring levels ripple by 2 % on a pure power law; curvature and the ends of the range cost more.
            let tolerance = if (25.0..6_000.0).contains(l) { 0.1 } else { 0.5 };
            assert!((ratio - 1.0).abs() < tolerance, "shell {shell}, l {l:.0}: {ratio}");
        }
        let b2 = bias(&background, shells.z[shell]).powi(2);
        for arcmin in [1.0, 2.0, 5.0, 10.0, 30.0] {
            let angle = (arcmin / 60.0_f64).to_radians();
            let wanted = b2 * fitter.correlation(&variances.matter, angle);
            let got = fitter.correlation(&variances.galaxies, angle).exp_m1();
            assert!((got / wanted - 1.0).abs() < 0.03, "shell {shell}, {arcmin} arcmin: {got} against {wanted}");
        }
    }
}

/// The field summed over all bumps: ln of the density of a shell, convergence and shear (east, north) at a distance.
fn directly(s: &Structure, shell: usize, distance: f64, ra: f64, dec: f64) -> [f64; 4] {
    let at = vector(ra, dec);
    let (sa, ca) = ra.to_radians().sin_cos();
    let (sd, cd) = dec.to_radians().sin_cos();
    let (east, north) = ([-sa, ca, 0.0], [-sd * ca, -sd * sa, cd]);
    let dot = |a: &[f64; 3], b: &[f64; 3]| a[0] * b[0] + a[1] * b[1] + a[2] * b[2];
    let mut sum = [-s.half_variance[shell], 0.0, 0.0, 0.0];
    for (j, level) in s.fitter.levels.iter().enumerate() {
        for &cell in &cdshealpix::nested::cone_coverage_approx_flat(level.order, ra.to_radians(), dec.to_radians(), level.radius) {
            let stream = s.key.with(u64::from(level.order)).stream(cell);
            let mut normals = [0.0_f32; SHELLS];
            sim_core::noise::normals(&stream, 4, &mut normals);
            let mut draw = Draw::new(stream);
            let (lon, lat) = cdshealpix::nested::sph_coo(level.order, cell, draw.uniform(), draw.uniform());
            let centre = vector(lon.to_degrees(), lat.to_degrees());
            let chord: f64 = centre.iter().zip(&at).map(|(a, b)| (a - b) * (a - b)).sum();
            let x = 0.5 * chord / level.h;
            if x >= 1.0 {
                continue;
            }
            let (kappa, half_second) = bump(x, level.h);
            let (e, n) = (dot(&centre, &east), dot(&centre, &north));
            let lens: f64 = (0..SHELLS)
                .map(|k| {
                    let weight = s.shells.efficiency(k, s.background.cosmology.omega_m, distance);
                    weight * s.variances[k].matter[j].sqrt() * level.norm * f64::from(normals[k])
                })
                .sum();
            sum[0] += kappa * s.variances[shell].galaxies[j].sqrt() * level.norm * f64::from(normals[shell]);
            sum[1] += kappa * lens;
            sum[2] += half_second / level.h * (e * e - n * n) * lens;
            sum[3] += half_second / level.h * 2.0 * e * n * lens;
        }
    }
    sum
}

#[test]
fn a_patch_has_the_field_of_all_bumps_everywhere_on_the_sky() {
    let s = structure();
    let mut squares = [[0.0_f64; 2]; 4];
    let mut asked = 0;
    let mut draw = Draw::new(StreamKey::new(4).stream(0));
    for (ra, dec) in [(150.0, 2.0), (0.0, 41.81), (359.999, -60.0), (45.0, 89.99), (10.0, -89.9), (90.0, -41.8)] {
        let patch = s.patch(Structure::patch_number(ra, dec));
        for _ in 0..60 {
            // Within 3 arcmin: across right ascension 0 and the pole, as far as the cell goes.
            let at = (ra + draw.between(-0.05, 0.05) / f64::cos(dec.to_radians()).max(0.01), dec + draw.between(-0.05, 0.05));
            let (ra, dec) = (at.0.rem_euclid(360.0), at.1.min(90.0));
            if Structure::patch_number(ra, dec) != patch.number {
                continue;
            }
            asked += 1;
            for (shell, distance) in [(5, 1100.0), (10, 2345.0), (31, 5900.0)] {
                let want = directly(&s, shell, distance, ra, dec);
                let lens = patch.lensing(distance, ra, dec);
                let got = [patch.density(shell, ra, dec).ln(), lens.kappa, lens.gamma1, lens.gamma2];
                for ((square, got), want) in squares.iter_mut().zip(got).zip(want) {
                    square[0] += (got - want).powi(2);
                    square[1] += want.powi(2);
                }
            }
        }
    }
    assert!(asked > 120, "{asked}");
    for [error, size] in squares {
        assert!(error.sqrt() < 0.02 * size.sqrt(), "{squares:?}");
    }
}

#[test]
fn convergence_and_shear_belong_to_one_potential_and_have_no_curl() {
    let s = structure();
    let (ra, dec) = (200.0, 30.0);
    let patch = s.patch(Structure::patch_number(ra, dec));
    // Central differences over 0.1 arcmin (bumps of 1.3 arcmin: 0.2 % off) over a grid of 7 x 7 places 1 arcmin apart.
    let step = 0.05 / 60.0;
    let (mut residual, mut size, mut curl) = (0.0, 0.0, 0.0);
    for i in -3..=3 {
        for k in -3..=3 {
            let (a, d) = (ra + f64::from(i) / 60.0, dec + f64::from(k) / 60.0);
            let at = |da: f64, dd: f64| directly(&s, 0, 4000.0, a + da / d.to_radians().cos(), d + dd);
            let (e, w, n, b) = (at(step, 0.0), at(-step, 0.0), at(0.0, step), at(0.0, -step));
            let d1 = |f: usize| (e[f] - w[f]) / (2.0 * step);
            let d2 = |f: usize| (n[f] - b[f]) / (2.0 * step);
            // The frame turns by tan(dec) per degree of right ascension: 1e-4 of the gradients of fields of arcminutes.
            let (x, y) = (d1(2) + d2(3), d1(3) - d2(2));
            residual += (d1(1) - x).powi(2) + (d2(1) - y).powi(2);
            size += d1(1).powi(2) + d2(1).powi(2);
            curl += 1.0;
        }
    }
    assert!(curl > 40.0);
    assert!(residual < 2e-3 * size, "{residual} of {size}");
    assert!(patch.lensing(50.0, ra, dec).kappa.abs() < 1e-9, "nothing lies in front of the first plane");
}

#[test]
fn the_field_has_the_variance_of_its_levels_and_shear_that_of_convergence() {
    let s = structure();
    let n = 400_u64;
    let (shell, distance) = (12, 4000.0);
    let mut sums = [0.0; 5];
    for k in 0..n {
        let mut draw = Draw::new(StreamKey::new(77).stream(k));
        let (ra, dec) = (draw.between(0.0, 360.0), draw.between(-1.0, 1.0).asin().to_degrees());
        let f = directly(&s, shell, distance, ra, dec);
        sums[0] += (f[0] + s.half_variance[shell]).powi(2);
        sums[1] += f[0].exp();
        sums[2] += f[1] * f[1];
        sums[3] += f[2] * f[2] + f[3] * f[3];
        sums[4] += f[2] * f[3];
    }
    let mean = sums.map(|v| v / n as f64);
    let variance = 2.0 * s.half_variance[shell];
    // Independent places: the error of a variance is sqrt(2 / n) = 7 %, of the mean density sqrt((e^v - 1) / n); four of them.
    assert!((mean[0] / variance - 1.0).abs() < 4.0 * 0.071, "{} of {variance}", mean[0]);
    assert!((mean[1] - 1.0).abs() < 4.0 * (variance.exp_m1() / n as f64).sqrt(), "{}", mean[1]);
    // Variance of the convergence by its power; shear has the same in its two components together.
    let omega_m = s.background.cosmology.omega_m;
    let weight = |k: usize| s.shells.efficiency(k, omega_m, distance).powi(2);
    let wanted: f64 = (0..SHELLS).map(|k| weight(k) * s.variances[k].matter.iter().sum::<f64>()).sum();
    assert!((mean[2] / wanted - 1.0).abs() < 4.0 * 0.071, "{} of {wanted}", mean[2]);
    assert!((mean[3] / wanted - 1.0).abs() < 4.0 * 0.05, "{} of {wanted}", mean[3]);
    assert!(mean[4].abs() < 4.0 * 0.5 * wanted / (n as f64).sqrt());
}

#[test]
fn parameters_out_of_range_are_named_and_levels_are_counted() {
    assert_eq!(Level::all().len(), LEVEL_COUNT);
    assert!(Cosmology::default().fault().is_none());
    assert_eq!(Cosmology { omega_m: 0.9, ..Cosmology::default() }.fault().unwrap().0, "cosmology.omega_m");
    assert_eq!(Cosmology { h: f64::NAN, ..Cosmology::default() }.fault().unwrap().0, "cosmology.h");
}
