//! A survey from its plan to its database, with kills, changes and a full disk between.

use super::{contents, path, skyloop, text};
use std::collections::BTreeMap;
use std::path::Path;
use std::process::{Command, Output, Stdio};

/// Products with their bytes: what does not depend on when and where it was made.
fn products(folder: &Path) -> BTreeMap<String, Vec<u8>> {
    contents(folder)
        .into_iter()
        .filter(|(name, _)| (name.starts_with("L0/") || name.starts_with("truth/")) && !name.ends_with(".part"))
        .collect()
}

pub fn code(out: &Output) -> i32 {
    out.status.code().unwrap_or(-1)
}

/// Says what the program said unless it ended as it should.
pub fn ends(args: &[&str], expected: i32) -> String {
    let out = skyloop(args);
    assert_eq!(code(&out), expected, "{args:?}: {}{}", text(&out.stdout), text(&out.stderr));
    text(&out.stdout) + &text(&out.stderr)
}

/// A survey of the testbench: twelve exposures of one detector, in a folder of its own.
pub fn testbench(folder: &Path, seed: u32) -> String {
    let scenario = include_str!("../../data/smoke.toml").replace("seed = 7", &format!("seed = {seed}"));
    std::fs::write(folder.join("sky.toml"), scenario).unwrap();
    let rows: String =
        (0..12).map(|k| format!("{},150.1,2.{k:02},180.0,{},150.0,test,1\n", 10_000_000_101_u64 + k, 61_582.0 + 0.01 * k as f64)).collect();
    std::fs::write(
        folder.join("pointings.csv"),
        format!("obs_id,ra_deg,dec_deg,position_angle_deg,start_mjd,exposure_s,programme,visit\n{rows}"),
    )
    .unwrap();
    let file = folder.join("survey.toml");
    std::fs::write(&file, "name = \"bench\"\nscenario = \"sky.toml\"\npointings = \"pointings.csv\"\n").unwrap();
    path(&file).to_string()
}

#[test]
fn a_survey_is_planned_run_killed_resumed_verified_and_collected() {
    let (folder, files) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let survey = testbench(files.path(), 7);
    let calm = tempfile::tempdir().unwrap();
    for out in [&calm, &folder] {
        let said = ends(&["plan", &survey, "--out", path(out.path()), "--chunks", "3", "--estimate"], 0);
        assert!(said.contains("12 units in 3 chunks") && said.contains("core-hours"), "{said}");
    }
    ends(&["status", path(calm.path())], 4);
    ends(&["run", path(calm.path())], 0);
    let expected = products(calm.path());
    assert_eq!(expected.len(), 12 * 4, "raw frame, record, truth, ledger");
    // Killed after the first record.
    let mut child = Command::new(env!("CARGO_BIN_EXE_skyloop"))
        .args(["-j", "1", "run", path(folder.path())])
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    while child.try_wait().unwrap().is_none() && !products(folder.path()).keys().any(|name| name.ends_with(".manifest.json")) {
        std::thread::sleep(std::time::Duration::from_millis(2));
    }
    let _ = child.kill();
    child.wait().unwrap();
    for (name, bytes) in products(folder.path()) {
        assert!(expected[&name] == bytes, "{name} is not whole");
    }
    let again = ends(&["-j", "2", "run", path(folder.path())], 0);
    assert!(again.lines().any(|l| l.contains("\"event\":\"kept\"")) && again.contains("\"exit\":0"), "{again}");
    assert!(products(folder.path()) == expected);
    ends(&["clean", path(folder.path())], 0);
    assert!(contents(folder.path()).keys().all(|name| !name.ends_with(".part")));
    let said = ends(&["verify", path(folder.path())], 0);
    assert!(said.contains("12 units whole (36 products as recorded), 0 not"), "{said}");
    assert!(ends(&["status", path(folder.path())], 0).contains("complete"));
    let (db, table) = (folder.path().join("a.sqlite"), folder.path().join("a.parquet"));
    let said = ends(&["collect", path(folder.path()), "--database", path(&db), "--parquet", path(&table)], 0);
    assert!(said.contains("12 units and") && db.is_file() && table.is_file(), "{said}");
    // A product that changed on disk is noticed, and made again.
    let raw = expected.keys().find(|name| name.ends_with("_L0_V01.fits")).unwrap();
    std::fs::write(folder.path().join(raw), b"half").unwrap();
    assert!(ends(&["verify", path(folder.path())], 1).contains(raw.as_str()));
    ends(&["run", path(folder.path())], 0);
    assert!(products(folder.path()) == expected);
}

