//! A user's own instrument: a folder with its files, from wherever the program is started.

use super::{contents, path, text};
use instruments::description::load;
use sim_core::fits;
use sim_core::psf::Psf;
use sim_core::units::{FocalPoint, Nanometre};
use std::path::Path;
use std::process::{Command, Output};

/// A copy of the test instrument with one text replaced, and the smoke scenario that names it, both in `folder`.
fn install(folder: &Path, instrument: &str, from: &str, to: &str) {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("../instruments/data/testbench");
    let own = folder.join("own");
    std::fs::create_dir(&own).unwrap();
    for name in ["instrument.toml", "focal_plane.csv", "band.csv"] {
        let text = std::fs::read_to_string(source.join(name)).unwrap();
        assert!(name != "instrument.toml" || text.contains(from));
        std::fs::write(own.join(name), text.replace(from, to)).unwrap();
    }
    let scenario = scenarios::scenario::built_in("smoke").unwrap();
    let scenario = scenario.replace("instrument = \"testbench\"", &format!("instrument = \"{instrument}\""));
    // Without its calibration exposures: one unit.
    std::fs::write(folder.join("scenario.toml"), scenario.split("[calibration]").next().unwrap()).unwrap();
}

fn run_in(working: &Path, args: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_skyloop")).args(args).current_dir(working).output().unwrap()
}

#[test]
fn a_psf_cube_is_found_beside_its_instrument_from_any_working_folder() {
    let folder = tempfile::tempdir().unwrap();
    let elsewhere = tempfile::tempdir().unwrap();
    let gaussian = psf::analytic::Gaussian::from_fwhm(0.25).unwrap();
    let (at, wave) = (FocalPoint { x_deg: 0.0, y_deg: 0.0 }, Nanometre(600.0));
    let text_of =
        std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("../instruments/data/testbench/instrument.toml")).unwrap();
    let table = text_of.split("[psf]").nth(1).unwrap();
    // As a folder and as a file, relative to the scenario.
    for instrument in ["own", "own/instrument.toml"] {
        let _ = std::fs::remove_dir_all(folder.path().join("own"));
        install(folder.path(), instrument, table, "\nkind = \"cube\"\nfile = \"cube.fits\"\n");
        let missing = run_in(elsewhere.path(), &["explain", path(&folder.path().join("scenario.toml"))]);
        assert_eq!(missing.status.code(), Some(2));
        assert!(text(&missing.stderr).contains("cube.fits"), "{}", text(&missing.stderr));
        psf::cube::CubePsf::tabulate(&gaussian, &[at], &[wave], 0.04, 64).unwrap().write(&folder.path().join("own/cube.fits")).unwrap();
        let out = elsewhere.path().join("out");
        let made = run_in(elsewhere.path(), &["simulate", path(&folder.path().join("scenario.toml")), "--out", "out"]);
        assert!(made.status.success(), "{}", text(&made.stderr));
        let manifest = contents(&out).into_keys().find(|n| n.ends_with(".manifest.json")).unwrap();
        assert!(String::from_utf8_lossy(&contents(&out)[&manifest]).contains("\"cube.fits\""), "the cube is among the inputs");
        // The manifest is enough to make it again, from a third working folder.
        let again = run_in(folder.path(), &["remake", path(&out.join(&manifest)), "--out", "again"]);
        assert!(again.status.success(), "{}{}", text(&again.stdout), text(&again.stderr));
        std::fs::remove_dir_all(&out).unwrap();
        std::fs::remove_dir_all(folder.path().join("again")).unwrap();
    }
    assert!(gaussian.transfer(at, wave).is_ok());
}

#[test]
fn headers_carry_the_distortion_of_the_band() {
    let folder = tempfile::tempdir().unwrap();
    let chromatic = "[distortion]\n\
        x_chromatic = { value = [[1, 1, -2.0]], unit = \"deg/um\", source = \"test\", status = \"assumed\" }\n\
        chromatic_reference = { value = 500.0, unit = \"nm\", source = \"test\", status = \"assumed\" }";
    install(folder.path(), "own", "[distortion]", chromatic);
    let made = run_in(folder.path(), &["simulate", "scenario.toml", "--out", "out"]);
    assert!(made.status.success(), "{}", text(&made.stderr));
    let instrument = load(path(&folder.path().join("own"))).unwrap();
    let spec = &instrument.detectors[&1];
    let out = folder.path().join("out");
    let names: Vec<String> = contents(&out).into_keys().collect();
    let raw = out.join(names.iter().find(|n| n.starts_with("L0/") && n.ends_with(".fits")).unwrap());
    let level0 = instruments::product::level0::read_level0_info(&raw).unwrap();
    assert_eq!(level0.wcs, instrument.wcs(spec, &level0.observation.pointing));
    // The band is even from 500 to 700 nm or so: at its pivot of some 590 nm the term 0.3 of x y has become 0.3 - 2 * 0.09.
    let flat = load("testbench").unwrap();
    assert_ne!(level0.wcs, flat.wcs(&flat.detectors[&1], &level0.observation.pointing));
    // Truth and raw frame agree: the same system places the sources.
    let truth = out.join(names.iter().find(|n| n.ends_with("_truth.fits")).unwrap());
    let noiseless = fits::read_headers(&truth).unwrap().into_iter().find(|(name, _)| name == "NOISELESS").unwrap().1;
    assert_eq!(sim_core::wcs::Wcs::read(&noiseless).unwrap(), level0.wcs);
}
