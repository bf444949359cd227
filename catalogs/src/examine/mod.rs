//! What the command `skyloop catalog` does: look into a catalogue, turn it into a partition, check it, plot it.
//!
//! All of it streams: memory does not grow with the number of rows.

mod charts;
mod convert;
mod describe;
mod inspect;
mod leaves;
mod lenses;
mod make;
mod plot;
mod spill;

#[cfg(test)]
mod tests;

pub use convert::{Conversion, ConversionReport, convert, rewrite};
pub use inspect::{ColumnReport, Inspection, inspect};
pub use lenses::{LensReport, lenses};
pub use make::{MakeError, make};
pub use plot::{PlotReport, plot};

use std::path::{Path, PathBuf};

/// The name under which a product is written until it is whole.
fn unfinished(out: &Path) -> PathBuf {
    let mut name = out.to_path_buf().into_os_string();
    name.push(".partial");
    PathBuf::from(name)
}
