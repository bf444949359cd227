//! The calibration index: which reference holds for which detector and dates.
//!
//! A folder of references has a table `index.csv`, one row per reference: type, detector and window, the dates it holds for, file, hash
//! and quality figures. A frame takes, of each type, the reference of its detector, window and layout with the latest start of
//! validity not after the frame's own start (the rule of CRDS-like systems: `USEAFTER`), if its validity has not ended
//! (`VALIDTO`). Files keep their names for ever: a reference made again for the same exposures replaces its own row alone.

use crate::error::ReductionError;
use crate::group::Key;
use crate::set::Master;
use instruments::product::time::Civil;
use serde::{Deserialize, Serialize};
use sim_core::files::write_atomically;
use sim_core::manifest::sha256_file;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// File name of the table.
pub const INDEX_FILE: &str = "index.csv";

/// One reference.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Entry {
    /// Type, as in the file name: `MBIAS`.
    #[serde(rename = "type")]
    pub kind: String,
    /// Instrument, lower case.
    pub instrument: String,
    /// Detector.
    pub detector: u16,
    /// Window: first column.
    pub x0: usize,
    /// Window: first row.
    pub y0: usize,
    /// Window: columns.
    pub nx: usize,
    /// Window: rows.
    pub ny: usize,
    /// Whether raw frames have scans.
    pub scans: bool,
    /// Holds for frames that start at or after this, ISO, UTC.
    pub useafter: String,
    /// ... and before this.
    pub validto: String,
    /// File name in the folder of the table.
    pub file: String,
    /// SHA-256 of the file.
    pub sha256: String,
    /// Figures of quality, `NAME=value`, apart by spaces.
    pub quality: String,
}

impl Entry {
    fn key(&self) -> Key {
        Key {
            instrument: self.instrument.clone(),
            detector: self.detector,
            window: (self.x0, self.y0, self.nx, self.ny),
            has_scans: self.scans,
        }
    }
    /// Validity in words.
    #[must_use]
    pub fn validity(&self) -> String {
        format!("{} to {}", self.useafter, self.validto)
    }
}

/// What the index has of one type for a frame.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Choice {
    /// This one holds.
    Valid(Entry),
    /// There are references of this detector, but of other dates.
    OutOfDate(Vec<Entry>),
}

/// The references for a frame, by type.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Chosen {
    /// Those that hold.
    pub valid: BTreeMap<String, Entry>,
    /// References of this detector that do not hold at the frame's date.
    pub out_of_date: BTreeMap<String, Vec<Entry>>,
}

/// The references of a folder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Index {
    folder: PathBuf,
    entries: Vec<Entry>,
}

