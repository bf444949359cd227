use super::*;
use sim_core::quantity::Status;
use sim_core::units::Nanometre;
use std::path::Path;

/// A copy of the test instrument in a folder, with one text replaced; the message of what became of it.
fn message(from: &str, to: &str) -> String {
    let folder = tempfile::tempdir().unwrap();
    changed(folder.path(), from, to);
    let error = load(&folder.path().join("instrument.toml").display().to_string()).unwrap_err().to_string();
    error.replace(&folder.path().display().to_string(), "DIR")
}

fn changed(folder: &Path, from: &str, to: &str) {
    let files = [
        ("instrument.toml", include_str!("../../data/testbench/instrument.toml")),
        ("focal_plane.csv", include_str!("../../data/testbench/focal_plane.csv")),
        ("band.csv", include_str!("../../data/testbench/band.csv")),
    ];
    assert_eq!(files.iter().filter(|(_, text)| text.contains(from)).count(), 1, "`{from}` is in one file");
    for (name, text) in files {
        std::fs::write(folder.join(name), text.replacen(from, to, 1)).unwrap();
    }
}

fn line_of(text: &str) -> usize {
    include_str!("../../data/testbench/instrument.toml").lines().position(|l| l.starts_with(text)).unwrap() + 1
}

#[test]
fn the_survey_camera_has_the_official_layout() {
    let msc = load("msc").unwrap();
    assert_eq!(msc.detectors.len(), 30);
    let crpix = |n: u16| (msc.detectors[&n].geometry.crpix1, msc.detectors[&n].geometry.crpix2);
    // The two header examples of csst-doc-msc.
    assert_eq!(crpix(12), (-267.0, 14746.0));
    assert_eq!(crpix(30), (29758.0, -15644.0));
    // Corners and the exceptions of the outer columns.
    assert_eq!(crpix(1), (-20542.0, 24876.0));
    assert_eq!(crpix(6), (-10017.0, 24876.0));
    assert_eq!(crpix(10), (-10792.0, -15644.0));
    assert_eq!(crpix(21), (20008.0, 24876.0));
    let of = |f: &str| msc.detectors.values().filter(|d| d.geometry.filter == f).map(|d| d.geometry.number).collect::<Vec<_>>();
    assert_eq!(of("NUV"), [12, 13, 18, 19]);
    assert_eq!(of("g"), [8, 23]);
    assert_eq!(of("y"), [6, 15, 16, 25]);
    assert_eq!(of("GU"), [3, 4, 27, 28]);
    assert_eq!(msc.detectors.values().filter(|d| d.kind == DetectorKind::Imaging).count(), 18);
    // The mosaic spans 59516 x 49752 pixels.
    let g = || msc.detectors.values().map(|d| &d.geometry);
    let span = |low: fn(&DetectorGeometry) -> f64| {
        let (a, b) = g().map(low).fold((f64::INFINITY, f64::NEG_INFINITY), |(a, b), v| (a.min(v), b.max(v)));
        b - a
    };
    assert_eq!((span(|g| -g.crpix1) + 9216.0, span(|g| -g.crpix2) + 9232.0), (59516.0, 49752.0));
}

#[test]
fn chips_neither_touch_nor_overlap() {
    let msc = load("msc").unwrap();
    let boxes: Vec<[f64; 4]> = msc
        .detectors
        .values()
        .map(|d| [1.0 - d.geometry.crpix1, 9216.0 - d.geometry.crpix1, 1.0 - d.geometry.crpix2, 9232.0 - d.geometry.crpix2])
        .collect();
    for (i, a) in boxes.iter().enumerate() {
        for b in &boxes[..i] {
            assert!(a[1] < b[0] || b[1] < a[0] || a[3] < b[2] || b[3] < a[2], "{a:?} {b:?}");
        }
    }
}

#[test]
fn the_curves_have_the_published_peaks_pivots_and_zero_points() {
    let msc = load("msc").unwrap();
    // Peak efficiency, pivot [nm] and zero point [mag] of the CESS curves (Wen et al. 2024).
    for (name, peak, pivot, zero) in [
        ("NUV", 0.291, 291.5, 24.87),
        ("u", 0.410, 363.3, 25.30),
        ("g", 0.734, 479.0, 26.32),
        ("r", 0.742, 617.4, 26.18),
        ("i", 0.723, 766.0, 25.96),
        ("z", 0.643, 908.2, 25.27),
        ("y", 0.371, 966.5, 23.99),
    ] {
        let band = &msc.bands[name].bandpass;
        let got = band.efficiency().iter().copied().fold(0.0, f64::max);
        assert!((got / peak - 1.0).abs() < 0.01, "{name}: peak {got}");
        assert!((band.pivot_nm() / pivot - 1.0).abs() < 0.01, "{name}: pivot {}", band.pivot_nm());
        assert!((band.zero_point(msc.area_cm2) - zero).abs() < 0.03, "{name}: zero point {}", band.zero_point(msc.area_cm2));
        // Half power lies inside the edges of the band table.
        let table = msc.bands[name].table.unwrap();
        for (edge, inside) in [(table.blue_edge_nm, 1.0), (table.red_edge_nm, -1.0)] {
            assert!(band.at(Nanometre(edge)) < 0.5 * got, "{name}: {} at {edge} nm", band.at(Nanometre(edge)));
            assert!(inside * (table.wavelength_nm - edge) > 0.0);
        }
    }
}

