//! Why something did not work, in classes that decide what to do about it, and the exit codes that say so to a batch system.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::io::ErrorKind;
use std::path::Path;

/// Class of a failure.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum ErrorClass {
    /// Input or configuration is wrong: the same again gives the same failure. Never retried.
    Input,
    /// Products of another plan are in the way, and replacing them was not asked for.
    Stale,
    /// The disk is full, the folder cannot be written: other units would fail too, so the executor stops.
    Storage,
    /// The unit itself failed.
    Unit,
    /// The program has a fault: a panic.
    Panic,
    /// A signal came before the unit was whole.
    Interrupted,
}

impl ErrorClass {
    /// Its name, as in journals.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Input => "input",
            Self::Stale => "stale",
            Self::Storage => "storage",
            Self::Unit => "unit",
            Self::Panic => "panic",
            Self::Interrupted => "interrupted",
        }
    }
    /// Whether trying again without a change can help.
    #[must_use]
    pub fn may_pass(self) -> bool {
        !matches!(self, Self::Input | Self::Stale)
    }
    /// The class of an error by the input or output error among its causes: storage where the medium refuses.
    #[must_use]
    pub fn of(error: &(dyn std::error::Error + 'static)) -> Self {
        let mut cause = Some(error);
        while let Some(e) = cause {
            if e.downcast_ref::<std::io::Error>().is_some_and(is_storage) {
                return Self::Storage;
            }
            cause = e.source();
        }
        Self::Unit
    }
}

/// Whether the medium refuses: no space, quota, a file that may not grow, no permission, read-only.
#[must_use]
pub fn is_storage(error: &std::io::Error) -> bool {
    matches!(
        error.kind(),
        ErrorKind::StorageFull
            | ErrorKind::QuotaExceeded
            | ErrorKind::FileTooLarge
            | ErrorKind::PermissionDenied
            | ErrorKind::ReadOnlyFilesystem
    )
}

/// Why a unit was not made.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{text}")]
pub struct UnitError {
    /// Class.
    pub class: ErrorClass,
    /// In words.
    pub text: String,
}

impl UnitError {
    /// An error of a class.
    #[must_use]
    pub fn new(class: ErrorClass, text: impl Into<String>) -> Self {
        Self { class, text: text.into() }
    }
    /// What a maker gives back when it was asked to stop before the unit was whole.
    #[must_use]
    pub fn interrupted() -> Self {
        Self::new(ErrorClass::Interrupted, "stopped before the unit was whole")
    }
}

/// What the program says to the batch system when it ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum Exit {
    /// All units are done.
    Done = 0,
    /// A unit failed.
    UnitFailed = 1,
    /// The command line is wrong.
    Usage = 2,
    /// Input or configuration is wrong: never to be retried.
    BadInput = 3,
    /// Not complete, and nothing failed (of `status`).
    Incomplete = 4,
    /// Interrupted: to be run again.
    Interrupted = 75,
}

impl Exit {
    /// The number.
    #[must_use]
    pub fn code(self) -> u8 {
        self as u8
    }
}

/// Why a run's own files cannot be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SurveyError {
    /// A file or folder cannot be read or written.
    #[error("{path}: {source}")]
    Io {
        /// File.
        path: String,
        /// Reason.
        source: std::io::Error,
    },
    /// A manifest is damaged, or not one.
    #[error("{path}: {reason}")]
    Manifest {
        /// File.
        path: String,
        /// Reason.
        reason: String,
    },
    /// A value cannot be used.
    #[error("{key} = {value} is outside {range}")]
    Range {
        /// Key.
        key: &'static str,
        /// Value.
        value: String,
        /// Allowed range, in words.
        range: String,
    },
    /// A program of a batch system or a database is not there or says no.
    #[error("{program}: {reason}")]
    Program {
        /// Program.
        program: String,
        /// Reason.
        reason: String,
    },
    /// The database says no.
    #[error("{path}: {source}")]
    Database {
        /// File.
        path: String,
        /// Reason.
        source: rusqlite::Error,
    },
}

impl SurveyError {
    pub(crate) fn io(path: &Path) -> impl Fn(std::io::Error) -> Self {
        let path = path.display().to_string();
        move |source| Self::Io { path: path.clone(), source }
    }
    pub(crate) fn manifest(path: &Path, reason: impl std::fmt::Display) -> Self {
        Self::Manifest { path: path.display().to_string(), reason: reason.to_string() }
    }
    pub(crate) fn database(path: &Path) -> impl Fn(rusqlite::Error) -> Self {
        let path = path.display().to_string();
        move |source| Self::Database { path: path.clone(), source }
    }
    /// How the program ends with it.
    #[must_use]
    pub fn exit(&self) -> Exit {
        match self {
            Self::Io { source, .. } if source.kind() != ErrorKind::NotFound => Exit::UnitFailed,
            Self::Database { .. } | Self::Program { .. } => Exit::UnitFailed,
            Self::Range { .. } => Exit::Usage,
            Self::Io { .. } | Self::Manifest { .. } => Exit::BadInput,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_full_disk_is_known_behind_other_errors() {
        let full = std::io::Error::from(ErrorKind::StorageFull);
        let wrapped = SurveyError::Io { path: "a".into(), source: full };
        assert_eq!(ErrorClass::of(&wrapped), ErrorClass::Storage);
        let absent = SurveyError::Io { path: "a".into(), source: std::io::Error::from(ErrorKind::NotFound) };
        assert_eq!(ErrorClass::of(&absent), ErrorClass::Unit);
        assert_eq!((wrapped.exit(), absent.exit()), (Exit::UnitFailed, Exit::BadInput));
    }
}
