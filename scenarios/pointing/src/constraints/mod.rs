//! What forbids an exposure.
//!
//! # Formula
//! Each rule of a moment and an attitude gives a signed margin in degrees: below zero, the exposure is forbidden. An exposure is looked at at `checks + 1`
//! times, from its start to its end. [`slew`] and [`cmg`] are rules of the order of exposures.
//! # Symbols
//! As the single rules.
//! # Source
//! Numbers of csst_inspector (xyh-cosmo/csst_inspector at 2f1c8f2, 2019), the checker of CSST's survey simulation: `scenarios/data/surveys/constraints.toml`
//! # Limits
//! Values since 2019 are not public. How the solar panel stands to the telescope is assumed ([`panel`]).

pub mod bodies;
pub mod cmg;
pub mod limb;
pub mod panel;
mod rules;
pub mod saa;
pub mod slew;

pub use rules::Rules;

use crate::focal_plane::Attitude;
use crate::moment::Moment;

/// A rule for one moment.
pub trait Constraint: std::fmt::Debug + Send + Sync {
    /// Name, for reports.
    fn name(&self) -> &'static str;
    /// Signed margin \[deg\]: below zero, forbidden; infinite where the rule does not apply.
    fn margin_deg(&self, moment: &Moment, attitude: &Attitude) -> f64;
    /// A margin that no attitude exceeds which is at most `radius_deg` turned from this one. By default that of an angle to something, which
    /// changes by the turn at most.
    fn most_deg(&self, moment: &Moment, attitude: &Attitude, radius_deg: f64) -> f64 {
        self.margin_deg(moment, attitude) + radius_deg
    }
}
