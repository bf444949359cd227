//! How the overscan is to be read (`MOSCN`): columns that hold tails of flats, and how the level of every output wanders in bias frames.

use super::{Evidence, Outcome, ReferenceKind, Stage};
use crate::error::ReductionError;
use crate::overscan_fit::{self, OverscanFitError, Tail};
use crate::set::Units;
use instruments::product::level0::Level0Info;
use sim_core::exposure::ExposureKind;
use sim_core::fits::{Data, Hdu, Header};
use sim_core::knowledge::{Knowledge, LevelWalk, OverscanKnowledge};
use sim_core::table::{Column, ColumnData, Table};
use std::sync::Arc;

/// Table entry.
pub(super) const KIND: ReferenceKind = ReferenceKind {
    code: "MOSCN",
    keyword: "R_OSCN",
    what: "overscan tail and drift",
    steps: &["bias"],
    stage: Stage::Levels,
    cleans: false,
    measure,
    write,
    read,
};

/// Flats whose tail is read, the brightest.
const FLATS: usize = 2;
/// Largest fraction of pixels at the ceiling in a flat whose tail is read.
const SATURATED_FRACTION: f64 = 1e-3;
const WALK: &str = "WALK";

/// Electrons that the lamp promises.
fn light(info: &Level0Info) -> f64 {
    match info.observation.kind {
        ExposureKind::Flat { rate_electron_s } => rate_electron_s * info.observation.time_s,
        _ => 0.0,
    }
}

fn fit(evidence: &Evidence<'_>, knowledge: &Knowledge) -> Result<Result<OverscanKnowledge, OverscanFitError>, ReductionError> {
    let layout = &knowledge.layout;
    let mut flats: Vec<&Level0Info> = evidence.group.flat.iter().collect();
    flats.sort_by(|a, b| light(b).total_cmp(&light(a)).then(a.observation.id.cmp(&b.observation.id)));
    let (mut tail, mut used) = (Tail::new(layout), 0);
    for info in flats {
        let raw = evidence.raw(info)?.pixels;
        let ceiling = raw.iter().filter(|&&v| v == u16::MAX).count() as f64;
        if ceiling > SATURATED_FRACTION * raw.len() as f64 {
            continue;
        }
        if let Err(error) = tail.add_flat(&raw) {
            return Ok(Err(error));
        }
        used += 1;
        if used == FLATS {
            break;
        }
    }
    for info in &evidence.group.bias {
        if let Err(error) = tail.add_bias(&evidence.raw(info)?.pixels) {
            return Ok(Err(error));
        }
    }
    let skip_columns = match tail.columns() {
        Ok(skip) => skip,
        Err(error) => return Ok(Err(error)),
    };
    let mut levels = Vec::new();
    for info in &evidence.group.bias {
        match overscan_fit::row_levels(&evidence.raw(info)?.pixels, layout, skip_columns) {
            Ok(rows) => levels.push(rows),
            Err(error) => return Ok(Err(error)),
        }
    }
    Ok(overscan_fit::walks(&levels, layout).map(|walk| OverscanKnowledge { skip_columns, walk }))
}

fn measure(evidence: &Evidence<'_>, knowledge: &mut Knowledge) -> Result<Outcome, ReductionError> {
    let found = match fit(evidence, knowledge)? {
        Ok(found) => found,
        Err(reason) => return Ok(Outcome::Skipped(reason.to_string())),
    };
    let here: Vec<LevelWalk> = knowledge.layout.tiles.iter().map(|t| found.walk[t.amplifier]).collect();
    let mean = |f: &dyn Fn(&LevelWalk) -> f64| here.iter().map(f).sum::<f64>() / here.len().max(1) as f64;
    let (step, row) = (mean(&|w| w.step_adu2), mean(&|w| w.row_adu2));
    let skip = found.skip_columns;
    knowledge.overscan = Some(Arc::new(found));
    let quality = vec![
        ("SKIPCOL", skip as f64, "first overscan columns left out"),
        ("MEANSTEP", step, "[adu2] mean variance gained per row"),
        ("MEANROW", row, "[adu2] mean variance of a row's overscan"),
    ];
    Ok(Outcome::Measured { quality, note: format!("overscan: {skip} columns left out, walk of {step:.1e} adu2 a row") })
}

fn write(knowledge: &Knowledge) -> Option<Vec<Hdu>> {
    let known = knowledge.overscan.as_ref()?;
    let mut header = Header::default();
    header.set("SKIPCOL", known.skip_columns as i64, "first overscan columns left out");
    let column = |name: &str, what: &str, f: &dyn Fn(&LevelWalk) -> f64| {
        Column::new(name, "adu**2", what, ColumnData::F64(known.walk.iter().map(f).collect()))
    };
    let columns = vec![
        column("STEP", "variance the level gains per row", &|w| w.step_adu2),
        column("ROW", "variance of the mean of a row's overscan", &|w| w.row_adu2),
    ];
    Some(vec![Hdu::new(WALK, header, Data::Table(Table { name: WALK.into(), columns }))])
}

fn read(units: &mut Units, knowledge: &mut Knowledge) -> Result<(), ReductionError> {
    let (header, table) = units.table(WALK)?;
    let skip = header.f64("SKIPCOL").filter(|v| *v >= 0.0 && v.fract() == 0.0);
    let skip = skip.ok_or_else(|| units.missing("WALK.SKIPCOL", "a whole number not below 0"))?;
    let column = |name: &'static str| {
        let values = table.f64s(name).filter(|v| v.len() == knowledge.layout.amplifier_count);
        let values = values.filter(|v| v.iter().all(|v| *v > 0.0 && v.is_finite()));
        values.ok_or_else(|| units.missing(&format!("WALK.{name}"), "numbers above 0, one per amplifier"))
    };
    let (step, row) = (column("STEP")?, column("ROW")?);
    let walk = step.into_iter().zip(row).map(|(step_adu2, row_adu2)| LevelWalk { step_adu2, row_adu2 }).collect();
    knowledge.overscan = Some(Arc::new(OverscanKnowledge { skip_columns: skip as usize, walk }));
    Ok(())
}
