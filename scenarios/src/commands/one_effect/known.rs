//! What a correction is told: masters and numbers of the command line, else the nominal numbers of the instrument.

use super::place::Place;
use anyhow::{Context as _, bail, ensure};
use instruments::description::DetectorSpec;
use instruments::effects::registry;
use ndarray::Array2;
use scenarios::ideal;
use sim_core::correction::CorrectionError;
use sim_core::fits::{self, Data, Hdu};
use sim_core::knowledge::{Knowledge, Measured, Reference};
use sim_core::table::Table;
use std::path::Path;
use std::sync::Arc;

/// A number that corrections use.
struct Number {
    /// Key of `--set`.
    key: &'static str,
    /// Corrections that use it.
    of: &'static [&'static str],
    /// Effect and parameter that hold its nominal value and its range.
    nominal: (&'static str, &'static str),
}

const NUMBERS: [Number; 3] = [
    Number { key: "gain", of: &["digitise", "read_noise", "crosstalk"], nominal: ("digitise", "gain") },
    Number { key: "read_noise", of: &["read_noise", "crosstalk", "bad_columns"], nominal: ("read_noise", "sigma") },
    Number { key: "saturation", of: &["full_well", "bleeding"], nominal: ("full_well", "capacity") },
];
/// Corrections that take a master.
const WITH_IMAGE: [&str; 4] = ["bias", "dark", "flat", "shutter"];
/// Corrections that take the amplifier table of a master bias.
const WITH_TABLE: [&str; 2] = ["digitise", "read_noise"];

/// Knowledge for one correction, and where it is from, in words.
pub fn knowledge(
    effect: &str,
    spec: &DetectorSpec,
    place: &Place,
    time_s: f64,
    set: &[(String, f64)],
    reference: Option<&Path>,
) -> anyhow::Result<(Knowledge, Vec<String>)> {
    let amplifiers = place.layout.amplifier_count;
    let mut knowledge = Knowledge::of_layout(place.layout.clone(), place.window, time_s);
    let mut notes = Vec::new();
    let used: Vec<&Number> = NUMBERS.iter().filter(|n| n.of.contains(&effect)).collect();
    for (key, _) in set {
        let takes: Vec<&str> = used.iter().map(|n| n.key).collect();
        ensure!(
            takes.contains(&key.as_str()),
            "--set {key}: {}",
            match takes.is_empty() {
                true => format!("the correction of {effect} takes no numbers"),
                false => format!("the correction of {effect} takes {}", takes.join(", ")),
            }
        );
    }
    let units = reference.map(fits::read).transpose()?;
    if let (Some(path), Some(units)) = (reference, &units) {
        let file = path.display();
        if WITH_IMAGE.contains(&effect) {
            let master = Some(Arc::new(master(path, units, place)?));
            match effect {
                "bias" => knowledge.bias = master,
                "dark" => {
                    knowledge.dark = master;
                    knowledge.defects = defects(units).filter(|d| d.dim() == place.window.shape()).map(Arc::new);
                }
                "flat" => knowledge.flat = master,
                _ => knowledge.shutter = master,
            }
        } else if !WITH_TABLE.contains(&effect) {
            bail!(
                "--reference {file}: the correction of {effect} takes no master ({} do)",
                [&WITH_IMAGE[..], &WITH_TABLE].concat().join(", ")
            );
        }
    }
    let table = units.as_deref().and_then(amplifier_table);
    if let (Some(path), None, true) = (reference, table, WITH_TABLE.contains(&effect)) {
        bail!("--reference {}: no table AMPLIFIERS, as a master bias has", path.display());
    }
    for number in used {
        let (of, key) = number.nominal;
        let parameter = registry::find(of).and_then(|s| s.parameters.iter().find(|p| p.key == key)).context("a registered parameter")?;
        let column = if number.key == "gain" { "GAIN" } else { "RDNOISE" };
        let measured = table.and_then(|t| t.f64s(column)).filter(|v| v.len() == amplifiers);
        let (values, from) = match (set.iter().find(|(k, _)| k == number.key), measured, spec.nominal(of, key)) {
            (Some((_, value)), _, _) => (vec![*value; amplifiers], "--set"),
            (None, Some(values), _) => (values, "the master"),
            (None, None, Some(value)) => (vec![value; amplifiers], "nominal"),
            (None, None, None) => continue,
        };
        for value in &values {
            ensure!(
                *value >= parameter.low && *value <= parameter.high,
                "{} = {value} {} ({from}) is outside {}..{}",
                number.key,
                parameter.unit,
                parameter.low,
                parameter.high
            );
        }
        let mean = values.iter().sum::<f64>() / amplifiers as f64;
        notes.push(format!("{} {mean:.6} {} ({from})", number.key, parameter.unit));
        let all: Option<Vec<Measured>> = Some(values.into_iter().map(|value| Measured { value, error: 0.0 }).collect());
        match number.key {
            "gain" => knowledge.gain = all,
            "read_noise" => knowledge.read_noise = all,
            _ => knowledge.saturation_electron = Some(mean),
        }
    }
    ideal::add(effect, spec, 0.0, None, &mut knowledge)?;
    match effect {
        "crosstalk" => notes.push("the matrix of the instrument".into()),
        "bad_columns" => notes.push("the columns of the instrument".into()),
        _ => {}
    }
    Ok((knowledge, notes))
}

