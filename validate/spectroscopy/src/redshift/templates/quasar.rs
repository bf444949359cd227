//! Quasars: power laws, the blend of iron and Balmer continuum, broad lines in groups, the host.
//!
//! # Formula
//! Continuum sum of lambda^-a, a = 2.0, 1.5, 0.5; broad lines: EW f_c(lambda) times a Gaussian each, f_c = lambda^-1.54, in four groups and
//! two widths.
//! # Source
//! Lines, widths and slope -1.54 below 500 nm: composite of Vanden Berk et al. 2001 (AJ 122, 549), table 2, numbers remembered, rounded
//! (`data/redshift/quasar_lines.csv`). The little blue bump is drawn as three wide Gaussians (assumed).
//! # Limits
//! Mean profiles; shifts of C IV beyond the mean's are not fitted: redshifts of quasars are good to some 0.3 %.

use super::table::{number, rows};

const LINES: &str = include_str!("../../../data/redshift/quasar_lines.csv");
/// The composite's slope of f_lambda.
const SLOPE: f64 = -1.54;

fn power(nm: f64, slope: f64) -> f64 {
    if nm < 91.2 { 0.0 } else { (nm / 300.0).powf(slope) }
}

/// A power law on wavelengths, 1 at 300 nm.
pub(crate) fn continuum(nm: &[f64], slope: f64) -> Vec<f64> {
    nm.iter().map(|&w| power(w, slope)).collect()
}

/// Iron between 220 and 360 nm and the Balmer continuum, relative to the composite's continuum.
pub(crate) fn bump(nm: &[f64]) -> Vec<f64> {
    let parts: [(f64, f64, f64); 3] = [(248.0, 12.0, 0.25), (300.0, 16.0, 0.12), (335.0, 22.0, 0.15)];
    nm.iter().map(|&w| power(w, SLOPE) * parts.iter().map(|(c, s, a)| a * (-0.5 * ((w - c) / s).powi(2)).exp()).sum::<f64>()).collect()
}

/// Broad lines of a group, amplitude 1 for the composite; `width` multiplies the widths.
pub(crate) fn broad(nm: &[f64], group: &str, width: f64) -> Vec<f64> {
    let lines: Vec<(f64, f64, f64)> =
        rows(LINES).iter().filter(|r| r[4] == group).map(|r| (number(r[1]), number(r[2]), number(r[3]) * width)).collect();
    nm.iter()
        .map(|&w| {
            lines
                .iter()
                .filter(|l| ((w - l.0) / l.2).abs() < 6.0)
                .map(|&(c, ew, s)| ew * power(c, SLOPE) * (-0.5 * ((w - c) / s).powi(2)).exp() / (s * std::f64::consts::TAU.sqrt()))
                .sum()
        })
        .collect()
}

/// The composite's continuum at a wavelength.
pub(crate) fn composite_continuum(nm: f64) -> f64 {
    power(nm, SLOPE)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_broad_line_carries_its_equivalent_width() {
        let nm: Vec<f64> = (0..4000).map(|k| 260.0 + 0.01 * f64::from(k)).collect();
        let flux: f64 = broad(&nm, "magnesium", 1.0).iter().sum::<f64>() * 0.01;
        assert!((flux / power(280.03, SLOPE) - 3.228).abs() < 0.02, "{flux}");
    }
}
