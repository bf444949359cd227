//! An effect or a crossing by its name, whatever its plane, forward and back.

use anyhow::bail;
use instruments::description::DetectorSpec;
use instruments::effects::crossing::{Crossing, CrossingBack};
use instruments::effects::registry::{self, Entry, Twin};
use ndarray::Array2;
use sim_core::correction::StepStatus;
use sim_core::effect::Context;
use sim_core::frame::{Frame, Window};
use sim_core::knowledge::Knowledge;
use sim_core::plane::{Charge, Counts, Light, Plane};
use sim_core::spelling;

/// The arrays of a frame without their plane.
pub struct Arrays {
    pub pixels: Array2<f32>,
    pub variance: Option<Array2<f32>>,
    pub flags: Option<Array2<u32>>,
}

/// What came out.
pub struct Done {
    pub arrays: Arrays,
    /// Unit of the pixels.
    pub unit: String,
    /// What it did to the sum of the pixels, in words.
    pub account: String,
}

/// One effect or crossing.
pub enum Act {
    Light(&'static Entry<Light>),
    Charge(&'static Entry<Charge>),
    Counts(&'static Entry<Counts>),
    Detect,
    Digitise,
}

impl Act {
    pub fn named(name: &str) -> anyhow::Result<Self> {
        if let Some(entry) = registry::light().iter().find(|e| e.name == name) {
            return Ok(Self::Light(entry));
        }
        if let Some(entry) = registry::charge().iter().find(|e| e.name == name) {
            return Ok(Self::Charge(entry));
        }
        if let Some(entry) = registry::counts().iter().find(|e| e.name == name) {
            return Ok(Self::Counts(entry));
        }
        match name {
            _ if name == registry::detect().name => Ok(Self::Detect),
            _ if name == registry::digitise().name => Ok(Self::Digitise),
            _ => {
                let known = registry::effect_names();
                let near = spelling::nearest(name, known.iter().copied()).map(|n| format!("did you mean `{n}`? ")).unwrap_or_default();
                bail!("there is no effect `{name}`; {near}known: {}", known.join(", "))
            }
        }
    }
    pub fn name(&self) -> &'static str {
        match self {
            Self::Light(entry) => entry.name,
            Self::Charge(entry) => entry.name,
            Self::Counts(entry) => entry.name,
            Self::Detect => registry::detect().name,
            Self::Digitise => registry::digitise().name,
        }
    }
    /// Unit of the plane it acts on.
    pub fn unit_before(&self) -> &'static str {
        if self.on_counts() { Counts::BUNIT } else { Light::BUNIT }
    }
    /// Unit of the plane it leaves the frame on.
    pub fn unit_after(&self) -> &'static str {
        if self.counts_after() { Counts::BUNIT } else { Light::BUNIT }
    }
    /// Whether it acts on counts.
    pub fn on_counts(&self) -> bool {
        matches!(self, Self::Counts(_))
    }
    /// Whether counts come out of it (and go into its correction).
    pub fn counts_after(&self) -> bool {
        matches!(self, Self::Counts(_) | Self::Digitise)
    }

