//! Extinction by the dust of the Milky Way.
//!
//! # Effect
//! Dust dims and reddens what lies behind it.
//! # Formula
//! T(lambda) = 10^(-0.4 k(lambda) E(B-V)), k = A(lambda) / E(B-V). For lambda < 270 nm:
//! k = c1 + c2 x + c3 D(x) + c4 F(x) + R, D = x^2 / ((x^2 - x0^2)^2 + (x gamma)^2),
//! F = 0.5392 (x - 5.9)^2 + 0.05644 (x - 5.9)^3 for x > 5.9, else 0; longwards a natural cubic spline in x through
//! the published anchors.
//! # Symbols
//! x inverse wavelength \[1/um\]; R = 3.1 ratio of total to selective extinction; E(B-V) colour excess \[mag\];
//! x0 = 4.596, gamma = 0.99, c3 = 3.23, c4 = 0.41, c2 = -0.824 + 4.717 / R, c1 = 2.030 - 3.007 c2.
//! # Source
//! Fitzpatrick 1999 (PASP 111, 63): anchors of his table 3, UV parameters after Fitzpatrick & Massa 1990. Both as in the
//! public packages `extinction` (K. Barbary) and `dust_extinction` (K. Gordon), which agree in every constant.
//! # Limits
//! R = 3.1 alone; 100 to 3500 nm (the author claims 115 nm and longer). Between the anchors the spline differs from the
//! later IDL routine FM_UNRED, which moved the optical anchors, by up to 1.2 %. No gas, no emission by dust.
//! # Twin
//! None here: dereddening is the catalogue user's choice.

use sim_core::spectrum::{Extinction, Spectrum};
use std::sync::Arc;

/// Ratio of total to selective extinction.
pub const R_V: f64 = 3.1;

/// Anchors of Fitzpatrick 1999, table 3, R = 3.1: (1 / wavelength \[1/um\], A / E(B-V)). The two last lie on the UV
/// formula and are computed from it.
const ANCHORS: [(f64, f64); 7] = [
    (0.0, 0.0),
    (1.0 / 2.65, 0.265),
    (1.0 / 1.22, 0.829),
    (1.0 / 0.6, 2.688),
    (1.0 / 0.547, 3.055),
    (1.0 / 0.467, 3.806),
    (1.0 / 0.411, 4.315),
];

fn ultraviolet(x: f64) -> f64 {
    let c2 = -0.824 + 4.717 / R_V;
    let c1 = 2.030 - 3.007 * c2;
    let (x0, gamma, c3, c4) = (4.596, 0.99, 3.23, 0.41);
    let drude = x * x / ((x * x - x0 * x0).powi(2) + (x * gamma).powi(2));
    let y = (x - 5.9).max(0.0);
    c1 + c2 * x + c3 * drude + c4 * (0.5392 * y * y + 0.05644 * y * y * y) + R_V
}

/// The extinction curve A(lambda) / E(B-V) of Fitzpatrick (1999), R = 3.1.
#[derive(Debug, Clone)]
pub struct Curve {
    x: Vec<f64>,
    y: Vec<f64>,
    second: Vec<f64>,
}

impl Default for Curve {
    fn default() -> Self {
        Self::new()
    }
}

impl Curve {
    /// Builds the spline.
    #[must_use]
    pub fn new() -> Self {
        let mut knots = ANCHORS.to_vec();
        for wavelength_um in [0.27, 0.26] {
            knots.push((1.0 / wavelength_um, ultraviolet(1.0 / wavelength_um)));
        }
        let (x, y): (Vec<f64>, Vec<f64>) = knots.into_iter().unzip();
        let second = natural_spline(&x, &y);
        Self { x, y, second }
    }
    /// A(lambda) / E(B-V) at a wavelength \[nm\].
    #[must_use]
    pub fn at(&self, wavelength_nm: f64) -> f64 {
        let x = 1e3 / wavelength_nm;
        if x >= 1.0 / 0.27 {
            return ultraviolet(x);
        }
        let i = self.x.partition_point(|&v| v <= x).clamp(1, self.x.len() - 1);
        let h = self.x[i] - self.x[i - 1];
        let (a, b) = ((self.x[i] - x) / h, (x - self.x[i - 1]) / h);
        a * self.y[i - 1] + b * self.y[i] + ((a * a * a - a) * self.second[i - 1] + (b * b * b - b) * self.second[i]) * h * h / 6.0
    }
    /// The transmission for a colour excess E(B-V) \[mag\], 100 to 3500 nm in steps of 1/200 of the wavelength.
    #[must_use]
    pub fn extinction(&self, e_bv: f64) -> Arc<Extinction> {
        let steps = 720;
        let wavelength_nm: Vec<f64> = (0..=steps).map(|i| 100.0 * 35.0_f64.powf(f64::from(i) / f64::from(steps))).collect();
        let transmission = wavelength_nm.iter().map(|&w| 10.0_f64.powf(-0.4 * e_bv * self.at(w))).collect();
        let transmission = Spectrum::new("fitzpatrick1999", wavelength_nm, transmission).expect("a finite curve over a rising grid");
        Arc::new(Extinction { e_bv, transmission })
    }
}

