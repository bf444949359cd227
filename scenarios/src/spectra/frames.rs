//! Level-1 frames of slitless detectors, as the extraction takes them.

use crate::folder::Folder;
use anyhow::{Context as _, bail};
use instruments::product::ProductName;
use ndarray::Array2;
use sim_core::level1::{Level1Files, error_of_weight};
use spectroscopy::calibration::frames::OwnedFrame;
use std::path::{Path, PathBuf};
use validate::product::L1Frame;

/// A frame and what its header says.
pub struct SlitlessFrame {
    /// Its file.
    pub path: PathBuf,
    /// The product.
    pub level1: L1Frame,
    /// Its planes.
    pub frame: OwnedFrame,
    /// Number of the detector.
    pub detector: u16,
}

impl SlitlessFrame {
    /// Reads a frame by its file.
    ///
    /// # Errors
    /// When the file cannot be read or the header does not say the detector.
    pub fn read(path: &Path) -> anyhow::Result<Self> {
        let level1 = L1Frame::read(&Level1Files::Slitless(path.into()))?;
        // The label ends with the number: MSC_01.
        let detector = level1.detector.trim().rsplit(|c: char| !c.is_ascii_digit()).next().and_then(|digits| digits.parse().ok());
        let detector =
            detector.with_context(|| format!("{}: detector {:?} does not end with a number", path.display(), level1.detector))?;
        // Flagged pixels have no weight: their error is not a number, and the flags say why.
        let error = level1.weight.mapv(error_of_weight);
        let frame =
            OwnedFrame { rate: level1.rate.clone(), error, flags: level1.flags.clone(), origin: level1.window, time_s: level1.exposure_s };
        Ok(Self { path: path.into(), level1, frame, detector })
    }

    /// Name without folder and ending.
    #[must_use]
    pub fn name(&self) -> String {
        self.path.file_stem().map_or_else(String::new, |s| s.to_string_lossy().into_owned())
    }

    /// Number of the observation by the file's name, or all of the name where it has another form.
    #[must_use]
    pub fn observation(&self) -> String {
        let name = self.name();
        name.split('_').nth(6).map_or(name.clone(), str::to_string)
    }

    /// Place on the whole detector of a position of the sky \[pixel\]; `None` behind the camera.
    ///
    /// # Errors
    /// When the header has no world coordinates.
    pub fn place(&self, ra_deg: f64, dec_deg: f64) -> anyhow::Result<Option<(f64, f64)>> {
        let Some(wcs) = &self.level1.wcs else { bail!("{}: the header has no world coordinates", self.path.display()) };
        let (x0, y0) = self.level1.window;
        Ok(wcs.pixel_from_sky(ra_deg, dec_deg).map(|(x, y)| (x + x0 as f64, y + y0 as f64)))
    }

    /// A cut-out of rows, as a frame of its own.
    #[must_use]
    pub fn rows(&self, from: usize, to: usize) -> OwnedFrame {
        let cut = |plane: &Array2<f32>| plane.slice(ndarray::s![from..to, ..]).to_owned();
        OwnedFrame {
            rate: cut(&self.frame.rate),
            error: cut(&self.frame.error),
            flags: self.frame.flags.slice(ndarray::s![from..to, ..]).to_owned(),
            origin: (self.frame.origin.0, self.frame.origin.1 + from),
            time_s: self.frame.time_s,
        }
    }
}

/// The slitless frames of reduced folders, in the order of their names.
///
/// # Errors
/// When there is none, or one cannot be read.
pub fn of_folders(folders: &[PathBuf]) -> anyhow::Result<Vec<SlitlessFrame>> {
    let mut out = Vec::new();
    for folder in folders {
        for path in Folder::fits_files(&Folder::at(folder).level1()) {
            // The files of images name their part, spectra's have none.
            let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
            if ProductName::parse(&name).is_ok_and(|name| name.part.is_none() && name.level == 1) {
                out.push(SlitlessFrame::read(&path)?);
            }
        }
    }
    if out.is_empty() {
        let names: Vec<String> = folders.iter().map(|f| f.display().to_string()).collect();
        bail!("{}: no level-1 frame of a slitless detector; simulate and reduce one first", names.join(", "));
    }
    Ok(out)
}
