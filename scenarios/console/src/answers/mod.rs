//! What the service answers with; the OpenAPI document has its schemas from here.

mod units;

pub use units::{Chunk, Chunks, Standing, States, Unit, UnitDetail, Units};

use crate::spread::Spread;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use survey::failure::ErrorClass;
use survey::status::Status;

/// What a run does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Activity {
    /// Planned; nothing was begun yet.
    Waiting,
    /// Units are being made.
    AtWork,
    /// Not complete, and nothing happened for a while.
    Stopped,
    /// Every unit is done.
    Complete,
}

/// Rates of the last ten minutes of work; zeros before the first unit.
#[derive(Debug, Clone, Default, PartialEq, Serialize, JsonSchema)]
pub struct Rates {
    /// Time they are taken over \[s\].
    pub window_s: f64,
    /// Units in an hour.
    pub units_per_hour: f64,
    /// Objects in a second.
    pub objects_per_s: f64,
    /// Products in a second \[MB/s\].
    pub megabytes_per_s: f64,
    /// Cores that were busy on the mean.
    pub cores: f64,
}

/// Units over the time of the run, from its first event to its last, in even bins.
#[derive(Debug, Clone, Default, PartialEq, Serialize, JsonSchema)]
pub struct History {
    /// Beginning of the first bin, seconds since 1970 UTC.
    pub begin: f64,
    /// Length of a bin \[s\].
    pub bin_s: f64,
    /// Units made.
    pub made: Vec<u32>,
    /// Failures.
    pub failed: Vec<u32>,
}

/// Failures of one kind.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct Failure {
    /// Name of the group, for `units?reason=`.
    pub id: String,
    /// Class.
    pub class: ErrorClass,
    /// Whether `skyloop retry` takes these units up again.
    pub retried: bool,
    /// Words that they share; numbers in them are `#`, the unit's name is `UNIT`.
    pub reason: String,
    /// Units.
    pub units: usize,
    /// The error of the first of them in full.
    pub error: String,
    /// When the last of them failed, seconds since 1970 UTC.
    pub last: f64,
    /// Numbers of the units.
    #[serde(skip)]
    pub members: Vec<u32>,
}

/// A group of failures with some of its units.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct FailureGroup {
    /// The group.
    #[serde(flatten)]
    pub failure: Failure,
    /// The first units of it; `units?state=failed&reason=ID` has all.
    pub first_units: Vec<Named>,
}

/// A unit by number and name.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Named {
    /// Number in the run.
    pub unit: u32,
    /// Name.
    pub name: String,
}

/// Why units failed.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct Failures {
    /// State of the run that this belongs to.
    pub revision: u64,
    /// Groups, the largest first.
    pub groups: Vec<FailureGroup>,
}

/// A run in the list of runs.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct RunItem {
    /// Name in addresses.
    pub id: String,
    /// What it does; none when it cannot be read.
    pub activity: Option<Activity>,
    /// Units.
    pub units: usize,
    /// Units that are done.
    pub done: usize,
    /// Units whose last attempt failed.
    pub failed: usize,
    /// Why it cannot be read.
    pub problem: Option<String>,
}

/// The runs.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct Runs {
    /// The runs.
    pub runs: Vec<RunItem>,
}

/// A run.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct RunDetail {
    /// Name in addresses.
    pub id: String,
    /// Rises by one with every change.
    pub revision: u64,
    /// Now, seconds since 1970 UTC by the clock of the service.
    pub now: f64,
    /// What it does.
    pub activity: Activity,
    /// First event, seconds since 1970 UTC.
    pub begun: Option<f64>,
    /// Last event, seconds since 1970 UTC.
    pub last_event: Option<f64>,
    /// Units by how they stand.
    pub states: States,
    /// How it stands, as `skyloop status --json` has it.
    pub status: Status,
    /// Exposures.
    pub exposures: usize,
    /// Cost that was expected of all units \[core-s\].
    pub planned_s: f64,
    /// Greatest memory that was planned for a unit \[MB\].
    pub planned_mb: f64,
    /// Processes that have begun units without an end.
    pub processes: usize,
    /// Rates.
    pub rates: Rates,
    /// Units over time.
    pub history: History,
    /// Cost and memory by band.
    pub bands: Vec<Spread>,
    /// What looking at the run took \[s\].
    pub took_s: f64,
}

/// Health of the service.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Health {
    /// `ok`.
    pub status: String,
    /// Version of the program.
    pub version: String,
    /// Runs that are served.
    pub runs: usize,
}
