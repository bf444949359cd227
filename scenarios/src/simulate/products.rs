//! The files of a unit: raw frame, truth, and the record that completes it.

use super::Made;
use crate::folder::Folder;
use crate::sky::Skipped;
use crate::unit::{Plan, Unit};
use anyhow::Context as _;
use instruments::effects::trails::trail_table;
use instruments::optics::slitless;
use instruments::product::level0::{Clocking, Level0Meta, write_level0};
use instruments::product::names::NameStyle;
use serde::{Deserialize, Serialize};
use sim_core::exposure::ExposureKind;
use sim_core::files::write_atomically;
use sim_core::fits::{self, Data, Hdu, Header};
use sim_core::hits::{HitImages, hit_table};
use sim_core::manifest::{Manifest, PHYSICS, sha256_file};
use sim_core::truth::object_table;
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
pub fn write_unit(plan: &Plan, unit: &Unit, made: Made, folder: &Folder, observer: &mut dyn FnMut(&str)) -> anyhow::Result<()> {
    let path = unit.level0_path(folder, &plan.instrument.name);
    with_meta(plan, unit, &made, |meta| write_level0(&path, &made.counts, meta))?;
    observer("write L0");
    let mut products = vec![path.clone()];
    let (truth, skipped) = write_truth(plan, unit, made, folder, observer)?;
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

/// Writes the truth of a unit; its names, and the rows of the catalogue that cannot be used, by cause.
///
/// # Errors
/// When a file cannot be written.
pub fn write_truth(
    plan: &Plan,
    unit: &Unit,
    mut made: Made,
    folder: &Folder,
    observer: &mut dyn FnMut(&str),
) -> anyhow::Result<(Vec<PathBuf>, Skipped)> {
    drop(made.counts);
    let path = unit.level0_path(folder, &plan.instrument.name);
    let mut products = Vec::new();
    let keep = plan.scenario.truth;
    let science = made.exposure.kind == ExposureKind::Science;
    let mut hdus = Vec::new();
    if keep.objects && science {
        hdus.push(Hdu::new("OBJECTS", Header::default(), Data::Table(object_table(&made.truth))));
    }
    if keep.objects
        && let Some(spectra) = &made.spectra
    {
        hdus.push(Hdu::new("ORDERS", Header::default(), Data::Table(slitless::order_table(&spectra.orders))));
        hdus.push(Hdu::new("SPECTRA", Header::default(), Data::Table(slitless::spectrum_table(&spectra.pixels))));
    }
    if let Some(spectra) = &mut made.spectra
        && !spectra.images.is_empty()
    {
        let (own, others): (Vec<_>, Vec<_>) = std::mem::take(&mut spectra.images).into_iter().unzip();
        hdus.push(Hdu::new("ORDER_BOXES", Header::default(), Data::Table(slitless::cutout_table(&own))));
        let mut header = Header::default();
        header.set("BUNIT", "electron", "unit of the pixels");
        hdus.push(Hdu::new("ORDER_OWN", header.clone(), Data::F32(slitless::in_a_row(own.iter().map(|c| &c.own)))));
        hdus.push(Hdu::new("ORDER_OTHERS", header, Data::F32(slitless::in_a_row(others.iter()))));
    }
    let mut image_header = Header::default();
    made.wcs.shifted(unit.window.x0 as f64, unit.window.y0 as f64).write(&mut image_header);
    if let Some(pixels) = made.noiseless {
        let mut header = image_header.clone();
        header.set("BUNIT", "electron", "unit of the pixels");
        hdus.push(Hdu::new("NOISELESS", header, Data::F32(pixels)));
    }
    if let Some(mask) = made.saturated {
        hdus.push(Hdu::new("SATURATED", image_header.clone(), Data::U8(mask)));
    }
    if let Some(truth) = made.cosmic_rays {
        if keep.objects {
            hdus.push(Hdu::new("COSMIC_RAYS", Header::default(), Data::Table(hit_table(truth.rows()))));
        }
        if let Some(HitImages { electrons, owner }) = truth.images(unit.window.shape()) {
            let mut header = image_header.clone();
            header.set("BUNIT", "electron", "unit of the pixels");
            hdus.push(Hdu::new("CR_ELECTRONS", header, Data::F32(electrons)));
            hdus.push(Hdu::new("CR_OWNER", image_header.clone(), Data::I32(owner.mapv(|hit| hit as i32))));
        }
    }
    if let Some(truth) = made.trails {
        if keep.objects {
            hdus.push(Hdu::new("TRAILS", Header::default(), Data::Table(trail_table(&truth.rows))));
        }
        if let Some(electrons) = truth.electrons {
            let mut header = image_header.clone();
            header.set("BUNIT", "electron", "unit of the pixels");
            hdus.push(Hdu::new("TRAIL_ELECTRONS", header, Data::F32(electrons)));
        }
    }
    if !hdus.is_empty() {
        let mut header = Header::default();
        header.set(
            "L0FILE",
            path.file_name().map(|n| n.to_string_lossy().into_owned()).unwrap_or_default(),
            "level-0 file this is the truth of",
        );
        header.set("SKYELEC", made.exposure.sky_electron_s, "[electron/s/pixel] sky before any response");
        header.set("WINX0", unit.window.x0 as i64, "[pixel] first column of the window, 0-based");
        header.set("WINY0", unit.window.y0 as i64, "[pixel] first row of the window, 0-based");
        hdus.insert(0, Hdu::primary(header));
        let truth_path = folder.truth_of(&path);
        fits::write(&truth_path, &hdus)?;
        products.push(truth_path);
        observer("write truth");
    }
    if keep.ledger && science {
        let ledger_path = folder.ledger_of(&path);
        write_atomically(&ledger_path, serde_json::to_string_pretty(&made.ledger)?.as_bytes())
            .with_context(|| ledger_path.display().to_string())?;
        products.push(ledger_path);
    }
    Ok((products, made.skipped))
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
