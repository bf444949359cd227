//! A medium that refuses: files that may not grow, folders that cannot be written.

use crate::toy::{Toy, ended, make_all, options, plan, start, whole_files};
use survey::failure::{ErrorClass, Exit};
use survey::{clean, journal, verify};

#[test]
fn a_full_disk_stops_the_run_and_what_is_there_is_whole() {
    let folder = tempfile::tempdir().unwrap();
    let (run, rows) = plan(folder.path(), 12);
    // Units of 3000 to 6000 bytes; files above 4608 bytes do not fit: unit 4 is the first of them.
    let end = ended(start(folder.path(), 0, Some(9)).wait().unwrap());
    assert_eq!(end, (Some(i32::from(Exit::UnitFailed.code())), None));
    let found = verify::verify(&run).unwrap();
    assert!(found.whole >= 3 && found.wrong.iter().all(|w| w.contains("missing (")), "{found:?}");
    assert!(found.whole + found.wrong.len() == 12 && found.wrong.len() >= 6, "it went on: {found:?}");
    assert_eq!(clean::clean(&run, true).unwrap(), 0, "temporary files were removed by the run itself");
    let classes: Vec<ErrorClass> = journal::read_all(&run).unwrap().iter().filter_map(|l| l.class).collect();
    assert!(!classes.is_empty() && classes.iter().all(|c| *c == ErrorClass::Storage), "{classes:?}");
    // With room again, the rest is made.
    let whole = found.whole;
    let summary = make_all(&run, &rows, &Toy { folder: Some(folder.path()), ..Toy::default() }, &options());
    assert_eq!((summary.kept, summary.made), (whole, 12 - whole));
    assert_eq!(whole_files(folder.path()).len(), 36);
}

#[cfg(target_os = "linux")]
#[test]
fn a_folder_that_cannot_be_written_stops_the_run_with_its_name() {
    let folder = tempfile::tempdir().unwrap();
    let (run, rows) = plan(folder.path(), 12);
    // Nobody can make files there, the administrator neither.
    std::fs::remove_dir(folder.path().join("L0")).unwrap();
    std::os::unix::fs::symlink("/sys/kernel", folder.path().join("L0")).unwrap();
    let summary = make_all(&run, &rows, &Toy { folder: Some(folder.path()), ..Toy::default() }, &options());
    assert_eq!((summary.made, summary.exit()), (0, Exit::UnitFailed));
    assert!(summary.halted.as_ref().unwrap().contains("L0/"), "{summary:?}");
    assert!(summary.failed[&ErrorClass::Storage] <= 2 && summary.left >= 10, "the others were not tried: {summary:?}");
    // Nor can journals be written where their folder is a file: nothing is begun.
    std::fs::remove_dir_all(run.journal()).unwrap();
    std::fs::write(run.journal(), b"").unwrap();
    assert!(survey::journal::Journal::begin(&run, 0).is_err());
}