/// What the correction of cti knows: the traps of the instrument file, or those given.
pub fn traps(spec: &DetectorSpec, place: &Place, time_s: f64, set: &[(String, f64)], mjd: f64) -> anyhow::Result<Knowledge> {
    let mut spec = spec.clone();
    let (own, traps): (Vec<_>, Vec<_>) = set.iter().cloned().partition(|(key, _)| key == "iterations");
    registry::set_parameters(&mut spec, "cti", &traps, "command line")?;
    let iterations = own.last().map_or(1.0, |(_, value)| *value);
    ensure!((0.0..=100.0).contains(&iterations), "--set iterations={iterations}: 0..100");
    let mut knowledge = Knowledge::of_layout(place.layout.clone(), place.window, time_s);
    ideal::add("cti", &spec, mjd, Some(iterations as usize), &mut knowledge)?;
    Ok(knowledge)
}

/// What the correction of non_linearity knows: the response of the instrument file, or that given, up to full scale.
pub fn responses(spec: &DetectorSpec, place: &Place, time_s: f64, set: &[(String, f64)]) -> anyhow::Result<Knowledge> {
    let mut spec = spec.clone();
    registry::set_parameters(&mut spec, "non_linearity", set, "command line")?;
    let mut knowledge = Knowledge::of_layout(place.layout.clone(), place.window, time_s);
    ideal::add("non_linearity", &spec, 0.0, None, &mut knowledge)?;
    Ok(knowledge)
}

/// What the correction of brighter-fatter knows: the shifts of the instrument file, or those given.
pub fn boundaries(spec: &DetectorSpec, place: &Place, time_s: f64, set: &[(String, f64)]) -> anyhow::Result<Knowledge> {
    let mut spec = spec.clone();
    let (own, shifts): (Vec<_>, Vec<_>) = set.iter().cloned().partition(|(key, _)| key == "iterations");
    registry::set_parameters(&mut spec, "brighter_fatter", &shifts, "command line")?;
    let iterations = own.last().map_or(2.0, |(_, value)| *value);
    ensure!((0.0..=4.0).contains(&iterations), "--set iterations={iterations}: 0..4");
    let mut knowledge = Knowledge::of_layout(place.layout.clone(), place.window, time_s);
    ideal::add("brighter_fatter", &spec, 0.0, Some(iterations as usize), &mut knowledge)?;
    Ok(knowledge)
}

/// Image and variance of a master: the first image, and the one named VARIANCE, else the second, else none.
fn master(path: &Path, units: &[Hdu], place: &Place) -> anyhow::Result<Reference> {
    let pixels = |hdu: &Hdu| super::image::pixels(&hdu.data);
    let mut images = units.iter().filter(|u| pixels(u).is_some());
    let first = images.next().with_context(|| format!("--reference {}: no image in it", path.display()))?;
    let at = |key: &str| first.header.i64(key).and_then(|v| usize::try_from(v).ok());
    if let (Some(x0), Some(y0)) = (at("WINX0"), at("WINY0")) {
        let window = place.window;
        ensure!(
            (x0, y0) == (window.x0, window.y0),
            "--reference {}: it is of the window at {x0},{y0}, the image is at {},{}",
            path.display(),
            window.x0,
            window.y0
        );
    }
    let second = images.clone().find(|u| u.name == "VARIANCE").or_else(|| images.next());
    let image = pixels(first).unwrap_or_default();
    let variance = second.and_then(pixels).unwrap_or_else(|| Array2::zeros(image.dim()));
    let bad = image.iter().chain(&variance).filter(|v| !v.is_finite()).count();
    ensure!(bad == 0, "--reference {}: {bad} pixels are not finite", path.display());
    Ok(Reference { image, variance })
}

/// Flags of a master dark.
fn defects(units: &[Hdu]) -> Option<Array2<u32>> {
    match &units.iter().find(|u| u.name == "DEFECTS")?.data {
        Data::U16(bits) => Some(bits.mapv(u32::from)),
        _ => None,
    }
}

fn amplifier_table(units: &[Hdu]) -> Option<&Table> {
    units.iter().find(|u| u.name == "AMPLIFIERS").and_then(|u| if let Data::Table(table) = &u.data { Some(table) } else { None })
}

/// Says which option gives what a correction did not know.
pub fn with_remedy(effect: &str, error: anyhow::Error) -> anyhow::Error {
    match error.downcast_ref::<CorrectionError>() {
        Some(CorrectionError::Unknown { what, .. }) if WITH_IMAGE.contains(&effect) => {
            anyhow::anyhow!("the correction of {effect} needs {what}: give --reference MASTER.fits")
        }
        Some(CorrectionError::Unknown { what, .. }) => anyhow::anyhow!("the correction of {effect} needs {what}, which no option can give"),
        _ => error,
    }
}
