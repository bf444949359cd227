//! Configurations of gratings as files that others read: the ASCII format of `grismconf`, sensitivities as FITS tables beside it.
//!
//! # Formula
//! Lines `DISPX_+1_k c0 c1 ...`, `DISPY_+1_k`, `DISPL_+1_k`: coefficients over the field of t^k; x and y in pixels from the undispersed image, wavelengths in
//! Angstrom. Sensitivity `s = area efficiency lambda / (h c)` \[electron/s/A per erg/s/cm2/A\] at wavelengths in Angstrom.
//! Pixels count from 0 at the middle of the detector's first one.
//! # Source
//! Pirzkal & Ryan 2017 (STScI ISR WFC3 2017-01); the readers of `grismconf` (N. Pirzkal) and `slitlessutils` (STScI): an order begins with a line `BEAM_+1`.
//! # Limits
//! Own keys `DETECTOR`, `FILTER`, `AREA`, `OPENING` are needed to read a file back and are passed over by others. Wavelengths are in vacuum. `grismconf` 1.x knows 6 or 10 terms
//! over the field from the third power of t on, and 1, 3, 6 below.

use super::{FieldPolynomial, Grating, Opening, Order};
use crate::bandpass::Bandpass;
use crate::files::write_atomically;
use crate::fits::{self, Data, FitsError, Hdu, Header};
use crate::table::{Column, ColumnData, Table};
use crate::units::HC_ERG_NM;
use std::fmt::Write;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// A grating and what it belongs to.
#[derive(Debug, Clone, PartialEq)]
pub struct Configuration {
    /// Number of the detector.
    pub detector: u16,
    /// Name of the band: `GU`, `GV`, `GI`.
    pub filter: String,
    /// Columns and rows of the detector.
    pub size: (usize, usize),
    /// Collecting area that the sensitivities are of \[cm2\].
    pub area_cm2: f64,
    /// The grating.
    pub grating: Grating,
}

/// Why a configuration cannot be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ConfigurationError {
    /// A file cannot be read or written.
    #[error("{path}: {source}")]
    Io {
        /// File.
        path: PathBuf,
        /// Reason.
        source: std::io::Error,
    },
    /// A table of sensitivities cannot be read or written.
    #[error(transparent)]
    Fits(#[from] FitsError),
    /// A line that is needed is not there.
    #[error("{path}: {key} is missing ({need})")]
    Missing {
        /// File.
        path: PathBuf,
        /// Key.
        key: String,
        /// What it is.
        need: &'static str,
    },
    /// A line says what it cannot.
    #[error("{path}, line {line}: {key} = {value:?}: {need}")]
    Value {
        /// File.
        path: PathBuf,
        /// Line, from 1.
        line: usize,
        /// Key.
        key: String,
        /// What it says.
        value: String,
        /// What is allowed.
        need: &'static str,
    },
    /// A file is for another detector or band.
    #[error("{path}: is of detector {found}, wanted {wanted}")]
    Other {
        /// File.
        path: PathBuf,
        /// What it is of.
        found: String,
        /// What it was read for.
        wanted: String,
    },
}

/// The label of an order as the community writes it: `+1`, `0`, `-2`.
#[must_use]
pub fn label(number: i32) -> String {
    if number == 0 { "0".into() } else { format!("{number:+}") }
}

impl Configuration {
    /// Writes the file and a table of sensitivity for each order beside it; all paths written.
    ///
    /// # Errors
    /// When a file cannot be written.
    pub fn write(&self, path: &Path) -> Result<Vec<PathBuf>, ConfigurationError> {
        let stem = path.file_stem().map_or_else(|| "grating".into(), |s| s.to_string_lossy().into_owned());
        let Opening { from, to, beam } = self.grating.opening;
        let mut text = format!(
            "# Trace, dispersion and sensitivity of a grating, in the format of grismconf.\n\
             # Pixels count from 0; x and y are offsets from the undispersed image; wavelengths in vacuum, Angstrom.\n\
             INSTRUMENT CSST_MSC\nDETECTOR {}\nFILTER {}\nNAXIS {} {}\n\
             # Collecting area [cm2] of the sensitivities.\nAREA {:e}\n\
             # First column, column after the last, diameter of the beam at the grating [pixel].\nOPENING {from:e} {to:e} {beam:e}\n",
            self.detector, self.filter, self.size.0, self.size.1, self.area_cm2
        );
        let mut paths = Vec::new();
        for order in &self.grating.orders {
            let name = label(order.number);
            let sensitivity = format!("{stem}.{name}.sensitivity.fits");
            let _ = write!(text, "\nBEAM_{name}\nSENSITIVITY_{name} {sensitivity}\n");
            let ten = |p: &FieldPolynomial| FieldPolynomial(p.coefficients().iter().map(|c| 10.0 * c).collect());
            let wavelengths: Vec<FieldPolynomial> = order.wavelength_nm.iter().map(ten).collect();
            for (key, powers) in [("DISPX", &order.x), ("DISPY", &order.y), ("DISPL", &wavelengths)] {
                let terms = powers.iter().map(|p| p.coefficients().len()).max().unwrap_or(1);
                for (k, polynomial) in powers.iter().enumerate() {
                    let mut line = format!("{key}_{name}_{k}");
                    // Every power of one quantity with as many terms: readers make an array of them.
                    for i in 0..terms {
                        let _ = write!(line, " {:e}", polynomial.coefficients().get(i).copied().unwrap_or(0.0));
                    }
                    text += &line;
                    text.push('\n');
                }
            }
            let file = path.with_file_name(sensitivity);
            write_sensitivity(&file, order, self.area_cm2)?;
            paths.push(file);
        }
        write_atomically(path, text.as_bytes()).map_err(|source| ConfigurationError::Io { path: path.into(), source })?;
        paths.push(path.into());
        Ok(paths)
    }

