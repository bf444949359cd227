//! Charge traps (`MTRAP`): species per direction of transfer, at the date of the flats whose trails they were fitted to.

use super::{Evidence, Outcome, ReferenceKind, Stage};
use crate::error::ReductionError;
use crate::set::{Units, finite, known_error};
use crate::trap_fit::FlatTrails;
use sim_core::fits::{Data, Hdu, Header};
use sim_core::knowledge::{Knowledge, Measured, TransferTraps, TrapKnowledge, TrapSpecies};
use sim_core::table::{Column, ColumnData, Table};
use std::sync::Arc;

/// Table entry.
pub(super) const KIND: ReferenceKind = ReferenceKind {
    code: "MTRAP",
    keyword: "R_CTI",
    what: "charge traps",
    steps: &["cti"],
    stage: Stage::Charge,
    cleans: true,
    measure,
    write,
    read,
};

/// Units of the two directions.
const PARALLEL: &str = "PARALLEL";
const SERIAL: &str = "SERIAL";

fn measure(evidence: &Evidence<'_>, knowledge: &mut Knowledge) -> Result<Outcome, ReductionError> {
    let (Some(gain), Some(read_noise)) = (&knowledge.gain, &knowledge.read_noise) else {
        return Ok(Outcome::Skipped("gain and read noise are not known".into()));
    };
    let mut trails = FlatTrails::default();
    for info in &evidence.group.flat {
        let raw = evidence.raw(info)?.frame().pixels;
        if let Err(reason) = trails.add(&raw, &knowledge.layout, gain, read_noise) {
            return Ok(Outcome::Skipped(reason.to_string()));
        }
    }
    let mut options = evidence.options.traps;
    if let Some(full_well_electron) = evidence.group.flat.first().and_then(|f| f.header.f64("FULLWELL")) {
        options.full_well_electron = full_well_electron;
    }
    let (traps, [parallel_chi2, serial_chi2]) = match trails.fit(&knowledge.layout, &options) {
        Ok(found) => found,
        Err(reason) => return Ok(Outcome::Skipped(reason.to_string())),
    };
    let note = format!(
        "traps: {} species along columns, {} along rows, from the trails of {} flats",
        options.species[0],
        options.species[1],
        evidence.group.flat.len()
    );
    let quality = vec![
        ("CHI2PAR", parallel_chi2, "chi2/dof of the trails along columns"),
        ("CHI2SER", serial_chi2, "chi2/dof of the trails along rows"),
    ];
    knowledge.traps = Some(Arc::new(traps));
    Ok(Outcome::Measured { quality, note })
}

fn write(knowledge: &Knowledge) -> Option<Vec<Hdu>> {
    let traps = knowledge.traps.as_ref()?;
    let unit = |name: &str, of: &TransferTraps| {
        let mut header = Header::default();
        header.set("EXPONENT", of.exponent, "filled volume goes as charge to this power");
        header.set("FULLWELL", of.full_well_electron, "[electron] charge that fills the volume of a pixel");
        header.set("NOTCH", of.notch_electron, "[electron] charge that meets no traps");
        header.set("BLOCKS", traps.blocks as i64, "blocks of the path in the correction; 0 is exact");
        header.set("NITER", traps.iterations as i64, "iterations of the correction");
        let column = |name: &str, unit: &str, what: &str, f: &dyn Fn(&TrapSpecies) -> f64| {
            Column::new(name, unit, what, ColumnData::F64(of.species.iter().map(f).collect()))
        };
        let table = Table {
            name: name.into(),
            columns: vec![
                column("DENSITY", "1/pixel", "traps in a pixel", &|s| s.density.value),
                column("DENSITY_ERR", "1/pixel", "standard error; -9999: not known", &|s| finite(s.density.error)),
                column("RELEASE", "pixel", "release time in transfers", &|s| s.release.value),
                column("RELEASE_ERR", "pixel", "standard error; -9999: not known", &|s| finite(s.release.error)),
                column("DEPTH", "1", "fraction of the volume below the traps", &|s| s.depth),
            ],
        };
        Hdu::new(name, header, Data::Table(table))
    };
    Some(vec![unit(PARALLEL, &traps.parallel), unit(SERIAL, &traps.serial)])
}

fn read(units: &mut Units, knowledge: &mut Knowledge) -> Result<(), ReductionError> {
    let (mut blocks, mut iterations) = (0, 0);
    let mut direction = |name: &str| -> Result<TransferTraps, ReductionError> {
        let (header, table) = units.table(name)?;
        let column = |column: &'static str| {
            table.f64s(column).filter(|v| !v.is_empty()).ok_or_else(|| units.missing(&format!("{name}.{column}"), "a numeric column"))
        };
        let number = |key: &'static str, low: f64| {
            let found = header.f64(key).filter(|v| v.is_finite() && *v >= low);
            found.ok_or_else(|| units.missing(&format!("{name}.{key}"), "a number not below 0"))
        };
        let measured = |value: f64, error: f64| Measured { value, error: known_error(error) };
        let (density, density_error) = (column("DENSITY")?, column("DENSITY_ERR")?);
        let (release, release_error) = (column("RELEASE")?, column("RELEASE_ERR")?);
        let depth = column("DEPTH")?;
        if density.iter().any(|d| d.is_nan() || *d < 0.0) || release.iter().any(|t| t.is_nan() || *t <= 0.0) {
            return Err(units.missing(&format!("{name}.DENSITY or RELEASE"), "densities not below 0, release times above 0"));
        }
        let species = (0..density.len())
            .map(|s| TrapSpecies {
                density: measured(density[s], density_error[s]),
                release: measured(release[s], release_error[s]),
                depth: depth[s],
            })
            .collect();
        (blocks, iterations) = (number("BLOCKS", 0.0)? as usize, number("NITER", 1.0)? as usize);
        let (exponent, full_well_electron) = (number("EXPONENT", f64::MIN_POSITIVE)?, number("FULLWELL", 1.0)?);
        Ok(TransferTraps { species, exponent, full_well_electron, notch_electron: number("NOTCH", 0.0)? })
    };
    let (parallel, serial) = (direction(PARALLEL)?, direction(SERIAL)?);
    knowledge.traps = Some(Arc::new(TrapKnowledge { parallel, serial, blocks, iterations }));
    Ok(())
}
