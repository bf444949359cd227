use super::*;
use crate::airy::Airy;
use crate::otf::direct;
use std::f64::consts::TAU;

const AT: FocalPoint = FocalPoint { x_deg: 0.0, y_deg: 0.0 };

fn constant(terms: &[(u32, f64)]) -> OpticalPsf {
    let terms = terms.iter().map(|&(noll, nm)| WavefrontTerm { noll, opd_nm: vec![nm], chromatic_nm_per_um: vec![] }).collect();
    OpticalPsf::new(2.0, terms, 0.0).unwrap()
}

/// Coefficients of all indices 4 to 36, of this root sum square \[nm\], without a pattern.
fn mixed(rms_nm: f64, seed: u32) -> OpticalPsf {
    let raw: Vec<f64> = (4..=36).map(|j| (f64::from(j * j + 17 * seed) * 1.37).sin() / f64::from(j).sqrt()).collect();
    let norm = raw.iter().map(|a| a * a).sum::<f64>().sqrt();
    constant(&(4..=36).zip(raw.iter().map(|a| a * rms_nm / norm)).collect::<Vec<_>>())
}

#[test]
fn without_a_wavefront_it_is_the_closed_form_of_a_perfect_pupil() {
    let (optical, airy) = (constant(&[(4, 0.0)]), Airy::new(2.0, 0.0).unwrap());
    let (a, b) = (optical.transfer(AT, Nanometre(620.0)).unwrap(), airy.transfer(AT, Nanometre(620.0)).unwrap());
    for i in 0..4000 {
        let (f, angle) = (0.0047 * f64::from(i), 0.7 * f64::from(i));
        let difference = a.at(f * angle.cos(), f * angle.sin()) - b.at(f * angle.cos(), f * angle.sin());
        assert!(difference.norm() < 1e-9, "{f}: {difference}");
    }
}

#[test]
fn the_table_agrees_with_direct_quadrature_at_every_size_of_wavefront() {
    for (rms_nm, lens, places) in [(0.5, 24, 40), (8.0, 32, 40), (20.0, 40, 40), (45.0, 48, 40), (100.0, 64, 16), (200.0, 96, 6)] {
        for seed in 0..2 {
            let psf = mixed(rms_nm, seed);
            let pairs = OpticalPsf::pairs(&psf.coefficients_nm(AT, Nanometre(500.0)));
            let t = psf.transfer(AT, Nanometre(500.0)).unwrap();
            let cut = 1.0 / resolution_arcsec(500.0, 2.0);
            let mut worst = 0.0_f64;
            for i in 0..places {
                // Places on no node: golden-ratio steps in both coordinates.
                let nu = (0.618_034 * f64::from(i)).fract();
                let angle = TAU * (0.754_878 * f64::from(i)).fract();
                let exact = direct(&pairs, 500.0, nu, angle, lens);
                worst = worst.max((t.at(nu * cut * angle.cos(), nu * cut * angle.sin()) - exact).norm());
            }
            assert!(worst < 1e-6, "{rms_nm} nm rms, seed {seed}: {worst:.1e}");
        }
    }
}

#[test]
fn a_whole_wave_of_low_orders_is_still_within_reach() {
    let psf = constant(&[(4, 300.0), (5, -200.0), (8, 150.0), (11, 300.0)]);
    let pairs = OpticalPsf::pairs(&psf.coefficients_nm(AT, Nanometre(500.0)));
    let t = psf.transfer(AT, Nanometre(500.0)).unwrap();
    let cut = 1.0 / resolution_arcsec(500.0, 2.0);
    for i in 0..4 {
        let (nu, angle) = ((0.618_034 * f64::from(i)).fract(), f64::from(i));
        let difference = (t.at(nu * cut * angle.cos(), nu * cut * angle.sin()) - direct(&pairs, 500.0, nu, angle, 160)).norm();
        assert!(difference < 1e-6, "{nu} {angle}: {difference:.1e}");
    }
}

