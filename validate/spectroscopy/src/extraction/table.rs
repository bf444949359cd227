//! Spectra of many sources as a table: one row for each element.
//!
//! # Formula
//! None.
//! # Symbols
//! Columns carry units and descriptions.
//! # Source
//! FITS 4.0, binary tables; [`sim_core::fits`] holds columns of one value per row, so spectra are runs of rows with one ID, BAND, ORDER and SPECTRUM.
//! # Limits
//! A spectrum without elements leaves no row and does not come back.

use super::error::ExtractionError;
use super::rows::{self, Rows};
use crate::spectrum::Extracted;
use sim_core::fits::{Data, Hdu, Header, write};
use sim_core::table::{Column, ColumnData, Table};
use std::path::Path;

/// Name of the table's unit.
pub const NAME: &str = "SPECTRA";
const RATE: &str = "electron / s";
const FLUX: &str = "erg / (s cm2 nm)";

/// The table of spectra.
#[must_use]
pub fn table(spectra: &[Extracted]) -> Table {
    let each = || spectra.iter().enumerate().flat_map(|(k, s)| (0..s.wavelength_nm.len()).map(move |i| (k, s, i)));
    let f64s = |name: &str, unit: &str, text: &str, f: &dyn Fn(&Extracted, usize) -> f64| {
        Column::new(name, unit, text, ColumnData::F64(each().map(|(_, s, i)| f(s, i)).collect()))
    };
    let i32s = |name: &str, text: &str, f: &dyn Fn(usize, &Extracted, usize) -> i32| {
        Column::new(name, "", text, ColumnData::I32(each().map(|(k, s, i)| f(k, s, i)).collect()))
    };
    let id = ColumnData::I64(each().map(|(_, s, _)| s.id as i64).collect());
    let band = ColumnData::Text(each().map(|(_, s, _)| s.band.clone()).collect());
    let columns = vec![
        i32s("SPECTRUM", "number of the spectrum in this table, from 0", &|k, _, _| k as i32),
        Column::new("ID", "", "number of the source in the catalogue", id),
        Column::new("BAND", "", "band of the grating", band),
        i32s("ORDER", "order of the grating", &|_, s, _| s.order),
        i32s("GRATING", "grating of the detector, 0 before the border", &|_, s, _| s.grating as i32),
        f64s("WAVELENGTH", "nm", "vacuum wavelength of the middle of the element", &|s, i| s.wavelength_nm[i]),
        f64s("RATE", RATE, "rate of the source, contamination and background taken away", &|s, i| s.rate[i]),
        f64s("RATE_ERR", RATE, "standard error of RATE", &|s, i| s.rate_error[i]),
        f64s("CONTAM", RATE, "rate of other sources, taken away from RATE", &|s, i| s.contamination[i]),
        f64s("BACKGROUND", RATE, "background taken away from RATE", &|s, i| s.background[i]),
        f64s("FLUX", FLUX, "flux density, NaN without sensitivity", &|s, i| s.flux[i]),
        f64s("FLUX_ERR", FLUX, "standard error of FLUX", &|s, i| s.flux_error[i]),
        i32s("FLAGS", "flag bits of the pixels; 1024 no sensitivity, 4096 too few pixels", &|_, s, i| i32::from(s.flags[i])),
        f64s("LINE_FWHM", "nm", "full width at half maximum of a narrow line of this source", &|s, _| s.line_fwhm_nm),
    ];
    Table { name: NAME.into(), columns }
}

/// Spectra out of a table made by [`table`].
///
/// # Errors
/// A column that is missing or has another type.
pub fn spectra(table: &Table) -> Result<Vec<Extracted>, ExtractionError> {
    let rows = Rows(table);
    let f64s = |name: &'static str| rows.f64s(name);
    let (number, order, grating, flags) = (f64s("SPECTRUM")?, f64s("ORDER")?, f64s("GRATING")?, f64s("FLAGS")?);
    let (id, band) = (rows.i64s("ID")?, rows.texts("BAND")?);
    let (wavelength, rate, rate_error) = (f64s("WAVELENGTH")?, f64s("RATE")?, f64s("RATE_ERR")?);
    let (contamination, background) = (f64s("CONTAM")?, f64s("BACKGROUND")?);
    let (flux, flux_error, fwhm) = (f64s("FLUX")?, f64s("FLUX_ERR")?, f64s("LINE_FWHM")?);
    let mut out: Vec<Extracted> = Vec::new();
    for i in 0..number.len() {
        if i == 0 || number[i] != number[i - 1] {
            let band = band[i].trim_end().to_string();
            let (order, grating) = (order[i] as i32, grating[i] as usize);
            out.push(Extracted { id: id[i] as u64, band, order, grating, line_fwhm_nm: fwhm[i], ..Extracted::default() });
        }
        let last = out.len() - 1;
        let s = &mut out[last];
        s.wavelength_nm.push(wavelength[i]);
        s.rate.push(rate[i]);
        s.rate_error.push(rate_error[i]);
        s.contamination.push(contamination[i]);
        s.background.push(background[i]);
        s.flux.push(flux[i]);
        s.flux_error.push(flux_error[i]);
        s.flags.push(flags[i] as u16);
    }
    Ok(out)
}

/// Writes a file of spectra with a primary header.
///
/// # Errors
/// When the file cannot be written.
pub fn save(path: &Path, header: Header, list: &[Extracted]) -> Result<(), ExtractionError> {
    Ok(write(path, &[Hdu::primary(header), Hdu::new(NAME, Header::default(), Data::Table(table(list)))])?)
}

/// Reads a file of spectra.
///
/// # Errors
/// When the file cannot be read or has no table of spectra.
pub fn load(path: &Path) -> Result<Vec<Extracted>, ExtractionError> {
    rows::load(path, NAME, "SPECTRA (the whole table)", spectra)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spectra_come_back_from_a_file_as_they_were() {
        let one = |id, order, n: usize| Extracted {
            id,
            band: "GV".into(),
            order,
            grating: 1,
            wavelength_nm: (0..n).map(|i| 400.0 + 0.52 * i as f64).collect(),
            rate: (0..n).map(|i| i as f64).collect(),
            rate_error: vec![0.1; n],
            contamination: vec![0.3; n],
            background: vec![0.2; n],
            flux: vec![1.5e-17; n],
            flux_error: vec![1e-18; n],
            flags: vec![4096; n],
            line_fwhm_nm: 1.7,
        };
        // The same source and order twice in a row: two spectra, one of each grating.
        let list = vec![one(1 << 60, 1, 5), one(1 << 60, 1, 3), one(2, -1, 4)];
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("spectra.fits");
        save(&path, Header::default(), &list).unwrap();
        assert_eq!(load(&path).unwrap(), list);
        let mut broken = table(&list);
        broken.columns.retain(|c| c.name != "FLUX_ERR");
        assert!(spectra(&broken).unwrap_err().to_string().contains("FLUX_ERR"));
    }
}
