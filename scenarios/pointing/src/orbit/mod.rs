//! Where the telescope is.
//!
//! # Formula
//! Dip of the horizon: `acos(R / r)`; the Earth's disc has the angular radius `asin(R / r)`.
//! # Symbols
//! R mean radius of the Earth, r distance from its centre \[km\]
//! # Source
//! Circle: [`sim_core::orbit`]; [`ellipse`]; [`tle`]
//! # Limits
//! The true orbit is not public. Whoever has an element set gives it; else the place along the orbit is a guess, the statistics of what is visible are not.

pub mod ellipse;
mod read;
pub mod tle;

pub use ellipse::Ellipse;
pub use tle::Tle;

use crate::DAY_S;
use sim_core::dates::DateError;
use sim_core::orbit::Orbit;

/// Mean radius of the Earth \[km\], the value of the published constraints.
pub const EARTH_RADIUS_KM: f64 = 6371.0;

/// Why a place on the orbit cannot be told.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum OrbitError {
    /// An element is out of range.
    #[error("orbit.{key} = {value} is outside {range}")]
    Range {
        /// Which element.
        key: &'static str,
        /// Value given.
        value: f64,
        /// Allowed.
        range: &'static str,
    },
    /// An element set cannot be read.
    #[error("orbit: element set: {0}")]
    Elements(String),
    /// The orbit has ended.
    #[error("orbit: no place at MJD {mjd_utc}: {reason}")]
    Ended {
        /// Date asked for.
        mjd_utc: f64,
        /// Why.
        reason: String,
    },
    /// A date outside the ephemerides.
    #[error(transparent)]
    Date(#[from] DateError),
}

/// Place and velocity about the centre of the Earth, axes of the GCRS.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct State {
    /// Place \[km\].
    pub position_km: [f64; 3],
    /// Velocity \[km / s\].
    pub velocity_km_s: [f64; 3],
}

impl State {
    /// Distance from the centre of the Earth \[km\].
    #[must_use]
    pub fn radius_km(&self) -> f64 {
        sim_core::direction::dot(&self.position_km, &self.position_km).sqrt()
    }
}

/// An orbit of the telescope.
#[derive(Debug, Clone)]
pub enum Track {
    /// A circle with a turning node: the orbit that simulated frames are seen from.
    Circle(Orbit),
    /// An ellipse with the steady part of the Earth's oblateness and a decay.
    Ellipse(Ellipse),
    /// An element set propagated by SGP4.
    Tle(Box<Tle>),
}

impl Track {
    /// Place and velocity at a modified Julian date UTC \[d\].
    ///
    /// # Errors
    /// When an element set cannot be carried to that date, or a decay has ended the orbit.
    pub fn state(&self, mjd_utc: f64) -> Result<State, OrbitError> {
        match self {
            Self::Circle(orbit) => {
                let [p, v] = orbit.state(mjd_utc);
                Ok(State { position_km: p.map(|x| x / 1000.0), velocity_km_s: v.map(|x| x / 1000.0) })
            }
            Self::Ellipse(ellipse) => ellipse.state((mjd_utc - ellipse.epoch_mjd) * DAY_S),
            Self::Tle(tle) => tle.state(mjd_utc),
        }
    }
}

/// Angle by which the horizon lies below the plane at right angles to the zenith \[deg\], from a distance to the centre of the Earth \[km\].
#[must_use]
pub fn horizon_dip_deg(radius_km: f64) -> f64 {
    (EARTH_RADIUS_KM / radius_km).min(1.0).acos().to_degrees()
}
