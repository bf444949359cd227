//! Maps in FITS as healpy and others read them: explicit numbers of cells, NESTED.

use super::{Coverage, CoverageError};
use cdshealpix::nested;
use sim_core::fits::{self, Data, Hdu, Header};
use sim_core::table::{Column, ColumnData, Table};
use std::path::Path;

impl Coverage {
    /// Writes the map: a column `PIXEL`, then exposures (`N_r`) and seconds (`T_r`) of each band, for the cells that were seen.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn write_map(&self, path: &Path) -> Result<(), CoverageError> {
        let cells = self.cells.iter().map(|&c| c as i64).collect();
        let mut columns = vec![Column::new("PIXEL", "", "number of the cell", ColumnData::I64(cells))];
        for (k, band) in self.bands.iter().enumerate() {
            let exposures = self.exposures[k].iter().map(|&n| n as i32).collect();
            columns.push(Column::new(&format!("N_{band}"), "", &format!("exposures in {band}"), ColumnData::I32(exposures)));
            columns.push(Column::new(
                &format!("T_{band}"),
                "s",
                &format!("exposure time in {band}"),
                ColumnData::F32(self.seconds[k].clone()),
            ));
        }
        let mut header = Header::default();
        header.set("PIXTYPE", "HEALPIX", "HEALPix pixelisation");
        header.set("ORDERING", "NESTED", "numbering of the cells");
        header.set("COORDSYS", "C", "equatorial, ICRS");
        header.set("NSIDE", 1_i64 << self.order, "resolution");
        header.set("INDXSCHM", "EXPLICIT", "cells are listed");
        header.set("OBJECT", "PARTIAL", "a part of the sky");
        header.set("OBS_NPIX", self.cells.len() as i64, "cells listed");
        header.set("MAXPIX", nested::n_hash(self.order) as i64 - 1, "greatest number of a cell");
        let hdus = [Hdu::primary(Header::default()), Hdu::new("COVERAGE", header, Data::Table(Table { name: "COVERAGE".into(), columns }))];
        fits::write(path, &hdus).map_err(|e| CoverageError::File { path: path.display().to_string(), reason: e.to_string() })
    }
}
