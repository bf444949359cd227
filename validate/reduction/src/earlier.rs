//! Raw frames before the one being reduced: which of its pixels were full in them.
//!
//! A pixel was full when the converter was at its ceiling, or its charge near the full well that calibration knows (less
//! `LOWER`: raw frames still lack what charge transfer took). Only frames of the same detector and window count, and only as
//! far back as full pixels still glow.

use crate::error::ReductionError;
use crate::group::Key;
use crate::raw_stack::{RawFrame, Science};
use crate::set::DetectorCalibration;
use instruments::effects::full_well::flag_levels;
use instruments::effects::persistence::reach_of;
use instruments::product::level0::{Level0, Level0Info, read_level0, read_level0_info};
use instruments::product::names::ProductName;
use rayon::prelude::*;
use sim_core::knowledge::{FullBefore, Knowledge};
use std::path::PathBuf;

/// Share of a full well that charge transfer and the amplifier's response may hide.
const LOWER: f64 = 0.05;
/// Dates in file names are of whole seconds.
const NAME_S: f64 = 1.5;

/// Pixels of a raw frame that were full: row times columns of the window, plus column.
///
/// # Errors
/// When the overscan correction refuses the frame.
pub fn full_pixels(level0: &Level0, knowledge: &Knowledge) -> Result<Vec<u32>, ReductionError> {
    let (rows, columns) = level0.info.window.shape();
    let raw = RawFrame::new(level0, &(0..rows), knowledge.overscan.as_ref())?;
    let Science::Raw(pixels) = &raw.science else { return Ok(Vec::new()) };
    let gain = knowledge.gain.as_deref().unwrap_or(&[]);
    let levels = flag_levels(knowledge).unwrap_or_default();
    let of_row = |y: usize| {
        let mut full = Vec::new();
        let counts = pixels.row(y);
        for (index, tile) in crate::amplifiers::tiles_of_row(&level0.info.layout, y) {
            let level_adu = match (levels.get(tile.amplifier), gain.get(tile.amplifier)) {
                (Some(level), Some(gain)) => {
                    (1.0 - LOWER) * f64::from(*level) / gain.value + f64::from(raw.levels[index][y - tile.science.y0])
                }
                _ => f64::INFINITY,
            };
            for x in crate::amplifiers::columns(tile) {
                if counts[x] == u16::MAX || f64::from(counts[x]) >= level_adu {
                    full.push((y * columns + x) as u32);
                }
            }
        }
        full.sort_unstable();
        full
    };
    Ok((0..rows).into_par_iter().map(of_row).collect::<Vec<_>>().concat())
}

/// Full pixels of the frames among `candidates` that matter to a frame, and those frames, in order of time.
///
/// # Errors
/// When a frame that matters cannot be read.
pub fn full_before(
    info: &Level0Info,
    calibration: &DetectorCalibration,
    candidates: &[PathBuf],
) -> Result<(Vec<FullBefore>, Vec<PathBuf>), ReductionError> {
    let Some(law) = calibration.knowledge_for("persistence", info)?.persistence else { return Ok((Vec::new(), Vec::new())) };
    let (reach_s, key) = (reach_of(&law), Key::of(info));
    let mut near: Vec<Level0Info> = Vec::new();
    for path in candidates {
        let file = path.file_name().map(|n| n.to_string_lossy().into_owned()).unwrap_or_default();
        // The name says enough to leave most files closed.
        let Ok(name) = ProductName::parse(&file) else { continue };
        let since_s = (info.observation.start_mjd - name.stop.mjd()) * 86_400.0;
        if name.detector != key.detector || !(-NAME_S..reach_s + NAME_S).contains(&since_s) || name.obsid == info.name.obsid {
            continue;
        }
        let other = read_level0_info(path)?;
        let since_s = (info.observation.start_mjd - other.observation.stop_mjd) * 86_400.0;
        if Key::of(&other) == key && (0.0..reach_s).contains(&since_s) {
            near.push(other);
        }
    }
    near.sort_by(|a, b| a.observation.stop_mjd.total_cmp(&b.observation.stop_mjd).then(a.path.cmp(&b.path)));
    let (mut full, mut paths) = (Vec::new(), Vec::new());
    for other in near {
        let level0 = read_level0(&other.path)?;
        let pixels = full_pixels(&level0, &calibration.knowledge_for("full_well", &other)?)?;
        let since_s = (info.observation.start_mjd - other.observation.stop_mjd) * 86_400.0;
        full.push(FullBefore { since_s, pixels });
        paths.push(other.path);
    }
    Ok((full, paths))
}
