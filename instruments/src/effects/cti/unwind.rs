//! A packet at a block, backwards: what it was before, from what it is after.
//!
//! # Formula
//! `p = n' + r + (1 - theta) (T(p) - B)`, `n = n' + T(p) - B`: n' and n the packet after and before the block, p half-way, r what the
//! traps release to it, B electrons in the pool before, T(p) after; theta as in `pass.rs`
//! # Solution
//! The same implicit midpoint as forward, one Newton step from `n' + r`. With q the electrons taken for one more in the packet and
//! `x = (1 - theta) q` the step is multiplied by `1 + x + 2/3 x^2 + x^3/3`. That is `1 / (1 - x)` to first order; but where the traps take
//! nearly all of a change (x near or above 1), the midpoint has no inverse, and this is `(exp(2 x) - 1) / (2 x)`, which belongs to the
//! exponential loss along the block.
//! # What is not believed
//! Only the share `weight` of the packet's difference from what is expected meets the traps, so that noise is not taken for charge
//! that came through where little does.

#![expect(clippy::needless_range_loop, reason = "lanes of several arrays side by side: the form that the compiler turns into vectors")]

use super::marks::{self, Marks, Row, WIDTH};
use super::pass::{Found, Pass};
use super::pool::Pool;

/// Bound of x: a block of which one in fifty electrons comes through.
const MOST: f64 = 2.0;

/// What is thought of a packet besides what arrived of it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Belief {
    /// The packet as its neighbours let expect it \[electron\].
    pub expected: Row,
    /// Damping: variance of the noise over that of the signal.
    pub damping: Row,
}

impl Pass<'_> {
    /// The packet before the block, in `after`; in `slope` its change for one electron more after the block.
    #[inline(always)]
    pub fn unwind<const S: usize>(&self, pool: &Pool<S>, marks: &Marks, after: &Row, expected: &Row, weight: &Row) -> Found<S> {
        let share = 1.0 / self.pixels;
        // 1 - theta
        let rest = 0.5 + 0.5 * share;
        let mut kept = [0.0; WIDTH];
        for s in 0..S {
            for l in 0..WIDTH {
                kept[l] += pool.held[s][l] * self.traps.keep[s];
            }
        }
        let (brought, loose) = self.joining(pool);
        let (mut before, mut packet) = ([0.0; WIDTH], [0.0; WIDTH]);
        for l in 0..WIDTH {
            before[l] = pool.total[l] + brought[l];
            let released = (pool.total[l] - kept[l]) * share + loose[l];
            packet[l] = expected[l] + weight[l] * (after[l] - expected[l]) + released;
        }
        let (mut height, mut slope) = self.traps.fill.reached(&packet);
        let mut at = marks.search(&pool.top, &height);
        let mut seen = marks.read(&at, self.now, self.pixels, self.traps);
        let mut outcome = self.outcome(pool, marks, &at, &seen, &height);
        let (mut half_way, mut rise) = ([0.0; WIDTH], [0.0; WIDTH]);
        for l in 0..WIDTH {
            let taken = if height[l] < 1.0 { rest * outcome.steepness[l] * slope[l] } else { 0.0 };
            let x = if taken < MOST { taken } else { MOST };
            let step = weight[l] * (1.0 + x * (1.0 + x * (2.0 / 3.0 + x / 3.0)));
            rise[l] = 1.0 + step * x;
            half_way[l] = packet[l] + step * rest * (outcome.total[l] - before[l]);
        }
        (height, slope) = self.traps.fill.reached(&half_way);
        let moved = marks.search(&pool.top, &height);
        if marks::differ(&moved, &at) {
            at = moved;
            seen = marks.read(&at, self.now, self.pixels, self.traps);
        }
        outcome = self.outcome(pool, marks, &at, &seen, &height);
        let (mut packet, mut growth, mut through) = ([0.0; WIDTH], [0.0; WIDTH], [0.0; WIDTH]);
        for l in 0..WIDTH {
            packet[l] = after[l] + (outcome.total[l] - before[l]);
            let taken = if height[l] < 1.0 { outcome.steepness[l] * slope[l] } else { 0.0 };
            growth[l] = 1.0 + taken * weight[l] * rise[l];
            through[l] = 1.0 - taken / (1.0 + (1.0 - rest) * taken);
        }
        Found { after: packet, slope: growth, through, height, at, outcome }
    }
}