/// Second derivatives of the natural cubic spline through (x, y).
fn natural_spline(x: &[f64], y: &[f64]) -> Vec<f64> {
    let n = x.len();
    let (mut second, mut u) = (vec![0.0; n], vec![0.0; n]);
    for i in 1..n - 1 {
        let s = (x[i] - x[i - 1]) / (x[i + 1] - x[i - 1]);
        let p = s * second[i - 1] + 2.0;
        second[i] = (s - 1.0) / p;
        let slope = (y[i + 1] - y[i]) / (x[i + 1] - x[i]) - (y[i] - y[i - 1]) / (x[i] - x[i - 1]);
        u[i] = (6.0 * slope / (x[i + 1] - x[i - 1]) - s * u[i - 1]) / p;
    }
    for i in (1..n - 1).rev() {
        second[i] = second[i] * second[i + 1] + u[i];
    }
    second
}

#[cfg(test)]
mod tests {
    use super::*;
    use sim_core::units::Nanometre;

    #[test]
    fn the_curve_passes_through_the_published_anchors() {
        let curve = Curve::new();
        // Fitzpatrick 1999, table 3, R = 3.1.
        for (wavelength_nm, published) in [
            (2650.0, 0.265),
            (1220.0, 0.829),
            (600.0, 2.688),
            (547.0, 3.055),
            (467.0, 3.806),
            (411.0, 4.315),
            (270.0, 6.265),
            (260.0, 6.591),
        ] {
            assert!(
                (curve.at(wavelength_nm) - published).abs() < 0.002,
                "{wavelength_nm}: {} against {published}",
                curve.at(wavelength_nm)
            );
        }
    }

    #[test]
    fn the_curve_is_that_of_two_public_packages() {
        let curve = Curve::new();
        let a_over_av = |wavelength_nm: f64| curve.at(wavelength_nm) / R_V;
        // Ultraviolet: the IDL routine FM_UNRED at R = 3.1, from the test data of the package `extinction` (five decimals; the
        // wavelengths have two decimals in Angstrom, worth 2e-5 at the steepest place).
        for (wavelength_nm, reference) in [
            (100.0, 4.95826),
            (121.724, 3.33358),
            (151.108, 2.58883),
            (200.0, 2.76479),
            (219.534, 3.05904),
            (247.017, 2.33296),
            (262.023, 2.10194),
        ] {
            let got = a_over_av(wavelength_nm);
            // 200 nm lies between two lines of that file and is read off them (2.73809 at 198.982, 2.83603 at 202.932 nm).
            let tolerance = if wavelength_nm == 200.0 { 0.003 } else { 5e-5 };
            assert!((got - reference).abs() < tolerance, "{wavelength_nm}: {got} against {reference}");
        }
        // Optical and infrared: the same file; its anchors are those of the routine, not of table 3: 1.2 %.
        for (wavelength_nm, reference) in [
            (345.036, 1.59615),
            (388.231, 1.45762),
            (436.833, 1.31843),
            (491.519, 1.14863),
            (553.052, 0.970_241),
            (622.287, 0.822_994),
            (700.190, 0.687_921),
            (787.846, 0.567_704),
            (886.475, 0.464_575),
            (997.452, 0.378_552),
            (1262.82, 0.252_474),
            (2024.15, 0.122_469),
        ] {
            let got = a_over_av(wavelength_nm);
            assert!((got / reference - 1.0).abs() < 0.012, "{wavelength_nm}: {got} against {reference}");
        }
    }

    #[test]
    fn the_bump_peaks_at_217_5_nm() {
        let curve = Curve::new();
        let peak = (1900..2400).map(|i| f64::from(i) / 10.0).max_by(|a, b| curve.at(*a).total_cmp(&curve.at(*b))).unwrap();
        // x0 = 4.596 / um is 217.6 nm; the linear term moves the maximum by less than 1 nm.
        assert!((peak - 217.6).abs() < 1.5, "{peak}");
    }

    #[test]
    fn half_a_magnitude_of_reddening_dims_v_by_1_53_mag_and_none_by_nothing() {
        let t = Curve::new().extinction(0.5).transmission.at(Nanometre(547.0));
        assert!((-2.5 * t.log10() - 0.5 * 3.055).abs() < 0.002, "{t}");
        assert!(Curve::new().extinction(0.0).transmission.flux_lambda().iter().all(|&t| t.to_bits() == 1.0_f64.to_bits()));
    }
}
