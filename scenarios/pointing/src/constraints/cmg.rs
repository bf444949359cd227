//! The budget of the control moment gyroscopes.
//!
//! # Formula
//! A turn takes a share of the budget by its angle; in any window of one orbit the shares add up to 1 at most. A turn counts at the end of the slew, which is
//! the start of its exposure. Model `step`: the share of the bin the angle lies in. Model `line`: straight lines between the bins' upper edges.
//! # Symbols
//! Angle as for [`super::slew`]
//! # Source
//! csst_inspector: bins up to 5, 10, 20, 35, 45, 75, 90, 135, 180 deg take 0, 1/29, 1/19, 1/13, 1/10, 1/6, 1/5, 1/3, 1/2; window 0.0638 d
//! # Limits
//! The newer models (time of pure slew; heat) have no public numbers for a whole check and are not here.

use super::slew::lines;
use std::collections::VecDeque;

/// How a share follows from an angle.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CmgModel {
    /// By bins.
    Step,
    /// By straight lines between the bins' edges.
    Line,
}

/// The budget.
#[derive(Debug, Clone, PartialEq)]
pub struct CmgBudget {
    /// Which model.
    pub model: CmgModel,
    /// Bins (upper edge \[deg\], share), rising.
    pub bins: Vec<(f64, f64)>,
    /// Length of the window \[d\].
    pub window_d: f64,
}

impl CmgBudget {
    /// Share of a turn.
    #[must_use]
    pub fn share(&self, angle_deg: f64) -> f64 {
        match self.model {
            // Below 5 deg nothing, from 5 deg on the next bin: the published edge is open.
            CmgModel::Step if self.bins.first().is_some_and(|b| angle_deg < b.0) => self.bins[0].1,
            CmgModel::Step => self.bins.iter().skip(1).find(|b| angle_deg <= b.0).or(self.bins.last()).map_or(0.0, |b| b.1),
            CmgModel::Line => lines(&self.bins, angle_deg),
        }
    }
}

/// What was spent within the last window.
#[derive(Debug, Clone, Default)]
pub struct Ledger {
    spent: VecDeque<(f64, f64)>,
}

impl Ledger {
    /// Sum of shares in the window that ends at a time, its start not included.
    #[must_use]
    pub fn sum(&self, budget: &CmgBudget, mjd: f64) -> f64 {
        self.spent.iter().rev().take_while(|s| s.0 > mjd - budget.window_d).map(|s| s.1).sum()
    }
    /// Books a turn that ends at a time, not before the last booked.
    pub fn book(&mut self, budget: &CmgBudget, mjd: f64, share: f64) {
        if share > 0.0 {
            self.spent.push_back((mjd, share));
        }
        while self.spent.front().is_some_and(|s| s.0 <= mjd - budget.window_d) {
            self.spent.pop_front();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn budget(model: CmgModel) -> CmgBudget {
        let bins = [5, 10, 20, 35, 45, 75, 90, 135, 180].map(f64::from);
        let shares = [0.0, 1.0 / 29.0, 1.0 / 19.0, 1.0 / 13.0, 0.1, 1.0 / 6.0, 0.2, 1.0 / 3.0, 0.5];
        CmgBudget { model, bins: bins.into_iter().zip(shares).collect(), window_d: 0.0638 }
    }

    #[test]
    fn both_models_have_the_published_shares() {
        let (step, line) = (budget(CmgModel::Step), budget(CmgModel::Line));
        for (angle, share) in
            [(0.0, 0.0), (4.999, 0.0), (5.0, 1.0 / 29.0), (10.0, 1.0 / 29.0), (10.01, 1.0 / 19.0), (90.0, 0.2), (180.0, 0.5)]
        {
            assert!((step.share(angle) - share).abs() < 1e-12, "{angle}");
        }
        for (angle, share) in [(3.0, 0.0), (7.5, 0.5 / 29.0), (10.0, 1.0 / 29.0), (60.0, 0.5 * (0.1 + 1.0 / 6.0)), (180.0, 0.5)] {
            assert!((line.share(angle) - share).abs() < 1e-12, "{angle}");
            assert!(line.share(angle) <= step.share(angle) + 1e-12, "lines between upper edges lie below the bins");
        }
    }

    #[test]
    fn shares_leave_the_window_after_one_orbit() {
        let budget = budget(CmgModel::Step);
        let mut ledger = Ledger::default();
        for k in 0..4 {
            ledger.book(&budget, 0.02 * f64::from(k), 0.3);
        }
        // At 0.06 the window reaches back to -0.0038: four turns; at 0.0638 the first has left; at 0.09 two are left.
        assert!((ledger.sum(&budget, 0.06) - 1.2).abs() < 1e-12);
        assert!((ledger.sum(&budget, 0.0638) - 0.9).abs() < 1e-12);
        assert!((ledger.sum(&budget, 0.09) - 0.6).abs() < 1e-12);
    }
}
