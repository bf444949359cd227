//! How a run stands, from its files and journals alone: nothing has to run, and no product is read.
//!
//! # Limits
//! A product is there or not: bytes are compared by [`mod@crate::verify`]. Time left is that of the rate of the last hour of work,
//! whether or not anybody works now.

use crate::failure::{ErrorClass, Exit, SurveyError};
use crate::folder::Run;
use crate::journal::{self, Line, Outcome};
use crate::manifest::{self, UnitRow};
use crate::record::{self, Record};
use rayon::prelude::*;
use schemars::JsonSchema;
use serde::Serialize;
use std::collections::BTreeMap;
use std::fmt;

/// How a unit stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum UnitState {
    /// Whole, with the planned key.
    Done,
    /// Not there, and the last attempt failed.
    Failed,
    /// There with another key.
    Stale,
    /// Not there.
    Missing,
}

impl UnitState {
    /// Its name.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Done => "done",
            Self::Failed => "failed",
            Self::Stale => "stale",
            Self::Missing => "missing",
        }
    }
}

/// What is known of a unit.
#[derive(Debug, Clone, PartialEq)]
pub struct Seen<'a> {
    /// The unit.
    pub unit: &'a UnitRow,
    /// How it stands.
    pub state: UnitState,
    /// The line of its last end, with the planned key or another.
    pub last: Option<&'a Line>,
    /// How often it was begun.
    pub attempts: u32,
    /// Whether the last attempt began and did not end: it is at work, or was killed.
    pub open: bool,
}

impl Seen<'_> {
    /// Why it failed: class, and words that units which failed alike share (numbers are `#`, the unit's name is `UNIT`).
    #[must_use]
    pub fn reason(&self) -> Option<(ErrorClass, String)> {
        let line = self.last.filter(|_| self.state == UnitState::Failed)?;
        Some((line.class?, without_numbers(&line.error.as_ref()?.replace(&self.unit.name, "UNIT"))))
    }
}

/// Looks at every unit: `lines` are those of all journals.
#[must_use]
pub fn look<'a>(run: &Run, units: &'a [UnitRow], lines: &'a [Line]) -> Vec<Seen<'a>> {
    let mut of_unit: BTreeMap<u32, Vec<&Line>> = BTreeMap::new();
    for line in lines {
        of_unit.entry(line.unit).or_default().push(line);
    }
    for lines in of_unit.values_mut() {
        lines.sort_by(|a, b| a.time.total_cmp(&b.time));
    }
    let stays = !run.store().exists();
    units
        .par_iter()
        .map(|unit| {
            let lines = of_unit.get(&unit.index).map_or(&[][..], Vec::as_slice);
            let ends = |line: &&&Line| line.outcome != Outcome::Begun;
            let last = lines.iter().rfind(ends).copied();
            let done = lines.iter().rfind(|line| line.is_done()).map(|line| line.key.as_str());
            Seen {
                unit,
                state: state(run, stays, unit, last, done),
                last,
                attempts: lines.iter().filter(|line| line.outcome == Outcome::Begun).count() as u32,
                open: lines.last().is_some_and(|line| line.outcome == Outcome::Begun),
            }
        })
        .collect()
}

/// How a unit stands, from whether its files are there and what the journal says; its record is read only when the journal does not know
/// its key. Where products do not stay in the folder, those that are there are yet to be delivered.
fn state(run: &Run, stays: bool, unit: &UnitRow, last: Option<&Line>, done: Option<&str>) -> UnitState {
    let product = run.path().join(&unit.path);
    if !record::path_of(&product).exists() || product.exists() != stays {
        let failed = last.is_some_and(|line| line.key == unit.key && line.class.is_some_and(|c| c != ErrorClass::Interrupted));
        return if failed { UnitState::Failed } else { UnitState::Missing };
    }
    match done {
        Some(key) if key == unit.key => UnitState::Done,
        _ => match Record::beside(&product) {
            Some(record) if record.key == unit.key => UnitState::Done,
            Some(_) => UnitState::Stale,
            None => UnitState::Missing,
        },
    }
}

/// Failures of one kind.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct Reason {
    /// Class.
    pub class: ErrorClass,
    /// Words they share; numbers in them are `#`.
    pub text: String,
    /// Units.
    pub units: usize,
    /// One of them.
    pub example: String,
    /// Its error in full.
    pub error: String,
}

