//! Where sources appear to a telescope in orbit.
//!
//! # Effect
//! Stars move, and swing as the Earth goes round the Sun (proper motion, parallax); the Sun bends their light (4 mas at right angles to it); the velocity
//! of the observer tilts every direction forward (aberration: 20 arcsec by the Earth, 5 by the orbit). A telescope that points at the apparent place of its
//! target sees differences alone: 1e-4 of the field, 0.18 arcsec half a degree away.
//! # Formula
//! `p = <p0 + (t - t0 + p0.b / c) m - pi b>`; the Sun's deflection; `p' = <p / g + (1 + p.v / (1 + 1 / g)) v>`, v in units of c; g Lorentz factor.
//! Seen by the telescope: p' turned by the shortest way that brings the apparent boresight to the nominal one. Angles on the sky over
//! apparent ones at the boresight: `g (1 + p.v)`
//! # Symbols
//! p0, m, pi direction, space motion and parallax at the epoch t0; b barycentric place of the observer; <> of length one
//! # Source
//! Klioner 2003 (AJ 125, 1580); SOFA routines epv00, apcs, pmpx, ldsun, ab through the `sofars` crate, checked against ERFA by `peers/observer_erfa.py`
//! # Limits
//! One moment for an exposure, its middle: guiding holds the boresight, and over 150 s the orbit's part turns by ten degrees, which moves the edge of the
//! field by 4 mas. Planets bend no light. The Earth's place is that of epv00 (5 km, 4 mm/s in this century).
//! # Twin
//! The scale of the world coordinates in level 0 has the factor (VAFACTOR); what is left over the field is below 1 mas.

mod sight;
#[cfg(test)]
mod tests;

pub use sight::{AU_KM, AU_LIGHT_S, DAY_S, SUN_MU, Sight};
pub use sim_core::orbit::Orbit;

use crate::dates::{DateError, barycentric_time};
use crate::direction::{cross, dot};
use sim_core::source::Motion;
use sofars::astro::{IauAstrom, ab, apcs, ld, ldsun, pmpx};
use sofars::eph::epv00;
use sofars::vm::{c2s, s2c};

/// Milliarcseconds in a radian.
const MAS: f64 = 206_264_806.247_096_36;

/// An observer at one moment.
#[derive(Debug, Clone, Copy)]
pub struct Observer {
    moment: IauAstrom,
}

impl Observer {
    /// At the centre of the Earth, or on an orbit about it, at a modified Julian date in UTC \[d\].
    ///
    /// # Errors
    /// For dates outside 1960..2192.
    pub fn new(mjd_utc: f64, orbit: Option<&Orbit>) -> Result<Self, DateError> {
        let (a, b) = barycentric_time(mjd_utc)?;
        let (heliocentric, barycentric) = epv00(a, b).ok_or(DateError::Date { mjd_utc })?;
        let state = orbit.map_or([[0.0; 3]; 2], |orbit| orbit.state(mjd_utc));
        let mut moment = IauAstrom::default();
        apcs(a, b, &state, &barycentric, &heliocentric[0], &mut moment);
        Ok(Self { moment })
    }
    /// Julian years since J2000.
    #[must_use]
    pub fn years(&self) -> f64 {
        self.moment.pmt
    }
    /// Velocity in the barycentric frame, in units of the speed of light.
    #[must_use]
    pub fn velocity(&self) -> [f64; 3] {
        self.moment.v
    }
    /// Direction in which light arrives, before aberration.
    fn natural(&self, ra_deg: f64, dec_deg: f64, motion: Option<&Motion>) -> [f64; 3] {
        let (ra, dec) = (ra_deg.to_radians(), dec_deg.to_radians());
        let moment = &self.moment;
        let coordinate = match motion {
            None => s2c(ra, dec),
            Some(m) => {
                let years = moment.pmt - (m.epoch_year - 2000.0);
                // A negative parallax is noise: the star is far.
                let parallax = m.parallax_mas.max(0.0) / 1000.0;
                let per_year = m.pm_ra_mas_yr / MAS / dec.cos().max(1e-9);
                pmpx(ra, dec, per_year, m.pm_dec_mas_yr / MAS, parallax, m.radial_velocity_km_s, years, moment.eb)
            }
        };
        ldsun(coordinate, moment.eh, moment.em)
    }
    fn proper_direction(&self, natural: &[f64; 3]) -> [f64; 3] {
        ab(natural, &self.moment.v, self.moment.em, self.moment.bm1)
    }
    /// Apparent place \[deg\], axes of the ICRS, of a place in the ICRS at the motion's epoch.
    #[must_use]
    pub fn proper(&self, ra_deg: f64, dec_deg: f64, motion: Option<&Motion>) -> (f64, f64) {
        degrees(&self.proper_direction(&self.natural(ra_deg, dec_deg, motion)))
    }
}

fn degrees(direction: &[f64; 3]) -> (f64, f64) {
    let (ra, dec) = c2s(direction);
    (ra.to_degrees().rem_euclid(360.0), dec.to_degrees())
}

/// What a telescope sees that holds the apparent place of its boresight.
#[derive(Debug, Clone, Copy)]
pub struct View {
    observer: Observer,
    /// Rotation vector from the apparent boresight to the nominal one, and the cosine of its angle.
    turn: ([f64; 3], f64),
    scale: f64,
}

impl View {
    /// Of an observer whose boresight is at a place of the ICRS \[deg\].
    #[must_use]
    pub fn new(observer: Observer, ra_deg: f64, dec_deg: f64) -> Self {
        let nominal = s2c(ra_deg.to_radians(), dec_deg.to_radians());
        let natural = observer.natural(ra_deg, dec_deg, None);
        let apparent = observer.proper_direction(&natural);
        let scale = (1.0 + dot(&natural, &observer.moment.v)) / observer.moment.bm1;
        Self { observer, turn: (cross(&apparent, &nominal), dot(&apparent, &nominal)), scale }
    }
    /// The place \[deg\] at which the nominal world coordinates show a source.
    #[must_use]
    pub fn place(&self, ra_deg: f64, dec_deg: f64, motion: Option<&Motion>) -> (f64, f64) {
        self.turned(&self.observer.proper_direction(&self.observer.natural(ra_deg, dec_deg, motion)))
    }
    /// The place \[deg\] at which the nominal world coordinates show light that comes from a direction, before aberration; `from_sun` is the direction
    /// from the Sun to a body of the solar system, which bends its light, and nothing for one beside the Earth.
    #[must_use]
    pub fn place_of(&self, direction: &[f64; 3], from_sun: Option<&[f64; 3]>) -> (f64, f64) {
        let moment = &self.observer.moment;
        let bent = match from_sun {
            // As SOFA's ldsun limits it close to the Sun.
            Some(q) => ld(1.0, *direction, *q, moment.eh, moment.em, 1e-6 / (moment.em * moment.em).max(1.0)),
            None => *direction,
        };
        self.turned(&self.observer.proper_direction(&bent))
    }
    fn turned(&self, p: &[f64; 3]) -> (f64, f64) {
        let (w, cosine) = &self.turn;
        let once = cross(w, p);
        let twice = cross(w, &once);
        degrees(&std::array::from_fn(|k| p[k] + once[k] + twice[k] / (1.0 + cosine)))
    }
    /// An angle on the sky over the same angle as it is seen, at the boresight.
    #[must_use]
    pub fn scale(&self) -> f64 {
        self.scale
    }
}
