//! Reads an instrument: the file, what it names, and every check.

use super::columns::Columns;
use super::document::{self, Node};
use super::effect_tables::{self, Tables};
use super::error::{DescriptionError, Place};
use super::files::{self, Files};
use super::section::Section;
use super::{DetectorSpec, Instrument, ProvenanceLine, ThroughputSet, bands, focal_plane, nearest};
use sim_core::detector::{AmplifierGrid, DetectorGeometry};
use sim_core::units::Nanometre;
use sim_core::wcs::{Chromatic, Distortion, FieldDistortion, Parity};
use std::collections::BTreeMap;
use std::path::Path;

const KEYS: [&str; 10] = ["name", "telescope", "detectors", "amplifiers", "distortion", "chain", "bands", "effects", "psf", "detector"];

/// Loads a built-in instrument (`msc`, `testbench`) or an instrument file, with its throughput curves.
///
/// # Errors
/// When a file is missing or anything in it is not as it must be.
pub fn load(name_or_path: &str) -> Result<Instrument, DescriptionError> {
    load_with(name_or_path, ThroughputSet::Curves)
}

/// Whether this is the name of a built-in instrument.
#[must_use]
pub fn is_built_in(name: &str) -> bool {
    files::builtin_names().any(|known| known == name)
}

/// As [`load`], with the throughput set to use.
///
/// # Errors
/// As [`load`].
pub fn load_with(name_or_path: &str, set: ThroughputSet) -> Result<Instrument, DescriptionError> {
    if let Some(files) = Files::builtin(name_or_path) {
        return read(files, "instrument.toml", set);
    }
    let path = Path::new(name_or_path);
    if path.is_dir() {
        return read(Files::folder(path), "instrument.toml", set);
    }
    if path.extension().is_some_and(|e| e == "toml") || path.is_file() {
        let name = path.file_name().map_or_else(|| name_or_path.into(), |n| n.to_string_lossy().into_owned());
        return read(Files::folder(path.parent().unwrap_or(Path::new(""))), &name, set);
    }
    let known: Vec<&str> = files::builtin_names().collect();
    Err(DescriptionError::UnknownInstrument {
        name: name_or_path.into(),
        known: known.iter().map(|k| format!("`{k}`")).collect::<Vec<_>>().join(" or "),
        hint: Some(nearest::hint(name_or_path, known)).filter(|h| h.contains("did you mean")).unwrap_or_default(),
    })
}

fn read(mut files: Files, name: &str, set: ThroughputSet) -> Result<Instrument, DescriptionError> {
    let file = files.display(name);
    let text = files.read(name).map_err(|reason| DescriptionError::Unreadable { file: file.clone(), reason })?;
    let tree = Node::parse(&text, &file)?;
    let mut lines = document::provenance(&tree, &file)?;
    let root = Section::new(&file, "", &tree, &KEYS)?;
    let tables: toml::Table =
        text.parse().map_err(|e: toml::de::Error| DescriptionError::Syntax { place: root.place(""), reason: e.message().to_string() })?;

    let telescope = root.section("telescope", &["diameter", "area", "obscuration", "focal_length", "parity", "rotation"])?;
    telescope.number("diameter", "m", 0.01, 100.0)?;
    let area_cm2 = telescope.number("area", "cm2", 1e-3, 1e8)?;
    for (key, unit, low, high) in [("obscuration", "1", 0.0, 1.0), ("focal_length", "m", 0.01, 1e4)] {
        if telescope.get(key).is_some() {
            telescope.number(key, unit, low, high)?;
        }
    }
    let parity = if telescope.choice("parity", &["c7", "c9"])? == "c7" { Parity::C7 } else { Parity::C9 };
    let rotation_deg = telescope.number("rotation", "deg", -360.0, 360.0)?;

    let chain = effect_tables::chain(&root)?;
    let base = effects(&root, &file, &tables)?;
    let all_bands = bands::read(&root, &file, &mut files, set, &mut lines)?;
    let detectors = detectors(&root, &file, &mut files, &tables, &base, &all_bands, &mut lines)?;
    for spec in detectors.values() {
        effect_tables::complete(&chain, &spec.parameters, &file)?;
    }
    Ok(Instrument {
        name: root.text("name")?.into(),
        area_cm2,
        parity,
        rotation_deg,
        distortion: distortion(&root, &all_bands)?,
        detectors,
        bands: all_bands.into_iter().map(|(name, (band, _))| (name, band)).collect(),
        throughput: set,
        psf: psf(&root, &tables, &mut files)?,
        chain,
        provenance: lines,
        hashes: files.hashes,
    })
}

