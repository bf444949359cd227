//! Why an instrument could not be read: always with file, line and key.

use sim_core::spectrum::CurveError;
use std::fmt;

/// Where in which file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// File, as the user would find it.
    pub file: String,
    /// Line, from 1; 0 when it is the file as a whole.
    pub line: usize,
    /// Dotted key; empty when there is none.
    pub key: String,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.file)?;
        if self.line > 0 {
            write!(f, ":{}", self.line)?;
        }
        if !self.key.is_empty() {
            write!(f, ": {}", self.key)?;
        }
        Ok(())
    }
}

fn spaced(unit: &str) -> String {
    if unit == "1" { String::new() } else { format!(" {unit}") }
}

/// Why an instrument could not be read.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DescriptionError {
    /// The name is no built-in instrument and no file.
    #[error("there is no instrument `{name}`: give {known}, or the path of an instrument file{hint}")]
    UnknownInstrument {
        /// Name given.
        name: String,
        /// Built-in names.
        known: String,
        /// What was meant.
        hint: String,
    },
    /// A file cannot be read.
    #[error("{file}: {reason}")]
    Unreadable {
        /// File.
        file: String,
        /// What the system said.
        reason: String,
    },
    /// A file that the instrument names cannot be read.
    #[error("{place} = \"{file}\": {reason}")]
    MissingFile {
        /// Where it is named.
        place: Place,
        /// File.
        file: String,
        /// What the system said.
        reason: String,
    },
    /// Not TOML.
    #[error("{place}: {reason}")]
    Syntax {
        /// Where.
        place: Place,
        /// What the parser said.
        reason: String,
    },
    /// A key or name is not known.
    #[error("{place} is not known{hint}")]
    Unknown {
        /// Where.
        place: Place,
        /// What was meant, or what is known.
        hint: String,
    },
    /// A key is missing.
    #[error("{place} is missing: {need}")]
    Missing {
        /// Where it should be.
        place: Place,
        /// What to give.
        need: String,
    },
    /// A value has another form than it should.
    #[error("{place}: {reason}")]
    Form {
        /// Where.
        place: Place,
        /// What it should be.
        reason: String,
    },
    /// Another unit.
    #[error("{place}: unit `{got}`, must be `{need}`")]
    Unit {
        /// Where.
        place: Place,
        /// Unit given.
        got: String,
        /// Unit needed.
        need: &'static str,
    },
    /// A value out of range.
    #[error("{place} = {value}{} is outside {low}..{high}", spaced(unit))]
    Range {
        /// Where.
        place: Place,
        /// Value.
        value: f64,
        /// Unit.
        unit: &'static str,
        /// Least value.
        low: f64,
        /// Greatest value.
        high: f64,
    },
    /// A curve that cannot be one.
    #[error("{file}: {curve}")]
    Curve {
        /// File.
        file: String,
        /// What is wrong.
        curve: CurveError,
    },
}
