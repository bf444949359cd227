//! Orbits people have: MPCORB.DAT of the Minor Planet Center, and tables of elements.
//!
//! # Effect
//! A file becomes a list of bodies; what cannot be used is an error that names file, row, column, value and range, or is counted.
//! # Formula
//! MPCORB: fixed columns H 9-13, G 15-19, epoch 21-25 (packed date, TT), M 27-35, peri 38-46, node 49-57, i 60-68, e 71-79, a 93-103, name 167-194.
//! Tables (CSV, ECSV, FITS, `VOTable`, Parquet, HDF5): columns `a` \[au\], `e`, `i`, `node`, `peri`, `M` \[deg\], `epoch` (MJD, or a Julian date when above 1e6),
//! `H`, and where they are there `G` and `name`
//! # Source
//! minorplanetcenter.net/iau/info/MPOrbitFormat.html; packed dates: minorplanetcenter.net/iau/info/PackedDates.html
//! # Limits
//! Columns are found by these names or those in brackets in `COLUMNS`; units are not converted.
//! # Twin
//! None.

use super::SolarSystemError;
use super::colour::Taxon;
use super::ellipse::{Elements, Ellipse};
use super::look::Body;
use crate::read::OnBadRow;
use crate::tables;
use std::collections::BTreeMap;
use std::io::BufRead;
use std::path::Path;

/// Column names, in order of preference.
const COLUMNS: [(&str, &[&str]); 9] = [
    ("a", &["a", "a_au", "semimajor_axis"]),
    ("e", &["e", "ecc", "eccentricity"]),
    ("i", &["i", "inc", "incl", "inclination"]),
    ("node", &["node", "om", "Node", "Omega", "longascnode"]),
    ("peri", &["peri", "w", "Peri", "omega", "argperi"]),
    ("M", &["M", "ma", "mean_anomaly", "meananomaly"]),
    ("epoch", &["epoch", "epoch_mjd", "Epoch"]),
    ("H", &["H", "h", "H_V"]),
    ("G", &["G", "g", "slope"]),
];
/// Columns that must be there.
const NEEDED: usize = 8;

/// What a file holds.
pub(super) struct Read {
    pub bodies: Vec<Body>,
    pub names: Vec<String>,
    pub skipped: BTreeMap<String, u64>,
}

/// Where a row came from and what is wrong with it.
struct Row<'a> {
    path: &'a str,
    number: u64,
}

struct Reader {
    read: Read,
    on_bad_row: OnBadRow,
    taxon: Taxon,
}

impl Reader {
    /// A value that cannot be used: an error, or one more that is skipped.
    fn bad(&mut self, row: &Row<'_>, column: &str, value: &str, range: &str) -> Result<(), SolarSystemError> {
        if self.on_bad_row == OnBadRow::Stop {
            return Err(SolarSystemError::Row {
                path: row.path.into(),
                row: row.number,
                column: column.into(),
                value: value.into(),
                range: range.into(),
            });
        }
        *self.read.skipped.entry(format!("orbits with {column} outside {range}")).or_default() += 1;
        Ok(())
    }
    fn take(&mut self, row: &Row<'_>, elements: Elements, h: f64, g: f64, name: String) -> Result<(), SolarSystemError> {
        if let Some((column, value, range)) = elements.fault() {
            return self.bad(row, column, &value.to_string(), range);
        }
        if !(-5.0..=40.0).contains(&h) {
            return self.bad(row, "H", &h.to_string(), "-5..40 mag");
        }
        if !(-1.0..=1.0).contains(&g) {
            return self.bad(row, "G", &g.to_string(), "-1..1");
        }
        self.read.bodies.push(Body { orbit: Ellipse::new(&elements), h, g, taxon: self.taxon });
        self.read.names.push(name);
        Ok(())
    }
}

/// Reads a file of orbits.
pub(super) fn read(path: &Path, on_bad_row: OnBadRow, taxon: Taxon) -> Result<Read, SolarSystemError> {
    let empty = Read { bodies: Vec::new(), names: Vec::new(), skipped: BTreeMap::new() };
    let mut reader = Reader { read: empty, on_bad_row, taxon };
    let shown = path.display().to_string();
    let is_mpcorb = path.extension().is_some_and(|e| e.eq_ignore_ascii_case("dat"));
    if is_mpcorb {
        mpcorb(path, &shown, &mut reader)?
    } else {
        table(path, &shown, &mut reader)?
    }
    if reader.read.bodies.is_empty() {
        return Err(SolarSystemError::File { path: shown, reason: "holds no orbit that can be used".into() });
    }
    Ok(reader.read)
}

