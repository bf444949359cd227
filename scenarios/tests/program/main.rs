//! The whole program as a user runs it.

#![allow(clippy::unwrap_used, reason = "helpers of tests may panic as tests do")]

mod catalogue;
mod console;
mod instrument_files;
mod interruptions;
mod loops;
mod moving;
mod observer;
mod one_effect;
mod spectra;
mod submit;
mod survey;
mod survey_levels;
mod traps;

use std::collections::BTreeMap;
use std::path::Path;
use std::process::{Command, Output};

fn skyloop(args: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_skyloop")).args(args).output().unwrap()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

fn path(p: &Path) -> &str {
    p.to_str().unwrap()
}

/// All files below a folder with their bytes, by relative name.
fn contents(folder: &Path) -> BTreeMap<String, Vec<u8>> {
    fn walk(base: &Path, folder: &Path, out: &mut BTreeMap<String, Vec<u8>>) {
        for entry in std::fs::read_dir(folder).unwrap().flatten() {
            if entry.path().is_dir() {
                walk(base, &entry.path(), out);
            } else {
                let name = entry.path().strip_prefix(base).unwrap().to_string_lossy().into_owned();
                // A file that a running program has just moved into place is not there under its first name.
                match std::fs::read(entry.path()) {
                    Ok(bytes) => drop(out.insert(name, bytes)),
                    Err(e) => assert_eq!(e.kind(), std::io::ErrorKind::NotFound, "{name}: {e}"),
                }
            }
        }
    }
    let mut out = BTreeMap::new();
    walk(folder, folder, &mut out);
    out
}
