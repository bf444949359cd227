//! The commit record of a unit: `PRODUCT.manifest.json`, written last, with at least the unit's `key` and its `products`
//! (name relative to the run's folder, SHA-256). A unit is what its record says, and without one it is not there.

use serde::Deserialize;
use sim_core::manifest::sha256_file;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// What of a record this crate needs; other entries are the maker's.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Record {
    /// Key of the unit.
    pub key: String,
    /// SHA-256 of every product, by its name relative to the run's folder.
    pub products: BTreeMap<String, String>,
}

/// What there is of a unit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    /// All products, with the key and the recorded bytes.
    Whole,
    /// Products of another key.
    Stale,
    /// No record, or products that are missing or not as recorded.
    Absent,
}

/// Where the record of a unit lies, from the product that it stands beside.
#[must_use]
pub fn path_of(product: &Path) -> PathBuf {
    let mut name = product.as_os_str().to_owned();
    name.push(".manifest.json");
    PathBuf::from(name)
}

impl Record {
    /// The record beside a product; `None` when there is none, or it is none.
    #[must_use]
    pub fn beside(product: &Path) -> Option<Self> {
        serde_json::from_slice(&std::fs::read(path_of(product)).ok()?).ok()
    }
    /// Products that are missing or have not the recorded bytes: all of them are read. `folder` is the run's.
    #[must_use]
    pub fn damaged(&self, folder: &Path) -> Vec<String> {
        let wrong = |(name, hash): &(&String, &String)| sha256_file(&folder.join(name)).ok().as_ref() != Some(hash);
        self.products.iter().filter(wrong).map(|(name, _)| name.clone()).collect()
    }
}

/// What there is of a unit in a folder: `product` is what its record stands beside, `key` what is wanted. Products are read
/// and compared with their hashes.
#[must_use]
pub fn state(folder: &Path, product: &Path, key: &str) -> State {
    match Record::beside(product) {
        None => State::Absent,
        Some(record) if record.key != key => State::Stale,
        Some(record) if record.damaged(folder).is_empty() => State::Whole,
        Some(_) => State::Absent,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use sim_core::manifest::sha256;

    #[test]
    fn a_unit_is_whole_only_with_its_record_its_key_and_its_bytes() {
        let folder = tempfile::tempdir().unwrap();
        let product = folder.path().join("a.fits");
        std::fs::write(&product, b"pixels").unwrap();
        assert_eq!(state(folder.path(), &product, "k"), State::Absent);
        let record = format!(r#"{{"key": "k", "products": {{"a.fits": "{}"}}, "seed": 3}}"#, sha256(b"pixels"));
        std::fs::write(path_of(&product), &record).unwrap();
        assert_eq!(state(folder.path(), &product, "k"), State::Whole);
        assert_eq!(state(folder.path(), &product, "other"), State::Stale);
        std::fs::write(&product, b"pixel").unwrap();
        assert_eq!(state(folder.path(), &product, "k"), State::Absent);
        std::fs::write(path_of(&product), &record[..20]).unwrap();
        assert_eq!(state(folder.path(), &product, "other"), State::Absent);
    }
}