fn mpcorb(path: &Path, shown: &str, reader: &mut Reader) -> Result<(), SolarSystemError> {
    let fault = |reason: String| SolarSystemError::File { path: shown.into(), reason };
    let file = std::fs::File::open(path).map_err(|e| fault(e.to_string()))?;
    let lines: Vec<String> =
        std::io::BufReader::new(file).lines().collect::<Result<_, _>>().map_err(|e| fault(format!("is not a text of MPCORB: {e}")))?;
    // The header ends with a line of dashes; extracts have none.
    let first = lines.iter().position(|l| l.starts_with("-----")).map_or(0, |k| k + 1);
    for (k, line) in lines.iter().enumerate().skip(first) {
        if line.trim().is_empty() {
            continue;
        }
        let row = Row { path: shown, number: k as u64 + 1 };
        let cell = |from: usize, to: usize| line.get(from - 1..to.min(line.len())).unwrap_or("").trim();
        if cell(9, 13).is_empty() {
            *reader.read.skipped.entry("orbits without H".into()).or_default() += 1;
            continue;
        }
        let Some(epoch_mjd) = packed_mjd(cell(21, 25)) else {
            reader.bad(&row, "epoch", &format!("`{}`", cell(21, 25)), "packed dates such as K25BL")?;
            continue;
        };
        let columns = [("H", 9, 13), ("M", 27, 35), ("peri", 38, 46), ("node", 49, 57), ("i", 60, 68), ("e", 71, 79), ("a", 93, 103)];
        let numbers: Vec<Option<f64>> = columns.iter().map(|&(_, from, to)| cell(from, to).parse().ok()).collect();
        if let Some(wrong) = numbers.iter().position(Option::is_none) {
            let (name, from, to) = columns[wrong];
            reader.bad(&row, name, &format!("`{}`", cell(from, to)), "numbers (columns of MPCORB)")?;
            continue;
        }
        let [h, mean_anomaly_deg, perihelion_deg, node_deg, inclination_deg, e, a_au] =
            std::array::from_fn(|k| numbers[k].unwrap_or(f64::NAN));
        let g = if cell(15, 19).is_empty() { 0.15 } else { cell(15, 19).parse().unwrap_or(f64::NAN) };
        let elements = Elements { a_au, e, inclination_deg, node_deg, perihelion_deg, mean_anomaly_deg, epoch_mjd };
        let name = if cell(167, 194).is_empty() { cell(1, 7) } else { cell(167, 194) };
        reader.take(&row, elements, h, g, name.into())?;
    }
    Ok(())
}

/// Modified Julian date of a packed date such as `K25BL`: century, year, month, day; base 36 for the last two.
fn packed_mjd(text: &str) -> Option<f64> {
    let b = text.as_bytes();
    if b.len() != 5 || !text.is_ascii() {
        return None;
    }
    let century = match b[0] {
        b'I' => 1800,
        b'J' => 1900,
        b'K' => 2000,
        _ => return None,
    };
    let year = century + text[1..3].parse::<i32>().ok()?;
    let of = |c: u8| (c as char).to_digit(36).map(|d| d as i32);
    let (month, day) = (of(b[3])?, of(b[4])?);
    if !(1..=12).contains(&month) || !(1..=31).contains(&day) {
        return None;
    }
    let (_, mjd) = sofars::cal::cal2jd(year, month, day).ok()?;
    Some(mjd)
}

fn table(path: &Path, shown: &str, reader: &mut Reader) -> Result<(), SolarSystemError> {
    let fault = |e: tables::TableError| SolarSystemError::File { path: shown.into(), reason: e.to_string() };
    let mut source = tables::open(path, None).map_err(fault)?;
    let place = |names: &[&str]| names.iter().find_map(|name| source.position(name));
    let mut chosen: Vec<usize> = Vec::new();
    for (k, (name, names)) in COLUMNS.iter().enumerate() {
        match place(names) {
            Some(column) => chosen.push(column),
            None if k < NEEDED => {
                let have: Vec<&str> = source.fields().iter().map(|f| f.name.as_str()).collect();
                let reason = format!("has no column `{name}` (nor {}); it has {}", names[1..].join(", "), have.join(", "));
                return Err(SolarSystemError::File { path: shown.into(), reason });
            }
            None => {}
        }
    }
    let (has_slope, named) = (chosen.len() > NEEDED, place(&["name", "designation", "full_name", "id"]));
    chosen.extend(named);
    source.select(&chosen).map_err(fault)?;
    while let Some(chunk) = source.next_chunk().map_err(fault)? {
        for k in 0..chunk.rows {
            let row = Row { path: shown, number: source.place(chunk.first_row + k as u64).row };
            let number = |c: usize| chunk.columns[c].number(k);
            let wrong = (0..NEEDED + usize::from(has_slope)).find(|&c| !number(c).is_finite());
            if let Some(c) = wrong {
                reader.bad(&row, COLUMNS[c].0, &chunk.columns[c].shown(k), "finite numbers")?;
                continue;
            }
            // Julian dates are told by their size.
            let epoch = number(6);
            let elements = Elements {
                a_au: number(0),
                e: number(1),
                inclination_deg: number(2),
                node_deg: number(3),
                perihelion_deg: number(4),
                mean_anomaly_deg: number(5),
                epoch_mjd: if epoch > 1e6 { epoch - 2_400_000.5 } else { epoch },
            };
            let g = if has_slope { number(NEEDED) } else { 0.15 };
            let name = named.map_or_else(
                || format!("orbit {}", row.number),
                |_| chunk.columns[chunk.columns.len() - 1].shown(k).trim_matches('`').to_string(),
            );
            reader.take(&row, elements, number(7), g, name)?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn packed_dates_are_those_of_the_minor_planet_center() {
        // The examples of its page: 1996 January 1 is J9611, 2001 October 22 K01AM.
        assert_eq!(packed_mjd("J9611"), Some(50_083.0));
        assert_eq!(packed_mjd("K01AM"), Some(52_204.0));
        assert_eq!([packed_mjd("X01AM"), packed_mjd("K01DM"), packed_mjd("K01A"), packed_mjd("")], [None; 4]);
    }
}
