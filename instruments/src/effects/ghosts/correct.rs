//! Backward: flags the ghosts of saturated stars where there is light.

use crate::effects::rows;
use ndarray::Array2;
use sim_core::correction::{Correction, CorrectionError, StepStatus};
use sim_core::flags;
use sim_core::frame::{Frame, Window};
use sim_core::knowledge::{GhostKnowledge, Knowledge};
use sim_core::median::median;
use sim_core::plane::Light;
use std::sync::Arc;

/// Least pixels of a saturated group: less is a hit or a hot pixel.
const LEAST_PIXELS: usize = 6;
/// Standard errors by which a disc must be brighter.
const SIGNIFICANT: f64 = 5.0;
/// Pixels measured in a disc at most.
const SAMPLES: f64 = 4000.0;
/// Saturated groups looked at, largest first.
const MOST: usize = 500;

struct FlagGhosts {
    ghosts: Arc<GhostKnowledge>,
    window: Window,
}

pub(super) fn make(knowledge: &Knowledge) -> Result<Box<dyn Correction<Light>>, CorrectionError> {
    let what = "where ghosts lie";
    let ghosts = knowledge.ghosts.clone().ok_or(CorrectionError::Unknown { step: "ghosts", what })?;
    Ok(Box::new(FlagGhosts { ghosts, window: knowledge.window }))
}

/// A group of touching saturated pixels: its centre in the array, and how many.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Group {
    /// Column of its centre.
    pub x: f64,
    /// Row of its centre.
    pub y: f64,
    /// How many.
    pub pixels: usize,
}

/// Groups of pixels with the flag SATURATED that touch along rows or columns, largest first.
#[must_use]
pub fn saturated_groups(bits: &Array2<u32>) -> Vec<Group> {
    // Runs of a row, joined to runs of the row before; `parent` is a union-find over runs.
    let mut parent: Vec<usize> = Vec::new();
    let mut sums: Vec<(f64, f64, usize)> = Vec::new();
    fn root(parent: &mut [usize], mut i: usize) -> usize {
        while parent[i] != i {
            parent[i] = parent[parent[i]];
            i = parent[i];
        }
        i
    }
    let mut before: Vec<(usize, usize, usize)> = Vec::new();
    for (y, row) in bits.rows().into_iter().enumerate() {
        let mut now = Vec::new();
        let mut x = 0;
        while x < row.len() {
            if row[x] & flags::SATURATED == 0 {
                x += 1;
                continue;
            }
            let from = x;
            while x < row.len() && row[x] & flags::SATURATED != 0 {
                x += 1;
            }
            let id = parent.len();
            parent.push(id);
            let count = x - from;
            sums.push((count as f64 * (0.5 * (from + x - 1) as f64), (count * y) as f64, count));
            for &(a, b, other) in &before {
                if a < x && from < b {
                    let (i, j) = (root(&mut parent, id), root(&mut parent, other));
                    parent[i.max(j)] = i.min(j);
                }
            }
            now.push((from, x, id));
        }
        before = now;
    }
    let mut whole: Vec<(f64, f64, usize)> = vec![(0.0, 0.0, 0); parent.len()];
    for (i, &(x, y, n)) in sums.iter().enumerate() {
        let r = root(&mut parent, i);
        whole[r] = (whole[r].0 + x, whole[r].1 + y, whole[r].2 + n);
    }
    let mut out: Vec<Group> =
        whole.into_iter().filter(|w| w.2 >= LEAST_PIXELS).map(|(x, y, n)| Group { x: x / n as f64, y: y / n as f64, pixels: n }).collect();
    out.sort_by_key(|g| std::cmp::Reverse(g.pixels));
    out.truncate(MOST);
    out
}

/// The median of thirty values at least.
fn median_of_many(values: &mut [f32]) -> Option<f64> {
    if values.len() >= 30 { median(values).map(f64::from) } else { None }
}

/// Whether the light of `inside` exceeds that of `outside` significantly.
fn brighter(mut inside: Vec<f32>, mut outside: Vec<f32>) -> bool {
    let (Some(high), Some(low)) = (median_of_many(&mut inside), median_of_many(&mut outside)) else { return false };
    let mut deviations: Vec<f32> = outside.iter().map(|v| (f64::from(*v) - low).abs() as f32).collect();
    let Some(mad) = median_of_many(&mut deviations) else { return false };
    // Error of a median: 1.2533 sigma / sqrt n.
    let error = 1.2533 * 1.4826 * mad * (1.0 / inside.len() as f64 + 1.0 / outside.len() as f64).sqrt();
    high - low > SIGNIFICANT * error
}