impl Index {
    /// The index of a folder; empty where there is none yet.
    ///
    /// # Errors
    /// When the table cannot be read, a row is malformed, or a file of it is not there.
    pub fn open_or_new(folder: &Path) -> Result<Self, ReductionError> {
        if folder.join(INDEX_FILE).exists() { Self::open(folder) } else { Ok(Self { folder: folder.into(), entries: Vec::new() }) }
    }
    /// The index of a folder.
    ///
    /// # Errors
    /// When the table is missing or cannot be read, a row is malformed, or a file of it is not there.
    pub fn open(folder: &Path) -> Result<Self, ReductionError> {
        let path = folder.join(INDEX_FILE);
        let text = std::fs::read_to_string(&path).map_err(|source| ReductionError::Io { path: path.clone(), source })?;
        let mut entries = Vec::new();
        for (row, entry) in csv::Reader::from_reader(text.as_bytes()).deserialize::<Entry>().enumerate() {
            let wrong = |reason: String| ReductionError::Index { path: path.clone(), line: row + 2, reason };
            let entry = entry.map_err(|e| wrong(e.to_string()))?;
            for (key, date) in [("useafter", &entry.useafter), ("validto", &entry.validto)] {
                if Civil::parse_iso(date).is_none() {
                    return Err(wrong(format!("{key} = {date:?} is not a date such as 2027-06-26T20:35:58")));
                }
            }
            if entry.file.contains(['/', '\\']) || !folder.join(&entry.file).is_file() {
                return Err(wrong(format!("file = {:?} is no file of this folder", entry.file)));
            }
            entries.push(entry);
        }
        Ok(Self { folder: folder.into(), entries })
    }
    /// Adds references; one of the same file is replaced.
    pub fn add(&mut self, new: impl IntoIterator<Item = Entry>) {
        for entry in new {
            self.entries.retain(|e| e.file != entry.file);
            self.entries.push(entry);
        }
        self.entries.sort_by(|a, b| (a.key(), &a.kind, &a.useafter, &a.file).cmp(&(b.key(), &b.kind, &b.useafter, &b.file)));
    }
    /// Writes the table, whole or not at all.
    ///
    /// # Errors
    /// When the folder cannot be written.
    pub fn write(&self) -> Result<(), ReductionError> {
        let path = self.folder.join(INDEX_FILE);
        let failed = |source| ReductionError::Io { path: path.clone(), source };
        let mut writer = csv::Writer::from_writer(Vec::new());
        for entry in &self.entries {
            writer.serialize(entry).map_err(|e| failed(std::io::Error::other(e)))?;
        }
        let bytes = writer.into_inner().map_err(|e| failed(std::io::Error::other(e.to_string())))?;
        write_atomically(&path, &bytes).map_err(failed)
    }
    /// All references.
    #[must_use]
    pub fn entries(&self) -> &[Entry] {
        &self.entries
    }
    /// The folder.
    #[must_use]
    pub fn folder(&self) -> &Path {
        &self.folder
    }
    /// Path of a reference.
    #[must_use]
    pub fn path(&self, entry: &Entry) -> PathBuf {
        self.folder.join(&entry.file)
    }
    /// Detectors, windows and layouts that there are references of, in order, each once.
    #[must_use]
    pub fn keys(&self) -> Vec<Key> {
        let mut keys: Vec<Key> = self.entries.iter().map(Entry::key).collect();
        keys.sort();
        keys.dedup();
        keys
    }
    /// Of each type that there is for this detector: the reference for a frame that starts at `start_mjd`.
    #[must_use]
    pub fn choose(&self, key: &Key, start_mjd: f64) -> BTreeMap<String, Choice> {
        let mjd = |date: &str| Civil::parse_iso(date).map_or(f64::NAN, |c| c.mjd());
        let mut out: BTreeMap<String, Choice> = BTreeMap::new();
        for entry in self.entries.iter().filter(|e| e.detector == key.detector && e.key() == *key) {
            let choice = out.entry(entry.kind.clone()).or_insert_with(|| Choice::OutOfDate(Vec::new()));
            let valid = mjd(&entry.useafter) <= start_mjd && start_mjd < mjd(&entry.validto);
            match choice {
                Choice::Valid(best) if valid && mjd(&entry.useafter) >= mjd(&best.useafter) => *best = entry.clone(),
                Choice::Valid(_) => {}
                Choice::OutOfDate(_) if valid => *choice = Choice::Valid(entry.clone()),
                Choice::OutOfDate(others) => others.push(entry.clone()),
            }
        }
        out
    }
    /// The references for a frame, where a bias and a flat hold for it; `frame` is named in errors.
    ///
    /// # Errors
    /// When there is nothing for its detector, window and layout, or no bias or flat that holds at its start, `start_mjd` (UTC) \[d\].
    pub fn chosen(&self, key: &Key, start_mjd: f64, frame: &Path) -> Result<Chosen, ReductionError> {
        let choices = self.choose(key, start_mjd);
        if choices.is_empty() {
            let have: Vec<String> = self.keys().iter().map(Key::describe).collect();
            let have = if have.is_empty() { "none".into() } else { have.join("; ") };
            return Err(ReductionError::NoCalibration { path: frame.into(), detector: key.detector, have });
        }
        let mut chosen = Chosen::default();
        for (kind, choice) in choices {
            match choice {
                Choice::Valid(entry) => drop(chosen.valid.insert(kind, entry)),
                Choice::OutOfDate(others) => drop(chosen.out_of_date.insert(kind, others)),
            }
        }
        for kind in [Master::Bias, Master::Flat].map(Master::code) {
            if let Some(others) = chosen.out_of_date.get(kind) {
                let have: Vec<String> = others.iter().map(Entry::validity).collect();
                let date = Civil::from_mjd(start_mjd).iso();
                return Err(ReductionError::OutOfDate { path: frame.into(), kind: kind.into(), date, have: have.join("; ") });
            }
            if !chosen.valid.contains_key(kind) {
                let path = PathBuf::from(key.describe());
                return Err(ReductionError::Master { path, what: kind.into(), expected: "a master of this type" });
            }
        }
        Ok(chosen)
    }
    /// Whether the file of a reference has the bytes that the table says: all of it is read.
    ///
    /// # Errors
    /// When it has others, or cannot be read.
    pub fn check(&self, entry: &Entry) -> Result<(), ReductionError> {
        let path = self.path(entry);
        match sha256_file(&path) {
            Ok(found) if found == entry.sha256 => Ok(()),
            Ok(_) => {
                Err(ReductionError::Master { path, what: "its content".into(), expected: "the bytes whose SHA-256 stands in index.csv" })
            }
            Err(source) => Err(ReductionError::Io { path, source }),
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    fn entry(kind: &str, detector: u16, useafter: &str, validto: &str) -> Entry {
        let file = format!("{kind}_{detector}_{}.fits", &useafter[..10]);
        let (instrument, sha256, quality) = ("msc".into(), "0".into(), "PTCCHI2=1.02".into());
        let (useafter, validto) = (useafter.into(), validto.into());
        Entry {
            kind: kind.into(),
            instrument,
            detector,
            x0: 0,
            y0: 0,
            nx: 64,
            ny: 32,
            scans: true,
            useafter,
            validto,
            file,
            sha256,
            quality,
        }
    }
    fn mjd(date: &str) -> f64 {
        Civil::parse_iso(date).unwrap().mjd()
    }

    #[test]
    fn the_latest_reference_that_holds_is_taken_and_others_are_named() {
        let folder = tempfile::tempdir().unwrap();
        let mut index = Index::open_or_new(folder.path()).unwrap();
        index.add([
            entry("MTRAP", 8, "2028-01-01T00:00:00", "2029-01-01T00:00:00"),
            entry("MTRAP", 8, "2027-01-01T00:00:00", "2028-06-01T00:00:00"),
            entry("MBIAS", 8, "2027-01-01T00:00:00", "2028-01-01T00:00:00"),
            entry("MBIAS", 7, "2027-01-01T00:00:00", "2030-01-01T00:00:00"),
        ]);
        for e in index.entries() {
            std::fs::write(folder.path().join(&e.file), "x").unwrap();
        }
        index.write().unwrap();
        let index = Index::open(folder.path()).unwrap();
        assert_eq!(index.entries().len(), 4);
        let key = entry("MBIAS", 8, "2027-01-01T00:00:00", "").key();
        let at = |date: &str, kind: &str| index.choose(&key, mjd(date))[kind].clone();
        let useafter = |choice: Choice| match choice {
            Choice::Valid(e) => e.useafter,
            Choice::OutOfDate(others) => format!("{} of other dates", others.len()),
        };
        assert_eq!(useafter(at("2027-07-01T00:00:00", "MTRAP")), "2027-01-01T00:00:00");
        // Both hold: the later one.
        assert_eq!(useafter(at("2028-03-01T00:00:00", "MTRAP")), "2028-01-01T00:00:00");
        assert_eq!(useafter(at("2028-01-01T00:00:00", "MTRAP")), "2028-01-01T00:00:00");
        assert_eq!(useafter(at("2028-03-01T00:00:00", "MBIAS")), "1 of other dates");
        assert_eq!(useafter(at("2026-03-01T00:00:00", "MTRAP")), "2 of other dates");
        assert_eq!(index.keys().len(), 2);
        // The same file again replaces its row.
        let mut again = index.clone();
        again.add([entry("MBIAS", 8, "2027-01-01T00:00:00", "2031-01-01T00:00:00")]);
        assert_eq!(again.entries().len(), 4);
        assert!(matches!(&again.choose(&key, mjd("2028-03-01T00:00:00"))["MBIAS"], Choice::Valid(_)));
    }

    #[test]
    fn a_row_that_makes_no_sense_is_refused_with_its_line() {
        let folder = tempfile::tempdir().unwrap();
        let mut index = Index::open_or_new(folder.path()).unwrap();
        index.add([entry("MBIAS", 8, "2027-01-01T00:00:00", "2028-01-01T00:00:00")]);
        index.write().unwrap();
        let path = folder.path().join(INDEX_FILE);
        // Its file is not there.
        let error = Index::open(folder.path()).unwrap_err().to_string();
        assert!(error.contains("line 2") && error.contains("MBIAS_8_2027-01-01.fits"), "{error}");
        let text = std::fs::read_to_string(&path).unwrap();
        std::fs::write(&path, text.replace("2028-01-01T00:00:00", "soon")).unwrap();
        let error = Index::open(folder.path()).unwrap_err().to_string();
        assert!(error.contains("index.csv") && error.contains("validto") && error.contains("soon"), "{error}");
        std::fs::remove_file(&path).unwrap();
        assert!(Index::open(folder.path()).unwrap_err().to_string().contains("index.csv"));
    }
}
