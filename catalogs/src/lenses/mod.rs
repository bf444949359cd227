//! Strong lenses: the deflector's mass and its images, the arcs of what lies behind it, and how many there are.
//!
//! [`Sie`] bends light, [`arc`] traces a galaxy through it, [`LensRate`] says how many deflectors have something behind them.
//! `synthetic/lenses.rs` draws from these.

pub mod arc;
mod deflector;
mod rate;
mod sie;

pub use deflector::{Deflector, Light};
pub use rate::{Chance, LensRate};
pub use sie::{Image, Rays, Sie};
