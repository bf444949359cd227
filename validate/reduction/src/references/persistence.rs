//! Persistence (`MPERS`): what full pixels leave behind, from the darks after saturated flats.

use super::{Evidence, Outcome, ReferenceKind, Stage};
use crate::earlier::full_pixels;
use crate::error::ReductionError;
use crate::persistence_fit::{self, DarkAfter};
use crate::set::{Units, finite, known_error};
use instruments::product::level0::Level0Info;
use ndarray::s;
use sim_core::fits::{Data, Hdu, Header};
use sim_core::knowledge::{HeldCharge, Knowledge, Measured, PersistenceKnowledge};
use sim_core::median::{SIGMA_PER_MAD, median};
use sim_core::table::{Column, ColumnData, Table};
use std::sync::Arc;

/// Table entry.
pub(super) const KIND: ReferenceKind = ReferenceKind {
    code: "MPERS",
    keyword: "R_PERS",
    what: "persistence",
    steps: &["persistence"],
    stage: Stage::Cleaned,
    cleans: false,
    measure,
    write,
    read,
};

/// A flat counts when so many of its pixels are full.
const FULL_SHARE: f64 = 0.99;
/// Pixels this far from the median of their amplifier, in standard deviations, are hot or hit.
const CLIP: f64 = 4.0;
const SPECIES: &str = "SPECIES";

/// Mean of a dark \[electron\], hot pixels and hits left out, with its error.
fn mean(evidence: &Evidence<'_>, info: &Level0Info, knowledge: &Knowledge) -> Result<Measured, ReductionError> {
    let electrons = evidence.electrons(info, knowledge, &(0..info.window.ny))?;
    let noise = knowledge.read_noise.as_deref().unwrap_or(&[]);
    let (mut sum, mut variance, mut pixels) = (0.0, 0.0, 0.0);
    for tile in &knowledge.layout.tiles {
        let noise = noise.get(tile.amplifier).map_or(0.0, |n| n.value);
        let area = tile.science;
        let part = electrons.slice(s![area.y0..area.y0 + area.ny, area.x0..area.x0 + area.nx]);
        let values: Vec<f32> = part.iter().copied().collect();
        let (middle, sigma) = middle_and_sigma(&values);
        let near = |v: &&f32| (f64::from(**v) - middle).abs() < CLIP * sigma;
        let (total, count) = values.iter().filter(near).fold((0.0, 0.0), |(s, n), v| (s + f64::from(*v), n + 1.0));
        sum += total;
        pixels += count;
        // The level of the overscan is common to a row of the amplifier.
        let overscan = (tile.raw_overscan.nx * tile.raw_overscan.ny).max(1) as f64;
        variance += sigma * sigma * count + noise * noise * count * count / overscan;
    }
    if pixels == 0.0 {
        return Ok(Measured { value: 0.0, error: f64::NAN });
    }
    Ok(Measured { value: sum / pixels, error: variance.sqrt() / pixels })
}

/// Median, and the standard deviation by the median of the deviations from it.
fn middle_and_sigma(values: &[f32]) -> (f64, f64) {
    let of = |mut values: Vec<f32>| median(&mut values).unwrap_or(0.0);
    let middle = of(values.to_vec());
    let deviation = of(values.iter().map(|v| (v - middle).abs()).collect());
    (f64::from(middle), f64::from(deviation) * SIGMA_PER_MAD)
}

fn measure(evidence: &Evidence<'_>, knowledge: &mut Knowledge) -> Result<Outcome, ReductionError> {
    if evidence.after_full.is_empty() {
        return Ok(Outcome::Skipped("no darks after a saturated flat".into()));
    }
    let mut ends = Vec::new();
    for info in evidence.saturated {
        let count = full_pixels(&evidence.raw(info)?, knowledge)?.len();
        if count as f64 >= FULL_SHARE * (info.window.nx * info.window.ny) as f64 {
            ends.push(info.observation.stop_mjd);
        }
    }
    let mut darks = Vec::new();
    for info in evidence.after_full {
        let since = |end: &f64| (info.observation.start_mjd - end) * 86_400.0;
        let since_s: Vec<f64> = ends.iter().map(since).filter(|s| *s >= 0.0).collect();
        if !since_s.is_empty() {
            darks.push(DarkAfter { since_s, time_s: info.observation.time_s, mean: mean(evidence, info, knowledge)? });
        }
    }
    let fit = match persistence_fit::fit(&darks) {
        Ok(fit) => fit,
        Err(reason) => return Ok(Outcome::Skipped(reason.to_string())),
    };
    let species = &fit.law.species;
    let held: f64 = species.iter().map(|s| s.electrons.value).sum();
    let longest = species.iter().map(|s| s.release_s.value).fold(0.0, f64::max);
    let quality = vec![
        ("CHI2PERS", fit.reduced_chi2, "chi2/dof of the darks"),
        ("HELD", held, "[electron] charge that a full pixel leaves behind"),
        ("RELEASE", longest, "[s] longest release time"),
    ];
    let note = format!(
        "persistence: {} species from {} darks after {} saturated flats, a full pixel leaves {held:.1} electron",
        species.len(),
        darks.len(),
        ends.len()
    );
    knowledge.persistence = Some(Arc::new(fit.law));
    Ok(Outcome::Measured { quality, note })
}

fn write(knowledge: &Knowledge) -> Option<Vec<Hdu>> {
    let species = &knowledge.persistence.as_ref()?.species;
    let column = |name: &str, unit: &str, what: &str, f: &dyn Fn(&HeldCharge) -> f64| {
        Column::new(name, unit, what, ColumnData::F64(species.iter().map(f).collect()))
    };
    let table = Table {
        name: SPECIES.into(),
        columns: vec![
            column("HELD", "electron", "charge that a full pixel leaves behind", &|s| s.electrons.value),
            column("HELD_ERR", "electron", "standard error; -9999: not known", &|s| finite(s.electrons.error)),
            column("RELEASE", "s", "release time", &|s| s.release_s.value),
            column("RELEASE_ERR", "s", "standard error; -9999: not known", &|s| finite(s.release_s.error)),
        ],
    };
    Some(vec![Hdu::new(SPECIES, Header::default(), Data::Table(table))])
}

fn read(units: &mut Units, knowledge: &mut Knowledge) -> Result<(), ReductionError> {
    let (_, table) = units.table(SPECIES)?;
    let column = |column: &str| {
        table.f64s(column).filter(|v| !v.is_empty()).ok_or_else(|| units.missing(&format!("{SPECIES}.{column}"), "a numeric column"))
    };
    let (held, held_error) = (column("HELD")?, column("HELD_ERR")?);
    let (release, release_error) = (column("RELEASE")?, column("RELEASE_ERR")?);
    if held.iter().any(|h| !(h.is_finite() && *h >= 0.0)) || release.iter().any(|t| !(t.is_finite() && *t > 0.0)) {
        return Err(units.missing(&format!("{SPECIES}.HELD or RELEASE"), "charges not below 0, release times above 0"));
    }
    let measured = |value: f64, error: f64| Measured { value, error: known_error(error) };
    let species = (0..held.len())
        .map(|s| HeldCharge { electrons: measured(held[s], held_error[s]), release_s: measured(release[s], release_error[s]) })
        .collect();
    knowledge.persistence = Some(Arc::new(PersistenceKnowledge { species }));
    Ok(())
}
