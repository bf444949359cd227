//! What the service answers with; the OpenAPI document has its schemas from here.

use crate::spread::Spread;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use survey::failure::ErrorClass;
use survey::status::{Status, UnitState};

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
    /// How it stands.
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

/// How a unit stands, for filters: the states, and `open`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Standing {
    /// Whole, with the planned key.
    Done,
    /// Not there, and the last attempt failed.
    Failed,
    /// There with another key.
    Stale,
    /// Not there.
    Missing,
    /// Not there, begun without an end: at work, or killed.
    Open,
}

impl Standing {
    /// Of a unit: `open` of what is not done is told apart.
    #[must_use]
    pub fn of(state: UnitState, open: bool) -> Self {
        match state {
            UnitState::Done => Self::Done,
            _ if open => Self::Open,
            UnitState::Failed => Self::Failed,
            UnitState::Stale => Self::Stale,
            UnitState::Missing => Self::Missing,
        }
    }
    /// Its name.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Done => "done",
            Self::Failed => "failed",
            Self::Stale => "stale",
            Self::Missing => "missing",
            Self::Open => "open",
        }
    }
    /// Its letter in a list of states: `d`, `f`, `s`, `m`, `o`.
    #[must_use]
    pub fn letter(self) -> char {
        match self {
            Self::Done => 'd',
            Self::Failed => 'f',
            Self::Stale => 's',
            Self::Missing => 'm',
            Self::Open => 'o',
        }
    }
    /// The same as an integer under the name that the mission's data services use for the state of processing. Their codes are not public: these
    /// are ours.
    #[must_use]
    pub fn prc_status(self) -> i8 {
        match self {
            Self::Done => 0,
            Self::Failed => 1,
            Self::Stale => 2,
            Self::Open => -1,
            Self::Missing => -2,
        }
    }
}

/// A unit.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct Unit {
    /// Number in the run.
    pub unit: u32,
    /// Name.
    pub name: String,
    /// How it stands.
    pub state: Standing,
    /// The same as an integer under the name that the mission's data services use: 0 done, 1 failed, 2 stale, -1 open, -2 missing.
    pub prc_status: i8,
    /// Chunk of the plan.
    pub chunk: u32,
    /// Observation number.
    pub obs_id: u64,
    /// Detector.
    pub detector: u16,
    /// Band.
    pub band: String,
    /// How often it was begun.
    pub attempts: u32,
    /// When it last ended, seconds since 1970 UTC.
    pub ended: Option<f64>,
    /// Host of its last end.
    pub host: Option<String>,
    /// Time it took \[s\].
    pub wall_s: Option<f64>,
    /// Processor time \[s\].
    pub cpu_s: Option<f64>,
    /// Cost that was expected \[core-s\].
    pub expected_s: f64,
    /// Peak memory of its process \[MB\].
    pub peak_mb: Option<f64>,
    /// Memory that was planned \[MB\].
    pub planned_mb: f64,
    /// Objects in it.
    pub objects: Option<u64>,
    /// Size of its products \[byte\].
    pub bytes: u64,
    /// Class of its last failure.
    pub class: Option<ErrorClass>,
    /// The error in words.
    pub error: Option<String>,
}

/// Some units.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct Units {
    /// State of the run that this belongs to.
    pub revision: u64,
    /// Units that fit what was asked for.
    pub total: usize,
    /// The first of them here.
    pub offset: usize,
    /// The units.
    pub units: Vec<Unit>,
}

/// All about a unit.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct UnitDetail {
    /// The unit.
    #[serde(flatten)]
    pub unit: Unit,
    /// Right ascension of the boresight \[deg\].
    pub ra_deg: f64,
    /// Declination of the boresight \[deg\].
    pub dec_deg: f64,
    /// Position angle \[deg\].
    pub position_angle_deg: f64,
    /// Start, modified Julian date, UTC \[d\].
    pub start_mjd: f64,
    /// Exposure time \[s\].
    pub exposure_s: f64,
    /// Product that the record stands beside, relative to the run's folder.
    pub path: String,
    /// Key that was planned.
    pub key: String,
    /// The commit record as it was written; none while there is none.
    pub record: Option<serde_json::Value>,
    /// What the journals say of it, in order of time.
    pub journal: Vec<serde_json::Value>,
}

/// A chunk.
#[derive(Debug, Clone, Default, PartialEq, Serialize, JsonSchema)]
pub struct Chunk {
    /// Number.
    pub chunk: u32,
    /// Units.
    pub units: usize,
    /// Units that are done.
    pub done: usize,
    /// Units whose last attempt failed.
    pub failed: usize,
    /// Units that are there with another key.
    pub stale: usize,
    /// Units that are not there and not at work.
    pub missing: usize,
    /// Units that were begun without an end.
    pub open: usize,
    /// Cost that was expected \[core-s\].
    pub expected_s: f64,
    /// Processor time of what is done \[s\].
    pub cpu_s: f64,
}

/// Some chunks.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct Chunks {
    /// State of the run that this belongs to.
    pub revision: u64,
    /// Chunks of the run.
    pub total: usize,
    /// The first of them here.
    pub offset: usize,
    /// The chunks.
    pub chunks: Vec<Chunk>,
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
