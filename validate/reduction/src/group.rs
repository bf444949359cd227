//! Sorting calibration exposures: by detector, window and raw layout, by epoch, then by kind.

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

/// Exposures further apart than this belong to different epochs of calibration \[d\].
const EPOCH_GAP_DAYS: f64 = 5.0;

/// The calibration exposures of one detector, window and epoch, each kind in order of observation number.
#[derive(Debug, Clone, Default)]
pub struct Group {
    /// Zero-time frames.
    pub bias: Vec<Level0Info>,
    /// Dark frames.
    pub dark: Vec<Level0Info>,
    /// Flats.
    pub flat: Vec<Level0Info>,
    /// Injected charge.
    pub injected: Vec<Level0Info>,
    /// Pumped charge.
    pub pumped: Vec<Level0Info>,
    /// Exposures of the sky, for what only the sky shows (fringes).
    pub sky: Vec<Level0Info>,
}

impl Group {
    /// All exposures but those of the sky.
    pub fn all(&self) -> impl Iterator<Item = &Level0Info> {
        self.bias.iter().chain(&self.dark).chain(&self.flat).chain(&self.injected).chain(&self.pumped)
    }
    /// Start of the first exposure, modified Julian date \[d\].
    #[must_use]
    pub fn start_mjd(&self) -> f64 {
        self.all().map(|i| i.observation.start_mjd).fold(f64::INFINITY, f64::min)
    }
}

/// Groups calibration files: by detector, window and layout, then by epoch.
///
/// # Errors
/// When a file is no valid level-0 file, or is there twice.
pub fn groups(files: &[PathBuf]) -> Result<Vec<(Key, Group)>, ReductionError> {
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
    let mut starts: BTreeMap<Key, Vec<f64>> = BTreeMap::new();
    // Exposures of the sky belong to the epoch that began before them.
    for info in infos.iter().filter(|i| i.observation.kind != ExposureKind::Science) {
        starts.entry(Key::of(info)).or_default().push(info.observation.start_mjd);
    }
    starts.values_mut().for_each(|s| s.sort_by(f64::total_cmp));
    let epoch = |key: &Key, start: f64| {
        let starts = starts.get(key).map_or(&[] as &[f64], Vec::as_slice);
        starts.windows(2).filter(|w| w[1] <= start && w[1] - w[0] > EPOCH_GAP_DAYS).count()
    };
    let mut out: BTreeMap<(Key, usize), Group> = BTreeMap::new();
    for info in infos {
        let key = Key::of(&info);
        let epoch = epoch(&key, info.observation.start_mjd);
        let group = out.entry((key, epoch)).or_default();
        match info.observation.kind {
            ExposureKind::Bias => group.bias.push(info),
            ExposureKind::Dark => group.dark.push(info),
            ExposureKind::Flat { .. } => group.flat.push(info),
            ExposureKind::ChargeInjection { .. } => group.injected.push(info),
            ExposureKind::TrapPumping { .. } => group.pumped.push(info),
            ExposureKind::Science => group.sky.push(info),
        }
    }
    Ok(out.into_iter().map(|((key, _), group)| (key, group)).collect())
}
