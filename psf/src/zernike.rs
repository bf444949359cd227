//! Zernike polynomials over the unit disc, orthonormal, in Noll's order (Noll 1976, J. Opt. Soc. Am. 66, 207).
//!
//! `Z_j = sqrt(n+1) R_n^m(r) {1, sqrt(2) cos(m a), sqrt(2) sin(m a)}` with the angle `a` counted from +x to +y.
//! Even j carry the cosine, odd j the sine: 5 is astigmatism at 45 degrees, 7 coma along y, 8 coma along x.
//! This is the order and normalisation of GalSim's `OpticalPSF`.

/// One polynomial, by its orders.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Zernike {
    /// Radial order.
    pub n: u32,
    /// Azimuthal order, not negative.
    pub m: u32,
    /// Whether it carries `sin(m a)`.
    pub sine: bool,
}

impl Zernike {
    /// The polynomial of Noll index `j` (from 1).
    ///
    /// # Panics
    /// When j is 0.
    #[must_use]
    pub fn from_noll(j: u32) -> Self {
        assert!(j > 0, "Noll's index counts from 1");
        let (mut n, mut left) = (0, j - 1);
        while left > n {
            n += 1;
            left -= n;
        }
        let m = if n % 2 == 0 { 2 * left.div_ceil(2) } else { 2 * (left / 2) + 1 };
        Self { n, m, sine: m != 0 && j % 2 == 1 }
    }

    /// `sqrt(n+1)`, times `sqrt(2)` for m > 0.
    #[must_use]
    pub fn norm(&self) -> f64 {
        f64::from((self.n + 1) * if self.m == 0 { 1 } else { 2 }).sqrt()
    }

    /// Radial polynomial, 1 at r = 1.
    #[must_use]
    pub fn radial(&self, r: f64) -> f64 {
        let (n, m) = (self.n, self.m);
        let (up, down) = (u32::midpoint(n, m), (n - m) / 2);
        (0..=down).fold(0.0, |sum, k| {
            let sign = if k % 2 == 0 { 1.0 } else { -1.0 };
            sum + sign * factorial(n - k) / (factorial(k) * factorial(up - k) * factorial(down - k)) * r.powi((n - 2 * k) as i32)
        })
    }

    /// Value at a point of the unit disc, with its norm.
    #[must_use]
    pub fn at(&self, x: f64, y: f64) -> f64 {
        let angle = f64::from(self.m) * y.atan2(x);
        self.norm() * self.radial(x.hypot(y)) * if self.sine { angle.sin() } else { angle.cos() }
    }

    /// Largest slope at the rim of the unit disc, with its norm: radial `(n(n+2) - m^2)/2`, tangential m.
    #[must_use]
    pub fn rim_slope(&self) -> f64 {
        let (n, m) = (f64::from(self.n), f64::from(self.m));
        self.norm() * (0.5 * (n * (n + 2.0) - m * m)).hypot(m)
    }
}

/// All pairs (cosine, sine) up to one radial order, without norms, for evaluation at many points.
pub(crate) struct Basis {
    /// m, and the coefficients of R_n^m(r) / r^m in powers of r^2.
    orders: Vec<(u32, Vec<f64>)>,
}

impl Basis {
    /// Pairs (n, m) with n = 0, 1, ... `highest` and m = n mod 2 ... n.
    pub(crate) fn new(highest: u32) -> Self {
        let pairs = (0..=highest).flat_map(|n| (n % 2..=n).step_by(2).map(move |m| (n, m)));
        let orders = pairs
            .map(|(n, m)| {
                let (up, down) = (u32::midpoint(n, m), (n - m) / 2);
                let term = |k: u32| {
                    let sign = if k.is_multiple_of(2) { 1.0 } else { -1.0 };
                    sign * factorial(n - k) / (factorial(k) * factorial(up - k) * factorial(down - k))
                };
                (m, (0..=down).rev().map(term).collect())
            })
            .collect();
        Self { orders }
    }

