//! Where the detectors are.
//!
//! # Formula
//! The boresight in pixels of a detector whose centre lies at mosaic position (X, Y) \[pixel\]:
//! CRPIX1 = nx / 2 - X, CRPIX2 = ny / 2 - Y.
//! # Source
//! make_c9_star_cat (DUT-astro, MIT, 2026): xmin = X - 4607, CRPIX1 = 1 - xmin for nx = 9216; ymin = Y - 4615,
//! CRPIX2 = 1 - ymin for ny = 9232. The headers of chips 12 and 30 in csst-doc-msc come out exactly.

use super::columns::Columns;
use super::error::DescriptionError;
use std::collections::BTreeSet;

/// One detector's place.
pub(super) struct Position {
    pub(super) number: u16,
    pub(super) filter: String,
    pub(super) crpix1: f64,
    pub(super) crpix2: f64,
}

/// Reads a focal-plane file.
pub(super) fn read(columns: &Columns, nx: usize, ny: usize) -> Result<Vec<Position>, DescriptionError> {
    columns.only(&["number", "filter", "centre_x", "centre_y"])?;
    let numbers = columns.numbers("number", "1", 1.0, 9999.0)?;
    let filters = columns.texts("filter")?;
    let x = columns.numbers("centre_x", "pixel", -1e7, 1e7)?;
    let y = columns.numbers("centre_y", "pixel", -1e7, 1e7)?;
    let mut seen = BTreeSet::new();
    let each = (0..columns.len()).map(|row| {
        let number = numbers[row] as u16;
        let form = |reason: String| Err(DescriptionError::Form { place: columns.place(row, "number"), reason });
        if f64::from(number) != numbers[row] {
            return form(format!("{} must be a whole number", numbers[row]));
        }
        if !seen.insert(number) {
            return form(format!("detector {number} is given twice"));
        }
        Ok(Position { number, filter: filters[row].into(), crpix1: 0.5 * nx as f64 - x[row], crpix2: 0.5 * ny as f64 - y[row] })
    });
    each.collect()
}
