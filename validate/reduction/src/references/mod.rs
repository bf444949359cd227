//! References that calibration measures beside the masters: numbers such as the traps of a detector, or a frame that one step needs.
//!
//! Each kind is a file here: it **measures** from calibration exposures, **writes** what it found as FITS units, **reads** them back into
//! [`Knowledge`], and says which steps of the reduction use it. [`REFERENCES`] lists the kinds; nothing else names them. Bias, dark, flat and
//! shutter, which hang together through their errors, are made by [`crate::masters`].

mod boundaries;
mod crosstalk;
mod defects;
mod fringes;
mod full_well;
mod ghosts;
mod linearity;
mod overscan;
mod persistence;
mod traps;

use crate::amplifiers::spread;
use crate::error::ReductionError;
use crate::group::Group;
use crate::masters::clean::{self, Cleaner};
use crate::masters::{CalibrationOptions, Ramp};
use crate::raw_stack::RawFrame;
use crate::set::Units;
use instruments::product::level0::{Level0, Level0Info, read_level0};
use ndarray::{Array2, Axis};
use rayon::prelude::*;
use sim_core::fits::Hdu;
use sim_core::knowledge::{Knowledge, Reference};
use std::ops::Range;
use std::path::Path;
use std::sync::Arc;

/// When a kind is measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Stage {
    /// When a first bias is known: how levels are read from the overscan. The bias is made again with it.
    Levels,
    /// When the bias and the noise in ADU are known: what the readout does to counts.
    Counts,
    /// When the gain is known: what happens to charge. May improve gain and read noise in the knowledge.
    Charge,
    /// When gain and noise are final and frames are cleaned, before dark and flat are made: room for images of the window.
    Cleaned,
    /// When bias, dark and flat are made; from exposures of the sky.
    Sky,
}

/// What became of a measurement.
#[derive(Debug, Clone, PartialEq)]
pub enum Outcome {
    /// Measured, and put into the knowledge.
    Measured {
        /// Figures of quality, for the index and the header: keyword of eight letters at most, value, meaning.
        quality: Vec<(&'static str, f64, &'static str)>,
        /// What was done, for the history.
        note: String,
    },
    /// Not measured, with the reason: the step will say so.
    Skipped(String),
}

/// Type of the reference that is the mask of a detector's defects.
pub(crate) const MASK: &str = defects::KIND.code;

/// A kind of reference.
pub struct ReferenceKind {
    /// Type in file name and index: `MTRAP`.
    pub code: &'static str,
    /// Keyword of level 1 that names the file.
    pub keyword: &'static str,
    /// What it is, in words.
    pub what: &'static str,
    /// Steps (names of effects) that use it.
    pub steps: &'static [&'static str],
    /// When it is measured.
    pub stage: Stage,
    /// Whether exposures must have this effect undone before darks and flats are made of them.
    pub cleans: bool,
    /// Measures it and puts it into the knowledge.
    pub measure: fn(&Evidence<'_>, &mut Knowledge) -> Result<Outcome, ReductionError>,
    /// Its extensions; `None` when the knowledge has none of it.
    pub write: fn(&Knowledge) -> Option<Vec<Hdu>>,
    /// Reads the extensions into the knowledge.
    pub read: fn(&mut Units, &mut Knowledge) -> Result<(), ReductionError>,
}

impl ReferenceKind {
    /// Reads a file of this kind into the knowledge.
    ///
    /// # Errors
    /// When it is no FITS file, or lacks what the kind has.
    pub fn load(&self, path: &Path, knowledge: &mut Knowledge) -> Result<(), ReductionError> {
        (self.read)(&mut Units::open(path)?, knowledge)
    }
}

/// All kinds, in the order in which they are measured within a stage.
pub static REFERENCES: [ReferenceKind; 10] = [
    overscan::KIND,
    crosstalk::KIND,
    linearity::KIND,
    full_well::KIND,
    traps::KIND,
    boundaries::KIND,
    defects::KIND,
    persistence::KIND,
    fringes::KIND,
    ghosts::KIND,
];

/// The kind of this type.
#[must_use]
pub fn by_code(code: &str) -> Option<&'static ReferenceKind> {
    REFERENCES.iter().find(|r| r.code == code)
}

/// What a measurement may look at: the calibration exposures of one detector, window and epoch.
#[derive(Debug, Clone, Copy)]
pub struct Evidence<'a> {
    /// The exposures, saturated flats and the darks after them left out.
    pub group: &'a Group,
    /// Flats with full pixels.
    pub saturated: &'a [Level0Info],
    /// Darks after them.
    pub after_full: &'a [Level0Info],
    /// How masters are made.
    pub options: &'a CalibrationOptions,
    /// What all flats show of the amplifiers' responses, saturated ones among them.
    pub ramp: &'a Ramp,
    /// Master bias \[ADU\], variance left out.
    pub bias: &'a Arc<Reference>,
    /// Frames cleaned before, when there is something to clean.
    pub(crate) cleaner: Option<&'a Cleaner>,
}

impl Evidence<'_> {
    /// A raw frame with its scans.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub fn raw(&self, info: &Level0Info) -> Result<Level0, ReductionError> {
        Ok(read_level0(&info.path)?)
    }
    /// Science pixels of a frame after overscan and bias subtraction, with all that `knowledge` has undone \[ADU\].
    ///
    /// # Errors
    /// When the file cannot be read or a correction refuses it.
    pub fn counts(&self, info: &Level0Info, knowledge: &Knowledge) -> Result<Array2<f32>, ReductionError> {
        clean::counts(info, knowledge, self.bias)
    }
    /// Cleans frames one after the other, before many of them are looked at in bands.
    ///
    /// # Errors
    /// When a file cannot be read or a correction refuses it.
    pub fn clean_first(&self, frames: &[&Level0Info]) -> Result<(), ReductionError> {
        match self.cleaner {
            Some(cleaner) => frames.iter().try_for_each(|info| cleaner.clean(info)),
            None => Ok(()),
        }
    }
    /// Some rows of a dark or flat \[electron\], as the masters are made of them.
    ///
    /// # Errors
    /// When the file cannot be read or a correction refuses it.
    pub fn electrons(&self, info: &Level0Info, knowledge: &Knowledge, rows: &Range<usize>) -> Result<Array2<f32>, ReductionError> {
        let layout = &knowledge.layout;
        let frame = match self.cleaner {
            Some(cleaner) => RawFrame::clean(cleaner.rows(info, rows)?, rows),
            None => RawFrame::new(&read_level0(&info.path)?, rows, knowledge.overscan.as_ref())?,
        };
        let gain: Vec<f64> = knowledge.gain.iter().flatten().map(|g| g.value).collect();
        let mut out = Array2::zeros((rows.len(), info.window.nx));
        out.axis_iter_mut(Axis(0)).into_par_iter().zip(rows.clone()).for_each(|(mut out, y)| {
            let Some(row) = out.as_slice_mut() else { unreachable!("a row of a fresh array is one slice") };
            frame.row(layout, y, row);
            if !frame.is_clean() {
                row.iter_mut().zip(self.bias.image.row(y)).for_each(|(v, b)| *v -= b);
            }
            if gain.len() == layout.amplifier_count {
                row.iter_mut().zip(spread(layout, y, info.window.nx, &gain)).for_each(|(v, g)| *v = (f64::from(*v) * g) as f32);
            }
        });
        Ok(out)
    }
}
