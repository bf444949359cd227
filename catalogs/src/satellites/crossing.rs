//! Which satellites cross a cone during an exposure, and when.
//!
//! # Effect
//! A satellite crosses a field in a second; its path in 150 s is a third of the sky.
//! # Formula
//! The exposure is halved until a piece cannot touch the cone, or is short: the chord of a piece lies within the larger angle between its middle and its ends
//! from the middle, and the true path within `a dt^2 / 8` of the chord.
//! # Symbols
//! a greatest acceleration of one satellite against another \[km / s^2\]
//! # Source
//! Own; a test compares with plain sampling.
//! # Limits
//! None beyond those of the orbits.
//! # Twin
//! None.

use crate::direction::{Vector, dot};
use crate::moving::{Cone, angle};

/// Twice the pull at the ground: more than any two satellites differ by \[km / s^2\].
const ACCELERATION_KM_S2: f64 = 0.02;
/// Length of the first pieces \[s\].
const PIECE_S: f64 = 10.0;
/// Pieces are halved to this share of the cone.
const SHARE: f64 = 0.25;
/// And not below this \[s\].
const SHORTEST_S: f64 = 1e-3;

/// Spans of time (seconds) between `from_s` and `to_s` in which a body may be in a cone, a little more than it is; `at` gives its place from the observer \[km\].
pub(super) fn spans(cone: &Cone, (from_s, to_s): (f64, f64), at: &impl Fn(f64) -> Option<Vector>) -> Vec<(f64, f64)> {
    let pieces = ((to_s - from_s) / PIECE_S).ceil().max(1.0) as usize;
    let time = |k: usize| from_s + (to_s - from_s) * k as f64 / pieces as f64;
    let mut out: Vec<(f64, f64)> = Vec::new();
    let Some(mut before) = at(from_s) else { return out };
    for k in 0..pieces {
        let Some(after) = at(time(k + 1)) else { break };
        halve(cone, (time(k), before), (time(k + 1), after), at, &mut out);
        before = after;
    }
    out
}

fn halve(cone: &Cone, a: (f64, Vector), b: (f64, Vector), at: &impl Fn(f64) -> Option<Vector>, out: &mut Vec<(f64, f64)>) {
    let dt = b.0 - a.0;
    let middle: Vector = std::array::from_fn(|k| 0.5 * (a.1[k] + b.1[k]));
    let least = dot(&a.1, &a.1).min(dot(&b.1, &b.1)).min(dot(&middle, &middle)).sqrt();
    let bend = 0.125 * ACCELERATION_KM_S2 * dt * dt;
    let half = angle(&middle, &a.1).max(angle(&middle, &b.1));
    let wide = if bend < least { half + (bend / least).asin() } else { 4.0 };
    if cone.angle(&middle) > cone.radius + wide {
        return;
    }
    if wide < SHARE * cone.radius || dt < SHORTEST_S {
        match out.last_mut() {
            Some(last) if last.1 >= a.0 => last.1 = b.0,
            _ => out.push((a.0, b.0)),
        }
        return;
    }
    let t = 0.5 * (a.0 + b.0);
    if let Some(m) = at(t) {
        halve(cone, a, (t, m), at, out);
        halve(cone, (t, m), b, at, out);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pass_is_found_whole_however_fast() {
        // 7 km/s at 500 km, 0.3 deg off the axis at t = 3.2 s: 0.8 deg/s through a cone of 0.5 deg.
        let at = |t: f64| Some([500.0, 7.0 * (t - 3.2), 500.0 * 0.3_f64.to_radians()]);
        let cone = Cone::new(0.0, 0.0, 0.5);
        let spans = spans(&cone, (-75.0, 75.0), &at);
        assert_eq!(spans.len(), 1);
        // Half the chord is 0.4 deg: 0.4986 s.
        let (from, to) = spans[0];
        assert!(from < 3.2 - 0.4986 && to > 3.2 + 0.4986 && to - from < 1.6, "{from}..{to}");
        let far = |t: f64| Some([500.0, 7.0 * t, 500.0 * 0.7_f64.to_radians()]);
        assert!(super::spans(&cone, (-75.0, 75.0), &far).is_empty());
        assert!(super::spans(&cone, (-75.0, 75.0), &|_| None).is_empty());
    }
}
