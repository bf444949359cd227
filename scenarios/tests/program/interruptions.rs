//! What happens when the disk is full or the run is killed: a clear message, whole files or none, and a second run that
//! completes the first to the same bits.

use super::{contents, path, skyloop, text};
use std::collections::BTreeMap;
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};

/// Files that have their names: what a killed process was writing ends in `.part`.
fn whole(folder: &Path) -> BTreeMap<String, Vec<u8>> {
    contents(folder).into_iter().filter(|(name, _)| !name.ends_with(".part")).collect()
}

fn simulated() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let out = skyloop(&["simulate", "smoke", "--out", path(folder.path())]);
    assert!(out.status.success(), "{}", text(&out.stderr));
    folder
}

/// Runs the program where no file may grow above `blocks` of 512 bytes (the unit of POSIX). The signal that the
/// system sends by default is ignored, so that writing fails as it does on a full disk.
fn with_small_files(blocks: usize, args: &[&str]) -> Output {
    Command::new("sh")
        .args(["-c", &format!("trap '' XFSZ; ulimit -f {blocks}; exec \"$0\" \"$@\""), env!("CARGO_BIN_EXE_skyloop")])
        .args(args)
        .output()
        .unwrap()
}

#[test]
fn a_disk_that_fills_up_is_named_and_leaves_finished_units_and_no_half_files() {
    let expected = whole(simulated().path());
    let size = |end: &str| expected.iter().filter(|(name, _)| name.ends_with(end)).map(|(_, bytes)| bytes.len()).max().unwrap();
    // Between a raw frame (72 kB) and the truth (about 150 kB).
    let blocks = size("L0_V01.fits") / 512 + 8;
    assert!(blocks * 512 < size("truth.fits"), "the scenario fits the test");
    let folder = tempfile::tempdir().unwrap();
    let out = with_small_files(blocks, &["simulate", "smoke", "--out", path(folder.path())]);
    let message = text(&out.stderr);
    assert_eq!(out.status.code(), Some(2), "{message}");
    assert!(message.contains("_truth.fits") && message.contains("too large"), "{message}");
    let made = contents(folder.path());
    assert!(made.keys().all(|name| !name.ends_with(".part") && !name.ends_with("_truth.fits")), "{:?}", made.keys());
    for (name, bytes) in &made {
        assert!(expected[name] == *bytes, "{name} is not whole");
    }
    // 20 calibration units are finished; the science unit is not, so it has no manifest.
    let manifests: Vec<&String> = made.keys().filter(|n| n.ends_with(".manifest.json")).collect();
    assert!(manifests.len() == 20 && manifests.iter().all(|n| n.starts_with("calibration/")), "{manifests:?}");
    let again = skyloop(&["simulate", "smoke", "--out", path(folder.path())]);
    assert!(text(&again.stdout).starts_with("1 units made, 20 kept"), "{}", text(&again.stdout));
    assert!(whole(folder.path()) == expected);
}

#[test]
fn a_disk_that_fills_up_stops_the_reduction_with_the_name_of_the_file() {
    let folder = simulated();
    let before = contents(folder.path());
    let out = with_small_files(40, &["reduce", path(folder.path())]);
    let message = text(&out.stderr);
    assert_eq!(out.status.code(), Some(2), "{message}");
    assert!(message.contains("MBIAS") && message.contains(".fits") && message.contains("too large"), "{message}");
    assert!(contents(folder.path()) == before, "nothing was left behind");
}

#[test]
fn a_disk_that_fills_up_leaves_no_half_image_of_one_effect() {
    let folder = tempfile::tempdir().unwrap();
    let (input, output) = (folder.path().join("in.fits"), folder.path().join("out.fits"));
    let image = sim_core::fits::Data::F32(ndarray::Array2::from_elem((128, 192), 100.0));
    sim_core::fits::write(&input, &[sim_core::fits::Hdu::new("", sim_core::fits::Header::default(), image)]).unwrap();
    let out = with_small_files(16, &["apply", "flat", path(&input), "--out", path(&output), "--instrument", "testbench"]);
    assert_eq!(out.status.code(), Some(2));
    assert!(text(&out.stderr).contains("out.fits") && text(&out.stderr).contains("too large"), "{}", text(&out.stderr));
    assert_eq!(contents(folder.path()).into_keys().collect::<Vec<_>>(), ["in.fits"]);
}

