//! Masters from calibration exposures: bias, gain and read noise, dark, shutter map, flat, with propagated errors.
//!
//! # Formula
//! bias `B = median(c_k)`, `Var = m_N r^2`; dark `D = <g (c_k - B) / t_k>`, `Var = h_N [r_e^2 <1/t^2> + D <1/t>]`;
//! flat `F = <q_k>`, `q = [g (c - B) - D t] / [(t + e) K]`, `Var = h_N (F K' + r_e^2) / K'^2 + ...`, normalised to median 1.
//! # Symbols
//! `c` counts after overscan subtraction \[ADU\]; `<>` mean without the smallest and largest; `m_N`, `h_N` variances of median and clipped
//! mean of N normals (`order_statistics`); `r`, `r_e` read noise \[ADU\], \[electron\]; `g` gain; `e` shutter excess \[s\]; `K` level of the
//! frame (its mean), `K' = K (t + e)` \[electron\].
//! # Source
//! Median and mean of the min/max-clipped stack: official pipeline (csster/csst). Bad, hot and warm: its flag definitions.
//! # Limits
//! The error of the master bias is common to all darks and is not in the dark's variance: `DARK` carries the mean of `1/t` so that
//! the user can take the two together (see [`crate::set::DetectorCalibration`]). One exposure time and lamp setting, the best exposed,
//! goes into the flat. The noise of the overscan levels (some 1/150 of the read noise, common to some hundred rows, where calibration knows how
//! levels wander) is not in the masters' variances.

mod bias;
pub(crate) mod clean;
mod dark;
mod defects;
mod flat;
mod flat_levels;
mod made;
mod ramp;
mod shutter;

pub use defects::hot_and_warm_pixels;
pub(crate) use defects::median_of;
pub use made::{Made, MadeDark, MadeFlat};
pub use ramp::Ramp;

use crate::amplifiers::by_amplifier;
use crate::combine::{Combine, Noise};
use crate::error::ReductionError;
use crate::group::Group;
use crate::raw_stack::{Bands, RawFrame};
use crate::references::{Evidence, Outcome, REFERENCES, Stage};
use crate::trap_fit::TrapOptions;
use clean::Cleaner;
use flat_levels::FlatLevels;
use instruments::product::level0::{Level0Info, read_level0};
use ndarray::Array2;
use rayon::prelude::*;
use sim_core::detector::ReadoutLayout;
use sim_core::exposure::ExposureKind;
use sim_core::knowledge::{Knowledge, Measured, OverscanKnowledge, Reference};
use std::ops::Range;
use std::path::Path;
use std::sync::Arc;

/// Blocks along the longer side for the shutter fit.
const SHUTTER_BLOCKS: usize = 48;

/// Full pixels may glow for so long \[s\].
const AFTER_FULL_S: f64 = 3600.0;
/// Least number of darks that do not follow a saturated flat.
const LEAST_OTHER_DARKS: usize = 3;

/// How masters are made.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct CalibrationOptions {
    /// Bytes that a stack and the masters made before it may take together; more frames are treated in bands of rows.
    pub memory_bytes: usize,
    /// Greatest degree of the shutter polynomial.
    pub shutter_degree: usize,
    /// How long references hold after the first of their exposures \[d\].
    pub validity_days: f64,
    /// Traps; the full well is that of the header where there is one.
    pub traps: TrapOptions,
}

impl Default for CalibrationOptions {
    /// 1152 MiB (a whole chip is calibrated in less than 1.5 GB in all), degree 6 (follows the profile of hinged leaves to 1 % of
    /// its amplitude on any chip), a year, three and two species.
    fn default() -> Self {
        let traps = TrapOptions { species: [3, 2], full_well_electron: 9e4, notch_electron: 0.0, blocks: 6, iterations: 1 };
        Self { memory_bytes: 1152 << 20, shutter_degree: 6, validity_days: 366.0, traps }
    }
}

struct Maker<'a> {
    detector: u16,
    layout: &'a ReadoutLayout,
    rows: usize,
    columns: usize,
    options: CalibrationOptions,
    notes: Vec<String>,
    /// How the overscan is read, once that is known.
    overscan: Option<Arc<OverscanKnowledge>>,
    cleaner: Option<Cleaner>,
}

