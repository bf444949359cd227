//! The calibration of one detector and window: what its masters say about a frame.

use super::Master;
use super::read::{Units, read_map};
use crate::error::ReductionError;
use crate::group::Key;
use crate::index::Entry;
use crate::masters::hot_and_warm_pixels;
use crate::references::{REFERENCES, ReferenceKind};
use crate::shutter_fit::ShutterMap;
use instruments::product::level0::Level0Info;
use ndarray::Array2;
use sim_core::detector::ReadoutLayout;
use sim_core::exposure::ExposureKind;
use sim_core::knowledge::{DefectPixel, Knowledge, Measured, Reference};
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

/// Charge counts as saturated from this fraction of the nominal full well: clipped pixels scatter below it by read noise and
/// by the error of the measured gain, both under a third of a per cent.
const SATURATION_MARGIN: f64 = 0.99;

/// The calibration of one detector and window.
#[derive(Debug)]
pub struct DetectorCalibration {
    /// What it is for.
    pub key: Key,
    /// Raw layout.
    pub layout: ReadoutLayout,
    /// Gain by amplifier \[electron / ADU\].
    pub gain: Vec<Measured>,
    /// Read noise by amplifier \[electron\].
    pub read_noise: Vec<Measured>,
    /// Variance of the master bias by amplifier \[ADU^2\].
    pub bias_variance: Vec<f64>,
    /// Largest chi-square per degree of freedom of the photon transfer curves.
    pub transfer_chi2: f64,
    /// Mean of 1 / t of the dark frames \[1 / s\], if there is a dark.
    pub dark_inverse_time_s: Option<f64>,
    /// The references that hold at the frame's date, by type.
    pub chosen: BTreeMap<String, Entry>,
    /// References of this detector that do not hold at the frame's date, by type.
    pub out_of_date: BTreeMap<String, Vec<Entry>>,
    /// Folder of the references.
    pub(super) folder: PathBuf,
    pub(super) kept: BTreeMap<Master, Arc<Reference>>,
}

