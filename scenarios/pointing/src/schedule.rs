//! Puts pointings in order of time.
//!
//! # Formula
//! Greedy: from where the telescope stands, each remaining pointing has a reward, and the best one that keeps every rule from its start to its end is taken:
//! `t / (t + s) - c u + h (1 - v)`. When none keeps them, the telescope waits. Of equal rewards the first in the list counts. Pointings of one place are looked
//! at together first: by how much the best of them can be worth, and whether any of them can be seen; the plan is that of looking at each.
//! # Symbols
//! t exposure time, s time of the turn, u its share of the budget of turns, v share of the plan's time in which the place can be seen; c, h weights
//! # Source
//! A reward of features as rubin_scheduler has, and the hard sky first as Hu et al. 2021 (Appl. Sci. 11, 7584); weights are assumed.
//! # Limits
//! Greedy: no exchange of exposures afterwards, no look ahead beyond v. Starts are whole multiples of [`GRID_S`] after the plan's. Rules are kept at the times
//! that [`mod@crate::verify`] looks at.

mod clusters;

use crate::almanac::Almanac;
use crate::constraints::Rules;
use crate::constraints::cmg::Ledger;
use crate::focal_plane::Attitude;
use crate::moment::Moment;
use crate::orbit::{OrbitError, Track};
use crate::{DAY_S, Pointing, Target};
use clusters::Queue;
use std::collections::BTreeMap;

/// Starts are whole multiples of this after the plan's start \[s\].
pub const GRID_S: u64 = 5;
/// How long the telescope waits when nothing can be seen \[s\].
const WAIT_S: u64 = 30;
/// Moments at which visibility is sampled.
const SAMPLES: u32 = 400;

/// Weights of the reward.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Reward {
    /// Of the budget of turns.
    pub cmg: f64,
    /// Of places that can seldom be seen.
    pub hard: f64,
}

impl Default for Reward {
    /// Weights that are assumed; they were not tuned.
    fn default() -> Self {
        Self { cmg: 1.0, hard: 0.2 }
    }
}

/// A plan.
#[derive(Debug, Clone, PartialEq)]
pub struct Schedule {
    /// Exposures in order of time.
    pub pointings: Vec<Pointing>,
    /// Pointings that found no place before the end.
    pub left: Vec<Target>,
    /// Time of the plan up to its last exposure's end \[d\].
    pub length_d: f64,
}

/// Moments by the milliseconds since the plan's start.
struct Clock<'a> {
    almanac: Almanac<'a>,
    start_mjd: f64,
    moments: BTreeMap<u64, Moment>,
}

impl Clock<'_> {
    fn mjd(&self, t_ms: u64) -> f64 {
        self.start_mjd + t_ms as f64 / (1000.0 * DAY_S)
    }
    fn at(&mut self, t_ms: u64) -> Result<Moment, OrbitError> {
        if let Some(m) = self.moments.get(&t_ms) {
            return Ok(*m);
        }
        let moment = self.almanac.at(self.mjd(t_ms))?;
        self.moments.insert(t_ms, moment);
        Ok(moment)
    }
    fn forget_before(&mut self, t_ms: u64) {
        self.moments = self.moments.split_off(&t_ms);
    }
}

impl Schedule {
    /// Share of the plan's time with the shutter open.
    #[must_use]
    pub fn efficiency(&self) -> f64 {
        let open: f64 = self.pointings.iter().map(|p| p.target.exposure_s).sum();
        if self.length_d > 0.0 { open / (self.length_d * DAY_S) } else { 0.0 }
    }

    /// Orders pointings between two dates (modified Julian, UTC). `progress` is told how many exposures have their time and how many wait, after each.
    ///
    /// # Errors
    /// For dates outside the orbit or the ephemerides.
    pub fn make(
        targets: &[Target],
        (track, rules): (&Track, &Rules),
        (start_mjd, end_mjd): (f64, f64),
        reward: Reward,
        progress: &mut dyn FnMut(usize, usize),
    ) -> Result<Self, OrbitError> {
        let hardness = hardness(targets, (track, rules), (start_mjd, end_mjd))?;
        let mut queue = Queue::new(targets, &hardness);
        let mut clock = Clock { almanac: Almanac::new(track), start_mjd, moments: BTreeMap::new() };
        let end_s = ((end_mjd - start_mjd) * DAY_S).max(0.0) as u64;
        let (mut pointings, mut ledger) = (Vec::new(), Ledger::default());
        // The turn has been made by the start, or begins when the last exposure ends: waiting is done before it.
        let mut now = Now { s: 0, last_end_s: 0.0, end_s, reward };
        while now.s < end_s && queue.len() > 0 {
            clock.forget_before(now.s * 1000);
            let Some(taken) = queue.best(&now, (&mut clock, rules), &ledger)? else {
                now.s += WAIT_S.max(queue.out_of_season_s(rules, &clock.at(now.s * 1000)?));
                continue;
            };
            let start_mjd = clock.mjd(taken.start_s * 1000);
            ledger.book(&rules.cmg, start_mjd, taken.share);
            let target = queue.take(taken.index);
            now.last_end_s = taken.start_s as f64 + target.exposure_s;
            now.s = now.last_end_s.ceil() as u64;
            pointings.push(Pointing { target: target.clone(), start_mjd });
            progress(pointings.len(), queue.len());
        }
        let mut left: Vec<Target> = queue.left().cloned().collect();
        left.sort_by_key(|t| t.obs_id);
        Ok(Self { pointings, left, length_d: now.last_end_s / DAY_S })
    }
}

