//! The kernel: the halo of one star, and the sum of many on a grid of nodes.

use ndarray::Array2;
use rayon::prelude::*;
use sim_core::frame::{BrightPoint, Window};
use std::f64::consts::PI;

/// The halo of unit light, by the distance in pixels.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Halo {
    /// Shoulder \[pixel\].
    pub shoulder: f64,
    /// Slope \[1\].
    pub slope: f64,
    /// End \[pixel\].
    pub radius: f64,
    /// Light of a pixel at the centre over that of the star \[1 / pixel\].
    pub peak: f64,
}

impl Halo {
    /// A halo that holds `fraction` of the light within `radius`.
    #[must_use]
    pub fn new(fraction: f64, shoulder: f64, slope: f64, radius: f64) -> Self {
        let x = 1.0 + (radius / shoulder).powi(2);
        let k = 1.0 - 0.5 * slope;
        // Integral of 2 pi r (1 + r^2 / b^2)^(-s / 2) dr = pi b^2 (x^k - 1) / k, and pi b^2 ln x for s = 2.
        let integral = if k.abs() < 1e-9 { x.ln() } else { (x.powf(k) - 1.0) / k };
        Self { shoulder, slope, radius, peak: fraction / (PI * shoulder * shoulder * integral) }
    }
    /// Light of a pixel at a squared distance \[1 / pixel\].
    #[must_use]
    pub fn at_square(&self, square: f64) -> f64 {
        if square > self.radius * self.radius {
            return 0.0;
        }
        let x = 1.0 + square / (self.shoulder * self.shoulder);
        // The slope of mirrors is near 2: no power then.
        self.peak * if self.slope == 2.0 { 1.0 / x } else { x.powf(-0.5 * self.slope) }
    }
    /// Pixels between nodes: a quarter of the shoulder, 1 to 64.
    #[must_use]
    pub fn step(&self) -> usize {
        ((0.25 * self.shoulder) as usize).clamp(1, 64)
    }
}

/// Light on nodes around a window; see `Nodes::row`.
#[derive(Debug, Clone)]
pub struct Nodes {
    step: usize,
    i0: usize,
    j0: usize,
    /// `[row, column]` \[electron\].
    values: Array2<f64>,
}

impl Nodes {
    /// The halos of `points` around a window. Nodes are counted from the detector's corner; points are summed in order.
    #[must_use]
    pub fn new(halo: &Halo, points: &[BrightPoint], window: Window) -> Self {
        let step = halo.step();
        let (i0, j0) = (window.x0 / step, window.y0 / step);
        let columns = (window.x0 + window.nx) / step - i0 + 2;
        let rows = (window.y0 + window.ny) / step - j0 + 2;
        let values: Vec<f64> = (0..rows)
            .into_par_iter()
            .flat_map_iter(|j| {
                let y = ((j0 + j) * step) as f64;
                (0..columns).map(move |i| {
                    let x = ((i0 + i) * step) as f64;
                    points.iter().map(|p| p.electrons * halo.at_square((p.x - x).powi(2) + (p.y - y).powi(2))).sum::<f64>()
                })
            })
            .collect();
        let values = Array2::from_shape_vec((rows, columns), values).unwrap_or_else(|_| unreachable!("one value a node"));
        Self { step, i0, j0, values }
    }
    /// Adds the light to row `y` of the detector, from column `x0` on.
    pub fn add_row(&self, y: usize, x0: usize, row: &mut [f32]) {
        let step = self.step;
        let (j, fy) = (y / step - self.j0, (y % step) as f64 / step as f64);
        let node = |i: usize| self.values[[j, i]] + fy * (self.values[[j + 1, i]] - self.values[[j, i]]);
        for i in 0..self.values.ncols() - 1 {
            let from = (self.i0 + i) * step;
            let (low, high) = (from.max(x0), (from + step).min(x0 + row.len()));
            if low >= high {
                continue;
            }
            let (a, b) = (node(i), node(i + 1));
            let (start, slope) = (a as f32, ((b - a) / step as f64) as f32);
            for (k, pixel) in row[low - x0..high - x0].iter_mut().enumerate() {
                *pixel += start + slope * (low - from + k) as i32 as f32;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_halo_holds_its_fraction_within_the_radius() {
        for slope in [1.5, 2.0, 3.0] {
            let halo = Halo::new(0.01, 20.0, slope, 400.0);
            let n = 40_000;
            let dr = 400.0 / f64::from(n);
            let sum: f64 = (0..n).map(|i| (f64::from(i) + 0.5) * dr).map(|r| 2.0 * PI * r * halo.at_square(r * r) * dr).sum();
            assert!((sum / 0.01 - 1.0).abs() < 1e-5, "{slope}: {sum}");
            assert_eq!(halo.at_square(401.0 * 401.0), 0.0);
        }
    }

    #[test]
    fn a_star_off_the_chip_lays_a_gradient_and_a_cut_out_has_its_pixels() {
        let halo = Halo::new(0.01, 80.0, 2.0, 4000.0);
        let points = [BrightPoint { x: -150.0, y: 60.0, electrons: 1e9 }];
        let whole = Nodes::new(&halo, &points, Window { x0: 0, y0: 0, nx: 300, ny: 120 });
        let part = Nodes::new(&halo, &points, Window { x0: 101, y0: 37, nx: 50, ny: 20 });
        for y in 37..57 {
            let (mut a, mut b) = (vec![0.0; 300], vec![0.0; 50]);
            whole.add_row(y, 0, &mut a);
            part.add_row(y, 101, &mut b);
            assert_eq!(b, a[101..151]);
            for x in [0, 100, 299] {
                let square = (x as f64 + 150.0).powi(2) + (y as f64 - 60.0).powi(2);
                let exact = 1e9 * halo.at_square(square);
                // Linear between nodes 20 pixels apart: 20^2 / 8 of the second derivative, 6 / r^2 of the light at most.
                assert!((f64::from(a[x]) / exact - 1.0).abs() < 50.0 * 6.0 / square, "{x}: {} {exact}", a[x]);
            }
            assert!(a.windows(2).all(|w| w[1] < w[0]), "it falls away from the star");
        }
    }
}
