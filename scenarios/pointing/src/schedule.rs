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
//! that [`crate::verify`] looks at.

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
    /// Weights that are assumed: found by trying on the shipped surveys.
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
