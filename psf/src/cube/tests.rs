use super::*;
use crate::analytic::Gaussian;
use crate::blur::{Convolved, Jitter};
use crate::optical::{OpticalPsf, WavefrontTerm};

const AT: FocalPoint = FocalPoint { x_deg: 0.0, y_deg: 0.0 };

fn image_of(f: impl Fn(f64, f64) -> f64, rows: usize, columns: usize) -> Array3<f32> {
    Array3::from_shape_fn((1, rows, columns), |(_, y, x)| f(x as f64, y as f64) as f32)
}

#[test]
fn the_transform_of_an_image_is_its_fourier_sum() {
    // An image without symmetry, of odd and even sides, centre off the pixels.
    let cube = image_of(|x, y| 1.0 + (0.7 * x - 0.3 * y).sin() + 0.2 * (x * y * 0.1).cos(), 15, 22);
    let psf = CubePsf::new(vec![(Nanometre(600.0), cube)], vec![AT], 0.05, Some((9.3, 6.8)), false).unwrap();
    let t = psf.transfer(AT, Nanometre(600.0)).unwrap();
    let pixels = &psf.cubes[0];
    for (fx, fy) in [(0.0, 0.0), (1.234, -3.21), (9.9, 9.99), (-9.999, 0.001), (5.0, 5.0)] {
        let sum: Complex64 = pixels
            .indexed_iter()
            .map(|((_, y, x), &v)| f64::from(v) * Complex64::from_polar(1.0, -TAU * 0.05 * (fx * (x as f64 - 9.3) + fy * (y as f64 - 6.8))))
            .sum();
        assert!((t.at(fx, fy) - sum).norm() < 1e-6, "{fx} {fy}: {} {sum}", t.at(fx, fy));
    }
    assert_eq!(t.at(10.0, 0.0), Complex64::default());
}

#[test]
fn a_tabulated_gaussian_is_the_gaussian() {
    let gaussian = Gaussian::from_fwhm(0.15).unwrap();
    let psf = CubePsf::tabulate(&gaussian, &[AT], &[Nanometre(600.0)], 0.025, 64).unwrap();
    let (t, exact) = (psf.transfer(AT, Nanometre(99.0)).unwrap(), gaussian.transfer(AT, Nanometre(600.0)).unwrap());
    for f in [0.0, 0.9, 2.2, 5.1] {
        assert!((t.at(f, -f) - exact.at(f, -f)).norm() < 1e-6);
    }
    assert!(t.cutoff(1e-4) >= exact.cutoff(1e-4) && t.cutoff(1e-4) < 1.2 * exact.cutoff(1e-4));
    assert!(t.radius_of_brightness(0.1) >= exact.radius_of_brightness(0.1));
    assert!(psf.is_uniform() && psf.is_achromatic());
}

/// A field of Gaussians whose width grows along x.
struct Growing;

impl Psf for Growing {
    fn transfer(&self, at: FocalPoint, w: Nanometre) -> Result<Box<dyn Transfer>, PsfError> {
        Jitter::new(0.06 + 0.02 * at.x_deg, 0.06 + 1e-5 * w.0, 0.0)?.transfer(at, w)
    }
}

#[test]
fn the_field_has_no_seams() {
    let regular: Vec<FocalPoint> = (0..12).map(|i| FocalPoint { x_deg: f64::from(i % 4) * 0.3, y_deg: f64::from(i / 4) * 0.2 }).collect();
    // The same disturbed by up to 0.05 deg: no grid.
    let scattered: Vec<FocalPoint> = regular
        .iter()
        .enumerate()
        .map(|(i, p)| FocalPoint { x_deg: p.x_deg + 0.05 * (7.3 * i as f64).sin(), y_deg: p.y_deg + 0.05 * (3.1 * i as f64).cos() })
        .collect();
    for positions in [regular, scattered] {
        let psf = CubePsf::tabulate(&Growing, &positions, &[Nanometre(500.0)], 0.05, 32).unwrap();
        // Along a slanted line across and beyond the field; T at one frequency.
        let value =
            |s: f64| psf.transfer(FocalPoint { x_deg: -0.3 + 1.5 * s, y_deg: 0.5 * s - 0.03 }, Nanometre(500.0)).unwrap().at(4.0, 0.0).re;
        let steps = 600;
        let values: Vec<f64> = (0..=steps).map(|i| value(f64::from(i) / f64::from(steps))).collect();
        let range = values.iter().copied().fold(f64::MIN, f64::max) - values.iter().copied().fold(f64::MAX, f64::min);
        // A seam would be a step of a good part of a node's share, range / 4; a continuous function of slope a few
        // times range takes steps of a few range / 600.
        let step = values.windows(2).map(|w| (w[1] - w[0]).abs()).fold(0.0, f64::max);
        assert!(range > 0.05 && step < range * 8.0 / f64::from(steps), "step {step} of range {range}");
    }
}

