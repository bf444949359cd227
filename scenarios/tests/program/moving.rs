//! Asteroids and satellites by their orbits, from the scenario to the truth of a frame.

use super::{contents, path, skyloop, text};
use sim_core::fits::{self, Data};
use sim_core::table::{ColumnData, Table};
use std::path::Path;

const SCENARIO: &str = r#"
name = "moving"
seed = 3
instrument = "msc"
with = ["trails"]
scans = "trimmed"

[pointing]
ra_deg = 0.0
dec_deg = 0.0

[[exposure]]
id = 10160000001
start = "2027-09-21T20:00:00"
time_s = 150.0

[[exposure]]
id = 10160000002
start = "2027-09-21T20:03:20"
time_s = 150.0

[[detector]]
number = 8
window = { x0 = 1000, y0 = 1000, nx = 1024, ny = 1024 }

[observer.orbit]
altitude_km = 400.0
inclination_deg = 42.0
node_deg = 30.0
phase_deg = 10.0
epoch = "2027-09-21T00:00:00"

[sky]
model = "none"

[catalog]
kind = "none"

[moving.solar_system]
kind = "synthetic"
scale = 60.0
faint = 24.0

[moving.satellites]
kind = "constellations"
shell = [{ name = "dense", altitude_km = 550.0, inclination_deg = 53.0, planes = 30, per_plane = 30 }]
"#;

fn run(folder: &Path, name: &str, scenario: &str) -> Result<Vec<Table>, String> {
    let file = folder.join(format!("{name}.toml"));
    std::fs::write(&file, scenario).unwrap();
    let out = folder.join(name);
    let made = skyloop(&["-q", "simulate", path(&file), "--out", path(&out)]);
    if !made.status.success() {
        return Err(text(&made.stderr));
    }
    // In the order of the exposures.
    let truths = contents(&out).into_keys().filter(|n| n.ends_with("_truth.fits")).map(|n| fits::read(&out.join(n)).unwrap());
    let table = |hdus: Vec<fits::Hdu>| {
        hdus.into_iter().find_map(|hdu| match hdu.data {
            Data::Table(table) if table.column("DENSITY").is_some() => Some(table),
            _ => None,
        })
    };
    Ok(truths.map(|hdus| table(hdus).unwrap()).collect())
}

fn names(table: &Table) -> Vec<String> {
    match &table.column("NAME").unwrap().data {
        ColumnData::Text(names) => names.clone(),
        other => panic!("{other:?}"),
    }
}

#[test]
fn bodies_go_on_from_exposure_to_exposure() {
    let folder = tempfile::tempdir().unwrap();
    let tables = run(folder.path(), "orbits", SCENARIO).unwrap();
    assert_eq!(tables.len(), 2);
    let (first, second) = (&tables[0], &tables[1]);
    let f64s = |table: &Table, name: &str| table.f64s(name).unwrap().to_vec();
    let (before, after) = (names(first), names(second));
    let mut followed = 0;
    for (k, name) in before.iter().enumerate().filter(|(_, n)| n.starts_with('M')) {
        assert_eq!((f64s(first, "T0")[k], f64s(first, "T1")[k]), (0.0, 150.0));
        let Some(j) = after.iter().position(|n| n == name) else { continue };
        // From the end of the first to the start of the second, 50 s, as far as the rates of both say.
        let gap = (f64s(second, "X0")[j] - f64s(first, "X1")[k]).hypot(f64s(second, "Y0")[j] - f64s(first, "Y1")[k]) * 0.074;
        let rate = 0.5 * (f64s(first, "RATE")[k] + f64s(second, "RATE")[j]);
        assert!((gap / (50.0 * rate) - 1.0).abs() < 0.2, "{name}: {gap} arcsec against {}", 50.0 * rate);
        assert_eq!(f64s(first, "H")[k], f64s(second, "H")[j]);
        followed += 1;
    }
    assert!(followed > 3, "{followed} of {before:?}");
}

#[test]
fn what_moves_needs_its_effect_an_orbit_and_sound_orbits() {
    let folder = tempfile::tempdir().unwrap();
    let wrong = |name: &str, scenario: String, parts: &[&str]| {
        let message = run(folder.path(), name, &scenario).unwrap_err();
        assert!(parts.iter().all(|part| message.contains(part)), "{message}");
    };
    wrong("off", SCENARIO.replace("with = [\"trails\"]", ""), &["[moving]", "with = [\"trails\"]"]);
    wrong(
        "still",
        SCENARIO
            .replace("[observer.orbit]", "[observer]")
            .replace("altitude_km = 400.0\n", "")
            .replace("inclination_deg = 42.0\n", "")
            .replace("node_deg = 30.0\n", "")
            .replace("phase_deg = 10.0\n", "")
            .replace("epoch = \"2027-09-21T00:00:00\"\n", ""),
        &["moving.satellites", "observer.orbit"],
    );
    wrong("typo", SCENARIO.replace("faint = 24.0", "fainter = 24.0"), &["fainter", "faint"]);
    std::fs::write(folder.path().join("orbits.csv"), "a,e,i,node,peri,M,epoch,H\n2.5,1.2,1,2,3,4,60000,15\n").unwrap();
    let file = "kind = \"file\"\npath = \"orbits.csv\"";
    wrong(
        "bad",
        SCENARIO.replace("kind = \"synthetic\"\nscale = 60.0\nfaint = 24.0", file),
        &["orbits.csv: row 1: e = 1.2 is outside 0 to below 1"],
    );
}