    /// Index of a pair in the order of [`Basis::new`].
    pub(crate) fn index(n: u32, m: u32) -> usize {
        let before: u32 = (0..n).map(|k| k / 2 + 1).sum();
        (before + m / 2) as usize
    }

    /// Value of each pair at a point.
    pub(crate) fn at(&self, x: f64, y: f64) -> impl Iterator<Item = (f64, f64)> {
        let r2 = x * x + y * y;
        let mut powers = [(1.0, 0.0); 16];
        for m in 1..powers.len() {
            let (re, im) = powers[m - 1];
            powers[m] = (re * x - im * y, re * y + im * x);
        }
        self.orders.iter().map(move |(m, coefficients)| {
            let radial = coefficients.iter().rev().fold(0.0, |sum, c| sum * r2 + c);
            let (re, im) = powers[*m as usize];
            (radial * re, radial * im)
        })
    }
}

fn factorial(n: u32) -> f64 {
    (2..=n).map(f64::from).product()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::quadrature::gauss_legendre;

    #[test]
    fn nolls_table_is_reproduced() {
        // Noll 1976, table 1: (j, n, m, sine).
        for (j, n, m, sine) in [
            (1, 0, 0, false),
            (2, 1, 1, false),
            (3, 1, 1, true),
            (4, 2, 0, false),
            (5, 2, 2, true),
            (6, 2, 2, false),
            (7, 3, 1, true),
            (8, 3, 1, false),
            (9, 3, 3, true),
            (10, 3, 3, false),
            (11, 4, 0, false),
            (12, 4, 2, false),
            (13, 4, 2, true),
            (14, 4, 4, false),
            (15, 4, 4, true),
            (16, 5, 1, false),
            (21, 5, 5, true),
            (22, 6, 0, false),
            (23, 6, 2, true),
            (28, 6, 6, false),
        ] {
            assert_eq!(Zernike::from_noll(j), Zernike { n, m, sine }, "j = {j}");
        }
    }

    #[test]
    fn the_polynomials_are_orthonormal_over_the_disc() {
        let (t, w) = gauss_legendre(20);
        let angles = 40;
        for a in 1..=36 {
            for b in a..=36 {
                let (za, zb) = (Zernike::from_noll(a), Zernike::from_noll(b));
                let mut sum = 0.0;
                for (t, w) in t.iter().zip(&w) {
                    // r^2 uniform in [0, 1]: the mean over the disc.
                    let r = (0.5 + 0.5 * t).sqrt();
                    for k in 0..angles {
                        let (s, c) = (std::f64::consts::TAU * f64::from(k) / f64::from(angles)).sin_cos();
                        sum += 0.5 * w / f64::from(angles) * za.at(r * c, r * s) * zb.at(r * c, r * s);
                    }
                }
                assert!((sum - f64::from(u8::from(a == b))).abs() < 1e-11, "<Z{a} Z{b}> = {sum}");
            }
        }
    }

    #[test]
    fn the_basis_is_the_same_polynomials() {
        let basis = Basis::new(7);
        for (x, y) in [(0.3, -0.4), (-0.9, 0.1), (0.0, 0.0), (0.6, 0.8)] {
            let values: Vec<_> = basis.at(x, y).collect();
            for j in 1..=36 {
                let z = Zernike::from_noll(j);
                let (c, s) = values[Basis::index(z.n, z.m)];
                assert!((z.norm() * if z.sine { s } else { c } - z.at(x, y)).abs() < 1e-12, "Z{j} at {x}, {y}");
            }
        }
    }

    #[test]
    fn coma_8_is_along_x() {
        let z = Zernike::from_noll(8);
        // sqrt(8) (3 r^3 - 2 r) cos a
        assert!((z.at(0.5, 0.0) - 8f64.sqrt() * (0.375 - 1.0)).abs() < 1e-14);
        assert!(z.at(0.0, 0.7).abs() < 1e-15);
    }
}
