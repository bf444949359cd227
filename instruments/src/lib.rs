//! Instruments as data, their optics, and every effect with its correction beside it.

pub mod chain;
pub mod description;
pub mod effects;
pub mod optics;
pub mod product;
