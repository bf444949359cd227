//! Crossings: the steps that take a frame from one plane to the next, and back.

use sim_core::correction::{CorrectionError, StepStatus};
use sim_core::effect::{Context, EffectError};
use sim_core::frame::Frame;
use sim_core::ledger::Ledger;
use sim_core::plane::Plane;

/// The account of a crossing, per plane, each in its plane's unit.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct CrossingLedger {
    /// On the plane that was left.
    pub left: Ledger,
    /// On the plane that was entered. Zero where both planes share the unit and the account goes on.
    pub entered: Ledger,
}

/// Forward from plane `P` to plane `Q`.
pub trait Crossing<P: Plane, Q: Plane>: Send + Sync {
    /// Takes the frame across.
    ///
    /// # Errors
    /// When the frame and the crossing's parameters do not fit.
    fn cross(&self, frame: Frame<P>, cx: &Context<'_>) -> Result<(Frame<Q>, CrossingLedger), EffectError>;
}

/// Back from plane `Q` to plane `P`, with what calibration knows.
pub trait CrossingBack<P: Plane, Q: Plane>: Send + Sync {
    /// Takes the frame back.
    ///
    /// # Errors
    /// When the knowledge does not fit the frame.
    fn cross_back(&self, frame: Frame<Q>) -> Result<(Frame<P>, StepStatus), CorrectionError>;
}
