//! Bands: curves from files, or top-hats from the band table.
//!
//! # Formula
//! Table: `N = 10^(-0.4 (m + 48.6)) / (h c / l) c (1/a - 1/b) tau A t`, l effective wavelength, a and b = l -+ width / 2:
//! all photons counted with the energy they have at l. A top-hat of constant efficiency e counts
//! `f_nu / h ln(b / a) e A t`, so e = tau l (1/a - 1/b) / ln(b / a) keeps the table's zero point (e is at most 2 % above tau).
//! # Source
//! FilterParam table of the survey camera's simulator, as a public script using observation_sim quotes it.

use super::columns::Columns;
use super::document::Node;
use super::error::{DescriptionError, Place};
use super::files::Files;
use super::section::Section;
use super::{BandSpec, BandTable, DetectorKind, ProvenanceLine, ThroughputSet, grating};
use sim_core::bandpass::Bandpass;
use std::collections::BTreeMap;
use std::sync::Arc;

/// A band and its sky background, if tabulated \[electron / s / pixel\].
pub(super) type Bands = BTreeMap<String, (BandSpec, Option<f64>)>;

/// Reads `[bands]`.
pub(super) fn read(
    root: &Section<'_>,
    file: &str,
    files: &mut Files,
    set: ThroughputSet,
    lines: &mut Vec<ProvenanceLine>,
) -> Result<Bands, DescriptionError> {
    let node =
        root.get("bands").ok_or_else(|| DescriptionError::Missing { place: root.place("bands"), need: "give [bands.NAME]".into() })?;
    let mut bands = Bands::new();
    for (name, node) in Section::free(file, "bands", node)?.entries() {
        bands.insert(name.clone(), band(name, node, file, files, set, lines)?);
    }
    Ok(bands)
}

fn band(
    name: &str,
    node: &Node,
    file: &str,
    files: &mut Files,
    set: ThroughputSet,
    lines: &mut Vec<ProvenanceLine>,
) -> Result<(BandSpec, Option<f64>), DescriptionError> {
    let section = Section::new(file, &format!("bands.{name}"), node, &["kind", "curve", "table", "top_hat", "grating"])?;
    let kind = match section.text("kind")? {
        "imaging" => DetectorKind::Imaging,
        "slitless" => DetectorKind::Slitless,
        other => {
            let place = Place { key: format!("bands.{name}.kind `{other}`"), ..section.place("kind") };
            return Err(DescriptionError::Unknown { place, hint: super::nearest::hint(other, ["imaging", "slitless"]) });
        }
    };
    // Everything given is read and checked, whichever is used.
    let curve = if section.get("curve").is_some() { Some(curve(name, &section, files, lines)?) } else { None };
    let table = if section.get("table").is_some() { Some(table(&section)?) } else { None };
    let hat = if section.get("top_hat").is_some() { Some(top_hat(&section)?) } else { None };
    let grating = if section.get("grating").is_some() { Some(grating::read(&section)?) } else { None };
    if (kind == DetectorKind::Slitless) != grating.is_some() {
        let need = "a slitless band needs [bands.NAME.grating], an imaging band has none".into();
        return Err(DescriptionError::Missing { place: section.place("grating"), need });
    }
    let sky = table.map(|t| t.sky_electron_s).or(hat.map(|h| h.3)).or(grating.as_ref().map(|g| g.1));
    let from_hat = hat.map(|(low, high, efficiency, _)| hat_curve(name, low, high, efficiency, file)).transpose()?;
    let bandpass = match set {
        ThroughputSet::Curves => curve.or(from_hat),
        // Gratings have one curve.
        ThroughputSet::Table if grating.is_some() => curve.or(from_hat),
        ThroughputSet::Table => match table {
            Some(t) => Some(table_curve(name, &t, file)?),
            None => from_hat,
        },
    };
    let bandpass = bandpass.ok_or_else(|| {
        let key = if set == ThroughputSet::Curves { "curve" } else { "table" };
        DescriptionError::Missing { place: section.place(key), need: "the throughput set asked for needs it (or a top_hat)".into() }
    })?;
    Ok((BandSpec { kind, bandpass: Arc::new(bandpass), table, grating: grating.map(|g| g.0) }, sky))
}

