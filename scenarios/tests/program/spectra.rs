//! Slitless frames through the whole program: gratings calibrated on a nebula and a white dwarf, spectra extracted, closed on the truth.

use crate::{path, skyloop, text};
use std::path::Path;

/// A scenario of calibrators at one side of a detector's border, far from it.
fn scenario(name: &str, calibrator: &str, magnitude: f64, grid: (u32, u32), calibration: bool) -> String {
    let series = "[calibration]\nbias = 5\ndark = 3\ndark_time_s = 900.0\nflat = 5\nflat_time_s = 20.0\nshort_flat = 3\nshort_flat_time_s = 4.0\nlamp_electron_s = 1500.0\n";
    format!(
        "name = \"{name}\"\nseed = 7\ninstrument = \"msc\"\nthroughput = \"curves\"\nwith = [\"cosmic_rays\"]\n\
         [pointing]\nra_deg = 273.0\ndec_deg = 66.6\n\
         [[exposure]]\nid = 10160000201\nstart = \"2028-01-26T20:35:58\"\ntime_s = 150.0\n\
         [[detector]]\nnumber = 1\nwindow = {{ x0 = 5400, y0 = 4000, nx = 2304, ny = 1024 }}\n\
         [sky]\nmodel = \"table\"\n\
         [catalog]\nkind = \"calibrators\"\ncalibrator = \"{calibrator}\"\ncolumns = {}\nrows = {}\nmagnitude = {magnitude}\n{}",
        grid.0,
        grid.1,
        if calibration { series } else { "" }
    )
}

fn good(args: &[&str]) -> String {
    let output = skyloop(args);
    assert!(output.status.success(), "{args:?}: {}", text(&output.stderr));
    text(&output.stdout)
}

fn refused(args: &[&str], words: &[&str]) {
    let output = skyloop(args);
    let message = text(&output.stderr);
    assert!(!output.status.success() && words.iter().all(|w| message.contains(w)), "{args:?}: {message}");
}

/// A number of the JSON that `spectra closure` prints, of the first item that `keep` likes.
fn number(json: &serde_json::Value, list: &str, keep: impl Fn(&serde_json::Value) -> bool, pointer: &str) -> f64 {
    let item = json[list].as_array().unwrap().iter().find(|item| keep(item)).unwrap();
    item.pointer(pointer).unwrap().as_f64().unwrap()
}

