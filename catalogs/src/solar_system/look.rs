//! One body in front of the telescope: light time, place, brightness.
//!
//! # Effect
//! Light shows a body where it was when the light left it.
//! # Formula
//! `p = r(t - |p| / c) + s(t - |p| / c) - o(t)`, three rounds; shown by [`Sight::show`]
//! # Symbols
//! r place about the Sun, s barycentric place of the Sun, o of the observer
//! # Source
//! Explanatory Supplement to the Astronomical Almanac (Urban & Seidelmann 2013), 7.3
//! # Limits
//! As [`super::ellipse`] and [`crate::observer`].
//! # Twin
//! None.

use super::brightness::apparent;
use super::colour::Taxon;
use super::ellipse::Ellipse;
use crate::direction::{Vector, dot, unit};
use crate::moving::{Cone, Passage, angle, path};
use crate::observer::{AU_KM, AU_LIGHT_S, DAY_S, Sight};

/// Faster than any bound body passes the telescope: 42 km/s at 1 au on a parabola, 30 of the Earth's, 8 of the orbit's \[au / d\].
const FASTEST_AU_D: f64 = 80.0 * DAY_S / AU_KM;

/// A body.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Body {
    /// Its orbit.
    pub orbit: Ellipse,
    /// Absolute magnitude.
    pub h: f64,
    /// Slope parameter.
    pub g: f64,
    /// Surface.
    pub taxon: Taxon,
}

/// The light of a body that arrives at one moment.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Arrival {
    /// From the observer \[au\].
    pub from_observer: [f64; 3],
    /// From the Sun \[au\].
    pub from_sun: [f64; 3],
}

impl Body {
    /// The light that arrives so many seconds after the middle of the exposure.
    #[must_use]
    pub fn arrival(&self, sight: &Sight, offset_s: f64) -> Arrival {
        let observer = sight.observer_au(offset_s);
        let mut light_s = 0.0;
        let mut arrival = Arrival { from_observer: [0.0; 3], from_sun: [0.0; 3] };
        for _ in 0..3 {
            let sun = sight.sun_au(offset_s - light_s);
            arrival.from_sun = self.orbit.place_au(sight.tdb_mjd(offset_s - light_s));
            arrival.from_observer = std::array::from_fn(|k| arrival.from_sun[k] + sun[k] - observer[k]);
            light_s = length(&arrival.from_observer) * AU_LIGHT_S;
        }
        arrival
    }
    /// Where it is shown \[deg\].
    #[must_use]
    pub fn place(&self, sight: &Sight, offset_s: f64) -> (f64, f64) {
        let arrival = self.arrival(sight, offset_s);
        sight.show(&unit(arrival.from_observer), Some(&unit(arrival.from_sun)))
    }
    /// Its way through a cone during the exposure when it comes in and is brighter than V = `faint`. `sun_from_observer` is the Sun's place at the middle.
    pub(super) fn passage(&self, sight: &Sight, cone: &Cone, sun_from_observer: &Vector, faint: f64) -> Option<Passage> {
        // Roughly first, and without light time: a body moves by its speed over that of light at most, 2.7e-4, and seen from here a rough place is off by
        // 1e-3 of its distance from the Sun.
        let r = self.orbit.place_roughly_au(sight.tdb_mjd(0.0));
        let p: Vector = std::array::from_fn(|k| r[k] + sun_from_observer[k]);
        let distance = length(&p);
        let reach = (cone.radius + 3e-4 + (1e-3 * length(&r) + FASTEST_AU_D * 0.5 * sight.time_s / DAY_S) / distance).min(3.2);
        if dot(&p, &cone.axis) < distance * reach.cos()
            || self.h + 5.0 * (length(&r) * distance).log10() > faint + 0.02 + 3e-3 * length(&r) / distance
        {
            return None;
        }
        let half = 0.5 * sight.time_s;
        let middle = self.arrival(sight, 0.0);
        let (r, d) = (length(&middle.from_sun), length(&middle.from_observer));
        let phase = angle(&middle.from_sun, &middle.from_observer);
        let v = apparent(self.h, self.g, r, d, phase);
        if v.is_nan() || v > faint {
            return None;
        }
        let (path, rate_arcsec_s) = path(-half, half, |t| self.place(sight, t));
        // Steps of a path are straight: the nearest place of each is tried.
        let inside = path.windows(2).any(|w| {
            let (a, b) = (crate::direction::vector(w[0].0, w[0].1), crate::direction::vector(w[1].0, w[1].1));
            let step: Vector = std::array::from_fn(|k| b[k] - a[k]);
            let along = dot(&std::array::from_fn(|k| cone.axis[k] - a[k]), &step) / dot(&step, &step).max(1e-30);
            let t = along.clamp(0.0, 1.0);
            cone.angle(&std::array::from_fn(|k| a[k] + t * step[k])) <= cone.radius
        });
        inside.then(|| Passage {
            id: 0,
            name: String::new(),
            path,
            from_s: 0.0,
            to_s: sight.time_s,
            rate_arcsec_s,
            v,
            absolute_magnitude: self.h,
            distance_km: d * AU_KM,
            phase_deg: phase.to_degrees(),
            size_m: 0.0,
            taxon: self.taxon,
        })
    }
}

pub(super) fn length(v: &Vector) -> f64 {
    dot(v, v).sqrt()
}
