//! Sorting calibration exposures: by detector, window and raw layout, then by kind.

use crate::error::ReductionError;
use instruments::product::level0::{Level0Info, read_level0_info};
use sim_core::detector::Scans;
use sim_core::exposure::ExposureKind;
use sim_core::frame::Window;
use std::collections::BTreeMap;
use std::path::PathBuf;

/// What calibration and frame must share.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Key {
    /// Instrument, lower case.
    pub instrument: String,
    /// Detector.
    pub detector: u16,
    /// Window: x0, y0, nx, ny.
    pub window: (usize, usize, usize, usize),
    /// Whether the raw frame has scans.
    pub has_scans: bool,
}

impl Key {
    /// The key of a level-0 file.
    #[must_use]
    pub fn of(info: &Level0Info) -> Self {
        Self::new(&info.instrument, info.geometry.number, info.window, info.layout.scans)
    }
    /// A key from its parts.
    #[must_use]
    pub fn new(instrument: &str, detector: u16, window: Window, scans: Scans) -> Self {
        let has_scans = scans == Scans::Full;
        Self { instrument: instrument.into(), detector, window: (window.x0, window.y0, window.nx, window.ny), has_scans }
    }
    /// In words, for messages.
    #[must_use]
    pub fn describe(&self) -> String {
        let (x0, y0, nx, ny) = self.window;
        let scans = if self.has_scans { "with scans" } else { "trimmed" };
        format!("{} detector {:02}, window {nx} x {ny} at ({x0}, {y0}), {scans}", self.instrument, self.detector)
    }
}

/// The calibration exposures of one detector and window, each kind in order of observation number.
#[derive(Debug, Clone, Default)]
pub struct Group {
    /// Zero-time frames.
    pub bias: Vec<Level0Info>,
    /// Dark frames.
    pub dark: Vec<Level0Info>,
    /// Flats.
    pub flat: Vec<Level0Info>,
}

/// Groups calibration files.
///
/// # Errors
/// When a file is no valid level-0 file, or is a science exposure.
pub fn groups(files: &[PathBuf]) -> Result<BTreeMap<Key, Group>, ReductionError> {
    let mut infos = files.iter().map(|path| read_level0_info(path)).collect::<Result<Vec<_>, _>>()?;
    infos.sort_by(|a, b| (a.observation.id, &a.path).cmp(&(b.observation.id, &b.path)));
    for (i, info) in infos.iter().enumerate() {
        // Equal numbers are neighbours. The same exposure twice would pass for two without noise between them.
        let same = |other: &&Level0Info| other.observation.id == info.observation.id && Key::of(other) == Key::of(info);
        let twin = infos[i + 1..].iter().take_while(|other| other.observation.id == info.observation.id).find(same);
        if let Some(twin) = twin {
            let reason = format!("exposure {} of this detector is there twice, also as {}", info.observation.id, twin.path.display());
            return Err(ReductionError::Refused { path: info.path.clone(), reason });
        }
    }
    let mut out: BTreeMap<Key, Group> = BTreeMap::new();
    for info in infos {
        let group = out.entry(Key::of(&info)).or_default();
        match info.observation.kind {
            ExposureKind::Bias => group.bias.push(info),
            ExposureKind::Dark => group.dark.push(info),
            ExposureKind::Flat { .. } => group.flat.push(info),
            ExposureKind::Science => {
                return Err(ReductionError::Refused { path: info.path, reason: "a science exposure is no calibration frame".into() });
            }
        }
    }
    Ok(out)
}
