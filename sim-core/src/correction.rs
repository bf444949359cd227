//! Backward corrections: made from [`crate::knowledge::Knowledge`] alone: no context, so no truth and no dice.

use crate::frame::Frame;
use crate::plane::Plane;

/// One step of a reduction on plane `P`.
pub trait Correction<P: Plane>: Send + Sync {
    /// Changes the frame (pixels, variance, flags).
    ///
    /// # Errors
    /// When the reference does not fit the frame.
    fn correct(&self, frame: &mut Frame<P>) -> Result<StepStatus, CorrectionError>;
}

/// What became of a step; written to the header (`STA_xxx`: 0 done, 1 not) and to the history.
#[derive(Debug, Clone, PartialEq)]
pub enum StepStatus {
    /// Carried out.
    Done,
    /// Not carried out, with the reason. Nothing is skipped silently.
    Skipped(String),
}

/// Why a correction could not be made or applied.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CorrectionError {
    /// The reduction does not know something it needs.
    #[error("{step} needs {what}, which calibration has not provided")]
    Unknown {
        /// Step.
        step: &'static str,
        /// The missing piece of knowledge.
        what: &'static str,
    },
    /// A reference does not fit the frame.
    #[error("{step}: reference of {reference:?} (rows, columns) does not fit a frame of {frame:?}")]
    Shape {
        /// Step.
        step: &'static str,
        /// Shape of the reference.
        reference: (usize, usize),
        /// Shape of the frame.
        frame: (usize, usize),
    },
    /// Data that come with the program are damaged.
    #[error("{step}: {reason}")]
    Damaged {
        /// Step.
        step: &'static str,
        /// What is wrong with which file.
        reason: String,
    },
}
