//! The standard normal quantile of a 32-bit word.
//!
//! # Formula
//! `z = sqrt(2) erfinv(x)`, `x = 2 u - 1`, `u = (w + 1/2) 2^-32`; erfinv(x) / x by two polynomials in
//! `s = -ln((1 - x)(1 + x)) = -ln(4 q (1 - q))`, `q = min(u, 1 - u)`: in s below 5, in sqrt(s) above.
//! # Source
//! Giles 2012, "Approximating the erfinv function", GPU Computing Gems Jade Edition, chapter 10:
//! its central polynomial. Its outer one ends at s = 16 (u = 3e-8; wrong by 1e-3 at 2^-32), so ours is a weighted
//! least-squares Chebyshev fit of degree 7 to the exact quantile over 5 <= s <= 21.6.
//! # Limits
//! |z| <= 6.34 (u = 2^-33). Absolute error below 3e-6 over all words; exactly antisymmetric: z(!w) = -z(w).

use super::elementary::ln;

/// Standard normal quantile of word `w`.
#[inline(always)]
pub(crate) fn quantile(w: u32) -> f32 {
    // The distance to the nearer end keeps full relative precision in both tails.
    let upper = w >> 31;
    let tail = w ^ 0_u32.wrapping_sub(upper);
    let q = (tail as i32 as f32 + 0.5) * (1.0 / 4_294_967_296.0);
    let distance = ((0x7FFF_FFFF - tail) as i32 as f32 + 0.5) * (1.0 / 2_147_483_648.0);
    let x = f32::from_bits(distance.to_bits() | ((upper ^ 1) << 31));
    let s = -ln(4.0 * q * (1.0 - q));
    let near = s - 2.5;
    let mut centre = 2.810_226_4e-8;
    for c in
        [3.432_739_4e-7, -3.523_387_7e-6, -4.391_506_5e-6, 2.185_808_7e-4, -1.253_725e-3, -4.177_681_6e-3, 2.466_407_3e-1, 1.501_409_4_f32]
    {
        centre = centre * near + c;
    }
    let far = s.max(0.0).sqrt() - 3.4375;
    let mut edge = -1.805_085_2e-4;
    for c in [6.329_627_4e-4, -9.743_855e-4, 1.287_600_1e-3, -2.315_246_7e-3, 3.698_503_6e-3, 1.006_928_1, 3.272_538_4_f32] {
        edge = edge * far + c;
    }
    std::f32::consts::SQRT_2 * x * if s < 5.0 { centre } else { edge }
}
