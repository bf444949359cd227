//! Full wells of the amplifiers' sections (`MWELL`), from flats brighter than they.

use super::{Evidence, Outcome, ReferenceKind, Stage};
use crate::error::ReductionError;
use crate::keywords::FILL;
use crate::linearity_fit;
use crate::set::Units;
use sim_core::fits::{Data, Hdu, Header};
use sim_core::knowledge::{FullWell, FullWells, Knowledge, Measured};
use sim_core::table::{Column, ColumnData, Table};
use std::sync::Arc;

/// Table entry.
pub(super) const KIND: ReferenceKind = ReferenceKind {
    code: "MWELL",
    keyword: "R_SATURA",
    what: "full wells",
    steps: &["full_well", "bleeding"],
    stage: Stage::Charge,
    cleans: false,
    measure,
    write,
    read,
};

/// Unit.
const WELLS: &str = "FULL_WELLS";

fn measure(evidence: &Evidence<'_>, knowledge: &mut Knowledge) -> Result<Outcome, ReductionError> {
    let Some(gain) = &knowledge.gain else { return Ok(Outcome::Skipped("the gain is not known".into())) };
    let fits = match evidence.ramp.fits() {
        Ok(fits) => fits,
        Err(reason) => return Ok(Outcome::Skipped(reason.to_string())),
    };
    let wells = linearity_fit::full_wells(&knowledge.layout, &fits, gain);
    let found: Vec<&FullWell> = wells.amplifiers.iter().flatten().collect();
    if found.is_empty() {
        return Ok(Outcome::Skipped("no flat shows a full well below the converter's ceiling".into()));
    }
    let least = found.iter().map(|w| w.capacity.value).fold(f64::INFINITY, f64::min);
    let quality = vec![("WELLMIN", least, "[electron] least full well"), ("NWELLS", found.len() as f64, "amplifiers with a full well")];
    let note = format!("full well: {} of {} amplifiers, least {least:.0} electron", found.len(), knowledge.layout.tiles.len());
    knowledge.full_wells = Some(Arc::new(wells));
    Ok(Outcome::Measured { quality, note })
}

fn write(knowledge: &Knowledge) -> Option<Vec<Hdu>> {
    let wells = &knowledge.full_wells.as_ref()?.amplifiers;
    let column = |name: &str, what: &str, f: &dyn Fn(&FullWell) -> f64| {
        Column::new(name, "electron", what, ColumnData::F64(wells.iter().map(|w| w.as_ref().map_or(FILL, f)).collect()))
    };
    let table = Table {
        name: WELLS.into(),
        columns: vec![
            Column::new("AMPLIFIER", "", "number, from 1", ColumnData::I64((1..=wells.len() as i64).collect())),
            column("CAPACITY", "mean charge of a full pixel; -9999: not reached", &|w| w.capacity.value),
            column("CAPACITY_ERR", "standard error, that of the gain left out", &|w| w.capacity.error),
            column("SCATTER", "standard deviation of full pixels", &|w| w.scatter_electron),
        ],
    };
    Some(vec![Hdu::new(WELLS, Header::default(), Data::Table(table))])
}

fn read(units: &mut Units, knowledge: &mut Knowledge) -> Result<(), ReductionError> {
    let (_, table) = units.table(WELLS)?;
    let count = knowledge.layout.amplifier_count;
    let column = |name: &str| {
        let found = table.f64s(name).filter(|v| v.len() == count && v.iter().all(|&v| v == FILL || v >= 0.0 && v.is_finite()));
        found.ok_or_else(|| units.missing(&format!("{WELLS}.{name}"), "a number not below 0 for every amplifier"))
    };
    let (value, error, scatter) = (column("CAPACITY")?, column("CAPACITY_ERR")?, column("SCATTER")?);
    let well = |a: usize| {
        (value[a] != FILL).then(|| FullWell { capacity: Measured { value: value[a], error: error[a] }, scatter_electron: scatter[a] })
    };
    knowledge.full_wells = Some(Arc::new(FullWells { amplifiers: (0..count).map(well).collect() }));
    Ok(())
}