/// The transfer function from its definition: the pupil on a grid of `n` points per radius, shifted against itself by
/// whole points and summed. The rim, where a point is in or out as a whole, errs by about n^-1.5.
fn grid_autocorrelation(pupil: impl Fn(f64, f64) -> f64, n: i32, shift: (i32, i32)) -> Complex64 {
    let inside = |x: i32, y: i32| {
        let (x, y) = ((f64::from(x) + 0.5) / f64::from(n), (f64::from(y) + 0.5) / f64::from(n));
        (x * x + y * y <= 1.0).then_some((x, y))
    };
    let mut sum = Complex64::default();
    let mut area = 0;
    for y in -n..n {
        for x in -n..n {
            let Some(b) = inside(x, y) else { continue };
            area += 1;
            // x + s against x.
            if let Some(a) = inside(x + shift.0, y + shift.1) {
                sum += Complex64::from_polar(1.0, TAU * (pupil(a.0, a.1) - pupil(b.0, b.1)));
            }
        }
    }
    sum / f64::from(area)
}

#[test]
fn the_pupil_on_a_grid_gives_the_same_with_the_peers_wavefront() {
    // Written out by hand from Noll's table, in waves: defocus, astigmatism, coma, trefoil, spherical.
    let waves = |x: f64, y: f64| {
        let r2 = x * x + y * y;
        0.02 * 3f64.sqrt() * (2.0 * r2 - 1.0) + 0.03 * 6f64.sqrt() * 2.0 * x * y - 0.02 * 6f64.sqrt() * (x * x - y * y)
            + 0.03 * 8f64.sqrt() * (3.0 * r2 - 2.0) * y
            + 0.02 * 8f64.sqrt() * (3.0 * r2 - 2.0) * x
            + 0.01 * 8f64.sqrt() * (3.0 * x * x - y * y) * y
            + 0.03 * 5f64.sqrt() * (6.0 * r2 * r2 - 6.0 * r2 + 1.0)
    };
    let terms = [(4, 0.02), (5, 0.03), (6, -0.02), (7, 0.03), (8, 0.02), (9, 0.01), (11, 0.03)];
    let psf = constant(&terms.map(|(j, waves)| (j, waves * 765.0)));
    let t = psf.transfer(AT, Nanometre(765.0)).unwrap();
    let cut = 1.0 / resolution_arcsec(765.0, 2.0);
    let n = 1000;
    for shift in [(0, 0), (300, 0), (-200, 500), (700, 900), (0, -1200), (-1100, -1000)] {
        let brute = grid_autocorrelation(waves, n, shift);
        // s = shift / n radii; nu = s / 2.
        let f = |k: i32| f64::from(k) / f64::from(2 * n) * cut;
        let difference = (t.at(f(shift.0), f(shift.1)) - brute).norm();
        assert!(difference < 5e-5, "{shift:?}: {difference:.1e}");
    }
}

#[test]
fn the_transfer_function_is_one_at_the_origin_hermitian_and_bounded() {
    let t = mixed(60.0, 3).transfer(AT, Nanometre(480.0)).unwrap();
    assert!((t.at(0.0, 0.0) - 1.0).norm() < 1e-7);
    let perfect = Airy::new(2.0, 0.0).unwrap().transfer(AT, Nanometre(480.0)).unwrap();
    for i in 1..500 {
        let (fx, fy) = (0.04 * f64::from(i), 7.0 * f64::from(i).sin());
        let (a, b) = (t.at(fx, fy), t.at(-fx, -fy));
        assert!((a - b.conj()).norm() < 1e-7);
        assert!(a.norm() <= perfect.at(fx, fy).re + 1e-6);
    }
    assert_eq!(t.at(30.0, 0.0), Complex64::default());
    let cut = t.cutoff(1e-4);
    assert!((0..100).all(|i| t.at(0.6 * (cut + 0.1 * f64::from(i)), 0.8 * (cut + 0.1 * f64::from(i))).norm() <= 1e-4));
}

