//! Handing the chunks of a run to a batch system, as an array of elements that each make some of them.
//!
//! Nothing here schedules, and nothing is concluded from what a batch system says: an element calls `skyloop run RUN --chunk K`, and how
//! the run stands is in its files. So elements may be killed, requeued, or run twice. An [`Engine`] turns a [`Job`] into what its batch
//! system reads; a [`Queue`] also hands it over, asks how it stands, and cancels it. What was handed over is in RUN/submit
//! ([`mod@records`]).
//!
//! # Limits
//! Paths are written as they were given: the folder of the run, the program, and what the survey reads have to have the same names where the
//! elements run.

mod hq;
mod job;
mod kubernetes;
pub mod records;
mod slurm;

pub use hq::HyperQueue;
pub use job::{Job, Wishes};
pub use kubernetes::{Claim, Kubernetes};
pub use slurm::{Site, Slurm};

use crate::failure::SurveyError;
use serde::Serialize;
use std::path::Path;

/// A batch system.
pub trait Engine {
    /// Its name, as on the command line.
    fn name(&self) -> &'static str;
    /// The most elements that an array of its may have.
    fn most_elements(&self) -> u32;
    /// What it reads: a script or a manifest.
    ///
    /// # Errors
    /// When the job cannot be put in its words.
    fn text(&self, job: &Job) -> Result<String, SurveyError>;
    /// A text that runs a command of `skyloop` once all elements have come to an end, however they ended.
    ///
    /// # Errors
    /// When the engine cannot do that.
    fn text_after(&self, job: &Job, command: &[String]) -> Result<String, SurveyError> {
        let (_, _) = (job, command);
        Err(SurveyError::Program { program: self.name().into(), reason: "cannot start a command after the elements (`--then`)".into() })
    }
}

/// A batch system whose programs can be called from here.
pub trait Queue: Engine {
    /// Hands over a script that [`Engine::text`] or, to start after another job, [`Engine::text_after`] made; returns the job's name there.
    ///
    /// # Errors
    /// When the batch system's program is missing or refuses.
    fn submit(&self, script: &Path, after: Option<&str>) -> Result<String, SurveyError>;
    /// How many elements of a job wait and run; none of one that is forgotten there.
    ///
    /// # Errors
    /// When the batch system's program is missing.
    fn standing(&self, job: &str) -> Result<Standing, SurveyError>;
    /// Cancels a job; one that is over or forgotten there is no error.
    ///
    /// # Errors
    /// When the batch system's program is missing or refuses.
    fn cancel(&self, job: &str) -> Result<(), SurveyError>;
}

/// Elements of a job that are not over.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Standing {
    /// Elements that wait.
    pub queued: usize,
    /// Elements at work.
    pub running: usize,
}

/// The queue that a record names.
#[must_use]
pub fn queue(name: &str) -> Option<Box<dyn Queue>> {
    match name {
        slurm::NAME => Some(Box::new(Slurm::default())),
        hq::NAME => Some(Box::new(HyperQueue::default())),
        _ => None,
    }
}
