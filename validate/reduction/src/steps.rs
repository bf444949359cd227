//! Walking back through the planes with the corrections of the registry, and the record of what each did.
//!
//! The forward order of the registry is sky, lamp, flat, shutter, dark | detect | bleeding, full well | digitise |
//! non-linearity, bias, read noise, converter. Walking it backwards is the official order of the reduction (csster/csst): saturation, overscan and bias,
//! non-linearity, gain, error model, dark, shutter, flat.

use crate::error::ReductionError;
use crate::error_model::ShotNoise;
use crate::options::Options;
use instruments::effects::registry::{self, Entry};
use sim_core::correction::{CorrectionError, StepStatus};
use sim_core::exposure::ExposureKind;
use sim_core::frame::Frame;
use sim_core::knowledge::Knowledge;
use sim_core::plane::{Charge, Counts, Light, Plane};
use std::path::Path;

/// One step of a reduction.
#[derive(Debug, Clone, PartialEq)]
pub struct Step {
    /// Name of the effect or crossing undone.
    pub name: String,
    /// What became of it.
    pub status: StepStatus,
}

/// What is known for a step, by the name of the effect it undoes. Asked for step by step, so that masters of whole
/// chips need not be in memory together.
pub type KnowledgeOf<'a> = &'a dyn Fn(&str) -> Result<Knowledge, ReductionError>;

/// Why calibration has no reference for a step although the detector has some; `None`: it has none at all.
pub type ReasonOf<'a> = &'a dyn Fn(&str) -> Option<String>;

/// A walk back with one frame.
pub struct Walk<'a> {
    knowledge: KnowledgeOf<'a>,
    unknown: ReasonOf<'a>,
    path: &'a Path,
    without: &'a [String],
    observer: &'a dyn Fn(&Step),
    /// Steps so far.
    pub steps: Vec<Step>,
}

