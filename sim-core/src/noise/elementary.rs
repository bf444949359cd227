//! Logarithm and exponential from `+ - * /` and bits alone: the same bits on every machine and in every build.

/// Natural logarithm of a positive, normal `x`; absolute error below 2e-7 for 2^-34 < x <= 1.
///
/// Exponent bits plus the polynomial of Cephes' `logf` (Moshier 1992) on \[sqrt(1/2), sqrt 2).
#[inline(always)]
pub(crate) fn ln(x: f32) -> f32 {
    const SQRT_HALF_BITS: u32 = 0x3F35_04F3;
    let shifted = x.to_bits().wrapping_sub(SQRT_HALF_BITS);
    let exponent = ((shifted as i32) >> 23) as f32;
    let f = f32::from_bits((shifted & 0x007F_FFFF).wrapping_add(SQRT_HALF_BITS)) - 1.0;
    let z = f * f;
    let mut y = 7.037_683_6e-2;
    for c in
        [-1.151_461e-1, 1.167_699_9e-1, -1.242_014_1e-1, 1.424_932_3e-1, -1.666_805_8e-1, 2.000_071_5e-1, -2.499_999_4e-1, 3.333_333e-1_f32]
    {
        y = y * f + c;
    }
    y = y * f * z - 2.121_944_4e-4 * exponent - 0.5 * z;
    (f + y) + 0.693_359_4 * exponent
}

/// `exp(x)` for -700 < x <= 0, relative error below 2e-14: nearest power of two times a Taylor polynomial of degree 11.
#[inline(always)]
pub(crate) fn exp_negative(x: f64) -> f64 {
    // Adding 1.5 x 2^52 rounds to an integer that then sits in the low bits.
    const ROUND: f64 = 6_755_399_441_055_744.0;
    // ln 2 in two parts, so that subtracting n ln 2 is exact in the first (Cody & Waite 1980).
    const LN2_HIGH: f64 = 6.931_471_803_691_238e-1;
    const LN2_LOW: f64 = 1.908_214_929_270_587_7e-10;
    let rounded = x * std::f64::consts::LOG2_E + ROUND;
    let n = rounded - ROUND;
    let r = (x - n * LN2_HIGH) - n * LN2_LOW;
    let mut y = 1.0 / 39_916_800.0;
    for factorial in [3_628_800.0, 362_880.0, 40_320.0, 5_040.0, 720.0, 120.0, 24.0, 6.0, 2.0, 1.0, 1.0_f64] {
        y = y * r + 1.0 / factorial;
    }
    f64::from_bits(y.to_bits().wrapping_add(rounded.to_bits() << 52))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn logarithm_and_exponential_agree_with_the_library_to_the_stated_error() {
        for i in 1..200_000_u32 {
            let x = (f64::from(i) / 200_000.0).powi(5).max(2.0_f64.powi(-33)) as f32;
            assert!((f64::from(ln(x)) - f64::from(x).ln()).abs() < 2e-7 * f64::from(x).ln().abs().max(1.0), "ln {x}");
            let t = -f64::from(i) / 2000.0;
            assert!((exp_negative(t) / t.exp() - 1.0).abs() < 2e-14, "exp {t}");
        }
        assert_eq!(exp_negative(0.0).to_bits(), 1.0_f64.to_bits());
        assert_eq!(ln(1.0).to_bits(), 0.0_f32.to_bits());
    }
}
