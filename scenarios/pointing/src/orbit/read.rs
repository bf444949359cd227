//! The orbit as a file: every number with its source and status.

use super::{Ellipse, OrbitError, Tle, Track};
use serde::Deserialize;
use sim_core::orbit::Orbit;
use sim_core::quantity::Quantity;
use std::path::Path;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct OrbitFile {
    ellipse: Option<EllipseTable>,
    circle: Option<CircleTable>,
    tle: Option<TleTable>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct EllipseTable {
    semi_major_axis: Quantity,
    eccentricity: Quantity,
    inclination: Quantity,
    node: Quantity,
    perigee: Quantity,
    anomaly: Quantity,
    decay: Quantity,
    epoch: Quantity,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct CircleTable {
    altitude: Quantity,
    inclination: Quantity,
    node: Quantity,
    phase: Quantity,
    epoch: Quantity,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct TleTable {
    lines: String,
}

impl Track {
    /// The orbit shipped in `scenarios/data/surveys/orbit.toml`: assumed, but for its height.
    ///
    /// # Panics
    /// Never: the file is part of the program and a test reads it.
    #[must_use]
    pub fn shipped() -> Self {
        match parse(include_str!("../../../data/surveys/orbit.toml")) {
            Ok(track) => track,
            Err(error) => panic!("{error}"),
        }
    }
    /// Reads a file with one of `[ellipse]`, `[circle]` and `[tle]`.
    ///
    /// # Errors
    /// When it cannot be read, has an unknown key or lacks one, or an element is out of range.
    pub fn read(path: &Path) -> Result<Self, OrbitError> {
        let named = |e: &dyn std::fmt::Display| OrbitError::Elements(format!("{}: {e}", path.display()));
        let text = std::fs::read_to_string(path).map_err(|e| named(&e))?;
        parse(&text).map_err(|e| named(&e))
    }
}

fn parse(text: &str) -> Result<Track, OrbitError> {
    let file: OrbitFile = toml::from_str(text).map_err(|e| OrbitError::Elements(e.to_string()))?;
    match (file.ellipse, file.circle, file.tle) {
        (Some(t), None, None) => {
            let ellipse = Ellipse {
                semi_major_km: t.semi_major_axis.value,
                eccentricity: t.eccentricity.value,
                inclination_deg: t.inclination.value,
                node_deg: t.node.value,
                perigee_deg: t.perigee.value,
                anomaly_deg: t.anomaly.value,
                decay_km_d: t.decay.value,
                epoch_mjd: t.epoch.value,
            };
            ellipse.check()?;
            Ok(Track::Ellipse(ellipse))
        }
        (None, Some(t), None) => {
            let altitude = t.altitude.value;
            if !(150.0..=100_000.0).contains(&altitude) {
                return Err(OrbitError::Range { key: "altitude", value: altitude, range: "150..100000 km" });
            }
            Ok(Track::Circle(Orbit {
                altitude_km: altitude,
                inclination_deg: t.inclination.value,
                node_deg: t.node.value,
                phase_deg: t.phase.value,
                epoch_mjd: t.epoch.value,
            }))
        }
        (None, None, Some(t)) => Ok(Track::Tle(Box::new(Tle::parse(&t.lines)?))),
        _ => Err(OrbitError::Elements("one of [ellipse], [circle] and [tle] is needed".into())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_shipped_orbit_and_a_circle_of_the_same_height_are_one_orbit() {
        let Track::Ellipse(ellipse) = Track::shipped() else { panic!("an ellipse is shipped") };
        let text = "[circle]\naltitude = { value = 392.8634, unit = \"km\", source = \"\", status = \"assumed\" }\n";
        let rest = ["inclination", "node", "phase", "epoch"].map(|key| {
            let value = if key == "inclination" {
                41.5
            } else if key == "epoch" {
                61_771.0
            } else {
                0.0
            };
            format!("{key} = {{ value = {value:?}, unit = \"deg\", source = \"\", status = \"assumed\" }}\n")
        });
        let circle = parse(&(text.to_string() + &rest.concat())).unwrap();
        let (a, b) = (circle.state(61_771.0).unwrap(), Track::Ellipse(ellipse).state(61_771.0).unwrap());
        for k in 0..3 {
            assert!((a.position_km[k] - b.position_km[k]).abs() < 1e-3, "{a:?} {b:?}");
            // The steady rates of oblateness are 1e-3 of the velocity; the circle has the node's alone.
            assert!((a.velocity_km_s[k] - b.velocity_km_s[k]).abs() < 0.02, "{a:?} {b:?}");
        }
        assert!(parse("").is_err() && parse("[tle]\nlines = \"nothing\"").is_err());
    }
}
