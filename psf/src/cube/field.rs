//! Weights of tabulated field positions.

use sim_core::units::FocalPoint;

/// How the positions lie.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Field {
    /// On a regular grid: the index of the position at `[y][x]`.
    Grid { xs: Vec<f64>, ys: Vec<f64>, index: Vec<usize> },
    /// Anyhow.
    Scattered,
}

fn distinct(values: impl Iterator<Item = f64>) -> Vec<f64> {
    let mut sorted: Vec<f64> = values.collect();
    sorted.sort_by(f64::total_cmp);
    // Positions closer than 1e-7 deg (0.4 mas) are the same line.
    sorted.dedup_by(|a, b| (*a - *b).abs() < 1e-7);
    sorted
}

/// Index of the last node at or below, and the fraction towards the next; held at both ends.
fn bracket(nodes: &[f64], x: f64) -> (usize, f64) {
    if nodes.len() == 1 {
        return (0, 0.0);
    }
    let i = nodes.iter().rposition(|&n| n <= x).unwrap_or(0).min(nodes.len() - 2);
    (i, ((x - nodes[i]) / (nodes[i + 1] - nodes[i])).clamp(0.0, 1.0))
}

impl Field {
    pub(super) fn new(positions: &[FocalPoint]) -> Self {
        let (xs, ys) = (distinct(positions.iter().map(|p| p.x_deg)), distinct(positions.iter().map(|p| p.y_deg)));
        if xs.len() * ys.len() != positions.len() {
            return Self::Scattered;
        }
        let nearest = |nodes: &[f64], x: f64| nodes.iter().position(|n| (n - x).abs() < 1e-6);
        let mut index = vec![usize::MAX; positions.len()];
        for (i, p) in positions.iter().enumerate() {
            if let (Some(x), Some(y)) = (nearest(&xs, p.x_deg), nearest(&ys, p.y_deg)) {
                index[y * xs.len() + x] = i;
            }
        }
        if index.contains(&usize::MAX) { Self::Scattered } else { Self::Grid { xs, ys, index } }
    }

    /// Positions that contribute at a place, with weights that add up to 1 and change continuously.
    pub(super) fn weights(&self, positions: &[FocalPoint], at: FocalPoint) -> Vec<(usize, f64)> {
        let mut weights: Vec<(usize, f64)> = match self {
            Self::Grid { xs, ys, index } => {
                let ((i, u), (j, v)) = (bracket(xs, at.x_deg), bracket(ys, at.y_deg));
                let mut corners = Vec::with_capacity(4);
                for (dj, wy) in [(0, 1.0 - v), (1, v)] {
                    for (di, wx) in [(0, 1.0 - u), (1, u)] {
                        // A weight of 0 may point beyond a grid of one line.
                        if wx * wy != 0.0 {
                            corners.push((index[(j + dj) * xs.len() + i + di], wx * wy));
                        }
                    }
                }
                corners
            }
            Self::Scattered => {
                let distance: Vec<f64> = positions.iter().map(|p| (p.x_deg - at.x_deg).hypot(p.y_deg - at.y_deg)).collect();
                if let Some(i) = distance.iter().position(|&d| d < 1e-9) {
                    return vec![(i, 1.0)];
                }
                let mut sorted = distance.clone();
                sorted.sort_by(f64::total_cmp);
                // The fourth-nearest distance changes continuously with the place, and so does the reach.
                let reach = 2.0 * sorted[3.min(sorted.len() - 1)];
                distance.iter().enumerate().filter(|(_, d)| **d < reach).map(|(i, &d)| (i, ((reach - d) / (reach * d)).powi(2))).collect()
            }
        };
        let total: f64 = weights.iter().map(|w| w.1).sum();
        weights.iter_mut().for_each(|w| w.1 /= total);
        weights
    }
}