#[test]
fn at_a_tabulated_place_and_wavelength_the_table_is_returned() {
    let positions: Vec<FocalPoint> = (0..6).map(|i| FocalPoint { x_deg: f64::from(i % 3), y_deg: f64::from(i / 3) }).collect();
    let waves = [Nanometre(500.0), Nanometre(600.0), Nanometre(800.0), Nanometre(900.0), Nanometre(1000.0)];
    for between in [BetweenWavelengths::Linear, BetweenWavelengths::Lagrange] {
        let psf = CubePsf::tabulate(&Growing, &positions, &waves, 0.05, 32).unwrap().between_wavelengths(between);
        for (l, &w) in waves.iter().enumerate() {
            assert_eq!(psf.blend(positions[4], w).unwrap(), psf.cubes[l].index_axis(Axis(0), 4));
        }
        // Weights add up to 1, so the flux stays 1 between.
        let t = psf.transfer(FocalPoint { x_deg: 0.4, y_deg: 0.2 }, Nanometre(730.0)).unwrap();
        assert!((t.at(0.0, 0.0).re - 1.0).abs() < 2e-6);
        assert!(matches!(psf.transfer(AT, Nanometre(1000.1)), Err(PsfError::Wavelength { .. })));
    }
}

#[test]
fn a_file_gives_the_same_psf_back() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("psf.fits");
    let positions: Vec<FocalPoint> = (0..4).map(|i| FocalPoint { x_deg: f64::from(i % 2), y_deg: f64::from(i / 2) }).collect();
    let psf = CubePsf::tabulate(&Growing, &positions, &[Nanometre(500.0), Nanometre(700.0)], 0.05, 24).unwrap();
    psf.write(&path).unwrap();
    let back = CubePsf::read(&path).unwrap();
    assert_eq!(
        (back.wavelengths_nm.clone(), back.positions.clone(), back.centre),
        (psf.wavelengths_nm.clone(), psf.positions.clone(), psf.centre)
    );
    // Normalised once more: the last bit may move.
    for (a, b) in psf.cubes.iter().zip(&back.cubes) {
        assert!(a.iter().zip(b).all(|(a, b)| (a - b).abs() <= 1e-6 * a.abs()));
    }
    assert!(!back.contains_pixel_response());
}

#[test]
fn files_that_are_no_psf_cubes_say_what_is_missing() {
    let folder = tempfile::tempdir().unwrap();
    assert!(CubePsf::read(&folder.path().join("absent.fits")).unwrap_err().to_string().contains("absent.fits"));
    let path = folder.path().join("other.fits");
    sim_core::fits::write(&path, &[sim_core::fits::Hdu::primary(sim_core::fits::Header::default())]).unwrap();
    assert!(CubePsf::read(&path).unwrap_err().to_string().contains("PSFCUBE"));
    let cube = Array3::from_elem((1, 8, 8), f32::NAN);
    assert!(CubePsf::new(vec![(Nanometre(600.0), cube)], vec![AT], 0.05, None, false).is_err());
}

#[test]
fn a_tabulated_optical_psf_keeps_its_aberrations_inside_the_band() {
    let term = |noll, nm| WavefrontTerm { noll, opd_nm: vec![nm], chromatic_nm_per_um: vec![] };
    let optics = OpticalPsf::new(2.0, vec![term(5, 30.0), term(7, 25.0)], 0.0).unwrap();
    let psf = Convolved { parts: vec![Box::new(optics), Box::new(Jitter::new(0.03, 0.03, 0.0).unwrap())] };
    // 0.02 arcsec samples, 256 of them: the diffraction wings that wrap round carry some 0.1 % (4 / (pi^3 R D / lambda)).
    let cube = CubePsf::tabulate(&psf, &[AT], &[Nanometre(620.0)], 0.02, 256).unwrap();
    let (a, b) = (cube.transfer(AT, Nanometre(620.0)).unwrap(), psf.transfer(AT, Nanometre(620.0)).unwrap());
    for (fx, fy) in [(0.4, 0.3), (2.0, -3.0), (-6.0, 4.0), (9.0, 5.0)] {
        assert!((a.at(fx, fy) - b.at(fx, fy)).norm() < 2e-3, "{} {}", a.at(fx, fy), b.at(fx, fy));
    }
}
