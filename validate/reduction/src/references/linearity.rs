//! Responses of the output amplifiers (`MLIN`), from ramps of flats.

use super::{Evidence, Outcome, ReferenceKind, Stage};
use crate::error::ReductionError;
use crate::keywords::FILL;
use crate::linearity_fit;
use crate::set::Units;
use instruments::effects::non_linearity::model::TERMS;
use sim_core::fits::{Data, Hdu, Header};
use sim_core::knowledge::{AmplifierLinearity, Knowledge, Linearity, Measured};
use sim_core::table::{Column, ColumnData, Table};
use std::sync::Arc;

/// Table entry.
pub(super) const KIND: ReferenceKind = ReferenceKind {
    code: "MLIN",
    keyword: "R_NLIN",
    what: "responses of the amplifiers",
    steps: &["non_linearity"],
    stage: Stage::Counts,
    cleans: true,
    measure,
    write,
    read,
};

/// Units.
const RESPONSE: &str = "RESPONSE";
const COVARIANCE: &str = "COVARIANCE";

fn measure(evidence: &Evidence<'_>, knowledge: &mut Knowledge) -> Result<Outcome, ReductionError> {
    let fits = match evidence.ramp.fits() {
        Ok(fits) => fits,
        Err(reason) => return Ok(Outcome::Skipped(reason.to_string())),
    };
    let greatest = |of: &dyn Fn(&linearity_fit::RampFit) -> f64| fits.iter().map(of).fold(0.0, f64::max);
    let residual = greatest(&|f| f.linearity.residual);
    if fits.iter().all(|f| f.linearity.coefficients.is_empty()) {
        return Ok(Outcome::Skipped(format!("the responses are straight: no flat departs by more than {:.1e}", residual)));
    }
    let chi2 = greatest(&|f| f.reduced_chi2);
    let ceiling = fits.iter().map(|f| f.linearity.ceiling_adu).fold(f64::INFINITY, f64::min);
    let quality = vec![
        ("CHI2LIN", chi2, "worst chi2/dof of the ramps"),
        ("RESIDLIN", residual, "greatest relative departure of a flat"),
        ("CEILLIN", ceiling, "[adu] least calibrated range"),
    ];
    let terms = greatest(&|f| f.linearity.coefficients.len() as f64);
    let flats = fits.iter().map(|f| f.used.len()).min().unwrap_or(0);
    let note = format!(
        "linearity: up to {terms} terms from {flats} flats below saturation of {}, greatest departure {residual:.1e}",
        evidence.ramp.flats.len()
    );
    knowledge.linearity = Some(Arc::new(linearity_fit::linearity(&knowledge.layout, &fits)));
    Ok(Outcome::Measured { quality, note })
}

