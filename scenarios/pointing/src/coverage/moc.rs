//! Multi-order coverage: a region of sky as HEALPix cells of several sizes.
//!
//! # Formula
//! Four cells of one parent become the parent. In FITS a cell is `4 * 4^order + number` (NUNIQ).
//! # Source
//! IVOA Recommendation MOC 2.0 (2022), section 4
//! # Limits
//! Space alone, no time.

use super::CoverageError;
use sim_core::fits::{self, Data, Hdu, Header};
use sim_core::table::{Column, ColumnData, Table};
use std::collections::BTreeMap;
use std::path::Path;

/// A region of sky.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Moc {
    /// Finest order.
    pub order: u8,
    /// Cells of each order, rising.
    pub cells: BTreeMap<u8, Vec<u64>>,
}

impl Moc {
    /// From cells of one order, rising.
    #[must_use]
    pub fn new(order: u8, cells: impl IntoIterator<Item = u64>) -> Self {
        let mut out = BTreeMap::new();
        let mut level: Vec<u64> = cells.into_iter().collect();
        for at in (0..=order).rev() {
            let (mut parents, mut kept) = (Vec::new(), Vec::new());
            let mut k = 0;
            while k < level.len() {
                let whole = at > 0 && level[k].is_multiple_of(4) && k + 3 < level.len() && level[k + 3] == level[k] + 3;
                if whole {
                    parents.push(level[k] / 4);
                } else {
                    kept.push(level[k]);
                }
                k += if whole { 4 } else { 1 };
            }
            if !kept.is_empty() {
                out.insert(at, kept);
            }
            level = parents;
        }
        Self { order, cells: out }
    }
    /// Solid angle \[deg2\].
    #[must_use]
    pub fn area_deg2(&self) -> f64 {
        let share: f64 = self.cells.iter().map(|(order, cells)| cells.len() as f64 / cdshealpix::nested::n_hash(*order) as f64).sum();
        share * 129_600.0 / std::f64::consts::PI
    }
    /// As text: `order/cell cell first-last ...`, orders parted by blanks. The finest order is stated even when it has no cell.
    #[must_use]
    pub fn ascii(&self) -> String {
        let mut parts = Vec::new();
        for (order, cells) in &self.cells {
            let mut runs: Vec<(u64, u64)> = Vec::new();
            for &c in cells {
                match runs.last_mut() {
                    Some(run) if run.1 + 1 == c => run.1 = c,
                    _ => runs.push((c, c)),
                }
            }
            let runs: Vec<String> = runs.iter().map(|(a, b)| if a == b { a.to_string() } else { format!("{a}-{b}") }).collect();
            parts.push(format!("{order}/{}", runs.join(" ")));
        }
        if !self.cells.contains_key(&self.order) {
            parts.push(format!("{}/", self.order));
        }
        parts.join(" ")
    }
    /// Writes the region: FITS where the name ends in `.fits`, else text.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn write(&self, path: &Path) -> Result<(), CoverageError> {
        let fault = |reason: String| CoverageError::File { path: path.display().to_string(), reason };
        if path.extension().is_none_or(|e| e != "fits") {
            return sim_core::files::write_atomically(path, (self.ascii() + "\n").as_bytes()).map_err(|e| fault(e.to_string()));
        }
        let uniq = self.cells.iter().flat_map(|(order, cells)| cells.iter().map(move |c| (4_i64 << (2 * order)) + *c as i64)).collect();
        let columns = vec![Column::new("UNIQ", "", "4 * 4^order + number", ColumnData::I64(uniq))];
        let mut header = Header::default();
        header.set("PIXTYPE", "HEALPIX", "HEALPix pixelisation");
        header.set("ORDERING", "NUNIQ", "numbering of the cells");
        header.set("COORDSYS", "C", "equatorial, ICRS");
        header.set("MOCVERS", "2.0", "IVOA MOC");
        header.set("MOCDIM", "SPACE", "a region of sky");
        header.set("MOCORD_S", i64::from(self.order), "finest order");
        header.set("MOCORDER", i64::from(self.order), "finest order, as MOC 1.1 has it");
        let hdus = [Hdu::primary(Header::default()), Hdu::new("MOC", header, Data::Table(Table { name: "MOC".into(), columns }))];
        fits::write(path, &hdus).map_err(|e| fault(e.to_string()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn four_children_become_their_parent_and_text_tells_runs() {
        let moc = Moc::new(2, [0, 1, 2, 3, 5, 6, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 29, 30, 31]);
        assert_eq!(moc.ascii(), "0/1 1/0 2/5-6");
        assert!((moc.area_deg2() - (16.0 + 4.0 + 2.0) / 192.0 * 41_252.961_249_4).abs() < 1e-6);
        assert_eq!(Moc::new(3, 0..768).ascii(), "0/0-11 3/");
        assert_eq!(Moc::new(1, [2, 3, 4, 5]).ascii(), "1/2-5", "four cells of two parents");
        assert_eq!(Moc::new(4, []).ascii(), "4/");
    }
}
