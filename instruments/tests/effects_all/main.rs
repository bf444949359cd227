//! Effects, their corrections and the chain on a small invented detector.
// Helpers of tests are tests: clippy's exception covers functions marked #[test] alone.
#![allow(clippy::unwrap_used)]

mod bench;
mod brighter_fatter;
mod chain;
mod corrections;
mod cosmic_ray_finders;
mod cosmic_rays;
mod cti;
mod electronics;
mod injection;
mod persistence;
mod registry;
mod statistics;
mod stray;
mod wells;
