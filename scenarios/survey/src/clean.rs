//! Removing what killed processes were writing.

use crate::failure::SurveyError;
use crate::folder::Run;
use std::path::Path;

/// Removes temporary files of processes that are no more, in all folders of a run; with `all_hosts` those of other hosts too, for when
/// nothing runs there. Returns how many were removed.
///
/// # Errors
/// When a folder cannot be read.
pub fn clean(run: &Run, all_hosts: bool) -> Result<usize, SurveyError> {
    fn walk(folder: &Path, sweep: fn(&Path) -> usize) -> Result<usize, SurveyError> {
        let mut removed = sweep(folder);
        for entry in std::fs::read_dir(folder).map_err(SurveyError::io(folder))?.flatten() {
            // Not through links, which may lead anywhere.
            if entry.file_type().is_ok_and(|t| t.is_dir()) {
                removed += walk(&entry.path(), sweep)?;
            }
        }
        Ok(removed)
    }
    walk(run.path(), if all_hosts { sim_core::files::sweep_all_hosts } else { sim_core::files::sweep })
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;

    #[test]
    fn temporary_files_of_the_dead_go_and_products_stay() {
        let folder = tempfile::tempdir().unwrap();
        let inner = folder.path().join("L0/MS");
        std::fs::create_dir_all(&inner).unwrap();
        let host = sim_core::files::our_host();
        let names = ["a.fits".to_string(), format!(".a.fits.{host}.4294967295-0.part"), format!(".b.fits.other{host}.4294967295-0.part")];
        for name in &names {
            std::fs::write(inner.join(name), b"x").unwrap();
        }
        let run = Run::at(folder.path());
        assert_eq!((clean(&run, false).unwrap(), clean(&run, false).unwrap()), (1, 0));
        assert_eq!(clean(&run, true).unwrap(), 1);
        assert_eq!(std::fs::read_dir(&inner).unwrap().count(), 1);
    }
}
