//! Pointings that wait, by places on the sky.
//!
//! # Formula
//! Turns are a metric: an attitude within r of a cluster's centre is turned from where the telescope stands by `d - r` at least and `d + r` at most, and no
//! margin in it exceeds [`crate::constraints::Constraint::most_deg`]. So a cluster is worth at most what a pointing at `d - r` would be, and is opened only when nothing seen so far is
//! worth more.
//! # Symbols
//! d turn to the centre \[deg\]; r radius \[deg\]
//! # Source
//! Branch and bound.
//! # Limits
//! A cluster whose pointings can start at different times is opened without asking whether any can be seen.

use super::{Clock, Now, WAIT_S, feasible, none_feasible};
use crate::constraints::cmg::Ledger;
use crate::constraints::{Constraint, Rules};
use crate::focal_plane::Attitude;
use crate::moment::Moment;
use crate::orbit::OrbitError;
use crate::{DAY_S, Target};
use std::cmp::Ordering;
use std::collections::{BTreeMap, BinaryHeap};

/// HEALPix order of the places (1.8 deg).
const ORDER: u8 = 5;
/// Position angles of a cluster agree to this \[deg\].
const ROLL_DEG: f64 = 2.0;
/// Added to radii against rounding \[deg\].
const ROUNDING_DEG: f64 = 1e-9;

/// A pointing that waits.
struct Waiting<'t> {
    target: &'t Target,
    attitude: Attitude,
    hardness: f64,
    /// Turns made when the next two were computed.
    turns: usize,
    slew_s: f64,
    share: f64,
}

/// Pointings of one place, exposure time and roll.
struct Cluster {
    centre: Attitude,
    radius_deg: f64,
    exposure_s: f64,
    /// Of the hardest of them.
    hardness: f64,
    members: Vec<usize>,
    /// Turn to the centre from where the telescope stands \[deg\]; 0 when it stands nowhere yet.
    turn_deg: f64,
}

/// All that waits.
pub(super) struct Queue<'t> {
    waiting: Vec<Waiting<'t>>,
    cluster_of: Vec<usize>,
    clusters: Vec<Cluster>,
    stand: Option<Attitude>,
    turns: usize,
    left: usize,
}

/// The pointing chosen.
pub(super) struct Taken {
    pub index: usize,
    pub start_s: u64,
    pub share: f64,
}

/// Something that may be the best.
struct Candidate {
    value: f64,
    what: What,
}

enum What {
    /// At most worth its value.
    Cluster(usize),
    /// A pointing, worth its value.
    One(Taken),
}

impl Ord for Candidate {
    /// The worthier last; of equal ones clusters, which may hold a pointing that is earlier in the list, then those earlier in the list.
    fn cmp(&self, other: &Self) -> Ordering {
        let place = |c: &Self| match &c.what {
            What::Cluster(index) => (1, usize::MAX - index),
            What::One(taken) => (0, usize::MAX - taken.index),
        };
        self.value.total_cmp(&other.value).then_with(|| place(self).cmp(&place(other)))
    }
}
impl PartialOrd for Candidate {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}
impl PartialEq for Candidate {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}
impl Eq for Candidate {}

impl<'t> Queue<'t> {
    /// Pointings and how hard each is to see.
    pub fn new(targets: &'t [Target], hardness: &[f64]) -> Self {
        let (mut clusters, mut cluster_of) = (Vec::<Cluster>::new(), Vec::new());
        let mut known = BTreeMap::new();
        let waiting: Vec<Waiting<'t>> = targets
            .iter()
            .zip(hardness)
            .map(|(target, &hardness)| Waiting {
                target,
                attitude: target.attitude(),
                hardness,
                turns: usize::MAX,
                slew_s: 0.0,
                share: 0.0,
            })
            .collect();
        for (index, one) in waiting.iter().enumerate() {
            let Target { ra_deg, dec_deg, position_angle_deg, exposure_s, .. } = one.target;
            let cell = cdshealpix::nested::hash(ORDER, ra_deg.to_radians(), dec_deg.to_radians());
            let key = (cell, (position_angle_deg / ROLL_DEG).floor() as i64, exposure_s.to_bits());
            let at = *known.entry(key).or_insert_with(|| {
                let (centre, exposure_s) = (one.attitude, *exposure_s);
                clusters.push(Cluster { centre, radius_deg: 0.0, exposure_s, hardness: 0.0, members: Vec::new(), turn_deg: 0.0 });
                clusters.len() - 1
            });
            let cluster = &mut clusters[at];
            cluster.radius_deg = cluster.radius_deg.max(cluster.centre.turn_to_deg(&one.attitude) + ROUNDING_DEG);
            cluster.hardness = cluster.hardness.max(one.hardness);
            cluster.members.push(index);
            cluster_of.push(at);
        }
        let left = waiting.len();
        Self { waiting, cluster_of, clusters, stand: None, turns: 0, left }
    }