/// A unit that took long.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct Slow {
    /// Name.
    pub unit: String,
    /// Time it took \[s\].
    pub wall_s: f64,
    /// Processor time \[s\].
    pub cpu_s: f64,
    /// Cost that was expected \[core-s\].
    pub expected_s: f64,
}

/// How a run stands.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct Status {
    /// Units.
    pub units: usize,
    /// Chunks.
    pub chunks: usize,
    /// Chunks of which every unit is done.
    pub chunks_done: usize,
    /// Units that are whole with the planned key.
    pub done: usize,
    /// Units whose last attempt failed.
    pub failed: usize,
    /// Units that are there with another key.
    pub stale: usize,
    /// Units that are not there.
    pub missing: usize,
    /// Of those: begun without an end; at work now, or killed.
    pub open: usize,
    /// Units that were begun more than once.
    pub retried: usize,
    /// Why units failed, most frequent first.
    pub reasons: Vec<Reason>,
    /// The slowest units.
    pub slowest: Vec<Slow>,
    /// Largest peak of memory of a process \[MB\].
    pub peak_mb: f64,
    /// Processor time of units that are done \[s\].
    pub cpu_s: f64,
    /// Cost that was expected of them \[core-s\].
    pub expected_s: f64,
    /// Objects in them.
    pub objects: u64,
    /// Size of their products \[byte\].
    pub bytes: u64,
    /// Time left at the rate of the last hour of work \[s\]; `None` when nothing was made yet.
    pub left_s: Option<f64>,
}

/// Slowest units that are shown.
const SLOWEST: usize = 5;
/// Time of work that the rate is taken from \[s\].
const RATE_WINDOW_S: f64 = 3600.0;

/// How a run stands.
///
/// # Errors
/// When its manifest or a journal cannot be read.
pub fn status(run: &Run) -> Result<Status, SurveyError> {
    let units = manifest::read(&run.units())?;
    let lines = journal::read_all(run)?;
    Ok(of(&look(run, &units, &lines), &units, &lines))
}

/// How a run stands, from what was seen of its units and the lines of all journals.
#[must_use]
pub fn of(seen: &[Seen<'_>], units: &[UnitRow], lines: &[Line]) -> Status {
    let count = |state| seen.iter().filter(|s| s.state == state).count();
    let done: Vec<&Seen> = seen.iter().filter(|s| s.state == UnitState::Done).collect();
    let mut chunks: BTreeMap<u32, bool> = BTreeMap::new();
    for s in seen {
        *chunks.entry(s.unit.chunk).or_insert(true) &= s.state == UnitState::Done;
    }
    let mut slow: Vec<Slow> = done
        .iter()
        .filter_map(|s| {
            let line = s.last?;
            Some(Slow { unit: s.unit.name.clone(), wall_s: line.wall_s?, cpu_s: line.cpu_s?, expected_s: s.unit.cost_s })
        })
        .collect();
    slow.sort_by(|a, b| b.wall_s.total_cmp(&a.wall_s));
    slow.truncate(SLOWEST);
    let timed = |s: &&&Seen| s.last.is_some_and(|line| line.cpu_s.is_some());
    Status {
        units: units.len(),
        chunks: chunks.len(),
        chunks_done: chunks.values().filter(|done| **done).count(),
        done: done.len(),
        failed: count(UnitState::Failed),
        stale: count(UnitState::Stale),
        missing: count(UnitState::Missing),
        open: seen.iter().filter(|s| s.open && s.state != UnitState::Done).count(),
        retried: seen.iter().filter(|s| s.attempts > 1).count(),
        reasons: reasons(seen),
        slowest: slow,
        peak_mb: lines.iter().filter_map(|line| line.peak_mb).fold(0.0, f64::max),
        cpu_s: done.iter().filter_map(|s| s.last?.cpu_s).sum(),
        expected_s: done.iter().filter(timed).map(|s| s.unit.cost_s).sum(),
        objects: done.iter().filter_map(|s| s.last?.objects).sum(),
        bytes: done.iter().filter_map(|s| s.last.map(Line::bytes)).sum(),
        left_s: left_s(seen, units, lines),
    }
}

/// Failures by class and words.
fn reasons(seen: &[Seen<'_>]) -> Vec<Reason> {
    let mut groups: BTreeMap<(ErrorClass, String), Reason> = BTreeMap::new();
    for s in seen.iter().filter(|s| s.state == UnitState::Failed) {
        let Some((class, text)) = s.reason() else { continue };
        let error = s.last.and_then(|line| line.error.clone()).unwrap_or_default();
        let new = || Reason { class, text: text.clone(), units: 0, example: s.unit.name.clone(), error };
        groups.entry((class, text.clone())).or_insert_with(new).units += 1;
    }
    let mut reasons: Vec<Reason> = groups.into_values().collect();
    reasons.sort_by_key(|r| std::cmp::Reverse(r.units));
    reasons
}

/// A text with every run of digits as `#`, so that what differs in numbers alone is one reason.
fn without_numbers(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '0'..='9' if out.ends_with('#') => {}
            '0'..='9' => out.push('#'),
            c => out.push(c),
        }
    }
    out
}

