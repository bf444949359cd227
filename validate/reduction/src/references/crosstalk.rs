//! The crosstalk matrix (`MXTALK`), from bright pixels of darks: cosmic-ray hits and hot pixels.

use super::{Evidence, Outcome, ReferenceKind, Stage};
use crate::crosstalk_fit::{CrosstalkFit, CrosstalkFitError};
use crate::defect_search::improbability;
use crate::error::ReductionError;
use crate::set::Units;
use sim_core::fits::{Data, Hdu, Header};
use sim_core::knowledge::{CrosstalkKnowledge, Knowledge, Measured};
use sim_core::table::{Column, ColumnData, Table};
use std::sync::Arc;

/// Table entry.
pub(super) const KIND: ReferenceKind = ReferenceKind {
    code: "MXTALK",
    keyword: "R_XTALK",
    what: "crosstalk matrix",
    steps: &["crosstalk"],
    stage: Stage::Charge,
    cleans: true,
    measure,
    write,
    read,
};

/// The matrix is used where no crosstalk at all is as improbable as this many standard deviations.
const SIGNIFICANT: f64 = 4.0;
const MATRIX: &str = "MATRIX";

fn fit(evidence: &Evidence<'_>, knowledge: &Knowledge) -> Result<Result<CrosstalkKnowledge, CrosstalkFitError>, ReductionError> {
    let (gain, noise) = (knowledge.gain.as_deref().unwrap_or_default(), knowledge.read_noise.as_deref().unwrap_or_default());
    let mut fit = match CrosstalkFit::new(&knowledge.layout, gain, noise) {
        Ok(fit) => fit,
        Err(error) => return Ok(Err(error)),
    };
    for walk in 0..2 {
        for info in &evidence.group.dark {
            if let Err(error) = fit.add(&evidence.raw(info)?.pixels) {
                return Ok(Err(error));
            }
        }
        if walk == 0
            && let Err(error) = fit.refine()
        {
            return Ok(Err(error));
        }
    }
    Ok(fit.finish())
}

fn measure(evidence: &Evidence<'_>, knowledge: &mut Knowledge) -> Result<Outcome, ReductionError> {
    if let Some(known) = &knowledge.crosstalk {
        // Raw frames do not change between the two walks of this stage, and the gain hardly does.
        return Ok(measured(known, evidence.group.dark.len()));
    }
    let found = match fit(evidence, knowledge)? {
        Ok(found) => found,
        Err(reason) => return Ok(Outcome::Skipped(reason.to_string())),
    };
    let pairs = found.coefficients.iter().filter(|c| c.error > 0.0);
    let (chi2, n) = pairs.fold((0.0, 0.0), |(chi2, n), c| (chi2 + (c.value / c.error).powi(2), n + 1.0));
    if n == 0.0 || improbability(chi2, n) < SIGNIFICANT {
        return Ok(Outcome::Skipped(format!("no crosstalk stands out: chi2 of none {chi2:.0} for {n} pairs of outputs")));
    }
    let outcome = measured(&found, evidence.group.dark.len());
    knowledge.crosstalk = Some(Arc::new(found));
    Ok(outcome)
}

fn measured(known: &CrosstalkKnowledge, frames: usize) -> Outcome {
    let pairs: Vec<&Measured> = known.coefficients.iter().filter(|c| c.error > 0.0).collect();
    let rms = |f: &dyn Fn(&Measured) -> f64| (pairs.iter().map(|c| f(c).powi(2)).sum::<f64>() / pairs.len().max(1) as f64).sqrt();
    let (value, error) = (rms(&|c| c.value), rms(&|c| c.error));
    let quality = vec![("XTRMS", value, "rms coefficient"), ("XTERR", error, "rms error of a coefficient")];
    Outcome::Measured { quality, note: format!("crosstalk: bright pixels of {frames} darks, rms {value:.1e}, error {error:.1e}") }
}

fn write(knowledge: &Knowledge) -> Option<Vec<Hdu>> {
    let known = knowledge.crosstalk.as_ref()?;
    let count = known.amplifiers;
    let mut header = Header::default();
    header.set("NAMP", count as i64, "amplifiers; rows run over sources within victims");
    let number = |f: &dyn Fn(usize) -> usize| ColumnData::F64((0..count * count).map(|k| (f(k) + 1) as f64).collect());
    let column = |name: &str, what: &str, f: &dyn Fn(&Measured) -> f64| {
        Column::new(name, "1", what, ColumnData::F64(known.coefficients.iter().map(f).collect()))
    };
    let columns = vec![
        Column::new("VICTIM", "1", "number of the victim, from 1", number(&|k| k / count)),
        Column::new("SOURCE", "1", "number of the source, from 1", number(&|k| k % count)),
        column("VALUE", "signal of the victim over that of the source", &|c| c.value),
        column("ERROR", "standard error", &|c| c.error),
    ];
    Some(vec![Hdu::new(MATRIX, header, Data::Table(Table { name: MATRIX.into(), columns }))])
}

fn read(units: &mut Units, knowledge: &mut Knowledge) -> Result<(), ReductionError> {
    let (_, table) = units.table(MATRIX)?;
    let amplifiers = knowledge.layout.amplifier_count;
    let column = |name: &'static str| {
        let values = table.f64s(name).filter(|v| v.len() == amplifiers * amplifiers && v.iter().all(|v| v.is_finite()));
        values.ok_or_else(|| units.missing(&format!("MATRIX.{name}"), "finite numbers, one for every pair of amplifiers"))
    };
    let (value, error) = (column("VALUE")?, column("ERROR")?);
    if error.iter().any(|e| *e < 0.0) {
        return Err(units.missing("MATRIX.ERROR", "numbers not below 0"));
    }
    let coefficients = value.into_iter().zip(error).map(|(value, error)| Measured { value, error }).collect();
    knowledge.crosstalk = Some(Arc::new(CrosstalkKnowledge { amplifiers, coefficients }));
    Ok(())
}
