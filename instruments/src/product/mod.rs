//! Data products: their file names and the level-0 file.
//!
//! Names follow the official pattern of the survey camera (csst_proto, chapter "simulation"; Cycle 6-9 data):
//! `CSST_{facility}_{project}_{type}_{start}_{stop}_{obsid}_{detector}_L{level}_{version}.fits`.

pub mod error;
pub mod level0;
pub mod names;
pub mod sections;
pub mod time;

pub use error::ProductError;
pub use level0::{Level0, Level0Meta, Observation, read_level0, write_level0};
pub use names::{GRATING_FILTERS, Level1Part, NameStyle, ProductName};

#[cfg(test)]
mod tests;
