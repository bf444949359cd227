//! Plans in FITS: the first binary table.

use super::{Columns, FLOATS, ID_RANGE, PlanError, VISIT_RANGE, missing};
use sim_core::fits::{self, Data, Hdu, Header};
use sim_core::table::{Column, ColumnData, Table};
use std::path::Path;

pub(super) fn read(path: &Path, shown: &str) -> Result<Columns, PlanError> {
    let fault = |reason: String| PlanError::File { path: shown.into(), reason };
    let hdus = fits::read(path).map_err(|e| fault(e.to_string()))?;
    let table = hdus.into_iter().find_map(|h| if let Data::Table(t) = h.data { Some(t) } else { None });
    let table = table.ok_or_else(|| fault("no binary table".into()))?;
    let names: Vec<&str> = table.columns.iter().map(|c| c.name.as_str()).collect();
    let find = |name: &str| table.column(name).ok_or_else(|| missing(shown, name, &names));
    let whole = |column: &'static str, range| -> Result<Vec<u64>, PlanError> {
        let values: Vec<i64> = match &find(column)?.data {
            ColumnData::I64(v) => v.clone(),
            ColumnData::I32(v) => v.iter().map(|&x| x.into()).collect(),
            _ => return Err(fault(format!("column `{column}` does not hold whole numbers"))),
        };
        let wrong = |row: usize, value: i64| PlanError::Value { path: shown.into(), row, column, value: value.to_string(), range };
        values.iter().enumerate().map(|(k, &v)| u64::try_from(v).map_err(|_| wrong(k + 1, v))).collect()
    };
    let visit = whole("visit", VISIT_RANGE)?;
    let wide = |(k, v): (usize, u64)| {
        let fault = PlanError::Value { path: shown.into(), row: k + 1, column: "visit", value: v.to_string(), range: VISIT_RANGE };
        u32::try_from(v).map_err(|_| fault)
    };
    let mut floats: [Vec<f64>; 5] = Default::default();
    for (values, (name, ..)) in floats.iter_mut().zip(FLOATS) {
        find(name)?;
        *values = table.f64s(name).ok_or_else(|| fault(format!("column `{name}` does not hold numbers")))?;
    }
    let ColumnData::Text(programme) = &find("programme")?.data else {
        return Err(fault("column `programme` does not hold text".into()));
    };
    Ok(Columns {
        obs_id: whole("obs_id", ID_RANGE)?,
        floats,
        programme: programme.iter().map(|p| p.trim_end().to_string()).collect(),
        visit: visit.into_iter().enumerate().map(wide).collect::<Result<_, _>>()?,
    })
}

pub(super) fn write(path: &Path, shown: &str, columns: Columns) -> Result<(), PlanError> {
    // Values are in range: identifiers and visits fit.
    let ids = columns.obs_id.iter().map(|&v| v as i64).collect();
    let visits = columns.visit.iter().map(|&v| i64::from(v)).collect();
    let mut out = vec![Column::new("obs_id", "", "observation number", ColumnData::I64(ids))];
    for (values, (name, unit, description, ..)) in columns.floats.into_iter().zip(FLOATS) {
        out.push(Column::new(name, unit, description, ColumnData::F64(values)));
    }
    out.push(Column::new("programme", "", "programme", ColumnData::Text(columns.programme)));
    out.push(Column::new("visit", "", "number of the visit", ColumnData::I64(visits)));
    let mut header = Header::default();
    header.set("TIMESYS", "UTC", "time scale of start_mjd");
    header.set("RADESYS", "ICRS", "axes of the directions");
    let table = Table { name: "POINTINGS".into(), columns: out };
    let hdus = [Hdu::primary(Header::default()), Hdu::new("POINTINGS", header, Data::Table(table))];
    fits::write(path, &hdus).map_err(|e| PlanError::File { path: shown.into(), reason: e.to_string() })
}
