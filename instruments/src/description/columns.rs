//! Data files: comma-separated columns, each described where it stands.
//!
//! ```text
//! # column wavelength_nm [nm] assumed: sampling
//! # column mirror [1] published: Author & Author 2020, table 3
//! wavelength_nm,mirror
//! 500,0.81
//! ```

use super::ProvenanceLine;
use super::error::{DescriptionError, Place};
use super::nearest;
use sim_core::quantity::Status;

/// A data file.
#[derive(Debug)]
pub(super) struct Columns {
    file: String,
    names: Vec<String>,
    rows: Vec<(usize, Vec<String>)>,
    described: Vec<ProvenanceLine>,
}

fn description(rest: &str) -> Option<ProvenanceLine> {
    let (head, source) = rest.split_once(':')?;
    let (name, tail) = head.split_once('[')?;
    let (unit, status) = tail.split_once(']')?;
    let status = match status.trim() {
        "measured" => Status::Measured,
        "published" => Status::Published,
        "public_code" => Status::PublicCode,
        "required" => Status::Required,
        "derived" => Status::Derived,
        "assumed" => Status::Assumed,
        _ => return None,
    };
    let source = source.trim().to_string();
    (!source.is_empty()).then(|| ProvenanceLine { key: name.trim().into(), value: String::new(), unit: unit.into(), source, status })
}

impl Columns {
    /// Reads a data file; every column must be described.
    pub(super) fn parse(text: &str, file: &str) -> Result<Self, DescriptionError> {
        let place = |line: usize, key: &str| Place { file: file.into(), line, key: key.into() };
        let mut out = Self { file: file.into(), names: Vec::new(), rows: Vec::new(), described: Vec::new() };
        for (i, raw) in text.lines().enumerate() {
            let (line, text) = (i + 1, raw.trim());
            if let Some(comment) = text.strip_prefix('#') {
                if let Some(rest) = comment.trim_start().strip_prefix("column ") {
                    let reason = "must be `# column NAME [UNIT] STATUS: SOURCE`, status measured, published, public_code, required, derived or assumed";
                    out.described
                        .push(description(rest).ok_or_else(|| DescriptionError::Form { place: place(line, ""), reason: reason.into() })?);
                }
                continue;
            }
            if text.is_empty() {
                continue;
            }
            let fields: Vec<String> = text.split(',').map(|f| f.trim().to_string()).collect();
            if out.names.is_empty() {
                if let Some(name) = fields.iter().find(|f| out.described.iter().all(|d| d.key != **f)) {
                    let need = "describe it above: `# column NAME [UNIT] STATUS: SOURCE`".into();
                    return Err(DescriptionError::Missing { place: place(line, &format!("description of column `{name}`")), need });
                }
                out.names = fields;
            } else if fields.len() == out.names.len() {
                out.rows.push((line, fields));
            } else {
                let reason = format!("{} fields, must be {}: {}", fields.len(), out.names.len(), out.names.join(","));
                return Err(DescriptionError::Form { place: place(line, ""), reason });
            }
        }
        if out.rows.is_empty() {
            return Err(DescriptionError::Form { place: place(0, ""), reason: "no rows: needs a line of column names and rows".into() });
        }
        Ok(out)
    }
    /// Names of the columns.
    pub(super) fn names(&self) -> &[String] {
        &self.names
    }
    /// Rows.
    pub(super) fn len(&self) -> usize {
        self.rows.len()
    }
    /// Where a row is.
    pub(super) fn place(&self, row: usize, key: &str) -> Place {
        Place { file: self.file.clone(), line: self.rows[row].0, key: key.into() }
    }
    fn index(&self, name: &str) -> Result<usize, DescriptionError> {
        self.names.iter().position(|n| n == name).ok_or_else(|| DescriptionError::Missing {
            place: Place { file: self.file.clone(), line: 0, key: format!("column `{name}`") },
            need: format!("it has {}", self.names.join(", ")),
        })
    }
    /// Refuses columns other than these.
    pub(super) fn only(&self, known: &[&str]) -> Result<(), DescriptionError> {
        match self.names.iter().find(|n| !known.contains(&n.as_str())) {
            None => Ok(()),
            Some(n) => Err(DescriptionError::Unknown {
                place: Place { file: self.file.clone(), line: 0, key: format!("column `{n}`") },
                hint: nearest::hint(n, known.iter().copied()),
            }),
        }
    }
    /// A column of texts.
    pub(super) fn texts(&self, name: &str) -> Result<Vec<&str>, DescriptionError> {
        let at = self.index(name)?;
        Ok(self.rows.iter().map(|(_, fields)| fields[at].as_str()).collect())
    }
    /// A column of numbers in a unit and range.
    pub(super) fn numbers(&self, name: &str, unit: &'static str, low: f64, high: f64) -> Result<Vec<f64>, DescriptionError> {
        let at = self.index(name)?;
        if let Some(d) = self.described.iter().find(|d| d.key == name && d.unit != unit) {
            let place = Place { file: self.file.clone(), line: 0, key: format!("column `{name}`") };
            return Err(DescriptionError::Unit { place, got: d.unit.clone(), need: unit });
        }
        let each = self.rows.iter().enumerate().map(|(row, (_, fields))| match fields[at].parse::<f64>() {
            Ok(value) if value >= low && value <= high => Ok(value),
            Ok(value) => Err(DescriptionError::Range { place: self.place(row, name), value, unit, low, high }),
            Err(_) => Err(DescriptionError::Form { place: self.place(row, name), reason: format!("`{}` is not a number", fields[at]) }),
        });
        each.collect()
    }
    /// Its columns for `explain`, under a key.
    pub(super) fn provenance(&self, key: &str, name: &str) -> Vec<ProvenanceLine> {
        let used = self.described.iter().filter(|d| self.names.contains(&d.key));
        used.map(|d| ProvenanceLine { key: format!("{key}.{}", d.key), value: format!("{name} ({} rows)", self.len()), ..d.clone() })
            .collect()
    }
}
