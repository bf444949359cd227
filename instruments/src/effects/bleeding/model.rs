//! The kernel: what becomes of one column.

/// What lies beyond the ends of a column. At least one end is open: else charge might have nowhere to go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ends {
    /// A drain at both.
    Open,
    /// A barrier below the first pixel, a drain above the last.
    WallBelow,
    /// A drain below, a barrier above.
    WallAbove,
}

/// A run of full pixels: those strictly between `low` and `high`.
#[derive(Debug, Clone, Copy)]
struct Run {
    low: isize,
    high: isize,
    /// Sum of n - c over its pixels.
    surplus: f64,
    /// Sum of i (n - c).
    moment: f64,
    /// What it hands to `high`.
    up: f64,
}

impl Run {
    fn absorb(&mut self, pixel: isize, excess: f64) {
        self.surplus += excess;
        self.moment += pixel as f64 * excess;
    }
    /// What goes to the pixel below and to that above.
    fn shares(&self, ends: Ends, rows: isize) -> (f64, f64) {
        shares(self.low, self.high, self.surplus, self.moment - self.low as f64 * self.surplus, ends, rows)
    }
}

/// Shares of the ends of a run; `moment` counts from `low`.
fn shares(low: isize, high: isize, surplus: f64, moment: f64, ends: Ends, rows: isize) -> (f64, f64) {
    if ends == Ends::WallBelow && low < 0 {
        (0.0, surplus)
    } else if ends == Ends::WallAbove && high >= rows {
        (surplus, 0.0)
    } else {
        let up = moment / (high - low) as f64;
        (surplus - up, up)
    }
}

/// Spreads what the pixels of a column cannot hold; returns what left through its ends. Pixels that no surplus reaches keep
/// their bits. `capacity(i)` is what pixel i holds, above 0.
pub fn spill(charge: &mut [f64], capacity: impl Fn(usize) -> f64, ends: Ends) -> f64 {
    let rows = charge.len() as isize;
    let excess = |charge: &[f64], pixel: isize| charge[pixel as usize] - capacity(pixel as usize);
    let mut runs: Vec<Run> = Vec::new();
    let mut next = 0;
    while next < rows {
        let first = excess(charge, next);
        if first.is_nan() || first <= 0.0 {
            next += 1;
            continue;
        }
        let mut run = Run { low: next - 1, high: next + 1, surplus: 0.0, moment: 0.0, up: 0.0 };
        run.absorb(next, first);
        loop {
            let (down, up) = run.shares(ends, rows);
            if run.low >= 0 {
                let above_capacity = excess(charge, run.low);
                let neighbour = runs.last().copied().filter(|r| r.high == run.low);
                if above_capacity + down + neighbour.map_or(0.0, |r| r.up) > 0.0 {
                    run.absorb(run.low, above_capacity);
                    run.low -= 1;
                    if let Some(below) = neighbour {
                        run = Run { low: below.low, surplus: run.surplus + below.surplus, moment: run.moment + below.moment, ..run };
                        runs.pop();
                    }
                    continue;
                }
            }
            if run.high < rows {
                let above_capacity = excess(charge, run.high);
                if above_capacity + up > 0.0 {
                    run.absorb(run.high, above_capacity);
                    run.high += 1;
                    continue;
                }
            }
            run.up = up;
            break;
        }
        next = run.high + 1;
        runs.push(run);
    }
    runs.iter().map(|run| settle(charge, &capacity, run, ends)).sum()
}

/// Writes a run; returns what it loses through the ends of the column.
fn settle(charge: &mut [f64], capacity: &impl Fn(usize) -> f64, run: &Run, ends: Ends) -> f64 {
    // Summed again, counting from its own end: the running sums lose digits where a column is long and a star bright.
    let (mut surplus, mut moment) = (0.0, 0.0);
    for pixel in run.low + 1..run.high {
        let full = capacity(pixel as usize);
        let excess = charge[pixel as usize] - full;
        surplus += excess;
        moment += (pixel - run.low) as f64 * excess;
        charge[pixel as usize] = full;
    }
    let rows = charge.len() as isize;
    let (down, up) = shares(run.low, run.high, surplus, moment, ends, rows);
    let mut lost = 0.0;
    for (pixel, share) in [(run.low, down), (run.high, up)] {
        match usize::try_from(pixel).ok().and_then(|p| charge.get_mut(p)) {
            Some(pixel) => *pixel += share,
            None => lost += share,
        }
    }
    lost
}

#[cfg(test)]
mod tests {
    use super::*;
    use sim_core::stream::StreamKey;

    fn spilled(column: &[f64], ends: Ends) -> (Vec<f64>, f64) {
        let mut column = column.to_vec();
        let lost = spill(&mut column, |_| 10.0, ends);
        (column, lost)
    }

    #[test]
    fn an_odd_multiple_of_the_capacity_fills_as_many_pixels() {
        let mut column = vec![0.0; 101];
        column[50] = 70.0;
        let (out, lost) = spilled(&column, Ends::Open);
        let filled: Vec<usize> = (0..101).filter(|&i| out[i] != 0.0).collect();
        assert_eq!(filled, (47..=53).collect::<Vec<_>>());
        assert!(filled.iter().all(|&i| out[i] == 10.0), "{out:?}");
        assert_eq!(lost, 0.0);
    }

