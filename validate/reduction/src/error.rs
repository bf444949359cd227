//! Why a calibration or a reduction failed.

use instruments::product::ProductError;
use sim_core::correction::CorrectionError;
use sim_core::fits::FitsError;
use std::path::PathBuf;

/// Why a calibration or a reduction failed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ReductionError {
    /// A step to be left out has no such name.
    #[error("without: there is no effect `{name}` to leave as it is; the effects are {known}")]
    UnknownStep {
        /// The name.
        name: String,
        /// Known names.
        known: String,
    },
    /// A level-0 file is not fit for use.
    #[error(transparent)]
    Product(#[from] ProductError),
    /// A product could not be written or read.
    #[error(transparent)]
    Fits(#[from] FitsError),
    /// A correction could not be made or applied.
    #[error("{}: {source}", path.display())]
    Correction {
        /// Frame.
        path: PathBuf,
        /// Reason.
        source: CorrectionError,
    },
    /// There are not enough calibration exposures.
    #[error("detector {detector:02}: {what} needs {need}, found {found}")]
    TooFew {
        /// Detector.
        detector: u16,
        /// What is to be measured.
        what: &'static str,
        /// What it takes.
        need: &'static str,
        /// What there is.
        found: usize,
    },
    /// A calibration measurement makes no sense.
    #[error("detector {detector:02}: {what} = {value} is outside {range}")]
    Measurement {
        /// Detector.
        detector: u16,
        /// What was measured.
        what: String,
        /// Result.
        value: f64,
        /// Allowed range, in words.
        range: &'static str,
    },
    /// The set holds no calibration for this frame.
    #[error("{}: no calibration of detector {detector:02} with this window and layout; the set has {have}", path.display())]
    NoCalibration {
        /// Frame.
        path: PathBuf,
        /// Its detector.
        detector: u16,
        /// What the set has.
        have: String,
    },
    /// A row of the calibration index makes no sense.
    #[error("{}, line {line}: {reason}", path.display())]
    Index {
        /// The table.
        path: PathBuf,
        /// Line, from 1.
        line: usize,
        /// What is wrong.
        reason: String,
    },
    /// The references of the frame's detector are of other dates.
    #[error("{}: no {kind} holds for its date {date}; the set has {have}", path.display())]
    OutOfDate {
        /// Frame.
        path: PathBuf,
        /// Type of the reference.
        kind: String,
        /// Start of the frame.
        date: String,
        /// Validity of what there is.
        have: String,
    },
    /// A calibration product lacks something.
    #[error("{}: {what} is missing or malformed; expected {expected}", path.display())]
    Master {
        /// File.
        path: PathBuf,
        /// What.
        what: String,
        /// What is expected.
        expected: &'static str,
    },
    /// The frame's content is refused by QC0.
    #[error("{}: QC0 refuses the frame: {reason}", path.display())]
    Refused {
        /// Frame.
        path: PathBuf,
        /// Reason.
        reason: String,
    },
    /// A folder could not be made or listed.
    #[error("{}: {source}", path.display())]
    Io {
        /// Folder.
        path: PathBuf,
        /// Reason.
        source: std::io::Error,
    },
}
