//! Ranges of a scenario's values.

use super::{CALIBRATION_ID, CatalogChoice, InjectionPlan, PumpingPlan, Scenario, ScenarioError, SkySpec};

impl Scenario {
    /// Refuses values outside their ranges; `path` is for messages.
    pub(super) fn check(&self, path: &str) -> Result<(), ScenarioError> {
        let range = |key: &str, value: &dyn std::fmt::Display, range: &str| ScenarioError::Range {
            path: path.into(),
            key: key.into(),
            value: value.to_string(),
            range: range.into(),
        };
        let own = self.exposure.iter().enumerate().filter_map(|(i, e)| Some((format!("exposure[{i}].pointing"), e.pointing.as_ref()?)));
        for (key, p) in std::iter::once(("pointing".to_string(), &self.pointing)).chain(own) {
            if !(0.0..360.0).contains(&p.ra_deg) {
                return Err(range(&format!("{key}.ra_deg"), &p.ra_deg, "0..360 deg"));
            }
            if !(-90.0..=90.0).contains(&p.dec_deg) {
                return Err(range(&format!("{key}.dec_deg"), &p.dec_deg, "-90..90 deg"));
            }
            if !(-360.0..=360.0).contains(&p.rotation_deg) {
                return Err(range(&format!("{key}.rotation_deg"), &p.rotation_deg, "-360..360 deg"));
            }
        }
        if let Some(orbit) = self.observer.as_ref().and_then(|o| o.orbit.as_ref()) {
            for (key, value, low, high) in [
                ("altitude_km", orbit.altitude_km, 150.0, 1e5),
                ("inclination_deg", orbit.inclination_deg, 0.0, 180.0),
                ("node_deg", orbit.node_deg, -360.0, 360.0),
                ("phase_deg", orbit.phase_deg, -360.0, 360.0),
            ] {
                if !(low..=high).contains(&value) {
                    return Err(range(&format!("observer.orbit.{key}"), &value, &format!("{low}..{high}")));
                }
            }
            if instruments::product::time::Civil::parse_iso(&orbit.epoch).is_none() {
                return Err(range("observer.orbit.epoch", &orbit.epoch, "a date like 2027-06-26T00:00:00"));
            }
        }
        if let Some(moving) = &self.moving {
            if moving.solar_system.is_none() && moving.satellites.is_none() {
                return Err(range("moving", &"{}", "a table solar_system, satellites or both"));
            }
            if moving.satellites.is_some() && self.observer.as_ref().is_none_or(|o| o.orbit.is_none()) {
                return Err(range(
                    "moving.satellites",
                    &"without observer.orbit",
                    "scenarios whose telescope has an orbit: [observer.orbit]",
                ));
            }
        }
        if self.exposure.is_empty() && self.calibration.is_none() {
            return Err(range("exposure", &"[]", "at least one exposure, or a [calibration] table"));
        }
        let mut ids = std::collections::BTreeSet::new();
        for (i, e) in self.exposure.iter().enumerate() {
            if !(e.time_s > 0.0 && e.time_s <= 1e5) {
                return Err(range(&format!("exposure[{i}].time_s"), &e.time_s, "above 0 to 100000 s"));
            }
            if !ids.insert(e.id) {
                return Err(range(&format!("exposure[{i}].id"), &e.id, "unused numbers (this one is given twice)"));
            }
            if e.id >= CALIBRATION_ID {
                return Err(range(
                    &format!("exposure[{i}].id"),
                    &e.id,
                    "numbers below 90000000000 (those above are calibration exposures)",
                ));
            }
            if e.dither_east_arcsec.abs() > 36000.0 || e.dither_north_arcsec.abs() > 36000.0 {
                return Err(range(&format!("exposure[{i}].dither"), &e.dither_east_arcsec, "-36000..36000 arcsec"));
            }
            if e.start_mjd().is_none() {
                return Err(range(&format!("exposure[{i}].start"), &e.start, "UTC dates written 2027-06-26T20:35:58"));
            }
        }
        if self.detector.is_empty() {
            return Err(range("detector", &"[]", "at least one detector"));
        }
        if let SkySpec::Fixed { electron_s } = self.sky
            && !(0.0..=1e6).contains(&electron_s)
        {
            return Err(range("sky.electron_s", &electron_s, "0..1e6 electron/s/pixel"));
        }
        if let Some(least) = self.truth.order_images_above_electron
            && !(1.0..=1e12).contains(&least)
        {
            return Err(range("truth.order_images_above_electron", &least, "1 to 1e12 electron"));
        }
        if !(self.render.tolerance_electron > 0.0 && self.render.tolerance_electron <= 10.0) {
            return Err(range("render.tolerance_electron", &self.render.tolerance_electron, "above 0 to 10 electron"));
        }
        if let CatalogChoice::StarGrid { spacing_pixel, bright, faint } = &self.catalog {
            if !(*spacing_pixel >= 8.0 && *spacing_pixel <= 5000.0) {
                return Err(range("catalog.spacing_pixel", spacing_pixel, "8..5000 pixel"));
            }
            if !(*bright >= -2.0 && bright <= faint && *faint <= 35.0) {
                return Err(range("catalog.bright", bright, "-2..35 mag, not above catalog.faint"));
            }
        }
        if let CatalogChoice::Calibrators { columns, rows, magnitude, .. } = &self.catalog {
            for (key, n) in [("catalog.columns", columns), ("catalog.rows", rows)] {
                if !(1..=50).contains(n) {
                    return Err(range(key, n, "1..50 sources"));
                }
            }
            if !(*magnitude >= -2.0 && *magnitude <= 35.0) {
                return Err(range("catalog.magnitude", magnitude, "-2..35 mag"));
            }
        }
        if let Some(c) = &self.calibration {
            for (key, n) in [("bias", c.bias), ("dark", c.dark), ("flat", c.flat), ("short_flat", c.short_flat)] {
                if !(3..=200).contains(&n) {
                    return Err(range(&format!("calibration.{key}"), &n, "3..200 frames"));
                }
            }
            for (key, t) in [
                ("dark_time_s", c.dark_time_s),
                ("flat_time_s", c.flat_time_s),
                ("short_flat_time_s", c.short_flat_time_s),
                ("lamp_electron_s", c.lamp_electron_s),
            ] {
                if !(t > 0.0 && t <= 1e6) {
                    return Err(range(&format!("calibration.{key}"), &t, "above 0 to 1e6"));
                }
            }
            if let Some(t) = c.ramp_times_s.iter().find(|t| !(**t > 0.0 && **t <= 1e6)) {
                return Err(range("calibration.ramp_times_s", t, "above 0 to 1e6"));
            }
            if !(2..=3).contains(&c.ramp_frames) || c.ramp_times_s.len() > 100 {
                return Err(range("calibration.ramp_frames", &c.ramp_frames, "2 or 3 flats of each of at most 100 times"));
            }
            if let Some(p) = &c.persistence {
                for (key, t) in [("flat_time_s", p.flat_time_s), ("dark_time_s", p.dark_time_s)] {
                    if !(t > 0.0 && t <= 1e6) {
                        return Err(range(&format!("calibration.persistence.{key}"), &t, "above 0 to 1e6"));
                    }
                }
                if p.dark_time_s == c.dark_time_s {
                    return Err(range("calibration.persistence.dark_time_s", &p.dark_time_s, "another time than calibration.dark_time_s"));
                }
                if !(6..=200).contains(&p.darks) {
                    return Err(range("calibration.persistence.darks", &p.darks, "6..200 frames"));
                }
            }
            let starts: Vec<Option<f64>> =
                c.epochs.iter().map(|e| instruments::product::time::Civil::parse_iso(e).map(|c| c.mjd())).collect();
            if let Some(wrong) = starts.iter().position(Option::is_none) {
                return Err(range("calibration.epochs", &c.epochs[wrong], "dates such as 2027-06-26T20:35:58"));
            }
            if c.epochs.len() > 50 || starts.windows(2).any(|w| w[0] >= w[1]) {
                return Err(range("calibration.epochs", &c.epochs.join(", "), "at most 50 dates in order"));
            }
            if let Some(wrong) = c.trap_species.iter().find(|s| !(1..=3).contains(*s)) {
                return Err(range("calibration.trap_species", wrong, "1..3"));
            }
            if let Some((key, value, allowed)) =
                c.charge_injection.as_ref().and_then(injection).or(c.trap_pumping.as_ref().and_then(pumping))
            {
                return Err(range(&format!("calibration.{key}"), &value, allowed));
            }
            if !(c.validity_days > 0.0 && c.validity_days <= 36_525.0) {
                return Err(range("calibration.validity_days", &c.validity_days, "above 0 to 36525"));
            }
            if c.short_flat_time_s >= c.flat_time_s {
                return Err(range("calibration.short_flat_time_s", &c.short_flat_time_s, "less than calibration.flat_time_s"));
            }
        }
        Ok(())
    }
}

