use super::*;
use sim_core::units::{FocalPoint, Nanometre};

const AT: FocalPoint = FocalPoint { x_deg: 0.3, y_deg: -0.2 };
const WAVE: Nanometre = Nanometre(620.0);

/// `{ value = .., unit = .., .. }`.
fn q(value: &str, unit: &str) -> String {
    format!("{{ value = {value}, unit = \"{unit}\", source = \"a test\", status = \"assumed\" }}")
}

fn table(text: &str) -> toml::Table {
    text.parse().unwrap()
}

fn optical() -> String {
    format!(
        "kind = 'optical'\ndiameter = {}\nwavefront_scale = {}\nchromatic_reference = {}\n\
         [[wavefront]]\nnoll = 4\nopd = {}\nchromatic = {}\n[[wavefront]]\nnoll = 8\nopd = {}\n\
         [blur]\njitter_x = {}\njitter_y = {}\ndiffusion = {}\ndrift_x = {}\n",
        q("2.0", "m"),
        q("2.0", "1"),
        q("620.0", "nm"),
        q("[10.0, 0.0, 0.0, -20.0, 0.0, -20.0]", "nm"),
        q("[3.0]", "nm/um"),
        q("[5.0, 20.0, 0.0]", "nm"),
        q("0.01", "arcsec"),
        q("0.02", "arcsec"),
        q("0.3", "pixel"),
        q("0.01", "arcsec"),
    )
}

#[test]
fn an_optical_table_is_the_product_of_its_parts() {
    let psf = build(&table(&optical()), 0.074).unwrap();
    assert!(!psf.is_uniform() && !psf.is_achromatic() && !psf.contains_pixel_response());
    let t = psf.transfer(AT, WAVE).unwrap();
    let terms = vec![
        WavefrontTerm { noll: 4, opd_nm: vec![2.0 * (10.0 - 20.0 * 0.13)], chromatic_nm_per_um: vec![] },
        WavefrontTerm { noll: 8, opd_nm: vec![2.0 * (5.0 + 20.0 * 0.3)], chromatic_nm_per_um: vec![] },
    ];
    let optics = OpticalPsf::new(2.0, terms, 0.0).unwrap().transfer(AT, WAVE).unwrap();
    let (fx, fy) = (3.0, -5.0);
    let sigma = 0.3 * 0.074;
    let exponent = 2.0 * std::f64::consts::PI.powi(2) * (fx * fx * (1e-4 + sigma * sigma) + fy * fy * (4e-4 + sigma * sigma));
    let drift = std::f64::consts::PI * fx * 0.01;
    let expected = optics.at(fx, fy) * (-exponent).exp() * drift.sin() / drift;
    assert!((t.at(fx, fy) - expected).norm() < 1e-9);
}

#[test]
fn the_other_kinds_are_read() {
    for text in [
        format!("kind = 'gaussian'\nfwhm = {}", q("0.15", "arcsec")),
        format!("kind = 'gaussian'\nsigma = {}\n[blur]\njitter_x = {}", q("0.06", "arcsec"), q("0.01", "arcsec")),
        format!("kind = 'moffat'\nfwhm = {}\nbeta = {}", q("0.15", "arcsec"), q("3.5", "1")),
        format!("kind = 'airy'\ndiameter = {}\nobscuration = {}", q("2.0", "m"), q("0.3", "1")),
    ] {
        let t = build(&table(&text), 0.1).unwrap().transfer(AT, WAVE).unwrap();
        assert!((t.at(0.0, 0.0).re - 1.0).abs() < 1e-12, "{text}");
    }
}

#[test]
fn a_cube_is_found_beside_the_instrument_file() {
    let folder = tempfile::tempdir().unwrap();
    let gaussian = Gaussian::from_fwhm(0.2).unwrap();
    CubePsf::tabulate(&gaussian, &[AT], &[WAVE], 0.04, 32).unwrap().write(&folder.path().join("p.fits")).unwrap();
    let text = table("kind = 'cube'\nfile = 'p.fits'\nbetween_wavelengths = 'lagrange'");
    let psf = build_in(&text, 0.1, folder.path()).unwrap();
    assert!((psf.transfer(AT, WAVE).unwrap().at(1.0, 1.0) - gaussian.transfer(AT, WAVE).unwrap().at(1.0, 1.0)).norm() < 1e-5);
    assert!(build(&text, 0.1).is_err());
}

#[test]
fn mistakes_are_named() {
    let message = |text: &str| build(&table(text), 0.1).err().unwrap().to_string();
    assert!(message(&optical().replace("jitter_x", "jiter_x")).contains("jiter_x"));
    assert!(message(&optical().replace("noll = 8", "noll = 2")).contains("noll"));
    let wrong_unit = message(&optical().replace("\"pixel\"", "\"um\""));
    assert!(wrong_unit.contains("blur.diffusion") && wrong_unit.contains("um") && wrong_unit.contains("pixel"), "{wrong_unit}");
    assert!(message(&optical().replace("chromatic_reference", "#")).contains("chromatic_reference"));
    assert!(message("kind = 'gaussian'").contains("fwhm"));
    assert!(message("kind = 'gauss'").contains("gauss"));
    assert!(message(&format!("kind = 'gaussian'\nfwhm = {}", q("-1.0", "arcsec"))).contains("-1"));
    assert!(message(&format!("kind = 'gaussian'\nfwhm = {}\nbeta = 3", q("1.0", "arcsec"))).contains("beta"));
}
