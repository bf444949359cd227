//! A number with its unit, source and status: the only form in which physics enters an instrument file.

use serde::{Deserialize, Serialize};

/// How well a number is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Status {
    /// Measured on the hardware or by us, with the method in `source`.
    Measured,
    /// Stated in a publication or official document.
    Published,
    /// Read in public source code or in the configuration of a simulator or pipeline, not in a publication.
    PublicCode,
    /// A requirement.
    Required,
    /// Computed from others; `source` says how.
    Derived,
    /// Not publicly known: a configuration value to be replaced.
    Assumed,
}

/// A value with provenance: `{ value = 5.0, unit = "electron", source = "...", status = "published" }`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Quantity<T = f64> {
    /// The value.
    pub value: T,
    /// Its unit, as FITS writes it; `1` for none.
    pub unit: String,
    /// Where it comes from.
    pub source: String,
    /// How well it is known.
    pub status: Status,
}