#[test]
fn chunks_are_those_of_the_batch_system_and_changes_are_never_mixed_in() {
    let (folder, files) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let survey = testbench(files.path(), 7);
    let out = path(folder.path());
    ends(&["plan", &survey, "--out", out, "--chunks", "4"], 0);
    let element = |index: &str| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_skyloop"));
        command.env_remove("HQ_TASK_ID").env("SLURM_ARRAY_TASK_ID", index);
        code(&command.args(["--quiet", "run", out, "--chunk", "env"]).output().unwrap())
    };
    assert_eq!((element("1"), element("9"), element("x")), (0, 2, 2));
    let status: serde_json::Value = serde_json::from_str(&ends(&["status", out, "--json"], 4)).unwrap();
    assert_eq!((&status["done"], &status["missing"], &status["chunks_done"]), (&3.into(), &9.into(), &1.into()));
    let said = ends(&["retry", out, "--chunks", "2"], 0);
    assert!(said.contains("9 units to make again, in 2 chunks"), "{said}");
    ends(&["run", out, "--retry", "--chunk", "0"], 0);
    ends(&["run", out, "--retry", "--chunk", "1"], 0);
    assert!(ends(&["retry", out], 0).contains("0 units to make again"));
    let before = products(folder.path());
    // Another seed: all is stale, and stays until it is asked for.
    testbench(files.path(), 8);
    ends(&["plan", &survey, "--out", out], 0);
    assert!(ends(&["status", out], 1).contains("stale 12"));
    assert!(ends(&["run", out], 3).contains("--rerun-stale"));
    assert!(products(folder.path()) == before);
    ends(&["run", out, "--rerun-stale"], 0);
    let after = products(folder.path());
    assert!(after.keys().eq(before.keys()) && after.iter().filter(|(name, bytes)| before[*name] != **bytes).count() >= 24);
    // What was planned is not what the folder says any more: bad input, nothing is made.
    let resolved = folder.path().join("survey.toml");
    let changed = std::fs::read_to_string(&resolved).unwrap().replace("seed = 8", "seed = 9");
    std::fs::write(&resolved, changed).unwrap();
    std::fs::remove_dir_all(folder.path().join("L0")).unwrap();
    assert!(ends(&["run", out], 3).contains("plan again"));
    assert!(ends(&["status", out], 1).contains("12 x input"));
}

#[test]
fn a_full_disk_stops_a_run_cleanly() {
    let (folder, files) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let survey = testbench(files.path(), 7);
    ends(&["plan", &survey, "--out", path(folder.path())], 0);
    // Raw frames of 72 kB fit, the truth of 150 kB does not. The signal of the limit is ignored: writing fails as on a full disk.
    let out = Command::new("sh")
        .args(["-c", "trap '' XFSZ; ulimit -f 200; exec \"$0\" \"$@\"", env!("CARGO_BIN_EXE_skyloop"), "-j", "1", "run"])
        .arg(folder.path())
        .output()
        .unwrap();
    let said = text(&out.stdout) + &text(&out.stderr);
    assert_eq!(code(&out), 1, "{said}");
    assert!(said.contains("\"class\":\"storage\"") && said.contains("_truth.fits") && said.contains("\"left\":11"), "{said}");
    assert!(contents(folder.path()).keys().all(|name| !name.ends_with(".part") && !name.ends_with("_truth.fits")));
    ends(&["run", path(folder.path())], 0);
}

#[test]
fn tables_of_pointings_that_cannot_be_used_are_named_with_row_and_column() {
    let folder = tempfile::tempdir().unwrap();
    let survey = testbench(folder.path(), 7);
    let table = folder.path().join("pointings.csv");
    let good = std::fs::read_to_string(&table).unwrap();
    for (from, to, expected) in [
        ("10000000103,150.1", "10000000103,370.1", "row 3: ra_deg = 370.1 is outside 0..360"),
        ("10000000103,", "10000000102,", "row 3: obs_id = 10000000102 is that of row 2 too"),
        ("10000000104,150.1", "10000000104,east", "row 4: ra_deg = "),
        ("exposure_s", "seconds", "no column `exposure_s`"),
    ] {
        std::fs::write(&table, good.replace(from, to)).unwrap();
        let said = ends(&["plan", &survey, "--estimate"], 3);
        assert!(said.contains("pointings.csv") && said.contains(expected), "{expected}: {said}");
    }
    let run = folder.path().join("nothing");
    assert!(ends(&["run", path(&run)], 3).contains("skyloop plan"));
    assert_eq!(code(&skyloop(&["plan", &survey])), 2);
}

#[test]
fn a_run_is_not_planned_anew_for_another_store() {
    let (files, run) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let survey = testbench(files.path(), 7);
    ends(&["plan", &survey, "--out", path(run.path()), "--store", "s3://skyloop/wide"], 0);
    let before = contents(run.path());
    let other = testbench(files.path(), 8);
    let said = ends(&["plan", &other, "--out", path(run.path()), "--store", "s3://skyloop/deep"], 2);
    assert!(said.contains("s3://skyloop/wide") && said.contains("s3://skyloop/deep"), "{said}");
    assert!(contents(run.path()) == before, "nothing was written");
}

/// Units of a survey are those of `simulate`, also on the survey camera.
#[test]
fn a_survey_of_cut_outs_has_the_bits_of_the_scenario() {
    let (run, scenario) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    ends(&["plan", "cutout", "--out", path(run.path())], 0);
    ends(&["run", path(run.path())], 0);
    ends(&["--quiet", "simulate", "cutouts", "--out", path(scenario.path())], 0);
    let science = |folder: &Path| -> BTreeMap<String, Vec<u8>> {
        products(folder).into_iter().filter(|(name, _)| !name.ends_with(".json")).collect()
    };
    let (survey, alone) = (science(run.path()), science(scenario.path()));
    assert_eq!(survey.len(), 6, "{:?}", survey.keys());
    assert!(survey == alone, "{:?} {:?}", survey.keys(), alone.keys());
}
