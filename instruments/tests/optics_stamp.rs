//! Stamps against closed forms.

// Tests may panic: helpers outside `#[test]` functions are not covered by `allow-unwrap-in-tests`.
#![allow(clippy::unwrap_used)]

use instruments::optics::{OpticsError, StampSpec, draw_stamp};
use ndarray::Array2;
use psf::spec::PsfSpec;
use sim_core::psf::Transfer;
use sim_core::source::{Lensing, Profile, Shear};
use sim_core::units::{FocalPoint, Nanometre};
use std::sync::Arc;

fn transfer(spec: PsfSpec) -> Box<dyn Transfer> {
    spec.build().unwrap().transfer(FocalPoint { x_deg: 0.0, y_deg: 0.0 }, Nanometre(765.0)).unwrap()
}

fn gaussian(sigma: f64) -> Box<dyn Transfer> {
    transfer(PsfSpec::Gaussian { fwhm: None, sigma: Some(sigma) })
}

fn draw_exactly(transfer: &dyn Transfer, profile: Profile, lensing: Lensing, n: usize, offset_px: (f64, f64)) -> Array2<f64> {
    draw_to(1e-9, transfer, profile, lensing, n, offset_px)
}

fn draw_to(
    relative_tolerance: f64,
    transfer: &dyn Transfer,
    profile: Profile,
    lensing: Lensing,
    n: usize,
    offset_px: (f64, f64),
) -> Array2<f64> {
    draw_stamp(&StampSpec {
        id: 7,
        components: &[(profile, 1.0)],
        lensing,
        transfer,
        psf_contains_pixel: false,
        nx: n,
        ny: n,
        pixel_scale_arcsec: 0.074,
        offset_px,
        relative_tolerance,
    })
    .unwrap()
}

fn draw(transfer: &dyn Transfer, profile: Profile, n: usize, offset_px: (f64, f64)) -> Array2<f64> {
    draw_to(1e-7, transfer, profile, Lensing::default(), n, offset_px)
}

fn sersic(index: f64, half_light_radius_arcsec: f64, g1: f64, g2: f64) -> Profile {
    Profile::Sersic { index, half_light_radius_arcsec, shear: Shear { g1, g2 } }
}

/// Largest difference over the largest value of `b`.
fn difference(a: &Array2<f64>, b: &Array2<f64>) -> f64 {
    let peak = b.iter().copied().fold(0.0, f64::max);
    a.iter().zip(b).map(|(a, b)| (a - b).abs()).fold(0.0, f64::max) / peak
}

/// A Gaussian of covariance ((a, b), (b, c)) pixel^2 integrated over pixels by 8 x 8 Gauss-Legendre points.
fn gaussian_pixels(covariance: [f64; 3], n: usize, centre: [f64; 2]) -> Array2<f64> {
    let nodes = [
        (0.183_434_642_495_649_8, 0.362_683_783_378_362),
        (0.525_532_409_916_329, 0.313_706_645_877_887_3),
        (0.796_666_477_413_626_7, 0.222_381_034_453_374_5),
        (0.960_289_856_497_536_3, 0.101_228_536_290_376_3),
    ];
    let points: Vec<(f64, f64)> = nodes.iter().flat_map(|&(x, w)| [(-0.5 * x, 0.5 * w), (0.5 * x, 0.5 * w)]).collect();
    let [a, b, c] = covariance;
    let det = a * c - b * b;
    Array2::from_shape_fn((n, n), |(y, x)| {
        let (dx, dy) = (x as f64 - centre[0], y as f64 - centre[1]);
        let mut sum = 0.0;
        for (px, wx) in &points {
            for (py, wy) in &points {
                let (u, v) = (dx + px, dy + py);
                sum += wx * wy * (-0.5 * (c * u * u - 2.0 * b * u * v + a * v * v) / det).exp();
            }
        }
        sum / (2.0 * std::f64::consts::PI * det.sqrt())
    })
}

#[test]
fn a_star_through_a_gaussian_is_the_integral_over_the_pixels() {
    let sigma = 1.1;
    for offset in [(0.0, 0.0), (0.37, -0.81)] {
        let got = draw_exactly(gaussian(sigma * 0.074).as_ref(), Profile::Point, Lensing::default(), 20, offset);
        let exact = gaussian_pixels([sigma * sigma, 0.0, sigma * sigma], 20, [9.5 + offset.0, 9.5 + offset.1]);
        assert!(difference(&got, &exact) < 1e-8, "{}", difference(&got, &exact));
    }
}

