//! Interpolation in nu and angle: Chebyshev and trigonometric series, and their way into a table.

use super::TOLERANCE;
use super::lens::HIGHEST;
use std::f64::consts::PI;
use std::sync::OnceLock;

/// Chebyshev nodes in nu and angles in half a turn.
pub(super) const SERIES: [(usize, usize); 13] =
    [(8, 8), (10, 11), (12, 14), (15, 17), (18, 21), (21, 25), (25, 31), (30, 40), (40, 54), (54, 80), (76, 124), (110, 190), (160, 280)];

/// Intervals of the table per node of the series.
const FINER: usize = 4;

/// Interpolation from one size of series to its table.
pub(super) struct Series {
    pub(super) radial: usize,
    pub(super) angles: usize,
    pub(super) table_radial: usize,
    pub(super) table_angles: usize,
    /// Chebyshev nodes in nu.
    pub(super) nus: Vec<f64>,
    /// cos and sin of m times each angle, `[angle][m]`.
    pub(super) turns: Vec<Vec<(f64, f64)>>,
    /// Trigonometric interpolation from the angles to the table's, for the real and the imaginary part, `[in][out]`.
    pub(super) to_angles: (Vec<f64>, Vec<f64>),
    /// Chebyshev interpolation from the nodes to the table's radii, `[out][in]`.
    pub(super) to_radii: Vec<f64>,
    /// The last two Chebyshev polynomials at the nodes, and the last two harmonics at the angles.
    last_radial: [Vec<f64>; 2],
    last_angular: [Vec<(f64, f64)>; 2],
}

impl Series {
    fn new((radial, angles): (usize, usize)) -> Self {
        let (table_radial, table_angles) = (FINER * radial, FINER * angles);
        let place = |i: usize| PI * (i as f64 + 0.5) / radial as f64;
        let nus: Vec<f64> = (0..radial).map(|i| 0.5 - 0.5 * place(i).cos()).collect();
        let turns = (0..angles)
            .map(|j| (0..=HIGHEST).map(|m| (f64::from(m) * PI * j as f64 / angles as f64).sin_cos()).map(|(s, c)| (c, s)).collect())
            .collect();
        let (mut real, mut imaginary) = (Vec::new(), Vec::new());
        for j in 0..angles {
            for t in 0..table_angles {
                let offset = PI * (t as f64 / table_angles as f64 - j as f64 / angles as f64);
                let (near, far) = (dirichlet(offset, angles), dirichlet(offset - PI, angles));
                real.push(near + far);
                imaginary.push(near - far);
            }
        }
        let to_radii = (0..table_radial + 5).flat_map(|i| barycentric(&nus, table_nu(i, table_radial))).collect();
        let last_radial = [1, 2].map(|back| (0..radial).map(|i| 2.0 / radial as f64 * ((radial - back) as f64 * place(i)).cos()).collect());
        let last_angular = [1, 2].map(|back| (0..angles).map(|j| (PI * ((angles - back) * j) as f64 / angles as f64).sin_cos()).collect());
        Self { radial, angles, table_radial, table_angles, nus, turns, to_angles: (real, imaginary), to_radii, last_radial, last_angular }
    }

    pub(super) fn of(size: usize) -> &'static Self {
        static CACHE: [OnceLock<Series>; SERIES.len()] = [const { OnceLock::new() }; SERIES.len()];
        CACHE[size].get_or_init(|| Self::new(SERIES[size]))
    }

    /// Whether the last coefficients in both directions are below [`TOLERANCE`]. The factor 1 - nu in P keeps the
    /// rapid phases near nu = 1, where there is no light left, from counting.
    pub(super) fn converged(&self, values: &[(f64, f64)]) -> bool {
        let small = |re: f64, im: f64| f64::hypot(re, im) < TOLERANCE;
        let in_nu = self.last_radial.iter().all(|basis| {
            (0..self.angles).all(|j| {
                let column = values[j..].iter().step_by(self.angles);
                let (re, im) = basis.iter().zip(column).fold((0.0, 0.0), |(re, im), (b, v)| (re + b * v.0, im + b * v.1));
                small(re, im)
            })
        });
        // Even harmonics are carried by the real part, odd ones by the imaginary part.
        in_nu
            && self.last_angular.iter().enumerate().all(|(back, basis)| {
                let even = (self.angles - 1 - back).is_multiple_of(2);
                values.chunks(self.angles).all(|row| {
                    let (re, im) = basis.iter().zip(row).fold((0.0, 0.0), |(re, im), ((s, c), v)| {
                        let value = if even { v.0 } else { v.1 } / self.angles as f64;
                        (re + c * value, im + s * value)
                    });
                    small(re, im)
                })
            })
    }
}

/// nu of the i-th row of a table: equidistant in `acos(1 - 2 nu)`, in which a polynomial in nu is a cosine series, even
/// about both ends; two rows before 0 and three after 1.
fn table_nu(i: usize, intervals: usize) -> f64 {
    0.5 - 0.5 * (PI * (i as f64 - 2.0) / intervals as f64).cos()
}

/// Trigonometric interpolation kernel on `2 half` equidistant angles.
fn dirichlet(offset: f64, half: usize) -> f64 {
    let n = half as f64;
    let sine = (0.5 * offset).sin();
    if sine.abs() < 1e-14 { 1.0 } else { (n * offset).sin() * (0.5 * offset).cos() / (2.0 * n * sine) }
}

/// Weights of polynomial interpolation from Chebyshev nodes of the first kind (Berrut & Trefethen 2004).
fn barycentric(nodes: &[f64], x: f64) -> Vec<f64> {
    let n = nodes.len();
    if let Some(hit) = nodes.iter().position(|&node| (x - node).abs() < 1e-15) {
        return (0..n).map(|i| f64::from(u8::from(i == hit))).collect();
    }
    let mut terms: Vec<f64> = (0..n)
        .map(|i| {
            let sign = if i % 2 == 0 { 1.0 } else { -1.0 };
            sign * (PI * (i as f64 + 0.5) / n as f64).sin() / (x - nodes[i])
        })
        .collect();
    let total: f64 = terms.iter().sum();
    terms.iter_mut().for_each(|t| *t /= total);
    terms
}
