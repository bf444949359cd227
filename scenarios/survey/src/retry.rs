//! What is still to be made, in chunks of its own.
//!
//! Units that failed for their input are left out: the same again fails again. Units that began without an end are expected to need half
//! as much memory again, because the system kills processes for memory without a word.

use crate::chunks::{self, Wanted};
use crate::failure::SurveyError;
use crate::folder::Run;
use crate::journal;
use crate::manifest::{self, UnitRow};
use crate::status::{Seen, UnitState, look};

/// More memory for units that were killed, perhaps for it.
const MORE_MEMORY: f64 = 1.5;

/// What `retry` found.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Retry {
    /// Units to be made again.
    pub units: usize,
    /// Chunks they are in.
    pub chunks: usize,
    /// Units left out, because their input is wrong or products of another key are in the way.
    pub refused: usize,
    /// Units expected to need more memory than planned.
    pub with_more_memory: usize,
}

/// Writes the manifest of what is missing or failed ([`Run::retry`]), in chunks of whole exposures; with nothing left there is no such
/// file.
///
/// # Errors
/// When the manifest or a journal cannot be read, or the new manifest not written.
pub fn retry(run: &Run, wanted: Wanted) -> Result<Retry, SurveyError> {
    let units = manifest::read(&run.units())?;
    let lines = journal::read_all(run)?;
    let seen = look(run, &units, &lines);
    let open: Vec<&Seen> = seen.iter().filter(|s| s.state != UnitState::Done).collect();
    let refused = |s: &Seen| {
        let class = s.last.filter(|line| line.key == s.unit.key).and_then(|line| line.class);
        s.state == UnitState::Stale || (s.state == UnitState::Failed && class.is_some_and(|c| !c.may_pass()))
    };
    let mut found = Retry { refused: open.iter().filter(|s| refused(s)).count(), ..Retry::default() };
    let mut rows: Vec<UnitRow> = Vec::new();
    for s in open.into_iter().filter(|s| !refused(s)) {
        let more = if s.open { MORE_MEMORY } else { 1.0 };
        found.with_more_memory += usize::from(s.open);
        rows.push(UnitRow { memory_mb: s.unit.memory_mb * more, ..s.unit.clone() });
    }
    found.units = rows.len();
    found.chunks = number(&mut rows, wanted)?;
    let path = run.retry();
    if rows.is_empty() {
        match std::fs::remove_file(&path) {
            Err(e) if e.kind() != std::io::ErrorKind::NotFound => return Err(SurveyError::io(&path)(e)),
            _ => {}
        }
    } else {
        manifest::write(&path, &rows)?;
    }
    Ok(found)
}

/// Gives units their chunks: neighbours with the same observation number stay together. Returns how many chunks there are.
///
/// # Errors
/// When no chunks are wanted.
pub fn number(rows: &mut [UnitRow], wanted: Wanted) -> Result<usize, SurveyError> {
    let costs: Vec<f64> = rows.chunk_by(|a, b| a.obs_id == b.obs_id).map(|units| units.iter().map(|u| u.cost_s).sum()).collect();
    let of_exposure = chunks::divide(&costs, wanted)?;
    for (units, chunk) in rows.chunk_by_mut(|a, b| a.obs_id == b.obs_id).zip(&of_exposure) {
        units.iter_mut().for_each(|unit| unit.chunk = *chunk);
    }
    Ok(of_exposure.last().map_or(0, |last| *last as usize + 1))
}
