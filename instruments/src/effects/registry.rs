//! The registry: every effect and crossing with its name, its place, its twin and its page.
//!
//! Tests loop over it: ledgers balance, twins undo what they say they undo, names are unique, pages have the
//! six headings.

use super::brighter_fatter;
use super::crossing::{Crossing, CrossingBack};
use super::parameters::{Parameter, ParameterError};
use super::{adc, bias, cosmic_rays, cti, dark, detect, digitise, flat, full_well, lamp, read_noise, shutter, sky};
use super::{bad_columns, bias_drift, charge_injection, correlated_noise, crosstalk, defects, persistence, trap_pumping};
use super::{bleeding, non_linearity};
use super::{fringing, ghosts, scattered_light, trails};
use crate::description::DetectorSpec;
use sim_core::correction::{Correction, CorrectionError};
use sim_core::effect::Effect;
use sim_core::knowledge::Knowledge;
use sim_core::plane::{Charge, Counts, Light, Plane};
use sim_core::spelling;

/// Makes a correction from what calibration knows.
pub type MakeCorrection<P> = fn(&Knowledge) -> Result<Box<dyn Correction<P>>, CorrectionError>;

/// How far an effect can be undone.
pub enum Twin<P: Plane> {
    /// Undone to the rounding of f32, when the knowledge is right.
    Exact(MakeCorrection<P>),
    /// Undone but for `residual`.
    Approximate {
        /// Makes the correction.
        make: MakeCorrection<P>,
        /// Root mean square of what is left, as a fraction of the root mean square of what the effect did.
        residual: f64,
    },
    /// Not undone; the pixels it spoiled are flagged.
    FlagOnly(MakeCorrection<P>),
    /// Not undone; what it did is in the error model.
    VarianceOnly(MakeCorrection<P>),
    /// No correction, with the reason.
    None(&'static str),
}

impl<P: Plane> Twin<P> {
    /// Kind, in words.
    #[must_use]
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Exact(_) => "exact",
            Self::Approximate { .. } => "approximate",
            Self::FlagOnly(_) => "flag only",
            Self::VarianceOnly(_) => "variance only",
            Self::None(_) => "none",
        }
    }
    /// Makes the correction, where there is one.
    ///
    /// # Errors
    /// When calibration has not provided what it needs.
    pub fn correction(&self, knowledge: &Knowledge) -> Option<Result<Box<dyn Correction<P>>, CorrectionError>> {
        match self {
            Self::Exact(make) | Self::Approximate { make, .. } | Self::FlagOnly(make) | Self::VarianceOnly(make) => Some(make(knowledge)),
            Self::None(_) => None,
        }
    }
}

/// Makes an effect from the detector as it is.
pub type MakeEffect<P> = fn(&DetectorSpec) -> Result<Box<dyn Effect<P>>, ParameterError>;

/// What an effect needs to be told of an exposure.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Need {
    /// Its exposure time, forward or back.
    Time,
    /// Random numbers that are new in every exposure, forward; traps followed one by one and drawn arrivals need them too.
    Dice,
    /// What the detector held in earlier exposures, which one image does not tell.
    History,
}

/// One effect.
pub struct Entry<P: Plane> {
    /// Name: the table of the instrument file, the key of the random streams, the anchor of the page.
    pub name: &'static str,
    /// What it needs to be told of an exposure.
    pub needs: &'static [Need],
    /// Effects of the same plane that must act before it, where both are in the chain.
    pub after: &'static [&'static str],
    /// Its parameters.
    pub parameters: &'static [Parameter],
    /// Makes it.
    pub forward: MakeEffect<P>,
    /// Its correction.
    pub twin: Twin<P>,
    /// Source text of its module page.
    pub page: &'static str,
}

/// Makes a crossing from the detector as it is.
pub type MakeCrossing<P, Q> = fn(&DetectorSpec) -> Result<Box<dyn Crossing<P, Q>>, ParameterError>;
/// Makes the way back from what calibration knows.
pub type MakeCrossingBack<P, Q> = fn(&Knowledge) -> Result<Box<dyn CrossingBack<P, Q>>, CorrectionError>;

/// How far a crossing can be undone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CrossingTwin {
    /// Undone to the rounding of f32.
    Exact,
    /// What it did is in the error model.
    VarianceOnly,
}

/// One crossing.
pub struct CrossingEntry<P: Plane, Q: Plane> {
    /// Name.
    pub name: &'static str,
    /// What it needs to be told of an exposure.
    pub needs: &'static [Need],
    /// Its parameters.
    pub parameters: &'static [Parameter],
    /// Makes it.
    pub forward: MakeCrossing<P, Q>,
    /// Makes the way back.
    pub backward: MakeCrossingBack<P, Q>,
    /// Kind of the way back.
    pub twin: CrossingTwin,
    /// Source text of its module page.
    pub page: &'static str,
}

