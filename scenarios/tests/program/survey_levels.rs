//! What becomes of a survey's frames: level 1 made in the same units, and images packed for archives.

use super::survey::{ends, testbench};
use super::{contents, path, skyloop, text};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// Products of a level with their bytes, without records.
fn level(folder: &Path, level: &str) -> BTreeMap<String, Vec<u8>> {
    let of_level = |name: &str| name.starts_with(level) && name.ends_with(".fits");
    contents(folder).into_iter().filter(|(name, _)| of_level(name)).collect()
}

/// The survey of the testbench with more lines in its file, under another name.
fn with(folder: &Path, name: &str, more: &str) -> String {
    let survey = std::fs::read_to_string(testbench(folder, 7)).unwrap();
    let file = folder.join(name);
    std::fs::write(&file, survey + more).unwrap();
    path(&file).to_string()
}

/// Masters of the testbench, in `cal` beside the survey.
fn masters(folder: &Path) -> PathBuf {
    let cal = folder.join("cal");
    for command in [&["--quiet", "simulate", "smoke", "--out", path(&cal)][..], &["--quiet", "reduce", path(&cal)]] {
        let out = skyloop(command);
        assert!(out.status.success(), "{}", text(&out.stderr));
    }
    cal.join("calibration/masters")
}

#[test]
fn units_are_reduced_when_they_are_made_and_only_what_is_asked_for_is_kept() {
    let files = tempfile::tempdir().unwrap();
    let masters = masters(files.path());
    let both = with(files.path(), "both.toml", "[reduce]\nmasters = \"cal\"\n");
    let alone = with(files.path(), "alone.toml", "[reduce]\nmasters = \"cal\"\nkeep = [\"L1\"]\n");
    let [all, killed, plain] = [0; 3].map(|_| tempfile::tempdir().unwrap());
    ends(&["plan", &both, "--out", path(all.path())], 0);
    ends(&["run", path(all.path())], 0);
    let expected = level(all.path(), "L1/");
    assert_eq!((expected.len(), level(all.path(), "L0/").len()), (36, 12), "image, weight and flags of every frame");
    // The same as a reduction of the raw frames afterwards.
    for (name, bytes) in level(all.path(), "L0/") {
        std::fs::create_dir_all(plain.path().join("L0")).unwrap();
        std::fs::write(plain.path().join(name), bytes).unwrap();
    }
    ends(&["--quiet", "reduce", path(plain.path()), "--masters", path(&masters)], 0);
    assert!(level(plain.path(), "L1/") == expected);
    // Level 1 alone, killed with a record there, and resumed.
    ends(&["plan", &alone, "--out", path(killed.path())], 0);
    let mut child = Command::new(env!("CARGO_BIN_EXE_skyloop"))
        .args(["-j", "1", "run", path(killed.path())])
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let records = || contents(killed.path()).into_keys().filter(|name| name.ends_with(".manifest.json")).count();
    while child.try_wait().unwrap().is_none() && records() == 0 {
        std::thread::sleep(std::time::Duration::from_millis(2));
    }
    let _ = child.kill();
    child.wait().unwrap();
    let there = level(killed.path(), "L1/");
    assert!(there.iter().all(|(name, bytes)| expected[name] == *bytes), "what is there is whole");
    ends(&["run", path(killed.path())], 0);
    assert!(level(killed.path(), "L1/") == expected && level(killed.path(), "L0").is_empty());
    let said = ends(&["verify", path(killed.path())], 0);
    assert!(said.contains("12 units whole (60 products as recorded), 0 not"), "image, weight, flags, truth, ledger: {said}");
    ends(&["status", path(killed.path())], 0);
    // A record of level 1 alone makes its products again.
    let record = contents(killed.path()).into_keys().find(|name| name.ends_with(".manifest.json")).unwrap();
    let again = tempfile::tempdir().unwrap();
    let said = ends(&["remake", path(&killed.path().join(record)), "--out", path(again.path())], 0);
    assert!(said.matches("identical L1/").count() == 3 && !said.contains("DIFFERENT"), "{said}");
    // Products of another choice are never left beside these.
    assert!(ends(&["plan", &both, "--out", path(killed.path())], 3).contains("reduce.keep"));
}

