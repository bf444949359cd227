//! Replays a plan, whoever made it, and says where it breaks the rules.
//!
//! # Formula
//! Exposures in order of time. Each is looked at at the rules' times and at its end; between two, the gap must hold the turn; turns add up in every window
//! that ends with an exposure's start, which is where a sum over a sliding window is greatest.
//! # Symbols
//! Margins below zero are violations: degrees for angles, seconds for gaps, shares for the budget of turns.
//! # Source
//! As [`crate::constraints`]. Moments are computed one by one ([`Moment::at`]), not by the almanac the scheduler uses, sums are taken anew from the list.
//! # Limits
//! Rules of angles hold at the times looked at.

use crate::constraints::Rules;
use crate::moment::Moment;
use crate::orbit::{OrbitError, Track};
use crate::{DAY_S, Pointing};

/// Dates are known to a microsecond: gaps shorter by less are whole.
const GAP_SLACK_S: f64 = 1e-4;

/// A rule that is broken, at the worst moment of an exposure.
#[derive(Debug, Clone, PartialEq)]
pub struct Violation {
    /// Exposure.
    pub obs_id: u64,
    /// Rule.
    pub rule: &'static str,
    /// When, modified Julian date UTC \[d\].
    pub mjd: f64,
    /// Margin, below zero.
    pub margin: f64,
    /// Unit of the margin: `deg`, `s` or `1`.
    pub unit: &'static str,
}

/// The least margin of a rule over a plan.
#[derive(Debug, Clone, PartialEq)]
pub struct Worst {
    /// Rule.
    pub rule: &'static str,
    /// Exposure with the least margin.
    pub obs_id: u64,
    /// Least margin; infinite where the rule never applied.
    pub margin: f64,
    /// Unit of the margin.
    pub unit: &'static str,
}

/// What a replay found.
#[derive(Debug, Clone, PartialEq)]
pub struct Verdict {
    /// Exposures replayed.
    pub exposures: usize,
    /// Moments looked at.
    pub moments: usize,
    /// Broken rules, in order of time.
    pub violations: Vec<Violation>,
    /// Least margin of each rule.
    pub worst: Vec<Worst>,
}

impl Verdict {
    fn see(&mut self, rule: &'static str, unit: &'static str, (obs_id, mjd): (u64, f64), margin: f64) {
        match self.worst.iter_mut().find(|w| w.rule == rule) {
            Some(worst) if worst.margin <= margin => {}
            Some(worst) => (worst.obs_id, worst.margin) = (obs_id, margin),
            None => self.worst.push(Worst { rule, obs_id, margin, unit }),
        }
        if margin < 0.0 || margin.is_nan() {
            self.violations.push(Violation { obs_id, rule, mjd, margin, unit });
        }
    }
}

/// Replays a plan. The list may be in any order.
///
/// # Errors
/// For dates outside the orbit or the ephemerides.
pub fn verify(plan: &[Pointing], track: &Track, rules: &Rules) -> Result<Verdict, OrbitError> {
    let mut order: Vec<&Pointing> = plan.iter().collect();
    order.sort_by(|a, b| a.start_mjd.total_cmp(&b.start_mjd));
    let mut verdict = Verdict { exposures: plan.len(), moments: 0, violations: Vec::new(), worst: Vec::new() };
    let mut turns: Vec<(f64, f64)> = Vec::new();
    for (k, pointing) in order.iter().enumerate() {
        let (id, attitude) = (pointing.target.obs_id, pointing.target.attitude());
        let moments = rules
            .check_times_s(pointing.target.exposure_s)
            .map(|t| Moment::at(track, pointing.start_mjd + t / DAY_S))
            .collect::<Result<Vec<_>, _>>()?;
        verdict.moments += moments.len();
        for rule in rules.constraints() {
            let least = moments.iter().map(|m| (m.mjd, rule.margin_deg(m, &attitude))).min_by(|a, b| a.1.total_cmp(&b.1));
            if let Some((mjd, margin)) = least {
                verdict.see(rule.name(), "deg", (id, mjd), margin);
            }
        }
        if k > 0 {
            let before = order[k - 1];
            let angle = before.target.attitude().turn_to_deg(&attitude);
            let gap_s = (pointing.start_mjd - before.end_mjd()) * DAY_S;
            let spare = gap_s - rules.slew.time_s(angle);
            verdict.see("slew", "s", (id, pointing.start_mjd), if spare < 0.0 && spare > -GAP_SLACK_S { 0.0 } else { spare });
            turns.push((pointing.start_mjd, rules.cmg.share(angle)));
            let since = pointing.start_mjd - rules.cmg.window_d;
            let spent: f64 = turns.iter().rev().take_while(|t| t.0 > since).map(|t| t.1).sum();
            // Sums of shares such as 1/29 are known to the last digit.
            let left = 1.0 - spent;
            verdict.see("cmg", "1", (id, pointing.start_mjd), if left < 0.0 && left > -1e-9 { 0.0 } else { left });
        }
    }
    Ok(verdict)
}
