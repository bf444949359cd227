//! What happened: append-only files of one JSON line per event, one file per chunk and attempt, each with one writer.
//!
//! A line is written at once. A kill can tear the last one: a line without its end is no line. The journal is evidence, not truth:
//! a unit whose last line was lost is known by its record all the same.

use crate::failure::{ErrorClass, SurveyError};
use crate::folder::Run;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::fs::{File, OpenOptions};
use std::io::{ErrorKind, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

/// What happened to a unit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// Its making began.
    #[default]
    Begun,
    /// It was made and is whole.
    Made,
    /// It was there, whole, without a line of its making.
    Found,
    /// It was not made.
    Failed,
}

/// A product as the unit's record has it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Product {
    /// Name relative to the run's folder.
    pub path: String,
    /// Size \[byte\].
    pub bytes: u64,
    /// SHA-256, hexadecimal.
    pub sha256: String,
}

/// One line.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize, JsonSchema)]
pub struct Line {
    /// Number of the unit.
    pub unit: u32,
    /// Its name.
    pub name: String,
    /// Its key.
    pub key: String,
    /// What happened.
    pub outcome: Outcome,
    /// Chunk that was run.
    pub chunk: u32,
    /// Attempt at this chunk, from 1.
    pub attempt: u32,
    /// Host.
    pub host: String,
    /// Process on it.
    pub pid: u32,
    /// When, seconds since 1970 UTC.
    pub time: f64,
    /// Time it took \[s\].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub wall_s: Option<f64>,
    /// Processor time of the threads that worked on it \[s\].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cpu_s: Option<f64>,
    /// Peak memory of the process meanwhile \[MB\]: with other units beside it, theirs too.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub peak_mb: Option<f64>,
    /// Other units in this process when it began.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub beside: Option<u32>,
    /// Objects it holds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub objects: Option<u64>,
    /// Its products.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub products: Vec<Product>,
    /// Class of the error.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub class: Option<ErrorClass>,
    /// The error in words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
}

impl Line {
    /// Size of all products \[byte\].
    #[must_use]
    pub fn bytes(&self) -> u64 {
        self.products.iter().map(|p| p.bytes).sum()
    }
    /// Whether the unit is whole after it.
    #[must_use]
    pub fn is_done(&self) -> bool {
        matches!(self.outcome, Outcome::Made | Outcome::Found)
    }
}

/// Seconds since 1970 UTC.
#[must_use]
pub fn now() -> f64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0.0, |d| d.as_secs_f64())
}

/// The journal of one attempt at a chunk.
#[derive(Debug)]
pub struct Journal {
    file: File,
    path: PathBuf,
    length: u64,
    chunk: u32,
    attempt: u32,
}

impl Journal {
    /// Begins the next attempt at a chunk; the number is ours alone, also when others begin at the same moment.
    ///
    /// # Errors
    /// When the folder cannot be written.
    pub fn begin(run: &Run, chunk: u32) -> Result<Self, SurveyError> {
        let folder = run.journal();
        std::fs::create_dir_all(&folder).map_err(SurveyError::io(&folder))?;
        for attempt in 1.. {
            let path = folder.join(format!("{chunk:05}.{attempt:03}.jsonl"));
            match OpenOptions::new().append(true).create_new(true).open(&path) {
                Ok(file) => return Ok(Self { file, path, length: 0, chunk, attempt }),
                Err(e) if e.kind() == ErrorKind::AlreadyExists => {}
                Err(e) => return Err(SurveyError::io(&path)(e)),
            }
        }
        unreachable!("attempts do not end")
    }
    /// Appends a line; chunk, attempt, host, process and time are filled in.
    ///
    /// # Errors
    /// When it cannot be written; the journal then ends with the line before.
    pub fn write(&mut self, line: &mut Line) -> Result<(), SurveyError> {
        (line.chunk, line.attempt) = (self.chunk, self.attempt);
        (line.host, line.pid) = (sim_core::files::our_host().into(), std::process::id());
        line.time = now();
        let mut text = serde_json::to_vec(line).map_err(|e| SurveyError::io(&self.path)(e.into()))?;
        text.push(b'\n');
        if let Err(e) = self.file.write_all(&text) {
            let _ = self.file.set_len(self.length);
            return Err(SurveyError::io(&self.path)(e));
        }
        self.length += text.len() as u64;
        Ok(())
    }
}