/// Time left: the expected cost of what is not done at the rate of the last hour of work.
fn left_s(seen: &[Seen<'_>], units: &[UnitRow], lines: &[Line]) -> Option<f64> {
    let cost_left: f64 = seen.iter().filter(|s| s.state != UnitState::Done).map(|s| s.unit.cost_s).sum();
    if cost_left == 0.0 {
        return Some(0.0);
    }
    let cost: BTreeMap<u32, f64> = units.iter().map(|u| (u.index, u.cost_s)).collect();
    let made: Vec<&Line> = lines.iter().filter(|l| l.outcome == Outcome::Made).collect();
    let end = made.iter().map(|l| l.time).reduce(f64::max)?;
    let last: Vec<&&Line> = made.iter().filter(|l| l.time > end - RATE_WINDOW_S).collect();
    let begin = last.iter().map(|l| l.time - l.wall_s.unwrap_or(0.0)).fold(end, f64::min).max(end - RATE_WINDOW_S);
    let spent: f64 = last.iter().filter_map(|l| cost.get(&l.unit)).sum();
    (end > begin && spent > 0.0).then(|| cost_left * (end - begin) / spent)
}

impl Status {
    /// Whether every unit is done.
    #[must_use]
    pub fn is_complete(&self) -> bool {
        self.done == self.units
    }
    /// How `status` ends: complete, failures (stale ones too), or incomplete.
    #[must_use]
    pub fn exit(&self) -> Exit {
        if self.is_complete() {
            Exit::Done
        } else if self.failed + self.stale > 0 {
            Exit::UnitFailed
        } else {
            Exit::Incomplete
        }
    }
}

/// A time in the largest unit that fits.
fn shown(seconds: f64) -> String {
    match seconds {
        s if s < 120.0 => format!("{s:.1} s"),
        s if s < 7200.0 => format!("{:.1} min", s / 60.0),
        s if s < 172_800.0 => format!("{:.1} h", s / 3600.0),
        s => format!("{:.1} d", s / 86_400.0),
    }
}

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{} units in {} chunks, {} chunks done", self.units, self.chunks, self.chunks_done)?;
        writeln!(f, "done {}, failed {}, stale {}, missing {}", self.done, self.failed, self.stale, self.missing)?;
        if self.open > 0 {
            writeln!(f, "begun without an end (at work, or killed): {}", self.open)?;
        }
        if self.retried > 0 {
            writeln!(f, "begun more than once: {}", self.retried)?;
        }
        for r in &self.reasons {
            writeln!(f, "  {} x {}: {} (such as {})", r.units, r.class.name(), r.error, r.example)?;
        }
        if self.done > 0 {
            let (cpu, expected) = (shown(self.cpu_s), shown(self.expected_s));
            let (objects, gigabyte) = (self.objects, self.bytes as f64 / 1e9);
            writeln!(f, "{objects} objects, {gigabyte:.3} GB, {cpu} of processor time (expected {expected})")?;
        }
        for s in &self.slowest {
            writeln!(f, "  slow: {} {} (processor {}, expected {})", s.unit, shown(s.wall_s), shown(s.cpu_s), shown(s.expected_s))?;
        }
        if self.peak_mb > 0.0 {
            writeln!(f, "peak memory of a process: {:.0} MB", self.peak_mb)?;
        }
        match self.left_s {
            _ if self.is_complete() => write!(f, "complete"),
            Some(left) => write!(f, "time left at the rate of the last hour of work: {}", shown(left)),
            None => write!(f, "nothing made yet"),
        }
    }
}
