//! Logarithms of pixels by additions, multiplications, divisions, square roots and bits alone.
//!
//! # Formula
//! x = 2^e m with m between sqrt(1/2) and sqrt(2); ln m = 2 (s + s^3/3 + s^5/5 + s^7/7 + s^9/9), s = (m - 1) / (m + 1).
//! |s| < 0.172, so the first term left out is below 7e-10. asinh u = sign(u) ln(|u| + sqrt(u^2 + 1)).
//! # Limits
//! Normal positive numbers. The library's logarithms choose their instructions at run time, and masks must not depend on the
//! processor; these give the same bits everywhere.

const LN_2: f32 = std::f32::consts::LN_2;

/// Natural logarithm of a positive normal number.
#[inline(always)]
pub(super) fn ln(x: f32) -> f32 {
    // The exponent is that of x / sqrt(1/2), so that m lies around 1.
    let bits = x.to_bits() as i32 - 0x3f35_04f3;
    let exponent = bits >> 23;
    let m = f32::from_bits(((bits & 0x007f_ffff) + 0x3f35_04f3) as u32);
    let s = (m - 1.0) / (m + 1.0);
    let t = s * s;
    let series = 1.0 + t * (1.0 / 3.0 + t * (0.2 + t * (1.0 / 7.0 + t * (1.0 / 9.0))));
    exponent as f32 * LN_2 + 2.0 * s * series
}

/// Inverse hyperbolic sine.
#[inline(always)]
pub(super) fn asinh(u: f32) -> f32 {
    let size = u.abs();
    let value = ln(size + (size * size + 1.0).sqrt());
    if u < 0.0 { -value } else { value }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn logarithms_are_those_of_the_library_to_a_rounding() {
        for k in 0..400 {
            let x = 10.0_f64.powf(-6.0 + 0.04 * f64::from(k)) as f32;
            let wanted = f64::from(x).ln();
            // Half a unit of the larger of the two terms, a few times.
            assert!((f64::from(ln(x)) - wanted).abs() < 3e-7 * (1.0 + wanted.abs()), "ln {x}");
            for u in [x, -x] {
                let wanted = f64::from(u).asinh();
                assert!((f64::from(asinh(u)) - wanted).abs() < 4e-7 * (1.0 + wanted.abs()), "asinh {u}");
            }
        }
        assert_eq!((ln(1.0), asinh(0.0)), (0.0, 0.0));
    }
}
