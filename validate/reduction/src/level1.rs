//! From a raw frame to the level-1 rate, in memory.
//!
//! Order (official pipeline, csster/csst): flags, saturation, overscan and bias, non-linearity (its place is kept), gain, error
//! model, dark, shutter, flat, rate. Charge transfer is undone where calibration knows the traps.
//! Light that is not the sky's: fringes are subtracted where calibration has a fringe frame, scattered light, ghosts and the trails
//! of satellites are flagged. The sky is estimated, not subtracted.

use crate::background::{self, Background};
use crate::earlier;
use crate::error::ReductionError;
use crate::group::Key;
use crate::options::{Finder, Options};
use crate::qc0::{self, Qc0};
use crate::set::{DetectorCalibration, Master};
use crate::steps::{Step, Walk};
use instruments::effects::cosmic_rays::smooth_fill::{self, Prior};
use instruments::product::level0::Level0;
use ndarray::{Array2, s};
use rayon::prelude::*;
use sim_core::correction::StepStatus;
use sim_core::exposure::ExposureKind;
use sim_core::flags;
use sim_core::frame::Frame;
use sim_core::knowledge::Measured;
use sim_core::median::median;
use sim_core::plane::{Light, Rate};
use std::cell::RefCell;
use std::path::PathBuf;
use std::sync::Arc;

/// A level-1 frame.
#[derive(Debug, Clone)]
pub struct Level1 {
    /// Rate \[electron / s\] with variance and flags. Of a bias exposure, which has no time: electrons.
    pub rate: Frame<Rate>,
    /// Unit of the pixels.
    pub unit: &'static str,
    /// Every step, in order.
    pub steps: Vec<Step>,
    /// Sky level and scatter of a pixel, in `unit`; `None` when nothing is left unflagged.
    pub background: Option<Background>,
    /// Rate at which a pixel saturates, lowest of the amplifiers, in `unit`.
    pub saturation: f64,
    /// Quality of the raw frame.
    pub qc0: Qc0,
    /// Fraction of pixels with any official flag.
    pub flagged_fraction: f64,
    /// How cosmic rays were looked for.
    pub cosmic_rays: Option<Finder>,
    /// Raw frames before it that showed which pixels may glow.
    pub earlier: Vec<PathBuf>,
}

impl Level1 {
    /// Whether a step was carried out.
    #[must_use]
    pub fn is_done(&self, step: &str) -> bool {
        self.steps.iter().any(|s| s.name == step && s.status == StepStatus::Done)
    }
}

/// Reduces a raw frame; its counts are given up once they are a frame of f32.
///
/// # Errors
/// When the calibration is not for this detector, window and layout, QC0 refuses the frame, or a reference does not fit.
pub fn reduce_frame(level0: Level0, calibration: &DetectorCalibration, options: &Options) -> Result<Level1, ReductionError> {
    reduce_frame_after(level0, &[], calibration, options)
}

/// As [`reduce_frame`], knowing raw frames that were taken before: those of the same detector and window that end before this one
/// begins show which pixels may glow.
///
/// # Errors
/// As [`reduce_frame`], or when an earlier frame that matters cannot be read.
pub fn reduce_frame_after(
    level0: Level0,
    earlier: &[PathBuf],
    calibration: &DetectorCalibration,
    options: &Options,
) -> Result<Level1, ReductionError> {
    if Key::of(&level0.info) != calibration.key {
        let info = &level0.info;
        let have = calibration.key.describe();
        return Err(ReductionError::NoCalibration { path: info.path.clone(), detector: info.geometry.number, have });
    }
    let qc0 = qc0::inspect(&level0, &calibration.gain, &calibration.read_noise)?;
    let saturation_electron = saturation_electron(&level0, calibration)?;
    let raw = level0.frame();
    let Level0 { info, pixels } = level0;
    drop(pixels);
    let info = &info;
    let kind = info.observation.kind;
    let used = RefCell::new(Vec::new());
    let knowledge = |step: &str| {
        let mut knowledge = calibration.knowledge_for(step, info)?;
        knowledge.hit_finder = options.cosmic_rays.map(Finder::name);
        if step == "persistence" && kind != ExposureKind::Bias {
            let (full, paths) = earlier::full_before(info, calibration, earlier)?;
            knowledge.full_before = Some(Arc::new(full));
            used.replace(paths);
        }
        Ok(knowledge)
    };
    // A reference of another date is a reason to be told.
    let out_of_date = |step: &str| calibration.out_of_date_for(step);
    let mut walk = Walk::new(&knowledge, &info.path).with_reasons(&out_of_date).without(&options.without);
    let mut charge = walk.charge(raw)?;
    if let Some(bits) = charge.flags.as_mut() {
        qc0.flag(info, bits);
    }
    let mut light = walk.light(charge, kind, options)?;
    let shape = light.pixels.dim();
    let time_s = if kind == ExposureKind::Bias { 1.0 } else { info.observation.time_s };
    let (per_time, per_time2) = ((1.0 / time_s) as f32, (1.0 / (time_s * time_s)) as f32);
    light.pixels.par_mapv_inplace(|v| v * per_time);
    light.variance.get_or_insert_with(|| Array2::zeros(shape)).par_mapv_inplace(|v| v * per_time2);
    if options.fill_cosmic_rays && kind == ExposureKind::Science {
        walk.record(FILL, fill_cosmic_rays(&mut light, &walk.steps));
    }
    let flags = &*light.flags.get_or_insert_with(|| Array2::zeros(shape));
    let flagged =
        flags.axis_iter(ndarray::Axis(0)).into_par_iter().map(|row| row.iter().filter(|f| sim_core::flags::official(**f) != 0).count());
    let flagged_fraction = flagged.sum::<usize>() as f64 / flags.len().max(1) as f64;
    let background = background::estimate(&light.pixels, flags);
    let saturation = saturation_electron / time_s;
    let unit = if kind == ExposureKind::Bias { "electron" } else { "electron/s" };
    Ok(Level1 {
        rate: light.cross(),
        unit,
        steps: walk.steps,
        background,
        saturation,
        qc0,
        flagged_fraction,
        cosmic_rays: options.cosmic_rays,
        earlier: used.take(),
    })
}

