//! Calibration products on disk, and what they say about a frame.

mod detector;
mod products;
mod read;

pub use detector::DetectorCalibration;
pub(crate) use products::{finite, known_error};
pub use read::Units;

use crate::error::ReductionError;
use crate::group::{Key, groups};
use crate::index::{Chosen, Entry, Index};
use crate::masters::{self, CalibrationOptions};
use instruments::product::level0::Level0Info;
use instruments::product::time::Civil;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

/// Kinds of master products.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Master {
    /// Bias \[ADU\], with gain and read noise of the amplifiers.
    Bias,
    /// Dark \[electron / s\].
    Dark,
    /// Flat \[1\].
    Flat,
    /// Excess time of the shutter \[s\].
    Shutter,
}

impl Master {
    /// All kinds.
    pub const ALL: [Self; 4] = [Self::Bias, Self::Dark, Self::Flat, Self::Shutter];
    /// Type in the file name.
    #[must_use]
    pub fn code(self) -> &'static str {
        match self {
            Self::Bias => "MBIAS",
            Self::Dark => "MDARK",
            Self::Flat => "MFLAT",
            Self::Shutter => "MSHUT",
        }
    }
    /// The master that a step of the reduction needs, by the name of the effect it undoes.
    fn of_step(step: &str) -> Option<Self> {
        match step {
            "bias" => Some(Self::Bias),
            // Hot pixels look like hits of cosmic rays.
            "dark" | "cosmic_rays" => Some(Self::Dark),
            "flat" => Some(Self::Flat),
            "shutter" => Some(Self::Shutter),
            _ => None,
        }
    }
}

/// The calibrations of a folder, found through its [`Index`]. Masters are read when first needed; those of the last detector stay
/// in memory when small.
#[derive(Debug)]
pub struct CalibrationSet {
    index: Index,
    last: Mutex<Option<Arc<DetectorCalibration>>>,
}

/// Makes masters and references from calibration level-0 files, writes them and their index into `out` and returns the set.
///
/// # Errors
/// When a file is no valid calibration frame, there are too few, a measurement fails, or a product cannot be written.
pub fn calibrate(level0: &[PathBuf], out: &Path, options: CalibrationOptions) -> Result<CalibrationSet, ReductionError> {
    std::fs::create_dir_all(out).map_err(|source| ReductionError::Io { path: out.into(), source })?;
    let mut index = Index::open_or_new(out)?;
    for (key, group) in groups(level0)? {
        let made = masters::make(&group, options, out)?;
        let start_mjd = group.start_mjd();
        let iso = |mjd: f64| Civil::from_mjd(mjd).iso();
        let (useafter, validto) = (iso(start_mjd), iso(start_mjd + options.validity_days));
        let products = products::Products { group: &group, useafter: &useafter, validto: &validto, out };
        let (x0, y0, nx, ny) = key.window;
        let entry = |written: products::Written| Entry {
            kind: written.kind.into(),
            instrument: key.instrument.clone(),
            detector: key.detector,
            x0,
            y0,
            nx,
            ny,
            scans: key.has_scans,
            useafter: useafter.clone(),
            validto: validto.clone(),
            file: written.file,
            sha256: written.sha256,
            quality: written.quality,
        };
        index.add(products.write(made)?.into_iter().map(entry));
    }
    index.write()?;
    Ok(CalibrationSet { index, last: Mutex::new(None) })
}

impl CalibrationSet {
    /// Reads the index of a folder.
    ///
    /// # Errors
    /// When it is missing, makes no sense, or names files that are not there.
    pub fn open(folder: &Path) -> Result<Self, ReductionError> {
        Ok(Self { index: Index::open(folder)?, last: Mutex::new(None) })
    }
    /// The index.
    #[must_use]
    pub fn index(&self) -> &Index {
        &self.index
    }
    /// The calibration for a frame: of each type, the reference of its detector, window and layout that holds at its start.
    ///
    /// # Errors
    /// When the set has none for its detector, window and layout, those it has are of other dates, or one cannot be read.
    pub fn of(&self, info: &Level0Info) -> Result<Arc<DetectorCalibration>, ReductionError> {
        let key = Key::of(info);
        let Chosen { valid: chosen, out_of_date } = self.index.chosen(&key, info.observation.start_mjd, &info.path)?;
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(calibration) = last.as_ref().filter(|c| c.key == key && c.chosen == chosen) {
            return Ok(Arc::clone(calibration));
        }
        *last = None;
        let calibration = Arc::new(read::read(key, self.index.folder(), chosen, out_of_date, info)?);
        *last = Some(Arc::clone(&calibration));
        Ok(calibration)
    }
}
