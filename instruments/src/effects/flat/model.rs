//! The kernels of the flat field.

use multiversion::multiversion;

/// Smooth response of a row as a quadratic in u.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Quadratic {
    /// Constant term.
    pub constant: f32,
    /// Factor of u.
    pub linear: f32,
    /// Factor of u^2.
    pub square: f32,
}

/// Smooth response along the row at `v` for amplitude `a` and direction `phi` \[rad\].
#[must_use]
pub fn smooth_row(a: f64, phi: f64, v: f64) -> Quadratic {
    let a = a / (1.0 + std::f64::consts::SQRT_2);
    Quadratic {
        constant: (1.0 + a * (0.5 - 0.75 * v * v + v * phi.sin())) as f32,
        linear: (a * phi.cos()) as f32,
        square: (-0.75 * a) as f32,
    }
}

/// Multiplies the row by the smooth response at positions `u` and by the pixels' own sensitivity `1 + rms z`.
#[multiversion(targets("x86_64+avx2"))]
pub fn multiply(row: &mut [f32], u: &[f32], smooth: Quadratic, rms: f32, normals: &[f32]) {
    for ((pixel, &u), &z) in row.iter_mut().zip(u).zip(normals) {
        let response = (smooth.constant + u * (smooth.linear + u * smooth.square)) * (1.0 + rms * z);
        *pixel *= if response > 0.0 { response } else { 0.0 };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_smooth_response_stays_within_its_amplitude_and_has_mean_one() {
        let (a, n) = (0.1, 200);
        let position = |i: usize| (2 * i + 1) as f64 / n as f64 - 1.0;
        for phi in [0.0, 0.7, 2.4, 5.5] {
            let mut sum = 0.0;
            for j in 0..n {
                let q = smooth_row(a, phi, position(j));
                for i in 0..n {
                    let u = position(i) as f32;
                    let value = f64::from(q.constant + u * (q.linear + u * q.square));
                    assert!((value - 1.0).abs() <= a + 1e-6, "{value}");
                    sum += value;
                }
            }
            // The midpoint rule of u^2 is short by 1 / (3 n^2): 2e-7 here.
            assert!((sum / (n * n) as f64 - 1.0).abs() < 1e-6);
        }
    }

    #[test]
    fn a_sensitivity_below_zero_is_cut() {
        let mut row = [10.0];
        multiply(&mut row, &[0.0], smooth_row(0.0, 0.0, 0.0), 0.2, &[-6.0]);
        assert_eq!(row, [0.0]);
    }
}
