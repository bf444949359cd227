//! The forward chain of a detector: light to counts, in the order of the instrument file.
//!
//! Light effects, `detect`, charge effects, `digitise`, counts effects; the names and their order come from
//! [`ChainOrder`], checked against what each effect says it must come after. Effects work in place; only `digitise`
//! into a layout with scans needs a second frame, and the first is dropped right after. So at most two full frames
//! are alive.

use crate::description::{ChainOrder, DetectorSpec, Instrument};
use crate::effects::adc::model::SHIFT;
use crate::effects::crossing::Crossing;
use crate::effects::parameters::ParameterError;
use crate::effects::registry::{self, Entry};
use crate::effects::rows;
use multiversion::multiversion;
use ndarray::Array2;
use rayon::prelude::*;
use sim_core::effect::{Context, Effect, EffectError, RowWork, Rows};
use sim_core::exposure::ExposureKind;
use sim_core::frame::Frame;
use sim_core::ledger::{Ledger, LedgerLine};
use sim_core::plane::{Charge, Counts, Light, Plane};
use sim_core::spelling;
use std::sync::Arc;

/// Why a chain could not be built or run.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ChainError {
    /// A name of the order is not an effect of that plane.
    #[error("chain.{plane}: there is no effect `{name}` on this plane; {hint}")]
    UnknownEffect {
        /// Plane, the key of the order.
        plane: &'static str,
        /// Name given.
        name: String,
        /// What was meant, or where the effect belongs.
        hint: String,
    },
    /// A name is given twice.
    #[error("chain.{plane}: `{name}` is given twice")]
    Twice {
        /// Plane.
        plane: &'static str,
        /// Name.
        name: &'static str,
    },
    /// An effect stands before one it must come after.
    #[error("chain.{plane}: `{name}` must come after `{after}`")]
    Order {
        /// Plane.
        plane: &'static str,
        /// Effect that stands too early.
        name: &'static str,
        /// Effect it must come after.
        after: &'static str,
    },
    /// An effect to switch off is not in the chain.
    #[error("`{name}` cannot be switched off: {reason}")]
    CannotSwitchOff {
        /// Name given.
        name: String,
        /// Why not.
        reason: String,
    },
    /// A flat exposure without its lamp.
    #[error("a flat exposure needs the effect `lamp` in chain.light, which has {light}")]
    NoLamp {
        /// Effects on the light plane.
        light: String,
    },
    /// An effect's parameters were refused.
    #[error(transparent)]
    Parameter(#[from] ParameterError),
    /// An effect could not be applied.
    #[error(transparent)]
    Effect(#[from] EffectError),
}

/// Effects on charge that act while it is moved to the outputs.
const MOVING: [&str; 2] = ["bad_columns", "cti"];

/// One effect of a chain, shared between a chain and its pair.
struct Step<P: Plane> {
    name: &'static str,
    effect: Arc<dyn Effect<P>>,
}

impl<P: Plane> Clone for Step<P> {
    fn clone(&self) -> Self {
        Self { name: self.name, effect: Arc::clone(&self.effect) }
    }
}

/// The effects of one detector in order.
#[derive(Clone)]
pub struct Chain {
    light: Vec<Step<Light>>,
    /// `None`: switched off, electrons stay as expected.
    detect: Option<Arc<dyn Crossing<Light, Charge>>>,
    charge: Vec<Step<Charge>>,
    digitise: Arc<dyn Crossing<Charge, Counts>>,
    counts: Vec<Step<Counts>>,
}

/// What somebody who wrote `name` may have meant on `plane`.
fn hint(name: &str, plane: &str) -> String {
    if let Some(known) = registry::find(name) {
        return match known.is_crossing {
            true => "it is a crossing, which is always there and not listed".into(),
            false => format!("it belongs to chain.{}", known.plane),
        };
    }
    let names: Vec<&str> = registry::all().iter().filter(|s| !s.is_crossing && s.plane == plane).map(|s| s.name).collect();
    spelling::hint(name, names)
}

/// Makes the steps of one plane, checking names and order.
fn steps<P: Plane>(
    order: &[String],
    off: &[String],
    entries: &'static [Entry<P>],
    spec: &DetectorSpec,
) -> Result<Vec<Step<P>>, ChainError> {
    let plane = P::NAME;
    let mut found: Vec<&'static Entry<P>> = Vec::new();
    for name in order {
        if off.contains(name) {
            continue;
        }
        let entry = entries.iter().find(|e| e.name == name.as_str());
        let entry = entry.ok_or_else(|| ChainError::UnknownEffect { plane, name: name.clone(), hint: hint(name, plane) })?;
        if found.iter().any(|f| f.name == entry.name) {
            return Err(ChainError::Twice { plane, name: entry.name });
        }
        if let Some(early) = found.iter().find(|f| f.after.contains(&entry.name)) {
            return Err(ChainError::Order { plane, name: early.name, after: entry.name });
        }
        found.push(entry);
    }
    found.iter().map(|entry| Ok(Step { name: entry.name, effect: Arc::from((entry.forward)(spec)?) })).collect()
}

fn line<P: Plane>(name: &str, ledger: Ledger) -> LedgerLine {
    LedgerLine { name: name.into(), plane: P::NAME.into(), unit: P::BUNIT.into(), ledger }
}

/// Runs the steps in order. Neighbours that work row by row are run together; the observer hears their names as one.
fn run_steps<P: Plane>(
    steps: &[Step<P>],
    frame: &mut Frame<P>,
    cx: &Context<'_>,
    lines: &mut Vec<LedgerLine>,
    observer: &mut dyn FnMut(&str),
) -> Result<(), EffectError> {
    let contexts: Vec<Context<'_>> = steps.iter().map(|step| cx.named(step.name)).collect();
    let mut group: Vec<(&'static str, Option<RowWork<'_>>)> = Vec::new();
    for (step, cx) in steps.iter().zip(&contexts) {
        match step.effect.rows(cx)? {
            Rows::Each(kernel) => {
                rows::need_shape(step.name, frame, kernel.shape)?;
                group.push((step.name, Some(kernel.work)));
            }
            Rows::Idle => group.push((step.name, None)),
            Rows::Whole => {
                run_group(&mut group, frame, lines, observer);
                let ledger = step.effect.apply(frame, cx)?;
                lines.push(line::<P>(step.name, ledger));
                observer(step.name);
            }
        }
    }
    run_group(&mut group, frame, lines, observer);
    Ok(())
}

/// Runs what has gathered, and empties it.
fn run_group<P: Plane>(
    group: &mut Vec<(&'static str, Option<RowWork<'_>>)>,
    frame: &mut Frame<P>,
    lines: &mut Vec<LedgerLine>,
    observer: &mut dyn FnMut(&str),
) {
    if group.is_empty() {
        return;
    }
    let names: Vec<&str> = group.iter().map(|g| g.0).collect();
    let awake: Vec<bool> = group.iter().map(|g| g.1.is_some()).collect();
    let kernels: Vec<RowWork<'_>> = group.drain(..).filter_map(|g| g.1).collect();
    let mut ledgers = rows::change_by_all(frame, &kernels).into_iter();
    for (name, awake) in names.iter().zip(awake) {
        let ledger = if awake { ledgers.next().unwrap_or_default() } else { Ledger::default() };
        lines.push(line::<P>(name, ledger));
    }
    observer(&names.join(" + "));
}

impl Chain {
    /// The chain of a detector in the order of its instrument, without what is off.
    ///
    /// # Errors
    /// When a name is unknown or out of order, or an effect refuses its parameters.
    pub fn new(instrument: &Instrument, spec: &DetectorSpec) -> Result<Self, ChainError> {
        Self::from_order(&instrument.chain, spec)
    }

    /// The chain of a detector in a given order.
    ///
    /// # Errors
    /// As [`Chain::new`].
    pub fn from_order(order: &ChainOrder, spec: &DetectorSpec) -> Result<Self, ChainError> {
        Ok(Self {
            light: steps(&order.light, &order.off, registry::light(), spec)?,
            detect: Some(Arc::from((registry::detect().forward)(spec)?)),
            charge: steps(&order.charge, &order.off, registry::charge(), spec)?,
            digitise: Arc::from((registry::digitise().forward)(spec)?),
            counts: steps(&order.counts, &order.off, registry::counts(), spec)?,
        })
    }

    /// Names of all steps in order, crossings included.
    #[must_use]
    pub fn names(&self) -> Vec<&'static str> {
        let light = self.light.iter().map(|s| s.name).chain(self.detect.is_some().then_some("detect"));
        let charge = self.charge.iter().map(|s| s.name).chain(["digitise"]);
        light.chain(charge).chain(self.counts.iter().map(|s| s.name)).collect()
    }

    /// The same chain with one effect switched off; all other draws stay as they are. `detect` can be switched off
    /// too: then electrons stay as expected, without shot noise.
    ///
    /// # Errors
    /// When the chain has no such effect, or cannot be without it.
    pub fn without(&self, name: &str) -> Result<Self, ChainError> {
        let names = self.names();
        if name == "digitise" {
            return Err(ChainError::CannotSwitchOff { name: name.into(), reason: "counts are made by it".into() });
        }
        if !names.contains(&name) {
            return Err(ChainError::CannotSwitchOff { name: name.into(), reason: format!("the chain has {}", names.join(", ")) });
        }
        let mut chain = self.clone();
        chain.light.retain(|s| s.name != name);
        chain.charge.retain(|s| s.name != name);
        chain.counts.retain(|s| s.name != name);
        if name == "detect" {
            chain.detect = None;
        }
        Ok(chain)
    }

    /// Runs the chain on the light of the optics (zeros for calibration exposures) and returns the counts in the raw
    /// layout of the context, with the account of every step. `cx.effect` is set by the chain. The observer is called
    /// with the name of every step that has just been done.
    ///
    /// The lines of the counts plane add up to the total of the returned frame; those of light and charge together
    /// to minus the total of `light` (all of it leaves with `digitise`).
    ///
    /// # Errors
    /// When the frame does not fit the context or an effect fails.
    pub fn run(
        &self,
        light: Frame<Light>,
        cx: &Context<'_>,
        observer: &mut dyn FnMut(&str),
    ) -> Result<(Frame<Counts>, Vec<LedgerLine>), ChainError> {
        self.run_inspected(light, cx, observer, &mut |_| ())
    }

    /// The charge that pixels hold at the end of an exposure, before it is moved and read out.
    ///
    /// # Errors
    /// As [`Chain::run`].
    pub fn collected(&self, mut light: Frame<Light>, cx: &Context<'_>) -> Result<Frame<Charge>, ChainError> {
        let (mut lines, mut observer) = (Vec::new(), |_: &str| ());
        run_steps(&self.light, &mut light, cx, &mut lines, &mut observer)?;
        let mut charge = match &self.detect {
            Some(detect) => detect.cross(light, &cx.named("detect"))?.0,
            None => light.cross(),
        };
        let held = self.charge.iter().take_while(|step| !MOVING.contains(&step.name)).count();
        run_steps(&self.charge[..held], &mut charge, cx, &mut lines, &mut observer)?;
        Ok(charge)
    }

    /// As [`Chain::run`], showing the charge as it is read out (after all charge effects) to `inspect`, for truth masks.
    ///
    /// # Errors
    /// As [`Chain::run`].
    pub fn run_inspected(
        &self,
        mut light: Frame<Light>,
        cx: &Context<'_>,
        observer: &mut dyn FnMut(&str),
        inspect: &mut dyn FnMut(&Frame<Charge>),
    ) -> Result<(Frame<Counts>, Vec<LedgerLine>), ChainError> {
        if matches!(cx.exposure.kind, ExposureKind::Flat { .. }) && self.light.iter().all(|s| s.name != "lamp") {
            return Err(ChainError::NoLamp { light: self.light.iter().map(|s| s.name).collect::<Vec<_>>().join(", ") });
        }
        let mut lines = Vec::new();
        run_steps(&self.light, &mut light, cx, &mut lines, observer)?;
        let mut charge = match &self.detect {
            Some(detect) => {
                let (charge, ledger) = detect.cross(light, &cx.named("detect"))?;
                lines.push(line::<Light>("detect", ledger.left));
                observer("detect");
                charge
            }
            None => light.cross(),
        };
        run_steps(&self.charge, &mut charge, cx, &mut lines, observer)?;
        inspect(&charge);
        let (mut counts, ledger) = self.digitise.cross(charge, &cx.named("digitise"))?;
        lines.push(line::<Charge>("digitise", ledger.left));
        lines.push(line::<Counts>("digitise", ledger.entered));
        observer("digitise");
        run_steps(&self.counts, &mut counts, cx, &mut lines, observer)?;
        Ok((counts, lines))
    }
}

