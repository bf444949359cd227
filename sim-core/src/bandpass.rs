//! Bandpasses and synthetic photometry.
//!
//! # Formula
//! N = A integral f_lambda T lambda / (h c) d lambda \[electron / s\];  AB: f_nu = 3631e-23 x 10^(-0.4 m)
//! # Source
//! Oke & Gunn 1983 (ApJ 266, 713); photon-counting convention of Bessell & Murphy 2012 (PASP 124, 140).

use crate::spectrum::{CurveError, Sed, check_curve, interpolate};
use crate::units::{AB_ZERO_ERG_S_CM2_HZ, Nanometre, PLANCK_J_S, SPEED_OF_LIGHT_M_S};

/// Total efficiency (mirrors x filter x detector, 0..1) over vacuum wavelength \[nm\].
#[derive(Debug, Clone, PartialEq)]
pub struct Bandpass {
    /// Name of the band.
    pub name: String,
    wavelength_nm: Vec<f64>,
    efficiency: Vec<f64>,
}

impl Bandpass {
    /// A bandpass from a table, linear between samples and 0 outside.
    ///
    /// # Errors
    /// When the table is not increasing or leaves 0..1.
    pub fn new(name: impl Into<String>, wavelength_nm: Vec<f64>, efficiency: Vec<f64>) -> Result<Self, CurveError> {
        let name = name.into();
        check_curve(&name, &wavelength_nm, &efficiency, 1.0, "0..1")?;
        Ok(Self { name, wavelength_nm, efficiency })
    }
    /// Efficiency at a wavelength.
    #[must_use]
    pub fn at(&self, wavelength: Nanometre) -> f64 {
        interpolate(&self.wavelength_nm, &self.efficiency, wavelength.0)
    }
    /// First and last wavelength where the efficiency is above 1e-3 of its peak \[nm\].
    #[must_use]
    pub fn range_nm(&self) -> (f64, f64) {
        let floor = 1e-3 * self.efficiency.iter().copied().fold(0.0, f64::max);
        let first = self.efficiency.iter().position(|&e| e > floor).unwrap_or(0).saturating_sub(1);
        let last =
            self.efficiency.iter().rposition(|&e| e > floor).map_or(self.efficiency.len() - 1, |i| (i + 1).min(self.efficiency.len() - 1));
        (self.wavelength_nm[first], self.wavelength_nm[last])
    }
    /// Sampled wavelengths \[nm\].
    #[must_use]
    pub fn wavelength_nm(&self) -> &[f64] {
        &self.wavelength_nm
    }
    /// Sampled efficiencies.
    #[must_use]
    pub fn efficiency(&self) -> &[f64] {
        &self.efficiency
    }
    /// Quadrature nodes: midpoints of at least `least` intervals per band refined by the band's own samples,
    /// as (wavelength \[nm\], width \[nm\]).
    #[must_use]
    pub fn nodes(&self, least: usize) -> Vec<(f64, f64)> {
        let (low, high) = self.range_nm();
        let step = (high - low) / least as f64;
        let mut edges = vec![low];
        for &w in self.wavelength_nm.iter().filter(|&&w| w > low && w < high).chain(std::iter::once(&high)) {
            let from = edges[edges.len() - 1];
            let pieces = ((w - from) / step).ceil().max(1.0) as usize;
            for i in 1..=pieces {
                edges.push(from + (w - from) * i as f64 / pieces as f64);
            }
        }
        edges.windows(2).map(|e| (0.5 * (e[0] + e[1]), e[1] - e[0])).collect()
    }
    /// Pivot wavelength \[nm\].
    #[must_use]
    pub fn pivot_nm(&self) -> f64 {
        let (mut top, mut bottom) = (0.0, 0.0);
        for (w, d) in self.nodes(400) {
            let t = self.at(Nanometre(w));
            top += t * w * d;
            bottom += t / w * d;
        }
        (top / bottom).sqrt()
    }
    /// Electrons per second from a source of AB magnitude 0 and constant f_nu through `area_cm2`.
    #[must_use]
    pub fn ab_zero_electron_s(&self, area_cm2: f64) -> f64 {
        let integral: f64 = self.nodes(400).iter().map(|&(w, d)| self.at(Nanometre(w)) / w * d).sum();
        AB_ZERO_ERG_S_CM2_HZ * 1e-7 / PLANCK_J_S * area_cm2 * integral
    }
    /// AB magnitude that gives one electron per second.
    #[must_use]
    pub fn zero_point(&self, area_cm2: f64) -> f64 {
        2.5 * self.ab_zero_electron_s(area_cm2).log10()
    }
    /// Photon-weighted mean of the spectrum relative to a constant-f_nu source normalised by f_lambda = 1 units:
    /// `integral S T lambda dlambda / integral T / lambda dlambda`. Differences of `-2.5 lg` of this between two
    /// bands are AB colours (in the spectrum's units: f_lambda x nm^2 is f_nu up to c).
    #[must_use]
    pub fn mean_fnu(&self, sed: &Sed) -> f64 {
        let (mut top, mut bottom) = (0.0, 0.0);
        for (w, d) in self.nodes(200) {
            let t = self.at(Nanometre(w));
            top += sed.at(Nanometre(w)) * t * w * d;
            bottom += t / w * d;
        }
        if bottom > 0.0 { top / bottom } else { 0.0 }
    }
    /// AB magnitude in this band of a source whose AB magnitude in `reference` is `magnitude`.
    /// Infinite when the spectrum has no light in this band.
    #[must_use]
    pub fn ab_magnitude(&self, sed: &Sed, magnitude: f64, reference: &Bandpass) -> f64 {
        magnitude - 2.5 * (self.mean_fnu(sed) / reference.mean_fnu(sed)).log10()
    }
    /// Frequency of the pivot \[Hz\].
    #[must_use]
    pub fn pivot_hz(&self) -> f64 {
        SPEED_OF_LIGHT_M_S / (self.pivot_nm() * 1e-9)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_top_hat_counts_the_photons_of_the_closed_form() {
        // N = f_nu / h * A * tau * ln(b / a) for constant f_nu.
        let band = Bandpass::new("hat", vec![499.999, 500.0, 600.0, 600.001], vec![0.0, 0.5, 0.5, 0.0]).unwrap();
        let exact = AB_ZERO_ERG_S_CM2_HZ * 1e-7 / PLANCK_J_S * 31416.0 * 0.5 * (600.0_f64 / 500.0).ln();
        let got = band.ab_zero_electron_s(31416.0);
        assert!((got / exact - 1.0).abs() < 2e-5, "{got} against {exact}");
    }

    #[test]
    fn a_source_of_constant_fnu_has_one_magnitude_in_all_bands() {
        let sed = Sed::rest(std::sync::Arc::new(crate::spectrum::Spectrum::flat_fnu()));
        let a = Bandpass::new("a", vec![400.0, 450.0, 500.0], vec![0.0, 0.9, 0.0]).unwrap();
        let b = Bandpass::new("b", vec![700.0, 800.0, 850.0, 900.0], vec![0.0, 0.3, 0.6, 0.0]).unwrap();
        let m = b.ab_magnitude(&sed, 20.0, &a);
        assert!((m - 20.0).abs() < 2e-5, "{m}");
    }
}
