//! What crosses a field during an exposure: bodies of the solar system and satellites, by their orbits.
//!
//! # Effect
//! Both kinds come as [`Passage`]s: where the telescope shows them from moment to moment, and how bright they are in V. An instrument turns them into
//! trails.
//! # Formula
//! The path is a chain of straight steps of equal time, as many as keep the middle of each within `TOLERANCE_ARCSEC` of the curve: bends
//! shrink with the square of the step.
//! # Source
//! [`crate::solar_system`], [`crate::satellites`]
//! # Limits
//! One magnitude for a passage.
//! # Twin
//! None.

use crate::Library;
use crate::band::V_AB_MINUS_VEGA;
use crate::direction::{Vector, dot, unit, vector};
use crate::observer::Sight;
use crate::satellites::{SatelliteError, SatelliteSpec, Satellites};
use crate::solar_system::{Colours, SolarSystem, SolarSystemError, SolarSystemSpec, Taxon};
use serde::{Deserialize, Serialize};
use sim_core::bandpass::Bandpass;
use std::collections::BTreeMap;

/// Greatest distance of a path's steps from the true curve \[arcsec\]: a twentieth of a pixel.
const TOLERANCE_ARCSEC: f64 = 0.004;
/// Most steps of a path.
const MOST_STEPS: f64 = 200.0;

/// What moves in front of the telescope: `[moving]`.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct MovingSpec {
    /// Asteroids and the like.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub solar_system: Option<SolarSystemSpec>,
    /// Satellites of the Earth.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub satellites: Option<SatelliteSpec>,
}

