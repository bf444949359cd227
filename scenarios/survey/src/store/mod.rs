//! Products of a run in an object store that speaks S3, the run's folder beside it.
//!
//! # Form
//! `RUN/store.json` says where: `{"url": "s3://BUCKET/PREFIX", "endpoint": "https://HOST"}`, the endpoint being that of the environment when the
//! run was planned, if it had one; an endpoint in the environment comes before it. A unit is made in the run's folder as without a store, with its record last;
//! then its products go to the store under the names they have in the folder, its record goes last, and the products are removed
//! from the folder. The record stays there: a unit is done when its record is in the folder and its product is not.
//!
//! # Rules
//! * An object is there whole or not at all, so a kill at any moment leaves nothing half-written; the next run delivers what is still in
//!   the folder, and makes nothing twice that the store has.
//! * Every object is sent with its SHA-256 ([`Bucket::put`]): a store that checks sums refuses what came damaged.
//! * The record is created and never replaced unless that was asked for: of two executors on one unit the second finds the record of
//!   the first, with the same key.
//! * Keys come from the environment alone and are never written.
//!
//! # Limits
//! One request for each object, at most 5 GB; what reads level 0 from the folder (`reduce`, pictures of `serve`) finds nothing there.

mod bucket;
mod wire;

pub use bucket::Bucket;

use crate::failure::{ErrorClass, SurveyError, UnitError};
use crate::folder::Run;
use crate::manifest::UnitRow;
use crate::record::{self, Record, State};
use crate::signals::Stop;
use serde::{Deserialize, Serialize};
use sim_core::files::write_atomically;
use std::path::Path;

/// What `RUN/store.json` says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Described {
    /// `s3://BUCKET/PREFIX`.
    url: String,
    /// Address of the store; that of Amazon when there is none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    endpoint: Option<String>,
}

/// Says that the products of a run go to a store.
///
/// # Errors
/// When the address is none, the run has another store, or the file cannot be written.
pub fn describe(run: &Run, url: &str) -> Result<(), SurveyError> {
    may_go_to(run, url)?;
    let endpoint = bucket::endpoint();
    let text = serde_json::to_vec(&Described { url: url.into(), endpoint }).map_err(|e| SurveyError::manifest(&run.store(), e))?;
    write_atomically(&run.store(), &text).map_err(SurveyError::io(&run.store()))
}

/// Whether the products of a run, made or not, may go to a store.
///
/// # Errors
/// When the address is none, or the run has another store.
pub fn may_go_to(run: &Run, url: &str) -> Result<(), SurveyError> {
    Bucket::named(url, bucket::endpoint().as_deref())?;
    let Some(before) = described(run)?.filter(|before| before.url != url) else { return Ok(()) };
    let range = format!("{}, where products of this run may be: give another folder", before.url);
    Err(SurveyError::Range { key: "store", value: url.into(), range })
}

/// The store of a run, if its products go to one.
///
/// # Errors
/// When the description cannot be read, or the environment says something that cannot be.
pub fn of(run: &Run) -> Result<Option<Bucket>, SurveyError> {
    described(run)?.map(|described| Bucket::named(&described.url, described.endpoint.as_deref())).transpose()
}

fn described(run: &Run) -> Result<Option<Described>, SurveyError> {
    let path = run.store();
    match std::fs::read(&path) {
        Ok(text) => serde_json::from_slice(&text).map(Some).map_err(|e| SurveyError::manifest(&path, e)),
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(e) => Err(SurveyError::io(&path)(e)),
    }
}

/// Name of the object that is a unit's record.
fn record_name(unit: &UnitRow) -> String {
    record::path_of(Path::new(&unit.path)).to_string_lossy().into_owned()
}

fn refused(error: SurveyError) -> UnitError {
    UnitError::new(ErrorClass::Storage, error.to_string())
}

impl Bucket {
    /// The record of a unit as the store has it.
    ///
    /// # Errors
    /// When the store does not answer.
    pub fn record(&self, unit: &UnitRow) -> Result<Option<Record>, SurveyError> {
        Ok(self.get(&record_name(unit))?.and_then(|text| serde_json::from_slice(&text).ok()))
    }

    /// What the store has of a unit; products are looked for, not read. What it has whole is noted in the folder as delivered.
    ///
    /// # Errors
    /// When the store does not answer, or the folder cannot be written.
    pub fn state(&self, run: &Run, unit: &UnitRow) -> Result<State, UnitError> {
        let Some(text) = self.get(&record_name(unit)).map_err(refused)? else { return Ok(State::Absent) };
        let Ok(record) = serde_json::from_slice::<Record>(&text) else { return Ok(State::Absent) };
        if record.key != unit.key {
            return Ok(State::Stale);
        }
        for name in record.products.keys() {
            if self.size(name).map_err(refused)?.is_none() {
                return Ok(State::Absent);
            }
        }
        let path = record::path_of(&run.path().join(&unit.path));
        write_atomically(&path, &text).map_err(|e| refused(SurveyError::io(&path)(e)))?;
        remove(run, &record)?;
        Ok(State::Whole)
    }

    /// Takes a unit that is whole in the folder to the store, and its products out of the folder. With `replace` a record of another
    /// key makes room.
    ///
    /// # Errors
    /// When the store does not take it, another unit's record is in the way, or the run is to stop.
    pub fn deliver(&self, run: &Run, unit: &UnitRow, replace: bool, stop: &Stop) -> Result<(), UnitError> {
        let path = record::path_of(&run.path().join(&unit.path));
        let text = std::fs::read(&path).map_err(|e| refused(SurveyError::io(&path)(e)))?;
        let record: Record = serde_json::from_slice(&text).map_err(|e| refused(SurveyError::manifest(&path, e)))?;
        for (name, sha256) in &record.products {
            if stop.is_asked() {
                return Err(UnitError::interrupted());
            }
            self.put_file(name, &run.path().join(name), sha256).map_err(refused)?;
        }
        let name = record_name(unit);
        if !self.put(&name, &text, replace).map_err(refused)? {
            match self.record(unit).map_err(refused)? {
                Some(there) if there.key == record.key => {}
                _ => {
                    let text = format!("{}: the store has it with another key; --rerun-stale replaces it", unit.path);
                    return Err(UnitError::new(ErrorClass::Stale, text));
                }
            }
        }
        remove(run, &record)
    }

    /// Products of a record that the store has not, or not with the recorded bytes: all of them are read.
    ///
    /// # Errors
    /// When the store does not answer.
    pub fn damaged(&self, record: &Record) -> Result<Vec<String>, SurveyError> {
        let mut damaged = Vec::new();
        for (name, sha256) in &record.products {
            if self.sha256(name)?.as_ref() != Some(sha256) {
                damaged.push(name.clone());
            }
        }
        Ok(damaged)
    }
}

/// Removes the products of a unit from the folder; its record stays.
fn remove(run: &Run, record: &Record) -> Result<(), UnitError> {
    for name in record.products.keys() {
        let path = run.path().join(name);
        match std::fs::remove_file(&path) {
            Err(e) if e.kind() != std::io::ErrorKind::NotFound => return Err(refused(SurveyError::io(&path)(e))),
            _ => {}
        }
    }
    Ok(())
}
