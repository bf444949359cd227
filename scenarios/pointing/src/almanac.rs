//! Moments fast: what moves slowly is interpolated.
//!
//! # Formula
//! Geocentric Sun and Moon: straight lines between nodes 0.01 d apart. Axes fixed to the Earth: those of the node's date, turned by the sidereal rate.
//! # Symbols
//! As [`crate::moment`].
//! # Source
//! As [`crate::moment`].
//! # Limits
//! The chord of the Moon's way is below its arc by 0.13 deg squared over 8 rad: 0.1 arcsec.

use crate::moment::{Moment, sun_and_moon_km};
use crate::orbit::{OrbitError, Track};
use sim_core::axes::{Turn, earth_from_gcrs};
use sim_core::direction::Vector;
use std::collections::BTreeMap;
use std::f64::consts::TAU;

/// Distance of nodes \[d\].
const NODE_D: f64 = 0.01;
/// Turns of the Earth in a day of UT1 (IERS Conventions 2010, eq. 5.15).
const TURNS_A_DAY: f64 = 1.002_737_811_911_354_5;
/// Nodes kept at most: ten days.
const KEPT: usize = 1000;

#[derive(Debug, Clone, Copy)]
struct Node {
    bodies: [Vector; 2],
    earth: Turn,
}

/// Gives moments along an orbit.
#[derive(Debug)]
pub struct Almanac<'a> {
    track: &'a Track,
    nodes: BTreeMap<i64, Node>,
}

impl<'a> Almanac<'a> {
    /// Along an orbit.
    #[must_use]
    pub fn new(track: &'a Track) -> Self {
        Self { track, nodes: BTreeMap::new() }
    }
    fn node(&mut self, k: i64) -> Result<Node, OrbitError> {
        if let Some(node) = self.nodes.get(&k) {
            return Ok(*node);
        }
        let mjd = k as f64 * NODE_D;
        let node = Node { bodies: sun_and_moon_km(mjd)?, earth: earth_from_gcrs(mjd)? };
        if self.nodes.len() >= KEPT {
            self.nodes.pop_first();
        }
        self.nodes.insert(k, node);
        Ok(node)
    }
    /// At a modified Julian date UTC \[d\].
    ///
    /// # Errors
    /// For dates outside 1960..2192 or off the orbit.
    pub fn at(&mut self, mjd: f64) -> Result<Moment, OrbitError> {
        let k = (mjd / NODE_D).floor();
        let share = mjd / NODE_D - k;
        let (a, b) = (self.node(k as i64)?, self.node(k as i64 + 1)?);
        let bodies = [0, 1].map(|i| std::array::from_fn(|j| a.bodies[i][j] + share * (b.bodies[i][j] - a.bodies[i][j])));
        let (s, c) = (TAU * TURNS_A_DAY * share * NODE_D).sin_cos();
        let [x, y, z] = a.earth;
        let earth = [std::array::from_fn(|j| c * x[j] + s * y[j]), std::array::from_fn(|j| -s * x[j] + c * y[j]), z];
        Ok(Moment::of(mjd, self.track.state(mjd)?, bodies, &earth))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::moment::tests::{MJD, track};
    use sim_core::direction::angle;

    #[test]
    fn interpolated_moments_are_the_computed_ones_to_an_arcsecond() {
        let track = track();
        let mut almanac = Almanac::new(&track);
        for k in 0..300 {
            let mjd = MJD + 0.0837 * f64::from(k);
            let (quick, exact) = (almanac.at(mjd).unwrap(), Moment::at(&track, mjd).unwrap());
            for (a, b) in [(quick.sun, exact.sun), (quick.moon, exact.moon)] {
                assert!(angle(&a, &b).to_degrees() * 3600.0 < 1.0, "{k}");
            }
            let turn = (quick.longitude_deg - exact.longitude_deg + 540.0).rem_euclid(360.0) - 180.0;
            assert!(turn.abs() < 3e-4 && (quick.latitude_deg - exact.latitude_deg).abs() < 3e-4, "{k}: {turn}");
            assert_eq!(quick.sunlit, exact.sunlit);
        }
    }
}
