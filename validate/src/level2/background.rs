//! Sky level and noise on a mesh: sigma-clipped mode per cell, median-filtered, interpolated bicubically.
//!
//! # Formula
//! First pass, sources still in: mode = 2.5 median - 1.5 mean after clipping at 3 sigma, the median where
//! (mean - median) > 0.3 sigma (crowded). Second pass, sources covered: the mean after clipping at 4 sigma. The mode of
//! Poisson noise lies below its mean (0.2 electron at a sky of 30), which an aperture of 80 pixels adds up to 0.25 sigma.
//! # Source
//! Bertin & Arnouts 1996 (A&AS 117, 393), section 3; the interpolation is the Catmull-Rom cubic (Catmull & Rom 1974).
//! # Limits
//! Structure smaller than a cell is source, not sky. A cell with fewer than a tenth of its pixels usable takes the
//! median of its neighbours.

use crate::product::L1Frame;
use crate::statistics::{clip, median, median64};
use ndarray::Array2;
use rayon::prelude::*;

/// A smooth quantity on a mesh of cell centres.
#[derive(Debug, Clone)]
pub struct Mesh {
    cell: usize,
    /// Values `[cell row, cell column]`.
    pub values: Array2<f64>,
}

/// Catmull-Rom weights of four neighbouring nodes for a position `t` in 0..1 between the middle two.
fn cubic(t: f64) -> [f64; 4] {
    let (t2, t3) = (t * t, t * t * t);
    [0.5 * (-t3 + 2.0 * t2 - t), 0.5 * (3.0 * t3 - 5.0 * t2 + 2.0), 0.5 * (-3.0 * t3 + 4.0 * t2 + t), 0.5 * (t3 - t2)]
}

impl Mesh {
    /// First node of four and the position between the middle two, for a pixel coordinate.
    fn place(&self, pixel: f64) -> (isize, f64) {
        let u = (pixel + 0.5) / self.cell as f64 - 0.5;
        let floor = u.floor();
        (floor as isize - 1, u - floor)
    }
    /// Four node values along an axis of `n` nodes, extended linearly past the ends.
    fn node(get: impl Fn(usize) -> f64, n: usize, index: isize) -> f64 {
        let last = n as isize - 1;
        if n == 1 {
            get(0)
        } else if index < 0 {
            get(0) + (get(0) - get(1)) * (-index) as f64
        } else if index > last {
            get(n - 1) + (get(n - 1) - get(n - 2)) * (index - last) as f64
        } else {
            get(index as usize)
        }
    }
    /// The nodes of all columns at a row of pixels.
    fn nodes_of_row(&self, y: f64) -> Vec<f64> {
        let (first, t) = self.place(y);
        let (rows, columns) = self.values.dim();
        let w = cubic(t);
        (0..columns).map(|c| (0..4).map(|k| w[k] * Self::node(|r| self.values[(r, c)], rows, first + k as isize)).sum()).collect()
    }
    /// Values along a row of pixels.
    pub fn row(&self, y: usize, out: &mut [f32]) {
        let nodes = self.nodes_of_row(y as f64);
        for (x, o) in out.iter_mut().enumerate() {
            let (first, t) = self.place(x as f64);
            let w = cubic(t);
            *o = (0..4).map(|k| w[k] * Self::node(|i| nodes[i], nodes.len(), first + k as isize)).sum::<f64>() as f32;
        }
    }
    /// Value at a position (0-based pixels).
    #[must_use]
    pub fn at(&self, x: f64, y: f64) -> f64 {
        let nodes = self.nodes_of_row(y);
        let (first, t) = self.place(x);
        let w = cubic(t);
        (0..4).map(|k| w[k] * Self::node(|i| nodes[i], nodes.len(), first + k as isize)).sum()
    }
    /// Median of the nodes.
    #[must_use]
    pub fn median(&self) -> f64 {
        median64(&mut self.values.iter().copied().collect::<Vec<_>>())
    }
    /// Replaces missing nodes by the median of the nearest measured ones, then takes 3 x 3 medians.
    fn smoothed(cell: usize, raw: &Array2<f64>) -> Self {
        let (rows, columns) = raw.dim();
        let around = |grid: &Array2<f64>, r: usize, c: usize, reach: usize| -> Vec<f64> {
            let mut found = Vec::new();
            for rr in r.saturating_sub(reach)..(r + reach + 1).min(rows) {
                for cc in c.saturating_sub(reach)..(c + reach + 1).min(columns) {
                    if grid[(rr, cc)].is_finite() {
                        found.push(grid[(rr, cc)]);
                    }
                }
            }
            found
        };
        let filled = Array2::from_shape_fn((rows, columns), |(r, c)| {
            if raw[(r, c)].is_finite() {
                return raw[(r, c)];
            }
            (1..rows.max(columns)).map(|reach| around(raw, r, c, reach)).find(|v| !v.is_empty()).map_or(0.0, |mut v| median64(&mut v))
        });
        let values = if rows < 3 || columns < 3 {
            filled
        } else {
            // A border cell has a lopsided neighbourhood: keep it, or a gradient would be flattened there.
            Array2::from_shape_fn((rows, columns), |(r, c)| {
                let border = r == 0 || c == 0 || r == rows - 1 || c == columns - 1;
                if border { filled[(r, c)] } else { median64(&mut around(&filled, r, c, 1)) }
            })
        };
        Self { cell, values }
    }
}

