//! Calibration products on disk, and what they say about a frame.

mod detector;
mod products;
mod read;

pub use detector::DetectorCalibration;

use crate::error::ReductionError;
use crate::group::{Key, groups};
use crate::masters::{self, CalibrationOptions};
use instruments::product::level0::Level0Info;
use instruments::product::names::ProductName;
use instruments::product::sections;
use sim_core::fits::{self, Hdu};
use std::collections::BTreeMap;
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
    fn from_code(code: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|m| m.code() == code)
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

/// The calibrations of a folder. Masters are read when first needed; those of the last detector stay in memory when small.
#[derive(Debug)]
pub struct CalibrationSet {
    files: BTreeMap<Key, BTreeMap<Master, PathBuf>>,
    last: Mutex<Option<Arc<DetectorCalibration>>>,
}

/// Makes masters from calibration level-0 files, writes them into `out` and returns the set.
///
/// # Errors
/// When a file is no valid calibration frame, there are too few, a measurement fails, or a product cannot be written.
pub fn calibrate(level0: &[PathBuf], out: &Path, options: CalibrationOptions) -> Result<CalibrationSet, ReductionError> {
    std::fs::create_dir_all(out).map_err(|source| ReductionError::Io { path: out.into(), source })?;
    let mut files = BTreeMap::new();
    for (key, group) in groups(level0)? {
        let mut masters = masters::make(&group, options)?;
        let mut paths = BTreeMap::new();
        for (kind, frames) in
            [(Master::Bias, &group.bias), (Master::Shutter, &group.flat), (Master::Flat, &group.flat), (Master::Dark, &group.dark)]
        {
            let (Some(first), Some(last)) = (frames.first(), frames.last()) else { continue };
            let Some(units) = products::product(kind, &mut masters) else { continue };
            let name = ProductName { kind: kind.code().into(), stop: last.name.stop.max(first.name.stop), level: 1, ..first.name.clone() };
            let path = out.join(name.file_name());
            let mut hdus = vec![Hdu::primary(products::primary(&name, first, frames, &masters))];
            for mut unit in units {
                sections::write_layout(&mut unit.header, &first.geometry, first.window, &first.layout);
                hdus.push(unit);
            }
            fits::write(&path, &hdus)?;
            paths.insert(kind, path);
        }
        files.insert(key, paths);
    }
    Ok(CalibrationSet { files, last: Mutex::new(None) })
}

impl CalibrationSet {
    /// Lists the masters of a folder.
    ///
    /// # Errors
    /// When the folder or a master's header cannot be read.
    pub fn open(folder: &Path) -> Result<Self, ReductionError> {
        let failed = |source| ReductionError::Io { path: folder.into(), source };
        let mut paths =
            std::fs::read_dir(folder).map_err(failed)?.map(|e| e.map(|e| e.path())).collect::<Result<Vec<_>, _>>().map_err(failed)?;
        paths.sort();
        let mut files: BTreeMap<Key, BTreeMap<Master, PathBuf>> = BTreeMap::new();
        for path in paths {
            let Some(Ok(name)) = path.file_name().and_then(|n| n.to_str()).map(ProductName::parse) else { continue };
            let Some(kind) = Master::from_code(&name.kind) else { continue };
            let headers = fits::read_headers(&path)?;
            let [(_, first), (_, second), ..] = headers.as_slice() else {
                return Err(ReductionError::Master { path, what: "HDU1".into(), expected: "an image" });
            };
            let (_, _, window, layout) = sections::read_layout(&path, second)?;
            let instrument = first.text("INSTRUME").unwrap_or_default().to_lowercase();
            // Later masters of the same kind replace earlier ones: names sort by their start.
            files.entry(Key::new(&instrument, name.detector, window, layout.scans)).or_default().insert(kind, path);
        }
        Ok(Self { files, last: Mutex::new(None) })
    }
    /// What there is calibration for.
    pub fn keys(&self) -> impl Iterator<Item = &Key> {
        self.files.keys()
    }
    /// The master files of a detector and window, by kind.
    #[must_use]
    pub fn files(&self, key: &Key) -> Option<&BTreeMap<Master, PathBuf>> {
        self.files.get(key)
    }
    /// The calibration for a frame.
    ///
    /// # Errors
    /// When the set has none for its detector, window and layout, or a master cannot be read.
    pub fn of(&self, info: &Level0Info) -> Result<Arc<DetectorCalibration>, ReductionError> {
        let key = Key::of(info);
        let Some(files) = self.files.get(&key) else {
            let have: Vec<String> = self.files.keys().map(Key::describe).collect();
            let have = if have.is_empty() { "none".into() } else { have.join("; ") };
            return Err(ReductionError::NoCalibration { path: info.path.clone(), detector: key.detector, have });
        };
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(calibration) = last.as_ref().filter(|c| c.key == key) {
            return Ok(Arc::clone(calibration));
        }
        *last = None;
        let calibration = Arc::new(read::read(key, files, info)?);
        *last = Some(Arc::clone(&calibration));
        Ok(calibration)
    }
}
