//! A table of an instrument file, read key by key with unit and range.

use super::document::{Node, Value};
use super::error::{DescriptionError, Place};
use super::nearest;

/// Terms of a polynomial in two variables: powers and coefficient.
pub(super) type Terms = Vec<((u8, u8), f64)>;

/// A table whose keys are all known.
pub(super) struct Section<'a> {
    file: &'a str,
    key: String,
    node: &'a Node,
}

impl<'a> Section<'a> {
    /// The table at `key`, refused when it is none or has a key outside `known`.
    pub(super) fn new(file: &'a str, key: &str, node: &'a Node, known: &[&str]) -> Result<Self, DescriptionError> {
        let section = Self { file, key: key.into(), node };
        if !matches!(node.value, Value::Table(_)) {
            return Err(DescriptionError::Form { place: section.here(), reason: format!("must be a table, not {}", node.form()) });
        }
        if let Some((k, n)) = section.entries().iter().find(|(k, _)| !known.contains(&k.as_str())) {
            let place = Place { line: n.line, ..section.place(k) };
            return Err(DescriptionError::Unknown { place, hint: nearest::hint(k, known.iter().copied()) });
        }
        Ok(section)
    }
    /// A table with free names as keys.
    pub(super) fn free(file: &'a str, key: &str, node: &'a Node) -> Result<Self, DescriptionError> {
        let names: Vec<&str> = match &node.value {
            Value::Table(entries) => entries.iter().map(|(k, _)| k.as_str()).collect(),
            _ => Vec::new(),
        };
        Self::new(file, key, node, &names)
    }
    /// Its entries in the order of the file.
    pub(super) fn entries(&self) -> &'a [(String, Node)] {
        match &self.node.value {
            Value::Table(entries) => entries,
            _ => &[],
        }
    }
    /// Where a key of this section is, or would be.
    pub(super) fn place(&self, key: &str) -> Place {
        let line = self.node.get(key).map_or(self.node.line, |n| n.line);
        Place { file: self.file.into(), line, key: if self.key.is_empty() { key.into() } else { format!("{}.{key}", self.key) } }
    }
    fn here(&self) -> Place {
        Place { file: self.file.into(), line: self.node.line, key: self.key.clone() }
    }
    /// The value at a key, if given.
    pub(super) fn get(&self, key: &str) -> Option<&'a Node> {
        self.node.get(key)
    }
    fn need(&self, key: &str, what: &str) -> Result<&'a Node, DescriptionError> {
        self.get(key).ok_or_else(|| DescriptionError::Missing { place: self.place(key), need: what.into() })
    }
    /// A table inside.
    pub(super) fn section(&self, key: &str, known: &[&str]) -> Result<Section<'a>, DescriptionError> {
        Section::new(self.file, &self.place(key).key, self.need(key, "give this table")?, known)
    }
    /// A plain text.
    pub(super) fn text(&self, key: &str) -> Result<&'a str, DescriptionError> {
        match &self.need(key, "give a text")?.value {
            Value::Text(t) => Ok(t),
            _ => Err(DescriptionError::Form { place: self.place(key), reason: "must be a text".into() }),
        }
    }
    /// A list of texts.
    pub(super) fn texts(&self, key: &str) -> Result<Vec<String>, DescriptionError> {
        let form = || DescriptionError::Form { place: self.place(key), reason: "must be a list of names".into() };
        let Value::List(items) = &self.need(key, "give a list of names")?.value else { return Err(form()) };
        items.iter().map(|n| if let Value::Text(t) = &n.value { Ok(t.clone()) } else { Err(form()) }).collect()
    }
    /// A seed: a bare whole number.
    pub(super) fn seed(&self, key: &str) -> Result<u64, DescriptionError> {
        match &self.need(key, "give a whole number")?.value {
            Value::Number(v) if *v >= 0.0 && v.fract() == 0.0 && *v < 9.0e15 => Ok(*v as u64),
            _ => Err(DescriptionError::Form { place: self.place(key), reason: "must be a whole number from 0 to 9e15".into() }),
        }
    }
    /// The value of the quantity at a key, in the unit it must have.
    fn value(&self, key: &str, unit: &'static str) -> Result<&'a Node, DescriptionError> {
        let node = self.need(key, &format!("give {{ value, unit = \"{unit}\", source, status }}"))?;
        let not_whole = || DescriptionError::Form {
            place: self.place(key),
            reason: format!("must be {{ value, unit = \"{unit}\", source, status }}, not {}", node.form()),
        };
        let value = node.get("value").ok_or_else(not_whole)?;
        match node.get("unit").map(|n| &n.value) {
            Some(Value::Text(got)) if got == unit => Ok(value),
            Some(Value::Text(got)) => Err(DescriptionError::Unit { place: self.place(key), got: got.clone(), need: unit }),
            _ => Err(not_whole()),
        }
    }
    /// A number with unit and range.
    pub(super) fn number(&self, key: &str, unit: &'static str, low: f64, high: f64) -> Result<f64, DescriptionError> {
        let node = self.value(key, unit)?;
        let Value::Number(value) = node.value else {
            return Err(DescriptionError::Form { place: self.place(key), reason: format!("value must be a number, not {}", node.form()) });
        };
        if !(value >= low && value <= high) {
            return Err(DescriptionError::Range { place: self.place(key), value, unit, low, high });
        }
        Ok(value)
    }
    /// A whole number with unit and range.
    pub(super) fn whole(&self, key: &str, unit: &'static str, low: usize, high: usize) -> Result<usize, DescriptionError> {
        let value = self.number(key, unit, low as f64, high as f64)?;
        if value.fract() != 0.0 {
            return Err(DescriptionError::Form { place: self.place(key), reason: format!("value = {value} must be a whole number") });
        }
        Ok(value as usize)
    }
    /// One of several words, as a quantity without unit.
    pub(super) fn choice(&self, key: &str, words: &[&'static str]) -> Result<&'static str, DescriptionError> {
        let got = self.value(key, "1")?.text();
        words.iter().copied().find(|w| *w == got).ok_or_else(|| DescriptionError::Unknown {
            place: Place { key: format!("{} `{got}`", self.place(key).key), ..self.place(key) },
            hint: nearest::hint(&got, words.iter().copied()),
        })
    }
    /// A list of rows of three numbers: (i, j, coefficient).
    pub(super) fn terms(&self, key: &str, unit: &'static str) -> Result<Terms, DescriptionError> {
        let form = || DescriptionError::Form { place: self.place(key), reason: "value must be a list of [i, j, coefficient]".into() };
        let Value::List(rows) = &self.value(key, unit)?.value else { return Err(form()) };
        rows.iter()
            .map(|row| {
                let Value::List(items) = &row.value else { return Err(form()) };
                let numbers: Vec<f64> = items.iter().filter_map(|n| if let Value::Number(v) = n.value { Some(v) } else { None }).collect();
                match numbers[..] {
                    [i, j, c] if items.len() == 3 && [i, j].iter().all(|p| (0.0..=20.0).contains(p) && p.fract() == 0.0) => {
                        Ok(((i as u8, j as u8), c))
                    }
                    _ => Err(form()),
                }
            })
            .collect()
    }
}
