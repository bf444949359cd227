//! Elementary functions written so that a loop over them is vectorised by the compiler.
//!
//! They contain no branches and no fused operations, so that the wide and the plain code give the same bits.

use std::f64::consts::{PI, TAU};
use std::sync::LazyLock;

const ROUND: f64 = 6_755_399_441_055_744.0; // 1.5 * 2^52: adding it rounds to an integer.

/// Sine and cosine of `2 pi turns`, to 1e-11, for |turns| < 1e9.
#[inline(always)]
pub fn sin_cos_turns(turns: f64) -> (f64, f64) {
    let shifted = 4.0 * turns + ROUND;
    let quadrant = shifted.to_bits();
    let r = (turns - 0.25 * (shifted - ROUND)) * TAU;
    let z = r * r;
    // Taylor's series: |r| <= pi/4, so the first terms left out are below 7e-12 and 4e-13.
    let s = r + r * z * (-1.0 / 6.0 + z * (1.0 / 120.0 + z * (-1.0 / 5040.0 + z * (1.0 / 362_880.0 - z * (1.0 / 39_916_800.0)))));
    let c = 1.0
        + z * (-0.5 + z * (1.0 / 24.0 + z * (-1.0 / 720.0 + z * (1.0 / 40_320.0 + z * (-1.0 / 3_628_800.0 + z * (1.0 / 479_001_600.0))))));
    // Odd quadrants exchange the two; bits instead of branches.
    let odd = (quadrant & 1).wrapping_neg();
    let (sb, cb) = (s.to_bits(), c.to_bits());
    let swap = (sb ^ cb) & odd;
    let sin = (sb ^ swap) ^ ((quadrant & 2) << 62);
    let cos = (cb ^ swap) ^ ((quadrant.wrapping_add(1) & 2) << 62);
    (f64::from_bits(sin), f64::from_bits(cos))
}

/// Cosine of `2 pi turns` alone, to 1e-11, for |turns| < 1e9.
#[inline(always)]
pub fn cos_turns(turns: f64) -> f64 {
    let shifted = 2.0 * turns + ROUND;
    let r = (turns - 0.5 * (shifted - ROUND)) * TAU;
    let z = r * r;
    // |r| <= pi/2: the first term left out is below 6e-13.
    let mut c = 1.0 / 20_922_789_888_000.0;
    for next in [-1.0 / 87_178_291_200.0, 1.0 / 479_001_600.0, -1.0 / 3_628_800.0, 1.0 / 40_320.0, -1.0 / 720.0, 1.0 / 24.0, -0.5, 1.0] {
        c = c * z + next;
    }
    f64::from_bits(c.to_bits() ^ (shifted.to_bits() << 63))
}

/// `exp(-x)` for x >= 0, to 1e-15 relative; 0 above 700.
#[inline(always)]
pub fn exp_negative(x: f64) -> f64 {
    let x = x.min(700.0);
    let shifted = ROUND - x * std::f64::consts::LOG2_E;
    let n = shifted - ROUND;
    // ln 2 in two parts so that the remainder keeps its digits (Cody & Waite 1980).
    let r = (-x - n * 0.693_147_180_369_123_8) - n * 1.908_214_929_270_587_7e-10;
    let mut p = 1.0 / 6_227_020_800.0;
    for c in [479_001_600.0, 39_916_800.0, 3_628_800.0, 362_880.0, 40_320.0, 5_040.0, 720.0, 120.0, 24.0, 6.0, 2.0, 1.0, 1.0] {
        p = p * r + 1.0 / c;
    }
    let scale = f64::from_bits(shifted.to_bits().wrapping_add(1023) << 52);
    p * scale
}

/// Chebyshev coefficients of `f` over \[0, 1\] turned into powers of `t = 2 x - 1`.
pub fn polynomial<const N: usize>(f: impl Fn(f64) -> f64) -> [f64; N] {
    let n = 4 * N;
    let samples: Vec<f64> = (0..n).map(|i| f(0.5 + 0.5 * (PI * (i as f64 + 0.5) / n as f64).cos())).collect();
    let (mut power, mut before, mut now) = ([0.0; N], [0.0; N], [0.0; N]);
    now[0] = 1.0;
    for k in 0..N {
        let mean: f64 = samples.iter().enumerate().map(|(i, s)| s * (PI * k as f64 * (i as f64 + 0.5) / n as f64).cos()).sum::<f64>();
        let c = mean * if k == 0 { 1.0 } else { 2.0 } / n as f64;
        for (p, t) in power.iter_mut().zip(&now) {
            *p += c * t;
        }
        // T_{k+1} = 2 t T_k - T_{k-1}, and T_1 = t.
        let mut next = [0.0; N];
        for i in 1..N {
            next[i] = now[i - 1] * if k == 0 { 1.0 } else { 2.0 };
        }
        for i in 0..N {
            next[i] -= before[i];
        }
        before = now;
        now = next;
    }
    power
}

/// Coefficients of the functions below; pass them in, so that loops do not look them up.
pub struct Coefficients {
    arctangent: [f64; 12],
    diffraction: [f64; 14],
    arcsine: [f64; 11],
}

