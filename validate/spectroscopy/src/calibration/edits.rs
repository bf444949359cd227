//! A person's choices, as a file that a batch run replays.
//!
//! Points of a ridge go by the first column of their bin, lines by their name in the list, frames by their name. The same file with the same frames
//! and settings gives the same result as the page showed: both call [`super::measure::measure_position`].

use super::error::CalibrationError;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::path::Path;

/// Choices for all frames: by name of the frame, then by number of the order.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Edits {
    /// By frame and order.
    pub frames: BTreeMap<String, BTreeMap<i32, OrderEdits>>,
}

/// Choices for one order of one frame.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct OrderEdits {
    /// Points not to be used: first columns of their bins.
    pub points_rejected: Vec<i64>,
    /// Points to be used although the engine would not.
    pub points_kept: Vec<i64>,
    /// Places where the ridge is, on the detector.
    pub points_added: Vec<Click>,
    /// Names of lines not to be used.
    pub lines_rejected: Vec<String>,
    /// Names of lines to be used although the engine would not.
    pub lines_kept: Vec<String>,
    /// Lines at columns where a person sees them.
    pub lines_added: Vec<NamedLine>,
}

/// A place on the detector \[pixel\].
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Click {
    /// Column.
    pub x: f64,
    /// Row.
    pub y: f64,
}

/// A line seen at a column of the detector.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NamedLine {
    /// Its name in the list.
    pub name: String,
    /// Column on the detector \[pixel\].
    pub x: f64,
}

impl OrderEdits {
    /// Nothing chosen.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

impl Edits {
    /// The choices for one order of one frame.
    #[must_use]
    pub fn of(&self, frame: &str, order: i32) -> OrderEdits {
        self.frames.get(frame).and_then(|orders| orders.get(&order)).cloned().unwrap_or_default()
    }
    /// Sets the choices for one order of one frame; empty ones leave no trace.
    pub fn set(&mut self, frame: &str, order: i32, edits: OrderEdits) {
        let orders = self.frames.entry(frame.into()).or_default();
        if edits.is_empty() {
            orders.remove(&order);
        } else {
            orders.insert(order, edits);
        }
        self.frames.retain(|_, orders| !orders.is_empty());
    }
    /// Reads a file.
    ///
    /// # Errors
    /// [`CalibrationError::EditsFile`] when it cannot be read or is not of this form.
    pub fn read(path: &Path) -> Result<Self, CalibrationError> {
        let failed = |reason: String| CalibrationError::EditsFile { path: path.display().to_string(), reason };
        let text = std::fs::read_to_string(path).map_err(|e| failed(e.to_string()))?;
        serde_json::from_str(&text).map_err(|e| failed(e.to_string()))
    }
    /// Writes a file, whole or not at all.
    ///
    /// # Errors
    /// [`CalibrationError::EditsFile`] when it cannot be written.
    pub fn write(&self, path: &Path) -> Result<(), CalibrationError> {
        let failed = |reason: String| CalibrationError::EditsFile { path: path.display().to_string(), reason };
        let text = serde_json::to_string_pretty(self).map_err(|e| failed(e.to_string()))?;
        let part = path.with_extension("part");
        std::fs::write(&part, text + "\n").and_then(|()| std::fs::rename(&part, path)).map_err(|e| failed(e.to_string()))
    }
    /// Checks that frames named here exist.
    ///
    /// # Errors
    /// [`CalibrationError::Edit`] with the first name that does not.
    pub fn check(&self, names: &[&str]) -> Result<(), CalibrationError> {
        match self.frames.keys().find(|name| !names.contains(&name.as_str())) {
            Some(name) => Err(CalibrationError::Edit { what: format!("frame {name} is not among {}", names.join(", ")) }),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn choices_come_back_from_a_file_and_strangers_are_named() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("edits.json");
        let mut edits = Edits::default();
        edits.set("a", -1, OrderEdits { points_rejected: vec![1200], ..OrderEdits::default() });
        edits.write(&path).unwrap();
        assert_eq!(Edits::read(&path).unwrap(), edits);
        assert!(edits.check(&["b"]).unwrap_err().to_string().contains("frame a is not among b"));
        edits.set("a", -1, OrderEdits::default());
        assert_eq!(edits, Edits::default());
        std::fs::write(&path, "{\"frame\": 1}").unwrap();
        assert!(Edits::read(&path).unwrap_err().to_string().contains("unknown field"));
    }
}
