//! What was handed to batch systems: a script and a record for each submission, in RUN/submit.

use super::{Job, Queue, Standing, queue};
use crate::failure::SurveyError;
use crate::folder::Run;
use crate::journal::now;
use serde::{Deserialize, Serialize};
use sim_core::files::write_atomically;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

/// A job that a batch system has taken.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Submission {
    /// Number among the run's submissions, from 1.
    pub number: u32,
    /// Name of the engine.
    pub engine: String,
    /// Name of the job there.
    pub job: String,
    /// Name of the job that starts after it, where there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub after: Option<String>,
    /// Elements.
    pub elements: u32,
    /// Chunks they make.
    pub chunks: u32,
    /// Whether it is of a list of `skyloop retry`.
    pub retry: bool,
    /// When, seconds since 1970 UTC.
    pub time: f64,
}

/// A submission before it is made: its number, and where its files go.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Next {
    /// Number.
    pub number: u32,
    folder: PathBuf,
}

impl Next {
    /// A file of the submission.
    #[must_use]
    pub fn file(&self, ending: &str) -> PathBuf {
        self.folder.join(format!("{:03}.{ending}", self.number))
    }
}

/// The records in a folder: number and file.
fn files(folder: &Path) -> Result<Vec<(u32, PathBuf)>, SurveyError> {
    let entries = match std::fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(e) if e.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
        Err(e) => return Err(SurveyError::io(folder)(e)),
    };
    let numbered = |path: PathBuf| Some((path.file_name()?.to_str()?.split('.').next()?.parse().ok()?, path));
    let mut found: Vec<(u32, PathBuf)> = entries.flatten().filter_map(|e| numbered(e.path())).collect();
    found.sort();
    Ok(found)
}

/// The next submission of a run; nothing is written.
///
/// # Errors
/// When the folder cannot be read.
pub fn next(run: &Run) -> Result<Next, SurveyError> {
    let folder = run.submit();
    Ok(Next { number: files(&folder)?.last().map_or(1, |(number, _)| number + 1), folder })
}

/// What has been handed over, in order.
///
/// # Errors
/// When a record cannot be read.
pub fn read(run: &Run) -> Result<Vec<Submission>, SurveyError> {
    let records = files(&run.submit())?.into_iter().filter(|(_, path)| path.extension().is_some_and(|e| e == "json"));
    let one = |(_, path): (u32, PathBuf)| {
        let text = std::fs::read(&path).map_err(SurveyError::io(&path))?;
        serde_json::from_slice(&text).map_err(|e| SurveyError::manifest(&path, e))
    };
    records.map(one).collect()
}

/// Hands a job to a queue: scripts are kept, then submitted, then the record is written. `list` is what [`Job::list`] names, kept as it is now
/// because `skyloop retry` writes its own anew; `then` is a command of `skyloop` for after the elements.
///
/// # Errors
/// When a file cannot be written, or the batch system refuses. When it refuses the command after, the array is cancelled.
pub fn submit(queue: &dyn Queue, job: &Job, next: &Next, list: Option<&Path>, then: Option<&[String]>) -> Result<Submission, SurveyError> {
    let text = queue.text(job)?;
    let after = then.map(|words| queue.text_after(job, words)).transpose()?;
    for folder in [&next.folder, &job.run.log()] {
        std::fs::create_dir_all(folder).map_err(SurveyError::io(folder))?;
    }
    if let (Some(from), Some(to)) = (list, &job.list) {
        std::fs::copy(from, to).map_err(SurveyError::io(from))?;
    }
    let kept = |ending: &str, text: &str| {
        let path = next.file(ending);
        write_atomically(&path, text.as_bytes()).map_err(SurveyError::io(&path))?;
        Ok::<_, SurveyError>(path)
    };
    let name = queue.submit(&kept(&format!("{}.sh", queue.name()), &text)?, None)?;
    let after = match after.map(|text| queue.submit(&kept(&format!("{}.after.sh", queue.name()), &text)?, Some(&name))).transpose() {
        Ok(after) => after,
        Err(e) => {
            queue.cancel(&name)?;
            return Err(e);
        }
    };
    let (elements, chunks, retry) = (job.elements, job.chunks, job.list.is_some());
    let done = Submission { number: next.number, engine: queue.name().into(), job: name, after, elements, chunks, retry, time: now() };
    let path = next.file("json");
    let record = serde_json::to_vec_pretty(&done).map_err(|e| SurveyError::manifest(&path, e))?;
    write_atomically(&path, &record).map_err(SurveyError::io(&path))?;
    Ok(done)
}

/// How the elements of all submissions of a run stand in their queues.
///
/// # Errors
/// When a record cannot be read, or a batch system's program is missing.
pub fn standing(run: &Run) -> Result<Standing, SurveyError> {
    let mut all = Standing::default();
    for submission in read(run)? {
        if let Some(queue) = queue(&submission.engine) {
            let of_one = queue.standing(&submission.job)?;
            (all.queued, all.running) = (all.queued + of_one.queued, all.running + of_one.running);
        }
    }
    Ok(all)
}

/// Cancels all jobs of a run that are not over; returns how many submissions had elements that waited or were at work.
///
/// # Errors
/// When a record cannot be read, or a batch system refuses.
pub fn cancel(run: &Run) -> Result<usize, SurveyError> {
    let mut cancelled = 0;
    for submission in read(run)? {
        let Some(queue) = queue(&submission.engine) else { continue };
        let jobs = [Some(&submission.job), submission.after.as_ref()];
        let mut had = false;
        // What comes after goes first, or it would start.
        for job in jobs.into_iter().rev().flatten() {
            if queue.standing(job)? != Standing::default() {
                queue.cancel(job)?;
                had = true;
            }
        }
        cancelled += usize::from(had);
    }
    Ok(cancelled)
}
