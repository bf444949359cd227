//! The gamma function for complex arguments and the Sersic constant b.
//!
//! # Formula
//! ln Gamma(z) by Stirling's series after shifting z until |z| > 12;
//! P(2n, b) = 1/2 with P the regularised lower incomplete gamma function, by its power series and Newton steps.
//! # Source
//! Abramowitz & Stegun 1964, eqs. 6.1.40, 6.1.15 and 6.5.29; b: Ciotti & Bertin 1999 (A&A 352, 447), whose
//! asymptotic series starts the iteration.

use num_complex::Complex64;

/// Bernoulli terms B_2k / (2k (2k - 1)) of Stirling's series.
const STIRLING: [f64; 8] =
    [1.0 / 12.0, -1.0 / 360.0, 1.0 / 1260.0, -1.0 / 1680.0, 1.0 / 1188.0, -691.0 / 360_360.0, 1.0 / 156.0, -3617.0 / 122_400.0];

/// Logarithm of the gamma function (some branch of it: only its exponential is used), Re z > 0.
pub(crate) fn ln_gamma(z: Complex64) -> Complex64 {
    let mut shifted = z;
    let mut product = Complex64::new(1.0, 0.0);
    while shifted.norm_sqr() < 144.0 {
        product *= shifted;
        shifted += 1.0;
    }
    let inverse = shifted.inv();
    let square = inverse * inverse;
    let series = STIRLING.iter().rev().fold(Complex64::default(), |sum, &c| sum * square + c) * inverse;
    (shifted - 0.5) * shifted.ln() - shifted + 0.5 * (2.0 * std::f64::consts::PI).ln() + series - product.ln()
}

/// Logarithm of the gamma function for x > 0.
pub(crate) fn ln_gamma_real(x: f64) -> f64 {
    ln_gamma(Complex64::new(x, 0.0)).re
}

/// The constant b of a Sersic profile of index `n`: half of the light lies within the half-light radius.
pub(crate) fn sersic_b(n: f64) -> f64 {
    let a = 2.0 * n;
    let ln_gamma_a = ln_gamma_real(a);
    let mut b = a - 1.0 / 3.0 + 4.0 / (405.0 * n) + 46.0 / (25_515.0 * n * n);
    for _ in 0..8 {
        let (mut term, mut sum, mut k) = (1.0 / a, 1.0 / a, a);
        while term > 1e-17 * sum {
            k += 1.0;
            term *= b / k;
            sum += term;
        }
        let density = ((a - 1.0) * b.ln() - b - ln_gamma_a).exp();
        let step = (sum * b * density - 0.5) / density;
        b -= step;
        if step.abs() < 1e-15 * b {
            break;
        }
    }
    b
}

/// sin(pi x) / (pi x).
pub(crate) fn sinc(x: f64) -> f64 {
    let argument = std::f64::consts::PI * x;
    if argument.abs() < 1e-8 { 1.0 } else { argument.sin() / argument }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gamma_agrees_with_factorials_and_with_the_reflection_formula() {
        assert!((ln_gamma_real(5.0) - 24.0_f64.ln()).abs() < 1e-14);
        assert!((ln_gamma_real(0.5) - 0.5 * std::f64::consts::PI.ln()).abs() < 1e-14);
        // |Gamma(1/2 + it)|^2 = pi / cosh(pi t)
        let t = 7.0;
        let exact = 0.5 * (std::f64::consts::PI / (std::f64::consts::PI * t).cosh()).ln();
        assert!((ln_gamma(Complex64::new(0.5, t)).re - exact).abs() < 1e-13);
    }

    #[test]
    fn b_is_the_root_known_in_closed_form_for_a_gaussian() {
        // n = 1/2: P(1, b) = 1 - exp(-b) = 1/2.
        assert!((sersic_b(0.5) - 2.0_f64.ln()).abs() < 1e-14);
        // Published: b(1) = 1.67834699, b(4) = 7.66924944 (Ciotti & Bertin 1999).
        assert!((sersic_b(1.0) - 1.678_346_99).abs() < 1e-8);
        assert!((sersic_b(4.0) - 7.669_249_44).abs() < 1e-8);
    }
}