/// Sky level, its pixel noise, and the variance the weight map gives blank sky.
#[derive(Debug, Clone)]
pub struct Background {
    /// Level \[electron / s / pixel\].
    pub level: Mesh,
    /// Measured standard deviation of sky pixels \[electron / s\].
    pub sigma: Mesh,
    /// Median of 1 / weight over sky pixels \[(electron / s)^2\].
    pub variance: Mesh,
}

/// Measures the background over cells of `cell` pixels; pixels with `covered` set (sources) are left out.
#[must_use]
pub fn measure(frame: &L1Frame, cell: usize, covered: Option<&Array2<bool>>) -> Background {
    let (ny, nx) = frame.rate.dim();
    // Whole cells only: the last row and column of cells take what is left over.
    let (rows, columns) = ((ny / cell).max(1), (nx / cell).max(1));
    // The first pass only serves detection: a quarter of the pixels gives the level to 2 % of the noise.
    let step = if covered.is_none() && cell >= 64 { 2 } else { 1 };
    let cells: Vec<[f64; 3]> = (0..rows * columns)
        .into_par_iter()
        .map(|index| {
            let (r, c) = (index / columns, index % columns);
            let y_end = if r + 1 == rows { ny } else { (r + 1) * cell };
            let x_end = if c + 1 == columns { nx } else { (c + 1) * cell };
            let mut values = Vec::with_capacity(cell * cell);
            let mut variances = Vec::with_capacity(cell * cell);
            for y in (r * cell..y_end).step_by(step) {
                for x in (c * cell..x_end).step_by(step) {
                    let (v, w) = (frame.rate[(y, x)], frame.weight[(y, x)]);
                    if w > 0.0 && v.is_finite() && covered.is_none_or(|m| !m[(y, x)]) {
                        values.push(v);
                        variances.push(1.0 / w);
                    }
                }
            }
            if values.len() * 10 * step * step < (y_end - r * cell) * (x_end - c * cell) {
                return [f64::NAN; 3];
            }
            // With the sources covered the mean is the sky; the mode would lie below it, because Poisson noise is skew.
            let clipped = clip(&mut values, if covered.is_some() { 4.0 } else { 3.0 });
            let skew = clipped.mean - clipped.median;
            let level = match covered {
                Some(_) => clipped.mean,
                None if skew > 0.3 * clipped.std => clipped.median,
                None => clipped.median - 1.5 * skew,
            };
            // Source pixels have larger variances: the median over all pixels of a cell is that of the sky.
            [level, clipped.std, f64::from(median(&mut variances))]
        })
        .collect();
    let mesh = |k: usize| Mesh::smoothed(cell, &Array2::from_shape_fn((rows, columns), |(r, c)| cells[r * columns + c][k]));
    Background { level: mesh(0), sigma: mesh(1), variance: mesh(2) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_plane_is_interpolated_exactly_to_the_edges() {
        let cell = 32;
        let plane = |x: f64, y: f64| 3.0 + 0.01 * x - 0.02 * y;
        let centre = |i: usize| (i as f64 + 0.5) * cell as f64 - 0.5;
        let mesh = Mesh { cell, values: Array2::from_shape_fn((5, 4), |(r, c)| plane(centre(c), centre(r))) };
        let mut row = vec![0.0_f32; 4 * cell];
        for y in [0, 17, 80, 159] {
            mesh.row(y, &mut row);
            for (x, &v) in row.iter().enumerate() {
                assert!((f64::from(v) - plane(x as f64, y as f64)).abs() < 1e-5, "({x}, {y})");
            }
        }
        assert!((mesh.at(40.25, 99.5) - plane(40.25, 99.5)).abs() < 1e-12);
    }
}
