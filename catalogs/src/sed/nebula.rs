//! The spectrum of a compact planetary nebula: emission lines on a weak continuum, what wavelengths are calibrated with.
//!
//! # Formula
//! `f_lambda = c + sum F_i G(lambda - lambda_i)`, G a Gaussian of FWHM v lambda / c cut at 3 sigma, c = F(H beta) / W.
//! # Symbols
//! F_i  fluxes of `data/sed/nebula_lines.csv`;  v  width of the lines \[km/s\];  W  equivalent width of H beta \[nm\]
//! # Source
//! Lines: the table. Expansion of some 20 km/s: Acker et al. 1992 (Strasbourg-ESO catalogue), a typical value, assumed. W = 60 nm: assumed.
//! # Limits
//! One nebula for all; a point of light, where stratified nebulae have another size in every line.

use sim_core::spectrum::{CurveError, Spectrum};
use std::sync::Arc;

const LINES: &str = include_str!("../../data/sed/nebula_lines.csv");
/// Width of the lines, full at half maximum \[km/s\].
const WIDTH_KM_S: f64 = 40.0;
/// Equivalent width of H beta \[nm\].
const H_BETA_WIDTH_NM: f64 = 60.0;
const H_BETA_NM: f64 = 486.27;

/// Lines of the nebula: vacuum wavelength \[nm\], name, flux over that of H beta = 100.
pub fn nebula_lines() -> impl Iterator<Item = (f64, &'static str, f64)> {
    LINES.lines().filter(|line| !line.starts_with('#') && !line.starts_with("wavelength")).filter_map(|line| {
        let mut fields = line.split(',');
        Some((fields.next()?.parse().ok()?, fields.next()?, fields.next()?.parse().ok()?))
    })
}

/// The spectrum, 200 to 1200 nm.
///
/// # Errors
/// Never with the table that is built in.
pub fn nebula() -> Result<Arc<Spectrum>, CurveError> {
    let lines: Vec<(f64, f64)> = nebula_lines().map(|(nm, _, flux)| (nm, flux)).collect();
    let sigma = |nm: f64| WIDTH_KM_S / 299_792.458 * nm / 2.354_820_045;
    // A coarse grid, and thirteen places on every line.
    let mut waves: Vec<f64> = (0..=1000).map(|i| 200.0 + f64::from(i)).collect();
    waves.extend(lines.iter().flat_map(|(nm, _)| (-6..=6).map(move |k| nm + 0.5 * f64::from(k) * sigma(*nm))));
    waves.sort_by(f64::total_cmp);
    waves.dedup_by(|a, b| *a - *b < 1e-6);
    let h_beta = lines.iter().find(|(nm, _)| (nm - H_BETA_NM).abs() < 0.01).map_or(100.0, |(_, flux)| *flux);
    let flux = waves.iter().map(|w| {
        let lines = lines.iter().map(|(nm, flux)| {
            let u = (w - nm) / sigma(*nm);
            if u.abs() > 2.999 { 0.0 } else { flux * (-0.5 * u * u).exp() / (sigma(*nm) * std::f64::consts::TAU.sqrt()) }
        });
        h_beta / H_BETA_WIDTH_NM + lines.sum::<f64>()
    });
    let flux = flux.collect();
    Ok(Arc::new(Spectrum::new("planetary nebula", waves, flux)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_line_has_its_flux() {
        let spectrum = nebula().unwrap();
        let (waves, flux) = (spectrum.wavelength_nm(), spectrum.flux_lambda());
        // A line with no other within half a nanometre.
        for (wanted, nm) in [(1000.0, 500.82), (100.0, 486.27), (15.0, 713.78)] {
            let within = |w: &f64| (w - nm).abs() < 0.4;
            let pieces = waves.windows(2).zip(flux.windows(2)).filter(|(w, _)| within(&w[0]) && within(&w[1]));
            let (sum, width) = pieces.fold((0.0, 0.0), |(s, d), (w, f)| (s + 0.5 * (f[0] + f[1]) * (w[1] - w[0]), d + w[1] - w[0]));
            let line = sum - width * 100.0 / H_BETA_WIDTH_NM;
            assert!((line / wanted - 1.0).abs() < 0.02, "{nm} nm: {line} of {wanted}");
        }
        assert!(nebula_lines().count() > 40);
    }
}
