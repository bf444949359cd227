//! Kills at random moments: nothing finished is lost, nothing half is taken for whole, and the result is that of an undisturbed run.

use crate::toy::{Toy, ended, make_all, options, plan, send, start, whole_files};
use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;
use survey::failure::Exit;
use survey::folder::Run;
use survey::{clean, journal, verify};

const UNITS: u32 = 60;

fn undisturbed() -> BTreeMap<String, Vec<u8>> {
    let folder = tempfile::tempdir().unwrap();
    let (run, rows) = plan(folder.path(), UNITS);
    let summary = make_all(&run, &rows, &Toy { folder: Some(folder.path()), ..Toy::default() }, &options());
    assert_eq!((summary.made, summary.exit()), (UNITS as usize, Exit::Done));
    whole_files(folder.path())
}

/// Records that are there, after a proof that whatever is there is whole.
fn finished(folder: &Path, expected: &BTreeMap<String, Vec<u8>>) -> Vec<String> {
    let files = whole_files(folder);
    for (name, bytes) in &files {
        assert!(expected[name] == *bytes, "{name} is not whole");
    }
    let records: Vec<String> = files.keys().filter(|name| name.ends_with(".manifest.json")).cloned().collect();
    for record in &records {
        let product = record.strip_suffix(".manifest.json").unwrap();
        assert!(files.contains_key(product) && files.contains_key(&product.replace("L0/", "truth/")), "{record} without its products");
    }
    records
}

/// How a run is killed.
struct Kills {
    wanted: usize,
    /// State of a generator of moments.
    dice: u64,
}

impl Kills {
    fn next(&mut self, below: u64) -> u64 {
        // Knuth's MMIX constants.
        self.dice = self.dice.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.dice >> 33) % below
    }
    /// Kills runs until the number wanted met a process that was at work; returns how many were of each signal.
    fn all(&mut self) -> BTreeMap<i32, usize> {
        let expected = undisturbed();
        let mut hits: BTreeMap<i32, usize> = BTreeMap::new();
        while hits.values().sum::<usize>() < self.wanted {
            let folder = tempfile::tempdir().unwrap();
            let (run, rows) = plan(folder.path(), UNITS);
            let mut before: Vec<String> = Vec::new();
            loop {
                let mut child = start(folder.path(), 3, None);
                std::thread::sleep(Duration::from_millis(self.next(120)));
                let signal = if self.next(2) == 0 { 9 } else { 15 };
                send(&child, signal);
                let end = ended(child.wait().unwrap());
                let now = finished(folder.path(), &expected);
                assert!(before.iter().all(|record| now.contains(record)), "a finished unit was lost");
                before = now;
                match end {
                    (Some(0), None) => break,
                    // The second: SIGTERM before the process listened.
                    (Some(75), None) | (None, Some(15 | 9)) => *hits.entry(signal).or_default() += 1,
                    other => panic!("signal {signal}: {other:?}"),
                }
            }
            assert_eq!(before.len(), UNITS as usize);
            assert!(whole_files(folder.path()) == expected);
            // What the dead were writing, and nothing else, is in the way.
            let swept = clean::clean(&run, false).unwrap();
            assert!(swept <= 2 * hits.values().sum::<usize>());
            let verified = verify::verify(&run).unwrap();
            assert_eq!((verified.whole, verified.products, verified.exit()), (rows.len(), 2 * rows.len(), Exit::Done), "{verified:?}");
            no_unit_was_made_twice_for_nothing(&run);
        }
        hits
    }
}

/// A unit is made again only if the attempt before did not end: its record is written before its line, so at most one making per kill and
/// worker is repeated in the journal, and none that has a line of its end.
fn no_unit_was_made_twice_for_nothing(run: &Run) {
    let mut made: BTreeMap<u32, usize> = BTreeMap::new();
    for line in journal::read_all(run).unwrap().iter().filter(|l| l.outcome == journal::Outcome::Made) {
        *made.entry(line.unit).or_default() += 1;
    }
    assert!(made.values().all(|count| *count == 1), "{made:?}");
}

#[test]
fn thirty_kills_at_random_moments_lose_nothing() {
    let hits = Kills { wanted: 30, dice: 20_261_122 }.all();
    assert!(hits.values().sum::<usize>() >= 30 && hits.len() == 2, "{hits:?}");
}

#[test]
#[ignore = "the same, longer: cargo test --release -p survey -- --ignored hundred"]
fn a_hundred_kills_at_random_moments_lose_nothing() {
    let hits = Kills { wanted: 100, dice: 7 }.all();
    println!("kills that met a process at work, by signal: {hits:?}");
    assert!(hits.values().sum::<usize>() >= 100 && hits.len() == 2, "{hits:?}");
}

#[test]
fn the_signal_before_the_time_limit_asks_and_asks_again_without_harm() {
    let folder = tempfile::tempdir().unwrap();
    let (run, _) = plan(folder.path(), UNITS);
    let mut child = start(folder.path(), 150, None);
    while journal::read_all(&run).unwrap().is_empty() {
        std::thread::sleep(Duration::from_millis(5));
    }
    for _ in 0..3 {
        send(&child, 10);
        std::thread::sleep(Duration::from_millis(10));
    }
    assert_eq!(ended(child.wait().unwrap()), (Some(75), None));
    // What was at work is left with a line of its end.
    let open = survey::status::status(&run).unwrap().open;
    assert_eq!(open, 0);
}

#[test]
fn two_executors_on_the_same_units_make_the_same() {
    let expected = undisturbed();
    let folder = tempfile::tempdir().unwrap();
    let (run, _) = plan(folder.path(), UNITS);
    let mut both = [start(folder.path(), 1, None), start(folder.path(), 1, None)];
    for child in &mut both {
        assert_eq!(ended(child.wait().unwrap()), (Some(0), None));
    }
    assert!(whole_files(folder.path()) == expected);
    assert!(verify::verify(&run).unwrap().differing.is_empty());
    assert_eq!(clean::clean(&run, false).unwrap(), 0);
}

#[test]
fn the_second_signal_leaves_at_once_and_what_was_at_work_is_made_by_the_next_run() {
    let folder = tempfile::tempdir().unwrap();
    let (run, rows) = plan(folder.path(), 3);
    // A unit takes a minute: only leaving at once ends this test soon.
    let mut child = start(folder.path(), 60_000, None);
    while journal::read_all(&run).unwrap().is_empty() {
        std::thread::sleep(Duration::from_millis(5));
    }
    send(&child, 15);
    std::thread::sleep(Duration::from_millis(50));
    send(&child, 2);
    assert_eq!(ended(child.wait().unwrap()), (Some(75), None));
    assert!(whole_files(folder.path()).is_empty());
    let summary = make_all(&run, &rows, &Toy { folder: Some(folder.path()), ..Toy::default() }, &options());
    assert_eq!(summary.made, 3);
}
