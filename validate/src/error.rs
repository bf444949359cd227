//! Why a product could not be judged.

use sim_core::fits::FitsError;

/// Errors of this crate. Messages name the file, the key, the value and what was expected.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ValidateError {
    /// A FITS file could not be read or written.
    #[error(transparent)]
    Fits(#[from] FitsError),
    /// A file does not hold what it should.
    #[error("{path}: {what}")]
    Content {
        /// File.
        path: String,
        /// What is wrong and what was expected.
        what: String,
    },
    /// A keyword is missing or out of range.
    #[error("{path}: keyword {key} {problem}")]
    Keyword {
        /// File.
        path: String,
        /// Keyword.
        key: String,
        /// Value found and range allowed.
        problem: String,
    },
    /// Two images that belong together differ in shape.
    #[error("{path}: image of {got:?} (rows, columns), but {like} has {need:?}")]
    Shape {
        /// File.
        path: String,
        /// Shape found.
        got: (usize, usize),
        /// Shape needed.
        need: (usize, usize),
        /// The image it must match.
        like: String,
    },
    /// The criteria cannot be used.
    #[error("criteria {path}: {what}")]
    Criteria {
        /// File, or `built-in`.
        path: String,
        /// What is wrong.
        what: String,
    },
    /// The file system said no.
    #[error("{path}: {source}")]
    Io {
        /// File.
        path: String,
        /// Reason.
        source: std::io::Error,
    },
    /// A figure, the page or the JSON could not be made.
    #[error("report: {what}")]
    Report {
        /// What failed.
        what: String,
    },
}

impl ValidateError {
    /// A content error.
    pub(crate) fn content(path: &std::path::Path, what: impl Into<String>) -> Self {
        Self::Content { path: path.display().to_string(), what: what.into() }
    }
    /// A report error from any other error.
    pub(crate) fn report(cause: impl std::fmt::Display) -> Self {
        Self::Report { what: cause.to_string() }
    }
}
