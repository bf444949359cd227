//! Surveys: many pointings of one scenario, planned, made in chunks, and made again where they are not whole.
//!
//! [`spec`] is the file a person writes, [`pointings`] its table or [`area`] its plan, [`mod@plan`] makes the manifest of units with [`cost`] and [`density`],
//! [`level1`] is their reduction where the survey asks for it, [`maker`] makes units for the executor of the crate `survey`, which knows the rest.

pub mod area;
pub mod cost;
pub mod density;
pub mod level1;
pub mod maker;
pub mod plan;
pub mod pointings;
pub mod spec;
