//! Why spectra could not be taken out.

use sim_core::fits::FitsError;

/// Why spectra could not be taken out.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ExtractionError {
    /// Planes of unequal shape.
    #[error("{name}: shape {got:?} (rows, columns); the rate has {expected:?}")]
    Shape {
        /// Plane.
        name: &'static str,
        /// Its shape.
        got: (usize, usize),
        /// Shape of the rate.
        expected: (usize, usize),
    },
    /// The configuration is of another detector.
    #[error("configuration of detector {got}; the frame is of detector {expected}")]
    Detector {
        /// Name in the configuration.
        got: String,
        /// Name in the frame.
        expected: String,
    },
    /// An order that was asked for is not in the configuration.
    #[error("grating {grating}: no order {order}; it has {has:?}")]
    MissingOrder {
        /// Place of the grating in the list.
        grating: usize,
        /// Order asked for.
        order: i32,
        /// Orders there are.
        has: Vec<i32>,
    },
    /// An order's trace cannot be followed.
    #[error("grating {grating}, order {order}: {reason}")]
    Trace {
        /// Place of the grating in the list.
        grating: usize,
        /// Order.
        order: i32,
        /// What is wrong.
        reason: &'static str,
    },
    /// A value out of its range.
    #[error("{key}: {value} is outside {range}")]
    Value {
        /// What.
        key: &'static str,
        /// Its value.
        value: f64,
        /// Allowed.
        range: &'static str,
    },
    /// A source cannot be used.
    #[error("source {id}: {reason}")]
    Source {
        /// Its number.
        id: u64,
        /// What is wrong.
        reason: String,
    },
    /// Two sources with one number.
    #[error("source {0} is twice in the catalogue; numbers must differ")]
    Twice(u64),
    /// A table lacks a column, or it has the wrong type.
    #[error("table {table}: column {column} is missing or of another type")]
    Column {
        /// Table.
        table: String,
        /// Column.
        column: &'static str,
    },
    /// The file system or FITS said no.
    #[error(transparent)]
    Fits(#[from] FitsError),
}

/// Checks that a number lies in a range, both ends allowed.
pub(crate) fn within(key: &'static str, value: f64, low: f64, high: f64, range: &'static str) -> Result<(), ExtractionError> {
    if value >= low && value <= high { Ok(()) } else { Err(ExtractionError::Value { key, value, range }) }
}