impl DetectorCalibration {
    /// File name of a master without `.fits`.
    #[must_use]
    pub fn name(&self, master: Master) -> Option<String> {
        self.name_of(master.code())
    }
    /// File name of a reference of a type without `.fits`.
    #[must_use]
    pub fn name_of(&self, code: &str) -> Option<String> {
        self.chosen.get(code).map(|e| e.file.trim_end_matches(".fits").to_string())
    }
    /// Path of a reference.
    fn path(&self, code: &str) -> Option<PathBuf> {
        self.chosen.get(code).map(|e| self.folder.join(&e.file))
    }
    /// Types that a step uses.
    fn codes_of(step: &str) -> Vec<&'static str> {
        // Gain and read noise lie in the bias.
        let numbers = matches!(step, "digitise" | "read_noise").then_some(Master::Bias);
        let master = Master::of_step(step).or(numbers).map(Master::code);
        master.into_iter().chain(REFERENCES.iter().filter(|r| r.steps.contains(&step)).map(|r| r.code)).collect()
    }
    /// The references that a step of the reduction uses.
    pub fn references_of(&self, step: &str) -> impl Iterator<Item = &Entry> {
        Self::codes_of(step).into_iter().filter_map(|code| self.chosen.get(code))
    }
    /// Why a step has no reference although the detector has some: their dates.
    #[must_use]
    pub fn out_of_date_for(&self, step: &str) -> Option<String> {
        Self::codes_of(step).into_iter().find_map(|code| {
            let dates: Vec<String> = self.out_of_date.get(code)?.iter().map(Entry::validity).collect();
            Some(format!("no {code} holds at this date, only {}", dates.join("; ")))
        })
    }
    /// Image and variance of a master; `None` when it was not made.
    ///
    /// # Errors
    /// When its file cannot be read or does not fit the window.
    pub fn reference(&self, master: Master) -> Result<Option<Arc<Reference>>, ReductionError> {
        if let Some(kept) = self.kept.get(&master) {
            return Ok(Some(Arc::clone(kept)));
        }
        let Some(path) = self.path(master.code()) else { return Ok(None) };
        let (_, _, columns, rows) = self.key.window;
        Units::open(&path)?.reference((rows, columns)).map(Some)
    }
    /// The fit of the shutter map, if there is one.
    ///
    /// # Errors
    /// When its file cannot be read.
    pub fn shutter_map(&self) -> Result<Option<ShutterMap>, ReductionError> {
        self.path(Master::Shutter.code()).map(|path| read_map(&mut Units::open(&path)?)).transpose()
    }
    /// All that the reduction knows of a frame.
    ///
    /// # Errors
    /// When a master cannot be read.
    pub fn knowledge(&self, info: &Level0Info) -> Result<Knowledge, ReductionError> {
        let mut knowledge = self.numbers(info);
        knowledge.bias = self.bias_for(info)?;
        knowledge.dark = self.reference(Master::Dark)?;
        knowledge.flat = self.reference(Master::Flat)?;
        knowledge.shutter = self.reference(Master::Shutter)?;
        let hot = knowledge.dark.as_ref().map(|dark| self.hot_pixels(dark, info.observation.time_s));
        knowledge.defects = hot.as_ref().map(|hot| Arc::new(as_map(hot, info.window.shape())));
        for kind in &REFERENCES {
            self.add(kind, &mut knowledge)?;
        }
        if let Some(hot) = hot {
            let others = knowledge.defect_pixels.iter().flat_map(|known| known.iter().copied());
            knowledge.defect_pixels = Some(Arc::new(others.chain(hot).collect()));
        }
        Ok(knowledge)
    }
    /// Adds what a reference holds, if there is one.
    fn add(&self, kind: &ReferenceKind, knowledge: &mut Knowledge) -> Result<(), ReductionError> {
        match self.path(kind.code) {
            Some(path) => kind.load(&path, knowledge),
            None => Ok(()),
        }
    }
    /// What one step of the reduction needs to know, so that no more than one master is in memory.
    ///
    /// # Errors
    /// When its master cannot be read.
    pub fn knowledge_for(&self, step: &str, info: &Level0Info) -> Result<Knowledge, ReductionError> {
        let mut knowledge = self.numbers(info);
        match Master::of_step(step) {
            Some(Master::Bias) => knowledge.bias = self.bias_for(info)?,
            Some(Master::Dark) => {
                knowledge.dark = self.reference(Master::Dark)?;
                let hot = knowledge.dark.as_ref().map(|dark| self.hot_pixels(dark, info.observation.time_s));
                match step {
                    // A list takes little memory beside the dark itself; the finder of hits wants a map and not the dark.
                    "dark" => knowledge.defect_pixels = hot.map(Arc::new),
                    _ => knowledge.defects = hot.map(|hot| Arc::new(as_map(&hot, info.window.shape()))),
                }
            }
            Some(Master::Flat) => knowledge.flat = self.reference(Master::Flat)?,
            Some(Master::Shutter) => knowledge.shutter = self.reference(Master::Shutter)?,
            None => {}
        }
        for kind in REFERENCES.iter().filter(|r| r.steps.contains(&step)) {
            self.add(kind, &mut knowledge)?;
        }
        Ok(knowledge)
    }
    fn numbers(&self, info: &Level0Info) -> Knowledge {
        let mut knowledge = Knowledge::of_layout(self.layout.clone(), info.window, info.observation.time_s);
        knowledge.gain = Some(self.gain.clone());
        knowledge.read_noise = Some(self.read_noise.clone());
        knowledge.saturation_electron = info.header.f64("FULLWELL").map(|full_well| SATURATION_MARGIN * full_well);
        knowledge
    }
    /// The master bias for a frame.
    ///
    /// Its error enters a frame twice: directly, and through the dark, from which it was subtracted. The two cancel in part:
    /// with darks of mean inverse time <1/t_d> the net factor is 1 - t <1/t_d>. The bias handed on carries that net variance,
    /// the dark only its own.
    fn bias_for(&self, info: &Level0Info) -> Result<Option<Arc<Reference>>, ReductionError> {
        let Some(bias) = self.reference(Master::Bias)? else { return Ok(None) };
        let factor = match (self.dark_inverse_time_s, info.observation.kind) {
            (Some(inverse_time_s), kind) if kind != ExposureKind::Bias => (1.0 - info.observation.time_s * inverse_time_s).powi(2) as f32,
            _ => return Ok(Some(bias)),
        };
        let mut own = Arc::try_unwrap(bias).unwrap_or_else(|shared| (*shared).clone());
        own.variance.par_mapv_inplace(|v| v * factor);
        Ok(Some(Arc::new(own)))
    }
    /// Hot and warm pixels for an exposure time. (Bad pixels are flagged by the flat step.)
    fn hot_pixels(&self, dark: &Reference, time_s: f64) -> Vec<DefectPixel> {
        let inverse_time_s = self.dark_inverse_time_s.unwrap_or(0.0);
        let of_bias = |amplifier: usize| (self.gain[amplifier].value * inverse_time_s).powi(2) * self.bias_variance[amplifier];
        let variance = |amplifier: usize, y: usize, x: usize, _: f64| f64::from(dark.variance[(y, x)]) + of_bias(amplifier);
        hot_and_warm_pixels(&self.layout, &dark.image, variance, &self.read_noise, time_s)
    }
}

/// A list of pixels as a map of the window.
fn as_map(pixels: &[DefectPixel], shape: (usize, usize)) -> Array2<u32> {
    let mut map = Array2::zeros(shape);
    for pixel in pixels {
        map[(pixel.y, pixel.x)] |= pixel.bits;
    }
    map
}
