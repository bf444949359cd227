//! From files and journals to a database, in bulk.
//!
//! One writer; workers never open it. Journals are read from where the last call ended, some thousand lines in a transaction with the
//! place they reach, so that a call that was killed is completed by the next. Units are looked at afresh each time.
//!
//! # Limits
//! SQLite belongs on a local disk: on network file systems its locks do not hold.

use crate::failure::SurveyError;
use crate::folder::Run;
use crate::journal::{self, Line};
use crate::manifest::{self, Extra};
use crate::status::{Seen, look};
use arrow_array::{Float64Array, Int64Array, StringArray};
use rusqlite::{Connection, Transaction, TransactionBehavior, params};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

/// Lines in a transaction.
const LINES: usize = 20_000;
/// How long another collector is waited for.
const WAIT: Duration = Duration::from_secs(30);

/// What `collect` did.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Collected {
    /// Units in the database.
    pub units: usize,
    /// Lines of journals that were new.
    pub new_lines: usize,
}

/// Fills a SQLite database (`unit`, `event`, `product`) with the state of a run.
///
/// # Errors
/// When the manifest or a journal cannot be read, or the database not written.
pub fn collect(run: &Run, database: &Path) -> Result<Collected, SurveyError> {
    let failed = SurveyError::database(database);
    let units = manifest::read(&run.units())?;
    let mut connection = Connection::open(database).map_err(&failed)?;
    connection.busy_timeout(WAIT).map_err(&failed)?;
    connection.execute_batch(include_str!("collect.sql")).map_err(&failed)?;
    let mut new_lines = 0;
    let mut files = journal::files(run)?.into_iter().peekable();
    while files.peek().is_some() {
        let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate).map_err(&failed)?;
        let mut taken = 0;
        while taken < LINES
            && let Some(path) = files.next()
        {
            let name = path.file_name().map(|n| n.to_string_lossy().into_owned()).unwrap_or_default();
            taken += take(&transaction, &path, &name).map_err(|e| e.unwrap_or(&failed))?;
        }
        transaction.commit().map_err(&failed)?;
        new_lines += taken;
    }
    let lines = journal::read_all(run)?;
    let seen = look(run, &units, &lines);
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate).map_err(&failed)?;
    put_units(&transaction, &seen).map_err(&failed)?;
    transaction.commit().map_err(&failed)?;
    Ok(Collected { units: units.len(), new_lines })
}

/// An error of the database, or of a journal.
enum Fault {
    Database(rusqlite::Error),
    Journal(SurveyError),
}

impl Fault {
    fn unwrap_or(self, database: impl Fn(rusqlite::Error) -> SurveyError) -> SurveyError {
        match self {
            Self::Database(e) => database(e),
            Self::Journal(e) => e,
        }
    }
}

impl From<rusqlite::Error> for Fault {
    fn from(e: rusqlite::Error) -> Self {
        Self::Database(e)
    }
}

/// Takes in what is new in a journal; returns how many lines that were.
fn take(transaction: &Transaction<'_>, path: &Path, name: &str) -> Result<usize, Fault> {
    let from = transaction.query_row("SELECT bytes FROM journal WHERE file = ?1", [name], |row| row.get::<_, i64>(0));
    let from = match from {
        Err(rusqlite::Error::QueryReturnedNoRows) => 0,
        other => other?,
    };
    let (lines, end) = journal::read_from(path, from as u64).map_err(Fault::Journal)?;
    if end == from as u64 {
        return Ok(0);
    }
    let first: i64 = transaction.query_row("SELECT count(*) FROM event WHERE file = ?1", [name], |row| row.get(0))?;
    let mut event = transaction.prepare("INSERT INTO event VALUES (?1,?2,?3,?4,?5,?6,?7,?8,?9,?10,?11,?12,?13,?14,?15,?16,?17)")?;
    let mut product = transaction.prepare("INSERT OR REPLACE INTO product VALUES (?1,?2,?3,?4,?5)")?;
    for (k, l) in lines.iter().enumerate() {
        let outcome = match l.outcome {
            journal::Outcome::Begun => "begun",
            journal::Outcome::Made => "made",
            journal::Outcome::Found => "found",
            journal::Outcome::Failed => "failed",
        };
        let objects = l.objects.map(|n| n as i64);
        let class = l.class.map(|c| c.name());
        event.execute(params![
            name,
            first + k as i64,
            l.unit,
            l.key,
            outcome,
            l.chunk,
            l.attempt,
            l.host,
            l.pid,
            l.time,
            l.wall_s,
            l.cpu_s,
            l.peak_mb,
            l.beside,
            objects,
            class,
            l.error,
        ])?;
        for p in &l.products {
            product.execute(params![l.unit, l.key, p.path, p.bytes as i64, p.sha256])?;
        }
    }
    transaction.execute("INSERT OR REPLACE INTO journal VALUES (?1, ?2)", params![name, end as i64])?;
    Ok(lines.len())
}

