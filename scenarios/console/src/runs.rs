//! Which runs are served.

use crate::snapshot::Watched;
use pointing::focal_plane::Detector;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};
use survey::folder::Run;

/// Outlines of the parts of detectors that a run makes, from its folder; empty where they are not known.
pub type Outlines = dyn Fn(&Path) -> Vec<Detector> + Send + Sync;

/// Folders are searched for new runs no more often than this.
const PAUSE: Duration = Duration::from_secs(2);

/// Runs among folders that were given: each is a run, or holds runs.
pub struct Runs {
    sources: Vec<PathBuf>,
    known: Mutex<Known>,
}

#[derive(Default)]
struct Known {
    searched: Option<Instant>,
    runs: Vec<Arc<Watched>>,
}

/// Whether a folder is that of a run.
fn is_run(folder: &Path) -> bool {
    Run::at(folder).units().is_file()
}

impl Runs {
    /// Runs in these folders.
    #[must_use]
    pub fn new(sources: Vec<PathBuf>) -> Self {
        Self { sources, known: Mutex::default() }
    }

    /// All of them; new ones are found, those whose folders are gone are not there any more.
    #[must_use]
    pub fn all(&self) -> Vec<Arc<Watched>> {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if known.searched.is_none_or(|t| t.elapsed() > PAUSE) {
            known.runs = self.search(&known.runs);
            known.searched = Some(Instant::now());
        }
        known.runs.clone()
    }

    /// The run of a name.
    #[must_use]
    pub fn get(&self, id: &str) -> Option<Arc<Watched>> {
        self.all().into_iter().find(|run| run.id == id)
    }

    fn search(&self, known: &[Arc<Watched>]) -> Vec<Arc<Watched>> {
        let mut folders: Vec<PathBuf> = Vec::new();
        for source in &self.sources {
            if is_run(source) {
                folders.push(source.clone());
                continue;
            }
            let mut inner: Vec<PathBuf> = std::fs::read_dir(source).into_iter().flatten().flatten().map(|e| e.path()).collect();
            inner.retain(|folder| is_run(folder));
            inner.sort();
            folders.extend(inner);
        }
        let mut names: BTreeMap<String, usize> = BTreeMap::new();
        let mut runs: Vec<Arc<Watched>> = Vec::new();
        for folder in folders {
            if runs.iter().any(|run| run.run.path() == folder) {
                continue;
            }
            let name = name_of(&folder);
            let count = names.entry(name.clone()).or_default();
            *count += 1;
            let id = if *count == 1 { name } else { format!("{name}~{count}") };
            let same = known.iter().find(|run| run.id == id && run.run.path() == folder).cloned();
            runs.push(same.unwrap_or_else(|| Arc::new(Watched::new(id, Run::at(&folder)))));
        }
        runs
    }
}

/// Name of a folder, also of `.` and `..`.
fn name_of(folder: &Path) -> String {
    let absolute = std::fs::canonicalize(folder).unwrap_or_else(|_| folder.to_path_buf());
    absolute.file_name().map_or_else(|| "run".into(), |name| name.to_string_lossy().into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use survey::manifest;

    #[test]
    fn runs_are_found_in_folders_and_as_folders_and_new_ones_appear() {
        let (a, b) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let make = |folder: PathBuf| {
            std::fs::create_dir_all(&folder).unwrap();
            manifest::write(&Run::at(&folder).units(), &[]).unwrap();
        };
        make(a.path().join("wide"));
        make(b.path().join("wide"));
        std::fs::create_dir(a.path().join("no run")).unwrap();
        let runs = Runs::new(vec![a.path().into(), b.path().join("wide"), a.path().join("wide")]);
        let ids = |found: &[Arc<Watched>]| found.iter().map(|r| r.id.clone()).collect::<Vec<_>>();
        let first = runs.search(&[]);
        assert_eq!(ids(&first), ["wide", "wide~2"]);
        make(a.path().join("deep"));
        let second = runs.search(&first);
        assert_eq!(ids(&second), ["deep", "wide", "wide~2"]);
        assert!(Arc::ptr_eq(&first[0], &second[1]), "what is known of a run is kept");
        assert!(runs.get("../wide").is_none() && runs.get("deep").is_some());
    }
}