/// The coefficients, computed once.
pub static COEFFICIENTS: LazyLock<Coefficients> = LazyLock::new(|| Coefficients {
    arctangent: polynomial(|z| if z == 0.0 { 1.0 / TAU } else { z.sqrt().atan() / (z.sqrt() * TAU) }),
    diffraction: polynomial(|nu| {
        let edge = 1.0 - nu;
        diffraction_mtf(nu) / (edge * edge.sqrt())
    }),
    arcsine: polynomial(|z| {
        let root = (0.5 * z).sqrt();
        if root == 0.0 { 2.0 / PI } else { 2.0 * root.asin() / (PI * root) }
    }),
});

/// Transfer function of a perfect circular pupil, `(2/pi) (acos nu - nu sqrt(1 - nu^2))`, at `nu = f lambda / D`.
#[must_use]
pub fn diffraction_mtf(nu: f64) -> f64 {
    if nu >= 1.0 {
        return 0.0;
    }
    (2.0 / PI) * (nu.acos() - nu * (1.0 - nu * nu).sqrt())
}

impl Coefficients {
    /// Angle of (x, y) in turns, -0.5 to 0.5, to 1e-10.
    #[inline(always)]
    pub fn angle_turns(&self, y: f64, x: f64) -> f64 {
        let (ax, ay) = (x.abs(), y.abs());
        let (small, large) = (ax.min(ay), ax.max(ay));
        let r = small / large.max(f64::MIN_POSITIVE);
        let t = 2.0 * r * r - 1.0;
        let mut p = self.arctangent[11];
        for i in (0..11).rev() {
            p = p * t + self.arctangent[i];
        }
        let octant = r * p;
        let quadrant = if ay > ax { 0.25 - octant } else { octant };
        let half = if x < 0.0 { 0.5 - quadrant } else { quadrant };
        if y < 0.0 { -half } else { half }
    }

    /// [`diffraction_mtf`] to 1e-10, and the same over `1 - nu`: it is `(1 - nu)^(3/2)` times a function analytic on
    /// \[0, 1\].
    #[inline(always)]
    pub fn diffraction(&self, nu: f64) -> (f64, f64) {
        let t = 2.0 * nu - 1.0;
        let mut p = self.diffraction[13];
        for i in (0..13).rev() {
            p = p * t + self.diffraction[i];
        }
        let edge = (1.0 - nu).max(0.0);
        let over_edge = edge.sqrt() * p;
        (edge * over_edge, over_edge)
    }
}

impl Coefficients {
    /// `acos(1 - 2 nu) / pi` for nu in \[0, 1\], to 1e-9: the coordinate in which Chebyshev nodes are equidistant.
    #[inline(always)]
    pub fn chebyshev_angle(&self, nu: f64) -> f64 {
        // acos(1 - 2 nu) = 2 asin(sqrt nu) = pi - 2 asin(sqrt(1 - nu)).
        let near = nu.min(1.0 - nu).max(0.0);
        let t = 4.0 * near - 1.0;
        let mut p = self.arcsine[10];
        for i in (0..10).rev() {
            p = p * t + self.arcsine[i];
        }
        let angle = near.sqrt() * p;
        if nu > 0.5 { 1.0 - angle } else { angle }
    }
}

/// Weights of the cubic through four equidistant samples at -1, 0, 1, 2 for a point between 0 and 1.
#[inline(always)]
pub fn cubic_weights(t: f64) -> [f64; 4] {
    let (a, b, c) = (t + 1.0, t - 1.0, t - 2.0);
    [-t * b * c * (1.0 / 6.0), a * b * c * 0.5, -a * t * c * 0.5, a * t * b * (1.0 / 6.0)]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sine_and_cosine_agree_with_the_library_in_every_quadrant() {
        for i in -4000..4000 {
            let turns = f64::from(i) * 0.000_731;
            let (s, c) = sin_cos_turns(turns);
            let (s0, c0) = (TAU * turns).sin_cos();
            assert!((s - s0).abs() < 1e-11 && (c - c0).abs() < 1e-11 && (cos_turns(turns) - c0).abs() < 1e-11, "{turns}");
        }
    }

    #[test]
    fn exponential_agrees_with_the_library() {
        for i in 0..7000 {
            let x = f64::from(i) * 0.0999;
            assert!((exp_negative(x) / (-x).exp() - 1.0).abs() < 4e-15, "{x}");
        }
        assert_eq!(exp_negative(0.0), 1.0);
        assert!(exp_negative(1e9) < 1e-300);
    }

    #[test]
    fn angles_agree_with_the_library_in_every_octant() {
        for i in 0..1000 {
            let angle = (f64::from(i) + 0.5) * TAU / 1000.0 - PI;
            let turns = COEFFICIENTS.angle_turns(3.0 * angle.sin(), 3.0 * angle.cos());
            assert!((turns - angle / TAU).abs() < 1e-10, "{angle} {turns}");
        }
        assert_eq!(COEFFICIENTS.angle_turns(0.0, 0.0), 0.0);
    }

    #[test]
    fn the_chebyshev_angle_is_the_arc_cosine() {
        for i in 0..=1000 {
            let nu = f64::from(i) / 1000.0;
            assert!((COEFFICIENTS.chebyshev_angle(nu) - (1.0 - 2.0 * nu).acos() / PI).abs() < 1e-9, "{nu}");
        }
    }

    #[test]
    fn the_diffraction_polynomial_is_the_closed_form() {
        for i in 0..=1000 {
            let nu = f64::from(i) / 1000.0;
            assert!((COEFFICIENTS.diffraction(nu).0 - diffraction_mtf(nu)).abs() < 1e-10, "{nu}");
        }
    }
}
