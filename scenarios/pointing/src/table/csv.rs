//! Plans in CSV: a heading with the columns' names, lines that begin with `#` are comments.

use super::{Columns, FLOATS, ID_RANGE, PlanError, VISIT_RANGE, missing};
use std::path::Path;

pub(super) fn read(path: &Path, shown: &str) -> Result<Columns, PlanError> {
    let fault = |e: csv::Error| PlanError::File { path: shown.into(), reason: e.to_string() };
    let mut reader = csv::ReaderBuilder::new().comment(Some(b'#')).trim(csv::Trim::All).from_path(path).map_err(fault)?;
    let names: Vec<String> = reader.headers().map_err(fault)?.iter().map(Into::into).collect();
    let find = |column: &str| {
        let found: Vec<&str> = names.iter().map(String::as_str).collect();
        names.iter().position(|n| n == column).ok_or_else(|| missing(shown, column, &found))
    };
    let (id, programme, visit) = (find("obs_id")?, find("programme")?, find("visit")?);
    let places = FLOATS.iter().map(|f| find(f.0)).collect::<Result<Vec<_>, _>>()?;
    let mut out = Columns::default();
    for (k, record) in reader.records().enumerate() {
        let record = record.map_err(fault)?;
        let wrong =
            |column, value: &str, range| PlanError::Value { path: shown.into(), row: k + 1, column, value: format!("`{value}`"), range };
        out.obs_id.push(record[id].parse().map_err(|_| wrong("obs_id", &record[id], ID_RANGE))?);
        for ((values, place), (column, .., range)) in out.floats.iter_mut().zip(&places).zip(FLOATS) {
            values.push(record[*place].parse().map_err(|_| wrong(column, &record[*place], range))?);
        }
        out.programme.push(record[programme].into());
        out.visit.push(record[visit].parse().map_err(|_| wrong("visit", &record[visit], VISIT_RANGE))?);
    }
    Ok(out)
}

pub(super) fn write(path: &Path, shown: &str, columns: &Columns) -> Result<(), PlanError> {
    let fault = |reason: String| PlanError::File { path: shown.into(), reason };
    let mut writer = csv::Writer::from_writer(Vec::new());
    let names = ["obs_id"].into_iter().chain(FLOATS.iter().map(|f| f.0)).chain(["programme", "visit"]);
    writer.write_record(names).map_err(|e| fault(e.to_string()))?;
    for k in 0..columns.obs_id.len() {
        let mut record = vec![columns.obs_id[k].to_string()];
        // The shortest digits that give the number back.
        record.extend(columns.floats.iter().map(|v| v[k].to_string()));
        record.extend([columns.programme[k].clone(), columns.visit[k].to_string()]);
        writer.write_record(&record).map_err(|e| fault(e.to_string()))?;
    }
    let bytes = writer.into_inner().map_err(|e| fault(e.to_string()))?;
    sim_core::files::write_atomically(path, &bytes).map_err(|e| fault(e.to_string()))
}
