//! The manifest of a product: all that is needed to make it again, bit for bit.

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;

/// Written beside every product as `<product>.manifest.json`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Manifest {
    /// Version of Skyloop (`CARGO_PKG_VERSION`).
    pub skyloop: String,
    /// Version of the physics: raised whenever a pixel may change (see `CHANGELOG.md`, Pixels changed).
    pub physics: u32,
    /// The resolved scenario, as TOML.
    pub scenario: String,
    /// Unit made: exposure and detector, or the reduction of them.
    pub unit: String,
    /// Seed of the scenario.
    pub seed: u64,
    /// SHA-256 of every input (instrument files, curves, catalogues), by name.
    pub inputs: BTreeMap<String, String>,
    /// SHA-256 of every product file, by file name.
    pub products: BTreeMap<String, String>,
    /// Rows of the catalogue that were left out because they cannot be used, by cause: of the file, or of the part of a partition that the
    /// unit reads.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub skipped: BTreeMap<String, u64>,
}

/// The physics version of this build.
pub const PHYSICS: u32 = 1;

/// SHA-256 of bytes, hexadecimal.
#[must_use]
pub fn sha256(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().map(|b| format!("{b:02x}")).collect()
}

/// SHA-256 of all that a reader gives, hexadecimal.
///
/// # Errors
/// When it cannot be read.
pub fn sha256_reader(mut from: impl std::io::Read) -> std::io::Result<String> {
    let mut hash = Sha256::new();
    std::io::copy(&mut from, &mut hash)?;
    Ok(hash.finalize().iter().map(|b| format!("{b:02x}")).collect())
}

/// SHA-256 of a file, hexadecimal.
///
/// # Errors
/// When the file cannot be read.
pub fn sha256_file(path: &std::path::Path) -> std::io::Result<String> {
    sha256_reader(std::fs::File::open(path)?)
}