    /// Reads a file and its sensitivities.
    ///
    /// # Errors
    /// When a file cannot be read, a key is missing, or a value is not as it must be; file, line and key are named.
    pub fn read(path: &Path) -> Result<Self, ConfigurationError> {
        let lines = Lines::read(path)?;
        let [nx, ny] = lines.numbers("NAXIS", "columns and rows")?[..] else {
            return Err(lines.refuse("NAXIS", "two numbers: columns and rows"));
        };
        let [from, to, beam] = lines.numbers("OPENING", "first column, column after the last, beam [pixel]")?[..] else {
            return Err(lines.refuse("OPENING", "three numbers: first column, column after the last, beam [pixel]"));
        };
        let area_cm2 = match lines.numbers("AREA", "collecting area [cm2]")?[..] {
            [area] if area > 0.0 && area.is_finite() => area,
            _ => return Err(lines.refuse("AREA", "one number above 0 [cm2]")),
        };
        let detector = lines.text("DETECTOR", "number of the detector")?;
        let detector = detector.parse().map_err(|_| lines.refuse("DETECTOR", "a whole number"))?;
        let filter = lines.text("FILTER", "name of the band")?;
        let mut orders = Vec::new();
        for name in lines.orders() {
            let number = name.parse().map_err(|_| lines.refuse(&format!("BEAM_{name}"), "an order such as +1, 0, -2"))?;
            let file = path.with_file_name(lines.text(&format!("SENSITIVITY_{name}"), "table of the order's sensitivity")?);
            let efficiency = Arc::new(read_sensitivity(&file, &filter, area_cm2)?);
            let mut wavelength_nm = lines.powers("DISPL", &name)?;
            for polynomial in &mut wavelength_nm {
                polynomial.0.iter_mut().for_each(|c| *c *= 0.1);
            }
            orders.push(Order { number, x: lines.powers("DISPX", &name)?, y: lines.powers("DISPY", &name)?, wavelength_nm, efficiency });
        }
        if orders.is_empty() {
            return Err(ConfigurationError::Missing { path: path.into(), key: "BEAM_+1".into(), need: "an order" });
        }
        let grating = Grating { opening: Opening { from, to, beam }, orders };
        Ok(Self { detector, filter, size: (nx as usize, ny as usize), area_cm2, grating })
    }

    /// Reads a file that must be of a detector and have an order.
    ///
    /// # Errors
    /// As [`Configuration::read`]; when it is of another detector or band, or lacks the order.
    pub fn read_for(path: &Path, detector: u16, filter: &str, order: i32) -> Result<Self, ConfigurationError> {
        let found = Self::read(path)?;
        if (found.detector, found.filter.as_str()) != (detector, filter) {
            let found = format!("{} ({})", found.detector, found.filter);
            return Err(ConfigurationError::Other { path: path.into(), found, wanted: format!("{detector} ({filter})") });
        }
        if !found.grating.orders.iter().any(|o| o.number == order) {
            return Err(ConfigurationError::Missing {
                path: path.into(),
                key: format!("BEAM_{}", label(order)),
                need: "the order asked for",
            });
        }
        Ok(found)
    }
}

/// Sensitivity over efficiency at a wavelength \[electron/s/A per erg/s/cm2/A\].
fn scale(area_cm2: f64, wavelength_nm: f64) -> f64 {
    area_cm2 * wavelength_nm / HC_ERG_NM
}

