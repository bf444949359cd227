//! Closed-form spectra.

use sim_core::spectrum::{CurveError, Spectrum};
use sim_core::units::{BOLTZMANN_J_K, PLANCK_J_S, SPEED_OF_LIGHT_M_S};
use std::sync::Arc;

/// f_nu proportional to nu^alpha from 90 to 3000 nm, f_lambda = 1 at 500 nm. `alpha = 0` is flat in f_nu;
/// a quasar's continuum has alpha near -0.5.
///
/// # Errors
/// When `alpha` is not finite or so steep that the curve overflows.
pub fn power_law(alpha: f64) -> Result<Arc<Spectrum>, CurveError> {
    let wavelength_nm: Vec<f64> = (0..600).map(|i| 90.0 * (3000.0_f64 / 90.0).powf(f64::from(i) / 599.0)).collect();
    let flux = wavelength_nm.iter().map(|w| (w / 500.0).powf(-2.0 - alpha)).collect();
    Ok(Arc::new(Spectrum::new(format!("power_law_{alpha}"), wavelength_nm, flux)?))
}

/// A black body of a temperature \[K\] from 90 to 3000 nm, f_lambda = 1 at 500 nm.
///
/// # Errors
/// When the temperature is not positive or so low that the curve underflows.
pub fn black_body(teff_k: f64) -> Result<Arc<Spectrum>, CurveError> {
    let x = |nm: f64| PLANCK_J_S * SPEED_OF_LIGHT_M_S / (nm * 1e-9 * BOLTZMANN_J_K * teff_k);
    let wavelength_nm: Vec<f64> = (0..600).map(|i| 90.0 * (3000.0_f64 / 90.0).powf(f64::from(i) / 599.0)).collect();
    let flux = wavelength_nm.iter().map(|&w| (500.0 / w).powi(5) * x(500.0).exp_m1() / x(w).exp_m1()).collect();
    Ok(Arc::new(Spectrum::new(format!("black_body_{teff_k:.0}"), wavelength_nm, flux)?))
}

#[cfg(test)]
mod tests {
    use super::*;
    use sim_core::units::Nanometre;

    #[test]
    fn a_black_body_has_its_peak_where_wien_says() {
        let s = black_body(10_000.0).unwrap();
        let peak = (2000..5000).map(|k| 0.1 * f64::from(k)).max_by(|a, b| s.at(Nanometre(*a)).total_cmp(&s.at(Nanometre(*b)))).unwrap();
        // 2.897772e6 nm K / 10,000 K; the grid is 0.6 % fine.
        assert!((peak / 289.78 - 1.0).abs() < 0.006, "{peak}");
        assert!((s.at(Nanometre(500.0)) - 1.0).abs() < 1e-4 && black_body(f64::NAN).is_err());
    }

    #[test]
    fn alpha_minus_two_is_flat_in_f_lambda_and_zero_in_f_nu() {
        let f = |alpha, w| power_law(alpha).unwrap().at(Nanometre(w));
        assert!((f(-2.0, 300.0) / f(-2.0, 900.0) - 1.0).abs() < 1e-12);
        assert!((f(0.0, 300.0) / f(0.0, 900.0) - 9.0).abs() < 1e-3);
        assert!(power_law(f64::NAN).is_err());
    }
}
