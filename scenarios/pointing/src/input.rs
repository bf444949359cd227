//! Files that a person writes: how they are read, and what can be wrong with them.

use std::path::Path;

/// Why a file of rules or of a survey cannot be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum InputError {
    /// Not such a file.
    #[error("{path}: {reason}")]
    File {
        /// File.
        path: String,
        /// What is wrong.
        reason: String,
    },
    /// A value is out of range.
    #[error("{path}: {key} = {value} is outside {range}")]
    Range {
        /// File.
        path: String,
        /// Which value.
        key: &'static str,
        /// Value given.
        value: String,
        /// Allowed.
        range: &'static str,
    },
    /// An area is wrong.
    #[error("{path}: {source}")]
    Area {
        /// File.
        path: String,
        /// Why.
        source: crate::area::AreaError,
    },
}

/// The text of a file, and its name as messages show it.
pub(crate) fn text(path: &Path) -> Result<(String, String), InputError> {
    let shown = path.display().to_string();
    let text = std::fs::read_to_string(path).map_err(|e| InputError::File { path: shown.clone(), reason: e.to_string() })?;
    Ok((text, shown))
}
