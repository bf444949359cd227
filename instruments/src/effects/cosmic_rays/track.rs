//! Straight paths through cells of the silicon.
//!
//! # Formula
//! A line is cut at every plane between cells of a regular grid (Amanatides & Woo 1987, Eurographics 87, 3): the pieces are
//! exact to rounding and add up to the length.

use super::direction::Vector;

/// Calls `visit(middle, length)` for each piece of a path, cut at multiples of `cell` on each axis \[um\].
pub fn pieces(start: Vector, direction: Vector, length: f64, cell: Vector, mut visit: impl FnMut(Vector, f64)) {
    // Distance along the path to the next plane on each axis, and between planes.
    let mut next = [f64::INFINITY; 3];
    let mut stride = [f64::INFINITY; 3];
    for axis in 0..3 {
        let speed = direction[axis];
        if speed.abs() < 1e-12 {
            continue;
        }
        let place = start[axis] / cell[axis];
        let plane = if speed > 0.0 { place.floor() + 1.0 } else { place.ceil() - 1.0 };
        next[axis] = (plane - place) * cell[axis] / speed;
        stride[axis] = (cell[axis] / speed).abs();
    }
    let mut at = 0.0;
    while at < length {
        let axis = if next[0] <= next[1] && next[0] <= next[2] { 0 } else { if next[1] <= next[2] { 1 } else { 2 } };
        let end = next[axis].min(length);
        if end > at {
            let middle = 0.5 * (at + end);
            visit([0, 1, 2].map(|k| start[k] + middle * direction[k]), end - at);
            at = end;
        }
        next[axis] += stride[axis];
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::effects::cosmic_rays::direction::polar;

    #[test]
    fn pieces_add_up_and_lie_in_one_cell_each() {
        for (cosine, turn) in [(1.0, 0.0), (-0.4, 0.13), (0.03, 0.77), (-0.9, 0.5)] {
            let direction = polar(cosine, turn);
            let start = [13.3, 7.7, 4.1];
            let (mut sum, mut last) = (0.0, None);
            pieces(start, direction, 200.0, [2.5, 2.5, 2.0], |middle, length| {
                sum += length;
                // The ends of a piece lie in the cell of its middle, borders included.
                for end in [-0.5, 0.5] {
                    for k in 0..3 {
                        let cell = [2.5, 2.5, 2.0][k];
                        let offset = (middle[k] + end * length * direction[k]) / cell - (middle[k] / cell).floor();
                        assert!(offset > -1e-9 && offset < 1.0 + 1e-9, "{offset}");
                    }
                }
                let cell = [0, 1, 2].map(|k| (middle[k] / [2.5, 2.5, 2.0][k]).floor() as i64);
                assert_ne!(Some(cell), last, "no cell twice in a row");
                last = Some(cell);
            });
            assert!((sum - 200.0).abs() < 1e-9, "{sum}");
        }
    }

    #[test]
    fn a_diagonal_crosses_pixels_by_the_closed_form() {
        // 45 degrees in the plane from a corner's neighbourhood: pixels of 10 um, pieces of 10 sqrt 2 apart from the ends.
        let s = 0.5_f64.sqrt();
        let mut lengths = Vec::new();
        pieces([5.0, 0.0, 1.0], [s, s, 0.0], 50.0 / s, [10.0, 10.0, 1e9], |_, length| lengths.push(length));
        // Every 5 um of x or y a plane is met: ten pieces of 5 sqrt 2.
        assert_eq!(lengths.len(), 10);
        assert!(lengths.iter().all(|l| (l - 5.0 / s).abs() < 1e-9), "{lengths:?}");
    }
}