#[test]
fn the_strehl_ratio_is_the_squared_mean_phasor_of_the_pupil() {
    // Brightness at the origin over that of a perfect pupil = integral of T over that of M = |mean of exp(i phase)|^2.
    let wave = Nanometre(633.0);
    let cut = 1.0 / resolution_arcsec(633.0, 2.0);
    let (r, w) = crate::quadrature::panels(0.0, 1.0, 4, 16);
    for terms in [vec![(5, 10.0), (11, -12.0), (8, 5.0)], vec![(4, 40.0), (7, 50.0), (10, -30.0), (13, 30.0)]] {
        let psf = constant(&terms);
        let t = psf.transfer(AT, wave).unwrap();
        let (mut peak, mut perfect, mut phasor) = (0.0, 0.0, Complex64::default());
        for (r, w) in r.iter().zip(&w) {
            for k in 0..64 {
                let (s, c) = (TAU * f64::from(k) / 64.0).sin_cos();
                peak += w * r * t.at(cut * r * c, cut * r * s).re / 64.0;
                let opd: f64 = terms.iter().map(|&(j, nm)| nm * Zernike::from_noll(j).at(r * c, r * s)).sum();
                phasor += w * 2.0 * r / 64.0 * Complex64::from_polar(1.0, TAU * opd / 633.0);
            }
            perfect += w * r * crate::kernels::diffraction_mtf(*r);
        }
        let strehl: f64 = peak / perfect;
        // The 3/2 power at the rim leaves the quadrature over frequencies with 1e-6.
        assert!((strehl - phasor.norm_sqr()).abs() < 3e-6, "{strehl} {}", phasor.norm_sqr());
        // Marechal's limit; (2 pi sigma)^3 bounds what he neglects, up to the skewness, of order one.
        let variance = (TAU * psf.wavefront_rms_nm(AT, wave) / 633.0).powi(2);
        assert!((strehl - (-variance).exp()).abs() < variance.powf(1.5), "{strehl} {variance}");
    }
}

#[test]
fn parseval_holds_between_the_image_and_its_transfer_function() {
    // integral of I^2 over the plane = integral of |T|^2 over frequencies; the image by summing T at each place.
    let (psf, wave) = (constant(&[(4, 40.0), (7, 30.0), (10, 20.0)]), Nanometre(600.0));
    let t = psf.transfer(AT, wave).unwrap();
    // Frequencies 1/L apart with L = 2.56 arcsec; samples of lambda / 2 D or finer.
    let (n, step) = (128_i32, 0.02);
    let df = 1.0 / (f64::from(n) * step);
    let cube = crate::cube::CubePsf::tabulate(&psf, &[AT], &[wave], step, n as usize).unwrap();
    let image = cube.image(0, 0);
    let space: f64 = image.iter().map(|v| (f64::from(*v) / (step * step)).powi(2)).sum::<f64>() * step * step;
    let frequency: f64 = (-n / 2..n / 2)
        .flat_map(|i| (-n / 2..n / 2).map(move |k| (i, k)))
        .map(|(i, k)| t.at(f64::from(i) * df, f64::from(k) * df).norm_sqr())
        .sum::<f64>()
        * df
        * df;
    assert!((space / frequency - 1.0).abs() < 1e-5, "{space} {frequency}");
}

#[test]
fn several_wavelengths_at_once_are_the_same_as_one_by_one() {
    let psf = mixed(40.0, 1);
    let waves = [Nanometre(560.0), Nanometre(620.0), Nanometre(690.0)];
    let at = FocalPoint { x_deg: 0.2, y_deg: 0.1 };
    for (batch, &w) in psf.transfers(at, &waves).unwrap().iter().zip(&waves) {
        let single = psf.transfer(at, w).unwrap();
        for i in 0..50 {
            let (fx, fy) = (0.3 * f64::from(i), 5.0 - 0.2 * f64::from(i));
            assert!((batch.at(fx, fy) - single.at(fx, fy)).norm() < 1e-6);
        }
    }
}

#[test]
fn bulk_and_single_sampling_are_the_same_bits() {
    let t = mixed(40.0, 2).transfer(AT, Nanometre(700.0)).unwrap();
    let fx: Vec<f64> = (0..1000).map(|i| 15.0 * (f64::from(i) * 0.37).sin()).collect();
    let fy: Vec<f64> = (0..1000).map(|i| 15.0 * (f64::from(i) * 0.73).cos()).collect();
    let mut out = vec![Complex64::default(); 1000];
    t.sample(&fx, &fy, &mut out);
    assert!((0..1000).all(|i| out[i] == t.at(fx[i], fy[i])));
}