    /// How many wait.
    pub fn len(&self) -> usize {
        self.left
    }
    /// Those that wait.
    pub fn left(&self) -> impl Iterator<Item = &'t Target> {
        self.clusters.iter().flat_map(|cluster| cluster.members.iter().map(|&index| self.waiting[index].target))
    }
    /// Takes a pointing out: there the telescope stands.
    pub fn take(&mut self, index: usize) -> &'t Target {
        let members = &mut self.clusters[self.cluster_of[index]].members;
        members.retain(|&member| member != index);
        self.left -= 1;
        let stand = self.waiting[index].attitude;
        for cluster in &mut self.clusters {
            cluster.turn_deg = stand.turn_to_deg(&cluster.centre);
        }
        (self.stand, self.turns) = (Some(stand), self.turns + 1);
        self.waiting[index].target
    }

    /// How long the Sun is off the panel for all that waits \[s\], at least: it goes by 1.02 deg a day at most.
    pub fn out_of_season_s(&self, rules: &Rules, moment: &Moment) -> u64 {
        let peopled = self.clusters.iter().filter(|cluster| !cluster.members.is_empty());
        let nearest = peopled.map(|c| rules.panel.most_deg(moment, &c.centre, c.radius_deg)).fold(f64::NEG_INFINITY, f64::max);
        let whole = (-nearest / 1.1 * DAY_S / WAIT_S as f64).floor().max(0.0);
        whole as u64 * WAIT_S
    }

    /// The worthiest pointing that keeps every rule from its start to its end; none when all have to wait.
    pub fn best(&mut self, now: &Now, (clock, rules): (&mut Clock<'_>, &Rules), ledger: &Ledger) -> Result<Option<Taken>, OrbitError> {
        let mut heap: BinaryHeap<Candidate> = (0..self.clusters.len()).filter_map(|c| self.bound(c, now, rules)).collect();
        while let Some(Candidate { what, .. }) = heap.pop() {
            match what {
                What::Cluster(at) => {
                    let cluster = &self.clusters[at];
                    if let Some(start_s) = self.one_start_s(cluster, now, rules)
                        && none_feasible((clock, rules), (&cluster.centre, cluster.radius_deg), cluster.exposure_s, start_s)?
                    {
                        continue;
                    }
                    let members = cluster.members.clone();
                    heap.extend(members.into_iter().map(|index| self.one(index, now, rules)));
                }
                What::One(taken) => {
                    let Waiting { target, attitude, .. } = &self.waiting[taken.index];
                    let within = taken.start_s as f64 + target.exposure_s <= now.end_s as f64;
                    let mjd = clock.mjd(taken.start_s * 1000);
                    let spent = taken.share > 0.0 && ledger.sum(&rules.cmg, mjd) + taken.share > 1.0;
                    if within && !spent && feasible((clock, rules), attitude, target.exposure_s, taken.start_s)? {
                        return Ok(Some(taken));
                    }
                }
            }
        }
        Ok(None)
    }

    /// A cluster with what its best can be worth.
    fn bound(&self, at: usize, now: &Now, rules: &Rules) -> Option<Candidate> {
        let cluster = &self.clusters[at];
        if cluster.members.is_empty() {
            return None;
        }
        let nearest = (cluster.turn_deg - cluster.radius_deg).max(0.0);
        let (slew_s, share) = self.stand.map_or((0.0, 0.0), |_| (rules.slew.least_s(nearest), rules.cmg.share(nearest)));
        let value = now.value(cluster.exposure_s, now.start_s(slew_s), share, cluster.hardness);
        Some(Candidate { value, what: What::Cluster(at) })
    }

    /// The start of all of a cluster's pointings, if they have one.
    fn one_start_s(&self, cluster: &Cluster, now: &Now, rules: &Rules) -> Option<u64> {
        if self.stand.is_none() {
            return Some(now.start_s(0.0));
        }
        let (nearest, farthest) = ((cluster.turn_deg - cluster.radius_deg).max(0.0), (cluster.turn_deg + cluster.radius_deg).min(180.0));
        let first = now.start_s(rules.slew.least_s(nearest));
        (first == now.start_s(rules.slew.most_s(farthest))).then_some(first)
    }

    /// A pointing with what it is worth.
    fn one(&mut self, index: usize, now: &Now, rules: &Rules) -> Candidate {
        let one = &mut self.waiting[index];
        if one.turns != self.turns {
            let angle = self.stand.map(|stand| stand.turn_to_deg(&one.attitude));
            (one.slew_s, one.share) = angle.map_or((0.0, 0.0), |angle| (rules.slew.time_s(angle), rules.cmg.share(angle)));
            one.turns = self.turns;
        }
        let start_s = now.start_s(one.slew_s);
        let value = now.value(one.target.exposure_s, start_s, one.share, one.hardness);
        Candidate { value, what: What::One(Taken { index, start_s, share: one.share }) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::almanac::Almanac;
    use crate::orbit::Track;
    use crate::schedule::Reward;

    fn targets() -> Vec<Target> {
        let noise = |k: u64| (k.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 11) as f64 / (1_u64 << 53) as f64;
        (0..600)
            .map(|k| Target {
                obs_id: k,
                ra_deg: 360.0 * noise(5 * k),
                dec_deg: (2.0 * noise(5 * k + 1) - 1.0).asin().to_degrees(),
                position_angle_deg: 360.0 * noise(5 * k + 2),
                exposure_s: [150.0, 250.0][(noise(5 * k + 3) * 2.0) as usize],
                programme: "wide".into(),
                visit: 1,
            })
            // And many beside each other, worth the same.
            .chain((0..400).map(|k| Target {
                obs_id: 600 + k,
                ra_deg: 150.0 + 0.2 * (k % 20) as f64,
                dec_deg: 2.0 + 0.2 * (k / 20) as f64,
                position_angle_deg: 20.0,
                exposure_s: 150.0,
                programme: "wide".into(),
                visit: 1,
            }))
            .collect()
    }

    /// The best by looking at each pointing, the first of equal ones.
    fn by_each(queue: &mut Queue<'_>, now: &Now, clock: &mut Clock<'_>, rules: &Rules, ledger: &Ledger) -> Option<usize> {
        let all: Vec<usize> = queue.clusters.iter().flat_map(|c| c.members.clone()).collect();
        let mut best: Option<(f64, usize)> = None;
        for index in all {
            let Candidate { value, what: What::One(taken) } = queue.one(index, now, rules) else { unreachable!() };
            let one = &queue.waiting[index];
            let mjd = clock.mjd(taken.start_s * 1000);
            let spent = taken.share > 0.0 && ledger.sum(&rules.cmg, mjd) + taken.share > 1.0;
            let better = best.is_none_or(|(v, k)| value > v || (value == v && index < k));
            if better && !spent && feasible((clock, rules), &one.attitude, one.target.exposure_s, taken.start_s).unwrap() {
                best = Some((value, index));
            }
        }
        best.map(|b| b.1)
    }

    #[test]
    fn the_best_is_that_of_looking_at_each() {
        let (track, rules, targets) = (Track::shipped(), Rules::shipped(), targets());
        let hardness: Vec<f64> = (0..targets.len()).map(|k| [0.3, 0.7][usize::from(k > 700)]).collect();
        let mut queue = Queue::new(&targets, &hardness);
        let mut clock = Clock { almanac: Almanac::new(&track), start_mjd: 61_771.0, moments: BTreeMap::new() };
        let mut ledger = Ledger::default();
        let mut now = Now { s: 0, last_end_s: 0.0, end_s: 10_000_000, reward: Reward::default() };
        let (mut taken_after_waiting, mut waits) = (0, 0);
        for _ in 0..120 {
            let expected = by_each(&mut queue, &now, &mut clock, &rules, &ledger);
            let found = queue.best(&now, (&mut clock, &rules), &ledger).unwrap();
            assert_eq!(found.as_ref().map(|taken| taken.index), expected, "at {} s", now.s);
            let Some(taken) = found else {
                now.s += 300;
                waits += 1;
                continue;
            };
            taken_after_waiting += usize::from(waits > 0);
            ledger.book(&rules.cmg, clock.mjd(taken.start_s * 1000), taken.share);
            let target = queue.take(taken.index);
            now.last_end_s = taken.start_s as f64 + target.exposure_s;
            now.s = now.last_end_s as u64;
        }
        assert!(queue.len() < 960 && queue.left().count() == queue.len(), "{} taken, {waits} waits", 1000 - queue.len());
        assert!(taken_after_waiting > 0 || waits == 0);
    }

    #[test]
    fn no_attitude_within_a_radius_has_a_greater_margin() {
        let (track, rules) = (Track::shipped(), Rules::shipped());
        let noise = |k: u64| (k.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 11) as f64 / (1_u64 << 53) as f64;
        for k in 0..400_u64 {
            let moment = Moment::at(&track, 61_771.0 + 30.0 * noise(7 * k)).unwrap();
            let (ra, dec, roll) = (360.0 * noise(7 * k + 1), (2.0 * noise(7 * k + 2) - 1.0).asin().to_degrees(), 360.0 * noise(7 * k + 3));
            let centre = Attitude::new(ra, dec, roll);
            let away = 5.0 * noise(7 * k + 4);
            let other = Attitude::new(
                ra + away * (noise(7 * k + 5) - 0.5),
                (dec + away * (noise(7 * k + 6) - 0.5)).clamp(-90.0, 90.0),
                roll + 0.3 * away,
            );
            let radius = centre.turn_to_deg(&other) + ROUNDING_DEG;
            for rule in rules.constraints() {
                let (margin, most) = (rule.margin_deg(&moment, &other), rule.most_deg(&moment, &centre, radius));
                assert!(margin <= most + 1e-9, "{}: {margin} > {most} within {radius} deg", rule.name());
            }
        }
    }
}
