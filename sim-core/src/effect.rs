//! Forward effects: what the detector does, knowing itself as it is.

use crate::detector::{DetectorGeometry, ReadoutLayout};
use crate::exposure::Exposure;
use crate::frame::{Frame, Window};
use crate::ledger::Ledger;
use crate::plane::Plane;
use crate::stream::{Stream, StreamKey};

/// A physical effect on plane `P`. Implementations live in `instruments`, their correction beside them.
pub trait Effect<P: Plane>: Send + Sync {
    /// Changes the frame and says what that did to the total signal.
    ///
    /// # Errors
    /// When the frame and the effect's parameters do not fit (shape, range).
    fn apply(&self, frame: &mut Frame<P>, cx: &Context<'_>) -> Result<Ledger, EffectError>;

    /// The same as work on single rows, for effects whose pixels need no other row: a chain runs neighbours of this
    /// kind together while a row is in cache, with the bits of one `apply` after the other.
    ///
    /// # Errors
    /// As [`Effect::apply`].
    fn rows<'a>(&'a self, _cx: &'a Context<'a>) -> Result<Rows<'a>, EffectError> {
        Ok(Rows::Whole)
    }
}

/// How an effect does its work.
pub enum Rows<'a> {
    /// On the whole frame, by [`Effect::apply`].
    Whole,
    /// Not at all in this exposure.
    Idle,
    /// Row by row.
    Each(RowKernel<'a>),
}

/// Work on one row: row number in the frame, its pixels, room for as many random numbers.
pub type RowWork<'a> = Box<dyn Fn(usize, &mut [f32], &mut [f32]) + Send + Sync + 'a>;

/// An effect made ready for one frame.
pub struct RowKernel<'a> {
    /// Shape the frame must have (rows, columns).
    pub shape: (usize, usize),
    /// The work.
    pub work: RowWork<'a>,
}

impl<'a> Rows<'a> {
    /// Row by row on a frame of `shape` (rows, columns).
    pub fn each(shape: (usize, usize), work: impl Fn(usize, &mut [f32], &mut [f32]) + Send + Sync + 'a) -> Self {
        Self::Each(RowKernel { shape, work: Box::new(work) })
    }
}

/// What an effect may know of where it is: exposure, detector, layout, and its own random streams.
#[derive(Debug, Clone, Copy)]
pub struct Context<'a> {
    /// The exposure being made.
    pub exposure: &'a Exposure,
    /// Geometry of the detector.
    pub geometry: &'a DetectorGeometry,
    /// Raw layout that the counts plane uses for this window.
    pub layout: &'a ReadoutLayout,
    /// Window of the science array being simulated.
    pub window: Window,
    /// Name of the effect: part of every stream key.
    pub effect: &'static str,
    /// Seed of the scenario: draws that differ from exposure to exposure.
    pub seed: u64,
    /// Seed of the device: fixed patterns (PRNU, hot pixels, bias structure), the same in all exposures.
    pub device_seed: u64,
}

impl Context<'_> {
    /// The random stream of this effect for one row or object of **this exposure**.
    #[must_use]
    pub fn stream(&self, item: u64) -> Stream {
        StreamKey::new(self.seed).with(self.exposure.id).with(u64::from(self.geometry.number)).with_name(self.effect).stream(item)
    }
    /// The random stream of a **fixed pattern** of this detector for one row, the same in every exposure.
    #[must_use]
    pub fn fixed_stream(&self, item: u64) -> Stream {
        StreamKey::new(self.device_seed).with(u64::from(self.geometry.number)).with_name(self.effect).stream(item)
    }
    /// The same context for another effect.
    #[must_use]
    pub fn named(&self, effect: &'static str) -> Self {
        Self { effect, ..*self }
    }
}

/// Why an effect could not be applied.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum EffectError {
    /// A parameter is outside its range.
    #[error("{effect}.{key} = {value} {unit} is outside {range}")]
    OutOfRange {
        /// Effect.
        effect: &'static str,
        /// Parameter.
        key: &'static str,
        /// Value given.
        value: f64,
        /// Unit of the value.
        unit: &'static str,
        /// Allowed range, in words.
        range: &'static str,
    },
    /// The frame does not have the shape the effect needs.
    #[error("{effect}: frame of {got:?} (rows, columns), needs {need:?}")]
    Shape {
        /// Effect.
        effect: &'static str,
        /// Shape of the frame.
        got: (usize, usize),
        /// Shape needed.
        need: (usize, usize),
    },
    /// Something the effect needs is not configured.
    #[error("{effect} needs {what}")]
    Missing {
        /// Effect.
        effect: &'static str,
        /// What is missing and where to give it.
        what: String,
    },
}