#[test]
fn gratings_are_calibrated_on_the_sky_and_spectra_close_on_the_truth() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    let (neb, wd, drawn, measured, model) = (at("neb"), at("wd"), at("drawn"), at("measured"), at("wd.csv"));
    std::fs::write(at("neb.toml"), scenario("neb", "nebula", 16.5, (7, 4), true)).unwrap();
    std::fs::write(at("wd.toml"), scenario("wd", "white_dwarf", 14.0, (2, 3), false)).unwrap();
    good(&["simulate", path(&at("neb.toml")), "--out", path(&neb), "-q"]);
    good(&["simulate", path(&at("wd.toml")), "--out", path(&wd), "-q"]);
    good(&["reduce", path(&neb), "-q"]);
    good(&["reduce", path(&wd), "--masters", path(&neb), "-q"]);
    good(&["spectra", "configuration", "--detector", "1", "--out", path(&drawn)]);
    good(&["spectra", "standard", "--detector", "1", "--magnitude", "14", "--out", path(&model)]);
    let inputs = ["--nebulae", path(&neb), "--standards", path(&wd), "--model", path(&model), "--nominal", path(&drawn)];
    let told = good(&[&["spectra", "calibrate", "--out", path(&measured)][..], &inputs].concat());
    assert!(told.contains("GI01_left: 0 positions") && told.contains("the grating is as drawn"), "{told}");
    let closure = |configuration: &Path| -> serde_json::Value {
        let window = "6700,4100,900,824";
        let told = good(&["spectra", "closure", "--configuration", path(configuration), "--window", window, "--json"]);
        serde_json::from_str(&told).unwrap()
    };
    let first = |item: &serde_json::Value| item["name"] == "GI01 right +1";
    let (before, after) = (closure(&drawn), closure(&measured));
    assert!(number(&before, "orders", first, "/wavelength_px") > 1.0, "the drawing is off: {before}");
    for (key, limit) in [("/trace_px", 0.1), ("/wavelength_px", 0.15), ("/sensitivity/0", 0.02)] {
        let value = number(&after, "orders", first, key);
        assert!(value < limit, "{key}: {value}");
    }
    // A faint order follows the first.
    assert!(number(&after, "orders", |item| item["name"] == "GI01 right -2", "/wavelength_px") < 0.5);
    good(&["spectra", "extract", path(&wd), "--configuration", path(&measured), "-q"]);
    let fluxes: serde_json::Value = serde_json::from_str(&good(&["spectra", "closure", path(&wd), "--json"])).unwrap();
    let ratio = number(&fluxes, "fluxes", |item| item["spectra"].as_u64() > Some(0), "/ratio/0");
    // Without the light beyond the profile it was 0.976.
    assert!((ratio - 1.0).abs() < 0.012, "rate over truth {ratio}");
    // One exposure is a stack of itself; solved jointly it has the same light; all of it is found again in the product.
    let (stacked, solved) = (at("stacked.fits"), at("solved.fits"));
    let told = good(&["spectra", "stack", path(&wd), "--out", path(&stacked)]);
    assert!(told.contains("GI: ") && told.contains("of 1 files"), "{told}");
    let joint = ["spectra", "joint", path(&wd), "--configuration", path(&measured), "--out", path(&solved), "-q"];
    let told = good(&[&joint[..], &["--source", "2"]].concat());
    assert!(told.contains("GI: chi2"), "{told}");
    refused(&[&joint[..], &["--source", "777"]].concat(), &["source 777 is not in the catalogue"]);
    let known: Vec<spectroscopy::extraction::stack::Stacked> = spectroscopy::extraction::stack_table::load(&stacked).unwrap();
    let stack = known.iter().find(|s| s.id == 2).unwrap();
    let table = sim_core::fits::read(&solved).unwrap().into_iter().find_map(|hdu| match hdu.data {
        sim_core::fits::Data::Table(table) if hdu.name == "JOINT" => Some(table),
        _ => None,
    });
    let (nm, flux) = table.map(|t| (t.f64s("WAVELENGTH").unwrap(), t.f64s("FLUX").unwrap())).unwrap();
    let mean = |pairs: &mut dyn Iterator<Item = (f64, f64)>| {
        let inner: Vec<f64> = pairs.filter(|(w, f)| *w > 700.0 && *w < 850.0 && f.is_finite()).map(|p| p.1).collect();
        inner.iter().sum::<f64>() / inner.len() as f64
    };
    let ratio = mean(&mut nm.into_iter().zip(flux)) / mean(&mut stack.wavelength_nm.iter().copied().zip(stack.flux.iter().copied()));
    assert!((ratio - 1.0).abs() < 0.05, "joint over stacked {ratio}");
}

#[test]
fn what_spectra_cannot_do_is_said() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("conf");
    refused(&["spectra", "configuration", "--detector", "7", "--out", path(&out)], &["detector 7 is no slitless detector"]);
    refused(&["spectra", "closure"], &["nothing to compare"]);
    refused(&["spectra", "extract", path(folder.path()), "--configuration", path(&out)], &["no level-1 frame of a slitless detector"]);
    refused(&["spectra", "redshift", path(folder.path()), "--out", path(&out)], &["no spectra"]);
    refused(&["spectra", "closure", "--configuration", path(&out)], &["CSST_GI01_left.conf"]);
    refused(&["spectra", "stack", path(folder.path()), "--out", path(&out)], &["no spectra; extract them first"]);
    refused(&["spectra", "direct", path(folder.path()), "--out", path(&out)], &["scenario.toml"]);
    refused(&["spectra", "limits", path(folder.path())], &["--configuration"]);
    let joint = ["spectra", "joint", path(folder.path()), "--configuration", path(&out), "--out", path(&out)];
    refused(&joint, &["--source"]);
    refused(&[&joint[..], &["--source", "1"]].concat(), &["no level-1 frame of a slitless detector"]);
    refused(&[&joint[..], &["--source", "1", "--draws", "9"]].concat(), &["--seed"]);
    refused(&["spectra", "redshift", path(&folder.path().join("none.fits")), "--out", path(&out)], &["no spectra"]);
}
