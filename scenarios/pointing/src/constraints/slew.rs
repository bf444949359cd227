//! How long it takes to turn the telescope.
//!
//! # Formula
//! A constant time for small turns, straight lines between nodes beyond.
//! # Symbols
//! Angle of the least turn between two attitudes, roll included \[deg\]
//! # Source
//! csst_inspector: 70 s up to 1 deg; then 80 s at 1 deg, 127 s at 20, 196 s at 45, 581 s at 180
//! # Limits
//! The checker may take angles between boresights alone: with roll this is never shorter. Reading out (40 s) is done meanwhile.

/// Time of a turn by its angle.
#[derive(Debug, Clone, PartialEq)]
pub struct SlewTable {
    /// Time of all turns up to the first node's angle \[s\].
    pub small_s: f64,
    /// Nodes (angle \[deg\], time \[s\]), rising; the last is for 180 deg.
    pub nodes: Vec<(f64, f64)>,
}

/// Value of straight lines between nodes, flat beyond the ends.
pub(super) fn lines(nodes: &[(f64, f64)], x: f64) -> f64 {
    let Some(k) = nodes.iter().position(|n| n.0 >= x) else { return nodes.last().map_or(0.0, |n| n.1) };
    if k == 0 {
        return nodes[0].1;
    }
    let (a, b) = (nodes[k - 1], nodes[k]);
    a.1 + (x - a.0) / (b.0 - a.0) * (b.1 - a.1)
}

impl SlewTable {
    /// Time of a turn \[s\].
    #[must_use]
    pub fn time_s(&self, angle_deg: f64) -> f64 {
        if self.nodes.first().is_none_or(|n| angle_deg <= n.0) { self.small_s } else { lines(&self.nodes, angle_deg) }
    }
    /// A time that no turn by at least this angle is shorter than \[s\].
    #[must_use]
    pub fn least_s(&self, angle_deg: f64) -> f64 {
        self.nodes.first().map_or(self.small_s, |n| if angle_deg <= n.0 { self.small_s.min(n.1) } else { self.time_s(angle_deg) })
    }
    /// A time that no turn by at most this angle is longer than \[s\].
    #[must_use]
    pub fn most_s(&self, angle_deg: f64) -> f64 {
        self.small_s.max(self.time_s(angle_deg))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_those_of_the_table_and_of_lines_between() {
        let table = SlewTable { small_s: 70.0, nodes: vec![(1.0, 80.0), (20.0, 127.0), (45.0, 196.0), (180.0, 581.0)] };
        let cases =
            [(0.0, 70.0), (1.0, 70.0), (1.000_001, 80.0), (10.5, 103.5), (20.0, 127.0), (32.5, 161.5), (112.5, 388.5), (180.0, 581.0)];
        for (angle, time) in cases {
            assert!((table.time_s(angle) - time).abs() < 1e-4, "{angle}");
        }
    }
}