/// Why what moves cannot be made.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum MovingError {
    /// Of the solar system.
    #[error(transparent)]
    SolarSystem(#[from] SolarSystemError),
    /// Of satellites.
    #[error(transparent)]
    Satellites(#[from] SatelliteError),
}

/// All that moves, made ready.
pub struct Moving {
    solar_system: Option<SolarSystem>,
    satellites: Option<Satellites>,
    colours: Colours,
}

impl Moving {
    /// From its parameters; `seed` is that of the scenario.
    ///
    /// # Errors
    /// When a value is outside its range or a file cannot be used.
    pub fn new(spec: &MovingSpec, seed: u64, library: &Library) -> Result<Self, MovingError> {
        Ok(Self {
            solar_system: spec.solar_system.as_ref().map(|s| SolarSystem::new(s, seed)).transpose()?,
            satellites: spec.satellites.as_ref().map(|s| Satellites::new(s, seed)).transpose()?,
            colours: Colours::new(library),
        })
    }
    /// Bodies of the solar system that come within a cone during the exposure, in order of their numbers; `None` when there is no such population.
    #[must_use]
    pub fn solar_system(&self, sight: &Sight, cone: &Cone) -> Option<Vec<Passage>> {
        self.solar_system.as_ref().map(|s| s.passages(sight, cone))
    }
    /// Sunlit satellites that cross a cone during the exposure; `None` when there is no such population.
    #[must_use]
    pub fn satellites(&self, sight: &Sight, cone: &Cone) -> Option<Vec<Passage>> {
        self.satellites.as_ref().map(|s| s.passages(sight, cone))
    }
    /// AB magnitude in a band over V (Vega) of a surface in sunlight.
    #[must_use]
    pub fn colour(&self, taxon: Taxon, band: &Bandpass, library: &Library) -> f64 {
        band.ab_magnitude(self.colours.sed(taxon), V_AB_MINUS_VEGA, library.bands.bessell_v())
    }
    /// What of the files cannot be used in an exposure, by cause.
    #[must_use]
    pub fn skipped(&self, sight: &Sight) -> BTreeMap<String, u64> {
        let mut all = self.solar_system.as_ref().map_or_else(BTreeMap::new, |s| s.skipped().clone());
        if let Some(lost) = self.satellites.as_ref().map(|s| s.lost(sight)).filter(|n| *n > 0) {
            all.insert("satellites whose elements do not reach the exposure".into(), lost);
        }
        all
    }
}

/// A cone of directions.
#[derive(Debug, Clone, Copy)]
pub struct Cone {
    /// Its axis.
    pub(crate) axis: Vector,
    /// Angle between axis and surface \[rad\].
    pub(crate) radius: f64,
}

impl Cone {
    /// About a place \[deg\].
    #[must_use]
    pub fn new(ra_deg: f64, dec_deg: f64, radius_deg: f64) -> Self {
        Self { axis: vector(ra_deg, dec_deg), radius: radius_deg.to_radians() }
    }
    /// A cone that holds circles on the sky: centre (ra, dec) and radius \[deg\]; everything when there is none.
    #[must_use]
    pub fn around(circles: &[((f64, f64), f64)]) -> Self {
        let centres: Vec<Vector> = circles.iter().map(|c| vector(c.0.0, c.0.1)).collect();
        let sum: Vector = std::array::from_fn(|k| centres.iter().map(|c| c[k]).sum());
        if dot(&sum, &sum) == 0.0 {
            return Self { axis: [0.0, 0.0, 1.0], radius: std::f64::consts::PI };
        }
        let axis = unit(sum);
        let radius = centres.iter().zip(circles).map(|(c, circle)| angle(&axis, c) + circle.1.to_radians()).fold(0.0, f64::max);
        Self { axis, radius }
    }
    /// Angle between a direction of any length and the axis \[rad\].
    pub(crate) fn angle(&self, direction: &Vector) -> f64 {
        angle(&self.axis, direction)
    }
}

/// Angle between two vectors \[rad\].
pub(crate) fn angle(a: &Vector, b: &Vector) -> f64 {
    let w = crate::direction::cross(a, b);
    dot(&w, &w).sqrt().atan2(dot(a, b))
}

/// One body on its way through a field.
#[derive(Debug, Clone, PartialEq)]
pub struct Passage {
    /// Number in its catalogue or population.
    pub id: i64,
    /// Name.
    pub name: String,
    /// Where it is shown (ra, dec) \[deg\] at even steps of time.
    pub path: Vec<(f64, f64)>,
    /// Seconds after the start of the exposure at the first place of the path.
    pub from_s: f64,
    /// And at the last.
    pub to_s: f64,
    /// Mean angular rate \[arcsec / s\].
    pub rate_arcsec_s: f64,
    /// Apparent V \[mag, Vega\].
    pub v: f64,
    /// H of a body of the solar system; the magnitude of a satellite at 1000 km and a phase of 90 deg.
    pub absolute_magnitude: f64,
    /// Distance from the telescope \[km\].
    pub distance_km: f64,
    /// Angle Sun - object - telescope \[deg\].
    pub phase_deg: f64,
    /// Size that adds to the disc of defocus \[m\].
    pub size_m: f64,
    /// Colour.
    pub taxon: Taxon,
}

/// A path between two moments (seconds after the middle) in steps that follow the curve, and its mean rate \[arcsec / s\].
pub(crate) fn path(from_s: f64, to_s: f64, at: impl Fn(f64) -> (f64, f64)) -> (Vec<(f64, f64)>, f64) {
    let place = |(ra, dec): (f64, f64)| vector(ra, dec);
    let (first, middle, last) = (at(from_s), at(0.5 * (from_s + to_s)), at(to_s));
    let (a, m, b) = (place(first), place(middle), place(last));
    let chord = unit(std::array::from_fn(|k| a[k] + b[k]));
    let sag = angle(&chord, &m).to_degrees() * 3600.0;
    let steps = (sag / TOLERANCE_ARCSEC).sqrt().ceil().clamp(1.0, MOST_STEPS) as usize;
    let path: Vec<(f64, f64)> = (0..=steps)
        .map(|k| match k {
            0 => first,
            k if k == steps => last,
            k => at(from_s + (to_s - from_s) * k as f64 / steps as f64),
        })
        .collect();
    let length: f64 = path.windows(2).map(|w| angle(&place(w[0]), &place(w[1]))).sum();
    (path, length.to_degrees() * 3600.0 / (to_s - from_s))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cone_around_circles_holds_them_all() {
        let cone = Cone::around(&[((359.5, 0.0), 0.1), ((0.5, 0.0), 0.2)]);
        assert!(angle(&cone.axis, &vector(0.0, 0.0)) < 1e-12 && (cone.radius.to_degrees() - 0.7).abs() < 1e-9);
        assert!((Cone::around(&[((10.0, 80.0), 0.3)]).radius.to_degrees() - 0.3).abs() < 1e-9);
    }

    #[test]
    fn a_straight_path_is_one_step_and_a_bent_one_as_many_as_it_needs() {
        let (line, rate) = path(-75.0, 75.0, |t| (10.0 + t / 3600.0, 0.0));
        assert!(line.len() == 2 && (rate - 1.0).abs() < 1e-9, "{rate}");
        // 0.4 arcsec off the chord in the middle: ten steps leave 0.004.
        let bent = |t: f64| (10.0 + t / 3600.0, 0.4 / 3600.0 * (1.0 - (t / 75.0).powi(2)));
        let (curve, _) = path(-75.0, 75.0, bent);
        assert!((10..=12).contains(&(curve.len() - 1)), "{}", curve.len());
        assert_eq!((curve[0], curve[curve.len() - 1]), (bent(-75.0), bent(75.0)));
    }
}
