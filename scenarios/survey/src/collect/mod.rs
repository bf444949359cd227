//! From files and journals to a database, in bulk.
//!
//! Workers never open it. Journals are read from where the last call ended, some thousand lines in a transaction with the place they reach,
//! so that a call that was killed is completed by the next. Units are looked at afresh each time.
//!
//! # Limits
//! SQLite belongs on a local disk: on network file systems its locks do not hold. A database, or a schema of a PostgreSQL one, is of one run.

mod postgres;
mod rows;
mod sqlite;
mod table;

pub use table::export;

use crate::failure::SurveyError;
use crate::folder::Run;
use crate::journal::{self, Line};
use crate::manifest;
use crate::status::{Seen, look};
use std::path::{Path, PathBuf};

/// Lines in a transaction.
const LINES: usize = 20_000;

/// A database.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Database {
    /// SQLite: a file.
    Sqlite(PathBuf),
    /// PostgreSQL: a URL (`postgres://USER@HOST/NAME`), without a password.
    Postgres(String),
}

impl Database {
    /// From a file or a URL.
    #[must_use]
    pub fn named(name: &str) -> Self {
        let is_url = ["postgres://", "postgresql://"].iter().any(|scheme| name.starts_with(scheme));
        if is_url { Self::Postgres(name.into()) } else { Self::Sqlite(name.into()) }
    }
}

/// What `collect` did.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Collected {
    /// Units in the database.
    pub units: usize,
    /// Lines of journals that were new.
    pub new_lines: usize,
}

/// What holds the tables.
trait Store {
    /// Takes in what is new in as many of the journals as make a transaction; returns how many lines that were.
    fn take(&mut self, files: &mut dyn Iterator<Item = PathBuf>) -> Result<usize, SurveyError>;
    /// Replaces the table of units.
    fn put_units(&mut self, seen: &[Seen<'_>]) -> Result<(), SurveyError>;
}

/// What is new in a journal.
struct Part {
    /// Name of the file.
    file: String,
    /// Number of the first new line.
    first: i64,
    /// The lines.
    lines: Vec<Line>,
    /// Where they end \[byte\].
    end: i64,
}

impl Part {
    fn name(path: &Path) -> String {
        path.file_name().map(|n| n.to_string_lossy().into_owned()).unwrap_or_default()
    }
    /// What lies after a place in a journal that so many lines reach; `None` when that is nothing.
    fn after(path: &Path, bytes: i64, lines: i64) -> Result<Option<Self>, SurveyError> {
        let (found, end) = journal::read_from(path, bytes as u64)?;
        let end = end as i64;
        Ok((end > bytes).then(|| Self { file: Self::name(path), first: lines, lines: found, end }))
    }
}

/// Fills a database (`unit`, `event`, `product`) with the state of a run.
///
/// # Errors
/// When the manifest or a journal cannot be read, or the database not written.
pub fn collect(run: &Run, database: &Database) -> Result<Collected, SurveyError> {
    let units = manifest::read(&run.units())?;
    let mut store: Box<dyn Store> = match database {
        Database::Sqlite(path) => Box::new(sqlite::Sqlite::open(path)?),
        Database::Postgres(url) => Box::new(postgres::Postgres::open(url)?),
    };
    let mut new_lines = 0;
    let mut files = journal::files(run)?.into_iter().peekable();
    while files.peek().is_some() {
        new_lines += store.take(&mut files)?;
    }
    let lines = journal::read_all(run)?;
    store.put_units(&look(run, &units, &lines))?;
    Ok(Collected { units: units.len(), new_lines })
}