/// Name of the step that fills flagged pixels.
pub const FILL: &str = "fill_cosmic_rays";

/// Gives pixels whose one official flag is COSMIC_RAY the value and variance that their neighbours allow.
fn fill_cosmic_rays(frame: &mut Frame<Light>, steps: &[Step]) -> StepStatus {
    if !steps.iter().any(|s| s.name == "cosmic_rays" && s.status == StepStatus::Done) {
        return StepStatus::Skipped("cosmic rays were not looked for".into());
    }
    let (Some(bits), Some(variance)) = (&frame.flags, &mut frame.variance) else {
        return StepStatus::Skipped("no flags".into());
    };
    let hit = bits.mapv(is_filled);
    // Pixels beside a flagged one hold light of the hit that was too faint to be flagged.
    let unusable = Array2::from_shape_fn(bits.dim(), |(y, x)| {
        let around = [(y.wrapping_sub(1), x), (y + 1, x), (y, x.wrapping_sub(1)), (y, x + 1)];
        flags::official(bits[(y, x)]) != 0 || around.iter().any(|at| hit.get(*at).copied().unwrap_or(false))
    });
    smooth_fill::fill(&mut frame.pixels, variance, &hit, &unusable, smooth_fill::LENGTH_PX, Prior::Star);
    StepStatus::Done
}

/// Whether a flagged pixel is one that is filled.
pub(crate) fn is_filled(bits: u32) -> bool {
    flags::official(bits) == flags::official(flags::COSMIC_RAY)
}

/// Charge at which the first amplifier saturates: the converter's ceiling above its level, or the full well: the measured one of its
/// section, else the nominal one.
fn saturation_electron(level0: &Level0, calibration: &DetectorCalibration) -> Result<f64, ReductionError> {
    let nominal = level0.info.header.f64("FULLWELL").unwrap_or(f64::INFINITY);
    let measured = calibration.knowledge_for("full_well", &level0.info)?.full_wells;
    let full_well = |amplifier: usize| {
        let of_amplifier = measured.as_ref().and_then(|wells| wells.amplifiers.get(amplifier).copied().flatten());
        of_amplifier.map_or(nominal, |well| well.capacity.value)
    };
    let has_overscan = level0.info.layout.tiles.iter().all(|t| t.raw_overscan.nx > 0);
    let bias = if has_overscan { None } else { calibration.reference(Master::Bias)? };
    let of_tile = |tile: &sim_core::detector::AmplifierTile| {
        let level = if tile.raw_overscan.nx > 0 {
            let area = tile.raw_overscan;
            let mut values: Vec<u16> =
                level0.pixels.slice(s![area.y0..area.y0 + area.ny, area.x0..area.x0 + area.nx]).iter().copied().collect();
            median(&mut values).map_or(0.0, f64::from)
        } else {
            let area = tile.science;
            bias.as_ref().map_or(0.0, |bias| {
                let level = bias.image.slice(s![area.y0..area.y0 + area.ny, area.x0..area.x0 + area.nx]);
                level.iter().map(|&v| f64::from(v)).sum::<f64>() / level.len() as f64
            })
        };
        let Measured { value: gain, .. } = calibration.gain[tile.amplifier];
        ((f64::from(u16::MAX) - level) * gain).min(full_well(tile.amplifier))
    };
    Ok(level0.info.layout.tiles.iter().map(of_tile).fold(f64::INFINITY, f64::min))
}