static LIGHT: [Entry<Light>; 11] = [
    sky::ENTRY,
    lamp::ENTRY,
    trails::ENTRY,
    ghosts::ENTRY,
    scattered_light::ENTRY,
    fringing::ENTRY,
    flat::ENTRY,
    shutter::ENTRY,
    defects::ENTRY,
    persistence::ENTRY,
    dark::ENTRY,
];
static CHARGE: [Entry<Charge>; 8] = [
    cosmic_rays::ENTRY,
    brighter_fatter::ENTRY,
    charge_injection::ENTRY,
    bleeding::ENTRY,
    full_well::ENTRY,
    bad_columns::ENTRY,
    trap_pumping::ENTRY,
    cti::ENTRY,
];
static COUNTS: [Entry<Counts>; 7] =
    [crosstalk::ENTRY, non_linearity::ENTRY, bias_drift::ENTRY, bias::ENTRY, read_noise::ENTRY, correlated_noise::ENTRY, adc::ENTRY];
static DETECT: CrossingEntry<Light, Charge> = detect::ENTRY;
static DIGITISE: CrossingEntry<Charge, Counts> = digitise::ENTRY;

/// Effects on expected electrons.
#[must_use]
pub fn light() -> &'static [Entry<Light>] {
    &LIGHT
}
/// Effects on realised electrons.
#[must_use]
pub fn charge() -> &'static [Entry<Charge>] {
    &CHARGE
}
/// Effects on counts.
#[must_use]
pub fn counts() -> &'static [Entry<Counts>] {
    &COUNTS
}
/// The crossing from light to charge.
#[must_use]
pub fn detect() -> &'static CrossingEntry<Light, Charge> {
    &DETECT
}
/// The crossing from charge to counts.
#[must_use]
pub fn digitise() -> &'static CrossingEntry<Charge, Counts> {
    &DIGITISE
}

/// What a reader wants to know of an effect or crossing, without its plane in the type.
#[derive(Debug, Clone, Copy)]
pub struct Summary {
    /// Name.
    pub name: &'static str,
    /// Plane it acts on (a crossing: the plane it leaves).
    pub plane: &'static str,
    /// Whether it is a crossing.
    pub is_crossing: bool,
    /// What it needs to be told of an exposure.
    pub needs: &'static [Need],
    /// Kind of its twin, in words.
    pub twin: &'static str,
    /// Parameters.
    pub parameters: &'static [Parameter],
    /// Source text of its module page.
    pub page: &'static str,
}

/// All effects and crossings, in the order of the planes.
#[must_use]
pub fn all() -> Vec<Summary> {
    fn of<P: Plane>(entry: &Entry<P>) -> Summary {
        let Entry { name, needs, parameters, twin, page, .. } = entry;
        Summary { name, plane: P::NAME, is_crossing: false, needs, twin: twin.kind(), parameters, page }
    }
    fn across<P: Plane, Q: Plane>(entry: &CrossingEntry<P, Q>) -> Summary {
        let CrossingEntry { name, needs, parameters, twin, page, .. } = entry;
        let twin = match twin {
            CrossingTwin::Exact => "exact",
            CrossingTwin::VarianceOnly => "variance only",
        };
        Summary { name, plane: P::NAME, is_crossing: true, needs, twin, parameters, page }
    }
    let light = LIGHT.iter().map(of).chain([across(&DETECT)]);
    let charge = CHARGE.iter().map(of).chain([across(&DIGITISE)]);
    light.chain(charge).chain(COUNTS.iter().map(of)).collect()
}

/// One effect or crossing by name.
#[must_use]
pub fn find(name: &str) -> Option<Summary> {
    all().into_iter().find(|s| s.name == name)
}

/// Names of all effects and crossings, in the order of the planes.
#[must_use]
pub fn effect_names() -> Vec<&'static str> {
    all().iter().map(|s| s.name).collect()
}

/// Keys of the parameters of an effect; `None` for an unknown effect.
#[must_use]
pub fn parameter_names(effect: &str) -> Option<Vec<&'static str>> {
    find(effect).map(|s| s.parameters.iter().map(|p| p.key).collect())
}

/// Sets parameters of one effect from plain numbers (`--set key=value`), over what the detector has.
///
/// # Errors
/// When the effect or a key is not known. Ranges are checked when the effect is made.
pub fn set_parameters(spec: &mut DetectorSpec, effect: &str, numbers: &[(String, f64)], source: &str) -> Result<(), ParameterError> {
    let summary = find(effect)
        .ok_or_else(|| ParameterError::UnknownEffect { name: effect.to_string(), hint: spelling::hint(effect, effect_names()) })?;
    let table = spec.parameters.entry(summary.name.to_string()).or_default();
    super::parameters::set_numbers(table, summary.name, summary.parameters, numbers, source)
}
