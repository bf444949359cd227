//! Scenario files: read, anchored to their folder, written back.

use super::{CatalogChoice, Scenario, ScenarioError};
use catalogs::satellites::SatelliteSpec;
use catalogs::solar_system::SolarSystemSpec;
use sim_core::spelling;
use std::path::{Path, PathBuf};

/// A scenario shipped with the program.
#[must_use]
pub fn built_in(name: &str) -> Option<&'static str> {
    BUILT_IN.iter().find(|(n, _)| *n == name).map(|(_, text)| *text)
}

/// Scenarios shipped with the program: name and text.
pub const BUILT_IN: &[(&str, &str)] = &[
    ("demo", include_str!("../../data/demo.toml")),
    ("limits", include_str!("../../data/limits.toml")),
    ("radiation", include_str!("../../data/radiation.toml")),
    ("imagers", include_str!("../../data/imagers.toml")),
    ("detector", include_str!("../../data/detector.toml")),
    ("persistence", include_str!("../../data/persistence.toml")),
    ("cti", include_str!("../../data/cti.toml")),
    ("fringes", include_str!("../../data/fringes.toml")),
    ("chip", include_str!("../../data/chip.toml")),
    ("traps", include_str!("../../data/traps.toml")),
    ("nebula", include_str!("../../data/nebula.toml")),
    ("white_dwarf", include_str!("../../data/white_dwarf.toml")),
    ("slitless", include_str!("../../data/slitless.toml")),
    ("slitless_gi", include_str!("../../data/slitless_gi.toml")),
    ("slitless_gv", include_str!("../../data/slitless_gv.toml")),
    ("slitless_gu", include_str!("../../data/slitless_gu.toml")),
    ("slitless_limits", include_str!("../../data/slitless_limits.toml")),
    ("nebula_bands", include_str!("../../data/nebula_bands.toml")),
    ("white_dwarf_bands", include_str!("../../data/white_dwarf_bands.toml")),
    ("smoke", include_str!("../../data/smoke.toml")),
    ("cutouts", include_str!("../../data/cutouts.toml")),
    ("survey", include_str!("../../data/survey.toml")),
];

impl Scenario {
    /// Reads a scenario: the name of a built-in one, or a path.
    ///
    /// # Errors
    /// When the file cannot be read or does not hold a valid scenario.
    pub fn read(name_or_path: &str) -> Result<Self, ScenarioError> {
        if let Some(text) = built_in(name_or_path) {
            return Self::parse(text, name_or_path);
        }
        let path = Path::new(name_or_path);
        let text = std::fs::read_to_string(path).map_err(|source| ScenarioError::Io { path: name_or_path.into(), source })?;
        let mut scenario = Self::parse(&text, name_or_path)?;
        scenario.anchor(path.parent().unwrap_or(Path::new(".")));
        Ok(scenario)
    }

    /// Parses and checks a scenario; `path` is for messages.
    ///
    /// # Errors
    /// When the text is not a valid scenario.
    pub fn parse(text: &str, path: &str) -> Result<Self, ScenarioError> {
        let scenario: Self =
            toml::from_str(text).map_err(|e| ScenarioError::Parse { path: path.into(), reason: with_suggestion(&e.to_string()) })?;
        scenario.check(path)?;
        Ok(scenario)
    }

    /// Makes relative paths in the scenario relative to the folder of its file.
    fn anchor(&mut self, folder: &Path) {
        let absolute = |p: &Path| {
            let joined = folder.join(p);
            std::fs::canonicalize(&joined).unwrap_or(joined)
        };
        if let CatalogChoice::File { file } = &mut self.catalog {
            file.path = absolute(&file.path);
        }
        for insert in &mut self.insert {
            insert.path = absolute(&insert.path);
        }
        for path in self.moving_files_mut() {
            *path = absolute(path);
        }
        // A file or a folder beside the scenario, unless a built-in instrument has this name.
        let beside = folder.join(&self.instrument);
        if self.instrument.ends_with(".toml") || (beside.is_dir() && !instruments::description::is_built_in(&self.instrument)) {
            self.instrument = absolute(Path::new(&self.instrument)).to_string_lossy().into_owned();
        }
        for criteria in &mut self.criteria {
            if criteria.ends_with(".toml") {
                *criteria = absolute(Path::new(criteria)).to_string_lossy().into_owned();
            }
        }
    }

    fn moving_files_mut(&mut self) -> Vec<&mut PathBuf> {
        let Some(moving) = &mut self.moving else { return Vec::new() };
        let bodies = moving.solar_system.iter_mut().filter_map(|s| match s {
            SolarSystemSpec::File { path, .. } => Some(path),
            SolarSystemSpec::Synthetic { .. } => None,
        });
        let satellites = moving.satellites.iter_mut().filter_map(|s| match s {
            SatelliteSpec::File { path, .. } => Some(path),
            SatelliteSpec::Constellations { .. } => None,
        });
        bodies.chain(satellites).collect()
    }

    /// Files with the orbits of what moves.
    #[must_use]
    pub fn moving_files(&self) -> Vec<PathBuf> {
        self.clone().moving_files_mut().into_iter().map(|path| path.clone()).collect()
    }

    /// The scenario as TOML, as written beside products.
    ///
    /// # Panics
    /// Never: a scenario that was read can be written.
    #[must_use]
    pub fn to_toml(&self) -> String {
        toml::to_string(self).expect("a scenario serialises")
    }
}

/// Adds "did you mean" to a serde message that names an unknown field and the known ones.
#[must_use]
pub fn with_suggestion(message: &str) -> String {
    let quoted: Vec<&str> = message.split('`').skip(1).step_by(2).collect();
    if !(message.contains("unknown field") || message.contains("unknown variant")) || quoted.len() < 2 {
        return message.to_string();
    }
    let start = message.find("unknown ").unwrap_or(0);
    let names: Vec<&str> = message[start..].split('`').skip(1).step_by(2).collect();
    match spelling::nearest(names[0], names[1..].iter().copied()) {
        Some(near) => format!("{}\ndid you mean `{near}`?", message.trim_end()),
        None => message.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_built_in_scenario_reads_and_survives_being_written() {
        for (name, text) in BUILT_IN {
            let scenario = Scenario::parse(text, name).unwrap();
            assert_eq!(Scenario::parse(&scenario.to_toml(), name).unwrap(), scenario);
        }
    }

    #[test]
    fn a_typing_error_names_the_line_and_what_was_meant() {
        let text = built_in("smoke").unwrap().replace("time_s = 150.0", "tine_s = 150.0");
        let message = Scenario::parse(&text, "x.toml").unwrap_err().to_string();
        assert!(message.contains("x.toml") && message.contains("tine_s") && message.contains("did you mean `time_s`"), "{message}");
        assert!(message.contains("line "), "{message}");
    }

    #[test]
    fn a_scenario_without_a_seed_is_refused() {
        let text = built_in("smoke").unwrap().lines().filter(|l| !l.starts_with("seed")).collect::<Vec<_>>().join("\n");
        assert!(Scenario::parse(&text, "x").unwrap_err().to_string().contains("seed"));
    }

    #[test]
    fn values_out_of_range_are_named_with_their_range() {
        let text = built_in("smoke").unwrap().replace("dec_deg = ", "dec_deg = 9");
        let message = Scenario::parse(&text, "x").unwrap_err().to_string();
        assert!(message.contains("pointing.dec_deg") && message.contains("-90..90"), "{message}");
    }
}