    #[test]
    fn an_even_multiple_leaves_two_halves() {
        let mut column = vec![0.0; 11];
        column[5] = 40.0;
        assert_eq!(spilled(&column, Ends::Open).0, [0.0, 0.0, 0.0, 5.0, 10.0, 10.0, 10.0, 5.0, 0.0, 0.0, 0.0]);
    }

    #[test]
    fn columns_with_room_keep_their_bits() {
        let column = [0.1, 9.999_999, 10.0, 0.3];
        assert_eq!(spilled(&column, Ends::Open), (column.to_vec(), 0.0));
    }

    #[test]
    fn at_the_register_the_walk_of_a_gambler_decides() {
        // A surplus of 20, one step from the drain and one from row 1: half each, and row 1 is just full.
        let (out, lost) = spilled(&[30.0, 0.0, 0.0, 0.0], Ends::Open);
        assert_eq!((out, lost), (vec![10.0, 10.0, 0.0, 0.0], 10.0));
    }

    #[test]
    fn a_star_near_the_register_fills_the_square_root_of_what_it_has() {
        // d pixels from the drain with N capacities: moments about the drain, d N = L^2 / 2.
        let (d, n) = (50.0, 4000.0);
        let mut column = vec![0.0; 4000];
        column[49] = n * 10.0;
        let (out, lost) = spilled(&column, Ends::Open);
        let full = out.iter().filter(|&&v| v == 10.0).count() as f64;
        assert!((full - (2.0_f64 * d * n).sqrt()).abs() < 2.0, "{full}");
        assert!((lost + out.iter().sum::<f64>() - n * 10.0).abs() < 1e-6);
    }

    #[test]
    fn a_wall_sends_all_to_the_other_side() {
        // 35 in the last pixel before the wall: 10 there, then 10, 10, 5 going down.
        let (out, lost) = spilled(&[0.0, 0.0, 0.0, 0.0, 35.0], Ends::WallAbove);
        assert_eq!((out, lost), (vec![0.0, 5.0, 10.0, 10.0, 10.0], 0.0));
        let (out, lost) = spilled(&[35.0, 0.0, 0.0], Ends::WallBelow);
        assert_eq!((out, lost), (vec![10.0, 10.0, 10.0], 5.0));
    }

    #[test]
    fn two_stars_meet_without_preference() {
        // 30 and 30 with one empty pixel between: it gets 10 of both; 15 + 15 go out, half each, as one run.
        let (out, lost) = spilled(&[0.0, 0.0, 0.0, 30.0, 0.0, 30.0, 0.0, 0.0, 0.0], Ends::Open);
        assert_eq!((out, lost), (vec![0.0, 5.0, 10.0, 10.0, 10.0, 10.0, 10.0, 5.0, 0.0], 0.0));
        // With room for both in the pixel between, it takes from both and the runs stay apart.
        let (out, _) = spilled(&[0.0, 0.0, 16.0, 0.0, 14.0, 0.0, 0.0], Ends::Open);
        assert_eq!(out, [0.0, 3.0, 10.0, 5.0, 10.0, 2.0, 0.0]);
    }

    /// The rule itself, step by step.
    fn by_steps(column: &mut [f64], capacity: &[f64], wall_above: bool) -> f64 {
        let (mut lost, last) = (0.0, column.len() - 1);
        loop {
            let worst = (0..column.len()).map(|i| column[i] - capacity[i]).fold(0.0, f64::max);
            if worst < 1e-10 {
                return lost;
            }
            for i in 0..column.len() {
                let surplus = (column[i] - capacity[i]).max(0.0);
                column[i] -= surplus;
                if i > 0 {
                    column[i - 1] += 0.5 * surplus
                } else {
                    lost += 0.5 * surplus
                }
                match (i < last, wall_above) {
                    (true, _) => column[i + 1] += 0.5 * surplus,
                    (false, true) => column[i] += 0.5 * surplus,
                    (false, false) => lost += 0.5 * surplus,
                }
            }
        }
    }

    #[test]
    fn the_closed_form_is_the_end_of_the_rule() {
        let mut runs = 0;
        for case in 0..40 {
            let mut stream = StreamKey::new(77).stream(case);
            let mut draw = || f64::from(rand::Rng::next_u32(&mut stream)) / 2f64.powi(32);
            let rows = 24;
            let capacity: Vec<f64> = (0..rows).map(|_| 9.0 + 2.0 * draw()).collect();
            let column: Vec<f64> = (0..rows).map(|_| if draw() < 0.2 { 60.0 * draw() } else { 9.0 * draw() }).collect();
            for ends in [Ends::Open, Ends::WallAbove] {
                let (mut fast, mut slow) = (column.clone(), column.clone());
                let lost = spill(&mut fast, |i| capacity[i], ends);
                let lost_slowly = by_steps(&mut slow, &capacity, ends == Ends::WallAbove);
                runs += usize::from(fast != column);
                assert!((lost - lost_slowly).abs() < 1e-6, "case {case} {ends:?}: {lost} against {lost_slowly}");
                for (i, (a, b)) in fast.iter().zip(&slow).enumerate() {
                    assert!((a - b).abs() < 1e-6, "case {case} {ends:?} row {i}: {a} against {b}");
                }
            }
        }
        assert!(runs > 60, "{runs} columns had something to move");
    }
}