    pub fn forward(&self, spec: &DetectorSpec, pixels: Array2<f32>, cx: &Context<'_>) -> anyhow::Result<Done> {
        fn of<P: Plane>(entry: &Entry<P>, spec: &DetectorSpec, pixels: Array2<f32>, cx: &Context<'_>) -> anyhow::Result<Done> {
            let effect = (entry.forward)(spec)?;
            let mut frame = Frame::<P>::from_pixels(pixels, cx.window);
            let ledger = effect.apply(&mut frame, &cx.named(entry.name))?;
            let account = format!("added {:.6e}, lost {:.6e} {}", ledger.added, ledger.lost, P::BUNIT);
            Ok(Done { arrays: Arrays { pixels: frame.pixels, variance: None, flags: None }, unit: P::BUNIT.into(), account })
        }
        fn across<P: Plane, Q: Plane>(crossing: &dyn Crossing<P, Q>, pixels: Array2<f32>, cx: &Context<'_>) -> anyhow::Result<Done> {
            let before = sum(&pixels);
            let (frame, _) = crossing.cross(Frame::from_pixels(pixels, cx.window), cx)?;
            let account = format!("from {before:.6e} {} to {:.6e} {}", P::BUNIT, sum(&frame.pixels), Q::BUNIT);
            Ok(Done { arrays: Arrays { pixels: frame.pixels, variance: None, flags: None }, unit: Q::BUNIT.into(), account })
        }
        match self {
            Self::Light(entry) => of(entry, spec, pixels, cx),
            Self::Charge(entry) => of(entry, spec, pixels, cx),
            Self::Counts(entry) => of(entry, spec, pixels, cx),
            Self::Detect => across((registry::detect().forward)(spec)?.as_ref(), pixels, cx),
            Self::Digitise => across((registry::digitise().forward)(spec)?.as_ref(), pixels, cx),
        }
    }

    pub fn backward(&self, knowledge: &Knowledge, arrays: Arrays) -> anyhow::Result<(Done, StepStatus)> {
        fn of<P: Plane>(entry: &Entry<P>, knowledge: &Knowledge, arrays: Arrays) -> anyhow::Result<(Done, StepStatus)> {
            let correction = match (&entry.twin, entry.twin.correction(knowledge)) {
                (_, Some(correction)) => correction?,
                (Twin::None(reason), _) => bail!("{} has no correction: {reason}", entry.name),
                (twin, None) => bail!("{} has no correction ({})", entry.name, twin.kind()),
            };
            let before = sum(&arrays.pixels);
            let mut frame = frame_of::<P>(arrays, knowledge.window);
            let status = correction.correct(&mut frame)?;
            Ok((done(frame, before, P::BUNIT), status))
        }
        fn across<P: Plane, Q: Plane>(back: &dyn CrossingBack<P, Q>, arrays: Arrays, window: Window) -> anyhow::Result<(Done, StepStatus)> {
            let before = sum(&arrays.pixels);
            let (frame, status) = back.cross_back(frame_of::<Q>(arrays, window))?;
            Ok((done(frame, before, Q::BUNIT), status))
        }
        match self {
            Self::Light(entry) => of(entry, knowledge, arrays),
            Self::Charge(entry) => of(entry, knowledge, arrays),
            Self::Counts(entry) => of(entry, knowledge, arrays),
            Self::Detect => across((registry::detect().backward)(knowledge)?.as_ref(), arrays, knowledge.window),
            Self::Digitise => across((registry::digitise().backward)(knowledge)?.as_ref(), arrays, knowledge.window),
        }
    }
}

fn frame_of<P: Plane>(arrays: Arrays, window: Window) -> Frame<P> {
    let shape = arrays.pixels.dim();
    let mut frame = Frame::from_pixels(arrays.pixels, window);
    frame.variance = Some(arrays.variance.unwrap_or_else(|| Array2::zeros(shape)));
    frame.flags = Some(arrays.flags.unwrap_or_else(|| Array2::zeros(shape)));
    frame
}

fn done<P: Plane>(frame: Frame<P>, before: f64, unit_before: &str) -> Done {
    let flagged = frame.flags.as_ref().map_or(0, |f| f.iter().filter(|&&bits| bits != 0).count());
    let account = format!("from {before:.6e} {unit_before} to {:.6e} {}, {flagged} pixels flagged", sum(&frame.pixels), P::BUNIT);
    Done { arrays: Arrays { pixels: frame.pixels, variance: frame.variance, flags: frame.flags }, unit: P::BUNIT.into(), account }
}

/// Sum of the finite pixels.
fn sum(pixels: &Array2<f32>) -> f64 {
    pixels.iter().filter(|v| v.is_finite()).map(|&v| f64::from(v)).sum()
}