/// Files of journals in the order of their names; none when nothing was run yet.
///
/// # Errors
/// When the folder cannot be read.
pub fn files(run: &Run) -> Result<Vec<PathBuf>, SurveyError> {
    let folder = run.journal();
    let entries = match std::fs::read_dir(&folder) {
        Ok(entries) => entries,
        Err(e) if e.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
        Err(e) => return Err(SurveyError::io(&folder)(e)),
    };
    let mut files: Vec<PathBuf> = entries.flatten().map(|e| e.path()).filter(|p| p.extension().is_some_and(|e| e == "jsonl")).collect();
    files.sort();
    Ok(files)
}

/// The lines of a journal from a place in it \[byte\], and where they end; a torn last line is not among them, nor are lines that
/// are none.
///
/// # Errors
/// When the file cannot be read.
pub fn read_from(path: &Path, from: u64) -> Result<(Vec<Line>, u64), SurveyError> {
    let mut bytes = Vec::new();
    let mut file = File::open(path).map_err(SurveyError::io(path))?;
    file.seek(SeekFrom::Start(from)).and_then(|_| file.read_to_end(&mut bytes)).map_err(SurveyError::io(path))?;
    let whole = bytes.iter().rposition(|b| *b == b'\n').map_or(0, |last| last + 1);
    let lines = bytes[..whole].split(|b| *b == b'\n').filter_map(|line| serde_json::from_slice(line).ok()).collect();
    Ok((lines, from + whole as u64))
}

/// All lines of all journals.
///
/// # Errors
/// When a file cannot be read.
pub fn read_all(run: &Run) -> Result<Vec<Line>, SurveyError> {
    let mut all = Vec::new();
    for path in files(run)? {
        all.extend(read_from(&path, 0)?.0);
    }
    Ok(all)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(unit: u32) -> Line {
        Line { unit, name: format!("u{unit}"), outcome: Outcome::Made, ..Line::default() }
    }

    #[test]
    fn a_torn_last_line_and_a_damaged_one_are_left_out_and_the_rest_is_read() {
        let folder = tempfile::tempdir().unwrap();
        let run = Run::at(folder.path());
        let mut journal = Journal::begin(&run, 3).unwrap();
        journal.write(&mut line(1)).unwrap();
        let after_one = journal.length;
        journal.file.write_all(b"{\"unit\": nonsense}\n").unwrap();
        journal.write(&mut line(2)).unwrap();
        journal.file.write_all(b"{\"unit\": 7, \"na").unwrap();
        let path = run.journal().join("00003.001.jsonl");
        let (lines, end) = read_from(&path, 0).unwrap();
        assert_eq!(lines.iter().map(|l| l.unit).collect::<Vec<_>>(), [1, 2]);
        assert_eq!(read_from(&path, after_one).unwrap().0.len(), 1);
        // What was torn is read when its end has come.
        journal.file.write_all(b"me\": \"u7\", \"key\": \"\", \"outcome\": \"made\", \"chunk\": 3, \"attempt\": 1, ").unwrap();
        journal.file.write_all(b"\"host\": \"h\", \"pid\": 1, \"time\": 0.0}\n").unwrap();
        assert_eq!(read_from(&path, end).unwrap().0[0].unit, 7);
    }

    #[test]
    fn attempts_at_a_chunk_have_files_of_their_own() {
        let folder = tempfile::tempdir().unwrap();
        let run = Run::at(folder.path());
        assert!(read_all(&run).unwrap().is_empty());
        let (mut a, mut b) = (Journal::begin(&run, 0).unwrap(), Journal::begin(&run, 0).unwrap());
        b.write(&mut line(2)).unwrap();
        a.write(&mut line(1)).unwrap();
        let lines = read_all(&run).unwrap();
        assert_eq!(lines.iter().map(|l| (l.unit, l.attempt)).collect::<Vec<_>>(), [(1, 1), (2, 2)]);
        assert_eq!(lines[0].pid, std::process::id());
    }
}