#[test]
fn a_sheared_lensed_gaussian_galaxy_adds_its_covariance_to_the_psf() {
    // n = 1/2 is a Gaussian with sigma = half-light radius / sqrt(2 ln 2). Shear maps the covariance by S S^T,
    // lensing by mu S S^T and the flux by mu.
    let (radius_px, sigma, n) = (2.0, 1.2, 48);
    let (g1, g2, l1, l2, kappa) = (0.2, -0.15, 0.05, 0.03, 0.1);
    let shear = |g1: f64, g2: f64| {
        let s = 1.0 / (1.0 - g1 * g1 - g2 * g2).sqrt();
        [[s * (1.0 + g1), s * g2], [s * g2, s * (1.0 - g1)]]
    };
    let (a, b) = (shear(l1, l2), shear(g1, g2));
    let mu = 1.0 / ((1.0_f64 - kappa).powi(2) * (1.0 - l1 * l1 - l2 * l2));
    let m: Vec<Vec<f64>> = (0..2).map(|i| (0..2).map(|j| a[i][0] * b[0][j] + a[i][1] * b[1][j]).collect()).collect();
    let s2 = mu * radius_px * radius_px / (2.0 * std::f64::consts::LN_2);
    let c = |i: usize, j: usize| s2 * (m[i][0] * m[j][0] + m[i][1] * m[j][1]) + if i == j { sigma * sigma } else { 0.0 };
    let lensing = Lensing { shear: Shear { g1: l1, g2: l2 }, kappa };
    let got = draw_exactly(gaussian(sigma * 0.074).as_ref(), sersic(0.5, radius_px * 0.074, g1, g2), lensing, n, (0.0, 0.0));
    let exact = gaussian_pixels([c(0, 0), c(0, 1), c(1, 1)], n, [23.5, 23.5]) * mu;
    assert!(difference(&got, &exact) < 1e-7, "{}", difference(&got, &exact));
}

#[test]
fn an_exponential_disk_has_the_moments_of_its_closed_form() {
    // <r^2> of an exponential is 6 r_s^2, r_s = r_e / 1.67834699; a pixel adds 1/12 per axis, the PSF sigma^2.
    let (radius, sigma, n) = (1.5, 1.0, 161);
    let image = draw(gaussian(sigma * 0.074).as_ref(), sersic(1.0, radius * 0.074, 0.0, 0.0), n, (0.0, 0.0));
    let total: f64 = image.sum();
    assert!((total - 1.0).abs() < 1e-6, "flux {total}");
    let second: f64 = image.indexed_iter().map(|((_, x), v)| v * (x as f64 - 80.0).powi(2)).sum::<f64>() / total;
    let exact = 3.0 * (radius / 1.678_346_99_f64).powi(2) + sigma * sigma + 1.0 / 12.0;
    assert!((second / exact - 1.0).abs() < 1e-5, "{second} against {exact}");
}

#[test]
fn half_of_the_light_lies_within_the_half_light_radius_for_any_index() {
    // A PSF and pixel far smaller than the profile change little: 0.3 pixel against 40.
    for index in [0.7, 2.0, 4.0] {
        let image = draw(gaussian(0.3 * 0.074).as_ref(), sersic(index, 40.0 * 0.074, 0.0, 0.0), 101, (0.0, 0.0));
        let inside: f64 = image
            .indexed_iter()
            .map(|((y, x), v)| {
                // share of the pixel inside the circle, by 8 x 8 points
                let share = (0..64).filter(|i| {
                    let (dx, dy) = (f64::from(i % 8) / 8.0 - 0.4375, f64::from(i / 8) / 8.0 - 0.4375);
                    (x as f64 + dx - 50.0).hypot(y as f64 + dy - 50.0) < 40.0
                });
                v * share.count() as f64 / 64.0
            })
            .sum();
        assert!((inside - 0.5).abs() < 1e-3, "n = {index}: {inside}");
    }
}

#[test]
fn a_shift_of_whole_pixels_moves_the_pixels() {
    let airy = transfer(PsfSpec::Airy { lam_over_diam: 0.0789, obscuration: 0.0 });
    let a = draw(airy.as_ref(), sersic(2.5, 0.2, 0.3, 0.1), 40, (0.3, 0.2));
    let b = draw(airy.as_ref(), sersic(2.5, 0.2, 0.3, 0.1), 40, (2.3, -0.8));
    let moved = a.slice(ndarray::s![1.., ..38]).to_owned();
    let same = b.slice(ndarray::s![..39, 2..]).to_owned();
    assert!(difference(&same, &moved) < 1e-6, "{}", difference(&same, &moved));
}

