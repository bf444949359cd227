//! What the page works on: frames, the configuration, choices, and the measurements made so far.

use super::super::edits::{Edits, OrderEdits};
use super::super::error::CalibrationError;
use super::super::frames::{CalibrationFrame, Calibrator, Nominal, OwnedFrame};
use super::super::line_list::Feature;
use super::super::measure::{PositionMeasurement, measure_position};
use super::super::settings::Settings;
use std::path::PathBuf;

/// A frame of a session.
#[derive(Debug, Clone)]
pub struct SessionFrame {
    /// Name, unique.
    pub name: String,
    /// Detector.
    pub detector: String,
    /// What the calibrator is.
    pub calibrator: Calibrator,
    /// Column of the undispersed image \[pixel\].
    pub x0: f64,
    /// Row of the undispersed image \[pixel\].
    pub y0: f64,
    /// The planes.
    pub frame: OwnedFrame,
}

impl SessionFrame {
    /// As the engine takes it.
    #[must_use]
    pub fn view(&self) -> CalibrationFrame<'_> {
        CalibrationFrame {
            name: &self.name,
            detector: &self.detector,
            image: self.frame.image(),
            calibrator: self.calibrator,
            x0: self.x0,
            y0: self.y0,
        }
    }
}

/// A session.
#[derive(Debug, Clone)]
pub struct Session {
    /// The frames.
    pub frames: Vec<SessionFrame>,
    /// Where one starts from.
    pub nominal: Nominal,
    /// Lines of the nebula.
    pub list: Vec<Feature>,
    /// Settings.
    pub settings: Settings,
    /// A person's choices.
    pub edits: Edits,
    /// Where they are saved; none: saving is refused.
    pub edits_path: Option<PathBuf>,
    /// A person has pressed "Finish".
    pub finished: bool,
    before: Vec<Option<PositionMeasurement>>,
    now: Vec<Option<PositionMeasurement>>,
}

impl Session {
    /// A session with choices made before (empty at first).
    ///
    /// # Errors
    /// [`CalibrationError::Edit`] when choices name a frame that is not here, and what [`CalibrationFrame::check`] says.
    pub fn new(
        frames: Vec<SessionFrame>,
        nominal: Nominal,
        list: Vec<Feature>,
        settings: Settings,
        edits: Edits,
        edits_path: Option<PathBuf>,
    ) -> Result<Self, CalibrationError> {
        edits.check(&frames.iter().map(|f| f.name.as_str()).collect::<Vec<_>>())?;
        frames.iter().try_for_each(|f| f.view().check(&nominal))?;
        let none = vec![None; frames.len()];
        Ok(Self { frames, nominal, list, settings, edits, edits_path, finished: false, before: none.clone(), now: none })
    }
    /// Index of a frame.
    ///
    /// # Errors
    /// [`CalibrationError::Edit`] when there is none of this name.
    pub fn index(&self, name: &str) -> Result<usize, CalibrationError> {
        let found = self.frames.iter().position(|f| f.name == name);
        found.ok_or_else(|| CalibrationError::Edit { what: format!("no frame {name} in this session") })
    }
    /// The measurement without choices and with them.
    ///
    /// # Errors
    /// What [`measure_position`] says.
    pub fn measured(&mut self, index: usize) -> Result<(&PositionMeasurement, &PositionMeasurement), CalibrationError> {
        let frame = self.frames[index].view();
        let measure = |edits: &Edits| measure_position(&frame, &self.nominal, &self.list, &self.settings, edits);
        if self.before[index].is_none() {
            self.before[index] = Some(measure(&Edits::default())?);
        }
        if self.now[index].is_none() {
            self.now[index] = Some(measure(&self.edits)?);
        }
        match (&self.before[index], &self.now[index]) {
            (Some(before), Some(now)) => Ok((before, now)),
            _ => Err(CalibrationError::Edit { what: "not measured".into() }),
        }
    }
    /// Sets choices; the frame is measured again when next asked for. Choices that the engine refuses are not taken.
    ///
    /// # Errors
    /// What [`measure_position`] says; [`CalibrationError::Edit`].
    pub fn choose(&mut self, name: &str, order: i32, choices: OrderEdits) -> Result<(), CalibrationError> {
        let index = self.index(name)?;
        for line in choices.lines_added.iter().map(|l| &l.name).chain(&choices.lines_kept).chain(&choices.lines_rejected) {
            if !self.list.iter().any(|f| f.name == *line) {
                return Err(CalibrationError::Edit { what: format!("no line {line} in the list") });
            }
        }
        self.edits.set(name, order, choices);
        self.now[index] = None;
        Ok(())
    }
    /// All positions that can be measured, without choices or with them.
    pub fn positions(&mut self, edited: bool) -> Vec<PositionMeasurement> {
        (0..self.frames.len())
            .filter_map(|i| self.measured(i).ok().map(|(before, now)| if edited { now.clone() } else { before.clone() }))
            .collect()
    }
}
