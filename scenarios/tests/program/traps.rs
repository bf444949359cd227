//! Charge traps from injected and pumped charge: the built-in scenario `traps`.

use super::{path, skyloop, text};
use sim_core::fits::{self, Data, Hdu};
use sim_core::table::Table;
use std::path::Path;

fn table(units: &[Hdu], name: &str) -> Table {
    let unit = units.iter().find(|u| u.name == name).unwrap_or_else(|| panic!("no {name}"));
    let Data::Table(table) = &unit.data else { panic!("{name} is no table") };
    table.clone()
}

fn texts(table: &Table, column: &str) -> Vec<String> {
    let found = table.columns.iter().find(|c| c.name == column).unwrap();
    let sim_core::table::ColumnData::Text(values) = &found.data else { panic!("{column} is no text") };
    values.iter().map(|v| v.trim().to_string()).collect()
}

fn reference(folder: &Path) -> Vec<Hdu> {
    let masters = scenarios::folder::Folder::fits_files(&folder.join("calibration/masters"));
    fits::read(masters.iter().find(|f| f.to_string_lossy().contains("MTRAP")).unwrap()).unwrap()
}

#[test]
fn injected_and_pumped_charge_go_round_the_loop() {
    let folder = tempfile::tempdir().unwrap();
    let out = skyloop(&["simulate", "traps", "--out", path(folder.path())]);
    assert!(out.status.success(), "{}", text(&out.stderr));
    let raw = scenarios::folder::Folder::fits_files(&folder.path().join("calibration/L0"));
    let of = |kind: &str| raw.iter().filter(|f| f.to_string_lossy().contains(kind)).collect::<Vec<_>>();
    assert_eq!((of("_CINJ_").len(), of("_PUMP_").len()), (3, 14));
    let header = fits::read(of("_PUMP_")[0]).unwrap().remove(0).header;
    assert_eq!((header.f64("INJLEVEL"), header.i64("PUMPCYC"), header.f64("PUMPTIME")), (Some(400.0), Some(400), Some(0.0015)));
    assert_eq!(header.f64("EXPTIME"), Some(400.0 * 6.0 * 0.0015));

    let out = skyloop(&["reduce", path(folder.path()), "--explain"]);
    assert!(out.status.success(), "{}", text(&out.stderr));
    let said = text(&out.stdout);
    for word in ["MTRAP", "CHI2PAR=", "EPERPAR=", "CINJPAR=", "PUMPPAR=", "FPRSER=", "HOTPAR=-9999"] {
        assert!(said.contains(word), "no {word} in {said}");
    }
    let closure = scenarios::folder::Folder::fits_files(&folder.path().join("calibration/L1"));
    assert!(closure.iter().all(|f| !f.to_string_lossy().contains("_CINJ_") && !f.to_string_lossy().contains("_PUMP_")), "{closure:?}");
    let units = reference(folder.path());
    let evidence = table(&units, "EVIDENCE");
    let (kinds, skipped) = (texts(&evidence, "EVIDENCE"), texts(&evidence, "SKIPPED"));
    assert_eq!(kinds.len(), 7, "{kinds:?}");
    for (kind, skipped) in kinds.iter().zip(&skipped).filter(|(kind, _)| ["CINJ", "PUMP", "EPER"].contains(&kind.as_str())) {
        assert_eq!(skipped, "", "{kind}");
    }
    let hot = kinds.iter().position(|k| k == "HOTPIX").unwrap();
    assert!(skipped[hot].len() > 10, "the reason for no hot pixels: {:?}", skipped[hot]);
    // The device's own: 0.74, 7.7, 37 transfers, 3.6 traps in a pixel; as many days after the reference date as make 0.03 per cent.
    let pumped = table(&units, "PUMPED");
    let release = pumped.f64s("RELEASE").unwrap();
    assert_eq!(release.len(), 3);
    for (found, want) in release.iter().zip([0.74, 7.7, 37.0]) {
        assert!((found / want - 1.0).abs() < 0.25, "{release:?}");
    }
    let dipoles = table(&units, "DIPOLES");
    let sim_core::table::ColumnData::I32(counts) = &dipoles.columns[1].data else { panic!("counts") };
    let centres = dipoles.f64s("RELEASE").unwrap();
    let around = |release: f64| {
        let near = |c: f64| (0.7..1.43).contains(&(c / release));
        centres.iter().zip(counts).filter(|(c, _)| near(**c)).map(|(_, n)| n).sum::<i32>()
    };
    for release in [0.74, 7.7, 37.0] {
        assert!(around(release) > 100, "{release}: {counts:?}");
    }
    assert!(around(2.2) < around(7.7) / 4, "nothing between the species: {counts:?}");
    let parallel = table(&units, "PARALLEL");
    let density: f64 = parallel.f64s("DENSITY").unwrap().iter().sum();
    assert!((density / 3.6 - 1.0).abs() < 0.15, "{density} traps in a pixel");
    let level1 = scenarios::folder::Folder::fits_files(&folder.path().join("L1"));
    let image = fits::read(level1.iter().find(|f| f.to_string_lossy().contains("_img")).unwrap()).unwrap().remove(1);
    assert_eq!(image.header.i64("STA_CTE"), Some(0), "charge transfer undone");
}

#[test]
fn impossible_injection_and_pumping_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let base = scenarios::scenario::built_in("traps").unwrap();
    for (from, to, words) in [
        ("cycles = 400", "cycles = 0", &["calibration.trap_pumping.cycles", "= 0", "1..100000"][..]),
        ("phase_times_s = [0.0015,", "phase_times_s = [0.0,", &["calibration.trap_pumping.phase_times_s", "= 0", "s"]),
        ("rows = 20, gap", "rows = 0, gap", &["calibration.charge_injection.rows", "= 0", "1..2000"]),
        ("level_electron = [500.0,", "level_electron = [-5.0,", &["calibration.charge_injection.level_electron", "-5"]),
        ("level_electron = [500.0,", "level_electron = [500000.0,", &["charge_injection.level_electron", "500000", "full well"]),
        ("cycles = 400", "cycle = 400", &["cycle", "did you mean `cycles`"]),
    ] {
        assert!(base.contains(from), "{from}");
        let file = folder.path().join("broken.toml");
        std::fs::write(&file, base.replace(from, to)).unwrap();
        let out = folder.path().join("out");
        let done = skyloop(&["simulate", path(&file), "--out", path(&out)]);
        let message = text(&done.stderr);
        assert_eq!(done.status.code(), Some(2), "{to}: {message}");
        for word in words {
            assert!(message.contains(word), "{to}: no {word:?} in {message}");
        }
        let _ = std::fs::remove_dir_all(&out);
    }
}
