//! Units and chunks.

use schemars::JsonSchema;
use serde::Serialize;
use survey::failure::ErrorClass;
use survey::status::UnitState;

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

/// Units by how they stand, each counted once: what failed and is at work again is open.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, JsonSchema)]
pub struct States {
    /// Whole, with the planned key.
    pub done: usize,
    /// Begun without an end.
    pub open: usize,
    /// The last attempt failed.
    pub failed: usize,
    /// There with another key.
    pub stale: usize,
    /// Not there.
    pub missing: usize,
}

impl States {
    /// Of units' standings.
    #[must_use]
    pub fn of(standings: impl Iterator<Item = Standing>) -> Self {
        let mut states = Self::default();
        for standing in standings {
            *match standing {
                Standing::Done => &mut states.done,
                Standing::Open => &mut states.open,
                Standing::Failed => &mut states.failed,
                Standing::Stale => &mut states.stale,
                Standing::Missing => &mut states.missing,
            } += 1;
        }
        states
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
    /// Units by how they stand.
    #[serde(flatten)]
    pub states: States,
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