fn write(knowledge: &Knowledge) -> Option<Vec<Hdu>> {
    let linearity = knowledge.linearity.as_ref()?;
    let mut header = Header::default();
    header.set("SCALE", linearity.scale_adu, "[adu] counts that powers are taken of");
    header.set("NTERMS", TERMS as i64, "terms of c = m (1 + sum B_k (m / SCALE)^k)");
    let all = &linearity.amplifiers;
    let column = |name: &str, unit: &str, what: &str, f: &dyn Fn(&AmplifierLinearity) -> f64| {
        Column::new(name, unit, what, ColumnData::F64(all.iter().map(|a| a.as_ref().map_or(FILL, f)).collect()))
    };
    let mut columns = vec![
        Column::new("AMPLIFIER", "", "number, from 1", ColumnData::I64((1..=all.len() as i64).collect())),
        column("CEILING", "adu", "greatest calibrated counts above bias; -9999: not measured", &|a| a.ceiling_adu),
        column("RESIDUAL", "1", "greatest relative departure of a flat", &|a| a.residual),
        column("TERMS", "", "terms used", &|a| a.coefficients.len() as f64),
    ];
    for k in 0..TERMS {
        let term = |a: &AmplifierLinearity| a.coefficients.get(k).copied().unwrap_or(Measured { value: 0.0, error: 0.0 });
        columns.push(column(&format!("B{}", k + 1), "1", "term of the correction", &|a| term(a).value));
        columns.push(column(&format!("B{}_ERR", k + 1), "1", "its standard error", &|a| term(a).error));
    }
    let entries: Vec<[f64; 4]> = all
        .iter()
        .enumerate()
        .filter_map(|(amplifier, a)| a.as_ref().map(|a| (amplifier, a)))
        .flat_map(|(amplifier, a)| {
            let size = a.coefficients.len();
            let entry = move |(i, &value): (usize, &f64)| [amplifier as f64 + 1.0, (i / size) as f64 + 1.0, (i % size) as f64 + 1.0, value];
            a.covariance.iter().enumerate().map(entry).collect::<Vec<_>>()
        })
        .collect();
    let part = |k: usize, name: &str, what: &str| Column::new(name, "", what, ColumnData::F64(entries.iter().map(|e| e[k]).collect()));
    let covariance = Table {
        name: COVARIANCE.into(),
        columns: vec![
            part(0, "AMPLIFIER", "number, from 1"),
            part(1, "ROW", "term, from 1"),
            part(2, "COLUMN", "term, from 1"),
            part(3, "VALUE", "covariance of the terms"),
        ],
    };
    let response = Table { name: RESPONSE.into(), columns };
    Some(vec![Hdu::new(RESPONSE, header, Data::Table(response)), Hdu::new(COVARIANCE, Header::default(), Data::Table(covariance))])
}

fn read(units: &mut Units, knowledge: &mut Knowledge) -> Result<(), ReductionError> {
    let (header, table) = units.table(RESPONSE)?;
    let (_, covariances) = units.table(COVARIANCE)?;
    let count = knowledge.layout.amplifier_count;
    let scale_adu = header.f64("SCALE").filter(|v| *v > 0.0 && v.is_finite());
    let scale_adu = scale_adu.ok_or_else(|| units.missing("RESPONSE.SCALE", "a number above 0"))?;
    let column = |name: &str| {
        let found = table.f64s(name).filter(|v| v.len() == count && v.iter().all(|v| v.is_finite()));
        found.ok_or_else(|| units.missing(&format!("{RESPONSE}.{name}"), "a finite number for every amplifier"))
    };
    let (ceiling, residual, used) = (column("CEILING")?, column("RESIDUAL")?, column("TERMS")?);
    let names = (1..=TERMS).map(|k| (format!("B{k}"), format!("B{k}_ERR")));
    let terms = names.map(|(b, e)| Ok((column(&b)?, column(&e)?))).collect::<Result<Vec<_>, ReductionError>>()?;
    let part = |name: &str| covariances.f64s(name).ok_or_else(|| units.missing(&format!("{COVARIANCE}.{name}"), "a numeric column"));
    let (of, value) = (part("AMPLIFIER")?, part("VALUE")?);
    let amplifier = |a: usize| -> Result<Option<AmplifierLinearity>, ReductionError> {
        if ceiling[a] == FILL {
            return Ok(None);
        }
        if !(ceiling[a] > 0.0 && (0.0..=TERMS as f64).contains(&used[a])) {
            return Err(units.missing(&format!("{RESPONSE}.CEILING or TERMS of amplifier {}", a + 1), "a ceiling above 0, up to six terms"));
        }
        let coefficients: Vec<Measured> = terms.iter().take(used[a] as usize).map(|(b, e)| Measured { value: b[a], error: e[a] }).collect();
        let covariance: Vec<f64> = of.iter().zip(&value).filter(|(n, _)| **n == a as f64 + 1.0).map(|(_, v)| *v).collect();
        if covariance.len() != coefficients.len().pow(2) {
            return Err(units.missing(&format!("{COVARIANCE} of amplifier {}", a + 1), "a number for every pair of terms"));
        }
        Ok(Some(AmplifierLinearity { coefficients, covariance, ceiling_adu: ceiling[a], residual: residual[a] }))
    };
    let amplifiers = (0..count).map(amplifier).collect::<Result<Vec<_>, _>>()?;
    knowledge.linearity = Some(Arc::new(Linearity { scale_adu, amplifiers }));
    Ok(())
}
