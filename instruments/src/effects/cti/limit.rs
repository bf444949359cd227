//! Few electrons, many empty traps: a packet never goes below zero.

use super::marks::{Marks, Row, WIDTH};
use super::pass::{Electrons, Found, Pass};
use super::pool::Pool;

/// Halvings of the interval: to 1e-8 of the packet.
const HALVINGS: usize = 26;

impl Pass<'_> {
    /// Where the midpoint would take more than a packet has (few electrons, many empty traps): the backward Euler rule,
    /// `height = v(packet after the block)`, by bisection. It takes a packet towards zero and never below; a packet below
    /// zero to begin with loses nothing.
    #[cold]
    #[inline(never)]
    pub(super) fn limit<const S: usize>(&self, pool: &Pool<S>, marks: &Marks, electrons: &Electrons<'_>, found: &mut Found<S>) {
        let &Electrons { packet: row, before, released } = electrons;
        let affected: [bool; WIDTH] = std::array::from_fn(|l| found.after[l] < 0.0 && found.outcome.total[l] > before[l]);
        let floor: Row = std::array::from_fn(|l| if row[l] < 0.0 { row[l] } else { 0.0 });
        let (mut low, mut high) = (floor, *row);
        let mut best = self.traps.fill.reached::<WIDTH>(&std::array::from_fn(|l| floor[l] + released[l])).0;
        for _ in 0..HALVINGS {
            let middle: Row = std::array::from_fn(|l| 0.5 * (low[l] + high[l]));
            let heights = self.traps.fill.reached::<WIDTH>(&std::array::from_fn(|l| middle[l] + released[l])).0;
            let at = marks.search(&pool.top, &heights);
            let trial = self.outcome_at::<S>(pool, marks, &at, &heights);
            for l in 0..WIDTH {
                if row[l] + (before[l] - trial.total[l]) >= middle[l] {
                    (low[l], best[l]) = (middle[l], heights[l]);
                } else {
                    high[l] = middle[l];
                }
            }
        }
        for l in 0..WIDTH {
            found.height[l] = if affected[l] { best[l] } else { found.height[l] };
        }
        found.at = marks.search(&pool.top, &found.height);
        found.outcome = self.outcome_at::<S>(pool, marks, &found.at, &found.height);
        for l in 0..WIDTH {
            let after = row[l] + (before[l] - found.outcome.total[l]);
            // Rounding may miss the floor by its last bits.
            found.after[l] = if affected[l] && after < floor[l] { floor[l] } else { after };
        }
    }
}