#[test]
fn the_table_gives_the_official_zero_points() {
    let msc = load_with("msc", ThroughputSet::Table).unwrap();
    // N = 10^(-0.4 (m + 48.6)) / (h c / l) c (1/a - 1/b) tau A, in cgs, worked out here independently.
    for (name, zero) in [("NUV", 24.45), ("u", 24.88), ("g", 26.08), ("r", 25.81), ("i", 25.63), ("z", 24.90), ("y", 23.55)] {
        let t = msc.bands[name].table.unwrap();
        let (l, w) = (t.wavelength_nm * 1e-7, t.width_nm * 1e-7);
        let n = 10f64.powf(-0.4 * 48.6) / 6.626_070_15e-27 * l * (1.0 / (l - 0.5 * w) - 1.0 / (l + 0.5 * w)) * t.throughput * 31_415.926_5;
        let exact = 2.5 * n.log10();
        let got = msc.bands[name].bandpass.zero_point(msc.area_cm2);
        // Quadrature of the top-hat and its flanks of 0.002 nm: below 1e-4 mag.
        assert!((got - exact).abs() < 1e-4, "{name}: {got} against {exact}");
        assert!((got - zero).abs() < 0.006, "{name}: {got} against the tabulated {zero}");
    }
    assert_eq!(msc.detectors[&8].table_sky_electron_s, Some(0.164));
    // Gratings have one curve in both sets: its published peak, and half of it where published.
    for (nm, exact) in [(570.0, 0.41), (398.0, 0.205), (639.0, 0.205)] {
        assert!((msc.bands["GV"].bandpass.at(Nanometre(nm)) - exact).abs() < 0.002, "{nm} nm");
    }
    assert_eq!((msc.detectors[&2].table_sky_electron_s, msc.detectors[&1].table_sky_electron_s), (Some(0.214), Some(0.329)));
    assert_eq!(msc.bands["g"].table.unwrap().limit_mag, 26.3);
}

#[test]
fn every_number_has_source_unit_and_status() {
    for name in ["msc", "testbench"] {
        let instrument = load(name).unwrap();
        assert!(instrument.provenance.len() > 40);
        assert!(instrument.provenance.iter().all(|l| !l.source.is_empty() && !l.unit.is_empty() && !l.key.is_empty()), "{name}");
        assert!(instrument.hashes.contains_key("instrument.toml") && instrument.hashes.len() >= 3);
    }
    // Every parameter of every effect is among them.
    let msc = load("msc").unwrap();
    for summary in crate::effects::registry::all() {
        for p in summary.parameters {
            let key = format!("effects.{}.{}", summary.name, p.key);
            assert!(msc.provenance.iter().any(|l| l.key == key), "{key}");
        }
    }
}

#[test]
fn explain_lists_the_chain_and_counts_what_is_assumed() {
    let msc = load("msc").unwrap();
    let text = explain(&msc);
    let places: Vec<usize> =
        ["sky ", "flat ", "detect ", "full_well ", "digitise ", "bias ", "adc "].iter().map(|n| text.find(n).unwrap()).collect();
    assert!(places.is_sorted(), "{text}");
    let assumed = msc.provenance.iter().filter(|l| l.status == Status::Assumed).count();
    assert!(text.contains(&format!("{assumed} ASSUMED")));
    assert_eq!(text.lines().filter(|l| l.starts_with("! ")).count(), assumed);
    assert!(text.contains("  effects.read_noise.sigma                     5 electron  [published] CESS"), "{text}");
}

#[test]
fn one_detector_can_differ() {
    let bench = load("testbench").unwrap();
    let rate = |n: u16| bench.detectors[&n].parameters["dark"]["rate"]["value"].as_float().unwrap();
    assert_eq!((rate(1), rate(2)), (0.1, 0.3));
    assert_eq!(bench.detectors[&1].parameters["flat"], bench.detectors[&2].parameters["flat"]);
    assert_eq!(bench.detectors[&2].parameters["dark"]["hot_fraction"], bench.detectors[&1].parameters["dark"]["hot_fraction"]);
}

