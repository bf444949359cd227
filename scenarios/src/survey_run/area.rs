//! The pointings of a shipped area: tiles in an order that keeps the telescope's rules, as `skyloop pointings` plans them.

use super::pointings::Pointing;
use anyhow::{Context as _, ensure};
use instruments::description::{Instrument, load};
use instruments::product::time::Civil;
use pointing::schedule::Reward;
use pointing::{Detector, FocalPlane, Rules, Schedule, Survey, Track};

/// Start of plans when nothing is said, UTC.
pub const START: &str = "2028-01-01T00:00:00";
/// Number of the first exposure.
pub const FIRST: u64 = 10_160_000_001;
/// Days that a plan may take in the end: every field comes round in a year, and a wide survey in ten.
const DAYS_MAX: f64 = 4000.0;

/// All detectors of an instrument on the sky.
#[must_use]
pub fn focal_plane(instrument: &Instrument) -> FocalPlane {
    FocalPlane { detectors: instrument.detectors.values().map(|d| Detector::of(&d.geometry)).collect() }
}

/// Plans an area from [`START`] with the shipped orbit and rules: all of its exposures, or the first `count` of them.
///
/// # Errors
/// When there is no such area, or exposures found no place within eleven years.
pub fn pointings(area: &str, instrument: &str, count: Option<usize>) -> anyhow::Result<Vec<Pointing>> {
    let survey = Survey::shipped(area)?;
    let instrument = load(instrument)?;
    let targets = survey.targets(&focal_plane(&instrument), FIRST)?;
    let start = Civil::parse_iso(START).with_context(|| format!("{START} is not a date"))?.mjd();
    let wanted = count.unwrap_or(targets.len()).min(targets.len());
    // A few exposures need a few orbits; the scheduler's time goes as exposures times targets.
    let mut days = if wanted < targets.len() { 0.1 } else { 250.0 };
    loop {
        let plan =
            Schedule::make(&targets, (&Track::shipped(), &Rules::shipped()), (start, start + days), Reward::default(), &mut |_, _| {})?;
        if plan.pointings.len() >= wanted {
            let mut made: Vec<Pointing> = plan.pointings.into_iter().map(Pointing::from).collect();
            made.sort_by(|a, b| a.start_mjd.total_cmp(&b.start_mjd));
            made.truncate(wanted);
            return Ok(made);
        }
        ensure!(days < DAYS_MAX, "{area}: {} of {wanted} exposures found a place in {days} days", plan.pointings.len());
        days = (3.0 * days).min(DAYS_MAX);
    }
}
