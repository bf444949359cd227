//! Puts pointings in order of time.
//!
//! # Formula
//! Greedy: from where the telescope stands, each remaining pointing has a reward, and the best one that keeps every rule from its start to its end is taken:
//! `t / (t + s) - c u + h (1 - v)`. When none keeps them, the telescope waits.
//! # Symbols
//! t exposure time, s time of the turn, u its share of the budget of turns, v share of the plan's time in which the place can be seen; c, h weights
//! # Source
//! A reward of features as rubin_scheduler has, and the hard sky first as Hu et al. 2021 (Appl. Sci. 11, 7584); weights are assumed.
//! # Limits
//! Greedy: no exchange of exposures afterwards, no look ahead beyond v. Starts are whole multiples of [`GRID_S`] after the plan's. Rules are kept at the times
//! that [`mod@crate::verify`] looks at.

use crate::almanac::Almanac;
use crate::constraints::cmg::Ledger;
use crate::constraints::{Constraint, Rules};
use crate::focal_plane::Attitude;
use crate::moment::Moment;
use crate::orbit::{OrbitError, Track};
use crate::{DAY_S, Pointing, Target};
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

struct Waiting<'t> {
    target: &'t Target,
    attitude: Attitude,
    hardness: f64,
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
        let mut waiting: Vec<Waiting<'_>> =
            targets.iter().map(|target| Waiting { target, attitude: target.attitude(), hardness: 0.0 }).collect();
        measure_hardness(&mut waiting, (track, rules), (start_mjd, end_mjd))?;
        let mut clock = Clock { almanac: Almanac::new(track), start_mjd, moments: BTreeMap::new() };
        let end_s = ((end_mjd - start_mjd) * DAY_S).max(0.0) as u64;
        let (mut pointings, mut ledger) = (Vec::new(), Ledger::default());
        let mut stand: Option<Attitude> = None;
        let (mut now_s, mut last_end_s) = (0_u64, 0.0);
        while now_s < end_s && !waiting.is_empty() {
            clock.forget_before(now_s * 1000);
            // The turn has been made by the start, or begins when the last exposure ends: waiting is done before it.
            let mut order: Vec<(usize, f64, u64, f64)> = Vec::with_capacity(waiting.len());
            for (k, w) in waiting.iter().enumerate() {
                let (slew_s, share) = stand.map_or((0.0, 0.0), |stand| {
                    let angle = stand.turn_to_deg(&w.attitude);
                    (rules.slew.time_s(angle), rules.cmg.share(angle))
                });
                let ready = (last_end_s + slew_s).max(now_s as f64);
                let start_s = (ready / GRID_S as f64).ceil() as u64 * GRID_S;
                let spent = start_s as f64 - last_end_s.min(start_s as f64);
                let value = w.target.exposure_s / (w.target.exposure_s + spent) - reward.cmg * share + reward.hard * w.hardness;
                order.push((k, value, start_s, share));
            }
            order.sort_by(|a, b| b.1.total_cmp(&a.1).then(a.0.cmp(&b.0)));
            let mut taken = None;
            for &(k, _, start_s, share) in &order {
                if start_s as f64 + waiting[k].target.exposure_s > end_s as f64 {
                    continue;
                }
                let mjd = clock.mjd(start_s * 1000);
                if share > 0.0 && ledger.sum(&rules.cmg, mjd) + share > 1.0 {
                    continue;
                }
                if feasible(&mut clock, rules, &waiting[k], start_s)? {
                    ledger.book(&rules.cmg, mjd, share);
                    taken = Some((k, start_s, mjd));
                    break;
                }
            }
            let Some((k, start_s, start_mjd)) = taken else {
                now_s += WAIT_S.max(out_of_season_s(&waiting, rules, &clock.at(now_s * 1000)?));
                continue;
            };
            let done = waiting.swap_remove(k);
            last_end_s = start_s as f64 + done.target.exposure_s;
            now_s = last_end_s.ceil() as u64;
            stand = Some(done.attitude);
            pointings.push(Pointing { target: done.target.clone(), start_mjd });
            progress(pointings.len(), waiting.len());
        }
        let mut left: Vec<Target> = waiting.into_iter().map(|w| w.target.clone()).collect();
        left.sort_by_key(|t| t.obs_id);
        Ok(Self { pointings, left, length_d: last_end_s / DAY_S })
    }
}