#[test]
fn an_image_profile_may_be_resampled_without_change() {
    let moffat = transfer(PsfSpec::Moffat { fwhm: 0.135, beta: 3.5, trunc: None });
    let coarse = Array2::from_shape_fn((6, 5), |(y, x)| (1 + (x * y) % 4) as f32);
    let fine = Array2::from_shape_fn((12, 10), |(y, x)| coarse[[y / 2, x / 2]]);
    // Turned, mirrored and sheared.
    let axes = [[-0.9, 0.3], [0.5, 1.1]];
    let image = |pixels: Array2<f32>, scale: f64| Profile::Image {
        pixels: Arc::new(pixels),
        axes_arcsec: axes.map(|row: [f64; 2]| row.map(|v| v * scale)),
    };
    let a = draw(moffat.as_ref(), image(coarse, 0.1), 40, (0.0, 0.0));
    let b = draw(moffat.as_ref(), image(fine, 0.05), 40, (0.0, 0.0));
    assert!(difference(&a, &b) < 1e-5, "{}", difference(&a, &b));
    // Wings of the Moffat beyond 20 pixels: (r / r_d)^-5 of the light, r_d = 1.95 pixel.
    assert!((a.sum() - 1.0).abs() < 1e-4, "{}", a.sum());
}

#[test]
fn knots_are_the_same_object_every_time_and_carry_all_the_light() {
    let psf = gaussian(0.08);
    let knots = || Profile::Knots { count: 30, half_light_radius_arcsec: 0.2, shear: Shear::default() };
    let (a, b) = (draw(psf.as_ref(), knots(), 64, (0.0, 0.0)), draw(psf.as_ref(), knots(), 64, (0.0, 0.0)));
    assert_eq!(a, b);
    assert!((a.sum() - 1.0).abs() < 1e-6);
}

#[test]
fn a_psf_that_holds_the_pixel_is_not_given_another() {
    let psf = gaussian(0.1);
    let spec = StampSpec {
        id: 1,
        components: &[(Profile::Point, 1.0)],
        lensing: Lensing::default(),
        transfer: psf.as_ref(),
        psf_contains_pixel: true,
        nx: 21,
        ny: 21,
        pixel_scale_arcsec: 0.074,
        offset_px: (0.0, 0.0),
        relative_tolerance: 1e-9,
    };
    let got = draw_stamp(&spec).unwrap();
    let sigma2 = (0.1_f64 / 0.074).powi(2);
    assert!((got[[10, 10]] - 1.0 / (2.0 * std::f64::consts::PI * sigma2)).abs() < 1e-8);
}

#[test]
fn impossible_values_are_refused_with_object_and_key() {
    let psf = gaussian(0.1);
    let message = |profile: Profile, lensing: Lensing, flux: f64| {
        let spec = StampSpec {
            id: 31,
            components: &[(profile, flux)],
            lensing,
            transfer: psf.as_ref(),
            psf_contains_pixel: false,
            nx: 16,
            ny: 16,
            pixel_scale_arcsec: 0.074,
            offset_px: (0.0, 0.0),
            relative_tolerance: 1e-6,
        };
        let error: OpticsError = draw_stamp(&spec).unwrap_err();
        error.to_string()
    };
    let none = Lensing::default();
    for (text, key) in [
        (message(sersic(7.0, 0.2, 0.0, 0.0), none, 1.0), "sersic.index"),
        (message(sersic(f64::NAN, 0.2, 0.0, 0.0), none, 1.0), "sersic.index"),
        (message(sersic(1.0, 0.0, 0.0, 0.0), none, 1.0), "sersic.half_light_radius"),
        (message(sersic(1.0, 4000.0, 0.0, 0.0), none, 1.0), "sersic.half_light_radius"),
        (message(sersic(1.0, 0.2, 0.8, 0.7), none, 1.0), "sersic.shear"),
        (message(Profile::Point, Lensing { kappa: 1.0, ..none }, 1.0), "lensing.kappa"),
        (message(Profile::Point, none, f64::NAN), "flux"),
    ] {
        assert!(text.contains("object 31") && text.contains(key), "{text}");
    }
}
