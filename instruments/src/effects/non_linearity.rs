//! Non-linearity of the readout: a correction that keeps its place.
//!
//! # Effect
//! The response of a real output bends near full scale. The first set simulates a straight one.
//! # Formula
//! None yet.
//! # Symbols
//! None yet.
//! # Source
//! Place in the order, after bias and before gain: the steps of the official level-1 pipelines (csster/csst).
//! # Limits
//! No forward effect, so no entry in the registry.
//! # Twin
//! The step is carried out by name, changes nothing and says SKIPPED with the reason.

use sim_core::correction::{Correction, CorrectionError, StepStatus};
use sim_core::frame::Frame;
use sim_core::plane::Counts;

/// Source text of this page.
pub const PAGE: &str = include_str!("non_linearity.rs");

/// The step that holds the place.
#[derive(Debug, Clone, Copy, Default)]
pub struct NonLinearity;

impl Correction<Counts> for NonLinearity {
    fn correct(&self, _: &mut Frame<Counts>) -> Result<StepStatus, CorrectionError> {
        Ok(StepStatus::Skipped("no non-linearity is simulated or known".into()))
    }
}
