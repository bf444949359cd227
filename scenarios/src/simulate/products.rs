//! The files of a unit: raw frame, truth, and the record that completes it.

use super::Made;
use super::truth::finish_truth;
use crate::folder::Folder;
use crate::sky::Skipped;
use crate::unit::{Plan, Unit};
use anyhow::Context as _;
use instruments::product::level0::{Clocking, Level0Meta, write_level0};
use instruments::product::names::NameStyle;
use serde::{Deserialize, Serialize};
use sim_core::files::write_atomically;
use sim_core::manifest::{Manifest, PHYSICS, sha256_file};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// A manifest with the key of its unit.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct UnitManifest {
    /// Key of the unit.
    pub key: String,
    /// How to make it again.
    #[serde(flatten)]
    pub manifest: Manifest,
}

/// Writes the products of a unit, and its record.
///
/// # Errors
/// When a file cannot be written.
pub fn write_unit(plan: &Plan, unit: &Unit, mut made: Made, folder: &Folder, observer: &mut dyn FnMut(&str)) -> anyhow::Result<()> {
    let path = unit.level0_path(folder, &plan.instrument.name);
    let counts = made.take_counts();
    with_meta(plan, unit, &made, |meta| write_level0(&path, counts, meta))?;
    observer("write L0");
    let mut products = vec![path.clone()];
    let (truth, skipped) = finish_truth(plan, unit, made, folder, observer)?;
    products.extend(truth);
    let record = Record { key: plan.key(unit), inputs: plan.inputs.clone(), products, skipped };
    write_record(plan, unit, &path, record, folder)?;
    observer("manifest");
    Ok(())
}

/// Hands over what the header of a unit's raw frame says besides the pixels.
pub fn with_meta<R>(plan: &Plan, unit: &Unit, made: &Made, act: impl FnOnce(&Level0Meta<'_>) -> R) -> R {
    let spec = plan.spec(unit);
    let amplifiers = made.layout.amplifier_count;
    act(&Level0Meta {
        instrument: &plan.instrument.name,
        geometry: &spec.geometry,
        exposure: &made.exposure,
        layout: &made.layout,
        wcs: &made.wcs,
        aberration: made.aberration,
        object: &plan.scenario.name,
        nominal_gain: &vec![spec.nominal("digitise", "gain").unwrap_or(1.0); amplifiers],
        nominal_read_noise_electron: &vec![spec.nominal("read_noise", "sigma").unwrap_or(0.0); amplifiers],
        nominal_full_well_electron: spec.nominal("full_well", "capacity"),
        clocking: spec
            .nominal("trap_pumping", "line_time")
            .zip(spec.nominal("trap_pumping", "pumped_fraction"))
            .map(|(line_time_s, pumped_fraction)| Clocking { line_time_s, pumped_fraction }),
        software: concat!("skyloop ", env!("CARGO_PKG_VERSION")),
        style: &NameStyle::default(),
        packing: plan.scenario.compress,
    })
}

/// What completes a unit.
pub struct Record {
    /// Its key.
    pub key: String,
    /// Hashes of what it was made from, by name.
    pub inputs: BTreeMap<String, String>,
    /// Its products.
    pub products: Vec<PathBuf>,
    /// Rows of the catalogue that cannot be used, by cause.
    pub skipped: Skipped,
}

/// Writes the record of a unit beside a product: last, when all products have their names.
///
/// # Errors
/// When a product cannot be read or the record not be written.
pub fn write_record(plan: &Plan, unit: &Unit, beside: &Path, record: Record, folder: &Folder) -> anyhow::Result<()> {
    let Record { key, inputs, products, skipped } = record;
    let mut hashes = BTreeMap::new();
    for product in &products {
        let relative = product.strip_prefix(folder.path()).unwrap_or(product).to_string_lossy().into_owned();
        hashes.insert(relative, sha256_file(product).with_context(|| product.display().to_string())?);
    }
    let manifest = UnitManifest {
        key,
        manifest: Manifest {
            skyloop: env!("CARGO_PKG_VERSION").into(),
            physics: PHYSICS,
            scenario: plan.scenario.to_toml(),
            unit: unit.name(),
            seed: plan.scenario.seed,
            inputs,
            products: hashes,
            skipped,
        },
    };
    let path = Folder::manifest_of(beside);
    write_atomically(&path, serde_json::to_string_pretty(&manifest)?.as_bytes()).with_context(|| path.display().to_string())
}
