//! Why a product could not be named, written or read.

use sim_core::fits::FitsError;
use std::path::{Path, PathBuf};

/// Why a product could not be named, written or read.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ProductError {
    /// A file name does not follow the pattern.
    #[error(
        "{name}: {part} = \"{value}\" is not {allowed} (CSST_<facility>_<project>_<type>_<start>_<stop>_<obsid>_<detector>_L<level>_V<nn>.fits)"
    )]
    Name {
        /// File name.
        name: String,
        /// Part of the name.
        part: &'static str,
        /// Value found.
        value: String,
        /// What is allowed, in words.
        allowed: &'static str,
    },
    /// A keyword is missing or outside its range.
    #[error("{}: {key} = {value} is not {allowed}", path.display())]
    Keyword {
        /// File.
        path: PathBuf,
        /// Keyword.
        key: String,
        /// Value found, `missing` when there is none.
        value: String,
        /// What is allowed, in words.
        allowed: String,
    },
    /// The data do not fit the header.
    #[error("{}: {reason}", path.display())]
    Content {
        /// File.
        path: PathBuf,
        /// What is wrong.
        reason: String,
    },
    /// The file could not be written or read.
    #[error(transparent)]
    Fits(#[from] FitsError),
    /// A keyword of the world coordinates is missing or wrong.
    #[error("{}: {source}", path.display())]
    Wcs {
        /// File.
        path: PathBuf,
        /// What is wrong.
        source: FitsError,
    },
}

impl ProductError {
    /// A keyword error.
    pub(crate) fn keyword(path: &Path, key: &str, value: impl ToString, allowed: impl Into<String>) -> Self {
        Self::Keyword { path: path.into(), key: key.into(), value: value.to_string(), allowed: allowed.into() }
    }
    /// A content error.
    pub(crate) fn content(path: &Path, reason: impl Into<String>) -> Self {
        Self::Content { path: path.into(), reason: reason.into() }
    }
}