impl<'a> Walk<'a> {
    /// A walk with what is known; `path` names the frame in errors.
    #[must_use]
    pub fn new(knowledge: KnowledgeOf<'a>, path: &'a Path) -> Self {
        Self { knowledge, unknown: &|_| None, path, without: &[], observer: &|_| (), steps: Vec::new() }
    }
    /// A walk that leaves these effects as they are.
    #[must_use]
    pub fn without(self, without: &'a [String]) -> Self {
        Self { without, ..self }
    }
    /// The same walk with reasons for references that are missing.
    #[must_use]
    pub fn with_reasons(self, unknown: ReasonOf<'a>) -> Self {
        Self { unknown, ..self }
    }
    /// The same walk; `observer` hears of every step when it is done or skipped.
    #[must_use]
    pub fn observed(self, observer: &'a dyn Fn(&Step)) -> Self {
        Self { observer, ..self }
    }
    fn failed(&self, source: CorrectionError) -> ReductionError {
        ReductionError::Correction { path: self.path.into(), source }
    }
    /// Records a step.
    pub fn record(&mut self, name: &str, status: StepStatus) {
        let step = Step { name: name.into(), status };
        (self.observer)(&step);
        self.steps.push(step);
    }
    /// Applies the corrections of a plane's effects, last effect first. A step that `leave` gives a reason for, or whose
    /// reference calibration has not made, is recorded as skipped.
    fn undo<P: Plane>(
        &mut self,
        entries: &[Entry<P>],
        frame: &mut Frame<P>,
        leave: &dyn Fn(&str) -> Option<&'static str>,
    ) -> Result<(), ReductionError> {
        for entry in entries.iter().rev() {
            if self.without.iter().any(|name| name == entry.name) {
                self.record(entry.name, StepStatus::Skipped("left out on request".into()));
                continue;
            }
            if let Some(reason) = leave(entry.name) {
                self.record(entry.name, StepStatus::Skipped(reason.into()));
                continue;
            }
            // The knowledge goes before the correction acts: what the correction needs of it, it keeps.
            let knowledge = (self.knowledge)(entry.name)?;
            let correction = entry.twin.correction(&knowledge);
            drop(knowledge);
            let status = match correction {
                None => match &entry.twin {
                    registry::Twin::None(reason) => StepStatus::Skipped((*reason).into()),
                    _ => StepStatus::Skipped("no correction".into()),
                },
                Some(Err(CorrectionError::Unknown { what, .. })) => {
                    let reason = (self.unknown)(entry.name);
                    StepStatus::Skipped(reason.unwrap_or_else(|| format!("calibration has no {what}")))
                }
                Some(Err(error)) => return Err(self.failed(error)),
                Some(Ok(correction)) => correction.correct(frame).map_err(|e| self.failed(e))?,
            };
            self.record(entry.name, status);
        }
        Ok(())
    }
    /// Raw counts to electrons on the science window.
    ///
    /// # Errors
    /// When the gain is unknown or a reference does not fit.
    pub fn charge(&mut self, mut frame: Frame<Counts>) -> Result<Frame<Charge>, ReductionError> {
        self.undo(registry::counts(), &mut frame, &|_| None)?;
        let digitise = registry::digitise();
        let back = (digitise.backward)(&(self.knowledge)(digitise.name)?).map_err(|e| self.failed(e))?;
        let (frame, status) = back.cross_back(frame).map_err(|e| self.failed(e))?;
        self.record(digitise.name, status);
        Ok(frame)
    }
    /// Undoes what happened to the charge after it was collected, and flags what cannot be undone.
    ///
    /// # Errors
    /// When a reference does not fit.
    pub fn recover(&mut self, mut frame: Frame<Charge>, kind: ExposureKind, options: &Options) -> Result<Frame<Charge>, ReductionError> {
        let leave = |name: &str| match (name, kind) {
            ("cosmic_rays", ExposureKind::Science) if options.cosmic_rays.is_some() => None,
            ("cosmic_rays", ExposureKind::Science) => Some("not asked for"),
            ("cosmic_rays", _) => Some("calibration frames are combined, not cleaned"),
            ("cti", ExposureKind::Bias) => Some("a bias exposure has no charge to carry"),
            _ => None,
        };
        self.undo(registry::charge(), &mut frame, &leave)?;
        Ok(frame)
    }
    /// Electrons to the light that made them: flags, shot noise, and what applies to this kind of exposure of dark,
    /// shutter and flat. The sky stays: level 1 only estimates it.
    ///
    /// # Errors
    /// When a reference does not fit.
    pub fn light(&mut self, frame: Frame<Charge>, kind: ExposureKind, options: &Options) -> Result<Frame<Light>, ReductionError> {
        let mut frame = self.recover(frame, kind, options)?;
        let detect = registry::detect();
        let (mut frame, status) = match options.shot_noise {
            ShotNoise::Local => {
                crate::error_model::add_shot_noise(&mut frame);
                (frame.cross(), StepStatus::Done)
            }
            ShotNoise::Pixel => {
                let back = (detect.backward)(&(self.knowledge)(detect.name)?).map_err(|e| self.failed(e))?;
                back.cross_back(frame).map_err(|e| self.failed(e))?
            }
        };
        self.record(detect.name, status);
        let leave = |name: &str| match (name, kind) {
            ("trails", ExposureKind::Science) if !options.trails => Some("not asked for"),
            ("scattered_light", ExposureKind::Science) if !options.scattered_light => Some("not asked for"),
            ("sky", _) => Some("level 1 estimates the sky and leaves it in"),
            ("trails" | "ghosts" | "scattered_light" | "fringing", kind) if kind != ExposureKind::Science => {
                Some("no sky in a calibration exposure")
            }
            ("persistence", ExposureKind::Bias) => Some("a bias exposure has no time to glow"),
            ("dark" | "shutter" | "flat", ExposureKind::Bias) => Some("a bias exposure has no time and no light"),
            ("shutter" | "flat", ExposureKind::Dark) => Some("no light in a dark exposure"),
            _ => None,
        };
        self.undo(registry::light(), &mut frame, &leave)?;
        Ok(frame)
    }
}