/// Where the plan stands.
struct Now {
    /// Since the plan's start \[s\].
    s: u64,
    /// When the last exposure ended \[s\].
    last_end_s: f64,
    /// When the plan ends \[s\].
    end_s: u64,
    reward: Reward,
}

impl Now {
    /// The first start after a turn that takes so long \[s\].
    fn start_s(&self, slew_s: f64) -> u64 {
        let ready = (self.last_end_s + slew_s).max(self.s as f64);
        (ready / GRID_S as f64).ceil() as u64 * GRID_S
    }
    /// Reward of an exposure: its time and start \[s\], share of the budget of turns, and how hard its place is to see.
    fn value(&self, exposure_s: f64, start_s: u64, share: f64, hardness: f64) -> f64 {
        let spent = start_s as f64 - self.last_end_s.min(start_s as f64);
        exposure_s / (exposure_s + spent) - self.reward.cmg * share + self.reward.hard * hardness
    }
}

/// Whether all rules of moments hold through an exposure.
fn feasible((clock, rules): (&mut Clock<'_>, &Rules), attitude: &Attitude, exposure_s: f64, start_s: u64) -> Result<bool, OrbitError> {
    for t in rules.check_times_s(exposure_s) {
        let moment = clock.at(start_s * 1000 + (1000.0 * t).round() as u64)?;
        if rules.constraints().iter().any(|rule| rule.margin_deg(&moment, attitude) < EDGE_DEG) {
            return Ok(false);
        }
    }
    Ok(true)
}

/// Whether no attitude within `radius_deg` of one keeps all rules of moments through an exposure.
fn none_feasible(
    (clock, rules): (&mut Clock<'_>, &Rules),
    (centre, radius_deg): (&Attitude, f64),
    exposure_s: f64,
    start_s: u64,
) -> Result<bool, OrbitError> {
    for t in rules.check_times_s(exposure_s) {
        let moment = clock.at(start_s * 1000 + (1000.0 * t).round() as u64)?;
        if rules.constraints().iter().any(|rule| rule.most_deg(&moment, centre, radius_deg) < EDGE_DEG) {
            return Ok(true);
        }
    }
    Ok(false)
}

/// Margin kept for the almanac's interpolation \[deg\]: an arcsecond and a half.
const EDGE_DEG: f64 = 4e-4;

/// One less the share of sampled moments at which each pointing keeps all rules of moments; pointings of one HEALPix cell of order 3 (7 deg) share it.
fn hardness(targets: &[Target], (track, rules): (&Track, &Rules), (start_mjd, end_mjd): (f64, f64)) -> Result<Vec<f64>, OrbitError> {
    let mut almanac = Almanac::new(track);
    // The golden section spreads samples over the orbit and the day alike.
    let span = (end_mjd - start_mjd).max(0.0);
    let moments =
        (0..SAMPLES).map(|k| almanac.at(start_mjd + span * (0.618_033_988_75 * f64::from(k)).fract())).collect::<Result<Vec<_>, _>>()?;
    let mut known = BTreeMap::<u64, f64>::new();
    let of = |target: &Target| {
        let cell = cdshealpix::nested::hash(3, target.ra_deg.to_radians(), target.dec_deg.to_radians());
        *known.entry(cell).or_insert_with(|| {
            let attitude = target.attitude();
            let seen = moments.iter().filter(|m| rules.constraints().iter().all(|r| r.margin_deg(m, &attitude) >= 0.0)).count();
            1.0 - seen as f64 / f64::from(SAMPLES)
        })
    };
    Ok(targets.iter().map(of).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::area::ecliptic_pole;
    use crate::constraints::Constraint;
    use crate::focal_plane::position_angle_deg;
    use sim_core::direction::{unit, vector};

    #[test]
    fn waiting_out_a_season_ends_before_the_panel_sees_the_sun_again() {
        let (track, rules) = (Track::shipped(), Rules::shipped());
        let start = 61_771.0;
        // GOODS-North with +x to the ecliptic's pole: +y is 90 deg east of it.
        let boresight = vector(189.2, 62.2);
        let north = ecliptic_pole();
        let up = unit(std::array::from_fn(|k| north[k] - sim_core::direction::dot(&north, &boresight) * boresight[k]));
        let target = Target {
            obs_id: 1,
            ra_deg: 189.2,
            dec_deg: 62.2,
            position_angle_deg: (position_angle_deg(&boresight, &up) + 90.0) % 360.0,
            exposure_s: 150.0,
            programme: "wide".into(),
            visit: 1,
        };
        let attitude = target.attitude();
        let targets = [target];
        let queue = Queue::new(&targets, &[0.0]);
        let margin = |mjd: f64| rules.panel.margin_deg(&Moment::at(&track, mjd).unwrap(), &attitude);
        let (mut mjd, mut skips) = (start, 0);
        while margin(mjd) < -0.1 {
            let skip = queue.out_of_season_s(&rules, &Moment::at(&track, mjd).unwrap());
            let last = mjd + skip as f64 / DAY_S;
            // Nowhere within the skip.
            assert!((0..=20).all(|k| margin(mjd + (last - mjd) * f64::from(k) / 20.0) < 0.0), "{mjd}");
            mjd = last + WAIT_S as f64 / DAY_S;
            skips += 1;
        }
        assert!(mjd - start > 10.0 && skips < 200, "{} d in {skips} skips", mjd - start);
        assert_eq!(queue.out_of_season_s(&rules, &Moment::at(&track, mjd + 20.0).unwrap()), 0);
    }
}