#[test]
fn a_folder_holds_the_same_instrument_as_the_built_in() {
    let folder = tempfile::tempdir().unwrap();
    changed(folder.path(), "Exaggerated", "Exaggerated");
    let built_in = load("testbench").unwrap();
    for path in [folder.path().to_path_buf(), folder.path().join("instrument.toml")] {
        let read = load(&path.display().to_string()).unwrap();
        assert_eq!(read.hashes, built_in.hashes);
        assert_eq!(read.provenance, built_in.provenance);
        assert_eq!(read.detectors[&1].geometry, built_in.detectors[&1].geometry);
    }
    assert_eq!(built_in.bands["clear"].bandpass.at(Nanometre(600.0)), 0.75 * 0.8);
}

#[test]
fn unknown_keys_are_refused_with_line_and_what_was_meant() {
    let line = line_of("hot_fraction");
    assert_eq!(
        message("hot_fraction", "hot_fracton"),
        format!("DIR/instrument.toml:{line}: effects.dark.hot_fracton is not known; did you mean `hot_fraction`?")
    );
    let line = line_of("[telescope]") + 1;
    assert_eq!(
        message("diameter", "diametre"),
        format!("DIR/instrument.toml:{line}: telescope.diametre is not known; did you mean `diameter`?")
    );
    assert!(message("[effects.full_well]", "[effects.fullwell]").contains("effects.fullwell is not known; did you mean `full_well`?"));
    assert!(
        message("\"bias\", \"read_noise\"", "\"bias\", \"readnoise\"")
            .contains("effect `readnoise` is not known; did you mean `read_noise`?")
    );
    assert!(message("[amplifiers]", "[amplifers]").contains("amplifers is not known; did you mean `amplifiers`?"));
    assert!(message("[detector.2.", "[detector.3.").contains("detector.3 is not known; the focal plane has 1, 2"));
    assert!(message("2,clear", "2,claer").ends_with("focal_plane.csv:8: filter `claer` is not known; did you mean `clear`?"));
    let two = "kind = \"imaging\"";
    assert!(message(two, "kind = \"imagng\"").contains("bands.clear.kind `imagng` is not known; did you mean `imaging`?"));
}

#[test]
fn wrong_units_are_refused() {
    let line = line_of("sigma");
    assert_eq!(
        message("sigma = { value = 4.0, unit = \"electron\"", "sigma = { value = 4.0, unit = \"adu\""),
        format!("DIR/instrument.toml:{line}: effects.read_noise.sigma: unit `adu`, must be `electron`")
    );
    assert!(message("unit = \"cm2\"", "unit = \"m2\"").contains("telescope.area: unit `m2`, must be `cm2`"));
    assert!(message("wavelength_nm [nm]", "wavelength_nm [Angstrom]").contains("column `wavelength_nm`: unit `Angstrom`, must be `nm`"));
}

#[test]
fn values_out_of_range_are_refused_with_the_range() {
    let line = line_of("prnu_rms");
    assert_eq!(
        message("prnu_rms = { value = 0.02", "prnu_rms = { value = -0.02"),
        format!("DIR/instrument.toml:{line}: effects.flat.prnu_rms = -0.02 is outside 0..0.2")
    );
    assert!(message("value = 0.1, unit = \"arcsec/pixel\"", "value = nan, unit = \"arcsec/pixel\"").contains("is outside"));
    assert!(message("510,0.75", "510,1.75").ends_with("band.csv:7: optics = 1.75 is outside 0..1"));
    assert!(message("510,0.75", "480,0.75").contains("480 nm at row 1 does not increase"));
    assert!(message("nx = { value = 192", "nx = { value = 193").contains("2 sections do not divide 193 pixels"));
    assert!(message("nx = { value = 192", "nx = { value = 192.5").contains("must be a whole number"));
    assert!(message("[1, 1, 0.3]", "[1, 9, 0.3]").contains("above total degree"));
}

#[test]
fn numbers_without_provenance_are_refused() {
    let line = line_of("sigma");
    let place = format!("DIR/instrument.toml:{line}: effects.read_noise.sigma");
    let sigma = "sigma = { value = 4.0, unit = \"electron\", source = \"invented for tests\", status = \"assumed\" }";
    assert_eq!(message(sigma, "sigma = 4.0"), format!("{place}: a bare number: give {{ value, unit, source, status }}"));
    assert!(
        message(sigma, "sigma = { value = 4.0, unit = \"electron\", status = \"assumed\" }")
            .starts_with(&format!("{place}.source is missing"))
    );
    assert!(message(sigma, &sigma.replace("invented for tests", " ")).starts_with(&format!("{place}.source: must be a text")));
    assert!(message(sigma, &sigma.replace("assumed", "asumed")).contains("status `asumed` is not known; did you mean `assumed`?"));
    assert!(message(sigma, "").contains("effects.read_noise.sigma is missing: standard deviation of the read noise: give"));
    assert!(message("# column detector [1] assumed: invented for tests\n", "").contains("description of column `detector` is missing"));
}

