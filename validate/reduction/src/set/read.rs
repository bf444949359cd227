//! Masters read back from their files.

use super::products::known_error;
use super::{DetectorCalibration, Master};
use crate::error::ReductionError;
use crate::group::Key;
use crate::index::Entry;
use crate::keywords::FILL;
use crate::shutter_fit::ShutterMap;
use instruments::product::level0::Level0Info;
use nalgebra::DMatrix;
use ndarray::Array2;
use sim_core::fits::{self, Data, Hdu, Header};
use sim_core::knowledge::{Measured, Reference};
use sim_core::table::Table;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Masters of windows up to this many pixels stay in memory; larger ones are read for the step that needs them.
const KEPT_PIXELS: usize = 1 << 24;

/// The extensions of a reference by name, each taken out once.
pub struct Units {
    path: PathBuf,
    units: Vec<Hdu>,
}

impl Units {
    /// Reads a file.
    ///
    /// # Errors
    /// When it is no FITS file.
    pub fn open(path: &Path) -> Result<Self, ReductionError> {
        Ok(Self { path: path.into(), units: fits::read(path)? })
    }
    /// The error that something is missing or malformed.
    #[must_use]
    pub fn missing(&self, what: &str, expected: &'static str) -> ReductionError {
        ReductionError::Master { path: self.path.clone(), what: what.into(), expected }
    }
    /// Takes a unit out.
    ///
    /// # Errors
    /// When there is none of that name.
    pub fn take(&mut self, name: &str) -> Result<Hdu, ReductionError> {
        let at = self.units.iter().position(|u| u.name == name).ok_or_else(|| self.missing(name, "an extension of that name"))?;
        Ok(self.units.swap_remove(at))
    }
    fn image(&mut self, name: &str, shape: (usize, usize)) -> Result<Array2<f32>, ReductionError> {
        match self.take(name)?.data {
            Data::F32(image) if image.dim() == shape => {
                // A reference with a hole in it would spread silently.
                if image.iter().all(|v| v.is_finite()) { Ok(image) } else { Err(self.missing(name, "finite pixels")) }
            }
            _ => Err(self.missing(name, "a float32 image of the window's shape")),
        }
    }
    /// Takes the units `IMAGE` and `VARIANCE`.
    ///
    /// # Errors
    /// When one is missing, of another shape, or has pixels that are no numbers.
    pub fn reference(&mut self, shape: (usize, usize)) -> Result<Arc<Reference>, ReductionError> {
        Ok(Arc::new(Reference { image: self.image("IMAGE", shape)?, variance: self.image("VARIANCE", shape)? }))
    }
    /// Takes a table out, with its header.
    ///
    /// # Errors
    /// When there is none of that name.
    pub fn table(&mut self, name: &str) -> Result<(Header, Table), ReductionError> {
        let unit = self.take(name)?;
        match unit.data {
            Data::Table(table) => Ok((unit.header, table)),
            _ => Err(self.missing(name, "a table")),
        }
    }
}

/// The calibration of a detector and window from its files.
pub(super) fn read(
    key: Key,
    folder: &Path,
    chosen: BTreeMap<String, Entry>,
    out_of_date: BTreeMap<String, Vec<Entry>>,
    info: &Level0Info,
) -> Result<DetectorCalibration, ReductionError> {
    let missing =
        || ReductionError::Master { path: PathBuf::from(key.describe()), what: Master::Bias.code().into(), expected: "a master bias" };
    let mut bias = Units::open(&folder.join(&chosen.get(Master::Bias.code()).ok_or_else(missing)?.file))?;
    let (header, table) = bias.table("AMPLIFIERS")?;
    let column = |name: &str| {
        let values = table.f64s(name).filter(|v| v.len() == info.layout.amplifier_count);
        values.ok_or_else(|| bias.missing(name, "a column with one number per amplifier"))
    };
    let measured = |value: &str, error: &str| -> Result<Vec<Measured>, ReductionError> {
        Ok(column(value)?.into_iter().zip(column(error)?).map(|(value, error)| Measured { value, error: known_error(error) }).collect())
    };
    let (gain, read_noise, bias_variance) = (measured("GAIN", "GAIN_ERR")?, measured("RDNOISE", "RDNOISE_ERR")?, column("BIAS_VAR")?);
    let values = gain.iter().chain(&read_noise).map(|m| m.value).chain(bias_variance.iter().copied());
    if values.into_iter().any(|v| !(v > 0.0 && v.is_finite())) {
        return Err(bias.missing("GAIN, RDNOISE or BIAS_VAR", "numbers above 0"));
    }
    let transfer_chi2 = header.f64("PTCCHI2").unwrap_or(FILL);
    drop(bias);
    let dark_inverse_time_s = match chosen.get(Master::Dark.code()).map(|entry| folder.join(&entry.file)) {
        None => None,
        Some(path) => {
            let headers = fits::read_headers(&path)?;
            let found = headers.iter().find(|(name, _)| name == "IMAGE").and_then(|(_, h)| h.f64("BIASCOEF")).filter(|v| *v > 0.0);
            let wrong = || ReductionError::Master { path: path.clone(), what: "BIASCOEF".into(), expected: "a number above 0" };
            Some(found.ok_or_else(wrong)?)
        }
    };
    let (layout, folder) = (info.layout.clone(), folder.to_path_buf());
    let mut calibration = DetectorCalibration {
        key,
        layout,
        gain,
        read_noise,
        bias_variance,
        transfer_chi2,
        dark_inverse_time_s,
        chosen,
        out_of_date,
        folder,
        kept: BTreeMap::new(),
    };
    if info.window.nx * info.window.ny <= KEPT_PIXELS {
        for master in Master::ALL {
            if let Some(reference) = calibration.reference(master)? {
                calibration.kept.insert(master, reference);
            }
        }
    }
    Ok(calibration)
}

/// The fit of a shutter map.
pub(super) fn read_map(units: &mut Units) -> Result<ShutterMap, ReductionError> {
    let (header, table) = units.table("POLYNOMIAL")?;
    let column = |name: &str| table.f64s(name).ok_or_else(|| units.missing(name, "a numeric column"));
    let order = |name: &str| column(name).map(|v| v.into_iter().map(|x| x as usize).collect::<Vec<_>>());
    let terms: Vec<(usize, usize)> = order("I")?.into_iter().zip(order("J")?).collect();
    let mut covariance = DMatrix::zeros(terms.len(), terms.len());
    for k in 0..terms.len() {
        for (row, value) in column(&format!("COV_{}", k + 1))?.into_iter().enumerate() {
            covariance[(row, k)] = value;
        }
    }
    Ok(ShutterMap { coefficients: column("COEFFICIENT")?, terms, covariance, reduced_chi2: header.f64("CHI2DOF").unwrap_or(0.0) })
}