/// Makes the masters and references of one group; `scratch` is a folder for temporary files.
///
/// # Errors
/// When a frame cannot be read, there are fewer than three bias frames or no two equal flats, or a measurement fails.
pub fn make(group: &Group, options: CalibrationOptions, scratch: &Path) -> Result<Made, ReductionError> {
    let Some(first) = group.all().next() else {
        // Exposures of the sky alone.
        let detector = group.sky.first().map_or(0, |i| i.geometry.number);
        return Err(ReductionError::TooFew { detector, what: "calibration", need: "bias frames and flats", found: 0 });
    };
    let (rows, columns) = first.window.shape();
    let layout = &first.layout;
    let mut maker =
        Maker { detector: first.geometry.number, layout, rows, columns, options, notes: Vec::new(), overscan: None, cleaner: None };
    // The variance of the bias goes into the products, not into frames on their way to masters.
    let reference = |image| Arc::new(Reference { image, variance: sim_core::memory::zeros((rows, columns)) });
    let (image, mut noise_adu, mut bias_factor) = maker.bias(&group.bias)?;
    let mut bias = reference(image);
    let ramp = maker.ramp(&group.flat, &bias.image, &noise_adu)?;
    let saturated = |index: usize| ramp.saturated.iter().any(|s| s.0 == index);
    let (full, flat): (Vec<_>, Vec<_>) = group.flat.iter().enumerate().partition(|(i, _)| saturated(*i));
    let [full, flat] = [full, flat].map(|flats| flats.into_iter().map(|(_, f)| f.clone()).collect::<Vec<_>>());
    let (after_full, dark) = maker.after_full(&group.dark, &full);
    let group = &Group { flat, dark, ..group.clone() };
    let mut known = Knowledge::of_layout(layout.clone(), first.window, 0.0);
    let mut outcomes = Vec::new();
    let mut look =
        |stage: Stage, known: &mut Knowledge, bias: &Arc<Reference>, cleaner: Option<&Cleaner>| -> Result<bool, ReductionError> {
            let evidence = Evidence { group, saturated: &full, after_full: &after_full, options: &options, ramp: &ramp, bias, cleaner };
            let mut cleans = false;
            for kind in REFERENCES.iter().filter(|r| r.stage == stage) {
                let outcome = (kind.measure)(&evidence, known)?;
                cleans |= kind.cleans && matches!(outcome, Outcome::Measured { .. });
                outcomes.retain(|(code, _): &(&'static str, Outcome)| *code != kind.code);
                outcomes.push((kind.code, outcome));
            }
            Ok(cleans)
        };
    look(Stage::Levels, &mut known, &bias, None)?;
    if known.overscan.is_some() {
        // Levels of bins of rows would stay in the bias as stripes that every frame gets.
        maker.overscan.clone_from(&known.overscan);
        drop(bias);
        let (image, noise, factor) = maker.bias(&group.bias)?;
        (bias, noise_adu, bias_factor) = (reference(image), noise, factor);
    }
    maker.notes.push(format!("bias: median of {0} frames, read noise from {1} pairs", group.bias.len(), group.bias.len() / 2));
    if look(Stage::Counts, &mut known, &bias, None)? {
        maker.cleaner = Some(Cleaner::new(known.clone(), &bias, scratch)?);
    }
    let mut levels = maker.transfer(&group.flat, &bias.image, &noise_adu)?;
    let electrons = |levels: &FlatLevels| {
        let gain = by_amplifier(layout, &levels.gain);
        let noise = by_amplifier(layout, &noise_adu);
        let read_noise = noise.iter().zip(&gain).map(|(r, g)| {
            let value = r.value * g.value;
            Measured { value, error: value * ((r.error / r.value).powi(2) + (g.error / g.value).powi(2)).sqrt() }
        });
        (Some(gain.clone()), Some(read_noise.collect()))
    };
    (known.gain, known.read_noise) = electrons(&levels);
    if look(Stage::Charge, &mut known, &bias, maker.cleaner.as_ref())? {
        // What moves charge takes from the variance of flats: the gain is measured again on cleaned ones, and with it the rest.
        maker.cleaner = Some(Cleaner::new(known.clone(), &bias, scratch)?);
        levels = maker.transfer(&group.flat, &bias.image, &noise_adu)?;
        (known.gain, known.read_noise) = electrons(&levels);
        look(Stage::Charge, &mut known, &bias, maker.cleaner.as_ref())?;
    }
    look(Stage::Cleaned, &mut known, &bias, maker.cleaner.as_ref())?;
    let gain: Vec<Measured> = known.gain.clone().unwrap_or_default();
    let read_noise: Vec<Measured> = known.read_noise.clone().unwrap_or_default();
    let bias_variance = by_amplifier(layout, &noise_adu).iter().map(|m| bias_factor * m.value * m.value).collect();
    let dark = maker.dark(&group.dark, &bias.image, &gain, &read_noise)?;
    let shutter = maker.shutter(&levels, &noise_adu, &gain, dark.as_ref());
    let flat = maker.flat(&group.flat, &levels, &bias.image, (&gain, &read_noise), dark.as_ref(), shutter.as_ref())?;
    look(Stage::Sky, &mut known, &bias, maker.cleaner.as_ref())?;
    let Maker { mut notes, cleaner, .. } = maker;
    // The cleaner shares the bias.
    drop(cleaner);
    notes.extend(outcomes.iter().map(|(code, outcome)| match outcome {
        Outcome::Measured { note, .. } => note.clone(),
        Outcome::Skipped(reason) => format!("{code}: SKIPPED, {reason}"),
    }));
    let bias = Arc::try_unwrap(bias).map_or_else(|shared| shared.image.clone(), |own| own.image);
    let transfer_chi2 = levels.chi2;
    Ok(Made { layout: layout.clone(), read_noise, gain, transfer_chi2, bias, dark, flat, shutter, notes, bias_variance, known, outcomes })
}

/// The rows of a stack at one height.
type Rows<'a> = &'a (dyn Fn(usize) -> Vec<Vec<f32>> + Sync);
/// Standard deviation of a value from its row and level.
type RowNoise<'a> = &'a (dyn Fn(usize, f64) -> f64 + Sync);

/// Pairs of successive members.
fn pairs(members: &[usize]) -> Vec<(usize, usize)> {
    members.chunks_exact(2).map(|p| (p[0], p[1])).collect()
}

impl Maker<'_> {
    /// Bands of a stack while `images` masters are in memory, the one being made among them.
    fn bands(&self, count: usize, images: usize) -> Bands {
        let taken = images * self.rows * self.columns * size_of::<f32>();
        let pixel_bytes = if self.cleaner.is_some() { size_of::<f32>() } else { size_of::<u16>() };
        let memory_bytes = self.options.memory_bytes.saturating_sub(taken);
        Bands { count, rows: self.rows, columns: self.columns, pixel_bytes, memory_bytes }
    }
    /// Darks that begin within [`AFTER_FULL_S`] of the end of a saturated flat, and the others; all are others when too few would be left.
    fn after_full(&mut self, darks: &[Level0Info], full: &[Level0Info]) -> (Vec<Level0Info>, Vec<Level0Info>) {
        let after = |dark: &Level0Info| {
            let since_s = full.iter().map(|f| (dark.observation.start_mjd - f.observation.stop_mjd) * 86_400.0);
            since_s.into_iter().any(|s| (0.0..AFTER_FULL_S).contains(&s))
        };
        let (after_full, others): (Vec<_>, Vec<_>) = darks.iter().cloned().partition(after);
        if after_full.is_empty() {
            return (after_full, others);
        }
        if others.len() < LEAST_OTHER_DARKS {
            self.notes.push(format!("dark: {} of {} frames follow saturated flats and may glow", after_full.len(), darks.len()));
            return (Vec::new(), darks.to_vec());
        }
        self.notes.push(format!("dark: {} frames after saturated flats left out", after_full.len()));
        (after_full, others)
    }
    fn failed(&self, what: impl Into<String>, value: f64, range: &'static str) -> ReductionError {
        ReductionError::Measurement { detector: self.detector, what: what.into(), value, range }
    }
    /// Cleans frames one after the other, before bands of many are in memory.
    fn clean_first<'i>(&self, frames: impl IntoIterator<Item = &'i Level0Info>) -> Result<(), ReductionError> {
        match &self.cleaner {
            Some(cleaner) => frames.into_iter().try_for_each(|info| cleaner.clean(info)),
            None => Ok(()),
        }
    }
    /// The rows of a frame that a band needs.
    fn read(&self, info: &Level0Info, rows: &Range<usize>) -> Result<RawFrame, ReductionError> {
        if let (Some(cleaner), false) = (&self.cleaner, info.observation.kind == ExposureKind::Bias) {
            return Ok(RawFrame::clean(cleaner.rows(info, rows)?, rows));
        }
        let level0 = read_level0(&info.path)?;
        RawFrame::new(&level0, rows, self.overscan.as_ref())
    }
    /// Row `y` of every frame of a band: overscan and bias subtracted \[ADU\].
    fn rows_of(&self, band: &[RawFrame], y: usize, bias: Option<&Array2<f32>>) -> Vec<Vec<f32>> {
        let row = |frame: &RawFrame| {
            let mut out = vec![0.0; self.columns];
            frame.row(self.layout, y, &mut out);
            if let (Some(bias), false) = (bias, frame.is_clean()) {
                out.iter_mut().zip(bias.row(y)).for_each(|(v, b)| *v -= b);
            }
            out
        };
        band.iter().map(row).collect()
    }
    /// Combines the rows that `row(y)` gives into rows of `out`; `noise` is that of a value of a given row and level, for the rejection of hits.
    fn combine(&self, how: Combine, rows: Range<usize>, row: Rows<'_>, noise: Option<RowNoise<'_>>, out: &mut Array2<f32>) {
        let Some(pixels) = out.as_slice_mut() else { unreachable!("a fresh array is one slice") };
        let band = &mut pixels[rows.start * self.columns..rows.end * self.columns];
        band.par_chunks_mut(self.columns).zip(rows).for_each(|(out, y)| {
            let stack = row(y);
            let rows: Vec<&[f32]> = stack.iter().map(Vec::as_slice).collect();
            let noise = noise.map(|noise| move |level: f64| noise(y, level));
            how.row(&rows, noise.as_ref().map(|n| n as Noise<'_>), out);
        });
    }
}
