//! Every effect, its correction beside it, and the registry that lists them.
//!
//! An effect is a folder: the page (six headings), `model` (the kernel: numbers in, numbers out), `apply`
//! (forward: draws, books the ledger) and `correct` (backward: knows [`sim_core::knowledge::Knowledge`] alone).
//! [`registry`] lists all of them; [`crate::chain`] runs them in the order of the instrument file.
//!
//! The planes and what acts on them (brackets: places kept for effects to come):
//! - light, expected electrons: [`sky`], [`lamp`], [`trails`], [`ghosts`], [`scattered_light`], [`fringing`], [`flat`], [`shutter`],
//!   [`defects`], [`persistence`], [`dark`];
//! - crossing [`detect`]: the one Poisson draw;
//! - charge: [`cosmic_rays`], [`brighter_fatter`], [`charge_injection`], [`bleeding`], [`full_well`], [`bad_columns`], [`trap_pumping`],
//!   [`cti`];
//! - crossing [`digitise`]: amplifiers, gain, prescan and overscan;
//! - counts: [`crosstalk`], [`non_linearity`], [`bias_drift`], [`bias`], [`read_noise`], [`correlated_noise`], [`adc`].
//!
//! An effect to come writes a folder, one line in the registry, and its name into the instrument's order;
//! its `after` says where it belongs. Nothing else changes.

pub mod adc;
pub mod bad_columns;
pub mod bias;
pub mod bias_drift;
pub mod bleeding;
pub mod bright;
pub mod brighter_fatter;
pub mod charge_injection;
pub mod correlated_noise;
pub mod cosmic_rays;
pub mod crossing;
pub mod crosstalk;
pub mod cti;
pub mod dark;
pub mod defects;
pub mod detect;
pub mod digitise;
pub mod flat;
pub mod fringing;
pub mod full_well;
pub mod ghosts;
pub mod lamp;
pub mod non_linearity;
pub mod parameters;
pub mod persistence;
pub mod read_noise;
pub mod registry;
pub mod rows;
pub mod scattered_light;
pub mod shutter;
pub mod sky;
pub mod trails;
pub mod trap_pumping;
