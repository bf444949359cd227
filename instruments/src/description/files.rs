//! Where an instrument's files are: compiled in, or in a folder.

use sim_core::manifest::sha256;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// A built-in instrument: name, and files as (relative name, content).
struct Builtin {
    name: &'static str,
    files: &'static [(&'static str, &'static str)],
}

macro_rules! builtin {
    ($name:literal: $($file:literal),+ $(,)?) => {
        Builtin { name: $name, files: &[$(($file, include_str!(concat!("../../data/", $name, "/", $file)))),+] }
    };
}

static BUILTIN: [Builtin; 2] = [
    builtin!("msc": "instrument.toml", "focal_plane.csv", "bands/NUV.csv", "bands/u.csv", "bands/g.csv", "bands/r.csv",
        "bands/i.csv", "bands/z.csv", "bands/y.csv", "bands/GU.csv", "bands/GV.csv", "bands/GI.csv"),
    builtin!("testbench": "instrument.toml", "focal_plane.csv", "band.csv"),
];

/// Names of the built-in instruments.
pub(super) fn builtin_names() -> impl Iterator<Item = &'static str> {
    BUILTIN.iter().map(|b| b.name)
}

enum Place {
    Builtin(&'static Builtin),
    Folder(PathBuf),
}

/// The files of one instrument, and the hashes of those read so far.
pub(super) struct Files {
    place: Place,
    /// SHA-256 by relative name.
    pub(super) hashes: BTreeMap<String, String>,
}

impl Files {
    /// Files of a built-in instrument.
    pub(super) fn builtin(name: &str) -> Option<Self> {
        let builtin = BUILTIN.iter().find(|b| b.name == name)?;
        Some(Self { place: Place::Builtin(builtin), hashes: BTreeMap::new() })
    }
    /// Files in a folder.
    pub(super) fn folder(path: &Path) -> Self {
        Self { place: Place::Folder(path.to_path_buf()), hashes: BTreeMap::new() }
    }
    /// How a user would call a file.
    pub(super) fn display(&self, name: &str) -> String {
        match &self.place {
            Place::Builtin(b) => format!("instruments/data/{}/{name}", b.name),
            Place::Folder(folder) => folder.join(name).display().to_string(),
        }
    }
    /// Path of a file, when it is one of a folder.
    pub(super) fn path(&self, name: &str) -> Option<PathBuf> {
        match &self.place {
            Place::Builtin(_) => None,
            Place::Folder(folder) => Some(folder.join(name)),
        }
    }
    /// Content of a text file; the reason when it cannot be read.
    pub(super) fn read(&mut self, name: &str) -> Result<String, String> {
        let text = match &self.place {
            Place::Builtin(b) => {
                let found = b.files.iter().find(|(file, _)| *file == name);
                found.map(|(_, text)| (*text).to_string()).ok_or("no such file in the built-in instrument")?
            }
            Place::Folder(folder) => std::fs::read_to_string(folder.join(name)).map_err(|e| e.to_string())?,
        };
        self.hashes.insert(name.to_string(), sha256(text.as_bytes()));
        Ok(text)
    }
}