fn write_sensitivity(path: &Path, order: &Order, area_cm2: f64) -> Result<(), FitsError> {
    let (waves, values) = (order.efficiency.wavelength_nm(), order.efficiency.efficiency());
    // Readers take the first and last two rows for zero: they are given outside the curve.
    let (low, high) = order.efficiency.range_nm();
    let step = 1e-3 * (high - low);
    let mut wavelength = vec![low - 2.0 * step, low - step];
    let mut sensitivity = vec![0.0, 0.0];
    for (w, e) in waves.iter().zip(values) {
        wavelength.push(*w);
        sensitivity.push(e * scale(area_cm2, *w));
    }
    wavelength.extend([high + step, high + 2.0 * step]);
    sensitivity.extend([0.0, 0.0]);
    let angstrom = wavelength.iter().map(|w| 10.0 * w).collect();
    let columns = vec![
        Column::new("WAVELENGTH", "Angstrom", "vacuum wavelength", ColumnData::F64(angstrom)),
        Column::new("SENSITIVITY", "electron cm2 / erg", "electrons per erg on a square centimetre", ColumnData::F64(sensitivity)),
    ];
    let table = Table { name: "SENSITIVITY".into(), columns };
    fits::write(path, &[Hdu::primary(Header::default()), Hdu::new("SENSITIVITY", Header::default(), Data::Table(table))])
}

fn read_sensitivity(path: &Path, name: &str, area_cm2: f64) -> Result<Bandpass, ConfigurationError> {
    let missing = |key: &str, need| ConfigurationError::Missing { path: path.into(), key: key.into(), need };
    let table = fits::read(path)?.into_iter().find_map(|hdu| if let Data::Table(table) = hdu.data { Some(table) } else { None });
    let table = table.ok_or_else(|| missing("table", "columns WAVELENGTH and SENSITIVITY"))?;
    let column = |key: &str| table.f64s(key).ok_or_else(|| missing(key, "a column of numbers"));
    let (angstrom, sensitivity) = (column("WAVELENGTH")?, column("SENSITIVITY")?);
    let mut rows: Vec<(f64, f64)> = angstrom.iter().map(|a| 0.1 * a).zip(sensitivity).map(|(w, s)| (w, s / scale(area_cm2, w))).collect();
    // The zeros that were put around the curve are not part of it.
    let first = rows.iter().position(|r| r.1 > 0.0).unwrap_or(0).saturating_sub(1);
    let last = rows.iter().rposition(|r| r.1 > 0.0).map_or(rows.len(), |i| (i + 2).min(rows.len()));
    rows = rows[first..last].to_vec();
    let value = rows.iter().map(|r| r.1).fold(0.0, f64::max);
    let (wavelength_nm, efficiency) = rows.into_iter().unzip();
    Bandpass::new(name, wavelength_nm, efficiency).map_err(|_| ConfigurationError::Value {
        path: path.into(),
        line: 0,
        key: "SENSITIVITY".into(),
        value: format!("an efficiency of up to {value}"),
        need: "rising wavelengths, efficiencies from 0 to 1",
    })
}

/// The lines of a configuration: number, key, the rest.
struct Lines {
    path: PathBuf,
    lines: Vec<(usize, String, String)>,
}