fn table(section: &Section<'_>) -> Result<BandTable, DescriptionError> {
    const KEYS: [&str; 8] = ["wavelength", "width", "blue_edge", "red_edge", "throughput", "sky", "saturation", "limit"];
    let t = section.section("table", &KEYS)?;
    let wavelength_nm = t.number("wavelength", "nm", 50.0, 1e5)?;
    Ok(BandTable {
        wavelength_nm,
        width_nm: t.number("width", "nm", 0.01, 1.9 * wavelength_nm)?,
        blue_edge_nm: t.number("blue_edge", "nm", 50.0, 1e5)?,
        red_edge_nm: t.number("red_edge", "nm", 50.0, 1e5)?,
        throughput: t.number("throughput", "1", 0.0, 0.95)?,
        sky_electron_s: t.number("sky", "electron/s/pixel", 0.0, 1e6)?,
        saturation_mag: t.number("saturation", "mag", -30.0, 50.0)?,
        limit_mag: t.number("limit", "mag", -30.0, 50.0)?,
    })
}

fn top_hat(section: &Section<'_>) -> Result<(f64, f64, f64, f64), DescriptionError> {
    let t = section.section("top_hat", &["low", "high", "efficiency", "sky"])?;
    let low = t.number("low", "nm", 50.0, 1e5)?;
    let high = t.number("high", "nm", low + 0.01, 1e5)?;
    Ok((low, high, t.number("efficiency", "1", 0.0, 1.0)?, t.number("sky", "electron/s/pixel", 0.0, 1e6)?))
}

fn table_curve(name: &str, t: &BandTable, file: &str) -> Result<Bandpass, DescriptionError> {
    let (low, high) = (t.wavelength_nm - 0.5 * t.width_nm, t.wavelength_nm + 0.5 * t.width_nm);
    let efficiency = t.throughput * t.wavelength_nm * (1.0 / low - 1.0 / high) / (high / low).ln();
    hat_curve(name, low, high, efficiency, file)
}

fn hat_curve(name: &str, low: f64, high: f64, efficiency: f64, file: &str) -> Result<Bandpass, DescriptionError> {
    // Flanks 0.002 nm wide, centred on the edges.
    let flank = 1e-3;
    let wavelength_nm = vec![low - flank, low + flank, high - flank, high + flank];
    Bandpass::new(name, wavelength_nm, vec![0.0, efficiency, efficiency, 0.0])
        .map_err(|curve| DescriptionError::Curve { file: file.into(), curve })
}

fn curve(name: &str, section: &Section<'_>, files: &mut Files, lines: &mut Vec<ProvenanceLine>) -> Result<Bandpass, DescriptionError> {
    let csv = section.text("curve")?;
    let display = files.display(csv);
    let text =
        files.read(csv).map_err(|reason| DescriptionError::MissingFile { place: section.place("curve"), file: csv.into(), reason })?;
    let columns = Columns::parse(&text, &display)?;
    let wavelength_nm = columns.numbers("wavelength_nm", "nm", 1.0, 1e6)?;
    let mut efficiency = vec![1.0; columns.len()];
    for factor in columns.names().iter().filter(|n| *n != "wavelength_nm") {
        for (e, f) in efficiency.iter_mut().zip(columns.numbers(factor, "1", 0.0, 1.0)?) {
            *e *= f;
        }
    }
    lines.extend(columns.provenance(&section.place("curve").key, csv));
    Bandpass::new(name, wavelength_nm, efficiency).map_err(|curve| DescriptionError::Curve { file: display, curve })
}
