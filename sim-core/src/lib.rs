//! The core of Skyloop: what every instrument, every effect and every correction shares.
//!
//! A measurement is a walk through physical **planes** ([`plane`]): light, charge, counts, and back to rate.
//! An [`effect::Effect`] changes a [`frame::Frame`] on one plane; a crossing takes it to the next; a
//! [`correction::Correction`] walks back with nothing but [`knowledge::Knowledge`].
//! Truth ([`truth`]) is recorded by the very call that makes the light.

pub mod axes;
pub mod bandpass;
pub mod correction;
pub mod dates;
pub mod detector;
pub mod direction;
pub mod dispersion;
pub mod effect;
pub mod exposure;
pub mod files;
pub mod fits;
pub mod flags;
pub mod frame;
pub mod history;
pub mod hits;
pub mod knowledge;
pub mod ledger;
pub mod level1;
pub mod manifest;
pub mod median;
pub mod memory;
pub mod moving;
pub mod noise;
pub mod orbit;
pub mod plane;
pub mod polygon;
pub mod psf;
pub mod quantity;
pub mod source;
pub mod sparse;
pub mod spectrum;
pub mod spelling;
pub mod stream;
pub mod table;
pub mod truth;
pub mod units;
pub mod wcs;