fn effects(root: &Section<'_>, file: &str, tables: &toml::Table) -> Result<Tables, DescriptionError> {
    let Some(node) = root.get("effects") else { return Ok(Tables::new()) };
    effect_tables::check(file, "effects", node)?;
    Ok(effect_tables::merge(&Tables::new(), tables.get("effects").and_then(toml::Value::as_table)))
}

/// What every detector shares.
struct Shared {
    nx: usize,
    ny: usize,
    pixel_scale_arcsec: f64,
    device_seed: u64,
    amplifiers: AmplifierGrid,
}

fn shared(root: &Section<'_>) -> Result<Shared, DescriptionError> {
    let d = root.section("detectors", &["nx", "ny", "pixel_scale", "device_seed", "focal_plane"])?;
    let a = root.section("amplifiers", &["columns", "rows", "prescan_x", "overscan_x", "overscan_y"])?;
    let (nx, ny) = (d.whole("nx", "pixel", 1, 100_000)?, d.whole("ny", "pixel", 1, 100_000)?);
    let amplifiers = AmplifierGrid {
        columns: a.whole("columns", "1", 1, 64)?,
        rows: a.whole("rows", "1", 1, 2)?,
        prescan_x: a.whole("prescan_x", "pixel", 0, 10_000)?,
        overscan_x: a.whole("overscan_x", "pixel", 0, 10_000)?,
        overscan_y: a.whole("overscan_y", "pixel", 0, 10_000)?,
    };
    for (key, sections, pixels) in [("columns", amplifiers.columns, nx), ("rows", amplifiers.rows, ny)] {
        if pixels % sections != 0 {
            let reason = format!("{sections} sections do not divide {pixels} pixels");
            return Err(DescriptionError::Form { place: a.place(key), reason });
        }
    }
    Ok(Shared {
        nx,
        ny,
        pixel_scale_arcsec: d.number("pixel_scale", "arcsec/pixel", 1e-6, 1e4)?,
        device_seed: d.seed("device_seed")?,
        amplifiers,
    })
}

fn detectors(
    root: &Section<'_>,
    file: &str,
    files: &mut Files,
    tables: &toml::Table,
    base: &Tables,
    bands: &bands::Bands,
    lines: &mut Vec<ProvenanceLine>,
) -> Result<BTreeMap<u16, DetectorSpec>, DescriptionError> {
    let s = shared(root)?;
    let section = root.section("detectors", &["nx", "ny", "pixel_scale", "device_seed", "focal_plane"])?;
    let csv = section.text("focal_plane")?;
    let display = files.display(csv);
    let text = files.read(csv).map_err(|reason| DescriptionError::MissingFile {
        place: section.place("focal_plane"),
        file: csv.into(),
        reason,
    })?;
    let columns = Columns::parse(&text, &display)?;
    lines.extend(columns.provenance("detectors.focal_plane", csv));
    let mut detectors = BTreeMap::new();
    for (row, p) in focal_plane::read(&columns, s.nx, s.ny)?.into_iter().enumerate() {
        let (band, sky) = bands.get(&p.filter).ok_or_else(|| DescriptionError::Unknown {
            place: columns.place(row, &format!("filter `{}`", p.filter)),
            hint: nearest::hint(&p.filter, bands.keys().map(String::as_str)),
        })?;
        let geometry = DetectorGeometry {
            number: p.number,
            filter: p.filter,
            nx: s.nx,
            ny: s.ny,
            crpix1: p.crpix1,
            crpix2: p.crpix2,
            pixel_scale_arcsec: s.pixel_scale_arcsec,
            amplifiers: s.amplifiers,
        };
        let spec = DetectorSpec {
            geometry,
            kind: band.kind,
            band: band.bandpass.clone(),
            grating: band.grating.clone(),
            table_sky_electron_s: *sky,
            device_seed: s.device_seed,
            parameters: base.clone(),
        };
        detectors.insert(p.number, spec);
    }
    overrides(root, file, tables, base, &mut detectors)?;
    Ok(detectors)
}