/// Key, value and allowed range of what is wrong.
type Wrong = Option<(&'static str, String, &'static str)>;

/// The most that may be asked for; what the wells hold is checked when it is put in \[electron\].
const MOST_ELECTRON: f64 = 1e6;

fn injection(plan: &InjectionPlan) -> Wrong {
    let InjectionPlan { frames, level_electron, rows, gap } = plan;
    if !(1..=20).contains(frames) {
        return Some(("charge_injection.frames", frames.to_string(), "1..20"));
    }
    if level_electron.is_empty() || level_electron.len() > 20 {
        return Some(("charge_injection.level_electron", format!("{} values", level_electron.len()), "1 to 20 values"));
    }
    if let Some(wrong) = level_electron.iter().find(|l| !(1.0..=MOST_ELECTRON).contains(*l)) {
        return Some(("charge_injection.level_electron", wrong.to_string(), "1..1e6 electron"));
    }
    let given = [("charge_injection.rows", *rows), ("charge_injection.gap", *gap)];
    given.into_iter().find(|(_, n)| !(1..=2000).contains(n)).map(|(key, n)| (key, n.to_string(), "1..2000"))
}

fn pumping(plan: &PumpingPlan) -> Wrong {
    let PumpingPlan { frames, cycles, phase_times_s, level_electron } = plan;
    if !(2..=20).contains(frames) {
        return Some(("trap_pumping.frames", frames.to_string(), "2..20"));
    }
    if !(1..=100_000).contains(cycles) {
        return Some(("trap_pumping.cycles", cycles.to_string(), "1..100000"));
    }
    if phase_times_s.is_empty() || phase_times_s.len() > 40 {
        return Some(("trap_pumping.phase_times_s", format!("{} values", phase_times_s.len()), "1 to 40 values"));
    }
    if let Some(wrong) = phase_times_s.iter().find(|t| !(1e-6..=100.0).contains(*t)) {
        return Some(("trap_pumping.phase_times_s", wrong.to_string(), "1e-6..100 s"));
    }
    let longest = phase_times_s.iter().copied().fold(0.0, f64::max) * 6.0 * f64::from(*cycles);
    if longest > 50_000.0 {
        return Some((
            "trap_pumping.cycles",
            cycles.to_string(),
            "exposures of at most 50000 s, six phases of the longest time in a cycle",
        ));
    }
    let allowed = (1.0..=MOST_ELECTRON).contains(level_electron);
    (!allowed).then(|| ("trap_pumping.level_electron", level_electron.to_string(), "1..1e6 electron"))
}