/// The counts as the raw format stores them. The converter has made them whole and within 0..=65535; without it
/// they are rounded and clipped here. NaN becomes 0.
#[must_use]
pub fn counts_to_u16(frame: &Frame<Counts>) -> Array2<u16> {
    let mut raw = sim_core::memory::zeros(frame.pixels.dim());
    let width = frame.pixels.ncols().max(1);
    let pixels = frame.pixels.as_standard_layout();
    if let (Some(from), Some(to)) = (pixels.as_slice(), raw.as_slice_mut()) {
        to.par_chunks_mut(width).zip(from.par_chunks(width)).with_min_len(8).for_each(|(to, from)| words(from, to));
    }
    raw
}

/// Rounds half to even by the same shift as the converter's kernel, which leaves the whole number in the low bits.
#[multiversion(targets("x86_64+avx2"))]
fn words(counts: &[f32], words: &mut [u16]) {
    for (word, &count) in words.iter_mut().zip(counts) {
        let low = if count > 0.0 { count } else { 0.0 };
        let clipped = if low > 65535.0 { 65535.0 } else { low };
        *word = ((clipped + SHIFT).to_bits() & 0xFFFF) as u16;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_rounded_and_clipped() {
        let window = sim_core::frame::Window { x0: 0, y0: 0, nx: 8, ny: 1 };
        let counts = ndarray::array![[-4.0, 0.0, 0.5, 1.5, 65534.6, 65535.0, 1e9, f32::NAN]];
        let raw = counts_to_u16(&Frame::from_pixels(counts, window));
        assert_eq!(raw, ndarray::array![[0, 0, 0, 2, 65535, 65535, 65535, 0]]);
    }

    #[test]
    fn typing_errors_are_understood() {
        assert_eq!(hint("read_nose", "counts"), "did you mean `read_noise`?");
        assert_eq!(hint("dark", "counts"), "it belongs to chain.light");
        let known = hint("elephants", "charge");
        assert!(known.starts_with("known: ") && known.contains("full_well"), "{known}");
    }
}
