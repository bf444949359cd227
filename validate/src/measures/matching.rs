//! Pairing detections with true objects by position.

/// Points in square cells, for looking up neighbours. Order of the answers is that of the points.
#[derive(Debug, Clone)]
pub struct Grid {
    points: Vec<(f64, f64)>,
    starts: Vec<usize>,
    members: Vec<usize>,
    columns: usize,
    rows: usize,
}

/// Cell size \[pixel\].
const CELL: f64 = 32.0;

impl Grid {
    /// A grid over an image of `nx` x `ny` pixels; points outside go to the border cells.
    #[must_use]
    pub fn new(points: impl Iterator<Item = (f64, f64)>, nx: usize, ny: usize) -> Self {
        let points: Vec<(f64, f64)> = points.collect();
        let (columns, rows) = ((nx as f64 / CELL).ceil().max(1.0) as usize, (ny as f64 / CELL).ceil().max(1.0) as usize);
        let mut grid = Self { points, starts: vec![0; columns * rows + 1], members: Vec::new(), columns, rows };
        let cells: Vec<usize> = grid.points.iter().map(|&(x, y)| grid.cell(x, y)).collect();
        for &c in &cells {
            grid.starts[c + 1] += 1;
        }
        for c in 0..columns * rows {
            grid.starts[c + 1] += grid.starts[c];
        }
        let mut next = grid.starts.clone();
        grid.members = vec![0; cells.len()];
        for (i, &c) in cells.iter().enumerate() {
            grid.members[next[c]] = i;
            next[c] += 1;
        }
        grid
    }
    fn cell(&self, x: f64, y: f64) -> usize {
        let at = |v: f64, n: usize| ((v / CELL).floor().max(0.0) as usize).min(n - 1);
        at(y, self.rows) * self.columns + at(x, self.columns)
    }
    /// Points within `radius` of a place, with their distances.
    #[must_use]
    pub fn within(&self, x: f64, y: f64, radius: f64) -> Vec<(usize, f64)> {
        let (first, last) = (self.cell(x - radius, y - radius), self.cell(x + radius, y + radius));
        let mut found = Vec::new();
        for row in first / self.columns..=last / self.columns {
            for column in first % self.columns..=last % self.columns {
                let cell = row * self.columns + column;
                for &i in &self.members[self.starts[cell]..self.starts[cell + 1]] {
                    let d = (self.points[i].0 - x).hypot(self.points[i].1 - y);
                    if d <= radius {
                        found.push((i, d));
                    }
                }
            }
        }
        found.sort_by_key(|&(i, _)| i);
        found
    }
}

/// For each true object, brightest first, the nearest detection within `radius` that no brighter object has taken.
/// `true_objects` are (x, y, brightness). Returns the index of the detection for each object.
#[must_use]
pub fn match_brightest_first(
    true_objects: &[(f64, f64, f64)],
    detections: &[(f64, f64)],
    radius: f64,
    nx: usize,
    ny: usize,
) -> Vec<Option<usize>> {
    let grid = Grid::new(detections.iter().copied(), nx, ny);
    let mut order: Vec<usize> = (0..true_objects.len()).collect();
    order.sort_by(|&a, &b| true_objects[b].2.total_cmp(&true_objects[a].2).then(a.cmp(&b)));
    let mut taken = vec![false; detections.len()];
    let mut out = vec![None; true_objects.len()];
    for t in order {
        let (x, y, _) = true_objects[t];
        let nearest = grid.within(x, y, radius).into_iter().filter(|&(i, _)| !taken[i]).min_by(|a, b| a.1.total_cmp(&b.1));
        if let Some((i, _)) = nearest {
            taken[i] = true;
            out[t] = Some(i);
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn neighbours_are_found_across_cell_borders_and_beyond_the_image() {
        let points = [(31.9, 10.0), (32.1, 10.0), (-3.0, 10.0), (500.0, 500.0)];
        let grid = Grid::new(points.iter().copied(), 64, 64);
        assert_eq!(grid.within(32.0, 10.0, 1.0).iter().map(|p| p.0).collect::<Vec<_>>(), [0, 1]);
        assert_eq!(grid.within(0.0, 10.0, 4.0).iter().map(|p| p.0).collect::<Vec<_>>(), [2]);
        assert_eq!(grid.within(500.0, 499.0, 1.5).iter().map(|p| p.0).collect::<Vec<_>>(), [3]);
    }

    #[test]
    fn the_brighter_object_takes_the_shared_detection() {
        let objects = [(10.0, 10.0, 1.0), (10.8, 10.0, 5.0)];
        let found = match_brightest_first(&objects, &[(10.2, 10.0)], 1.5, 64, 64);
        assert_eq!(found, [None, Some(0)]);
    }
}
