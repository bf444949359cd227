//! Whether every product of a run is there, in its folder or its store, whole, with the recorded bytes: all of them are read.

use crate::failure::{Exit, SurveyError};
use crate::folder::Run;
use crate::journal;
use crate::manifest;
use crate::record::Record;
use crate::store;
use rayon::prelude::*;
use std::collections::BTreeMap;

/// What `verify` found.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Verified {
    /// Units whose products are all as recorded.
    pub whole: usize,
    /// Products that were read.
    pub products: usize,
    /// What is wrong, a line for each unit: missing, another key, products that are not as recorded.
    pub wrong: Vec<String>,
    /// Products that two attempts with the same key made with different bytes, by the journals: it must not happen.
    pub differing: Vec<String>,
}

impl Verified {
    /// How `verify` ends.
    #[must_use]
    pub fn exit(&self) -> Exit {
        if self.wrong.is_empty() && self.differing.is_empty() { Exit::Done } else { Exit::UnitFailed }
    }
}

/// Reads all products of a run and compares them with their records, and the journals with each other.
///
/// # Errors
/// When the manifest or a journal cannot be read, or the store does not answer.
pub fn verify(run: &Run) -> Result<Verified, SurveyError> {
    let units = manifest::read(&run.units())?;
    let bucket = store::of(run)?;
    let found: Vec<Result<Result<usize, String>, SurveyError>> = units
        .par_iter()
        .map(|unit| {
            let record = match &bucket {
                Some(bucket) => bucket.record(unit)?,
                None => Record::beside(&run.path().join(&unit.path)),
            };
            let Some(record) = record else {
                return Ok(Err(format!("{}: missing ({})", unit.name, unit.path)));
            };
            if record.key != unit.key {
                return Ok(Err(format!("{}: has another key than planned ({})", unit.name, unit.path)));
            }
            let damaged = match &bucket {
                Some(bucket) => bucket.damaged(&record)?,
                None => record.damaged(run.path()),
            };
            if damaged.is_empty() {
                return Ok(Ok(record.products.len()));
            }
            Ok(Err(format!("{}: missing or not as recorded: {}", unit.name, damaged.join(", "))))
        })
        .collect();
    let mut verified = Verified::default();
    for unit in found {
        match unit? {
            Ok(products) => {
                verified.whole += 1;
                verified.products += products;
            }
            Err(wrong) => verified.wrong.push(wrong),
        }
    }
    let mut first: BTreeMap<(String, String), String> = BTreeMap::new();
    for line in journal::read_all(run)? {
        for product in line.products {
            let hash = first.entry((product.path.clone(), line.key.clone())).or_insert_with(|| product.sha256.clone());
            if *hash != product.sha256 && !verified.differing.contains(&product.path) {
                verified.differing.push(product.path);
            }
        }
    }
    Ok(verified)
}
