//! What the executor does with units, in this process.

use crate::toy::{Toy, make_all, options, plan, whole_files};
use std::sync::Mutex;
use std::time::Duration;
use survey::executor::{Event, Options, run, workers};
use survey::failure::{ErrorClass, Exit, UnitError};
use survey::journal::{self, Outcome};
use survey::manifest;
use survey::signals::Stop;

#[test]
fn finished_units_are_kept_and_lost_lines_are_written_again() {
    let folder = tempfile::tempdir().unwrap();
    let (run, rows) = plan(folder.path(), 12);
    let toy = Toy { folder: Some(folder.path()), ..Toy::default() };
    assert_eq!(make_all(&run, &rows[..6], &toy, &options()).made, 6);
    let again = make_all(&run, &rows, &toy, &options());
    assert_eq!((again.kept, again.made, again.exit()), (6, 6, Exit::Done));
    // The journal of the first chunk is lost; the records know its units, and say so again, once.
    std::fs::remove_file(run.journal().join("00000.001.jsonl")).unwrap();
    for _ in 0..2 {
        assert_eq!(make_all(&run, &rows, &toy, &options()).kept, 12);
    }
    let lines = journal::read_all(&run).unwrap();
    let found: Vec<_> = lines.iter().filter(|l| l.outcome == Outcome::Found).collect();
    assert_eq!(found.len(), 6);
    assert!(found.iter().all(|l| l.products.len() == 2 && l.bytes() > 3000));
    let made = lines.iter().find(|l| l.outcome == Outcome::Made).unwrap();
    assert!(made.wall_s.is_some() && made.cpu_s.is_some() && made.objects == Some(u64::from(made.unit)));
}

#[test]
fn stale_units_are_refused_until_asked_for_and_damaged_ones_made_again() {
    let folder = tempfile::tempdir().unwrap();
    let (run, mut rows) = plan(folder.path(), 6);
    let toy = Toy { folder: Some(folder.path()), ..Toy::default() };
    make_all(&run, &rows, &toy, &options());
    let old = whole_files(folder.path());
    rows[2].key = "another".into();
    manifest::write(&run.units(), &rows).unwrap();
    let refused = make_all(&run, &rows, &toy, &options());
    assert_eq!((refused.kept, refused.failed[&ErrorClass::Stale], refused.exit()), (5, 1, Exit::BadInput));
    assert!(whole_files(folder.path()) == old);
    let asked = make_all(&run, &rows, &toy, &Options { rerun_stale: true, ..options() });
    assert_eq!((asked.kept, asked.made), (5, 1));
    std::fs::write(folder.path().join("L0/00004.dat"), b"half").unwrap();
    let mended = make_all(&run, &rows, &toy, &options());
    assert_eq!((mended.kept, mended.made), (5, 1));
    assert!(whole_files(folder.path())["L0/00004.dat"] == old["L0/00004.dat"]);
}

#[test]
fn a_failed_unit_does_not_stop_the_others_and_classes_decide_the_exit() {
    let folder = tempfile::tempdir().unwrap();
    let (run, rows) = plan(folder.path(), 12);
    let fails = |classes: &'static [(u32, ErrorClass)]| Toy {
        folder: Some(folder.path()),
        before: Some(Box::new(move |unit| match classes.iter().find(|c| c.0 == unit.index) {
            Some((_, ErrorClass::Panic)) => panic!("a fault in unit {}", unit.index),
            Some((_, class)) => Err(UnitError::new(*class, format!("no such star in {}", unit.name))),
            None => Ok(()),
        })),
        ..Toy::default()
    };
    let bad = make_all(&run, &rows, &fails(&[(3, ErrorClass::Input), (5, ErrorClass::Unit), (7, ErrorClass::Panic)]), &options());
    assert_eq!((bad.made, bad.failed.values().sum::<usize>(), bad.exit()), (9, 3, Exit::UnitFailed));
    let input_alone = make_all(&run, &rows, &fails(&[(3, ErrorClass::Input)]), &options());
    assert_eq!((input_alone.made, input_alone.exit()), (2, Exit::BadInput));
    let panicked = journal::read_all(&run).unwrap().into_iter().find(|l| l.class == Some(ErrorClass::Panic)).unwrap();
    assert_eq!(panicked.error.unwrap(), "a fault in unit 7");
    assert_eq!(make_all(&run, &rows, &fails(&[]), &options()).exit(), Exit::Done);
}

#[test]
fn too_many_failures_end_the_run() {
    let folder = tempfile::tempdir().unwrap();
    let (run, rows) = plan(folder.path(), 30);
    let toy =
        Toy { folder: Some(folder.path()), before: Some(Box::new(|_| Err(UnitError::new(ErrorClass::Unit, "no")))), ..Toy::default() };
    let summary = make_all(&run, &rows, &toy, &Options { max_failures: Some(3), threads: 1, ..options() });
    assert_eq!((summary.failed[&ErrorClass::Unit], summary.left, summary.exit()), (3, 27, Exit::UnitFailed));
    assert!(summary.halted.unwrap().contains("3 units failed"));
}

#[test]
fn units_at_work_keep_to_the_memory() {
    let folder = tempfile::tempdir().unwrap();
    let (run, mut rows) = plan(folder.path(), 40);
    for (k, row) in rows.iter_mut().enumerate() {
        row.memory_mb = [100.0, 350.0, 600.0, 200.0][k % 4];
    }
    let (now, most) = (Mutex::new(0.0), Mutex::new((0.0_f64, 0.0_f64)));
    let toy = Toy {
        folder: Some(folder.path()),
        before: Some(Box::new(|unit| {
            let mut sum = now.lock().unwrap();
            *sum += unit.memory_mb;
            let mut most = most.lock().unwrap();
            *most = (most.0.max(*sum), most.1 + 1.0);
            drop((sum, most));
            std::thread::sleep(Duration::from_millis(1));
            *now.lock().unwrap() -= unit.memory_mb;
            Ok(())
        })),
        ..Toy::default()
    };
    // One worker for each 600 MB that fit.
    let options = Options { memory_mb: 1900.0, threads: 8, ..options() };
    assert_eq!(workers(&rows.iter().collect::<Vec<_>>(), &options), (3, 3));
    let summary = make_all(&run, &rows, &toy, &options);
    assert_eq!(summary.made, 40);
    assert!(most.lock().unwrap().0 <= 1900.0 && summary.most_mb <= 1900.0, "{summary:?}");
}

#[test]
fn a_run_that_is_asked_to_stop_says_so_and_the_next_completes_it() {
    let folder = tempfile::tempdir().unwrap();
    let (at, rows) = plan(folder.path(), 20);
    let toy = Toy { folder: Some(folder.path()), ..Toy::default() };
    let (stop, ended) = (Stop::new(), Mutex::new(0));
    let observer = |event: &Event<'_>| {
        if let Event::Ended(..) = event {
            let mut ended = ended.lock().unwrap();
            *ended += 1;
            if *ended == 5 {
                stop.ask();
            }
        }
    };
    let summary = run(&at, &rows.iter().collect::<Vec<_>>(), &toy, &Options { threads: 1, ..options() }, &stop, &observer).unwrap();
    assert_eq!((summary.made, summary.left, summary.exit()), (5, 15, Exit::Interrupted));
    assert_eq!(make_all(&at, &rows, &toy, &options()).kept, 5);
}