/// `[detector.NUMBER.effects.NAME]`.
fn overrides(
    root: &Section<'_>,
    file: &str,
    tables: &toml::Table,
    base: &Tables,
    detectors: &mut BTreeMap<u16, DetectorSpec>,
) -> Result<(), DescriptionError> {
    let Some(node) = root.get("detector") else { return Ok(()) };
    for (number, node) in Section::free(file, "detector", node)?.entries() {
        let key = format!("detector.{number}");
        let Some(spec) = number.parse().ok().and_then(|n: u16| detectors.get_mut(&n)) else {
            let known: Vec<String> = detectors.keys().map(u16::to_string).collect();
            let place = Place { file: file.into(), line: node.line, key };
            return Err(DescriptionError::Unknown { place, hint: format!("; the focal plane has {}", known.join(", ")) });
        };
        let section = Section::new(file, &key, node, &["effects"])?;
        if let Some(effects) = section.get("effects") {
            effect_tables::check(file, &format!("{key}.effects"), effects)?;
        }
        let own = tables.get("detector").and_then(|t| t.get(number)).and_then(|t| t.get("effects")).and_then(toml::Value::as_table);
        spec.parameters = effect_tables::merge(base, own);
    }
    Ok(())
}

fn distortion(root: &Section<'_>, bands: &bands::Bands) -> Result<Option<FieldDistortion>, DescriptionError> {
    if root.get("distortion").is_none() {
        return Ok(None);
    }
    let section = root.section("distortion", &["x", "y", "x_chromatic", "y_chromatic", "chromatic_reference"])?;
    let base = Distortion { x: section.terms("x", "deg")?, y: section.terms("y", "deg")? };
    let slopes = |key: &str| if section.get(key).is_some() { section.terms(key, "deg/um").map(Some) } else { Ok(None) };
    let chromatic = match (slopes("x_chromatic")?, slopes("y_chromatic")?) {
        (None, None) if section.get("chromatic_reference").is_some() => {
            let need = "a reference wavelength needs x_chromatic or y_chromatic".into();
            return Err(DescriptionError::Missing { place: section.place("x_chromatic"), need });
        }
        (None, None) => None,
        (x, y) => Some(Chromatic {
            reference: Nanometre(section.number("chromatic_reference", "nm", 50.0, 1e5)?),
            per_um: Distortion { x: x.unwrap_or_default(), y: y.unwrap_or_default() },
        }),
    };
    let distortion = FieldDistortion { base, chromatic };
    let refuse = |reason| DescriptionError::Form { place: root.place("distortion"), reason };
    distortion.check().map_err(refuse)?;
    for (name, (band, _)) in bands {
        let determinant = distortion.at(effective(&band.bandpass)).determinant();
        if !(determinant > 0.0 && determinant.is_finite()) {
            let reason = format!(
                "its linear part in band {name} has the determinant {determinant}, which must be above 0: (1, 0, ~1) in x, (0, 1, ~1) in y"
            );
            return Err(refuse(reason));
        }
    }
    Ok(Some(distortion))
}

/// The wavelength that stands for a band where one must: its pivot.
pub(super) fn effective(band: &sim_core::bandpass::Bandpass) -> Nanometre {
    Nanometre(band.pivot_nm())
}

/// The PSF's table as it is: the `psf` crate reads it. A cube's file is found beside the instrument file.
fn psf(root: &Section<'_>, tables: &toml::Table, files: &mut Files) -> Result<toml::Table, DescriptionError> {
    let mut table = tables.get("psf").and_then(toml::Value::as_table).cloned().ok_or_else(|| DescriptionError::Missing {
        place: root.place("psf"),
        need: "give [psf] with kind = \"optical\", \"airy\", \"gaussian\", \"moffat\" or \"cube\"".into(),
    })?;
    if let Some(name) = table.get("file").and_then(toml::Value::as_str).map(str::to_string) {
        let missing = |reason: String| DescriptionError::MissingFile {
            place: Place { key: "psf.file".into(), ..root.place("psf") },
            file: name.clone(),
            reason,
        };
        let path = files.path(&name).ok_or_else(|| missing("a built-in instrument has no PSF cube".into()))?;
        let hash = sim_core::manifest::sha256_file(&path).map_err(|e| missing(e.to_string()))?;
        let absolute = std::path::absolute(&path).map_err(|e| missing(e.to_string()))?;
        files.hashes.insert(name, hash);
        table.insert("file".into(), toml::Value::String(absolute.to_string_lossy().into_owned()));
    }
    Ok(table)
}