#[test]
fn the_field_is_continuous_and_follows_its_polynomial() {
    let term = |noll, opd_nm: Vec<f64>| WavefrontTerm { noll, opd_nm, chromatic_nm_per_um: vec![] };
    let psf = OpticalPsf::new(2.0, vec![term(4, vec![5.0, 10.0, -20.0, 30.0, 15.0, 40.0]), term(6, vec![0.0, 60.0, 0.0])], 0.0).unwrap();
    let at = FocalPoint { x_deg: 0.5, y_deg: -0.4 };
    // 5 + 5 + 8 + 7.5 - 3 + 6.4 = 28.9; 30.
    assert!((psf.wavefront_rms_nm(at, Nanometre(600.0)) - 28.9f64.hypot(30.0)).abs() < 1e-12);
    assert!(!psf.is_uniform());
    let value = |x_deg: f64| psf.transfer(FocalPoint { x_deg, y_deg: 0.1 }, Nanometre(600.0)).unwrap().at(6.0, 3.0);
    // Fine steps, across changes of the level of resolution too: the changes are all alike, to the table's accuracy.
    let values: Vec<Complex64> = (0..=400).map(|i| value(-0.6 + 0.003 * f64::from(i))).collect();
    let second = values.windows(3).map(|v| (v[2] - 2.0 * v[1] + v[0]).norm()).fold(0.0, f64::max);
    // Second difference = step^2 T'' = 9e-6 T'', T'' of order 1, plus 4 table errors; a seam would be its own size.
    assert!(second < 5e-5, "{second:.1e}");
}

#[test]
fn a_chromatic_term_vanishes_at_its_reference() {
    let term = WavefrontTerm { noll: 4, opd_nm: vec![10.0], chromatic_nm_per_um: vec![50.0] };
    let psf = OpticalPsf::new(2.0, vec![term], 600.0).unwrap();
    assert_eq!(psf.wavefront_rms_nm(AT, Nanometre(600.0)), 10.0);
    assert!((psf.wavefront_rms_nm(AT, Nanometre(800.0)) - 20.0).abs() < 1e-12);
    let (two, plain) = (psf.transfers(AT, &[Nanometre(600.0), Nanometre(800.0)]).unwrap(), constant(&[(4, 20.0)]));
    assert_eq!(two[1].at(3.0, 2.0), plain.transfer(AT, Nanometre(800.0)).unwrap().at(3.0, 2.0));
}

#[test]
fn beyond_the_radius_the_image_is_fainter_than_the_level() {
    let psf = mixed(50.0, 5);
    let wave = Nanometre(600.0);
    let t = psf.transfer(AT, wave).unwrap();
    let cube = crate::cube::CubePsf::tabulate(&psf, &[AT], &[wave], 0.03, 512).unwrap();
    let image = cube.image(0, 0);
    for level in [1.0, 0.05] {
        let radius = t.radius_of_brightness(level);
        let brightest = image
            .indexed_iter()
            .filter(|((y, x), _)| 0.03 * (*x as f64 - 255.5).hypot(*y as f64 - 255.5) > radius)
            .map(|(_, v)| f64::from(*v) / 9e-4)
            .fold(0.0, f64::max);
        assert!(brightest < level && brightest > 0.0, "{level}: {radius} {brightest}");
    }
}

#[test]
fn impossible_parameters_are_refused() {
    let term = |noll, n| WavefrontTerm { noll, opd_nm: vec![1.0; n], chromatic_nm_per_um: vec![] };
    assert!(OpticalPsf::new(0.0, vec![], 0.0).is_err());
    assert!(OpticalPsf::new(2.0, vec![term(3, 1)], 0.0).is_err());
    assert!(OpticalPsf::new(2.0, vec![term(37, 1)], 0.0).is_err());
    assert!(OpticalPsf::new(2.0, vec![term(4, 2)], 0.0).is_err());
    assert!(OpticalPsf::new(2.0, vec![term(4, 1), term(4, 3)], 0.0).is_err());
    assert!(constant(&[(4, 1.0)]).transfer(AT, Nanometre(0.0)).is_err());
    // Twenty waves of defocus.
    assert!(constant(&[(4, 20.0 * 600.0)]).transfer(AT, Nanometre(600.0)).is_err());
}
