//! Constellations: shells of satellites on circular orbits.

use super::SatelliteError;
use crate::observer::Orbit;
use serde::{Deserialize, Serialize};
use sim_core::stream::StreamKey;

const TABLE: &str = include_str!("../../data/satellites/constellations.csv");
/// Epoch of all shells, modified Julian date UTC: 1 January 2030.
const EPOCH_MJD: f64 = 62_502.0;

/// A shell: planes evenly spread in the node, satellites evenly in each.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Shell {
    /// Name, part of the names of its satellites.
    pub name: String,
    /// Height above the equator's radius \[km\], 150 to 100000.
    pub altitude_km: f64,
    /// Inclination to the equator \[deg\], 0 to 180.
    pub inclination_deg: f64,
    /// Planes, 1 to 10000.
    pub planes: u32,
    /// Satellites of a plane, 1 to 10000; at most 1000000 in all.
    pub per_plane: u32,
    /// V at 1000 km and a phase of 90 deg, -10 to 20.
    #[serde(default = "magnitude")]
    pub magnitude: f64,
    /// Standard deviation of that from satellite to satellite \[mag\], 0 to 3.
    #[serde(default = "scatter")]
    pub scatter_mag: f64,
    /// Size \[m\], 0 to 200.
    #[serde(default = "size")]
    pub size_m: f64,
}

pub(super) fn magnitude() -> f64 {
    7.0
}

pub(super) fn scatter() -> f64 {
    0.6
}

pub(super) fn size() -> f64 {
    4.0
}

impl Shell {
    pub(super) fn check(&self, index: usize) -> Result<(), SatelliteError> {
        let count = f64::from(self.planes) * f64::from(self.per_plane);
        for (key, value, low, high) in [
            ("altitude_km", self.altitude_km, 150.0, 1e5),
            ("inclination_deg", self.inclination_deg, 0.0, 180.0),
            ("planes", f64::from(self.planes), 1.0, 1e4),
            ("per_plane", f64::from(self.per_plane), 1.0, 1e4),
            ("planes x per_plane", count, 1.0, 1e6),
            ("magnitude", self.magnitude, -10.0, 20.0),
            ("scatter_mag", self.scatter_mag, 0.0, 3.0),
            ("size_m", self.size_m, 0.0, 200.0),
        ] {
            if !(low..=high).contains(&value) {
                return Err(SatelliteError::Range { key: format!("shell[{index}].{key}"), value, low, high });
            }
        }
        Ok(())
    }
    /// Its satellites. Where the first one stands is drawn; neighbouring planes are shifted by a step of one plane over all planes.
    pub(super) fn orbits(&self, number: u64, key: StreamKey) -> Vec<Orbit> {
        let mut draw = crate::draw::Draw::new(key.with(number).with_name("shell").stream(0));
        let (node, phase) = (draw.between(0.0, 360.0), draw.between(0.0, 360.0));
        let (planes, per_plane) = (f64::from(self.planes), f64::from(self.per_plane));
        let one = |p: u32, s: u32| Orbit {
            altitude_km: self.altitude_km,
            inclination_deg: self.inclination_deg,
            node_deg: (node + 360.0 * f64::from(p) / planes).rem_euclid(360.0),
            phase_deg: (phase + 360.0 * (f64::from(s) + f64::from(p) / planes) / per_plane).rem_euclid(360.0),
            epoch_mjd: EPOCH_MJD,
        };
        (0..self.planes).flat_map(|p| (0..self.per_plane).map(move |s| (p, s))).map(|(p, s)| one(p, s)).collect()
    }
}

/// The shells of a built-in constellation; none when there is none of that name.
pub(super) fn built_in(name: &str) -> Vec<Shell> {
    rows().filter(|shell| shell.name == name).collect()
}

/// Names of the built-in constellations.
pub(super) fn names() -> Vec<String> {
    let mut names: Vec<String> = rows().map(|shell| shell.name).collect();
    names.dedup();
    names
}

fn rows() -> impl Iterator<Item = Shell> {
    TABLE.lines().filter(|l| !l.starts_with('#')).skip(1).filter(|l| !l.is_empty()).map(|line| {
        let cells: Vec<&str> = line.split(',').collect();
        let number = |k: usize| cells[k].parse().unwrap_or(f64::NAN);
        Shell {
            name: cells[0].into(),
            altitude_km: number(1),
            inclination_deg: number(2),
            planes: number(3) as u32,
            per_plane: number(4) as u32,
            magnitude: number(5),
            scatter_mag: number(6),
            size_m: number(7),
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn built_in_constellations_have_the_satellites_of_their_filings() {
        let count = |name: &str| built_in(name).iter().map(|s| s.planes * s.per_plane).sum::<u32>();
        assert_eq!([count("starlink_gen1"), count("starlink_gen2"), count("oneweb"), count("kuiper")], [4408, 10_080, 1980, 3236]);
        assert_eq!(names(), ["starlink_gen1", "starlink_gen2", "oneweb", "kuiper"]);
        assert!(rows().enumerate().all(|(k, s)| s.check(k).is_ok()));
    }
}