#[test]
fn files_that_are_missing_or_no_toml_are_named() {
    assert!(message("curve = \"band.csv\"", "curve = \"bnad.csv\"").contains("bands.clear.curve = \"bnad.csv\": No such file"));
    assert!(message("\"focal_plane.csv\"", "\"focal.csv\"").contains("detectors.focal_plane = \"focal.csv\": No such file"));
    assert!(message("[telescope]", "[telescope").starts_with(&format!("DIR/instrument.toml:{}: ", line_of("[telescope]"))));
    let unknown = load("mcs").unwrap_err().to_string();
    assert_eq!(unknown, "there is no instrument `mcs`: give `msc` or `testbench`, or the path of an instrument file; did you mean `msc`?");
    assert!(load("/nowhere/x.toml").unwrap_err().to_string().starts_with("/nowhere/x.toml: No such file"));
    let folder = tempfile::tempdir().unwrap();
    changed(folder.path(), "kind = \"moffat\"", "kind = \"cube\"\nfile = \"psf.fits\"");
    let missing = load(&folder.path().display().to_string()).unwrap_err().to_string();
    assert!(missing.contains("psf.file = \"psf.fits\": No such file"), "{missing}");
}

fn chromatic(terms: &str, reference: &str) -> String {
    let quantity = |key: &str, value: &str, unit: &str| {
        if value.is_empty() {
            String::new()
        } else {
            format!("{key} = {{ value = {value}, unit = \"{unit}\", source = \"test\", status = \"assumed\" }}\n")
        }
    };
    format!("[distortion]\n{}{}", quantity("y_chromatic", terms, "deg/um"), quantity("chromatic_reference", reference, "nm"))
}

#[test]
fn a_chromatic_distortion_is_taken_at_the_pivot_of_the_band() {
    let folder = tempfile::tempdir().unwrap();
    changed(folder.path(), "[distortion]\n", &chromatic("[[0, 1, 0.5], [1, 1, 2.0]]", "800"));
    let instrument = load(&folder.path().display().to_string()).unwrap();
    let spec = &instrument.detectors[&2];
    let step_um = (spec.band.pivot_nm() - 800.0) * 1e-3;
    // The trapezium from 490 to 710 nm: its pivot is a little below the middle.
    assert!((-0.21..-0.20).contains(&step_um), "{step_um}");
    let expected = sim_core::wcs::Distortion {
        x: vec![((1, 0), 1.0), ((1, 1), 0.3)],
        y: vec![((0, 1), 1.0 + 0.5 * step_um), ((2, 0), -0.2), ((1, 1), 2.0 * step_um)],
    };
    let pointing = Pointing { ra_deg: 10.0, dec_deg: 20.0, rotation_deg: 30.0 };
    assert_eq!(instrument.wcs(spec, &pointing), detector_wcs(&spec.geometry, &pointing, instrument.parity, Some(&expected)));
    // The shipped instruments are the same at all wavelengths: no chromatic term is published.
    for name in ["msc", "testbench"] {
        assert!(load(name).unwrap().distortion.is_none_or(|d| d.chromatic.is_none()), "{name}");
    }
}

#[test]
fn badly_shaped_chromatic_distortions_are_refused() {
    let message = |terms: &str, reference: &str| message("[distortion]\n", &chromatic(terms, reference));
    assert!(message("[[0, 1, 0.5]]", "").contains("distortion.chromatic_reference is missing"), "{}", message("[[0, 1, 0.5]]", ""));
    assert!(message("", "800").contains("distortion.x_chromatic is missing"), "{}", message("", "800"));
    assert!(message("[[0, 1]]", "800").contains("list of [i, j, coefficient]"));
    assert!(message("[[0, 1, 0.5], [0, 1, 0.5]]", "800").contains("(0, 1) is given twice"));
    assert!(message("[[4, 4, 0.5]]", "800").contains("above total degree 7"));
    assert!(message("[[0, 1, 0.5]]", "8").contains("outside 50..100000"));
    // 1 + 10 (0.59 - 0.8) = -1.1: the field would be mirrored in this band.
    let mirrored = message("[[0, 1, 10.0]]", "800");
    assert!(mirrored.contains("band clear") && mirrored.contains("determinant"), "{mirrored}");
}