impl Lines {
    fn read(path: &Path) -> Result<Self, ConfigurationError> {
        let text = std::fs::read_to_string(path).map_err(|source| ConfigurationError::Io { path: path.into(), source })?;
        let lines = text.lines().enumerate().filter_map(|(number, line)| {
            let line = line.trim();
            if line.is_empty() || line.starts_with(['#', '%', ';']) {
                return None;
            }
            let (key, rest) = line.split_once(char::is_whitespace).unwrap_or((line, ""));
            Some((number + 1, key.to_string(), rest.trim().to_string()))
        });
        Ok(Self { path: path.into(), lines: lines.collect() })
    }
    fn find(&self, key: &str) -> Option<&(usize, String, String)> {
        self.lines.iter().find(|line| line.1 == key)
    }
    fn text(&self, key: &str, need: &'static str) -> Result<String, ConfigurationError> {
        let found = self.find(key).filter(|line| !line.2.is_empty());
        found.map(|line| line.2.clone()).ok_or_else(|| ConfigurationError::Missing { path: self.path.clone(), key: key.into(), need })
    }
    fn refuse(&self, key: &str, need: &'static str) -> ConfigurationError {
        let (line, value) = self.find(key).map_or((0, String::new()), |line| (line.0, line.2.clone()));
        ConfigurationError::Value { path: self.path.clone(), line, key: key.into(), value, need }
    }
    fn numbers(&self, key: &str, need: &'static str) -> Result<Vec<f64>, ConfigurationError> {
        let text = self.text(key, need)?;
        text.split_whitespace().map(|word| word.parse().map_err(|_| self.refuse(key, need))).collect()
    }
    /// Names of the orders, as their lines begin.
    fn orders(&self) -> Vec<String> {
        self.lines.iter().filter_map(|line| line.1.strip_prefix("BEAM_").map(str::to_string)).collect()
    }
    /// Polynomials over the field of t^0, t^1, ...
    fn powers(&self, key: &str, order: &str) -> Result<Vec<FieldPolynomial>, ConfigurationError> {
        let mut out = Vec::new();
        loop {
            let name = format!("{key}_{order}_{}", out.len());
            if self.find(&name).is_none() {
                break;
            }
            let need = "1, 3, 6, 10, ... finite coefficients over the field";
            out.push(FieldPolynomial::new(self.numbers(&name, need)?).ok_or_else(|| self.refuse(&name, need))?);
        }
        if out.is_empty() {
            let key = format!("{key}_{order}_0");
            return Err(ConfigurationError::Missing { path: self.path.clone(), key, need: "coefficients over the field" });
        }
        Ok(out)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn configuration() -> Configuration {
        let field = |c: &[f64]| FieldPolynomial::new(c.to_vec()).unwrap();
        let efficiency = Bandpass::new("GI", vec![610.0, 620.0, 800.0, 1010.0], vec![0.0, 0.3, 0.4, 0.0]).unwrap();
        let order = |number: i32| Order {
            number,
            x: vec![field(&[750.0, 1e-4, -2.5e-5]), field(&[490.0, 0.0, 1.0 / 3.0])],
            y: vec![field(&[1.5]), field(&[8.0])],
            wavelength_nm: vec![field(&[610.0]), field(&[400.0])],
            efficiency: Arc::new(efficiency.clone()),
        };
        let opening = Opening { from: f64::NEG_INFINITY, to: 3685.0, beam: 714.3 };
        let grating = Grating { opening, orders: vec![order(1), order(0), order(-2)] };
        Configuration { detector: 1, filter: "GI".into(), size: (9216, 9232), area_cm2: 31_415.9, grating }
    }

    #[test]
    fn what_is_written_is_read() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("CSST_GI01_left.conf");
        let given = configuration();
        assert_eq!(given.write(&path).unwrap().len(), 4);
        let read = Configuration::read_for(&path, 1, "GI", -2).unwrap();
        assert_eq!((read.detector, read.size, read.area_cm2, read.grating.opening), (1, given.size, given.area_cm2, given.grating.opening));
        for (a, b) in read.grating.orders.iter().zip(&given.grating.orders) {
            assert_eq!((a.number, &a.x), (b.number, &b.x));
            let (a, b) = (a.trace(1234.0, 5678.0), b.trace(1234.0, 5678.0));
            assert!((a.wavelength_nm(0.37) - b.wavelength_nm(0.37)).abs() < 1e-10 && a.offset(0.37) == b.offset(0.37));
        }
        let at = |c: &Configuration, nm| c.grating.orders[0].efficiency.at(crate::units::Nanometre(nm));
        for nm in [612.0, 700.0, 900.0, 1009.0] {
            assert!((at(&read, nm) - at(&given, nm)).abs() < 1e-12);
        }
        let table = fits::read(&folder.path().join("CSST_GI01_left.+1.sensitivity.fits")).unwrap();
        let Data::Table(table) = &table[1].data else { panic!("a table") };
        // 31416 cm2 x 0.4 at 800 nm, where a photon has 2.483e-12 erg.
        let peak = table.f64s("SENSITIVITY").unwrap().into_iter().fold(0.0, f64::max);
        assert!((peak / (31_415.9 * 0.4 / 2.48306e-12) - 1.0).abs() < 1e-5, "{peak:e}");
    }

    #[test]
    fn what_is_wrong_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("c.conf");
        configuration().write(&path).unwrap();
        let text = std::fs::read_to_string(&path).unwrap();
        let said = |text: &str| {
            std::fs::write(&path, text).unwrap();
            Configuration::read_for(&path, 1, "GI", 1).unwrap_err().to_string()
        };
        for (from, to, words) in [
            ("DETECTOR 1\n", "DETECTOR 2\n", "of detector 2 (GI), wanted 1 (GI)"),
            ("BEAM_+1\n", "", "BEAM_+1 is missing"),
            ("AREA 3.14159e4", "AREA none", "AREA = \"none\""),
            ("DISPX_+1_0 7.5e2", "DISPX_+1_0 7.5e2 1 2", "DISPX_+1_0"),
            ("DISPY_+1_0", "DISPZ_+1_0", "DISPY_+1_0 is missing"),
        ] {
            assert!(text.contains(from), "{from}");
            let message = said(&text.replacen(from, to, 1));
            assert!(message.contains(words) && message.contains("c.conf"), "{message}");
        }
    }
}
