//! HyperQueue: an array of tasks.
//!
//! The tasks call the program without a shell between, and it takes the index from `HQ_TASK_ID`, so that nothing is quoted twice. The script is
//! the call of `hq submit`. HyperQueue begins a task again when its worker is lost; tasks that end with a code other than 0 are for `skyloop retry`.
//!
//! # Source
//! HyperQueue's documentation, version 0.26: arrays, resources (`mem` in MB), placeholders, output modes.
//!
//! # Limits
//! Time is asked for as a request, so that a worker does not begin what it cannot end, and is the limit too. A command after the elements
//! is not among what arrays can do.

use super::{Engine, Job, Queue, Standing};
use crate::failure::SurveyError;
use crate::program::{command, one_line, say};
use std::path::Path;

pub(super) const NAME: &str = "hq";

/// HyperQueue.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct HyperQueue {
    /// More options of `hq submit`.
    pub options: Vec<String>,
}

impl Engine for HyperQueue {
    fn name(&self) -> &'static str {
        NAME
    }
    fn most_elements(&self) -> u32 {
        // Submitted and measured as an array of 10^6.
        1_000_000
    }

    fn text(&self, job: &Job) -> Result<String, SurveyError> {
        if job.at_once.is_some() {
            let reason = "how many tasks are at work follows from the workers; --at-once is not for this engine";
            return Err(SurveyError::Program { program: NAME.into(), reason: reason.into() });
        }
        let name = if job.list.is_some() { "retry.%{TASK_ID}.%{INSTANCE_ID}.log" } else { "%{TASK_ID}.%{INSTANCE_ID}.log" };
        let log = job.run.log().join(name).to_string_lossy().into_owned();
        let seconds = job.time_s;
        let mut words: Vec<String> = ["hq", "--output-mode=quiet", "submit"].map(String::from).into();
        words.extend([
            format!("--name={}", job.name),
            format!("--array=0-{}", job.elements - 1),
            format!("--cpus={}", job.cpus),
            format!("--resource=mem={}", job.memory_mb),
            format!("--time-request={seconds}s"),
            format!("--time-limit={seconds}s"),
            format!("--stdout={log}"),
            format!("--stderr={log}"),
        ]);
        words.extend(self.options.iter().cloned());
        words.push("--".into());
        words.extend(job.command("env"));
        words.iter().try_for_each(|word| one_line("path or option", word))?;
        Ok(format!("#!/bin/sh\nexec {}\n", command(&words)))
    }
}

impl Queue for HyperQueue {
    fn submit(&self, script: &Path, _after: Option<&str>) -> Result<String, SurveyError> {
        // Asked first, because the shell would tell of a missing program in words of its own.
        say("hq", &["--version"])?;
        let said = say("sh", &[script])?;
        let number = said.trim();
        if number.is_empty() || !number.bytes().all(|b| b.is_ascii_digit()) {
            return Err(SurveyError::Program { program: "hq submit".into(), reason: format!("no number of a job in {said:?}") });
        }
        Ok(number.into())
    }

    fn standing(&self, job: &str) -> Result<Standing, SurveyError> {
        let said = say("hq", &["--output-mode=json", "job", "info", job])?;
        let jobs: serde_json::Value = serde_json::from_str(&said)
            .map_err(|e| SurveyError::Program { program: "hq job info".into(), reason: format!("{e} in {said:?}") })?;
        let count =
            |key: &str| jobs.pointer(&format!("/0/info/task_stats/{key}")).and_then(serde_json::Value::as_u64).unwrap_or(0) as usize;
        Ok(Standing { queued: count("waiting"), running: count("running") })
    }

    fn cancel(&self, job: &str) -> Result<(), SurveyError> {
        say("hq", &["job", "cancel", job]).map(drop)
    }
}
