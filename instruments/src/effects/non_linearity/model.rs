//! The kernel: a curve with slope 1 at 0, a polynomial up to its ceiling, straight beyond.

use multiversion::multiversion;

/// Terms a curve can have: powers 2 to 7 of the signal.
pub const TERMS: usize = 6;

/// `y = x (1 + sum over k >= 1 of b_k (x / scale)^k)` for 0 <= x <= ceiling; slope 1 below, that at the ceiling above.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Curve {
    terms: [f32; TERMS],
    per_scale: f32,
    ceiling: f32,
    slope_above: f32,
}

/// Horner sum of `terms[k] u^(k + 1)`, each times `weight(k)`.
#[inline(always)]
fn series<T: Copy + std::ops::Mul<Output = T> + std::ops::Add<Output = T>>(
    terms: &[T],
    u: T,
    zero: T,
    weight: impl Fn(usize, T) -> T,
) -> T {
    let mut sum = zero;
    for (k, &term) in terms.iter().enumerate().rev() {
        sum = (sum + weight(k, term)) * u;
    }
    sum
}

impl Curve {
    /// `None` with more than [`TERMS`] terms.
    #[must_use]
    pub fn new(terms: &[f64], scale: f64, ceiling: f64) -> Option<Self> {
        let mut padded = [0.0; TERMS];
        for (to, from) in padded.get_mut(..terms.len())?.iter_mut().zip(terms) {
            *to = *from as f32;
        }
        let slope_above = slope(terms, ceiling / scale) as f32;
        Some(Self { terms: padded, per_scale: (1.0 / scale) as f32, ceiling: ceiling as f32, slope_above })
    }
    /// Where the polynomial ends.
    #[must_use]
    pub fn ceiling(&self) -> f32 {
        self.ceiling
    }
    #[inline(always)]
    fn at(&self, x: f32) -> f32 {
        let positive = if x > 0.0 { x } else { 0.0 };
        let inside = if positive > self.ceiling { self.ceiling } else { positive };
        let bend = series(&self.terms, inside * self.per_scale, 0.0, |_, term| term);
        (inside + inside * bend) + ((x - positive) + (positive - inside) * self.slope_above)
    }
    #[inline(always)]
    fn slope_at(&self, x: f32) -> f32 {
        let positive = if x > 0.0 { x } else { 0.0 };
        let inside = if positive > self.ceiling { self.ceiling } else { positive };
        1.0 + series(&self.terms, inside * self.per_scale, 0.0, |k, term| term * (k as f32 + 2.0))
    }
}

/// Slope of the polynomial at `u` = x / scale.
#[must_use]
pub fn slope(terms: &[f64], u: f64) -> f64 {
    1.0 + series(terms, u, 0.0, |k, term| term * (k as f64 + 2.0))
}

/// Whether the curve rises everywhere up to `u` = x / scale.
#[must_use]
pub fn rises(terms: &[f64], u: f64) -> bool {
    (0..=1000).all(|i| slope(terms, u * f64::from(i) / 1000.0) > 0.0)
}

/// Bends the pixels.
#[multiversion(targets("x86_64+avx2"))]
pub fn bend(pixels: &mut [f32], curve: &Curve) {
    for pixel in pixels {
        *pixel = curve.at(*pixel);
    }
}

/// Bends the pixels, and multiplies their variance by the square of the slope.
#[multiversion(targets("x86_64+avx2"))]
pub fn bend_with_variance(pixels: &mut [f32], variance: &mut [f32], curve: &Curve) {
    for (pixel, variance) in pixels.iter_mut().zip(variance) {
        let slope = curve.slope_at(*pixel);
        *variance *= slope * slope;
        *pixel = curve.at(*pixel);
    }
}

/// Terms of the inverse of a curve of three terms, to fourth order in them: reversion of the series `u + sum a_k u^(k + 1)`.
#[must_use]
pub fn reversed([a, b, c]: [f64; 3]) -> [f64; TERMS] {
    [
        -a,
        2.0 * a * a - b,
        5.0 * a * b - 5.0 * a.powi(3) - c,
        14.0 * a.powi(4) - 21.0 * a * a * b + 6.0 * a * c + 3.0 * b * b,
        -42.0 * a.powi(5) + 84.0 * a.powi(3) * b - 28.0 * a * a * c - 28.0 * a * b * b + 7.0 * b * c,
        132.0 * a.powi(6) - 330.0 * a.powi(4) * b + 120.0 * a.powi(3) * c + 180.0 * a * a * b * b - 72.0 * a * b * c - 12.0 * b.powi(3)
            + 4.0 * c * c,
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_curve_by_hand() {
        // Terms -0.02 and 0.01 at half scale: 1 - 0.01 + 0.0025; slope 1 - 0.02 + 0.0075.
        let curve = Curve::new(&[-0.02, 0.01], 60_000.0, 60_000.0).unwrap();
        let (mut pixels, mut variance) = ([30_000.0, 0.0, -7.0, 90_000.0], [100.0; 4]);
        bend_with_variance(&mut pixels, &mut variance, &curve);
        assert!((pixels[0] - 29_775.0).abs() < 0.01, "{pixels:?}");
        assert_eq!(pixels[1..3], [0.0, -7.0]);
        // Above: 60,000 * 0.99 + 30,000 * (1 - 0.04 + 0.03).
        assert!((pixels[3] - 89_100.0).abs() < 0.02, "{pixels:?}");
        assert!((variance[0] - 100.0 * 0.9875 * 0.9875).abs() < 1e-4 && variance[1] == 100.0, "{variance:?}");
    }

    #[test]
    fn no_terms_change_no_bit() {
        let straight = Curve::new(&[], 65_535.0, 65_535.0).unwrap();
        let mut pixels = [0.25, 17.3, 65_000.7, 1e5, -3.0];
        bend(&mut pixels, &straight);
        assert_eq!(pixels, [0.25, 17.3, 65_000.7, 1e5, -3.0]);
        assert_eq!(Curve::new(&[0.0; TERMS + 1], 1.0, 1.0), None);
    }

    #[test]
    fn the_reversed_series_undoes_the_curve() {
        let terms = [-0.02, 0.006, -0.01];
        let (there, back) = (Curve::new(&terms, 1.0, 1.0).unwrap(), Curve::new(&reversed(terms), 1.0, 1.0).unwrap());
        for i in 1..=100 {
            let x = i as f32 / 100.0;
            // What the series lacks is of third order in the bends and eighth in the signal: 36 x 0.02 x 0.01^2 = 7e-5 at most.
            assert!((back.at(there.at(x)) - x).abs() < 1e-4 * x, "{x}: {}", back.at(there.at(x)));
        }
    }

    #[test]
    fn a_curve_that_turns_round_is_noticed() {
        assert!(rises(&[-0.2], 2.0));
        assert!(!rises(&[-0.2, -0.1], 2.0), "1 - 0.8 - 1.2");
    }
}