/// How long the Sun is off the panel for all that waits \[s\], at least: it goes by 1.02 deg a day at most.
fn out_of_season_s(waiting: &[Waiting<'_>], rules: &Rules, moment: &Moment) -> u64 {
    let nearest = waiting.iter().map(|w| rules.panel.margin_deg(moment, &w.attitude)).fold(f64::NEG_INFINITY, f64::max);
    let whole = (-nearest / 1.1 * DAY_S / WAIT_S as f64).floor().max(0.0);
    whole as u64 * WAIT_S
}

/// Whether all rules of moments hold through an exposure.
fn feasible(clock: &mut Clock<'_>, rules: &Rules, waiting: &Waiting<'_>, start_s: u64) -> Result<bool, OrbitError> {
    for t in rules.check_times_s(waiting.target.exposure_s) {
        let moment = clock.at(start_s * 1000 + (1000.0 * t).round() as u64)?;
        if rules.constraints().iter().any(|rule| rule.margin_deg(&moment, &waiting.attitude) < EDGE_DEG) {
            return Ok(false);
        }
    }
    Ok(true)
}

/// Margin kept for the almanac's interpolation \[deg\]: an arcsecond and a half.
const EDGE_DEG: f64 = 4e-4;

/// One less the share of sampled moments at which a pointing keeps all rules of moments; pointings of one HEALPix cell of order 3 (7 deg) share it.
fn measure_hardness(
    waiting: &mut [Waiting<'_>],
    (track, rules): (&Track, &Rules),
    (start_mjd, end_mjd): (f64, f64),
) -> Result<(), OrbitError> {
    let mut almanac = Almanac::new(track);
    // The golden section spreads samples over the orbit and the day alike.
    let span = (end_mjd - start_mjd).max(0.0);
    let moments =
        (0..SAMPLES).map(|k| almanac.at(start_mjd + span * (0.618_033_988_75 * f64::from(k)).fract())).collect::<Result<Vec<_>, _>>()?;
    let mut known = BTreeMap::<u64, f64>::new();
    for w in waiting {
        let cell = cdshealpix::nested::hash(3, w.target.ra_deg.to_radians(), w.target.dec_deg.to_radians());
        w.hardness = *known.entry(cell).or_insert_with(|| {
            let seen = moments.iter().filter(|m| rules.constraints().iter().all(|r| r.margin_deg(m, &w.attitude) >= 0.0)).count();
            1.0 - seen as f64 / f64::from(SAMPLES)
        });
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::area::ecliptic_pole;
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
        let waiting = [Waiting { target: &target, attitude: target.attitude(), hardness: 0.0 }];
        let margin = |mjd: f64| rules.panel.margin_deg(&Moment::at(&track, mjd).unwrap(), &waiting[0].attitude);
        let (mut mjd, mut skips) = (start, 0);
        while margin(mjd) < -0.1 {
            let skip = out_of_season_s(&waiting, &rules, &Moment::at(&track, mjd).unwrap());
            let last = mjd + skip as f64 / DAY_S;
            // Nowhere within the skip.
            assert!((0..=20).all(|k| margin(mjd + (last - mjd) * f64::from(k) / 20.0) < 0.0), "{mjd}");
            mjd = last + WAIT_S as f64 / DAY_S;
            skips += 1;
        }
        assert!(mjd - start > 10.0 && skips < 200, "{} d in {skips} skips", mjd - start);
        assert_eq!(out_of_season_s(&waiting, &rules, &Moment::at(&track, mjd + 20.0).unwrap()), 0);
    }
}
