//! Keywords of the raw layout: window, amplifier grid and the sections of every amplifier.
//!
//! Sections are IRAF strings `[x1:x2,y1:y2]`, 1-based, inclusive. The official headers have no per-amplifier section
//! keywords beyond GAINn and RDNOISEn; these are the project's own.

use super::error::ProductError;
use sim_core::detector::{AmplifierGrid, DetectorGeometry, ReadoutLayout, Rect, Scans};
use sim_core::fits::Header;
use sim_core::frame::Window;
use std::path::Path;

fn section(rect: Rect) -> String {
    format!("[{}:{},{}:{}]", rect.x0 + 1, rect.x0 + rect.nx, rect.y0 + 1, rect.y0 + rect.ny)
}

/// Keyword stem, comment and rectangle of every section of a tile that is not empty.
fn tile_sections(tile: &sim_core::detector::AmplifierTile) -> impl Iterator<Item = (&'static str, &'static str, Rect)> {
    [
        ("CSEC", "science pixels in the trimmed window", tile.science),
        ("DSEC", "science pixels in this array", tile.raw_science),
        ("PSEC", "serial prescan in this array", tile.raw_prescan),
        ("BSEC", "serial overscan in this array", tile.raw_overscan),
        ("YSEC", "parallel overscan in this array", tile.raw_overscan_rows),
    ]
    .into_iter()
    .filter(|(_, _, rect)| rect.nx > 0 && rect.ny > 0)
}

/// Writes window, grid and sections.
pub fn write_layout(header: &mut Header, geometry: &DetectorGeometry, window: Window, layout: &ReadoutLayout) {
    let mut int = |key: &str, value: usize, comment: &str| header.set(key, value as i64, comment);
    int("DETNX", geometry.nx, "[pixel] columns of the whole detector");
    int("DETNY", geometry.ny, "[pixel] rows of the whole detector");
    int("WINX0", window.x0, "[pixel] first column of the window, from 0");
    int("WINY0", window.y0, "[pixel] first row of the window, from 0");
    int("WINNX", window.nx, "[pixel] columns of the window");
    int("WINNY", window.ny, "[pixel] rows of the window");
    int("AMPNX", geometry.amplifiers.columns, "amplifier sections along x");
    int("AMPNY", geometry.amplifiers.rows, "amplifier sections along y");
    int("PRESCANX", geometry.amplifiers.prescan_x, "[pixel] serial prescan of a section");
    int("OVSCANX", geometry.amplifiers.overscan_x, "[pixel] serial overscan of a section");
    int("OVSCANY", geometry.amplifiers.overscan_y, "[pixel] parallel overscan of a section");
    let scans = match layout.scans {
        Scans::Full => "full",
        Scans::Trimmed => "trimmed",
    };
    header.set("SCANS", scans, "raw layout: full (with scans) or trimmed");
    for tile in &layout.tiles {
        for (stem, comment, rect) in tile_sections(tile) {
            header.set(&format!("{stem}{}", tile.amplifier + 1), section(rect), comment);
        }
    }
}

/// Reads window, grid and layout back and checks that the sections written are those of the layout.
///
/// # Errors
/// When a keyword is missing, the window is not on the detector, or a section differs.
pub fn read_layout(path: &Path, header: &Header) -> Result<(AmplifierGrid, (usize, usize), Window, ReadoutLayout), ProductError> {
    let int = |key: &str, low: i64, high: i64| {
        let value = header.i64(key).ok_or_else(|| ProductError::keyword(path, key, "missing", format!("an integer in {low}..={high}")))?;
        if (low..=high).contains(&value) {
            Ok(value as usize)
        } else {
            Err(ProductError::keyword(path, key, value, format!("an integer in {low}..={high}")))
        }
    };
    let (nx, ny) = (int("DETNX", 1, 100_000)?, int("DETNY", 1, 100_000)?);
    let (x0, y0) = (int("WINX0", 0, nx as i64 - 1)?, int("WINY0", 0, ny as i64 - 1)?);
    let window = Window { x0, y0, nx: int("WINNX", 1, (nx - x0) as i64)?, ny: int("WINNY", 1, (ny - y0) as i64)? };
    let amplifiers = AmplifierGrid {
        columns: int("AMPNX", 1, 64)?,
        rows: int("AMPNY", 1, 2)?,
        prescan_x: int("PRESCANX", 0, 10_000)?,
        overscan_x: int("OVSCANX", 0, 10_000)?,
        overscan_y: int("OVSCANY", 0, 10_000)?,
    };
    if !nx.is_multiple_of(amplifiers.columns) {
        return Err(ProductError::keyword(path, "AMPNX", amplifiers.columns, format!("a divisor of DETNX = {nx}")));
    }
    if !ny.is_multiple_of(amplifiers.rows) {
        return Err(ProductError::keyword(path, "AMPNY", amplifiers.rows, format!("a divisor of DETNY = {ny}")));
    }
    let scans = match header.text("SCANS") {
        Some("full") => Scans::Full,
        Some("trimmed") => Scans::Trimmed,
        other => return Err(ProductError::keyword(path, "SCANS", other.unwrap_or("missing"), "full or trimmed")),
    };
    let bare = DetectorGeometry { number: 0, filter: String::new(), nx, ny, crpix1: 0.0, crpix2: 0.0, pixel_scale_arcsec: 1.0, amplifiers };
    let layout = ReadoutLayout::new(&bare, window, scans);
    for tile in &layout.tiles {
        for (stem, _, rect) in tile_sections(tile) {
            let key = format!("{stem}{}", tile.amplifier + 1);
            let expected = section(rect);
            if header.text(&key) != Some(expected.as_str()) {
                let found = header.text(&key).unwrap_or("missing").to_string();
                return Err(ProductError::keyword(path, &key, found, format!("{expected}, the section of this window and grid")));
            }
        }
    }
    Ok((amplifiers, (nx, ny), window, layout))
}
