//! Emission lines of gas around young stars.
//!
//! # Effect
//! Star-forming galaxies have lines whose strength follows their ultraviolet light.
//! # Formula
//! SFR = 1.4e-28 L_nu(150 nm) = 7.9e-42 L(H alpha), so F(H alpha) = 1.33 nm x f_lambda(150 nm); the others by their ratios. Profile: a Gaussian of
//! sigma 0.6 nm at rest.
//! # Symbols
//! L in erg / s (/ Hz); SFR star formation rate \[solar masses / yr\].
//! # Source
//! Rates: Kennicutt 1998 (ARA&A 36, 189), equations 1 and 2. \[O II\] / H alpha = 1 / 1.77, H beta / \[O II\] = 0.61, \[O III\] (both) / \[O II\] = 0.36: Ilbert et
//! al. 2009 (ApJ 690, 1236), section 3.2. \[O III\] and \[N II\] 1 : 3 within the doublets (atomic). Assumed, typical of disks: \[N II\] 658 / H alpha = 0.3,
//! \[S II\] 672 and 673 / H alpha = 0.17 and 0.13. Wavelengths in vacuum: NIST.
//! # Limits
//! No Lyman alpha, no scatter, one ratio for all metallicities. Lines are wide (FWHM 1.4 nm, 850 km/s at H beta) so that
//! quadratures of 200 intervals a band see all of them: narrower than what slitless spectra of R 250 resolve.
//! # Twin
//! None.

/// Lines: wavelength \[nm\], flux over that of H alpha.
const LINES: [(f64, f64); 9] = [
    (372.8, 1.0 / 1.77),
    (486.27, 0.61 / 1.77),
    (496.03, 0.36 / 1.77 * 0.25),
    (500.82, 0.36 / 1.77 * 0.75),
    (654.99, 0.1),
    (656.46, 1.0),
    (658.53, 0.3),
    (671.83, 0.17),
    (673.27, 0.13),
];
/// Width of the profile \[nm\].
const SIGMA_NM: f64 = 0.6;
/// F(H alpha) over f_lambda at 150 nm \[nm\]: 1.4e-28 / 7.9e-42 x (150 nm)^2 / c.
const H_ALPHA_NM: f64 = 1.4e-28 / 7.9e-42 * 150.0 * 150.0 / 2.997_924_58e17;

/// Wavelengths that draw the profiles \[nm\].
pub(super) fn nodes() -> Vec<f64> {
    LINES.iter().flat_map(|(w, _)| (-8..=8).map(move |k| w + 0.5 * SIGMA_NM * f64::from(k))).collect()
}

/// f_lambda of all lines at a wavelength for a continuum f_lambda(150 nm); `screen` is what dust leaves at a wavelength.
pub(super) fn flux(wavelength_nm: f64, ultraviolet: f64, screen: impl Fn(f64) -> f64) -> f64 {
    LINES
        .iter()
        .filter(|(w, _)| (wavelength_nm - w).abs() <= 4.0 * SIGMA_NM)
        .map(|(w, ratio)| {
            let x = (wavelength_nm - w) / SIGMA_NM;
            ratio * screen(*w) * (-0.5 * x * x).exp()
        })
        .sum::<f64>()
        * H_ALPHA_NM
        * ultraviolet
        / (SIGMA_NM * std::f64::consts::TAU.sqrt())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn h_alpha_carries_1_33_nm_of_the_ultraviolet() {
        let step = 0.01;
        let sum: f64 = (0..1000).map(|k| flux(480.0 + step * f64::from(k), 2.0, |_| 1.0) * step).sum();
        // H beta alone lies between 480 and 490 nm: 2 x 1.330 x 0.61 / 1.77; a Gaussian cut at four sigma misses 6e-5.
        assert!((sum / (2.0 * 1.3299 * 0.61 / 1.77) - 1.0).abs() < 2e-4, "{sum}");
        assert!(flux(550.0, 2.0, |_| 1.0) == 0.0);
    }
}