#[test]
fn references_are_in_the_key_and_looked_for_before_a_unit_is_begun() {
    let (files, run) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let masters = masters(files.path());
    let survey = with(files.path(), "reduced.toml", "[reduce]\nmasters = \"cal\"\n");
    for (more, expected) in [
        ("[reduce]\nmasters = \"nowhere\"\n", "index.csv"),
        ("[reduce]\nmasters = \"cal\"\nkeep = [\"L0\"]\n", "reduce.keep"),
        ("[reduce]\nmasters = \"cal\"\nkeep = [\"L2\"]\n", "L0"),
        ("[reduce]\nmasters = \"cal\"\ncosmic_rays = \"magic\"\n", "classical"),
        ("[reduce]\nmasters = \"cal\"\nwithout = [\"magic\"]\n", "no effect `magic`"),
        ("compress = \"zip\"\n", "rice"),
    ] {
        let said = ends(&["plan", &with(files.path(), "wrong.toml", more), "--estimate"], 3);
        assert!(said.contains(expected), "{more}: {said}");
    }
    ends(&["plan", &survey, "--out", path(run.path()), "--chunks", "2"], 0);
    let flat = std::fs::read_dir(&masters).unwrap().flatten().map(|e| e.path());
    let flat = flat.into_iter().find(|p| p.to_string_lossy().contains("_MFLAT_") && p.extension().is_some_and(|e| e == "fits")).unwrap();
    let bytes = std::fs::read(&flat).unwrap();
    // Not there: bad input, and nothing is begun.
    std::fs::remove_file(&flat).unwrap();
    assert!(ends(&["run", path(run.path())], 3).contains("_MFLAT_"));
    assert!(!run.path().join("journal").exists());
    // Of other dates: the same.
    std::fs::write(&flat, &bytes).unwrap();
    let index = masters.join("index.csv");
    let table = std::fs::read_to_string(&index).unwrap();
    std::fs::write(&index, table.replace("2028-06-25", "2027-06-25")).unwrap();
    let said = ends(&["run", path(run.path())], 3);
    assert!(said.contains("MBIAS") && !run.path().join("journal").exists(), "{said}");
    // Other bytes than the index says: the units that need it fail for their input.
    std::fs::write(&index, &table).unwrap();
    std::fs::write(&flat, [bytes.as_slice(), &[0; 2880]].concat()).unwrap();
    let said = ends(&["run", path(run.path())], 3);
    assert!(said.contains("\"class\":\"input\"") && said.contains("index.csv"), "{said}");
    std::fs::write(&flat, &bytes).unwrap();
    ends(&["run", path(run.path())], 0);
    // Made with another reference: another key.
    let line = table.lines().find(|line| line.starts_with("MFLAT")).unwrap();
    let hash = line.split(',').find(|field| field.len() == 64).unwrap();
    std::fs::write(&index, table.replace(hash, &"0".repeat(64))).unwrap();
    ends(&["plan", &survey, "--out", path(run.path())], 0);
    assert!(ends(&["status", path(run.path())], 1).contains("stale 12"));
}

#[test]
fn packed_frames_hold_the_same_and_are_read_by_every_command() {
    let files = tempfile::tempdir().unwrap();
    let smoke = include_str!("../../data/smoke.toml");
    let scenario = files.path().join("packed.toml");
    std::fs::write(&scenario, smoke.replace("scans = \"full\"\n", "scans = \"full\"\ncompress = \"rice\"\n")).unwrap();
    let folders = [("smoke", tempfile::tempdir().unwrap()), (path(&scenario), tempfile::tempdir().unwrap())];
    for (name, folder) in &folders {
        ends(&["--quiet", "simulate", name, "--out", path(folder.path())], 0);
        ends(&["--quiet", "reduce", path(folder.path())], 0);
        ends(&["--quiet", "validate", path(folder.path())], 0);
        ends(&["verify", path(folder.path())], 0);
    }
    let [(_, plain), (_, packed)] = &folders;
    for sub in ["L0/", "L1/", "calibration/L0/", "calibration/masters/", "calibration/L1/"] {
        let (a, b) = (level(plain.path(), sub), level(packed.path(), sub));
        assert!(!a.is_empty() && a.keys().eq(b.keys()), "{sub}");
        for name in a.keys() {
            // Unpacked and written as it is, a file is the other one.
            let unpacked = files.path().join("unpacked.fits");
            sim_core::fits::write(&unpacked, &sim_core::fits::read(&packed.path().join(name)).unwrap()).unwrap();
            assert!(std::fs::read(&unpacked).unwrap() == a[name], "{name}");
        }
        let size = |files: &BTreeMap<String, Vec<u8>>| files.values().map(Vec::len).sum::<usize>() as f64;
        let ratio = size(&b) / size(&a);
        // Headers are a fifth of such a small frame.
        assert!(!sub.ends_with("L0/") || ratio < 0.8, "{sub}: {ratio}");
    }
    // A survey says it in its own file, beside a reduction.
    masters(files.path());
    let survey = with(files.path(), "archive.toml", "compress = \"rice\"\n[reduce]\nmasters = \"cal\"\n");
    let run = tempfile::tempdir().unwrap();
    ends(&["plan", &survey, "--exposures", "1", "--out", path(run.path())], 0);
    ends(&["run", path(run.path())], 0);
    let files: BTreeMap<String, Vec<u8>> = level(run.path(), "L0/").into_iter().chain(level(run.path(), "L1/")).collect();
    let is_packed = |bytes: &[u8]| bytes.windows(6).any(|w| w == b"RICE_1");
    let packed: Vec<&String> = files.iter().filter(|(_, bytes)| is_packed(bytes)).map(|(name, _)| name).collect();
    assert!(packed.len() == 2 && packed.iter().all(|n| n.starts_with("L0/") || n.contains("_flg_")), "{packed:?}");
}
