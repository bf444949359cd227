//! Bessel functions, to 1e-13: J0, J1 and the combination of K that a Moffat profile needs.

use std::f64::consts::{FRAC_PI_4, PI};

/// Bessel function J of order 0 or 1 at any real argument.
///
/// Below 25 the trapezoidal rule on Bessel's integral, which converges faster than any power for a periodic
/// integrand (Trefethen & Weideman 2014, SIAM Rev. 56, 385); above, Hankel's expansion (Abramowitz & Stegun
/// 1964, 9.2.5).
#[must_use]
pub fn j(order: u32, x: f64) -> f64 {
    let a = x.abs();
    let value = if a < 25.0 { bessel_integral(order, a) } else { hankel(order, a) };
    if order % 2 == 1 && x < 0.0 { -value } else { value }
}

fn bessel_integral(order: u32, x: f64) -> f64 {
    let n = 2 * (24 + x as usize);
    let step = PI / n as f64;
    // End points carry half a weight each.
    let mut sum = 0.5 * (1.0 + (f64::from(order) * PI).cos());
    for k in 1..n {
        let tau = k as f64 * step;
        sum += (f64::from(order) * tau - x * tau.sin()).cos();
    }
    sum / n as f64
}

fn hankel(order: u32, x: f64) -> f64 {
    let mu = 4.0 * f64::from(order * order);
    let (mut p, mut q, mut term) = (0.0, 0.0, 1.0);
    for k in 0..20_u32 {
        match k % 4 {
            0 => p += term,
            1 => q += term,
            2 => p -= term,
            _ => q -= term,
        }
        let odd = f64::from(2 * k + 1);
        let next = term * (mu - odd * odd) / (f64::from(k + 1) * 8.0 * x);
        if next.abs() > term.abs() || next.abs() < 1e-17 {
            break;
        }
        term = next;
    }
    let angle = x - f64::from(order) * 0.5 * PI - FRAC_PI_4;
    (2.0 / (PI * x)).sqrt() * (p * angle.cos() - q * angle.sin())
}

/// `2 (x/2)^mu K_mu(x) / Gamma(mu)`, 1 at the origin, for mu > 0 and x >= 0.
///
/// From `K_mu(x) = integral_0^inf exp(-x cosh t) cosh(mu t) dt` (Abramowitz & Stegun 1964, 9.6.24) by the
/// trapezoidal rule, whose integrand falls doubly exponentially; all factors go into one exponent, so that no
/// order overflows.
#[must_use]
pub fn matern(mu: f64, x: f64) -> f64 {
    if x <= 0.0 {
        return 1.0;
    }
    let constant = mu * (0.5 * x).ln() - ln_gamma(mu);
    let step = (0.5 / mu.sqrt()).min(0.08);
    let mut sum = 0.5 * (constant - x).exp();
    let mut k = 1;
    loop {
        let t = k as f64 * step;
        let base = constant - x * t.cosh();
        let (up, down) = ((base + mu * t).exp(), (base - mu * t).exp());
        sum += 0.5 * (up + down);
        // Past the largest integrand (sinh t = mu / x) and negligible.
        if x * t.sinh() > mu && up < 1e-18 * sum.max(1e-300) || t > 800.0 {
            break;
        }
        k += 1;
    }
    2.0 * step * sum
}

/// Logarithm of the gamma function for x > 0: Stirling's series after shifting x above 12
/// (Abramowitz & Stegun 1964, 6.1.41).
#[must_use]
pub fn ln_gamma(x: f64) -> f64 {
    let (mut z, mut shift) = (x, 1.0);
    while z < 12.0 {
        shift *= z;
        z += 1.0;
    }
    let z2 = z * z;
    let series = (1.0 / 12.0 - (1.0 / 360.0 - (1.0 / 1260.0 - (1.0 / 1680.0 - 1.0 / (1188.0 * z2)) / z2) / z2) / z2) / z;
    (z - 0.5) * z.ln() - z + 0.5 * (2.0 * PI).ln() + series - shift.ln()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn j_vanishes_at_its_tabulated_zeros() {
        // Abramowitz & Stegun table 9.5.
        for (order, zero) in
            [(0, 2.404_825_557_695_773), (0, 30.634_606_468_431_975), (1, 3.831_705_970_207_512), (1, 13.323_691_936_314_223)]
        {
            assert!(j(order, zero).abs() < 1e-14, "J{order}({zero}) = {}", j(order, zero));
        }
    }

    #[test]
    fn both_ways_of_computing_j_agree_where_they_meet() {
        for order in [0, 1] {
            for x in [25.0, 27.3, 31.0] {
                assert!((bessel_integral(order, x) - hankel(order, x)).abs() < 1e-14);
            }
        }
    }

    #[test]
    fn half_integer_orders_of_k_are_elementary() {
        // mu = 1/2: exp(-x); mu = 3/2: (1 + x) exp(-x); mu = 5/2: (1 + x + x^2/3) exp(-x).
        for x in [1e-3, 0.1, 1.0, 7.0, 30.0] {
            let e = f64::exp(-x);
            assert!((matern(0.5, x) - e).abs() < 1e-14);
            assert!((matern(1.5, x) - (1.0 + x) * e).abs() < 1e-14);
            assert!((matern(2.5, x) - (1.0 + x + x * x / 3.0) * e).abs() < 1e-14);
        }
    }

    #[test]
    fn gamma_of_integers_is_the_factorial() {
        assert!((ln_gamma(5.0) - 24f64.ln()).abs() < 1e-13);
        assert!((ln_gamma(0.5) - 0.5 * PI.ln()).abs() < 1e-13);
    }
}
