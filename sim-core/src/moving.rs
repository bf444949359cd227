//! What moves during an exposure, as one detector sees it: satellites and bodies of the solar system.
//!
//! The catalogue gives paths on the sky, the optics turns them into paths of pixels and electrons, and the effect that draws trails draws
//! them: light, truth and the frame's account come from the same list.

/// What moves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MoverKind {
    /// Crosses the field.
    Satellite,
    /// A short dash.
    Asteroid,
}

impl MoverKind {
    /// Name in the truth table.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Satellite => "satellite",
            Self::Asteroid => "asteroid",
        }
    }
}

/// One of them, in front of a detector.
#[derive(Debug, Clone, PartialEq)]
pub struct Mover {
    /// What it is.
    pub kind: MoverKind,
    /// Number in its catalogue; in the exposure where there is no catalogue.
    pub id: i64,
    /// Name, empty where it has none.
    pub name: String,
    /// Where it is seen at even steps of time, 0-based detector pixels; at least two places.
    pub path: Vec<(f64, f64)>,
    /// AB magnitude in the band.
    pub magnitude: f64,
    /// Expected electrons of all its light between the ends.
    pub electrons: f64,
    /// Mean angular rate \[arcsec / s\].
    pub rate_arcsec_s: f64,
    /// Diameter of the disc that a point of it is blurred to \[arcsec\].
    pub blur_arcsec: f64,
    /// What its orbit says; `None` where it has none.
    pub orbit: Option<OrbitTruth>,
}

/// What is known of a mover with an orbit.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct OrbitTruth {
    /// Where the nominal world coordinates show the start of its path (ra, dec) \[deg\].
    pub from_deg: (f64, f64),
    /// And the end.
    pub to_deg: (f64, f64),
    /// Seconds after the start of the exposure at which it is at the start of the path.
    pub from_s: f64,
    /// And at its end.
    pub to_s: f64,
    /// Distance from the telescope \[km\].
    pub distance_km: f64,
    /// Angle Sun - object - telescope \[deg\].
    pub phase_deg: f64,
    /// Absolute magnitude H of a body of the solar system; of a satellite its magnitude at 1000 km and a phase of 90 deg.
    pub absolute_magnitude: f64,
}

/// What moves in front of a detector. A kind that is `None` has no list: the effect's own population stands in.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Movers {
    /// Satellites.
    pub satellites: Option<Vec<Mover>>,
    /// Bodies of the solar system.
    pub asteroids: Option<Vec<Mover>>,
}
