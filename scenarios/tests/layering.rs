//! The folder table of the design, as a test: who may import whom.

// Tests may panic: helpers outside `#[test]` functions are not covered by `allow-unwrap-in-tests`.
#![allow(clippy::unwrap_used)]

use std::collections::BTreeMap;
use std::path::Path;

/// Internal dependencies a crate may have.
const ALLOWED: &[(&str, &[&str])] = &[
    ("sim-core", &[]),
    ("psf", &["sim-core"]),
    ("catalogs", &["sim-core"]),
    ("instruments", &["sim-core"]),
    ("validate/reduction", &["sim-core", "instruments"]),
    ("page-server", &[]),
    ("validate/spectroscopy", &["sim-core", "page-server"]),
    ("validate", &["sim-core"]),
    ("scenarios/pointing", &["sim-core"]),
    ("scenarios/survey", &["sim-core"]),
    ("scenarios/console", &["sim-core", "page-server", "pointing", "survey", "validate"]),
    (
        "scenarios",
        &["sim-core", "psf", "catalogs", "instruments", "validate", "reduction", "spectroscopy", "pointing", "survey", "console"],
    ),
];

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap()
}

fn internal_dependencies(folder: &str) -> Vec<String> {
    let text = std::fs::read_to_string(root().join(folder).join("Cargo.toml")).unwrap();
    let manifest: toml::Table = toml::from_str(&text).unwrap();
    let crates = [
        "sim-core",
        "psf",
        "catalogs",
        "instruments",
        "validate",
        "reduction",
        "spectroscopy",
        "pointing",
        "survey",
        "scenarios",
        "console",
        "page-server",
    ];
    let table = manifest.get("dependencies").and_then(|d| d.as_table()).cloned().unwrap_or_default();
    table.keys().filter(|k| crates.contains(&k.as_str())).cloned().collect()
}

#[test]
fn crates_import_only_what_the_design_allows() {
    for (folder, allowed) in ALLOWED {
        for dependency in internal_dependencies(folder) {
            assert!(allowed.contains(&dependency.as_str()), "{folder} imports {dependency}, the design allows {allowed:?}");
        }
    }
}

#[test]
fn every_crate_of_the_workspace_is_in_the_table() {
    let text = std::fs::read_to_string(root().join("Cargo.toml")).unwrap();
    let workspace: toml::Table = toml::from_str(&text).unwrap();
    let members = workspace["workspace"]["members"].as_array().unwrap();
    let table: BTreeMap<&str, &[&str]> = ALLOWED.iter().copied().collect();
    for member in members {
        assert!(table.contains_key(member.as_str().unwrap()), "{member} is not in the layering table");
    }
}

fn rust_files(folder: &Path, out: &mut Vec<std::path::PathBuf>) {
    for entry in std::fs::read_dir(folder).unwrap().flatten() {
        let path = entry.path();
        if path.is_dir() {
            rust_files(&path, out);
        } else if path.extension().is_some_and(|e| e == "rs") {
            out.push(path);
        }
    }
}

/// The reduction never sees the truth: no detector parameters, no random streams, no optics.
#[test]
fn the_reduction_names_no_truth_and_no_dice() {
    let mut files = Vec::new();
    rust_files(&root().join("validate/reduction/src"), &mut files);
    // Modules of tests in their own file are compiled for tests alone.
    for file in files.into_iter().filter(|f| f.file_name().is_none_or(|name| name != "tests.rs")) {
        let text = std::fs::read_to_string(&file).unwrap();
        let code: String = text.split("#[cfg(test)]").next().unwrap_or_default().to_string();
        for word in ["sim_core::stream", "sim_core::noise", "DetectorSpec", "instruments::optics", ".parameters"] {
            assert!(!code.contains(word), "{} uses {word}", file.display());
        }
    }
}

/// No engine code asks which instrument it serves.
#[test]
fn the_engine_has_no_branch_on_an_instrument() {
    for folder in ["sim-core/src", "psf/src", "instruments/src/effects", "instruments/src/optics", "validate/reduction/src"] {
        let mut files = Vec::new();
        rust_files(&root().join(folder), &mut files);
        for file in files {
            let text = std::fs::read_to_string(&file).unwrap();
            let code = text.split("#[cfg(test)]").next().unwrap_or_default();
            assert!(!code.contains("== \"msc\"") && !code.contains("\"msc\" =>"), "{} branches on an instrument", file.display());
        }
    }
}
