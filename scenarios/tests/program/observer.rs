//! A moving observer: sources move by its aberration, and the header's world coordinates lead back to the catalogue.

use super::{contents, path, skyloop, text};
use instruments::product::level0::read_level0_info;
use sim_core::fits::{self, Data};
use std::path::{Path, PathBuf};

const SCENARIO: &str = r#"
name = "observer"
description = "a corner of the field"
seed = 3
instrument = "msc"
throughput = "curves"
scans = "trimmed"
# OBSERVER

[pointing]
ra_deg = 95.0
dec_deg = -30.0

[[exposure]]
id = 10160000003
start = "2027-12-26T20:35:58"
time_s = 150.0

[[detector]]
number = 25
window = { x0 = 512, y0 = 8192, nx = 512, ny = 512 }

[sky]
model = "none"

[catalog]
kind = "synthetic"

[catalog.field.stars]
scale = 300.0
bright = 14.0
faint = 20.0
# The header knows where stars are at the catalogue's epoch.
motion = false

[catalog.field.galaxies]
scale = 0.0
"#;

const OBSERVER: &str = r#"
[observer.orbit]
altitude_km = 400.0
inclination_deg = 41.5
node_deg = 20.0
phase_deg = 0.0
epoch = "2027-12-26T00:00:00"
"#;

/// Truth (id, ra, dec, x, y), and where the header of the raw frame puts the catalogue's places.
type Place = (i64, [f64; 2], [f64; 2]);

fn places(folder: &Path, name: &str, scenario: &str) -> (Vec<Place>, Option<f64>) {
    let file = folder.join(format!("{name}.toml"));
    std::fs::write(&file, scenario).unwrap();
    let out = folder.join(name);
    let made = skyloop(&["-q", "simulate", path(&file), "--out", path(&out)]);
    assert!(made.status.success(), "{}", text(&made.stderr));
    let files: Vec<PathBuf> = contents(&out).into_keys().map(|n| out.join(n)).collect();
    let ends = |end: &str| files.iter().find(|f| f.to_string_lossy().ends_with(end)).unwrap().clone();
    let raw = files.iter().find(|f| f.parent().unwrap().ends_with("L0") && f.extension().is_some_and(|e| e == "fits")).unwrap();
    let info = read_level0_info(raw).unwrap();
    let table = fits::read(&ends("_truth.fits")).unwrap().into_iter().find_map(|hdu| match hdu.data {
        Data::Table(table) if table.column("ELECTRONS").is_some() => Some(table),
        _ => None,
    });
    let table = table.unwrap();
    let column = |name: &str| table.f64s(name).unwrap();
    let (id, ra, dec, x, y) = (column("OBJ_ID"), column("RA"), column("DEC"), column("X"), column("Y"));
    let place = |k: usize| {
        let (u, v) = info.wcs.pixel_from_sky(ra[k], dec[k]).unwrap();
        // The file is of the window, truth of the detector.
        (id[k] as i64, [x[k] - info.window.x0 as f64, y[k] - info.window.y0 as f64], [u, v])
    };
    ((0..id.len()).map(place).collect(), info.primary.f64("VAFACTOR"))
}

fn apart(a: [f64; 2], b: [f64; 2]) -> f64 {
    (a[0] - b[0]).hypot(a[1] - b[1])
}

#[test]
fn stars_of_a_corner_move_by_pixels_and_the_header_follows() {
    let folder = tempfile::tempdir().unwrap();
    let (still, none) = places(folder.path(), "still", SCENARIO);
    let (moving, factor) = places(folder.path(), "moving", &SCENARIO.replace("# OBSERVER", OBSERVER));
    assert!(none.is_none() && still.len() > 10, "{none:?} {}", still.len());
    for (id, truth, header) in &still {
        assert!(apart(*truth, *header) < 1e-4, "{id}: {truth:?} {header:?}");
    }
    let factor = factor.unwrap();
    assert!((factor - 1.0).abs() < 1.1e-4 && factor != 1.0, "{factor}");
    let mut compared = 0;
    for (id, truth, header) in &moving {
        let off = apart(*truth, *header);
        // A corner is 0.6 deg away: 1e-4 (0.01 rad)^2 is 1 mas, a hundredth of a pixel.
        assert!(off < 0.03, "{id}: the header misses by {off} pixels");
        if let Some((_, before, _)) = still.iter().find(|(other, ..)| other == id) {
            let moved = apart(*truth, *before);
            // Scale of the field times the distance from the boresight, 0.6 deg in pixels of 0.074 arcsec.
            let distance_px = 0.62 * 3600.0 / 0.074;
            assert!(moved > 0.4 * (factor - 1.0).abs() * distance_px && moved < 1.1e-4 * distance_px, "{id} moved by {moved} pixels");
            compared += 1;
        }
    }
    assert!(compared > 10, "{compared}");
}

#[test]
fn an_orbit_below_the_ground_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("low.toml");
    std::fs::write(&file, SCENARIO.replace("# OBSERVER", &OBSERVER.replace("400.0", "40.0"))).unwrap();
    let out = skyloop(&["simulate", path(&file), "--out", path(&folder.path().join("out"))]);
    let message = text(&out.stderr);
    assert!(out.status.code() == Some(2) && message.contains("observer.orbit.altitude_km") && message.contains("150"), "{message}");
}