/// Replaces the table of units.
fn put_units(transaction: &Transaction<'_>, seen: &[Seen<'_>]) -> rusqlite::Result<()> {
    transaction.execute("DELETE FROM unit", [])?;
    let mut insert = transaction.prepare(
        "INSERT INTO unit VALUES (?1,?2,?3,?4,?5,?6,?7,?8,?9,?10,?11,?12,?13,?14,?15,?16,?17,?18,?19,?20,?21,?22,?23,?24,?25,?26)",
    )?;
    for s in seen {
        let (u, last) = (s.unit, s.last);
        let objects = last.and_then(|l| l.objects).map(|n| n as i64);
        insert.execute(params![
            u.index,
            u.chunk,
            u.name,
            u.obs_id as i64,
            u.detector,
            u.ra_deg,
            u.dec_deg,
            u.position_angle_deg,
            u.start_mjd,
            u.exposure_s,
            u.band,
            u.objects,
            u.cost_s,
            u.memory_mb,
            u.path,
            u.key,
            s.state.name(),
            s.attempts,
            last.map(|l| &l.host),
            last.and_then(|l| l.wall_s),
            last.and_then(|l| l.cpu_s),
            last.and_then(|l| l.peak_mb),
            objects,
            last.map(|l| l.bytes() as i64),
            last.and_then(|l| l.class).map(|c| c.name()),
            last.and_then(|l| l.error.as_ref()),
        ])?;
    }
    Ok(())
}

/// Writes the units and how they stand as a Parquet table: the manifest's columns and those of their last attempt.
///
/// # Errors
/// When the manifest or a journal cannot be read, or the table not written.
pub fn export(run: &Run, path: &Path) -> Result<usize, SurveyError> {
    let units = manifest::read(&run.units())?;
    let lines = journal::read_all(run)?;
    let seen = look(run, &units, &lines);
    let number = |value: fn(&Line) -> Option<f64>| Arc::new(seen.iter().map(|s| s.last.and_then(value)).collect::<Float64Array>());
    let count = |value: fn(&Line) -> Option<i64>| Arc::new(seen.iter().map(|s| s.last.and_then(value)).collect::<Int64Array>());
    let text = |value: fn(&Line) -> Option<&str>| Arc::new(seen.iter().map(|s| s.last.and_then(value)).collect::<StringArray>());
    let extra = [
        Extra { name: "state", unit: "", values: Arc::new(seen.iter().map(|s| Some(s.state.name())).collect::<StringArray>()) },
        Extra { name: "attempts", unit: "", values: Arc::new(seen.iter().map(|s| Some(i64::from(s.attempts))).collect::<Int64Array>()) },
        Extra { name: "host", unit: "", values: text(|l| Some(&l.host)) },
        Extra { name: "wall_s", unit: "s", values: number(|l| l.wall_s) },
        Extra { name: "cpu_s", unit: "s", values: number(|l| l.cpu_s) },
        Extra { name: "peak_mb", unit: "MB", values: number(|l| l.peak_mb) },
        Extra { name: "objects_made", unit: "", values: count(|l| l.objects.map(|n| n as i64)) },
        Extra { name: "bytes", unit: "byte", values: count(|l| l.is_done().then(|| l.bytes() as i64)) },
        Extra { name: "class", unit: "", values: text(|l| l.class.map(|c| c.name())) },
        Extra { name: "error", unit: "", values: text(|l| l.error.as_deref()) },
    ];
    manifest::write_with(path, &units, &extra)?;
    Ok(units.len())
}
