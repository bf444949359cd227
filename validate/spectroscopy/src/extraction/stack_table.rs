//! Stacked spectra as a table: one row for each bin.
//!
//! # Formula
//! None.
//! # Symbols
//! Columns carry units and descriptions.
//! # Source
//! As [`super::table`]: runs of rows with one STACK.
//! # Limits
//! A stack has one band; bands put side by side are written as stacks of their own.

use super::error::ExtractionError;
use super::rows::{self, Rows};
use super::stack::Stacked;
use sim_core::table::{Column, ColumnData, Table};
use std::path::Path;

/// Name of the table's unit.
pub const NAME: &str = "STACKS";
const FLUX: &str = "erg / (s cm2 nm)";

/// The table of stacked spectra.
#[must_use]
pub fn table(stacks: &[Stacked]) -> Table {
    let each = || stacks.iter().enumerate().flat_map(|(n, s)| (0..s.wavelength_nm.len()).map(move |k| (n, s, k)));
    let f64s = |name: &str, unit: &str, text: &str, f: &dyn Fn(&Stacked, usize) -> f64| {
        Column::new(name, unit, text, ColumnData::F64(each().map(|(_, s, k)| f(s, k)).collect()))
    };
    let i32s = |name: &str, text: &str, f: &dyn Fn(usize, &Stacked, usize) -> i32| {
        Column::new(name, "", text, ColumnData::I32(each().map(|(n, s, k)| f(n, s, k)).collect()))
    };
    let columns = vec![
        i32s("STACK", "number of the stack in this table, from 0", &|n, _, _| n as i32),
        Column::new("ID", "", "number of the source in the catalogue", ColumnData::I64(each().map(|(_, s, _)| s.id as i64).collect())),
        Column::new("BAND", "", "band of the gratings", ColumnData::Text(each().map(|(_, s, k)| s.band[k].clone()).collect())),
        f64s("WAVELENGTH", "nm", "vacuum wavelength of the middle of the bin", &|s, k| s.wavelength_nm[k]),
        f64s("FLUX", FLUX, "flux density, NaN where no spectrum has one", &|s, k| s.flux[k]),
        f64s("FLUX_ERR", FLUX, "standard error of FLUX, of the bin alone", &|s, k| s.flux_error[k]),
        f64s("CORREL", "", "correlation with the next bin", &|s, k| s.correlation[k]),
        f64s("CONTAM", FLUX, "flux density of other sources, taken away from FLUX", &|s, k| s.contamination[k]),
        f64s("CHI2", "", "chi squared of the spectra used about FLUX; NUSED - 1 degrees of freedom", &|s, k| s.chi2[k]),
        i32s("NUSED", "spectra used", &|_, s, k| i32::from(s.used[k])),
        i32s("FLAGS", "flag bits of the spectra used, united", &|_, s, k| i32::from(s.flags[k])),
        f64s("LINE_FWHM", "nm", "full width at half maximum of a narrow line of this source", &|s, _| s.line_fwhm_nm),
    ];
    Table { name: NAME.into(), columns }
}

/// Stacked spectra out of a table made by [`table`].
///
/// # Errors
/// A column that is missing or has another type.
pub fn stacks(table: &Table) -> Result<Vec<Stacked>, ExtractionError> {
    let rows = Rows(table);
    let f64s = |name: &'static str| rows.f64s(name);
    let (number, wavelength, flux, error) = (f64s("STACK")?, f64s("WAVELENGTH")?, f64s("FLUX")?, f64s("FLUX_ERR")?);
    let (correlation, contamination, chi2) = (f64s("CORREL")?, f64s("CONTAM")?, f64s("CHI2")?);
    let (used, flags, fwhm) = (f64s("NUSED")?, f64s("FLAGS")?, f64s("LINE_FWHM")?);
    let (id, band) = (rows.i64s("ID")?, rows.texts("BAND")?);
    let mut out: Vec<Stacked> = Vec::new();
    for k in 0..number.len() {
        if k == 0 || number[k] != number[k - 1] {
            out.push(Stacked { id: id[k] as u64, line_fwhm_nm: fwhm[k], ..Stacked::default() });
        }
        let last = out.len() - 1;
        let s = &mut out[last];
        s.band.push(band[k].trim_end().to_string());
        s.wavelength_nm.push(wavelength[k]);
        s.flux.push(flux[k]);
        s.flux_error.push(error[k]);
        s.correlation.push(correlation[k]);
        s.contamination.push(contamination[k]);
        s.chi2.push(chi2[k]);
        s.used.push(used[k] as u16);
        s.flags.push(flags[k] as u16);
    }
    Ok(out)
}

/// Reads a file of stacked spectra.
///
/// # Errors
/// When the file cannot be read or has no table of stacks.
pub fn load(path: &Path) -> Result<Vec<Stacked>, ExtractionError> {
    rows::load(path, NAME, "STACKS (the whole table)", stacks)
}

#[cfg(test)]
mod tests {
    use super::*;
    use sim_core::fits::{Data, Hdu, Header, write};

    #[test]
    fn stacks_come_back_from_a_file_as_they_were() {
        let one = |id: u64, band: &str, n: usize| Stacked {
            id,
            band: vec![band.into(); n],
            wavelength_nm: (0..n).map(|k| 620.0 + k as f64).collect(),
            flux: vec![2e-18; n],
            flux_error: vec![1e-18; n],
            correlation: vec![0.2; n],
            contamination: vec![3e-19; n],
            chi2: vec![2.5; n],
            used: vec![4; n],
            flags: vec![16; n],
            line_fwhm_nm: 2.2,
        };
        let list = vec![one(1 << 60, "GV", 3), one(1 << 60, "GI", 4), one(7, "GI", 2)];
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("stacks.fits");
        write(&path, &[Hdu::primary(Header::default()), Hdu::new(NAME, Header::default(), Data::Table(table(&list)))]).unwrap();
        assert_eq!(load(&path).unwrap(), list);
        let mut broken = table(&list);
        broken.columns.retain(|c| c.name != "CHI2");
        assert!(stacks(&broken).unwrap_err().to_string().contains("CHI2"));
    }
}
