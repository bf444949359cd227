//! How a run stands: `status` and `retry`.

use crate::toy::{Toy, make_all, options, plan};
use std::time::Instant;
use survey::chunks::Wanted;
use survey::failure::{ErrorClass, Exit, UnitError};
use survey::journal::{Journal, Line, Outcome};
use survey::retry::{Retry, retry};
use survey::status::status;
use survey::{manifest, record};

#[test]
fn a_run_in_every_state_is_told_as_it_is() {
    let folder = tempfile::tempdir().unwrap();
    let (run, mut rows) = plan(folder.path(), 24);
    assert_eq!(status(&run).unwrap().exit(), Exit::Incomplete);
    let toy = Toy {
        folder: Some(folder.path()),
        before: Some(Box::new(|unit| match unit.index {
            2 | 9 => Err(UnitError::new(ErrorClass::Unit, format!("{}: 17 stars at {} pixel", unit.name, unit.index))),
            4 => Err(UnitError::new(ErrorClass::Input, "the field is 30 deg from the Sun")),
            _ => Ok(()),
        })),
        ..Toy::default()
    };
    make_all(&run, &rows[..18], &toy, &options());
    // One was begun by a process that was killed; one has another key now; one product was deleted.
    let mut journal = Journal::begin(&run, 3).unwrap();
    journal.write(&mut Line { unit: 20, key: rows[20].key.clone(), ..Line::default() }).unwrap();
    rows[0].key = "another".into();
    manifest::write(&run.units(), &rows).unwrap();
    std::fs::remove_file(folder.path().join("L0/00001.dat")).unwrap();
    let s = status(&run).unwrap();
    assert_eq!((s.units, s.done, s.failed, s.stale, s.missing, s.open), (24, 13, 3, 1, 7, 1), "{s}");
    assert_eq!((s.chunks, s.chunks_done, s.exit()), (4, 1, Exit::UnitFailed), "{s}");
    let reasons: Vec<(&str, usize, &str)> = s.reasons.iter().map(|r| (r.class.name(), r.units, r.text.as_str())).collect();
    assert_eq!(reasons, [("unit", 2, "UNIT: # stars at # pixel"), ("input", 1, "the field is # deg from the Sun")]);
    assert!(s.left_s.unwrap() > 0.0 && s.slowest.len() == 5 && s.objects > 0 && s.bytes > 13 * 3900, "{s:?}");
    // Bad input and stale units are not for another try; what was killed gets more memory.
    let found = retry(&run, Wanted::Count(2)).unwrap();
    assert_eq!(found, Retry { units: 9, chunks: 2, refused: 2, with_more_memory: 1 });
    let again = manifest::read(&run.retry()).unwrap();
    assert_eq!(again.iter().map(|u| u.index).collect::<Vec<_>>(), [1, 2, 9, 18, 19, 20, 21, 22, 23]);
    assert_eq!(again.iter().find(|u| u.index == 20).unwrap().memory_mb, 150.0);
    assert!(again.windows(2).all(|w| w[0].obs_id != w[1].obs_id || w[0].chunk == w[1].chunk));
    let well = Toy { folder: Some(folder.path()), ..Toy::default() };
    assert_eq!(make_all(&run, &again, &well, &options()).made, 9);
    let s = status(&run).unwrap();
    assert_eq!((s.done, s.failed, s.stale, s.retried), (22, 1, 1, 4), "{s}");
    // 4 failed for its input, which somebody has mended.
    make_all(&run, &rows, &well, &survey::executor::Options { rerun_stale: true, ..options() });
    assert_eq!(status(&run).unwrap().exit(), Exit::Done);
    assert_eq!(retry(&run, Wanted::PerExposure).unwrap(), Retry::default());
    assert!(!run.retry().exists());
}

/// Ten thousand units on disk, without the time it takes to make them.
#[test]
fn ten_thousand_units_are_counted_from_files_and_journals() {
    let folder = tempfile::tempdir().unwrap();
    let (run, rows) = plan(folder.path(), 10_000);
    for units in rows.chunks(6) {
        let mut journal = Journal::begin(&run, units[0].chunk).unwrap();
        for unit in units.iter().filter(|u| u.index % 100 != 7) {
            let product = folder.path().join(&unit.path);
            std::fs::write(&product, b"").unwrap();
            std::fs::write(record::path_of(&product), b"{}").unwrap();
            let line = Line { unit: unit.index, name: unit.name.clone(), key: unit.key.clone(), ..Line::default() };
            journal.write(&mut line.clone()).unwrap();
            journal
                .write(&mut Line { outcome: Outcome::Made, wall_s: Some(4.6), cpu_s: Some(4.5), objects: Some(22_000), ..line })
                .unwrap();
        }
    }
    let began = Instant::now();
    let s = status(&run).unwrap();
    println!("status of 10,000 units: {:.3} s", began.elapsed().as_secs_f64());
    assert_eq!((s.done, s.missing, s.chunks, s.objects), (9900, 100, 1667, 9900 * 22_000));
}
