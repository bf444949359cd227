//! Where things lie in a run's folder, as far as this crate is concerned.

use std::path::{Path, PathBuf};

/// The folder of a run.
///
/// ```text
/// RUN/units.parquet             what is to be made, one row per unit
/// RUN/units.retry.parquet       what is still to be made, in chunks of its own (`retry`)
/// RUN/journal/CHUNK.ATTEMPT.jsonl   what happened, one line per event
/// RUN/submit/NUMBER.*           what was handed to a batch system, and as which job (`submit`)
/// RUN/log/CHUNK.log             what the elements of such a job said
/// RUN/run.sqlite                what `collect` makes of all that
/// RUN/store.json                where products go that do not stay here (`store`)
/// RUN/...                       products, each unit's with a record that is written last
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Run(PathBuf);

impl Run {
    /// The run in a folder.
    #[must_use]
    pub fn at(folder: &Path) -> Self {
        Self(folder.to_path_buf())
    }
    /// The folder itself.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.0
    }
    /// The manifest of all units.
    #[must_use]
    pub fn units(&self) -> PathBuf {
        self.0.join("units.parquet")
    }
    /// The manifest of units that are missing or failed, as [`crate::retry`] left it.
    #[must_use]
    pub fn retry(&self) -> PathBuf {
        self.0.join("units.retry.parquet")
    }
    /// The description of the store that products go to; absent when they stay.
    #[must_use]
    pub fn store(&self) -> PathBuf {
        self.0.join("store.json")
    }
    /// The folder of journals.
    #[must_use]
    pub fn journal(&self) -> PathBuf {
        self.0.join("journal")
    }
    /// The folder of what was handed to batch systems.
    #[must_use]
    pub fn submit(&self) -> PathBuf {
        self.0.join("submit")
    }
    /// The folder of what the elements of batch jobs said.
    #[must_use]
    pub fn log(&self) -> PathBuf {
        self.0.join("log")
    }
    /// The database that `collect` fills unless told otherwise.
    #[must_use]
    pub fn database(&self) -> PathBuf {
        self.0.join("run.sqlite")
    }
}