/// A disc in array coordinates.
#[derive(Debug, Clone, Copy)]
struct Place {
    x: f64,
    y: f64,
    radius: f64,
}

impl Place {
    fn distance(&self, x: f64, y: f64) -> f64 {
        (x - self.x).hypot(y - self.y)
    }
    /// Unflagged pixels of the box around it that `want` takes, thinned to [`SAMPLES`].
    fn pixels(&self, frame: &Frame<Light>, reach: f64, want: &dyn Fn(f64, f64) -> bool) -> Vec<f32> {
        let (ny, nx) = frame.pixels.dim();
        let step = ((2.0 * reach).powi(2) / SAMPLES).sqrt().ceil().max(1.0) as usize;
        let range = |c: f64, n: usize| ((c - reach).max(0.0) as usize).min(n)..((c + reach + 1.0).max(0.0) as usize).min(n);
        let mut out = Vec::new();
        for y in range(self.y, ny).step_by(step) {
            for x in range(self.x, nx).step_by(step) {
                let free = frame.flags.as_ref().is_none_or(|f| f[[y, x]] == 0);
                if free && frame.pixels[[y, x]].is_finite() && want(x as f64, y as f64) {
                    out.push(frame.pixels[[y, x]]);
                }
            }
        }
        out
    }
}

impl Correction<Light> for FlagGhosts {
    fn correct(&self, frame: &mut Frame<Light>) -> Result<StepStatus, CorrectionError> {
        rows::need_reference("ghosts", self.window.shape(), frame.pixels.dim())?;
        let Some(bits) = frame.flags.as_ref() else {
            return Ok(StepStatus::Skipped("no flags: saturated stars are not known".into()));
        };
        let (x0, y0) = (self.window.x0 as f64, self.window.y0 as f64);
        let mut lit: Vec<Place> = Vec::new();
        for star in saturated_groups(bits) {
            for path in &self.ghosts.paths {
                let (x, y) = path.centre(self.ghosts.axis, star.x + x0, star.y + y0);
                let disc = Place { x: x - x0, y: y - y0, radius: path.radius.value };
                let mirror = Place { x: 2.0 * star.x - disc.x, y: 2.0 * star.y - disc.y, ..disc };
                let r = disc.radius;
                // The halo of the star is alike on both sides of it, the ghost is not.
                let (inside, outside) = if disc.distance(star.x, star.y) >= 0.5 * r {
                    let own = |a: Place, b: Place| move |x: f64, y: f64| a.distance(x, y) < 0.95 * r && b.distance(x, y) > 1.05 * r;
                    (disc.pixels(frame, r, &own(disc, mirror)), mirror.pixels(frame, r, &own(mirror, disc)))
                } else {
                    let ring = |low: f64, high: f64| move |x: f64, y: f64| (low * r..high * r).contains(&disc.distance(x, y));
                    (disc.pixels(frame, r, &ring(0.5, 0.95)), disc.pixels(frame, 1.5 * r, &ring(1.05, 1.5)))
                };
                if brighter(inside, outside) {
                    lit.push(disc);
                }
            }
        }
        rows::reduce_flags(frame, |y, row, bits| {
            for disc in &lit {
                let dy = y as f64 - disc.y;
                let reach = disc.radius + 1.0;
                if dy.abs() > reach {
                    continue;
                }
                let half = (reach * reach - dy * dy).sqrt();
                let from = (disc.x - half).ceil().max(0.0) as usize;
                let to = ((disc.x + half).floor() + 1.0).clamp(0.0, row.len() as f64) as usize;
                for bit in bits.iter_mut().take(to).skip(from) {
                    *bit |= flags::GHOST;
                }
            }
        });
        Ok(StepStatus::Done)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn touching_saturated_pixels_are_one_star() {
        let mut bits = Array2::<u32>::zeros((20, 20));
        for (y, x) in [(3, 4), (3, 5), (3, 6), (4, 3), (4, 4), (5, 3), (5, 4)] {
            bits[[y, x]] = flags::SATURATED;
        }
        // A single hot pixel, and a flag of another kind.
        bits[[10, 10]] = flags::SATURATED;
        bits[[15, 15]] = flags::BAD;
        let found = saturated_groups(&bits);
        assert_eq!(found.len(), 1);
        assert_eq!(found[0].pixels, 7);
        assert!((found[0].x - 29.0 / 7.0).abs() < 1e-12 && (found[0].y - 27.0 / 7.0).abs() < 1e-12, "{found:?}");
    }
}
