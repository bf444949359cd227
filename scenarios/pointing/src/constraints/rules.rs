//! The rules as a file: every number with its source and status.

use super::Constraint;
use super::bodies::{MoonAngle, SunAngle};
use super::cmg::{CmgBudget, CmgModel};
use super::limb::EarthLimb;
use super::panel::{Mount, SolarPanel};
use super::saa::Saa;
use super::slew::SlewTable;
use crate::input::{self, InputError};
use serde::Deserialize;
use sim_core::direction::{dot, unit};
use sim_core::quantity::Quantity;
use std::path::Path;

/// All rules of a plan.
#[derive(Debug, Clone, PartialEq)]
pub struct Rules {
    /// Sun.
    pub sun: SunAngle,
    /// Moon.
    pub moon: MoonAngle,
    /// Edge of the Earth.
    pub limb: EarthLimb,
    /// Solar panel.
    pub panel: SolarPanel,
    /// South Atlantic Anomaly.
    pub saa: Saa,
    /// Time of turns.
    pub slew: SlewTable,
    /// Budget of turns.
    pub cmg: CmgBudget,
    /// Intervals into which an exposure is cut for its checks, at least 10.
    pub checks: u32,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RulesFile {
    sun_angle: Quantity,
    moon_angle: Quantity,
    earth_limb_bright: Quantity,
    earth_limb_dark: Quantity,
    solar_panel_angle: Quantity,
    solar_panel_axis: Option<Quantity<[f64; 3]>>,
    solar_panel_normal: Option<Quantity<[f64; 3]>>,
    saa: Quantity<Vec<(f64, f64)>>,
    slew_small: Quantity,
    slew: Quantity<Vec<(f64, f64)>>,
    cmg_model: Quantity<CmgModel>,
    cmg: Quantity<Vec<(f64, f64)>>,
    cmg_window: Quantity,
    checks: Quantity<u32>,
}

impl Rules {
    /// The published rules, as shipped in `scenarios/data/surveys/constraints.toml`.
    ///
    /// # Panics
    /// Never: the file is part of the program and a test reads it.
    #[must_use]
    pub fn shipped() -> Self {
        match Self::parse(include_str!("../../../data/surveys/constraints.toml"), "scenarios/data/surveys/constraints.toml") {
            Ok(rules) => rules,
            Err(error) => panic!("{error}"),
        }
    }
    /// Reads a file of rules.
    ///
    /// # Errors
    /// When it cannot be read, has an unknown key or lacks one, or a value is out of range.
    pub fn read(path: &Path) -> Result<Self, InputError> {
        let (text, shown) = input::text(path)?;
        Self::parse(&text, &shown)
    }
    fn parse(text: &str, path: &str) -> Result<Self, InputError> {
        let fault = |reason: String| InputError::File { path: path.into(), reason };
        let file: RulesFile = toml::from_str(text).map_err(|e| fault(e.to_string()))?;
        let range = |key, value: String, ok: bool, range| {
            if ok { Ok(()) } else { Err(InputError::Range { path: path.into(), key, value, range }) }
        };
        for (key, q) in [
            ("sun_angle", &file.sun_angle),
            ("moon_angle", &file.moon_angle),
            ("earth_limb_bright", &file.earth_limb_bright),
            ("earth_limb_dark", &file.earth_limb_dark),
            ("solar_panel_angle", &file.solar_panel_angle),
        ] {
            range(key, q.value.to_string(), (0.0..=180.0).contains(&q.value), "0..180 deg")?;
        }
        range("slew_small", file.slew_small.value.to_string(), (0.0..=3600.0).contains(&file.slew_small.value), "0..3600 s")?;
        range("cmg_window", file.cmg_window.value.to_string(), file.cmg_window.value > 0.0 && file.cmg_window.value <= 10.0, "0..10 d")?;
        range("checks", file.checks.value.to_string(), (10..=1000).contains(&file.checks.value), "10..1000")?;
        for (key, nodes) in [("slew", &file.slew.value), ("cmg", &file.cmg.value)] {
            let rising = nodes.len() >= 2 && nodes.windows(2).all(|w| w[0].0 < w[1].0 && w[0].1 <= w[1].1);
            let valid = nodes.iter().all(|n| (0.0..=180.0).contains(&n.0) && n.1 >= 0.0) && nodes.last().is_some_and(|n| n.0 == 180.0);
            range(key, format!("{nodes:?}"), rising && valid, "rising nodes within 0..180 deg that end at 180 deg")?;
        }
        let corners = &file.saa.value;
        let on_earth = corners.iter().all(|c| (-180.0..=180.0).contains(&c.0) && (-90.0..=90.0).contains(&c.1));
        range("saa", format!("{corners:?}"), corners.len() >= 3 && on_earth, "three corners and more within -180..180, -90..90 deg")?;
        let mount = match (file.solar_panel_axis, file.solar_panel_normal) {
            (Some(q), None) => Mount::Axis(direction(q.value, path, "solar_panel_axis")?),
            (None, Some(q)) => Mount::Normal(direction(q.value, path, "solar_panel_normal")?),
            _ => return Err(fault("one of solar_panel_axis and solar_panel_normal must be given, not both".into())),
        };
        Ok(Self {
            sun: SunAngle { least_deg: file.sun_angle.value },
            moon: MoonAngle { least_deg: file.moon_angle.value },
            limb: EarthLimb { bright_deg: file.earth_limb_bright.value, dark_deg: file.earth_limb_dark.value },
            panel: SolarPanel { most_deg: file.solar_panel_angle.value, mount },
            saa: Saa { corners_deg: file.saa.value },
            slew: SlewTable { small_s: file.slew_small.value, nodes: file.slew.value },
            cmg: CmgBudget { model: file.cmg_model.value, bins: file.cmg.value, window_d: file.cmg_window.value },
            checks: file.checks.value,
        })
    }
    /// The rules of single moments, the quickest to tell first.
    #[must_use]
    pub fn constraints(&self) -> [&dyn Constraint; 5] {
        [&self.limb, &self.sun, &self.moon, &self.panel, &self.saa]
    }
    /// Times at which an exposure is looked at, from its start to its end \[s\].
    pub fn check_times_s(&self, exposure_s: f64) -> impl Iterator<Item = f64> + use<> {
        let n = self.checks;
        (0..=n).map(move |k| exposure_s * f64::from(k) / f64::from(n))
    }
}

fn direction(v: [f64; 3], path: &str, key: &'static str) -> Result<[f64; 3], InputError> {
    let length = dot(&v, &v).sqrt();
    if length > 0.0 && length.is_finite() {
        return Ok(unit(v));
    }
    Err(InputError::Range { path: path.into(), key, value: format!("{v:?}"), range: "directions other than zero" })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_shipped_rules_are_the_published_numbers() {
        let rules = Rules::shipped();
        assert_eq!((rules.sun.least_deg, rules.moon.least_deg, rules.limb.bright_deg, rules.limb.dark_deg), (50.0, 40.0, 70.0, 30.0));
        assert_eq!((rules.panel.most_deg, rules.checks, rules.cmg.window_d), (25.0, 10, 0.0638));
        assert_eq!(rules.saa.corners_deg[0], (-13.0, -42.5));
        assert!((rules.cmg.share(30.0) - 1.0 / 13.0).abs() < 1e-6 && rules.slew.time_s(45.0) == 196.0);
        assert_eq!(rules.check_times_s(150.0).collect::<Vec<_>>()[..3], [0.0, 15.0, 30.0]);
    }

    #[test]
    fn faults_name_file_key_value_and_range() {
        let text = include_str!("../../../data/surveys/constraints.toml");
        let fault = |from: &str, to: &str| {
            assert!(text.contains(from), "{from}");
            Rules::parse(&text.replacen(from, to, 1), "rules.toml").unwrap_err().to_string()
        };
        assert_eq!(fault("value = 50.0", "value = 250.0"), "rules.toml: sun_angle = 250 is outside 0..180 deg");
        assert!(fault("sun_angle", "sun_angel").contains("sun_angel"));
        assert!(fault("value = 10,", "value = 5,").contains("checks = 5 is outside 10..1000"));
        assert!(fault("[20, 127]", "[0.5, 127]").contains("rising nodes"));
    }
}
