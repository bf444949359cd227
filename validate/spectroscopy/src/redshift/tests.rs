//! The fitter's own templates come back.

use super::templates::populations::Dwarfs;
use super::templates::stars::{StarMaker, Surface};
use super::{Class, RedshiftOptions, Redshifter, SourceInput, SourceRedshift};
use crate::spectrum::Extracted;
use rand_distr::{Distribution, StandardNormal};
use sim_core::stream::StreamKey;

/// Spectra of `rest` at a redshift with a signal to noise per element, drawn with a seed unless it is 0.
fn measured(rest: &dyn Fn(&[f64]) -> Vec<f64>, z: f64, snr: f64, seed: u64) -> SourceRedshift {
    let mut draw = StreamKey::new(seed).stream(1);
    let spectra: Vec<Extracted> = [("GU", 255.0, 0.37, 390), ("GV", 400.0, 0.52, 420), ("GI", 620.0, 0.82, 460)]
        .iter()
        .map(|&(band, low, step, n)| {
            let sigma = 4.0 * step / 2.3548;
            let nm: Vec<f64> = (0..n).map(|k| low + step * (f64::from(k) + 0.5)).collect();
            // A Gaussian line spread by nine-point sums.
            let parts: Vec<(f64, Vec<f64>)> = (-8..=8)
                .map(|k| {
                    let d = 0.5 * f64::from(k);
                    let at: Vec<f64> = nm.iter().map(|w| (w + d * sigma) / (1.0 + z)).collect();
                    ((-0.5 * d * d).exp(), rest(&at))
                })
                .collect();
            let total: f64 = parts.iter().map(|p| p.0).sum();
            let mut s = Extracted { band: band.into(), line_fwhm_nm: 4.0 * step, ..Extracted::default() };
            for k in 0..nm.len() {
                let f = 1e-17 * parts.iter().map(|p| p.0 * p.1[k]).sum::<f64>() / total;
                let e = 1e-17 / snr;
                let noise: f64 = if seed > 0 { StandardNormal.sample(&mut draw) } else { 0.0 };
                s.flux.push(f + e * noise);
                s.flux_error.push(e);
                s.flags.push(0);
            }
            s.wavelength_nm = nm;
            s
        })
        .collect();
    let redshifter = Redshifter::new(RedshiftOptions::default()).unwrap();
    redshifter.measure(&SourceInput { spectra: &spectra, ..SourceInput::default() }).unwrap()
}

/// A template on a fine grid, read by interpolation (the maker normalises by what it is given).
fn curve<F: Fn(&[f64]) -> Vec<f64>>(make: F) -> impl Fn(&[f64]) -> Vec<f64> {
    let nm: Vec<f64> = (0..6400).map(|k| 120.0 + 0.15 * f64::from(k)).collect();
    let f = make(&nm);
    move |at| at.iter().map(|w| super::templates::table::held(&nm, &f, *w)).collect()
}

#[test]
fn a_template_without_noise_comes_back() {
    let maker = StarMaker::new();
    let rest = curve(|nm| Dwarfs::new(&maker, nm).population(&maker, 1e10, 0.0));
    let r = measured(&rest, 0.3, 40.0, 0);
    assert_eq!(r.class, Some(Class::Galaxy));
    assert!((r.z - 0.3).abs() / 1.3 < 1e-4, "{} +- {}", r.z, r.z_error);
    assert!(r.reliable, "{}", r.reliability);
}

#[test]
fn a_star_comes_back_with_its_temperature() {
    let maker = StarMaker::new();
    let rest = curve(|nm| maker.spectrum(nm, 5900.0, Surface::Metals(0.8)));
    let r = measured(&rest, 0.0, 20.0, 3);
    assert_eq!(r.class, Some(Class::Star), "{:?}", r.class_probability);
    let s = r.star.unwrap();
    assert!((s.teff_k / 5900.0 - 1.0).abs() < 0.03, "{s:?}");
    assert!(s.teff_range_k.0 < s.teff_k && s.teff_k < s.teff_range_k.1 && s.white_dwarf < 0.1, "{s:?}");
}