/// Starts `command`, sends it `signal` as soon as `begun` and says whether that killed it (it may have been done).
fn killed(mut child: Child, signal: i32, begun: impl Fn() -> bool) -> bool {
    while !begun() && child.try_wait().unwrap().is_none() {
        std::thread::sleep(std::time::Duration::from_millis(1));
    }
    let _ = Command::new("kill").args([format!("-{signal}"), child.id().to_string()]).stderr(Stdio::null()).status().unwrap();
    child.wait().unwrap().signal() == Some(signal)
}

fn start(args: &[&str]) -> Child {
    Command::new(env!("CARGO_BIN_EXE_skyloop")).args(args).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap()
}

/// Whether a whole file with `part` in its name is in the folder. It has to be quick: the run that is to be killed goes on.
fn is_there(folder: &Path, part: &str) -> bool {
    let Ok(entries) = std::fs::read_dir(folder) else { return false };
    entries.flatten().any(|entry| {
        let name = entry.file_name().to_string_lossy().into_owned();
        if entry.path().is_dir() { is_there(&entry.path(), part) } else { name.contains(part) && !name.ends_with(".part") }
    })
}

/// Kills runs into fresh folders until one was killed in the middle; the folder of that one.
fn interrupted(signal: i32, prepare: impl Fn(&Path), args: &dyn Fn(&Path) -> Vec<String>, first: &str) -> tempfile::TempDir {
    for _ in 0..50 {
        let folder = tempfile::tempdir().unwrap();
        prepare(folder.path());
        let args = args(folder.path());
        let child = start(&args.iter().map(String::as_str).collect::<Vec<_>>());
        if killed(child, signal, || is_there(folder.path(), first)) {
            return folder;
        }
    }
    panic!("the program was always done before the signal came");
}

#[test]
fn a_killed_run_is_completed_by_the_next_to_the_same_bits() {
    // Of many frames, so that the signal finds it running on a busy machine too.
    let scenario = tempfile::tempdir().unwrap();
    let file = scenario.path().join("many.toml");
    let many = include_str!("../../data/smoke.toml").replace("bias = 5", "bias = 150").replace("dark = 5", "dark = 150");
    std::fs::write(&file, many).unwrap();
    let units = 150 + 150 + 5 + 5 + 1;
    let complete = tempfile::tempdir().unwrap();
    assert!(skyloop(&["simulate", path(&file), "--out", path(complete.path())]).status.success());
    let expected = whole(complete.path());
    // Not SIGINT: programs started in the background by a shell may have it ignored.
    for signal in [9, 15] {
        let args = |folder: &Path| ["simulate", path(&file), "--out", path(folder)].map(String::from).to_vec();
        let folder = interrupted(signal, |_| (), &args, ".manifest.json");
        let left = whole(folder.path());
        for (name, bytes) in &left {
            assert!(expected[name] == *bytes, "signal {signal}: {name} is not whole");
        }
        let finished = left.keys().filter(|n| n.ends_with(".manifest.json")).count();
        assert!(finished >= 1, "signal {signal}");
        let again = skyloop(&["simulate", path(&file), "--out", path(folder.path())]);
        assert!(again.status.success(), "{}", text(&again.stderr));
        let said = text(&again.stdout);
        assert!(said.starts_with(&format!("{} units made, {finished} kept", units - finished)), "signal {signal}: {said}");
        assert!(contents(folder.path()) == expected, "signal {signal}: what the killed run was writing is gone too");
    }
}

#[test]
fn a_killed_reduction_is_completed_by_the_next_to_the_same_bits() {
    let folder = simulated();
    let raw = contents(folder.path());
    assert!(skyloop(&["reduce", path(folder.path())]).status.success());
    let expected = whole(folder.path());
    let copy = |to: &Path| {
        for (name, bytes) in &raw {
            std::fs::create_dir_all(to.join(name).parent().unwrap()).unwrap();
            std::fs::write(to.join(name), bytes).unwrap();
        }
    };
    let args = |folder: &Path| ["reduce", path(folder)].map(String::from).to_vec();
    let folder = interrupted(9, copy, &args, "_MBIAS_");
    for (name, bytes) in whole(folder.path()) {
        assert!(expected[&name] == bytes, "{name} is not whole");
    }
    assert!(skyloop(&["reduce", path(folder.path())]).status.success());
    assert!(contents(folder.path()) == expected, "what the killed run was writing is gone too");
}

#[test]
fn a_reader_that_has_gone_is_no_fault() {
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    let out = Command::new(env!("CARGO_BIN_EXE_skyloop")).args(["explain", "smoke"]).stdout(writer).output().unwrap();
    assert_eq!(out.status.code(), Some(141));
    assert!(out.stderr.is_empty(), "{}", text(&out.stderr));
}
